"""GetDiagnostics: name an archive, send it, say how that went (OCPP 1.6 5.9 and 4.4)."""

from __future__ import annotations

import re
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.enums import DiagnosticsStatus, MessageTrigger

from chargepoint.model.calls import Outcome as Answer
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.feature import FeatureProfile, answered, handles
from chargepoint.model.outbox import Ref
from chargepoint.model.record import RecordKind, Snapshot
from chargepoint.model.timebase import utc_seconds, utc_text
from chargepoint.model.transfer import Outcome, Transferred

from .delivery import RETRIES, RETRY_INTERVAL_S, Delivery, Parcel
from .notices import Notices

KIND = "diagnostics"
JOB = RecordKind(
    KIND, __name__, lambda _key, fields: Parcel.restored(fields), "an upload of diagnostics that was not finished"
)
"""One, keyed ``job``."""


def _notification(status: str) -> Any:
    return call.DiagnosticsStatusNotification(status=DiagnosticsStatus(status))


class Diagnostics(FeatureProfile):
    """One upload at a time; a newer request cancels the older."""

    __slots__ = ("_delivery", "_notices", "job")

    name = "FirmwareManagement"
    triggers = (MessageTrigger.diagnostics_status_notification,)
    records = (JOB,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.job: Parcel | None = None
        self._notices = Notices(host, KIND, _notification)
        self._delivery = Delivery(host, KIND, self._save, self._delivered)

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self._notices.restore(snapshot)
        self.job = snapshot.one(JOB, "job")

    def booted(self, now_s: float) -> None:
        """An upload that a restart cut off is begun again, as far as its retries go."""
        if self.job is not None and self._delivery.parcel is None:
            self._delivery.begin(self.job, now_s)
        self._notices.pump(now_s)

    def link_opened(self, now_s: float) -> None:
        self._notices.pump(now_s)

    def _save(self) -> None:
        self.host.save(KIND, "job", None if self.job is None else self.job.body())

    @handles(call.GetDiagnostics)
    def _get(self, request: call.GetDiagnostics, now_s: float) -> call_result.GetDiagnostics:
        host = self.host
        now_utc_s = host.calendar.utc_s(now_s)
        since_utc_s = None if request.start_time is None else utc_seconds(request.start_time)
        until_utc_s = None if request.stop_time is None else utc_seconds(request.stop_time)
        earliest_s, latest_s = since_utc_s or 0.0, now_utc_s if until_utc_s is None else until_utc_s
        if earliest_s > min(latest_s, now_utc_s):
            # 5.9: there can be nothing of such a time, and without a file there is no name and no upload.
            return call_result.GetDiagnostics()
        self._delivery.cancel()
        self.job = Parcel(
            key=host.new_message_id(),
            url=request.location,
            retries=RETRIES if request.retries is None else max(0, request.retries),
            is_ordered=request.retries is not None,
            interval_s=RETRY_INTERVAL_S if request.retry_interval is None else max(0, request.retry_interval),
            name=self._file_name(now_utc_s),
            is_upload=True,
            since_utc_s=since_utc_s,
            until_utc_s=until_utc_s,
        )
        self._notices.tell(DiagnosticsStatus.uploading, now_s)
        self._delivery.begin(self.job, now_s)
        return call_result.GetDiagnostics(file_name=self.job.name)

    def _file_name(self, now_utc_s: float) -> str:
        """A name for any file system, at most 255 characters (6.26)."""
        identity = re.sub(r"[^A-Za-z0-9.-]", "_", self.host.identity)[:100]
        moment = re.sub(r"[-:.]", "", utc_text(now_utc_s))
        return f"diagnostics-{identity}-{moment}.tar.gz"

    def transfer_ended(self, ref: Ref, ended: Transferred, now_s: float) -> None:
        if ref.kind == KIND:
            self._delivery.on_transfer(ref, ended, now_s)

    def _delivered(self, ended: Transferred, now_s: float) -> None:
        self.job = None
        self._save()
        is_lost = ended.outcome is Outcome.FAILED
        self._notices.tell(DiagnosticsStatus.upload_failed if is_lost else DiagnosticsStatus.uploaded, now_s)

    @answered(call.DiagnosticsStatusNotification)
    def _told(self, about: Ref, outcome: Answer, now_s: float) -> None:
        self._notices.answered(about, outcome, now_s)

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        """4.4: Idle only when triggered and not uploading."""
        status = DiagnosticsStatus.idle if self.job is None else DiagnosticsStatus.uploading
        self.host.send(_notification(status), Ref("trigger"), now_s, self.host.session.trigger_lane)
