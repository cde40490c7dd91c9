"""The embedded central system on a real socket: ``chargepoint csms``, and the other end of the wire tests.

`serve` gives a `CentralSystem` its WebSocket server: identity from the URL, HTTP Basic, TLS, subprotocol, one socket
per identity. What is answered is decided there, what waits is here. Sources: OCPP-J 1.6 sections 3 and 6.2.
"""

from __future__ import annotations

import asyncio
import binascii
import hmac
import logging
import ssl
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from chargepoint.runtime.central_system import CentralSystem
from chargepoint.runtime.options import LARGEST_MESSAGE

_LOG = logging.getLogger(__name__)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """What the library logs to: warnings and errors. Its debug log would have every header, credentials included."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.INFO and super().isEnabledFor(level)


_LIBRARY_LOG = _Quiet(_LOG, {})

SUBPROTOCOL = Subprotocol("ocpp1.6")
LARGEST_BACKLOG = 2**20
"""Bytes that may wait for a charge point that does not read."""

Passwords = Mapping[str, bytes] | bytes
"""HTTP Basic passwords, raw bytes: by identity, or one for all."""


class Centre:
    """The sockets of a `CentralSystem`; made by `serve`."""

    def __init__(
        self,
        central: CentralSystem,
        path_prefix: str,
        passwords: Passwords | None,
        utc_s: Callable[[], float],
        answer_timeout_s: float,
    ) -> None:
        self.central = central
        self.url = ""
        """Where charge points find us; the identity is to be appended."""
        self.port = 0
        self._prefix = f"/{path_prefix.strip('/')}/".replace("//", "/")
        self._passwords = passwords
        self._utc_s = utc_s
        self._answer_timeout_s = answer_timeout_s
        self._sockets: dict[str, ServerConnection] = {}

    def listens(self, server: Server, is_secure: bool) -> None:
        """Note where the server listens: port 0 lets the operating system choose."""
        host, self.port = next(iter(server.sockets)).getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'wss' if is_secure else 'ws'}://{shown}:{self.port}{self._prefix}"

    def identity_of(self, target: str) -> str:
        """Return the identity in a request target, "" when there is none: the last segment (OCPP-J 1.6, 3.1.1).

        One with control characters is none: it could forge lines of a log.
        """
        path = target.partition("?")[0]
        if not path.startswith(self._prefix):
            return ""
        try:
            identity = unquote(path.rpartition("/")[2], errors="strict")
        except UnicodeDecodeError:
            return ""
        return identity if identity.isprintable() else ""

    # The handshake

    def judge_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the HTTP answer that refuses a request, None to go on."""
        identity = self.identity_of(request.path)
        if not identity:
            _LOG.warning("a request for %r names no charge point", request.path)
            return connection.respond(HTTPStatus.NOT_FOUND, "The path ends with the charge point identity.\n")
        if not self._is_authentic(identity, request):
            _LOG.warning("wrong or missing credentials", extra={"charger": identity})
            response = connection.respond(HTTPStatus.UNAUTHORIZED, "Wrong or missing credentials.\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
            return response
        return None

    def _is_authentic(self, identity: str, request: Request) -> bool:
        """Whether the user is the identity and the password is right (OCPP-J 1.6, 6.2.2).

        An identity without a password is turned away where others have one: a list that somebody took the trouble to
        write names all who may come.
        """
        if self._passwords is None:
            return True
        password = self._passwords if isinstance(self._passwords, bytes) else self._passwords.get(identity)
        headers = request.headers.get_all("Authorization")
        if password is None or len(headers) != 1:
            return False
        scheme, _, credentials = headers[0].partition(" ")
        try:
            # Not the library's parser: it wants text, and a key of OCPP is any bytes.
            given = b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, identity.encode() + b":" + password)

    @staticmethod
    def choose_subprotocol(_connection: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Return ours if it is offered. Else None, and `handle` closes.

        For the central system "MUST complete the WebSocket handshake with a response without a Sec-WebSocket-Protocol
        header and then immediately close the WebSocket connection" (OCPP-J 1.6, 3.2).
        """
        return SUBPROTOCOL if SUBPROTOCOL in offered else None

    # The connection

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one WebSocket until it ends."""
        assert connection.request is not None
        identity = self.identity_of(connection.request.path)
        if connection.subprotocol is None:
            await connection.close(CloseCode.PROTOCOL_ERROR, f"subprotocol {SUBPROTOCOL} is needed")
            return
        former = self._sockets.get(identity)
        self._sockets[identity] = connection
        # One identity, one socket: the former is most likely dead, and its end must not be waited for.
        self.central.connected(identity, partial(self._send, identity, connection))
        _LOG.info("%s", "connected" if former is None else "connected anew", extra={"charger": identity})
        try:
            if former is not None:
                former.transport.abort()
            await self._receive(identity, connection)
        finally:
            if self._sockets.get(identity) is connection:
                del self._sockets[identity]
                self.central.disconnected(identity)
                _LOG.info("disconnected", extra={"charger": identity})

    async def _receive(self, identity: str, connection: ServerConnection) -> None:
        try:
            async for text in connection:
                # What an abandoned socket still brings was answered, if at all, on the new one.
                if self._sockets.get(identity) is not connection:
                    return
                if isinstance(text, bytes):
                    await connection.close(CloseCode.UNSUPPORTED_DATA, "OCPP-J is text")
                    return
                self.central.receive(identity, text, self._utc_s())
        except ConnectionClosed as ended:
            if ended.sent is not None and ended.sent.code == CloseCode.MESSAGE_TOO_BIG:
                _LOG.warning("closed with 1009: %s", ended.sent.reason, extra={"charger": identity})

    def _send(self, identity: str, connection: ServerConnection, text: str) -> None:
        # The library's way to write at once; `send` waits, and the order of two tasks that wait is not ours to say.
        broadcast([connection], text)
        if connection.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            _LOG.warning("does not read what it is sent", extra={"charger": identity})
            connection.transport.abort()
        message_id = self.central.awaited(identity) if text.startswith("[2,") else None
        if message_id is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._answer_timeout_s, self.central.give_up, identity, message_id)


@asynccontextmanager
async def serve(
    central: CentralSystem,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    path_prefix: str = "/",
    passwords: Passwords | None = None,
    ssl_context: ssl.SSLContext | None = None,
    utc_s: Callable[[], float] = time.time,
    answer_timeout_s: float = 30.0,
    largest_message: int = LARGEST_MESSAGE,
) -> AsyncIterator[Centre]:
    """Let charge points connect to ``ws://host:port/prefix/identity`` while the context lasts.

    A message of more than ``largest_message`` bytes ends its connection with 1009 (RFC 6455, 7.4.1).
    At its end sockets are closed with 1001 (going away), and whoever does not answer that is cut off. Raises OSError
    when host or port cannot be had.
    """
    centre = Centre(central, path_prefix, passwords, utc_s, answer_timeout_s)
    options: dict[str, Any] = {} if ssl_context is None else {"ssl": ssl_context}
    async with serve_websockets(
        centre.handle,
        host,
        port,
        process_request=centre.judge_request,
        select_subprotocol=centre.choose_subprotocol,
        compression=None,
        # Charge points ping (WebSocketPingInterval); a task for each socket would only do the same again.
        ping_interval=None,
        close_timeout=2.0,
        max_size=largest_message,
        logger=_LIBRARY_LOG,
        **options,
    ) as server:
        centre.listens(server, ssl_context is not None)
        _LOG.info("listening on %s", centre.url)
        yield centre
