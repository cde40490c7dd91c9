"""A front desk that listens on loopback, over chargers whose links end at a desk in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.frontdesk import FrontDesk
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from tests.runtime.desk import PATIENCE_S, Desk, until


class Held(Desk):
    """A desk whose network can be taken away."""

    def hold(self, network_down: bool) -> None:
        if network_down:
            self.drop()
        else:
            self._open()


@dataclass
class Office:
    """What listens at ``url``, and a client that asks it."""

    url: str
    site: Site
    front: FrontDesk
    chargers: list[Charger]
    http: httpx.AsyncClient

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    async def ask(self, verb: str, charger: str = "CP1", **query: Any) -> Any:
        answer = await self.http.get(f"/api/v1/chargers/{charger}/{verb}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, verb: str, charger: str = "CP1", **arguments: Any) -> Any:
        answer = await self.http.post(f"/api/v1/chargers/{charger}/{verb}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def comes_to(self, status: str) -> None:
        """Wait until the first connector of the first charger has a status."""
        await until(lambda: self.chargers[0].model.connectors[0].status.value == status, status)

    async def raw(self, request: bytes) -> tuple[int, bytes]:
        """Send bytes as they are; return the status of the answer and all of it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(request)
                answer = await reader.read()
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1]), answer


@asynccontextmanager
async def office(
    count: int = 1,
    speed: float = 60.0,
    board: str = "ac11-sim",
    prefix: str = "CP",
    store: Store | None = None,
    **admission: Any,
) -> AsyncIterator[Office]:
    """Open a front desk over chargers CP1, CP2 …, all of them booted."""
    store = store or Store(None, Durability.RELAXED)
    site = Site(store, speed, seed=1)
    front = FrontDesk(site)
    plans = [ChargerPlan(identity=f"{prefix}{number}", board=plan_board(board)) for number in range(1, count + 1)]
    chargers = [site.add(plan, Held) for plan in plans]
    for charger in chargers:
        front.watch(charger)
    url = await front.listen(Admission(port=0, **admission))
    try:
        for charger in chargers:
            charger.start()
        await until(lambda: all(each.model.session.is_online for each in chargers), "the boot")
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False) as http:
            yield Office(url, site, front, chargers, http)
    finally:
        await front.close()
        await site.close()
        store.close()
