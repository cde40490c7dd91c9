"""When a status is reported: never before it is true (OCPP 1.6 4.9, 5.2, 7.7), and which are too short to be reported."""

from __future__ import annotations

import pytest

from chargepoint.cli.story import Story
from chargepoint.runtime.porter import FilePlan
from tests.world import SILENCE, World


def ending(world: World) -> World:
    """A transaction whose stop waits for the contactor: the car may take 6 s to ramp down (IEC 61851-1)."""
    return world.cause("holds_c").charge().forget()


def stamp(world: World, action: str) -> str:
    return str(world.last(action)["timestamp"])


# --- until the stop is fixed ------------------------------------------------------------------------------------------


def test_unplugging_a_fixed_cable_reports_available_after_the_stop(world: World) -> None:
    """C1: "Charging session ends while no user action is required (e.g. fixed cable was removed on EV side)" (4.9)."""
    assert world.charge().forget().unplug().run(5).story() == [
        "StopTransaction EVDisconnected",
        "StatusNotification 1 Available",
    ]


def test_the_status_stays_until_the_stop_is_fixed(world: World) -> None:
    """Finishing: "When a Transaction has stopped at a Connector" (7.7); until then it is what it was."""
    ending(world).tap("A1").run(3)
    before = (world.story(), world.connector().status)
    assert (before, world.run(10).story()) == (
        ([], "Charging"),
        ["StopTransaction Local", "StatusNotification 1 Finishing"],
    )


def test_the_wait_for_the_stop_is_bounded(world: World) -> None:
    """[D] 6.5 s: the 6 s in which a car may ramp down (IEC 61851-1), and half a second for the contactor and the meter."""
    ending(world).tap("A1").run(5.4)
    before = world.statuses()
    assert (before, world.run(0.7).statuses()) == ([], ["Finishing"])


@pytest.mark.parametrize("leave", ["card", "remote", "unplug"])
def test_the_status_after_a_stop_is_stamped_not_before_it(world: World, leave: str) -> None:
    """ "The StatusNotification.req messages MUST be sent in the order in which the events … occurred" (4.9)."""
    ending(world)
    if leave == "card":
        world.tap("A1")
    elif leave == "remote":
        world.remote_stop(1)
    else:
        world.unplug()
    world.run(10)
    assert stamp(world, "StatusNotification") >= stamp(world, "StopTransaction")


def test_a_triggered_status_in_between_is_the_one_until_the_stop(world: World) -> None:
    """TriggerMessage reports what is: the transaction has not stopped (5.17, 7.7)."""
    ending(world).tap("A1").ask("TriggerMessage", requestedMessage="StatusNotification", connectorId=1)
    assert world.run(1).statuses() == ["Charging"]


def test_a_fault_is_reported_while_the_stop_waits(world: World) -> None:
    """A fault never waits: C9 "A fault is detected that prevents further charging operations" (4.9)."""
    ending(world).tap("A1").cause("internal")
    assert world.statuses() == ["Faulted"]


def test_a_reservation_is_accepted_as_soon_as_available_is_reported(world: World) -> None:
    """ReserveNow answers Occupied only where the connector is in use (5.13)."""
    answers: list[str] = []

    def hears(payload: dict[str, object]) -> dict[str, object]:
        if payload["status"] == "Available":
            expiry = "2026-01-01T01:00:00Z"
            answers.append(
                world.peer.call("ReserveNow", connectorId=1, expiryDate=expiry, idTag="B1", reservationId=1)
            )
        return {}

    world.charge().forget().peer.answers["StatusNotification"] = hears
    world.unplug().run(5)
    assert [world.peer.results[each][2] for each in answers] == [{"status": "Accepted"}]


# --- scheduled Unavailable --------------------------------------------------------------------------------------------


def test_a_scheduled_unavailable_comes_with_the_unplugging_of_a_fixed_cable(world: World) -> None:
    """C8: "no user action is required and the connector is scheduled to become Unavailable" (4.9); 5.2 Scheduled."""
    assert world.charge().forget().availability("Inoperative") == "Scheduled"
    assert world.unplug().run(5).story() == [
        "StopTransaction EVDisconnected",
        "StatusNotification 1 Unavailable",
    ]


@pytest.mark.parametrize("board", ["ac11-sim", "ac11-sim-socket"])
def test_a_scheduled_unavailable_waits_in_finishing_for_the_unplugging(board: str) -> None:
    """F8: "All user actions completed and the connector is scheduled to become Unavailable" (4.9)."""
    world = World(board=board).charge().forget()
    world.availability("Inoperative")
    world.tap("A1").run(10)
    before = world.statuses()
    assert (before, world.unplug().run(5).statuses()) == (["Finishing"], ["Finishing", "Unavailable"])


def waits_for_firmware(world: World) -> World:
    at = "2026-01-01T00:00:00Z"
    world.ask("UpdateFirmware", location="ftp://files.example/wall-2.0.bin", retrieveDate=at)
    return world.run(30).forget()


def test_an_installation_that_waits_makes_it_unavailable_after_the_stop() -> None:
    """5.19: connectors that are not in use become Unavailable; this one is in use until its stop is fixed."""
    world = waits_for_firmware(World(plan={"files": FilePlan(restarts=False, install_s=3600.0)}).charge())
    told = [line for line in world.unplug().run(5).story() if "Firmware" not in line]
    assert told == ["StopTransaction EVDisconnected", "StatusNotification 1 Unavailable"]


def test_an_installation_leads_over_finishing_where_the_plug_is_still_in() -> None:
    """C8 is for "no user action is required" (4.9); a plug that is in has to be taken out: C6, then F8."""
    world = waits_for_firmware(World(plan={"files": FilePlan(restarts=False, install_s=3600.0)}).charge())
    assert world.tap("A1").run(10).statuses() == ["Finishing", "Unavailable"]


# --- after an outage --------------------------------------------------------------------------------------------------


def offline_session(world: World) -> World:
    world.configure(AllowOfflineTxForUnknownId="true", MeterValueSampleInterval=30).plug().forget()
    return world.network(False).tap("A1").run(100).tap("A1").run(10).unplug().run(5)


def test_after_an_outage_the_status_comes_before_all_that_was_queued(world: World) -> None:
    """4.9: "its current status if the status changed while the Charge Point was offline", and no history among it."""
    assert offline_session(world).network(True).run(5).story() == [
        "StatusNotification 1 Available",
        "StartTransaction A1",
        "MeterValues",
        "MeterValues",
        "MeterValues",
        "StopTransaction Local",
    ]


def test_after_a_boot_all_statuses_come_before_what_was_queued(duo: World) -> None:
    """4.2, 4.9: connectors 0..n as they are; then what earlier runs have left (4.10)."""
    duo.charge(connector=1).forget().cut_power().run(30)
    kinds = [line.partition(" ")[0] for line in duo.story()]
    assert kinds[:5] == ["BootNotification", *["StatusNotification"] * 3, "StopTransaction"]


def test_a_status_without_an_answer_does_not_keep_the_queue_waiting(world: World) -> None:
    """3.7.1: nothing blocks transaction-related messages for good; here the wait ends with MessageTimeout."""
    offline_session(world).peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.network(True).run(29)
    before = world.calls("StartTransaction")
    assert (before, len(world.run(2).calls("StartTransaction"))) == ([], 1)


def test_a_car_that_left_in_the_dark_is_not_reported_as_available_before_that_was_seen() -> None:
    """7.7 Finishing until it is known that nothing is plugged; the first look at the pilot decides."""
    world = World(keeps_board=False).charge()
    world.tap("A1").run(10).forget().cut_power().run(5)
    assert world.statuses() == ["Available"]
    assert world.connector().state == "Idle"


# --- too short to be reported -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ["ac3.7-sim", "ac7.4-sim", "ac11-sim", "ac11-sim-socket", "ac22-sim"])
def test_an_ordinary_car_goes_from_preparing_to_charging(board: str) -> None:
    """4.9: "a short SuspendedEV … inbetween, possibly within a couple of seconds", which MAY be omitted."""
    assert World(board=board).forget().charge().statuses() == ["Preparing", "Charging"]


def test_a_car_that_takes_longer_than_two_seconds_is_reported_as_suspended_ev(world: World) -> None:
    """4.9: "A Charge Point manufacturer MAY have implemented a minimal status duration for certain status transitions"."""
    world.cause("never_c").plug().forget().tap("A1").run(1.4)
    before = world.statuses()
    assert (before, world.run(0.2).statuses()) == ([], ["SuspendedEV"])


def test_the_key_adds_to_the_own_minimum(world: World) -> None:
    """4.9: "The time set in MinimumStatusDuration will be added to this default delay"."""
    world.configure(MinimumStatusDuration=5).cause("never_c").plug().run(10).forget().tap("A1").run(6.4)
    before = world.statuses()
    assert (before, world.run(0.2).statuses()) == ([], ["SuspendedEV"])


def test_a_status_that_was_too_short_stands_in_the_log(world: World) -> None:
    """[D] The log shows every status of the model, so it says which of them were not reported, and why."""
    lines: list[str] = []
    story = Story(lambda _identity, _utc_s, text: lines.append(text))
    world.model.journal.listen(story.listen)
    world.charge()
    assert [line for line in lines if "not reported" in line] == [
        "connector 1: SuspendedEV of 1.2 s not reported: shorter than 2 s"
    ]
