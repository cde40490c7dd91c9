"""The link against an independent other end: `websockets.asyncio.server` on loopback, or a raw socket that misbehaves.

Time stands still in most tests: `Stepped` moves the wire clock when the test says so, the sockets are real.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import logging
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import chargepoint.runtime.connection as connection_module
import chargepoint.runtime.link as link_module
from chargepoint.model.timebase import Action, Clock, Scheduler, Timer, Timers
from chargepoint.runtime.address import Address, Tls
from chargepoint.runtime.connection import CloseCause, Closed, LinkSettings
from chargepoint.runtime.dialfailure import DialFailure, FailureKind
from chargepoint.runtime.link import Link

PATIENCE_S = 30.0


class Stepped:
    """The wire clock moved by hand."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.timers = Timers(self.scheduler)

    def after_wire(self, delay_s: float, action: Action) -> Timer:
        return self.timers.after_wire(delay_s, action)

    def advance(self, seconds: float) -> None:
        wire_s = self.scheduler.wire_s + seconds
        self.scheduler.tell(wire_s, wire_s)
        self.scheduler.run_due()

    @property
    def next_s(self) -> float:
        """Seconds until the next timer."""
        return self.scheduler.next_due_s(Clock.WIRE) - self.scheduler.wire_s


class RealTime:
    """The smallest driver a scheduler can have: tell the time, run what is due, set the alarm for what is next."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.timers = Timers(self.scheduler)
        self.loop = asyncio.get_running_loop()
        self.start_s = self.loop.time()
        self.alarm: asyncio.TimerHandle | None = None

    def after_wire(self, delay_s: float, action: Action) -> Timer:
        self.tell()
        timer = self.timers.after_wire(delay_s, action)
        self.set_alarm()
        return timer

    def tell(self) -> None:
        now_s = self.loop.time() - self.start_s
        self.scheduler.tell(now_s, now_s)

    def set_alarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
        due_s = self.scheduler.next_due_s(Clock.WIRE)
        if due_s < float("inf"):
            self.alarm = self.loop.call_at(self.start_s + due_s, self.ring)

    def ring(self) -> None:
        self.tell()
        self.scheduler.run_due()
        self.set_alarm()


class Record:
    """A listener that keeps what it is told, in order, and can react at once."""

    def __init__(self) -> None:
        self.happened: asyncio.Queue[object] = asyncio.Queue()
        self.on_opened: Callable[[], object] = lambda: None
        self.on_message: Callable[[str], object] = lambda text: None

    def on_open(self, subprotocol: str | None) -> None:
        self.happened.put_nowait(("open", subprotocol))
        self.on_opened()

    def on_text(self, text: str) -> None:
        self.happened.put_nowait(text)
        self.on_message(text)

    def on_closed(self, closed: Closed) -> None:
        self.happened.put_nowait(closed)

    def on_dial_failed(self, failure: DialFailure) -> None:
        self.happened.put_nowait(failure)

    async def next(self) -> object:
        async with asyncio.timeout(PATIENCE_S):
            return await self.happened.get()

    async def opened(self) -> str | None:
        happened = await self.next()
        assert isinstance(happened, tuple), happened
        return happened[1]  # type: ignore[no-any-return]

    async def closed(self) -> Closed:
        happened = await self.next()
        assert isinstance(happened, Closed), happened
        return happened

    async def failure(self) -> DialFailure:
        happened = await self.next()
        assert isinstance(happened, DialFailure), happened
        return happened


class Bench:
    """One link with its clock and its listener."""

    def __init__(self, clock: Stepped, url: str, settings: LinkSettings | None, knobs: dict[str, Any]) -> None:
        self.clock = clock
        self.record = Record()
        self.link = Link(
            Address(url=url, identity=knobs.pop("identity", "CP001"), **knobs),
            self.record,
            clock,
            random.Random(1),
            settings,
        )

    async def gone(self) -> None:
        """Wait until there is neither a socket nor a dial."""
        await until(lambda: self.link.is_idle)


async def until(holds: Callable[[], bool]) -> None:
    """Turn the loop until something holds; for what no event tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


def url_of(server: asyncio.Server | Server, scheme: str = "ws", host: str = "127.0.0.1") -> str:
    return f"{scheme}://{host}:{next(iter(server.sockets)).getsockname()[1]}/ocpp"


@pytest.fixture
async def benches() -> AsyncIterator[list[Bench]]:
    """All links of a test; none outlives it."""
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.link.stop()
        bench.link.drop()
        await bench.gone()


@pytest.fixture
def bench(benches: list[Bench]) -> Callable[..., Bench]:
    def make(url: str, settings: LinkSettings | None = None, **knobs: Any) -> Bench:
        benches.append(Bench(Stepped(), url, settings, knobs))
        return benches[-1]

    return make


Handler = Callable[[ServerConnection], Awaitable[None]]


class Central:
    """A central system on the `websockets` server: keeps its connections, and counts how many live at a time."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.handler: Handler = self.echo
        self.answer: Callable[[Request], Response | None] = lambda request: None
        self.url = ""
        self.living = 0
        self.most_living = 0
        self.pings = 0

    async def echo(self, connection: ServerConnection) -> None:
        async for text in connection:
            await connection.send(text)

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(ConnectionClosed):
            await self.handler(connection)

    def respond(self, connection: ServerConnection, request: Request) -> Response | None:
        return self.answer(request)

    @property
    def last(self) -> ServerConnection:
        return self.connections[-1]

    def request(self, index: int = -1) -> Request:
        request = self.connections[index].request
        assert request is not None
        return request


class CountedConnection(ServerConnection):
    """Tells its central system when its socket begins and ends."""

    central: Central

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.central.living += 1
        self.central.most_living = max(self.central.most_living, self.central.living)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.central.living -= 1
        super().connection_lost(exc)


@contextlib.asynccontextmanager
async def central_system(scheme: str = "ws", host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Central]:
    central = Central()
    counted = type("Counted", (CountedConnection,), {"central": central})
    options = {"subprotocols": ["ocpp1.6"], "compression": None, "ping_interval": None, "close_timeout": 0.1} | options
    async with serve(
        central.serve, "127.0.0.1", 0, process_request=central.respond, create_connection=counted, **options
    ) as server:
        central.url = url_of(server, scheme, host)
        yield central


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[str]:
    """A server that says exactly what the test wants it to say."""

    talks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            writer.close()

    def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(serve_one(reader, writer)))

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        yield url_of(server)
        # From Python 3.12 on a server ends only after its connections.
        for each in talks:
            each.cancel()


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: bytes = b"") -> None:
    """Open a WebSocket by hand, with ``frames`` in the same packet as the answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    )
    writer.write(answer.encode() + frames)


# Opening


async def test_it_opens_and_carries_text_both_ways(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url, identity="RDAM 123")
        one.link.start()
        assert await one.record.opened() == "ocpp1.6"
        assert one.link.send_text('[2,"1","Heartbeat",{"ü":"€"}]')
        assert await one.record.next() == '[2,"1","Heartbeat",{"ü":"€"}]'
        assert central.request().path == "/ocpp/RDAM%20123"
        assert central.request().headers["Sec-WebSocket-Protocol"] == "ocpp1.6"
        assert "Sec-WebSocket-Extensions" not in central.request().headers
        assert "Authorization" not in central.request().headers


async def test_credentials_and_headers_go_with_every_request(bench: Callable[..., Bench]) -> None:
    """HTTP Basic with the identity as user, without waiting for a 401 (OCPP-J 1.6, 6.2.2)."""
    async with central_system() as central:
        one = bench(central.url, password=b"\x00\xff", headers=(("X-Tenant", "7"),))
        one.link.start()
        await one.record.opened()
        one.link.redial()
        await one.record.closed()
        await one.record.opened()
        for index in (0, 1):
            headers = central.request(index).headers
            assert headers["Authorization"] == "Basic " + base64.b64encode(b"CP001:\x00\xff").decode()
            assert headers["X-Tenant"] == "7"
            assert headers["User-Agent"].startswith("chargepoint/")


async def test_another_user_agent(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url, headers=(("user-agent", "Wallbox 3000"),))
        one.link.start()
        await one.record.opened()
        assert central.request().headers.get_all("User-Agent") == ["Wallbox 3000"]


async def test_the_log_tells_url_and_user_and_never_the_password(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with central_system() as central:
        one = bench(central.url, password=b"hunter2")
        one.link.start()
        await one.record.opened()
        one.link.send_text("hello")
        await one.record.next()
    own = "\n".join(record.getMessage() for record in caplog.records if record.name == link_module.__name__)
    assert f"connected to {central.url}/CP001 (ocpp1.6, user CP001)" in own
    assert "hunter2" not in own
    assert base64.b64encode(b"CP001:hunter2").decode() not in own


async def test_frames_that_come_with_the_handshake_are_not_lost(bench: Callable[..., Bench]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer, b"\x81\x02hi\x88\x02\x03\xe9")
        await reader.read()

    async with raw_server(talk) as url:
        one = bench(url)
        one.record.on_message = lambda text: one.record.happened.put_nowait(one.link.send_text("late"))
        one.link.start()
        await one.record.opened()
        assert await one.record.next() == "hi"
        assert await one.record.next() is False, "a Close frame is behind the text, so no answer can be sent"
        one.clock.advance(5)
        assert await one.record.closed() == Closed(CloseCause.PEER, 1001, "the central system closed: no reason")


async def test_a_text_before_a_close_in_one_packet_is_delivered(bench: Callable[..., Bench]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.readexactly(7)
        writer.write(b"\x81\x03bye\x88\x02\x03\xe8")

    async with raw_server(talk) as url:
        one = bench(url)
        one.record.on_message = lambda text: one.record.happened.put_nowait(one.link.send_text("late"))
        one.link.start()
        await one.record.opened()
        assert one.link.send_text("?")
        assert await one.record.next() == "bye"
        assert await one.record.next() is False
        assert (await one.record.closed()).code == 1000


@pytest.mark.parametrize(
    ("server_chooses", "words"),
    [([], "the server chose no subprotocol; we offer ocpp1.6"), (None, "chose no subprotocol")],
)
async def test_a_server_without_the_subprotocol_is_left(
    bench: Callable[..., Bench], server_chooses: list[str] | None, words: str
) -> None:
    """ "If the Central System does not agree ... without a Sec-WebSocket-Protocol header" (OCPP-J 1.6, 3.2)."""
    async with central_system(subprotocols=server_chooses) as central:
        one = bench(central.url)
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is FailureKind.SUBPROTOCOL
        assert words in failure.text
        assert not one.link.send_text("x")
        assert one.clock.next_s >= 3


async def test_a_wrong_subprotocol_is_left_too(bench: Callable[..., Bench]) -> None:
    async with central_system(select_subprotocol=lambda connection, offered: "ocpp2.0.1") as central:
        one = bench(central.url, require_subprotocol=False)
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is FailureKind.SUBPROTOCOL
        assert "ocpp2.0.1" in failure.text


async def test_a_poor_server_is_tolerated_when_told_so(bench: Callable[..., Bench]) -> None:
    async with central_system(subprotocols=None) as central:
        one = bench(central.url, require_subprotocol=False)
        one.link.start()
        assert await one.record.opened() is None
        assert one.link.send_text("x")


# Refusals


@pytest.mark.parametrize(
    ("status", "knobs", "advice"),
    [
        (401, {}, "set the password"),
        (401, {"password": b"x"}, "check user 'CP001'"),
        (403, {}, "enabled"),
        (404, {}, "knows this identity"),
        (400, {}, "upgrade"),
        (503, {}, "trouble"),
        (418, {}, "check URL"),
    ],
)
async def test_a_refusal_says_what_to_try_and_is_retried(
    bench: Callable[..., Bench], status: int, knobs: dict[str, Any], advice: str
) -> None:
    """404: the central system "does not recognize the charge point identifier" (OCPP-J 1.6, 3.2)."""
    async with central_system() as central:
        central.answer = lambda request: Response(status, HTTPStatus(status).phrase, Headers({"Content-Length": "0"}))
        one = bench(central.url, **knobs)
        one.link.start()
        failure = await one.record.failure()
        assert (failure.kind, failure.http_status) == (FailureKind.HTTP_STATUS, status)
        assert f"HTTP {status}" in failure.text
        assert advice in failure.advice
        central.answer = lambda request: None
        one.clock.advance(one.clock.next_s)
        await one.record.opened()


async def test_nobody_listens(bench: Callable[..., Bench]) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    url = url_of(server)
    server.close()
    await server.wait_closed()
    for host in ("127.0.0.1", "localhost"):
        one = bench(url.replace("127.0.0.1", host))
        one.link.start()
        assert (await one.record.failure()).kind is FailureKind.REFUSED


async def test_a_host_without_an_address(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **options: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    one = bench("ws://csms.invalid/ocpp")
    one.link.start()
    failure = await one.record.failure()
    assert failure.kind is FailureKind.DNS
    assert "Name or service not known" in str(failure)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), FailureKind.TIMEOUT),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), FailureKind.UNREACHABLE),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), FailureKind.LOST),
    ],
)
async def test_what_the_network_says(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, error: OSError, kind: FailureKind
) -> None:
    """No loopback has these, so the call of the event loop is replaced."""

    async def fails(*args: object, **options: object) -> object:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fails)
    one = bench("ws://127.0.0.1:9/ocpp")
    one.link.start()
    assert (await one.record.failure()).kind is kind


async def test_no_answer_to_the_handshake(bench: Callable[..., Bench]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        gone.set()

    asked, gone = asyncio.Event(), asyncio.Event()
    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        one = bench(url)
        one.link.start()
        await asked.wait()
        assert one.clock.next_s == 30
        one.clock.advance(30)
        failure = await one.record.failure()
        assert failure.kind is FailureKind.TIMEOUT
        assert failure.text == "no answer to the WebSocket handshake within 30 s"
        await gone.wait()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", FailureKind.LOST),
        (b"HTTP/1.1 101 Sw", FailureKind.LOST),
        (b"220 mail.example ESMTP\r\n", FailureKind.PROTOCOL),
        (b"HTTP/1.1 101 Switching\r\n\r\n", FailureKind.PROTOCOL),
        (b"HTTP/1.1 404 Not Found\r\n\r\nbody until the end", FailureKind.HTTP_STATUS),
    ],
)
async def test_other_servers(bench: Callable[..., Bench], answer: bytes, kind: FailureKind) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        assert (await one.record.failure()).kind is kind
        assert one.link.is_idle


# Redirects


def moved(location: str, status: int = 302) -> Response:
    return Response(status, "Moved", Headers({"Location": location, "Content-Length": "0"}))


async def test_a_redirect_on_the_same_server_keeps_the_credentials(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        central.answer = lambda request: None if request.path.startswith("/new") else moved("/new/CP001")
        one = bench(central.url, password=b"x")
        one.link.start()
        await one.record.opened()
        assert central.request().path == "/new/CP001"
        assert "Authorization" in central.request().headers
        assert central.most_living == 1


async def test_a_redirect_to_another_server_gets_no_credentials(bench: Callable[..., Bench]) -> None:
    async with central_system() as central, central_system() as other:
        central.answer = lambda request: moved(other.url.replace("ws://", "http://") + "/CP001")
        one = bench(central.url, password=b"x", headers=(("X-Api-Key", "secret"),))
        one.link.start()
        await one.record.opened()
        headers = other.request().headers
        assert "Authorization" not in headers
        assert "X-Api-Key" not in headers


async def test_another_name_is_another_server(bench: Callable[..., Bench]) -> None:
    """Without TLS nothing proves that the same port of another name is the same server."""
    async with central_system() as central:
        there = central.url.replace("127.0.0.1", "localhost") + "/there"
        central.answer = lambda request: None if request.path.endswith("/there") else moved(there)
        one = bench(central.url, password=b"x")
        one.link.start()
        await one.record.opened()
        assert "Authorization" not in central.request().headers


async def test_a_redirect_to_another_host_is_another_server_to_tls_too(
    bench: Callable[..., Bench], trust: Trust
) -> None:
    """``server_name`` speaks of the configured host only; a different one has to prove its own name."""
    async with (
        central_system("wss", "127.0.0.1", ssl=trust.server("csms.example")) as central,
        central_system("wss", "localhost", ssl=trust.server("localhost")) as other,
    ):
        central.answer = lambda request: moved(other.url + "/CP001")
        other.answer = lambda request: Response(401, "Unauthorized", Headers({"Content-Length": "0"}))
        one = bench(central.url, tls=Tls(ca_file=trust.file, server_name="csms.example"), password=b"x")
        one.link.start()
        failure = await one.record.failure()
        assert failure.http_status == 401
        assert "gets no password" in failure.advice
        other.answer = lambda request: None
        one.link.redial()
        await one.record.opened()
        assert "Authorization" not in other.request().headers


@pytest.mark.parametrize("length", ["", "Content-Length: 0\r\n"])
async def test_a_link_that_is_stopped_follows_no_redirect(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    """Stopped between the redirect and the end of its socket. Without a length the answer ends with the stream."""

    def closing(self: Link, connection: Any) -> None:
        asyncio.get_running_loop().call_soon(self.stop)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dials.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: /there\r\n{length}\r\n".encode())

    dials: list[bytes] = []
    monkeypatch.setattr(Link, "closing", closing)
    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        await one.gone()
        assert len(dials) == 1
        assert one.record.happened.empty()


async def test_the_next_dial_begins_at_the_configured_address(bench: Callable[..., Bench]) -> None:
    async with central_system() as central, central_system() as other:
        central.answer = lambda request: moved(other.url, 308)
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        central.answer = lambda request: None
        one.link.redial()
        await one.record.closed()
        await one.record.opened()
        assert len(central.connections) == 1


async def test_five_redirects_are_followed_and_no_more(bench: Callable[..., Bench]) -> None:
    asked = []

    def round_and_round(request: Request) -> Response:
        asked.append(request.path)
        return moved(f"/{len(asked)}")

    async with central_system() as central:
        central.answer = round_and_round
        one = bench(central.url)
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is FailureKind.REDIRECT
        assert asked == ["/ocpp/CP001", "/1", "/2", "/3", "/4", "/5"]


@pytest.mark.parametrize("location", ["ftp://host/", "ws://user:secret@host/", "ws://"])
async def test_a_redirect_to_nonsense_is_refused(bench: Callable[..., Bench], location: str) -> None:
    async with central_system() as central:
        central.answer = lambda request: moved(location)
        one = bench(central.url)
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is FailureKind.REDIRECT
        assert "secret" not in str(failure)


# TLS


class Trust:
    """A certificate authority, its file, and server contexts under it."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.file)
        self.other_file = folder / "other.pem"
        trustme.CA().cert_pem.write_to_path(self.other_file)
        self.client_file = folder / "client.pem"
        self.authority.issue_cert("cp001.example").private_key_and_cert_chain_pem.write_to_path(self.client_file)

    def server(self, *names: str, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names).configure_cert(context)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path)


async def test_tls_under_our_own_root(bench: Callable[..., Bench], trust: Trust) -> None:
    async with central_system("wss", "localhost", ssl=trust.server("localhost")) as central:
        one = bench(central.url, tls=Tls(ca_file=trust.file), password=b"x")
        one.link.start()
        await one.record.opened()
        long = ",".join(map(str, range(60_000)))
        one.link.send_text(long)
        assert await one.record.next() == long
        one.link.redial()
        assert (await one.record.closed()).cause is CloseCause.OURS
        await one.record.opened()
        one.link.drop()
        assert (await one.record.closed()).cause is CloseCause.DROPPED


async def test_a_server_name_other_than_the_host(bench: Callable[..., Bench], trust: Trust) -> None:
    async with central_system("wss", ssl=trust.server("csms.example")) as central:
        for tls in (
            Tls(ca_file=trust.file, server_name="csms.example"),
            Tls(ca_file=trust.file, check_server_name=False),
        ):
            one = bench(central.url, tls=tls)
            one.link.start()
            await one.record.opened()


@pytest.mark.parametrize(
    ("names", "root", "words"),
    [
        ("localhost", "other_file", "ca_file"),
        ("csms.example", "file", "server_name"),
    ],
)
async def test_a_certificate_we_do_not_trust(
    bench: Callable[..., Bench], trust: Trust, names: str, root: str, words: str
) -> None:
    """The connection ends; the kind is for InvalidCentralSystemCertificate (white paper, A00.FR.309 and FR.310)."""
    async with central_system("wss", "localhost", ssl=trust.server(names)) as central:
        one = bench(central.url, tls=Tls(ca_file=getattr(trust, root)))
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is FailureKind.CERTIFICATE
        assert "certificate is not trusted" in failure.text
        assert words in failure.advice


@pytest.mark.parametrize(
    ("answer", "kind", "advice"),
    [
        ("15 0301 0002 02 46", FailureKind.TLS_VERSION, "TLS 1.2"),  # alert: fatal, protocol_version
        ("15 0303 0002 02 28", FailureKind.TLS_CIPHER, "AES-GCM"),  # alert: fatal, handshake_failure
        ("15 0303 0002 02 50", FailureKind.TLS, "speaks TLS"),  # alert: fatal, internal_error
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".hex(), FailureKind.TLS, "try ws://"),
        ("", FailureKind.LOST, "TLS log"),
    ],
)
async def test_a_tls_handshake_that_fails(
    bench: Callable[..., Bench], answer: str, kind: FailureKind, advice: str
) -> None:
    """Kinds for the security events InvalidTLSVersion and InvalidTLSCipherSuite (white paper, A00.FR.315 and FR.322).

    The server is raw because asyncio drops a failed TLS handshake without sending its alert.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(2**16)
        writer.write(bytes.fromhex(answer))

    async with raw_server(talk) as url:
        one = bench(url.replace("ws:", "wss:"))
        one.link.start()
        failure = await one.record.failure()
        assert failure.kind is kind
        assert advice in failure.advice


async def test_a_client_certificate_is_shown_when_there_is_one(bench: Callable[..., Bench], trust: Trust) -> None:
    """Security profile 3: the charge point authenticates by its certificate."""
    async with central_system("wss", "localhost", ssl=trust.server("localhost", wants_client=True)) as central:
        one = bench(central.url, tls=Tls(ca_file=trust.file, client_certificate=trust.client_file))
        one.link.start()
        await one.record.opened()
        shown = central.last.transport.get_extra_info("peercert")
        assert ("DNS", "cp001.example") in shown["subjectAltName"]


async def test_a_server_that_refuses_our_certificate_after_the_handshake(
    bench: Callable[..., Bench], trust: Trust
) -> None:
    """With TLS 1.3 the client has finished its handshake before the server says no (RFC 8446, 4.4.2.4)."""
    context = trust.server("localhost", wants_client=True)

    def accept_one() -> None:
        plain, _ = listener.accept()
        with plain, pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        # In a thread and with blocking sockets, because asyncio drops a failed TLS handshake without its alert.
        accepted = asyncio.create_task(asyncio.to_thread(accept_one))
        one = bench(f"wss://localhost:{listener.getsockname()[1]}/", tls=Tls(ca_file=trust.file))
        one.link.start()
        failure = await one.record.failure()
        await accepted
        assert failure.kind is FailureKind.CLIENT_CERTIFICATE
        assert "client_certificate" in failure.advice


async def test_a_redirect_may_raise_the_security_but_not_lower_it(bench: Callable[..., Bench], trust: Trust) -> None:
    async with (
        central_system("ws", "localhost") as plain,
        central_system("wss", "localhost", ssl=trust.server("localhost")) as secure,
    ):
        plain.answer = lambda request: moved(secure.url.replace("wss:", "https:") + "/CP001", 308)
        one = bench(plain.url, tls=Tls(ca_file=trust.file), password=b"x")
        one.link.start()
        await one.record.opened()
        assert "Authorization" in secure.request().headers, "the same host, and TLS proves that it is"
        plain.answer = lambda request: None
        secure.answer = lambda request: moved(plain.url + "/CP001")
        other = bench(secure.url, tls=Tls(ca_file=trust.file))
        other.link.start()
        failure = await other.record.failure()
        assert failure.kind is FailureKind.REDIRECT
        assert "which has none" in failure.text


async def test_a_file_that_vanished_is_a_failed_dial_not_a_crash(bench: Callable[..., Bench], trust: Trust) -> None:
    one = bench("wss://localhost:1/", tls=Tls(ca_file=trust.file))
    trust.file.unlink()
    one.link.start()
    failure = await one.record.failure()
    assert failure.kind is FailureKind.TLS
    assert "ca_file" in failure.text
    assert one.clock.next_s >= 3


# Messages


async def test_fragments_become_one_message(bench: Callable[..., Bench]) -> None:
    async def fragments(connection: ServerConnection) -> None:
        await connection.send(["[3,", "", '"ü', '€"]'])
        await connection.wait_closed()

    async with central_system() as central:
        central.handler = fragments
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        assert await one.record.next() == '[3,"ü€"]'


async def test_fragments_may_split_a_character_and_a_ping_may_come_between(bench: Callable[..., Bench]) -> None:
    """Control frames "MAY be injected in the middle of a fragmented message" (RFC 6455, 5.4)."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer, b"\x01\x01\xc3" + b"\x89\x02hi" + b"\x80\x01\xbc")
        pong.set_result(await reader.readexactly(8))
        await reader.read()

    pong: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        await one.record.opened()
        assert await one.record.next() == "ü"
        assert (await asyncio.wait_for(pong, PATIENCE_S))[:2] == b"\x8a\x82"


async def test_a_big_message_passes_and_a_bigger_one_ends_the_link(bench: Callable[..., Bench]) -> None:
    async with central_system(max_size=None) as central:
        one = bench(central.url, LinkSettings(largest_message=200_000))
        one.link.start()
        await one.record.opened()
        await central.last.send("x" * 200_000)
        assert await one.record.next() == "x" * 200_000
        await central.last.send(["x" * 100_000, "x" * 100_001])
        closed = await one.record.closed()
        assert (closed.cause, closed.code) == (CloseCause.PROTOCOL, 1009)
        assert "200000" in closed.text
        await central.last.wait_closed()
        assert central.last.close_code == 1009


BIG_CALL = '[2,"list-7","SendLocalList",{"listVersion":1,"x":"' + "x" * 300_000 + '"}]'


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (BIG_CALL, "a message of 300053 bytes exceeds the limit of 200000 bytes: CALL SendLocalList"),
        (BIG_CALL, "with message ID 'list-7'"),
        (['[2,"list-7","SendLocalList"', ",", "x" * 250_000], "CALL SendLocalList with message ID 'list-7'"),
        ('[ 3 , "id-1" , {"data":"' + "x" * 300_000 + '"}]', "CALLRESULT with message ID 'id-1'"),
        ("x" * 300_000, "neither its action nor its message ID is known"),
    ],
)
async def test_of_a_message_too_big_the_log_tells_what_is_known(
    bench: Callable[..., Bench], message: str | list[str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """We close with 1009 (RFC 6455, 7.4.1) before it is read; its beginning says which call gets no answer."""
    async with central_system(max_size=None) as central:
        one = bench(central.url, LinkSettings(largest_message=200_000))
        one.link.start()
        await one.record.opened()
        with contextlib.suppress(ConnectionClosed):
            await central.last.send(message)
        closed = await one.record.closed()
        assert (closed.cause, closed.code, closed.peer_code) == (CloseCause.PROTOCOL, 1009, None)
        assert words in closed.text
        assert words in caplog.text


@pytest.mark.parametrize(
    ("send", "code", "words"),
    [
        (lambda connection: connection.send(b"\x00\x01"), 1003, "binary"),
        (lambda connection: connection.send(b"\xff", text=True), 1007, "UTF-8"),
        (lambda connection: connection.send([b"ab", b"\xff"], text=True), 1007, "position 2"),
    ],
)
async def test_what_is_not_text_ends_the_link(
    bench: Callable[..., Bench], send: Callable[[ServerConnection], Awaitable[None]], code: int, words: str
) -> None:
    """OCPP-J is text in UTF-8 (OCPP-J 1.6, 4.1.2); close codes of RFC 6455, 7.4.1."""
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        await send(central.last)
        closed = await one.record.closed()
        assert (closed.cause, closed.code) == (CloseCause.PROTOCOL, code)
        assert words in closed.text
        await central.last.wait_closed()
        assert central.last.close_code == code


async def test_a_broken_frame_ends_the_link(bench: Callable[..., Bench]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer, b"\x83\x00")
        await reader.read(1)

    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        await one.record.opened()
        closed = await one.record.closed()
        assert (closed.cause, closed.code) == (CloseCause.PROTOCOL, 1002)
        assert closed.text == "invalid opcode"


async def test_a_peer_that_does_not_read_ends_the_link(bench: Callable[..., Bench]) -> None:
    """The server is starved by not yielding to the loop: what the kernel does not take stays with us."""
    async with central_system() as central:
        one = bench(central.url, LinkSettings(largest_backlog=2**18))
        one.link.start()
        await one.record.opened()
        transport = one.link._connection.transport  # type: ignore[union-attr]
        assert transport is not None
        sent, backlog = 0, 0
        while one.link.send_text("x" * 2**16):
            sent += 1
            assert sent < 2**10
            backlog = transport.get_write_buffer_size()
        assert 2**18 - 2 * 2**16 < backlog <= 2**18
        assert not one.link.is_open
        assert (await one.record.closed()).cause is CloseCause.NOT_READING


# The end of a connection


async def test_the_server_closes(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        await central.last.close(1012, "deploying")
        assert await one.record.closed() == Closed(CloseCause.PEER, 1012, "the central system closed: deploying")
        assert 3 <= one.clock.next_s <= 13
        one.clock.advance(one.clock.next_s)
        await one.record.opened()


@pytest.mark.parametrize("abort", [True, False])
async def test_the_connection_breaks(bench: Callable[..., Bench], abort: bool) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        transport = central.last.transport
        if abort:
            # Data it has not read turns the end into a reset.
            transport.pause_reading()
            one.link.send_text("unread")
            transport.abort()
        else:
            transport.close()
        closed = await one.record.closed()
        assert (closed.cause, closed.code) == (CloseCause.LOST, 1006)
        assert one.clock.next_s >= 3


async def test_stop_says_going_away_and_dials_no_more(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        one.link.stop(reason="ü" * 100)
        assert not one.link.send_text("x")
        assert await one.record.closed() == Closed(CloseCause.OURS, 1001, "closed by us")
        await central.last.wait_closed()
        assert (central.last.close_code, central.last.close_reason) == (1001, "ü" * 61)
        assert one.link.is_idle
        assert one.clock.next_s == float("inf")


async def test_what_was_on_its_way_at_stop_is_still_delivered(bench: Callable[..., Bench]) -> None:
    """An answer that crosses our Close frame saves a transaction message from being sent twice."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.readexactly(8)
        writer.write(b"\x81\x06answer" + b"\x88\x02\x03\xe9")

    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        await one.record.opened()
        one.link.stop()
        assert await one.record.next() == "answer"
        assert await one.record.closed() == Closed(CloseCause.OURS, 1001, "closed by us")


async def test_a_server_that_never_answers_the_close_is_left_after_five_seconds(bench: Callable[..., Bench]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read()

    async with raw_server(talk) as url:
        one = bench(url)
        one.link.start()
        await one.record.opened()
        one.link.stop()
        assert one.clock.next_s == 5
        assert not one.link.is_idle
        one.clock.advance(5)
        assert await one.record.closed() == Closed(CloseCause.OURS, 1001, "closed by us")


async def test_stop_while_waiting_and_while_dialling(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        one.link.stop()
        await one.gone()
        one.link.start()
        await asyncio.sleep(0)
        one.link.stop()
        await one.gone()
        one.link.start()
        await one.record.opened()
        one.link.drop()
        await one.record.closed()
        one.link.stop()
        assert one.clock.next_s == float("inf")
        assert one.record.happened.empty()


# One socket


async def test_redial_closes_the_old_socket_before_it_opens_a_new_one(bench: Callable[..., Bench]) -> None:
    """Two connections of one identity at a time make a central system serve the dead one."""
    async with central_system() as central:
        one = bench(central.url, password=b"old")
        one.link.start()
        await one.record.opened()
        for _ in range(10):
            one.link.address = Address(url=central.url, identity="CP001", password=b"new")
            one.link.redial()
            one.link.redial()
            assert (await one.record.closed()).code == 1000
            await one.record.opened()
        assert central.request().headers["Authorization"] == "Basic " + base64.b64encode(b"CP001:new").decode()
        assert len(central.connections) == 11
        assert central.most_living == 1


async def test_redial_ends_a_wait(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        one.link.drop()
        await one.record.closed()
        one.link.redial()
        await one.record.opened()
        assert len(central.connections) == 2


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_whatever_is_asked_in_whatever_order_there_is_never_a_second_socket(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, trust: Trust, scheme: str, seed: int
) -> None:
    """Opens and ends stay paired, and the link comes back when it is let."""
    living = 0

    def made(self: Any, transport: asyncio.BaseTransport) -> None:
        nonlocal living
        living += 1
        assert living == 1
        connection_made(self, transport)

    def lost(self: Any, exc: Exception | None) -> None:
        nonlocal living
        living -= self.transport is not None  # a dial given up too late may be reported twice
        connection_lost(self, exc)

    connection = connection_module.Connection
    connection_made, connection_lost = connection.connection_made, connection.connection_lost
    monkeypatch.setattr(connection, "connection_made", made)
    monkeypatch.setattr(connection, "connection_lost", lost)
    chance = random.Random(seed)
    context = trust.server("localhost") if scheme == "wss" else None
    async with central_system(scheme, "localhost", ssl=context) as central:
        one = bench(central.url, tls=Tls(ca_file=trust.file))
        link = one.link
        deeds: list[Callable[[], object]] = [
            link.start,
            link.stop,
            link.redial,
            link.drop,
            lambda: link.hold(True),
            lambda: link.hold(False),
            lambda: link.send_text("x"),
            lambda: link.set_ping_interval(chance.choice([0, 20])),
            lambda: one.clock.advance(chance.choice([1, 20])),
        ]
        for _ in range(150):
            chance.choice(deeds)()
            for _ in range(chance.randrange(6 if context is None else 25)):
                await asyncio.sleep(0)
        link.stop()
        link.drop()
        await one.gone()
        assert living == 0
        opens = ends = 0
        while not one.record.happened.empty():
            happened = one.record.happened.get_nowait()
            opens += isinstance(happened, tuple)
            ends += isinstance(happened, Closed)
            assert ends <= opens <= ends + 1
        assert opens == ends
        link.hold(False)
        link.start()
        await one.record.opened()


def test_a_dial_that_is_given_up_ends_on_uvloop_too() -> None:
    """uvloop reports no end of a transport whose dial was cancelled in the turn it came up."""
    uvloop = pytest.importorskip("uvloop")

    async def give_up_after(turns: int, url: str) -> None:
        one = Bench(Stepped(), url, None, {})
        one.link.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        one.link.drop()
        one.link.stop()
        await one.gone()

    async def main() -> None:
        async with central_system() as central:
            for turns in range(12):
                await give_up_after(turns, central.url)
            await until(lambda: central.living == 0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


# Back-off


async def test_the_wait_doubles_up_to_a_cap_and_has_a_random_part(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        central.answer = lambda request: Response(503, "Busy", Headers({"Content-Length": "0"}))
        one = bench(central.url, LinkSettings(retry_minimum_s=3, retry_random_s=1, retry_doublings=3))
        one.link.start()
        waits = []
        for _ in range(6):
            await one.record.failure()
            waits.append(one.clock.next_s)
            one.clock.advance(one.clock.next_s)
        assert [int(wait) for wait in waits] == [3, 6, 12, 24, 24, 24]
        assert len({wait % 1 for wait in waits}) == 6
        await one.record.failure()
        one.link.reset_backoff()
        one.clock.advance(one.clock.next_s)
        await one.record.failure()
        assert 3 <= one.clock.next_s < 4


@pytest.mark.parametrize(
    ("status", "headers", "expected_s"),
    [
        (503, {"Retry-After": "120"}, 120),
        (429, {"Retry-After": "120"}, 120),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:30:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:20 GMT"}, 100),
        (503, {"Retry-After": "1"}, 3),
        (503, {"Retry-After": "86400"}, 600),
        (503, {"Retry-After": "9" * 30}, 3),
        (503, {"Retry-After": "soon"}, 3),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 3),
        (404, {"Retry-After": "120"}, 3),
    ],
)
async def test_a_server_that_asks_to_wait_is_left_alone_so_long(
    bench: Callable[..., Bench], status: int, headers: dict[str, str], expected_s: float
) -> None:
    """Retry-After says "how long the user agent ought to wait" (RFC 9110, 10.2.3), with 503 and 429 (RFC 6585, 4). Bounded
    [D]: a server cannot send a charge point away for a day."""
    async with central_system() as central:
        central.answer = lambda request: Response(status, "No", Headers({"Content-Length": "0", **headers}))
        one = bench(central.url, LinkSettings(retry_random_s=1, retry_after_limit_s=600))
        one.link.start()
        failure = await one.record.failure()
        assert int(one.clock.next_s) == expected_s
        assert ("asks to wait" in failure.text) is (failure.retry_after_s is not None)


async def test_what_a_server_asked_once_counts_once(bench: Callable[..., Bench]) -> None:
    """The next refusal without Retry-After is followed by the ordinary back-off."""
    async with central_system() as central:
        headers = {"Content-Length": "0", "Retry-After": "120"}
        central.answer = lambda request: Response(503, "Busy", Headers(headers))
        one = bench(central.url, LinkSettings(retry_random_s=1))
        one.link.start()
        await one.record.failure()
        del headers["Retry-After"]
        one.clock.advance(one.clock.next_s)
        await one.record.failure()
        assert int(one.clock.next_s) == 6


async def test_a_dial_that_is_not_to_come_at_once_waits_for_the_back_off(bench: Callable[..., Bench]) -> None:
    """A central system that answers nothing is not to be hurried."""
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        one.link.redial(1000, "no answers", at_once=False)
        assert (await one.record.closed()).cause is CloseCause.OURS
        assert one.link.is_idle
        assert 3 <= one.clock.next_s <= 13
        one.clock.advance(one.clock.next_s)
        await one.record.opened()


async def test_while_held_nothing_is_dialled(bench: Callable[..., Bench]) -> None:
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        one.link.hold(True)
        assert (await one.record.closed()).cause is CloseCause.DROPPED
        one.link.redial()
        assert one.clock.next_s == float("inf")
        assert one.link.is_idle
        one.link.hold(False)
        await one.record.opened()
        one.link.hold(True)
        await one.record.closed()
        one.link.hold(False)
        assert 3 <= one.clock.next_s <= 13, "nobody asked for haste, so the street comes back one by one"
        assert one.link.is_idle


async def test_it_runs_on_a_real_clock(benches: list[Bench]) -> None:
    """With the driver of `RealTime`, as the pump would run it: refused, waited, connected, pinged."""
    async with central_system() as central:
        refused = [Response(503, "Busy", Headers({"Content-Length": "0"}))]
        central.answer = lambda request: refused.pop() if refused else None
        record = Record()
        settings = LinkSettings(retry_minimum_s=0.01, retry_random_s=0.01)
        link = Link(Address(url=central.url, identity="CP001"), record, RealTime(), random.Random(1), settings, 0.01)
        link.start()
        await record.failure()
        await record.opened()
        pongs = 0
        ponged = Link.ponged

        def counted(self: Link, payload: bytes) -> None:
            nonlocal pongs
            pongs += 1
            ponged(self, payload)

        Link.ponged = counted  # type: ignore[method-assign]
        try:
            await until(lambda: pongs >= 3)
        finally:
            Link.ponged = ponged  # type: ignore[method-assign]
        link.stop()
        await record.closed()


# Pings


def server_without_pongs(frames: asyncio.Queue[bytes]) -> Talk:
    """Open, then hand each packet of the client to the test, and say nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        while data := await reader.read(2**16):
            frames.put_nowait(data)

    return talk


async def test_pings_go_out_and_pongs_keep_the_link(bench: Callable[..., Bench]) -> None:
    """Positive values are interpreted as number of seconds between pings (OCPP-J 1.6, 7), not from pong to ping."""
    async with central_system() as central:
        one = bench(central.url)
        one.link.start()
        await one.record.opened()
        one.link.set_ping_interval(60)
        wait_s = 60
        for _ in range(3):
            assert one.clock.next_s == wait_s
            one.clock.advance(wait_s)
            assert one.clock.next_s == 10, "the pong is due 10 s after the ping"
            await until(lambda: one.link._has_pong)
            one.clock.advance(10)
            await until(lambda: one.clock.next_s != float("inf"))
            wait_s = 50
        one.link.set_ping_interval(0)
        assert one.clock.next_s == float("inf")
        assert one.link.is_open


async def test_a_missing_pong_ends_the_link(bench: Callable[..., Bench]) -> None:
    frames: asyncio.Queue[bytes] = asyncio.Queue()
    async with raw_server(server_without_pongs(frames)) as url:
        one = bench(url)
        one.link.set_ping_interval(4)
        one.link.start()
        await one.record.opened()
        one.clock.advance(4)
        ping = await asyncio.wait_for(frames.get(), PATIENCE_S)
        assert ping[0] == 0x89
        assert one.clock.next_s == 4, "the interval, being shorter than 10 s"
        one.clock.advance(4)
        closed = await one.record.closed()
        assert (closed.cause, closed.code) == (CloseCause.NO_PONG, 1006)
        assert one.clock.next_s >= 3


async def test_messages_do_not_put_off_a_ping(bench: Callable[..., Bench]) -> None:
    """ "number of seconds between pings" (OCPP-J 1.6, 7): whatever is sent and received meanwhile ([D])."""
    async with central_system() as central:
        one = bench(central.url)
        one.link.set_ping_interval(30)
        one.link.start()
        await one.record.opened()
        for second in range(1, 30):
            one.clock.advance(1)
            one.link.send_text(f"message {second}")
            assert await one.record.next() == f"message {second}"
        assert one.clock.next_s == 1
        one.clock.advance(1)
        await until(lambda: one.link._has_pong)


async def test_an_interval_shorter_than_the_pong_time_out_is_kept(bench: Callable[..., Bench]) -> None:
    """ "number of seconds between pings" (OCPP-J 1.6, 7) also where the time for the pong would be longer."""
    async with central_system() as central:
        one = bench(central.url)
        one.link.set_ping_interval(4)
        one.link.start()
        await one.record.opened()
        one.clock.advance(4)
        for number in range(1, 4):
            await until(lambda: one.link._has_pong)
            assert one.link._pings == number
            one.clock.advance(4)
            await until(lambda: one.clock.next_s == 0)
            one.clock.advance(0)


async def test_an_unsolicited_pong_is_no_answer(bench: Callable[..., Bench]) -> None:
    """ "A response to an unsolicited Pong frame is not expected" (RFC 6455, 5.5.3): it answers nothing either."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read(100)
        writer.write(b"\x8a\x05stale" + b"\x81\x04read")
        await reader.read()

    async with raw_server(talk) as url:
        one = bench(url)
        one.link.set_ping_interval(60)
        one.link.start()
        await one.record.opened()
        one.clock.advance(60)
        assert await one.record.next() == "read"
        one.clock.advance(10)
        assert (await one.record.closed()).cause is CloseCause.NO_PONG


async def test_a_late_timer_does_not_blame_the_peer(bench: Callable[..., Bench]) -> None:
    """This process was asleep: when the deadline is noticed, the pong has long been waiting in the socket."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        ping = await reader.readexactly(7)
        payload = bytes([ping[6] ^ ping[2]])
        writer.write(b"\x8a\x01" + payload + b"\x81\x04pong")
        answered.set()
        await reader.read()

    answered = asyncio.Event()
    async with raw_server(talk) as url:
        one = bench(url)
        one.link.set_ping_interval(60)
        one.link.start()
        await one.record.opened()
        transport = one.link._connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.pause_reading()
        one.clock.advance(60)
        await asyncio.wait_for(answered.wait(), PATIENCE_S)
        one.clock.advance(3600)
        transport.resume_reading()
        assert await one.record.next() == "pong"
        await until(lambda: one.clock.next_s < float("inf"))
        assert one.link.is_open
        assert one.clock.next_s == 50
