"""What an onlooker is told as time goes by: bundles of events, and states, coalesced so that nobody can flood them.

One `Follower` is one open page or stream. It is asked for its next bundle as often as its connection bears; what happened
in between is one bundle, and what no longer fits is counted as missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import views
from .dispatcher import CommandDispatcher
from .events import Event, Events, told
from .responses import Summary

MOST_EVENTS = 200
"""Events of one bundle. Of a flood only the latest so many are told, and how many were left out; who takes up where it was
is told all that is kept.
"""
MOST_RECENT = 1000
"""Events that who comes new may begin with."""
METERS_AT_ONCE = 200
"""Chargers of a fleet of which one round of bundles tells that only power and energy changed; the others take turns.

A register changes all the time: without turns a fleet of 10,000 would be told anew, whole, every half second.
"""
PORTION = 500_000
"""Characters of frames in one bundle, but for the last event in it: between two bundles others may work."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One thing to tell: its kind (``journal``, ``state``, ``fleet``, ``missed`` or ``restarted``), plain JSON values, and
    the number of the last event it holds, if any."""

    kind: str
    body: Any
    number: int | None = None


class Follower:
    """What one onlooker has been told so far. ``charger`` None: all of them, in a line each."""

    def __init__(
        self,
        desk: CommandDispatcher,
        events: Events,
        charger: str | None = None,
        after: str | None = None,
        recent: int = 0,
        *,
        with_journal: bool = True,
    ) -> None:
        """``after``: the last event that is known already, see `Events.number`; all after it are told, as far as they are
        kept, and to who knows an event of an earlier run all of this one. None: what happens from now on, after so many
        of the ``recent`` events. Without ``with_journal`` only states are told. Raises ValueError.
        """
        self._desk = desk
        self._events = events
        self._charger = charger
        number = self._before(recent) if after is None else events.number(after)
        self._has_restarted = number is None
        self._after = number or 0
        self._is_new = True
        self._with_journal = with_journal
        self._told: dict[str, Any] = {}
        self._meters_from = 0
        """Place of the first charger in the fleet whose meters are told in the next bundles."""

    def _before(self, recent: int) -> int:
        """Return the number of the event before so many recent ones."""
        latest = deque((event.number for event in self._events.after(0, self._charger)), recent) if recent else ()
        return latest[0] - 1 if latest else self._events.last

    def bundles(self) -> Iterator[Bundle | None]:
        """Yield what is new since the last call; None is a moment at which others may work, as after every bundle."""
        if self._has_restarted:
            self._has_restarted = False
            yield Bundle("restarted", {"run": self._events.run})
        if self._with_journal:
            yield from self._journal()
        if self._charger is None:
            yield from self._fleet()
        else:
            yield from self._state(self._charger)

    def _journal(self) -> Iterator[Bundle]:
        known, last = self._after, self._events.last
        missed = self._events.missed(known, self._charger)
        is_flood = not self._is_new and last - known > MOST_EVENTS
        if is_flood and self._charger is None:
            # All of them count: those before the latest need not be looked at.
            missed, known = last - known - MOST_EVENTS, last - MOST_EVENTS
        fresh = list(self._events.after(known, self._charger))
        if is_flood:
            missed += max(0, len(fresh) - MOST_EVENTS)
            fresh = fresh[-MOST_EVENTS:]
        self._after, self._is_new = last, False
        if missed:
            yield Bundle("missed", {"missed": missed})
        for some in _portions(fresh):
            yield Bundle("journal", [told(event) for event in some], some[-1].number)

    def _state(self, identity: str) -> Iterator[Bundle]:
        charger = self._desk.charger(identity)
        body = views.charger(charger, self._desk.clock).model_dump(mode="json")
        if body != self._told.get(identity):
            self._told[identity] = body
            yield Bundle("state", body)

    def _fleet(self) -> Iterator[Bundle | None]:
        place = 0
        for summaries in self._desk.summaries():
            changed = []
            for each in summaries:
                told, place = self._told.get(each.id), place + 1
                is_in_turn = self._meters_from <= place - 1 < self._meters_from + METERS_AT_ONCE
                if each != told and (is_in_turn or told is None or _without_meters(each) != _without_meters(told)):
                    changed.append(each)
            self._told.update((each.id, each) for each in changed)
            body = {"chargers": [each.model_dump(mode="json") for each in changed]}
            yield Bundle("fleet", body) if changed else None
        following = self._meters_from + METERS_AT_ONCE
        self._meters_from = following if following < place else 0


def _without_meters(summary: Summary) -> tuple[object, ...]:
    return summary.phase, summary.is_connected, summary.registration, summary.statuses


def _portions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    first, characters = 0, 0
    for position, event in enumerate(events, 1):
        characters += event.length
        if characters >= PORTION or position - first == MOST_EVENTS or position == len(events):
            yield events[first:position]
            first, characters = position, 0
