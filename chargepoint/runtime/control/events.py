"""Live events for onlookers: what chargers wrote into their journals, numbered, bounded, told in bundles.

Chargers only append to one bounded ring; whatever costs more is paid by whoever looks, at their own pace. An onlooker that
is slower than the ring is told how much it missed. Nothing here can make a charger wait.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from typing import Any, get_args

from chargepoint.model.journal import CallAnswered, CallSent, CallServed, Entry, FrameRefused
from chargepoint.model.tags import short_tag
from chargepoint.model.timebase import Calendar, utc_text
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.secrecy import masked_text

from .jsontext import nested

KEPT = 20_000
"""How many events the ring holds, of all chargers together."""
KEPT_CHARACTERS = 32_000_000
"""How many characters of frames they may hold: a central system can send long ones."""


@dataclass(frozen=True, slots=True)
class Event:
    """One journal entry of one charger; ``at_s`` is charge time, ``utc_s`` what the charger's calendar made of it."""

    number: int
    charger: str
    at_s: float
    utc_s: float
    kind: str
    values: tuple[Any, ...]
    """What the entry holds, in the order of its fields."""
    length: int
    """Characters of the frames it holds."""


_Kept = tuple[int, str, float, float, str, tuple[Any, ...], int]
"""An event as the ring has it. Plain tuples of plain values are none of the garbage collector's business; as objects,
20,000 of them would stop everybody for 30 ms at each full collection."""

_MARK = re.compile(r"(?:([0-9a-f]{1,16})-)?([0-9]{1,17})")

_NAMES: dict[str, tuple[str, ...]] = {
    kind.__name__: tuple(field.name for field in fields(kind)) for kind in get_args(Entry)
}
"""The fields of every kind of entry."""


def told(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON values: its number, its charger, when, its kind, and the fields of that kind.

    What went over the wire stands there as the text that it was, secrets hidden: it can be edited and sent again. A card
    number elsewhere is shortened, as in log and sessions.
    """
    body = dict(zip(_NAMES[event.kind], map(_shown, event.values), strict=True))
    if "tag" in body:
        body["tag"] = short_tag(body["tag"])
    return {
        "id": event.number,
        "charger": event.charger,
        "at_s": round(event.at_s, 3),
        "time": utc_text(event.utc_s),
        "kind": event.kind,
        **body,
    }


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as `told`, but what went over the wire as the JSON value that it is, where it is one."""
    return nested(told(event))


def _length(entry: Entry) -> int:
    match entry:
        case CallSent():
            return len(entry.payload)
        case CallAnswered():
            return len(entry.outcome)
        case CallServed():
            return len(entry.payload) + len(entry.answer)
        case FrameRefused():
            return len(entry.text)
    return 0


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return masked_text(value) if isinstance(value, str) else value


class Events:
    """The ring. Numbers begin at 1 and never repeat within a run."""

    def __init__(self, kept: int = KEPT, kept_characters: int = KEPT_CHARACTERS) -> None:
        self._ring: deque[_Kept] = deque()
        self._kept = kept
        self._kept_characters = kept_characters
        self._characters = 0
        self._gone: dict[str, tuple[int, int]] = {}
        """Of each charger: how many events are no longer there, and the number of the last of them."""
        self.last = 0
        """The number of the latest event."""
        self.run = f"{time.time_ns() // 1_000_000:x}"
        """Names this ring: numbers of another run of the program mean nothing here."""

    def watch(self, charger: Charger) -> None:
        """Follow a charger through all its lives. Call it before `Charger.start`."""
        charger.on_rebuilt = (*charger.on_rebuilt, self._follow)

    def _follow(self, charger: Charger) -> None:
        charger.model.journal.listen(partial(self._listen, charger.model.calendar))

    def _listen(self, calendar: Calendar, identity: str, now_s: float, entry: Entry) -> None:
        self.last += 1
        length = _length(entry)
        self._characters += length
        ring = self._ring
        kind = type(entry).__name__
        values = tuple([getattr(entry, name) for name in _NAMES[kind]])
        ring.append((self.last, identity, now_s, calendar.utc_s(now_s), kind, values, length))
        while len(ring) > self._kept or (self._characters > self._kept_characters and len(ring) > 1):
            gone = ring.popleft()
            self._characters -= gone[-1]
            count, _last = self._gone.get(gone[1], (0, 0))
            self._gone[gone[1]] = (count + 1, gone[0])

    @property
    def first(self) -> int:
        """The number of the oldest event that is still there."""
        return self._ring[0][0] if self._ring else self.last + 1

    def after(self, number: int, charger: str | None = None) -> Iterator[Event]:
        """Return the events after a number, oldest first, of one charger or of all. What is no longer there is left out."""
        skipped = max(0, number + 1 - self.first)
        for kept in islice(self._ring, skipped, None):
            if charger is None or kept[1] == charger:
                yield Event(*kept)

    def mark(self, number: int) -> str:
        """Return what an onlooker keeps to take up behind an event, in this run or in another."""
        return f"{self.run}-{number}"

    def number(self, mark: str) -> int | None:
        """Return the number of the event that an onlooker knows: as `mark` made it, or plain. None: not of this run.

        Raises ValueError for what is neither.
        """
        found = _MARK.fullmatch(mark)
        if found is None:
            raise ValueError(f"{mark!r} is no id of an event")
        run, number = found[1], int(found[2])
        return number if run in (None, self.run) and number <= self.last else None

    def missed(self, number: int, charger: str | None = None) -> int:
        """Return how many events after a number are gone already: of all, or at most how many of one charger."""
        missed = max(0, self.first - number - 1)
        if charger is None:
            return missed
        gone, last = self._gone.get(charger, (0, 0))
        return min(missed, gone) if last > number else 0
