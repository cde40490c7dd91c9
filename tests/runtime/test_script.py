"""What people do in one line: every verb, and what is said of a line that cannot be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control.actions import CAUSES_OF_ERROR_CODE, CommandError
from chargepoint.runtime.control.script import VERBS, ScriptError, Step, parse, play
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.sim.handling import SimulatedHands
from tests.runtime.desk import Desk, status, until
from tests.runtime.test_pump import site_with


def test_line_becomes_steps() -> None:
    """The verbs are those of scenarios; connectors are named by ``@2``, 1 if none is."""
    assert parse(" plug_in ; swipe 04A1B2C3 @2;wait 10 min;; wait_until 2.5 kWh; network down; plug-in ") == (
        Step("plug_in", "", 1),
        Step("swipe", "04A1B2C3", 2),
        Step("wait", "10 min", 1),
        Step("wait_until", "2.5 kWh", 1),
        Step("network", "down", 1),
        Step("plug_in", "", 1),
    )
    assert parse("") == parse(" ; ") == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plugin", "'plugin' is no verb: did you mean plug_in?"),
        ("unplugg; wait 1 s", "'unplugg' is no verb: did you mean unplug?"),
        ("dance", "'dance' is no verb: there are plug_in, unplug, swipe,"),
        ("@2", "'@2' names a connector and nothing to do there"),
        ("plug_in 2", "plug_in takes no argument, got '2': a connector is named like @2"),
        ("swipe", "swipe needs an argument: hold a card to the reader: swipe TAG"),
        ("fault @1", "fault needs an argument: break something: fault CAUSE"),
        ("mend", "mend needs an argument"),
        ("plug_in; fault grond_fault", "'grond_fault' is no cause: did you mean ground_fault, "),
        ("mend GroundFailur", "'GroundFailur' is no cause: did you mean GroundFailure, "),
        ("wait", "'' is no quantity: write it like 10ms or 2 h"),
        ("wait 10", "'10' is no quantity"),
        ("wait 1.2.3 s", "'1.2.3 s' is no quantity"),
        ("wait -1 s", "'-1 s' is no quantity"),
        ("wait 5 kWh", "'5 kWh' is no quantity"),
        ("wait_until 10 min", "'10 min' is no quantity: write it like 10Wh or 2 kWh"),
        ("network", "network takes down or up"),
        ("network off", "network takes down or up"),
    ],
)
def test_line_that_makes_no_sense_is_refused_before_anything_is_done(line: str, said: str) -> None:
    """A line of verbs that cannot be done names the nearest verb, or how to write it."""
    with pytest.raises(ScriptError) as caught:
        parse(line)
    assert str(caught.value).startswith(said)


@asynccontextmanager
async def box(board: str = "ac11-sim", speed: float = 600.0) -> AsyncIterator[tuple[Charger, Desk, object]]:
    async with site_with(Store(None, Durability.RELAXED), speed) as site:
        charger = site.add(ChargerPlan(identity="CP1", board=plan_board(board)), Desk)
        assert isinstance(charger.link, Desk)
        charger.start()
        await until(lambda: charger.model.session.is_online, "the boot")
        yield charger, charger.link, site.clock


async def do(line: str, charger: Charger, clock: object) -> None:
    async with asyncio.timeout(5):
        await play(parse(line), charger, clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("board", ["ac11-sim", "ac11-sim-socket"])
async def test_charge_is_one_line(board: str) -> None:
    """A car comes, a card is held up, 500 Wh later the card again; people take their time, so each deed finds the last."""
    async with box(board) as (charger, desk, clock):
        await do("plug_in; swipe A1; wait_until 500 Wh; swipe A1; wait 10 s; unplug", charger, clock)
        await until(lambda: desk.heard("StopTransaction"), "StopTransaction")
        await until(lambda: status(charger) == "Available", "Available")
        assert desk.heard("StopTransaction")[0]["meterStop"] >= 500


async def test_car_pauses_and_resumes() -> None:
    """The car's driver pauses (S2 opens, pilot goes to B) or resumes charging."""
    async with box() as (charger, _desk, clock):
        await do("plug_in; swipe A1", charger, clock)
        await until(lambda: status(charger) == "Charging", "Charging")
        await do("pause", charger, clock)
        await until(lambda: status(charger) == "SuspendedEV", "SuspendedEV")
        await do("resume", charger, clock)
        await until(lambda: status(charger) == "Charging", "Charging")


async def test_fault_comes_and_goes_at_its_connector() -> None:
    """Connectors are named by ``@2``."""
    async with box("ac11-sim-duo") as (charger, _desk, clock):
        await do("fault ground_fault @2", charger, clock)
        await until(lambda: charger.model.connector(2).status.value == "Faulted", "Faulted")
        assert status(charger) == "Available"
        await do("mend ground_fault @2", charger, clock)
        await until(lambda: charger.model.connector(2).status.value == "Available", "Available")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plug_in @3", "there is no connector 3: ac11-sim-duo has 2"),
        ("swipe A1 @3", "there is no connector 3"),
        ("wait_until 1 kWh @3", "there is no connector 3"),
        ("unplug @0", "there is no connector 0"),
        ("fault ground_fault @3", "there is no connector 3"),
    ],
)
async def test_what_this_box_cannot_do_is_said(line: str, said: str) -> None:
    """What depends on the board is found when it is done."""
    async with box("ac11-sim-duo") as (charger, _desk, clock):
        with pytest.raises(CommandError) as caught:
            await do(line, charger, clock)
        assert str(caught.value).startswith(said)


async def test_nobody_pretends_electricity_on_real_hardware() -> None:
    """Real boards have no hands: nobody may pretend electricity there."""
    async with box() as (charger, _desk, clock):
        charger.board.outlet(1).hands = None
        with pytest.raises(CommandError, match="nobody may pretend electricity on real hardware"):
            await do("plug_in", charger, clock)


async def test_time_is_the_chargers() -> None:
    """Times are charger time: an hour at x3600 is a second."""
    async with box(speed=36_000.0) as (charger, _desk, clock):
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        await do("wait 1 h", charger, clock)
        assert 0.08 <= loop.time() - begin_s < 2.0


def test_every_verb_is_explained() -> None:
    """`--do` names its verbs; each says what it does."""
    assert all(VERBS.values())


def test_causes_are_those_of_simulated_boxes_and_the_nearest_three_are_named() -> None:
    """The list is long; who wrote something else altogether gets three as well."""
    for cause in (*SimulatedHands.causes, *CAUSES_OF_ERROR_CODE):
        assert parse(f"fault {cause}; mend {cause}")
    with pytest.raises(ScriptError) as caught:
        parse("fault zzz")
    assert str(caught.value).count(",") + str(caught.value).count(" or ") == 2
