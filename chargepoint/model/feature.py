"""What a feature profile is: its messages, its configuration keys, its state and its hooks, declared in one class.

A class says which calls of the central system it serves (`handles`), which answers to calls of ours it takes (`answered`)
and overrides the hooks it needs. A `Roster` is the set of classes a charger is built from; its tables are made once and
shared by every charger of the kind. A feature profile of many parts is several classes with one ``name``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hw.ports import Reading

from .authorization import Admission, TagInfo, Verdict
from .composite import Profile
from .keys import Key, KeyFamily, Keyring
from .record import RecordKind, Snapshot
from .records import MODEL
from .transaction import Message, Transaction

if TYPE_CHECKING:
    from .chargepoint import ChargePoint
    from .connector import Connector
    from .connector_state import Limit
    from .outbox import Ref
    from .transfer import Transferred

F = TypeVar("F", bound=Callable[..., Any])

# What the decorators below write on a method: the action it serves, the action whose answers it takes.
_HANDLES = "_handles"
_ANSWERED = "_answered"


def handles(request: type) -> Callable[[F], F]:
    """Mark the method that serves a call of the central system: ``(self, request, now_s) -> result or Later``."""

    def mark(method: F) -> F:
        setattr(method, _HANDLES, request.__name__)
        return method

    return mark


def answered(request: type) -> Callable[[F], F]:
    """Mark the method that takes what became of a call of ours: ``(self, about, outcome, now_s)``."""

    def mark(method: F) -> F:
        setattr(method, _ANSWERED, request.__name__)
        return method

    return mark


class FeatureProfile:
    """Base of every feature profile, and of every part of one. Hooks do nothing by default."""

    __slots__ = ("host",)

    name: ClassVar[str]
    """As in SupportedFeatureProfiles (OCPP 1.6 9.1.29)."""
    keys: ClassVar[tuple[Key[Any], ...]] = ()
    families: ClassVar[tuple[KeyFamily[Any], ...]] = ()
    triggers: ClassVar[tuple[str, ...]] = ()
    """What TriggerMessage may ask of it."""
    records: ClassVar[tuple[RecordKind[Any], ...]] = ()
    """The kinds of records it keeps; nothing else reads or writes them."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Kinds of `Ref` under which it asks the meter."""

    handlers: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    answers: ClassVar[Mapping[str, Callable[..., None]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        members = list(vars(cls).values())
        cls.handlers = {getattr(m, _HANDLES): m for m in members if hasattr(m, _HANDLES)}
        cls.answers = {getattr(m, _ANSWERED): m for m in members if hasattr(m, _ANSWERED)}

    def __init__(self, host: ChargePoint) -> None:
        self.host = host

    # --- hooks, called in the order of the roster ---------------------------------------------------------------------

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """The charger was built; ``snapshot`` is what the store holds, of its own kinds and of the model's."""

    def link_opened(self, now_s: float) -> None:
        """A socket is open."""

    def link_closed(self, now_s: float) -> None:
        """The socket is gone."""

    def registered(self, now_s: float) -> None:
        """BootNotification was accepted: go on with what waited for it."""

    def booted(self, now_s: float) -> None:
        """All features have gone on after BootNotification.conf: report what is true now."""

    def forgotten(self, now_s: float) -> None:
        """The central system has forgotten that it accepted us."""

    def call_sent(self, action: str, now_s: float) -> None:
        """A call of ours left."""

    def tag_presented(self, tag: str, connectors: tuple[int, ...], now_s: float) -> None:
        """A card was held to a reader that serves ``connectors``."""

    def verdict(self, tag: str, connector: Connector | None, now_s: float) -> Verdict | None:
        """Judge who may start: allow, refuse or ask; None leaves it to the next in the roster."""

    def admission(self, connector: Connector, tag: str, parent: str | None) -> Admission | None:
        """Tell whether a connector is kept from a tag or for it, as far as its group is known; None: neither."""
        return None

    def listed(self, tag: str) -> TagInfo | None:
        """Return what the local authorization list says of a tag, None when it is silent."""
        return None

    def list_conflict(self, tag: str, told: TagInfo, now_s: float) -> None:
        """The central system told something of a tag that is on the local list."""

    def waits_s(self, tag: str, now_s: float) -> float:
        """How long, in s of wire time, a tag that the central system has just accepted is to wait for more news of it."""
        return 0.0

    def news_came(self, tag: str, now_s: float) -> None:
        """What an accepted tag was waiting for has come."""

    def car_came(self, connector: Connector, now_s: float) -> None:
        """A car is connected."""

    def car_left(self, connector: Connector, now_s: float) -> None:
        """The car's end came out while a transaction is running."""

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        """Something about a connector may have changed: its status is worth a look."""

    def unlocked(self, connector: Connector, succeeded: bool, now_s: float) -> None:
        """A movement of the cable lock towards unlocked ended."""

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        """A transaction began, with ``reading``."""

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        """The event that ends a transaction has come; its last reading has not."""

    def transaction_ended(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float, now_s: float
    ) -> None:
        """A transaction is complete; ``reading`` None: by the last stored register."""

    def transaction_settled(
        self, transaction: Transaction, meter_stop_wh: int, reason: str, at_utc_s: float, now_s: float
    ) -> None:
        """The stop message of a transaction stands in the queue, also of one that a power cut ended: once for each."""

    def transaction_answered(self, message: Message, result: Any, now_s: float) -> None:
        """A message of the transaction queue was delivered."""

    def message_lost(self, message: Message, reason: str, now_s: float) -> None:
        """A message of the transaction queue was given up and is kept as undelivered."""

    def meter_read(self, connector: Connector, ref: Ref, reading: Reading | None, now_s: float) -> None:
        """The meter answered one of its own questions."""

    def transfer_ended(self, ref: Ref, ended: Transferred, now_s: float) -> None:
        """A transfer or an installation ended, perhaps one of its own."""

    def stored(self, ref: Ref, succeeded: bool, now_s: float) -> None:
        """The store took all of a `TrySave`, perhaps one of its own, or nothing of it."""

    def store_failed(self, since_s: float, now_s: float) -> None:
        """The store takes nothing since ``since_s`` of charge time."""

    def store_recovered(self, now_s: float) -> None:
        """The store takes everything again."""

    def clock_found(self, step_s: float, now_s: float) -> None:
        """The calendar was never set before: what it has shown in this life was ``step_s`` too early."""

    def clock_stepped(self, now_s: float) -> None:
        """The calendar was set: what waits for an instant of the day may wait for another one now."""

    def setting_changed(self, name: str, now_s: float) -> None:
        """A configuration key has another value."""

    def objection(self, name: str, value: str) -> str | None:
        """Return why a value that its key takes cannot be taken by this charger, None when it can."""

    def data_transfer(self, request: Any, now_s: float) -> Any | None:
        """Answer a DataTransfer of a vendor this feature knows (a ``call_result.DataTransfer``); None for the others."""
        return None

    def take_profile(self, told: Any, now_s: float) -> Profile | None:
        """Return the charging profile a remote start brings (a ``datatypes.ChargingProfile``), for its transaction.

        Raises ValueError, with the reason, for one that cannot be taken.
        """
        return None

    def limits(self, connector: Connector, now_s: float) -> Iterable[Limit]:
        """Bounds on what may be offered at a connector; the least wins."""
        return ()

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        """Send what TriggerMessage asked for: one of `triggers`."""


_HOOKS = tuple(
    name
    for name, member in vars(FeatureProfile).items()
    if callable(member) and not name.startswith("_") and name != "trigger"
)


class Roster:
    """The feature profiles of one kind of charger, with the tables made from their declarations."""

    __slots__ = ("absent", "answers", "classes", "handlers", "keyring", "listening", "reads", "records", "triggers")

    def __init__(
        self,
        classes: Sequence[type[FeatureProfile]],
        fixed: Mapping[str, tuple[Any, Any]] | None = None,
        absent: Mapping[str, Callable[[], Any]] | None = None,
        absent_keys: Mapping[str, str] | None = None,
    ) -> None:
        """``fixed`` and ``absent_keys``: see `Keyring`. ``absent`` answers calls of feature profiles that are not in use.

        Raises ValueError when two classes serve the same call or keep the same kind of records.
        """
        self.classes = tuple(classes)
        self.absent = dict(absent or {})
        self.handlers: dict[str, tuple[int, Callable[..., Any]]] = {}
        self.answers: dict[str, tuple[int, Callable[..., None]]] = {}
        self.triggers: dict[str, int] = {}
        self.reads: dict[str, int] = {}
        self.records = (*MODEL, *(kind for cls in self.classes for kind in cls.records))
        """Every kind of records of such a charger."""
        names = [kind.name for kind in self.records]
        if len(set(names)) < len(names):
            raise ValueError(f"records of one kind are kept twice: {names}")
        for index, cls in enumerate(self.classes):
            for action, method in cls.handlers.items():
                if action in self.handlers:
                    raise ValueError(f"{action} is served twice")
                self.handlers[action] = (index, method)
            for action, method in cls.answers.items():
                self.answers[action] = (index, method)
            self.triggers.update(dict.fromkeys(cls.triggers, index))
            self.reads.update(dict.fromkeys(cls.reads, index))
        self.listening = {
            hook: tuple(i for i, cls in enumerate(self.classes) if getattr(cls, hook) is not getattr(FeatureProfile, hook))
            for hook in _HOOKS
        }
        families = (family for cls in self.classes for family in cls.families)
        self.keyring = Keyring((key for cls in self.classes for key in cls.keys), fixed, families, absent_keys)

    @property
    def names(self) -> tuple[str, ...]:
        """The feature profiles, in order, as SupportedFeatureProfiles lists them."""
        return tuple(dict.fromkeys(cls.name for cls in self.classes))
