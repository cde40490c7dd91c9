"""UpdateFirmware: fetch at the time that was told, wait for the drivers, install, say so (OCPP 1.6 5.19 and 4.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.enums import FirmwareStatus, MessageTrigger

from chargepoint.model.calls import Outcome as Answer
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.feature import FeatureProfile, answered, handles
from chargepoint.model.keys import Access, items
from chargepoint.model.outbox import CancelTransfer, Install, Ref
from chargepoint.model.record import Fields, RecordError, RecordKind, Snapshot
from chargepoint.model.timebase import Alarm, Appointment, Clock, utc_seconds
from chargepoint.model.transfer import Outcome, Transferred, failed

from .delivery import RETRIES, RETRY_INTERVAL_S, Delivery, Parcel
from .notices import NOTICES, Notices

SUPPORTED_FILE_TRANSFER_PROTOCOLS = items(
    "SupportedFileTransferProtocols",
    ("HTTP", "HTTPS", "FTP", "FTPS"),
    check=bool,
    expected="protocols",
    access=Access.READ_ONLY,
    source="8",
    effect="how firmware is fetched and diagnostics are sent; SFTP where its library is installed",
)

INSTALL_LIMIT_S = 3600.0
"""Wall time after which an installation that never ended has failed."""
GOODBYE_S = 10.0
"""Wall time that the last statuses may take to be answered before the restart."""
LOOK_S = 0.2

KIND = "firmware"


class Stage(StrEnum):
    """How far an update is; stored."""

    SCHEDULED = "scheduled"
    DOWNLOADING = "downloading"
    WAITING = "waiting"
    INSTALLING = "installing"
    RESTARTING = "restarting"


@dataclass(frozen=True, slots=True)
class _Stored:
    """One record of an update. Which fields are set depends on its key."""

    parcel: Parcel | None = None
    stage: Stage = Stage.SCHEDULED
    version: str | None = None
    """Of the firmware that was installed; under ``job`` that of the firmware that began the update."""
    over: str | None = None
    """The version that the program came with when another one was installed."""


def _stored(key: str, fields: Fields) -> _Stored:
    if key == "version":
        return _Stored(version=fields.optional("version", fields.text), over=fields.optional("over", fields.text))
    parcel = Parcel.restored(fields.fields("parcel"))
    if key == "next":
        return _Stored(parcel)
    if key != "job":
        raise RecordError("its key is none of job, next and version")
    return _Stored(parcel, Stage(fields.text("stage")), fields.optional("before", fields.text))


FIRMWARE = RecordKind(KIND, __name__, _stored, "the firmware update ({key})")
"""``job``: the update under way; ``next``: the one after it; ``version``: what was installed last."""

_TOLD = {
    Stage.DOWNLOADING: FirmwareStatus.downloading,
    Stage.WAITING: FirmwareStatus.downloaded,
    Stage.INSTALLING: FirmwareStatus.installing,
    Stage.RESTARTING: FirmwareStatus.installing,
}


def _notification(status: str) -> Any:
    return call.FirmwareStatusNotification(status=FirmwareStatus(status))


class Update(FeatureProfile):
    """One update at a time. A newer request cancels the older, unless that is being installed: then it comes after."""

    __slots__ = ("_appointment", "_deadline", "_delivery", "_goodbye_s", "_look", "_next", "_notices", "job", "stage")

    name = "FirmwareManagement"
    keys = (SUPPORTED_FILE_TRANSFER_PROTOCOLS,)
    triggers = (MessageTrigger.firmware_status_notification,)
    records = (FIRMWARE, NOTICES)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.job: Parcel | None = None
        self.stage = Stage.SCHEDULED
        self._next: Parcel | None = None
        self._notices = Notices(host, KIND, _notification)
        self._delivery = Delivery(host, KIND, self._save, self._delivered)
        self._appointment: Appointment | None = None
        self._deadline = Alarm(host.timers, self._too_late, Clock.WIRE)
        self._look = Alarm(host.timers, self._restart_when_told, Clock.WIRE)
        self._goodbye_s = 0.0

    # --- over a restart -----------------------------------------------------------------------------------------------

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self._notices.restore(snapshot)
        self._know_version(snapshot.one(FIRMWARE, "version"))
        job, following = snapshot.one(FIRMWARE, "job"), snapshot.one(FIRMWARE, "next")
        if following is not None:
            self._next = following.parcel
        if job is not None:
            self.job, self.stage = job.parcel, job.stage
        if job is not None and self.stage is Stage.INSTALLING:
            # Cut off while the new firmware was written: if another one answers now than the one that began it, the
            # installation has restarted the box itself; else nobody knows what is there, and that is a failure.
            if self.host.station.firmware_version != job.version:
                self._end(FirmwareStatus.installed, now_s)
            else:
                self._fail(failed("cut off by a restart"), now_s)

    def _know_version(self, kept: _Stored | None) -> None:
        """Take over what the last installation said of itself, unless this program came with another version since."""
        host = self.host
        if kept is not None and kept.over == host.station.firmware_version:
            host.station = replace(host.station, firmware_version=kept.version)

    def _save(self) -> None:
        if self.job is None:
            self.host.save(KIND, "job", None)
            return
        body = {"stage": self.stage.value, "parcel": self.job.body(), "before": self.host.station.firmware_version}
        self.host.save(KIND, "job", body)

    def registered(self, now_s: float) -> None:
        """Go on with an installation that waited: its connectors are Unavailable in the reports after this boot."""
        if self.job is not None and self.stage is Stage.WAITING and self._is_idle():
            self._wait(now_s)

    def booted(self, now_s: float) -> None:
        """Go on with what an earlier run did not finish, and report what it could not."""
        if self.job is not None and self.stage is Stage.RESTARTING and not self.host.is_restarting:
            # 5.19: Installed after the BootNotification of the new firmware.
            self._end(FirmwareStatus.installed, now_s)
        elif self.job is not None and self._is_idle():
            if self.stage is Stage.DOWNLOADING:
                self._delivery.begin(self.job, now_s)
            elif self.stage is Stage.SCHEDULED:
                self._schedule(self.job, now_s)
        self._notices.pump(now_s)

    def _is_idle(self) -> bool:
        """Nothing has been set going for the job in this life."""
        is_waiting = any(connector.availability.is_withdrawn for connector in self.host.connectors)
        return self._appointment is None and self._delivery.parcel is None and not is_waiting

    def link_opened(self, now_s: float) -> None:
        self._notices.pump(now_s)

    # --- the request --------------------------------------------------------------------------------------------------

    @handles(call.UpdateFirmware)
    def _update(self, request: call.UpdateFirmware, now_s: float) -> call_result.UpdateFirmware:
        parcel = Parcel(
            key=self.host.new_message_id(),
            url=request.location,
            retries=RETRIES if request.retries is None else max(0, request.retries),
            is_ordered=request.retries is not None,
            interval_s=RETRY_INTERVAL_S if request.retry_interval is None else max(0, request.retry_interval),
            since_utc_s=utc_seconds(request.retrieve_date),
        )
        if self.job is not None and self.stage in (Stage.INSTALLING, Stage.RESTARTING):
            self._next = parcel
            self.host.save(KIND, "next", {"parcel": parcel.body()})
        else:
            self._cancel(now_s)
            self._schedule(parcel, now_s)
        return call_result.UpdateFirmware()

    def _cancel(self, now_s: float) -> None:
        """5.19 knows no answer that refuses: the newest request is the one that counts."""
        if self._appointment is not None:
            self._appointment.cancel()
            self._appointment = None
        if self.job is not None and self.stage is Stage.WAITING:
            self.host.emit(CancelTransfer(self._ref(self.job)))
        self._delivery.cancel()
        self.job = None
        self._give_back(now_s)

    def _schedule(self, parcel: Parcel, now_s: float) -> None:
        self.job, self.stage = parcel, Stage.SCHEDULED
        self._save()
        due_utc_s = parcel.since_utc_s or 0.0
        if due_utc_s <= self.host.calendar.utc_s(now_s):
            self._fetch(now_s)
        else:
            self._appointment = self.host.calendar.at(due_utc_s, self._fetch)

    # --- the file -----------------------------------------------------------------------------------------------------

    def _fetch(self, now_s: float) -> None:
        self._appointment = None
        if self.job is not None:
            self.stage = Stage.DOWNLOADING
            self._notices.tell(FirmwareStatus.downloading, now_s)
            self._delivery.begin(self.job, now_s)

    def _delivered(self, ended: Transferred, now_s: float) -> None:
        if ended.outcome is Outcome.FAILED:
            self._end(FirmwareStatus.download_failed, now_s)
            return
        self.stage = Stage.WAITING
        self._save()
        self._notices.tell(FirmwareStatus.downloaded, now_s)
        self._wait(now_s)

    # --- the installation ---------------------------------------------------------------------------------------------

    def _wait(self, now_s: float) -> None:
        """5.19: while transactions run, connectors that are not in use become Unavailable until the installation."""
        for connector in self.host.connectors:
            connector.availability.withdraw(True, now_s)
        self._install_if_free(now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        if self.job is not None and self.stage is Stage.WAITING and connector.availability.is_withdrawn:
            self._install_if_free(now_s)

    def _install_if_free(self, now_s: float) -> None:
        host = self.host
        is_free = all(each.availability.is_withdrawn and each.is_at_rest for each in host.connectors)
        if self.job is None or self.stage is not Stage.WAITING or not is_free or host.is_going_down:
            return
        self.stage = Stage.INSTALLING
        host.is_installing = True
        self._save()
        self._notices.tell(FirmwareStatus.installing, now_s)
        self._deadline.set_after(INSTALL_LIMIT_S)
        host.emit(Install(self._ref(self.job), self.job.url))

    def transfer_ended(self, ref: Ref, ended: Transferred, now_s: float) -> None:
        if ref.kind != KIND:
            return
        self._delivery.on_transfer(ref, ended, now_s)
        if self.job is None or self.stage is not Stage.INSTALLING or ref != self._ref(self.job):
            return
        if ended.outcome is Outcome.FAILED:
            self._fail(ended, now_s)
        elif ended.outcome is Outcome.INSTALLED:
            self._deadline.clear()
            if ended.version is not None:
                over = self.host.station.firmware_version
                self.host.save(KIND, "version", {"version": ended.version, "over": over})
            if ended.needs_restart:
                self.stage = Stage.RESTARTING
                self._save()
                self._goodbye_s = self.host.timers.wire_s + GOODBYE_S
                self._restart_when_told(now_s)
            else:
                if ended.version is not None:
                    self.host.station = replace(self.host.station, firmware_version=ended.version)
                self._end(FirmwareStatus.installed, now_s)

    @staticmethod
    def _ref(job: Parcel) -> Ref:
        """The file has the key of the attempt that brought it."""
        return Ref(KIND, f"{job.key}.{job.attempts}")

    def _too_late(self, now_s: float) -> None:
        self._fail(failed(f"no end after {INSTALL_LIMIT_S:.0f} s"), now_s)

    def _restart_when_told(self, now_s: float) -> None:
        host = self.host
        if self._notices.waiting and host.session.is_online and host.timers.wire_s < self._goodbye_s:
            self._look.set_after(LOOK_S)
        else:
            host.restart(True, "new firmware", now_s)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _fail(self, ended: Transferred, now_s: float) -> None:
        self.host.log.warning("firmware was not installed: %s", ended.reason)
        self._end(FirmwareStatus.installation_failed, now_s)

    def _end(self, status: FirmwareStatus, now_s: float) -> None:
        job, self.job = self.job, None
        self.stage = Stage.SCHEDULED
        self.host.is_installing = False
        self._deadline.clear()
        self._save()
        if job is not None and status is not FirmwareStatus.download_failed:
            self.host.emit(CancelTransfer(self._ref(job)))  # the file has served
        self._give_back(now_s)
        self._notices.tell(status, now_s)
        if self._next is not None:
            following, self._next = self._next, None
            self.host.save(KIND, "next", None)
            self._schedule(following, now_s)

    def _give_back(self, now_s: float) -> None:
        """Connectors go back to what they were."""
        for connector in self.host.connectors:
            connector.availability.withdraw(False, now_s)

    # --- what is told -------------------------------------------------------------------------------------------------

    @answered(call.FirmwareStatusNotification)
    def _told(self, about: Ref, outcome: Answer, now_s: float) -> None:
        self._notices.answered(about, outcome, now_s)

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        """4.5: Idle only when triggered and not busy with firmware."""
        status = FirmwareStatus.idle if self.job is None else _TOLD.get(self.stage, FirmwareStatus.idle)
        self.host.send(_notification(status), Ref("trigger"), now_s, self.host.session.trigger_lane)
