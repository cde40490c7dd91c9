"""ChangeAvailability (OCPP 1.6 5.2; test cases 013, 014, 034; the table of connector-states 7.6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.world import World

Scene = Callable[[World], object]

SCENES: dict[str, Scene] = {
    "Available": lambda world: world,
    "Unavailable": lambda world: world.availability("Inoperative"),
    "Preparing": lambda world: world.plug(),
    "Preparing by card": lambda world: world.tap("A1"),
    "Charging": lambda world: world.charge(),
    "SuspendedEV": lambda world: world.charge().wants_energy(False).run(5),
    "SuspendedEVSE": lambda world: world.charge().cause("cp_short").run(5),
    "Finishing": lambda world: world.charge().tap("A1").run(10),
    "Faulted": lambda world: world.cause("internal"),
}

INOPERATIVE = {
    "Available": ("Accepted", ["Unavailable"]),
    "Unavailable": ("Accepted", []),
    "Preparing": ("Scheduled", []),
    "Preparing by card": ("Scheduled", []),
    "Charging": ("Scheduled", []),
    "SuspendedEV": ("Scheduled", []),
    "SuspendedEVSE": ("Scheduled", []),
    "Finishing": ("Scheduled", []),
    "Faulted": ("Accepted", []),
}

OPERATIVE = {scene: ("Accepted", ["Available"] if scene == "Unavailable" else []) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES)
def test_the_scenes_are_what_they_are_called(world: World, scene: str) -> None:
    """The rows of the table (handbook, connector-states 7.6)."""
    SCENES[scene](world)
    assert world.told() == scene.split()[0]


@pytest.mark.parametrize("scene", INOPERATIVE)
def test_inoperative_is_accepted_where_nobody_is_and_scheduled_where_somebody_is(world: World, scene: str) -> None:
    """When a transaction is in progress the Charge Point SHALL respond with 'Scheduled' (5.2)."""
    SCENES[scene](world)
    answer = world.forget().availability("Inoperative")
    assert (answer, world.run(1).statuses()) == INOPERATIVE[scene]


@pytest.mark.parametrize("scene", OPERATIVE)
def test_operative_is_accepted_everywhere(world: World, scene: str) -> None:
    """In the event that Central System requests to change to the state it is in already: Accepted (5.2)."""
    SCENES[scene](world)
    answer = world.forget().availability("Operative")
    assert (answer, world.run(1).statuses()) == OPERATIVE[scene]


@pytest.mark.parametrize(
    ("scene", "leave", "told"),
    [
        ("Preparing", lambda world: world.unplug(), ["Finishing", "Unavailable"]),
        ("Preparing by card", lambda world: world.tap("A1"), ["Finishing", "Unavailable"]),
        ("Charging", lambda world: world.tap("A1").run(10).unplug(), ["Finishing", "Unavailable"]),
        ("Finishing", lambda world: world.unplug(), ["Unavailable"]),
    ],
)
def test_what_was_scheduled_happens_when_the_connector_is_free(
    world: World, scene: str, leave: Callable[[World], World], told: list[str]
) -> None:
    """Scheduled: Stop → Finishing (plug in) → on unplug Unavailable (F8); never straight from Preparing (4.9)."""
    SCENES[scene](world)
    world.forget().availability("Inoperative")
    assert leave(world).run(2).statuses() == told


def test_a_scheduled_change_ends_with_a_faulted_connector_too(world: World) -> None:
    """Faulted: Accepted, remembered; Unavailable after clearing (I8)."""
    world.cause("internal").availability("Inoperative")
    assert world.forget().cause("internal", False).run(2).statuses() == ["Unavailable"]


def test_operative_takes_a_schedule_back(world: World) -> None:
    """A later Operative while Scheduled cancels the schedule (handbook, messages 4)."""
    world.charge().availability("Inoperative")
    world.availability("Operative")
    assert world.tap("A1").run(10).unplug().run(2).told() == "Available"


def test_a_schedule_lets_nobody_else_start(world: World) -> None:
    """Scheduled: the change happens when the transaction has ended (5.2)."""
    world.charge().availability("Inoperative")
    world.tap("A1").run(10).forget().tap("B1").run(20)
    assert world.calls("StartTransaction") == []


def test_operative_with_a_cable_in_is_preparing(world: World) -> None:
    """Operative and a cable is in → Preparing (H2)."""
    world.availability("Inoperative")
    world.plug().forget().availability("Operative")
    assert world.run(1).statuses() == ["Preparing"]


def test_a_cable_at_an_unavailable_connector_changes_nothing(world: World) -> None:
    """inop (no tx) → Unavailable (handbook, connector-states 2)."""
    world.availability("Inoperative")
    assert world.forget().plug().tap("A1").run(20).story() == []


def test_an_unavailable_connector_refuses_a_remote_start(world: World) -> None:
    """RemoteStart on Unavailable → Rejected (handbook, connector-states 5)."""
    world.availability("Inoperative")
    assert world.plug().remote_start(connectorId=1) == "Rejected"


@pytest.mark.parametrize("connector", [2, 99])
def test_an_unknown_connector_is_rejected(world: World, connector: int) -> None:
    """ChangeAvailability: unknown connector → status Rejected (handbook, messages 1.3, row 25)."""
    assert world.availability("Inoperative", connector) == "Rejected"


# --- connector 0 ------------------------------------------------------------------------------------------------------


def test_connector_zero_changes_the_box_and_all_connectors(duo: World) -> None:
    """connectorId 0: the status change applies to the Charge Point and all Connectors (5.2)."""
    duo.forget()
    assert duo.availability("Inoperative", 0) == "Accepted"
    assert sorted(duo.run(1).story()) == [f"StatusNotification {number} Unavailable" for number in (0, 1, 2)]


def test_connector_zero_is_available_again_with_all_connectors(duo: World) -> None:
    """connectorId 0: the status change applies to the Charge Point and all Connectors (5.2)."""
    duo.availability("Inoperative", 0)
    duo.forget().availability("Operative", 0)
    assert sorted(duo.run(1).story()) == [f"StatusNotification {number} Available" for number in (0, 1, 2)]


def test_one_connector_leaves_the_box_as_it_is(duo: World) -> None:
    """independent: connector 1 may be Unavailable while 0 is Available and vice versa (4.9)."""
    duo.forget().availability("Inoperative", 1)
    assert duo.run(1).story() == ["StatusNotification 1 Unavailable"]


def test_connector_zero_with_a_busy_connector_is_scheduled(duo: World) -> None:
    """answer Scheduled; idle ones (and 0) go Unavailable at once, the busy one later (handbook, connector-states 7.6)."""
    duo.charge("A1", 1).forget()
    answer = duo.availability("Inoperative", 0)
    assert (answer, sorted(duo.run(1).story())) == (
        "Scheduled",
        ["StatusNotification 0 Unavailable", "StatusNotification 2 Unavailable"],
    )


def test_the_busy_connector_follows_when_it_is_free(duo: World) -> None:
    """the busy one later (handbook, connector-states 7.6)."""
    duo.charge("A1", 1).availability("Inoperative", 0)
    assert duo.tap("A1").run(10).unplug(1).run(2).told(1) == "Unavailable"


# --- over restarts ----------------------------------------------------------------------------------------------------


def test_availability_outlasts_a_power_cut(duo: World) -> None:
    """SN(Unavailable) 0..N; BN; SN(Unavailable) 0..N: persistent (5.2; test case 034)."""
    duo.availability("Inoperative", 0)
    duo.forget().cut_power().run(5)
    assert [duo.statuses(number) for number in (0, 1, 2)] == [["Unavailable"]] * 3


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_availability_outlasts_a_reset(duo: World, kind: str) -> None:
    """SN(Unavailable); Accepted; BN; SN n Unavailable, rest Available (test cases 013, 014)."""
    duo.availability("Inoperative", 1)
    duo.forget().ask("Reset", type=kind)
    duo.run(20)
    assert [duo.statuses(number) for number in (0, 1, 2)] == [["Available"], ["Unavailable"], ["Available"]]


def test_operative_outlasts_a_reset_as_well(world: World) -> None:
    """Operative n: Accepted; SN(Available) (test case 013)."""
    world.availability("Inoperative")
    world.availability("Operative")
    assert world.forget().cut_power().run(5).statuses() == ["Available"]


def test_a_schedule_outlasts_a_power_cut(world: World) -> None:
    """persistent over reboot and power loss (5.2)."""
    world.charge().availability("Inoperative")
    assert world.cut_power().run(10).unplug().run(2).told() == "Unavailable"
