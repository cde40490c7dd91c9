"""What a car draws over time: one line segment of current, integrated exactly, until the next decision is due.

Between events the phase current is linear in time: constant, a ramp, or one step of the taper at the end. Power is then
at most quadratic in time on either side of the current at which the power factor reaches its lower bound, and Simpson's
rule integrates it exactly; hours of steady charging are one segment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from hw.sim.cars import CarClass
from hw.sim.onboard import (
    WS_PER_KWH,
    Supply,
    accepted_power_w,
    current_for_power,
    full_power_w,
    phase_power_w,
    phases_used,
    power_factor_kink_a,
    soc_accepting,
    stored_power_w,
)

SETTLED_A = 0.01
"""Currents closer than this are the same."""
SOC_STEP = 1e-9
"""States of charge closer than this are the same: 10 us of the fastest charging, far above float resolution."""
TAPER_STEPS = 40
"""Power steps of a whole taper; 40 keep the energy within 0.05 % of the curve."""
SHORTEST_S = 1e-6


def _simpson(power_w: Callable[[float], float], start_a: float, end_a: float) -> float:
    """Return the mean of a power by Simpson's rule, which is exact up to the third order."""
    return (power_w(start_a) + 4.0 * power_w((start_a + end_a) / 2.0) + power_w(end_a)) / 6.0


class Draw:
    """Battery and present current of one car. ``due_s`` is when the segment ends and the next wants planning."""

    __slots__ = (
        "_from_a",
        "_from_s",
        "_mains",
        "_to_a",
        "battery_efficiency",
        "due_s",
        "is_ramp",
        "kind",
        "most_a",
        "most_phases",
        "soc",
        "supply",
    )

    def __init__(self, kind: CarClass, soc: float, battery_efficiency: float) -> None:
        self.kind = kind
        self.soc = soc
        self.battery_efficiency = battery_efficiency
        self._mains: Supply | None = None
        self.supply: Supply | None = None
        """The mains at the inlet, as far as the car uses their phases."""
        self.most_a = inf
        """What the driver lets the car take, in A of each phase."""
        self.most_phases: int | None = None
        """On how many phases; None: on all it has."""
        self._from_s = 0.0
        self._from_a = 0.0
        self._to_a = 0.0
        self.due_s = inf
        self.is_ramp = False
        """The segment goes to another current on purpose: it is neither constant nor a step of the taper."""

    @property
    def phases(self) -> int:
        """Phases that the car draws from now."""
        return 0 if self.supply is None else phases_used(self.kind, self.supply)

    @property
    def cut_off_soc(self) -> float:
        """State of charge from which the cells are only balanced, on the phases there are (without mains: all it has)."""
        return soc_accepting(self.kind, self.kind.cut_off_w, full_power_w(self.kind, self.phases or self.kind.phases))

    @property
    def is_steady(self) -> bool:
        """Whether no current flows and none is planned."""
        return self._from_a == 0.0 and self._to_a == 0.0

    def current_at(self, at_s: float) -> float:
        """Return the phase current in A within the present segment."""
        if self._from_a == self._to_a or at_s <= self._from_s:
            return self._from_a
        if at_s >= self.due_s:
            return self._to_a
        share = (at_s - self._from_s) / (self.due_s - self._from_s)
        return self._from_a + (self._to_a - self._from_a) * share

    def energy_wh(self, from_s: float, to_s: float, *, stores: bool) -> float:
        """Return the AC energy in Wh of one phase over part of the segment, and charge the battery by it if ``stores``.

        While cells are balanced what they take is lost as heat, so nothing is stored.
        """
        if self.is_steady or self.supply is None or to_s <= from_s:
            return 0.0
        duration_s = to_s - from_s
        start_a, end_a = self.current_at(from_s), self.current_at(to_s)
        if stores:
            stored_w = self._mean_stored_w(start_a, end_a)
            self.soc = min(1.0, self.soc + self._soc_per_s(stored_w) * duration_s)
        kind, supply = self.kind, self.supply
        power_w = self._mean(lambda current_a: phase_power_w(kind, supply, current_a), start_a, end_a)
        return power_w * duration_s / 3600.0

    def least_s_to(self, goal_soc: float, factor: float) -> float:
        """Return a time in s in which ``goal_soc`` cannot be reached, however much flows; ``factor`` as in `charge`."""
        if self.supply is None or self.phases == 0:
            return 0.0
        most_w = self.phases * self.kind.max_a * factor * self.supply.voltage_v
        return max(0.0, goal_soc - self.soc) * WS_PER_KWH * self.kind.capacity_kwh / most_w

    def connect(self, mains: Supply | None) -> None:
        """The mains at the inlet came, changed or went (None)."""
        self._mains = mains
        self.supply = mains
        if mains is not None and self.most_phases is not None:
            self.supply = replace(mains, phases=min(mains.phases, self.most_phases))

    def limit(self, most_a: float | None, most_phases: int | None) -> None:
        """Bound what the car takes: A of each phase, phases; None: as much as its class does."""
        self.most_a = inf if most_a is None else most_a
        self.most_phases = most_phases
        self.connect(self._mains)

    # --- planning -----------------------------------------------------------------------------------------------------

    def stop(self, now_s: float) -> None:
        """No current from now on."""
        self._segment(now_s, 0.0, 0.0, inf)

    def ramp_to(self, goal_a: float, now_s: float, duration_s: float) -> None:
        """Go to ``goal_a`` in a straight line."""
        self._segment(now_s, self.current_at(now_s), goal_a, now_s + max(SHORTEST_S, duration_s))
        self.is_ramp = True

    def hold_power(self, power_w: float, now_s: float) -> None:
        """Go to the current that draws ``power_w`` in all, and stay there."""
        assert self.supply is not None
        goal_a = current_for_power(self.kind, self.supply, power_w)
        if not self._ramp_is_needed(goal_a, now_s):
            self._segment(now_s, goal_a, goal_a, inf)

    def charge(self, limit_a: float, target_soc: float, now_s: float, *, factor: float = 1.0) -> None:
        """Charge within ``limit_a`` up to ``target_soc``; ``factor`` is what an overdrawing car adds to everything."""
        assert self.supply is not None
        kind = self.kind
        limit_a = min(limit_a, self.most_a, kind.max_a) * factor
        full_w = full_power_w(kind, self.phases)
        accepted_w = accepted_power_w(kind, self.soc, full_w)
        wanted_a = current_for_power(kind, self.supply, accepted_w * factor)
        goal_a = min(limit_a, wanted_a)
        if self._ramp_is_needed(goal_a, now_s):
            return
        power_w = self.phases * phase_power_w(kind, self.supply, goal_a)
        knee_soc = max(kind.taper_soc, soc_accepting(kind, power_w / factor, full_w))
        if self.soc < knee_soc - SOC_STEP:
            end_soc, end_a = min(knee_soc, target_soc), goal_a
        else:
            next_w = max(kind.cut_off_w, accepted_w - full_w / TAPER_STEPS)
            end_soc = min(soc_accepting(kind, next_w, full_w), target_soc)
            end_a = current_for_power(kind, self.supply, accepted_power_w(kind, end_soc, full_w) * factor)
        rate = self._soc_per_s(self._mean_stored_w(goal_a, end_a))
        duration_s = max(SHORTEST_S, (end_soc - self.soc) / rate) if rate > 0.0 else inf
        self._segment(now_s, goal_a, end_a if rate > 0.0 else goal_a, now_s + duration_s)

    def _ramp_is_needed(self, goal_a: float, now_s: float) -> bool:
        missing_a = goal_a - self.current_at(now_s)
        if abs(missing_a) <= SETTLED_A:
            return False
        slope_a_per_s = self.kind.ramp_up_a_per_s if missing_a > 0.0 else self.kind.ramp_down_a_per_s
        self.ramp_to(goal_a, now_s, abs(missing_a) / slope_a_per_s)
        return True

    def _segment(self, from_s: float, from_a: float, to_a: float, due_s: float) -> None:
        self._from_s = from_s
        self._from_a = from_a
        self._to_a = to_a
        self.due_s = due_s
        self.is_ramp = False

    def _mean_stored_w(self, start_a: float, end_a: float) -> float:
        """Return the mean power into the battery over a segment in W."""
        assert self.supply is not None
        phases, kind, supply = self.phases, self.kind, self.supply
        return self._mean(
            lambda current_a: stored_power_w(kind, phases * phase_power_w(kind, supply, current_a)), start_a, end_a
        )

    def _mean(self, power_w: Callable[[float], float], start_a: float, end_a: float) -> float:
        """Return the mean in W of a power that depends on the current, while that goes from one value to another."""
        if start_a == end_a:
            return power_w(start_a)
        kink_a = power_factor_kink_a(self.kind)
        if not min(start_a, end_a) < kink_a < max(start_a, end_a):
            return _simpson(power_w, start_a, end_a)
        share = (kink_a - start_a) / (end_a - start_a)
        return share * _simpson(power_w, start_a, kink_a) + (1.0 - share) * _simpson(power_w, kink_a, end_a)

    def _soc_per_s(self, stored_w: float) -> float:
        return self.battery_efficiency * stored_w / (WS_PER_KWH * self.kind.capacity_kwh)
