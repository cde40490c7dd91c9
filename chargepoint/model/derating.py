"""The temperature of a board: less current while it is warm, none while it is hot.

Steps by the limit M of the board file (for example 75 °C): half the current from M - 10 K, a quarter from M - 6 K, none
from M on; each step ends 3 K below its beginning (EVSE practice: 65, 68 to 70, 71 to 75 °C, restored below 62 °C).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hw.ports import Outlet, Reading

from .connector_state import Limit
from .faults import Trouble
from .timebase import Alarm, Timers

STEPS_K = (-10.0, -6.0, 0.0)
"""Where half the current, a quarter and none begin, relative to the limit of the board file in K."""
SHARES = (1.0, 0.5, 0.25, 0.0)
HOT = len(STEPS_K)
HYSTERESIS_K = 3.0
CONFIRM_S = 2.0
"""A higher step begins when the temperature has lasted for so long: one wrong reading stops nobody [D]."""
COOLING_S = 300.0
"""Least time without current after the board was too hot [D]: its parts are hotter than its sensor."""


class DeratingOwner(Protocol):
    """What the derating needs of the connector it belongs to."""

    timers: Timers

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...
    def reconsider(self, now_s: float) -> None: ...


class Derating:
    """Watches the temperature of the board against `Limits.max_board_c`."""

    __slots__ = ("_alarm", "_board_c", "_outlet", "_owner", "_step", "_stopped_s")

    def __init__(self, owner: DeratingOwner, outlet: Outlet) -> None:
        self._owner = owner
        self._outlet = outlet
        self._step = 0
        self._board_c = 0.0
        self._stopped_s = 0.0
        self._alarm = Alarm(owner.timers, self._judge)

    @property
    def is_reducing(self) -> bool:
        """Whether the board is, or was, too warm for the whole current."""
        return self._step > 0

    def limits(self, most_a: float) -> Iterator[Limit]:
        """Return the limit that the temperature sets to ``most_a``, in A per phase; not below the outlet's minimum."""
        if 0 < self._step < HOT:
            yield Limit(max(self._outlet.limits.min_a, most_a * SHARES[self._step]), "temperature of the board")

    def showed(self, reading: Reading, now_s: float) -> None:
        """Judge the temperature of a reading; without one the last one stands."""
        limit_c = self._outlet.limits.max_board_c
        if reading.board_c is not None and limit_c is not None:
            self._board_c = reading.board_c
            if self._step == 0 and reading.board_c < limit_c + STEPS_K[0]:
                self._alarm.clear()  # cool, as nearly always
                return
            step = self._step_at(self._board_c)
            if step <= self._step:
                self._alarm.clear()
                if step < self._step:
                    self._judge(now_s)
            elif not self._alarm.is_set:
                self._alarm.set(now_s + CONFIRM_S)

    def _judge(self, now_s: float) -> None:
        step = self._step_at(self._board_c)
        if self._step == HOT and step < HOT and now_s < self._stopped_s + COOLING_S:
            self._alarm.set(self._stopped_s + COOLING_S)
            return
        if step == self._step:
            return
        before, self._step = self._step, step
        if step == HOT:
            self._stopped_s = now_s
        if HOT in (before, step):
            self._owner.trouble(Trouble.OVER_TEMPERATURE, step == HOT, now_s, f"{self._board_c:.0f} C")
        self._owner.reconsider(now_s)

    def _step_at(self, board_c: float) -> int:
        """Return the step at a temperature: up where it begins, down `HYSTERESIS_K` below that."""
        limit_c = self._outlet.limits.max_board_c
        assert limit_c is not None
        begun = sum(board_c >= limit_c + each_k for each_k in STEPS_K)
        held = sum(board_c >= limit_c + each_k - HYSTERESIS_K for each_k in STEPS_K)
        return max(begun, min(self._step, held))
