"""How a transaction ends that a restart has cut: register, instant and status (OCPP 1.6 4.10, 6.49, 7.36)."""

from __future__ import annotations

import pytest

from chargepoint.model.outbox import Save
from chargepoint.model.timebase import utc_seconds
from chargepoint.runtime.store import Durability
from tests.world import EPOCH_UTC_S, World

KEYS = {"MeterValueSampleInterval": "0"}


@pytest.fixture
def world() -> World:
    return World(keys=KEYS, durability=Durability.FULL)


def counted_meanwhile(world: World, energy_wh: float) -> None:
    """Let the meter count on after the last stored register, as a real one does until the contactor has opened."""
    state = world.stored("board", "state")
    state["processes"][0]["register_wh"][1] += energy_wh
    world.store.commit([("CP1", Save("board", "state", state))])


def stored_wh(world: World) -> int:
    return int(world.stored("meter", "1")["wh"])


def test_the_register_of_a_charging_session_is_stored_every_10_s(world: World) -> None:
    """[D] A loss of power costs at most 10 s of energy where the meter itself has forgotten it."""
    world.charge()
    for _ in range(12):
        world.run(10)
        power_w = world.connector().meter.reading.total_power_w
        assert world.connector().meter.energy_wh - stored_wh(world) == 0
        assert EPOCH_UTC_S + world.now_s - world.stored("meter", "1")["at"] <= 10.1
        assert power_w > 10_000


def test_a_register_that_stands_still_is_stored_once_a_minute(world: World) -> None:
    """[D] Each write wears an SD card: while the car pauses only the instant of the reading is renewed."""
    world.charge().wants_energy(False).run(20)
    instants = set()
    for _ in range(300):
        instants.add(world.run(1).stored("meter", "1")["at"])
    assert len(instants) in (5, 6)


def test_the_meter_counts_after_a_loss_of_power(world: World) -> None:
    """meterStop: the meter value in Wh at end of the transaction (6.49). With the contactor open the meter is exact."""
    world.charge().run(30)
    stored, at = stored_wh(world), world.stored("meter", "1")["at"]
    counted_meanwhile(world, 20.0)
    world.cut_power(5.0).run(10)
    stop = world.last("StopTransaction")
    assert stop["meterStop"] == pytest.approx(stored + 20, abs=1)
    assert utc_seconds(stop["timestamp"]) == pytest.approx(at, abs=0.01), "the instant is that of the stored reading"
    world.unplug().charge()
    assert world.last("StartTransaction")["meterStart"] == stop["meterStop"]


def test_the_meter_is_read_when_the_contactor_has_had_time_to_open(world: World) -> None:
    """A contactor opens within 100 ms (IEC 61851-1), and a polled meter tells a reading that may be 1 s old."""
    world.charge().run(30).cut_power(5.0)
    assert world.run(1.5).calls("StopTransaction") == []
    assert len(world.run(1.0).calls("StopTransaction")) == 1


def test_a_step_that_the_outlet_cannot_supply_is_not_billed(world: World) -> None:
    """[D] At most rated power times the time without power: 11 kW for 5 s and the 10 s before is less than 50 Wh."""
    world.charge().run(30)
    stored = stored_wh(world)
    counted_meanwhile(world, 5000.0)
    world.cut_power(5.0).run(10)
    assert world.last("StopTransaction")["meterStop"] == stored
    world.unplug().charge()
    assert world.last("StartTransaction")["meterStart"] >= stored + 5000


def test_a_lower_register_is_not_billed(world: World) -> None:
    """The register of a replaced meter, or of one that has lost its register, is lower: the stored one counts (7.31)."""
    world.charge().run(30)
    stored = stored_wh(world)
    counted_meanwhile(world, -50.0)
    world.cut_power(5.0).run(10)
    assert world.last("StopTransaction")["meterStop"] == stored


def test_a_meter_that_does_not_answer_leaves_the_stored_register(world: World) -> None:
    """3.7.1, 4.10: the stop is not held for ever by a meter that is dead after a loss of power."""
    world.charge().run(30)
    stored = stored_wh(world)
    state = world.stored("board", "state")
    state["processes"][0]["causes"] = ["meter_silent"]
    world.store.commit([("CP1", Save("board", "state", state))])
    world.cut_power(5.0).run(10)
    assert [stop["meterStop"] for stop in world.calls("StopTransaction")] == [stored]


def test_a_second_loss_of_power_before_the_stop_changes_nothing(world: World) -> None:
    """One stop, with the same reason and instant, however often the power fails before it is complete."""
    world.charge().run(30)
    at = world.stored("meter", "1")["at"]
    for _ in range(3):
        world.cut_power(5.0).run(1.0)
    (stop,) = world.run(10).calls("StopTransaction")
    assert stop["reason"] == "PowerLoss"
    assert utc_seconds(stop["timestamp"]) == pytest.approx(at, abs=0.01)


def test_the_reason_of_a_restart_on_purpose_survives_a_loss_of_power(world: World) -> None:
    """7.36: SoftReset, HardReset and Reboot are not PowerLoss, also if the power fails before the stop is complete."""
    world.charge().run(30)
    world.store.commit([("CP1", Save("restart", "cause", {"reason": "Reboot"}))])
    world.cut_power(5.0).run(1.0).cut_power(5.0).run(10)
    assert [stop["reason"] for stop in world.calls("StopTransaction")] == ["Reboot"]


def test_nobody_starts_before_the_stop_is_complete(world: World) -> None:
    """4.8: one transaction at a time on a connector."""
    world.charge().run(30).cut_power(5.0).run(1.0)
    assert world.remote_start("B2", connectorId=1) == "Rejected"
    assert world.run(5).remote_start("B2", connectorId=1) == "Accepted"
    world.run(20)
    assert world.story().index("StopTransaction PowerLoss") < world.story().index("StartTransaction B2")


def test_the_car_is_still_there_preparing(world: World) -> None:
    """4.9: Preparing, "a user is able to start a new transaction"; [D] Finishing is left to ends that people cause."""
    world.charge().run(30).forget().cut_power(5.0).run(10)
    assert world.statuses() == ["Preparing"]
    assert world.tap("A1").run(20).told() == "Charging"


def test_the_car_that_left_meanwhile_leaves_an_available_connector(world: World) -> None:
    """4.9: Available when no car is connected."""
    gone = World(keys=KEYS, keeps_board=False)
    gone.charge().run(30).forget().cut_power(5.0).run(10)
    assert (gone.last("StopTransaction")["reason"], gone.told()) == ("PowerLoss", "Available")


def test_an_older_transaction_of_the_same_connector_ends_where_the_newer_one_began(world: World) -> None:
    """4.8: one transaction at a time on a connector; a damaged store may hold two."""
    world.charge().run(30)
    ((_key, body),) = world.store.load("CP1")["transaction"].items()
    older = {**body, "started": body["started"] - 600.0, "start_wh": 0}
    world.store.commit([("CP1", Save("transaction", "1-older", older))])
    newer = {**body, "start_wh": 40, "id": 77}
    world.store.commit([("CP1", Save("transaction", _key, newer))])
    world.cut_power(5.0).run(10)
    stops = world.calls("StopTransaction")
    assert stops[0]["meterStop"] == 40
    assert stops[1]["meterStop"] > 40
    assert stops[0]["timestamp"] < stops[1]["timestamp"]
