"""ReserveNow and CancelReservation (OCPP 1.6 3.11, 5.1, 5.13; key 9.3.1; test cases 046 to 053)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chargepoint.model.authorization import Admission
from chargepoint.model.journal import ReservationEnded
from chargepoint.model.timebase import utc_text
from profiles.reservation import Reservation
from tests.world import EPOCH_UTC_S, SILENCE, World


def reserve(world: World, connector: int = 1, tag: str = "A1", for_s: float = 600.0, number: int = 7, **more: Any) -> str:
    """Ask for a reservation; return the status of the answer."""
    expiry = utc_text(EPOCH_UTC_S + world.now_s + for_s)
    answer = world.ask(
        "ReserveNow", connectorId=connector, idTag=tag, expiryDate=expiry, reservationId=number, **more
    )
    return str(answer["status"])


def cancel(world: World, number: int = 7) -> str:
    return str(world.ask("CancelReservation", reservationId=number)["status"])


def grouped(world: World) -> World:
    """A1 and A2 are of one group, told in different cases."""
    world.peer.tags.update(
        A1={"status": "Accepted", "parentIdTag": "G"}, A2={"status": "Accepted", "parentIdTag": "g"}
    )
    return world


def held(world: World) -> list[int]:
    return list(world.feature(Reservation).bookings)


def ends(world: World) -> list[str]:
    return [entry.why for _, entry in world.journal if isinstance(entry, ReservationEnded)]


# --- one connector ----------------------------------------------------------------------------------------------------


def test_a_reservation_is_reported_after_its_answer(world: World) -> None:
    """Accepted; SN(Reserved) (test case 046)."""
    assert reserve(world.forget()) == "Accepted"
    assert world.story() == ["StatusNotification 1 Reserved"]
    kinds = [seen.frame[0] for seen in world.peer.seen if seen.is_from_charger]
    assert kinds == [3, 2]


def test_local_start_at_a_reserved_connector(world: World) -> None:
    """wrong card: nothing; right card: [Authorize]; SN(Preparing); plug; Start(reservationId, idTag); SN(Charging)
    (test case 046_1)."""
    reserve(world)
    assert world.forget().tap("C1").run(5).story() == []
    assert world.tap("A1").run(2).plug().run(20).story() == [
        "Authorize A1",
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]
    start = world.last("StartTransaction")
    assert (start["reservationId"], start["idTag"]) == (7, "A1")


@pytest.mark.parametrize("authorizes", ["true", "false"])
def test_remote_start_at_a_reserved_connector(world: World, authorizes: str) -> None:
    """plug: still Reserved; RemoteStart Accepted; SN(Preparing); Start with reservationId (test case 046_2)."""
    world.configure(AuthorizeRemoteTxRequests=authorizes)
    reserve(world)
    world.plug().forget()
    assert world.remote_start("A1", connectorId=1) == "Accepted"
    asked = ["Authorize A1"] if authorizes == "true" else []
    assert world.run(20).story() == [
        *asked,
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]
    assert world.last("StartTransaction")["reservationId"] == 7


def test_a_reservation_ends_when_its_transaction_starts(world: World) -> None:
    """A reservation SHALL be terminated when a transaction is started for the reserved idTag (5.13)."""
    reserve(world)
    world.charge("A1")
    assert (held(world), ends(world), world.stored("reservation", "7")) == ([], ["used"], None)
    world.forget().tap("A1").run(10).unplug().run(5)
    assert world.statuses() == ["Finishing", "Available"]
    world.charge("C1")
    assert "reservationId" not in world.last("StartTransaction")


def test_case_does_not_count(world: World) -> None:
    """CiString, case insensitive (7.28)."""
    reserve(world, tag="a1")
    assert world.charge("A1").last("StartTransaction")["reservationId"] == 7


def test_a_refused_card_is_refused_at_its_own_reservation(world: World) -> None:
    """It is RECOMMENDED to validate the identifier with an Authorize.req before the start of the transaction (5.13)."""
    world.peer.tags["A1"] = {"status": "Blocked"}
    reserve(world)
    world.forget().charge("A1")
    assert (world.story(), held(world)) == (["Authorize A1"], [7])


def test_a_stranger_does_not_start_and_the_reservation_stays(world: World) -> None:
    """it SHALL refuse charging for all incoming idTags on the reserved connector (5.13)."""
    reserve(world)
    assert world.forget().charge("C1").story() == []
    assert (world.connector().status, held(world)) == ("Reserved", [7])


@pytest.mark.parametrize("authorizes", ["true", "false"])
def test_a_remote_start_of_a_stranger_is_rejected(world: World, authorizes: str) -> None:
    """not reserved for another idTag/parent, else Rejected (handbook, messages 4)."""
    world.configure(AuthorizeRemoteTxRequests=authorizes)
    reserve(world)
    assert world.plug().remote_start("C1", connectorId=1) == "Rejected"
    assert world.remote_start("C1") == "Rejected"
    assert world.run(20).calls("StartTransaction") == []


def test_a_stranger_who_is_asked_about_comes_too_late(world: World) -> None:
    """The reservation was accepted while the central system was asked: it SHALL refuse all others (5.13)."""
    world.peer.answers["Authorize"] = lambda _payload: SILENCE
    world.tap("C1")
    assert reserve(world) == "Accepted"
    message_id = next(s.frame[1] for s in world.peer.seen if s.frame[0] == 2 and s.frame[2] == "Authorize")
    world.peer.send([3, message_id, {"idTagInfo": {"status": "Accepted"}}])
    assert (world.run(5).plug().run(20).told(), world.calls("StartTransaction")) == ("Reserved", [])


def test_a_cable_leaves_it_reserved_however_long_it_is_in(world: World, duo: World) -> None:
    """Plugging a cable into a Reserved connector keeps it Reserved until authorised (handbook, messages 7)."""
    for each in (world, duo):
        reserve(each, for_s=5000)
        assert each.forget().plug().run(300).unplug().plug().statuses() == []
        assert each.connector().status == "Reserved"


def test_a_cable_that_is_in_when_the_reservation_ends_gets_its_time_out(duo: World) -> None:
    """ConnectionTimeOut without a card: Finishing (move B6), once nobody's claim stands before it."""
    reserve(duo, for_s=100)
    duo.forget().plug().run(300)
    assert duo.statuses() == ["Preparing", "Finishing"]


def test_taken_back_it_is_reserved_again(world: World) -> None:
    """The holder's card a second time: the authorisation ends, the reservation does not (3.11)."""
    reserve(world)
    world.forget().tap("A1").run(2).tap("A1").run(2)
    assert (world.statuses(), held(world)) == (["Preparing", "Available", "Reserved"], [7])
    assert world.charge("A1").last("StartTransaction")["reservationId"] == 7


def test_the_holder_who_brings_no_cable_keeps_the_reservation(world: World) -> None:
    """A reservation is released when used, expired or cancelled (3.11); waiting for a cable in vain is none of them."""
    world.configure(ConnectionTimeOut=10)
    reserve(world)
    world.tap("A1").run(20)
    assert (world.told(), held(world)) == ("Reserved", [7])


# --- expiry and cancelling --------------------------------------------------------------------------------------------


def test_it_expires(world: World) -> None:
    """SN(Reserved); SN(Available); then another tag charges (test case 047)."""
    reserve(world.forget(), for_s=60)
    assert world.run(70).statuses() == ["Reserved", "Available"]
    assert world.stored("reservation", "7") is None
    assert "reservationId" not in world.charge("C1").last("StartTransaction")


def test_it_expires_by_the_calendar(world: World) -> None:
    """when the time specified in expiryDate is reached (5.13), by the time that the central system tells (4.6)."""
    reserve(world, for_s=1000)
    world.peer.answers["Heartbeat"] = lambda _payload: {"currentTime": utc_text(EPOCH_UTC_S + world.now_s + 900)}
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    assert world.run(90).told() == "Reserved"
    assert world.run(20).told() == "Available"


def test_who_was_authorised_before_it_expired_charges_without_it(world: World) -> None:
    """terminated when expiryDate is reached (5.13): the card had its answer, its transaction ends no reservation."""
    reserve(world, for_s=30)
    world.tap("A1").run(40)
    assert (world.told(), held(world)) == ("Preparing", [])
    assert "reservationId" not in world.plug().run(20).last("StartTransaction")


def test_what_is_over_already_is_rejected(world: World) -> None:
    """[D] An expiryDate in the past: 5.13 knows no status for it, and there is nothing to keep."""
    assert reserve(world, for_s=-1) == "Rejected"
    assert (world.told(), held(world)) == ("Available", [])


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        (lambda world: world.cause("internal"), "Faulted"),
        (lambda world: world.availability("Inoperative"), "Unavailable"),
        (lambda world: world.plug(), "Occupied"),
    ],
    ids=["faulted", "unavailable", "occupied"],
)
def test_an_expiry_in_the_past_comes_after_what_the_standard_asks_for(
    world: World, scene: Callable[[World], object], status: str
) -> None:
    """ "The Charge Point SHALL return 'Faulted' if … in the Faulted state", likewise Unavailable and Occupied (5.13)."""
    scene(world)
    assert reserve(world, for_s=-1) == status


def test_it_is_cancelled(world: World) -> None:
    """Cancel Accepted; SN(Available); another tag starts without reservationId (test case 051)."""
    reserve(world.forget())
    assert cancel(world) == "Accepted"
    assert (world.statuses(), ends(world)) == (["Reserved", "Available"], ["cancelled"])
    assert "reservationId" not in world.charge("C1").last("StartTransaction")


def test_cancelled_while_its_holder_waits_it_is_not_told(world: World) -> None:
    """reservationId: the reservation that terminates as a result of this transaction (6.45); this one did not."""
    reserve(world)
    world.tap("A1")
    assert cancel(world) == "Accepted"
    assert "reservationId" not in world.plug().run(20).last("StartTransaction")


def test_another_id_cancels_nothing(world: World) -> None:
    """wrong id: Rejected (test case 052)."""
    reserve(world)
    assert (cancel(world, 8), held(world), world.told()) == ("Rejected", [7], "Reserved")


# --- replacing --------------------------------------------------------------------------------------------------------


def test_the_same_id_replaces(world: World) -> None:
    """If the reservationId matches a reservation, the Charge Point SHALL replace that reservation (5.13)."""
    reserve(world.forget(), for_s=60)
    assert reserve(world, tag="C1", for_s=600) == "Accepted"
    world.run(100)
    assert (world.statuses(), ends(world)) == (["Reserved"], [])
    assert world.charge("A1").calls("StartTransaction") == []
    assert world.tap("C1").run(20).last("StartTransaction")["reservationId"] == 7


def test_the_same_id_moves_it_to_another_connector(duo: World) -> None:
    """replace it, also onto another connector (handbook, messages 7)."""
    reserve(duo.forget(), 1)
    assert reserve(duo, 2) == "Accepted"
    assert (duo.statuses(1), duo.statuses(2)) == (["Reserved", "Available"], ["Reserved"])


def test_a_replacement_that_cannot_be_kept_leaves_the_old_one(duo: World) -> None:
    """'Occupied' if the specified connector is occupied (5.13), by whomever."""
    duo.charge("C1", 2)
    reserve(duo, 1)
    assert reserve(duo, 2) == "Occupied"
    assert duo.told(1) == "Reserved"


def test_replaced_for_somebody_else_the_one_who_waits_has_to_go(world: World) -> None:
    """it SHALL refuse charging for all other idTags (5.13)."""
    reserve(world)
    world.tap("A1")
    assert reserve(world, tag="C1") == "Accepted"
    assert (world.run(5).told(), world.plug().run(20).calls("StartTransaction")) == ("Reserved", [])


def test_moved_away_from_the_one_who_waits_it_is_not_told(duo: World) -> None:
    """The transaction is not on the reserved connector any more: it ends no reservation (5.13)."""
    reserve(duo, 1)
    duo.tap("A1")
    assert reserve(duo, 2) == "Accepted"
    assert "reservationId" not in duo.plug(1).run(20).last("StartTransaction")
    assert (held(duo), duo.told(2)) == ([7], "Reserved")


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", [0, 1])
def test_faulted(world: World, connector: int) -> None:
    """connector Faulted; charge point Faulted (test cases 048_1, 050_1)."""
    assert reserve(world.cause("internal"), connector) == "Faulted"


@pytest.mark.parametrize("connector", [0, 1])
def test_occupied_by_a_car(world: World, connector: int) -> None:
    """Preparing; all Preparing (test cases 048_2, 050_2)."""
    assert reserve(world.plug(), connector) == "Occupied"
    assert reserve(world.tap("A1").run(20), connector) == "Occupied"
    assert reserve(world.tap("A1").run(20), connector) == "Occupied"


@pytest.mark.parametrize("connector", [0, 1])
def test_occupied_by_a_reservation(world: World, connector: int) -> None:
    """also 'Occupied' when reserved for the same or another idTag (5.13)."""
    reserve(world)
    assert [reserve(world, connector, tag, number=8) for tag in ("A1", "C1")] == ["Occupied"] * 2


@pytest.mark.parametrize(("connector", "changed"), [(0, 0), (1, 1), (1, 0)])
def test_unavailable(world: World, connector: int, changed: int) -> None:
    """Unavailable (test cases 048_3, 050_3)."""
    world.availability("Inoperative", changed)
    assert reserve(world, connector) == "Unavailable"


@pytest.mark.parametrize("connector", [2, 99])
def test_a_connector_that_is_none_is_rejected(world: World, connector: int) -> None:
    """unknown connector → Rejected (handbook, messages 1.3, row 25)."""
    assert reserve(world, connector) == "Rejected"


@pytest.mark.parametrize("connector", [0, 1])
def test_without_the_feature_profile_it_is_rejected(connector: int) -> None:
    """profile missing: Rejected (test cases 048_4, 050_4); its key is not there (9.3.1)."""
    world = World(plan={"feature_profiles": ("Core",)})
    assert reserve(world, connector) == "Rejected"
    keys = world.ask("GetConfiguration", key=["ReserveConnectorZeroSupported"])
    assert keys["unknownKey"] == ["ReserveConnectorZeroSupported"]


def test_a_reservation_that_was_refused_leaves_no_trace(world: World) -> None:
    """Occupied: Reservation has not been made (7.40)."""
    reserve(world.plug())
    assert (held(world), world.stored("reservation", "7")) == ([], None)
    assert world.connector().host.admission(world.connector(), "C1", None) == Admission()


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_card_of_the_group_uses_it(world: World) -> None:
    """Authorize(tag2), SN(Preparing); Start(reservationId) (test case 053)."""
    reserve(grouped(world), parentIdTag="G")
    assert world.forget().tap("A2").run(2).plug().run(20).story() == [
        "Authorize A2",
        "StatusNotification 1 Preparing",
        "StartTransaction A2",
        "StatusNotification 1 Charging",
    ]
    assert world.last("StartTransaction")["reservationId"] == 7


def test_a_card_whose_group_is_cached_is_not_asked_about(world: World) -> None:
    """the Charge Point MAY look it up in its Authorization Cache (5.13)."""
    grouped(world).configure(LocalPreAuthorize="true").charge("A2").tap("A2").run(10).unplug()
    reserve(world, parentIdTag="G")
    world.forget().charge("A2")
    assert (world.calls("Authorize"), world.last("StartTransaction")["reservationId"]) == ([], 7)


def test_a_card_of_another_group_is_asked_about_and_refused(world: World) -> None:
    """If it is not found, the Charge Point SHALL send an Authorize.req for the incoming idTag (5.13)."""
    reserve(world, parentIdTag="G")
    assert world.forget().charge("C1").story() == ["Authorize C1"]
    assert world.connector().status == "Reserved"


def test_the_group_alone_is_not_enough_without_a_parent_in_the_reservation(world: World) -> None:
    """except when the parent idTag match the parent idTag of the reservation (5.13): it has none."""
    reserve(grouped(world))
    assert world.forget().charge("A2").story() == []


@pytest.mark.parametrize("authorizes", ["true", "false"])
@pytest.mark.parametrize(("tag", "starts"), [("A2", True), ("C1", False)])
def test_a_remote_start_of_the_group_is_asked_about(world: World, authorizes: str, tag: str, starts: bool) -> None:
    """to determine the parent idTag the Charge Point SHALL send an Authorize.req (5.13)."""
    grouped(world).configure(AuthorizeRemoteTxRequests=authorizes)
    reserve(world, parentIdTag="G")
    world.plug().forget()
    assert world.remote_start(tag, connectorId=1) == "Accepted"
    assert [start["reservationId"] for start in world.run(20).calls("StartTransaction")] == ([7] if starts else [])
    assert len(world.calls("Authorize")) == 1


def test_offline_an_unknown_card_is_of_no_group(world: World) -> None:
    """AllowOfflineTxForUnknownId lets in whom nobody knows (9.1.1); that makes nobody a member of the group."""
    world.configure(AllowOfflineTxForUnknownId="true")
    reserve(grouped(world), parentIdTag="G")
    world.network(False).charge("A2")
    assert world.connector().status == "Reserved"
    assert world.tap("A1").run(20).connector().status == "Charging"


# --- several connectors -----------------------------------------------------------------------------------------------


def test_a_stranger_gets_another_connector(duo: World) -> None:
    """it SHALL refuse charging on the reserved connector (5.13), not elsewhere."""
    reserve(duo, 1)
    start = duo.tap("C1").run(2).plug(2).run(20).last("StartTransaction")
    assert (start["connectorId"], start.get("reservationId")) == (2, None)


def test_a_strangers_first_cable_does_not_take_a_reserved_connector(duo: World) -> None:
    """A card that chose no connector waits for a cable, but not for one here (5.13)."""
    duo.tap("C1").run(1)
    assert reserve(duo, 2) == "Accepted"
    assert duo.plug(2).run(20).calls("StartTransaction") == []
    assert duo.plug(1).run(20).last("StartTransaction")["connectorId"] == 1


def test_the_holders_card_means_the_reserved_connector(duo: World) -> None:
    """Reservation identity is presented (move G2), whoever's car waits at the other connector."""
    reserve(duo, 2)
    duo.plug(1).tap("A1").run(20)
    assert (duo.told(2), duo.calls("StartTransaction")) == ("Preparing", [])
    assert duo.plug(2).run(20).last("StartTransaction")["reservationId"] == 7


def test_a_remote_start_without_a_connector_finds_the_reserved_one(duo: World) -> None:
    """Without connectorId the charge point chooses (5.11)."""
    reserve(duo, 2)
    assert duo.remote_start("A1") == "Accepted"
    start = duo.plug(2).run(20).last("StartTransaction")
    assert (start["connectorId"], start["reservationId"]) == (2, 7)


# --- connector 0 ------------------------------------------------------------------------------------------------------


def test_the_key_tells_the_truth_and_is_read_only(world: World) -> None:
    """If this key is present and set to true: Charge Point supports reservations on connector 0 (9.3.1)."""
    key = world.ask("GetConfiguration", key=["ReserveConnectorZeroSupported"])["configurationKey"][0]
    assert (key["value"], key["readonly"]) == ("true", True)
    change = {"key": "ReserveConnectorZeroSupported", "value": "false"}
    assert world.ask("ChangeConfiguration", **change) == {"status": "Rejected"}


def test_any_connector_is_reserved_where_there_is_one(duo: World) -> None:
    """others Unavailable: Accepted; SN(Reserved); Start with reservationId (test case 049)."""
    duo.availability("Inoperative", 2)
    duo.forget()
    assert reserve(duo, 0) == "Accepted"
    duo.tap("A1").run(2).plug(1).run(20)
    assert duo.statuses(1) == ["Reserved", "Preparing", "Charging"]
    assert duo.last("StartTransaction")["reservationId"] == 7
    assert held(duo) == []


def test_any_connector_stays_available_while_there_is_a_choice(duo: World) -> None:
    """SHALL NOT reserve a specific connector (5.13)."""
    reserve(duo.forget(), 0)
    assert duo.run(5).story() == []


def test_one_connector_is_kept_from_strangers(duo: World) -> None:
    """SHALL make sure that at any time one connector remains available for the reserved idTag (5.13)."""
    reserve(duo, 0)
    duo.charge("C1", 1)
    assert (duo.told(1), duo.told(2)) == ("Charging", "Reserved")
    duo.plug(2).tap("D1").run(20)
    assert (duo.connector(2).status, duo.remote_start("D1")) == ("Reserved", "Rejected")
    duo.tap("A1").run(20)
    assert duo.last("StartTransaction")["reservationId"] == 7
    assert [duo.told(number) for number in (1, 2)] == ["Charging", "Charging"]


def test_a_choice_that_is_there_again_is_told(duo: World) -> None:
    """With several, keep them Available (handbook, messages 7)."""
    reserve(duo, 0)
    duo.charge("C1", 1).forget().tap("C1").run(10).unplug(1).run(5)
    assert duo.statuses(2) == ["Available"]


def test_the_holder_of_any_connector_takes_the_one_with_the_cable(duo: World) -> None:
    """on any connector when the reserved connectorId is 0 (5.13); nothing else is told on the way."""
    reserve(duo, 0)
    duo.tap("A1").run(2).forget().plug(2).run(20)
    start = duo.last("StartTransaction")
    assert (start["connectorId"], start["reservationId"]) == (2, 7)
    assert (duo.statuses(1), held(duo)) == (["Available"], [])


def test_there_are_not_more_promises_than_connectors(duo: World) -> None:
    """for 0: no free connector beyond those already promised → Occupied (handbook, messages 7)."""
    assert [reserve(duo, 0, number=number) for number in (1, 2, 3)] == ["Accepted", "Accepted", "Occupied"]
    assert [duo.told(number) for number in (1, 2)] == ["Reserved", "Reserved"]
    assert reserve(duo, 1, number=4) == "Occupied"
    assert (cancel(duo, 1), reserve(duo, 1, number=4)) == ("Accepted", "Accepted")
    assert reserve(duo, 2, number=5) == "Occupied"


def test_a_tag_with_two_promises_uses_them_one_by_one(duo: World) -> None:
    """reservationId: the reservation that terminates as a result of this transaction (6.45): each one once."""
    for number in (1, 2):
        reserve(duo, 0, number=number)
    for connector in (1, 2):
        assert duo.remote_start("A1", connectorId=connector) == "Accepted"
    duo.plug(1).plug(2).run(20)
    told = [start.get("reservationId") for start in duo.calls("StartTransaction")]
    assert sorted(told, key=str) == [1, 2]
    assert held(duo) == []


# --- out of service ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", [0, 1])
@pytest.mark.parametrize("plugged", [False, True])
def test_inoperative_ends_it(world: World, connector: int, plugged: bool) -> None:
    """Reserved: Accepted; reservation dropped; SN(Unavailable) (handbook, connector-states 7.6)."""
    reserve(world, connector)
    if plugged:
        world.plug()
    world.forget()
    assert world.availability("Inoperative", 1) == "Accepted"
    assert (world.statuses(), held(world), ends(world)) == (["Unavailable"], [], ["out of service"])
    assert world.availability("Operative", 1) == "Accepted"
    assert world.told() == ("Preparing" if plugged else "Available")


@pytest.mark.parametrize("connector", [0, 1])
def test_a_fault_ends_it(world: World, connector: int) -> None:
    """terminated when the Charge Point or connector are set to Faulted (5.13)."""
    reserve(world, connector)
    world.forget().cause("internal").run(5).cause("internal", False).run(5)
    assert (world.statuses(), held(world)) == (["Faulted", "Available"], [])
    assert "reservationId" not in world.charge("C1").last("StartTransaction")


def test_a_fault_of_one_connector_does_not_end_the_promise_of_any(duo: World) -> None:
    """one connector remains available for the reserved idTag (5.13): the other one."""
    reserve(duo, 0)
    duo.cause("ground_fault", connector=1).run(1)
    assert (held(duo), duo.told(2)) == ([7], "Reserved")


# --- over a restart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", [0, 1])
def test_it_survives_a_power_cut(world: World, connector: int) -> None:
    """Persist over reboot (handbook, messages 7): the same after it as before."""
    reserve(world, connector, tag="A1", parentIdTag="G")
    grouped(world).forget().cut_power().run(5)
    assert world.statuses() == ["Reserved"]
    world.tap("C1").run(5).tap("A2").run(2).plug().run(20)
    assert [start["reservationId"] for start in world.calls("StartTransaction")] == [7]
    assert world.cut_power().run(5).feature(Reservation).bookings == {}


def test_it_survives_a_reset(world: World) -> None:
    """Persist over reboot (handbook, messages 7)."""
    reserve(world)
    world.ask("Reset", type="Soft")
    assert (world.run(60).told(), held(world)) == ("Reserved", [7])


def test_what_expired_in_the_dark_is_over(world: World) -> None:
    """when the time specified in expiryDate is reached (5.13), also while nobody looks."""
    reserve(world, for_s=60)
    world.forget().cut_power(100).run(5)
    assert (world.statuses(), world.stored("reservation", "7")) == (["Available"], None)


def test_it_expires_after_a_power_cut(world: World) -> None:
    reserve(world, for_s=60)
    assert world.cut_power(10).run(20).told() == "Reserved"
    assert world.run(60).told() == "Available"


def test_it_is_stored_before_it_is_promised(world: World) -> None:
    """The Save precedes the answer: a promise that was heard is kept."""
    reserve(world)
    assert world.stored("reservation", "7") == {
        "connector": 1,
        "tag": "A1",
        "parent": None,
        "expires": pytest.approx(EPOCH_UTC_S + world.now_s + 600, abs=1),
    }


def test_offline_a_reservation_stands(world: World) -> None:
    """LocalAuthorizeOffline: the cached holder may charge, a cached stranger not here (5.13)."""
    for tag in ("A1", "C1"):
        world.charge(tag).tap(tag).run(10).unplug().run(1)
    reserve(world)
    world.network(False).plug().tap("C1").run(5).forget()
    world.tap("A1").run(20).network(True).run(5)
    assert [(start["idTag"], start["reservationId"]) for start in world.calls("StartTransaction")] == [("A1", 7)]
