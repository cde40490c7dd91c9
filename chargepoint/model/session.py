"""The protocol session: one call in flight per direction, boot gating, lanes, time-outs, late and foreign answers.

Sans-I/O: frames come in through `receive`, go out as `Send` values. Three lanes wait for the one call that may be in
flight: *boot* (BootNotification, and what a trigger asks for while Pending), *normal* (everything that is not stored) and
the `TransactionQueue`. While the central system is served nothing of ours is sent before its answer (OCPP-J 4.1.1), but
its call never waits for ours. Sources: OCPP-J 1.6 4.1-4.3 with errata 3.1 and 3.10; OCPP 1.6 4.2, 3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from . import wire
from .errors import ErrorCode, FrameError, PeerError
from .journal import CallAnswered, CallSent, CallServed, FrameRefused, Journal, Undelivered
from .keys import Key, integer
from .outbox import Effect, Ref, Send
from .timebase import Alarm, Clock, Timers
from .transaction import Message, TransactionQueue

MESSAGE_TIMEOUT = integer(
    "MessageTimeout", 30, minimum=1, unit="s", source="erratum v4", effect="how long an answer to a call is waited for"
)
TRANSACTION_MESSAGE_ATTEMPTS = integer(
    "TransactionMessageAttempts",
    3,
    minimum=1,
    source="9.1.31",
    effect="transmissions of a transaction message, the first included, before it is kept as undelivered",
)
TRANSACTION_MESSAGE_RETRY_INTERVAL = integer(
    "TransactionMessageRetryInterval",
    60,
    unit="s",
    source="9.1.32",
    effect="wait before the next transmission, times the transmissions so far",
)

REMEMBER_S = 60.0
"""How long an answered call id is remembered on a socket: a repetition gets the stored answer."""
REMEMBERED_ANSWERS = 64
NORMAL_LANE = 100
"""Calls that may wait unsent; older ones are dropped, for each of them tells a state that a later one tells better."""


class Registration(Enum):
    """What the central system thinks of us (OCPP 1.6 4.2)."""

    UNKNOWN = "Unknown"
    PENDING = "Pending"
    REJECTED = "Rejected"
    ACCEPTED = "Accepted"


class Lane(Enum):
    BOOT = "boot"
    NORMAL = "normal"


class Failure(Enum):
    """Why a call has no result."""

    ERROR = "error"
    TIMEOUT = "timeout"
    INVALID = "invalid answer"
    LINK_LOST = "link lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: a ``result`` (a dataclass of ``ocpp.v16.call_result``), or a ``failure`` with its detail."""

    result: Any = None
    failure: Failure | None = None
    detail: str = ""
    was_sent: bool = True
    """Whether it has left: else nobody can have heard it."""


_NEVER_SENT = Outcome(failure=Failure.LINK_LOST, was_sent=False)


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler returns when the answer waits for hardware; `Session.answer` gives it under the same ``ref``."""

    ref: Ref


@dataclass(slots=True)
class _Waiting:
    action: str
    payload: str
    about: Ref | None
    """None: somebody wrote this call by hand, and nobody here takes its answer."""


@dataclass(slots=True)
class _InFlight:
    message_id: str
    action: str
    about: Ref | None
    message: Message | None
    sent_wire_s: float


@dataclass(frozen=True, slots=True)
class _Deferred:
    """A call of the central system whose answer waits for hardware."""

    ref: Ref
    call: wire.Call
    digest: int


@dataclass(frozen=True, slots=True)
class _Answered:
    at_wire_s: float
    digest: int
    text: str


class SessionHost(Protocol):
    """What a session needs of its charger."""

    timers: Timers
    journal: Journal

    def emit(self, effect: Effect) -> None: ...
    def new_message_id(self) -> str: ...
    def serve(self, request: Any, now_s: float) -> Any: ...
    def answered(self, action: str, about: Ref, outcome: Outcome, now_s: float) -> None: ...
    def delivered(self, message: Message, result: Any, now_s: float) -> None: ...
    def undelivered(self, message: Message, reason: str, now_s: float) -> None: ...
    def call_sent(self, action: str, now_s: float) -> None: ...
    def forgotten(self, now_s: float) -> None: ...
    def setting(self, key: Key[Any]) -> Any: ...
    def refuses(self, action: str) -> PeerError | None: ...


class Session:
    """One charger's conversation with its central system, over as many sockets as it takes."""

    __slots__ = (
        "_answered",
        "_boot",
        "_deadline",
        "_deferred",
        "_earlier_ids",
        "_host",
        "_in_flight",
        "_is_serving",
        "_normal",
        "_queue_turn",
        "_retry",
        "is_confirmed",
        "is_open",
        "queue",
        "registration",
    )

    def __init__(self, host: SessionHost, queue: TransactionQueue) -> None:
        self.is_open = False
        self.registration = Registration.UNKNOWN
        self.is_confirmed = False
        """The central system has accepted us on this very socket: it cannot have forgotten us since."""
        self.queue = queue
        self._host = host
        self._boot: list[_Waiting] = []
        self._normal: list[_Waiting] = []
        self._in_flight: _InFlight | None = None
        self._queue_turn = False
        self._is_serving = False
        self._deferred: list[_Deferred] = []
        self._answered: dict[str, _Answered] = {}
        self._earlier_ids: dict[str, Message] = {}
        self._deadline = Alarm(host.timers, self._on_timeout, Clock.WIRE)
        self._retry = Alarm(host.timers, self.pump, Clock.WIRE)

    @property
    def is_online(self) -> bool:
        """Socket open and registration accepted: the central system decides."""
        return self.is_open and self.registration is Registration.ACCEPTED

    @property
    def trigger_lane(self) -> Lane:
        """Where a call goes that a trigger asked for: while Pending nothing else of ours may leave (OCPP 1.6 4.2)."""
        return Lane.BOOT if self.registration is Registration.PENDING else Lane.NORMAL

    @property
    def _serves(self) -> bool:
        """Before the first answer, and while Rejected, the central system gets none (OCPP 1.6 4.2)."""
        return self.registration in (Registration.PENDING, Registration.ACCEPTED)

    @property
    def is_idle(self) -> bool:
        """Nothing in flight, nothing waiting."""
        return self._in_flight is None and not self._boot and not self._normal and not len(self.queue)

    @property
    def awaits_answer(self) -> bool:
        """A call of ours is in flight."""
        return self._in_flight is not None

    # --- the link -----------------------------------------------------------------------------------------------------

    def opened(self, now_s: float) -> None:
        """A socket is open. Ids and answers of the last one mean nothing on it."""
        self.is_open = True
        self.is_confirmed = False
        self._answered.clear()
        self._earlier_ids.clear()
        self._retry.clear()
        self.pump(now_s)

    def closed(self, now_s: float) -> None:
        """The socket is gone. A stored message stays the head, same id, no attempt counted; others learn it."""
        self.is_open = False
        self._deadline.clear()
        self._deferred.clear()
        lost, self._in_flight = self._in_flight, None
        waiting = [*self._boot, *self._normal]
        self._boot.clear()
        self._normal.clear()
        if lost is not None and lost.about is not None:
            self._host.answered(lost.action, lost.about, Outcome(failure=Failure.LINK_LOST), now_s)
        for each in waiting:
            self._give_up(each, _NEVER_SENT, now_s)

    # --- our calls ----------------------------------------------------------------------------------------------------

    def call(self, request: Any, about: Ref, lane: Lane, now_s: float) -> None:
        """Send a call as soon as its turn comes; the outcome comes back through the host under ``about``.

        With no socket the outcome is `Failure.LINK_LOST`, at once.
        """
        action = wire.action_of(request)
        if not self.is_open:
            self._host.answered(action, about, _NEVER_SENT, now_s)
            return
        self._line_up(_Waiting(action, wire.encode_payload(request), about), lane, now_s)

    def send_raw(self, action: str, payload: str, now_s: float) -> None:
        """Send a call as it is written, right or wrong: the journal tells its answer, nobody here takes it.

        ``payload`` is encoded JSON. Raises ConnectionError without a socket.
        """
        if not self.is_open:
            raise ConnectionError("there is no connection to the central system")
        self._line_up(_Waiting(action, payload, None), Lane.NORMAL, now_s)

    def _line_up(self, call: _Waiting, lane: Lane, now_s: float) -> None:
        waiting = self._boot if lane is Lane.BOOT else self._normal
        waiting.append(call)
        if len(waiting) > NORMAL_LANE:
            dropped = waiting.pop(0)
            self._give_up(dropped, Outcome(None, Failure.TIMEOUT, "too many calls waiting", was_sent=False), now_s)
        self.pump(now_s)

    def _give_up(self, call: _Waiting, outcome: Outcome, now_s: float) -> None:
        if call.about is not None:
            self._host.answered(call.action, call.about, outcome, now_s)

    def has_waiting(self, about: Ref) -> bool:
        """Whether a call under ``about`` is waiting or in flight."""
        flying = self._in_flight is not None and self._in_flight.about == about
        return flying or any(each.about == about for each in (*self._boot, *self._normal))

    def pump(self, now_s: float) -> None:
        """Send the next call if one may be sent now."""
        if self._in_flight is not None or not self.is_open or self._is_serving:
            return
        if self._boot:
            self._send(self._boot.pop(0), now_s)
        elif self.registration is Registration.ACCEPTED:
            head = self._ready_head()
            if head is not None and (self._queue_turn or not self._normal):
                self._queue_turn = False
                self._send_message(head, now_s)
            elif self._normal:
                self._queue_turn = True
                self._send(self._normal.pop(0), now_s)

    def _ready_head(self) -> Message | None:
        return None if self._retry.is_set else self.queue.head

    def _send(self, waiting: _Waiting, now_s: float) -> None:
        self._transmit(self._host.new_message_id(), waiting.action, waiting.payload, waiting.about, None, now_s)

    def _send_message(self, message: Message, now_s: float) -> None:
        payload = message.payload
        if message.transaction is not None and message.action != "StartTransaction":
            transaction = self.queue.transactions.get(message.transaction)
            if transaction is not None and transaction.transaction_id is not None:
                is_transfer = message.action == "DataTransfer"
                fill_in = wire.with_transaction_in_data if is_transfer else wire.with_transaction_id
                payload = fill_in(payload, transaction.transaction_id)
        self._transmit(message.message_id, message.action, payload, None, message, now_s)

    def _transmit(
        self, message_id: str, action: str, payload: str, about: Ref | None, message: Message | None, now_s: float
    ) -> None:
        wire_s = self._host.timers.wire_s
        self._in_flight = _InFlight(message_id, action, about, message, wire_s)
        self._deadline.set(wire_s + self._host.setting(MESSAGE_TIMEOUT))
        self._host.emit(Send(wire.call_frame(message_id, action, payload)))
        if self._host.journal:
            self._host.journal.write(now_s, CallSent(message_id, action, payload))
        self._host.call_sent(action, now_s)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def receive(self, text: str, now_s: float) -> None:
        """Take one frame. Whatever it causes leaves when it is dealt with: after the answer, and after what it ended."""
        self._is_serving = True
        try:
            self._receive(text, now_s)
        finally:
            self._is_serving = False
        self.pump(now_s)

    def _receive(self, text: str, now_s: float) -> None:
        try:
            frame = wire.read_frame(text)
        except wire.BadCall as error:
            if self._serves:
                self._refuse(error.message_id, error, text, now_s)
            else:
                self._host.journal.write(now_s, FrameRefused(text, error.description))
        except FrameError as error:
            self._host.journal.write(now_s, FrameRefused(text, error.description))
        else:
            if isinstance(frame, wire.Call):
                self._on_call(frame, text, now_s)
            elif isinstance(frame, wire.CallResult):
                self._on_result(frame, now_s)
            elif isinstance(frame, wire.CallError):
                self._on_error(frame, now_s)

    def _on_call(self, frame: wire.Call, text: str, now_s: float) -> None:
        if not self._serves:
            self._host.journal.write(now_s, FrameRefused(text, f"not served while {self.registration.value}"))
            return
        if any(served.call.id == frame.id for served in self._deferred):
            busy = PeerError(ErrorCode.GENERIC_ERROR, "this message id is being handled")
            self._refuse(frame.id, busy, text, now_s)
            return
        wire_s = self._host.timers.wire_s
        digest = hash((frame.action, text))
        known = self._answered.get(frame.id)
        if known is not None and known.digest == digest and wire_s - known.at_wire_s < REMEMBER_S:
            self._host.emit(Send(known.text))
            return
        try:
            refusal = self._host.refuses(frame.action)
            if refusal is not None:
                raise refusal
            response = self._host.serve(wire.decode_call(frame.action, frame.payload), now_s)
        except PeerError as error:
            self._remember(frame.id, digest, self._refuse(frame.id, error, text, now_s))
            return
        if isinstance(response, Later):
            self._deferred.append(_Deferred(response.ref, frame, digest))
        else:
            self._answer(frame, response, digest, now_s)

    def answer(self, ref: Ref, response: Any, now_s: float) -> None:
        """Give the answer that a handler promised with `Later`; nothing happens when the socket went meanwhile."""
        due = [served for served in self._deferred if served.ref == ref]
        for served in due:
            self._deferred.remove(served)
            self._answer(served.call, response, served.digest, now_s)
        self.pump(now_s)

    def _answer(self, frame: wire.Call, response: Any, digest: int, now_s: float) -> None:
        payload = wire.encode_payload(response)
        text = wire.result_frame(frame.id, payload)
        self._host.emit(Send(text))
        self._remember(frame.id, digest, text)
        if self._host.journal:
            request = wire.payload_text(frame.payload)
            self._host.journal.write(now_s, CallServed(frame.id, frame.action, request, True, payload))

    def _refuse(self, message_id: str, error: PeerError, text: str, now_s: float) -> str:
        answer = wire.error_frame(message_id, error.code, error.description)
        self._host.emit(Send(answer))
        if self._host.journal:
            self._host.journal.write(now_s, CallServed(message_id, "", text, False, str(error)))
        return answer

    def _remember(self, message_id: str, digest: int, answer: str) -> None:
        self._answered.pop(message_id, None)
        self._answered[message_id] = _Answered(self._host.timers.wire_s, digest, answer)
        if len(self._answered) > REMEMBERED_ANSWERS:
            del self._answered[next(iter(self._answered))]

    def _on_result(self, frame: wire.CallResult, now_s: float) -> None:
        flying = self._in_flight
        if flying is None or flying.message_id != frame.id:
            self._on_late_result(frame, now_s)
            return
        self._finish(flying)
        is_raw = flying.message is None and flying.about is None
        try:
            result = None if is_raw else wire.understood_result(flying.action, frame.payload)
        except PeerError as error:
            self._fail(flying, Failure.INVALID, str(error), now_s)
            return
        self._tell(flying, True, wire.payload_text(frame.payload) if self._host.journal else "", now_s)
        if flying.message is not None:
            self._deliver(flying.message, result, now_s)
        elif flying.about is not None:
            self._host.answered(flying.action, flying.about, Outcome(result), now_s)
        else:
            self._host.journal.write(now_s, FrameRefused(frame.id, "an answer nobody waits for"))

    def _on_late_result(self, frame: wire.CallResult, now_s: float) -> None:
        """An answer to an earlier transmission of a message that still waits completes it (messages.md 1.1)."""
        message = self._earlier_ids.pop(frame.id, None)
        if message is None or message is not self.queue.head:
            self._host.journal.write(now_s, FrameRefused(frame.id, "an answer nobody waits for"))
            return
        try:
            result = wire.understood_result(message.action, frame.payload)
        except PeerError as error:
            self._host.journal.write(now_s, FrameRefused(frame.id, f"a late answer nobody can use: {error}"))
            return
        flying = self._in_flight
        if flying is not None and flying.message is message:
            # Its repetition is under way: that answer will find nobody waiting, but nothing may overtake it (J 4.1.1).
            flying.message = None
        self._deliver(message, result, now_s)

    def _on_error(self, frame: wire.CallError, now_s: float) -> None:
        flying = self._in_flight
        if flying is None or flying.message_id != frame.id:
            self._host.journal.write(now_s, FrameRefused(frame.id, "an error nobody waits for"))
            return
        self._finish(flying)
        if frame.code == ErrorCode.SECURITY_ERROR and self.registration is Registration.ACCEPTED and not self.is_confirmed:
            self._be_forgotten(flying, frame.description, now_s)
        else:
            self._fail(flying, Failure.ERROR, f"{frame.code}: {frame.description}", now_s)

    def _be_forgotten(self, flying: _InFlight, detail: str, now_s: float) -> None:
        """A central system that has lost its memory says SecurityError to all but BootNotification (J erratum 3.10).

        It has looked at nothing, so this is no attempt, and for everybody else as if there were no link. Once it has
        accepted us on this socket, the same error is one.
        """
        self.registration = Registration.UNKNOWN
        self._tell(flying, False, f"{ErrorCode.SECURITY_ERROR}: {detail}", now_s)
        if flying.message is not None:
            self.queue.renew(flying.message)
        elif flying.about is not None:
            self._host.answered(flying.action, flying.about, Outcome(None, Failure.LINK_LOST, detail), now_s)
        self._host.forgotten(now_s)

    def _on_timeout(self, now_s: float) -> None:
        flying = self._in_flight
        if flying is not None:
            self._finish(flying)
            self._fail(flying, Failure.TIMEOUT, "no answer", now_s)
            self.pump(now_s)

    def _finish(self, flying: _InFlight) -> None:
        self._in_flight = None
        self._deadline.clear()

    def _deliver(self, message: Message, result: Any, now_s: float) -> None:
        self._retry.clear()
        self._forget_transmissions(message)
        self._host.delivered(message, result, now_s)
        self.queue.delivered(message)

    def _forget_transmissions(self, message: Message) -> None:
        for earlier in [key for key, other in self._earlier_ids.items() if other is message]:
            del self._earlier_ids[earlier]

    def _fail(self, flying: _InFlight, failure: Failure, detail: str, now_s: float) -> None:
        self._tell(flying, False, detail, now_s)
        message = flying.message
        if message is None:
            if flying.about is not None:
                self._host.answered(flying.action, flying.about, Outcome(None, failure, detail), now_s)
            return
        self._earlier_ids[flying.message_id] = message
        if self.queue.failed(message, self._host.setting(TRANSACTION_MESSAGE_ATTEMPTS)):
            self._retry.clear()
            self._forget_transmissions(message)
            self._host.journal.write(now_s, Undelivered(message.key, message.action, detail))
            self._host.undelivered(message, detail, now_s)
        else:
            wait_s = self._host.setting(TRANSACTION_MESSAGE_RETRY_INTERVAL) * message.attempts
            if wait_s > 0:
                self._retry.set(self._host.timers.wire_s + wait_s)

    def _tell(self, flying: _InFlight, is_result: bool, outcome: str, now_s: float) -> None:
        if self._host.journal:
            took_s = self._host.timers.wire_s - flying.sent_wire_s
            entry = CallAnswered(flying.message_id, flying.action, is_result, outcome, took_s)
            self._host.journal.write(now_s, entry)
