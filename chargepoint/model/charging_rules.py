"""What a charging profile of the central system must be before it is taken (OCPP 1.6 5.16, 7.8, 7.13, 7.14).

Its shape is in order already: `wire` has seen to that. What is left here is answered with a status, not with an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import pairwise

from ocpp.v16 import datatypes
from ocpp.v16.enums import ChargingProfileKindType as Kind
from ocpp.v16.enums import RecurrencyKind

from .composite import Period, Profile, cut
from .timebase import utc_seconds

_RECURRENCE_S: Mapping[str, int] = {RecurrencyKind.daily: 86_400, RecurrencyKind.weekly: 604_800}


@dataclass(frozen=True, slots=True)
class Rules:
    """What this charger takes: its keys of 9.4."""

    highest_level: int
    most_periods: int
    units: Set[str]


def judged(told: datatypes.ChargingProfile, rules: Rules, utc_s: int) -> Profile:
    """Return what was told at ``utc_s`` as a profile of connector 0.

    Decimals beyond the first are cut (7.14). Raises ValueError, with the first reason, for one that cannot be taken.
    """
    schedule = told.charging_schedule
    start_s = _seconds(schedule.start_schedule)
    valid_from_s, valid_to_s = _seconds(told.valid_from), _seconds(told.valid_to)
    is_recurring = told.charging_profile_kind == Kind.recurring
    reasons = (*_faults(told, rules), *_faults_of_schedule(schedule, rules))
    if reasons:
        raise ValueError(reasons[0])
    if is_recurring and (told.recurrency_kind is None or start_s is None):
        raise ValueError("a Recurring profile needs recurrencyKind and startSchedule")
    if valid_to_s is not None and valid_to_s <= max(valid_from_s or 0, utc_s):
        raise ValueError("validTo must be later than validFrom, and than now")
    return Profile(
        profile_id=told.charging_profile_id,
        connector=0,
        purpose=str(told.charging_profile_purpose),
        level=told.stack_level,
        kind=str(told.charging_profile_kind),
        unit=str(schedule.charging_rate_unit),
        periods=tuple(
            Period(each.start_period, cut(each.limit), each.number_phases) for each in schedule.charging_schedule_period
        ),
        start_s=start_s,
        duration_s=schedule.duration,
        recurrence_s=_RECURRENCE_S[str(told.recurrency_kind)] if is_recurring else None,
        valid_from_s=valid_from_s,
        valid_to_s=valid_to_s,
        minimum_rate=schedule.min_charging_rate,
        received_s=utc_s,
    )


def _seconds(text: str | None) -> int | None:
    return None if text is None else math.floor(utc_seconds(text))


def _faults(told: datatypes.ChargingProfile, rules: Rules) -> Iterator[str]:
    if not 0 <= told.stack_level <= rules.highest_level:
        yield f"stackLevel must be 0..{rules.highest_level}, got {told.stack_level}"


def _faults_of_schedule(schedule: datatypes.ChargingSchedule, rules: Rules) -> Iterator[str]:
    periods = schedule.charging_schedule_period
    starts = [period.start_period for period in periods]
    if not 1 <= len(periods) <= rules.most_periods:
        yield f"a schedule has 1..{rules.most_periods} periods, got {len(periods)}"
    if starts[:1] != [0] or any(before >= after for before, after in pairwise(starts)):
        yield "startPeriods must rise, from 0"
    for period in periods:
        if not 0.0 <= period.limit < math.inf:
            yield f"limit must be a number from 0 on, got {period.limit}"
        if period.number_phases is not None and not 1 <= period.number_phases <= 3:
            yield f"numberPhases must be 1..3, got {period.number_phases}"
    least = schedule.min_charging_rate
    if least is not None and not 0.0 <= least < math.inf:
        yield f"minChargingRate must be a number from 0 on, got {least}"
    if schedule.duration is not None and schedule.duration <= 0:
        yield f"duration must be above 0, got {schedule.duration}"
    if schedule.charging_rate_unit not in rules.units:
        yield f"schedules in {schedule.charging_rate_unit} are not allowed here"
