"""What anyone would write first: charge points from the README of the ``ocpp`` package, on ``websockets``.

Usage: ``python -m benchmarks.plain_client --url ws://… --count 100 --interval 10``. Each boots, tells its status, charges
on RemoteStartTransaction with a MeterValues every interval, and answers TriggerMessage. It is the measure of the other
figures, so it is left as plain as it is: validation, logging and compression as the packages have them by default.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators
from __future__ import annotations

import argparse
import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Action, RegistrationStatus

DIALS_AT_ONCE = 50


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class ChargePoint(OcppChargePoint):
    def __init__(self, identity: str, connection: Any, interval_s: float) -> None:
        super().__init__(identity, connection)
        self.interval_s = interval_s
        self.transaction_id: int | None = None
        self.energy_wh = 0
        self.tasks: list[asyncio.Task[Any]] = []

    async def boot(self) -> None:
        request = call.BootNotification(charge_point_model="Wallbox XYZ", charge_point_vendor="The Mobility House")
        response = await self.call(request)
        if response.status == RegistrationStatus.accepted:
            await self.tell("Available")
            self.tasks.append(asyncio.create_task(self.beat(response.interval)))

    async def beat(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self.call(call.Heartbeat())

    async def tell(self, status: str) -> None:
        request = call.StatusNotification(connector_id=1, error_code="NoError", status=status, timestamp=utc_now())  # type: ignore[arg-type]
        await self.call(request)

    async def charge(self, id_tag: str) -> None:
        await self.call(call.Authorize(id_tag=id_tag))
        request = call.StartTransaction(connector_id=1, id_tag=id_tag, meter_start=self.energy_wh, timestamp=utc_now())
        response = await self.call(request)
        self.transaction_id = response.transaction_id
        await self.tell("Charging")
        while True:
            await asyncio.sleep(self.interval_s)
            self.energy_wh += 31
            await self.sample()

    async def sample(self) -> None:
        value = {"value": str(self.energy_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        meter_value: Any = [{"timestamp": utc_now(), "sampled_value": [value]}]
        await self.call(call.MeterValues(connector_id=1, transaction_id=self.transaction_id, meter_value=meter_value))

    @on(Action.remote_start_transaction)
    def on_remote_start(self, id_tag: str, **_more: Any) -> Any:
        self.tasks.append(asyncio.create_task(self.charge(id_tag)))
        return call_result.RemoteStartTransaction(status="Accepted")  # type: ignore[arg-type]

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, **_more: Any) -> Any:
        if requested_message != "StatusNotification":
            return call_result.TriggerMessage(status="NotImplemented")  # type: ignore[arg-type]
        task = asyncio.create_task(self.tell("Charging" if self.transaction_id else "Available"))
        self.tasks = [each for each in self.tasks if not each.done()] + [task]
        return call_result.TriggerMessage(status="Accepted")  # type: ignore[arg-type]


async def live(url: str, identity: str, interval_s: float, door: asyncio.Semaphore) -> None:
    async with door:
        connection = await websockets.connect(f"{url}/{identity}", subprotocols=["ocpp1.6"], open_timeout=60)  # type: ignore[list-item]
        charge_point = ChargePoint(identity, connection, interval_s)
        reading = asyncio.create_task(charge_point.start())
        await charge_point.boot()
    await reading


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--interval", type=float, default=10.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    door = asyncio.Semaphore(DIALS_AT_ONCE)
    await asyncio.gather(*(live(options.url, f"CP{n}", options.interval, door) for n in range(options.count)))


if __name__ == "__main__":
    asyncio.run(main())
