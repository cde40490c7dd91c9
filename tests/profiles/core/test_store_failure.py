"""What a charger does while nothing can be stored: the energy at risk is bounded, and nothing counts as undelivered."""

from __future__ import annotations

import pytest

from chargepoint.runtime.store import Durability
from tests.failing_store import StoreWorld

KEYS = {"MeterValueSampleInterval": "30", "TransactionMessageRetryInterval": "1", "LocalPreAuthorize": "true"}
RAMP_S = 6.0
"""How long a car may take to stop drawing after the pilot went steady (IEC 61851-1)."""


@pytest.fixture
def world() -> StoreWorld:
    return StoreWorld(board="ac22-sim", keys=KEYS, durability=Durability.FULL)


def test_charging_pauses_before_a_minute_is_at_risk(world: StoreWorld) -> None:
    """[D] At most 60 s of energy flow that no stored register covers; the status is SuspendedEVSE with InternalError."""
    world.charge().run(60)
    stored_wh = world.stored("meter", "1")["wh"]
    power_w = world.connector().meter.reading.total_power_w
    world.forget().break_store().run(45)
    assert world.connector().status == "Charging"
    world.run(3600)
    assert world.tells() == [("SuspendedEVSE", "InternalError", "The store cannot be written")]
    assert not world.connector().supply.is_closed
    lost_wh = world.charger.board.processes[0].register.energy_wh - stored_wh  # type: ignore[attr-defined]
    assert 0 < lost_wh <= power_w * 60.0 / 3600.0
    assert "the store cannot be written" in world.connector().offer.reason


def test_a_loss_of_power_meanwhile_costs_at_most_a_minute(world: StoreWorld) -> None:
    """4.10 and 6.49: the stop tells the register at the end, as far as it could be stored."""
    world.charge().run(600)
    register_wh = world.connector().meter.energy_wh
    power_w = world.connector().meter.reading.total_power_w
    world.break_store().run(720).cut_power(5.0).run(10)
    stop = world.last("StopTransaction")
    assert stop["reason"] == "PowerLoss"
    assert register_wh + power_w / 60 - stop["meterStop"] <= power_w * 60.0 / 3600.0


def test_charging_goes_on_when_the_store_recovers(world: StoreWorld) -> None:
    """SuspendedEVSE ends when energy is offered again (4.9); every sample of the meantime is delivered, in order."""
    world.charge().run(60).break_store().run(600)
    world.forget().mend_store().run(60)
    assert world.tells()[-1] == ("Charging", "NoError", "")
    world.tap("A1").run(20)
    assert [call for call in world.story() if "Transaction" in call] == ["StopTransaction Local"]
    stamps = [values["meterValue"][0]["timestamp"] for values in world.calls("MeterValues")]
    assert len(stamps) > 15
    assert stamps == sorted(stamps)
    assert not world.model.queue.undelivered


@pytest.mark.parametrize("is_remote", [False, True])
def test_no_transaction_begins_while_the_store_fails(world: StoreWorld, is_remote: bool) -> None:
    """3.7.1: every transaction message is delivered at last, which needs a store; the refusal reaches people and peer."""
    world.plug().run(1).forget().break_store()
    if is_remote:
        assert world.remote_start("A1", connectorId=1) == "Rejected"
    else:
        world.tap("A1")
    world.run(30)
    assert world.calls("StartTransaction") == []
    assert not world.connector().supply.is_closed
    world.mend_store().tap("A1").run(20)
    assert world.told() == "Charging"


def test_a_start_that_waits_for_the_store_is_taken_back(world: StoreWorld) -> None:
    """An authorisation that has not led to a transaction ends: the transaction could not be stored."""
    world.tap("A1").break_store()
    assert world.told() == "Available"
    assert world.plug().run(30).calls("StartTransaction") == []


def test_messages_that_could_not_leave_do_not_time_out(world: StoreWorld) -> None:
    """9.1.31 counts transmissions: a message that waits for the store was never transmitted."""
    world.charge().run(37)
    world.pump.fails = True  # type: ignore[attr-defined]
    world.run(6)  # a sample is due, and its frame waits for the commit
    assert world.model.session.awaits_answer
    world.break_store().run(3600)
    head = world.model.queue.head
    assert (head.action, head.attempts) == ("MeterValues", 0)
    world.mend_store().run(30)
    assert not world.model.queue.undelivered
    assert not len(world.model.queue)


def test_the_central_system_is_answered_while_the_store_fails(world: StoreWorld) -> None:
    """OCPP-J 4.1.4: an answer that depends on nothing stored leaves; one that does waits for the commit."""
    world.run(5).break_store()
    assert "configurationKey" in world.ask("GetConfiguration", key=["HeartbeatInterval"])
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
    assert world.calls("Heartbeat") != []
    changed = world.peer.call("ChangeConfiguration", key="HeartbeatInterval", value="77")
    world.run(60)
    assert changed not in world.peer.results
    world.mend_store().run(1)
    assert world.peer.results[changed][2] == {"status": "Accepted"}


def test_a_charger_that_starts_while_the_store_fails_knows_it(world: StoreWorld) -> None:
    """A reset of the box does not mend its disk."""
    world.run(5).break_store()
    world.charger.cut_power(1.0)
    world.pump.fails = False  # type: ignore[attr-defined]
    world.run(10)
    assert world.model.is_store_failing
    assert world.plug().tap("A1").run(20).calls("StartTransaction") == []
