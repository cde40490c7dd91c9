"""What a connector's meter shows besides its register, judged: the current of each phase and the board's temperature.

The register and what is believed of it stand in `energy`; a reading that is not believed is not judged.
"""

from __future__ import annotations

from typing import Protocol

from hw.ports import Outlet, Reading

from .faults import Trouble
from .outbox import Effect, ReadMeter, Ref
from .timebase import Alarm, Timers

WATCH = "watch"
"""Kind of the question that supervision asks."""
OVER_CURRENT_S = 7.0
"""A car may be above its limit for so long, since it has 5 s to follow a lower one (IEC 61851-1)."""
CONDUCTS_A = 1.0
"""A phase with this current conducts: it is more than noise and stand-by, and less than a car takes while it charges."""


class SupervisionOwner(Protocol):
    """What supervision needs of the connector it belongs to."""

    timers: Timers

    @property
    def is_charging(self) -> bool: ...
    @property
    def is_in_transaction(self) -> bool: ...
    @property
    def offered_a(self) -> float: ...
    def emit(self, effect: Effect) -> None: ...
    def reconsider(self, now_s: float) -> None: ...
    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...


class Supervision:
    """The watch over one outlet. ``conducting_phases`` is what it has learned of the car."""

    __slots__ = ("_again", "_outlet", "_over_since_s", "_owner", "conducting_phases")

    def __init__(self, owner: SupervisionOwner, outlet: Outlet) -> None:
        self.conducting_phases = 0
        """The most phases on which the car was seen to take current since it was plugged in."""
        self._owner = owner
        self._outlet = outlet
        self._over_since_s: float | None = None
        self._again = Alarm(owner.timers, self._ask_again)

    def take(self, reading: Reading, now_s: float) -> None:
        """Judge a reading that was believed."""
        self._watch_temperature(reading, now_s)
        self._watch_current(reading, now_s)
        self._count_phases(reading, now_s)

    def forget_car(self) -> None:
        """The car has left: on how many phases the next one charges is not known yet."""
        self.conducting_phases = 0

    def _watch_temperature(self, reading: Reading, now_s: float) -> None:
        limit_c = self._outlet.limits.max_board_c
        if limit_c is not None and reading.board_c is not None:
            if reading.board_c > limit_c:
                self._owner.trouble(Trouble.OVER_TEMPERATURE, True, now_s, f"{reading.board_c:.0f} C")
            elif reading.board_c < limit_c - 3.0:
                self._owner.trouble(Trouble.OVER_TEMPERATURE, False, now_s)

    def _watch_current(self, reading: Reading, now_s: float) -> None:
        bound_a = (self._owner.offered_a + 0.5) * 1.1
        if not self._owner.is_charging or not reading.current_a or max(reading.current_a) <= bound_a:
            self._over_since_s = None
        elif self._over_since_s is None:
            self._over_since_s = now_s
            self._again.set(now_s + OVER_CURRENT_S)
        elif now_s - self._over_since_s >= OVER_CURRENT_S:
            self._over_since_s = None
            info = f"{max(reading.current_a):.1f} A, {bound_a:.1f} A allowed"
            self._owner.trouble(Trouble.OVER_CURRENT, True, now_s, info)

    def _count_phases(self, reading: Reading, now_s: float) -> None:
        """Note on how many phases the car charges: what a limit in W comes to per phase depends on it (OCPP 1.6 7.12).

        A meter that does not tell the current of each phase counts as one that shows all of them.
        """
        phases = self._outlet.rated.phases
        current_a = reading.current_a[:phases]
        seen = sum(abs(amps) >= CONDUCTS_A for amps in current_a) if len(current_a) == phases else phases
        if seen > self.conducting_phases:
            self.conducting_phases = seen
            self._owner.reconsider(now_s)

    def _ask_again(self, _now_s: float) -> None:
        if self._over_since_s is not None and self._owner.is_in_transaction:
            self._owner.emit(ReadMeter(self._outlet.connector, Ref(WATCH)))
