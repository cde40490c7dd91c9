"""The HTTP server, in the event loop of the chargers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from hw.errors import ChargePointError

from .app import Web

GOODBYE_S = 2
"""How long open requests have to end when the process does."""


class CannotListen(ChargePointError):
    """The address cannot be listened on."""


class _Server(uvicorn.Server):
    """Signals are the business of the program, not of its server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
        limit_concurrency=200,
    )
    server = _Server(config)
    try:
        socket = config.bind_socket()
    except (SystemExit, OSError) as error:
        raise CannotListen(f"cannot listen on {host}:{port}: is another program there? Choose another port") from error
    task = asyncio.create_task(server.serve(sockets=[socket]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody that it has started
        await asyncio.sleep(0.005)
    if task.done():
        raise CannotListen(f"cannot serve on {host}:{port}")
    name, bound = socket.getsockname()[:2]
    return Listening(f"http://{f'[{name}]' if ':' in name else name}:{bound}", web, server, task)
