"""Transactions and the queue of their messages: nothing money depends on is lost, nothing is sent in another order.

A transaction is known by a key of our own from its first moment to the last answer; the ``transactionId`` of the central
system is only what it is told (some answer 0 or 1 each time). A message leaves the queue on its CALLRESULT, or after the
last attempt: then it is kept as *undelivered*, for people to see, queue again or dismiss (OCPP 1.6 3.7.1, 4.8-4.10).
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ocpp.v16.enums import Reason

from . import wire
from .composite import Profile
from .outbox import Effect, Save
from .record import Fields, RecordError, RecordKind, Snapshot, numbered
from .timebase import Calendar
from .transaction_clock import TransactionClock

NO_TRANSACTION_ID = -1
"""What later messages carry when StartTransaction could not be delivered (erratum 3.18)."""


KEPT_UNDELIVERED = 1000
"""Undelivered messages beyond which old meter values make room: a peer that refuses them does so for years."""
CLOSES_PER_ATTEMPT = 3
"""Close frames in a row that count as one failed attempt."""


@dataclass(slots=True)
class Ending:
    """Why and when a transaction ends. The first event fixes it; nothing later changes reason or tag."""

    reason: str
    at_utc_s: float
    id_tag: str | None = None

    @classmethod
    def restored(cls, stored: object) -> Ending | None:
        """Build it again from what `Transaction.body` holds of it. Raises RecordError."""
        if stored is None:
            return None
        if not isinstance(stored, list) or len(stored) != 3:
            raise RecordError("ending is no list of three")
        fields = Fields(dict(zip(("reason", "at", "tag"), stored, strict=True)))
        reason = Reason(fields.text("reason")).value
        return cls(reason, fields.instant("at"), fields.optional("tag", fields.text))


@dataclass(slots=True)
class Transaction:
    """One charging transaction. Energies are the meter's register in Wh, instants UTC in s."""

    key: str
    connector: int
    id_tag: str
    started_utc_s: float
    meter_start_wh: int
    parent_id_tag: str | None = None
    transaction_id: int | None = None
    reservation_id: int | None = None
    ending: Ending | None = None
    is_ended: bool = False
    """The stop message stands in the queue; only its delivery is left."""
    is_deauthorized: bool = False
    energy_cap_wh: int | None = None
    """Register at which energy ends after the central system refused the tag (MaxEnergyOnInvalidId)."""
    charging_profile: Profile | None = None
    """What the remote start brought along (5.11); not stored here, since it is installed when the transaction begins."""
    samples: list[str] = field(default_factory=list)
    """MeterValue elements for StopTransaction.transactionData, encoded, oldest first."""
    charging_s: float = 0.0
    """How long the contactor was closed, as far as counted; stored with the register."""
    charging_since_s: float | None = None
    """Charge time from which it is still to be counted; None: the contactor is open."""
    meter_stop_wh: int | None = None
    """The register at its end."""
    stopped_utc_s: float | None = None
    """The timestamp of its stop message, once that is queued."""
    is_stop_over: bool = False
    """The stop message was delivered, or an operator gave it up."""
    session: int | None = None
    """Its number among the sessions of this charger, once it is settled."""
    clock: TransactionClock | None = None
    """What its timestamps come from; None after a restart, which ends it."""
    lasted_s: float | None = None
    """How long it lasted in charge time, as far as counted; stored with the register. None: that was not stored."""

    def count_duration(self, now_s: float) -> float:
        """Count its duration until now and return it in s."""
        self.lasted_s = self.duration_s(now_s)
        return self.lasted_s

    def duration_s(self, now_s: float) -> float:
        """Return how long it has lasted, in s of charge time."""
        return (self.lasted_s or 0.0) if self.clock is None else now_s - self.clock.began_s

    def began_utc_s(self, calendar: Calendar) -> float:
        """Return when it began by what the calendar shows now, whatever it showed then."""
        return self.started_utc_s if self.clock is None else calendar.utc_s(self.clock.began_s)

    def count(self, is_closed: bool, now_s: float) -> None:
        """Count the time that the contactor was closed until now; it is ``is_closed`` from now on."""
        if self.charging_since_s is not None:
            self.charging_s += now_s - self.charging_since_s
        self.charging_since_s = now_s if is_closed else None

    def body(self) -> dict[str, Any]:
        """As plain JSON values, without the samples: those are stored one by one."""
        ending = self.ending
        return {
            "connector": self.connector,
            "tag": self.id_tag,
            "parent": self.parent_id_tag,
            "started": self.started_utc_s,
            "start_wh": self.meter_start_wh,
            "id": self.transaction_id,
            "reservation": self.reservation_id,
            "ending": None if ending is None else [ending.reason, ending.at_utc_s, ending.id_tag],
            "ended": self.is_ended,
            "deauthorized": self.is_deauthorized,
            "cap_wh": self.energy_cap_wh,
            "session": self.session,
            "stop": None if self.stopped_utc_s is None else [self.meter_stop_wh, self.stopped_utc_s],
            "stop_over": self.is_stop_over,
        }

    @classmethod
    def restored(cls, key: str, fields: Fields) -> Transaction:
        """Build it again from `body`. Raises RecordError."""
        meter_stop_wh, stopped_utc_s = fields.optional("stop", fields.items) or (None, None)
        stop = Fields({"wh": meter_stop_wh, "at": stopped_utc_s})
        return cls(
            key=key,
            connector=fields.integer("connector", 1),
            id_tag=fields.text("tag"),
            started_utc_s=fields.instant("started"),
            meter_start_wh=fields.integer("start_wh", 0),
            parent_id_tag=fields.optional("parent", fields.text),
            transaction_id=fields.optional("id", fields.integer),
            reservation_id=fields.optional("reservation", fields.integer),
            ending=Ending.restored(fields.raw("ending")),
            is_ended=fields.flag("ended"),
            is_deauthorized=fields.flag("deauthorized"),
            energy_cap_wh=fields.optional("cap_wh", fields.integer),
            meter_stop_wh=stop.optional("wh", stop.integer),
            stopped_utc_s=stop.optional("at", stop.instant),
            is_stop_over=fields.optional("stop_over", fields.flag) or False,
            session=fields.optional("session", fields.integer),
        )


@dataclass(slots=True)
class Message:
    """One transaction-related message as it will be sent, except for the transactionId that is filled in then."""

    number: int
    action: str
    payload: str
    transaction: str | None
    message_id: str
    attempts: int = 0
    """Failed transmissions, those by other close frames than 1009 not included."""
    closes: int = 0
    """Close frames of the central system, other than 1009, while the message was unanswered."""
    closing_s: float = 0.0
    """Wire time from the first of these to the last."""
    trial_code: int = 0
    """Code of the close frame that used up the attempts: a Heartbeat decides whether it counts. 0: there is none."""
    is_respelled: bool = False
    """The unit of its temperatures was changed to the other spelling."""

    @property
    def key(self) -> str:
        return f"{self.number:012d}"

    @property
    def failed_attempts(self) -> int:
        """Attempts that failed, close frames included."""
        return self.attempts + self.closes // CLOSES_PER_ATTEMPT

    def body(self) -> dict[str, Any]:
        """As plain JSON values; what hardly any message has is left out where it has it not."""
        rare = {
            "closes": self.closes,
            "closing": round(self.closing_s, 1),
            "trial": self.trial_code,
            "respelled": self.is_respelled,
        }
        return {
            "action": self.action,
            "payload": self.payload,
            "tx": self.transaction,
            "id": self.message_id,
            "attempts": self.attempts,
            **{name: value for name, value in rare.items() if value},
        }

    @classmethod
    def restored(cls, key: str, fields: Fields) -> Message:
        """Build it again from `body`. Raises RecordError."""
        payload = fields.text("payload")
        if not isinstance(json.loads(payload), dict) or not wire.is_known_action(fields.text("action")):
            raise RecordError("it is no message of OCPP 1.6")
        return cls(
            number=numbered(key),
            action=fields.text("action"),
            payload=payload,
            transaction=fields.optional("tx", fields.text),
            message_id=fields.text("id"),
            attempts=fields.integer("attempts", 0),
            closes=fields.optional("closes", fields.integer) or 0,
            closing_s=fields.amount("closing", 0.0),
            trial_code=fields.optional("trial", fields.integer) or 0,
            is_respelled=fields.optional("respelled", fields.flag) or False,
        )


def _sample(key: str, fields: Fields) -> str:
    """A MeterValue element (OCPP 1.6 7.33), encoded."""
    if not key.rpartition("/")[2].isdecimal():
        raise RecordError("its key has no number")
    value = json.loads(fields.text("value"))
    if not isinstance(value["timestamp"], str) or not isinstance(value["sampledValue"], list):
        raise RecordError("it is no MeterValue")
    return fields.text("value")


def _is_billed(body: Mapping[str, Any]) -> bool:
    """Whether a message is one without which a charge is not billed: all but MeterValues."""
    return body.get("action") != "MeterValues"


TRANSACTION = RecordKind(
    "transaction",
    __name__,
    Transaction.restored,
    "transaction {key}: its messages have no transactionId any more",
    is_copied=lambda _body: True,
)
SAMPLE = RecordKind("sample", __name__, _sample, "one value of the transactionData of a StopTransaction")
"""Keyed ``transaction/number``."""
QUEUE = RecordKind(
    "queue", __name__, Message.restored, "message {key} of the transaction queue, which is not sent", is_copied=_is_billed
)
UNDELIVERED = RecordKind(
    "undelivered", __name__, Message.restored, "undelivered message {key}", is_copied=_is_billed
)


class QueueOwner(Protocol):
    """What the queue needs of the charger."""

    def emit(self, effect: Effect) -> None: ...
    def new_message_id(self) -> str: ...


class TransactionQueue:
    """The messages of all transactions of a charger, in the order they came about, and the transactions they belong to.

    Everything is stored before it can be sent: every change emits its `Save` first.
    """

    __slots__ = (
        "_earlier",
        "_first",
        "_fixed_stamps",
        "_messages",
        "_next",
        "_owed",
        "_owner",
        "transactions",
        "undelivered",
    )

    def __init__(self, owner: QueueOwner) -> None:
        self._owner = owner
        self._messages: deque[Message] = deque()
        self._next = self._first = 1
        """The number of the next message, and that of the first of this life."""
        self._earlier: frozenset[str] = frozenset()
        """Keys of the transactions that began before the last restart: their clock was set."""
        self._fixed_stamps: set[int] = set()
        """Numbers of messages of this run with stamps of an earlier one: sent again, or stops that a restart caused."""
        self._owed: Counter[str] = Counter()
        """How many messages of each transaction are in the queue or undelivered."""
        self.transactions: dict[str, Transaction] = {}
        self.undelivered: dict[str, Message] = {}

    def restore(self, snapshot: Snapshot) -> list[str]:
        """Take up what the store holds; return what has lost its transaction, one sentence each.

        A message of a transaction that is lost is kept as undelivered: it must not leave without its transactionId.
        """
        losses: dict[str, str] = {}
        self.transactions = dict(sorted(snapshot.of(TRANSACTION).items()))
        for key, value in sorted(snapshot.of(SAMPLE).items()):
            number = key.rpartition("/")[0]
            owner = self.transactions.get(number)
            if owner is not None:
                owner.samples.append(value)
            else:
                losses[number] = f"the transactionData of transaction {number}, which is lost, is dropped"
                self._owner.emit(Save(SAMPLE.name, key, None))
        self._messages = deque(message for _key, message in sorted(snapshot.of(QUEUE).items()))
        self.undelivered = dict(sorted(snapshot.of(UNDELIVERED).items()))
        kept = (*self._messages, *self.undelivered.values())
        self._next = 1 + max((message.number for message in kept), default=0)
        self._owed = Counter(message.transaction for message in kept if message.transaction is not None)
        for message in [each for each in self._messages if self._is_orphan(each)]:
            losses[message.key] = (
                f"{message.action} {message.key} has lost its transaction {message.transaction}, and with it the "
                "transactionId: it is kept as undelivered"
            )
            self.give_up(message)
        return list(losses.values())

    def _is_orphan(self, message: Message) -> bool:
        """Whether a message belongs to a transaction that is lost, whose id it does not bring along."""
        is_known = message.transaction is None or message.transaction in self.transactions
        return not is_known and "transactionId" not in message.payload

    def begin_life(self) -> None:
        """What earlier lives have left is complete: all that comes now bears the time of this one."""
        self._first = self._next
        self._earlier = frozenset(self.transactions)

    def move_stamps(self, step_s: float) -> None:
        """Move what this life has stamped, of which nothing was sent yet, because its clock was set only now.

        Else whoever began offline, after a start with a wrong clock, would be billed for the step as well.
        """
        for message in self._messages:
            if message.number >= self._first and message.number not in self._fixed_stamps:
                message.payload = wire.with_stamps_moved(message.payload, step_s)
                self.save_message(message)
        for transaction in self.transactions.values():
            if not transaction.is_ended and transaction.key not in self._earlier:
                transaction.started_utc_s += step_s
                if transaction.clock is not None:
                    transaction.clock.move(step_s)
                if transaction.ending is not None:
                    transaction.ending.at_utc_s += step_s
                self.save(transaction)
                self.keep_samples(transaction, [wire.with_stamps_moved(each, step_s) for each in transaction.samples])

    def is_earlier(self, key: str) -> bool:
        """Whether a transaction began before the last restart."""
        return key in self._earlier

    def has_lost_stop(self, transaction: Transaction) -> bool:
        """Whether the stop message of a transaction that has ended is neither here nor over."""
        if transaction.stopped_utc_s is None or transaction.is_stop_over:
            return False
        kept = (*self._messages, *self.undelivered.values())
        return not any(each.transaction == transaction.key and each.action == "StopTransaction" for each in kept)

    def has_lost_id(self, message: Message) -> bool:
        """Whether the head of the queue needs a transactionId that is lost.

        The id is known before any other message of a transaction is sent: from StartTransaction.conf, or as -1.
        """
        if message.transaction is None or message.action == "StartTransaction":
            return False
        transaction = self.transactions.get(message.transaction)
        if transaction is not None and transaction.transaction_id is not None:
            return False
        # What is told of a transaction after its end may bring its id along.
        return "transactionId" not in message.payload

    def payload_to_send(self, message: Message) -> str:
        """Return the payload of a message with its transactionId, as far as that is known."""
        transaction = self.transactions.get(message.transaction or "")
        if message.action == "StartTransaction" or transaction is None or transaction.transaction_id is None:
            return message.payload
        is_transfer = message.action == "DataTransfer"
        fill_in = wire.with_transaction_in_data if is_transfer else wire.with_transaction_id
        return fill_in(message.payload, transaction.transaction_id)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    @property
    def head(self) -> Message | None:
        return self._messages[0] if self._messages else None

    # --- transactions -------------------------------------------------------------------------------------------------

    def new_key(self, connector: int) -> str:
        """Return a key no transaction of this charger ever had, whatever has been forgotten since."""
        return f"{connector}-{self._owner.new_message_id()}"

    def save(self, transaction: Transaction) -> None:
        """Store a transaction as it is now."""
        self.transactions[transaction.key] = transaction
        self._owner.emit(Save(TRANSACTION.name, transaction.key, transaction.body()))

    def add_sample(self, transaction: Transaction, meter_value: str) -> None:
        """Keep an encoded MeterValue for the transaction's stop message."""
        transaction.samples.append(meter_value)
        key = f"{transaction.key}/{len(transaction.samples):06d}"
        self._owner.emit(Save(SAMPLE.name, key, {"value": meter_value}))

    def keep_samples(self, transaction: Transaction, samples: list[str]) -> None:
        """Replace a transaction's samples by fewer of them."""
        for number in range(len(samples) + 1, len(transaction.samples) + 1):
            self._owner.emit(Save(SAMPLE.name, f"{transaction.key}/{number:06d}", None))
        for number, value in enumerate(samples, 1):
            self._owner.emit(Save(SAMPLE.name, f"{transaction.key}/{number:06d}", {"value": value}))
        transaction.samples[:] = samples

    def _is_over(self, message: Message) -> None:
        """A message is neither queued nor undelivered any more; with the last one its transaction is forgotten."""
        key = message.transaction
        if key is None:
            return
        transaction = self.transactions.get(key)
        self._owed[key] -= 1
        if self._owed[key] > 0:
            if message.action == "StopTransaction" and transaction is not None:
                transaction.is_stop_over = True
                self.save(transaction)
            return
        del self._owed[key]
        if transaction is not None and transaction.is_ended:
            del self.transactions[key]
            self._owner.emit(Save(TRANSACTION.name, key, None))

    # --- messages -----------------------------------------------------------------------------------------------------

    def put(self, action: str, payload: str, transaction: str | None) -> Message:
        """Store a message at the tail of the queue."""
        message = Message(self._next, action, payload, transaction, self._owner.new_message_id())
        self._next += 1
        self._messages.append(message)
        if transaction is not None:
            self._owed[transaction] += 1
            if action == "StopTransaction" and transaction in self._earlier:
                self._fixed_stamps.add(message.number)
        self.save_message(message)
        return message

    def drop_samples(self, transaction: Transaction) -> None:
        """Forget the stored samples: they stand in the stop message now."""
        for number in range(1, len(transaction.samples) + 1):
            self._owner.emit(Save(SAMPLE.name, f"{transaction.key}/{number:06d}", None))
        transaction.samples.clear()

    def delivered(self, message: Message) -> None:
        """The head was answered with a CALLRESULT: it is over."""
        self._remove(message)
        self._is_over(message)

    def give_up(self, message: Message) -> bool:
        """The head had its last attempt: keep it as undelivered, under the same number.

        Return whether an older one had to make room for it.
        """
        self._owner.emit(Save(UNDELIVERED.name, message.key, message.body()))
        self.undelivered[message.key] = message
        self._remove(message)
        is_full = self._make_room()
        if message.action == "StartTransaction" and message.transaction in self.transactions:
            transaction = self.transactions[message.transaction]
            if transaction.transaction_id is None:
                transaction.transaction_id = NO_TRANSACTION_ID
                self.save(transaction)
        return is_full

    def save_message(self, message: Message) -> None:
        """Store a message of the queue as it is now."""
        self._owner.emit(Save(QUEUE.name, message.key, message.body()))

    def renew(self, message: Message) -> None:
        """Store a message for its next transmission: on the same socket that has another id (OCPP-J 4.1.4)."""
        message.message_id = self._owner.new_message_id()
        self.save_message(message)

    def _make_room(self) -> bool:
        """Of undelivered meter values the oldest goes when there are too many; starts and stops never.

        Return whether one did.
        """
        if len(self.undelivered) <= KEPT_UNDELIVERED:
            return False
        for key, message in self.undelivered.items():
            if message.action == "MeterValues":
                self.dismiss(key)
                return True
        return False

    def _remove(self, message: Message) -> None:
        self._messages.remove(message)
        self._owner.emit(Save(QUEUE.name, message.key, None))

    def requeue(self, key: str) -> Message:
        """Send an undelivered message again: stored payload, tail of the queue, attempts from 0. Raises KeyError."""
        lost = self.undelivered.pop(key)
        message = self.put(lost.action, lost.payload, lost.transaction)
        self._fixed_stamps.add(message.number)
        self._owner.emit(Save(UNDELIVERED.name, key, None))
        self._is_over(lost)
        return message

    def dismiss(self, key: str) -> None:
        """Give an undelivered message up for good. Raises KeyError when there is none under this key."""
        lost = self.undelivered.pop(key)
        self._owner.emit(Save(UNDELIVERED.name, key, None))
        self._is_over(lost)
