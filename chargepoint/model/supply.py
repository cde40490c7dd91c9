"""What an outlet gives its car: pilot duty and contactor, by the relay rule of IEC 61851-1.

Relay rule: the contactor is closed only in C2 (or D2 where the place is ventilated) while current is granted. One
exception: after the grant was withdrawn without a fault it may stay closed, pilot already steady, until the car has
ramped down, at most 6 s and only while the car stays in C. Leaving C or D opens it at once.

After any opening the contactor rests, and after a fault that is over the outlet waits longer; the pilot is steady
meanwhile, so that the car does not ask in vain.
"""

from __future__ import annotations

import math
from typing import Protocol

from hw.ports import PILOT_OFF, PILOT_STEADY, Outlet, PilotReading, PilotState, RelayKind

from .contactor import Contactor
from .faults import Trouble
from .interruption import Interruption
from .outbox import Effect, SetPilot
from .pilot import CAR_EVENTS, PILOT_TABLE, Pilot, current_for_duty, delay_s, duty_for_current, state_seen
from .timebase import Alarm, Timers

RAMP_DOWN_S = 6.0
"""How long a car may take to stop drawing after the pilot went steady; then the contactor opens under load."""
UNDEFINED_S = 3.0
"""How long the pilot may stand between the windows."""
RAISE_S = 5.0
"""Least time between two changes of a running PWM, except reductions, which are made at once."""
LEFT_S = 0.75
"""How long the pilot stands in A before the car counts as gone. [D] The contactor opens at once; a plug that loses contact
for a moment must not end a session."""
FAULT_REST_S = 30.0
"""Wait after a fault that is over before the car that is still connected is offered current again (EVSE practice)."""
STATE_F_S = 1.0
"""How long the pilot shows state F after a hard fault: a car sees it within 300 ms (IEC 61851-1)."""
OFFERS_KEPT_S = 6.0
"""How long an offer is remembered: a car has 5 s to follow a lower one, and is seen a second later (IEC 61851-1)."""


class SupplyOwner(Protocol):
    """What a supply needs of the connector it belongs to."""

    timers: Timers

    def emit(self, effect: Effect) -> None: ...
    def supply_changed(self, now_s: float) -> None: ...
    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...


class Supply:
    """Pilot and contactor of one outlet. ``grant`` says how much current may be offered; the rest follows."""

    __slots__ = (
        "_candidate",
        "_debounce",
        "_guard",
        "_leaving",
        "_past_offers",
        "_raise",
        "_raised_s",
        "_ramp_down",
        "_rest",
        "_undefined",
        "car",
        "contactor",
        "diode_ok",
        "duty_percent",
        "granted_a",
        "has_looked",
        "interruption",
        "is_faulted",
        "outlet",
        "owner",
        "reduced_s",
        "state",
        "timers",
    )

    def __init__(self, owner: SupplyOwner, outlet: Outlet) -> None:
        self.owner = owner
        self.timers = owner.timers
        self.outlet = outlet
        self.state: str = Pilot.A.value
        self.car = PilotState.A
        self.diode_ok: bool | None = None
        self.duty_percent = PILOT_STEADY
        self.granted_a = 0.0
        self.is_faulted = False
        self.has_looked = False
        """The pilot has shown a state since the start."""
        self.reduced_s = -math.inf
        """When the pilot signalled less than before for the last time."""
        self._past_offers: tuple[tuple[float, float], ...] = ()
        """What the pilot signalled before: when that ended, and how much, in s and A."""
        self._candidate: PilotState | None = None
        self._raised_s = -math.inf
        timers = owner.timers
        self.contactor = Contactor(self, outlet)
        self.interruption = Interruption(self, outlet)
        self._undefined = Alarm(timers, self._lost)
        self._debounce = Alarm(timers, self._settle)
        self._leaving = Alarm(timers, self._gone)
        self._ramp_down = Alarm(timers, self.open_under_load)
        self._rest = Alarm(timers, self._apply)
        self._raise = Alarm(timers, self._apply)
        self._guard = Alarm(timers, self._look_at_guard)

    # --- what is true -------------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """The contactor is closed, by its feedback."""
        return self.contactor.is_closed

    @property
    def is_ordered_closed(self) -> bool:
        return self.contactor.is_ordered_closed

    @property
    def is_connected(self) -> bool:
        """A car is at the other end of the cable (B, C or D), or was a moment ago."""
        return self.car in (PilotState.B, PilotState.C, PilotState.D) or self._leaving.is_set

    @property
    def car_asks(self) -> bool:
        """The car has closed S2 (C or D)."""
        return self.car in (PilotState.C, PilotState.D)

    @property
    def is_offering(self) -> bool:
        """The pilot is modulated: we are ready (x2)."""
        return self.state in (Pilot.B2, Pilot.C2)

    @property
    def is_worn(self) -> bool:
        """The contactor has closed as often as it may within an hour: nothing is offered until the guard lets it close."""
        return self._guard.is_set

    @property
    def offered_a(self) -> float:
        """The current per phase that the pilot signals, in A; 0.0 when it signals none."""
        if not self.is_offering or self.duty_percent in (PILOT_STEADY, PILOT_OFF):
            return 0.0
        # A raise that waits for its turn is granted, but not signalled yet.
        return min(self.granted_a, round(current_for_duty(self.duty_percent), 3))

    def most_offered_a(self, now_s: float) -> float:
        """Return the greatest current per phase that the pilot signalled within `OFFERS_KEPT_S`, in A."""
        most_a = self.offered_a
        for ended_s, amps in self._past_offers:
            if ended_s >= now_s - OFFERS_KEPT_S:
                most_a = max(most_a, amps)
        return most_a

    # --- what is seen -------------------------------------------------------------------------------------------------

    def on_pilot(self, reading: PilotReading, now_s: float) -> None:
        """Take a look at the pilot; a new state counts once it has stood for its debounce time, the first one at once."""
        if self.interruption.is_active:
            self.interruption.keep(reading)  # it says nothing of the car while the pilot is cut
            return
        self.diode_ok = reading.diode_ok
        seen = state_seen(reading)
        if seen is None:
            if self._candidate in (PilotState.C, PilotState.D):
                # Towards closing a state stands without a gap; away from it nothing takes back what was seen.
                self._candidate = None
                self._debounce.clear()
        elif seen is not self.car:
            if seen is not self._candidate:
                self._candidate = seen
                self._debounce.set(now_s + delay_s(self.car, seen))
            if not self.has_looked:
                # Nothing is on its way in here: what the box wakes up to is told with the first reports after boot.
                self._debounce.clear()
                self._settle(now_s)
        else:
            self._candidate = None
            self._debounce.clear()
        if seen is not None and not self.has_looked:
            self.has_looked = True
            self.owner.supply_changed(now_s)
        if seen is not None:
            self._undefined.clear()
        elif not self._undefined.is_set:
            self._undefined.set(now_s + UNDEFINED_S)
        if self.diode_ok is False and self.is_connected:
            self.owner.trouble(Trouble.DIODE_MISSING, True, now_s)
        self._apply(now_s)

    def on_plug_out(self, now_s: float) -> None:
        """The plug is out of our socket: a pilot in A is no loss of contact."""
        if self._leaving.is_set:
            self._leaving.clear()
            self._gone(now_s)

    def on_relay(self, closed: bool, now_s: float) -> None:
        """Take the contactor's feedback."""
        self.contactor.on_feedback(closed, now_s)

    def on_ordered(self, closed: bool, now_s: float) -> None:
        """The contactor has its order."""
        self.contactor.on_ordered(closed, now_s)

    def contactor_changed(self, now_s: float) -> None:
        """The contactor's feedback changed."""
        self.owner.supply_changed(now_s)

    def emit(self, effect: Effect) -> None:
        self.owner.emit(effect)

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        self.owner.trouble(what, active, now_s, info)

    def _lost(self, now_s: float) -> None:
        """The pilot shows no state for too long: it says as little as a short circuit."""
        self._candidate = PilotState.E
        self._settle(now_s, "CP undefined")

    def _settle(self, now_s: float, info: str = "") -> None:
        seen, self._candidate = self._candidate, None
        if seen is None or seen is self.car:
            return
        was_connected, self.car = self.is_connected, seen
        if seen is PilotState.A and was_connected:
            self._leaving.set(now_s + LEFT_S)
        else:
            self._leaving.clear()
        for event in CAR_EVENTS[seen]:
            if PILOT_TABLE.fire(self, event):
                break
        faults = {
            Trouble.PILOT_SHORT: seen is PilotState.E,
            Trouble.VENTILATION: seen is PilotState.D and not self.outlet.is_ventilated,
        }
        for fault in [each for each, is_active in faults.items() if is_active]:
            self.owner.trouble(fault, True, now_s, info)
        self._apply(now_s)
        self.owner.supply_changed(now_s)
        # A fault is over only when what the car does now is known: a car behind a short circuit was never away.
        for fault in [each for each, is_active in faults.items() if not is_active]:
            self.owner.trouble(fault, False, now_s)

    def _gone(self, now_s: float) -> None:
        """The pilot has stood in A for so long that the car has left."""
        self.owner.supply_changed(now_s)

    # --- what is given ------------------------------------------------------------------------------------------------

    def grant(self, current_a: float, is_faulted: bool, now_s: float) -> None:
        """Let the car draw up to ``current_a`` per phase; below the outlet's minimum nothing.

        A fault takes away the time to ramp down.
        """
        self.granted_a = current_a if current_a >= self.outlet.limits.min_a and not is_faulted else 0.0
        self.is_faulted = is_faulted
        self._apply(now_s)

    def rest_after_fault(self, now_s: float) -> None:
        """A fault that took the energy away is over: wait before the car that is connected is offered current again."""
        if self.is_connected:
            self.contactor.rest(FAULT_REST_S, now_s)

    def interrupt(self, cut_s: float, now_s: float) -> bool:
        """Cut the pilot for ``cut_s``, so that the car sees an unplug; return whether that was possible.

        The contactor must be open, by order and by feedback.
        """
        if self.is_closed or self.is_ordered_closed or not self.interruption.is_possible:
            return False
        PILOT_TABLE.fire(self, "withdraw")
        self._drive_pilot(now_s)  # steady first: a PWM is not cut in the middle
        self._candidate = None
        self._debounce.clear()
        self._undefined.clear()
        self.interruption.begin(cut_s, now_s)
        self._apply(now_s)
        return True

    def show_state_f(self, now_s: float) -> None:
        """Show a car that is connected state F after a hard fault, so that it stops drawing current."""
        if self.outlet.drives_state_f and self.is_connected and not self.is_ordered_closed:
            self.interruption.begin(STATE_F_S, now_s, by_state_f=True)
            self._apply(now_s)

    def interruption_changed(self, now_s: float) -> None:
        """The pilot is joined again, or its interruption is over: then what was seen last counts."""
        self._apply(now_s)
        kept = self.interruption.take()
        if kept is not None:
            self.on_pilot(kept, now_s)

    def _apply(self, now_s: float) -> None:
        may_offer = self.granted_a > 0.0 and self._is_rested(now_s) and not self.interruption.is_active
        PILOT_TABLE.fire(self, "offer" if may_offer else "withdraw")
        self._drive_pilot(now_s)
        self._drive_relay(now_s)

    def _is_rested(self, now_s: float) -> bool:
        """Return whether the contactor could close; otherwise come back when it can."""
        contactor = self.contactor
        if contactor.is_ordered_closed:
            return True
        if self.granted_a and contactor.free_from_s(now_s) > now_s and not self._guard.is_set:
            self._guard.set(contactor.free_from_s(now_s))
            self.owner.trouble(Trouble.CONTACTOR_GUARD, True, now_s)
        if now_s < contactor.rests_until_s:
            self._rest.set(contactor.rests_until_s)
            return False
        return not self._guard.is_set

    def _look_at_guard(self, now_s: float) -> None:
        self.owner.trouble(Trouble.CONTACTOR_GUARD, False, now_s)
        self._apply(now_s)

    def _drive_pilot(self, now_s: float) -> None:
        duty = duty_for_current(self.granted_a) if self.is_offering else self.interruption.steady_percent
        if duty == self.duty_percent:
            return
        is_raise = self.duty_percent != PILOT_STEADY and duty != PILOT_STEADY and duty > self.duty_percent
        if is_raise and now_s < self._raised_s + RAISE_S:
            self._raise.set(self._raised_s + RAISE_S)
            return
        self._remember_offer(duty, now_s)
        self.duty_percent = duty
        self._raised_s = now_s
        self.owner.emit(SetPilot(self.outlet.connector, duty))

    def _remember_offer(self, duty: float, now_s: float) -> None:
        before_a = 0.0 if self.duty_percent in (PILOT_STEADY, PILOT_OFF) else current_for_duty(self.duty_percent)
        after_a = 0.0 if duty in (PILOT_STEADY, PILOT_OFF) else current_for_duty(duty)
        kept = tuple(each for each in self._past_offers if each[0] >= now_s - 2.0 * OFFERS_KEPT_S)  # for late readings too
        self._past_offers = (*kept, (now_s, before_a)) if before_a else kept
        if after_a < before_a:
            self.reduced_s = now_s

    def _drive_relay(self, now_s: float) -> None:
        if self._may_close():
            self._ramp_down.clear()
            if not self.contactor.is_ordered_closed:
                self.contactor.order(True, now_s)
        elif self.contactor.is_ordered_closed:
            # What is still on its way to close has nothing to ramp down: it must not arrive in C1.
            may_ramp_down = self.is_closed and not self.is_faulted and self.outlet.relay is RelayKind.DIRECT
            if self.state != Pilot.C1 or not may_ramp_down:
                self._open(now_s)
            elif not self._ramp_down.is_set:
                self._ramp_down.set(now_s + RAMP_DOWN_S)

    def _may_close(self) -> bool:
        if not self.granted_a or self.is_faulted or self.diode_ok is False:
            return False
        if self.outlet.relay is RelayKind.FOLLOWS_PILOT:
            return self.is_offering  # a permission: the controller closes by itself, in C2
        # Never close in C before the diode was seen: without PWM it cannot be, so C1 is no state to close in.
        return self.state == Pilot.C2 and (self.diode_ok is True or self.contactor.is_ordered_closed)

    def _open(self, now_s: float) -> None:
        self._ramp_down.clear()
        self.contactor.order(False, now_s)

    def open_under_load(self, now_s: float) -> None:
        """Open the contactor without waiting for the car to ramp down, unless current is granted."""
        if self.contactor.is_ordered_closed and not self._may_close():
            self._open(now_s)
