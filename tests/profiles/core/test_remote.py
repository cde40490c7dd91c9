"""RemoteStartTransaction and RemoteStopTransaction (OCPP 1.6 5.11, 5.12; test cases 007, 010-012, 026-028, 060)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import ERROR, SILENCE, World


def profile(purpose: str = "TxProfile", **more: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
        **more,
    }


def frames_after(world: World, message_id: str) -> list[str]:
    """What the charger sent from the answer to a call on: the answer, and actions."""
    sent = [seen.frame for seen in world.peer.seen if seen.is_from_charger]
    kinds = ["answer" if frame[1] == message_id else str(frame[2]) for frame in sent]
    return kinds


# --- start ------------------------------------------------------------------------------------------------------------


def test_remote_start_with_the_cable_in(world: World) -> None:
    """AuthorizeRemoteTxRequests=false, cable in: conf(Accepted); Start; SN(Charging) (test case 010)."""
    world.plug().forget()
    assert world.remote_start(connectorId=1) == "Accepted"
    assert world.run(20).story() == ["StartTransaction A1", "StatusNotification 1 Charging"]


def test_remote_start_with_the_cable_in_asks_when_it_must(world: World) -> None:
    """=true: conf(Accepted); Auth; Start; SN(Charging) (9.1.4; test case 010)."""
    world.configure(AuthorizeRemoteTxRequests="true").plug().forget()
    assert world.remote_start(connectorId=1) == "Accepted"
    assert world.run(20).story() == ["Authorize A1", "StartTransaction A1", "StatusNotification 1 Charging"]


@pytest.mark.parametrize("authorizes", ["true", "false"])
def test_the_answer_leaves_before_what_it_causes(world: World, authorizes: str) -> None:
    """Accepted → answer first, then the rest (handbook, messages 1.1)."""
    world.configure(AuthorizeRemoteTxRequests=authorizes).plug().forget()
    message_id = world.peer.call("RemoteStartTransaction", idTag="A1", connectorId=1)
    assert frames_after(world.run(20), message_id)[0] == "answer"


def test_remote_start_first_then_the_cable(world: World) -> None:
    """RemoteStart, plug: Accepted; SN(Preparing); Start; SN(Charging) (test case 011_1)."""
    world.forget().remote_start(connectorId=1)
    assert world.run(5).plug().run(20).story() == [
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


def test_remote_start_without_a_cable_times_out(world: World) -> None:
    """SN(Preparing); SN(Available) (test case 011_2)."""
    world.configure(ConnectionTimeOut=20).forget().remote_start(connectorId=1)
    assert world.run(25).statuses() == ["Preparing", "Available"]


def test_a_cached_tag_is_not_asked_about(world: World) -> None:
    """cache, LocalPreAuthorize, AuthorizeRemoteTxRequests true: no Authorize; Start; SN(Charging) (test case 007)."""
    world.charge("A1").tap("A1").run(10).unplug()
    world.configure(LocalPreAuthorize="true", AuthorizeRemoteTxRequests="true").forget().plug()
    world.remote_start(connectorId=1)
    assert world.run(20).story() == [
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


@pytest.mark.parametrize(("plugged", "told"), [(True, "Preparing"), (False, "Available")])
def test_a_refused_remote_start_changes_nothing(world: World, plugged: bool, told: str) -> None:
    """Auth not Accepted → nothing; stays Preparing if plugged, else Available (handbook, connector-states 7.1)."""
    world.configure(AuthorizeRemoteTxRequests="true").peer.tags["B1"] = {"status": "Blocked"}
    if plugged:
        world.plug()
    world.remote_start("B1", connectorId=1)
    assert (world.run(20).told(), world.calls("StartTransaction")) == (told, [])


def test_without_authorize_the_answer_of_start_transaction_still_counts(world: World) -> None:
    """RemoteStart idTag with AuthorizeRemoteTxRequests=false: Start.conf result counts (handbook, transactions 3)."""
    world.peer.tags["B1"] = {"status": "Blocked"}
    world.plug().remote_start("B1", connectorId=1)
    assert world.run(20).last("StopTransaction")["reason"] == "DeAuthorized"


def test_without_a_connector_the_plugged_one_is_chosen(duo: World) -> None:
    """Without connectorId: a connector already plugged and Preparing, else any that gets plugged (5.11)."""
    duo.plug(2).remote_start()
    assert duo.run(20).last("StartTransaction")["connectorId"] == 2


def test_without_a_connector_and_a_cable_the_first_cable_decides(duo: World) -> None:
    """Without connectorId: any that gets plugged (5.11)."""
    assert duo.remote_start() == "Accepted"
    assert duo.plug(2).run(20).last("StartTransaction")["connectorId"] == 2


def test_a_connector_that_was_named_is_meant(duo: World) -> None:
    """If connectorId is given, the transaction is for that connector (5.11)."""
    duo.plug(1).remote_start(connectorId=2)
    duo.run(5).plug(2).run(20)
    assert duo.last("StartTransaction")["connectorId"] == 2


def test_the_same_tag_starts_at_the_other_connector(duo: World) -> None:
    """a second remote start with the same idTag must never be read as a stop swipe (handbook, messages 4)."""
    duo.charge("A1", 1).plug(2).remote_start("A1", connectorId=2)
    duo.run(20)
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, True]


def test_the_same_group_starts_at_the_other_connector_by_remote_start(duo: World) -> None:
    """a remote start is no stop swipe of its group either (handbook, messages 4)."""
    duo.peer.tags.update({tag: {"status": "Accepted", "parentIdTag": "G"} for tag in ("A1", "A2")})
    duo.configure(AuthorizeRemoteTxRequests="true").charge("A1", 1).remote_start("A2", connectorId=2)
    duo.plug(2).run(20)
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, True]


def test_a_remote_start_in_finishing_begins_anew(world: World) -> None:
    """remote start again with cable still in: SN(Preparing), Start (F2)."""
    world.charge("A1").tap("A1").run(10).forget().remote_start("A1", connectorId=1)
    assert world.run(20).story() == [
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


@pytest.mark.parametrize("connector", [0, 2, 99, -1])
def test_a_connector_that_is_none_is_rejected(world: World, connector: int) -> None:
    """RemoteStart connectorId 0: Rejected (test case 027); > N too (handbook, messages 1.3, row 23)."""
    assert world.plug().remote_start(connectorId=connector) == "Rejected"


def test_a_connector_in_a_transaction_is_rejected(world: World) -> None:
    """Charging; RemoteStart same connector: Rejected (test case 026)."""
    assert world.charge().remote_start("B1", connectorId=1) == "Rejected"


def test_without_a_connector_and_none_free_it_is_rejected(world: World) -> None:
    """Without connectorId the Charge Point MAY reject (5.11)."""
    assert world.charge().remote_start("B1") == "Rejected"


def test_a_connector_where_somebody_waits_is_rejected(world: World) -> None:
    """no other remote start or card start pending on it (handbook, messages 4)."""
    world.tap("A1").run(2)
    assert world.remote_start("B1", connectorId=1) == "Rejected"


def test_a_connector_where_a_remote_start_waits_is_rejected(world: World) -> None:
    """no other remote start pending on it (handbook, messages 4)."""
    world.remote_start("A1", connectorId=1)
    assert world.remote_start("B1", connectorId=1) == "Rejected"


def test_a_connector_where_a_remote_start_is_asked_about_is_rejected(world: World) -> None:
    """no other remote start or card start pending on it (handbook, messages 4)."""
    world.configure(AuthorizeRemoteTxRequests="true").peer.answers["Authorize"] = lambda payload: SILENCE
    world.plug().remote_start("A1", connectorId=1)
    assert world.remote_start("B1", connectorId=1) == "Rejected"


def test_a_scheduled_unavailable_connector_is_rejected(world: World) -> None:
    """connector not Faulted/Unavailable/scheduled Unavailable (handbook, messages 4)."""
    world.plug().availability("Inoperative")
    assert world.remote_start(connectorId=1) == "Rejected"


@pytest.mark.parametrize("purpose", ["TxDefaultProfile", "ChargePointMaxProfile"])
def test_a_profile_of_another_purpose_is_rejected(world: World, purpose: str) -> None:
    """purpose ≠ TxProfile: Rejected (5.16.2; test case 060)."""
    assert world.plug().remote_start(connectorId=1, chargingProfile=profile(purpose)) == "Rejected"


def test_a_profile_with_a_transaction_id_is_rejected(world: World) -> None:
    """TransactionId in the ChargingProfile SHALL NOT be set in a RemoteStartTransaction.req (5.11, 5.16.2)."""
    assert world.plug().remote_start(connectorId=1, chargingProfile=profile(transactionId=5)) == "Rejected"


def test_a_profile_is_accepted_with_its_purpose(world: World) -> None:
    """A ChargingProfile MAY be included, with purpose TxProfile (5.11)."""
    assert world.plug().remote_start(connectorId=1, chargingProfile=profile()) == "Accepted"


def test_remote_start_needs_no_card_to_stop_it(world: World) -> None:
    """Same card: reason Local, no Auth (3.4)."""
    world.plug().remote_start("A1", connectorId=1)
    assert world.run(20).tap("A1").run(10).last("StopTransaction")["reason"] == "Local"


def test_a_failing_central_system_starts_nothing(world: World) -> None:
    """If Authorize gets no answer: refuse (handbook, transactions 3)."""
    world.configure(AuthorizeRemoteTxRequests="true").peer.answers["Authorize"] = lambda payload: ERROR
    world.plug().remote_start(connectorId=1)
    assert world.run(20).calls("StartTransaction") == []


# --- stop -------------------------------------------------------------------------------------------------------------


def test_remote_stop(world: World) -> None:
    """Charging; RemoteStop: Accepted; Stop(Remote); SN(Finishing) (test case 012)."""
    world.charge().forget()
    assert world.remote_stop(1) == "Accepted"
    assert world.run(10).story() == ["StopTransaction Remote", "StatusNotification 1 Finishing"]


def test_a_remote_stop_bears_no_tag(world: World) -> None:
    """omit on reset, power loss, remote stop (handbook, messages 3)."""
    world.charge().remote_stop(1)
    assert "idTag" not in world.run(10).last("StopTransaction")


def test_a_remote_stop_is_answered_before_it_shows(world: World) -> None:
    """conf first (handbook, connector-states 7.3)."""
    world.charge().forget()
    message_id = world.peer.call("RemoteStopTransaction", transactionId=1)
    assert frames_after(world.run(10), message_id)[0] == "answer"


def test_a_remote_stop_unlocks_the_cable(socket: World) -> None:
    """the Charge Point SHALL unlock the connector after a remote stop, if applicable (5.12)."""
    socket.charge().remote_stop(1)
    assert not socket.run(10).connector().lock.is_locked


@pytest.mark.parametrize("transaction_id", [0, 2, -1])
def test_an_unknown_transaction_is_rejected(world: World, transaction_id: int) -> None:
    """Charging; unknown transactionId: Rejected (test case 028)."""
    assert world.charge().remote_stop(transaction_id) == "Rejected"


def test_an_ended_transaction_is_rejected(world: World) -> None:
    """Ended transactions never match (handbook, transactions 1)."""
    assert world.charge().tap("A1").run(10).remote_stop(1) == "Rejected"


def test_a_transaction_without_its_answer_cannot_be_stopped_from_afar(world: World) -> None:
    """Not the id of a transaction whose StartTransaction.conf is outstanding (handbook, messages 4)."""
    world.peer.answers["StartTransaction"] = lambda payload: SILENCE
    assert world.charge().remote_stop(1) == "Rejected"


def always_one(world: World) -> World:
    world.peer.answers["StartTransaction"] = lambda payload: {
        "idTagInfo": {"status": "Accepted"},
        "transactionId": 1,
    }
    return world


def test_an_ambiguous_transaction_id_stops_nothing(duo: World) -> None:
    """RemoteStop whose id fits more than one running transaction → Rejected, nothing stopped (transactions 1)."""
    always_one(duo).charge("A1", 1).charge("B1", 2)
    assert duo.remote_stop(1) == "Rejected"
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, True]


def test_an_ambiguous_transaction_id_is_a_warning_that_names_the_connectors(
    duo: World, caplog: pytest.LogCaptureFixture
) -> None:
    """WARNING naming the connectors (handbook, transactions 1)."""
    always_one(duo).charge("A1", 1).charge("B1", 2).remote_stop(1)
    assert any(r.levelname == "WARNING" and "1, 2" in r.getMessage() for r in caplog.records)


def test_an_id_that_only_one_running_transaction_has_is_not_ambiguous(duo: World) -> None:
    """Exactly one running match → act. Ended transactions never match (handbook, transactions 1)."""
    always_one(duo).charge("A1", 1).tap("A1").run(10).charge("B1", 2)
    assert duo.remote_stop(1) == "Accepted"
    assert duo.run(10).last("StopTransaction")["reason"] == "Remote"
