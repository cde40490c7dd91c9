"""How people fail to connect at first, each staged for real on the loopback interface with servers of other people's code.

`MISTAKES` is the table; `page` is what docs/connecting.md says about it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from ocpp.v16 import call, call_result
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from chargepoint.runtime.address import Address, AddressError, Tls
from chargepoint.runtime.doctor import Finding, Hop, State, examine
from chargepoint.runtime.doctor.findings import unusable
from tests.wire.independent import Csms

PATIENCE_S = 30.0
SHORT_S = 1.5
"""The doctor's patience where the other end is silent on purpose."""
BOOT = call.BootNotification("Wallbox", "ACME")
NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Dial:
    """What a newcomer types."""

    url: str
    knobs: dict[str, Any] = field(default_factory=dict)
    patience_s: float = PATIENCE_S


Validity = tuple[datetime | None, datetime | None]
"""From and until; None is trustme's own."""
Stage = Callable[["Ground"], AbstractAsyncContextManager[Dial]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One way to fail: the hop and the remedy that the doctor must name. A note is a mistake that is got over."""

    what: str
    stage: Stage
    hop: Hop
    remedy: str
    """Words that must stand in the remedy."""
    state: State = State.FAILED


class Ground:
    """What the stages stand on: a directory, and two certificate authorities."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA(organization_name="ACME", organization_unit_name="Roots")
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.other_ca_file = folder / "other.pem"
        trustme.CA().cert_pem.write_to_path(self.other_ca_file)
        self.missing = folder / "missing.pem"

    def server(self, *names: str, wants_client: bool = False, validity: Validity = (None, None)) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(
            *names, common_name=names[0], not_before=validity[0], not_after=validity[1]
        ).configure_cert(context)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context

    @property
    def trusting(self) -> dict[str, Any]:
        return {"tls": Tls(ca_file=self.ca_file)}


async def diagnose(mistake: Mistake, ground: Ground) -> tuple[Finding, ...]:
    """Make the mistake and let the doctor look, as the command does."""
    async with mistake.stage(ground) as dial:
        try:
            address = Address(url=dial.url, **{"identity": "CP001", **dial.knobs})
        except AddressError as error:
            return (unusable(dial.url, error),)
        return await examine(address, BOOT, patience_s=dial.patience_s)


# --- servers ----------------------------------------------------------------------------------------------------------


@contextmanager
def web_server(status: int, body: str = "", location: str = "", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A web server of the standard library that answers every GET so; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body.encode())
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def raw_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A socket that does what ``handle`` does; yields its port."""
    writers: list[asyncio.StreamWriter] = []

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            await handle(reader, writer)

    server = await asyncio.start_server(serving, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def websocket_server(handle: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[int]:
    async with serve(handle, "127.0.0.1", 0, close_timeout=1.0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def listening(connection: ServerConnection) -> None:
    async for _message in connection:
        pass


# --- stages -----------------------------------------------------------------------------------------------------------


def typed(url: str, **knobs: Any) -> Stage:
    """Nothing but a URL."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        yield Dial(url, knobs)

    return stage


@asynccontextmanager
async def ca_file_missing(ground: Ground) -> AsyncIterator[Dial]:
    yield Dial("wss://csms.example/ocpp", {"tls": Tls(ca_file=ground.missing)})


@asynccontextmanager
async def nobody_listens(ground: Ground) -> AsyncIterator[Dial]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Dial(f"ws://127.0.0.1:{taken.getsockname()[1]}/ocpp")


@asynccontextmanager
async def packets_are_swallowed(ground: Ground) -> AsyncIterator[Dial]:
    """A listener whose queue is full lets SYN packets drop, as a firewall does."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield Dial(f"ws://127.0.0.1:{server.getsockname()[1]}/ocpp", patience_s=SHORT_S)


@asynccontextmanager
async def port_is_silent(ground: Ground) -> AsyncIterator[Dial]:
    async with raw_server(silence) as port:
        yield Dial(f"ws://127.0.0.1:{port}/ocpp", patience_s=SHORT_S)


@asynccontextmanager
async def another_service(ground: Ground) -> AsyncIterator[Dial]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()

    async with raw_server(greet) as port:
        yield Dial(f"ws://127.0.0.1:{port}/ocpp")


def tls_server(
    scheme: str = "wss",
    names: tuple[str, ...] = ("localhost",),
    *,
    trusts_other: bool = False,
    wants_client: bool = False,
    validity: Validity = (None, None),
) -> Stage:
    """A WebSocket server over TLS, dialled by ``scheme``."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        context = ground.server(*names, wants_client=wants_client, validity=validity)
        knobs = {"tls": Tls(ca_file=ground.other_ca_file)} if trusts_other else ground.trusting
        async with websocket_server(listening, subprotocols=["ocpp1.6"], ssl=context) as port:
            yield Dial(f"{scheme}://localhost:{port}/ocpp", knobs)

    return stage


@asynccontextmanager
async def client_certificate_wanted(ground: Ground) -> AsyncIterator[Dial]:
    """With blocking sockets, because asyncio drops a failed TLS handshake without its alert."""
    with web_server(200, context=ground.server("localhost", wants_client=True)) as port:
        yield Dial(f"wss://localhost:{port}/ocpp", ground.trusting)


@asynccontextmanager
async def no_tls_there(ground: Ground) -> AsyncIterator[Dial]:
    async with Csms() as csms:
        yield Dial(csms.url.replace("ws:", "wss:"), ground.trusting)


def password(given: bytes | None) -> Stage:
    """A central system that wants a password."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        async with Csms(password="wallbox-0815-geheim") as csms:
            yield Dial(csms.url, {"password": given})

    return stage


def answers(status: int, body: str = "", path: str = "/ocpp", location: str = "") -> Stage:
    """A web server that answers every request with a status."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        with web_server(status, body, location) as port:
            yield Dial(f"ws://127.0.0.1:{port}{path}")

    return stage


@asynccontextmanager
async def redirected(ground: Ground) -> AsyncIterator[Dial]:
    async with Csms() as csms:
        with web_server(301, location=f"{csms.url.replace('ws', 'http', 1)}/CP001") as port:
            yield Dial(f"ws://127.0.0.1:{port}")


@asynccontextmanager
async def slash_is_missing(ground: Ground) -> AsyncIterator[Dial]:
    """A central system whose routes end with a slash; without it the answer is its error page."""

    def route(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path.endswith("/CP001/") else connection.respond(500, "Server Error")

    async with websocket_server(listening, subprotocols=["ocpp1.6"], process_request=route) as port:
        yield Dial(f"ws://127.0.0.1:{port}/ws/ocpp")


def speaks(*subprotocols: str) -> Stage:
    """A WebSocket server with these subprotocols and no others; none at all chooses none."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        async with websocket_server(listening, subprotocols=subprotocols or None) as port:
            yield Dial(f"ws://127.0.0.1:{port}/ocpp")

    return stage


@asynccontextmanager
async def hangs_up(ground: Ground) -> AsyncIterator[Dial]:
    async def refuse(connection: ServerConnection) -> None:
        await connection.close(1008, "unknown charge point")

    async with websocket_server(refuse, subprotocols=["ocpp1.6"]) as port:
        yield Dial(f"ws://127.0.0.1:{port}/ocpp")


@asynccontextmanager
async def takes_no_notice(ground: Ground) -> AsyncIterator[Dial]:
    async with websocket_server(listening, subprotocols=["ocpp1.6"]) as port:
        yield Dial(f"ws://127.0.0.1:{port}/ocpp", patience_s=SHORT_S)


def registers(status: str = "Accepted", ahead: timedelta = timedelta()) -> Stage:
    """A central system that answers BootNotification so, by a clock that is off."""

    @asynccontextmanager
    async def stage(ground: Ground) -> AsyncIterator[Dial]:
        def answer(_payload: object) -> call_result.BootNotification:
            current = (datetime.now(UTC) + ahead).isoformat()
            return call_result.BootNotification(current, 300, status)  # type: ignore[arg-type]

        async with Csms(answers={"BootNotification": answer}) as csms:
            yield Dial(csms.url)

    return stage


@asynccontextmanager
async def fails_inside(ground: Ground) -> AsyncIterator[Dial]:
    def answer(_payload: object) -> None:
        raise LookupError("no such table")

    async with Csms(answers={"BootNotification": answer}) as csms:
        yield Dial(csms.url)


PAGE_404 = "<html><body>Not Found</body></html>"
DAY = timedelta(days=1)

MISTAKES: tuple[Mistake, ...] = (
    Mistake("`http://` instead of `ws://`", typed("http://csms.example/ocpp"), Hop.URL, "write ws:// instead"),
    Mistake("no scheme at all", typed("csms.example/ocpp"), Hop.URL, "write ws://host:port/path"),
    Mistake(
        "password in the URL", typed("ws://CP001:geheim@csms.example/ocpp"), Hop.URL, "set basic_user and password"
    ),
    Mistake("typo in the host name", typed("ws://csms.invalid/ocpp"), Hop.DNS, "check its spelling"),
    Mistake("a host name that cannot be one", typed(f"ws://{'x' * 64}.example/ocpp"), Hop.DNS, "check its spelling"),
    Mistake("wrong port, or the central system does not run", nobody_listens, Hop.TCP, "check the port"),
    Mistake("a firewall swallows the packets", packets_are_swallowed, Hop.TCP, "firewall"),
    Mistake("the port accepts and is silent", port_is_silent, Hop.HTTP, "not stuck"),
    Mistake("the port of another service, such as SSH", another_service, Hop.HTTP, "WebSocket server's"),
    Mistake("`ws://` to a TLS port", tls_server("ws"), Hop.TLS, "write wss:// instead of ws://"),
    Mistake("`wss://` to a port without TLS", no_tls_there, Hop.TLS, "write ws:// instead of wss://"),
    Mistake("CA file that does not exist", ca_file_missing, Hop.TLS, "correct ca_file"),
    Mistake("certificate of a CA we do not trust", tls_server(trusts_other=True), Hop.TLS, "as ca_file"),
    Mistake(
        "certificate has expired",
        tls_server(validity=(NOW - 400 * DAY, NOW - 35 * DAY)),
        Hop.TLS,
        "have it renewed, or check our clock",
    ),
    Mistake("our clock is years behind", tls_server(validity=(NOW + DAY, NOW + 9 * DAY)), Hop.TLS, "our clock"),
    Mistake("certificate of another name", tls_server(names=("csms.example",)), Hop.TLS, "server_name"),
    Mistake("the server wants a client certificate", client_certificate_wanted, Hop.TLS, "client_certificate"),
    Mistake("password wanted, none given", password(None), Hop.HTTP, "set the password"),
    Mistake("wrong password", password(b"falsch"), Hop.HTTP, "check user 'CP001' and the password"),
    Mistake("charge point not enabled (HTTP 403)", answers(403), Hop.HTTP, "enabled there"),
    Mistake("wrong path (HTTP 404)", answers(404, PAGE_404), Hop.HTTP, "check the path"),
    Mistake("slash at the end of the path missing (HTTP 404 or 500)", slash_is_missing, Hop.HTTP, "trailing_slash: true"),
    Mistake("identity in the URL and appended", answers(404, PAGE_404, "/ocpp/CP001"), Hop.HTTP, "leave CP001 out"),
    Mistake("URL of the web page, not of OCPP", answers(200, "<html>Welcome</html>", "/"), Hop.HTTP, "web server"),
    Mistake("proxy that does not pass on the upgrade (HTTP 426)", answers(426), Hop.HTTP, "a proxy on the way"),
    Mistake("proxy whose back end is down (HTTP 502)", answers(502), Hop.HTTP, "has trouble"),
    Mistake("redirected without end", answers(301, location="/ocpp/"), Hop.HTTP, "configure the final URL"),
    Mistake("redirected, as for a trailing slash", redirected, Hop.HTTP, "configure that URL", State.NOTED),
    Mistake("endpoint for OCPP 2.0.1 only", speaks("ocpp2.0.1"), Hop.SUBPROTOCOL, "use the endpoint for ocpp1.6"),
    Mistake("server that names no subprotocol", speaks(), Hop.SUBPROTOCOL, "require_subprotocol: false"),
    Mistake("unknown identity: accepted, then hung up", hangs_up, Hop.BOOT, "register CP001"),
    Mistake("not registered (Rejected)", registers("Rejected"), Hop.BOOT, "register CP001"),
    Mistake("waits for an operator (Pending)", registers("Pending"), Hop.BOOT, "accept CP001"),
    Mistake("BootNotification is not answered", takes_no_notice, Hop.BOOT, "look at its log"),
    Mistake("the central system fails over it (CALLERROR)", fails_inside, Hop.BOOT, "in the log of the central"),
    Mistake("local time sent as UTC", registers(ahead=timedelta(hours=2)), Hop.BOOT, "2 h ahead of ours", State.NOTED),
)


def told(mistake: Mistake, findings: Iterable[Finding]) -> Finding:
    """Return what the doctor says of a mistake: the failure, or the note."""
    return next(each for each in findings if each.state is mistake.state)


def page(remedies: Iterable[tuple[Mistake, Finding]]) -> str:
    """Return the text of docs/connecting.md."""
    rows = [
        f"| {number} | {mistake.what} | {finding.hop}{_NOTE[finding.state]} | {finding.remedy} |"
        for number, (mistake, finding) in enumerate(remedies, 1)
    ]
    return "\n".join((HEAD, *rows, ""))


_NOTE = {State.NOTED: " (note)", State.FAILED: ""}

HEAD = """# When it does not connect

`chargepoint doctor URL --id CP001` walks to the central system, hop by hop: URL, DNS, TCP, TLS, HTTP, subprotocol,
BootNotification. It says what was tried at each and what was found, names the one that fails, and one thing to try. It
takes the options of `chargepoint run`, a configuration file (`-c cp.yaml`) and the name of a back end (`--backend steve`).

Each row is a test that makes the mistake for real, against a server of other people's code on the loopback interface; the
last column is what the doctor said. A note means that it works, and that something is better changed. Made by
`./run test tests/runtime/test_doctor.py --rewrite-transcripts`; a test fails when it is stale.

| | what is wrong | where it fails | what to try |
| --- | --- | --- | --- |"""
