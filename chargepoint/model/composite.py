"""Charging profiles as values, and what a set of them allows: at an instant, and as a composite schedule.

Everything here is arithmetic: whole seconds of UTC in, A per phase or W in total out. An answer comes with the second
until which it holds, so that a schedule is made by going from change to change, and a charger sleeps until the next.
Sources: OCPP 1.6 3.13, 5.7, 5.16, 7.8-7.14 with the errata of 2025-04.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ocpp.v16.enums import ChargingProfileKindType as Kind
from ocpp.v16.enums import ChargingProfilePurposeType as Purpose
from ocpp.v16.enums import ChargingRateUnitType as Unit

from .pilot import MINIMUM_A
from .record import Fields

ALL_PHASES = 3
"""numberPhases when a period does not say (7.14)."""
MOST_PERIODS = 1000
"""Periods after which a composite schedule ends early: a year of quarter hours is nothing a central system reads."""
_AHEAD = 1e-6
"""What binary fractions may lack of a tenth."""


def cut(limit: float) -> float:
    """Return a limit with one decimal, never a higher one (7.13, 7.14)."""
    return math.floor(limit * 10.0 + _AHEAD) / 10.0


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start_s`` after the start of its schedule on: a limit in the schedule's unit (7.14)."""

    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One charging profile as installed on a connector (7.8, 7.13). Instants are UTC in whole s, durations s."""

    profile_id: int
    connector: int
    purpose: str
    level: int
    kind: str
    unit: str
    periods: tuple[Period, ...]
    start_s: int | None = None
    duration_s: int | None = None
    recurrence_s: int | None = None
    valid_from_s: int | None = None
    valid_to_s: int | None = None
    minimum_rate: float | None = None
    """A hint that less is wasteful. A limit is never raised to it."""
    received_s: int = 0
    transaction: str | None = None
    """Of a TxProfile: our key of the transaction it is for."""

    def at(self, at_s: int, transaction_s: int) -> tuple[Period | None, float]:
        """Return the period in force, None when the profile says nothing, and the second at which that may change.

        ``transaction_s`` is when the transaction began. Sources: 3.13.3, 7.8 (validTo is exclusive), 7.11.
        """
        if self.valid_from_s is not None and at_s < self.valid_from_s:
            return None, self.valid_from_s
        if self.valid_to_s is not None and at_s >= self.valid_to_s:
            return None, math.inf
        start_s, duration_s = self.fixed_start_s, self.duration_s
        anchor_s = transaction_s if start_s is None else start_s
        if self.recurrence_s is not None:
            # Occurrences before startSchedule count too; validFrom is there to bar them.
            anchor_s += (at_s - anchor_s) // self.recurrence_s * self.recurrence_s
            duration_s = min(duration_s or self.recurrence_s, self.recurrence_s)
        offset_s = at_s - anchor_s
        if offset_s < 0:
            return None, anchor_s
        if duration_s is not None and offset_s >= duration_s:
            return None, math.inf if self.recurrence_s is None else anchor_s + self.recurrence_s
        index = bisect_right(self.periods, offset_s, key=_start)
        end_s: float = math.inf if duration_s is None else anchor_s + duration_s
        if index < len(self.periods):
            end_s = min(end_s, anchor_s + self.periods[index].start_s)
        if self.valid_to_s is not None:
            end_s = min(end_s, self.valid_to_s)
        return self.periods[index - 1], end_s

    @property
    def fixed_start_s(self) -> int | None:
        """UTC in s at which the schedule starts; None when it starts with the transaction."""
        if self.kind != Kind.relative:
            if self.start_s is not None:
                return self.start_s
            # 7.13 does not say what an Absolute schedule without startSchedule is relative to.
            if self.valid_from_s is not None:
                return self.valid_from_s
        # A ChargePointMaxProfile belongs to no transaction (3.13.1): its situation-specific start (7.9) is its arrival.
        return self.received_s if self.purpose == Purpose.charge_point_max_profile else None

    def body(self) -> dict[str, Any]:
        """As plain JSON values."""
        body = {name: getattr(self, name) for name in _PLAIN}
        body["periods"] = [[period.start_s, period.limit, period.phases] for period in self.periods]
        return body

    @classmethod
    def restored(cls, fields: Fields) -> Profile:
        """Build it again from `body`. Raises ValueError for what is none."""
        return cls(
            profile_id=fields.integer("profile_id"),
            connector=fields.integer("connector", 0),
            purpose=Purpose(fields.text("purpose")).value,
            level=fields.integer("level"),
            kind=Kind(fields.text("kind")).value,
            unit=Unit(fields.text("unit")).value,
            periods=tuple(_period(stored) for stored in fields.items("periods")),
            start_s=fields.optional("start_s", fields.integer),
            duration_s=fields.optional("duration_s", fields.integer),
            recurrence_s=fields.optional("recurrence_s", fields.integer),
            valid_from_s=fields.optional("valid_from_s", fields.integer),
            valid_to_s=fields.optional("valid_to_s", fields.integer),
            minimum_rate=fields.optional("minimum_rate", fields.number),
            received_s=fields.integer("received_s"),
            transaction=fields.optional("transaction", fields.text),
        )


_PLAIN = tuple(name for name in Profile.__dataclass_fields__ if name != "periods")


def _period(stored: Any) -> Period:
    start_s, limit, phases = stored
    fields = Fields({"start": start_s, "limit": limit, "phases": phases})
    return Period(fields.integer("start", 0), fields.number("limit", 0.0), fields.optional("phases", fields.integer))


def _start(period: Period) -> int:
    return period.start_s


@dataclass(frozen=True, slots=True)
class Wiring:
    """What converts A per phase into W in total and back: nominal voltage, phases of an outlet, phases in use.

    ``conducting`` is the number of phases on which the meter has shown current since the car was plugged in. No board
    here can switch a phase off, so a car on three phases takes power from all of them whatever numberPhases says.
    """

    voltage_v: float
    phases: int
    conducting: int = 0

    def phases_of(self, period: Period) -> int:
        """Return the phases by which a limit of ``period`` is converted.

        numberPhases (7.12), 3 if it is absent, at most those of the outlet (erratum 3.34); more when more conduct.
        """
        return max(min(period.phases or ALL_PHASES, self.phases), self.conducting)

    def convert(self, period: Period, unit: str, wanted: str) -> float:
        """Return a period's limit in the ``wanted`` unit: current per phase = power / (voltage * phases) (7.12)."""
        if unit == wanted:
            return period.limit
        volts = self.voltage_v * self.phases_of(period)
        return period.limit * volts if wanted == Unit.watts else period.limit / volts


@dataclass(frozen=True, slots=True)
class Bound:
    """The limit at an instant in the unit asked for, and the profile and period that set it; None is the outlet itself."""

    limit: float
    phases: int | None = None
    profile: Profile | None = None
    period: Period | None = None


At = Callable[[int], tuple[Bound, float]]
"""What holds at a second, and until which; asked with seconds that only grow."""


class _Purpose:
    """The profiles of one purpose that concern one connector, highest level first (3.13.2)."""

    __slots__ = ("_answers", "_first", "_profiles", "_silent_until_s", "_transaction_s")

    def __init__(self, profiles: Iterable[Profile], transaction_s: int) -> None:
        by_level: dict[int, Profile] = {}
        for profile in profiles:
            # One for this very connector hides one for all connectors of the same level, also when it has run out.
            if profile.connector or profile.level not in by_level:
                by_level[profile.level] = profile
        self._profiles = [by_level[level] for level in sorted(by_level, reverse=True)]
        self._answers: list[tuple[Period | None, float]] = [(None, -math.inf)] * len(self._profiles)
        self._transaction_s = transaction_s
        self._first, self._silent_until_s = 0, -math.inf
        """All before the first say nothing until then: they need no look."""

    def at(self, at_s: int) -> tuple[Profile | None, Period | None, float]:
        """Return the profile in force with its period, and until when; a profile that says nothing yields to the next."""
        if at_s >= self._silent_until_s:
            self._first, self._silent_until_s = 0, math.inf
        for index in range(self._first, len(self._profiles)):
            period, until_s = self._answers[index]
            if at_s >= until_s:
                period, until_s = self._answers[index] = self._profiles[index].at(at_s, self._transaction_s)
            if period is not None:
                self._first = index
                return self._profiles[index], period, min(until_s, self._silent_until_s)
            if until_s < self._silent_until_s:
                self._silent_until_s = until_s
        self._first = len(self._profiles)
        return None, None, self._silent_until_s


class Maximum:
    """The ChargePointMaxProfiles: a bound on all connectors together (3.13.1)."""

    __slots__ = ("_purpose", "_unit", "_wiring")

    def __init__(self, installed: Iterable[Profile], wiring: Wiring, unit: str) -> None:
        self._purpose = _Purpose((p for p in installed if p.purpose == Purpose.charge_point_max_profile), 0)
        self._wiring, self._unit = wiring, unit

    def at(self, at_s: int) -> tuple[Bound | None, float]:
        """Return the bound in force, None when there is none, and until when."""
        profile, period, until_s = self._purpose.at(at_s)
        if profile is None or period is None:
            return None, until_s
        return Bound(self._wiring.convert(period, profile.unit, self._unit), period.phases, profile, period), until_s


class Stack:
    """What the profiles for one connector and its transaction say, bounded by what its outlet can bear in A per phase."""

    __slots__ = ("_default", "_is_overruled_until_s", "_local", "_own", "_unit", "_wiring")

    def __init__(
        self,
        installed: Sequence[Profile],
        connector: int,
        transaction: str | None,
        transaction_s: int,
        local_a: float,
        wiring: Wiring,
        unit: str,
        *,
        is_strict: bool = False,
    ) -> None:
        """``transaction`` is the key of the one that runs, None where one is imagined to begin at ``transaction_s``.

        ``is_strict``: a TxProfile switches TxDefaultProfiles off for its transaction even while it says nothing; else
        they rule whenever it says nothing. 3.13.1 ("overrules") can be read both ways.
        """
        own = [p for p in installed if p.purpose == Purpose.tx_profile and p.connector == connector]
        own = [p for p in own if transaction is not None and p.transaction == transaction]
        default = [p for p in installed if p.purpose == Purpose.tx_default_profile and p.connector in (0, connector)]
        self._own = _Purpose(own, transaction_s)
        self._default = _Purpose(default, transaction_s)
        ends = [math.inf if p.valid_to_s is None else p.valid_to_s for p in own] if is_strict else []
        self._is_overruled_until_s = max(ends, default=-math.inf)
        self._wiring, self._unit = wiring, unit
        # Of the outlet all phases count, and no numberPhases is told.
        self._local = Bound(wiring.convert(Period(0, local_a), Unit.amps, unit))

    def at(self, at_s: int) -> tuple[Bound, float]:
        """Return the least of outlet and profiles, and until when it holds."""
        profile, period, until_s = self._own.at(at_s)
        if period is None:
            if at_s < self._is_overruled_until_s:
                until_s = min(until_s, self._is_overruled_until_s)
            else:
                profile, period, default_until_s = self._default.at(at_s)
                until_s = min(until_s, default_until_s)
        if profile is not None and period is not None:
            limit = self._wiring.convert(period, profile.unit, self._unit)
            # Of equal bounds the profile's is told: it may have a numberPhases.
            if limit <= self._local.limit:
                return Bound(limit, period.phases, profile, period), until_s
        return self._local, until_s


def bounded(stack: Stack, maximum: Maximum) -> At:
    """Return what one connector may take when it alone charges (5.7)."""
    return total((stack,), maximum)


def total(stacks: Sequence[Stack], maximum: Maximum) -> At:
    """Return what all connectors together may take: their sum, within ChargePointMaxProfile (5.7, connectorId 0)."""

    def at(at_s: int) -> tuple[Bound, float]:
        most, until_s = maximum.at(at_s)
        limit, phases = 0.0, set()
        for stack in stacks:
            bound, bound_until_s = stack.at(at_s)
            until_s = min(until_s, bound_until_s)
            limit += bound.limit
            phases.add(bound.phases)
        if most is not None and most.limit < limit:
            return most, until_s
        # One connector's bound stays whose it is; a sum is nobody's.
        if len(stacks) == 1:
            return bound, until_s
        return Bound(limit, phases.pop() if len(phases) == 1 else None), until_s

    return at


@dataclass(frozen=True, slots=True)
class Sharing:
    """What each of several connectors may take at an instant, in A per phase, in order of arrival."""

    bounds: tuple[Bound, ...]
    """Of each by its own profiles and its outlet."""
    untils_s: tuple[float, ...]
    most: Bound | None
    """By the ChargePointMaxProfile, for all together; None: none is in force."""
    most_until_s: float
    given_a: tuple[float, ...]
    """What is left of its bound to each, cut to tenths."""

    @property
    def until_s(self) -> float:
        return min(self.most_until_s, *self.untils_s)


def shared(stacks: Sequence[Stack], maximum: Maximum, at_s: int) -> Sharing:
    """Divide what ChargePointMaxProfile leaves among connectors that charge (3.13.1). Stacks and maximum are in A."""
    asked = [stack.at(at_s) for stack in stacks]
    bounds = tuple(bound for bound, _ in asked)
    most, most_until_s = maximum.at(at_s)
    given_a = tuple(cut(bound.limit) for bound in bounds)
    if most is not None:
        given_a = tuple(cut(amps) for amps in share(given_a, cut(most.limit)))
    return Sharing(bounds, tuple(until_s for _, until_s in asked), most, most_until_s, given_a)


def beside(alone: At, index: int, stacks: Sequence[Stack], maximum: Maximum, wiring: Wiring, unit: str) -> At:
    """Return what one of several charging connectors may take: ``alone``, its limit in ``unit`` without the others, or
    its share where that is less. ``stacks`` are those of all of them and ``maximum``, both in A."""

    def at(at_s: int) -> tuple[Bound, float]:
        bound, until_s = alone(at_s)
        sharing = shared(stacks, maximum, at_s)
        until_s = min(until_s, sharing.until_s)
        most, given_a = sharing.most, sharing.given_a[index]
        if most is None:
            return bound, until_s
        alone_a = min(cut(sharing.bounds[index].limit), cut(most.limit))
        if alone_a < MINIMUM_A or given_a >= alone_a:
            return bound, until_s  # the others take nothing away from it
        limit = wiring.convert(Period(0, given_a, most.phases), Unit.amps, unit)
        return Bound(limit, most.phases, most.profile, most.period), until_s

    return at


def composite(at: At, start_s: int, duration_s: int) -> tuple[int, tuple[Period, ...]]:
    """Return a composite schedule of ``duration_s`` from ``start_s``: its duration in s, and its periods, none like the
    one before it. It is shorter than asked when it would have more than `MOST_PERIODS` (5.7). A ``duration_s`` of 0 gives
    one period, the limit in force."""
    periods: list[Period] = []
    now_s, end_s = start_s, start_s + duration_s
    while now_s < end_s or not periods:
        bound, until_s = at(now_s)
        limit = cut(bound.limit)
        last = periods[-1] if periods else None
        if last is None or last.limit != limit or last.phases != bound.phases:
            if len(periods) == MOST_PERIODS:
                return now_s - start_s, tuple(periods)
            periods.append(Period(now_s - start_s, limit, bound.phases))
        now_s = int(min(until_s, end_s))
    return duration_s, tuple(periods)


def share(wanted_a: Sequence[float], total_a: float) -> tuple[float, ...]:
    """Divide ``total_a`` among cars that want so much, in order of arrival: the 6 A a pilot needs first, then equally.

    Who gets 0.0 has to wait. The standard says only that the sum must not be exceeded (3.13.1).
    """
    given = [0.0] * len(wanted_a)
    rest_a = total_a
    for index, wish_a in enumerate(wanted_a):
        if wish_a >= MINIMUM_A and rest_a >= MINIMUM_A:
            given[index] = MINIMUM_A
            rest_a -= MINIMUM_A
    served = sorted((index for index, amps in enumerate(given) if amps), key=lambda index: wanted_a[index])
    for number, index in enumerate(served):
        more_a = min(wanted_a[index] - MINIMUM_A, rest_a / (len(served) - number))
        given[index] += more_a
        rest_a -= more_a
    return tuple(given)
