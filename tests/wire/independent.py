"""A central system of other people's code: `ocpp.v16.ChargePoint` over `websockets.asyncio.server`, and a charger for it.

`Csms` records what chargers say, answers it and can call. Requests and answers, in both directions, are validated by
the package's own schemas; whatever it had to refuse is kept in `Csms.problems`. Nothing of the program is used in it.
`wallbox` is the real charger with a simulated board, on a clock that is fast enough that nobody waits.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import Server, ServerConnection, basic_auth, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from chargepoint.runtime.address import Address, Tls
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.connection import LinkSettings
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.script import parse, play
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board

PATIENCE_S = 30.0
"""How long a test waits for what must happen, on a slow machine too."""
LOOK_S = 0.003
_SOMETIME = datetime(1970, 1, 1, tzinfo=UTC)

Payload = dict[str, Any]
Answerer = Callable[[Payload], Any]
"""Makes the answer to a call, or an awaitable of it."""


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something is true. Raises TimeoutError, naming it, when it does not become so."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise TimeoutError(f"in vain for {PATIENCE_S:g} s: {what}") from None


@dataclass(frozen=True)
class Heard:
    """One call of a charger; ``socket`` counts the connections from 1. Field names as the package has them."""

    action: str
    payload: Payload
    socket: int
    at: datetime = _SOMETIME
    """When, by the clock of the central system."""

    def __getitem__(self, name: str) -> Any:
        return self.payload[name]


class _Socket(ServerConnection):
    """Counts the pings of the other end."""

    pings = 0

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


def _handler(action: Action) -> Any:
    """Make the method for an action; the package finds it by its name."""

    async def handle(self: Dialogue, **payload: Any) -> Any:
        return await self.csms.answer(Heard(action.value, payload, self.number, self.csms.clock()))

    handle.__name__ = action.name
    return on(action)(handle)  # type: ignore[no-untyped-call]


class Dialogue(ChargePoint):
    """One socket of a charger, as the package sees it."""

    def __init__(self, csms: Csms, identity: str, connection: ServerConnection, number: int) -> None:
        super().__init__(identity, connection, response_timeout=PATIENCE_S)  # type: ignore[no-untyped-call]
        self.csms = csms
        self.connection = connection
        self.number = number
        self.sent = 0
        """Frames that went to the charger, or are about to."""
        self.received = 0
        self.answers = 0
        """How many of the frames received are answers."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Route messages, each on its own: the package's loop would hear no answer while a handler waits."""
        try:
            async for message in self.connection:
                self.received += 1
                self.answers += message[:2] in ("[3", "[4")
                task = asyncio.create_task(self.route_message(message))  # type: ignore[no-untyped-call]
                self._tasks.add(task)
                task.add_done_callback(self._routed)
        finally:
            for task in self._tasks:
                task.cancel()

    @property
    def is_busy(self) -> bool:
        """A frame is being dealt with."""
        return bool(self._tasks)

    def _routed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.csms.problems.append(repr(error))

    async def _send(self, message: str) -> None:
        self.sent += 1
        if message.startswith("[4,"):
            self.csms.problems.append(message)
        try:
            await super()._send(message)  # type: ignore[no-untyped-call]
        except ConnectionClosed:
            if message.startswith("[2,"):
                raise

    boot_notification = _handler(Action.boot_notification)
    heartbeat = _handler(Action.heartbeat)
    status_notification = _handler(Action.status_notification)
    authorize = _handler(Action.authorize)
    start_transaction = _handler(Action.start_transaction)
    stop_transaction = _handler(Action.stop_transaction)
    meter_values = _handler(Action.meter_values)
    data_transfer = _handler(Action.data_transfer)
    firmware_status_notification = _handler(Action.firmware_status_notification)
    diagnostics_status_notification = _handler(Action.diagnostics_status_notification)


@dataclass
class Csms:
    """A central system on a free port of the loopback interface, until the context ends."""

    password: str | None = None
    ssl_context: ssl.SSLContext | None = None
    heard: list[Heard] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Every CALLERROR it sent: the charger's call was not as the schemas want it, or unheard of."""
    answers: dict[str, Answerer] = field(default_factory=dict)
    """By action, instead of the ordinary answer."""
    largest_message: int = 2**20
    """Bytes; a larger one is closed upon with 1009."""
    interval_s: int = 3600
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    dialogues: list[Dialogue] = field(default_factory=list)
    """All connections there were, oldest first."""
    turned_away: list[str] = field(default_factory=list)
    """User names with a wrong password."""
    transaction_id: int = 0
    _cursor: int = 0
    _server: Server | None = None

    async def __aenter__(self) -> Self:
        await self.appear()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.vanish()

    async def appear(self) -> None:
        """Listen: on the port of before if there was one."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            process_request=None if self.password is None else basic_auth(realm="OCPP", check_credentials=self._check),
            create_connection=_Socket,
            ssl=self.ssl_context,
            compression=None,
            ping_interval=None,
            close_timeout=1.0,
            max_size=self.largest_message,
            logger=_SILENT,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def vanish(self) -> None:
        """Be gone at once, as after a power cut: no closing handshake, and nobody listens any more."""
        if self._server is not None:
            for dialogue in self.dialogues:
                dialogue.connection.transport.abort()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _check(self, user: str, password: str) -> bool:
        is_right = password == self.password
        if not is_right:
            self.turned_away.append(user)
        return is_right

    @property
    def url(self) -> str:
        return f"{'ws' if self.ssl_context is None else 'wss'}://127.0.0.1:{self.port}/ocpp"

    @property
    def dialogue(self) -> Dialogue:
        """The connection of now."""
        return self.dialogues[-1]

    @property
    def pings(self) -> int:
        connection = self.dialogue.connection
        assert isinstance(connection, _Socket)
        return connection.pings

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        identity = connection.request.path.rpartition("/")[2]
        dialogue = Dialogue(self, identity, connection, len(self.dialogues) + 1)
        self.dialogues.append(dialogue)
        await dialogue.start()

    async def answer(self, heard: Heard) -> Any:
        self.heard.append(heard)
        answerer = self.answers.get(heard.action)
        if answerer is None:
            return self.ordinary(heard)
        answer = answerer(heard.payload)
        return await answer if asyncio.iscoroutine(answer) else answer

    def ordinary(self, heard: Heard) -> Any:
        """The answer of a central system that agrees to everything."""
        now = self.clock().isoformat(timespec="milliseconds")
        match heard.action:
            case "BootNotification":
                return call_result.BootNotification(now, self.interval_s, "Accepted")  # type: ignore[arg-type]
            case "Heartbeat":
                return call_result.Heartbeat(now)
            case "Authorize":
                return call_result.Authorize({"status": "Accepted"})  # type: ignore[arg-type]
            case "StartTransaction":
                self.transaction_id += 1
                return call_result.StartTransaction(self.transaction_id, {"status": "Accepted"})  # type: ignore[arg-type]
            case "DataTransfer":
                return call_result.DataTransfer("Accepted")  # type: ignore[arg-type]
            case action:
                return getattr(call_result, action)()

    async def call(self, request: object) -> Any:
        """Call the charger; return the answer. A CALLERROR, or an answer against its schema, is raised."""
        return await self.dialogue.call(request, suppress=False)  # type: ignore[no-untyped-call]

    async def expect(self, action: str, **fields: Any) -> Heard:
        """Return the next call that fits, looking forward from the last one that was expected."""
        await until(lambda: self._find(action, fields) is not None, f"{action} {fields}; heard {self.story()}")
        found = self._find(action, fields)
        assert found is not None
        self._cursor = found + 1
        return self.heard[found]

    def _find(self, action: str, fields: Mapping[str, Any]) -> int | None:
        for index in range(self._cursor, len(self.heard)):
            heard = self.heard[index]
            if heard.action == action and all(heard.payload.get(name) == value for name, value in fields.items()):
                return index
        return None

    async def expect_somewhere(self, action: str, **fields: Any) -> Heard:
        """Return the first call that fits, in whatever order the charger sent it; the cursor stays."""
        kept, self._cursor = self._cursor, 0
        try:
            return await self.expect(action, **fields)
        finally:
            self._cursor = kept

    async def accepted(self) -> None:
        """Wait for a boot and for all that is told after it."""
        await self.expect("BootNotification")
        await self.expect("StatusNotification", connector_id=1)

    def all(self, action: str) -> list[Heard]:
        return [each for each in self.heard if each.action == action]

    def story(self) -> list[str]:
        """What was heard, in short: action, and the status it told if it told one."""
        return [f"{each.action} {each.payload.get('status', '')}".strip() for each in self.heard]


_SILENT = logging.getLogger("tests.wire.silent")
_SILENT.disabled = True
logging.getLogger("ocpp").setLevel(logging.ERROR)

SETTINGS = LinkSettings(retry_minimum_s=0.02, retry_random_s=0.01, open_timeout_s=2.0, close_timeout_s=0.5)


@dataclass
class Wallbox:
    """The charger under test and where it stands."""

    charger: Charger
    site: Site

    async def do(self, line: str) -> None:
        """Let people do something: the commands of scripts."""
        await play(parse(line), self.charger, CommandDispatcher(self.site.chargers, self.site.clock))

    def status(self, connector: int = 1) -> str:
        return self.charger.model.connector(connector).status.value

    async def is_quiet(self) -> None:
        """Wait until every call has its answer."""
        await until(lambda: self.charger.model.session.is_idle, "every answer")

    async def becomes(self, status: str, connector: int = 1) -> None:
        await until(lambda: self.status(connector) == status, f"{status}; it is {self.status(connector)}")

    async def restarted(self, deed: Any) -> Any:
        """Await something that makes the charger build itself anew; return what it returned."""
        before = self.charger.model
        answer = await deed
        await until(lambda: self.charger.model is not before, "a restart")
        return answer


@asynccontextmanager
async def wallbox(
    url: str,
    *,
    speed: float = 300.0,
    board: str = "ac11-sim",
    keys: Mapping[str, str] | None = None,
    store: Store | None = None,
    identity: str = "CP001",
    password: str | None = None,
    tls: Tls | None = None,
    settings: LinkSettings = SETTINGS,
    **plan: Any,
) -> AsyncIterator[Wallbox]:
    """A charger that dials ``url`` while the context lasts."""
    async with AsyncExitStack() as stack:
        if store is None:
            store = Store(None, Durability.RELAXED)
            stack.callback(store.close)
        site = Site(store, speed, seed=1)
        stack.push_async_callback(site.close)
        charger = site.add(
            ChargerPlan(identity=identity, board=plan_board(board), keys=keys or {}, **plan),
            Address(
                url=url, identity=identity, password=None if password is None else password.encode(), tls=tls or Tls()
            ),
            settings,
        )
        charger.start()
        yield Wallbox(charger, site)
