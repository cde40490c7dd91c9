"""One socket to a central system, from its dial to its end: what `chargepoint.runtime.link` keeps having one of.

A connection is one `asyncio.BufferedProtocol` around the Sans-I/O half of the `websockets` library: no task, no queue
and no timer of its own once it stands. It speaks to its owner in calls and keeps no opinion on what comes after.

Sources: OCPP-J 1.6 section 3 (opening) and 6.2.2 (credentials); RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from chargepoint.runtime.destination import Destination
from chargepoint.runtime.dialfailure import DialFailure, FailureKind, explain, subprotocol_failure

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

_LOG = logging.getLogger(__name__)


class _Undebugged(logging.LoggerAdapter[logging.Logger]):
    """What the library logs to. Its debug log has every header, and so the Basic credentials: it is never on."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


_LIBRARY_LOG = _Undebugged(_LOG, {})

_LONGEST_CLOSE_REASON = 123
"""Bytes of UTF-8 that fit into a Close frame beside its code (RFC 6455, 5.5)."""

_CONT, _TEXT, _PONG, _BINARY = Opcode.CONT, Opcode.TEXT, Opcode.PONG, Opcode.BINARY
_CONNECTING, _OPEN = State.CONNECTING, State.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Patience of a link, in s and bytes; one object serves a fleet."""

    retry_minimum_s: float = 3.0
    """RetryBackOffWaitMinimum: the first wait, before its random part."""
    retry_random_s: float = 10.0
    """RetryBackOffRandomRange: what is added at most, anew each time."""
    retry_doublings: int = 3
    """RetryBackOffRepeatTimes: how often the minimum doubles."""
    retry_after_limit_s: float = 900.0
    """Longest wait that a server can ask for with Retry-After (HTTP 429 and 503)."""
    open_timeout_s: float = 30.0
    """From the first packet to the end of the WebSocket handshake; each redirect has its own."""
    pong_timeout_s: float = 10.0
    """A pong that takes longer ends the link; a shorter ping interval counts instead."""
    close_timeout_s: float = 5.0
    """How long the central system may take to answer a Close frame and to close the socket."""
    largest_message: int = 2**20
    """Bytes a message may have, all its fragments together."""
    largest_backlog: int = 2**20
    """Bytes that may wait for a central system that does not read."""


class CloseCause(StrEnum):
    """Why an open link ended."""

    OURS = "ours"
    """`Link.stop` or `Link.redial`."""
    PEER = "peer"
    """The central system sent a Close frame."""
    LOST = "lost"
    """The connection broke without a Close frame."""
    NO_PONG = "no-pong"
    NOT_READING = "not-reading"
    """The central system did not take what we sent."""
    PROTOCOL = "protocol"
    """The central system broke the WebSocket protocol, sent binary data or a message that is too big."""
    DROPPED = "dropped"
    """`Link.drop` or `Link.hold`: the simulated network went away."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a link that was open.

    ``code`` is the WebSocket close code: the peer's if ``cause`` is PEER, else ours, 1006 where nobody sent one.
    """

    cause: CloseCause
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.text} (code {self.code})"

    @property
    def peer_code(self) -> int | None:
        """The code of the close frame by which the central system ended the link, None when it did not."""
        return self.code if self.cause is CloseCause.PEER else None


class Owner(Protocol):
    """Who a connection belongs to. Every call comes from the event loop."""

    @property
    def settings(self) -> LinkSettings: ...
    def opened(self, connection: Connection, subprotocol: str | None) -> None:
        """The handshake succeeded."""

    def received(self, text: str) -> None:
        """A whole message came."""

    def ponged(self, payload: bytes) -> None:
        """A pong came."""

    def closing(self, connection: Connection) -> None:
        """A closing handshake has begun: somebody should wait for its end, but not for ever."""

    def over(self, connection: Connection) -> None:
        """Socket and dial are gone; `Connection.closed`, ``failure`` or ``redirect`` says how."""


_TEXTS = {
    CloseCause.OURS: "closed by us",
    CloseCause.DROPPED: "the simulated network is down",
}


class _Scratch(threading.local):
    """Where all sockets of a thread are read into, one after the other.

    asyncio asks for a buffer, fills it and says so in one go, so one buffer serves a fleet. The fresh 256 KiB that
    `asyncio.Protocol` allocates for each read cost as much CPU as all else there is to do with a message.
    """

    def __init__(self) -> None:
        # A view, because the TLS layer slices what it is given and fills the slice.
        self.view = memoryview(bytearray(2**16))


_SCRATCH = _Scratch()


class Connection(asyncio.BufferedProtocol):
    """One socket from its dial to its end. It lives while its dial task or its transport does."""

    __slots__ = (
        "cause",
        "destination",
        "failure",
        "is_deaf",
        "is_ending",
        "is_open",
        "link",
        "note",
        "partial",
        "protocol",
        "redirect",
        "task",
        "transport",
        "was_open",
    )

    def __init__(self, link: Owner, destination: Destination) -> None:
        self.link = link
        self.destination = destination
        self.protocol = ClientProtocol(
            destination.uri,
            # The library takes any sequence of str; its NewType is not worth a copy for each link.
            subprotocols=cast("Sequence[Subprotocol]", destination.address.subprotocols),
            max_size=link.settings.largest_message,
            logger=_LIBRARY_LOG,
        )
        self.task: asyncio.Task[Any] | None = None
        self.transport: asyncio.Transport | None = None
        self.partial: bytearray | None = None
        self.is_open = False
        self.was_open = False
        self.is_ending = False
        self.is_deaf = False
        self.redirect: Destination | None = None
        self.failure: DialFailure | None = None
        self.cause: CloseCause | None = None
        self.note = ""

    # Dialling

    async def dial(self) -> None:
        """Open the TCP or TLS connection; the handshake goes on in the callbacks."""
        uri, destination = self.protocol.uri, self.destination
        secure: dict[str, Any] = {}
        if uri.secure:
            secure = {"ssl": destination.address.tls.context(), "server_hostname": destination.server_name}
        # One address of a host after the other: racing them (RFC 8305) would have two sockets at once.
        await asyncio.get_running_loop().create_connection(lambda: self, uri.host, uri.port, **secure)

    def dialled(self, task: asyncio.Task[Any]) -> None:
        self.task = None
        error = None if task.cancelled() else task.exception()
        if error is not None and self.failure is None:
            self.failure = explain(error)
        if self.transport is not None and (error is not None or task.cancelled()):
            # The dial was given up in the very turn in which TCP came up. asyncio reports the end of that transport
            # within two turns, uvloop never does.
            self.transport.abort()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.connection_lost, None)
        self._over_if_gone()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        if self.is_deaf:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=self.link.settings.largest_backlog)
        request = self.protocol.connect()
        for name, value in self.destination.request_headers():
            request.headers[name] = value
        self.protocol.send_request(request)
        self.flush()

    # Receiving

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH.view

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(_SCRATCH.view[:nbytes])
        self.protocol.receive_data(data)
        self._process()
        error = self.protocol.parser_exc
        if isinstance(error, PayloadTooBig) and not self.note:
            self.note = too_big(error, self.partial or b"", data)
            self.partial = None

    def eof_received(self) -> None:
        # Returning None lets asyncio close the transport: after the end of input a client has nothing to add.
        self.protocol.receive_eof()
        self._process()

    def _process(self) -> None:
        protocol = self.protocol
        # From here on a text in this batch cannot be answered if its last frame is a Close.
        self.is_open = self.is_open and protocol.state is _OPEN
        # Pongs and the echo of a Close first: the listener may take its time.
        self.flush()
        for event in protocol.events_received():
            if self.is_deaf:
                break
            if isinstance(event, Frame):
                self._frame_received(event)
            elif protocol.handshake_exc is None:
                self._handshake_succeeded()
        if protocol.handshake_exc is not None:
            if not self.is_ending:
                self._handshake_failed(protocol.handshake_exc)
        elif protocol.state is not _OPEN and protocol.state is not _CONNECTING:
            self._await_end()

    def _frame_received(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is _TEXT:
            if frame.fin:
                self._text_received(frame.data)
            else:
                self.partial = bytearray(frame.data)
        elif opcode is _CONT and self.partial is not None:
            # One buffer, not a list: a peer that sends a million empty fragments costs nothing.
            self.partial += frame.data
            if frame.fin:
                data, self.partial = self.partial, None
                self._text_received(data)
        elif opcode is _PONG:
            self.link.ponged(bytes(frame.data))
        elif opcode is _BINARY:
            self._fail(CloseCode.UNSUPPORTED_DATA, "the central system sent binary data; OCPP-J is text")

    def _text_received(self, data: bytes | bytearray | memoryview) -> None:
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError as error:
            self._fail(CloseCode.INVALID_DATA, f"invalid UTF-8: {error.reason} at position {error.start}")
        else:
            self.link.received(text)

    # The WebSocket handshake

    def _handshake_succeeded(self) -> None:
        protocol = self.protocol
        if protocol.subprotocol is None and self.destination.address.require_subprotocol:
            self.failure = subprotocol_failure("the server chose no subprotocol", self.destination.address)
            self._fail(CloseCode.PROTOCOL_ERROR, f"subprotocol {self.destination.address.subprotocols[0]} is needed")
            return
        self.was_open = True
        self.is_open = protocol.state is _OPEN
        self.link.opened(self, protocol.subprotocol)

    def _handshake_failed(self, error: Exception) -> None:
        match self.destination.after(error):
            case Destination() as redirect:
                self.redirect = redirect
            case failure:
                self.failure = failure
        self._await_end()
        if self.transport is not None:
            self.transport.close()

    def open_timed_out(self) -> None:
        text = "no connection" if self.transport is None else "no answer to the WebSocket handshake"
        self.failure = DialFailure(
            FailureKind.TIMEOUT,
            f"{text} within {self.link.settings.open_timeout_s:g} s",
            "check host and port, and that no firewall swallows the packets",
        )
        self.abort()

    # Sending and ending

    def flush(self) -> None:
        """Hand what the protocol wants to send to the transport."""
        transport = self.transport
        for data in self.protocol.data_to_send():
            # The empty chunk means "half-close": all that follows in a client is the end of the transport anyway.
            if data and transport is not None:
                transport.write(data)

    def pause_writing(self) -> None:
        """The backlog is full. A central system that does not read is lost; memory must not be lost with it."""
        self.note = f"more than {self.link.settings.largest_backlog} bytes wait to be read by the central system"
        self.abort(CloseCause.NOT_READING)

    def pong_missed(self) -> None:
        self.note = "the central system did not answer a ping"
        self.abort(CloseCause.NO_PONG)

    def close(self, code: int, reason: str) -> None:
        """End it by a closing handshake if there is one to be had. What still comes in time is still delivered."""
        if self.protocol.state is _CONNECTING or self.protocol.handshake_exc is not None:
            self.failure = None
            self.abort(CloseCause.OURS)
        elif self.is_open:
            self.cause = CloseCause.OURS
            self.protocol.send_close(code, _shorten(reason))
            self._await_end()
            self.flush()

    def abort(self, cause: CloseCause | None = None) -> None:
        """End it now, without a closing handshake. The first cause stays.

        Without a cause it only hurries what has begun to end; a redirect is then still followed.
        """
        if cause is not None:
            self.cause = self.cause or cause
            self.redirect = None
        self.is_open = False
        self.is_deaf = True
        if self.task is not None:
            self.task.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Fail the connection (RFC 6455, 7.1.7): say why, and listen no more."""
        self.note = reason
        self.cause = self.cause or CloseCause.PROTOCOL
        self.is_deaf = True
        # After a Close frame in either direction the reason can no longer be told, and the end is near anyway.
        if self.protocol.state is _OPEN:
            self.protocol.fail(code, _shorten(reason))
            self._await_end()
            self.flush()

    def _await_end(self) -> None:
        self.is_open = False
        if not self.is_ending:
            self.is_ending = True
            self.link.closing(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is None:
            return  # `dialled` has been told already
        self.transport = None
        self.is_open = False
        self.protocol.receive_eof()
        if exc is not None and not self.note:
            self.note = f"the connection broke: {exc}"
        if not (self.was_open or self.failure or self.redirect or self.cause):
            # With TLS 1.3 a server refuses our certificate only now, when the TLS handshake is over for us.
            self.failure = explain(exc or self.protocol.handshake_exc or ConnectionResetError("end of stream"))
        self._over_if_gone()

    def _over_if_gone(self) -> None:
        if self.task is None and self.transport is None:
            self.link.over(self)

    def closed(self) -> Closed:
        """Return how an open connection ended; only once it is gone."""
        protocol = self.protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        if received is not None and protocol.close_rcvd_then_sent:
            return Closed(
                CloseCause.PEER, received.code, f"the central system closed: {received.reason or 'no reason'}"
            )
        code = CloseCode.ABNORMAL_CLOSURE if sent is None else sent.code
        if self.cause is not None:
            return Closed(self.cause, int(code), self.note or _TEXTS.get(self.cause, self.cause))
        if sent is not None:
            # Nobody here closed it, so the library did: a frame was broken, or a message too big.
            return Closed(CloseCause.PROTOCOL, int(code), self.note or str(protocol.parser_exc))
        return Closed(CloseCause.LOST, int(code), self.note or "the connection broke without a Close frame")


_OPENING = re.compile(r'\s*\[\s*([234])\s*,\s*"([^"\\]{0,36})"\s*,\s*(?:"([^"\\]{1,50})")?')
"""Message type, message id and, of a CALL, action (OCPP-J 1.6 4.2)."""
_KINDS = {"2": "CALL", "3": "CALLRESULT", "4": "CALLERROR"}
_OPENING_BYTES = 200


def too_big(error: PayloadTooBig, before: bytes | bytearray, read: bytes) -> str:
    """Say which message is too big, as far as that is known: the library reads no further than the frame's length.

    ``before`` is what earlier fragments brought, ``read`` the bytes in which the frame begins.
    """
    size = (error.current_size or 0) + (error.size or 0)
    opening = bytes(before[:_OPENING_BYTES])
    if not opening and error.size is not None:
        # The text follows the length, which has 2 or 8 bytes (RFC 6455, 5.2).
        long = error.size >= 2**16
        length = b"\x7f" + error.size.to_bytes(8, "big") if long else b"\x7e" + error.size.to_bytes(2, "big")
        opening = read.partition(length)[2][:_OPENING_BYTES]
    found = _OPENING.match(opening.decode("utf-8", "replace"))
    if found is None:
        what = "neither its action nor its message ID is known"
    else:
        kind, message_id, action = found.groups()
        what = f"{_KINDS[kind]}{f' {action}' if action and kind == '2' else ''} with message ID {message_id!a}"
    return f"a message of {size} bytes exceeds the limit of {error.max_size} bytes: {what}"


def _shorten(reason: str) -> str:
    """Cut a close reason to what fits into a control frame."""
    return reason.encode()[:_LONGEST_CLOSE_REASON].decode(errors="ignore")
