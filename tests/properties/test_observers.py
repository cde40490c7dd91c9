"""Observers change nothing: a run that is watched at every step has the same outbox, wire and store as one that is not.

Every kind of session runs twice from the same seed. The second time everything that can be asked is asked at each moment
at which something happened, and at moments between, and every listener of the journal is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import pytest
from rich.console import ConsoleDimensions

from chargepoint.cli.panel import _picture
from chargepoint.cli.story import Story
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.outbox import Effect
from chargepoint.model.timebase import utc_text
from chargepoint.runtime import diagnostics
from chargepoint.runtime.control import views
from chargepoint.runtime.control.commands import COMMANDS
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.events import Events
from chargepoint.runtime.control.jsonlines import JsonLines
from chargepoint.runtime.control.live import Follower
from chargepoint.runtime.mqtt.broker import Broker
from chargepoint.runtime.mqtt.entities import Topics
from chargepoint.runtime.porter import FilePlan
from chargepoint.runtime.web.metrics import exposition
from hw.sim.circuit import Circuit
from tests.runtime.test_control import WorldClock
from tests.world import EPOCH_UTC_S, Peer, World

SLICE_S = 7.3
"""Between two looks no more than this, even when nothing happens."""


class WirePeer(Peer):
    """Keeps every text as it came, byte for byte."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.texts: list[str] = []

    def receive(self, text: str) -> None:
        self.texts.append(text)
        super().receive(text)


@dataclass
class Unobserved(World):
    """A world without any observer or listener."""

    def _make_peer(self) -> WirePeer:
        return WirePeer(self)

    def _build(self) -> None:
        super()._build()
        self.charger.on_rebuilt = ()

    @property
    def traces(self) -> tuple[list[str], list[Any], int]:
        """Wire, records of the store, and the number of commits."""
        assert isinstance(self.peer, WirePeer)
        rows = self.store._db.execute("SELECT * FROM record ORDER BY charger, kind, key").fetchall()
        return self.peer.texts, rows, self.pump.committed


@dataclass
class Observed(Unobserved):
    """A world in which everything is asked at every step."""

    looks: int = 0

    def _build(self) -> None:
        super()._build()
        charger = self.charger
        self.events = Events()
        self.recollection = diagnostics.Recollection()
        self.lines: list[str] = []
        story = Story(lambda *line: self.lines.append(str(line)))
        charger.on_rebuilt = (
            lambda each: each.model.journal.listen(story.listen),
            self.recollection.watch,
        )
        self.events.watch(charger)
        self.desk = CommandDispatcher(self.pump.chargers, WorldClock(self))
        self.topics = Topics(Broker("127.0.0.1"), "CP1")
        self.one = Follower(self.desk, self.events, "CP1", recent=100)
        self.all = Follower(self.desk, self.events)
        self.jsonlines = JsonLines(self.desk)
        self.watchers = [self.look]

    def run(self, seconds: float) -> Self:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            super().run(min(SLICE_S, end_s - self.now_s))
            self.look()
        return self

    def look(self) -> None:
        self.looks += 1
        for command in COMMANDS.values():
            if command.is_query:
                self.desk.do(command, self.charger, {})
                self.jsonlines.answer(json.dumps({"id": 1, "command": command.name}), self.lines.append)
        self.desk.all_summaries().model_dump_json()
        exposition(self.desk, self.events, [each for some in self.desk.energies() for each in some])
        for follower in (self.one, self.all):
            list(follower.bundles())
        list(self.topics.messages(views.charger(self.charger, self.desk.clock)))
        diagnostics.contents(self.charger, self.recollection)
        _picture(self.charger, self, self.lines, ConsoleDimensions(100, 40))  # type: ignore[arg-type]  # it wants a clock

    @property
    def clock(self) -> WorldClock:
        return WorldClock(self)


Session = Callable[[World], None]


def _at(world: World, in_s: float) -> str:
    return utc_text(EPOCH_UTC_S + world.now_s + in_s)


def _profile(number: int, purpose: str, schedule: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", **schedule},
        **more,
    }


def _put(world: World, connector: int, told: dict[str, Any]) -> None:
    answer = world.ask("SetChargingProfile", connectorId=connector, csChargingProfiles=told)
    assert answer == {"status": "Accepted"}, answer


def normal(world: World) -> None:
    world.configure(MeterValueSampleInterval=20, StopTxnSampledData="Energy.Active.Import.Register")
    world.charge().run(100).wants_energy(False).run(30).wants_energy(True).run(60)
    world.tap("A1").run(10).unplug().run(30)


def until_full(world: World) -> None:
    """The car tapers, balances its cells and stops by itself: between two readings of the meter its events are unseen."""
    circuit = world.charger.board.processes[0]
    assert isinstance(circuit, Circuit)
    assert circuit.car is not None
    circuit.car._draw.soc = 0.99
    world.charge().run(900)
    assert circuit.car.soc > 0.992, "it tapers"
    world.tap("A1").run(10).unplug()


def offline(world: World) -> None:
    world.charge().run(30).network(False).run(200).tap("A1").run(10).unplug().run(5).plug().tap("B2").run(100)
    world.network(True).run(120).unplug().run(20)


def faults(world: World) -> None:
    world.charge().run(30)
    for cause in ("meter_silent", "over_temperature", "diode_short", "contactor_stuck", "ground_fault"):
        world.cause(cause).run(20).cause(cause, False).run(15)
    world.unplug().run(10).charge("B2").run(30).cause("meter_silent").run(90).cause("meter_silent", False).run(60)
    world.unplug().run(10)


def reservation(world: World) -> None:
    answer = world.ask("ReserveNow", connectorId=1, idTag="A1", expiryDate=_at(world, 60), reservationId=7)
    assert answer == {"status": "Accepted"}
    world.tap("C1").run(20).charge("A1").run(30).unplug().run(10)
    world.ask("ReserveNow", connectorId=1, idTag="A1", expiryDate=_at(world, 30), reservationId=8)
    world.run(60)


def smart_charging(world: World) -> None:
    """Profiles that begin, change and end while a car charges, and one that ends by its own validTo."""
    default = {"startSchedule": _at(world, 60), "duration": 60, "chargingSchedulePeriod": _steps((0, 10.0), (20, 0.0))}
    _put(world, 1, _profile(1, "TxDefaultProfile", default))
    most = {"startSchedule": _at(world, 0), "chargingSchedulePeriod": _steps((0, 12.0), (90, 8.0), (100, 14.0))}
    _put(world, 0, _profile(2, "ChargePointMaxProfile", most, validTo=_at(world, 170)))
    world.charge().run(40)
    _put(world, 1, _profile(3, "TxProfile", {"duration": 30, "chargingSchedulePeriod": _steps((0, 7.0))}))
    world.run(200).ask("ClearChargingProfile")
    world.run(30).tap("A1").run(10).unplug().run(10)


def _steps(*steps: tuple[int, float]) -> list[dict[str, float]]:
    return [{"startPeriod": start_s, "limit": limit} for start_s, limit in steps]


def costs(world: World) -> None:
    world.charge().run(20)
    for message, body in (
        ("RunningCost", {"transactionId": 1, "cost": 1.33, "triggerMeterValue": {"energyMeter": 1, "atPowerkW": 3}}),
        ("RunningCost", {"transactionId": 1, "cost": 2.5, "chargingPrice": {"kWhPrice": 0.4, "hourPrice": 1.2}}),
        ("FinalCost", {"transactionId": 1, "cost": 4.12, "qrCodeText": "https://pay.example"}),
    ):
        world.ask("DataTransfer", vendorId="org.openchargealliance.costmsg", messageId=message, data=json.dumps(body))
        world.run(40)
    world.tap("A1").run(20).unplug().run(60)


def duo(world: World) -> None:
    """Two cars share a ChargePointMaxProfile; what one gets depends on the other."""
    most = {"startSchedule": _at(world, 0), "chargingSchedulePeriod": _steps((0, 16.0), (120, 9.0), (180, 40.0))}
    _put(world, 0, _profile(1, "ChargePointMaxProfile", most))
    one = {"startSchedule": _at(world, 30), "duration": 60, "chargingSchedulePeriod": _steps((0, 6.0))}
    _put(world, 2, _profile(2, "TxDefaultProfile", one))
    world.charge("A1", 1).charge("B2", 2).run(100).wants_energy(False, 1).run(700)
    world.unplug(1).run(30).unplug(2).run(20)


def firmware(world: World) -> None:
    world.charge().run(10)
    assert world.ask("UpdateFirmware", location="ftp://files.example/wall-2.1.0.bin", retrieveDate=_at(world, 5)) == {}
    world.run(60).tap("A1").run(10).unplug().run(90)
    world.ask("GetDiagnostics", location="ftp://files.example/")
    world.run(30)


def reset(world: World) -> None:
    world.charge().run(30)
    assert world.ask("Reset", type="Soft") == {"status": "Accepted"}
    world.run(60).charge("B2").run(30)
    assert world.ask("Reset", type="Hard") == {"status": "Accepted"}
    world.run(60).unplug().run(20)


def power_cut(world: World) -> None:
    world.charge().run(90).cut_power().run(60).unplug().run(20)


def remote(world: World) -> None:
    world.configure(ClockAlignedDataInterval=30, MeterValuesAlignedData="Power.Active.Import")
    world.plug()
    assert world.remote_start("A1", connectorId=1) == "Accepted"
    world.run(70)
    world.ask("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
    world.run(40)
    world.ask("ChangeAvailability", connectorId=1, type="Inoperative")
    assert world.remote_stop(1) == "Accepted"
    world.run(20).unplug().run(20)


def local_limit(world: World) -> None:
    world.charge().run(20)
    for amps in (10.0, 0.0, None):
        world.charger.limit(1, amps)
        world.run(20)
    world.charger.resume(1)
    world.run(20).unplug().run(20)


BOARDS: dict[Session, str] = {duo: "ac11-sim-duo", reservation: "ac11-sim-socket"}
PLANS: dict[Session, dict[str, Any]] = {
    firmware: {"plan": {"files": FilePlan()}},
    costs: {"keys": {"CustomDisplayCostAndPrice": "true"}},
}
KINDS: tuple[Session, ...] = (
    normal,
    until_full,
    offline,
    faults,
    reservation,
    smart_charging,
    costs,
    duo,
    firmware,
    reset,
    power_cut,
    remote,
    local_limit,
)


@pytest.mark.parametrize("session", KINDS, ids=lambda each: each.__name__)
def test_a_session_that_is_watched_is_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing every listener and every query changes nothing: outbox, wire, store and number of commits [D]."""
    outboxes: list[list[Effect]] = []
    take_effects = ChargePoint.take_effects

    def noted(model: ChargePoint) -> list[Effect]:
        effects = take_effects(model)
        outboxes[-1] += effects
        return effects

    monkeypatch.setattr(ChargePoint, "take_effects", noted)
    traces = []
    for kind in (Unobserved, Observed):
        outboxes.append([])
        world = kind(board=BOARDS.get(session, "ac11-sim"), seed=11, **PLANS.get(session, {}))
        session(world)
        traces.append(world.traces)
    assert isinstance(world, Observed)
    assert world.looks > 50
    assert len(traces[0][0]) > 10
    assert outboxes[1] == outboxes[0]
    assert traces[1] == traces[0]
