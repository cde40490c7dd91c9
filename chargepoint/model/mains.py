"""The mains voltage of an outlet: outside its limits the outlet pauses, and after a minute it is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hw.ports import Outlet, Reading

from .connector_state import Limit
from .faults import Trouble
from .timebase import Alarm, Timers

PAUSE_S = 5.0
"""Voltage outside the limits for so long pauses (EVSE practice); inside again for as long ends the pause."""
FAULT_S = 60.0
"""Voltage outside the limits for so long is a fault."""
HYSTERESIS_V = 2.0
"""The voltage must be so far inside the limits to count as back [D]."""
DEAD_V = 50.0
"""All phases below this, with the contactor open: the meter is fitted behind the contactor and shows no mains [D]."""


class MainsOwner(Protocol):
    """What the watch over the mains needs of the connector it belongs to."""

    timers: Timers
    phases: int

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...
    def reconsider(self, now_s: float) -> None: ...


class MainsWatch:
    """Watches the voltage of each phase to neutral against `Limits.min_v` and `Limits.max_v`."""

    __slots__ = ("_alarm", "_fault", "_info", "_outlet", "_owner", "_reason", "_since_s", "is_paused")

    def __init__(self, owner: MainsOwner, outlet: Outlet) -> None:
        self._owner = owner
        self._outlet = outlet
        self._fault: Trouble | None = None
        """What the voltage is outside the limits; None: inside."""
        self._info = ""
        """The worst phase and its voltage, now."""
        self._reason = ""
        """The same when the pause began."""
        self._since_s = 0.0
        self.is_paused = False
        """Nothing may flow: the voltage was outside the limits, and is not back for long enough."""
        self._alarm = Alarm(owner.timers, self._lasted)

    def limits(self) -> Iterator[Limit]:
        """Return the limit of a pause."""
        if self.is_paused:
            yield Limit(0.0, f"mains voltage, {self._reason}")

    def showed(self, reading: Reading, now_s: float) -> None:
        """Judge the voltages of a reading; without any the last ones stand."""
        phases = enumerate(reading.voltage_v[: self._owner.phases], start=1)
        known_v = [(volts, phase) for phase, volts in phases if volts is not None]
        if not known_v or (max(known_v)[0] < DEAD_V and not any(reading.current_a)):
            return  # nothing is known, or the meter is behind the open contactor
        limits = self._outlet.limits
        margin_v = HYSTERESIS_V if self.is_paused else 0.0
        (low_v, lowest), (high_v, highest) = min(known_v), max(known_v)
        if low_v < limits.min_v + margin_v:
            self._judge(Trouble.UNDER_VOLTAGE, f"L{lowest} {low_v:.0f} V", now_s)
        elif high_v > limits.max_v - margin_v:
            self._judge(Trouble.OVER_VOLTAGE, f"L{highest} {high_v:.0f} V", now_s)
        else:
            self._judge(None, "", now_s)

    def _judge(self, fault: Trouble | None, info: str, now_s: float) -> None:
        self._info = info
        if fault is self._fault:
            return
        before, self._fault = self._fault, fault
        if before is not None and fault is not None:
            return  # from too low to too high: the voltage is outside as long as before
        self._since_s = now_s
        if fault is not None or self.is_paused:
            self._alarm.set(now_s + PAUSE_S)
        else:
            self._alarm.clear()

    def _lasted(self, now_s: float) -> None:
        if self._fault is None:
            self.is_paused = False
            for each in (Trouble.UNDER_VOLTAGE, Trouble.OVER_VOLTAGE):
                self._owner.trouble(each, False, now_s)
        elif now_s < self._since_s + FAULT_S:
            self.is_paused, self._reason = True, self._info
            self._alarm.set(self._since_s + FAULT_S)
        else:
            self._owner.trouble(self._fault, True, now_s, self._info)
        self._owner.reconsider(now_s)
