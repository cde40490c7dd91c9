"""Statuses on their way to the central system: none is lost to an outage, a restart or a power cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.v16.enums import DiagnosticsStatus, FirmwareStatus

from chargepoint.model.calls import Failure, Outcome
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.outbox import Ref
from chargepoint.model.record import Fields, RecordKind, Snapshot
from chargepoint.model.timebase import Alarm, Clock

ATTEMPTS = 3
"""How often a status is sent that gets no answer at all; a CALLERROR is an answer."""
RETRY_S = 30.0
LONGEST = 20
"""Statuses kept while nobody listens; the newest tell more."""


_STATUSES = {"diagnostics": DiagnosticsStatus, "firmware": FirmwareStatus}


def _waiting(key: str, fields: Fields) -> list[str]:
    return [_STATUSES[key](status).value for status in fields.texts("waiting")]


NOTICES = RecordKind("notices", __name__, _waiting, "the {key} statuses that were still to be sent")
"""Keyed by what they are about: ``diagnostics`` or ``firmware``."""


class Notices:
    """Sends one status after the other, in order, each until it is answered; what waits is stored."""

    __slots__ = ("_about", "_attempts", "_host", "_is_under_way", "_make", "_retry", "waiting")

    def __init__(self, host: ChargePoint, kind: str, make: Callable[[str], Any]) -> None:
        """``make`` builds the call that tells a status; ``kind`` is the name in the store."""
        self.waiting: list[str] = []
        self._host = host
        self._about = Ref("notice", kind)
        self._make = make
        self._is_under_way = False
        self._attempts = 0
        self._retry = Alarm(host.timers, self.pump, Clock.WIRE)

    def restore(self, snapshot: Snapshot) -> None:
        self.waiting = list(snapshot.one(NOTICES, self._about.key) or ())

    def tell(self, status: str, now_s: float) -> None:
        """Send a status after those that wait."""
        # The first one stays, it may be under way: its answer is about to come.
        self.waiting = [*self.waiting[:1], *self.waiting[1:][-(LONGEST - 2) :], status]
        self._save()
        self.pump(now_s)

    def pump(self, now_s: float) -> None:
        """Send what waits, if somebody listens."""
        if self.waiting and not self._is_under_way and self._host.session.is_online:
            self._is_under_way = True
            self._retry.clear()
            self._host.send(self._make(self.waiting[0]), self._about, now_s)

    def answered(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        """Take what became of a call; one that was sent for a trigger is nobody's business."""
        if about != self._about:
            return
        self._is_under_way = False
        if outcome.failure is Failure.LINK_LOST:
            return  # the next socket takes it up again
        if outcome.failure is Failure.TIMEOUT:
            self._attempts += 1
            if self._attempts < ATTEMPTS:
                self._retry.set_after(RETRY_S)
                return
            self._host.log.warning("%s %s was never answered", self._about.key, self.waiting[0])
        self._attempts = 0
        del self.waiting[:1]
        self._save()
        self.pump(now_s)

    def _save(self) -> None:
        self._host.save(NOTICES.name, self._about.key, {"waiting": self.waiting} if self.waiting else None)
