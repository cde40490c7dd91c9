"""Boot, registration, heartbeat and the clock (OCPP 1.6 4.2, 4.6; OCPP-J 5.4 and 7)."""

from __future__ import annotations

from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger, RegistrationStatus

from chargepoint.model.calls import Failure, Lane, Outcome
from chargepoint.model.chargepoint import ChargePoint, Station
from chargepoint.model.feature import FeatureProfile, answered
from chargepoint.model.journal import Registered
from chargepoint.model.keys import Access, integer, items
from chargepoint.model.outbox import Ref, SetPing
from chargepoint.model.record import RecordKind, Snapshot
from chargepoint.model.session import MESSAGE_TIMEOUT, Registration
from chargepoint.model.timebase import Alarm, Clock, utc_seconds

HEARTBEAT_INTERVAL = integer(
    "HeartbeatInterval", 300, unit="s", source="9.1.10", effect="idle time after which Heartbeat is sent; 0: never"
)
WEBSOCKET_PING_INTERVAL = integer(
    "WebSocketPingInterval", 30, unit="s", source="OCPP-J 7", effect="seconds between two pings; 0: no pings"
)
"""30 s: common central systems drop a socket on which nothing came for 60 s, and two pings fit into that."""
NUMBER_OF_CONNECTORS = integer(
    "NumberOfConnectors", 1, minimum=1, access=Access.READ_ONLY, source="9.1.21", effect="without connector 0"
)
SUPPORTED_FEATURE_PROFILES = items(
    "SupportedFeatureProfiles",
    (),
    check=bool,
    expected="feature profiles",
    access=Access.READ_ONLY,
    source="9.1.29",
    effect="what this charger can do",
)

UNASKED_WAIT_S = 30.0
"""Wait before the next BootNotification when a Pending or Rejected answer leaves it to us with interval 0."""
CLOCK_TOLERANCE_S = 1.0
"""A smaller difference is the way the answer travelled."""
DAY_S = 86400.0
LONGEST_INTERVAL_S = 2**31 - 1
"""The largest HeartbeatInterval; who is told to wait longer would not come back."""
LATEST_UTC_S = utc_seconds("9000-01-01T00:00:00Z")
"""Of a clock that shows more nobody can write down the next day; before 1970 it was not set either."""

BOOT = Ref("boot")
HEARTBEAT = Ref("heartbeat")


def boot_notification(station: Station) -> call.BootNotification:
    """Return the message by which a charge point says who it is (6.3)."""
    return call.BootNotification(
        charge_point_vendor=station.vendor,
        charge_point_model=station.model,
        charge_point_serial_number=station.serial_number,
        charge_box_serial_number=station.charge_box_serial_number,
        firmware_version=station.firmware_version,
        iccid=station.iccid,
        imsi=station.imsi,
        meter_type=station.meter_type,
        meter_serial_number=station.meter_serial_number,
    )


REGISTRATION = RecordKind(
    "registration",
    __name__,
    lambda _key, fields: fields.instant("at"),
    "that a central system has accepted this charge point: until it does again no transaction starts offline",
)
"""One, keyed ``accepted``: when, in s of UTC."""


class Boot(FeatureProfile):
    """Registers with the central system and keeps clock and heartbeat."""

    __slots__ = ("_heartbeat", "_heartbeat_s", "_retry", "was_accepted")

    name = "Core"
    keys = (
        SUPPORTED_FEATURE_PROFILES,
        NUMBER_OF_CONNECTORS,
        HEARTBEAT_INTERVAL,
        WEBSOCKET_PING_INTERVAL,
        MESSAGE_TIMEOUT,
    )
    triggers = (MessageTrigger.boot_notification, MessageTrigger.heartbeat)
    records = (REGISTRATION,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.was_accepted = False
        """Ever, in this life or an earlier one: then the offline rules may let people charge (4.2)."""
        self._retry = Alarm(host.timers, self._boot, Clock.WIRE)
        self._heartbeat = Alarm(host.timers, self._beat, is_patient=True)
        self._heartbeat_s = 0.0

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self.was_accepted = snapshot.one(REGISTRATION, "accepted") is not None

    # --- registration -------------------------------------------------------------------------------------------------

    def link_opened(self, now_s: float) -> None:
        """On a mere reconnect no BootNotification is sent (OCPP-J 5.4); before an answer it is the first message.

        With `Options.boot_on_reconnect` it is sent on each new socket, and nothing else until it is answered.
        """
        self.host.emit(SetPing(self.host.setting(WEBSOCKET_PING_INTERVAL)))
        if self.host.session.registration is Registration.ACCEPTED:
            self._arm_heartbeat(now_s)
        elif not self._retry.is_set:
            self._boot(now_s)

    def link_closed(self, now_s: float) -> None:
        self._heartbeat.clear()
        if self.host.options.boot_on_reconnect and self.host.session.registration is Registration.ACCEPTED:
            self.host.session.registration = Registration.UNKNOWN

    def forgotten(self, now_s: float) -> None:
        self.host.log.warning("the central system has forgotten this charger, which registers again")
        self._heartbeat.clear()
        self._boot(now_s)

    def _boot(self, now_s: float) -> None:
        host = self.host
        if not host.session.is_open or host.session.has_waiting(BOOT):
            return
        host.send(boot_notification(host.station), BOOT, now_s, Lane.BOOT)

    @answered(call.BootNotification)
    def _registered(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        host = self.host
        if outcome.failure is Failure.LINK_LOST:
            return  # the next socket begins with it again
        if outcome.failure is not None:
            host.log.warning("BootNotification: %s; again in %.0f s", outcome.detail, host.boot_retry_s)
            self._retry.set_after(host.boot_retry_s)
            return
        result = outcome.result
        self._set_clock(result.current_time, now_s)
        interval_s = result.interval
        if not 0 <= interval_s <= LONGEST_INTERVAL_S:
            host.log.warning("BootNotification.conf: interval %d is none, the charge point's own is used", interval_s)
            interval_s = 0
        host.journal.write(now_s, Registered(str(result.status), interval_s))
        if result.status == RegistrationStatus.accepted:
            self._retry.clear()
            if interval_s:
                host.settings.set(HEARTBEAT_INTERVAL, interval_s)
            if not self.was_accepted:
                self.was_accepted = True
                host.save(REGISTRATION.name, "accepted", {"at": host.calendar.utc_s(now_s)})
            host.session.registration = Registration.ACCEPTED
            host.session.is_confirmed = True
            self._arm_heartbeat(now_s)
            host.registered(now_s)
        else:
            pending = result.status == RegistrationStatus.pending
            host.session.registration = Registration.PENDING if pending else Registration.REJECTED
            self._retry.set_after(interval_s or UNASKED_WAIT_S)

    # --- heartbeat and clock ------------------------------------------------------------------------------------------

    def call_sent(self, action: str, now_s: float) -> None:
        """Any call shows that we are alive (4.6); only once a day a Heartbeat must be among them, for the clock."""
        next_s = now_s + float(self.host.setting(HEARTBEAT_INTERVAL))
        if action != "BootNotification" and next_s - self._heartbeat_s < DAY_S:
            self._arm_heartbeat(now_s)

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == HEARTBEAT_INTERVAL.name:
            self._arm_heartbeat(now_s)
        elif name == WEBSOCKET_PING_INTERVAL.name:
            self.host.emit(SetPing(self.host.setting(WEBSOCKET_PING_INTERVAL)))

    def _arm_heartbeat(self, now_s: float) -> None:
        interval_s = self.host.setting(HEARTBEAT_INTERVAL)
        if interval_s and self.host.session.is_online:
            self._heartbeat.set(now_s + interval_s)
        else:
            self._heartbeat.clear()

    def _beat(self, now_s: float) -> None:
        if self.host.session.is_open and not self.host.session.has_waiting(HEARTBEAT):
            self._heartbeat_s = now_s
            self.host.send(call.Heartbeat(), HEARTBEAT, now_s)
        self._arm_heartbeat(now_s)

    @answered(call.Heartbeat)
    def _beaten(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        if outcome.result is not None:
            self._set_clock(outcome.result.current_time, now_s)

    def _set_clock(self, current_time: str, now_s: float) -> None:
        utc_s = utc_seconds(current_time)
        if not 0.0 <= utc_s < LATEST_UTC_S:
            self.host.log.warning("the clock stays as it is: the central system says it is %s", current_time)
            return
        if not self.host.calendar.is_possible(utc_s):
            self.host.log.warning(
                "the clock stays as it is: the central system says it is %s, which is before this program was made",
                current_time,
            )
            return
        # Until somebody accepts us nothing stamped has left, so that it can still be put right.
        is_first = not self.host.calendar.is_set and self.host.session.registration is not Registration.ACCEPTED
        step_s = self.host.calendar.set(utc_s, now_s, CLOCK_TOLERANCE_S)
        if step_s:
            self.host.clock_stepped(step_s, now_s, is_first=is_first)

    # --- triggers -----------------------------------------------------------------------------------------------------

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        if requested == MessageTrigger.boot_notification:
            self._boot(now_s)
        else:
            self._heartbeat_s = now_s
            self.host.send(call.Heartbeat(), HEARTBEAT, now_s, self.host.session.trigger_lane)
