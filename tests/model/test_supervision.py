"""What a charger makes of current, voltage and temperature; the whole charger around it, the meter by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from math import nan
from random import Random
from typing import Any

import pytest

from chargepoint.model.contactor import MOST_CLOSINGS
from chargepoint.model.faults import Trouble
from hw.ports import MeterSeen, PilotReading, Reading
from hw.sim.circuit import Circuit
from tests.world import World


def circuit(world: World) -> Circuit:
    return next(each for each in world.charger.board.processes if isinstance(each, Circuit))


def shows(world: World, change: Callable[[Reading], Reading | None]) -> World:
    """Let the meter show something else from now on, whenever it is read; it is polled each second."""
    here = circuit(world)
    real = Circuit._meter_reading

    def reading(self: Circuit, at_s: float) -> Reading | None:
        found = real(self, at_s)
        return None if found is None else change(found)

    def poll(now_s: float) -> None:
        here._bring_to(now_s)
        world.charger.report(MeterSeen(1, reading(here, now_s)))
        world.pump.timers("poller").at(now_s + 1.0, poll)

    Circuit._meter_reading = reading  # type: ignore[method-assign]
    world.pump.timers("poller").at(world.now_s, poll)
    return world


@pytest.fixture(autouse=True)
def _real_meter() -> Iterable[None]:
    real = Circuit._meter_reading
    yield
    Circuit._meter_reading = real  # type: ignore[method-assign]


def has(world: World, trouble: Trouble) -> bool:
    return trouble in world.connector().troubles


def phases(value: float) -> tuple[float, float, float]:
    return (value,) * 3


# --- over-current -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [{"MeterValueSampleInterval": "0"}, {"MeterValueSampleInterval": "600"}])
@pytest.mark.parametrize("offer_a", [10.0, 12.0, 16.0])
def test_a_car_that_draws_20_percent_more_is_found_within_8_s(keys: dict[str, str], offer_a: float) -> None:
    """I of a phase > (offer + 0.5 A) x 1.1 for 7 s (IEC 61851-1 practice), whatever the sampling keys say."""
    world = World(board="ac22-sim", keys=keys).plug()
    world.charger.limit(1, offer_a)
    world.tap("A1").run(60)
    shows(world, lambda reading: replace(reading, current_a=phases(1.2 * offer_a)))
    assert not has(world.run(6.9), Trouble.OVER_CURRENT)
    assert has(world.run(1.1), Trouble.OVER_CURRENT)
    assert not circuit(world.run(0.1)).contactor.is_closed


def test_the_simulated_car_that_overdraws_is_found_without_polling() -> None:
    """A computed meter reports the end of the ramp, and is asked once more before the fault."""
    world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "0"}).cause("overdraw").charge()
    from_s = world.now_s
    while not has(world, Trouble.OVER_CURRENT):
        assert world.run(0.5).now_s < from_s + 20
    assert world.run(1).last("StatusNotification")["errorCode"] == "OverCurrentFailure"


@pytest.mark.parametrize("period_s", [5.0, 7.0, 10.0])
def test_a_slow_car_is_never_faulted(period_s: float) -> None:
    """A car has 5 s to follow *each* change of the PWM (IEC 61851-1): the time begins anew at each reduction."""
    world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "10"}).cause("slow_follow").charge()
    for amps in (32.0, 28.0, 24.0, 20.0, 16.0, 12.0, 8.0):
        world.charger.limit(1, amps)
        world.run(period_s)
    assert world.connector().troubles == {}


def test_a_deep_cut_at_an_unlucky_moment_is_no_over_current() -> None:
    """20 A, 7 s, 8 A: the car is above 8 A at the sample before it has followed."""
    world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "10"}).charge()
    for offset_s in range(10):
        world.charger.limit(1, 20.0)
        world.run(17.0 + offset_s)
        world.charger.limit(1, 8.0)
        world.run(20)
    assert world.connector().troubles == {}


def test_a_random_late_car_and_random_cuts_are_no_over_current() -> None:
    """Readings up to 2 s old, a car that follows up to 4.9 s late: judged by when a reading was taken."""
    rng = Random(5)
    world = World(board="ac22-sim").cause("slow_follow").charge()
    old: list[Reading] = []

    def late(reading: Reading) -> Reading:
        old.append(reading)
        return next(each for each in old if each.at_s >= reading.at_s - 2.0)

    shows(world, late)
    for _ in range(60):
        world.charger.limit(1, rng.uniform(6.0, 32.0))
        world.run(rng.uniform(1.0, 15.0))
    assert world.connector().troubles == {}


# --- values -----------------------------------------------------------------------------------------------------------


def test_nan_is_no_over_current_and_not_told() -> None:
    """ "nan" is no decimal value (OCPP 1.6 7.43)."""
    keys = {"MeterValueSampleInterval": "5", "MeterValuesSampledData": "Current.Import,Power.Active.Import,Voltage"}
    world = World(keys=keys).charge()
    shows(world, lambda reading: replace(reading, current_a=(nan,) * 3, power_w=(nan, *reading.power_w[1:])))
    world.run(60)
    assert world.connector().troubles == {}
    told = [value for each in world.calls("MeterValues") for value in each["meterValue"][0]["sampledValue"]]
    assert not [each for each in told if "n" in each["value"]]
    assert {each.get("phase") for each in told[-6:] if each["measurand"] == "Power.Active.Import"} == {"L2", "L3"}


def test_a_reversed_meter_is_reported_once_and_imports_nothing_negative() -> None:
    """A current transformer the wrong way round: a warning, no fault, and no negative import on the wire."""
    keys = {"MeterValueSampleInterval": "5", "MeterValuesSampledData": "Current.Import,Power.Active.Import"}
    world = World(keys=keys).charge().forget()
    shows(world, lambda r: replace(r, current_a=phases(-16.0), power_w=phases(-3680.0)))
    world.run(60)
    assert world.tells() == [("Charging", "PowerMeterFailure", "Meter counts backwards")]
    told = [value for each in world.calls("MeterValues") for value in each["meterValue"][0]["sampledValue"]]
    assert not [each for each in told if each["value"].startswith("-")]


def test_a_current_of_reversed_transformers_counts_for_the_fault() -> None:
    """|I| counts: -25 A is as warm as 25 A."""
    world = shows(World().charge(), lambda reading: replace(reading, current_a=phases(-25.0))).run(9)
    assert has(world, Trouble.OVER_CURRENT)


def test_a_frozen_register_is_a_warning() -> None:
    """The integral of P against the register's difference: from 100 Wh on it is reported, as info."""
    world = World(keys={"MeterValueSampleInterval": "60"}).charge().run(60).forget()
    shown = world.charger.board.outlet(1).meter.peek(world.now_s)
    assert shown is not None
    frozen_wh = shown.energy_wh
    shows(world, lambda reading: replace(reading, energy_wh=frozen_wh))
    world.run(25)
    assert not has(world, Trouble.METER_FROZEN)
    world.run(35)
    ((status, code, info),) = world.tells()
    assert (status, code) == ("Charging", "PowerMeterFailure")
    assert info.endswith("Wh not counted")


# --- silence ----------------------------------------------------------------------------------------------------------


def test_lost_answers_are_no_fault() -> None:
    """A meter that loses 1 % of its answers: nothing is opened, nothing is reported."""
    rng = Random(3)
    world = World(keys={"MeterValueSampleInterval": "10"}).charge().forget()
    closings = world.connector().supply.contactor._closings_s.copy()
    shows(world, lambda reading: None if rng.random() < 0.01 else reading).run(1800)
    assert world.statuses() == []
    assert world.connector().supply.contactor._closings_s == closings


def test_a_silent_meter_is_a_fault_after_10_s_and_the_car_ramps_down() -> None:
    """Meter silent > 10 s (IEC 61851-1 practice); the contactor opens when the car has stopped drawing."""
    world = World().charge().cause("meter_silent")
    assert not has(world.run(9), Trouble.METER_SILENT)
    assert has(world.run(2), Trouble.METER_SILENT)
    assert circuit(world).contactor.is_closed
    opened: list[float] = []
    world.watchers.append(lambda: opened.append(circuit(world).car.current_at(world.now_s)))  # type: ignore[union-attr]
    while circuit(world).contactor.is_closed:
        world.run(0.1)
    assert opened[-1] == 0.0


def test_a_meter_that_answers_nothing_at_all_is_silent(monkeypatch: Any) -> None:
    """A driver that hangs: no answer, not even that there is none."""
    world = World(keys={"MeterValueSampleInterval": "5"}).charge()
    monkeypatch.setattr(Circuit, "read_meter", lambda *_arguments: None)
    assert has(world.run(25), Trouble.METER_SILENT)


# --- a contactor that does not open -----------------------------------------------------------------------------------


def test_current_through_an_open_contactor_is_a_weld() -> None:
    """More than 1 A for 2 s, in readings taken 0.5 s after the opening, with or without feedback."""
    world = World().plug().run(5)
    shows(world, lambda reading: replace(reading, current_a=(25.0, 0.0, 0.0)))
    assert not has(world.run(1.9), Trouble.CONTACTOR_WELDED)
    assert has(world.run(1.1), Trouble.CONTACTOR_WELDED)


def test_a_weld_without_feedback_is_found_within_3_s(tmp_path: Any) -> None:
    """A board without feedback: the meter tells."""
    text = files("hw").joinpath("boards", "ac11-sim.yaml").read_text()
    board = tmp_path / "blind.yaml"
    board.write_text(text.replace("    pilot_relay: true\n", "    pilot_relay: true\n    feedback: false\n"))
    world = World(board=str(board)).charge().cause("holds_c").cause("welded_contactor")
    world.tap("A1")
    while world.connector().supply.is_ordered_closed:
        world.run(0.1)
    assert has(world.run(3), Trouble.CONTACTOR_WELDED)
    assert world.told() == "Faulted"


def test_a_weld_is_latched_over_restarts_until_the_repair_is_confirmed() -> None:
    """Latched until service, stored, never cleared by the central system; Faulted before anything else is told."""
    world = World().charge().cause("welded_contactor").cause("holds_c").tap("A1").run(30)
    assert has(world, Trouble.CONTACTOR_WELDED)
    assert world.ask("Reset", type="Soft") == {"status": "Accepted"}
    world.forget().run(30)
    assert world.statuses()[0] == "Faulted"
    assert world.availability("Inoperative") in ("Accepted", "Scheduled")
    assert world.availability("Operative") == "Accepted"
    assert world.told() == "Faulted"
    world.cause("welded_contactor", False).cause("holds_c", False).unplug().run(20).cut_power().run(20)
    assert world.told() == "Faulted"
    assert world.charger.confirm_repair(1) == (["contactor_welded"], [])
    assert world.run(5).told() == "Available"
    assert world.cut_power().run(20).told() == "Available"


def test_a_repair_is_not_confirmed_while_the_contactor_is_closed() -> None:
    world = World().charge().cause("holds_c").cause("welded_contactor").tap("A1").run(30)
    assert world.charger.confirm_repair(1) == ([], ["contactor_welded"])
    assert has(world, Trouble.CONTACTOR_WELDED)


# --- mains ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("volts", "code"), [(195.0, "UnderVoltage"), (280.0, "OverVoltage"), (0.0, "UnderVoltage")])
def test_mains_outside_their_limits_pause_and_then_are_a_fault(volts: float, code: str) -> None:
    """< 196 V or > 264 V for 5 s: pause; for 60 s: fault (IEC 61851-1 practice)."""
    world = World().charge().forget()
    l2_v = volts
    shows(world, lambda reading: replace(reading, voltage_v=(230.0, l2_v, 230.0)))
    assert world.run(4.5).statuses() == []
    assert world.run(1.5).statuses() == ["SuspendedEVSE"]
    assert world.connector().offer.reason == f"mains voltage, L2 {volts:.0f} V"
    assert world.run(53).statuses() == ["SuspendedEVSE"]
    assert world.run(3).tells()[-1][:2] == ("Faulted", code)
    l2_v = 230.0
    assert world.run(4).told() == "Faulted"
    assert world.run(40).told() == "Charging"


def test_mains_that_dip_for_less_than_5_s_change_nothing() -> None:
    world = World().charge().forget()
    dips = iter([190.0, 190.0, 190.0, 190.0])
    shows(world, lambda reading: replace(reading, voltage_v=(next(dips, 230.0), 230.0, 230.0)))
    assert world.run(60).statuses() == []


def test_a_meter_behind_an_open_contactor_shows_no_mains() -> None:
    """All phases at 0 V with the contactor open: no under-voltage."""
    world = World().plug()
    shows(world, lambda reading: replace(reading, voltage_v=(0.0, 0.0, 0.0)))
    assert world.run(90).connector().troubles == {}


# --- temperature ------------------------------------------------------------------------------------------------------


def test_a_warm_board_gives_less_and_a_hot_one_nothing() -> None:
    """65 C half, 69 C a quarter but no less than 6 A, 75 C stop; derating is a limit, no fault; restored below 62 C."""
    board_c = 25.0
    world = shows(World(board="ac22-sim").charge(), lambda reading: replace(reading, board_c=board_c)).forget()
    offers = []
    for board_c in (64.9, 65.0, 63.0, 69.0, 67.0, 65.5, 62.5, 61.9, 75.0):
        world.run(12)
        offers.append((board_c, world.connector().offered_a))
    assert offers == [
        (64.9, 32.0), (65.0, 16.0), (63.0, 16.0), (69.0, 8.0), (67.0, 8.0), (65.5, 16.0), (62.5, 16.0), (61.9, 32.0),
        (75.0, 0.0),
    ]  # fmt: skip
    assert [each[:2] for each in world.tells()] == [("Faulted", "HighTemperature")]


def test_a_cut_off_by_heat_does_not_flap() -> None:
    """Five minutes of rest: in an hour at the limit a dozen cut-offs at most."""
    hot = False
    world = shows(World().charge(), lambda reading: replace(reading, board_c=76.0 if hot else 40.0)).forget()
    for _ in range(360):
        hot = not hot
        world.run(10)
    assert world.statuses().count("Faulted") <= 12


# --- rest -------------------------------------------------------------------------------------------------------------


def closings(world: World) -> list[float]:
    """Note when the contactor closes from now on."""
    at_s: list[float] = []
    last = [circuit(world).contactor.is_closed]

    def look() -> None:
        is_closed = circuit(world).contactor.is_closed
        if is_closed and not last[0]:
            at_s.append(world.now_s)
        last[0] = is_closed

    world.watchers.append(look)
    return at_s


def test_a_car_that_flaps_wears_the_contactor_no_more_than_the_guard_says() -> None:
    """Pilot B and C every 0.4 s: 5 s of rest after any opening, and 60 closings an hour, which is reported."""
    world = World().charge().forget()
    at_s = closings(world)
    for _ in range(800):
        world.wants_energy(False).run(0.01)
        world.wants_energy(True)
    assert 10 <= len(at_s) <= MOST_CLOSINGS - 1
    assert min(after - before for before, after in pairwise(at_s)) > 5.0
    assert ("OtherError", "Contactor closed too often") in [each[1:] for each in world.tells()]
    assert world.connector().offer.reason == "closings of the contactor in this hour"


def test_under_voltage_that_comes_and_goes_closes_only_after_the_rest() -> None:
    """30 s after a fault that is over (IEC 61851-1 practice)."""
    world = World().charge()
    at_s = closings(world)
    for _ in range(75):
        world.cause("under_voltage").run(3.5).cause("under_voltage", False).run(3.5)
    assert at_s == []
    world.run(60)
    assert len(at_s) == 1


def test_rest_alone_changes_no_status() -> None:
    """The car pauses for a moment: what is told is the car's doing, and no SuspendedEVSE."""
    world = World().charge().forget()
    for _ in range(5):
        world.wants_energy(False).run(3)
        world.wants_energy(True).run(30)
    assert set(world.statuses()) == {"SuspendedEV", "Charging"}


# --- pilot ------------------------------------------------------------------------------------------------------------


def see(world: World, volts: float) -> None:
    world.connector().supply.on_pilot(PilotReading(world.now_s, volts=volts, diode_ok=True), world.now_s)
    world.charger.wake()


def test_an_undefined_pilot_closes_nothing() -> None:
    """C must stand 200 ms without a gap: 6.0 V for 10 ms, then 7.5 V, closes nothing."""
    world = World().cause("never_c").plug().tap("A1").run(5)
    see(world, 6.0)
    world.run(0.01)
    see(world, 7.5)
    world.run(2.5)
    assert not world.connector().supply.is_ordered_closed


def test_a_pilot_without_a_state_is_reported_as_what_it_is() -> None:
    """Between the windows for 3 s (IEC 61851-1): a warning that is no short circuit."""
    world = World().charge().cause("cp_undefined").run(5)
    assert world.tells()[-1] == ("SuspendedEVSE", "EVCommunicationError", "CP undefined")


def test_a_pilot_in_a_for_a_moment_opens_the_contactor_and_ends_no_session() -> None:
    """A plug that loses contact for 26 ms: contactor at once, the session after 0.75 s."""
    world = World().charge()
    see(world, 12.0)
    world.run(0.03)
    assert not world.connector().supply.is_ordered_closed
    see(world, 6.0)
    world.run(30)
    assert (world.calls("StopTransaction"), world.told()) == ([], "Charging")
    world.unplug()
    assert world.last("StopTransaction")["reason"] == "EVDisconnected"
