"""A car at the end of the cable: it sees the pilot and the mains, and answers with a resistor and a current.

It never learns of contactor, charger or central system: that boundary is what lets the same car stand behind real
hardware. States and delays are those of the EV model, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from math import inf
from typing import Any

from hw.sim.cars import CLASSES, CarClass, Quirk
from hw.sim.chance import Chance
from hw.sim.draw import SOC_STEP, Draw
from hw.sim.drives import Drives
from hw.sim.habits import (
    DRAWING,
    FOLLOW_S,
    HOLD_S2_S,
    LASTING,
    LATE_C_S,
    LONG_WAKE_S,
    NO_MAINS_S,
    NO_MAINS_TRIES,
    OVERDRAW,
    RAMP_OFF_S,
    READY_JITTER,
    S2_CLOSED,
    SHOWN_ABOVE_SOC,
    SIMPLIFIED_A,
    SLOW_FOLLOW_S,
    TOP_UP_S,
    CarOptions,
    CarState,
)
from hw.sim.hearing import Hearing
from hw.sim.onboard import Supply
from hw.sim.pilot import PilotLoad

POLL_S = 1.0
"""Period at which a meter on a bus is polled."""


class Car:
    """One car. Its owner calls `settle` before anything changes, and `step` at ``due_s``."""

    __slots__ = (
        "_allowed_a",
        "_balancing_left_s",
        "_cable_a",
        "_chance",
        "_draw",
        "_drives",
        "_hearing",
        "_is_willing",
        "_options",
        "_rest_until_s",
        "_seen_phases",
        "_settled_s",
        "_timer_s",
        "_tries",
        "quirks",
        "state",
        "wants_energy",
    )

    def __init__(self, options: CarOptions, seed: int) -> None:
        self._options = options
        self._chance = Chance(seed)
        self._draw = Draw(options.kind, options.soc, options.battery_efficiency)
        self.quirks = options.quirks
        self.state = CarState.UNPLUGGED
        self.wants_energy = True
        self._cable_a = inf
        self._hearing = Hearing()
        self._seen_phases = 0
        """On how many phases there were mains since it was plugged in: before that a car cannot know."""
        self._allowed_a = 0.0
        self._is_willing = False  # in WAIT: S2 is about to close
        self._rest_until_s = 0.0
        self._timer_s = inf
        self._tries = 0
        self._balancing_left_s = options.kind.balancing_s
        self._settled_s = 0.0
        per_day = options.drives_per_day
        self._drives = None if per_day is None else Drives(*per_day, seed)

    def become(self, kind: CarClass | None, soc: float | None, now_s: float) -> None:
        """Be another car, or the same one with another state of charge, at the end of a drive. Only while unplugged."""
        if kind is not None and kind is not self.kind:
            self._options = replace(self._options, kind=kind)
            self._draw = Draw(kind, self.soc, self._options.battery_efficiency)
            self._balancing_left_s = kind.balancing_s
        self._arrive(now_s)
        if soc is not None:
            self._draw.soc = soc

    def _arrive(self, now_s: float) -> None:
        """The drive is over."""
        if self._drives is not None:
            self._draw.soc = self._drives.arrive(self.soc, now_s)

    # --- what the charger sees ----------------------------------------------------------------------------------------

    @property
    def due_s(self) -> float:
        """When the car does something by itself, in s."""
        return min(self._timer_s, self._hearing.due_s, self._draw.due_s)

    @property
    def shows_s(self) -> float:
        """The earliest moment at which the charger could see the car do something by itself, in s.

        Current is no news until a meter is read: while the car draws, only S2 is, and it opens after a ramp to 0.
        """
        if self.state not in DRAWING:
            return self.due_s
        heard_s = self._hearing.due_s + (0.0 if self._hearing.loses_pilot else RAMP_OFF_S)
        planned_s = min(self._timer_s, self._draw.due_s) + RAMP_OFF_S
        if self.state is not CarState.BALANCING:
            planned_s = max(planned_s, self._settled_s + self._draw.least_s_to(self.goal_soc, OVERDRAW))
        return min(heard_s, planned_s)

    @property
    def is_ramping(self) -> bool:
        """Whether the current is on its way to another one."""
        return self._draw.is_ramp

    @property
    def steps_s(self) -> float:
        """When a watched meter could next show another current, in s.

        That is the next step other than those of the taper; a ramp shows each second, as a meter that is polled.
        """
        if self.is_ramping:
            return min(self.due_s, self._settled_s + POLL_S)
        if self.state in DRAWING:
            return min(self._timer_s, self._hearing.due_s, max(self._draw.due_s, self.shows_s))
        return self.due_s

    @property
    def soc(self) -> float:
        """State of charge, 0..1."""
        return self._draw.soc

    @property
    def goal_soc(self) -> float:
        """The state of charge at which it stops to charge, 0..1: the driver's target, or full."""
        return min(self._options.target_soc, self._draw.cut_off_soc)

    def shown_soc_at(self, at_s: float) -> float:
        """Return the state of charge that the car tells others at ``at_s``, 0..1, and change nothing.

        It is a little more than the cells hold, so that a full car tells 100 % (EV model, section 6).
        """
        draw = copy(self._draw)
        draw.energy_wh(self._settled_s, at_s, stores=self.state is not CarState.BALANCING)
        return min(1.0, draw.soc + SHOWN_ABOVE_SOC)

    @property
    def kind(self) -> CarClass:
        """The class of the car."""
        return self._draw.kind

    @property
    def phases(self) -> int:
        """Phases it draws from while the mains are there."""
        return self._draw.phases

    @property
    def load(self) -> PilotLoad:
        """The resistor it shows on the pilot."""
        if self.state is CarState.UNPLUGGED:
            return PilotLoad.NONE
        stays = self.state is CarState.FULL and Quirk.C_WHEN_FULL in self.quirks
        if self.state in S2_CLOSED or stays or Quirk.SIMPLIFIED in self.quirks:
            return PilotLoad.D if Quirk.STATE_D in self.quirks else PilotLoad.C
        return PilotLoad.B

    @property
    def has_diode(self) -> bool:
        return Quirk.NO_DIODE not in self.quirks

    def current_at(self, at_s: float) -> float:
        """Return the current in A of each phase it uses."""
        return self._draw.current_at(at_s)

    def unsettled_wh(self, at_s: float) -> float:
        """Return the AC energy in Wh that `settle` would return at ``at_s``, and change nothing."""
        return self._draw.energy_wh(self._settled_s, at_s, stores=False)

    def twin(self) -> Car:
        """Return a copy that goes its own way from here."""
        twin = copy(self)
        twin._chance, twin._draw, twin._hearing = copy(self._chance), copy(self._draw), copy(self._hearing)
        return twin

    def settle(self, now_s: float) -> float:
        """Account for the time since the last call and return the AC energy in Wh that each used phase has given."""
        stores = self.state is not CarState.BALANCING
        energy_wh = self._draw.energy_wh(self._settled_s, now_s, stores=stores)
        self._settled_s = max(self._settled_s, now_s)
        return energy_wh

    # --- what the car sees --------------------------------------------------------------------------------------------

    def plug(self, cable_a: float, now_s: float) -> None:
        """The plug is in; the cable's own rating bounds the current."""
        if self.state is CarState.UNPLUGGED:
            self._arrive(now_s)
            self._cable_a = cable_a
            self._tries = 0
            self._enter(CarState.WAIT, now_s)

    def unplug(self, now_s: float) -> None:
        """The plug is out; a balance that was cut short begins anew next time."""
        self._draw.connect(None)
        self._draw.stop(now_s)
        self._allowed_a = 0.0
        self._hearing.forget()
        self._seen_phases = 0
        self._balancing_left_s = self.kind.balancing_s
        if self.state is not CarState.UNPLUGGED and self._drives is not None:
            self._drives.leave(now_s)
        self._enter(CarState.UNPLUGGED, now_s)

    def see_pilot(self, duty_percent: float | None, now_s: float) -> None:
        """The pilot at the inlet changed; None is no pilot at all."""
        if self.state is not CarState.UNPLUGGED:
            follow_s = SLOW_FOLLOW_S if Quirk.SLOW_FOLLOW in self.quirks else FOLLOW_S
            wake_pulse_s = LONG_WAKE_S if Quirk.NEEDS_30S_CP in self.quirks else self.kind.wake_pulse_s
            self._hearing.see(duty_percent, now_s, follow_s=follow_s, wake_pulse_s=wake_pulse_s)

    def see_mains(self, supply: Supply | None, now_s: float) -> None:
        """The voltage at the inlet changed; None is no voltage."""
        self._draw.connect(supply)
        self._seen_phases = max(self._seen_phases, self._draw.phases)
        if self._draw.phases == 0:
            self._draw.stop(now_s)
            if self.state in S2_CLOSED and self.state is not CarState.READY:
                if self.state is not CarState.STOPPING:
                    self._enter(CarState.STOPPING, now_s)
                self._timer_s = min(self._timer_s, now_s + HOLD_S2_S)
        elif self.state is CarState.READY:
            self._enter(CarState.PRECHARGE, now_s)
            self._reconsider(now_s)
        elif self.state in (CarState.CHARGING, CarState.BALANCING):
            self._go_on(now_s)

    def set_wish(self, wants_energy: bool, now_s: float) -> None:
        """The driver pauses or resumes."""
        self.wants_energy = wants_energy
        self._reconsider(now_s)

    def set_appetite(self, current_a: float | None, phases: int | None, now_s: float) -> None:
        """Take no more than this per phase, on so many phases; None: as much as the class does. Raises ValueError."""
        if current_a is not None and not 0.0 < current_a <= self.kind.max_a:
            raise ValueError(f"this car takes up to {self.kind.max_a:g} A, not {current_a:g} A")
        if phases is not None and not 1 <= phases <= self.kind.phases:
            raise ValueError(f"this car has {self.kind.phases} phases, not {phases}")
        self._draw.limit(current_a, phases)
        if self.state is CarState.CHARGING:
            self._go_on(now_s)

    def step(self, now_s: float) -> None:
        """Do what is due."""
        if self._hearing.due_s <= now_s:
            self._hear(now_s)
        if self._draw.due_s <= now_s:
            if self.state in (CarState.CHARGING, CarState.BALANCING):
                self._go_on(now_s)
            else:
                self._draw.stop(now_s)  # the end of the ramp to 0
        if self._timer_s <= now_s:
            self._timer_s = inf
            self._time_out(now_s)

    # --- a restart of the simulation ----------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, object]:
        """State of charge, state and the driver's wish; currents and delays begin anew."""
        return {
            "soc": self.soc,
            "state": self.state.value,
            "wants_energy": self.wants_energy,
            "balancing_left_s": self._balancing_left_s,
            "most_a": None if self._draw.most_a == inf else self._draw.most_a,
            "most_phases": self._draw.most_phases,
            "quirks": sorted(self.quirks),
            "class": self.kind.name,
            "drives": None if self._drives is None else self._drives.snapshot(self._settled_s),
        }

    def restore(self, saved: Mapping[str, Any], cable_a: float, now_s: float) -> None:
        """Take up a `snapshot`: a car that was doing something waits, one that slept or was full still is."""
        self.become(CLASSES.get(str(saved.get("class")), self.kind), float(saved["soc"]), now_s)
        drives = saved.get("drives")
        if self._drives is not None and isinstance(drives, Mapping):
            self._drives.restore(drives, now_s)
        self.wants_energy = bool(saved["wants_energy"])
        self._balancing_left_s = float(saved["balancing_left_s"])
        self._draw.limit(saved.get("most_a"), saved.get("most_phases"))
        self.quirks = frozenset(map(Quirk, saved["quirks"]))
        self._cable_a = cable_a
        self._settled_s = now_s
        state = CarState(saved["state"])
        if state is not CarState.UNPLUGGED:
            self._enter(state if state in LASTING else CarState.WAIT, now_s)

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _hear(self, now_s: float) -> None:
        """A signal has been there long enough to count."""
        hearing = self._hearing
        was_steady = hearing.is_steady
        hearing.understand()
        if hearing.is_lost:
            self._lose_pilot(now_s)
            return
        if self.state is CarState.ASLEEP:
            is_edge = was_steady and self._offered_a() > 0.0
            if not hearing.has_pulsed and not (is_edge and self.kind.wakes_on_pwm):
                return
            self._enter(CarState.WAIT, now_s)
        hearing.has_pulsed = False
        if Quirk.HOLDS_C in self.quirks and self.state in S2_CLOSED and self._offered_a() == 0.0:
            return
        self._allowed_a = self._offered_a()
        self._reconsider(now_s)

    def _lose_pilot(self, now_s: float) -> None:
        """No pilot, or state F: stop at once; what comes back counts as a new plug-in."""
        self._allowed_a = 0.0
        self._tries = 0
        self._draw.stop(now_s)
        if self._hearing.is_state_f and Quirk.F_LOCKS_UP in self.quirks:
            self._enter(CarState.DEAD, now_s)
        elif self.state not in LASTING:
            self._enter(CarState.WAIT, now_s)

    def _reconsider(self, now_s: float) -> None:
        if self.state is CarState.WAIT:
            self._wait(now_s)
        elif self.state in S2_CLOSED and self.state is not CarState.STOPPING:
            if not self._may_draw():
                self._enter(CarState.STOPPING, now_s)
            elif self.state in (CarState.CHARGING, CarState.BALANCING):
                self._go_on(now_s)

    def _wait(self, now_s: float) -> None:
        """Decide in B: close S2 soon, fall asleep later, or neither."""
        is_willing = self._may_draw() and Quirk.NEVER_C not in self.quirks
        if not is_willing:
            self._timer_s = now_s + self.kind.sleeps_after_s if self._hearing.is_steady else inf
        elif not self._is_willing:
            self._timer_s = max(now_s + self._ready_delay_s(), self._rest_until_s)
        self._is_willing = is_willing

    def _go_on(self, now_s: float) -> None:
        """Plan the next piece of charging."""
        if self.state is CarState.BALANCING:
            self._draw.hold_power(self.kind.balancing_w, now_s)
        elif self.soc >= self._options.target_soc - SOC_STEP:
            self._enter(CarState.STOPPING, now_s)
        elif self.soc >= self._draw.cut_off_soc - SOC_STEP:
            self._enter(CarState.BALANCING, now_s)
        else:
            factor = OVERDRAW if Quirk.OVERDRAW in self.quirks else 1.0
            limit_a = min(self._allowed_a, self._cable_a)
            self._draw.charge(limit_a, self._options.target_soc, now_s, factor=factor)

    def _time_out(self, now_s: float) -> None:
        match self.state:
            case CarState.WAIT:
                self._enter(CarState.READY if self._is_willing else CarState.ASLEEP, now_s)
            case CarState.READY:
                self._tries += 1
                self._rest_until_s = now_s + NO_MAINS_S
                self._enter(CarState.ASLEEP if self._tries >= NO_MAINS_TRIES else CarState.WAIT, now_s)
            case CarState.PRECHARGE:
                self._enter(CarState.CHARGING, now_s)
            case CarState.BALANCING:
                self._balancing_left_s = 0.0
                self._enter(CarState.STOPPING, now_s)
            case CarState.STOPPING:
                self._enter(CarState.WAIT if self._needs_energy() else CarState.FULL, now_s)
            case CarState.FULL:
                self._balancing_left_s = TOP_UP_S
                self._enter(CarState.WAIT, now_s)

    def _enter(self, state: CarState, now_s: float) -> None:
        if self.state is CarState.BALANCING and self._timer_s < inf:
            self._balancing_left_s = max(0.0, self._timer_s - now_s)
        self.state = state
        self._timer_s = inf
        self._is_willing = False
        match state:
            case CarState.WAIT:
                self._draw.stop(now_s)
                self._allowed_a = self._offered_a()  # a car that held C has opened S2 now, and is like any other
                self._wait(now_s)
            case CarState.READY:
                self._timer_s = now_s + NO_MAINS_S
                if self.phases > 0:
                    self._enter(CarState.PRECHARGE, now_s)
            case CarState.PRECHARGE:
                self._timer_s = now_s + self.kind.draw_delay_s
            case CarState.CHARGING:
                self._tries = 0
                self._go_on(now_s)
            case CarState.BALANCING:
                self._timer_s = now_s + self._balancing_left_s
                self._go_on(now_s)
            case CarState.STOPPING:
                self._timer_s = now_s + RAMP_OFF_S
                if not self._draw.is_steady:
                    self._draw.ramp_to(0.0, now_s, RAMP_OFF_S)
            case CarState.FULL:
                self._draw.stop(now_s)
                self._timer_s = now_s + self._options.top_up_s

    def _offered_a(self) -> float:
        """Return the current in A that the pilot offers, as far as the car has understood it."""
        offered_a = self._hearing.offered_a
        return min(offered_a, SIMPLIFIED_A) if Quirk.SIMPLIFIED in self.quirks else offered_a

    def _may_draw(self) -> bool:
        # 1 % of tolerance: a duty rounded to 0.1 % may offer 7.98 A for 8 A.
        return self.wants_energy and self._allowed_a >= 0.99 * self.kind.least_a(self._seen_phases) and self._needs_energy()

    def _needs_energy(self) -> bool:
        # Balanced cells are full until the next plug-in, at whatever power the taper has ended.
        return self.soc < self._options.target_soc - SOC_STEP and self._balancing_left_s > 0.0

    def _ready_delay_s(self) -> float:
        if Quirk.LATE_C in self.quirks:
            return LATE_C_S
        if Quirk.SIMPLIFIED in self.quirks:
            return 0.0
        return self._chance.around(1.0, READY_JITTER) * self.kind.ready_delay_s
