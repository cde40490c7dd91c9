"""Chargers on a running clock, joined to central systems over sockets: what `run`, `fleet` and `demo` start."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import Callable
from pathlib import Path
from random import Random

from chargepoint import RELEASE_DATE
from chargepoint.model.timebase import Calendar, Timers, utc_seconds

from .address import Address
from .assembly import ChargerPlan, assemble
from .charger import Charger, LinkPort
from .clock import RunningClock, wall_utc_s
from .connection import LinkSettings
from .link import Link
from .porter import Slots
from .pump import RunningPump
from .store import Durability, Store, file_stem


def open_store(data: Path, identity: str, durability: Durability = Durability.FULL) -> Store:
    """Open the store of a charger in its data directory. Raises StoreError."""
    return Store(data / f"{file_stem(identity)}.sqlite3", durability)


class Site:
    """Any number of chargers in this process. Create it inside the event loop, and `close` it there."""

    def __init__(
        self, store: Store, speed: float = 1.0, seed: int | str | None = None, *, patience_s: float = 0.0
    ) -> None:
        """``seed`` None: chance is chance. Else a run repeats as far as the wire lets it.

        ``patience_s``: wall seconds that samples and heartbeats may be late, so that chargers share a wake-up.
        """
        self.clock = RunningClock(speed)
        self.pump = RunningPump(store, self.clock, patience_s * speed)
        # Message ids must differ from those of an earlier life (OCPP-J erratum 3.1): the seed never stands alone.
        salt = secrets.token_hex(8) if seed is None else f"{seed}:{store.begin_life()}"
        self.rng = Random(salt)
        self._epoch_utc_s = wall_utc_s()
        self._slots = Slots()

    def utc_s(self) -> float:
        """UTC as this site's clock has it: ahead of the wall's when it runs faster."""
        return self._epoch_utc_s + self.clock.charge_s()

    def calendar(self, timers: Timers) -> Calendar:
        # On a clock that runs ahead of the central system's, only its first word can be followed.
        is_real = self.clock.is_real
        earliest_utc_s = utc_seconds(f"{RELEASE_DATE}T00:00:00Z") if is_real else None
        return Calendar(timers, self._epoch_utc_s, sets_once=not is_real, earliest_utc_s=earliest_utc_s)

    def add(
        self, plan: ChargerPlan, address: Address | Callable[[Charger], LinkPort], settings: LinkSettings | None = None
    ) -> Charger:
        """Build a charger that dials ``address``, or that has the link that ``address`` makes.

        Raises NotStepped for real hardware on an accelerated clock, ValueError for an impossible key.
        """

        def link(charger: Charger) -> LinkPort:
            if isinstance(address, Address):
                return Link(address, charger, self.pump, self.rng, settings)
            return address(charger)

        return assemble(plan, self.pump, self.rng, self.calendar, link, self._slots)

    @property
    def chargers(self) -> dict[str, Charger]:
        return self.pump.chargers

    @property
    def is_store_failing(self) -> bool:
        return self.pump.is_store_failing

    def settle_memory(self) -> None:
        """After start-up: what lives now lives long, the garbage collector need not look at it again."""
        gc.collect()
        gc.freeze()

    async def close(self, patience_s: float = 5.0) -> None:
        """Stop every charger: outlets dead, sockets closed in order, everything stored. `shutdown.end` does so in time."""
        for charger in self.chargers.values():
            charger.stop()
        deadline_s = self.clock.wire_s() + patience_s
        while self.clock.wire_s() < deadline_s and not all(c.link.is_idle for c in self.chargers.values()):
            self.pump.tell_time()
            await asyncio.sleep(0.02)
        await self.pump.close()
