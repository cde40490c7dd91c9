"""What a charger was used for: totals that are kept for good, and the kinds of records that tell more.

The history is a ring on the disk: the last sessions, the last days. No charger reads it again, so it costs no memory and
no time at a start; `Store.load` hands it out to whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SESSIONS_KEPT = 200
DAYS_KEPT = 400
"""Days on which something was charged."""

USAGE = "usage"
"""Kind of the one record of totals; its key is `TOTALS`. A life begins with it."""
TOTALS = "totals"
SESSION = "session"
SESSION_ID = "session_id"
"""The transactionId of a session that the central system numbered only after its end."""
DAY = "day"
HISTORY = frozenset({SESSION, SESSION_ID, DAY})
"""Kinds that no life begins with."""


@dataclass(slots=True)
class Totals:
    """Sessions that have ended. ``in_use_s``: from begin to end of their transactions; ``charging_s``: contactor closed."""

    sessions: int = 0
    energy_wh: int = 0
    in_use_s: float = 0.0
    charging_s: float = 0.0

    def add(self, energy_wh: int, in_use_s: float, charging_s: float) -> None:
        """Count one more session."""
        self.sessions += 1
        self.energy_wh += energy_wh
        self.in_use_s = round(self.in_use_s + in_use_s, 1)
        self.charging_s = round(self.charging_s + charging_s, 1)

    def body(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def restored(cls, body: Mapping[str, Any]) -> Totals:
        """Build them again from `body`."""
        return cls(body["sessions"], body["energy_wh"], body["in_use_s"], body["charging_s"])


def session_key(number: int) -> str:
    """Return where a session stands in the ring."""
    return f"{number % SESSIONS_KEPT:03d}"


def day_key(number: int) -> str:
    """Return where a day stands in the ring."""
    return f"{number % DAYS_KEPT:03d}"
