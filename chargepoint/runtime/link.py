"""The WebSocket link of one charge point to its central system: dial, keep alive, close, dial again.

A link is one `asyncio.BufferedProtocol` around the Sans-I/O half of the `websockets` library. While it is connected
there is no task, no queue and no timer of asyncio: what the socket brings goes through the parser straight to the
listener, and `send_text` writes at once. An open link then takes 7 KiB and a message pair half the CPU of a
`websockets.asyncio` connection. Only dialling takes a task, and it ends when the connection stands.

At any moment a link has at most one socket (a central system that meets an identity twice may serve the dead one), and
waits for at most one thing: the end of a back-off, the server's handshake, the next ping, its pong, or the end of a
closing handshake. That one thing is `Link._timer`.

Sources: OCPP-J 1.6 sections 3 (opening), 5.3 (ping), 5.4 (reconnecting) and 6.2.2 (credentials); RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urljoin, urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI, NegotiationError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from chargepoint import __version__
from chargepoint.model.timebase import Action, Timer
from chargepoint.runtime.address import Address
from chargepoint.runtime.dialfailure import (
    DialFailure,
    FailureKind,
    explain,
    redirect_failure,
    status_failure,
    subprotocol_failure,
)

if TYPE_CHECKING:
    from websockets.http11 import Response
    from websockets.typing import Subprotocol

_LOG = logging.getLogger(__name__)


class _Undebugged(logging.LoggerAdapter[logging.Logger]):
    """What the library logs to. Its debug log has every header, and so the Basic credentials: it is never on."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


_LIBRARY_LOG = _Undebugged(_LOG, {})

_USER_AGENT = f"chargepoint/{__version__}"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LONGEST_CLOSE_REASON = 123
"""Bytes of UTF-8 that fit into a Close frame beside its code (RFC 6455, 5.5)."""

_CONT, _TEXT, _PONG, _BINARY = Opcode.CONT, Opcode.TEXT, Opcode.PONG, Opcode.BINARY
_CONNECTING, _OPEN = State.CONNECTING, State.OPEN


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


class Listener(Protocol):
    """Who a link talks to. Every call comes from the event loop, and may call back into the link."""

    def on_open(self, subprotocol: str | None) -> None:
        """The link is open. None is a server that chose none, and was allowed to."""

    def on_text(self, text: str) -> None:
        """A whole message came; only between `on_open` and `on_closed`."""

    def on_closed(self, closed: Closed) -> None:
        """The socket of an open link is gone. Once for each `on_open`."""

    def on_dial_failed(self, failure: DialFailure) -> None:
        """A dial failed; its socket is gone. The link goes on trying."""


class WireTimers(Protocol):
    """Timers on the wire clock: the `Timers` of a scheduler, if that is told the time often enough.

    Sockets speak between two ticks. So whoever runs the loop hands in an object that tells the scheduler the time
    before it arms, and looks at its alarm clock afterwards: the delay counts from now, not from the last tick.
    """

    def after_wire(self, delay_s: float, action: Action) -> Timer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Patience of a link, in s and bytes; one object serves a fleet."""

    retry_minimum_s: float = 3.0
    """RetryBackOffWaitMinimum: the first wait, before its random part."""
    retry_random_s: float = 10.0
    """RetryBackOffRandomRange: what is added at most, anew each time."""
    retry_doublings: int = 3
    """RetryBackOffRepeatTimes: how often the minimum doubles."""
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


class Link:
    """Keeps one WebSocket open to an `Address`: dials, and after every end dials again with back-off.

    ``address`` and ``settings`` may be replaced at any time; they count from the next dial on (`redial` makes it now).
    All methods are for the thread of the event loop and return at once; what they bring about comes to the listener.
    """

    __slots__ = (
        "_chance",
        "_connection",
        "_is_held",
        "_is_urgent",
        "_is_wanted",
        "_listener",
        "_ping_interval_s",
        "_pings",
        "_timer",
        "_timers",
        "_waits",
        "address",
        "settings",
    )

    def __init__(
        self,
        address: Address,
        listener: Listener,
        timers: WireTimers,
        chance: Random,
        settings: LinkSettings | None = None,
        ping_interval_s: float = 0.0,
    ) -> None:
        self.address = address
        self.settings = _DEFAULTS if settings is None else settings
        self._listener = listener
        self._timers = timers
        self._chance = chance
        self._ping_interval_s = ping_interval_s
        self._pings = 0
        self._waits = 0
        self._connection: _Connection | None = None
        self._timer: Timer | None = None
        self._is_wanted = False
        self._is_held = False
        self._is_urgent = False

    # What others see and ask for

    @property
    def is_open(self) -> bool:
        """Whether `send_text` would send."""
        return self._connection is not None and self._connection.is_open

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a socket nor a dial on its way; after `stop` this is the end."""
        return self._connection is None

    def start(self) -> None:
        """Dial, and from now on dial again whenever the link is lost. Without effect on a link that was started."""
        if not self._is_wanted:
            self._is_wanted = True
            self._dial_soon()

    def stop(self, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Close the socket if there is one, and dial no more. `is_idle` says when all is over."""
        self._is_wanted = self._is_urgent = False
        if self._connection is None:
            self._disarm()
        else:
            self._connection.close(code, reason)

    def redial(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close the socket completely, then dial at once; a wait between two dials ends now. No effect when stopped."""
        if self._is_wanted:
            if self._connection is not None:
                self._connection.close(code, reason)
            self._dial_soon()

    def drop(self) -> None:
        """End the connection as a pulled cable does, without a closing handshake; back-off follows."""
        if self._connection is not None:
            self._connection.abort(CloseCause.DROPPED)

    def hold(self, network_down: bool) -> None:
        """Take the simulated network away, socket included, or give it back.

        Once it is back the link waits for one back-off, as a street of chargers does after a power cut: the random part
        keeps them apart. `redial` does not wait.
        """
        self._is_held = network_down
        if not network_down:
            self._next()
        elif self._connection is None:
            self._disarm()
        else:
            self.drop()

    def send_text(self, text: str) -> bool:
        """Write one message; False when the link is not open, or ended over it because its backlog is full.

        True says that the socket has it, not that the central system has it.
        """
        connection = self._connection
        if connection is None or not connection.is_open:
            return False
        connection.protocol.send_text(text.encode())
        connection.flush()
        return connection.is_open

    def set_ping_interval(self, interval_s: float) -> None:
        """Ping each ``interval_s`` from now on; 0 pings no more (WebSocketPingInterval, OCPP-J 1.6, 7)."""
        self._ping_interval_s = interval_s
        if self.is_open:
            self._ping_later()

    def reset_backoff(self) -> None:
        """Begin again with the shortest wait; for the caller to say once the link has proved to be of use."""
        self._waits = 0

    # Dialling

    def _dial_soon(self) -> None:
        """Dial now, or as soon as the old socket is gone, or as soon as the network is back."""
        self._is_urgent = True
        if self._connection is None:
            self._disarm()
            self._next()

    def _next(self) -> None:
        """Do what comes next when there is no connection: dial, wait, or nothing."""
        # The listener that was just told of the end may have decided already.
        if self._connection is not None or self._timer is not None or not self._is_wanted or self._is_held:
            return
        if self._is_urgent:
            self._dial(self.address.target())
        else:
            wait_s = self._wait_s()
            self._waits += 1
            _LOG.info("%s: dials again in %.1f s", self.address.identity, wait_s)
            self._arm(wait_s, self._waited)

    def _wait_s(self) -> float:
        """Return the next wait in s: the minimum, doubled for each wait before it, and a random part."""
        settings = self.settings
        doublings = min(self._waits, settings.retry_doublings)
        return settings.retry_minimum_s * 2.0**doublings + self._chance.uniform(0.0, settings.retry_random_s)

    def _waited(self, _now_s: float) -> None:
        self._timer = None
        self._is_urgent = True
        self._next()

    def _dial(self, target: str, redirects: int = 0) -> None:
        self._is_urgent = False
        address = self.address
        connection = self._connection = _Connection(self, address, parse_uri(target), target, redirects)
        self._expect_within(self.settings.open_timeout_s, connection.open_timed_out)
        loop = asyncio.get_running_loop()
        connection.task = loop.create_task(connection.dial())
        connection.task.add_done_callback(connection.dialled)

    # What a connection reports

    def opened(self, connection: _Connection, subprotocol: str | None) -> None:
        self._ping_later()
        _LOG.info(
            "%s: connected to %s (%s, %s)",
            self.address.identity,
            connection.target,
            subprotocol or "no subprotocol",
            f"user {connection.user}" if connection.user is not None else "no password",
        )
        self._listener.on_open(subprotocol)

    def received(self, text: str) -> None:
        self._listener.on_text(text)

    def ponged(self, payload: bytes) -> None:
        """Go on pinging. A pong that answers no ping, or an older one, says nothing (RFC 6455, 5.5.3)."""
        if self._ping_interval_s > 0 and payload == self._ping_payload():
            self._ping_later()

    def closing(self, connection: _Connection) -> None:
        """Wait for the server to close the socket, as RFC 6455 section 7.1.1 wants it, but not for ever."""
        self._expect_within(self.settings.close_timeout_s, connection.abort)

    def over(self, connection: _Connection) -> None:
        """The socket is closed and the task is done: tell the listener, then go on."""
        self._disarm()
        self._connection = None
        if connection.redirect is not None:
            self._dial(connection.redirect, connection.redirects + 1)
            return
        identity = self.address.identity
        if connection.was_open:
            closed = connection.closed()
            level = logging.INFO if closed.cause in _PEACEFUL else logging.WARNING
            _LOG.log(level, "%s: link closed: %s", identity, closed)
            self._listener.on_closed(closed)
        elif connection.failure is not None:
            _LOG.warning("%s: no connection to %s: %s", identity, connection.target, connection.failure)
            self._listener.on_dial_failed(connection.failure)
        self._next()

    # Pings

    def _ping_later(self) -> None:
        if self._ping_interval_s > 0:
            self._arm(self._ping_interval_s, self._ping)
        else:
            self._disarm()

    def _ping(self, _now_s: float) -> None:
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        self._pings += 1
        connection.protocol.send_ping(self._ping_payload())
        # Armed before the write, which may end the connection and then has the last word on the timer.
        self._expect_within(min(self.settings.pong_timeout_s, self._ping_interval_s), connection.pong_missed)
        connection.flush()

    def _ping_payload(self) -> bytes:
        return b"%d" % self._pings

    # The one timer

    def _arm(self, delay_s: float, action: Action) -> Timer:
        self._disarm()
        timer = self._timer = self._timers.after_wire(delay_s, action)
        return timer

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect_within(self, patience_s: float, otherwise: Callable[[], None]) -> None:
        """Call ``otherwise`` when the peer is silent for ``patience_s``, unless the timer was changed by then.

        A timer may fire late, because this process was busy or asleep; what the peer said in time then still waits in
        the socket. Two turns of the event loop later it has been read, and the silence is the peer's own.
        """

        def due(_now_s: float) -> None:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, judge)

        def judge() -> None:
            if self._timer is timer:
                otherwise()

        timer = self._arm(patience_s, due)


class _Scratch(threading.local):
    """Where all sockets of a thread are read into, one after the other.

    asyncio asks for a buffer, fills it and says so in one go, so one buffer serves a fleet. The fresh 256 KiB that
    `asyncio.Protocol` allocates for each read cost as much CPU as all else there is to do with a message.
    """

    def __init__(self) -> None:
        # A view, because the TLS layer slices what it is given and fills the slice.
        self.view = memoryview(bytearray(2**16))


_SCRATCH = _Scratch()


class _Connection(asyncio.BufferedProtocol):
    """One socket from its dial to its end. It lives while its dial task or its transport does."""

    __slots__ = (
        "address",
        "cause",
        "failure",
        "is_deaf",
        "is_ending",
        "is_open",
        "link",
        "note",
        "partial",
        "protocol",
        "redirect",
        "redirects",
        "target",
        "task",
        "transport",
        "was_open",
    )

    def __init__(self, link: Link, address: Address, uri: WebSocketURI, target: str, redirects: int) -> None:
        self.link = link
        self.address = address
        self.target = target
        self.redirects = redirects
        self.protocol = ClientProtocol(
            uri,
            # The library takes any sequence of str; its NewType is not worth a copy for each link.
            subprotocols=cast("Sequence[Subprotocol]", address.subprotocols),
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
        self.redirect: str | None = None
        self.failure: DialFailure | None = None
        self.cause: CloseCause | None = None
        self.note = ""

    # Dialling

    async def dial(self) -> None:
        """Open the TCP or TLS connection; the handshake goes on in the callbacks."""
        uri, tls = self.protocol.uri, self.address.tls
        secure: dict[str, Any] = {}
        if uri.secure:
            # The configured name is the name of the configured host, not of one that a redirect leads to.
            name = tls.server_name if self._is_same_host() else None
            secure = {"ssl": tls.context(), "server_hostname": name or uri.host}
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
        for name, value in self._request_headers():
            request.headers[name] = value
        self.protocol.send_request(request)
        self.flush()

    @property
    def user(self) -> str | None:
        return self.address.user if self._is_trusted() else None

    def _request_headers(self) -> list[tuple[str, str]]:
        headers = list(self.address.headers) if self._is_trusted() else []
        authorization = self.address.authorization()
        if authorization is not None and self._is_trusted():
            headers.append(("Authorization", authorization))
        if all(name.lower() != "user-agent" for name, _ in headers):
            headers.append(("User-Agent", _USER_AGENT))
        return headers

    def _is_same_host(self) -> bool:
        return self.redirects == 0 or self.protocol.uri.host == parse_uri(self.address.target()).host

    def _is_trusted(self) -> bool:
        """Whether credentials may go here: to the configured origin, or to the same host once TLS proves it.

        A redirect elsewhere is followed without them, as browsers and curl do: over ``ws`` anybody on the way could
        have sent it.
        """
        if self.redirects == 0:
            return True
        here, home = self.protocol.uri, parse_uri(self.address.target())
        if here.host != home.host:
            return False
        return (here.secure, here.port) == (home.secure, home.port) or (here.secure and not home.secure)

    # Receiving

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH.view

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.receive_data(bytes(_SCRATCH.view[:nbytes]))
        self._process()

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
        if protocol.subprotocol is None and self.address.require_subprotocol:
            self.failure = subprotocol_failure("the server chose no subprotocol", self.address)
            self._fail(CloseCode.PROTOCOL_ERROR, f"subprotocol {self.address.subprotocols[0]} is needed")
            return
        self.was_open = True
        self.is_open = protocol.state is _OPEN
        self.link.opened(self, protocol.subprotocol)

    def _handshake_failed(self, error: Exception) -> None:
        if isinstance(error, InvalidStatus):
            self.failure = self._follow(error.response)
        elif isinstance(error, NegotiationError) and "subprotocol" in str(error):
            self.failure = subprotocol_failure(f"the server chose an {error}", self.address)
        else:
            self.failure = explain(error)
        self._await_end()
        if self.transport is not None:
            self.transport.close()

    def _follow(self, response: Response) -> DialFailure | None:
        """Note where a redirect leads and return None, or return why the answer ends the dial."""
        location = response.headers.get_all("Location")
        if response.status_code not in _REDIRECTS or not location:
            return status_failure(response, self.address, is_trusted=self._is_trusted())
        target = urljoin(self.target, location[0])
        # Proxies know the port as http: RFC 6455 section 3 makes it the same port.
        if urlsplit(target).scheme in ("http", "https"):
            target = "ws" + target[4:]
        try:
            uri = parse_uri(target)
        except (InvalidURI, ValueError):
            return redirect_failure(response, "to something that is no WebSocket URL")
        if uri.user_info is not None:
            return redirect_failure(response, "to a URL with a password in it")
        if self.protocol.uri.secure and not uri.secure:
            return redirect_failure(response, f"from TLS to {target}, which has none")
        if self.redirects >= _MOST_REDIRECTS:
            return redirect_failure(response, f"more than {_MOST_REDIRECTS} times, last to {target}")
        self.redirect = target
        return None

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
            return Closed(CloseCause.PROTOCOL, int(code), str(protocol.parser_exc))
        return Closed(CloseCause.LOST, int(code), self.note or "the connection broke without a Close frame")


_DEFAULTS = LinkSettings()
_PEACEFUL = frozenset({CloseCause.OURS, CloseCause.DROPPED})
_TEXTS = {
    CloseCause.OURS: "closed by us",
    CloseCause.DROPPED: "the simulated network is down",
}


def _shorten(reason: str) -> str:
    """Cut a close reason to what fits into a control frame."""
    return reason.encode()[:_LONGEST_CLOSE_REASON].decode(errors="ignore")
