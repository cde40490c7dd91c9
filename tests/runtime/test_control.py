"""The verbs: what people and programs do to a charger and ask of it, through the desk and through JSON lines."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from chargepoint.model.journal import CallAnswered, CallSent, CallServed, FrameRefused
from chargepoint.model.timebase import utc_text
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.control import events, live, responses
from chargepoint.runtime.control.actions import ACTIONS, hands_of
from chargepoint.runtime.control.causes import CAUSES_OF_ERROR_CODE
from chargepoint.runtime.control.commands import COMMANDS
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.errors import BadArgumentsError, CommandError, NotFoundError, RealHardwareError
from chargepoint.runtime.control.jsonlines import JsonLines
from chargepoint.runtime.control.queries import QUERIES
from chargepoint.runtime.control.waiting import Waiting
from chargepoint.runtime.stepped import SteppedSite
from chargepoint.runtime.store import StoreError
from hw.errors import HardwareError
from hw.loader import plan_board
from hw.sim.circuit import Circuit
from tests.failing_store import FailingPump, StoreWorld
from tests.world import EPOCH_UTC_S, ERROR, SILENCE, World

SOCKET = "ac11-sim-socket"


class WorldClock(RunningClock):
    """The stepped time of a world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def charge_s(self) -> float:
        return self._world.now_s


class Bench:
    """A desk over one charger; verbs let a moment pass."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.desk = CommandDispatcher({world.charger.identity: world.charger}, WorldClock(world))

    def do(self, verb: str, pause_s: float = 1.0, **arguments: Any) -> Any:
        result = self.desk.do(self.desk.command(verb), self.desk.charger(None), arguments)
        self.world.run(pause_s)
        document = result.result() if isinstance(result, Waiting) else result
        return document.model_dump(mode="json")

    def outlet(self, number: int = 1) -> Any:
        return self.do("state", 0.1)["connectors"][number - 1]


@pytest.fixture
def bench() -> Bench:
    return Bench(World())


@pytest.mark.parametrize(
    ("command", "arguments"), [("key-set", {"key": "HeartbeatInterval", "value": "77"}), ("limit", {"amps": 10.0})]
)
def test_what_outlasts_a_restart_is_confirmed_when_it_is_stored(command: str, arguments: dict[str, Any]) -> None:
    """ "Accepted" before the commit would be a promise that a loss of power breaks."""
    world = StoreWorld()
    desk = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    assert isinstance(world.pump, FailingPump)
    world.pump.fails = True  # the commit hangs
    waiting = desk.do(COMMANDS[command], world.charger, arguments)
    assert isinstance(waiting, Waiting)
    world.run(4)
    assert not waiting.is_done
    world.mend_store()
    assert waiting.is_done
    assert waiting.result()


def test_a_change_that_cannot_be_stored_is_not_confirmed() -> None:
    """A key stays as it is; a limit, which may be one of safety, is in force, and the answer says that it is not stored."""
    world = StoreWorld()
    bench = Bench(world)
    world.break_store()
    with pytest.raises(CommandError, match="the store cannot be written: nothing was changed"):
        bench.do("key-set", key="HeartbeatInterval", value="77")
    assert bench.do("keys", key=["HeartbeatInterval"])["keys"][0]["value"] == "300"
    with pytest.raises(CommandError, match=r"limited to 10 A .*but the store cannot be written"):
        bench.do("limit", amps=10.0)
    assert bench.outlet()["local_limit_a"] == 10.0


def test_a_whole_charge_by_verbs(bench: Bench) -> None:
    bench.do("plug-in", 5)
    assert bench.outlet()["status"] == "Preparing"
    bench.do("swipe", 120, tag="A1")
    outlet = bench.outlet()
    assert (outlet["status"], outlet["pilot"]["state"], outlet["pilot"]["is_contactor_closed"]) == ("Charging", "C2", True)
    assert outlet["limit_a"] == 16.0
    assert outlet["why"]
    assert outlet["meter"]["power_w"] == pytest.approx(11040, rel=0.02)
    assert outlet["charge"]["transaction_id"] == bench.world.connector().transaction.transaction_id
    assert outlet["charge"]["energy_wh"] == pytest.approx(11040 * 110 / 3600, rel=0.15)
    bench.do("swipe", 10, tag="A1")
    bench.do("unplug", 10)
    outlet = bench.outlet()
    assert (outlet["status"], outlet["charge"], outlet["is_car_connected"]) == ("Available", None, False)


def test_the_first_look_shows_the_meter_as_it_is_now(bench: Bench) -> None:
    """A query computes what the meter shows at the instant of the question, with that instant [D]."""
    bench.do("plug-in", 5)
    bench.do("swipe", 40, tag="A1")
    outlet = bench.outlet()
    assert outlet["meter"]["at"] == utc_text(EPOCH_UTC_S + bench.world.now_s - 0.1)
    assert outlet["meter"]["power_w"] == pytest.approx(11040, rel=0.01)
    assert outlet["charge"]["energy_wh"] == outlet["meter"]["register_wh"] == pytest.approx(94.3, abs=0.1)
    bench.world.run(10.0)
    later = bench.outlet()
    assert later["charge"]["energy_wh"] - outlet["charge"]["energy_wh"] == pytest.approx(11040 * 10.1 / 3600, rel=0.01)
    summary = bench.desk.all_summaries().chargers[0]
    assert (summary.power_w, summary.energy_wh > later["charge"]["energy_wh"]) == (later["meter"]["power_w"], True)


def test_the_state_says_why_no_more_is_offered(bench: Bench) -> None:
    profile = {
        "chargingProfileId": 3,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]},
    }
    assert bench.world.ask("SetChargingProfile", connectorId=1, csChargingProfiles=profile) == {"status": "Accepted"}
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    outlet = bench.outlet()
    assert outlet["limit_a"] == 6.0
    assert "TxDefaultProfile" in outlet["why"]
    assert outlet["bounds"][0]["amps"] == 6.0
    told = bench.do("charging-profiles")["profiles"]
    assert [(each["id"], each["periods"]) for each in told] == [(3, [{"start_s": 0.0, "limit": 6.0, "phases": None}])]


def test_a_profile_for_nobody_yet_is_no_obstacle(bench: Bench) -> None:
    """While a charging profile waits for a transaction, the state of the idle outlet is told as ever."""
    profile = {
        "chargingProfileId": 3,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}, {"startPeriod": 3600, "limit": 10.0}],
        },
    }
    assert bench.world.ask("SetChargingProfile", connectorId=1, csChargingProfiles=profile) == {"status": "Accepted"}
    assert bench.outlet()["bounds"] == []
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    outlet = bench.outlet()
    (bound,) = outlet["bounds"]
    started = datetime.fromisoformat(outlet["charge"]["started"])
    assert datetime.fromisoformat(bound["until"]) - started == pytest.approx(
        timedelta(hours=1), abs=timedelta(seconds=1)
    )


def test_a_whole_number_may_be_written_with_a_point(bench: Bench) -> None:
    """1.0 is an integer in JSON Schema; 1.5, true and "1" are none."""
    assert bench.do("plug-in", connector=1.0) == {"done": "plugged in at connector 1"}
    bench.do("ev-state", state="C", phases=1.0)
    assert bench.do("limit", amps=10.0) == {"done": "connector 1: limited to 10 A by local control"}
    for wrong in (1.5, True, "1"):
        with pytest.raises(BadArgumentsError, match="connector: must be a whole number, got"):
            bench.do("unplug", connector=wrong)


def test_what_is_broken_is_told(bench: Bench) -> None:
    assert bench.outlet()["broken"] == []
    bench.do("fault", what="GroundFailure")
    bench.do("fault", what="never_c")
    assert bench.outlet()["broken"] == ["ground_fault", "never_c"]
    bench.do("clear-fault", what="ground_fault")
    assert bench.outlet()["broken"] == ["never_c"]


def test_a_network_that_was_taken_away_is_no_network_that_fails(bench: Bench) -> None:
    bench.do("network", state="down")
    assert [bench.do("state")[name] for name in ("is_network_up", "is_connected")] == [False, False]
    bench.do("network", state="up")
    assert bench.do("state")["is_network_up"]


def test_the_state_and_the_events_tell_one_time(bench: Bench) -> None:
    assert bench.do("state", 0.0)["at_s"] == bench.world.now_s


def test_a_car_that_only_stands_there(bench: Bench) -> None:
    """Plugged in state B it starts nothing to draw; `ev-state C` lets it, with bounds; D asks for ventilation."""
    bench.do("plug-in", 5, state="B")
    bench.do("swipe", 60, tag="A1")
    assert bench.outlet()["status"] == "SuspendedEV"
    bench.do("ev-state", 60, state="C", current=8, phases=1)
    assert bench.outlet()["meter"]["current_a"] == pytest.approx([8, 0, 0], abs=0.05)
    bench.do("ev-state", 60, state="B")
    assert bench.outlet()["pilot"]["state"] == "B2"
    bench.do("ev-state", 60, state="D")
    assert [fault["trouble"] for fault in bench.do("state")["faults"]] == ["ventilation"]


def test_the_state_shows_what_a_charge_costs() -> None:
    """What the central system told last (California pricing), amounts as texts; nothing where costs are not shown."""
    assert Bench(World()).outlet()["cost"] is None
    bench = Bench(World(keys={"CustomDisplayCostAndPrice": "true"}))
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    told = {"transactionId": 1, "cost": 1.5, "state": "Charging", "chargingPrice": {"kWhPrice": 0.3, "hourPrice": 0}}
    answer = bench.world.ask(
        "DataTransfer", vendorId="org.openchargealliance.costmsg", messageId="RunningCost", data=json.dumps(told)
    )
    assert answer == {"status": "Accepted"}
    cost = bench.outlet()["cost"]
    assert (cost["state"], cost["amount"], cost["price"]["per_kwh"]) == ("Charging", "1.500", "0.300")


def test_the_current_is_limited_on_site(bench: Bench) -> None:
    """By local control, over restarts; 0 A holds until `unpause`, and what is impossible is refused."""
    assert bench.do("limit", amps=10) == {"done": "connector 1: limited to 10 A by local control"}
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    outlet = bench.outlet()
    assert (outlet["limit_a"], outlet["why"], outlet["local_limit_a"]) == (10.0, "local control", 10.0)
    assert bench.do("limit", 10, amps=4) == {"done": "connector 1: held at 0 A by local control"}
    assert (bench.outlet()["status"], bench.outlet()["local_limit_a"]) == ("SuspendedEVSE", 0.0)
    bench.do("unpause", 20)
    assert (bench.outlet()["limit_a"], bench.outlet()["status"]) == (10.0, "Charging")
    with pytest.raises(BadArgumentsError, match="limit: amps: required"):
        bench.do("limit")  # who only looks takes nothing away
    assert bench.do("limit", amps=None) == {"done": "connector 1: no local limit"}
    assert (bench.outlet()["local_limit_a"], bench.outlet()["limit_a"]) == (None, bench.outlet()["most_a"])
    for impossible in (-1, float("nan"), float("inf")):
        with pytest.raises(BadArgumentsError, match="limit: amps: must be"):
            bench.do("limit", amps=impossible)
    with pytest.raises(CommandError, match="connector 1 bears 16 A, not 17 A"):
        bench.do("limit", amps=17)
    with pytest.raises(CommandError, match="there is no connector 2"):
        bench.do("unpause", connector=2)
    bench.do("power-loss")
    with pytest.raises(CommandError, match="is down"):
        bench.do("limit", amps=10)


def test_a_cable_at_a_socket_is_rated() -> None:
    bench = Bench(World(board=SOCKET))
    bench.do("plug-in", 5, cable=13)
    assert bench.outlet()["cable_rating_a"] == 13.0
    with pytest.raises(CommandError, match="no cable is rated 14 A"):
        bench.do("plug-in", cable=14)


@pytest.mark.parametrize("code", CAUSES_OF_ERROR_CODE)
def test_a_fault_is_set_by_the_error_code_it_leads_to(code: str) -> None:
    """7.6: the charger reports that code, once a car is there and charging, and is well again when it is mended."""
    bench = Bench(World(board=SOCKET))
    bench.do("plug-in", 5)
    if code == "ConnectorLockFailure":
        bench.do("fault", what=code)
    bench.do("swipe", 60, tag="A1")
    bench.do("fault", 70, what=code)
    if code == "PowerSwitchFailure":
        bench.do("swipe", 30, tag="A1")  # a welded contactor shows when it is to open
    bench.outlet()
    bench.world.run(5)
    told = [row["errorCode"] for row in bench.world.calls("StatusNotification")]
    assert code in told
    bench.do("clear-fault", 10, what=code)
    assert not bench.world.charger.board.snapshot()[0]["causes"]


def test_what_breaks_is_named_in_the_refusal(bench: Bench) -> None:
    with pytest.raises(CommandError, match="unknown fault 'gremlins': available: ground_fault, "):
        bench.do("fault", what="gremlins")


def test_network_down_drops_the_socket(bench: Bench) -> None:
    bench.do("network", state="down")
    assert bench.do("state")["is_connected"] is False
    bench.do("plug-in", 5)
    bench.do("network", 120, state="up")
    assert bench.do("state")["is_connected"] is True


def test_the_state_shows_whether_calls_are_answered(bench: Bench) -> None:
    """A central system that keeps the socket and answers nothing is not called connected and nothing else."""
    assert bench.do("state")["is_answering"] is True
    world = bench.world.configure(HeartbeatInterval=10)
    world.peer.answers["Heartbeat"] = lambda _: SILENCE
    world.run(180)
    told = bench.do("state")
    assert (told["is_connected"], told["is_answering"]) == (True, False)
    bench.do("network", state="down")
    assert bench.do("state")["is_answering"] is False


def test_a_power_cut_ends_the_transaction_with_its_reason(bench: Bench) -> None:
    """4.10, 7.36: PowerLoss; the charger is dark for as long as was said, and what is stored is told afterwards."""
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    bench.do("power-loss", 10, seconds=30)
    assert bench.do("state", 0)["phase"] == "closing"
    with pytest.raises(CommandError, match="is down"):
        bench.do("key-set", key="HeartbeatInterval", value="60")
    bench.world.run(120)
    assert bench.do("state")["phase"] == "running"
    assert bench.world.last("StopTransaction")["reason"] == "PowerLoss"


def test_keys_are_read_and_changed_by_the_rules_of_the_standard(bench: Bench) -> None:
    """5.3: Accepted and in force and kept; Rejected; NotSupported. 5.8: what is unknown is said."""
    assert bench.do("key-set", key="heartbeatinterval", value="77") == {"status": "Accepted", "reason": ""}
    told = bench.do("keys", key=["HeartbeatInterval", "Nonsense"])
    assert told == {"keys": [{"key": "HeartbeatInterval", "value": "77", "readonly": False}], "unknown": ["Nonsense"]}
    assert bench.world.stored("configuration", "HeartbeatInterval") == {"value": "77"}
    assert bench.do("key-set", key="HeartbeatInterval", value="often")["status"] == "Rejected"
    assert bench.do("key-set", key="NumberOfConnectors", value="9") == {"status": "Rejected", "reason": "read-only"}
    assert bench.do("key-set", key="Nonsense", value="1")["status"] == "NotSupported"
    assert len(bench.do("keys")["keys"]) > 30


def test_a_call_is_sent_as_it_is_written(bench: Bench) -> None:
    """Right or wrong, once, and its answer shows in the journal and nowhere else."""
    bench.world.forget()
    bench.do("send", 5, action="Heartbeat")
    refused: list[str] = []

    def refuse(text: str) -> None:
        refused.append(text)
        bench.world.peer.send([4, json.loads(text)[1], "NotImplemented", "", {}])

    bench.world.peer.receive = refuse  # type: ignore[method-assign]
    bench.do("send", 5, action="Nonsense", payload={"a": [1]})
    assert [json.loads(text)[2:] for text in refused] == [["Nonsense", {"a": [1]}]]
    sent = [(entry.action, entry.payload) for _at, entry in bench.world.journal if isinstance(entry, CallSent)]
    assert sent[-2:] == [("Heartbeat", "{}"), ("Nonsense", '{"a":[1]}')]
    ended = [entry.action for _at, entry in bench.world.journal if isinstance(entry, CallAnswered)]
    assert ended[-2:] == ["Heartbeat", "Nonsense"]
    bench.do("network", state="down")
    with pytest.raises(CommandError, match="no connection"):
        bench.do("send", action="Heartbeat")


def test_the_queue_shows_what_waits_for_the_central_system(bench: Bench) -> None:
    bench.do("network", state="down")
    bench.do("plug-in", 5)
    with pytest.raises(CommandError, match="card A1 refused: offline, and not known here"):
        bench.do("swipe", tag="A1")
    assert bench.do("state")["waiting_messages"] == len(bench.do("queue")["messages"]) == 0
    bench.do("key-set", key="AllowOfflineTxForUnknownId", value="true")
    bench.do("swipe", 30, tag="A1")
    messages = bench.do("queue")["messages"]
    assert [each["action"] for each in messages] == ["StartTransaction"]
    assert messages[0]["payload"]["idTag"] == "A1"
    with pytest.raises(NotFoundError, match="no undelivered message 7"):
        bench.do("requeue", key="7")


def given_up() -> tuple[Bench, str]:
    """A charger whose StopTransaction was refused for good, and the key of that message; the next one is accepted."""
    bench = Bench(World(keys={"TransactionMessageAttempts": "1", "HeartbeatInterval": "0"}))
    bench.world.peer.answers["StopTransaction"] = lambda _payload: ERROR
    bench.do("plug-in", 5)
    bench.do("swipe", 60, tag="A1")
    bench.do("swipe", 30, tag="A1")
    (message,) = bench.do("queue")["messages"]
    assert (message["action"], message["is_undelivered"]) == ("StopTransaction", True)
    del bench.world.peer.answers["StopTransaction"]
    bench.world.forget()
    return bench, message["key"]


def test_what_was_given_up_is_sent_again_at_once() -> None:
    """It waits for nothing else to happen: money may depend on it, and the box may stand idle for days."""
    bench, key = given_up()
    bench.do("requeue", 1, key=key)
    assert [row["reason"] for row in bench.world.calls("StopTransaction")] == ["Local"]
    assert bench.do("queue")["messages"] == []


def test_what_was_given_up_is_dismissed_for_good() -> None:
    bench, key = given_up()
    bench.do("dismiss", 60, key=key)
    assert bench.world.calls("StopTransaction") == []
    assert bench.do("queue")["messages"] == []
    with pytest.raises(NotFoundError):
        bench.do("dismiss", key=key)


@pytest.mark.parametrize(
    ("verb", "arguments", "reason"),
    [
        ("plug-in", {"connecter": 1}, "plug-in: connecter: unknown argument, did you mean connector?"),
        ("plug-in", {"connector": 0}, "connector: must be 1..99, got 0"),
        ("swipe", {}, "tag: required, card number"),
        ("swipe", {"tag": "x" * 21}, "tag: must have 1..20 characters, has 21"),
        ("ev-state", {"state": "F"}, 'state: must be B, C or D, got "F"'),
    ],
)
def test_bad_arguments_are_named(bench: Bench, verb: str, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadArgumentsError) as caught:
        bench.do(verb, **arguments)
    assert reason in str(caught.value)


def test_what_is_not_there_is_named_with_what_is(bench: Bench) -> None:
    with pytest.raises(NotFoundError, match="unknown command 'plug-on': did you mean plug-in"):
        bench.desk.command("plug-on")
    with pytest.raises(CommandError, match="there is no connector 2: ac11-sim has 1"):
        bench.do("plug-in", connector=2)
    many = CommandDispatcher({f"CP{number}": bench.world.charger for number in range(1, 8)}, bench.desk.clock)
    assert many.charger("CP3") is bench.world.charger
    with pytest.raises(NotFoundError, match=r"which charger\? 7 fit: CP1, CP2, CP3, CP4, CP5, \.\.\."):
        many.charger("CP")
    with pytest.raises(NotFoundError, match="no charger 'XY'"):
        many.charger("XY")


def test_a_box_that_is_down_is_not_shown_as_charging(bench: Bench) -> None:
    """What the model saw last is no longer true: contactor open, nothing offered, no socket."""
    bench.do("plug-in")
    bench.do("swipe", 30, tag="A1")
    assert bench.outlet()["meter"]["power_w"] > 1000
    bench.do("power-loss", 1, seconds=3600)
    state = bench.do("state")
    (outlet,) = state["connectors"]
    assert (state["phase"], state["is_connected"]) == ("closing", False)
    assert (outlet["status"], outlet["limit_a"], outlet["why"]) == ("Unavailable", 0.0, "the box is down")
    assert outlet["pilot"] == {"state": "B1", "duty_percent": 100.0, "offered_a": 0.0, "is_contactor_closed": False}
    assert (outlet["meter"]["power_w"], outlet["meter"]["current_a"]) == (0.0, [])
    (summary,) = bench.desk.all_summaries().model_dump()["chargers"]
    assert (summary["is_connected"], summary["statuses"], summary["power_w"]) == (False, ["Unavailable"], 0.0)


def test_what_was_not_so_is_not_said_to_be(bench: Bench) -> None:
    assert bench.do("unplug") == {"done": "nothing was plugged in at connector 1"}
    assert bench.do("ev-state", state="C") == {"done": "the vehicle at connector 1 goes to C once it is plugged in"}
    assert bench.do("plug-in") == {"done": "plugged in at connector 1"}
    assert bench.do("plug-in") == {"done": "plugged in at connector 1 already"}
    assert bench.do("unplug") == {"done": "unplugged at connector 1"}


def test_a_fault_that_stays_after_it_was_mended_is_said_to(bench: Bench) -> None:
    bench.do("plug-in", 5)
    bench.do("fault", 5, what="ground_fault")
    assert bench.outlet()["status"] == "Faulted"
    told = bench.do("clear-fault", 5, what="ground_fault")["done"]
    assert told == "ground_fault at connector 1 is cleared, but the fault stays until the cable is unplugged"
    assert bench.outlet()["status"] == "Faulted"
    bench.do("unplug", 5)
    assert bench.outlet()["status"] == "Available"
    bench.do("fault", 5, what="over_temperature")
    assert bench.do("clear-fault", what="over_temperature")["done"] == "over_temperature at connector 1 is cleared"


def test_a_fault_may_mend_itself(bench: Bench) -> None:
    done = bench.do("fault", 20, what="over_temperature", clear_after="30 s")["done"]
    assert done == "over_temperature at connector 1; the cause is removed after 30 s"
    assert bench.outlet()["broken"] == ["over_temperature"]
    bench.do("power-loss", 20, seconds=5)  # whatever becomes of the charger meanwhile
    assert bench.outlet()["broken"] == []


def test_a_key_that_holds_a_secret_is_not_told() -> None:
    """Custom keys may be passwords, or URLs with one."""
    keys = {"WifiPassword": "hunter2hunter2", "Feed": "https://me:hunter2@h/?token=hunter2&x=1"}
    bench = Bench(World(keys=keys))
    told = {each["key"]: each["value"] for each in bench.do("keys", key=["WifiPassword", "Feed"])["keys"]}
    assert "hunter2" not in json.dumps(told)
    assert told == {"WifiPassword": "…", "Feed": "https://…@h/?token=…&x=1"}


def test_nobody_pretends_electricity_on_real_hardware(bench: Bench) -> None:
    for ports in bench.world.charger.board.outlets:
        ports.hands = None
    bench.world.charger.board.is_simulated = False
    deeds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("plug-in", {}),
        ("unplug", {}),
        ("ev-state", {"state": "C"}),
        ("fault", {"what": "ground_fault"}),
        ("clear-fault", {"what": "ground_fault"}),
        ("power-loss", {}),
    )
    for verb, arguments in deeds:
        with pytest.raises(RealHardwareError):
            bench.do(verb, **arguments)


def test_every_command_is_described_and_done_by_one_function() -> None:
    """Each command has its line of help, and a function of its name whose arguments are those of the table."""
    functions = {**ACTIONS, **QUERIES}
    assert set(functions) == set(COMMANDS)
    for command in COMMANDS.values():
        assert command.what.endswith("."), command.name
        parameters = list(inspect.signature(functions[command.name]).parameters)
        own = parameters[2 if command.is_query else 1 :]
        assert sorted(own) == sorted(each.name for each in command.arguments), command.name


# --- JSON lines -------------------------------------------------------------------------------------------------------


def test_json_lines_do_and_answer(bench: Bench) -> None:
    """A request names its command; ``verb`` is an earlier name of that member."""
    line = '{"id": "a", "command": "plug-in", "charger": "CP1", "arguments": {"connector": 1}}'
    assert answer(bench, line) == {"id": "a", "result": {"done": "plugged in at connector 1"}}
    assert answer(bench, '{"id": 2, "verb": "state"}')["result"]["id"] == "CP1"
    assert answer(bench, '{"command": "chargers"}')["result"]["chargers"][0]["id"] == "CP1"
    assert set(answer(bench, '{"command": "commands"}')["result"]) == set(COMMANDS)


def answer(bench: Bench, line: str) -> Any:
    """Return the answer to a line that is answered at once."""
    answers: list[str] = []
    JsonLines(bench.desk).answer(line, answers.append)
    (only,) = answers
    return json.loads(only)


def test_a_command_that_waits_is_answered_when_it_is_done(bench: Bench) -> None:
    """Other requests are answered meanwhile; the id says which answer is whose."""
    lines, answers = JsonLines(bench.desk), list[str]()
    lines.answer('{"id": 1, "command": "wait", "arguments": {"seconds": "1 min"}}', answers.append)
    lines.answer('{"id": 2, "command": "network", "arguments": {"state": "up"}}', answers.append)
    bench.world.run(59)
    assert [json.loads(each)["id"] for each in answers] == [2]
    assert lines.is_waiting
    bench.world.run(2)
    assert json.loads(answers[1]) == {"id": 1, "result": {"done": "waited 60 s"}}
    assert not lines.is_waiting


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("{", "bad-arguments", "not JSON"),
        ("[" * 100_000, "bad-arguments", "not JSON"),
        ("[]", "bad-arguments", "a request is a JSON object"),
        ("{}", "bad-arguments", "a request needs a command"),
        ('{"id": 1e999, "verb": "chargers"}', "bad-arguments", "1e999 is not a number of JSON"),
        ('{"verb": "limit", "arguments": {"amps": -1e999}}', "bad-arguments", "-1e999 is not a number of JSON"),
        ('{"verb": "plug_on"}', "not-found", "unknown command"),
        ('{"verb": "state", "charger": "X"}', "not-found", "no charger 'X'"),
        ('{"verb": "state", "charger": 1}', "bad-arguments", "charger must be a text"),
        ('{"verb": "state", "arguments": []}', "bad-arguments", "arguments must be an object"),
        ('{"verb": "state", "args": {}}', "bad-arguments", "unknown 'args' in a request"),
        ('{"verb": "plug-in", "arguments": {"connector": 9}}', "conflict", "there is no connector 9"),
    ],
)
def test_a_line_that_cannot_be_done_says_why(bench: Bench, line: str, kind: str, reason: str) -> None:
    error = answer(bench, line)["error"]
    assert error["kind"] == kind
    assert reason in error["reason"]


# --- events -----------------------------------------------------------------------------------------------------------


def listened(**bounds: int) -> tuple[World, events.Events]:
    """A world that has booted, and a ring that has heard it."""
    world, ring = World(), events.Events(**bounds)
    ring.watch(world.charger)
    world.charger.cut_power(5)  # who watches hears every life from the next one on
    world.run(60)
    return world, ring


def test_events_are_numbered_and_bounded() -> None:
    world = World()
    ring = events.Events(kept=10)
    ring.watch(world.charger)
    world.cut_power()  # a new charger object: nothing is heard of it
    assert ring.last == 0
    ring.watch(world.charger)
    world.charger.cut_power(5)
    world.run(60).plug().tap("A1").run(30)
    assert ring.last > 10
    kept = list(ring.after(0))
    assert [event.number for event in kept] == list(range(ring.last - 9, ring.last + 1))
    assert ring.missed(0) == ring.last - 10
    assert list(ring.after(ring.last)) == []
    assert [event.number for event in ring.after(ring.last - 2)] == [ring.last - 1, ring.last]
    assert list(ring.after(0, "CP9")) == []
    told = events.told(kept[-1])
    assert json.loads(json.dumps(told))["charger"] == "CP1"
    at_s, entry = world.journal[-1]
    when = {"at_s": round(at_s, 3), "time": utc_text(world.model.calendar.utc_s(at_s))}
    fields = {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(entry).items()}
    assert told == {"id": ring.last, "charger": "CP1", **when, "kind": type(entry).__name__, **fields}


@pytest.mark.parametrize(
    "entry",
    [
        CallServed("1", "ChangeConfiguration", '{"key":"AuthorizationKey","value":"0123456789abcdef"}', True, "{}"),
        CallServed("1", "ChangeConfiguration", '{"value":"0123456789abcdef","key":"AuthorizationKey"}', True, "{}"),
        FrameRefused('[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123456789abcdef"', "not JSON"),
    ],
)
def test_an_event_tells_no_authorization_key(entry: CallServed | FrameRefused) -> None:
    """Secrets are never shown."""
    world, ring = listened()
    world.model.journal.write(0.0, entry)
    told = json.dumps(events.told(next(ring.after(ring.last - 1))))
    assert "0123456789abcdef" not in told
    assert "AuthorizationKey" in told


def test_a_card_number_is_shortened_wherever_people_look() -> None:
    """[D]: a displayed number must not be enough to copy a card: state, events and sessions shorten it alike."""
    world, ring = listened()
    desk = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    world.charge("04A1B2C3D4")
    state = desk.do(desk.command("state"), world.charger, {})
    assert isinstance(state, responses.Charger)
    charge = state.connectors[0].charge
    assert charge is not None
    assert charge.id_tag == "04…D4"
    shown = [events.told(event) for event in ring.after(0)]
    assert {each["tag"] for each in shown if "tag" in each} == {"04…D4"}
    on_wire = [each for each in shown if each["kind"] == "CallSent" and each["action"] == "Authorize"]
    assert "04A1B2C3D4" in on_wire[0]["payload"], "what went over the wire stands there as it was"


def test_a_follower_of_all_is_told_the_latest_and_how_many_were_left_out() -> None:
    world, ring = listened(kept=1000)
    desk = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    for charger in (None, "CP1"):
        follower = live.Follower(desk, ring, charger, str(ring.last))
        list(follower.bundles())  # it has taken up where it was
        for number in range(500):
            world.model.journal.write(0.0, CallSent(str(number), "Heartbeat", "{}"))
        bundles = {bundle.kind: bundle for bundle in follower.bundles() if bundle is not None}
        assert bundles["missed"].body == {"missed": 500 - live.MOST_EVENTS}
        assert bundles["journal"].number == ring.last
        assert [each["message_id"] for each in bundles["journal"].body] == [str(number) for number in range(300, 500)]
        assert not {"journal", "missed"} & {bundle.kind for bundle in follower.bundles() if bundle is not None}


@pytest.mark.parametrize("charger", [None, "CP1"])
def test_who_takes_up_where_it_was_is_told_all_that_is_kept(charger: str | None) -> None:
    """In bundles: nothing that the ring still holds is left out."""
    world, ring = listened(kept=1000)
    known = ring.last
    for number in range(900):
        world.model.journal.write(0.0, CallSent(str(number), "Heartbeat", "{}"))
    follower = live.Follower(CommandDispatcher({"CP1": world.charger}, WorldClock(world)), ring, charger, ring.mark(known))
    bundles = [each for each in follower.bundles() if each is not None]
    told = [each.body for each in bundles if each.kind == "journal"]
    assert "missed" not in {each.kind for each in bundles}
    assert max(map(len, told)) == live.MOST_EVENTS
    assert [event["message_id"] for bundle in told for event in bundle] == [str(number) for number in range(900)]


@pytest.mark.parametrize(("recent", "told"), [(0, 0), (1, 1), (30, 30), (10_000, 99)])
def test_who_comes_new_may_begin_with_the_latest(recent: int, told: int) -> None:
    """Those of the one charger that is looked at, whatever others did meanwhile; nothing of it was missed."""
    world, ring = World(), events.Events(kept=198)
    for number in range(500):
        ring._listen(world.model.calendar, "CP1", 0.0, CallSent(str(number), "Heartbeat", "{}"))
        ring._listen(world.model.calendar, "CP2", 0.0, CallSent(str(number), "Heartbeat", "{}"))
    follower = live.Follower(CommandDispatcher({"CP1": world.charger}, WorldClock(world)), ring, "CP1", recent=recent)
    bundles = {each.kind: each.body for each in follower.bundles() if each is not None and each.kind != "state"}
    assert set(bundles) == ({"journal"} if told else set())
    numbers = [event["message_id"] for event in bundles.get("journal", ())]
    assert numbers == [str(number) for number in range(500 - told, 500)]


def test_meters_of_a_fleet_are_told_in_turns_and_its_states_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A register changes all the time: a round of bundles tells it of some chargers, what else changes of all [D]."""
    monkeypatch.setattr(live, "METERS_AT_ONCE", 2)
    site = SteppedSite(start_utc_s=EPOCH_UTC_S)
    clock = RunningClock()
    monkeypatch.setattr(RunningClock, "charge_s", lambda _clock: site.pump.scheduler.charge_s)
    for number in range(5):
        site.add(ChargerPlan(identity=f"CP{number}", board=plan_board("ac11-sim")))
        site.act(f"CP{number}", lambda board, now_s: hands_of(board, 1).plug_in(now_s))
    site.run_for(5.0)
    for number in range(5):
        site.act(f"CP{number}", lambda board, now_s: board.readers[0].present("A1", now_s))
    site.run_for(60.0)
    follower = live.Follower(CommandDispatcher(site.pump.chargers, clock), events.Events())

    def told() -> list[str]:
        site.run_for(0.5)
        bundles = [each for each in follower.bundles() if each is not None]
        return [summary["id"] for bundle in bundles for summary in bundle.body["chargers"]]

    assert told() == ["CP0", "CP1", "CP2", "CP3", "CP4"]
    assert [told() for _ in range(3)] == [["CP2", "CP3"], ["CP4"], ["CP0", "CP1"]]
    site.charger("CP0").link.hold(True)
    assert told() == ["CP0", "CP2", "CP3"]
    site.close()


def test_what_others_did_is_nothing_that_was_missed_of_one() -> None:
    """The ring is everybody's; who looks at one charger has missed what that one did, and no more."""
    world, ring = listened(kept=10)
    first = ring.last
    for _ in range(50):
        ring._listen(world.model.calendar, "CP2", 0.0, CallSent("1", "Heartbeat", "{}"))
    assert (ring.missed(0), ring.missed(0, "CP1"), ring.missed(0, "CP2")) == (first + 40, first, 40)
    assert (ring.missed(first), ring.missed(first, "CP1"), ring.missed(first, "CP2")) == (40, 0, 40)
    assert ring.missed(0, "CP3") == 0


def test_long_frames_are_told_in_portions() -> None:
    """Between two bundles chargers go first; every event is told once, in order."""
    world, ring = listened()
    dispatcher = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    follower = live.Follower(dispatcher, ring, "CP1", ring.mark(ring.last))
    lengths = [10, live.PORTION // 2, live.PORTION // 2, 10, 3 * live.PORTION, 10, 20]
    for length in lengths:
        world.model.journal.write(0.0, CallSent("1", "DataTransfer", "x" * length))
    told = [each.body for each in follower.bundles() if each is not None and each.kind == "journal"]
    assert [[len(event["payload"]) for event in bundle] for bundle in told] == [lengths[:3], lengths[3:5], lengths[5:]]


def test_a_follower_of_an_earlier_run_is_told_all_that_is_kept_of_this_one() -> None:
    """Numbers begin at 1 in every run of the program: what was known of another run says nothing about this one."""
    world, ring = listened()
    assert ring.last > 3
    desk = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    for known in ("0-3", str(ring.last + 1), "9" * 17):
        bundles = [each for each in live.Follower(desk, ring, "CP1", known).bundles() if each is not None]
        assert [each.kind for each in bundles] == ["restarted", "journal", "state"]
        assert bundles[0].body == {"run": ring.run}
        assert [each["id"] for each in bundles[1].body] == list(range(1, ring.last + 1))
    bundles = [each for each in live.Follower(desk, ring, "CP1", ring.mark(3)).bundles() if each is not None]
    assert [each.kind for each in bundles] == ["journal", "state"]
    assert bundles[0].body[0]["id"] == 4


def test_events_are_bounded_by_what_they_hold() -> None:
    """A central system that sends long messages fills no memory; the latest event is kept, however long."""
    world, ring = listened(kept=1000, kept_characters=10_000)
    for length in (4_000, 4_000, 4_000, 50_000):
        world.model.journal.write(0.0, CallSent("1", "DataTransfer", "x" * length))
        assert sum(event.length for event in ring.after(0)) <= max(10_000, length)
    assert [event.length for event in ring.after(0)] == [50_000]
    assert ring.missed(0) == ring.last - 1


def test_a_charger_that_was_not_started_yet_is_not_there() -> None:
    world = World()
    fresh = Charger("CP2", world.pump, world.pump.timers("test"), lambda _charger, _timers: world.model)
    desk = CommandDispatcher({"CP1": world.charger, "CP2": fresh}, WorldClock(world))
    assert [each.id for each in desk.all_summaries().chargers] == ["CP1"]
    with pytest.raises(NotFoundError, match="no charger 'CP2'"):
        desk.charger("CP2")


def test_a_store_that_fails_is_told_and_not_raised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(bench.world.store, "load", fail)
    with pytest.raises(CommandError, match="the disk is gone"):
        bench.do("statistics")


def test_a_meter_that_fails_does_not_hide_the_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise HardwareError("meter 1", "no answer")

    monkeypatch.setattr(type(bench.world.charger.board.outlet(1).meter), "peek", fail)
    assert bench.do("state")["id"] == "CP1"


def test_unplugging_at_a_locked_socket_is_answered_with_what_will_happen() -> None:
    """5.18, 4.10: the lock opens with the end of the transaction; the plug comes out then, without a second unplug."""
    bench = Bench(World(board=SOCKET).configure(StopTransactionOnEVSideDisconnect="false").charge())
    answer = bench.do("unplug", 30)
    locked = "the plug is locked in the socket of connector 1 and comes out as soon as the lock opens"
    assert (answer, bench.outlet()["status"]) == ({"done": f"unplugged from the car; {locked}"}, "SuspendedEV")
    assert bench.do("unplug") == {"done": locked}
    bench.do("swipe", 30, tag="A1")
    assert bench.outlet()["status"] == "Available"


def test_a_vehicle_comes_back_changed(bench: Bench) -> None:
    """`plug-in --soc 30 % --model bev_1p32`: another vehicle each time, and never while one is plugged in."""
    hands = bench.world.charger.board.outlet(1).hands
    assert hands is not None
    bench.do("plug-in", 5, soc="30 %", model="bev_1p32")
    assert hands.soc_at(bench.world.now_s) == pytest.approx(0.3)
    bench.do("swipe", 60, tag="A1")
    assert bench.outlet()["meter"]["current_a"][1:] == [0.0, 0.0], "it has one phase"
    with pytest.raises(CommandError, match="plugged in: unplug it first"):
        bench.do("plug-in", soc=50)
    bench.do("unplug", 5)
    with pytest.raises(CommandError, match="unknown model 'bev_1p33': did you mean bev_1p32"):
        bench.do("plug-in", model="bev_1p33")
    with pytest.raises(BadArgumentsError, match=r"soc: must be 0\.\.100"):
        bench.do("plug-in", soc=130)
    bench.do("plug-in", 5, soc=70)
    assert hands.soc_at(bench.world.now_s) == pytest.approx(0.7)


def test_what_a_vehicle_has_become_outlasts_a_restart(bench: Bench) -> None:
    bench.do("plug-in", 5, soc=30, model="bev_1p32")
    bench.world.cut_power()
    circuit = next(each for each in bench.world.charger.board.processes if isinstance(each, Circuit))
    assert circuit.car is not None
    assert circuit.car.kind.name == "bev_1p32"
    assert circuit.car.soc == pytest.approx(0.3)
