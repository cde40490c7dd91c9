"""The embedded central system: a small honest CSMS that answers charge points and calls them, without any I/O.

Frames come in through `CentralSystem.receive` and go out through the function that `connected` was given, so the same
object serves real sockets (`chargepoint.runtime.centre`) and the stepped clock (`chargepoint.runtime.wire_pair`)::

    connected(identity, send) ── receive(identity, text, utc_s) … ── disconnected(identity)
                                 call(identity, request, on_answer) ──► on_answer(Answer)

It is the other end, written against the standard and not against our charger, of which it imports only the wire
format. It reads no clock and waits for nothing: whoever has a clock tells the time, and gives up calls (`give_up`).

What it keeps is bounded: of meter values the last and their count, of transactions the last `KEPT_TRANSACTIONS` of each
charger. Sources: OCPP 1.6 edition 2 sections 4 and 5, OCPP-J 1.6 section 4.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any
from uuid import UUID

from ocpp.v16 import call as calls
from ocpp.v16 import call_result
from ocpp.v16.datatypes import IdTagInfo, MeterValue
from ocpp.v16.enums import (
    AuthorizationStatus,
    DataTransferStatus,
    GenericStatus,
    Measurand,
    Reason,
    RegistrationStatus,
    UnitOfMeasure,
    ValueFormat,
)

from chargepoint.model import wire
from chargepoint.model.errors import ErrorCode, FrameError, PeerError
from chargepoint.model.timebase import utc_seconds, utc_text
from chargepoint.runtime.central_records import Cards, Charger, Transaction

_LOG = logging.getLogger(__name__)

KEPT_TRANSACTIONS = 1000
"""Transactions remembered of each charger; the oldest go first, the totals keep counting."""
KEPT_ANSWERS = 32
"""Answers to StartTransaction and StopTransaction remembered of each charger, to give them again to a repetition."""


class Failure(StrEnum):
    """Why a call of ours has no result."""

    REFUSED = "refused"
    """The charge point answered with a CALLERROR."""
    INVALID = "invalid answer"
    TIMEOUT = "no answer"
    LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a call of ours: a ``result`` (a dataclass of ``ocpp.v16.call_result``), or a ``failure``."""

    message_id: str
    action: str
    result: Any = None
    failure: Failure | None = None
    code: str = ""
    """The error code of a CALLERROR in the peer's spelling, or ours for an invalid answer."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and its answer, for onlookers. ``request`` and ``answer`` are payloads as JSON text."""

    identity: str
    is_from_charger: bool
    message_id: str
    action: str
    """Empty when the CALL was too broken to have one; ``request`` is then the frame."""
    request: str
    answer: str
    """The payload of a result; else the error code or the failure, and what was said about it."""
    is_result: bool


# --- the central system -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ours:
    """A call of ours that waits for its turn or its answer."""

    message_id: str
    action: str
    payload: str
    on_answer: Callable[[Answer], None] | None


class _Line:
    """The way to one charger: our calls, one in flight, the others in order behind it (OCPP-J 1.6, 4.1.1)."""

    __slots__ = ("answered", "charger", "in_flight", "send", "waiting")

    def __init__(self, charger: Charger) -> None:
        self.charger = charger
        self.send: Callable[[str], None] | None = None
        self.in_flight: _Ours | None = None
        self.waiting: deque[_Ours] = deque()
        self.answered: dict[str, tuple[int, str]] = {}
        """Of StartTransaction and StopTransaction, by message id: hash of the request, and the answer."""

    def write(self, text: str) -> None:
        if self.send is not None:
            self.send(text)

    def send_next(self) -> None:
        if self.in_flight is None and self.waiting:
            ours = self.in_flight = self.waiting.popleft()
            self.write(wire.call_frame(ours.message_id, ours.action, ours.payload))


class CentralSystem:
    """Answers charge points, keeps what they tell, and calls them.

    ``registrations`` says what a BootNotification is answered; identities that are not in it are Accepted.
    """

    def __init__(
        self,
        chance: Random,
        cards: Cards | None = None,
        *,
        heartbeat_interval_s: int = 300,
        retry_interval_s: int = 60,
        refuses_concurrent: bool = False,
    ) -> None:
        """``chance`` draws message ids. ``retry_interval_s`` is when a charger that is not Accepted may boot again.

        ``refuses_concurrent``: a tag that charges elsewhere is answered ConcurrentTx (OCPP 1.6, 7.2).
        """
        self.cards = Cards() if cards is None else cards
        self.heartbeat_interval_s = heartbeat_interval_s
        self.retry_interval_s = retry_interval_s
        self.refuses_concurrent = refuses_concurrent
        self.registrations: dict[str, RegistrationStatus] = {}
        self.chargers: dict[str, Charger] = {}
        self.watchers: list[Callable[[Exchange], None]] = []
        """Told of every exchange once it is complete. They may call `call`."""
        self._chance = chance
        self._lines: dict[str, _Line] = {}
        self._last_transaction_id = 0
        self._charging: dict[str, set[int]] = {}
        """Ids of accepted transactions that run, by tag in small letters."""

    @property
    def exchanges(self) -> int:
        """Calls that were answered, in both directions, of all chargers."""
        return sum(charger.exchanges for charger in self.chargers.values())

    # The connection

    def connected(self, identity: str, send: Callable[[str], None]) -> None:
        """A charge point is there; ``send`` takes frames for it and must not call back. An older connection is over."""
        line = self._line(identity)
        if line.send is not None:
            self.disconnected(identity)
        line.send = send
        line.charger.is_connected = True
        line.charger.connections += 1

    def disconnected(self, identity: str) -> None:
        """It is gone. Calls in flight and waiting end with `Failure.LOST`: whoever made them may make them again."""
        line = self._line(identity)
        line.send = None
        line.charger.is_connected = False
        lost = [*([] if line.in_flight is None else [line.in_flight]), *line.waiting]
        line.in_flight = None
        line.waiting.clear()
        for ours in lost:
            self._finish(line, ours, Answer(ours.message_id, ours.action, failure=Failure.LOST))

    def receive(self, identity: str, text: str | bytes, utc_s: float) -> None:
        """Take one frame; what it needs as an answer is sent before this returns."""
        line = self._line(identity)
        line.charger.seen_utc_s = utc_s
        try:
            frame = wire.read_frame(text)
        except wire.BadCall as error:
            shown = text if isinstance(text, str) else text.decode(errors="replace")
            self._refuse(line, error.message_id, "", lambda: shown, error)
        except FrameError as error:
            self._ignore(line, error.description)
        else:
            if isinstance(frame, wire.Call):
                self._serve(line, frame, utc_s)
            elif frame is not None:
                self._take_answer(line, frame)

    def _line(self, identity: str) -> _Line:
        line = self._lines.get(identity)
        if line is None:
            charger = self.chargers[identity] = Charger(identity)
            line = self._lines[identity] = _Line(charger)
        return line

    def _ignore(self, line: _Line, why: str) -> None:
        """Nothing can be answered by the rules (OCPP-J 1.6, 4.1.3 and 4.2): only a CALL with an id may be."""
        line.charger.bad_frames += 1
        _LOG.warning("a frame was ignored: %s", why, extra={"charger": line.charger.identity})

    # Our calls

    def call(self, identity: str, request: object, on_answer: Callable[[Answer], None] | None = None) -> str:
        """Send a dataclass of ``ocpp.v16.call`` as soon as its turn comes; return its message id.

        ``on_answer`` is called exactly once: from `receive`, `give_up` or `disconnected`, and before this returns when
        the charger is not connected. Nothing is validated but what would break the JSON: a test bench must be able to
        send what no sane central system would.
        """
        line = self._line(identity)
        action = wire.action_of(request)
        ours = _Ours(self._new_message_id(), action, wire.encode_payload(request), on_answer)
        if line.send is None:
            self._finish(line, ours, Answer(ours.message_id, action, failure=Failure.LOST, detail="not connected"))
        else:
            line.waiting.append(ours)
            line.send_next()
        return ours.message_id

    def awaited(self, identity: str) -> str | None:
        """Return the message id of the call in flight to a charger, None when there is none."""
        line = self._lines.get(identity)
        return None if line is None or line.in_flight is None else line.in_flight.message_id

    def give_up(self, identity: str, message_id: str) -> None:
        """Wait no longer for the answer to a call, and send the next; no effect when it is not the one in flight.

        For whoever has a clock. A charger that is not Accepted yet may stay silent (OCPP 1.6, 4.2), and without this
        its first call would block all others.
        """
        line = self._line(identity)
        ours = line.in_flight
        if ours is not None and ours.message_id == message_id:
            line.in_flight = None
            self._finish(line, ours, Answer(message_id, ours.action, failure=Failure.TIMEOUT))
            line.send_next()

    def _new_message_id(self) -> str:
        # A UUID4 drawn from the generator we were given, so that a run repeats (OCPP-J 1.6 erratum 3.1).
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _take_answer(self, line: _Line, frame: wire.CallResult | wire.CallError) -> None:
        ours = line.in_flight
        if ours is None or ours.message_id != frame.id:
            self._ignore(line, "an answer nobody waits for")
            return
        line.in_flight = None
        line.charger.exchanges += 1
        if isinstance(frame, wire.CallError):
            answer = Answer(frame.id, ours.action, None, Failure.REFUSED, frame.code, frame.description)
            self._finish(line, ours, answer)
        else:
            try:
                result = wire.decode_result(ours.action, frame.payload)
            except PeerError as error:
                answer = Answer(frame.id, ours.action, None, Failure.INVALID, error.code, error.description)
                self._finish(line, ours, answer)
            else:
                self._finish(line, ours, Answer(frame.id, ours.action, result), frame.payload)
        line.send_next()

    def _finish(self, line: _Line, ours: _Ours, answer: Answer, payload: object = None) -> None:
        if self.watchers:
            is_result = answer.failure is None
            said = ": ".join(filter(None, (answer.code or answer.failure, answer.detail)))
            text = wire.payload_text(payload) if is_result else said
            identity = line.charger.identity
            self._tell(Exchange(identity, False, ours.message_id, ours.action, ours.payload, text, is_result))
        if ours.on_answer is not None:
            ours.on_answer(answer)

    # Calls of the charge point

    def _serve(self, line: _Line, frame: wire.Call, utc_s: float) -> None:
        try:
            answer = self._answer(line, frame, utc_s)
        except PeerError as error:
            self._refuse(line, frame.id, frame.action, lambda: wire.payload_text(frame.payload), error)
            return
        line.charger.exchanges += 1
        line.write(wire.result_frame(frame.id, answer))
        if self.watchers:
            request = wire.payload_text(frame.payload)
            self._tell(Exchange(line.charger.identity, True, frame.id, frame.action, request, answer, True))

    def _refuse(self, line: _Line, message_id: str, action: str, request: Callable[[], str], error: PeerError) -> None:
        line.charger.exchanges += 1
        line.write(wire.error_frame(message_id, error.code, error.description))
        if self.watchers:
            self._tell(Exchange(line.charger.identity, True, message_id, action, request(), str(error), False))

    def _tell(self, exchange: Exchange) -> None:
        for watcher in self.watchers:
            watcher(exchange)

    def _answer(self, line: _Line, frame: wire.Call, utc_s: float) -> str:
        """Return the payload of the confirmation, or raise the PeerError that refuses the call."""
        action = frame.action
        handler = _HANDLERS.get(action)
        if handler is None and wire.is_known_action(action):
            raise PeerError(ErrorCode.NOT_SUPPORTED, f"{action} is a request to a charge point")
        request = wire.decode_call(action, frame.payload)
        assert handler is not None  # decode_call has refused an unknown action
        charger = line.charger
        # A charger that only reconnects does not boot again, so one we have never seen boot is served; one that was
        # told to stay silent is not (OCPP 1.6, 4.2 with OCPP-J erratum 3.10, which names SecurityError).
        if charger.registration is RegistrationStatus.rejected and action != "BootNotification":
            raise PeerError(ErrorCode.SECURITY_ERROR, "the charge point is not accepted")
        if action not in _COUNTED:
            return wire.encode_payload(handler(self, charger, request, utc_s))
        # A repetition of what money depends on is answered as before and counted once: a charger that lost our answer
        # cannot know that we have its message (OCPP 1.6, 3.7.1).
        digest = hash(wire.payload_text(frame.payload))
        known = line.answered.get(frame.id)
        if known is not None and known[0] == digest:
            charger.repeated += 1
            return known[1]
        answer = wire.encode_payload(handler(self, charger, request, utc_s))
        line.answered.pop(frame.id, None)
        line.answered[frame.id] = (digest, answer)
        if len(line.answered) > KEPT_ANSWERS:
            del line.answered[next(iter(line.answered))]
        return answer

    def _boot(self, charger: Charger, request: calls.BootNotification, utc_s: float) -> call_result.BootNotification:
        status = self.registrations.get(charger.identity, RegistrationStatus.accepted)
        charger.boot = request
        charger.registration = status
        accepted = status is RegistrationStatus.accepted
        vendor, model = request.charge_point_vendor, request.charge_point_model
        _LOG.info("booted, %s %s: %s", vendor, model, status.value, extra={"charger": charger.identity})
        interval_s = self.heartbeat_interval_s if accepted else self.retry_interval_s
        return call_result.BootNotification(utc_text(utc_s), interval_s, status)

    def _heartbeat(self, _charger: Charger, _request: calls.Heartbeat, utc_s: float) -> call_result.Heartbeat:
        return call_result.Heartbeat(utc_text(utc_s))

    def _authorize(self, _charger: Charger, request: calls.Authorize, utc_s: float) -> call_result.Authorize:
        # Never ConcurrentTx: that one is "only relevant for a StartTransaction.req" (OCPP 1.6, 7.2).
        return call_result.Authorize(self.cards.judged(request.id_tag, utc_s))

    def _status(
        self, charger: Charger, request: calls.StatusNotification, utc_s: float
    ) -> call_result.StatusNotification:
        connector = charger.connector(_at_least(0, request.connector_id, "connectorId"))
        connector.status = request.status
        connector.error_code = request.error_code
        connector.info = request.info
        connector.vendor_error_code = request.vendor_error_code
        connector.since_utc_s = utc_s
        return call_result.StatusNotification()

    def _start(self, charger: Charger, request: calls.StartTransaction, utc_s: float) -> call_result.StartTransaction:
        number = _at_least(1, request.connector_id, "connectorId")
        connector = charger.connector(number)
        started_utc_s = utc_seconds(request.timestamp)
        former = charger.transactions.get(connector.transaction) if connector.transaction is not None else None
        # After a time-out on the same socket the repetition has a new message id (OCPP-J 1.6, 4.1.4): what still runs
        # and began with the same tag at the same instant and register is the same transaction.
        if former is not None and (former.id_tag, former.started_utc_s, former.meter_start_wh) == (
            request.id_tag,
            started_utc_s,
            request.meter_start,
        ):
            charger.repeated += 1
            return call_result.StartTransaction(former.id, former.id_tag_info)
        if former is not None:
            # One transaction at a time: the stop of the former one is not going to come (OCPP 1.6, 3.7.1: in order).
            _LOG.warning("transaction %d was never stopped", former.id, extra={"charger": charger.identity})
            self._charges_no_longer(former)
        info = self.cards.judged(request.id_tag, utc_s)
        tag = request.id_tag.lower()
        if info.status == AuthorizationStatus.accepted:
            if self.refuses_concurrent and tag in self._charging:
                info = IdTagInfo(AuthorizationStatus.concurrent_tx, info.parent_id_tag, info.expiry_date)
            else:
                self._charging.setdefault(tag, set()).add(self._last_transaction_id + 1)
        self._last_transaction_id += 1
        transaction = Transaction(
            self._last_transaction_id, request.id_tag, number, request.meter_start, started_utc_s, info
        )
        self._keep(charger, transaction)
        connector.transaction = transaction.id
        return call_result.StartTransaction(transaction.id, info)

    def _keep(self, charger: Charger, transaction: Transaction) -> None:
        charger.transactions_started += 1
        charger.transactions[transaction.id] = transaction
        if len(charger.transactions) > KEPT_TRANSACTIONS:
            self._charges_no_longer(charger.transactions.pop(next(iter(charger.transactions))))

    def _charges_no_longer(self, transaction: Transaction) -> None:
        tag = transaction.id_tag.lower()
        running = self._charging.get(tag)
        if running is not None:
            running.discard(transaction.id)
            if not running:
                del self._charging[tag]

    def _stop(self, charger: Charger, request: calls.StopTransaction, utc_s: float) -> call_result.StopTransaction:
        """It always gets a confirmation: we "cannot prevent a transaction from stopping" (OCPP 1.6, 4.10)."""
        info = None if request.id_tag is None else self.cards.judged(request.id_tag, utc_s)
        answer = call_result.StopTransaction(id_tag_info=info)
        transaction = charger.transactions.get(request.transaction_id)
        if transaction is None:
            # Also -1, for a transaction whose StartTransaction was never delivered (erratum 3.18).
            _LOG.warning(
                "stopped transaction %d, which is unknown", request.transaction_id, extra={"charger": charger.identity}
            )
            return answer
        stopped_utc_s = utc_seconds(request.timestamp)
        if not transaction.is_running:
            charger.repeated += 1
            if (transaction.meter_stop_wh, transaction.stopped_utc_s) != (request.meter_stop, stopped_utc_s):
                _LOG.warning(
                    "stopped transaction %d twice, differently", transaction.id, extra={"charger": charger.identity}
                )
            return answer
        if request.transaction_data:
            _sampled(transaction, request.transaction_data)
        transaction.meter_stop_wh = request.meter_stop
        transaction.stopped_utc_s = stopped_utc_s
        # "May only be omitted when the Reason is Local" (OCPP 1.6, 6.49).
        transaction.reason = request.reason or Reason.local.value
        charger.energy_wh += transaction.energy_wh
        connector = charger.connector(transaction.connector)
        if connector.transaction == transaction.id:
            connector.transaction = None
        self._charges_no_longer(transaction)
        return answer

    def _meter_values(self, charger: Charger, request: calls.MeterValues, _utc_s: float) -> call_result.MeterValues:
        connector = charger.connector(_at_least(0, request.connector_id, "connectorId"))
        connector.samples += len(request.meter_value)
        connector.last_sample = request.meter_value[-1]
        if request.transaction_id is not None:
            transaction = charger.transactions.get(request.transaction_id)
            if transaction is not None:
                _sampled(transaction, request.meter_value)
        return call_result.MeterValues()

    def _data_transfer(
        self, _charger: Charger, _request: calls.DataTransfer, _utc_s: float
    ) -> call_result.DataTransfer:
        """We know no vendor: "UnknownVendorId", without ``data`` (OCPP 1.6, 4.3)."""
        return call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)

    def _diagnostics_status(
        self, charger: Charger, request: calls.DiagnosticsStatusNotification, _utc_s: float
    ) -> call_result.DiagnosticsStatusNotification:
        charger.notices["DiagnosticsStatusNotification"] = request.status
        return call_result.DiagnosticsStatusNotification()

    def _firmware_status(
        self, charger: Charger, request: calls.FirmwareStatusNotification, _utc_s: float
    ) -> call_result.FirmwareStatusNotification:
        charger.notices["FirmwareStatusNotification"] = request.status
        return call_result.FirmwareStatusNotification()

    def _signed_firmware_status(
        self, charger: Charger, request: calls.SignedFirmwareStatusNotification, _utc_s: float
    ) -> call_result.SignedFirmwareStatusNotification:
        charger.notices["SignedFirmwareStatusNotification"] = request.status
        return call_result.SignedFirmwareStatusNotification()

    def _log_status(
        self, charger: Charger, request: calls.LogStatusNotification, _utc_s: float
    ) -> call_result.LogStatusNotification:
        charger.notices["LogStatusNotification"] = request.status
        return call_result.LogStatusNotification()

    def _security_event(
        self, charger: Charger, request: calls.SecurityEventNotification, _utc_s: float
    ) -> call_result.SecurityEventNotification:
        charger.notices["SecurityEventNotification"] = request.type
        return call_result.SecurityEventNotification()

    def _sign_certificate(
        self, _charger: Charger, _request: calls.SignCertificate, _utc_s: float
    ) -> call_result.SignCertificate:
        """Rejected, for there is no certificate authority behind us that could sign (white paper, A02)."""
        return call_result.SignCertificate(GenericStatus.rejected)


def _at_least(least: int, number: int, name: str) -> int:
    """Return a number that is in range. Raises PeerError: the schemas set no bounds, and these answers no status."""
    if number < least:
        raise PeerError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"{name}: {number} is less than {least}")
    return number


def _sampled(transaction: Transaction, meter_values: list[MeterValue]) -> None:
    transaction.samples += len(meter_values)
    transaction.last_sample = meter_values[-1]
    register_wh = _register_wh(reversed(meter_values))
    if register_wh is not None:
        transaction.register_wh = register_wh


def _register_wh(meter_values: Iterable[MeterValue]) -> float | None:
    """Return the first energy register in Wh, None when there is none that can be read.

    Of the fields a charger may leave out, the defaults are the energy register, Raw and Wh (OCPP 1.6, 7.43).
    """
    for meter_value in meter_values:
        for sampled in meter_value.sampled_value:
            if (
                sampled.measurand in _REGISTER
                and sampled.phase is None
                and sampled.format != ValueFormat.signed_data
                and sampled.unit in _WATT_HOURS
            ):
                try:
                    return float(sampled.value) * _WATT_HOURS[sampled.unit]
                except ValueError:
                    continue  # the schema wants a string, not a number
    return None


_REGISTER = (None, Measurand.energy_active_import_register.value)
_WATT_HOURS: dict[str | None, float] = {None: 1.0, UnitOfMeasure.wh.value: 1.0, UnitOfMeasure.kwh.value: 1000.0}

_COUNTED = frozenset({"StartTransaction", "StopTransaction"})

_HANDLERS: dict[str, Callable[[CentralSystem, Charger, Any, float], object]] = {
    "Authorize": CentralSystem._authorize,
    "BootNotification": CentralSystem._boot,
    "DataTransfer": CentralSystem._data_transfer,
    "DiagnosticsStatusNotification": CentralSystem._diagnostics_status,
    "FirmwareStatusNotification": CentralSystem._firmware_status,
    "Heartbeat": CentralSystem._heartbeat,
    "LogStatusNotification": CentralSystem._log_status,
    "MeterValues": CentralSystem._meter_values,
    "SecurityEventNotification": CentralSystem._security_event,
    "SignCertificate": CentralSystem._sign_certificate,
    "SignedFirmwareStatusNotification": CentralSystem._signed_firmware_status,
    "StartTransaction": CentralSystem._start,
    "StatusNotification": CentralSystem._status,
    "StopTransaction": CentralSystem._stop,
}
