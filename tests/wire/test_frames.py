"""Random and broken frames over a real socket, and what is no frame at all: too long, no text, no UTF-8.

What may come of a frame is what `tests.properties.frame_oracle` says; the other end is a bare WebSocket server.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chargepoint.runtime.connection import LinkSettings
from tests.properties.frame_oracle import SERVED, Expected, Surroundings, expected, judge
from tests.properties.frame_source import FrameSource
from tests.watch import no_exception_logged
from tests.wire.independent import PATIENCE_S, until, wallbox

FRAMES = 2_000
A_BATCH = 25
AT_ONCE = LinkSettings(retry_minimum_s=0.02, retry_random_s=0.01, retry_doublings=0, close_timeout_s=5.0)
NOON = "2026-01-15T12:00:00.000Z"

BREACHES: tuple[tuple[int, list[bytes], bool], ...] = (
    (1009, [b"x" * (LinkSettings().largest_message + 1)], True),
    (1009, [b'[2,"big","DataTransfer",{"vendorId":"'] + [b"x" * 2**18] * 5, True),
    (1007, [b'[2,"half","DataTransfer",{"vendorId":"\xff"}]'], True),
    (1007, [b'[2,"half","Dat', b"aTransfer\xc3", b'",{}]'], True),
    (1003, [b'[2,"binary","GetLocalListVersion",{}]'], False),
)
"""What ends a connection: the close code (RFC 6455, 7.4.1), the fragments of a message, whether it calls itself text."""


WAITING = ("SendLocalList",)
"""Actions whose answer waits for the store: what was sent after them may be answered first."""


class Sender:
    """A central system that accepts everything, and keeps what the charger answers."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.answers: asyncio.Queue[tuple[str, list[Any]]] = asyncio.Queue()

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.put_nowait(connection)
        with suppress(ConnectionClosed):
            async for text in connection:
                frame = json.loads(text)
                if frame[0] == 2:
                    await connection.send(json.dumps([3, frame[1], self._answer_to(frame[2])]))
                else:
                    self.answers.put_nowait((str(text), frame))

    def _answer_to(self, action: str) -> dict[str, Any]:
        info = {"status": "Accepted"}
        answers: dict[str, dict[str, Any]] = {
            "BootNotification": {"status": "Accepted", "currentTime": NOON, "interval": 3_600},
            "Heartbeat": {"currentTime": NOON},
            "Authorize": {"idTagInfo": info},
            "StartTransaction": {"idTagInfo": info, "transactionId": 1},
            "DataTransfer": info,
        }
        return answers.get(action, {})

    async def connection(self) -> ServerConnection:
        return await asyncio.wait_for(self.connections.get(), PATIENCE_S)

    async def answers_to(self, *message_ids: str) -> list[tuple[str, list[Any]]]:
        """Return what is answered until all of some calls are."""
        came: list[tuple[str, list[Any]]] = []
        missing = set(message_ids)
        while missing:
            came.append(await asyncio.wait_for(self.answers.get(), PATIENCE_S))
            missing.discard(came[-1][1][1])
        return came


def compare(sent: list[tuple[str, Expected]], came: list[tuple[str, list[Any]]]) -> None:
    """Hold answers against what was expected, in the order in which it was sent.

    Only an answer to SendLocalList, which waits for the store, may be overtaken.
    """
    left = list(came)
    for text, wanted in sent:
        place = 0
        if wanted.action in WAITING:
            place = next((index for index, (_text, frame) in enumerate(left) if frame[1] == wanted.message_id), 0)
        is_answered = bool(left) and left[place][1][1] == wanted.message_id
        if wanted.message_id is not None and (is_answered or not wanted.may_be_silent):
            assert is_answered, f"not answered: {text[:1_000]}"
            answer, frame = left.pop(place)
            problem = judge(frame, answer, wanted)
            assert problem is None, f"{text[:1_000]}: {answer[:500]}: {problem}"
    assert left == []


@pytest.mark.timeout(120)
async def test_whatever_comes_over_the_socket_is_answered_or_ends_it_with_the_right_code() -> None:
    """OCPP-J 1.6, 4.1.2: messages are text in UTF-8; RFC 6455, 7.4.1: 1003, 1007, 1009. Afterwards we are back (5.4)."""
    rng, sender = Random(1), Sender()
    source = FrameSource(rng, SERVED - {"Reset", "UpdateFirmware"})
    async with serve(
        sender.serve,
        "127.0.0.1",
        0,
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        compression=None,
        max_size=None,
        ping_interval=None,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with no_exception_logged() as logged:
            async with wallbox(f"ws://127.0.0.1:{port}/ocpp", settings=AT_ONCE) as box:
                connection = await sender.connection()
                await until(lambda: box.charger.model.session.is_online, "a charger that is accepted")
                await connection.send('[2,"keys","GetConfiguration",{}]')
                told = (await sender.answers_to("keys"))[-1][1][2]["configurationKey"]
                here = Surroundings(1, keys={each["key"].lower(): each["readonly"] for each in told})
                for number in range(FRAMES // A_BATCH):
                    fence = f"fence-{number}"
                    texts = [*(source.draw() for _ in range(A_BATCH)), f'[2,"{fence}","GetLocalListVersion",{{}}]']
                    for text in texts:
                        await connection.send(text)
                    sent = [(text, expected(text, here)) for text in texts]
                    late = [each for _text, each in sent if each.action in WAITING and not each.may_be_silent]
                    compare(sent, await sender.answers_to(fence, *(each.message_id for each in late if each.message_id)))
                    if number % 4 == 3:
                        code, fragments, is_text = BREACHES[number // 4 % len(BREACHES)]
                        await connection.send(fragments if len(fragments) > 1 else fragments[0], text=is_text)
                        await asyncio.wait_for(connection.wait_closed(), PATIENCE_S)
                        assert connection.close_code == code
                        connection = await sender.connection()
                await until(lambda: box.charger.model.session.is_online, "a charger that is back")
        assert logged == []
