"""The protocol session: one call of ours in flight, boot gating, lanes, time-outs, late and foreign answers.

Sans-I/O: frames come in through `receive`, go out as `Send` values. Three lanes wait for the one call that may be in
flight: *boot* (BootNotification, and what a trigger asks for while Pending), *normal* (everything that is not stored) and
the `TransactionQueue`, whose head is in the care of `Delivery`. While the central system is served (`Serving`) nothing of
ours is sent before its answer (OCPP-J 4.1.1), but its call never waits for ours. Sources: OCPP-J 1.6 4.1-4.3 with errata
3.1 and 3.10; OCPP 1.6 4.2, 3.7.1.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from enum import Enum
from typing import Any, Protocol

from . import wire
from .calls import Failure, InFlight, Lane, Lanes, Outcome, Waiting
from .confirmations import Confirmations
from .delivery import BLAMING_CODES, MESSAGE_TOO_BIG, Delivery, DeliveryHost
from .errors import ErrorCode, FrameError, PeerError
from .journal import CallAnswered, CallSent, FrameRefused
from .keys import integer
from .outbox import Redial, Ref, Send
from .peercheck import MOST_UNANSWERED, PeerCheck
from .serving import Serving, ServingHost
from .timebase import Alarm, Clock
from .transaction import Message, TransactionQueue

MESSAGE_TIMEOUT = integer(
    "MessageTimeout", 30, minimum=1, unit="s", source="erratum v4", effect="how long an answer to a call is waited for"
)

PROBE = Ref("probe")
"""The Heartbeat that shows whether the central system answers anything."""
BY_HAND = Ref("by hand")
"""A call that a person wrote: nothing of the charger takes its answer, the journal shows it."""
_UNKNOWN_ID = "response to an unknown or already answered message ID"


class Registration(Enum):
    """What the central system thinks of us (OCPP 1.6 4.2)."""

    UNKNOWN = "Unknown"
    PENDING = "Pending"
    REJECTED = "Rejected"
    ACCEPTED = "Accepted"


_NEVER_SENT = Outcome(failure=Failure.LINK_LOST, was_sent=False)


class SessionHost(DeliveryHost, ServingHost, Protocol):
    """What a session needs of its charger."""

    def new_message_id(self) -> str: ...
    def answered(self, action: str, about: Ref, outcome: Outcome, now_s: float) -> None: ...
    def delivered(self, message: Message, result: Any, now_s: float) -> None: ...
    def call_sent(self, action: str, now_s: float) -> None: ...
    def forgotten(self, now_s: float) -> None: ...
    def link_is_good(self) -> None: ...


class Session:
    """One charger's conversation with its central system, over as many sockets as it takes."""

    __slots__ = (
        "_confirmations",
        "_deadline",
        "_host",
        "_in_flight",
        "_is_leaving",
        "_is_proven",
        "_is_serving",
        "_lanes",
        "_peer",
        "_queue_turn",
        "_queue_waits",
        "_serving",
        "_was_closed_on_call",
        "delivery",
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
        self.delivery = Delivery(host, queue, self.pump)
        self._host = host
        self._peer = PeerCheck()
        self._serving = Serving(host)
        self._lanes = Lanes()
        self._in_flight: InFlight | None = None
        self._queue_turn = False
        self._queue_waits = False
        """The queue does not begin before the calls that this socket began with are answered: see `begin`."""
        self._was_closed_on_call = False
        self._is_serving = False
        self._is_leaving = False
        """The socket is being closed by us, to be dialled again."""
        self._is_proven = False
        """A call was answered on this socket."""
        self._confirmations = Confirmations(host.log)
        self._deadline = Alarm(host.timers, self._on_timeout, Clock.WIRE)

    @property
    def is_online(self) -> bool:
        """Socket open and registration accepted: the central system decides."""
        return self.is_open and self.registration is Registration.ACCEPTED

    @property
    def is_answering(self) -> bool:
        """Online, and not known to leave calls unanswered: else the offline rules decide about cards (3.5)."""
        return self.is_online and not self._peer.is_doubted

    @property
    def trigger_lane(self) -> Lane:
        """Where a call goes that a trigger asked for: while Pending nothing else of ours may leave (OCPP 1.6 4.2)."""
        return Lane.BOOT if self.registration is Registration.PENDING else Lane.NORMAL

    @property
    def _serves(self) -> bool:
        """While Rejected the central system gets no answers. Before BootNotification.conf it does, as while Pending: 4.2
        forbids the charge point to *send requests* until then. A Rejected holds until the next BootNotification.conf,
        whatever the socket."""
        return self.registration is not Registration.REJECTED

    @property
    def is_idle(self) -> bool:
        """Nothing in flight, nothing waiting."""
        return self._in_flight is None and not any(self._lanes) and not len(self.queue)

    @property
    def awaits_answer(self) -> bool:
        """A call of ours is in flight."""
        return self._in_flight is not None

    # --- the link -----------------------------------------------------------------------------------------------------

    def opened(self, now_s: float) -> None:
        """A socket is open. Ids and answers of the last one mean nothing on it."""
        self.is_open = True
        self.is_confirmed = self._is_proven = False
        self._serving.opened()
        self._peer.opened()
        self._confirmations.opened()
        self._queue_waits = not self._was_closed_on_call
        self._was_closed_on_call = False

    def begin(self, now_s: float) -> None:
        """Send what is waiting, now that the features have lined up their calls for the new socket.

        StatusNotifications of a reconnect go before the stored queue: "the Charge Point updates the Central System about
        its status" (OCPP 1.6 4.9), and between messages of past transactions a status would contradict them. The wait
        ends when the lane is empty or one of those calls is not answered. There is none after the central system closed
        the last socket on a call that is not stored, or a message of that kind would block the queue (3.7.1).
        """
        self.pump(now_s)

    def closed(self, peer_code: int | None, now_s: float) -> None:
        """The socket is gone; ``peer_code`` is the code of the central system's close frame, None when it sent none.

        A stored message stays the head, with the same id; whether the close counts as an attempt, `Delivery` decides.
        Who waits for the answer to another call learns that the link was lost.
        """
        self.is_open = self._is_leaving = False
        self._deadline.clear()
        self._serving.closed()
        self.delivery.link_lost()
        lost, self._in_flight = self._in_flight, None
        waiting = self._lanes.clear()
        if lost is not None:
            if peer_code is not None:
                self._closed_on(lost, peer_code, now_s)
            self._return(lost.action, lost.about, Outcome(failure=Failure.LINK_LOST), now_s)
        for each in waiting:
            self._return(each.action, each.about, _NEVER_SENT, now_s)

    def _closed_on(self, lost: InFlight, code: int, now_s: float) -> None:
        """The central system closed the socket while a call was unanswered."""
        is_blaming = code == MESSAGE_TOO_BIG or code in BLAMING_CODES
        self._host.log.log(
            logging.WARNING if is_blaming else logging.INFO,
            "the central system closed the connection (code %d) while %s %s of %d bytes was unanswered",
            code,
            lost.action,
            lost.message_id,
            lost.size,
        )
        self._was_closed_on_call = lost.message is None
        if lost.about == PROBE:
            self._on_probe_failed(is_closed=True)
        elif lost.message is not None and not self._peer.is_doubted:
            if code == MESSAGE_TOO_BIG and self._serving.unread_bytes > lost.size:
                self._host.log.warning("an answer of %d bytes is more likely the cause", self._serving.unread_bytes)
            else:
                self.delivery.closed(lost.message, code, lost.size, now_s)

    def hold_queue(self, unsent: Collection[str]) -> None:
        """Send no stored message until `release_queue`: the store fails.

        ``unsent``: ids of messages whose frames were taken back before they left. They have not been sent, so their answer
        is not waited for, and no attempt counts.
        """
        self.delivery.hold()
        flying = self._in_flight
        if flying is not None and flying.message is not None and flying.message_id in unsent:
            self._finish(flying)

    def release_queue(self, now_s: float) -> None:
        """Send stored messages again: the store has recovered."""
        self.delivery.release()
        self.pump(now_s)

    # --- our calls ----------------------------------------------------------------------------------------------------

    def call(self, request: Any, about: Ref, lane: Lane, now_s: float) -> None:
        """Send a call as soon as its turn comes; the outcome comes back through the host under ``about``.

        With no socket the outcome is `Failure.LINK_LOST`, at once.
        """
        action = wire.action_of(request)
        if not self.is_open:
            self._host.answered(action, about, _NEVER_SENT, now_s)
            return
        self._line_up(Waiting(action, wire.encode_payload(request), about), lane, now_s)

    def send_raw(self, action: str, payload: str, now_s: float) -> None:
        """Send a call as it is written, right or wrong; the journal shows its answer, a late one too.

        ``payload`` is encoded JSON. Raises ConnectionError without a socket.
        """
        if not self.is_open:
            raise ConnectionError("there is no connection to the central system")
        self._line_up(Waiting(action, payload, BY_HAND), Lane.NORMAL, now_s)

    def _line_up(self, call: Waiting, lane: Lane, now_s: float) -> None:
        dropped = self._lanes.put(call, lane)
        if dropped is not None:
            outcome = Outcome(None, Failure.TIMEOUT, "too many calls waiting", was_sent=False)
            self._return(dropped.action, dropped.about, outcome, now_s)
        self.pump(now_s)

    def _return(self, action: str, about: Ref | None, outcome: Outcome, now_s: float) -> None:
        """Tell what became of a call to what had sent it; a stored message is the affair of `Delivery`."""
        if about is not None and about != BY_HAND:
            self._host.answered(action, about, outcome, now_s)

    def has_waiting(self, about: Ref) -> bool:
        """Whether a call under ``about`` is waiting or in flight."""
        flying = self._in_flight is not None and self._in_flight.about == about
        return flying or any(each.about == about for each in self._lanes)

    def pump(self, now_s: float) -> None:
        """Send the next call if one may be sent now."""
        if self._in_flight is not None or not self.is_open or self._is_serving or self._is_leaving:
            return
        boot, normal = self._lanes.boot, self._lanes.normal
        if boot:
            self._send(boot.pop(0), now_s)
        elif self.registration is Registration.ACCEPTED:
            while (head := self.delivery.head) is not None and self.queue.has_lost_id(head):
                self.delivery.give_up(head, "its transactionId is lost", now_s)
            self._queue_waits = self._queue_waits and bool(normal)
            if self._peer.wants_heartbeat or (head is not None and head.trial_code):
                self._peer.asked()
                self._send(Waiting("Heartbeat", "{}", PROBE), now_s)
            elif head is not None and not self._queue_waits and (self._queue_turn or not normal):
                self._queue_turn = False
                self._send_message(head, now_s)
            elif normal:
                self._queue_turn = True
                self._send(normal.pop(0), now_s)

    def _send(self, call: Waiting, now_s: float) -> None:
        self._transmit(self._host.new_message_id(), call.action, call.payload, call.about, None, now_s)

    def _send_message(self, message: Message, now_s: float) -> None:
        payload = self.queue.payload_to_send(message)
        self._transmit(message.message_id, message.action, payload, None, message, now_s)

    def _transmit(
        self, message_id: str, action: str, payload: str, about: Ref | None, message: Message | None, now_s: float
    ) -> None:
        wire_s = self._host.timers.wire_s
        frame = wire.call_frame(message_id, action, payload)
        self._in_flight = InFlight(message_id, action, about, message, wire_s, len(frame))
        self._deadline.set(wire_s + self._host.setting(MESSAGE_TIMEOUT))
        stored = None if message is None else message_id
        self._host.emit(Send(frame, stored, waits_for_store=stored is not None))
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
                self._serving.refuse(error.message_id, error, text, now_s)
            else:
                self._host.journal.write(now_s, FrameRefused(text, error.description))
        except FrameError as error:
            self._host.journal.write(now_s, FrameRefused(text, error.description))
        else:
            if isinstance(frame, wire.Call):
                if self._serves:
                    self._serving.serve(frame, text, now_s)
                else:
                    self._host.journal.write(now_s, FrameRefused(text, f"not served while {self.registration.value}"))
            elif isinstance(frame, wire.CallResult):
                self._on_response(frame.id)
                self._on_result(frame, now_s)
            elif isinstance(frame, wire.CallError):
                self._on_response(frame.id)
                self._on_error(frame, now_s)

    def answer(self, ref: Ref, response: Any, now_s: float) -> None:
        """Give the answer that a handler promised with `Later`; nothing happens when the socket went meanwhile."""
        self._serving.answer(ref, response, now_s)
        self.pump(now_s)

    def _on_response(self, message_id: str) -> None:
        """The central system answers, be it late."""
        self._peer.answered()
        if self._in_flight is not None and self._in_flight.message_id == message_id:
            self._serving.all_read()
        if not self._is_proven:
            self._is_proven = True
            self._host.link_is_good()

    def _on_result(self, frame: wire.CallResult, now_s: float) -> None:
        flying = self._in_flight
        if flying is None or flying.message_id != frame.id:
            self._on_late_result(frame, now_s)
            return
        self._finish(flying)
        if flying.about == BY_HAND:
            self._tell(flying, True, wire.payload_text(frame.payload), now_s)
            return
        if flying.about == PROBE:
            self._on_probe_answered(now_s)
        try:
            result = self._confirmations.read(flying.action, frame.payload)
        except PeerError as error:
            self._fail(flying, Failure.INVALID, str(error), now_s)
            return
        self._tell(flying, True, wire.payload_text(frame.payload) if self._host.journal else "", now_s)
        if flying.message is not None:
            self._deliver(flying.message, result, now_s)
        elif flying.about is not None:
            self._return(flying.action, flying.about, Outcome(result), now_s)
        else:
            # A late answer to an earlier transmission has completed the message already.
            self._host.journal.write(now_s, FrameRefused(frame.id, _UNKNOWN_ID))

    def _on_late_result(self, frame: wire.CallResult, now_s: float) -> None:
        """An answer to an earlier transmission of a message that still waits completes it (OCPP-J erratum 3.1)."""
        late = self._confirmations.take(frame.id)
        if late is not None and late.about == BY_HAND:
            self._tell(late, True, wire.payload_text(frame.payload), now_s)
            return
        message = None if late is None else late.message
        if message is None or message is not self.queue.head:
            self._host.journal.write(now_s, FrameRefused(frame.id, _UNKNOWN_ID))
            return
        try:
            result = self._confirmations.read(message.action, frame.payload)
        except PeerError as error:
            self._host.journal.write(now_s, FrameRefused(frame.id, f"unusable late response: {error}"))
            return
        flying = self._in_flight
        if flying is not None and flying.message is message:
            # Its repetition is under way: that answer will find nobody waiting, but nothing may overtake it (J 4.1.1).
            flying.message = None
        self._deliver(message, result, now_s)

    def _on_error(self, frame: wire.CallError, now_s: float) -> None:
        flying = self._in_flight
        if flying is None or flying.message_id != frame.id:
            late = self._confirmations.take(frame.id)
            if late is not None and late.about == BY_HAND:
                self._tell(late, False, f"{frame.code}: {frame.description}", now_s)
            else:
                self._host.journal.write(now_s, FrameRefused(frame.id, _UNKNOWN_ID))
            return
        self._finish(flying)
        if frame.code == ErrorCode.SECURITY_ERROR and self.registration is Registration.ACCEPTED and not self.is_confirmed:
            self._be_forgotten(flying, frame.description, now_s)
            return
        if flying.about == PROBE:
            self._on_probe_answered(now_s)
        self._fail(flying, Failure.ERROR, f"{frame.code}: {frame.description}", now_s, frame.code)

    def _be_forgotten(self, flying: InFlight, detail: str, now_s: float) -> None:
        """A central system that has lost its memory says SecurityError to all but BootNotification (J erratum 3.10).

        It has looked at nothing, so this is no attempt, and for everybody else as if there were no link. Once it has
        accepted us on this socket, the same error is one.
        """
        self.registration = Registration.UNKNOWN
        self._queue_waits = True
        self._tell(flying, False, f"{ErrorCode.SECURITY_ERROR}: {detail}", now_s)
        if flying.message is not None:
            self.queue.renew(flying.message)
        self._return(flying.action, flying.about, Outcome(None, Failure.LINK_LOST, detail), now_s)
        self._host.forgotten(now_s)

    def _on_timeout(self, now_s: float) -> None:
        flying = self._in_flight
        if flying is None:
            return
        self._finish(flying)
        self._queue_waits = False
        was_doubted = self._peer.is_doubted
        if flying.about == BY_HAND:
            self._confirmations.missed(flying)
        elif self._peer.timed_out():
            self._leave(was_doubted)
        if flying.about == PROBE:
            self._on_probe_failed(is_closed=False)
        self._fail(flying, Failure.TIMEOUT, "no answer", now_s, is_counted=not was_doubted)
        self.pump(now_s)

    def _leave(self, was_doubted: bool) -> None:
        """Close the socket, because calls stay unanswered on it, and dial again."""
        self._is_leaving = True
        reason = f"{MOST_UNANSWERED} calls in a row without an answer"
        level = logging.INFO if was_doubted else logging.WARNING
        self._host.log.log(level, "%s: connecting again; until a call is answered, the offline rules apply", reason)
        self._host.emit(Redial(1000, reason))

    # --- the Heartbeat that finds out ---------------------------------------------------------------------------------

    def _on_probe_answered(self, now_s: float) -> None:
        """The central system works, so a message on which it closes again and again is the cause."""
        head = self.queue.head
        if head is not None and head.trial_code:
            self.delivery.give_up(head, f"the central system closes the connection on it, code {head.trial_code}", now_s)

    def _on_probe_failed(self, is_closed: bool) -> None:
        """The central system answers nothing, so no message is the cause."""
        self._peer.failed(is_closed)
        head = self.queue.head
        if head is not None and head.trial_code:
            self.delivery.acquit(head)

    # --- what becomes of our calls ------------------------------------------------------------------------------------

    def _finish(self, flying: InFlight) -> None:
        self._in_flight = None
        self._deadline.clear()

    def _deliver(self, message: Message, result: Any, now_s: float) -> None:
        self._confirmations.forget(message)
        self._host.delivered(message, result, now_s)
        self.delivery.delivered(message)

    def _fail(
        self, flying: InFlight, failure: Failure, detail: str, now_s: float, code: str = "", *, is_counted: bool = True
    ) -> None:
        self._tell(flying, False, detail, now_s)
        message = flying.message
        if message is None:
            self._return(flying.action, flying.about, Outcome(None, failure, detail), now_s)
            return
        self._confirmations.missed(flying)
        if not is_counted:
            self.delivery.postpone(message)
        elif self.delivery.failed(message, code, detail, now_s):
            self._confirmations.forget(message)

    def _tell(self, flying: InFlight, is_result: bool, outcome: str, now_s: float) -> None:
        if self._host.journal:
            took_s = self._host.timers.wire_s - flying.sent_wire_s
            entry = CallAnswered(flying.message_id, flying.action, is_result, outcome, took_s)
            self._host.journal.write(now_s, entry)
