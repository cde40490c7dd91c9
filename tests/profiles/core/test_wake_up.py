"""Cars that sleep: woken by an interruption of the pilot, of which OCPP learns nothing."""

from __future__ import annotations

import pytest

from chargepoint.model.journal import CarAsleep, WakeUpTried
from hw.ports import PILOT_OFF
from hw.sim.circuit import Circuit
from tests.world import World


def tries(world: World) -> int:
    return sum(isinstance(entry, WakeUpTried) for _, entry in world.journal)


def circuit(world: World) -> Circuit:
    return next(each for each in world.charger.board.processes if isinstance(each, Circuit))


def test_a_car_that_slept_charges_after_a_card() -> None:
    """Offered and no C for 90 s: the pilot is cut for 4 s, steady for 0.75 s, then PWM."""
    world = World().plug().run(31 * 60).tap("A1").run(150)
    assert (tries(world), world.told()) == (1, "Charging")
    assert world.statuses() == ["Available", "Preparing", "SuspendedEV", "Charging"]


@pytest.mark.parametrize("pause_s", [40 * 60.0, 3 * 3600.0])
def test_a_pause_by_the_charger_ends_in_charging(pause_s: float) -> None:
    """An offer that is resumed and not answered wakes the car, once."""
    world = World().charge()
    world.charger.limit(1, 0.0)
    world.run(pause_s).charger.limit(1, 16.0)
    world.run(150)
    assert (tries(world), world.told()) == (1, "Charging")
    assert len(world.calls("StopTransaction")) == 0


def test_a_car_that_never_asks_is_cut_once() -> None:
    """One try, and then the state says so."""
    world = World().cause("never_c").plug().tap("A1").run(4 * 3600)
    assert tries(world) == 1
    assert sum(isinstance(entry, CarAsleep) for _, entry in world.journal) == 1
    for _ in range(5):
        world.charger.limit(1, 0.0)
        world.run(300).charger.limit(1, 16.0)
        world.run(300)
    assert tries(world) == 1


def test_a_full_car_is_never_cut() -> None:
    """Never after the car itself left C: a full car must not be cut again and again."""
    world = World().charge().run(8 * 3600)
    assert world.told() == "SuspendedEV"
    for _ in range(5):
        world.charger.limit(1, 0.0)
        world.run(300).charger.limit(1, 16.0)
        world.run(300)
    assert tries(world) == 0


@pytest.mark.parametrize(("setting", "expected"), [("0", 0), ("1", 1), ("2", 2)])
def test_the_number_of_tries_is_a_setting(setting: str, expected: int) -> None:
    world = World(keys={"WakeUpTries": setting}).cause("never_c").plug().tap("A1").run(3600)
    assert tries(world) == expected


def test_a_car_that_needs_30_s_wakes_at_the_second_try() -> None:
    world = World(keys={"WakeUpTries": "2"}).cause("needs_30s_cp").plug().run(31 * 60).tap("A1").run(400)
    assert (tries(world), world.told()) == (2, "Charging")


def test_a_slow_car_still_charges() -> None:
    """C 90 s after the PWM."""
    assert World().cause("late_c").plug().tap("A1").run(400).told() == "Charging"


def test_a_car_that_is_unplugged_during_the_cut_has_left() -> None:
    """While the pilot is open its readings say nothing; when it is joined again the last one counts."""
    world = World().plug().run(31 * 60).tap("A1").run(92)
    assert tries(world) == 1
    world.charger.act(lambda board, now_s: board.outlet(1).hands.unplug(now_s))  # type: ignore[union-attr]
    world.run(1)
    assert world.calls("StopTransaction") == []
    assert world.run(6).last("StopTransaction")["reason"] == "EVDisconnected"


def test_a_power_cut_during_the_cut_leaves_nothing_open() -> None:
    world = World().plug().run(31 * 60).tap("A1").run(92).cut_power().run(30)
    assert not circuit(world)._is_pilot_open
    assert world.told() == "Preparing"


def test_a_hard_fault_shows_state_f_for_a_second() -> None:
    """−12 V for at least 300 ms, then steady +12 V: the car opens S2 (IEC 61851-1 state F)."""
    world = World().charge().cause("ground_fault")
    assert circuit(world)._driven_percent == PILOT_OFF
    assert circuit(world.run(1))._driven_percent == 100.0
    assert world.run(5).connector().is_connected
