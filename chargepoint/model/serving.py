"""Calls of the central system on one socket: judged, handed to the feature profiles, answered.

A call whose message id is still being handled is refused. A repetition of a call that acts gets the stored answer and is
not carried out again: the central system may not have got the answer. Whatever only reads, or sets what it set before,
is served anew, since testers and some central systems use constant ids. Sources: OCPP-J 1.6 4.1.4 and 4.2.3, erratum 3.1;
the memory is our choice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from . import wire
from .errors import ErrorCode, PeerError
from .journal import CallServed, Journal
from .outbox import Effect, Ref, Send
from .timebase import Timers

REMEMBER_S = 60.0
"""How long the answer to a call that acts is remembered on a socket."""
REMEMBERED_ANSWERS = 64

ACTING = frozenset(
    {
        "CancelReservation",
        "ClearChargingProfile",
        "DataTransfer",
        "GetDiagnostics",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
"""Calls that do, or answer, something else when they are carried out twice."""


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler returns when the answer waits for hardware; `Serving.answer` gives it under the same ``ref``."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class _Deferred:
    """A call of the central system whose answer waits for hardware."""

    ref: Ref
    call: wire.Call
    text: str


@dataclass(frozen=True, slots=True)
class _Answered:
    at_wire_s: float
    digest: int
    text: str


class ServingHost(Protocol):
    """What serving needs of its charger."""

    timers: Timers
    journal: Journal
    log: logging.LoggerAdapter[logging.Logger]
    saves: int
    """How many records were saved so far."""

    def emit(self, effect: Effect) -> None: ...
    def serve(self, request: Any, now_s: float) -> Any: ...
    def refuses(self, action: str) -> PeerError | None: ...


class Serving:
    """Answers the calls of one central system; nothing it knows outlives the socket."""

    __slots__ = ("_answered", "_deferred", "_host", "unread_bytes")

    def __init__(self, host: ServingHost) -> None:
        self._host = host
        self._deferred: list[_Deferred] = []
        self._answered: dict[str, _Answered] = {}
        self.unread_bytes = 0
        """Size of the largest answer that the central system may not have read yet: see `all_read`."""

    def opened(self) -> None:
        """A socket is open. Ids and answers of the last one mean nothing on it."""
        self._answered.clear()
        self.unread_bytes = 0

    def closed(self) -> None:
        """The socket is gone, and with it what still was to be answered."""
        self._deferred.clear()

    def all_read(self) -> None:
        """The central system has answered what was sent after the answers so far, so it has read them."""
        self.unread_bytes = 0

    def serve(self, frame: wire.Call, text: str, now_s: float) -> None:
        """Serve a call that came as ``text``, or repeat the answer that it got."""
        if any(served.call.id == frame.id for served in self._deferred):
            self.refuse(frame.id, PeerError(ErrorCode.GENERIC_ERROR, "this message id is being handled"), text, now_s)
            return
        if self._repeats(frame, text, now_s):
            return
        saves = self._host.saves
        try:
            refusal = self._host.refuses(frame.action)
            if refusal is not None:
                raise refusal
            response = self._host.serve(wire.decode_call(frame.action, frame.payload), now_s)
        except PeerError as error:
            self._remember(frame, text, self.refuse(frame.id, error, text, now_s))
            return
        if isinstance(response, Later):
            self._deferred.append(_Deferred(response.ref, frame, text))
        else:
            self._answer(frame, response, text, now_s, waits_for_store=self._host.saves != saves)

    def answer(self, ref: Ref, response: Any, now_s: float) -> None:
        """Give the answer that a handler promised with `Later`; nothing happens when the socket went meanwhile."""
        for served in [each for each in self._deferred if each.ref == ref]:
            self._deferred.remove(served)
            self._answer(served.call, response, served.text, now_s)

    def refuse(self, message_id: str, error: PeerError, text: str, now_s: float) -> str:
        """Answer a call with a CALLERROR, and return that."""
        answer = wire.error_frame(message_id, error.code, error.description)
        self._send(answer, waits_for_store=False)
        if self._host.journal:
            self._host.journal.write(now_s, CallServed(message_id, "", text, False, str(error)))
        return answer

    def _answer(
        self, frame: wire.Call, response: Any, text: str, now_s: float, *, waits_for_store: bool = True
    ) -> None:
        payload = wire.encode_payload(response)
        answer = wire.result_frame(frame.id, payload)
        self._send(answer, waits_for_store=waits_for_store)
        self._remember(frame, text, answer)
        if self._host.journal:
            request = wire.payload_text(frame.payload)
            self._host.journal.write(now_s, CallServed(frame.id, frame.action, request, True, payload))

    def _send(self, answer: str, *, waits_for_store: bool = True) -> None:
        self.unread_bytes = max(self.unread_bytes, len(answer))
        self._host.emit(Send(answer, waits_for_store=waits_for_store))

    # --- repetitions --------------------------------------------------------------------------------------------------

    def _repeats(self, frame: wire.Call, text: str, now_s: float) -> bool:
        """Send the stored answer to an identical frame once more; return whether there was one."""
        known = self._answered.get(frame.id)
        age_s = 0.0 if known is None else self._host.timers.wire_s - known.at_wire_s
        if known is None or known.digest != hash(text) or age_s >= REMEMBER_S:
            return False
        self._host.log.info(
            "%s came again after %.0f s with message ID %s: answered as before, not carried out again",
            frame.action,
            age_s,
            frame.id,
        )
        self._send(known.text)
        if self._host.journal:
            request, before = wire.payload_text(frame.payload), wire.read_frame(known.text)
            is_result = isinstance(before, wire.CallResult)
            answer = wire.payload_text(before.payload) if isinstance(before, wire.CallResult) else known.text
            self._host.journal.write(now_s, CallServed(frame.id, frame.action, request, is_result, answer))
        return True

    def _remember(self, frame: wire.Call, text: str, answer: str) -> None:
        if frame.action not in ACTING:
            return
        self._answered.pop(frame.id, None)
        self._answered[frame.id] = _Answered(self._host.timers.wire_s, hash(text), answer)
        if len(self._answered) > REMEMBERED_ANSWERS:
            del self._answered[next(iter(self._answered))]
