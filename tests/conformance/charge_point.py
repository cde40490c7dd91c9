"""The charge point under test: the real `Charger`, link and store, on a simulated board with hands, on a held clock.

Its clock stands still while anything is on its way between the two ends, and then jumps to whatever is due next: minutes
cost milliseconds, over a real socket, and a machine that is slow changes nothing but how long the test takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ocpp.v16 import call

from chargepoint.model.outbox import Ref
from chargepoint.model.timebase import Calendar, Clock
from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import ChargerPlan, assemble
from chargepoint.runtime.charger import Charger, LinkPort, Phase
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.link import Link
from chargepoint.runtime.porter import RealPorter
from chargepoint.runtime.pump import RunningPump
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.ports import Board, Hands
from tests.wire.independent import PATIENCE_S, Csms

PERSON_S = 2.0
"""What a person needs for one deed: no card is held up before the plug has settled."""
START_UTC_S = 1_780_000_000.0
"""What the charge point's calendar shows before a central system tells it the time, in s since 1970."""
CALM_TURNS = 3
"""Turns of the event loop without news after which there is none: a frame that was read may still want a commit."""


@dataclass(slots=True)
class HeldClock(RunningClock):
    """A clock that its owner moves; both of the charge point's clocks follow it."""

    now_s: float = 0.0

    def wire_s(self) -> float:
        return self.now_s

    def charge_s(self) -> float:
        return self.now_s


class CountingLink(Link):
    """The link, which also counts its connections, and the frames on the present one."""

    connections = 0
    sent = 0
    received_frames = 0

    def opened(self, connection: Any, subprotocol: str | None) -> None:
        self.connections += 1
        self.sent = self.received_frames = 0
        super().opened(connection, subprotocol)

    def received(self, text: str) -> None:
        self.received_frames += 1
        super().received(text)

    def send_text(self, text: str) -> bool:
        self.sent += 1
        return super().send_text(text)


@dataclass
class ChargePointUnderTest:
    """A box on the wall, and the people around it. Each deed takes a person's time."""

    csms: Csms
    board: str
    keys: Mapping[str, str]
    plan: Mapping[str, Any]
    store: Store = field(default_factory=lambda: Store(None, Durability.RELAXED))
    clock: HeldClock = field(default_factory=HeldClock)
    charger: Charger = field(init=False)
    link: CountingLink = field(init=False)
    is_on: bool = False
    _pump: RunningPump = field(init=False)
    _earlier_connections: int = 0
    """Those of lives before this one."""

    # --- life ---------------------------------------------------------------------------------------------------------

    def switch_on(self) -> None:
        """Build the charger from the store and start it, as `run` does."""
        pump = self._pump = RunningPump(self.store, self.clock)
        rng = Random(self.store.begin_life())

        def link(charger: Charger) -> LinkPort:
            address = Address(url=self.csms.url, identity="CP001")
            self.link = CountingLink(address, charger, pump, rng)
            return self.link

        plan = ChargerPlan(
            identity="CP001", board=plan_board(self.board), keys=self.keys, keeps_board=True, **self.plan
        )
        self.charger = assemble(plan, pump, rng, lambda timers: Calendar(timers, START_UTC_S), link)
        self._earlier_connections = len(self.csms.dialogues)
        self.charger.start()
        self.is_on = True

    async def switch_off(self) -> None:
        """Take the power away at once: the socket dies without a word, and only what is stored is left."""
        self.is_on = False
        self.link.hold(True)
        self.charger.stop()
        async with asyncio.timeout(PATIENCE_S):
            while not self.link.is_idle:  # noqa: ASYNC110 - the link tells nobody but its charger
                await asyncio.sleep(0)
        await self._pump.close()

    async def cut_power(self, dark_s: float = 10.0) -> None:
        """Take the power away for a while; what is plugged in stays plugged in."""
        await self.switch_off()
        self.clock.now_s += dark_s
        self.switch_on()

    async def close(self) -> None:
        if self.is_on:
            await self.switch_off()
        self.store.close()

    def status(self, connector: int = 1) -> str:
        """Return what the box thinks of a connector."""
        return self.charger.model.connector(connector).status.value

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Nothing is on its way between the two ends, and no file: only time can bring anything new."""
        link, charger = self.link, self.charger
        if isinstance(charger.porter, RealPorter) and charger.porter.is_busy:
            return False
        if link.is_idle:
            return True
        if charger.phase is not Phase.RUNNING or not link.is_open:
            return False
        if self._earlier_connections + link.connections != len(self.csms.dialogues):
            return False
        peer = self.csms.dialogue
        is_carried = (link.sent, link.received_frames) == (peer.received, peer.sent)
        return is_carried and not peer.is_busy and not charger.model.session.awaits_answer

    async def settle(self) -> None:
        """Wait until everything that happens now has happened."""
        calm = turns = 0
        async with asyncio.timeout(PATIENCE_S):
            while calm < CALM_TURNS:
                # A thread validates for the other end: let it have the processor after a while.
                await asyncio.sleep(0 if turns < 20 else 0.0005)
                turns += 1
                calm = calm + 1 if self.is_quiet else 0

    async def live_to(self, end_s: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass to ``end_s`` of the clock, or until ``until`` is true; return whether it was."""
        scheduler = self._pump.scheduler
        while True:
            await self.settle()
            if until():
                return True
            if self.clock.now_s >= end_s:
                return False
            due_s = min(scheduler.next_due_s(Clock.CHARGE), scheduler.next_due_s(Clock.WIRE), end_s)
            self.clock.now_s = max(self.clock.now_s, due_s)
            self.charger.wake()

    async def live(self, seconds: float) -> None:
        """Let time pass."""
        await self.live_to(self.clock.now_s + seconds)

    # --- people -------------------------------------------------------------------------------------------------------

    async def _do(self, deed: Callable[[Board, float], None]) -> None:
        self.charger.act(deed)
        await self.live(PERSON_S)

    async def _handle(self, connector: int, deed: Callable[[Hands, float], None]) -> None:
        hands = self.charger.board.outlet(connector).hands
        assert hands is not None
        await self._do(lambda _board, now_s: deed(hands, now_s))

    async def plug_in(self, connector: int = 1) -> None:
        """Connect the cable at both sides."""
        await self._handle(connector, lambda hands, now_s: hands.plug_in(now_s))

    async def plug_in_half(self, connector: int = 1) -> None:
        """Connect the cable, but not far enough into the socket for the lock."""
        await self.fault("half_plugged", connector)
        await self.plug_in(connector)

    async def unplug(self, connector: int = 1) -> None:
        """Take the cable out at both sides; a locked one stays in the socket."""
        await self._handle(connector, lambda hands, now_s: hands.unplug(now_s))

    async def unplug_car(self, connector: int = 1) -> None:
        """Take the cable out at the side of the car."""
        await self._handle(connector, lambda hands, now_s: hands.unplug_car(now_s))

    async def swipe(self, tag: str, reader: int = 0) -> None:
        """Hold a card to a reader."""
        await self._do(lambda board, now_s: board.readers[reader].present(tag, now_s))

    async def pause(self, connector: int = 1) -> None:
        """The car stops asking for energy."""
        await self._handle(connector, lambda hands, now_s: hands.wants_energy(False, now_s))

    async def resume(self, connector: int = 1) -> None:
        """The car asks for energy again."""
        await self._handle(connector, lambda hands, now_s: hands.wants_energy(True, now_s))

    async def fault(self, cause: str, connector: int = 1) -> None:
        """Break something, by a name of `hw.sim.faults`."""
        await self._handle(connector, lambda hands, now_s: hands.cause(cause, True, now_s))

    async def mend(self, cause: str, connector: int = 1) -> None:
        """Mend it again."""
        await self._handle(connector, lambda hands, now_s: hands.cause(cause, False, now_s))

    async def transfer_data(self, vendor: str, data: str) -> None:
        """Something in the box has to tell what OCPP does not cover."""
        request = call.DataTransfer(vendor_id=vendor, data=data)
        await self._do(lambda _board, now_s: self.charger.model.send(request, Ref("data", vendor), now_s))

    async def cut_link(self) -> None:
        """Take the network away, without a closing handshake."""
        self.link.hold(True)
        await self.live(PERSON_S)

    async def restore_link(self) -> None:
        """Give the network back; the link dials after its back-off."""
        self.link.hold(False)
        await self.settle()
