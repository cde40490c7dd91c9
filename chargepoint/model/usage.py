"""What a charger was used for: totals that are kept for good, and the kinds of records that tell more.

The history is a ring on the disk: the last sessions, the last days. No charger reads it again, so it costs no memory and
no time at a start; `Store.load` hands it out to whoever asks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .record import Fields, RecordKind

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
    def restored(cls, fields: Fields) -> Totals:
        """Build them again from `body`. Raises RecordError."""
        return cls(
            sessions=fields.integer("sessions", 0),
            energy_wh=fields.integer("energy_wh"),
            in_use_s=fields.number("in_use_s"),
            charging_s=fields.amount("charging_s"),
        )


@dataclass(frozen=True, slots=True)
class Accounts:
    """The totals of all sessions and of the latest day, the date of that day, and how many days were written before."""

    total: Totals
    latest: Totals
    day: str
    days: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session that has ended. ``tag`` is shortened; instants are UTC in s."""

    number: int
    connector: int
    tag: str
    transaction_id: int | None
    started_utc_s: float
    ended_utc_s: float
    energy_wh: int
    charging_s: float
    reason: str
    in_use_s: float
    """From begin to end by the monotonic clock, whatever the instants say."""


def _accounts(_key: str, fields: Fields) -> Accounts:
    return Accounts(
        total=Totals.restored(fields.fields("total")),
        latest=Totals.restored(fields.fields("latest")),
        day=fields.text("day"),
        days=fields.integer("days", 0),
    )


def _session(_key: str, fields: Fields) -> Session:
    instants_s = fields.instant("ended") - fields.instant("started")
    return Session(
        number=fields.integer("number", 0),
        connector=fields.integer("connector", 1),
        tag=fields.text("tag"),
        transaction_id=fields.optional("id", fields.integer),
        started_utc_s=fields.instant("started"),
        ended_utc_s=fields.instant("ended"),
        energy_wh=fields.integer("energy_wh"),
        charging_s=fields.amount("charging_s"),
        reason=fields.text("reason"),
        in_use_s=fields.number("in_use_s") if "in_use_s" in fields else instants_s,
    )


ACCOUNTS = RecordKind(USAGE, __name__, _accounts, "the totals of sessions and energy: they begin again from 0")
SESSIONS = RecordKind(SESSION, __name__, _session, "one session of the history")
SESSION_IDS = RecordKind(
    SESSION_ID,
    __name__,
    lambda _key, fields: (fields.integer("number", 0), fields.integer("id")),
    "the transactionId of one session of the history",
)
"""Number of the session, transactionId."""
DAYS = RecordKind(
    DAY, __name__, lambda _key, fields: (fields.text("day"), Totals.restored(fields)), "one day of the history"
)
"""Date, totals."""
HISTORY_KINDS = (ACCOUNTS, SESSIONS, SESSION_IDS, DAYS)


def session_key(number: int) -> str:
    """Return where a session stands in the ring."""
    return f"{number % SESSIONS_KEPT:03d}"


def day_key(number: int) -> str:
    """Return where a day stands in the ring."""
    return f"{number % DAYS_KEPT:03d}"
