"""What an onlooker is told as time goes by: bundles of events, and states, coalesced so that nobody can flood them.

One `Follower` is one open page or stream. It is asked for its next bundle as often as its connection bears; what happened
in between is one bundle, and what no longer fits is counted as missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import portrait
from .desk import Desk
from .events import Event, Events, told

MOST_EVENTS = 200
"""Events in one bundle; of more only the latest are told, and how many were left out."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One thing to tell: its kind (``journal``, ``state``, ``fleet`` or ``missed``), plain JSON values, and the number of
    the last event it holds, if any."""

    kind: str
    body: Any
    number: int | None = None


class Follower:
    """What one onlooker has been told so far. ``charger`` None: all of them, in a line each."""

    def __init__(self, desk: Desk, events: Events, charger: str | None = None, after: int | None = None) -> None:
        """``after``: the number of the last event that is known already; None: what happens from now on."""
        self._desk = desk
        self._events = events
        self._charger = charger
        self._after = min(events.last if after is None else after, events.last)
        self._told: dict[str, Any] = {}

    def bundles(self) -> Iterator[Bundle]:
        """Yield what is new since the last call."""
        yield from self._journal()
        if self._charger is None:
            yield from self._fleet()
        else:
            yield from self._state(self._charger)

    def _journal(self) -> Iterator[Bundle]:
        missed = self._events.missed(self._after)
        fresh = list(self._events.after(self._after, self._charger))
        self._after = self._events.last
        missed += max(0, len(fresh) - MOST_EVENTS)
        if missed:
            yield Bundle("missed", {"missed": missed})
        latest: list[Event] = fresh[-MOST_EVENTS:]
        if latest:
            yield Bundle("journal", [told(event) for event in latest], latest[-1].number)

    def _state(self, identity: str) -> Iterator[Bundle]:
        charger = self._desk.charger(identity)
        portrait.look(charger)
        body = portrait.charger(charger, self._desk.clock).model_dump(mode="json")
        if body != self._told.get(identity):
            self._told[identity] = body
            yield Bundle("state", body)

    def _fleet(self) -> Iterator[Bundle]:
        changed = []
        for charger in self._desk.chargers.values():
            summary = portrait.summary(charger)
            if self._told.get(charger.identity) != summary:
                self._told[charger.identity] = summary
                changed.append(summary.model_dump(mode="json"))
        if changed:
            yield Bundle("fleet", {"chargers": changed})
