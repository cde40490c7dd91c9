"""An interruption of the control pilot: the car sees an unplug, while plug, transaction and lock stay as they are.

Cars that fell asleep wake up on it, phases are switched behind it, and a hard fault shows as state F. While it lasts the
pilot says nothing of the car: its readings are kept, and the last one counts when it is over.

Source: IEC 61851-1 state F, at least 300 ms for the car to see it; EVSE practice for the length of a wake-up and the steady
pilot after it.
"""

from __future__ import annotations

from typing import Protocol

from hw.ports import PILOT_OFF, PILOT_STEADY, Outlet, PilotReading

from .outbox import Effect, OpenPilot
from .timebase import Alarm, Timers

STEADY_S = 0.75
"""How long the pilot stays steady between an interruption and the next PWM (EVSE practice: 0.5 to 1 s)."""


class InterruptionOwner(Protocol):
    """What an interruption needs of the supply it belongs to."""

    timers: Timers

    def emit(self, effect: Effect) -> None: ...
    def interruption_changed(self, now_s: float) -> None: ...


class Interruption:
    """The pilot of one outlet is open, or at state F where no relay can open it, then steady for `STEADY_S`."""

    __slots__ = ("_cut", "_is_open", "_kept", "_outlet", "_owner", "_steady", "is_cut")

    def __init__(self, owner: InterruptionOwner, outlet: Outlet) -> None:
        self.is_cut = False
        """The pilot is open, or at state F."""
        self._owner = owner
        self._outlet = outlet
        self._is_open = False
        self._kept: PilotReading | None = None
        self._cut = Alarm(owner.timers, self._join)
        self._steady = Alarm(owner.timers, self._end)

    @property
    def is_active(self) -> bool:
        """The pilot says nothing of the car."""
        return self.is_cut or self._steady.is_set

    @property
    def is_possible(self) -> bool:
        """There is a way to interrupt the pilot: a relay, or state F."""
        return self._outlet.has_pilot_relay or self._outlet.drives_state_f

    @property
    def steady_percent(self) -> float:
        """The duty in % that is driven while nothing is offered."""
        return PILOT_OFF if self.is_cut and not self._is_open else PILOT_STEADY

    def begin(self, cut_s: float, now_s: float, *, by_state_f: bool = False) -> None:
        """Cut the pilot for ``cut_s``: by its relay where there is one, unless ``by_state_f`` is wanted."""
        self.is_cut = True
        self._steady.clear()
        self._cut.set(now_s + cut_s)
        self._set_open(self._outlet.has_pilot_relay and not by_state_f)

    def _set_open(self, is_open: bool) -> None:
        if is_open != self._is_open:
            self._is_open = is_open
            self._owner.emit(OpenPilot(self._outlet.connector, is_open))

    def keep(self, reading: PilotReading) -> None:
        """Keep a reading for the end."""
        self._kept = reading

    def take(self) -> PilotReading | None:
        """Return the last reading once the interruption is over, None before and without one."""
        if self.is_active:
            return None
        kept, self._kept = self._kept, None
        return kept

    def _join(self, now_s: float) -> None:
        self.is_cut = False
        self._steady.set(now_s + STEADY_S)
        self._set_open(False)
        self._owner.interruption_changed(now_s)

    def _end(self, now_s: float) -> None:
        self._owner.interruption_changed(now_s)
