"""Composite schedules: the handbook's vectors, and brute force by the second (OCPP 1.6 3.13, 5.7)."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ocpp.v16 import call

from chargepoint.model import wire
from chargepoint.model.charging_rules import Rules, judged
from chargepoint.model.composite import (
    MOST_PERIODS,
    Maximum,
    Period,
    Profile,
    Stack,
    Wiring,
    bounded,
    composite,
    cut,
    share,
    total,
)
from chargepoint.model.record import Fields
from chargepoint.model.timebase import utc_seconds

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "smart-charging-vectors.json").read_text("utf-8"))["vectors"]
RULES = Rules(highest_level=10, most_periods=100, units=frozenset("AW"))
NOW_S = 1_768_471_200  # 2026-01-15T10:00:00Z


def utc(text: str) -> int:
    return math.floor(utc_seconds(text))


def installed(vector: dict[str, Any]) -> list[Profile]:
    """The profiles of a vector, by way of the wire."""
    found = []
    for payload in vector["profiles"]:
        request = wire.decode_call("SetChargingProfile", payload)
        assert isinstance(request, call.SetChargingProfile)
        profile = judged(request.cs_charging_profiles, RULES, 0)  # type: ignore[arg-type]
        body = profile.body() | {"connector": payload["connectorId"]}
        if profile.purpose == "TxProfile":
            body["transaction"] = str(payload["csChargingProfiles"]["transactionId"])
        found.append(Profile.restored(Fields(json.loads(json.dumps(body)))))
    return found


def answer(vector: dict[str, Any], query: dict[str, Any], is_strict: bool) -> list[dict[str, Any]]:
    now_s, request = utc(query["now"]), query["request"]
    profiles, wiring = installed(vector), Wiring(vector["voltage"], vector["phases"])
    running = {each["connectorId"]: each for each in vector["transactions"]}

    def stack(number: int) -> Stack:
        here = running.get(number)
        key, start_s = (None, now_s) if here is None else (str(here["transactionId"]), utc(here["start"]))
        unit, local_a = request["chargingRateUnit"], vector["localLimitA"]
        return Stack(profiles, number, key, start_s, local_a, wiring, unit, is_strict=is_strict)

    maximum, number = Maximum(profiles, wiring, request["chargingRateUnit"]), request["connectorId"]
    if number == 0:
        at = total([stack(each) for each in range(1, vector["connectors"] + 1)], maximum)
    else:
        at = bounded(stack(number), maximum)
    duration_s, periods = composite(at, now_s, request["duration"])
    assert duration_s == request["duration"]
    return [
        {"startPeriod": p.start_s, "limit": p.limit} | ({} if p.phases is None else {"numberPhases": p.phases})
        for p in periods
    ]


@pytest.mark.parametrize("mode", ["strict", "instant"])
@pytest.mark.parametrize(
    ("vector", "query"),
    [pytest.param(v, q, id=f"{v['id']}-{n}") for v in VECTORS for n, q in enumerate(v["queries"])],
)
def test_a_vector_of_the_handbook_comes_out(vector: dict[str, Any], query: dict[str, Any], mode: str) -> None:
    """Each query of each vector, as test case 066 reads 3.13.1 ("strict") and as the field does ("instant")."""
    assert answer(vector, query, is_strict=mode == "strict") == query[mode]


def test_a_profile_of_every_hour_gives_one_period_each_and_ends_where_it_grows_too_long() -> None:
    """A schedule of a year of hours is told as far as a central system digests it (5.7)."""
    periods = tuple(Period(hour * 3600, 10.0 + hour % 2) for hour in range(24))
    daily = profile(kind="Recurring", recurrence_s=86_400, start_s=NOW_S, periods=periods)
    duration_s, found = composite(alone([daily]), NOW_S, 31_536_000)
    assert (duration_s, len(found)) == (MOST_PERIODS * 3600, MOST_PERIODS)


# --- against brute force ----------------------------------------------------------------------------------------------

HORIZON_S = 400
VOLTAGE_V = 230.0


def profile(**more: Any) -> Profile:
    plain: dict[str, Any] = {
        "profile_id": 1,
        "connector": 1,
        "purpose": "TxDefaultProfile",
        "level": 0,
        "kind": "Absolute",
        "unit": "A",
        "periods": (Period(0, 10.0),),
    }
    return Profile(**plain | more)


def alone(profiles: list[Profile], unit: str = "A", is_strict: bool = False, phases: int = 3) -> Any:
    wiring = Wiring(VOLTAGE_V, phases)
    stack = Stack(profiles, 1, "tx", NOW_S - 50, 32.0, wiring, unit, is_strict=is_strict)
    return bounded(stack, Maximum(profiles, wiring, unit))


def says(p: Profile, second: int) -> tuple[float, int | None] | None:
    """What one profile says at one second, found by walking through its periods from every anchor there may be."""
    if p.valid_from_s is not None and second < p.valid_from_s:
        return None
    if p.valid_to_s is not None and second >= p.valid_to_s:
        return None
    if p.kind == "Relative":
        anchors = [p.received_s if p.purpose == "ChargePointMaxProfile" else NOW_S - 50]
    elif p.start_s is not None:
        anchors = [p.start_s]
    elif p.valid_from_s is not None:
        anchors = [p.valid_from_s]
    else:
        anchors = [p.received_s if p.purpose == "ChargePointMaxProfile" else NOW_S - 50]
    length = p.duration_s
    if p.recurrence_s is not None:
        anchors = [anchors[0] + k * p.recurrence_s for k in range(-20, 21)]
        length = p.recurrence_s if length is None or length > p.recurrence_s else length
    for anchor in anchors:
        if second < anchor or (length is not None and second >= anchor + length):
            continue
        current = None
        for period in p.periods:
            if anchor + period.start_s <= second:
                current = (period.limit, period.phases)
        return current
    return None


def brute(profiles: list[Profile], second: int, unit: str, is_strict: bool, phases: int) -> list[float]:
    """Every limit that applies at a second, the outlet's 32 A first, in the wanted unit."""

    def converted(limit: float, wanted_phases: int | None, of: str) -> float:
        used = min(3 if wanted_phases is None else wanted_phases, phases)
        if of == unit:
            return limit
        return limit / VOLTAGE_V / used if unit == "A" else limit * VOLTAGE_V * used

    def winner(candidates: list[Profile]) -> list[float]:
        levels = sorted({p.level for p in candidates}, reverse=True)
        for level in levels:
            of_level = [p for p in candidates if p.level == level]
            chosen = [p for p in of_level if p.connector == 1] or of_level
            word = says(chosen[-1], second)
            if word is not None:
                return [converted(*word, chosen[-1].unit)]
        return []

    own = [p for p in profiles if p.purpose == "TxProfile"]
    default = [p for p in profiles if p.purpose == "TxDefaultProfile"]
    most = [p for p in profiles if p.purpose == "ChargePointMaxProfile"]
    hides = is_strict and any(p.valid_to_s is None or p.valid_to_s > second for p in own)
    of_transaction = winner(own) or ([] if hides else winner(default))
    return [converted(32.0, None, "A"), *of_transaction, *winner(most)]


@st.composite
def a_profile(draw: st.DrawFn, number: int) -> Profile:
    purpose = draw(st.sampled_from(["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]))
    kind = draw(st.sampled_from(["Absolute", "Recurring", "Relative"]))
    instants = st.integers(NOW_S - 100, NOW_S + HORIZON_S)
    unit = draw(st.sampled_from(["A", "W"]))
    limits = st.integers(0, 400) if unit == "A" else st.integers(0, 250_000)
    starts = [0, *sorted(draw(st.sets(st.integers(1, 200), max_size=4)))]
    places = {"ChargePointMaxProfile": [0], "TxDefaultProfile": [0, 1], "TxProfile": [1]}
    return profile(
        profile_id=number,
        purpose=purpose,
        kind=kind,
        unit=unit,
        connector=draw(st.sampled_from(places[purpose])),
        transaction="tx" if purpose == "TxProfile" else None,
        level=draw(st.integers(0, 3)),
        periods=tuple(
            Period(start, draw(limits) / 10, draw(st.sampled_from([None, 1, 2, 3]))) for start in starts
        ),
        start_s=draw(instants if kind == "Recurring" else st.none() | instants),
        duration_s=draw(st.none() | st.integers(1, 300)),
        # Real recurrences are days: shorter ones come back often enough to be seen here.
        recurrence_s=draw(st.integers(50, 250)) if kind == "Recurring" else None,
        valid_from_s=draw(st.none() | instants),
        valid_to_s=draw(st.none() | instants),
        received_s=draw(instants),
    )


@st.composite
def stacks(draw: st.DrawFn) -> list[Profile]:
    """Profiles as they can stand side by side: one for each purpose, place and level."""
    found = [draw(a_profile(number)) for number in range(draw(st.integers(0, 8)))]
    return list({(p.purpose, p.connector, p.level): p for p in found}.values())


@given(stacks(), st.sampled_from("AW"), st.booleans(), st.sampled_from([1, 3]))
@example([profile(), profile(profile_id=2, connector=0, level=0, periods=(Period(0, 6.0),))], "A", False, 3)
def test_a_composite_schedule_is_what_a_look_at_every_second_gives(
    profiles: list[Profile], unit: str, is_strict: bool, phases: int
) -> None:
    """The least of the applicable limits, at each second of the schedule, and never above any of them (3.13, 5.7)."""
    _, periods = composite(alone(profiles, unit, is_strict, phases), NOW_S, HORIZON_S)
    assert periods[0].start_s == 0
    starts = [*(p.start_s for p in periods), HORIZON_S]
    told = [p.limit for p, end_s in zip(periods, starts[1:], strict=True) for _ in range(p.start_s, end_s)]
    assert len(told) == HORIZON_S
    for offset_s, limit in enumerate(told):
        applicable = brute(profiles, NOW_S + offset_s, unit, is_strict, phases)
        assert limit <= min(applicable) + 1e-6
        assert limit == cut(min(applicable))
    merged = [(p.limit, p.phases) for p in periods]
    assert all(a != b for a, b in pairwise(merged)), "equal neighbours are merged"


@given(stacks(), st.integers(0, HORIZON_S - 1))
def test_an_answer_holds_until_the_second_it_names(profiles: list[Profile], offset_s: int) -> None:
    """A charger that sleeps until then misses no change."""
    bound, until_s = alone(profiles)(NOW_S + offset_s)
    assert until_s > NOW_S + offset_s
    for second in range(NOW_S + offset_s, int(min(until_s, NOW_S + HORIZON_S))):
        assert alone(profiles)(second)[0].limit == bound.limit


def crowded_day() -> list[Profile]:
    """Fifty levels of TxDefaultProfile, each for half an hour a day with ten periods, and so none that rules alone."""
    return [
        profile(
            profile_id=level,
            level=level,
            kind="Recurring",
            recurrence_s=86_400,
            start_s=NOW_S + level * 1728,
            duration_s=1800,
            periods=tuple(Period(n * 180, 6.0 + (level + n) % 20) for n in range(10)),
        )
        for level in range(50)
    ]


def test_fifty_profiles_are_looked_through_once_a_change() -> None:
    """A day of fifty profiles is some hundred changes, each found without asking a profile again that said until when."""
    asked = 0

    class Counting(Profile):
        __slots__ = ()

        def at(self, at_s: int, transaction_s: int) -> tuple[Period | None, float]:
            nonlocal asked
            asked += 1
            return super().at(at_s, transaction_s)

    profiles: list[Profile] = [Counting.restored(Fields(json.loads(json.dumps(each.body())))) for each in crowded_day()]
    _, periods = composite(alone(profiles), NOW_S, 86_400)
    assert len(periods) > 400
    assert asked < 1500


# --- sharing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "most", "given_a"),
    [
        ((16.0, 10.0), 25.0, (15.0, 10.0)),
        ((32.0, 32.0), 25.0, (12.5, 12.5)),
        ((32.0, 32.0), 11.9, (11.9, 0.0)),
        ((32.0, 32.0), 5.9, (0.0, 0.0)),
        ((5.0, 32.0), 20.0, (0.0, 20.0)),
        ((16.0, 10.0), 40.0, (16.0, 10.0)),
        ((32.0, 8.0, 32.0), 12.0, (6.0, 6.0, 0.0)),
        ((), 25.0, ()),
    ],
)
def test_a_total_is_shared_in_order_of_arrival(
    wanted: tuple[float, ...], most: float, given_a: tuple[float, ...]
) -> None:
    """Each charging connector gets 6 A in order of arrival, the rest equally, others wait (vector 14: 15 + 10)."""
    assert share(wanted, most) == pytest.approx(given_a)


@given(st.lists(st.floats(0, 80), max_size=5), st.floats(0, 200))
def test_shares_never_exceed_what_there_is_nor_what_is_wanted(wanted: list[float], most: float) -> None:
    """The combined energy flow of all connectors cannot be greater than the maximum (3.13.1)."""
    shares = share(wanted, most)
    assert sum(shares) <= most + 1e-6
    assert all(got == 0.0 or 6.0 <= got <= want + 1e-6 for got, want in zip(shares, wanted, strict=True))


# --- conversion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number_phases", "fitted", "conducting", "phases"),
    [(1, 3, 0, 1), (None, 3, 0, 3), (2, 3, 0, 2), (3, 1, 0, 1), (1, 3, 1, 1), (1, 3, 3, 3), (None, 3, 1, 3), (1, 1, 1, 1)],
)  # fmt: skip
def test_power_is_divided_by_number_phases_unless_more_phases_conduct(
    number_phases: int | None, fitted: int, conducting: int, phases: int
) -> None:
    """Current per phase = Power / (Line Voltage * Number of Phases), numberPhases or 3 (7.12, erratum 3.69).

    More phases than fitted count as those fitted (erratum 3.34). More that conduct than numberPhases says count as they
    are ([D]): the limit is the TOTAL allowed charging power.
    """
    wiring = Wiring(230.0, fitted, conducting)
    assert wiring.convert(Period(0, 4140.0, number_phases), "W", "A") == pytest.approx(18.0 / phases)
    assert wiring.convert(Period(0, 6.0, number_phases), "A", "W") == pytest.approx(1380.0 * phases)


@pytest.mark.parametrize(("limit", "kept"), [(15.99, 15.9), (21.4, 21.4), (0.29999999999999998, 0.3), (6.0, 6.0)])
def test_a_limit_is_cut_to_a_tenth(limit: float, kept: float) -> None:
    """at most one decimal fraction (7.14), never rounded up."""
    assert cut(limit) == kept
