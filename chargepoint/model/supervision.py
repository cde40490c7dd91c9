"""What a charger reads out of its meter for the safety of outlet and wiring: current, welding, voltage, temperature.

A watched meter reports each poll, or each change (`hw.ports.Meter.watch`): the last report stands until the next one. So a
condition that has to last is judged by a timer, and where it leads to a fault the meter is asked once more.

Sources: IEC 61851-1 (5 s in which a car follows a new duty cycle) and EVSE practice for the limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hw.ports import Outlet, Reading, RelayKind

from .connector_state import Limit
from .derating import Derating
from .energy import KEEP
from .faults import Trouble
from .keys import boolean
from .mains import MainsWatch
from .outbox import Ref
from .supply import OFFERS_KEPT_S, RAMP_DOWN_S
from .timebase import Alarm

if TYPE_CHECKING:
    from .connector import Connector

OVER_CURRENT_S = 7.0
"""A car may be above its limit for so long, since it has 5 s to follow a lower one (IEC 61851-1)."""
CONDUCTS_A = 1.0
"""A phase with this current conducts: it is more than noise and stand-by, and less than a car takes while it charges."""
OPENING_S = 0.5
"""A reading that was taken so long after the contactor was ordered open must show no current."""
LIVE_S = 2.0
"""Current for so long through a contactor that was ordered open: it is welded."""
ASK_AGAIN_S = 1.0
"""Between two questions to a meter whose readings are older than what is to be judged."""
IDLE_W = 50.0
IDLE_S = 60.0
"""A car in state C that draws less than this, in all, for so long is full: three phases of balancing are 276 W."""
RESUME_W = 75.0
"""A car that was full and draws so much charges again [D]."""

SUSPENDED_EV_WITHOUT_POWER = boolean(
    "SuspendedEVWithoutPower",
    False,
    source="4.9",
    effect=f"a car that stays in state C and draws less than {IDLE_W:g} W for {IDLE_S:g} s is reported as SuspendedEV",
)


class Supervision:
    """Judges the readings of one connector's meter."""

    __slots__ = (
        "_amps",
        "_check",
        "_connector",
        "_idle",
        "_idle_since_s",
        "_live_since_s",
        "_mains",
        "_opened_s",
        "_outlet",
        "_over_since_s",
        "_power_w",
        "_settled_after_s",
        "_temperature",
        "conducting_phases",
    )

    def __init__(self, connector: Connector, outlet: Outlet) -> None:
        self.conducting_phases = 0
        """The most phases on which the car was seen to take current since it was plugged in."""
        self._connector = connector
        self._outlet = outlet
        self._amps = 0.0
        """The greatest current of a phase, in the last reading."""
        self._power_w = math.inf
        """The power in all, in the last reading; ``inf``: it told none."""
        # A controller that follows the pilot lets the car ramp down before it opens.
        self._settled_after_s = OPENING_S + (RAMP_DOWN_S if outlet.relay is RelayKind.FOLLOWS_PILOT else 0.0)
        self._over_since_s: float | None = None
        self._live_since_s: float | None = None
        self._opened_s = -math.inf
        """The opening of the contactor that was looked after last."""
        self._idle_since_s: float | None = None
        self._mains = MainsWatch(connector, outlet)
        self._temperature = Derating(connector, outlet)
        self._check = Alarm(connector.timers, self._ask)
        self._idle = Alarm(connector.timers, connector.reconsider)

    def showed(self, reading: Reading, now_s: float) -> None:
        """Judge a reading."""
        known_a = [abs(each) for each in reading.current_a if each is not None]
        if known_a:
            self._amps = max(known_a)
            self._watch_current(self._amps, reading.at_s, now_s)
            self._watch_contactor(self._amps, reading.at_s, now_s)
            self._connector.free_cable_when_dead(now_s)
        self._mains.showed(reading, now_s)
        self._temperature.showed(reading, now_s)
        self._power_w = reading.total_power_w if reading.power_w else math.inf
        self.watch_power(now_s)
        self._count_phases(reading, now_s)

    @property
    def is_concerned(self) -> bool:
        """Whether something was seen that only another reading can end: the meter is watched although nobody is there."""
        return self._mains.is_paused or self._temperature.is_reducing

    @property
    def sees_current(self) -> bool:
        """Whether current flowed when the last reading was taken."""
        return self._amps > CONDUCTS_A

    def offer_changed(self, now_s: float) -> None:
        """The pilot may signal something else: a car that does not follow a reduction may show nothing new.

        So the meter is asked when the old offer ceases to count. The reading of a car that has followed takes that back.
        """
        supply = self._connector.supply
        is_reduced = supply.is_ordered_closed and supply.reduced_s == now_s and self._amps > _bound_a(supply.offered_a)
        if is_reduced and not self._check.is_set:  # a check that is due earlier stands
            self._check.set(now_s + OFFERS_KEPT_S)

    def supply_changed(self, now_s: float) -> None:
        """The contactor was ordered, or its feedback changed: look whether current flows after an opening."""
        opened_s = self._connector.supply.contactor.opened_s
        if opened_s > self._opened_s:
            self._opened_s = opened_s
            self._over_since_s = None
            self._check.set(max(now_s, opened_s + self._settled_after_s))
        self.watch_power(now_s)

    def forget_car(self) -> None:
        """The car has left: on how many phases the next one charges is not known yet."""
        self.conducting_phases = 0

    def limits(self, most_a: float) -> Iterator[Limit]:
        """Return the limits by voltage and temperature; ``most_a`` is that of outlet and cable, in A per phase."""
        yield from self._mains.limits()
        yield from self._temperature.limits(most_a)

    def is_idle(self, now_s: float) -> bool:
        """Whether the car stays in state C without drawing power."""
        return self._idle_since_s is not None and now_s >= self._idle_since_s + IDLE_S

    def _ask(self, now_s: float) -> None:
        self._connector.meter.ask(Ref(KEEP), now_s)

    # --- current ------------------------------------------------------------------------------------------------------

    def _watch_current(self, current_a: float, at_s: float, now_s: float) -> None:
        """A car may exceed the greatest offer of the last seconds for `OVER_CURRENT_S`.

        An offer that was reduced counts for `OFFERS_KEPT_S`, and only then the time begins: a car that follows in time is
        never over, and one that is above everything it was offered is found however often the offer changes.
        """
        supply = self._connector.supply
        if not supply.is_ordered_closed:
            self._over_since_s = None
            return
        if current_a <= _bound_a(supply.offered_a):
            self._over_since_s = None
            self._check.clear()
            return
        bound_a = _bound_a(supply.most_offered_a(at_s))
        if current_a <= bound_a:
            self._over_since_s = None
            self._check.set(max(supply.reduced_s + OFFERS_KEPT_S, now_s + ASK_AGAIN_S))
            return
        if self._over_since_s is None:
            self._over_since_s = at_s
        due_s = self._over_since_s + OVER_CURRENT_S
        if at_s >= due_s:
            self._over_since_s = None
            info = f"{current_a:.1f} A, {bound_a:.1f} A allowed"
            self._connector.trouble(Trouble.OVER_CURRENT, True, now_s, info)
        else:
            self._check.set(max(due_s, now_s + ASK_AGAIN_S))

    def _watch_contactor(self, current_a: float, at_s: float, now_s: float) -> None:
        """Current through a contactor that was ordered open: it is welded, whatever its feedback says."""
        supply = self._connector.supply
        if supply.is_ordered_closed or at_s < supply.contactor.opened_s + self._settled_after_s:
            return
        if current_a <= CONDUCTS_A:
            if self._live_since_s is not None:
                self._live_since_s = None
                self._connector.trouble(Trouble.CONTACTOR_WELDED, supply.is_closed, now_s)
            return
        if self._live_since_s is None:
            self._live_since_s = at_s
        if at_s >= self._live_since_s + LIVE_S:
            info = f"{current_a:.1f} A with the contactor open"
            self._connector.trouble(Trouble.CONTACTOR_WELDED, True, now_s, info)
        else:
            self._check.set(max(self._live_since_s + LIVE_S, now_s + ASK_AGAIN_S))

    def _count_phases(self, reading: Reading, now_s: float) -> None:
        """Note on how many phases the car charges: what a limit in W comes to per phase depends on it (OCPP 1.6 7.12).

        A meter that does not tell the current of each phase counts as one that shows all of them.
        """
        phases = self._outlet.rated.phases
        current_a = reading.current_a[:phases]
        is_told = len(current_a) == phases
        seen = sum(each is not None and abs(each) >= CONDUCTS_A for each in current_a) if is_told else phases
        if seen > self.conducting_phases:
            self.conducting_phases = seen
            self._connector.reconsider(now_s)

    # --- power --------------------------------------------------------------------------------------------------------

    def watch_power(self, now_s: float) -> None:
        """Look whether the car draws power, by the last reading, which stands; where the setting wants that."""
        if self._idle_since_s is None and self._power_w >= IDLE_W:
            return
        connector, was_idle = self._connector, self.is_idle(now_s)
        may_be_idle = connector.supply.is_closed and connector.supply.car_asks
        least_w = RESUME_W if was_idle else IDLE_W
        if not may_be_idle or self._power_w >= least_w or not connector.setting(SUSPENDED_EV_WITHOUT_POWER):
            self._idle_since_s = None
            self._idle.clear()
            if was_idle:
                connector.reconsider(now_s)
        elif self._idle_since_s is None:
            self._idle_since_s = now_s
            self._idle.set(now_s + IDLE_S)


def _bound_a(offered_a: float) -> float:
    """Return the current in A that a car may take of an offer without being faulted."""
    return (offered_a + 0.5) * 1.1
