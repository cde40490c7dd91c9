"""The temperature of a simulated board: it follows the current with inertia, exactly, without a timer a second."""

from __future__ import annotations

from math import exp, inf, log

AMBIENT_C = 25.0
HEATING_C = 15.0
"""Rise of the board at its rated current, once it is warm."""
INERTIA_S = 900.0
"""Time constant: after so long 63 % of a change have shown."""
STEP_C = 1.001
"""A watched board reports each degree while it is warm; a hair more than the degree that counts as news."""


class BoardTemperature:
    """The temperature of one board in C."""

    __slots__ = ("_from_c", "_from_s", "_goal_c", "_held_c")

    def __init__(self) -> None:
        self._from_c = self._goal_c = AMBIENT_C
        self._from_s = 0.0
        self._held_c: float | None = None

    def at(self, at_s: float) -> float:
        """Return the temperature at an instant that is not before the last change."""
        if self._held_c is not None:
            return self._held_c
        if self._from_c == self._goal_c:
            return self._goal_c
        left = exp(-max(0.0, at_s - self._from_s) / INERTIA_S)
        return self._goal_c + (self._from_c - self._goal_c) * left

    def load(self, share: float, now_s: float) -> None:
        """The outlet carries this share of its rated current from now on."""
        goal_c = AMBIENT_C + HEATING_C * share**2
        if goal_c != self._goal_c:
            self._from_c, self._from_s = self.at(now_s), now_s
            self._goal_c = goal_c

    def hold(self, board_c: float | None, now_s: float) -> None:
        """Something keeps the board at a temperature; None: no longer, and it cools down from there."""
        if board_c is None and self._held_c is not None:
            self._from_c, self._from_s = self._held_c, now_s
        self._held_c = board_c

    def crosses_s(self, now_s: float, above_c: float) -> float:
        """Return when it has changed by `STEP_C`, in s, while it is above ``above_c``; ``inf``: it does not."""
        board_c, goal_c = self.at(now_s), self._goal_c
        if self._held_c is not None or max(board_c, goal_c) <= above_c or abs(board_c - goal_c) < STEP_C:
            return inf
        step_c = STEP_C if goal_c > board_c else -STEP_C
        return now_s + INERTIA_S * log((board_c - goal_c) / (board_c + step_c - goal_c))
