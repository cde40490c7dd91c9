"""TriggerMessage (OCPP 1.6 5.17; test cases 054, 055)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World


def trigger(world: World, requested: str, **more: Any) -> Any:
    return world.ask("TriggerMessage", requestedMessage=requested, **more)["status"]


def pending() -> World:
    world = World(starts_online=False)
    world.peer.registration = "Pending"
    return world.network(True).forget()


def test_a_heartbeat_is_sent(world: World) -> None:
    """Heartbeat: Accepted and the message (test case 054)."""
    assert trigger(world.forget(), "Heartbeat") == "Accepted"
    assert world.story() == ["Heartbeat"]


def test_the_status_of_a_connector_is_sent(duo: World) -> None:
    """StatusNotification(n): Accepted and the message (test case 054)."""
    assert trigger(duo.forget(), "StatusNotification", connectorId=2) == "Accepted"
    assert duo.story() == ["StatusNotification 2 Available"]


def test_the_status_of_the_box_is_sent(duo: World) -> None:
    """with connectorId: 0 tolerated = station (handbook, messages 9)."""
    assert trigger(duo.forget(), "StatusNotification", connectorId=0) == "Accepted"
    assert duo.story() == ["StatusNotification 0 Available"]


def test_without_a_connector_every_status_is_sent(duo: World) -> None:
    """without connectorId: connector 0 and all (handbook, messages 9)."""
    assert trigger(duo.forget(), "StatusNotification") == "Accepted"
    assert duo.run(1).story() == [f"StatusNotification {number} Available" for number in (0, 1, 2)]


def test_a_triggered_status_tells_what_is_even_when_it_is_not_settled(world: World) -> None:
    """Never delay: triggered reports (handbook, connector-states 6)."""
    world.configure(MinimumStatusDuration=100).forget().plug()
    trigger(world, "StatusNotification", connectorId=1)
    assert world.statuses() == ["Preparing"]


def test_a_triggered_status_bears_its_fault(world: World) -> None:
    """the Charge Point sends the current status (5.17)."""
    world.cause("internal").forget()
    trigger(world, "StatusNotification", connectorId=1)
    assert world.tells()[0][:2] == ("Faulted", "InternalError")


def test_meter_values_are_sent(world: World) -> None:
    """MeterValues(n): Accepted and the message (test case 054)."""
    assert trigger(world.forget(), "MeterValues", connectorId=1) == "Accepted"
    assert [p["connectorId"] for p in world.run(1).calls("MeterValues")] == [1]


def test_a_silent_meter_has_told_something_before(world: World) -> None:
    """It SHALL return the most recent measurements (erratum 3.46), and what was accepted is sent (5.17)."""
    world.charge().run(60)
    trigger(world, "MeterValues", connectorId=1)
    (before,) = [p["meterValue"][0] for p in world.run(1).calls("MeterValues") if "Trigger" in str(p)]
    world.cause("meter_silent").forget()
    assert trigger(world, "MeterValues", connectorId=1) == "Accepted"
    (told,) = [p["meterValue"][0] for p in world.run(10).calls("MeterValues")]
    assert told == before


@pytest.mark.parametrize("connector", [2, 99, -1])
@pytest.mark.parametrize("requested", ["MeterValues", "StatusNotification"])
def test_an_unknown_connector_is_rejected(world: World, requested: str, connector: int) -> None:
    """MeterValues connector N+1: Rejected (test case 055)."""
    assert trigger(world, requested, connectorId=connector) == "Rejected"


def test_a_connector_that_does_not_matter_is_ignored(world: World) -> None:
    """ConnectorId irrelevant to the message → ignore it (handbook, messages 9)."""
    assert trigger(world, "Heartbeat", connectorId=99) == "Accepted"


@pytest.mark.parametrize("requested", ["LogStatusNotification", "NoSuchThing", "Authorize"])
def test_what_cannot_be_triggered_is_not_implemented(world: World, requested: str) -> None:
    """requestedMessage unknown: status NotImplemented (7.44)."""
    assert trigger(world, requested) == "NotImplemented"


def test_the_answer_leaves_before_the_message(world: World) -> None:
    """The Charge Point SHALL first send the TriggerMessage response, before sending the requested message (5.17)."""
    trigger(world.forget(), "Heartbeat")
    assert [seen.frame[0] for seen in world.peer.seen if seen.is_from_charger] == [3, 2]


def test_boot_notification_is_rejected_once_accepted(world: World) -> None:
    """After Accepted: recommended Rejected until the next boot (erratum)."""
    assert trigger(world, "BootNotification") == "Rejected"


def test_boot_notification_is_sent_at_once_while_pending() -> None:
    """Pending: TriggerMessage(BootNotification) → send at once (4.2)."""
    world = pending()
    assert trigger(world, "BootNotification") == "Accepted"
    assert world.story() == ["BootNotification"]


def test_a_triggered_boot_that_is_accepted_ends_the_wait() -> None:
    """BootNotification(Accepted) once; no other one follows the interval (4.2)."""
    world = pending()
    world.peer.registration = "Accepted"
    trigger(world, "BootNotification")
    assert len(world.run(400).calls("BootNotification")) == 1


@pytest.mark.parametrize("requested", ["Heartbeat", "StatusNotification", "MeterValues"])
def test_what_is_triggered_may_leave_while_pending(requested: str) -> None:
    """Pending: only what a TriggerMessage demanded (4.2)."""
    world = pending()
    assert trigger(world, requested, **({"connectorId": 1} if requested != "Heartbeat" else {})) == "Accepted"
    assert [line.split()[0] for line in world.run(5).story()] == [requested]


def test_without_the_feature_profile_the_call_is_not_supported() -> None:
    """Known action of a profile we lack: NotSupported (OCPP-J table 7)."""
    world = World(plan={"feature_profiles": ("Core",)})
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") == "NotSupported"


def test_boot_notification_can_be_asked_for_after_a_reconnect(world: World) -> None:
    """Once accepted, until the next reset/reboot/reconnect, it is RECOMMENDED to reject it (erratum 3.35)."""
    world.network(False).network(True).forget()
    assert trigger(world, "BootNotification") == "Accepted"
    assert world.run(1).story() == ["BootNotification", "StatusNotification 0 Available", "StatusNotification 1 Available"]
    assert trigger(world, "BootNotification") == "Rejected"
