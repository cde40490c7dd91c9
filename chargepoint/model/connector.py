"""One connector: what is plugged, who is authorised, what is charging, what is broken, and what may be given for it.

The session table says what may follow what; `Connector` turns what is seen into its events. A transaction begins when
somebody is authorised, the cable is in and (at a socket) locked, with one meter reading that everything shares; it ends
with the event that ends it, and is complete with one more reading after the contactor opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from logging import LoggerAdapter
from typing import TYPE_CHECKING, Any

from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, Reason

from hw.ports import CableKind, Outlet, PilotState, ProximityReading, Reading

from .connector_availability import ConnectorAvailability
from .connector_faults import ConnectorFaults
from .connector_offer import ConnectorOffer
from .connector_state import SESSION_TABLE, Authorisation, Limit, RestartEnd, SessionState
from .energy import KEEP, EnergyMeter
from .faults import MEANINGS, Trouble
from .journal import Journal
from .lock import CableLock
from .outbox import Effect, ReadMeter, Ref
from .pilot import MINIMUM_A, cable_rating_for_ohms
from .status import Situation, status_of
from .supervision import Supervision
from .supply import Supply
from .timebase import Alarm, utc_text
from .transaction import Ending, Transaction
from .transaction_clock import TransactionClock

if TYPE_CHECKING:
    from .chargepoint import ChargePoint

METER_WAIT_S = 5.0
"""How long a start waits for the meter before the meter counts as silent."""
RESTART_READ_S = 2.0
"""After a restart: how long the contactor gets to open, and a polled meter to be polled, before its register counts."""
RESTART_READS = 3
"""How often the meter is asked for the register of a transaction that a restart ended."""
RESTART_READ_WAIT_S = 1.5
"""How long each of these reads may take."""
STOP_WAIT_S = 6.5
"""How long a stop waits for the contactor and the meter: the 6 s in which a car may ramp down, and a margin."""

BEGIN = "begin"
END = "end"


class Connector:
    """One connector of a charger, numbered from 1."""

    __slots__ = (
        "_deadline",
        "_is_left_by_car",
        "_restart",
        "_until_stopped",
        "_was_connected",
        "authorisation",
        "availability",
        "cable_rating_a",
        "faults",
        "has_cable",
        "host",
        "is_reserved",
        "lock",
        "meter",
        "number",
        "offering",
        "outlet",
        "phases",
        "state",
        "supervision",
        "supply",
        "timers",
        "transaction",
        "unlocks_when_dead",
    )

    def __init__(self, host: ChargePoint, outlet: Outlet) -> None:
        self.host = host
        self.timers = host.timers
        self.outlet = outlet
        self.number = outlet.connector
        self.state: str = SessionState.IDLE.value
        self.supply = Supply(self, outlet)
        self.meter = EnergyMeter(self, outlet, host.register_period_s)
        self.supervision = Supervision(self, outlet)
        self.lock = CableLock(self, outlet.connector) if outlet.has_lock else None
        self.authorisation: Authorisation | None = None
        self.transaction: Transaction | None = None
        self.faults = ConnectorFaults(self)
        self.availability = ConnectorAvailability(self)
        self.is_reserved = False
        self.has_cable = outlet.cable is CableKind.TETHERED
        self.cable_rating_a = outlet.cable_rating_a
        self.phases = outlet.rated.phases
        """The phases that the outlet has now, by its phase switch."""
        self.unlocks_when_dead = False
        self._was_connected = False
        self._is_left_by_car = False
        self.offering = ConnectorOffer(self)
        self._until_stopped: ChargePointStatus | None = None
        self._deadline = Alarm(host.timers, self._too_late)
        self._restart: RestartEnd | None = None

    def emit(self, effect: Effect) -> None:
        self.host.emit(effect)

    @property
    def journal(self) -> Journal:
        return self.host.journal

    @property
    def log(self) -> LoggerAdapter[Any]:
        return self.host.log

    def save_register(self, energy_wh: int, offset_wh: float, now_s: float) -> None:
        self.host.save_register(self.number, energy_wh, offset_wh, now_s)

    def utc_s(self, now_s: float) -> float:
        """Return the UTC of a timestamp: by the clock of the transaction, if one runs, else by the calendar."""
        clock = None if self.transaction is None else self.transaction.clock
        return self.host.calendar.utc_s(now_s) if clock is None else clock.utc_s(now_s)

    def stamp(self, at_s: float) -> str:
        """Return the timestamp of a value for the wire; within a transaction no later one is earlier."""
        clock = None if self.transaction is None else self.transaction.clock
        return utc_text(self.host.calendar.utc_s(at_s) if clock is None else clock.stamp(at_s))

    # --- what is true -------------------------------------------------------------------------------------------------

    @property
    def is_plugged(self) -> bool:
        """The cable is in at both ends."""
        return self.has_cable and self._was_connected

    @property
    def is_vacant(self) -> bool:
        """No car is connected, and that was seen: after a start nothing is known, and a short circuit tells nothing."""
        return self.supply.has_looked and self.supply.car is PilotState.A

    @property
    def is_occupied(self) -> bool:
        """A car is connected, or a cable is still in our socket."""
        return self._was_connected or (self.outlet.cable is CableKind.SOCKET and self.has_cable)

    @property
    def is_charging(self) -> bool:
        """A transaction is running: from its begin until the event that ends it."""
        return self.state == SessionState.CHARGING

    @property
    def is_in_transaction(self) -> bool:
        """A transaction is running, or ended and not yet complete."""
        return self.transaction is not None

    @property
    def is_at_rest(self) -> bool:
        """Nobody is authorised and nothing runs, whether a car is there or not."""
        return self.state in (SessionState.IDLE, SessionState.FINISHED)

    @property
    def is_free(self) -> bool:
        """Somebody could be authorised here now."""
        availability = self.availability
        is_open = availability.is_operative and not availability.is_scheduled and not availability.is_withdrawn
        is_open = is_open and not self.has_fault
        return self.is_at_rest and is_open and not self.host.is_going_down and not self.host.is_store_failing

    @property
    def troubles(self) -> Mapping[Trouble, str]:
        """The active faults and what the board says of each; oldest first."""
        return self.faults.active

    @property
    def is_operative(self) -> bool:
        """What the central system has set by ChangeAvailability (OCPP 1.6 5.2)."""
        return self.availability.is_operative

    @property
    def has_fault(self) -> bool:
        """A fault blocks the connector: its status is Faulted."""
        return self.faults.is_blocking

    @property
    def is_withheld(self) -> bool:
        """A fault takes the energy away."""
        return self.faults.is_withholding

    @property
    def must_open(self) -> bool:
        """The contactor opens without time to ramp down: by a fault, or because the cable is not locked."""
        return self.faults.is_urgent or not self.is_secured

    @property
    def may_offer(self) -> bool:
        """Nothing but limits keeps a running transaction from energy."""
        return not self.is_withheld and self.is_secured and not self.host.is_energy_blocked(self)

    @property
    def is_secured(self) -> bool:
        """The cable cannot be pulled out under load: it is fixed, or its lock has said so (IEC 61851-1)."""
        return self.lock is None or self.lock.is_locked

    @property
    def offer(self) -> Limit:
        """What the car is offered per phase, and why not more. 0 A when nothing may flow."""
        return self.offering.limit

    @property
    def offered_a(self) -> float:
        """The `offer` in A."""
        return self.offering.limit.amps

    @property
    def situation(self) -> Situation:
        return Situation(
            has_fault=self.has_fault,
            until_stopped=self._until_stopped,
            in_transaction=self.is_charging,
            is_offering=self.offering.limit.amps >= MINIMUM_A,
            car_asks=self.supply.car_asks,
            is_operative=self.is_operative and not (self.availability.is_withdrawn and self.is_at_rest),
            is_authorised=self.state in (SessionState.AUTHORISED, SessionState.LOCKING, SessionState.STARTING),
            is_left_over=self.state in (SessionState.ENDING, SessionState.FINISHED)
            and not (self._lost_power and self.is_plugged),
            is_reserved=self.is_reserved,
            is_plugged=self.is_plugged,
        )

    @property
    def status(self) -> ChargePointStatus:
        return status_of(self.situation)

    def condition(self) -> tuple[ChargePointStatus, str, str, str]:
        """Return what StatusNotification tells: status, error code, vendor error code, info."""
        status = self.status
        fault = self.faults.report(status)
        if fault is not None:
            return status, *fault
        is_car_away = (status == ChargePointStatus.finishing and self._is_left_by_car) or (
            status == ChargePointStatus.suspended_ev and not self._was_connected
        )
        return status, ChargePointErrorCode.no_error.value, "", "EV side disconnected" if is_car_away else ""

    @property
    def stays_until_unplugged(self) -> bool:
        """A fault stays active until the car is unplugged, even if its cause is gone."""
        return self.supply.is_connected and self.faults.has_latched

    @property
    def is_connected(self) -> bool:
        """The car's end of the cable is in, as last seen outside a short circuit of the pilot."""
        return self._was_connected

    @property
    def is_idle(self) -> bool:
        """No session: nobody is authorised, and no transaction runs or has left its cable here."""
        return self.state == SessionState.IDLE

    # --- what is seen -------------------------------------------------------------------------------------------------

    def supply_changed(self, now_s: float) -> None:
        """The car's state, the contactor or the pilot changed."""
        car = self.supply.car
        # A short circuit tells nothing of the plug: what was connected stays so until A or B says otherwise.
        connected = self._was_connected if car is PilotState.E else self.supply.is_connected
        came, left = connected and not self._was_connected, self._was_connected and not connected
        self._was_connected = connected
        if left:
            self._left(now_s)
        if came:
            self.host.car_came(self, now_s)
        elif self.is_vacant and self.state == SessionState.FINISHED and self.outlet.cable is CableKind.TETHERED:
            self._vacated(now_s)  # the first look after a start: the car left while the power was off
        if self.transaction is not None:
            self.transaction.count(self.supply.is_closed, now_s)
        if not self.supply.is_closed:
            self._dead(now_s)
        self._proceed(now_s)

    def on_proximity(self, reading: ProximityReading, now_s: float) -> None:
        """Take a look at the plug in our socket; its rating counts until it is out."""
        rating_a = reading.rating_a
        if rating_a is None and reading.ohms is not None:
            rating_a = cable_rating_for_ohms(reading.ohms)
        self.has_cable = rating_a is not None
        self.cable_rating_a = rating_a
        if not self.has_cable and not self._was_connected:
            self._vacated(now_s)  # before a fault that ends: without the session the status is another one
        self.trouble(Trouble.PROXIMITY, rating_a == 0.0, now_s)
        self._proceed(now_s)

    def on_relay(self, closed: bool, now_s: float) -> None:
        self.supply.on_relay(closed, now_s)

    def on_meter_seen(self, reading: Reading | None, now_s: float) -> None:
        """Take what a watched meter reports without being asked."""
        if reading is None or not self.take_reading(reading, now_s):
            self.meter.is_silent(now_s)

    def on_phases(self, phases: int, now_s: float) -> None:
        """The phase switch has arrived."""
        self.phases = phases
        self._proceed(now_s)

    def on_lock(self, locked: bool, jammed: bool, now_s: float) -> None:
        if self.lock is not None:
            self.lock.on_lock(locked, jammed, now_s)
            self._proceed(now_s)

    def _left(self, now_s: float) -> None:
        self.supervision.forget_car()
        self.faults.unplugged(now_s)
        if self.is_charging:
            self.host.car_left(self, now_s)
        else:
            if self.state in (SessionState.LOCKING, SessionState.STARTING):
                self.cancel(now_s)
            if not self.is_occupied:
                self._vacated(now_s)
            elif self.state not in (SessionState.ENDING, SessionState.FINISHED):
                self.unlock(now_s)

    def _vacated(self, now_s: float) -> None:
        """Nothing is plugged any more."""
        if SESSION_TABLE.fire(self, "clear"):
            self._is_left_by_car = False
            self.unlock(now_s)
        self.availability.settle(now_s)

    # --- faults -------------------------------------------------------------------------------------------------------

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        """A fault that the model itself detects appeared, or its cause is gone."""
        self.faults.set(what, active, now_s, info)

    def monitored(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        """A fault that the board monitors appeared, or its cause is gone."""
        self.faults.set_by_board(what, active, now_s, info)

    def fault_appeared(self, what: Trouble, now_s: float) -> None:
        """Take the energy away, and end what cannot go on under this fault."""
        if MEANINGS[what].ends_transaction and self.is_charging:
            self.offering.update(now_s)  # energy first
            emergency = what is Trouble.EMERGENCY_STOP
            self.end("EmergencyStop" if emergency else "Other", None, now_s)
        if self.state in (SessionState.LOCKING, SessionState.STARTING) and (self.has_fault or self.is_withheld):
            self.cancel(now_s)  # what was about to begin needs a new card once this is over
        self._proceed(now_s)

    def fault_cleared(self, now_s: float) -> None:
        """Offer and report what holds without the fault."""
        self._proceed(now_s)

    # --- from authorised to charging ----------------------------------------------------------------------------------

    def authorise(self, authorisation: Authorisation, now_s: float) -> bool:
        """Let a tag charge here as soon as the cable is in; return whether that is possible now."""
        if not self.is_free or not SESSION_TABLE.fire(self, "authorise"):
            return False
        self.authorisation = authorisation
        self._is_left_by_car = False
        self._proceed(now_s)
        return True

    def cancel(self, now_s: float) -> bool:
        """Take an authorisation back before anything began; return whether there was one."""
        if not SESSION_TABLE.fire(self, "cancel"):
            return False
        self.authorisation = None
        self._deadline.clear()
        self.unlock(now_s)
        self.availability.settle(now_s)
        self._proceed(now_s)
        return True

    def lapse(self, now_s: float) -> None:
        """Nobody was authorised in time: the plugged cable is in the way (move B6)."""
        if SESSION_TABLE.fire(self, "lapse"):
            self.authorisation = None
            self.unlock(now_s)
            self._proceed(now_s)

    def _proceed(self, now_s: float) -> None:
        """Do what has become possible, then tell what has changed."""
        ready = self.is_plugged and not self.is_withheld and not self.has_fault
        if self.state == SessionState.AUTHORISED and ready:
            SESSION_TABLE.fire(self, "secure")
            if self.lock is not None:
                self.lock.move(True, now_s)
            else:
                self.lock_settled(True, True, now_s)
            return  # the settling told the rest
        self.offering.update(now_s)
        self.host.connector_changed(self, now_s)

    def lock_settled(self, locked: bool, succeeded: bool, now_s: float) -> None:
        """A movement of the lock ended."""
        if self.state == SessionState.LOCKING and locked:
            if succeeded:
                SESSION_TABLE.fire(self, "locked")
                self._deadline.set(now_s + METER_WAIT_S)
                self.emit(ReadMeter(self.number, Ref(BEGIN)))
            else:
                self.cancel(now_s)
                self.trouble(Trouble.LOCK_FAILED, True, now_s)
        elif not locked:
            self.host.unlocked(self, succeeded, now_s)
        self._proceed(now_s)

    def unlock(self, now_s: float) -> None:
        """Unlock the cable, as soon as the contactor is open."""
        if self.lock is None:
            return
        if self.supply.is_closed or self.supply.is_ordered_closed:
            self.unlocks_when_dead = True
        elif self.lock.is_locked or self.lock.is_moving:
            self.lock.move(False, now_s)

    def _begin(self, reading: Reading, now_s: float) -> None:
        authorisation = self.authorisation
        if authorisation is None or not SESSION_TABLE.fire(self, "begin"):
            return
        self._deadline.clear()
        self.authorisation = None
        self.unlocks_when_dead = False
        started_utc_s = self.host.calendar.utc_s(now_s)
        self.transaction = Transaction(
            key=self.host.queue.new_key(self.number),
            connector=self.number,
            id_tag=authorisation.id_tag,
            parent_id_tag=authorisation.parent_id_tag,
            reservation_id=authorisation.reservation_id,
            started_utc_s=started_utc_s,
            meter_start_wh=self.meter.energy_wh,
            charging_profile=authorisation.charging_profile,
            clock=TransactionClock(now_s, started_utc_s),
        )
        self.meter.save(now_s)
        self.host.transaction_started(self, self.transaction, reading, now_s)
        self._proceed(now_s)

    # --- energy -------------------------------------------------------------------------------------------------------

    @property
    def is_energy_blocked(self) -> bool:
        """The central system refused the tag of the transaction."""
        return self.host.is_energy_blocked(self)

    def limits(self, now_s: float) -> Iterable[Limit]:
        """The bounds that the features set on the offer."""
        return self.host.limits(self, now_s)

    def take_reading(self, reading: Reading, now_s: float) -> bool:
        """Count a reading and judge what it shows; return whether it was credible."""
        if not self.meter.take(reading, now_s):
            return False
        self.supervision.take(reading, now_s)
        return True

    def on_reading(self, kind: str, reading: Reading | None, now_s: float) -> None:
        """Take an answer of the meter to one of our own questions."""
        if reading is not None and not self.take_reading(reading, now_s):
            reading = None
        if kind == BEGIN and self.state == SessionState.STARTING:
            if reading is None:
                self._deadline.set(now_s)
            else:
                self._begin(reading, now_s)
        elif kind == END and self.state == SessionState.ENDING:
            if self._restart is None:
                self._complete(reading, now_s)
            elif reading is not None:
                self._complete(None, now_s)
        elif kind == KEEP and reading is not None and self.transaction is not None:
            self.meter.keep(now_s)
        if reading is None and kind != BEGIN:
            self.meter.is_silent(now_s)

    # --- from charging to free again ----------------------------------------------------------------------------------

    def end(self, reason: str, id_tag: str | None, now_s: float) -> bool:
        """End the transaction for ``reason``; return whether there was one to end. The first reason stands."""
        transaction, status = self.transaction, status_of(replace(self.situation, has_fault=False))
        if transaction is None or not SESSION_TABLE.fire(self, "end"):
            return False
        self._until_stopped = status
        transaction.ending = Ending(reason, self.utc_s(now_s), id_tag)
        transaction.count_duration(now_s)
        self._is_left_by_car = reason == "EVDisconnected"
        self.host.queue.save(transaction)
        self._deadline.set(now_s + STOP_WAIT_S)
        self.host.transaction_ending(self, transaction, now_s)
        self._proceed(now_s)
        if not self.supply.is_closed:
            self._dead(now_s)
        return True

    def _dead(self, now_s: float) -> None:
        """The contactor is open."""
        if self.supply.is_ordered_closed:
            return
        if self.unlocks_when_dead and not self.is_charging:
            self.unlocks_when_dead = False
            self.unlock(now_s)
        # After a restart the state of the contactor and the readings of a polled meter may be old: `_too_late` asks.
        if self.state == SessionState.ENDING and self.transaction is not None and self._restart is None:
            self.emit(ReadMeter(self.number, Ref(END)))

    def _too_late(self, now_s: float) -> None:
        """The meter did not answer in time, or the contactor did not open."""
        if self.state == SessionState.STARTING:
            self.cancel(now_s)
            self.meter.is_silent(now_s)
        elif self.state == SessionState.ENDING:
            if self._restart is not None and self._restart.reads < RESTART_READS:
                self._restart.reads += 1
                self._deadline.set(now_s + RESTART_READ_WAIT_S)
                self.emit(ReadMeter(self.number, Ref(END)))
            else:
                self._complete(None, now_s)

    def end_ramp_down(self, now_s: float) -> None:
        """Open the contactor of a transaction that has ended, even if the car still draws current, and read the meter."""
        if self.state == SessionState.ENDING and self.supply.is_ordered_closed:
            self.supply.open_under_load(now_s)
            # Should the contactor not open, this reading is the last one.
            self.emit(ReadMeter(self.number, Ref(KEEP)))

    def settle(self, now_s: float) -> None:
        """Complete a transaction that has ended with the last register, without waiting for the meter any more."""
        if self.state == SessionState.ENDING:
            self._complete(None, now_s)

    def recover(self, transaction: Transaction, ending: Ending, seen_utc_s: float, now_s: float) -> None:
        """Take up a transaction that a restart ended. Its stop is complete when the meter has been read.

        With the contactor open the register of the meter is exact, whatever was stored last. It counts if the outlet can
        have supplied the difference since ``seen_utc_s``, the instant of the stored register; otherwise, and if the meter
        does not answer, the stored register counts. The stop keeps the instant of ``ending``.
        """
        transaction.ending = ending
        self.host.queue.save(transaction)
        self.transaction = transaction
        self.state = SessionState.ENDING.value
        self.meter.register_wh = max(self.meter.register_wh, float(transaction.meter_start_wh))
        unseen_s = self.host.calendar.utc_s(now_s) - seen_utc_s
        # A calendar that shows an earlier instant than the stored one says nothing about the time that has passed.
        most_wh = self.meter.most_after(unseen_s) if unseen_s >= 0.0 else math.inf
        self._restart = RestartEnd(self.meter.energy_wh, most_wh)
        self._deadline.set(now_s + RESTART_READ_S)

    @property
    def _lost_power(self) -> bool:
        """The transaction that is ending ended with a loss of power: its car waits for a new authorisation."""
        ending = None if self.transaction is None else self.transaction.ending
        return self._restart is not None and ending is not None and ending.reason == Reason.power_loss

    def _register_at_end(self) -> int:
        """Return the register of the stop in Wh: what the meter says, except after an impossible step over a restart."""
        restart = self._restart
        if restart is None or self.meter.register_wh <= restart.most_wh:
            return self.meter.energy_wh
        self.log.error(
            "connector %d: the meter went from %d to %d Wh over a restart, more than the outlet can supply: "
            "the transaction ends with the stored register",
            self.number,
            restart.stored_wh,
            self.meter.energy_wh,
        )
        return restart.stored_wh

    def _complete(self, reading: Reading | None, now_s: float) -> None:
        """The transaction is over and its last register is known: by a fresh reading, else the last one stored."""
        transaction = self.transaction
        if transaction is None or transaction.ending is None or not SESSION_TABLE.fire(self, "settle"):
            return
        self._until_stopped = None
        self._deadline.clear()
        self.meter.rest()
        transaction.count(False, now_s)
        is_after_power_loss = self._lost_power
        at_utc_s = transaction.ending.at_utc_s
        if reading is not None:
            at_utc_s = self.utc_s(now_s)
            transaction.count_duration(now_s)
        self.transaction = None
        transaction.meter_stop_wh = self._register_at_end()
        self.meter.save(now_s)
        self.host.transaction_ended(self, transaction, reading, at_utc_s, now_s)
        if self._restart is not None:
            if is_after_power_loss:
                # Errata allow Preparing and Finishing; Preparing says that a new authorisation starts a transaction.
                SESSION_TABLE.fire(self, "clear")
            self._restart = None
        if not self.is_occupied:
            self._vacated(now_s)
        self._proceed(now_s)

    def clear_if_empty(self, now_s: float) -> None:
        """After a restart: a session that ended in the dark is over when no car turns out to be there.

        Whoever waits for that is told in any case: a pilot that shows no car right away is no change to tell of.
        """
        if not self.is_occupied:
            self._vacated(now_s)
        self._proceed(now_s)

    def free_cable(self, now_s: float) -> None:
        """After a restart: nobody's cable stays locked by a session that ended in the dark."""
        if self.state in (SessionState.IDLE, SessionState.FINISHED):
            self.unlock(now_s)

    def reconsider(self, now_s: float) -> None:
        """Something outside changed what may be offered."""
        self._proceed(now_s)

    # --- availability -------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Somebody is at it: a change to inoperative has to wait (OCPP 1.6 5.2)."""
        # A cable in a reserved connector takes nothing: it stays Reserved, and becomes Unavailable at once (move G8).
        waits_for_card = self.is_plugged and self.is_operative and not self.has_fault and not self.is_reserved
        return self.state != SessionState.IDLE or waits_for_card

    def save_availability(self) -> None:
        self.host.save_availability(self)
