"""The HTTP server, in the event loop of the chargers."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from hw.errors import ChargePointError

from .answers import refusal
from .app import Web
from .guard import SECURITY_HEADERS

GOODBYE_S = 2
"""How long open requests have to end when the process does."""
HEAD_S = 10.0
"""How long the head of a request may take, from when one could begin."""
BODY_S = 30.0
"""How long its body may take."""
MOST_REQUESTS = 200
"""Requests under way, streams among them; one more is refused."""
MOST_CONNECTIONS = 500
"""Connections; whoever asks on one more is refused. The chargers need files too, of usually 1024."""


class CannotListen(ChargePointError):
    """The address cannot be listened on."""


class _Server(uvicorn.Server):
    """Signals are the business of the program, not of its server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """uvicorn waits for a request without end, and lets whoever sends none use up what is for those who do."""

    _awaited: tuple[Any, ...] = ()
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        # asyncio leaves Nagle's algorithm on for sockets that were bound by us (their proto is 0): an answer has a head and
        # a body, and the body would wait 40 ms for the acknowledgement of the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def handle_events(self) -> None:
        is_full = len(self.connections) > MOST_CONNECTIONS or len(self.tasks) >= MOST_REQUESTS
        self.app = _overloaded if is_full else self.config.loaded_app
        super().handle_events()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        answer = _sealed(refusal(HTTPStatus.BAD_REQUEST, "bad-arguments", msg, {"Connection": "close"}))
        head = h11.Response(status_code=answer.status_code, headers=answer.raw_headers, reason=b"Bad Request")
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """The guard answers a WebSocket handshake; uvicorn would advise in the log to install a library."""

    def _watch(self) -> None:
        """Set the alarm anew whenever it is something else that is waited for."""
        awaited = (self.conn.their_state, self.cycle)
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        patience_s = {h11.IDLE: HEAD_S, h11.SEND_BODY: BODY_S}.get(self.conn.their_state)
        if patience_s is not None:
            self._deadline = self.loop.call_later(patience_s, self.transport.close)


def _sealed(answer: Response) -> Response:
    """What the guard does to every answer, for one that does not pass it."""
    answer.raw_headers += SECURITY_HEADERS
    return answer


_overloaded = _sealed(
    refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "overloaded",
        "too many ask at once: try again in a while",
        {"Connection": "close", "Retry-After": "5"},
    )
)


@dataclass(slots=True)
class Listening:
    """A server that runs. `close` it."""

    url: str
    _web: Web
    _server: uvicorn.Server
    _task: asyncio.Task[None]

    async def close(self) -> None:
        """End every stream, answer what is open, and go."""
        self._web.closing.set()
        self._server.should_exit = True
        await self._task


async def listen(web: Web, host: str, port: int) -> Listening:
    """Serve ``web``; port 0 takes a free one. Raises CannotListen."""
    config = uvicorn.Config(
        web.app,
        host=host,
        port=port,
        http=_Connection,
        log_config=None,  # its lines are among ours, and look like them
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
    )
    server = _Server(config)
    bound_to = _bind(host, port)
    task = asyncio.create_task(server.serve(sockets=[bound_to]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody that it has started
        await asyncio.sleep(0.005)
    if task.done():
        raise CannotListen(f"cannot serve on {host}:{port}")
    name, bound = bound_to.getsockname()[:2]
    return Listening(f"http://{f'[{name}]' if ':' in name else name}:{bound}", web, server, task)


def _bind(host: str, port: int) -> socket.socket:
    """Raises CannotListen. uvicorn would say it in a log line of its own, and end the program."""
    try:
        family, _kind, _protocol, _name, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        advice = "is another program there? Choose another port" if is_taken else error.strerror or str(error)
        raise CannotListen(f"cannot listen on {host}:{port}: {advice}") from error
