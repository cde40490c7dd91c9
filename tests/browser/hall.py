"""What the page shows: chargers in this process on an accelerated clock, and their central system, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from chargepoint.model import wire
from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.central_records import Transaction
from chargepoint.runtime.central_system import CentralSystem
from chargepoint.runtime.centre import serve
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.connection import LinkSettings
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.frontdesk import FrontDesk
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from tests.runtime.desk import until

SPEED = 60.0
PROMPT = LinkSettings(retry_minimum_s=0.1, retry_random_s=0.0)
ANY_PORT = Admission(port=0)
WITH_LINK = Admission(port=0, start_link="https://pay.example.com/{id}/{connector}")
KEYS = {
    "MeterValueSampleInterval": "10",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
    "LocalAuthorizeOffline": "true",
    "AllowOfflineTxForUnknownId": "true",
    "ConnectionTimeOut": "3600",  # a minute is a second here, and a click may take longer
}


@dataclass
class Hall:
    """Chargers CP1, CP2 … that were accepted, and where their page is."""

    url: str
    chargers: list[Charger]
    central: CentralSystem
    front: FrontDesk
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Actions that the central system was called with, and their payloads."""

    @property
    def charger(self) -> Charger:
        return self.chargers[0]

    def status(self, connector: int = 1) -> str:
        return self.charger.model.connector(connector).status.value

    def transactions(self) -> list[Transaction]:
        """What the central system knows of the first charger's transactions, oldest first."""
        return list(self.central.chargers[self.charger.identity].transactions.values())

    def call(self, action: str, **payload: object) -> None:
        """Let the central system call the first charger."""
        self.central.call(self.charger.identity, wire.decode_call(action, payload))


@asynccontextmanager
async def hall(
    board: str = "ac11-sim", count: int = 1, admission: Admission = ANY_PORT, keys: Mapping[str, str] | None = None
) -> AsyncIterator[Hall]:
    """Open a hall and its page."""
    store = Store(None, Durability.RELAXED)
    site = Site(store, SPEED, seed=1)
    central = CentralSystem(Random(1))
    heard: list[tuple[str, str]] = []
    central.watchers.append(lambda exchange: heard.append((exchange.action, str(exchange.request))))
    front = FrontDesk(site)
    async with serve(central, path_prefix="/ocpp", utc_s=site.utc_s) as centre:
        for number in range(1, count + 1):
            identity = f"CP{number}"
            plan = ChargerPlan(identity=identity, board=plan_board(board), keys={**KEYS, **(keys or {})}, seed=number)
            charger = site.add(plan, Address(url=centre.url, identity=identity), PROMPT)
            front.watch(charger)
            charger.start()
        url = await front.listen(admission)
        chargers = list(site.chargers.values())
        await until(lambda: all(each.model.session.is_online for each in chargers), "every charger accepted")
        try:
            yield Hall(url, chargers, central, front, heard)
        finally:
            await front.close()
            await site.close()
    store.close()
