"""Who may charge: the table of the handbook, row by row, and the cache (transactions-and-metering.md 3)."""

from __future__ import annotations

import pytest

from chargepoint.model.authorization import CACHE_ENTRIES, Answer, Cache, Circumstances, TagInfo, verdict
from chargepoint.model.tags import same_tag

NOW_UTC_S = 1_000_000.0
ALLOW, REFUSE, ASK = Answer.ALLOW, Answer.REFUSE, Answer.ASK


def judge(
    listed: TagInfo | None = None,
    cached: TagInfo | None = None,
    *,
    online: bool,
    pre: bool = False,
    offline: bool = True,
    unknown: bool = False,
) -> Answer:
    return verdict(listed, cached, Circumstances(online, pre, offline, unknown), NOW_UTC_S).answer


ACCEPTED = TagInfo("Accepted", "G")
LAPSED = TagInfo("Accepted", None, NOW_UTC_S - 1.0)


@pytest.mark.parametrize("source", ["listed", "cached"])
@pytest.mark.parametrize(
    ("circumstances", "answer"),
    [
        ({"online": True, "pre": True}, ALLOW),
        ({"online": True, "pre": False}, ASK),
        ({"online": False}, ALLOW),
        ({"online": False, "offline": False}, REFUSE),
        ({"online": False, "offline": False, "unknown": True}, ALLOW),
    ],
)
def test_an_accepted_tag(source: str, circumstances: dict[str, bool], answer: Answer) -> None:
    """yes/Accepted/pre true → start; pre false → Authorize; no/Accepted → LocalAuthorizeOffline "then unknown rule"."""
    assert judge(**{source: ACCEPTED}, **circumstances) is answer  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["listed", "cached"])
@pytest.mark.parametrize("info", [TagInfo("Blocked"), TagInfo("Invalid"), TagInfo("Expired"), LAPSED])
@pytest.mark.parametrize("pre", [True, False])
def test_a_tag_that_is_not_valid(source: str, info: TagInfo, pre: bool) -> None:
    """Online: "Authorize (re-check)"; offline: "refuse, always – AllowOfflineTxForUnknownId never helps"."""
    assert judge(**{source: info}, online=True, pre=pre) is ASK  # type: ignore[arg-type]
    assert judge(**{source: info}, online=False, unknown=True) is REFUSE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("circumstances", "answer"),
    [
        ({"online": True, "pre": True}, ASK),
        ({"online": False}, REFUSE),
        ({"online": False, "unknown": True}, ALLOW),
        ({"online": False, "unknown": True, "offline": False}, ALLOW),
    ],
)
def test_an_unknown_tag(circumstances: dict[str, bool], answer: Answer) -> None:
    """yes/unknown → Authorize; no/unknown → AllowOfflineTxForUnknownId."""
    assert judge(**circumstances) is answer  # type: ignore[arg-type]


def test_concurrent_tx_is_valid_on_the_list_and_not_in_the_cache() -> None:
    """ "Local list → counts as valid, like Accepted; cache → not valid" (3.5.2, 7.2)."""
    info = TagInfo("ConcurrentTx")
    assert judge(info, online=False) is ALLOW
    assert judge(None, info, online=False, unknown=True) is REFUSE


def test_the_list_has_priority_over_the_cache() -> None:
    """Sources: local list > cache > CS."""
    assert judge(TagInfo("Blocked"), ACCEPTED, online=False) is REFUSE
    assert judge(ACCEPTED, TagInfo("Blocked"), online=False) is ALLOW


def test_the_group_comes_with_the_verdict() -> None:
    """Transaction remembers parentIdTag "from whichever" brought it."""
    circumstances = Circumstances(is_online=True, pre_authorize=True, authorize_offline=True, allow_unknown_offline=False)
    assert verdict(None, ACCEPTED, circumstances, NOW_UTC_S).parent == "G"


@pytest.mark.parametrize(("expires_s", "status"), [(NOW_UTC_S, "Expired"), (NOW_UTC_S + 1, "Accepted"), (None, "Accepted")])
def test_a_tag_expires_at_its_expiry_date(expires_s: float | None, status: str) -> None:
    """ "expiryDate equal or before now = expired"; "No expiryDate = no end"."""
    assert TagInfo("Accepted", None, expires_s).status_at(NOW_UTC_S) == status


def test_a_tag_in_use_elsewhere_expires_as_well() -> None:
    """ConcurrentTx is valid on the list, and "identifiers that were valid but are apparently expired due to passage of
    time MUST also be rejected" (3.5.4)."""
    lapsed = TagInfo("ConcurrentTx", None, NOW_UTC_S)
    assert lapsed.status_at(NOW_UTC_S - 1.0) == "ConcurrentTx"
    assert judge(lapsed, online=False, unknown=True) is REFUSE


def test_what_is_refused_does_not_become_expired() -> None:
    """Only an accepted tag expires by the passage of time."""
    assert TagInfo("Blocked", None, 1.0).status_at(NOW_UTC_S) == "Blocked"


@pytest.mark.parametrize(
    ("one", "other", "is_same"), [("A1", "a1", True), ("A1", "A2", False), (None, None, False), ("A", None, False)]
)
def test_tags_are_compared_without_case(one: str | None, other: str | None, is_same: bool) -> None:
    """IdToken: "Compare case-insensitively"; no parent equals nothing."""
    assert same_tag(one, other) is is_same


def test_the_cache_finds_a_tag_whatever_its_case_and_keeps_the_last_word() -> None:
    """Update from every IdTagInfo "whatever the status; key idTag case-insensitive"."""
    cache = Cache()
    cache.put("Abc", ACCEPTED, NOW_UTC_S)
    cache.put("aBC", TagInfo("Blocked"), NOW_UTC_S)
    assert cache.find("ABC") == TagInfo("Blocked")
    assert len(cache) == 1


def test_a_full_cache_drops_what_is_not_valid_first_then_the_oldest() -> None:
    """ "When full remove not-valid entries first, then oldest valid"."""
    cache = Cache()
    for number in range(CACHE_ENTRIES):
        cache.put(f"T{number}", LAPSED if number == 500 else ACCEPTED, NOW_UTC_S)
    assert cache.put("new", ACCEPTED, NOW_UTC_S) == "t500"
    assert cache.put("newer", ACCEPTED, NOW_UTC_S) == "t0"
    assert cache.put("T1", ACCEPTED, NOW_UTC_S) is None
    assert cache.put("newest", ACCEPTED, NOW_UTC_S) == "t2"
    assert len(cache) == CACHE_ENTRIES


def test_clearing_the_cache_empties_it_and_tells_what_was_there() -> None:
    """ClearCache empties it."""
    cache = Cache()
    cache.put("A", ACCEPTED, NOW_UTC_S)
    assert cache.clear() == ["a"]
    assert cache.find("A") is None
