"""A composite schedule of stacked charging profiles: from change to change, beside every boundary of every profile.

Usage: ``python -m benchmarks.composite [--profiles 50] [--periods 10] [--hours 24]``. *Plain* is what one writes first:
collect the seconds at which any profile may change, ask at each of them every profile what it says, take the highest level
that says something, join equal neighbours. Both give the same periods, or the benchmark ends.
"""

from __future__ import annotations

import argparse
import math
import timeit
from collections.abc import Callable, Sequence
from random import Random
from time import process_time

from ocpp.v16.enums import ChargingProfileKindType as Kind
from ocpp.v16.enums import ChargingProfilePurposeType as Purpose
from ocpp.v16.enums import ChargingRateUnitType as Unit

from chargepoint.model.composite import Maximum, Period, Profile, Stack, Wiring, bounded, composite, cut

START_S = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY_S = 86_400
WIRING = Wiring(voltage_v=230.0, phases=3)
LOCAL_A = 32.0
TRANSACTION = "1-1"
PURPOSES = (Purpose.tx_profile, Purpose.tx_default_profile, Purpose.charge_point_max_profile)


def installed(count: int, periods: int) -> list[Profile]:
    """Return profiles of all purposes and kinds, each on a level of its own, so that the highest do not always speak."""
    rng, found = Random(1), []
    for number in range(count):
        purpose, kind = PURPOSES[number % 3], (Kind.recurring, Kind.absolute)[number // 3 % 2]
        steps = sorted(rng.sample(range(1, 60), periods - 1))
        limits = [rng.choice((6, 8.5, 10, 13, 16, 20, 25, 32)) for _ in range(periods)]
        unit = Unit.watts if number % 5 == 0 else Unit.amps
        watts = 230 * 3 if unit == Unit.watts else 1
        found.append(
            Profile(
                profile_id=number,
                connector=0 if purpose == Purpose.charge_point_max_profile else 1,
                purpose=purpose,
                level=number,
                kind=kind,
                unit=unit,
                periods=tuple(
                    Period(60 * start, limit * watts) for start, limit in zip([0, *steps], limits, strict=True)
                ),
                start_s=START_S + 60 * rng.randrange(1440),
                duration_s=60 * rng.randrange(60, 90),
                recurrence_s=DAY_S if kind == Kind.recurring else None,
                transaction=TRANSACTION if purpose == Purpose.tx_profile else None,
            )
        )
    return found


def ours(profiles: Sequence[Profile], duration_s: int) -> tuple[Period, ...]:
    stack = Stack(profiles, 1, TRANSACTION, START_S, LOCAL_A, WIRING, Unit.amps)
    return composite(bounded(stack, Maximum(profiles, WIRING, Unit.amps)), START_S, duration_s)[1]


# --- as one would write it first --------------------------------------------------------------------------------------


def occurrences(profile: Profile, duration_s: int) -> list[int]:
    """The seconds at which a profile begins and that touch the window."""
    assert profile.start_s is not None
    if profile.recurrence_s is None:
        return [profile.start_s]
    first = (START_S - profile.start_s) // profile.recurrence_s
    last = (START_S + duration_s - profile.start_s) // profile.recurrence_s
    return [profile.start_s + number * profile.recurrence_s for number in range(first, last + 1)]


def said(profile: Profile, at_s: int, duration_s: int) -> float | None:
    """What a profile says at a second, in A."""
    for begin_s in occurrences(profile, duration_s):
        if begin_s <= at_s < begin_s + (profile.duration_s or 0):
            limit = [period.limit for period in profile.periods if period.start_s <= at_s - begin_s][-1]
            return limit / (WIRING.voltage_v * 3) if profile.unit == Unit.watts else limit
    return None


def plain(profiles: Sequence[Profile], duration_s: int) -> list[tuple[int, float]]:
    boundaries = {START_S}
    for profile in profiles:
        for begin_s in occurrences(profile, duration_s):
            boundaries |= {begin_s, begin_s + (profile.duration_s or 0)}
            boundaries |= {begin_s + period.start_s for period in profile.periods}
    found: list[tuple[int, float]] = []
    for at_s in sorted(each for each in boundaries if START_S <= each < START_S + duration_s):
        highest: dict[str, tuple[int, float]] = {}
        for profile in profiles:
            limit = said(profile, at_s, duration_s)
            if limit is not None and profile.level >= highest.get(profile.purpose, (-1, 0.0))[0]:
                highest[profile.purpose] = profile.level, limit
        own = highest.get(Purpose.tx_profile) or highest.get(Purpose.tx_default_profile) or (0, math.inf)
        least = min(LOCAL_A, own[1], highest.get(Purpose.charge_point_max_profile, (0, math.inf))[1])
        if not found or found[-1][1] != cut(least):
            found.append((at_s - START_S, cut(least)))
    return found


def millis(work: Callable[[], object]) -> float:
    """Return the CPU time of one go in ms: the best of seven rounds, after one to warm up."""
    work()
    count = max(1, int(0.2 / timeit.timeit(work, number=1)))
    return min(timeit.repeat(work, number=count, repeat=7, timer=process_time)) / count * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profiles", type=int, default=50)
    parser.add_argument("--periods", type=int, default=10)
    parser.add_argument("--hours", type=int, default=24)
    wanted = parser.parse_args()
    profiles, duration_s = installed(wanted.profiles, wanted.periods), 3600 * wanted.hours
    found = ours(profiles, duration_s)
    assert [(period.start_s, period.limit) for period in found] == plain(profiles, duration_s), "the two disagree"
    our_ms, plain_ms = millis(lambda: ours(profiles, duration_s)), millis(lambda: plain(profiles, duration_s))
    print(
        f"{wanted.profiles} profiles of {wanted.periods} periods, {wanted.hours} h: a composite of {len(found)} periods"
    )
    print(f"{'plain ms':>10}{'here ms':>10}{'ratio':>8}")
    print(f"{plain_ms:>10.1f}{our_ms:>10.2f}{our_ms / plain_ms:>8.3f}")


if __name__ == "__main__":
    main()
