"""What the central system tells of prices and costs, answered, and kept for each transaction.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part: SetUserPrice, RunningCost, FinalCost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.cost import VENDOR_ID, Cost, UserPrice
from chargepoint.model.cost_reading import Incomplete, Unreadable, read_cost, read_user_price
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import integer
from chargepoint.model.record import Fields, RecordKind, Snapshot, numbered
from chargepoint.model.tags import same_tag
from chargepoint.model.transaction import Message, Transaction
from hw.ports import Reading

from .idle_fee import IdleFee
from .texts import SOURCE
from .triggers import MeterTriggers
from .zone import TimeZone

WAIT_FOR_SET_USER_PRICE_TIMEOUT = integer(
    "WaitForSetUserPriceTimeout",
    0,
    maximum=30_000,
    unit="ms",
    source=SOURCE,
    effect="how long a tag that Authorize.conf accepted waits for its SetUserPrice before it may charge",
)

KEPT_PRICES = 32
"""Prices of tags that have not come yet, or have not left; of more than these the oldest are forgotten."""
TOTAL_SHOWN_S = 120.0
"""How long a total is shown that comes when the plug is out already."""

_ACCEPTED = call_result.DataTransfer(status=DataTransferStatus.accepted)
_REJECTED = call_result.DataTransfer(status=DataTransferStatus.rejected)
_UNREADABLE = call_result.DataTransfer(status=DataTransferStatus.rejected, data="json parsing failed")
_UNKNOWN_MESSAGE = call_result.DataTransfer(status=DataTransferStatus.unknown_message_id)


@dataclass(slots=True)
class Bill:
    """What was told of the price of one transaction: the one that runs at a connector, or the last that ran there."""

    key: str
    id_tag: str
    began_offline: bool
    transaction_id: int | None = None
    price: UserPrice | None = None
    running: Cost | None = None
    total: Cost | None = None
    is_ended: bool = False
    is_plugged: bool = True
    """The plug has not been pulled since the transaction ended."""
    shown_until_s: float = 0.0
    """A total that comes after that is shown for a while. Charge time; not stored."""

    def is_shown(self, now_s: float) -> bool:
        return self.is_plugged or now_s < self.shown_until_s

    def body(self) -> dict[str, Any]:
        """As plain JSON values: messages as they came."""
        costs = {name: cost for name, cost in (("running", self.running), ("total", self.total)) if cost is not None}
        return {
            "tx": self.key,
            "tag": self.id_tag,
            "offline": self.began_offline,
            "id": self.transaction_id,
            "price": None if self.price is None else self.price.source,
            "ended": self.is_ended,
            "plugged": self.is_plugged,
            **{name: {"data": cost.source, "zone": cost.zone_s} for name, cost in costs.items()},
        }

    @classmethod
    def restored(cls, key: str, fields: Fields) -> Bill:
        """Build it again from `body`. Raises RecordError, and what reading a message raises."""

        def cost(name: str) -> Cost | None:
            stored = fields.optional(name, fields.fields)
            return None if stored is None else read_cost(stored.text("data"), stored.number("zone"))

        numbered(key)
        price = fields.optional("price", fields.text)
        return cls(
            key=fields.text("tx"),
            id_tag=fields.text("tag"),
            began_offline=fields.flag("offline"),
            transaction_id=fields.optional("id", fields.integer),
            price=None if price is None else read_user_price(price),
            running=cost("running"),
            total=cost("total"),
            is_ended=fields.flag("ended"),
            is_plugged=fields.flag("plugged"),
        )


BILL = RecordKind("bill", __name__, Bill.restored, "what the central system told of the costs at connector {key}")
"""Keyed by connector."""


class Bills(FeatureProfile):
    """Answers the cost messages and keeps what they tell."""

    __slots__ = ("_bills", "_prices")

    name = "Core"
    keys = (WAIT_FOR_SET_USER_PRICE_TIMEOUT,)
    records = (BILL,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._bills: dict[int, Bill] = {}
        """By connector."""
        self._prices: dict[str, UserPrice] = {}
        """By tag in lower case, oldest first."""

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """No transaction of ours outlives a restart; what it has cost so far is still known."""
        for number, bill in snapshot.of(BILL).items():
            if self.host.has_connector(int(number)):
                self._bills[int(number)] = bill
                if not bill.is_ended:
                    bill.is_ended = True
                    self._save(int(number))

    def _save(self, number: int) -> None:
        self.host.save(BILL.name, str(number), self._bills[number].body())

    def at(self, number: int) -> Bill | None:
        """Return what is known of the transaction that runs at a connector, or ran there last."""
        return self._bills.get(number)

    def price_for(self, id_tag: str) -> UserPrice | None:
        """Return the price that was told for a tag."""
        return self._prices.get(id_tag.lower())

    # --- messages of the central system -------------------------------------------------------------------------------

    def data_transfer(self, request: call.DataTransfer, now_s: float) -> call_result.DataTransfer | None:
        if request.vendor_id.lower() != VENDOR_ID:
            return None
        take = _MESSAGES.get((request.message_id or "").lower())
        if take is None:
            return _UNKNOWN_MESSAGE
        if request.data is None:
            return _REJECTED
        try:
            answer = take(self, request.data, now_s)
        except (Unreadable, Incomplete) as reason:
            self.host.log.warning("%s rejected: %s", request.message_id, reason)
            return _UNREADABLE if isinstance(reason, Unreadable) else _REJECTED
        self._changed(now_s)
        return answer

    def _changed(self, now_s: float) -> None:
        """What was told may be shown at any connector."""
        for connector in self.host.connectors:
            self.host.connector_changed(connector, now_s)

    def _set_user_price(self, data: str, now_s: float) -> call_result.DataTransfer:
        """It is kept for a transaction to come as well: the tag may begin another one while the first runs."""
        price = read_user_price(data)
        key = price.id_tag.lower()
        self._prices.pop(key, None)
        self._prices[key] = price
        if len(self._prices) > KEPT_PRICES:
            del self._prices[next(iter(self._prices))]
        for number, bill in self._bills.items():
            if not bill.is_ended and same_tag(bill.id_tag, price.id_tag):
                bill.price = price
                self._save(number)
        self.host.news_came(price.id_tag, now_s)
        return _ACCEPTED

    def _running_cost(self, data: str, now_s: float) -> call_result.DataTransfer:
        """What a running transaction costs, or one that is over and whose plug is still in, for an idle fee."""
        cost = read_cost(data, self._zone_s)
        fitting, idle_fee = self._fitting(cost), self.host.feature(IdleFee)
        running = [number for number in fitting if not self._bills[number].is_ended]
        number = self._only(cost, running or [each for each in fitting if idle_fee.runs(self._bills[each].key)])
        if number is None:
            return _REJECTED
        bill = self._bills[number]
        bill.running, bill.total = cost, None
        self._save(number)
        self.host.feature(MeterTriggers).arm(self.host.connector(number), cost.trigger, now_s)
        return _ACCEPTED

    def _final_cost(self, data: str, now_s: float) -> call_result.DataTransfer:
        """The total of a transaction, running or the last one of its connector; a repetition corrects it."""
        cost = read_cost(data, self._zone_s)
        fitting = self._fitting(cost)
        awaiting = [number for number in fitting if self._bills[number].total is None]
        number = self._only(cost, awaiting or fitting)
        if number is None:
            return _REJECTED
        bill = self._bills[number]
        bill.total = cost
        self._save(number)
        if not bill.is_plugged:
            bill.shown_until_s = now_s + TOTAL_SHOWN_S
            self.host.timers.at(bill.shown_until_s, self._changed)
        return _ACCEPTED

    def _fitting(self, cost: Cost) -> list[int]:
        """Connectors whose transaction has the id; some central systems give one id to many."""
        return [number for number, bill in self._bills.items() if bill.transaction_id == cost.transaction_id]

    def _only(self, cost: Cost, numbers: list[int]) -> int | None:
        if len(numbers) > 1:
            self.host.log.warning(
                "a cost of transaction %d fits connectors %s: it is shown at none",
                cost.transaction_id,
                ", ".join(map(str, sorted(numbers))),
            )
        return numbers[0] if len(numbers) == 1 else None

    @property
    def _zone_s(self) -> float:
        zone_s: float = self.host.feature(TimeZone).offset_s
        return zone_s

    # --- waiting for a price ------------------------------------------------------------------------------------------

    def waits_s(self, tag: str, now_s: float) -> float:
        patience_ms: int = self.host.setting(WAIT_FOR_SET_USER_PRICE_TIMEOUT)
        return 0.0 if self.price_for(tag) is not None else patience_ms / 1000.0

    # --- a transaction's way ------------------------------------------------------------------------------------------

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        tag = transaction.id_tag
        is_offline = not self.host.session.is_online
        self._bills[connector.number] = Bill(transaction.key, tag, is_offline, price=self.price_for(tag))
        self._save(connector.number)

    def transaction_answered(self, message: Message, result: Any, now_s: float) -> None:
        if message.action != "StartTransaction" or result is None:
            return
        for number, bill in self._bills.items():
            if bill.key == message.transaction:
                bill.transaction_id = result.transaction_id
                self._save(number)

    def transaction_ended(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float, now_s: float
    ) -> None:
        bill = self._bills.get(connector.number)
        if bill is not None and bill.key == transaction.key:
            bill.is_ended = True
            self._save(connector.number)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        """Once the plug is out the next driver sees nothing of the last one's."""
        bill = self._bills.get(connector.number)
        if bill is not None and bill.is_ended and bill.is_plugged and connector.is_vacant:
            bill.is_plugged = False
            self._prices.pop(bill.id_tag.lower(), None)
            self._save(connector.number)


_MESSAGES: dict[str, Callable[[Bills, str, float], call_result.DataTransfer]] = {
    "setuserprice": Bills._set_user_price,
    "runningcost": Bills._running_cost,
    "finalcost": Bills._final_cost,
}
