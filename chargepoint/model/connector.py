"""One connector: what is plugged, who is authorised, what is charging, what is broken, and what may be given for it.

The session table says what may follow what; `Connector` turns what is seen into its events. A transaction begins when
somebody is authorised, the cable is in and (at a socket) locked, with one meter reading that everything shares; it ends
with the event that ends it, and is complete with one more reading after the contactor opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from logging import LoggerAdapter
from typing import TYPE_CHECKING, Any

from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus

from hw.ports import CableKind, Outlet, PilotState, ProximityReading, Reading

from .connector_availability import ConnectorAvailability
from .connector_ending import END, METER_WAIT_S, ConnectorEnding
from .connector_faults import ConnectorFaults
from .connector_offer import ConnectorOffer
from .connector_plug import ConnectorPlug
from .connector_state import SESSION_TABLE, Authorisation, Limit, SessionState
from .energy import KEEP, RETRY_S, EnergyMeter
from .faults import MEANINGS, Trouble, Until
from .journal import Journal
from .keys import Key, T
from .lock import CableLock
from .outbox import Effect, Ref, WatchMeter
from .records import FAULT
from .status import Situation, status_of
from .supervision import Supervision
from .supply import Supply
from .timebase import Alarm, Clock, utc_text
from .transaction import Transaction
from .transaction_clock import TransactionClock

if TYPE_CHECKING:
    from .chargepoint import ChargePoint

BEGIN = "begin"


class Connector:
    """One connector of a charger, numbered from 1."""

    __slots__ = (
        "_deadline",
        "_give_up_s",
        "_is_watching",
        "authorisation",
        "availability",
        "ending",
        "faults",
        "host",
        "is_reserved",
        "lock",
        "meter",
        "number",
        "offering",
        "outlet",
        "phases",
        "plug",
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
        self.authorisation: Authorisation | None = None
        self.transaction: Transaction | None = None
        self.is_reserved = False
        self.phases = outlet.rated.phases
        """The phases that the outlet has now, by its phase switch."""
        self.unlocks_when_dead = False
        self.supply = Supply(self, outlet)
        self.plug = ConnectorPlug(self, outlet)
        self.meter = EnergyMeter(self, outlet, host.register_period_s)
        self.supervision = Supervision(self, outlet)
        self.lock = CableLock(self, outlet.connector) if outlet.has_lock else None
        self.faults = ConnectorFaults(self)
        self.availability = ConnectorAvailability(self)
        self.offering = ConnectorOffer(self)
        self.ending = ConnectorEnding(self)
        self._is_watching = False
        self._give_up_s = 0.0
        """When a start ends for want of a meter."""
        self._deadline = Alarm(host.timers, self._no_reading)

    def emit(self, effect: Effect) -> None:
        self.host.emit(effect)

    @property
    def journal(self) -> Journal:
        return self.host.journal

    @property
    def log(self) -> LoggerAdapter[Any]:
        return self.host.log

    def save_fault(self, what: Trouble, info: str | None) -> None:
        """Store a fault that is latched until service; ``info`` None: it is over."""
        self.host.save(FAULT.name, f"{self.number}/{what.value}", None if info is None else {"info": info})

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
        return self.plug.has_cable and self.plug.is_connected

    @property
    def is_vacant(self) -> bool:
        """No car is connected, and that was seen: after a start nothing is known, and a short circuit tells nothing."""
        return self.supply.has_looked and self.supply.car is PilotState.A and not self.supply.is_connected

    @property
    def is_occupied(self) -> bool:
        """A car is connected, or a cable is still in our socket."""
        return self.plug.is_connected or (self.outlet.cable is CableKind.SOCKET and self.plug.has_cable)

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
    def offered_w(self) -> float:
        """The power that the pilot signals, at the rated voltage and on the phases that the outlet has."""
        return self.supply.offered_a * self.phases * self.outlet.rated.voltage_v

    @property
    def situation(self) -> Situation:
        return Situation(
            has_fault=self.has_fault,
            until_stopped=self.ending.status,
            in_transaction=self.is_charging,
            is_offering=self.offering.limit.amps >= self.outlet.limits.min_a,
            car_asks=self.supply.car_asks and not self.supervision.is_idle(self.timers.time_s(Clock.CHARGE)),
            is_operative=self.is_operative and not (self.availability.is_withdrawn and self.is_at_rest),
            is_authorised=self.state in (SessionState.AUTHORISED, SessionState.LOCKING, SessionState.STARTING),
            is_left_over=self.state in (SessionState.ENDING, SessionState.FINISHED)
            and not (self.ending.lost_power and self.is_plugged),
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
        is_car_away = (status == ChargePointStatus.finishing and self.ending.is_left_by_car) or (
            status == ChargePointStatus.suspended_ev and not self.plug.is_connected
        )
        return status, ChargePointErrorCode.no_error.value, "", "EV side disconnected" if is_car_away else ""

    @property
    def latched_until(self) -> Until | None:
        """What ends the fault that stays longest, even if its cause is gone; None when none is latched."""
        if self.faults.has_latched(Until.SERVICE):
            return Until.SERVICE
        return Until.UNPLUGGED if self.supply.is_connected and self.faults.has_latched(Until.UNPLUGGED) else None

    @property
    def is_connected(self) -> bool:
        """The car's end of the cable is in, as last seen outside a short circuit of the pilot."""
        return self.plug.is_connected

    @property
    def is_live(self) -> bool:
        """There is, or may be, voltage on the cable: nobody may pull it out (IEC 61851-1).

        Without feedback the meter tells whether the contactor has opened, and a welded one is live until it was repaired.
        """
        if self.supply.is_closed or self.supply.is_ordered_closed:
            return True
        is_welded, sees_current = Trouble.CONTACTOR_WELDED in self.troubles, self.supervision.sees_current
        return (is_welded and sees_current) if self.outlet.has_feedback else (is_welded or sees_current)

    @property
    def is_idle(self) -> bool:
        """No session: nobody is authorised, and no transaction runs or has left its cable here."""
        return self.state == SessionState.IDLE

    # --- what is seen -------------------------------------------------------------------------------------------------

    def supply_changed(self, now_s: float) -> None:
        """The car's state, the contactor or the pilot changed."""
        came, left = self.plug.on_pilot(now_s)
        if left:
            self._left(now_s)
        if came:
            self.host.car_came(self, now_s)
        elif self.is_vacant and self.state == SessionState.FINISHED and self.outlet.cable is CableKind.TETHERED:
            self.vacated(now_s)  # the first look after a start: the car left while the power was off
        if self.transaction is not None:
            self.transaction.count(self.supply.is_closed, now_s)
        self.supervision.supply_changed(now_s)
        if not self.supply.is_closed:
            self.contactor_opened(now_s)
        self._proceed(now_s)

    def on_proximity(self, reading: ProximityReading, now_s: float) -> None:
        """Take a look at the plug in our socket; its rating counts until it is out."""
        self.plug.on_proximity(reading, now_s)
        if self.plug.is_out:
            self.vacated(now_s)  # before a fault that ends: without the session the status is another one
        self.plug.report(now_s)
        self._proceed(now_s)

    def on_relay(self, closed: bool, now_s: float) -> None:
        self.supply.on_relay(closed, now_s)

    def on_meter_seen(self, reading: Reading | None, now_s: float) -> None:
        """Take what a watched meter reports without being asked."""
        self.meter.showed(reading, now_s)

    def meter_showed(self, reading: Reading, now_s: float) -> None:
        """The meter believes a reading."""
        self.supervision.showed(reading, now_s)

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
                self.vacated(now_s)
            elif self.state not in (SessionState.ENDING, SessionState.FINISHED):
                self.unlock(now_s)

    def vacated(self, now_s: float) -> None:
        """Nothing is plugged any more."""
        if SESSION_TABLE.fire(self, "clear"):
            self.ending.is_left_by_car = False
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
        if MEANINGS[what].ends_transaction:
            self.supply.show_state_f(now_s)

    def fault_cleared(self, what: Trouble, now_s: float) -> None:
        """Offer and report what holds without the fault, and after it the outlet rests."""
        if MEANINGS[what].withholds:
            self.supply.rest_after_fault(now_s)
        self.free_cable_when_dead(now_s)
        self._proceed(now_s)

    # --- from authorised to charging ----------------------------------------------------------------------------------

    def authorise(self, authorisation: Authorisation, now_s: float) -> bool:
        """Let a tag charge here as soon as the cable is in; return whether that is possible now."""
        if not self.is_free or not SESSION_TABLE.fire(self, "authorise"):
            return False
        self.authorisation = authorisation
        self.ending.is_left_by_car = False
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
        is_of_interest = self.plug.is_connected or self.is_live or self.is_in_transaction or self.supervision.is_concerned
        if is_of_interest != self._is_watching:
            self._is_watching = is_of_interest
            self.emit(WatchMeter(self.number, is_of_interest))
        self.offering.update(now_s)
        self.host.connector_changed(self, now_s)

    def lock_settled(self, locked: bool, succeeded: bool, now_s: float) -> None:
        """A movement of the lock ended."""
        if self.state == SessionState.LOCKING and locked:
            if succeeded:
                SESSION_TABLE.fire(self, "locked")
                self._give_up_s = now_s + METER_WAIT_S
                self._ask_for_begin(now_s)
            else:
                self.cancel(now_s)
                self.trouble(Trouble.LOCK_FAILED, True, now_s)
        elif not locked:
            self.host.unlocked(self, succeeded, now_s)
        self._proceed(now_s)

    def unlock(self, now_s: float) -> None:
        """Unlock the cable, as soon as there is no voltage on it."""
        if self.lock is None:
            return
        if self.is_live:
            self.unlocks_when_dead = True
        elif self.lock.is_locked or self.lock.is_moving:
            self.lock.move(False, now_s)

    def _ask_for_begin(self, now_s: float) -> None:
        self._deadline.set(now_s + RETRY_S)
        self.meter.ask(Ref(BEGIN), now_s)

    def _no_reading(self, now_s: float) -> None:
        """The meter has not answered to a start: ask again, and in the end do without the start."""
        if self.state == SessionState.STARTING:
            if now_s < self._give_up_s:
                self._ask_for_begin(now_s)
            else:
                self.cancel(now_s)

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

    @property
    def cable_rating_a(self) -> float | None:
        """What the cable is rated for, in A; None while none is in the socket."""
        return self.plug.rating_a

    @property
    def has_cable(self) -> bool:
        """A cable is fixed to the outlet, or in its socket."""
        return self.plug.has_cable

    def setting(self, key: Key[T]) -> T:
        """Return the value of a configuration key."""
        value: T = self.host.setting(key)
        return value

    def limits(self, now_s: float) -> Iterable[Limit]:
        """The bounds that the features set on the offer."""
        return self.host.limits(self, now_s)

    def on_reading(self, kind: str, reading: Reading | None, now_s: float) -> None:
        """Take an answer of the meter to one of our own questions."""
        reading = self.meter.answered(reading, now_s)
        if kind == BEGIN and self.state == SessionState.STARTING and reading is not None:
            self._begin(reading, now_s)
        elif kind == END:
            self.ending.on_reading(reading, now_s)
        elif kind == KEEP and reading is not None and self.transaction is not None:
            self.meter.keep(now_s)

    # --- from charging to free again ----------------------------------------------------------------------------------

    def end(self, reason: str, id_tag: str | None, now_s: float) -> bool:
        """End the transaction for ``reason``; return whether there was one to end. The first reason stands."""
        return self.ending.begin(reason, id_tag, now_s)

    def contactor_opened(self, now_s: float) -> None:
        """The contactor is open."""
        if self.supply.is_ordered_closed:
            return
        self.free_cable_when_dead(now_s)
        self.ending.contactor_opened(now_s)

    def free_cable_when_dead(self, now_s: float) -> None:
        """Unlock a cable that waits for it, if there is no voltage on it any more."""
        if self.unlocks_when_dead and not self.is_charging and not self.is_live:
            self.unlocks_when_dead = False
            self.unlock(now_s)

    def clear_if_empty(self, now_s: float) -> None:
        """After a restart: a session that ended in the dark is over when no car turns out to be there.

        Whoever waits for that is told in any case: a pilot that shows no car right away is no change to tell of.
        """
        if not self.is_occupied:
            self.vacated(now_s)
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
