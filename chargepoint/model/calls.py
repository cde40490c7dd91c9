"""Calls of ours: those that wait for their turn, the one that waits for its answer, and what became of one.

Source: OCPP-J 1.6 4.1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .outbox import Ref
from .transaction import Message

LONGEST_LANE = 100
"""Calls that may wait unsent; older ones are dropped, for each of them tells a state that a later one tells better."""


class Lane(Enum):
    """Which calls one waits among. BOOT: BootNotification, and what a trigger asks for while Pending (OCPP 1.6 4.2)."""

    BOOT = "boot"
    NORMAL = "normal"


class Failure(Enum):
    """Why a call has no result."""

    ERROR = "error"
    TIMEOUT = "timeout"
    INVALID = "invalid answer"
    LINK_LOST = "link lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: a ``result`` (a dataclass of ``ocpp.v16.call_result``), or a ``failure`` with its detail."""

    result: Any = None
    failure: Failure | None = None
    detail: str = ""
    was_sent: bool = True
    """Whether it has left: else nobody can have heard it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that has not left; ``payload`` is encoded, and the outcome comes back under ``about``."""

    action: str
    payload: str
    about: Ref


@dataclass(slots=True)
class InFlight:
    """The call that waits for its answer. ``about`` and ``message`` say whose it is: one of them is None."""

    message_id: str
    action: str
    about: Ref | None
    message: Message | None
    sent_wire_s: float
    size: int
    """Bytes of the frame."""


class Lanes:
    """The two lanes, oldest call first. All calls of registration go before the others."""

    __slots__ = ("boot", "normal")

    def __init__(self) -> None:
        self.boot: list[Waiting] = []
        self.normal: list[Waiting] = []

    def __iter__(self) -> Iterator[Waiting]:
        yield from self.boot
        yield from self.normal

    def put(self, call: Waiting, lane: Lane) -> Waiting | None:
        """Let a call wait; return the one that is dropped for it, None when there is room."""
        waiting = self.boot if lane is Lane.BOOT else self.normal
        waiting.append(call)
        return waiting.pop(0) if len(waiting) > LONGEST_LANE else None

    def clear(self) -> list[Waiting]:
        """Return all that wait, and forget them."""
        waiting = list(self)
        self.boot.clear()
        self.normal.clear()
        return waiting
