"""StartTransaction and StopTransaction: what begins, what ends, and what the central system makes of it.

Sources: OCPP 1.6 3.6-3.9, 4.8, 4.10; keys 9.1.14, 9.1.23, 9.1.24, 9.1.31-9.1.33; errata 3.18, 3.54, 3.80-3.84.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocpp.v16 import call
from ocpp.v16.enums import AuthorizationStatus, Reason

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.delivery import (
    TRANSACTION_MESSAGE_ATTEMPTS,
    TRANSACTION_MESSAGE_CLOSE_PATIENCE,
    TRANSACTION_MESSAGE_RETRY_INTERVAL,
)
from chargepoint.model.energy import METER, StoredRegister
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.journal import TransactionEnded, TransactionNumbered, TransactionStarted
from chargepoint.model.keys import boolean, integer
from chargepoint.model.outbox import Ref
from chargepoint.model.record import Snapshot
from chargepoint.model.records import RESTART
from chargepoint.model.timebase import Alarm, utc_text
from chargepoint.model.transaction import Ending, Message, Transaction
from hw.ports import Reading

from .identification import Identification
from .metering import Metering

STOP_TRANSACTION_ON_EV_SIDE_DISCONNECT = boolean(
    "StopTransactionOnEVSideDisconnect", True, source="9.1.23", effect="unplugging the car ends the transaction"
)
STOP_TRANSACTION_ON_INVALID_ID = boolean(
    "StopTransactionOnInvalidId", True, source="9.1.24", effect="a tag refused late ends the transaction, else its energy"
)
MAX_ENERGY_ON_INVALID_ID = integer(
    "MaxEnergyOnInvalidId", 0, unit="Wh", source="9.1.14", effect="energy still granted to a tag refused late"
)
UNLOCK_CONNECTOR_ON_EV_SIDE_DISCONNECT = boolean(
    "UnlockConnectorOnEVSideDisconnect", True, source="9.1.33", effect="unplugging the car unlocks the cable"
)

CAP = "cap"
FIRST_LOOK_S = 2.0
"""After a restart: how long until the pilot has shown whether a car is still there."""


class Transactions(FeatureProfile):
    """Begins, ends and reports transactions."""

    __slots__ = ("_caps", "_first_look", "_recovered")

    name = "Core"
    keys = (
        STOP_TRANSACTION_ON_EV_SIDE_DISCONNECT,
        STOP_TRANSACTION_ON_INVALID_ID,
        MAX_ENERGY_ON_INVALID_ID,
        UNLOCK_CONNECTOR_ON_EV_SIDE_DISCONNECT,
        TRANSACTION_MESSAGE_ATTEMPTS,
        TRANSACTION_MESSAGE_RETRY_INTERVAL,
        TRANSACTION_MESSAGE_CLOSE_PATIENCE,
    )
    reads = (CAP,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._caps: dict[int, Alarm] = {}
        self._first_look = Alarm(host.timers, self._look_around)
        self._recovered: set[str] = set()
        """Keys of the transactions that the last restart ended and whose stops are not complete yet."""

    # --- after a restart ----------------------------------------------------------------------------------------------

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """End the transactions that were running before the restart (4.10, 7.36).

        The reason of a transaction that was ending already stands; a restart on purpose has stored its reason; all else
        is a loss of power.
        """
        cause = snapshot.one(RESTART, "cause")
        if cause is not None:
            self.host.save(RESTART.name, "cause", None)
        reason = cause or Reason.power_loss.value
        running = [each for each in self.host.queue.transactions.values() if not each.is_ended]
        for transaction in sorted(running, key=lambda each: each.started_utc_s, reverse=True):
            self._recover(transaction, reason, snapshot, now_s)
        for transaction in list(self.host.queue.transactions.values()):
            if self.host.queue.has_lost_stop(transaction):
                self.host.report_loss(f"the StopTransaction of transaction {transaction.key} was lost: it is queued again")
                self._queue_stop(transaction, None)
        self._first_look.set(now_s + FIRST_LOOK_S)

    def _recover(self, transaction: Transaction, reason: str, snapshot: Snapshot, now_s: float) -> None:
        """End a transaction at the instant of its last stored register, and with what its meter says now."""
        host = self.host
        stored = snapshot.one(METER, str(transaction.connector)) or StoredRegister(0.0)
        at_utc_s = max(transaction.started_utc_s, stored.at_utc_s)
        ending = Ending(reason, at_utc_s)
        if transaction.ending is not None:
            ending = replace(transaction.ending, at_utc_s=max(at_utc_s, transaction.ending.at_utc_s))
        if host.has_connector(transaction.connector):
            connector = host.connector(transaction.connector)
            if connector.transaction is None:
                transaction.charging_s, transaction.lasted_s = stored.charging_s, stored.lasted_s
                self._recovered.add(transaction.key)
                connector.ending.recover(transaction, ending, stored.at_utc_s, now_s)
                return
            newer = connector.transaction
            host.log.error(
                "connector %d had two transactions: the older one ends with the register at which the newer one began",
                connector.number,
            )
            meter_stop_wh = max(transaction.meter_start_wh, newer.meter_start_wh)
            ending = replace(ending, at_utc_s=max(transaction.started_utc_s, newer.started_utc_s))
        else:
            host.log.warning("connector %d is no longer fitted: its transaction ends", transaction.connector)
            transaction.charging_s, transaction.lasted_s = stored.charging_s, stored.lasted_s
            meter_stop_wh = max(transaction.meter_start_wh, int(stored.energy_wh))
        transaction.ending = ending
        transaction.meter_stop_wh = meter_stop_wh
        self._stop(transaction, None, ending.at_utc_s, now_s)

    def _look_around(self, now_s: float) -> None:
        for connector in self.host.connectors:
            connector.clear_if_empty(now_s)
            if not self.host.feature(Identification).holds_cable(connector):
                connector.free_cable(now_s)

    # --- begin --------------------------------------------------------------------------------------------------------

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        request = call.StartTransaction(
            connector_id=transaction.connector,
            id_tag=transaction.id_tag,
            meter_start=transaction.meter_start_wh,
            timestamp=utc_text(transaction.started_utc_s),
            reservation_id=transaction.reservation_id,
        )
        self.host.journal.write(
            now_s,
            TransactionStarted(connector.number, transaction.key, transaction.id_tag, transaction.meter_start_wh),
        )
        self.host.enqueue(request, transaction.key)

    def transaction_answered(self, message: Message, result: Any, now_s: float) -> None:
        transaction = self.host.queue.transactions.get(message.transaction or "")
        if transaction is None or result is None:
            return
        if message.action == "StartTransaction":
            self._numbered(transaction, result, now_s)
        elif message.action == "StopTransaction" and result.id_tag_info is not None:
            tag = transaction.ending.id_tag if transaction.ending else None
            if tag is not None:
                self.host.feature(Identification).learn(tag, result.id_tag_info, now_s)

    def _numbered(self, transaction: Transaction, result: Any, now_s: float) -> None:
        host = self.host
        info = host.feature(Identification).learn(transaction.id_tag, result.id_tag_info, now_s)
        transaction.transaction_id = result.transaction_id
        transaction.parent_id_tag = info.parent or transaction.parent_id_tag
        host.queue.save(transaction)
        host.journal.write(
            now_s, TransactionNumbered(transaction.connector, transaction.key, result.transaction_id, info.status)
        )
        connector = self._running(transaction)
        if info.status != AuthorizationStatus.accepted and connector is not None:
            if host.setting(MAX_ENERGY_ON_INVALID_ID):
                connector.meter.ask(Ref(CAP, transaction.key), now_s)
            else:
                self._deauthorise(connector, transaction, now_s)

    def _running(self, transaction: Transaction) -> Connector | None:
        for connector in self.host.connectors:
            if connector.transaction is transaction and connector.is_charging:
                return connector
        return None

    # --- refused late -------------------------------------------------------------------------------------------------

    def _deauthorise(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        """StartTransaction.conf said no (3.6, 4.8): stop, or only stop the energy."""
        host = self.host
        if host.setting(STOP_TRANSACTION_ON_INVALID_ID):
            connector.end(Reason.de_authorized.value, transaction.id_tag, now_s)
        else:
            transaction.is_deauthorized = True
            host.queue.save(transaction)
            connector.reconsider(now_s)

    def meter_read(self, connector: Connector, ref: Ref, reading: Reading | None, now_s: float) -> None:
        """MaxEnergyOnInvalidId: count from the moment of the refusal, and look again when it may be used up."""
        transaction = connector.transaction
        if transaction is None or transaction.key != ref.key or not connector.is_charging:
            return
        if transaction.energy_cap_wh is None:
            transaction.energy_cap_wh = connector.meter.energy_wh + self.host.setting(MAX_ENERGY_ON_INVALID_ID)
            self.host.queue.save(transaction)
        left_wh = transaction.energy_cap_wh - connector.meter.register_wh
        if left_wh <= 0:
            self._deauthorise(connector, transaction, now_s)
            return
        power_w = reading.total_power_w if reading is not None else 0.0
        wait_s = left_wh / power_w * 3600.0 if power_w > 0 else 10.0
        number = connector.number
        if number not in self._caps:
            self._caps[number] = Alarm(self.host.timers, lambda later_s: self._look_at_cap(number, later_s))
        self._caps[number].set(now_s + min(10.0, max(0.1, wait_s)))

    def _look_at_cap(self, number: int, now_s: float) -> None:
        connector = self.host.connector(number)
        if connector.transaction is not None and connector.transaction.energy_cap_wh is not None:
            connector.meter.ask(Ref(CAP, connector.transaction.key), now_s)

    # --- end ----------------------------------------------------------------------------------------------------------

    def car_left(self, connector: Connector, now_s: float) -> None:
        if self.host.setting(STOP_TRANSACTION_ON_EV_SIDE_DISCONNECT):
            connector.end(Reason.ev_disconnected.value, None, now_s)

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        """Who may take the cable: everybody, except after a late refusal, or when the key keeps it locked."""
        assert transaction.ending is not None
        reason = transaction.ending.reason
        keeps = reason == Reason.ev_disconnected and not self.host.setting(UNLOCK_CONNECTOR_ON_EV_SIDE_DISCONNECT)
        if keeps or reason == Reason.de_authorized:
            self.host.feature(Identification).hold_cable(connector, transaction.id_tag, transaction.parent_id_tag)
        else:
            connector.unlock(now_s)

    def transaction_ended(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float, now_s: float
    ) -> None:
        data = self.host.feature(Metering).transaction_data(connector, transaction, reading, at_utc_s)
        self._stop(transaction, data, at_utc_s, now_s)
        if transaction.key in self._recovered:
            self._recovered.discard(transaction.key)
            if not self.host.feature(Identification).holds_cable(connector):
                connector.free_cable(now_s)

    def _stop(self, transaction: Transaction, data: list[str] | None, at_utc_s: float, now_s: float) -> None:
        """Queue the stop message of a transaction whose ending and register are fixed, and count the session."""
        host, ending, meter_stop_wh = self.host, transaction.ending, transaction.meter_stop_wh
        assert ending is not None
        assert meter_stop_wh is not None
        reason = ending.reason
        transaction.stopped_utc_s = at_utc_s
        self._queue_stop(transaction, data)
        transaction.is_ended = True
        host.queue.drop_samples(transaction)
        host.transaction_settled(transaction, meter_stop_wh, reason, at_utc_s, now_s)
        host.queue.save(transaction)
        host.journal.write(
            now_s,
            TransactionEnded(
                transaction.connector,
                transaction.key,
                transaction.transaction_id,
                reason,
                meter_stop_wh,
                meter_stop_wh - transaction.meter_start_wh,
            ),
        )

    def _queue_stop(self, transaction: Transaction, data: list[str] | None) -> None:
        ending, meter_stop_wh, stopped_utc_s = transaction.ending, transaction.meter_stop_wh, transaction.stopped_utc_s
        assert ending is not None
        assert meter_stop_wh is not None
        assert stopped_utc_s is not None
        request = call.StopTransaction(
            meter_stop=meter_stop_wh,
            timestamp=utc_text(stopped_utc_s),
            transaction_id=None,  # type: ignore[arg-type]  # filled in when it is sent
            reason=Reason(ending.reason),
            id_tag=ending.id_tag,
        )
        self.host.enqueue(request, transaction.key, data)
