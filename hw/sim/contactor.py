"""The contactor between mains and car, with feedback from its main contacts."""

from __future__ import annotations

from math import inf


class Contactor:
    """Coil and main contacts. ``is_closed`` is the feedback; ``due_s`` is when the contacts arrive."""

    __slots__ = ("_moves_to", "_travel_s", "due_s", "is_closed")

    def __init__(self, travel_s: float) -> None:
        self._travel_s = travel_s
        self._moves_to = False
        self.is_closed = False
        self.due_s = inf

    def drive(self, coil: bool, now_s: float) -> None:
        """Power the coil or not; the contacts arrive one travel time later."""
        if coil == self._moves_to:
            return
        self._moves_to = coil
        self.due_s = now_s + self._travel_s if coil != self.is_closed else inf

    def step(self, *, is_welded: bool, is_stuck: bool) -> None:
        """The contacts arrive, unless they are welded together or stuck apart."""
        self.due_s = inf
        if self._moves_to and not is_stuck:
            self.is_closed = True
        elif not self._moves_to and not is_welded:
            self.is_closed = False

    def begin_welded(self) -> None:
        """The contacts are found welded together, as a loss of power has left them."""
        self.is_closed = True

    def mend(self, now_s: float) -> None:
        """The contacts are free again and follow the coil."""
        if self._moves_to != self.is_closed:
            self.due_s = now_s + self._travel_s
