"""Limits that are set on site (profiles.core.local_limit)."""

from __future__ import annotations

import pytest

from profiles.core.local_limit import LocalLimit
from tests.world import World


def limit(world: World, amps: float | None, connector: int = 1) -> World:
    world.charger.limit(connector, amps)
    return world.run(1)


def offer(world: World, connector: int = 1) -> tuple[float, str]:
    found = world.connector(connector).offer
    return found.amps, found.reason


def test_a_running_charge_is_limited_and_set_free_again(world: World) -> None:
    """3.13: local limits are the charge point's own; the pilot follows, and the reason says who limits."""
    world.charge()
    assert offer(world)[0] == 16.0
    limit(world, 10.0)
    assert offer(world) == (10.0, "local control")
    assert world.connector().supply.offered_a == pytest.approx(10.0, abs=0.1)
    assert world.connector().status == "Charging"
    limit(world, None)
    assert offer(world) == (16.0, "rated current of the outlet")


def test_a_limit_waits_for_the_next_charge(world: World) -> None:
    limit(world, 8.0).charge()
    assert offer(world) == (8.0, "local control")


@pytest.mark.parametrize("amps", [0.0, 3.0, 5.9])
def test_what_no_pilot_can_signal_is_nothing_until_resumed(world: World, amps: float) -> None:
    """IEC 61851-1: 6 A is the least. The transaction goes on, SuspendedEVSE, and the limit from before comes back."""
    limit(world, 10.0).charge()
    limit(world, amps).run(10)
    assert offer(world) == (0.0, "local control")
    assert world.told() == "SuspendedEVSE"
    assert not world.connector().supply.is_closed
    world.charger.resume(1)
    world.run(20)
    assert offer(world) == (10.0, "local control")
    assert world.told() == "Charging"
    assert world.calls("StopTransaction") == []


@pytest.mark.parametrize(("profile_a", "expected"), [(8.0, "TxDefaultProfile 3"), (12.0, "local control")])
def test_the_least_limit_wins(world: World, profile_a: float, expected: str) -> None:
    """Of the central system's and of the owner's: neither can widen the other."""
    profile = {
        "chargingProfileId": 3,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": profile_a}],
        },
    }
    assert world.ask("SetChargingProfile", connectorId=1, csChargingProfiles=profile) == {"status": "Accepted"}
    limit(world, 10.0).charge()
    assert offer(world) == (min(profile_a, 10.0), expected)


def test_limits_are_kept_over_a_power_cut(world: World) -> None:
    """And so is that the connector is held, with what is to come back."""
    limit(world, 10.0)
    limit(world, 0.0).cut_power().run(5)
    assert world.feature(LocalLimit).at(world.connector()) == 0.0
    world.charger.resume(1)
    world.run(1)
    world.cut_power().run(5).charge()
    assert offer(world) == (10.0, "local control")
    limit(world, None)
    assert world.stored("local_limit", "1") is None
    assert world.cut_power().feature(LocalLimit).at(world.connector()) is None


def test_each_outlet_has_its_own(duo: World) -> None:
    limit(duo, 10.0, connector=2).plug(1).tap("A1").run(20).plug(2).tap("B2").run(20)
    assert offer(duo, 1)[1] != "local control"
    assert offer(duo, 2) == (10.0, "local control")


def test_no_more_than_the_outlet_bears(world: World) -> None:
    with pytest.raises(ValueError, match="connector 1 bears 16 A, not 20 A"):
        limit(world, 20.0)


def test_an_outlet_that_became_smaller_bounds_what_was_kept() -> None:
    world = World(board="ac22-sim-duo")
    limit(world, 32.0)
    world.board = "ac11-sim"
    world.cut_power()
    assert world.feature(LocalLimit).at(world.connector()) == 16.0


def test_what_is_the_same_is_not_stored_again(world: World) -> None:
    """Home automation repeats itself; the flash of a small computer wears."""
    limit(world, 10.0)
    world.charger.limit(1, 10.0)
    world.charger.resume(1)
    assert world.model.take_effects() == []
