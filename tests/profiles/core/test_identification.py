"""Who may charge: cards, Authorize, the cache, groups, and how long an authorisation waits (OCPP 1.6 3.4, 3.5, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from chargepoint.model.authorization import CACHE_ENTRIES, Answer, Cache, Circumstances, TagInfo, verdict
from chargepoint.model.timebase import utc_text
from profiles.core.identification import Identification
from tests.world import EPOCH_UTC_S, ERROR, SILENCE, World


def knowing(world: World, tag: str, at: float = 0.0, **info: Any) -> World:
    """Let the cache learn of a tag what the central system says of it, without a transaction."""
    accepted = world.peer.tags.get(tag)
    world.peer.tags[tag] = {"status": "Accepted", **info}
    world.tap(tag).run(1)
    if world.connector().authorisation is not None:
        world.tap(tag)
    if accepted is None:
        del world.peer.tags[tag]
    return world.forget()


def cached(world: World, tag: str) -> TagInfo | None:
    found: TagInfo | None = world.feature(Identification).cache.find(tag)
    return found


# --- the decision table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One row of the table: what is known, in which circumstances, and what is done."""

    known: str | None
    online: bool
    answer: Answer
    keys: dict[str, bool] = field(default_factory=dict)
    expires_in_s: float | None = None
    is_listed: bool = False


def case(known: str | None, online: bool, answer: Answer, **more: Any) -> Case:
    own = {name: more.pop(name) for name in ("expires_in_s", "is_listed") if name in more}
    return Case(known, online, answer, more, **own)


ALLOW, ASK, REFUSE = Answer.ALLOW, Answer.ASK, Answer.REFUSE
TABLE = [
    case("Accepted", True, ALLOW, pre=True),
    case("Accepted", True, ALLOW, pre=True, expires_in_s=1.0),
    case("Accepted", True, ASK),
    case("Accepted", True, ASK, pre=True, expires_in_s=0.0),
    case("Blocked", True, ASK, pre=True),
    case("Invalid", True, ASK, pre=True),
    case("Expired", True, ASK, pre=True),
    case("ConcurrentTx", True, ASK, pre=True),
    case(None, True, ASK, pre=True),
    case(None, True, ASK, unknown=True),
    case("Accepted", False, ALLOW, offline=True),
    case("Accepted", False, REFUSE, offline=False),
    case("Accepted", False, ALLOW, offline=False, unknown=True),
    case("Accepted", False, REFUSE, offline=True, expires_in_s=-1.0),
    case("Accepted", False, REFUSE, offline=True, unknown=True, expires_in_s=0.0),
    case("Blocked", False, REFUSE, offline=True, unknown=True),
    case("Invalid", False, REFUSE, offline=True, unknown=True),
    case("Expired", False, REFUSE, offline=True, unknown=True),
    case("ConcurrentTx", False, REFUSE, offline=True, unknown=True),
    case(None, False, ALLOW, unknown=True),
    case(None, False, REFUSE, offline=True),
]


@pytest.mark.parametrize("row", TABLE)
def test_a_tag_is_judged_by_the_table(row: Case) -> None:
    """Authorisation decision (3.5, 4.1; handbook, transactions 3)."""
    expires_s = None if row.expires_in_s is None else 1000.0 + row.expires_in_s
    known = None if row.known is None else TagInfo(row.known, None, expires_s)
    keys = row.keys
    circumstances = Circumstances(
        is_online=row.online,
        pre_authorize=keys.get("pre", False),
        authorize_offline=keys.get("offline", False),
        allow_unknown_offline=keys.get("unknown", False),
    )
    assert verdict(None, known, circumstances, 1000.0).answer is row.answer


@pytest.mark.parametrize(
    ("key", "begins"), [("LocalPreAuthorize", ["StartTransaction A1"]), (None, ["Authorize A1", "StartTransaction A1"])]
)
def test_local_pre_authorize_spares_authorize_for_a_cached_tag(
    world: World, key: str | None, begins: list[str]
) -> None:
    """LocalPreAuthorize: start a transaction for locally-authorized identifiers without waiting (9.1.15)."""
    knowing(world, "A1")
    if key:
        world.configure(**{key: "true"})
    world.plug().tap("A1").run(1)
    assert [line for line in world.story() if line.endswith("A1")] == begins


@pytest.mark.parametrize(("allowed", "starts"), [("true", True), ("false", False)])
def test_local_authorize_offline_lets_a_cached_tag_charge_offline(world: World, allowed: str, starts: bool) -> None:
    """LocalAuthorizeOffline: when offline, will start a transaction for locally-authorized identifiers (9.1.14)."""
    knowing(world, "A1").configure(LocalAuthorizeOffline=allowed)
    assert world.network(False).charge("A1").connector().is_charging is starts


@pytest.mark.parametrize(("allowed", "starts"), [("true", True), ("false", False)])
def test_allow_offline_tx_for_unknown_id_lets_a_stranger_charge_offline(
    world: World, allowed: str, starts: bool
) -> None:
    """AllowOfflineTxForUnknownId: allow an unknown identifier to start while offline (9.1.1)."""
    world.configure(AllowOfflineTxForUnknownId=allowed)
    assert world.network(False).charge("X9").connector().is_charging is starts


def test_a_tag_known_as_blocked_never_charges_offline(world: World) -> None:
    """An identifier that is present with a status other than Accepted MUST be rejected (3.5.4)."""
    knowing(world, "A1", status="Blocked").configure(AllowOfflineTxForUnknownId="true")
    assert not world.network(False).charge("A1").connector().is_charging


def test_a_tag_the_cache_refuses_is_asked_again_online(world: World) -> None:
    """If the cache holds a not-valid status, send an Authorize.req to check the current state (3.5.1)."""
    knowing(world, "A1", status="Blocked").configure(LocalPreAuthorize="true").forget()
    assert "Authorize A1" in world.charge("A1").story()


@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired", "ConcurrentTx"])
def test_a_refused_tag_starts_no_transaction(world: World, status: str) -> None:
    """plug; bad card: SN(Preparing); Authorize; no transaction (test case 023)."""
    world.configure(LocalPreAuthorize="true").peer.tags["B1"] = {"status": status}
    world.forget().charge("B1")
    assert world.story() == ["StatusNotification 1 Preparing", "Authorize B1"]


def test_a_refused_tag_without_a_cable_changes_no_status(world: World) -> None:
    """Invalid card without cable: no SN at all (handbook, connector-states 7.1)."""
    world.peer.tags["B1"] = {"status": "Invalid"}
    assert world.forget().tap("B1").run(5).story() == ["Authorize B1"]


def accepted_with_a_past_expiry_date(world: World) -> World:
    world.peer.tags["B1"] = {"status": "Accepted", "expiryDate": utc_text(EPOCH_UTC_S - 1.0)}
    return world


def test_an_answer_that_accepts_lets_charge_whatever_its_expiry_date(world: World) -> None:
    """status: "whether the idTag has been accepted or not by the Central System"; expiryDate: "the date at which idTag
    should be removed from the Authorization Cache" (7.27)."""
    assert accepted_with_a_past_expiry_date(world).charge("B1").connector().is_charging


def test_a_start_that_is_accepted_goes_on_whatever_its_expiry_date(world: World) -> None:
    """7.27 for StartTransaction.conf: the status decides."""
    world.configure(AllowOfflineTxForUnknownId="true").network(False).charge("B1")
    assert accepted_with_a_past_expiry_date(world).network(True).run(20).connector().is_charging


def test_a_past_expiry_date_counts_for_the_cache(world: World) -> None:
    """When an entry expires by the passage of time it SHALL be changed to Expired (3.5.1): offline it starts nothing."""
    accepted_with_a_past_expiry_date(world).charge("B1").tap("B1").run(10).unplug().run(5).network(False)
    assert not world.charge("B1").connector().is_charging


@pytest.mark.parametrize("answer", [ERROR, SILENCE])
def test_without_an_answer_to_authorize_nobody_charges(world: World, answer: object) -> None:
    """If Authorize gets no answer: refuse; only real disconnection switches to offline rules (transactions 3)."""
    world.configure(AllowOfflineTxForUnknownId="true").peer.answers["Authorize"] = lambda payload: answer
    assert not world.charge("A1").run(40).connector().is_charging


def test_when_the_link_breaks_during_authorize_the_offline_rules_decide(world: World) -> None:
    """only real disconnection switches to offline rules (handbook, transactions 3)."""
    world.configure(AllowOfflineTxForUnknownId="true").peer.answers["Authorize"] = lambda payload: SILENCE
    assert world.plug().tap("A1").network(False).run(10).connector().is_charging


@pytest.mark.parametrize("tag", ["", "X" * 21])
def test_a_tag_of_impossible_length_is_not_sent(world: World, tag: str) -> None:
    """IdToken: CiString20Type (7.28)."""
    assert world.forget().tap(tag).run(1).story() == []


def test_a_second_card_while_the_first_is_asked_about_is_asked_as_well(duo: World) -> None:
    """Two independent transactions by one reader (test case 006)."""
    duo.plug(1).plug(2).forget()
    duo.peer.answers["Authorize"] = lambda payload: {"idTagInfo": {"status": "Accepted"}}
    duo.tap("A1").tap("B1").run(20)
    assert [p["idTag"] for p in duo.calls("StartTransaction")] == ["A1", "B1"]


# --- cache ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_the_cache_is_updated_from_authorize_whatever_the_status(world: World, status: str) -> None:
    """update from every IdTagInfo (3.5.1)."""
    world.peer.tags["A1"] = {"status": status}
    world.tap("A1").run(1)
    assert cached(world, "A1") == TagInfo(status)


def test_the_cache_is_updated_from_start_transaction(world: World) -> None:
    """The cache is updated from StartTransaction.conf (3.5.1)."""
    world.peer.answers["StartTransaction"] = lambda payload: {
        "idTagInfo": {"status": "Accepted", "parentIdTag": "G1"},
        "transactionId": 1,
    }
    assert cached(world.charge("A1"), "A1") == TagInfo("Accepted", "G1")


def test_the_cache_is_updated_from_stop_transaction(world: World) -> None:
    """The cache is updated from StopTransaction.conf (3.5.1)."""
    world.peer.answers["StopTransaction"] = lambda payload: {"idTagInfo": {"status": "Blocked"}}
    assert cached(world.charge("A1").tap("A1").run(20), "A1") == TagInfo("Blocked")


def test_what_the_stop_answer_says_concerns_the_tag_that_stopped(world: World) -> None:
    """A Stop.conf's idTagInfo concerns the idTag sent in Stop (handbook, transactions 3)."""
    world.peer.tags.update({tag: {"status": "Accepted", "parentIdTag": "G"} for tag in ("A1", "A2")})
    world.peer.answers["StopTransaction"] = lambda payload: {"idTagInfo": {"status": "Blocked"}}
    world.charge("A1").tap("A2").run(20)
    assert [info.status for tag in ("A1", "A2") if (info := cached(world, tag))] == ["Accepted", "Blocked"]


def test_the_cache_knows_a_tag_in_any_case(world: World) -> None:
    """key idTag case-insensitive (7.28)."""
    knowing(world, "ab12").configure(LocalPreAuthorize="true").plug().tap("AB12").run(1)
    assert (world.calls("Authorize"), len(world.calls("StartTransaction"))) == ([], 1)


def test_the_cache_survives_a_power_cut(world: World) -> None:
    """persist over reset and power loss (3.5.1)."""
    assert cached(knowing(world, "A1", parentIdTag="G1").cut_power(), "A1") == TagInfo("Accepted", "G1")


def test_an_entry_expires_by_the_passage_of_time(world: World) -> None:
    """When an entry expires by the passage of time it SHALL be changed to Expired (3.5.1): asked again."""
    knowing(world, "A1", expiryDate=utc_text(EPOCH_UTC_S + 100.0)).configure(LocalPreAuthorize="true")
    world.run(100).forget().plug().tap("A1").run(1)
    assert "Authorize A1" in world.story()


def test_clear_cache_empties_the_cache_and_the_tag_is_asked_again(world: World) -> None:
    """ClearCache; swipe: Authorize again (test case 061)."""
    knowing(world, "A1").configure(LocalPreAuthorize="true")
    assert world.ask("ClearCache") == {"status": "Accepted"}
    assert world.tap("A1").run(1).story() == ["Authorize A1", "StatusNotification 1 Preparing"]


def test_a_cleared_cache_stays_clear_after_a_power_cut(world: World) -> None:
    """ClearCache empties it (5.4)."""
    knowing(world, "A1").ask("ClearCache")
    assert cached(world.cut_power(), "A1") is None


def test_a_disabled_cache_is_not_consulted(world: World) -> None:
    """AuthorizationCacheEnabled: if this key is true, the Authorization Cache is enabled (9.1.2)."""
    knowing(world, "A1").configure(LocalPreAuthorize="true", AuthorizationCacheEnabled="false")
    assert "Authorize A1" in world.charge("A1").story()


def test_a_disabled_cache_is_not_filled(world: World) -> None:
    """AuthorizationCacheEnabled false: not consulted, not filled (handbook, configuration-keys 2)."""
    world.configure(AuthorizationCacheEnabled="false").charge("A1")
    assert cached(world, "A1") is None


def test_a_full_cache_drops_a_refused_entry_before_a_valid_one() -> None:
    """when full remove not-valid entries first, then oldest valid (3.5.1)."""
    cache = Cache()
    for number in range(CACHE_ENTRIES):
        cache.put(f"T{number}", TagInfo("Blocked" if number == 7 else "Accepted"), 0.0)
    assert [cache.put(tag, TagInfo("Accepted"), 0.0) for tag in ("N1", "N2")] == ["t7", "t0"]


# --- the sequence of card and cable -----------------------------------------------------------------------------------


def test_card_first_then_cable(world: World) -> None:
    """card; plug: Authorize, SN(Preparing); Start; SN(Charging) (test case 004_1)."""
    world.forget().tap("A1").run(5).plug().run(20)
    assert world.story() == [
        "Authorize A1",
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


def test_a_card_between_the_two_ends_of_the_cable(socket: World) -> None:
    """Card first: card → plug (handbook, connector-states 7.1): at a socket one end may be in already."""
    assert socket.plug_box().tap("A1").run(5).plug().run(20).connector().is_charging


def test_a_card_means_the_socket_with_a_plug_before_an_empty_one(duo: World) -> None:
    """a connector already plugged, else any that gets plugged (handbook, messages 4)."""
    duo.plug_box(2).tap("A1").run(2)
    assert (duo.told(1), duo.told(2)) == ("Available", "Preparing")


def test_a_card_at_the_moment_of_the_plug_is_not_lost(socket: World) -> None:
    """plug; card: SN(Preparing); Authorize; StartTransaction; SN(Charging) (test case 003)."""
    socket.charger.act(lambda board, now_s: board.outlet(1).hands.plug_in(now_s))  # type: ignore[union-attr]
    assert socket.tap("A1").run(20).connector().is_charging


def test_a_card_without_a_cable_waits_for_the_connection_time_out(world: World) -> None:
    """SN(Preparing); after time-out SN(Available) (test case 004_2)."""
    world.configure(ConnectionTimeOut=20).forget().tap("A1").run(19)
    before = world.statuses()
    assert (before, world.run(2).statuses()) == (["Preparing"], ["Preparing", "Available"])


def test_after_the_time_out_the_cable_starts_nothing(world: World) -> None:
    """ConnectionTimeOut: until the incipient transaction is automatically cancelled (9.1.6)."""
    world.configure(ConnectionTimeOut=20).tap("A1").run(30)
    assert not world.plug().run(20).connector().is_charging


def test_connection_time_out_zero_waits_for_ever(world: World) -> None:
    """0 = no timeout (handbook, configuration-keys 2)."""
    world.configure(ConnectionTimeOut=0).tap("A1").run(5000)
    assert world.plug().run(20).connector().is_charging


def test_the_time_out_counts_even_when_a_fault_keeps_the_cable_from_starting(world: World) -> None:
    """ConnectionTimeOut: failure to (correctly) insert the cable cancels the incipient transaction (9.1.6)."""
    world.configure(ConnectionTimeOut=20).tap("A1").cause("internal").plug().run(30).cause("internal", False).run(20)
    assert (world.calls("StartTransaction"), world.told()) == ([], "Preparing")


def test_a_second_swipe_takes_the_authorisation_back(world: World) -> None:
    """Card first, second swipe same card: SN(Preparing); SN(Available); no second Auth (test case 061)."""
    world.forget().tap("A1").run(2).tap("a1").run(2)
    assert world.story() == ["Authorize A1", "StatusNotification 1 Preparing", "StatusNotification 1 Available"]


def test_another_card_does_not_replace_the_one_that_waits(world: World) -> None:
    """no other card start pending on it (handbook, messages 4)."""
    world.tap("A1").run(2).tap("B1").run(2).plug().run(10)
    assert world.last("StartTransaction")["idTag"] == "A1"


def test_a_cable_without_a_card_stays_preparing_at_a_reader_of_its_own(world: World) -> None:
    """after ConnectionTimeOut: single connector with own reader → stay Preparing (handbook, connector-states 7.1)."""
    assert world.plug().run(200).told() == "Preparing"


def test_a_cable_without_a_card_is_finishing_at_a_shared_reader(duo: World) -> None:
    """several connectors on one reader → SN(Finishing) after ConnectionTimeOut (B6)."""
    assert duo.forget().plug(1).run(61).statuses(1) == ["Preparing", "Finishing"]


def test_a_card_still_starts_at_a_cable_that_timed_out(duo: World) -> None:
    """then new card = F2 Preparing → Start (handbook, connector-states 7.1)."""
    duo.plug(1).run(70).forget().tap("A1").run(20)
    assert duo.story() == [
        "Authorize A1",
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


# --- two outlets, one reader ------------------------------------------------------------------------------------------


def test_one_reader_serves_two_transactions(duo: World) -> None:
    """One reader for multiple connectors: two independent transactions (test case 006)."""
    duo.charge("A1", 1).charge("B1", 2)
    assert [(p["connectorId"], p["idTag"]) for p in duo.calls("StartTransaction")] == [(1, "A1"), (2, "B1")]


def test_a_card_stops_only_its_own_transaction(duo: World) -> None:
    """One reader for multiple connectors: two independent transactions (test case 006)."""
    duo.charge("A1", 1).charge("B1", 2).tap("B1").run(10)
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, False]


def test_a_card_means_the_cable_that_is_in(duo: World) -> None:
    """a connector already plugged and Preparing, else any that gets plugged (handbook, messages 4)."""
    assert duo.charge("A1", 2).last("StartTransaction")["connectorId"] == 2


def test_a_card_without_a_cable_is_taken_over_by_the_first_cable(duo: World) -> None:
    """a card chooses no connector: any that gets plugged (handbook, messages 4)."""
    duo.tap("A1").run(5).plug(2).run(20)
    assert (duo.last("StartTransaction")["connectorId"], duo.told(1)) == (2, "Available")


def test_two_cards_without_cables_wait_for_two_cables(duo: World) -> None:
    """two sessions by one reader: two independent transactions (test case 006)."""
    duo.tap("A1").run(2).tap("B1").run(2).plug(2).run(20).plug(1).run(20)
    assert sorted(p["idTag"] for p in duo.calls("StartTransaction")) == ["A1", "B1"]


# --- groups -----------------------------------------------------------------------------------------------------------


def grouped(world: World, *tags: str) -> World:
    world.peer.tags.update({tag: {"status": "Accepted", "parentIdTag": "G1"} for tag in tags})
    return world


def test_a_card_of_no_relation_is_not_even_asked_about(world: World) -> None:
    """first: neither Authorize nor Stop (test case 068)."""
    assert world.charge("A1").forget().tap("B1").run(10).story() == []


def test_then_the_starters_card_stops_without_authorize(world: World) -> None:
    """then Stop (idTag = starter), SN(Finishing) (test case 068)."""
    world.charge("A1").tap("B1").run(5).forget().tap("A1").run(10)
    assert world.story() == ["StopTransaction Local", "StatusNotification 1 Finishing"]


def test_a_card_of_the_same_group_stops(world: World) -> None:
    """other card with same parent: Authorize(other); Stop(idTag = other); SN(Finishing) (test case 069)."""
    grouped(world, "A1", "A2").charge("A1").forget().tap("A2").run(10)
    assert world.story() == ["Authorize A2", "StopTransaction Local", "StatusNotification 1 Finishing"]


def test_the_stop_bears_the_tag_that_stopped(world: World) -> None:
    """Stop(idTag = other) (test case 069)."""
    grouped(world, "A1", "A2").charge("A1").tap("A2").run(10)
    assert world.last("StopTransaction")["idTag"] == "A2"


def test_with_other_connectors_occupied_a_card_of_the_group_stops_its_transaction(duo: World) -> None:
    """Charging; other connectors on the same reader occupied: Authorize(other); Stop(idTag = other) (test case 069)."""
    grouped(duo, "A1", "A2").charge("A1", 1).charge("B1", 2).forget().tap("A2").run(10)
    assert duo.story() == ["Authorize A2", "StopTransaction Local", "StatusNotification 1 Finishing"]


def test_a_card_of_another_group_is_asked_about_and_stops_nothing(world: World) -> None:
    """if it has one and the parent of the new card is unknown → Auth and compare (handbook, connector-states 7.3)."""
    world.peer.tags["B1"] = {"status": "Accepted", "parentIdTag": "G2"}
    assert grouped(world, "A1").charge("A1").forget().tap("B1").run(10).story() == ["Authorize B1"]


def test_a_group_is_the_same_in_any_case(world: World) -> None:
    """Group: same parentIdTag (case-insensitive) (handbook, transactions 3)."""
    world.peer.tags["A2"] = {"status": "Accepted", "parentIdTag": "g1"}
    assert not grouped(world, "A1").charge("A1").tap("A2").run(10).connector().is_charging


def test_a_parent_that_came_with_start_transaction_counts(world: World) -> None:
    """Start.conf may bring it later than Authorize.conf (handbook, transactions 3)."""
    grouped(world, "A2").peer.answers["StartTransaction"] = lambda payload: {
        "idTagInfo": {"status": "Accepted", "parentIdTag": "G1"},
        "transactionId": 1,
    }
    assert not world.charge("A1").tap("A2").run(10).connector().is_charging


def test_a_blocked_card_of_the_group_stops_nothing(world: World) -> None:
    """the presented identifier has to be authorised to stop another's transaction (3.4)."""
    world.peer.tags["A2"] = {"status": "Blocked", "parentIdTag": "G1"}
    assert grouped(world, "A1").charge("A1").tap("A2").run(10).connector().is_charging


def test_offline_a_card_whose_group_is_known_stops(world: World) -> None:
    """stop: other idTag, parent known equal → stop (handbook, transactions 3)."""
    knowing(grouped(world, "A1", "A2"), "A2", parentIdTag="G1").charge("A1").network(False)
    assert not world.tap("A2").run(10).connector().is_charging


def test_offline_a_card_whose_group_is_unknown_stops_nothing(world: World) -> None:
    """stop: other idTag, offline, parent unknown → no stop (handbook, transactions 3)."""
    grouped(world, "A1", "A2").configure(AllowOfflineTxForUnknownId="true").charge("A1").network(False)
    assert world.tap("A2").run(10).connector().is_charging


def test_offline_the_starters_card_stops(world: World) -> None:
    """stop (any): same idTag as starter → stop, no Authorize, also offline (handbook, transactions 3)."""
    assert not world.charge("A1").network(False).tap("A1").run(10).connector().is_charging


def test_at_two_outlets_a_card_of_the_group_starts_at_the_free_cable(duo: World) -> None:
    """unless a free connector could be meant (handbook, connector-states 7.3)."""
    grouped(duo, "A1", "A2").charge("A1", 1).charge("A2", 2)
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, True]
