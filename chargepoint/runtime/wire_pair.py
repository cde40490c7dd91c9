"""The wire of the stepped clock: joins a charger and the embedded central system in one process, without a socket.

A `WirePair` has the surface of `chargepoint.runtime.link.Link` and tells the same kind of listener. Everything that a
network would bring later goes through one mailbox, shared by all pairs of a process: each entry is a delivery, and the
pump makes them one by one. So neither end ever runs inside the other, order is decision order, and a run repeats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial

from chargepoint.model.timebase import Timer
from chargepoint.runtime.central_system import CentralSystem
from chargepoint.runtime.connection import CloseCause, Closed
from chargepoint.runtime.link import Listener, WireTimers

SUBPROTOCOL = "ocpp1.6"

Mailbox = deque[Callable[[], None]]
"""What is under way, oldest first; each is called once, to arrive."""


class Direction(StrEnum):
    TO_CENTRE = "to centre"
    TO_CHARGER = "to charger"


Loss = Callable[[Direction, str], Iterable[str]]
"""What a bad network makes of a frame: nothing, itself, itself twice, or something else."""


class WirePair:
    """One charger's link to a `CentralSystem` in the same process. A dial always succeeds, unless the network is down.

    ``retry_minimum_s`` is the wait after a loss, always the same: nobody else is on this wire to be kept apart from.
    ``answer_timeout_s`` is how long the central system waits for an answer. Both are wire time.
    """

    __slots__ = (
        "_answer_timeout_s",
        "_central",
        "_connection",
        "_is_wanted",
        "_listener",
        "_mailbox",
        "_retry_minimum_s",
        "_timer",
        "_timers",
        "_utc_s",
        "identity",
        "is_held",
        "is_idle",
        "is_open",
        "loss",
    )

    def __init__(
        self,
        identity: str,
        central: CentralSystem,
        listener: Listener,
        timers: WireTimers,
        mailbox: Mailbox,
        utc_s: Callable[[], float],
        *,
        loss: Loss | None = None,
        retry_minimum_s: float = 3.0,
        answer_timeout_s: float = 30.0,
    ) -> None:
        """``utc_s`` is the clock of the central system."""
        self.identity = identity
        self.loss = loss
        self.is_open = False
        self.is_idle = True
        """Nothing is left of a connection: the listener knows of its end."""
        self._central = central
        self._listener = listener
        self._timers = timers
        self._mailbox = mailbox
        self._utc_s = utc_s
        self._retry_minimum_s = retry_minimum_s
        self._answer_timeout_s = answer_timeout_s
        self._timer: Timer | None = None
        self._connection = 0
        """Number of the connection: frames of another one, which were under way when it ended, are lost."""
        self._is_wanted = False
        self.is_held = False
        """Whether `hold` took the network away."""

    def start(self) -> None:
        """Connect, and from now on connect again whenever the connection is lost."""
        if not self._is_wanted:
            self._is_wanted = True
            self._dial()

    def stop(self, code: int = 1001, reason: str = "") -> None:
        """Close, and connect no more. What is under way still arrives."""
        self._is_wanted = False
        self._disarm()
        self._close(code, reason)

    def redial(self, code: int = 1000, reason: str = "", *, at_once: bool = True) -> None:
        """Close, then connect at once, or after the back-off; no effect when stopped."""
        if self._is_wanted:
            self._close(code, reason)
            if at_once:
                self._dial()
            else:
                self._dial_later()

    def drop(self) -> None:
        """Cut the wire: what is under way is lost in both directions. It connects again after the back-off."""
        self._connection += 1
        if self.is_open:
            self._end(Closed(CloseCause.DROPPED, 1006, "the simulated network is down"))

    def hold(self, network_down: bool) -> None:
        """Take the network away, or give it back: then it connects after the back-off."""
        self.is_held = network_down
        self._disarm()
        if network_down:
            self.drop()
        elif not self.is_open:
            self._dial_later()

    def send_text(self, text: str) -> bool:
        """Put a frame on its way to the central system; False when there is no connection."""
        if self.is_open:
            self._post(Direction.TO_CENTRE, self._reach_centre, self._connection, text)
        return self.is_open

    def set_ping_interval(self, interval_s: float) -> None:
        """Nothing to do: a wire that cannot die silently needs no pings."""

    def reset_backoff(self) -> None:
        """Nothing to do: the back-off does not grow here."""

    # What is under way

    def _post(self, direction: Direction, arrive: Callable[[int, str], None], connection: int, text: str) -> None:
        for each in (text,) if self.loss is None else self.loss(direction, text):
            self._mailbox.append(partial(arrive, connection, each))

    def _reach_centre(self, connection: int, text: str) -> None:
        if connection == self._connection:
            self._central.receive(self.identity, text, self._utc_s())

    def _send_to_charger(self, connection: int, text: str) -> None:
        self._post(Direction.TO_CHARGER, self._reach_charger, connection, text)
        if text.startswith("[2,") and (message_id := self._central.awaited(self.identity)) is not None:
            give_up = partial(self._central.give_up, self.identity, message_id)
            self._timers.after_wire(self._answer_timeout_s, lambda _now_s: give_up())

    def _reach_charger(self, connection: int, text: str) -> None:
        if connection == self._connection:
            self._listener.on_text(text)

    # Coming and going

    def _dial(self) -> None:
        self._disarm()
        self._mailbox.append(self._open)

    def _dial_later(self) -> None:
        if self._is_wanted and not self.is_held and self._timer is None:
            self._timer = self._timers.after_wire(self._retry_minimum_s, self._waited)

    def _waited(self, _now_s: float) -> None:
        self._timer = None
        self._dial()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open(self) -> None:
        # Two dials may be under way, or one that nobody wants any more.
        if self.is_open or self.is_held or not self._is_wanted:
            return
        self._disarm()
        self._connection += 1
        self.is_open = True
        self.is_idle = False
        self._central.connected(self.identity, partial(self._send_to_charger, self._connection))
        self._listener.on_open(SUBPROTOCOL)

    def _close(self, code: int, reason: str) -> None:
        if self.is_open:
            self._end(Closed(CloseCause.OURS, code, reason or "closed by us"))

    def _end(self, closed: Closed) -> None:
        self.is_open = False
        self._mailbox.append(partial(self._ended, closed))

    def _ended(self, closed: Closed) -> None:
        self.is_idle = True
        self._connection += 1  # what the central system answered to the last frames finds no socket any more
        self._central.disconnected(self.identity)
        self._listener.on_closed(closed)
        if closed.cause is CloseCause.DROPPED:
            self._dial_later()
