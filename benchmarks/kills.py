"""Kill a charger at random moments, hundreds of times: is a transaction lost, doubled, or billed with the wrong energy?

    python -m benchmarks.kills                                # 500 kills, about 15 minutes
    python -m benchmarks.kills --kills 40 --seed 7            # a first look

Four setups share the kills: one and two outlets, full and relaxed durability. Each charger is a process of its own
(`chargepoint run`), killed with SIGKILL after a random time and started again on the same store. The central system is
written for this, on `websockets`: it starts and stops transactions at random, answers late or twice or with an error,
closes sockets with and without a close frame, and writes every message into a ledger. After the last kill it behaves until
everything has been delivered, then the ledger is compared with the meters:

* every StartTransaction has exactly one StopTransaction, and neither comes with two contents,
* no message is among the undelivered,
* the meterStop of a transaction is the meterStart of the next at that connector,
* the sum of all sessions is the difference of the registers of the simulated meters, to the Wh.

Exit code 0 if all of it holds, 1 if not. Each line printed is one setup, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SPEED = 30.0
LONGEST_RUN_S = 8.0
QUIET_S = 5
"""Seconds without a message after which everything counts as delivered."""
GRACE_S = 90.0
"""How long the delivery of everything may take after the last kill, in wall time."""
MISBEHAVIOUR = 0.15
"""Share of calls that the central system does not answer in order."""

OUTLET = """\
  - rated: {{current_a: 32, phases: 3, voltage_v: 230}}
    cable: {{kind: tethered, rating_a: 32}}
    pilot: {{driver: sim.pilot}}
    relay: {{driver: sim.relay}}
    meter: {{driver: sim.meter}}
    car: {{driver: sim.car, model: {car}, soc: 5%, plugged: true}}
"""
CONFIGURATION = """\
identity: CP1
board: board.yaml
central_system: {{url: "ws://127.0.0.1:{port}/"}}
durability: {durability}
clock: {{speed: {speed}}}
timing: {{boot_retry: 1s, reconnect_minimum: 0.1s, reconnect_random: 0.1s, reconnect_doublings: 2}}
keys:
  MeterValueSampleInterval: 30
  MessageTimeout: 2
  TransactionMessageAttempts: 1000
  TransactionMessageRetryInterval: 0
  ConnectionTimeOut: 0
"""


@dataclass
class Ledger:
    """What the central system has seen, each content once."""

    starts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By encoded payload, in order of arrival."""
    numbers: dict[str, int] = field(default_factory=dict)
    stops: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    repeated: int = 0

    def start(self, payload: dict[str, Any]) -> int:
        """Take a StartTransaction; a repetition gets the number that the first one got."""
        content = json.dumps(payload, sort_keys=True)
        if content in self.starts:
            self.repeated += 1
        else:
            self.starts[content] = payload
            self.numbers[content] = len(self.starts)
        return self.numbers[content]

    def stop(self, payload: dict[str, Any]) -> None:
        """Take a StopTransaction."""
        known = self.stops[payload["transactionId"]]
        if payload in known:
            self.repeated += 1
        else:
            known.append(payload)

    def sessions(self, connector: int) -> list[tuple[int, int | None]]:
        """Return meterStart and meterStop of the transactions of a connector, in order."""
        return [
            (payload["meterStart"], stops[0]["meterStop"] if (stops := self.stops.get(self.numbers[content])) else None)
            for content, payload in self.starts.items()
            if payload["connectorId"] == connector
        ]


class CentralSystem:
    """One charger's central system: unreliable until `behaves`."""

    def __init__(self, chance: Random, outlets: int) -> None:
        self.ledger = Ledger()
        self.behaves = False
        self.is_silent = False
        """Answers nothing, so that messages pile up in the store of the charger."""
        self.status: dict[int, str] = {}
        self.frames = 0
        self._chance = chance
        self.outlets = outlets
        self._calls = 0
        self._connection: ServerConnection | None = None

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one socket until it ends."""
        self._connection = connection
        try:
            async for text in connection:
                self.frames += 1
                message = json.loads(text)
                if message[0] == 2:
                    await self._answer(connection, *message[1:])
        except ConnectionClosed:
            pass

    async def _answer(self, connection: ServerConnection, message_id: str, action: str, payload: Any) -> None:
        if self.is_silent:
            return
        chance = self._chance
        is_odd = not self.behaves and chance.random() < MISBEHAVIOUR
        oddity = chance.choice(("close", "abort", "forget", "error", "twice", "late", "last")) if is_odd else ""
        if oddity in ("close", "abort", "error") and chance.random() < 0.5:
            oddity += " unread"
        if not oddity.endswith("unread"):
            answer = self._take(action, payload)
        if oddity.startswith("close"):
            await connection.close(1011, "out of order")
            return
        if oddity.startswith("abort"):
            connection.transport.abort()
            return
        if oddity == "forget":
            return
        if oddity.startswith("error"):
            await connection.send(json.dumps([4, message_id, "InternalError", "out of order", {}]))
            return
        if oddity == "late":
            await asyncio.sleep(chance.uniform(0.1, 1.0))
        text = json.dumps([3, message_id, answer])
        await connection.send(text)
        if oddity == "twice":
            await connection.send(text)
        elif oddity == "last":
            connection.transport.abort()

    def _take(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        accepted = {"idTagInfo": {"status": "Accepted"}}
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "StartTransaction":
            return {**accepted, "transactionId": self.ledger.start(payload)}
        if action == "StopTransaction":
            self.ledger.stop(payload)
            return accepted
        if action == "StatusNotification":
            self.status[payload["connectorId"]] = payload["status"]
        return accepted if action == "Authorize" else {}

    async def command(self, action: str, payload: dict[str, Any]) -> None:
        """Call the charger, if it is there; nobody looks at the answer."""
        self._calls += 1
        if self._connection is not None:
            with suppress(ConnectionClosed):
                await self._connection.send(json.dumps([2, f"cs-{self._calls}", action, payload]))

    async def keep_busy(self) -> None:
        """Start and stop transactions at random."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.05, 0.6))
            connector = self._chance.randint(1, self.outlets)
            status = self.status.get(connector)
            if status in ("Preparing", "Finishing", "Available"):
                await self.command("RemoteStartTransaction", {"connectorId": connector, "idTag": f"T{connector}"})
            elif status in ("Charging", "SuspendedEV") and self._chance.random() < 0.15:
                await self._stop(connector)

    async def _stop(self, connector: int) -> None:
        for content, payload in reversed(self.ledger.starts.items()):
            if payload["connectorId"] == connector:
                await self.command("RemoteStopTransaction", {"transactionId": self.ledger.numbers[content]})
                return

    async def stop_all(self) -> None:
        """End whatever runs."""
        for connector in range(1, self.outlets + 1):
            await self._stop(connector)


@dataclass
class Result:
    """What came of one setup."""

    setup: str
    kills: int
    frames: int = 0
    transactions: int = 0
    repeated: int = 0
    energy_wh: int = 0
    faults: list[str] = field(default_factory=list)


def registers_wh(store: Path) -> list[int]:
    """Return what the simulated meters of a stored board show, in whole Wh."""
    with closing(sqlite3.connect(store)) as database:
        (text,) = database.execute("SELECT body FROM record WHERE kind = 'board'").fetchone()
    return [math.floor(sum(process["register_wh"]) + 1e-6) for process in json.loads(text)["processes"]]


def undelivered(store: Path) -> int:
    """Return how many messages were given up."""
    with closing(sqlite3.connect(store)) as database:
        return int(database.execute("SELECT count(*) FROM record WHERE kind = 'undelivered'").fetchone()[0])


def judge(central: CentralSystem, result: Result, store: Path, outlets: int) -> None:
    """Compare ledger and meters, and note every fault."""
    ledger = central.ledger
    for number, stops in ledger.stops.items():
        if len(stops) > 1:
            result.faults.append(f"transaction {number} has {len(stops)} different stops: {stops}")
        if number not in ledger.numbers.values():
            result.faults.append(f"a stop of an unknown transaction {number}: {stops}")
    shown_wh = registers_wh(store)
    for connector in range(1, outlets + 1):
        sessions = ledger.sessions(connector)
        result.transactions += len(sessions)
        for begin_wh, end_wh in sessions:
            if end_wh is None:
                result.faults.append(f"connector {connector}: the transaction from {begin_wh} Wh has no stop")
        ends = [end_wh for _, end_wh in sessions]
        begins = [begin_wh for begin_wh, _ in sessions]
        for end_wh, begin_wh in zip(ends, begins[1:], strict=False):
            if end_wh != begin_wh:
                result.faults.append(f"connector {connector}: a stop at {end_wh} Wh, the next start at {begin_wh} Wh")
        total_wh = sum(end_wh - begin_wh for begin_wh, end_wh in sessions if end_wh is not None)
        result.energy_wh += total_wh
        if sessions and total_wh != (counted_wh := shown_wh[connector - 1] - begins[0]):
            result.faults.append(f"connector {connector}: sessions of {total_wh} Wh, the meter counted {counted_wh} Wh")
    if lost := undelivered(store):
        result.faults.append(f"{lost} messages were given up")
    if not result.transactions or not result.energy_wh:
        result.faults.append("nothing was charged: the run proves nothing")


async def launch(folder: Path, log: Path) -> asyncio.subprocess.Process:
    """Start the charger."""
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chargepoint", "run", "-c", str(folder / "chargepoint.yaml"),
            stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip


async def until_delivered(central: CentralSystem) -> bool:
    """Stop what runs; return whether every start got its stop and the charger fell silent in time."""
    quiet_s = 0
    for _ in range(int(GRACE_S)):
        await central.stop_all()
        before = central.frames
        await asyncio.sleep(1.0)
        ledger = central.ledger
        is_complete = all(ledger.stops.get(number) for number in ledger.numbers.values())
        # Answers to the RemoteStopTransaction of this loop are frames as well: one for each outlet that had a transaction.
        quiet_s = quiet_s + 1 if is_complete and central.frames - before <= central.outlets else 0
        if quiet_s == QUIET_S:
            return True
    return False


async def run_setup(outlets: int, durability: str, kills: int, seed: int) -> Result:
    """Live through one setup."""
    setup = f"{outlets} outlets, {durability}"
    chance = Random(f"{setup}:{seed}")
    central = CentralSystem(chance, outlets)
    result = Result(setup, kills)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cars = ("bev_3p32_22", "bev_3p16_large")[:outlets]
        (folder / "board.yaml").write_text("connectors:\n" + "".join(OUTLET.format(car=car) for car in cars))
        store = folder / "chargepoint-data" / "CP1.sqlite3"
        async with serve(central.serve, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
            port = server.sockets[0].getsockname()[1]
            (folder / "chargepoint.yaml").write_text(
                CONFIGURATION.format(port=port, durability=durability, speed=SPEED)
            )
            busy = asyncio.create_task(central.keep_busy())
            for _ in range(kills):
                process = await launch(folder, folder / "log")
                await asyncio.sleep(chance.uniform(0.3, LONGEST_RUN_S))
                if process.returncode is None:
                    process.kill()
                if await process.wait() != -signal.SIGKILL:
                    result.faults.append(f"ended by itself with code {process.returncode}")
                    break
            busy.cancel()
            if result.faults:
                print((folder / "log").read_text("utf-8", "replace"), file=sys.stderr)
                return result
            central.behaves = True
            process = await launch(folder, folder / "log")
            if not await until_delivered(central):
                result.faults.append(f"not everything was delivered within {GRACE_S:.0f} s after the last kill")
            if process.returncode is None:
                process.terminate()
            else:
                result.faults.append(f"ended by itself with code {process.returncode}")
            await process.wait()
        result.frames, result.repeated = central.frames, central.ledger.repeated
        judge(central, result, store, outlets)
        if result.faults:
            print((folder / "log").read_text("utf-8", "replace")[-20_000:], file=sys.stderr)
    return result


async def main(arguments: Sequence[str] | None = None) -> int:
    """Run all setups side by side; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=500, help="shared by the four setups")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--together", type=int, default=2, help="setups at a time")
    told = parser.parse_args(arguments)
    gate = asyncio.Semaphore(told.together)
    is_right = True

    async def one(outlets: int, durability: str) -> None:
        nonlocal is_right
        async with gate:
            result = await run_setup(outlets, durability, math.ceil(told.kills / 4), told.seed)
        is_right = is_right and not result.faults
        print(json.dumps(vars(result)), flush=True)

    await asyncio.gather(*(one(outlets, each) for outlets in (1, 2) for each in ("full", "relaxed")))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
