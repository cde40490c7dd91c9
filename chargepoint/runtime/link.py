"""The WebSocket link of one charge point to its central system: dial, keep alive, close, dial again.

A link has at most one `Connection`, an `asyncio.BufferedProtocol` around the Sans-I/O half of the `websockets` library.
While that is open there is no task, no queue and no timer of asyncio: what the socket brings goes through the parser
straight to the listener, and `send_text` writes at once. An open link then takes 7 KiB and a message pair half the CPU
of a `websockets.asyncio` connection. Only dialling takes a task, and it ends when the connection stands.

At any moment a link has at most one socket (a central system that meets an identity twice may serve the dead one), and
waits for at most one thing: the end of a back-off, the server's handshake, the next ping, its pong, or the end of a
closing handshake. That one thing is `Link._timer`.

Sources: OCPP-J 1.6 sections 3 (opening), 5.3 (ping), 5.4 (reconnecting) and 6.2.2 (credentials); RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from websockets.frames import CloseCode

from chargepoint.model.timebase import Action, Timer
from chargepoint.runtime.address import Address
from chargepoint.runtime.connection import CloseCause, Closed, Connection, LinkSettings
from chargepoint.runtime.destination import Destination
from chargepoint.runtime.dialfailure import DialFailure
from chargepoint.runtime.secrecy import masked_text

if TYPE_CHECKING:
    pass

_LOG = logging.getLogger(__name__)


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


class Link:
    """Keeps one WebSocket open to an `Address`: dials, and after every end dials again with back-off.

    ``address`` and ``settings`` may be replaced at any time; they count from the next dial on (`redial` makes it now).
    All methods are for the thread of the event loop and return at once; what they bring about comes to the listener.
    """

    __slots__ = (
        "_asked_wait_s",
        "_chance",
        "_connection",
        "_has_pong",
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
        self._has_pong = False
        self._waits = 0
        self._asked_wait_s = 0.0
        """Retry-After of the last dial, in s."""
        self._connection: Connection | None = None
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

    @property
    def is_held(self) -> bool:
        """Whether `hold` took the network away."""
        return self._is_held

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

    def redial(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, at_once: bool = True) -> None:
        """Close the socket completely, then dial at once; a wait between two dials ends now. No effect when stopped.

        ``at_once`` False: the back-off comes before the dial, because the central system is in trouble.
        """
        if self._is_wanted:
            if self._connection is not None:
                self._connection.close(code, reason)
            if at_once:
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
        """Send a ping every ``interval_s`` from now on, whatever else is sent; 0: none.

        Source: WebSocketPingInterval, OCPP-J 1.6, 7.
        """
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
            self._dial(Destination(self.address, self.address.target()))
        else:
            wait_s = self._wait_s()
            self._waits += 1
            _LOG.info("dials again in %.1f s", wait_s, extra={"charger": self.address.identity})
            self._arm(wait_s, self._waited)

    def _wait_s(self) -> float:
        """Return the next wait in s: the minimum, doubled for each wait before it, and a random part.

        A server that asked for a longer wait gets that instead of the minimum; the random part keeps a fleet apart.
        """
        settings = self.settings
        doublings = min(self._waits, settings.retry_doublings)
        asked_s, self._asked_wait_s = min(self._asked_wait_s, settings.retry_after_limit_s), 0.0
        wait_s = max(settings.retry_minimum_s * 2.0**doublings, asked_s)
        return wait_s + self._chance.uniform(0.0, settings.retry_random_s)

    def _waited(self, _now_s: float) -> None:
        self._timer = None
        self._is_urgent = True
        self._next()

    def _dial(self, destination: Destination) -> None:
        self._is_urgent = False
        connection = self._connection = Connection(self, destination)
        self._expect_within(self.settings.open_timeout_s, connection.open_timed_out)
        loop = asyncio.get_running_loop()
        connection.task = loop.create_task(connection.dial())
        connection.task.add_done_callback(connection.dialled)

    # What a connection reports

    def opened(self, connection: Connection, subprotocol: str | None) -> None:
        self._asked_wait_s = 0.0
        self._ping_later()
        _LOG.info(
            "connected to %s (%s, %s)",
            masked_text(connection.destination.url),
            subprotocol or "no subprotocol",
            "no password" if connection.destination.user is None else f"user {connection.destination.user}",
            extra={"charger": self.address.identity},
        )
        self._listener.on_open(subprotocol)

    def received(self, text: str) -> None:
        self._listener.on_text(text)

    def ponged(self, payload: bytes) -> None:
        """Note the answer to the last ping. An unsolicited pong, or that of an older ping, is none (RFC 6455, 5.5.3)."""
        if payload == self._ping_payload():
            self._has_pong = True

    def closing(self, connection: Connection) -> None:
        """Wait for the server to close the socket, as RFC 6455 section 7.1.1 wants it, but not for ever."""
        self._expect_within(self.settings.close_timeout_s, connection.abort)

    def over(self, connection: Connection) -> None:
        """The socket is closed and the task is done: tell the listener, then go on."""
        self._disarm()
        self._connection = None
        if connection.redirect is not None:
            self._dial(connection.redirect)
            return
        identity = self.address.identity
        if connection.was_open:
            closed = connection.closed()
            level = logging.INFO if closed.cause in _PEACEFUL else logging.WARNING
            _LOG.log(level, "link closed: %s", closed, extra={"charger": identity})
            self._listener.on_closed(closed)
        elif connection.failure is not None:
            self._asked_wait_s = connection.failure.retry_after_s or 0.0
            _LOG.warning(
                "no connection to %s: %s",
                masked_text(connection.destination.url),
                connection.failure,
                extra={"charger": identity},
            )
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
        self._has_pong = False
        connection.protocol.send_ping(self._ping_payload())
        patience_s = min(self.settings.pong_timeout_s, self._ping_interval_s)
        rest_s = self._ping_interval_s - patience_s

        def judge() -> None:
            # The next ping is counted from this one, not from its pong (OCPP-J 1.6, 7: seconds between pings). A pong
            # arms nothing, so that one timer serves both.
            if self._has_pong:
                self._arm(rest_s, self._ping)
            else:
                connection.pong_missed()

        # Armed before the write, which may end the connection and then has the last word on the timer.
        self._expect_within(patience_s, judge)
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
        """Call ``otherwise`` after ``patience_s``, unless the timer was changed by then.

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


_DEFAULTS = LinkSettings()
_PEACEFUL = frozenset({CloseCause.OURS, CloseCause.DROPPED})
