"""The end of the program: what becomes of a car that charges, in how much time, whatever hangs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chargepoint.model.energy import KEEP
from chargepoint.model.outbox import ReadMeter, Ref, Save
from chargepoint.runtime import shutdown
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.shutdown import Limits, Shutdown, Urgency, end
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Store
from hw.sim.circuit import Circuit
from hw.sim.metering import MeterOutput
from tests.runtime.desk import Desk, Moody, plug_in, seat, status, swipe, until

SPEED = 20.0
"""A car ramps down within 2 s of its own time; the limits below are a tenth of those of the program."""
SLOW = 10.0
"""A car that does not ramp down would have 0.6 s until the charger opens its contactor by itself."""
RAMP_DOWN_S, READING_S, END_S = 0.35, 0.45, 0.49
MARGIN_S = 2.0
"""What a busy machine may take beyond that."""


@pytest.fixture
def _a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    tenths = {
        urgency: replace(
            Limits(*(getattr(limits, name) / 10.0 for name in Limits.__slots__)),
            end_s=limits.end_s / 10.0 + 1.0,  # a disk is no faster for it
        )
        for urgency, limits in shutdown.LIMITS.items()
    }
    tenths[Urgency.AT_ONCE] = shutdown.LIMITS[Urgency.AT_ONCE]
    monkeypatch.setattr(shutdown, "LIMITS", tenths)


def test_a_signal_leaves_five_seconds() -> None:
    """3.5 s for the contactor, 1 s for the meter, 5 s in all: a container is killed 10 s after its SIGTERM [D]."""
    limits = shutdown.LIMITS[Urgency.SIGNALLED]
    assert (limits.ramp_down_s, limits.reading_s) == (3.5, 4.5)
    assert limits.reading_s < limits.answer_s < limits.sockets_s < limits.end_s < 5.0


@dataclass
class Charging:
    """A car that charges, and what there is to see of its end."""

    site: Site
    charger: Charger
    desk: Desk
    store: Store

    @property
    def circuit(self) -> Circuit:
        (circuit,) = self.charger.board.processes
        assert isinstance(circuit, Circuit)
        return circuit

    def cause(self, name: str) -> None:
        hands = self.charger.board.outlet(1).hands
        assert hands is not None
        self.charger.act(lambda _board, now_s: hands.cause(name, True, now_s))

    async def ends(self, *urgencies: Urgency, every_s: float = 0.1) -> tuple[bool, float]:
        """End with one urgency after the other; return whether the store has answered, and how long it took."""
        how = Shutdown()
        began_s = time.monotonic()
        how.hurry(urgencies[0])
        ending = asyncio.create_task(end(self.site, how))
        for urgency in urgencies[1:]:
            await asyncio.sleep(every_s)
            how.hurry(urgency)
        is_stored = await ending
        return is_stored, time.monotonic() - began_s

    @property
    def stops(self) -> list[dict[str, Any]]:
        return self.desk.heard("StopTransaction")

    def kept(self, kind: str) -> Any:
        """Records of a kind, as the next start finds them."""
        return self.store.load("CP1").get(kind, {})


@asynccontextmanager
async def charging(store: Store, speed: float = SPEED) -> AsyncIterator[Charging]:
    site = Site(store, speed)
    charger, desk = seat(site)
    charger.start()
    plug_in(charger)
    await until(lambda: status(charger) == "Preparing", "Preparing")
    swipe(charger)
    await until(lambda: status(charger) == "Charging", "Charging")
    here = Charging(site, charger, desk, store)
    await until(lambda: charger.board.outlet(1).meter.peek(site.clock.charge_s()).total_power_w > 11_000, "power")  # type: ignore[union-attr]
    yield here
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cp.sqlite3")


async def test_a_contactor_opens_when_its_car_has_left_c(store: Store) -> None:
    """6.49 Reboot; the contactor opens without load when the car leaves C, and the stop carries the register then [D]."""
    async with charging(store) as here:
        is_stored, took_s = await here.ends(Urgency.SIGNALLED)
        assert is_stored
        assert took_s < shutdown.LIMITS[Urgency.SIGNALLED].ramp_down_s
        assert not here.circuit.contactor.is_closed
        (stop,) = here.stops
        assert stop["reason"] == "Reboot"
        assert stop["meterStop"] == int(here.circuit.register.energy_wh)
        assert here.kept("queue") == {}


@pytest.mark.usefixtures("_a_tenth")
async def test_a_contactor_opens_under_load_when_the_car_takes_too_long(store: Store) -> None:
    """At 3.5 s at the latest, then the meter is read and the stop is fixed with that register [D]."""
    async with charging(store, SLOW) as here:
        here.cause("holds_c")
        is_stored, took_s = await here.ends(Urgency.SIGNALLED)
        assert is_stored
        assert RAMP_DOWN_S < took_s < END_S + MARGIN_S
        assert not here.circuit.contactor.is_closed
        # Sent, or stored for the next start: a busy machine may not send it in the hundredths that are left.
        queued = [json.loads(body["payload"]) for body in here.kept("queue").values()]
        stop = [*here.stops, *(each for each in queued if "meterStop" in each)][0]
        assert (stop["reason"], stop["meterStop"]) == ("Reboot", int(here.circuit.register.energy_wh))


@pytest.mark.usefixtures("_a_tenth")
async def test_a_meter_that_does_not_answer_is_waited_for_one_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the stop is fixed with the last register that was read, and stored [D]."""
    async with charging(store, SLOW) as here:
        here.charger.model.connector(1).emit(ReadMeter(1, Ref(KEEP)))
        await until(lambda: here.charger.model.connector(1).meter.energy_wh > 0, "a reading")
        before_wh = here.charger.model.connector(1).meter.energy_wh
        # It answers nothing at all, not even that it cannot.
        monkeypatch.setattr(Circuit, "read_meter", lambda *_arguments: None)
        monkeypatch.setattr(MeterOutput, "changed", lambda *_arguments: [])
        is_stored, took_s = await here.ends(Urgency.SIGNALLED)
        assert is_stored
        assert READING_S < took_s < END_S + MARGIN_S
        assert not here.circuit.contactor.is_closed
        # It is sent when the rest of the time allows, and kept until it is answered.
        kept = [json.loads(message["payload"]) for message in here.kept("queue").values()]
        assert {stop["meterStop"] for stop in (*here.stops, *kept)} == {before_wh}


async def test_a_second_signal_opens_the_contactor_and_stores_the_stop_at_once(store: Store) -> None:
    """Second signal: contactor off, stop with the last reading [D]."""
    async with charging(store, SLOW) as here:
        here.cause("holds_c")
        is_stored, took_s = await here.ends(Urgency.SIGNALLED, Urgency.AT_ONCE)
        assert is_stored
        assert took_s < shutdown.LIMITS[Urgency.SIGNALLED].ramp_down_s
        (message,) = here.kept("queue").values()
        assert message["action"] == "StopTransaction"
        await asyncio.sleep(0.05)
        here.charger.board.advance(here.site.clock.charge_s())
        assert not here.circuit.contactor.is_closed


@pytest.mark.usefixtures("_a_tenth")
async def test_a_central_system_that_answers_nothing_holds_nothing_up(store: Store) -> None:
    """StopTransaction is sent if it goes out in the rest of the time; else it is kept for the next start (3.7.1)."""
    async with charging(store) as here:
        here.desk.send_text = lambda text: True  # type: ignore[method-assign]
        here.desk.stop = lambda code=1001, reason="": None  # type: ignore[method-assign]
        is_stored, took_s = await here.ends(Urgency.SIGNALLED)
        assert is_stored
        assert took_s < END_S + MARGIN_S
        assert here.desk.is_idle, "the socket is cut"
        (message,) = here.kept("queue").values()
        assert message["action"] == "StopTransaction"


class Hanging(Store):
    """A store that never returns from a commit once it ``hangs``."""

    hangs: threading.Event | None = None

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        if self.hangs is not None:
            self.hangs.wait()
        super().commit(rows)


@pytest.mark.usefixtures("_a_tenth")
async def test_a_store_that_hangs_holds_nothing_up(tmp_path: Path) -> None:
    """Switching off never waits for the store, and the end waits for it only so long [D]."""
    store = Hanging(tmp_path / "cp.sqlite3")
    async with charging(store) as here:
        store.hangs = threading.Event()
        is_stored, took_s = await here.ends(Urgency.SIGNALLED)
        assert not is_stored
        assert took_s < END_S + MARGIN_S
        assert not here.circuit.contactor.is_closed
        store.hangs.set()
        await asyncio.to_thread(here.site.pump._writer.shutdown)  # type: ignore[union-attr]


@pytest.mark.usefixtures("_a_tenth")
async def test_a_store_that_fails_is_tried_once_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It does not wait for the next regular attempt, which may be later than the end [D]."""
    store = Moody(tmp_path / "cp.sqlite3")
    async with charging(store) as here:
        store.problem = "the disk is full"
        here.charger.model.connector(1).meter.save(here.site.clock.charge_s())
        await until(lambda: store.failures, "a failure")
        ending = asyncio.create_task(here.ends(Urgency.SIGNALLED))
        await asyncio.sleep(0.05)
        store.problem = None
        is_stored, took_s = await ending
        assert is_stored
        assert took_s < END_S + MARGIN_S
        assert here.kept("restart") == {"cause": {"reason": "Reboot"}}
        (message,) = here.kept("queue").values()
        assert message["action"] == "StopTransaction"

