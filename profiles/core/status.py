"""StatusNotification: what is reported, when, and in which steps (OCPP 1.6 4.9; MinimumStatusDuration 9.1.20)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from ocpp.v16 import call
from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, MessageTrigger

from chargepoint.model.calls import Lane, Outcome
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.faults import MEANINGS, VENDOR_ID
from chargepoint.model.feature import FeatureProfile, answered
from chargepoint.model.journal import StatusChanged, StatusTooShort
from chargepoint.model.keys import integer
from chargepoint.model.outbox import Ref
from chargepoint.model.record import Snapshot
from chargepoint.model.records import AVAILABILITY
from chargepoint.model.status import path
from chargepoint.model.supervision import SUSPENDED_EV_WITHOUT_POWER
from chargepoint.model.timebase import Alarm, utc_text
from chargepoint.model.transaction import Transaction
from hw.ports import Reading

FIRST_REQUEST_S = 2.0
"""Own minimum of SuspendedEV at the start of a transaction: an ordinary car asks for energy within it."""
SETTLE_S = 1.0
"""Own minimum of a change between Charging and SuspendedEV, which some cars repeat quickly."""

MINIMUM_STATUS_DURATION = integer(
    "MinimumStatusDuration",
    0,
    unit="s",
    source="9.1.20",
    effect="a shorter status is not reported; added to the charger's own minimum (4.9): "
    f"{FIRST_REQUEST_S:g} s for SuspendedEV at the start of a transaction, {SETTLE_S:g} s between it and Charging",
)

Condition = tuple[ChargePointStatus, str, str, str]
"""Status, error code, vendor error code, info."""
_NO_ERROR = ChargePointErrorCode.no_error.value


@dataclass(slots=True)
class _Report:
    """What one connector is, what was said of it, and what the central system has confirmed."""

    alarm: Alarm
    actual: Condition | None = None
    since_utc_s: float = 0.0
    since_s: float = 0.0
    wait_s: float = 0.0
    """How long the actual condition must last before it is reported."""
    reported: Condition | None = None
    confirmed: Condition | None = None
    sent: Condition | None = None
    underway: dict[str, Condition] = field(default_factory=dict)
    """What was said and not answered yet, by the key of its `Ref`."""
    said: int = 0
    is_doubtful: bool = False
    """Something was said after what was confirmed, and never answered."""
    has_charged: bool = False
    stopped_utc_s: float = 0.0
    """Timestamp of the last StopTransaction, until its statuses are over: none of them is earlier."""


class Status(FeatureProfile):
    """Reports connectors 1..N, and 0 for the whole box."""

    __slots__ = ("_reports", "is_operative")

    name = "Core"
    keys = (MINIMUM_STATUS_DURATION, SUSPENDED_EV_WITHOUT_POWER)
    triggers = (MessageTrigger.status_notification,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.is_operative = True
        """Availability of connector 0; independent of the others (4.9)."""
        self._reports = tuple(
            _Report(Alarm(host.timers, partial(self._lasted, number))) for number in range(len(host.connectors) + 1)
        )

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        stored = snapshot.one(AVAILABILITY, "0")
        self.is_operative = stored is None or stored.is_operative

    # --- what is ------------------------------------------------------------------------------------------------------

    def condition(self, number: int) -> Condition:
        """Return what a StatusNotification of a connector would tell now."""
        host = self.host
        if number:
            return host.connector(number).condition()
        for trouble, info in host.box_troubles.items():
            meaning = MEANINGS[trouble]
            if meaning.is_blocking:
                return ChargePointStatus.faulted, meaning.code.value, meaning.vendor_code, info or meaning.info
        status = ChargePointStatus.available if self.is_operative else ChargePointStatus.unavailable
        for trouble, info in host.warnings.items():
            return status, MEANINGS[trouble].code.value, MEANINGS[trouble].vendor_code, info
        return status, _NO_ERROR, "", ""

    def set_operative(self, operative: bool, now_s: float) -> None:
        """Change the availability of connector 0 itself."""
        if operative != self.is_operative:
            self.is_operative = operative
            self.host.save(AVAILABILITY.name, "0", {"operative": operative})
            self._look(0, now_s)

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == SUSPENDED_EV_WITHOUT_POWER.name:
            for connector in self.host.connectors:
                connector.supervision.watch_power(now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        self._look(connector.number, now_s)
        self._look(0, now_s)

    def _look(self, number: int, now_s: float) -> None:
        report = self._reports[number]
        condition = self.condition(number)
        if condition == report.actual:
            return
        if report.alarm.is_set:
            self._note_too_short(number, report, now_s)
        report.actual, report.since_s = condition, now_s
        report.since_utc_s = max(self._utc_s(number, now_s), report.stopped_utc_s)
        status = condition[0]
        if status != ChargePointStatus.finishing:
            report.stopped_utc_s = 0.0
        if status == ChargePointStatus.charging:
            report.has_charged = True
        elif status not in (ChargePointStatus.suspended_ev, ChargePointStatus.suspended_evse):
            report.has_charged = False
        if self.host.journal:
            self.host.journal.write(now_s, StatusChanged(number, status.value, condition[1], condition[3]))
        if condition == report.reported:
            report.alarm.clear()
            return
        report.wait_s = self._wait_s(report, condition)
        if report.wait_s > 0:
            report.alarm.set(now_s + report.wait_s)
        else:
            report.alarm.clear()
            self._report(number, now_s)

    def _wait_s(self, report: _Report, condition: Condition) -> float:
        """How long a condition must last: the charger's own delay plus the key's. A fault never waits, nor does its end."""
        status = condition[0]
        before = report.reported[0] if report.reported else None
        if ChargePointStatus.faulted in (status, before):
            return 0.0
        own_s = 0.0
        if status == ChargePointStatus.suspended_ev:
            own_s = SETTLE_S if report.has_charged else FIRST_REQUEST_S
        elif status == ChargePointStatus.charging and before == ChargePointStatus.suspended_ev:
            own_s = SETTLE_S
        return own_s + float(self.host.setting(MINIMUM_STATUS_DURATION))

    def _note_too_short(self, number: int, report: _Report, now_s: float) -> None:
        """The actual condition is over before it was reported."""
        if not self.host.journal or report.actual is None:
            return
        status = report.actual[0]
        if report.reported is None or status != report.reported[0]:
            entry = StatusTooShort(number, status.value, now_s - report.since_s, report.wait_s)
            self.host.journal.write(now_s, entry)

    def _lasted(self, number: int, now_s: float) -> None:
        self._report(number, now_s)

    def transaction_ended(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float, now_s: float
    ) -> None:
        self._reports[connector.number].stopped_utc_s = at_utc_s

    def clock_found(self, step_s: float, now_s: float) -> None:
        for report in self._reports:
            report.since_utc_s += step_s if report.since_utc_s else 0.0
            report.stopped_utc_s += step_s if report.stopped_utc_s else 0.0

    def _utc_s(self, number: int, now_s: float) -> float:
        """The UTC of a change at a connector; the charge point itself goes by the calendar."""
        return self.host.connector(number).utc_s(now_s) if number else self.host.calendar.utc_s(now_s)

    # --- what is told -------------------------------------------------------------------------------------------------

    def booted(self, now_s: float) -> None:
        """After every accepted boot: connector 0 and all others, as they are (4.2)."""
        for number, report in enumerate(self._reports):
            report.actual = self.condition(number)
            report.since_utc_s = report.since_utc_s or self._utc_s(number, now_s)
            report.alarm.clear()
            report.reported = report.sent = None
            self._report(number, now_s)

    def link_opened(self, now_s: float) -> None:
        """After an outage: what differs from what the central system last confirmed, no history (4.9)."""
        for number, report in enumerate(self._reports):
            # After a report without an answer nobody knows what the central system believes: back there is no old news.
            is_doubted = report.is_doubtful and report.actual == report.confirmed
            report.reported = None if is_doubted else report.confirmed
            report.underway.clear()
            if not report.alarm.is_set:
                self._report(number, now_s)

    def _report(self, number: int, now_s: float) -> None:
        report = self._reports[number]
        actual = report.actual
        if actual is None or not self.host.session.is_online or actual == report.reported:
            return
        at = utc_text(report.since_utc_s)
        steps = (self._way(number, report, actual[0]) if number else ()) or (actual[0],)
        report.reported = actual
        for status in steps[:-1]:
            self._send(number, (status, _NO_ERROR, "", ""), at, now_s, Lane.NORMAL)
        self._send(number, actual, at, now_s, Lane.NORMAL)

    def _way(self, number: int, report: _Report, actual: ChargePointStatus) -> tuple[ChargePointStatus, ...]:
        """Return what leads from the status that the central system believes to the actual one."""
        is_occupied = self.host.connector(number).is_occupied
        if report.reported is not None:
            return path(report.reported[0], actual, is_occupied=is_occupied)
        if report.sent is None:
            return ()
        # A peer that confirms nothing has still seen what was last sent since boot; if that was lost, it hears it now.
        way = path(report.sent[0], actual, is_occupied=is_occupied)
        if len(way) > 1 and report.confirmed is not None:
            return (*path(report.confirmed[0], report.sent[0]), *way)
        return way

    def _send(self, number: int, condition: Condition, at: str, now_s: float, lane: Lane) -> None:
        status, error_code, vendor_code, info = condition
        request = call.StatusNotification(
            connector_id=number,
            error_code=ChargePointErrorCode(error_code),
            status=status,
            timestamp=at,
            info=info[:50] or None,
            vendor_id=VENDOR_ID if vendor_code else None,
            vendor_error_code=vendor_code or None,
        )
        report = self._reports[number]
        report.said += 1
        key = f"{number}/{report.said}"
        report.underway[key] = condition
        self.host.send(request, Ref("status", key), now_s, lane)

    @answered(call.StatusNotification)
    def _told(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        report = self._reports[int(about.key.partition("/")[0])]
        told = report.underway.pop(about.key, None)
        if told is not None and outcome.was_sent:
            report.sent = told
            report.is_doubtful = outcome.result is None
            if outcome.result is not None:
                report.confirmed = told

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        numbers = range(len(self._reports)) if connector is None else (connector,)
        for number in numbers:
            report = self._reports[number]
            if report.reported not in (None, report.actual) and self.host.session.is_online:
                # What still had to last is news now, with the steps that lead to it.
                report.alarm.clear()
                self._report(number, now_s)
            else:
                at = utc_text(self._utc_s(number, now_s))
                self._send(number, self.condition(number), at, now_s, self.host.session.trigger_lane)
