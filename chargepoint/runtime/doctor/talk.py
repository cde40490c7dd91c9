"""One WebSocket of the doctor: a handshake, a few texts, a close in order. No pings, no second try."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State

from chargepoint.runtime.destination import Destination
from chargepoint.runtime.dialfailure import DialFailure, subprotocol_failure

from .findings import body_start

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

_CLOSE_TIMEOUT_S = 2.0
_READ_BYTES = 65_536

_LOG = logging.getLogger(__name__)
_SILENT = logging.getLogger(f"{__name__}.library")
"""The library's debug log has every header, and so the Basic credentials: it is never on."""
_SILENT.disabled = True


class NotOpened(Exception):
    """The handshake ended otherwise: ``outcome`` is where it leads, or why it failed; ``seen`` what the server said."""

    def __init__(self, outcome: Destination | DialFailure, seen: str) -> None:
        super().__init__(outcome, seen)
        self.outcome = outcome
        self.seen = seen


class Talk:
    """A connected socket on which a WebSocket is opened. `close` it in any case."""

    def __init__(
        self,
        destination: Destination,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        subprotocols: Sequence[str] = (),
    ) -> None:
        self.destination = destination
        self._reader = reader
        self._writer = writer
        self._partial = b""
        self._texts: list[str] = []
        self._protocol = ClientProtocol(
            destination.uri,
            subprotocols=cast("Sequence[Subprotocol]", subprotocols or destination.address.subprotocols),
            logger=_SILENT,
        )

    @property
    def subprotocol(self) -> str | None:
        """What the server chose."""
        return self._protocol.subprotocol

    async def open(self) -> str:
        """Make the handshake; return what the server said of itself. Raises NotOpened, and OSError of the socket."""
        protocol = self._protocol
        request = protocol.connect()
        for name, value in self.destination.request_headers():
            request.headers[name] = value
        protocol.send_request(request)
        while True:
            await self._flush()
            said = None
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
                elif isinstance(event, Response):
                    said = f"HTTP 101, {_server(event)}"
            if protocol.handshake_exc is not None:
                raise NotOpened(self.destination.after(protocol.handshake_exc), _said(protocol.handshake_exc))
            if said is not None:
                return said
            await self._read()

    def unnamed(self) -> DialFailure:
        """Return the failure of a server that opened the WebSocket and chose no subprotocol."""
        return subprotocol_failure("the server chose no subprotocol", self.destination.address)

    async def send(self, text: str) -> None:
        """Send a text, unless the other end has closed already: `receive` tells that. Raises OSError."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text.encode())
            await self._flush()

    async def receive(self) -> str | None:
        """Return the next text, None when the other end is gone; `closing` then says how."""
        while not self._texts:
            if self._protocol.state is not State.OPEN or self._reader.at_eof():
                return None
            await self._read()
            await self._flush()
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
        return self._texts.pop(0)

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._partial += bytes(frame.data)
            if frame.fin:
                self._texts.append(self._partial.decode("utf-8", "replace"))
                self._partial = b""

    @property
    def closing(self) -> str:
        """How the other end closed."""
        received = self._protocol.close_rcvd
        if received is None:
            return "without a Close frame"
        return f"code {received.code}, {received.reason or 'no reason'}"

    async def close(self) -> None:
        """End it: by a closing handshake where there is a WebSocket, then the socket."""
        protocol = self._protocol
        try:
            if protocol.state is State.OPEN:
                protocol.send_close(CloseCode.NORMAL_CLOSURE)
                await self._flush()
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                while protocol.state is State.CLOSING and not self._reader.at_eof():
                    await self._read()
        except OSError as error:  # TimeoutError is one
            _LOG.debug("the socket did not close in order: %r", error)
        finally:
            self._writer.transport.abort()

    async def _read(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
        await self._writer.drain()


def _server(response: Response) -> str:
    return f"Server: {response.headers.get('Server', 'not named')}"


def _said(error: Exception) -> str:
    if not isinstance(error, InvalidStatus):
        return ""
    response = error.response
    body = body_start(bytes(response.body or b""))
    return f"{_server(response)}, body: {body!r}" if body else _server(response)
