"""What a review by fresh eyes found: mishaps in the gaps between two ordinary events. Each was red once."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.energy import EnergyMeter
from chargepoint.model.outbox import Save, SetPilot, SetRelay
from chargepoint.model.timebase import utc_seconds
from hw.errors import HardwareError
from hw.ports import PILOT_STEADY, PilotReading, Reading, RelayKind, RelaySeen
from tests.world import ERROR, SILENCE, World


def see_volts(world: World, volts: float) -> None:
    world.model.connector(1).supply.on_pilot(PilotReading(world.now_s, volts=volts), world.now_s)
    world.charger.wake()


def test_an_emergency_stop_between_card_and_begin_needs_a_new_card(socket: World) -> None:
    """relay rule; a fault while the lock's motor runs: nothing begins, not even when the fault is over."""
    socket.plug()
    socket.charger.act(lambda board, now_s: board.readers[0].present("A1", now_s))
    socket.run(0.05).cause("emergency_stop").run(10).cause("emergency_stop", False).run(30)
    assert socket.calls("StartTransaction") == []
    assert "Charging" not in socket.statuses()


@pytest.mark.parametrize("volts", [7.5, -12.0])
def test_a_pilot_that_shows_nothing_opens_the_contactor(world: World, volts: float) -> None:
    """IEC 61851-1: CP undefined > 3 s: open; −12 V that we do not drive is a dead outlet."""
    world.charge("A1")
    assert world.connector().supply.is_closed
    see_volts(world, volts)
    world.run(3.2)
    assert not world.connector().supply.is_ordered_closed


def test_a_controller_that_opens_by_itself_is_no_fault(world: World) -> None:
    """RelayKind.FOLLOWS_PILOT: SetRelay is a permission, and feedback decides what is true."""
    connector = world.charge("A1").connector()
    object.__setattr__(connector.outlet, "relay", RelayKind.FOLLOWS_PILOT)
    try:
        connector.on_relay(False, world.now_s)
        world.run(5)
        assert connector.troubles == {}
    finally:
        object.__setattr__(connector.outlet, "relay", RelayKind.DIRECT)


def test_an_impossible_reading_is_not_billed(world: World) -> None:
    """One wrong bit in a meter's answer must not become the register for ever."""
    connector = world.charge("A1").connector()
    before_wh = connector.meter.energy_wh
    assert not connector.meter.take(Reading(world.now_s, energy_wh=4.2e9), world.now_s)
    assert connector.meter.energy_wh == before_wh


def test_one_low_reading_is_an_error_and_the_register_stands(world: World) -> None:
    """The energy register never falls, and what came back counts as if nothing had been."""
    meter = world.charge("A1").run(600).connector().meter
    before_wh = meter.register_wh
    for energy_wh in (3.0, before_wh + 10.0, 5.0, before_wh + 20.0):
        meter.take(Reading(world.now_s, energy_wh=energy_wh), world.now_s)
    assert meter.register_wh == before_wh + 20.0


def test_a_replaced_meter_bills_from_its_first_reading(world: World) -> None:
    """A meter that starts again at 0 gives nothing away: what it counts is added to the old register, restarts included."""
    meter = world.charge("A1").run(600).connector().meter
    before_wh = meter.register_wh
    for energy_wh in (2.0, 7.0, 12.0, 22.0):
        meter.take(Reading(world.now_s, energy_wh=energy_wh), world.now_s)
    assert meter.register_wh == before_wh + 20.0
    meter.save(world.now_s)
    body: Any = next(effect.body for effect in reversed(world.charger.model.take_effects()) if isinstance(effect, Save))
    again = EnergyMeter(world.connector(), world.connector().outlet)
    again.restore(body["wh"], body["offset"])
    again.take(Reading(world.now_s, energy_wh=32.0), world.now_s)
    assert again.register_wh == pytest.approx(before_wh + 30.0, abs=1.0)


def test_a_device_that_fails_is_a_fault_and_not_the_end(world: World, monkeypatch: Any) -> None:
    """HardwareError: the charger goes to Faulted and lives."""
    world.charge("A1").forget()
    pilot = world.charger.board.outlet(1).pilot

    def broken(duty_percent: float, now_s: float) -> None:
        raise HardwareError("connector 1, pilot", "the line is dead")

    monkeypatch.setattr(type(pilot), "set_duty", lambda _self, duty, now_s: broken(duty, now_s))
    world.tap("A1").run(20)
    assert world.statuses()[-1] == "Faulted"
    assert world.calls("BootNotification") == []
    assert len(world.calls("StopTransaction")) == 1


def test_a_lower_current_does_not_wait_for_the_store(world: World) -> None:
    """Reductions are made at once (smart charging, section 9); only more current waits for what was decided before."""
    charger = world.charge("A1").charger
    assert charger._takes_energy_away(SetPilot(1, 20.0))
    assert not charger._takes_energy_away(SetPilot(1, 40.0))
    assert charger._takes_energy_away(SetPilot(1, PILOT_STEADY))
    assert not charger._takes_energy_away(SetRelay(1, True))


@pytest.mark.parametrize("step_s", [-30 * 86400.0, 30 * 86400.0])
def test_the_grid_follows_a_clock_that_is_set(step_s: float) -> None:
    """Clock-aligned values are at 00:00:00 + k × interval of the calendar there is now."""
    world = World(keys={"ClockAlignedDataInterval": "900"}).run(1000)
    calendar = world.model.calendar
    before_s = calendar.utc_s(world.now_s)
    world.model.clock_stepped(calendar.set(before_s + step_s, world.now_s), world.now_s)
    calendar.sets_once = True  # nothing the peer says later counts
    world.forget().run(3600)
    stamps = [utc_seconds(p["meterValue"][0]["timestamp"]) for p in world.calls("MeterValues")]
    assert len(stamps) in (3, 4)
    assert all(stamp > before_s + step_s and stamp % 900 == 0 for stamp in stamps)


def test_a_stall_is_not_filled_with_copies_of_one_reading() -> None:
    """A process that slept samples once when it wakes, at the newest instant that was due."""
    world = World(keys={"MeterValueSampleInterval": "10"}).charge("A1").forget()
    world.pump.scheduler.tell(world.now_s + 600, world.now_s + 600)
    world.run(5)
    assert len(world.calls("MeterValues")) == 1


def test_nobody_starts_while_the_charger_goes_down(world: World) -> None:
    """Soft reset: transactions are stopped and told first; a new one would be cut."""
    world.charge("A1")
    world.peer.answers["StopTransaction"] = lambda _payload: SILENCE
    assert world.ask("Reset", type="Soft") == {"status": "Accepted"}
    world.run(10).forget().tap("B2").run(5)
    assert world.calls("StartTransaction", "Authorize") == []
    assert world.ask("RemoteStartTransaction", idTag="B2") == {"status": "Rejected"}


@pytest.mark.parametrize("value", ["1.RST,1.TSR", "0.RST,1.RST,RST,Unknown"])
def test_phase_rotation_has_one_item_a_connector(world: World, value: str) -> None:
    """9.1.8: the list has at most ConnectorPhaseRotationMaxLength items."""
    assert world.ask("ChangeConfiguration", key="ConnectorPhaseRotation", value=value) == {"status": "Rejected"}


def test_a_value_that_is_in_force_already_is_stored_all_the_same(world: World) -> None:
    """HeartbeatInterval may be what it is only because BootNotification.conf said so."""
    assert world.ask("ChangeConfiguration", key="HeartbeatInterval", value="300") == {"status": "Accepted"}
    world.run(1)
    assert world.store.load("CP1")["configuration"]["HeartbeatInterval"] == {"value": "300"}


def test_samples_for_the_stop_message_are_bounded_while_they_come() -> None:
    """StopTransactionMaxMeterValues: middle ones are thinned out, first and last stay."""
    world = World(keys={"MeterValueSampleInterval": "1", "StopTxnSampledData": "Energy.Active.Import.Register"})
    world.charge("A1").run(1500)
    assert len(world.connector().transaction.samples) < 1000
    assert len(world.store.load("CP1")["sample"]) < 1000
    world.tap("A1").run(10)
    data = world.calls("StopTransaction")[-1]["transactionData"]
    contexts = [each["sampledValue"][0]["context"] for each in (data[0], data[-1])]
    assert contexts == ["Transaction.Begin", "Transaction.End"]
    assert len(data) <= 500


def test_a_peer_that_refuses_meter_values_fills_no_memory(
    world: World, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Undelivered meter values make room for newer ones, and the log says so once; ids of earlier transmissions go with
    their message."""
    monkeypatch.setattr("chargepoint.model.transaction.KEPT_UNDELIVERED", 20)
    world.configure(MeterValueSampleInterval=10, TransactionMessageAttempts=1).charge("A1")
    world.peer.answers["MeterValues"] = lambda _payload: ERROR
    world.run(600)
    assert len(world.model.queue.undelivered) <= 21
    assert caplog.text.count("the oldest meter values make room") == 1
    assert len(world.model.session._confirmations._late) <= 1


def test_a_late_deadline_does_not_overtake_what_it_waited_for(world: World) -> None:
    """After a stall both are due in one tick: what the board said first is known before the deadline is looked at."""
    seen: list[bool] = []
    timers = world.pump.timers("test")
    timers.at(world.now_s + 1.0, lambda _now_s: world.charger.report(RelaySeen(1, True)))
    timers.at(world.now_s + 1.0, lambda _now_s: seen.append(world.connector().supply.is_closed))
    world.run(2)
    assert seen == [True]
