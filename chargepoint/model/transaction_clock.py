"""UTC inside one transaction: the instant at which it began plus the charge time since.

The calendar of a charger may be set at any time (OCPP 1.6 4.2, 4.6), also back. A bill must not follow: its samples stay in
order, and its duration is the time that has passed.
"""

from __future__ import annotations

LARGE_STEP_S = 60.0
"""[D] A larger step of the calendar is not taken over before the end of the transaction."""
HAIR_S = 0.001
"""Timestamps have milliseconds."""


class TransactionClock:
    """The clock of a transaction that began at charge time ``began_s``. What it shows never decreases."""

    __slots__ = ("_last_utc_s", "_offset_s", "began_s")

    def __init__(self, began_s: float, began_utc_s: float) -> None:
        self.began_s = began_s
        self._offset_s = began_utc_s - began_s
        self._last_utc_s = began_utc_s

    def utc_s(self, at_s: float) -> float:
        """Return the UTC of charge time ``at_s``, but never less than the last timestamp of the transaction."""
        return max(self._last_utc_s, at_s + self._offset_s)

    def stamp(self, at_s: float) -> float:
        """Return `utc_s` for a timestamp of the transaction; later ones are not earlier."""
        self._last_utc_s = self.utc_s(at_s)
        return self._last_utc_s

    def admit(self, utc_s: float, now_s: float) -> bool:
        """Take ``utc_s``, which another clock showed, as a timestamp; return False where it would break the order.

        It must be neither before the last timestamp nor after what this clock shows at ``now_s``.
        """
        if not self._last_utc_s <= utc_s <= self.utc_s(now_s) + HAIR_S:
            return False
        self._last_utc_s = utc_s
        return True

    def follow(self, step_s: float) -> None:
        """The calendar was set by ``step_s``: follow it unless the step is large."""
        if abs(step_s) <= LARGE_STEP_S:
            self._offset_s += step_s

    def move(self, step_s: float) -> None:
        """The calendar was set for the first time, by ``step_s``: timestamps that were given move as well."""
        self._offset_s += step_s
        self._last_utc_s += step_s
