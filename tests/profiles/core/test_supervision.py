"""A charger's supervision of what its meter shows, whole: what is offered, opened, locked and told of it.

The meter of the simulated board shows what its circuit does, unless a test bends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from chargepoint.model.derating import COOLING_S as REST_S
from chargepoint.model.faults import Trouble
from hw.ports import Reading
from hw.sim.circuit import Circuit
from tests.world import World

UNSAMPLED = {"MeterValueSampleInterval": "0", "ClockAlignedDataInterval": "0"}


def circuit(world: World) -> Circuit:
    return cast(Circuit, world.charger.board.processes[0])


class Bent:
    """The meters of simulated boards show something else than what their circuits do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        straight = Circuit._meter_reading
        self.change: Callable[[Reading], Reading] = lambda reading: reading

        def bent(circuit: Circuit, at_s: float) -> Reading | None:
            reading = straight(circuit, at_s)
            return None if reading is None else self.change(reading)

        monkeypatch.setattr(Circuit, "_meter_reading", bent)

    def show(self, world: World, change: Callable[[Reading], Reading]) -> None:
        """From now on the meter shows ``change(reading)``, and a watched one reports it."""
        self.change = change
        world.charger.act(lambda _board, now_s: circuit(world)._look(now_s))
        world.run(0.1)


@pytest.fixture
def bent(monkeypatch: pytest.MonkeyPatch) -> Bent:
    return Bent(monkeypatch)


@pytest.fixture
def without_feedback(tmp_path: Path) -> str:
    """A board whose contactor tells nothing."""
    text = Path("hw/boards/ac22-sim-socket.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mute.yaml"
    path.write_text(text.replace("    relay: {", "    feedback: false\n    relay: {"), encoding="utf-8")
    return str(path)


def limit(world: World, amps: float | None) -> World:
    world.charger.limit(1, amps)
    return world.run(0.1)


def faulted_after_s(world: World, seconds: float) -> float:
    """Return after how many s the connector is Faulted."""
    begins_s = world.now_s
    while world.now_s < begins_s + seconds:
        if world.connector().has_fault:
            return world.now_s - begins_s
        world.run(0.1)
    return float("inf")


# --- over-current -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", [UNSAMPLED, {"MeterValueSampleInterval": "10"}, {}])
@pytest.mark.parametrize("offered_a", [10.0, 16.0, 32.0])
def test_over_current_is_found_within_8_s_however_samples_are_taken(offered_a: float, sampling: dict[str, str]) -> None:
    """More than (offer + 0.5 A) x 1.1 for 7 s is an over-current; 0.5 s more is what the car takes to draw so much."""
    world = limit(World(board="ac22-sim", keys=sampling).charge(), offered_a).run(60)
    world.cause("overdraw")
    assert 7.0 <= faulted_after_s(world, 60) + 0.5 <= 9.0
    assert world.tells()[-1][:2] == ("Faulted", "OverCurrentFailure")


def test_over_current_of_a_car_that_ramps_up_slowly_is_found_within_8_s(tmp_path: Path) -> None:
    """The current crosses its bound in the middle of a ramp: a meter shows that when it does."""
    path = tmp_path / "slow.yaml"
    text = Path("hw/boards/ac22-sim.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("model: bev_3p32_22", "model: bev_3p32_cham"), encoding="utf-8")
    world = World(board=str(path), keys=UNSAMPLED).cause("overdraw").plug().tap("A1")
    while circuit(world)._current_a(world.now_s) <= 32.5 * 1.1:
        world.run(0.1)
    assert 7.0 <= faulted_after_s(world, 60) <= 8.2


def test_a_car_is_judged_by_what_it_was_offered_when_it_was_measured() -> None:
    """A car has 5 s to follow a reduction: 32 A, 20 A for 7 s, then 8 A is no over-current, with samples each 10 s."""
    for offset_s in range(10):
        world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "10"}).charge().run(20 + offset_s)
        limit(limit(world, 20.0).run(7), 8.0).run(60)
        assert "Faulted" not in world.statuses(), offset_s


@pytest.mark.parametrize("period_s", [5.0, 7.5, 10.0])
def test_a_slow_car_is_never_faulted_by_a_falling_offer(period_s: float) -> None:
    """A car that needs 4.9 s to follow each reduction keeps the limit of 5 s (IEC 61851-1)."""
    world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "5"}).cause("slow_follow").charge().run(30)
    for amps in (28.0, 24.0, 20.0, 16.0, 12.0, 8.0, 6.0):
        limit(world, amps).run(period_s)
    assert "Faulted" not in world.run(60).statuses()


def test_a_car_that_ignores_a_reduction_is_found_although_its_meter_shows_nothing_new(bent: Bent) -> None:
    """The old offer counts for 6 s, then the current may be above the new one for 7 s."""
    world = World(board="ac22-sim", keys=UNSAMPLED).charge()
    bent.show(world, lambda reading: replace(reading, current_a=(32.0, 32.0, 32.0)))
    limit(world.run(20), 8.0)
    assert 12.0 <= faulted_after_s(world, 120) <= 14.0


def test_an_offer_that_changes_all_the_time_hides_no_over_current(bent: Bent) -> None:
    """An energy manager that goes up and down each few seconds: the car is above all that it was offered."""
    world = limit(World(board="ac22-sim", keys=UNSAMPLED).charge(), 16.0).run(30)
    bent.show(world, lambda reading: replace(reading, current_a=(20.0, 20.0, 20.0)))
    for _ in range(3):
        limit(world, 15.0).run(0.1)
        limit(world, 16.0).run(5.1)
    assert world.run(1).told() == "Faulted"


def test_a_car_that_has_followed_is_not_asked_about_any_more() -> None:
    """A reduction costs a simulated charger no question to its meter when the car follows it."""
    world = World(board="ac22-sim", keys=UNSAMPLED).charge().run(60)
    limit(world, 10.0).run(5)
    assert not world.connector().supervision._check.is_set


def test_a_watched_meter_costs_nothing_while_nothing_changes() -> None:
    """The last report of a computed meter stands until the next one: steady charging asks nothing."""
    world = World(keys=UNSAMPLED).charge().run(60)
    asked: list[float] = []
    straight = Circuit.read_meter

    def read(circuit: Circuit, ref: object, now_s: float) -> None:
        asked.append(now_s)
        straight(circuit, ref, now_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Circuit, "read_meter", read)
        world.run(600)
    assert len(asked) <= 600 / 10  # what keeps the stored register fresh


def test_a_meter_is_watched_while_a_car_is_there() -> None:
    world = World()
    assert not circuit(world).meter.is_watched
    assert circuit(world.plug()).meter.is_watched
    assert not circuit(world.unplug()).meter.is_watched
    assert circuit(world.charge().cut_power().run(1)).meter.is_watched


# --- a welded contactor -----------------------------------------------------------------------------------------------


def weld(world: World) -> World:
    """A car that holds C charges through a contactor that does not open any more, and its card has ended it."""
    return world.charge().cause("holds_c").cause("welded_contactor").run(5).tap("A1")


def test_a_weld_without_feedback_is_found_within_3_s_of_current(without_feedback: str) -> None:
    """Welded: more than 1 A for 2 s in readings of at least 0.5 s after the opening, with or without feedback."""
    world = weld(World(board=without_feedback, keys=UNSAMPLED))
    while world.connector().supply.is_ordered_closed:
        world.run(0.1)
    assert 2.0 <= faulted_after_s(world, 10) <= 3.0
    assert world.tells()[-1] == ("Faulted", "PowerSwitchFailure", "32.0 A with the contactor open")


def test_current_that_begins_behind_an_open_contactor_is_found(bent: Bent) -> None:
    """25 A with the contactor ordered open, while its feedback says that it is open."""
    world = World(keys=UNSAMPLED).plug().run(60)
    bent.show(world, lambda reading: replace(reading, current_a=(25.0, 25.0, 25.0)))
    assert faulted_after_s(world, 10) <= 3.0


def test_a_controller_that_follows_the_pilot_may_let_the_car_ramp_down(tmp_path: Path, bent: Bent) -> None:
    """It opens by itself when the car has stopped drawing, at most 6 s after the pilot went steady (IEC 61851-1)."""
    path = tmp_path / "follows.yaml"
    text = Path("hw/boards/ac11-sim.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("    relay: {", "    contactor: follows_pilot\n    relay: {"), encoding="utf-8")
    world = World(board=str(path), keys=UNSAMPLED).charge()
    bent.show(world, lambda reading: replace(reading, current_a=(16.0, 16.0, 16.0)))
    limit(world, 0.0).run(5.5)
    bent.show(world, lambda reading: replace(reading, current_a=(0.0, 0.0, 0.0)))
    assert world.run(30).told() == "SuspendedEVSE"


def test_a_plug_stays_locked_while_the_contactor_may_be_welded(without_feedback: str) -> None:
    """Welded: keep the plug locked while it is live. Without feedback nothing shows that it is dead."""
    world = weld(World(board=without_feedback, keys=UNSAMPLED)).run(20)
    assert world.connector().lock.is_locked
    assert world.ask("ChangeAvailability", connectorId=1, type="Inoperative") is not None
    world.cause("welded_contactor", False).run(5)
    assert world.connector().lock.is_locked
    world.charger.act(lambda _board, now_s: world.connector().faults.confirm_repair(now_s))
    assert not world.run(5).connector().lock.is_locked


@pytest.mark.parametrize("restart", ["Soft", "Hard", "power"])
def test_a_weld_outlasts_a_restart_and_is_told_first(restart: str) -> None:
    """Latched until service: the first status after a restart is Faulted, never Available."""
    world = weld(World()).run(20)
    assert world.told() == "Faulted"
    world.cause("holds_c", False).unplug().run(5).forget()
    if restart == "power":
        world.cut_power()
    else:
        world.ask("Reset", type=restart)
    world.run(60)
    assert set(world.statuses()) == {"Faulted"}
    assert world.tells()[0][1] == "PowerSwitchFailure"


def test_a_contactor_that_was_welded_when_the_power_went_is_closed_when_it_comes_back() -> None:
    """Contacts that are welded together stay so without power."""
    world = weld(World()).run(20)
    assert circuit(world).contactor.is_closed
    assert circuit(world.cut_power().run(5)).contactor.is_closed
    assert circuit(World().charge().cut_power()).contactor.is_closed is False


# --- mains voltage ----------------------------------------------------------------------------------------------------


def volts(*voltage_v: float) -> Callable[[Reading], Reading]:
    return lambda reading: replace(reading, voltage_v=voltage_v)


@pytest.mark.parametrize(
    ("voltage_v", "code", "phase"),
    [
        ((195.0, 230.0, 230.0), "UnderVoltage", "L1 195 V"),
        ((230.0, 0.0, 230.0), "UnderVoltage", "L2 0 V"),
        ((230.0, 230.0, 280.0), "OverVoltage", "L3 280 V"),
    ],
)
def test_mains_outside_their_limits_pause_and_then_are_a_fault(
    bent: Bent, voltage_v: tuple[float, ...], code: str, phase: str
) -> None:
    """Below 196 V or above 264 V for 5 s: SuspendedEVSE, with time to ramp down; for 60 s: Faulted."""
    world = World(keys=UNSAMPLED).charge().forget()
    bent.show(world, volts(*voltage_v))
    assert world.run(4.5).statuses() == []
    assert world.run(1).statuses() == ["SuspendedEVSE"]
    assert world.connector().offer.reason == f"mains voltage, {phase}"
    assert world.connector().supply.is_closed
    world.run(52)
    assert world.statuses() == ["SuspendedEVSE"]
    assert not world.connector().supply.is_closed
    assert world.run(5).tells()[-1] == ("Faulted", code, phase)
    bent.show(world, volts(230.0, 230.0, 230.0))
    assert world.run(4).told() == "Faulted"
    assert world.run(60).told() == "Charging"
    assert world.calls("StopTransaction") == []


def test_mains_that_come_back_are_seen_when_the_car_has_left(bent: Bent) -> None:
    """On clearing: back to what the derivation yields (I1), also at an empty outlet."""
    world = World(keys=UNSAMPLED).charge()
    bent.show(world, volts(230.0, 190.0, 230.0))
    assert world.run(70).unplug().run(5).told() == "Faulted"
    bent.show(world, volts(230.0, 230.0, 230.0))
    assert world.run(10).told() == "Available"
    assert not circuit(world).meter.is_watched


def test_a_phase_that_the_outlet_does_not_have_is_not_missed() -> None:
    assert "Faulted" not in World(board="ac7.4-sim").charge().run(120).statuses()


# --- temperature ------------------------------------------------------------------------------------------------------


def test_a_hot_board_offers_less_and_is_no_fault(bent: Bent) -> None:
    """Derating is a limit with its reason: half of the current 10 K below the limit, a quarter 6 K below it."""
    world = World(keys=UNSAMPLED).charge().forget()
    offers = []
    for board_c in (66.0, 70.0, 64.0, 61.0):
        bent.show(world, lambda reading, board_c=board_c: replace(reading, board_c=board_c))  # type: ignore[misc]
        offer = world.run(10).connector().offer
        offers.append((offer.amps, offer.reason))
    assert offers[0] == (8.0, "temperature of the board")
    assert [amps for amps, _ in offers] == [8.0, 6.0, 8.0, 16.0]
    assert world.statuses() == []


def test_a_board_at_its_limit_stops_and_rests(bent: Bent) -> None:
    """HighTemperature at the limit; the cut-off comes once, however the temperature swings."""
    world = World(keys=UNSAMPLED).charge().forget()
    for minute in range(20):
        board_c = 76.0 if minute % 2 == 0 else 40.0
        bent.show(world, lambda reading, board_c=board_c: replace(reading, board_c=board_c))  # type: ignore[misc]
        world.run(30)
    assert world.statuses().count("Charging") <= 10 * 60 / REST_S
    bent.show(world, lambda reading: replace(reading, board_c=40.0))
    assert world.run(REST_S + 10).told() == "Charging"
    assert ("Faulted", "HighTemperature", "76 C") in world.tells()


def test_what_the_board_reports_ends_when_the_board_says_so(bent: Bent) -> None:
    """A fault is over when neither the board's own monitor nor the meter shows its cause."""
    world = World(keys=UNSAMPLED).charge().cause("over_temperature").run(10)
    bent.show(world, lambda reading: replace(reading, board_c=30.0))
    assert Trouble.OVER_TEMPERATURE in world.run(REST_S).connector().troubles
    assert Trouble.OVER_TEMPERATURE not in world.cause("over_temperature", False).connector().troubles


def test_one_wrong_temperature_stops_nobody(bent: Bent) -> None:
    """A telegram with one wrong bit is no hot board [D]."""
    world = World(keys=UNSAMPLED).charge().forget()
    bent.show(world, lambda reading: replace(reading, board_c=120.0))
    bent.show(world, lambda reading: reading)
    assert world.run(30).statuses() == []
    assert world.connector().offered_a == 16.0


def test_a_composite_schedule_knows_what_the_box_can_bear_now(bent: Bent) -> None:
    """The calculated schedule includes the limits of the charge point itself (OCPP 1.6 5.7)."""
    world = World(keys=UNSAMPLED).charge()
    bent.show(world, lambda reading: replace(reading, board_c=66.0))
    answer = world.run(5).ask("GetCompositeSchedule", connectorId=1, duration=60)
    assert answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 8.0


# --- a car that stays in C when it is full ----------------------------------------------------------------------------


def draws(power_w: float) -> Callable[[Reading], Reading]:
    amps = power_w / 230.0 / 3
    return lambda reading: replace(reading, power_w=(power_w / 3,) * 3, current_a=(amps,) * 3)


def test_a_car_that_draws_nothing_in_c_is_suspended_by_the_car_where_that_is_set(bent: Bent) -> None:
    """Less than 50 W in all for 60 s, in C: the car has ended. Balancing at 0.4 A on three phases is no end."""
    world = World(keys={**UNSAMPLED, "SuspendedEVWithoutPower": "true"}).charge().forget()
    bent.show(world, draws(276.0))
    assert world.run(300).statuses() == []
    bent.show(world, draws(30.0))
    assert world.run(55).statuses() == []
    assert world.run(10).statuses() == ["SuspendedEV"]
    bent.show(world, draws(60.0))
    assert world.run(300).statuses() == ["SuspendedEV"]
    bent.show(world, draws(276.0))
    assert world.run(5).statuses() == ["SuspendedEV", "Charging"]


def test_a_car_that_draws_nothing_in_c_charges_by_default(bent: Bent) -> None:
    world = World(keys=UNSAMPLED).charge().forget()
    bent.show(world, draws(0.0))
    assert world.run(300).statuses() == []
    world.configure(SuspendedEVWithoutPower="true")
    assert world.run(65).statuses() == ["SuspendedEV"]
    world.configure(SuspendedEVWithoutPower="false")
    assert world.run(5).statuses() == ["SuspendedEV", "Charging"]


def test_a_pilot_that_becomes_undefined_opens_the_contactor_after_3_s() -> None:
    """No state of IEC 61851-1 annex A for 3 s under load: open; it closes again when the pilot is a state again."""
    world = World(board="ac11-sim-socket").charge().run(60)
    contactor = circuit(world).contactor
    world.cause("cp_undefined").run(2.3)  # and the 0.5 s that `World.cause` runs
    assert contactor.is_closed
    world.run(0.4)
    assert not contactor.is_closed
    assert world.run(120).told() != "Charging"
    assert not contactor.is_closed
    assert world.cause("cp_undefined", False).run(120).told() == "Charging"
    assert contactor.is_closed
