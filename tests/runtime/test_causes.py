"""What `fault` can break: the table for help agrees with the simulated circuit and with the model of faults."""

from __future__ import annotations

import pytest

from chargepoint.runtime.control.actions import clear_fault, fault, plug_in, unplug
from chargepoint.runtime.control.causes import (
    AT_ONCE,
    BY_NAME,
    CAUSES,
    CAUSES_OF_ERROR_CODE,
    NO_FAULT,
    SERVICE,
    UNPLUGGED,
)
from hw.sim.faults import NAMES
from tests.world import World

SHOWS_WHEN = {
    # before the card: the lock is to close, the contactor is to close, the plug is to be half in when it comes
    "before": ("lock_jammed", "contactor_stuck", "half_plugged", "state_d"),
    # at the end: a welded contactor shows when it is to open
    "end": ("welded_contactor",),
}


def has_fault(world: World) -> bool:
    return bool(world.connector().troubles) or bool(world.model.box_troubles) or bool(world.model.warnings)


def test_every_cause_of_the_simulation_is_in_the_table() -> None:
    assert sorted(BY_NAME) == sorted(NAMES)
    assert set(CAUSES_OF_ERROR_CODE.values()) <= set(BY_NAME)


@pytest.mark.parametrize("name", [cause.name for cause in CAUSES])
def test_a_fault_ends_as_the_table_says(name: str) -> None:
    """The help of `fault` says how each fault ends: with its cause, when the cable is unplugged, or not in this run."""
    world = World(board="ac11-sim-socket")
    if name in SHOWS_WHEN["before"]:
        fault(world.charger, name)
    plug_in(world.charger)
    world.run(5).tap("A1").run(60)
    if name not in SHOWS_WHEN["before"]:
        fault(world.charger, name)
        world.run(150)  # a register is read once a minute here, and a frozen one shows at the second reading
    if name in SHOWS_WHEN["end"]:
        world.tap("A1").run(30)
    expected = BY_NAME[name].ends
    assert has_fault(world) == (expected != NO_FAULT)
    clear_fault(world.charger, name)
    world.run(400)  # the longest rest, of a board that was too hot, is five minutes
    assert has_fault(world) == (expected in (UNPLUGGED, SERVICE)), expected
    unplug(world.charger)
    world.run(70)
    assert has_fault(world) == (expected == SERVICE)
    assert expected in (AT_ONCE, UNPLUGGED, SERVICE, NO_FAULT)
