"""The idle fee that runs on after a stop until the plug is out: ConnectorUnplugged ends it.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part. Lost, it would let a driver pay for ever; so it is stored
and goes through the queue of transaction messages, behind the StopTransaction of its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocpp.v16 import call
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.cost import VENDOR_ID
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import Access, boolean
from chargepoint.model.record import Fields, RecordKind, Snapshot
from chargepoint.model.timebase import utc_text
from chargepoint.model.transaction import NO_TRANSACTION_ID, Message, Transaction

from .texts import SOURCE

CUSTOM_IDLE_FEE_AFTER_STOP = boolean(
    "CustomIdleFeeAfterStop",
    False,
    access=Access.READ_ONLY,
    source=SOURCE,
    effect="the plug that is pulled after a stop is told with ConnectorUnplugged, which ends an idle fee",
)

MESSAGE_ID = "ConnectorUnplugged"


@dataclass(slots=True)
class _Owed:
    """A transaction that is over and whose plug may still be in. Its id, as far as the central system has told it."""

    connector: int
    transaction_id: int | None
    ended_utc_s: float

    def body(self) -> dict[str, Any]:
        return {"connector": self.connector, "id": self.transaction_id, "ended": self.ended_utc_s}

    @classmethod
    def restored(cls, _key: str, fields: Fields) -> _Owed:
        """Build it again from `body`. Raises RecordError."""
        return cls(fields.integer("connector", 1), fields.optional("id", fields.integer), fields.instant("ended"))


UNPLUG = RecordKind(
    "unplug", __name__, _Owed.restored, f"the end of the idle fee of transaction {{key}}: no {MESSAGE_ID} is sent for it"
)
"""Keyed by transaction."""


class IdleFee(FeatureProfile):
    """Tells when the plug is out after a transaction, if that was promised."""

    __slots__ = ("_earlier", "_owed")

    name = "Core"
    keys = (CUSTOM_IDLE_FEE_AFTER_STOP,)
    records = (UNPLUG,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._owed: dict[str, _Owed] = {}
        """By the key of the transaction, oldest first."""
        self._earlier: frozenset[str] = frozenset()
        """Those that ended in an earlier life."""

    def runs(self, key: str) -> bool:
        """Whether an idle fee may still be due for a transaction that is over."""
        return key in self._owed

    # --- what is owed -------------------------------------------------------------------------------------------------

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """Those that the restart itself ended were settled before, while the transactions were restored."""
        stored = sorted(snapshot.of(UNPLUG).items(), key=lambda item: item[1].ended_utc_s)
        self._owed = {**dict(stored), **self._owed}
        self._earlier = frozenset(self._owed)
        for key, owed in list(self._owed.items()):
            if not self.host.has_connector(owed.connector):
                self._tell(key, owed, now_s)  # it is no longer fitted

    def transaction_settled(
        self, transaction: Transaction, meter_stop_wh: int, reason: str, at_utc_s: float, now_s: float
    ) -> None:
        if self.host.setting(CUSTOM_IDLE_FEE_AFTER_STOP):
            self._owe(transaction.key, transaction.connector, transaction.transaction_id, at_utc_s)

    def _owe(self, key: str, connector: int, transaction_id: int | None, ended_utc_s: float) -> None:
        owed = self._owed[key] = _Owed(connector, transaction_id, ended_utc_s)
        self.host.save(UNPLUG.name, key, owed.body())

    def clock_found(self, step_s: float, now_s: float) -> None:
        for key, owed in self._owed.items():
            if key not in self._earlier and not self.host.queue.is_earlier(key):
                owed.ended_utc_s += step_s
                self.host.save(UNPLUG.name, key, owed.body())

    def transaction_answered(self, message: Message, result: Any, now_s: float) -> None:
        owed = self._owed.get(message.transaction or "")
        if owed is not None and message.action == "StartTransaction" and result is not None:
            owed.transaction_id = result.transaction_id
            self.host.save(UNPLUG.name, message.transaction or "", owed.body())
        elif _is_ours(message) and result is not None and result.status != DataTransferStatus.accepted:
            self.host.log.warning("the central system does not take %s: %s", MESSAGE_ID, result.status)

    # --- what is told -------------------------------------------------------------------------------------------------

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        """Without a car nothing can be idle any more. Of several transactions of one car each is told."""
        if not self._owed or not connector.is_vacant or connector.is_in_transaction:
            return
        for key, owed in list(self._owed.items()):
            if owed.connector == connector.number:
                self._tell(key, owed, now_s)

    def _tell(self, key: str, owed: _Owed, now_s: float) -> None:
        """Both records change in one commit: the message is stored exactly if it is no longer owed."""
        out_utc_s = self.host.calendar.utc_s(now_s)
        if self.host.calendar.is_set:
            # Else it is moved when the time is found, and it may be earlier than what an earlier life knew.
            out_utc_s = max(out_utc_s, owed.ended_utc_s)
        data: Mapping[str, object] = {"timestamp": utc_text(out_utc_s)}
        transaction = self.host.queue.transactions.get(key)
        transaction_id = owed.transaction_id if transaction is None else transaction.transaction_id
        if transaction is None and transaction_id is None:
            transaction_id = NO_TRANSACTION_ID  # its StartTransaction was given up, and dismissed
        if transaction_id is not None:
            # Else it is filled in when the message is sent: StartTransaction stands before it in the queue.
            data = {"transactionId": transaction_id, **data}
        request = call.DataTransfer(
            vendor_id=VENDOR_ID, message_id=MESSAGE_ID, data=json.dumps(data, separators=(",", ":"))
        )
        del self._owed[key]
        self.host.save(UNPLUG.name, key, None)
        self.host.enqueue(request, key)


def _is_ours(message: Message) -> bool:
    return message.action == "DataTransfer" and f'"{MESSAGE_ID}"' in message.payload
