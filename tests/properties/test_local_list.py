"""The local authorization list against a plain model of it: any order of updates, a power cut after any of them.

The model is written from the handbook (messages 6) and shares nothing with the program: a dict from tag to what was sent.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint.model.timebase import utc_seconds, utc_text
from profiles.local_list import LocalAuthList
from tests.world import EPOCH_UTC_S, World

Sent = list[tuple[str, dict[str, Any] | None]]
"""Tags with their idTagInfo; None removes."""
STATUSES = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")


class PlainList:
    """What a central system believes the charger holds."""

    def __init__(self, longest: int, longest_message: int) -> None:
        self.longest = longest
        self.longest_message = longest_message
        self.held: dict[str, dict[str, Any]] = {}
        self.version = 0

    def update(self, version: int, kind: str, sent: Sent) -> str:
        """Take an update as the handbook says; return the status to expect."""
        if version <= 0:
            return "Failed"
        if kind == "Differential" and version <= self.version:
            return "VersionMismatch"
        names = [tag.upper() for tag, _ in sent]
        if len(names) > self.longest_message or len(set(names)) < len(names):
            return "Failed"
        if kind == "Full" and any(info is None for _, info in sent):
            return "Failed"
        held = {} if kind == "Full" else dict(self.held)
        for name, (_, info) in zip(names, sent, strict=True):
            held.pop(name, None)
            if info is not None:
                held[name] = info
        if len(held) > self.longest:
            return "Failed"
        self.held, self.version = held, version if held else 0
        return "Accepted"


def tell(world: World, version: int, kind: str, sent: Sent) -> str:
    entries = [{"idTag": tag} if info is None else {"idTag": tag, "idTagInfo": info} for tag, info in sent]
    more = {"localAuthorizationList": entries} if entries else {}
    return str(world.ask("SendLocalList", listVersion=version, updateType=kind, **more)["status"])


def agree(world: World, plain: PlainList) -> None:
    """The charger holds what the model holds, and tells its version."""
    kept = world.feature(LocalAuthList)._entries
    assert {tag.upper(): (info.status, info.parent, info.expires_s) for tag, info in kept.items()} == {
        tag: (info["status"], info.get("parentIdTag"), utc_seconds(info["expiryDate"]) if "expiryDate" in info else None)
        for tag, info in plain.held.items()
    }
    assert world.ask("GetLocalListVersion")["listVersion"] == plain.version


infos = st.none() | st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES)},
    optional={
        "parentIdTag": st.sampled_from(("G1", "g1", "G2")),
        "expiryDate": st.sampled_from((utc_text(EPOCH_UTC_S), utc_text(EPOCH_UTC_S + 0.25))),
    },
)
updates = st.tuples(
    st.integers(-1, 9),
    st.sampled_from(("Full", "Differential", "Differential")),
    st.lists(st.tuples(st.sampled_from(("a", "A", "b", "c", "C", "d", "e", "ß", "É", "é")), infos), max_size=5),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(updates, max_size=8))
def test_any_order_of_updates_gives_the_list_of_the_model(steps: list[tuple[int, str, Sent, bool]]) -> None:
    """All or nothing, persisted, changed only by SendLocalList (3.5.2; handbook, messages 6)."""
    world = World(keys={"LocalAuthListMaxLength": "5", "SendLocalListMaxLength": "4"})
    plain = PlainList(5, 4)
    for version, kind, sent, is_cut in steps:
        assert tell(world, version, kind, sent) == plain.update(version, kind, sent)
        if is_cut:
            world.cut_power()
        agree(world, plain)


def drawn(rng: Random, tags: list[str], removals: bool) -> Sent:
    sent: Sent = []
    for tag in tags:
        info: dict[str, Any] | None = {"status": rng.choice(STATUSES)}
        if removals and rng.random() < 0.3:
            info = None
        elif info is not None and rng.random() < 0.3:
            info["parentIdTag"] = f"GROUP{rng.randrange(5)}"
            info["expiryDate"] = utc_text(EPOCH_UTC_S + rng.randrange(10**7))
        sent.append((rng.choice((tag, tag.lower())), info))
    return sent


@pytest.mark.parametrize("seed", range(3))
def test_a_list_of_10_000_entries(seed: int) -> None:
    """LocalAuthListMaxLength 10000: built by one full list, changed by differential ones, kept over power cuts."""
    rng = Random(seed)
    pool = [f"04{number:012X}" for number in rng.sample(range(2**40), 12_000)]
    world = World(keys={"SendLocalListMaxLength": "10000"})
    plain = PlainList(10_000, 10_000)
    version = 1
    first = drawn(rng, pool[:10_000], removals=False)
    assert tell(world, version, "Full", first) == plain.update(version, "Full", first) == "Accepted"
    assert len(plain.held) == 10_000
    overflow = drawn(rng, pool[10_000:10_001], removals=False)
    assert tell(world, 2, "Differential", overflow) == plain.update(2, "Differential", overflow) == "Failed"
    agree(world.cut_power(), plain)
    for _ in range(12):
        version += rng.randrange(3)
        kind = rng.choices(("Differential", "Full"), (6, 1))[0]
        sent = drawn(rng, rng.sample(pool, rng.choice((0, 1, 50, 500, 4000))), removals=kind == "Differential")
        assert tell(world, version, kind, sent) == plain.update(version, kind, sent)
        if rng.random() < 0.4:
            world.cut_power()
        agree(world, plain)
