"""Scripts: every command in one line, what is said of a line that cannot be done, and how a script fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control import causes
from chargepoint.runtime.control.causes import CAUSES_OF_ERROR_CODE
from chargepoint.runtime.control.commands import COMMANDS, script_lines, usage
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.errors import CommandError
from chargepoint.runtime.control.script import ScriptError, Step, StepError, parse, play
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.sim.faults import NAMES
from tests.runtime.desk import Desk, Moody, status, until
from tests.runtime.test_pump import site_with


def written(line: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the steps of a line: command, and the arguments that are not the defaults."""
    return [
        (step.command.name, {name: each for name, each in step.arguments.items() if each != default(step, name)})
        for step in parse(line)
    ]


def default(step: Step, name: str) -> Any:
    argument = step.command.argument(name)
    assert argument is not None
    return argument.default


def test_line_becomes_steps() -> None:
    """The commands are those of every other way; connectors are named by ``@2``, 1 if none is."""
    line = " plug_in ; swipe 04A1B2C3 @2;wait 10 min;; wait_until 2.5 kWh; network down; plug-in "
    assert written(line) == [
        ("plug-in", {}),
        ("swipe", {"tag": "04A1B2C3", "connector": 2, "wait": True}),
        ("wait", {"seconds": 600.0}),
        ("wait-until", {"energy": 2500.0}),
        ("network", {"state": "down"}),
        ("plug-in", {}),
    ]
    assert parse("") == parse(" ; ") == ()


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("wait_until 2 kWh within 30 min @2", {"energy": 2000.0, "within": 1800.0, "connector": 2}),
        ("wait-until 500Wh within=90s", {"energy": 500.0, "within": 90.0}),
        ("wait 10", {"seconds": 10.0}),
        ("fault ground_fault clear_after=30 s", {"what": "ground_fault", "clear_after": 30.0}),
        ("fault GroundFailure clear-after 1 min", {"what": "GroundFailure", "clear_after": 60.0}),
        ("ev_state C current 8 A phases=1", {"state": "C", "current": 8.0, "phases": 1}),
        ("plug_in state=B cable 20 A", {"state": "B", "cable": 20.0}),
        ("power_loss 30 s", {"seconds": 30.0}),
        ("limit none", {"amps": None}),
        ("limit 10 A", {"amps": 10.0}),
        (
            'send DataTransfer {"vendorId": "a; b"}',
            {"action": "DataTransfer", "payload": {"vendorId": "a; b"}, "wait": True},
        ),
        ("send Heartbeat wait=false", {"action": "Heartbeat"}),
        ("key_set Custom 'a; b'", {"key": "Custom", "value": "a; b"}),
        ("swipe BAD expect refused", {"tag": "BAD", "expect": "refused", "wait": True}),
    ],
)
def test_arguments_are_written_in_order_or_by_name(line: str, arguments: dict[str, Any]) -> None:
    """``within`` is the word for a limit of waiting; quantities have a unit; JSON and quotes hold words together."""
    ((_name, found),) = written(line)
    assert found == arguments


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plugin", "unknown command 'plugin': did you mean plug-in?"),
        ("plug", "unknown command 'plug': did you mean plug-in?"),
        ("unplugg; wait 1 s", "unknown command 'unplugg': did you mean unplug?"),
        ("dance", "unknown command 'dance': available: plug-in, unplug, swipe,"),
        ("state", "state is a query"),
        ("@2", "'@2' names a connector and no command"),
        ("network up @2", "network has no connector, got @2"),
        ("plug_in 2", "plug_in does not take '2': it takes connector, state, cable"),
        ("swipe", "swipe: tag: required, card number"),
        ("fault @1", "fault: what: required, a physical cause"),
        ("clear_fault", "clear-fault: what: required"),
        ("plug_in; fault grond_fault", "unknown fault 'grond_fault': did you mean ground_fault?"),
        ("clear_fault GroundFailur", "unknown fault 'GroundFailur': did you mean GroundFailure?"),
        ("fault bogus", "unknown fault 'bogus': available: ground_fault, "),
        ("wait", "wait: seconds: required"),
        ("wait 1.2.3 s", "wait: seconds: must be a duration such as 90 s, 5 min or 2 h, got \"1.2.3"),
        ("wait -1 s", "wait: seconds: must be a duration"),
        ("wait 5 kWh", "wait does not take 'kWh'"),
        (
            "wait_until 2",
            "wait-until: energy: must be an energy such as 500 Wh or 2 kWh, or a state of charge such as 80 %, got \"2\"",
        ),
        ("wait_until 10 min", "wait_until: energy: must be an energy"),
        ("network", "network: state: required"),
        ("network off", "network: state: must be down or up, got \"off\""),
        ("swipe 'A1", "a quote without its end"),
    ],
)
def test_line_that_makes_no_sense_is_refused_before_anything_is_done(line: str, said: str) -> None:
    """A script that cannot be done names the nearest word, or what is expected."""
    with pytest.raises(ScriptError) as caught:
        parse(line)
    assert str(caught.value).replace("_", "-").startswith(said.replace("_", "-"))


@pytest.mark.parametrize(
    ("old", "new"), [("mend ground_fault", "clear-fault"), ("power_cut", "power-loss"), ("resume", "unpause")]
)
def test_earlier_names_are_taken_with_a_warning(old: str, new: str, caplog: pytest.LogCaptureFixture) -> None:
    assert [step.command.name for step in parse(old)] == [new]
    assert f"is called {new} now" in caplog.text


def test_the_help_lists_every_command_of_scripts_and_every_cause() -> None:
    text = "\n".join(script_lines())
    assert all(f"  {usage(each)} " in text for each in COMMANDS.values() if not each.is_query)
    assert "unpause" in text
    causes_text = "\n".join(causes.help_lines())
    assert all(f"  {name} " in causes_text for name in (*NAMES, *CAUSES_OF_ERROR_CODE))


@asynccontextmanager
async def box(
    board: str = "ac11-sim", speed: float = 600.0, store: Store | None = None
) -> AsyncIterator[tuple[Charger, Desk, object]]:
    async with site_with(store or Store(None, Durability.RELAXED), speed) as site:
        charger = site.add(ChargerPlan(identity="CP1", board=plan_board(board)), Desk)
        assert isinstance(charger.link, Desk)
        charger.start()
        await until(lambda: charger.model.session.is_online, "the boot")
        yield charger, charger.link, site.clock


async def do(line: str, charger: Charger, clock: object) -> None:
    async with asyncio.timeout(5):
        dispatcher = CommandDispatcher({"CP1": charger}, clock)  # type: ignore[arg-type]
        await play(parse(line), charger, dispatcher)


@pytest.mark.parametrize("board", ["ac11-sim", "ac11-sim-socket"])
async def test_charge_is_one_line(board: str) -> None:
    """A car comes, a card is presented, 500 Wh later the card again; users take their time, so each finds the last done."""
    async with box(board) as (charger, desk, clock):
        await do("plug_in; swipe A1; wait_until 500 Wh; swipe A1; wait 10 s; unplug", charger, clock)
        await until(lambda: desk.heard("StopTransaction"), "StopTransaction")
        await until(lambda: status(charger) == "Available", "Available")
        assert desk.heard("StopTransaction")[0]["meterStop"] >= 500


async def test_a_script_waits_for_a_state_of_charge() -> None:
    """`wait_until 80 %`: of the simulated vehicle."""
    async with box() as (charger, _desk, clock):
        await do("plug_in soc=30 model=bev_1p32; swipe A1; wait_until 30.1 %; swipe A1; unplug", charger, clock)
        hands = charger.board.outlet(1).hands
        assert hands is not None
        assert hands.soc_at(charger.tell_time()) >= 0.301
        with pytest.raises(StepError, match="less than 31 % state of charge"):
            await do("plug_in; swipe A1; wait_until 31% within 1 min", charger, clock)


async def test_waiting_for_a_state_of_charge_ends_where_the_vehicle_does(tmp_path: Path) -> None:
    """It is an error when it can no longer happen: this vehicle charges to 31 % only."""
    board = tmp_path / "board.yaml"
    board.write_text(files("hw").joinpath("boards", "ac11-sim.yaml").read_text().replace("soc: 20%", "target_soc: 31%"))
    async with box(str(board)) as (charger, _desk, clock):
        with pytest.raises(StepError, match="the vehicle charges to 31 % only, less than 32 %"):
            await do("plug_in soc=30; swipe A1; wait_until 32 %", charger, clock)
        await do("wait_until 31 %", charger, clock)


async def test_the_vehicle_pauses_by_ev_state_and_the_charger_by_pause() -> None:
    """One meaning everywhere: `pause` is the charger (SuspendedEVSE), `ev-state B` the vehicle (SuspendedEV)."""
    async with box() as (charger, _desk, clock):
        for pause, unpause, suspended in (
            ("ev_state B", "ev_state C", "SuspendedEV"),
            ("pause", "unpause", "SuspendedEVSE"),
        ):
            if status(charger) == "Available":
                await do("plug_in; swipe A1", charger, clock)
            await until(lambda: status(charger) == "Charging", "Charging")
            await do(pause, charger, clock)
            await until(lambda: status(charger) == suspended, suspended)  # noqa: B023 - waited for within the round
            await do(unpause, charger, clock)
            await until(lambda: status(charger) == "Charging", "Charging")


async def test_fault_comes_and_goes_at_its_connector() -> None:
    """Connectors are named by ``@2``."""
    async with box("ac11-sim-duo") as (charger, _desk, clock):
        await do("fault ground_fault @2", charger, clock)
        await until(lambda: charger.model.connector(2).status.value == "Faulted", "Faulted")
        assert status(charger) == "Available"
        await do("clear_fault ground_fault @2", charger, clock)
        await until(lambda: charger.model.connector(2).status.value == "Available", "Available")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plug_in @3", "step 1, plug_in @3: there is no connector 3: ac11-sim-duo has 2"),
        ("wait 1 s; swipe A1 @3", "step 2, swipe A1 @3: there is no connector 3"),
        ("wait_until 1 kWh @3", "step 1, wait_until 1 kWh @3: there is no connector 3"),
        ("unplug @0", "connector"),
        ("fault ground_fault @3", "step 1, fault ground_fault @3: there is no connector 3"),
    ],
)
async def test_what_this_charger_cannot_do_is_said(line: str, said: str) -> None:
    """What depends on the board is found when it is done; the error names the step."""
    async with box("ac11-sim-duo") as (charger, _desk, clock):
        with pytest.raises(CommandError) as caught:
            await do(line, charger, clock)
        assert said in str(caught.value)


async def test_real_hardware_is_not_operated_as_a_simulated_board() -> None:
    """Real boards have no hands: electricity is not simulated there."""
    async with box() as (charger, _desk, clock):
        charger.board.outlet(1).hands = None
        with pytest.raises(CommandError, match="real hardware cannot be operated as a simulated board can"):
            await do("plug_in", charger, clock)


async def test_time_is_the_chargers() -> None:
    """Times are charger time: an hour at x3600 is a second."""
    async with box(speed=36_000.0) as (charger, _desk, clock):
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        await do("wait 1 h", charger, clock)
        assert 0.08 <= loop.time() - begin_s < 2.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plug_in; unplug; wait_until 1 kWh", "step 3, wait_until 1 kWh: no vehicle is connected at connector 1"),
        ("wait_until 1 kWh", "no vehicle is connected at connector 1"),
        ("fault over_temperature; swipe A1", "step 2, swipe A1: card A1 refused: no connector is free (connector 1 is "),
        ("key_set NumberOfConnectors 7", "step 1, key_set NumberOfConnectors 7: Rejected: read-only"),
        ("requeue 7", "step 1, requeue 7: no undelivered message 7"),
    ],
)
async def test_a_step_that_cannot_be_done_ends_the_script_and_is_named(line: str, said: str) -> None:
    async with box() as (charger, _desk, clock):
        with pytest.raises(StepError) as caught:
            await do(line, charger, clock)
        assert said in str(caught.value)
        assert not caught.value.is_timeout


async def test_a_wait_that_can_no_longer_come_true_ends_at_once() -> None:
    """The transaction ends before it has the energy: whoever waits is told why."""
    async with box() as (charger, _desk, clock):
        waiting = asyncio.create_task(do("plug_in; swipe A1; wait_until 50 kWh", charger, clock))
        await until(lambda: status(charger) == "Charging", "Charging")
        await do("swipe A1", charger, clock)
        with pytest.raises(StepError, match=r"step 3, .*the transaction ended \(Local\) with 0\.\d+ kWh, less than 50 kWh"):
            await waiting


async def test_a_limit_of_waiting_that_runs_out_is_a_timeout() -> None:
    """`within` is charger time, as the wait itself."""
    async with box() as (charger, _desk, clock):
        with pytest.raises(StepError, match="less than 50 kWh at connector 1 within 60 s") as caught:
            await do("plug_in; swipe A1; wait_until 50 kWh within 1 min", charger, clock)
        assert caught.value.is_timeout


async def test_a_card_may_be_expected_to_be_refused() -> None:
    async with box() as (charger, _desk, clock):
        await do("fault over_temperature; swipe A1 expect=refused; clear_fault over_temperature", charger, clock)
        with pytest.raises(StepError, match=r"card A1 .*, but it was to be refused"):
            await do("plug_in; swipe A1 expect=refused", charger, clock)


@pytest.mark.parametrize("line", ["key_set HeartbeatInterval 77", "limit 8", "pause"])
async def test_a_change_that_cannot_be_stored_is_not_reported_as_done(line: str) -> None:
    """What is kept over restarts is answered when it is on the disk; ChangeConfiguration is persistent, OCPP 1.6 5.3."""
    store = Moody(None, Durability.RELAXED)
    async with box(store=store) as (charger, _desk, clock):
        await do(line, charger, clock)
        store.problem = "the disk is full"
        with pytest.raises(CommandError, match="the store cannot be written"):
            await do(line.replace("77", "78").replace("limit 8", "limit 9").replace("pause", "unpause"), charger, clock)
        store.problem = None
