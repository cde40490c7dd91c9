"""The end of a transaction at a connector: from the event that ends it to the register that its stop carries.

The stop is complete when the contactor is open and the meter has been read after that. A meter that does not answer is
asked again; only when it stays silent the register that was stored last counts. After a restart the same goes for the
transactions that ran before it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ocpp.v16.enums import ChargePointStatus, Reason

from hw.ports import Reading

from .connector_state import SESSION_TABLE, RestartEnd, SessionState
from .energy import KEEP, RETRY_S, SILENT_S
from .outbox import Ref
from .status import status_of
from .timebase import Alarm
from .transaction import Ending, Transaction

if TYPE_CHECKING:
    from .connector import Connector

OPENING_WAIT_S = 6.5
"""How long a stop waits for the contactor: the 6 s in which a car may ramp down, and a margin."""
METER_WAIT_S = SILENT_S
"""How long a stop waits for the meter, from the opening of the contactor on: then the meter counts as silent."""
RESTART_READ_S = 2.0
"""After a restart: how long the contactor gets to open, and a polled meter to be polled, before its register counts."""
RESTART_WAIT_S = 6.5
"""After a restart: how long the meter gets to answer."""

END = "end"


class ConnectorEnding:
    """Ends the transactions of one connector."""

    __slots__ = ("_connector", "_deadline", "_last_s", "_restart", "is_left_by_car", "status")

    def __init__(self, connector: Connector) -> None:
        self.status: ChargePointStatus | None = None
        """The status of the connector until the stop is fixed."""
        self.is_left_by_car = False
        """The last transaction ended because the car was unplugged."""
        self._connector = connector
        self._restart: RestartEnd | None = None
        self._last_s = math.inf
        """Until when the meter is waited for; ``inf``: the contactor has not opened yet."""
        self._deadline = Alarm(connector.timers, self._too_late)

    @property
    def lost_power(self) -> bool:
        """The transaction that is ending ended with a loss of power: its car waits for a new authorisation."""
        transaction = self._connector.transaction
        ending = None if transaction is None else transaction.ending
        return self._restart is not None and ending is not None and ending.reason == Reason.power_loss

    def begin(self, reason: str, id_tag: str | None, now_s: float) -> bool:
        """End the transaction for ``reason``; return whether there was one to end. The first reason stands."""
        connector = self._connector
        transaction, status = connector.transaction, status_of(replace(connector.situation, has_fault=False))
        if transaction is None or not SESSION_TABLE.fire(connector, "end"):
            return False
        self.status = status
        transaction.ending = Ending(reason, connector.utc_s(now_s), id_tag)
        transaction.count_duration(now_s)
        self.is_left_by_car = reason == "EVDisconnected"
        connector.host.queue.save(transaction)
        self._last_s = math.inf
        self._deadline.set(now_s + OPENING_WAIT_S)
        if connector.supply.is_closed:
            # Should the meter not answer when the contactor is open, this is the last register.
            connector.meter.ask(Ref(KEEP), now_s)
        connector.host.transaction_ending(connector, transaction, now_s)
        connector.reconsider(now_s)
        if not connector.supply.is_closed:
            connector.contactor_opened(now_s)
        return True

    def contactor_opened(self, now_s: float) -> None:
        """The contactor is open: the register stands, and may be read.

        After a restart the state of the contactor and the readings of a polled meter may be old: `_too_late` asks.
        """
        if self._connector.state == SessionState.ENDING and self._restart is None and self._last_s == math.inf:
            self._ask(now_s)

    def _ask(self, now_s: float) -> None:
        if self._last_s == math.inf:
            self._last_s = now_s + METER_WAIT_S
        self._deadline.set(min(now_s + RETRY_S, self._last_s))
        self._connector.meter.ask(Ref(END), now_s)

    def _too_late(self, now_s: float) -> None:
        """The contactor did not open in time, or the meter did not answer."""
        if self._connector.state != SessionState.ENDING:
            return
        if now_s < self._last_s:
            self._ask(now_s)
        else:
            self._complete(None, now_s)

    def on_reading(self, reading: Reading | None, now_s: float) -> None:
        """Take the answer to a question for the last register."""
        if reading is not None and self._connector.state == SessionState.ENDING:
            self._complete(reading if self._restart is None else None, now_s)

    def end_ramp_down(self, now_s: float) -> None:
        """Open the contactor of a transaction that has ended, even if the car still draws current, and read the meter."""
        connector = self._connector
        if connector.state == SessionState.ENDING and connector.supply.is_ordered_closed:
            connector.supply.open_under_load(now_s)
            # Should the contactor not open, this reading is the last one.
            connector.meter.ask(Ref(KEEP), now_s)

    def settle(self, now_s: float) -> None:
        """Complete a transaction that has ended with the last register, without waiting for the meter any more."""
        if self._connector.state == SessionState.ENDING:
            self._complete(None, now_s)

    def recover(self, transaction: Transaction, ending: Ending, seen_utc_s: float, now_s: float) -> None:
        """Take up a transaction that a restart ended. Its stop is complete when the meter has been read.

        With the contactor open the register of the meter is exact, whatever was stored last. It counts if the outlet can
        have supplied the difference since ``seen_utc_s``, the instant of the stored register; otherwise, and if the meter
        does not answer, the stored register counts. The stop keeps the instant of ``ending``.
        """
        connector = self._connector
        transaction.ending = ending
        connector.host.queue.save(transaction)
        connector.transaction = transaction
        connector.state = SessionState.ENDING.value
        connector.meter.raise_to(float(transaction.meter_start_wh))
        unseen_s = connector.host.calendar.utc_s(now_s) - seen_utc_s
        # A calendar that shows an earlier instant than the stored one says nothing about the time that has passed.
        most_wh = connector.meter.most_after(unseen_s) if unseen_s >= 0.0 else math.inf
        self._restart = RestartEnd(connector.meter.energy_wh, most_wh)
        self._last_s = now_s + RESTART_WAIT_S
        self._deadline.set(now_s + RESTART_READ_S)

    def _register_at_end(self) -> int:
        """Return the register of the stop in Wh: what the meter says, except after an impossible step over a restart."""
        restart, connector = self._restart, self._connector
        if restart is None or connector.meter.register_wh <= restart.most_wh:
            return connector.meter.energy_wh
        connector.log.error(
            "connector %d: the meter went from %d to %d Wh over a restart, more than the outlet can supply: "
            "the transaction ends with the stored register",
            connector.number,
            restart.stored_wh,
            connector.meter.energy_wh,
        )
        return restart.stored_wh

    def _complete(self, reading: Reading | None, now_s: float) -> None:
        """The transaction is over and its last register is known: by a fresh reading, else the last one stored."""
        connector = self._connector
        transaction = connector.transaction
        if transaction is None or transaction.ending is None or not SESSION_TABLE.fire(connector, "settle"):
            return
        self.status = None
        self._deadline.clear()
        connector.meter.rest()
        transaction.count(False, now_s)
        is_after_power_loss = self.lost_power
        at_utc_s = transaction.ending.at_utc_s
        if reading is not None:
            at_utc_s = connector.utc_s(now_s)
            transaction.count_duration(now_s)
        connector.transaction = None
        transaction.meter_stop_wh = self._register_at_end()
        connector.meter.save(now_s)
        connector.host.transaction_ended(connector, transaction, reading, at_utc_s, now_s)
        if self._restart is not None:
            if is_after_power_loss:
                # Errata allow Preparing and Finishing; Preparing says that a new authorisation starts a transaction.
                SESSION_TABLE.fire(connector, "clear")
            self._restart = None
        if not connector.is_occupied:
            connector.vacated(now_s)
        connector.reconsider(now_s)
