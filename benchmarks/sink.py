"""A central system that only measures: it answers everything with the shortest legal answer, counts, and calls.

Usage: ``python -m benchmarks.sink``. It listens on a free port of the loopback, prints ``{"port": …}``, then takes one
JSON object a line on stdin and answers each with one a line on stdout; the end of stdin ends it::

    {"do": "wait", "what": "booted", "count": 100, "timeout_s": 60}   or what: told (a status), started
    {"do": "reset"}                                                   zero what is counted
    {"do": "stats"}                                                   what was counted since
    {"do": "call", "action": …, "payload": {…}, "rate": 200, "count": 1000}      open loop, round the chargers
    {"do": "flood", "action": …, "payload": {…}, "seconds": 5}        closed loop, one call in flight a charger
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

ACCEPTED = '"idTagInfo":{"status":"Accepted"}'
ANSWERS = {
    "Authorize": f"{{{ACCEPTED}}}",
    "StopTransaction": f"{{{ACCEPTED}}}",
    "DataTransfer": '{"status":"Accepted"}',
}
GIVE_UP_S = 20.0
LOOK_S = 0.005


def milliseconds(latencies: list[float], share: float) -> float | None:
    ordered = sorted(latencies)
    return round(1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) if ordered else None


class Sink:
    """All chargers that are connected, and what was counted."""

    def __init__(self) -> None:
        self.connections: dict[str, ServerConnection] = {}
        self.reached: dict[str, set[str]] = {"booted": set(), "told": set(), "started": set()}
        self.flood: tuple[str, str] | None = None
        self._ids = count(1)
        self._transactions = count(1)
        self._pending: dict[str, float] = {}
        self.reset()

    def reset(self) -> None:
        self.calls: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.latencies: list[float] = []

    def stats(self) -> dict[str, Any]:
        return {
            "calls": self.calls.total(),
            "answers": self.answers.total(),
            "by": dict(self.calls + self.answers),
            "p50_ms": milliseconds(self.latencies, 0.5),
            "p99_ms": milliseconds(self.latencies, 0.99),
            "unanswered": len(self._pending),
        }

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        identity = connection.request.path.rsplit("/", 1)[-1]
        self.connections[identity] = connection
        try:
            async for text in connection:
                await self._receive(identity, connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.connections.pop(identity, None)

    async def _receive(self, identity: str, connection: ServerConnection, frame: list[Any]) -> None:
        if frame[0] == 2:
            action = frame[2]
            self.calls[action] += 1
            await connection.send(f"[3,{json.dumps(frame[1])},{self._answer(identity, action)}]")
            return
        sent_s = self._pending.pop(frame[1], None)
        if sent_s is not None:
            self.latencies.append(time.monotonic() - sent_s)
            self.answers[frame[2].get("status", "") if frame[0] == 3 else "CALLERROR"] += 1
            if self.flood is not None:
                await self._call(connection, *self.flood)

    def _answer(self, identity: str, action: str) -> str:
        if action == "StatusNotification":
            self.reached["told"].add(identity)
        elif action == "StartTransaction":
            self.reached["started"].add(identity)
            return f'{{"transactionId":{next(self._transactions)},{ACCEPTED}}}'
        elif action in ("BootNotification", "Heartbeat"):
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if action == "Heartbeat":
                return f'{{"currentTime":"{now}"}}'
            self.reached["booted"].add(identity)
            return f'{{"status":"Accepted","currentTime":"{now}","interval":3600}}'
        return ANSWERS.get(action, "{}")

    async def _call(self, connection: ServerConnection, action: str, payload: str) -> None:
        message_id = f"s{next(self._ids)}"
        self._pending[message_id] = time.monotonic()
        await connection.send(f'[2,"{message_id}","{action}",{payload}]')

    # --- commands -----------------------------------------------------------------------------------------------------

    async def obey(self, do: str, **options: Any) -> dict[str, Any]:
        if do == "wait":
            return await self._wait(**options)
        if do == "call":
            return await self._call_many(**options)
        if do == "flood":
            return await self._run_flood(**options)
        if do == "reset":
            self.reset()
        return self.stats()

    async def _wait(self, what: str, count: int, timeout_s: float = 60.0) -> dict[str, Any]:
        for _look in range(int(timeout_s / LOOK_S)):
            if len(self.reached[what]) >= count:
                break
            await asyncio.sleep(LOOK_S)
        return {"count": len(self.reached[what])}

    async def _call_many(self, action: str, payload: object, rate: float, count: int) -> dict[str, Any]:
        connections, text = list(self.connections.values()), json.dumps(payload)
        begin_s, sent = time.monotonic(), 0
        while sent < count:
            due = min(count, int((time.monotonic() - begin_s) * rate) + 1)
            while sent < due:
                await self._call(connections[sent % len(connections)], action, text)
                sent += 1
            await asyncio.sleep(0.002)
        for _look in range(int(GIVE_UP_S / LOOK_S)):
            if not self._pending:
                break
            await asyncio.sleep(LOOK_S)
        return {**self.stats(), "seconds": round(time.monotonic() - begin_s, 3)}

    async def _run_flood(self, action: str, payload: object, seconds: float) -> dict[str, Any]:
        self.flood = (action, json.dumps(payload))
        for connection in list(self.connections.values()):
            await self._call(connection, *self.flood)
        await asyncio.sleep(seconds)
        self.flood = None
        stats = self.stats()
        await asyncio.sleep(1.0)
        self._pending.clear()
        return {**stats, "seconds": seconds}


async def main() -> None:
    sink = Sink()
    async with serve(
        sink.serve,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("ocpp1.6")],
        compression=None,
        ping_interval=None,
        max_queue=None,
    ) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := await commands.readline():
            print(json.dumps(await sink.obey(**json.loads(line))), flush=True)
        server.close(close_connections=True)


if __name__ == "__main__":
    asyncio.run(main())
