"""Live events for onlookers: what chargers wrote into their journals, numbered, bounded, told in bundles.

Chargers only append to one bounded ring; whatever costs more is paid by whoever looks, at their own pace. An onlooker that
is slower than the ring is told how much it missed. Nothing here can make a charger wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, get_args

from chargepoint.model.journal import Entry
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.secrecy import masked_text

KEPT = 20_000
"""How many events the ring holds, of all chargers together."""


@dataclass(frozen=True, slots=True)
class Event:
    """One journal entry of one charger; ``at_s`` is charge time."""

    number: int
    charger: str
    at_s: float
    entry: Entry


_NAMES: dict[str, tuple[str, ...]] = {
    kind.__name__: tuple(field.name for field in fields(kind)) for kind in get_args(Entry)
}
"""The fields of every kind of entry."""


def told(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON values: its number, its charger, its kind, and the fields of that kind."""
    entry = event.entry
    kind = type(entry).__name__
    body = {name: _shown(name, getattr(entry, name)) for name in _NAMES[kind]}
    return {"id": event.number, "charger": event.charger, "at_s": event.at_s, "kind": kind, **body}


_WIRE = frozenset({"payload", "answer", "outcome", "text"})
"""Fields with what went over the wire: a ChangeConfiguration may bring an AuthorizationKey."""


def _shown(name: str, value: Any) -> Any:
    return masked_text(value) if name in _WIRE and isinstance(value, str) else value


class Events:
    """The ring. Numbers begin at 1 and never repeat within a run."""

    def __init__(self, kept: int = KEPT) -> None:
        self._ring: deque[Event] = deque(maxlen=kept)
        self.last = 0
        """The number of the latest event."""

    def watch(self, charger: Charger) -> None:
        """Follow a charger through all its lives. Call it before `Charger.start`."""
        charger.on_rebuilt = (*charger.on_rebuilt, lambda each: each.model.journal.listen(self._listen))

    def _listen(self, identity: str, now_s: float, entry: Entry) -> None:
        self.last += 1
        self._ring.append(Event(self.last, identity, now_s, entry))

    @property
    def first(self) -> int:
        """The number of the oldest event that is still there."""
        return self._ring[0].number if self._ring else self.last + 1

    def after(self, number: int, charger: str | None = None) -> Iterator[Event]:
        """Return the events after a number, oldest first, of one charger or of all. What is no longer there is left out."""
        skipped = max(0, number + 1 - self.first)
        for event in islice(self._ring, skipped, None):
            if charger is None or event.charger == charger:
                yield event

    def missed(self, number: int) -> int:
        """Return how many events after a number are gone already."""
        return max(0, self.first - number - 1)
