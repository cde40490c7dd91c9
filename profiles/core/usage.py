"""What the charger was used for: sessions, energy and hours, kept over restarts and power cuts.

Every record leaves with the stop message of its transaction, in one commit: a session is counted when it is queued, once.
It counts for the day, in UTC, on which it ended, and for that day as a whole. A day is written into the history when the
first session of another one ends; a calendar that is set back and forth writes a day more than once, and readers add up.
"""

from __future__ import annotations

from typing import Any

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.record import Snapshot
from chargepoint.model.tags import short_tag
from chargepoint.model.timebase import utc_text
from chargepoint.model.transaction import Message, Transaction
from chargepoint.model.usage import ACCOUNTS, DAY, SESSION, SESSION_ID, TOTALS, USAGE, Totals, day_key, session_key


class Usage(FeatureProfile):
    """Keeps account of ended transactions. In memory are only the totals of ever and of the latest day."""

    __slots__ = ("_day", "_days", "_latest", "_total")

    name = "Core"
    records = (ACCOUNTS,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._total = Totals()
        self._latest = Totals()
        self._day = ""
        """The date of the latest day, ``""`` before the first session."""
        self._days = 0
        """How many days were written into the history."""

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        kept = snapshot.one(ACCOUNTS, TOTALS)
        if kept is not None:
            self._total, self._latest = kept.total, kept.latest
            self._day, self._days = kept.day, kept.days

    def transaction_settled(
        self, transaction: Transaction, meter_stop_wh: int, reason: str, at_utc_s: float, now_s: float
    ) -> None:
        number = transaction.session = self._total.sessions
        energy_wh = meter_stop_wh - transaction.meter_start_wh
        # By the monotonic clock: the calendar may have been set meanwhile.
        in_use_s = transaction.lasted_s
        if in_use_s is None:
            in_use_s = at_utc_s - transaction.started_utc_s
        self._begin_day(utc_text(at_utc_s)[:10])
        for totals in (self._total, self._latest):
            totals.add(energy_wh, in_use_s, transaction.charging_s)
        session: dict[str, Any] = {
            "number": number,
            "connector": transaction.connector,
            "tag": short_tag(transaction.id_tag),
            "id": transaction.transaction_id,
            "started": transaction.started_utc_s,
            "ended": at_utc_s,
            "energy_wh": energy_wh,
            "in_use_s": round(in_use_s, 1),
            "charging_s": round(transaction.charging_s, 1),
            "reason": reason,
        }
        self.host.save(SESSION, session_key(number), session)
        self._save()

    def transaction_answered(self, message: Message, result: Any, now_s: float) -> None:
        """A transaction that ended before the central system had numbered it gets its number late (4.8)."""
        transaction = self.host.queue.transactions.get(message.transaction or "")
        if transaction is None or transaction.session is None or result is None:
            return
        if message.action == "StartTransaction":
            body = {"number": transaction.session, "id": result.transaction_id}
            self.host.save(SESSION_ID, session_key(transaction.session), body)

    def _begin_day(self, day: str) -> None:
        if day == self._day:
            return
        if self._day:
            self.host.save(DAY, day_key(self._days), {"day": self._day, **self._latest.body()})
            self._days += 1
        self._day, self._latest = day, Totals()

    def _save(self) -> None:
        totals = {"total": self._total.body(), "latest": self._latest.body(), "day": self._day, "days": self._days}
        self.host.save(USAGE, TOTALS, totals)
