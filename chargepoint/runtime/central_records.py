"""What the embedded central system knows: cards, and what charge points have told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ocpp.v16 import call
from ocpp.v16.datatypes import IdTagInfo, MeterValue
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus

from chargepoint.model.timebase import utc_text

# --- cards ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an idTag; ``expires_s`` is UTC in s, None for never."""

    status: AuthorizationStatus = AuthorizationStatus.accepted
    parent: str | None = None
    expires_s: float | None = None

    def judged(self, utc_s: float) -> IdTagInfo:
        """Return the answer for this card: an accepted one that is past its expiry date is Expired (OCPP 1.6, 7.2)."""
        status = self.status
        expiry = None if self.expires_s is None else utc_text(self.expires_s)
        if status == AuthorizationStatus.accepted and self.expires_s is not None and utc_s >= self.expires_s:
            status = AuthorizationStatus.expired
        return IdTagInfo(status=status, parent_id_tag=self.parent, expiry_date=expiry)


class Cards:
    """The idTags a central system knows. They are CiStrings: case says nothing (OCPP 1.6, 7.28 and 7.15)."""

    __slots__ = ("_cards", "accept_unknown")

    def __init__(self, cards: Mapping[str, Card] | None = None, *, accept_unknown: bool = True) -> None:
        """``accept_unknown``: whether a tag that is not listed is Accepted or Invalid."""
        self.accept_unknown = accept_unknown
        self._cards = {tag.lower(): card for tag, card in (cards or {}).items()}

    def put(self, tag: str, card: Card) -> None:
        self._cards[tag.lower()] = card

    def remove(self, tag: str) -> None:
        self._cards.pop(tag.lower(), None)

    def find(self, tag: str) -> Card | None:
        return self._cards.get(tag.lower())

    def judged(self, tag: str, utc_s: float) -> IdTagInfo:
        """Return what Authorize, StartTransaction and StopTransaction answer for a tag."""
        card = self.find(tag)
        return (card or (_WELCOME if self.accept_unknown else _STRANGER)).judged(utc_s)

    def __len__(self) -> int:
        return len(self._cards)


_WELCOME = Card()
_STRANGER = Card(AuthorizationStatus.invalid)


# --- what one can look at ---------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Transaction:
    """A transaction as it was told to us. Registers are in Wh, instants UTC in s as the charger stamped them."""

    id: int
    id_tag: str
    connector: int
    meter_start_wh: int
    started_utc_s: float
    id_tag_info: IdTagInfo
    """What StartTransaction was answered. When not Accepted, the charger is expected to end it (OCPP 1.6, 4.8)."""
    meter_stop_wh: int | None = None
    stopped_utc_s: float | None = None
    reason: str | None = None
    samples: int = 0
    """Meter values that came for it."""
    last_sample: MeterValue | None = None
    register_wh: float | None = None
    """The last energy register among the samples."""

    @property
    def is_running(self) -> bool:
        return self.meter_stop_wh is None

    @property
    def energy_wh(self) -> float:
        """Energy delivered: by start and stop once it has stopped, until then by the last sample."""
        latest = self.register_wh if self.meter_stop_wh is None else self.meter_stop_wh
        return 0.0 if latest is None else latest - self.meter_start_wh


@dataclass(slots=True, eq=False)
class Connector:
    """What was last told of a connector; 0 is the charge point itself."""

    status: str | None = None
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None
    since_utc_s: float = 0.0
    """When the last StatusNotification came in, by our clock: the charger's own stamp is optional."""
    transaction: int | None = None
    """The id of the transaction that runs here."""
    samples: int = 0
    last_sample: MeterValue | None = None


@dataclass(slots=True, eq=False)
class Charger:
    """What is known of one charge point, connected or not."""

    identity: str
    is_connected: bool = False
    registration: RegistrationStatus | None = None
    """What its last BootNotification was answered; None when it has not booted since we are here."""
    boot: call.BootNotification | None = None
    connectors: dict[int, Connector] = field(default_factory=dict)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    """By id, oldest first; the last `KEPT_TRANSACTIONS`."""
    notices: dict[str, str] = field(default_factory=dict)
    """The last word of each action that tells a status: FirmwareStatusNotification, SecurityEventNotification …"""
    seen_utc_s: float = 0.0
    connections: int = 0
    exchanges: int = 0
    """Calls that were answered, in both directions; a CALLERROR is an answer."""
    repeated: int = 0
    """Transaction messages that came again, and were answered again but not counted."""
    bad_frames: int = 0
    """Frames that could not be answered, and answers nobody waits for."""
    transactions_started: int = 0
    energy_wh: float = 0.0
    """Energy of all transactions that have stopped, also of those no longer kept."""

    def connector(self, number: int) -> Connector:
        """Return a connector, known from now on."""
        connector = self.connectors.get(number)
        if connector is None:
            connector = self.connectors[number] = Connector()
        return connector
