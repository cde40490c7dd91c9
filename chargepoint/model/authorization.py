"""Who may charge: one table over tag, list, cache and link, and the cache itself (OCPP 1.6 3.4, 3.5, 4.1, 5.4).

The table answers ALLOW, REFUSE or ASK; asking is `profiles.core`'s business. The local list (a feature profile of its own)
is handed in as a lookup, so that list and cache are judged in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ocpp.v16.enums import AuthorizationStatus

CACHE_ENTRIES = 1000
"""Entries the authorization cache holds; when full, refused ones go first, then the oldest (OCPP 1.6 3.5.1)."""


class Answer(Enum):
    ALLOW = "allow"
    REFUSE = "refuse"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a tag without asking; ``reason`` is for people."""

    answer: Answer
    reason: str
    parent: str | None = None


_VALID_IN_CACHE = (AuthorizationStatus.accepted.value,)
_VALID_ON_LIST = (AuthorizationStatus.accepted.value, AuthorizationStatus.concurrent_tx.value)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a connector is kept from a tag, or for it (OCPP 1.6 5.13)."""

    is_admitted: bool = True
    reservation_id: int | None = None
    """The reservation that a transaction of this tag would end."""
    is_bound: bool = False
    """That reservation is for this very connector: the tag belongs nowhere else."""
    asks_parent: bool = False
    """Not admitted as far as is known, but the tag's group, which the central system may tell, can change that."""


UNRESERVED = Admission()


@dataclass(frozen=True, slots=True)
class TagInfo:
    """What a central system told of a tag. ``expires_s``: UTC in s, None for never."""

    status: str
    parent: str | None = None
    expires_s: float | None = None

    def status_at(self, utc_s: float) -> str:
        """The status at an instant: a tag that was valid expires by the passage of time, at its expiry date."""
        if self.expires_s is not None and utc_s >= self.expires_s and self.status in _VALID_ON_LIST:
            return AuthorizationStatus.expired.value
        return self.status


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the table needs to know beside the tag."""

    is_online: bool
    pre_authorize: bool
    authorize_offline: bool
    allow_unknown_offline: bool


def is_valid(info: TagInfo, utc_s: float, *, is_listed: bool) -> bool:
    """Whether a tag may charge by what is known of it at an instant.

    ConcurrentTx counts as valid on the list and as not valid in the cache (3.5.2, 7.2).
    """
    return info.status_at(utc_s) in (_VALID_ON_LIST if is_listed else _VALID_IN_CACHE)


def verdict(
    listed: TagInfo | None, cached: TagInfo | None, circumstances: Circumstances, utc_s: float
) -> Verdict:
    """Judge a tag by what is on the list, else by what is in the cache (3.5.3: the list has priority)."""
    known, source = (listed, "local list") if listed is not None else (cached, "cache")
    if known is None:
        if circumstances.is_online:
            return Verdict(Answer.ASK, "not known here")
        if circumstances.allow_unknown_offline:
            return Verdict(Answer.ALLOW, "offline, unknown tags are allowed")
        return Verdict(Answer.REFUSE, "offline, and not known here")
    if not is_valid(known, utc_s, is_listed=listed is not None):
        status = known.status_at(utc_s)
        if circumstances.is_online:
            return Verdict(Answer.ASK, f"{source} says {status}: asked again", known.parent)
        return Verdict(Answer.REFUSE, f"offline, and the {source} says {status}", known.parent)
    if circumstances.is_online:
        if circumstances.pre_authorize:
            return Verdict(Answer.ALLOW, f"accepted by the {source}", known.parent)
        return Verdict(Answer.ASK, "the central system decides", known.parent)
    if circumstances.authorize_offline:
        return Verdict(Answer.ALLOW, f"offline, accepted by the {source}", known.parent)
    if circumstances.allow_unknown_offline:
        return Verdict(Answer.ALLOW, "offline, unknown tags are allowed", known.parent)
    return Verdict(Answer.REFUSE, "offline authorization is switched off", known.parent)


class Cache:
    """The authorization cache: what the central system last told of each tag, oldest first."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, TagInfo] = {}

    def find(self, tag: str) -> TagInfo | None:
        return self._entries.get(tag.lower())

    def put(self, tag: str, info: TagInfo, utc_s: float) -> str | None:
        """Keep what was told of a tag; return the key of the entry that had to make room, if any."""
        key = tag.lower()
        self._entries.pop(key, None)
        dropped = self._oldest(utc_s) if len(self._entries) >= CACHE_ENTRIES else None
        if dropped is not None:
            del self._entries[dropped]
        self._entries[key] = info
        return dropped

    def clear(self) -> list[str]:
        """Forget everything and return the keys that were held."""
        keys = list(self._entries)
        self._entries.clear()
        return keys

    def _oldest(self, utc_s: float) -> str:
        for key, info in self._entries.items():
            if info.status_at(utc_s) != AuthorizationStatus.accepted:
                return key
        return next(iter(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
