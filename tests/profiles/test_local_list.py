"""The local authorization list: SendLocalList, GetLocalListVersion, who may charge by it, conflicts, and power cuts
(OCPP 1.6 3.5, 5.10, 5.15, 7.47; keys 9.2; test cases 008, 042, 043)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chargepoint.model.timebase import utc_text
from chargepoint.runtime.store import Store, StoreError
from profiles.local_list import LocalAuthList
from tests.world import EPOCH_UTC_S, World

SHORT = {"LocalAuthListMaxLength": "4", "SendLocalListMaxLength": "3"}


def entry(tag: str, status: str | None = "Accepted", **info: Any) -> dict[str, Any]:
    """One element of localAuthorizationList; without a status it removes the tag."""
    return {"idTag": tag} if status is None else {"idTag": tag, "idTagInfo": {"status": status, **info}}


def send(world: World, version: int, *entries: dict[str, Any], kind: str = "Differential") -> str:
    """Let the central system send a list; return the status of the answer."""
    more = {"localAuthorizationList": list(entries)} if entries else {}
    return str(world.ask("SendLocalList", listVersion=version, updateType=kind, **more)["status"])


def full(world: World, version: int, *entries: dict[str, Any]) -> str:
    return send(world, version, *entries, kind="Full")


def listing(world: World, *entries: dict[str, Any]) -> World:
    assert full(world, 1, *entries) == "Accepted"
    return world.forget()


def version(world: World) -> int:
    return int(world.ask("GetLocalListVersion")["listVersion"])


def tags(world: World, *asked: str) -> list[str]:
    """Those of some tags that are on the list."""
    return [tag for tag in asked if world.model.listed(tag) is not None]


def conflicts(world: World) -> list[tuple[str, str]]:
    """Error code and info of what was told of connector 0."""
    return [(code, info) for _status, code, info in world.tells(0)]


# --- SendLocalList and GetLocalListVersion ----------------------------------------------------------------------------


def test_a_charger_without_a_list_tells_version_0(world: World) -> None:
    """A version number of 0 SHALL be used to indicate that the local authorization list is empty (5.10)."""
    assert version(world) == 0


def test_a_full_list_is_taken_with_its_version(world: World) -> None:
    """Full, then Differential: Accepted twice (test case 043)."""
    assert [full(world, 3, entry("A1")), send(world, 4, entry("B1"))] == ["Accepted", "Accepted"]
    assert (version(world), tags(world, "A1", "B1", "C1")) == (4, ["A1", "B1"])


def test_a_full_list_replaces_everything(world: World) -> None:
    """Full: replace everything (5.15)."""
    listing(world, entry("A1"), entry("B1"))
    assert (full(world, 2, entry("B1"), entry("C1")), tags(world, "A1", "B1", "C1")) == ("Accepted", ["B1", "C1"])


def test_a_full_list_may_bear_any_version(world: World) -> None:
    """On Full accept any version: only a differential one can mismatch (7.47)."""
    full(world, 9, entry("A1"))
    assert (full(world, 2, entry("A1")), version(world)) == ("Accepted", 2)


def test_a_differential_list_adds_changes_and_removes(world: World) -> None:
    """Differential: entry with idTagInfo = add or replace, without = delete (6.41)."""
    listing(world, entry("A1"), entry("B1"), entry("C1"))
    assert send(world, 2, entry("A1", "Blocked"), entry("B1", None), entry("D1"), entry("X9", None)) == "Accepted"
    assert tags(world, "A1", "B1", "C1", "D1") == ["A1", "C1", "D1"]
    assert world.model.listed("A1").status == "Blocked"


def test_an_empty_differential_list_moves_the_version_only(world: World) -> None:
    """empty list = no change but version moves (handbook, messages 6)."""
    listing(world, entry("A1"))
    assert (send(world, 5), version(world), tags(world, "A1")) == ("Accepted", 5, ["A1"])


def test_an_empty_full_list_has_version_0(world: World) -> None:
    """SendLocalList v1 Full, no list: Accepted; version 0 (test case 042_2)."""
    listing(world, entry("A1"))
    assert (full(world, 7), version(world), tags(world, "A1")) == ("Accepted", 0, [])


def test_a_list_whose_last_entry_was_removed_has_version_0(world: World) -> None:
    """0: the list is empty (5.10), however it became so; any differential update is newer."""
    listing(world, entry("A1"))
    assert (send(world, 7, entry("A1", None)), version(world)) == ("Accepted", 0)
    assert (send(world, 1, entry("B1")), version(world)) == ("Accepted", 1)


def test_an_older_differential_list_is_a_version_mismatch(world: World) -> None:
    """Full v2; Diff v5; Diff v4: Accepted (2); Accepted (5); VersionMismatch, still 5 (test case 043_2)."""
    statuses = [full(world, 2, entry("A1")), send(world, 5, entry("B1")), send(world, 4, entry("C1"))]
    assert (statuses, version(world)) == (["Accepted", "Accepted", "VersionMismatch"], 5)
    assert tags(world, "A1", "B1", "C1") == ["A1", "B1"]


def test_the_same_differential_version_is_a_mismatch(world: World) -> None:
    """less or equal then version number of current list (7.47)."""
    assert (full(world, 2, entry("A1")), send(world, 2, entry("A1", None))) == ("Accepted", "VersionMismatch")


@pytest.mark.parametrize("kind", ["Full", "Differential"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_version_with_a_special_meaning_fails(world: World, kind: str, number: int) -> None:
    """listVersion SHALL NOT be -1 or 0 as these have a special meaning (erratum 3.52)."""
    assert (send(world, number, entry("A1"), kind=kind), tags(world, "A1")) == ("Failed", [])


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("Full", [entry("B1"), entry("B1", "Blocked")]),
        ("Full", [entry("ab"), entry("AB")]),
        ("Differential", [entry("B1"), entry("b1", None)]),
        ("Full", [entry("B1"), entry("C1", None)]),
        ("Full", [entry(tag) for tag in ("B1", "B2", "B3", "B4")]),
        ("Differential", [entry("A1", None), *(entry(tag, None) for tag in ("B2", "B3", "B4"))]),
        ("Differential", [entry(tag) for tag in ("B1", "B2", "B3")]),
    ],
    ids=["doubled", "case", "doubled-removal", "full-removal", "message", "removals", "list"],
)
def test_a_bad_list_fails_and_changes_nothing(kind: str, entries: list[dict[str, Any]]) -> None:
    """Duplicates, Full without idTagInfo, too many for a message or for the list: Failed; all or nothing (6.41, 9.2)."""
    world = World(keys=SHORT)
    listing(world, entry("A1", "Blocked"), entry("A2"))
    assert send(world, 2, *entries, kind=kind) == "Failed"
    assert (version(world), tags(world, "A1", "A2", "B1", "C1")) == (1, ["A1", "A2"])


def test_a_list_may_be_as_long_as_the_keys_say() -> None:
    """LocalAuthListMaxLength, SendLocalListMaxLength: the most that fits, not less (9.2.2, 9.2.3)."""
    world = listing(World(keys=SHORT), *(entry(tag) for tag in ("A1", "A2", "A3")))
    assert send(world, 2, entry("A1", None), entry("B1"), entry("B2")) == "Accepted"
    assert len(tags(world, "A2", "A3", "B1", "B2")) == 4


def test_a_tag_is_the_same_in_any_case(world: World) -> None:
    """IdToken: CiString, compared without case (7.28)."""
    listing(world, entry("aBc", parentIdTag="G1"))
    assert world.model.listed("AbC").parent == "G1"
    assert (send(world, 2, entry("ABC", None)), tags(world, "abc")) == ("Accepted", [])


def test_a_disabled_list_tells_minus_1_and_is_not_supported(world: World) -> None:
    """LocalAuthListEnabled=false: version −1 (test case 042_1), SendLocalList NotSupported (7.47); content is kept."""
    listing(world, entry("A1")).configure(LocalAuthListEnabled="false")
    assert (version(world), full(world, 2, entry("B1")), tags(world, "A1", "B1")) == (-1, "NotSupported", [])
    world.configure(LocalAuthListEnabled="true")
    assert (version(world), tags(world, "A1", "B1")) == (1, ["A1"])


def test_without_the_feature_profile_there_is_no_list_and_no_key() -> None:
    """-1 if the local list is not supported (6.28); status NotSupported (7.47; test case 043_1); absent keys."""
    world = World(plan={"feature_profiles": ("Core",)})
    assert (version(world), full(world, 1, entry("A1"))) == (-1, "NotSupported")
    answer = world.ask("GetConfiguration", key=["LocalAuthListEnabled"])
    assert answer == {"configurationKey": [], "unknownKey": ["LocalAuthListEnabled"]}


@pytest.mark.parametrize("key", ["LocalAuthListMaxLength", "SendLocalListMaxLength"])
def test_the_lengths_are_read_only(world: World, key: str) -> None:
    """Accessibility R (9.2.2, 9.2.3)."""
    assert world.ask("ChangeConfiguration", key=key, value="7") == {"status": "Rejected"}


# --- who may charge ---------------------------------------------------------------------------------------------------


def test_a_listed_tag_starts_without_authorize(world: World) -> None:
    """Id in Local Authorization List: SN(Preparing); Accepted; no Authorize; Start; SN(Charging) (test case 008)."""
    listing(world, entry("A1")).configure(
        LocalPreAuthorize="true", AuthorizeRemoteTxRequests="true", AuthorizationCacheEnabled="false"
    )
    assert world.forget().plug().remote_start("A1") == "Accepted"
    assert world.run(20).story() == [
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


def test_without_local_pre_authorize_a_listed_tag_is_asked_about(world: World) -> None:
    """LocalPreAuthorize false, online: Auth needed (handbook, connector-states 7.1)."""
    assert "Authorize A1" in listing(world, entry("A1")).charge("A1").story()


@pytest.mark.parametrize("status", ["Blocked", "Invalid", "Expired"])
def test_a_tag_that_is_listed_as_not_valid_is_asked_about_online(world: World, status: str) -> None:
    """not valid in list: Authorize (handbook, transactions 3), whatever LocalPreAuthorize says."""
    listing(world, entry("A1", status)).configure(LocalPreAuthorize="true")
    assert "Authorize A1" in world.forget().charge("A1").story()


OFFLINE = [
    ("Accepted", {}, {}, True),
    ("ConcurrentTx", {}, {}, True),
    ("Accepted", {}, {"LocalAuthorizeOffline": "false"}, False),
    ("Accepted", {}, {"LocalAuthorizeOffline": "false", "AllowOfflineTxForUnknownId": "true"}, True),
    ("Blocked", {}, {"AllowOfflineTxForUnknownId": "true"}, False),
    ("Invalid", {}, {"AllowOfflineTxForUnknownId": "true"}, False),
    ("Expired", {}, {"AllowOfflineTxForUnknownId": "true"}, False),
    ("Accepted", {"expiryDate": utc_text(EPOCH_UTC_S)}, {"AllowOfflineTxForUnknownId": "true"}, False),
    ("ConcurrentTx", {"expiryDate": utc_text(EPOCH_UTC_S)}, {"AllowOfflineTxForUnknownId": "true"}, False),
    ("Accepted", {"expiryDate": utc_text(EPOCH_UTC_S + 9e5)}, {}, True),
    ("Accepted", {}, {"LocalAuthListEnabled": "false"}, False),
]


@pytest.mark.parametrize(("status", "info", "keys", "starts"), OFFLINE)
def test_the_list_decides_offline(
    world: World, status: str, info: dict[str, str], keys: dict[str, str], starts: bool
) -> None:
    """Invalid, Blocked, Expired, and what was valid but is expired due to passage of time, MUST be rejected (3.5.4);
    LocalAuthorizeOffline (9.1.12); ConcurrentTx is valid on the list (3.5.2)."""
    listing(world, entry("A1", status, **info)).configure(**keys)
    assert world.network(False).charge("A1").connector().is_charging is starts


def test_the_list_goes_before_the_cache(world: World) -> None:
    """Local Authorization List entries have priority over Authorization Cache entries (3.5.3)."""
    world.tap("A1").run(1).tap("A1").run(1)
    assert world.stored("cache", "a1") is not None
    listing(world, entry("A1", "Blocked")).configure(AllowOfflineTxForUnknownId="true")
    assert not world.network(False).charge("A1").connector().is_charging


def test_a_listed_tag_does_not_enter_the_cache(world: World) -> None:
    """Identifiers known in the Local Authorization List SHALL NOT be added to the Authorization Cache (3.5.3)."""
    listing(world, entry("a1")).charge("A1")
    assert world.stored("cache", "a1") is None


@pytest.mark.parametrize("status", ["Accepted", "ConcurrentTx"])
def test_a_listed_tag_of_the_same_group_stops_offline(world: World, status: str) -> None:
    """other idTag, parent known equal: stop (handbook, transactions 3), without a question to anybody."""
    listing(world, entry("A1", parentIdTag="G1"), entry("A2", status, parentIdTag="g1"))
    world.network(False).charge("A1").tap("A2").run(10)
    assert world.network(True).run(5).last("StopTransaction")["idTag"] == "A2"


def test_a_listed_tag_of_the_same_group_that_is_blocked_stops_nothing(world: World) -> None:
    """A tag that is not valid authorises nothing, a stop of its group's transaction neither (3.4)."""
    listing(world, entry("A1", parentIdTag="G1"), entry("A2", "Blocked", parentIdTag="G1"))
    assert world.network(False).charge("A1").tap("A2").run(10).connector().is_charging


# --- conflicts --------------------------------------------------------------------------------------------------------

SHORTENED = "04..F6"
TAG = "04A1B2C3F6"


@pytest.mark.parametrize(
    ("listed", "told", "info"),
    [
        ("Accepted", "Blocked", f"{SHORTENED}: Blocked, listed Accepted"),
        ("ConcurrentTx", "Invalid", f"{SHORTENED}: Invalid, listed ConcurrentTx"),
        ("Blocked", "Accepted", f"{SHORTENED}: Accepted, listed Blocked"),
        ("Blocked", "Invalid", None),
        ("Accepted", "Accepted", None),
        ("Accepted", "ConcurrentTx", None),
    ],
)
def test_another_validity_than_the_listed_one_is_a_conflict(
    world: World, listed: str, told: str, info: str | None
) -> None:
    """Conflicts between the list and the validity reported … SHALL inform the Central System by sending a
    StatusNotification with ConnectorId set to 0, and ErrorCode set to 'LocalListConflict' (3.5.2)."""
    listing(world, entry(TAG, listed)).peer.tags[TAG] = {"status": told}
    world.tap(TAG).run(2)
    assert conflicts(world) == ([] if info is None else [("LocalListConflict", info)])


def test_a_tag_listed_as_blocked_and_accepted_by_the_central_system_charges(world: World) -> None:
    """CS says Accepted → start and report LocalListConflict (handbook, transactions 3)."""
    listing(world, entry("A1", "Blocked")).charge("A1")
    assert world.connector().is_charging
    assert world.tells(0)[0][:2] == ("Available", "LocalListConflict")


def test_an_entry_that_expired_here_and_not_there_is_a_conflict(world: World) -> None:
    """What counts is the validity (3.5.2), and that passes with time."""
    listing(world, entry("A1", expiryDate=utc_text(EPOCH_UTC_S + 50.0)))
    assert conflicts(world.run(60).tap("A1").run(2)) == [("LocalListConflict", "A1: Accepted, listed Expired")]


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction"])
def test_every_answer_with_an_id_tag_info_may_conflict(world: World, action: str) -> None:
    """the validity reported in, for instance, a StartTransaction.conf (3.5.2)."""
    listing(world, entry("A1")).configure(LocalPreAuthorize="true", StopTransactionOnInvalidId="false")
    told = {"idTagInfo": {"status": "Blocked"}}
    world.peer.answers[action] = lambda _: {**told, "transactionId": 1} if action == "StartTransaction" else told
    world.forget().charge("A1").tap("A1").run(20)
    assert conflicts(world) == [("LocalListConflict", "A1: Blocked, listed Accepted")]


def test_a_conflict_is_told_once(world: World) -> None:
    """One condition, one StatusNotification (4.9)."""
    listing(world, entry("A1")).peer.tags["A1"] = {"status": "Blocked"}
    assert len(conflicts(world.tap("A1").run(2).tap("A1").run(2))) == 1


@pytest.mark.parametrize(
    "settle",
    [
        lambda world: send(world, 2, entry("a1", "Blocked")),
        lambda world: full(world, 2),
        lambda world: world.configure(LocalAuthListEnabled="false"),
        lambda world: (world.peer.tags.clear(), world.tap("A1")),
    ],
    ids=["differential", "full", "disabled", "agreed"],
)
def test_a_conflict_is_over_when_list_and_central_system_agree(world: World, settle: Any) -> None:
    """The warning of connector 0 is withdrawn by NoError (4.9)."""
    listing(world, entry("A1")).peer.tags["A1"] = {"status": "Blocked"}
    world.tap("A1").run(2)
    settle(world)
    assert [code for code, _ in conflicts(world.run(2))] == ["LocalListConflict", "NoError"]


def test_the_next_conflict_is_told_when_the_first_is_settled(world: World) -> None:
    """There is one warning and there may be many conflicts: the oldest is named."""
    listing(world, entry("A1"), entry("B1")).peer.tags.update({tag: {"status": "Blocked"} for tag in ("A1", "B1")})
    world.tap("A1").run(2).tap("B1").run(2)
    send(world, 2, entry("A1", None))
    assert conflicts(world.run(2))[-1] == ("LocalListConflict", "B1: Blocked, listed Accepted")


# --- the store --------------------------------------------------------------------------------------------------------


def test_the_list_survives_a_power_cut(world: World) -> None:
    """persisted across reboots and power outages (3.5.2)."""
    listing(world, entry("A1", "Blocked", parentIdTag="G1", expiryDate=utc_text(EPOCH_UTC_S)), entry("B1"))
    before = world.feature(LocalAuthList)._entries
    world.cut_power()
    assert (version(world), world.feature(LocalAuthList)._entries) == (1, before)


def test_an_emptied_list_leaves_nothing_in_the_store(world: World) -> None:
    """replace everything (5.15)."""
    listing(world, entry("A1"))
    full(world, 2)
    assert (world.stored("listed", "a1"), world.stored("list", "version")) == (None, None)


def test_one_update_is_one_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Atomic: all or nothing. Persist (handbook, messages 6): a power cut never leaves half of an update."""
    listing(world, entry("A1"), entry("B1"))
    batches = []
    commit = Store.commit

    def committing(store: Store, rows: Any) -> None:
        batches.append(list(rows))
        commit(store, rows)

    monkeypatch.setattr(Store, "commit", committing)
    full(world, 2, entry("B1"), entry("C1"))
    places = [{(save.kind, save.key) for _, save in rows if save.kind.startswith("list")} for rows in batches]
    assert [each for each in places if each] == [{("listed", "a1"), ("listed", "c1"), ("list", "version")}]


def test_what_cannot_be_stored_is_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """7.47: "Failed to update the Local Authorization List", and the old one stands, after a power cut as well."""
    listing(world, entry("A1"))

    def broken(_store: Store, _rows: object) -> None:
        raise StoreError("made for a test")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", broken)
        answer = world.ask("SendLocalList", listVersion=2, updateType="Full", localAuthorizationList=[entry("B1")])
        assert answer == {"status": "Failed"}
        assert (version(world), tags(world, "A1", "B1")) == (1, ["A1"])
    full(world, 2, entry("C1"))
    assert (version(world), tags(world, "A1", "B1", "C1")) == (2, ["C1"])
    world.cut_power()
    assert (version(world), tags(world, "A1", "B1", "C1")) == (2, ["C1"])


def test_an_update_is_in_force_when_it_is_stored(world: World) -> None:
    """Until then the old list judges, and another update has to wait; a power cut then leaves all of one of the two."""
    listing(world, entry("A1"))
    for number, tag in ((2, "B1"), (3, "C1")):
        told = {"listVersion": number, "updateType": "Full", "localAuthorizationList": [entry(tag)]}
        world.model.on_frame(json.dumps([2, f"list {number}", "SendLocalList", told]), world.now_s)
    assert tags(world, "A1", "B1", "C1") == ["A1"]
    world.run(1)
    answers = [world.peer.results[f"list {number}"][2] for number in (2, 3)]
    assert answers == [{"status": "Accepted"}, {"status": "Failed"}]
    assert (version(world), tags(world, "A1", "B1", "C1")) == (2, ["B1"])
