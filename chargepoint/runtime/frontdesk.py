"""The front desk of a process: commands and live events for its chargers, over HTTP, JSON lines and MQTT.

Opened only where somebody asks for it: a charger without one costs nothing for it, not even the imports.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import IO, TYPE_CHECKING, Any

from hw.errors import ChargePointError

from .charger import Charger
from .control.admission import Admission
from .control.dispatcher import CommandDispatcher
from .control.events import Events
from .control.jsonlines import JsonLines
from .control.stdio import serve
from .site import Site

if TYPE_CHECKING:
    from .mqtt.bridge import Bridge
    from .mqtt.broker import Broker
    from .web.server import Listening


class NoWeb(ChargePointError):
    """The packages of the extra [web] are not installed."""


class NoMqtt(ChargePointError):
    """The packages of the extra [mqtt] are not installed."""


class FrontDesk:
    """Everything that brings commands to the chargers of a site."""

    def __init__(self, site: Site) -> None:
        self.events = Events()
        self.desk = CommandDispatcher(site.chargers, site.clock, lambda: site.is_store_failing)
        self._listening: Listening | None = None
        self._bridges: list[Bridge] = []
        self._rng = Random()

    def watch(self, charger: Charger) -> None:
        """Let onlookers see a charger. Call it before `Charger.start`."""
        self.events.watch(charger)

    async def listen(self, admission: Admission) -> str:
        """Take commands over HTTP; return the URL. Raises NoWeb, `web.server.CannotListen`."""
        try:
            from .web.app import Web
            from .web.server import listen
        except ModuleNotFoundError as error:
            raise NoWeb(f"{error.name} is missing: install chargepoint[web], or leave control out") from error
        self._listening = await listen(Web(self.desk, self.events, admission), admission.host, admission.port)
        return self._listening.url

    def publish(self, broker: Broker) -> None:
        """Put every charger that there is now on an MQTT broker, for as long as this desk is open. Raises NoMqtt."""
        try:
            from .mqtt.bridge import Bridge
        except ModuleNotFoundError as error:
            raise NoMqtt(f"{error.name} is missing: install chargepoint[mqtt], or leave mqtt out") from error
        for charger in self.desk.chargers.values():
            bridge = Bridge(self.desk, charger, broker, self._rng)
            bridge.start()
            self._bridges.append(bridge)

    async def take_lines(self, source: IO[Any], sink: IO[Any]) -> None:
        """Answer JSON lines until ``source`` ends."""
        await serve(JsonLines(self.desk), self.events, source.fileno(), sink.fileno())

    async def close(self) -> None:
        """Say goodbye to whoever is still there."""
        await asyncio.gather(*(bridge.close() for bridge in self._bridges))
        if self._listening is not None:
            await self._listening.close()
