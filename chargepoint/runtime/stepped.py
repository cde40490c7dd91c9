"""Chargers and their central system in one process, on a clock that jumps: a night in seconds, and every night the same.

    site = SteppedSite(start_utc_s=…, seed=7)
    site.add(ChargerPlan(identity="CP1", board=plan_board("ac11-sim")))
    site.act("CP1", lambda board, now_s: board.outlet(1).hands.plug_in(now_s))
    site.run_for(3600.0)

Nothing here is real but the store: boards are simulated, wires are in memory, and no clock is read.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from chargepoint.model.timebase import Calendar, Timers
from hw.ports import Board

from .assembly import ChargerPlan, assemble
from .central_system import CentralSystem
from .charger import Charger
from .pump import SteppedPump
from .store import Durability, Store
from .wire_pair import WirePair

Deed = Callable[[Board, float], None]
"""What somebody does at a board; it is given the charge time in s."""


class SteppedSite:
    """Any number of simulated chargers, each wired to the same `CentralSystem`. Time passes only in `run_for` and its like.

    Charge time starts at 0, which is ``start_utc_s`` on everybody's calendar.
    """

    def __init__(
        self, store: Store | None = None, *, start_utc_s: float, seed: int = 0, central: CentralSystem | None = None
    ) -> None:
        """``store`` None: in memory. The same plans, deeds and ``seed`` on a fresh store give the same run."""
        self.store = Store(None, Durability.RELAXED) if store is None else store
        self.start_utc_s = start_utc_s
        self.pump = SteppedPump(self.store)
        # Message ids must differ from those of an earlier life (OCPP-J erratum 3.1): the seed never stands alone.
        self.rng = Random(f"{seed}:{self.store.begin_life()}")
        self.central = CentralSystem(Random(f"{seed}:central")) if central is None else central
        self.wires: dict[str, WirePair] = {}

    # --- what is there ------------------------------------------------------------------------------------------------

    def add(self, plan: ChargerPlan) -> Charger:
        """Build a charger, wire it to the central system and switch it on; it boots with the next run.

        Raises NotStepped for real hardware, and ValueError for an impossible key or an identity that is taken.
        """
        charger = assemble(plan, self.pump, self.rng, self._calendar, self._wire)
        charger.start()
        return charger

    def _calendar(self, timers: Timers) -> Calendar:
        return Calendar(timers, self.start_utc_s)

    def _wire(self, charger: Charger) -> WirePair:
        timers, mailbox = self.pump.timers(charger.identity), self.pump.mailbox
        wire = WirePair(charger.identity, self.central, charger, timers, mailbox, self.utc_s)
        self.wires[charger.identity] = wire
        return wire

    def charger(self, identity: str) -> Charger:
        """Return a charger. Raises KeyError when there is none of that name."""
        return self.pump.chargers[identity]

    def utc_s(self) -> float:
        """UTC now, in s since 1970."""
        return self.start_utc_s + self.pump.scheduler.charge_s

    # --- what happens -------------------------------------------------------------------------------------------------

    def act(self, identity: str, deed: Deed) -> None:
        """Let somebody do something at a charger's board now; it shows with the next run."""
        self.charger(identity).act(deed)

    def run_for(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, or less of it: until ``until`` is true. Return whether it was."""
        return self.pump.run_for(seconds, until)

    def run_until_utc(self, utc_s: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass until an instant, see `run_for`; one that is past only lets everything settle."""
        return self.pump.run_until(utc_s - self.start_utc_s, until)

    def close(self) -> None:
        """Stop every charger in order, outlets dead and sockets closed, then close the store."""
        for charger in self.pump.chargers.values():
            charger.stop()
        self.pump.settle()
        self.store.close()
