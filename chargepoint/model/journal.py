"""What happened, for onlookers: a typed, append-only stream that the log, the panel, checks and metrics read.

Its rule: removing every listener changes nothing the charger does. Nothing here carries a decision.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkChanged:
    is_open: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Registered:
    """BootNotification was answered; ``interval_s`` as the central system gave it."""

    status: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class CallSent:
    message_id: str
    action: str
    payload: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The end of a call of ours; ``took_s`` in wire time. ``outcome``: the payload, or what went wrong."""

    message_id: str
    action: str
    is_result: bool
    outcome: str
    took_s: float


@dataclass(frozen=True, slots=True)
class CallServed:
    """A call of the central system and what we answered."""

    message_id: str
    action: str
    payload: str
    is_result: bool
    answer: str


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """A frame that nobody could use."""

    text: str
    reason: str


ASKING = "asks the central system"
"""The verdict on a card whose Authorize is under way; another one follows."""
REFUSED = "refused"
"""How the verdict on a card begins that may not do anything here."""


@dataclass(frozen=True, slots=True)
class TagPresented:
    """What was made of a card, or of the tag of a remote start."""

    tag: str
    verdict: str

    @property
    def is_final(self) -> bool:
        """Whether no other verdict on this card follows."""
        return self.verdict != ASKING

    @property
    def is_refusal(self) -> bool:
        return self.verdict.startswith(REFUSED)


@dataclass(frozen=True, slots=True)
class StatusChanged:
    connector: int
    status: str
    error_code: str
    info: str


@dataclass(frozen=True, slots=True)
class StatusTooShort:
    """A status of a connector was over before it was reported: it lasted ``lasted_s``, and had to last ``minimum_s``."""

    connector: int
    status: str
    lasted_s: float
    minimum_s: float


@dataclass(frozen=True, slots=True)
class PilotChanged:
    """The pair of IEC 61851-1 (A, B1, B2 …), the duty that is driven, and whether the contactor is closed."""

    connector: int
    state: str
    duty_percent: float
    is_closed: bool


@dataclass(frozen=True, slots=True)
class WakeUpTried:
    """The pilot is cut for ``cut_s``, because the car does not ask for what it is offered."""

    connector: int
    cut_s: float


@dataclass(frozen=True, slots=True)
class CarAsleep:
    """The car did not answer the last wake-up either."""

    connector: int


@dataclass(frozen=True, slots=True)
class OfferChanged:
    connector: int
    limit_a: float
    reason: str


@dataclass(frozen=True, slots=True)
class FaultChanged:
    connector: int
    trouble: str
    is_active: bool
    info: str


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    connector: int
    key: str
    tag: str
    meter_start_wh: int


@dataclass(frozen=True, slots=True)
class TransactionNumbered:
    """The central system gave the transaction its id."""

    connector: int
    key: str
    transaction_id: int
    status: str


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    connector: int
    key: str
    transaction_id: int | None
    reason: str
    meter_stop_wh: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that money may depend on was given up; it is kept, and can be queued again."""

    key: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReservationEnded:
    """``connector`` 0: any was reserved. ``why``: used, expired, cancelled, out of service."""

    reservation_id: int
    connector: int
    why: str


@dataclass(frozen=True, slots=True)
class CostShown:
    """The display of a connector shows another price. ``cost``: the amount so far or in the end, "" when none is known.

    ``state``: see `chargepoint.model.cost.CostState`; ``text``: the price in the language of the station.
    """

    connector: int
    state: str
    cost: str
    text: str


@dataclass(frozen=True, slots=True)
class ClockSet:
    step_s: float


@dataclass(frozen=True, slots=True)
class Restarting:
    cause: str


Entry = (
    LinkChanged
    | Registered
    | CallSent
    | CallAnswered
    | CallServed
    | FrameRefused
    | TagPresented
    | StatusChanged
    | StatusTooShort
    | PilotChanged
    | WakeUpTried
    | CarAsleep
    | OfferChanged
    | FaultChanged
    | TransactionStarted
    | TransactionNumbered
    | TransactionEnded
    | Undelivered
    | ReservationEnded
    | CostShown
    | ClockSet
    | Restarting
)
Listener = Callable[[str, float, Entry], None]
"""Called with the charger's identity, the charge time in s and what happened. It must not raise and not call back."""


class Journal:
    """One charger's stream. Falsy while nobody listens, so that nothing is built for nobody."""

    __slots__ = ("_identity", "_listeners")

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def listen(self, listener: Listener) -> None:
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop telling a listener; one that is not there is none."""
        self._listeners = tuple(each for each in self._listeners if each != listener)

    def write(self, now_s: float, entry: Entry) -> None:
        """Tell every listener. One that fails is logged and does not reach the charger."""
        for listener in self._listeners:
            try:
                listener(self._identity, now_s, entry)
            except Exception:
                log.exception("journal listener %r failed", listener)
