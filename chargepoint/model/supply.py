"""What an outlet gives its car: pilot duty and contactor, by the relay rule of IEC 61851-1.

Relay rule: the contactor is closed only in C2 (or D2 where the place is ventilated) while current is granted. One
exception: after the grant was withdrawn without a fault it may stay closed, pilot already steady, until the car has
ramped down, at most 6 s and only while the car stays in C. Leaving C or D opens it at once.
"""

from __future__ import annotations

from typing import Protocol

from hw.ports import PILOT_STEADY, Outlet, PilotReading, PilotState, RelayKind

from .faults import Trouble
from .outbox import Effect, SetPilot, SetRelay
from .pilot import CAR_EVENTS, MINIMUM_A, PILOT_TABLE, Pilot, current_for_duty, delay_s, duty_for_current, state_seen
from .timebase import Alarm, Timers

RAMP_DOWN_S = 6.0
"""How long a car may take to stop drawing after the pilot went steady; then the contactor opens under load."""
FEEDBACK_S = 1.0
"""How long the contactor's feedback may lag behind a command before it counts as a fault."""
RECLOSE_S = 5.0
"""Rest of the contactor between opening under a car that stays in C and closing again."""
UNDEFINED_S = 3.0
"""How long the pilot may stand between the windows."""
RAISE_S = 5.0
"""Least time between two changes of a running PWM, except reductions, which are made at once."""


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
        "_feedback",
        "_raise",
        "_raised_s",
        "_ramp_down",
        "_reclose",
        "_reclose_from_s",
        "_relay_tries",
        "_undefined",
        "car",
        "diode_ok",
        "duty_percent",
        "granted_a",
        "has_looked",
        "is_closed",
        "is_faulted",
        "is_ordered_closed",
        "outlet",
        "owner",
        "state",
    )

    def __init__(self, owner: SupplyOwner, outlet: Outlet) -> None:
        self.owner = owner
        self.outlet = outlet
        self.state: str = Pilot.A.value
        self.car = PilotState.A
        self.diode_ok: bool | None = None
        self.duty_percent = PILOT_STEADY
        self.granted_a = 0.0
        self.is_faulted = False
        self.is_ordered_closed = False
        self.is_closed = False
        self._candidate: PilotState | None = None
        self.has_looked = False
        """The pilot has shown a state since the start."""
        self._relay_tries = 0
        self._reclose_from_s = 0.0
        self._raised_s = float("-inf")
        timers = owner.timers
        self._undefined = Alarm(timers, self._lost)
        self._debounce = Alarm(timers, self._settle)
        self._ramp_down = Alarm(timers, self.open_under_load)
        self._feedback = Alarm(timers, self._judge_feedback)
        self._reclose = Alarm(timers, self._apply)
        self._raise = Alarm(timers, self._apply)

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """A car is at the other end of the cable (B, C or D)."""
        return self.car in (PilotState.B, PilotState.C, PilotState.D)

    @property
    def car_asks(self) -> bool:
        """The car has closed S2 (C or D)."""
        return self.car in (PilotState.C, PilotState.D)

    @property
    def is_offering(self) -> bool:
        """The pilot is modulated: we are ready (x2)."""
        return self.state in (Pilot.B2, Pilot.C2)

    @property
    def offered_a(self) -> float:
        """The current per phase that the pilot signals, in A; 0.0 when it signals none."""
        if not self.is_offering or self.duty_percent == PILOT_STEADY:
            return 0.0
        # A raise that waits for its turn is granted, but not signalled yet.
        return min(self.granted_a, round(current_for_duty(self.duty_percent), 3))

    def on_pilot(self, reading: PilotReading, now_s: float) -> None:
        """Take a look at the pilot; a new state counts once it has stood for its debounce time, the first one at once."""
        self.diode_ok = reading.diode_ok
        seen = state_seen(reading)
        if seen is not None and seen is not self.car:
            if seen is not self._candidate:
                self._candidate = seen
                self._debounce.set(now_s + delay_s(self.car, seen))
            if not self.has_looked:
                # Nothing is on its way in here: what the box wakes up to is told with the first reports after boot.
                self._debounce.clear()
                self._settle(now_s)
        elif seen is self.car:
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

    def on_relay(self, closed: bool, now_s: float) -> None:
        """Take the contactor's feedback: what is true, whatever was ordered."""
        if closed == self.is_closed:
            return
        self.is_closed = closed
        follows = self.outlet.relay is RelayKind.FOLLOWS_PILOT
        if closed == self.is_ordered_closed or (follows and not closed):
            # A controller that follows the pilot opens by itself; only closing without leave is a fault.
            self._feedback.clear()
            self._relay_tries = 0
        else:
            self._feedback.set(now_s + FEEDBACK_S)
        self.owner.supply_changed(now_s)

    def on_ordered(self, closed: bool, now_s: float) -> None:
        """The contactor has its order, which the store may have held up: from now on the feedback is missed."""
        if closed != self.is_ordered_closed or self.is_closed == closed or not self.outlet.has_feedback:
            return
        if self.outlet.relay is RelayKind.DIRECT and (closed or not self._relay_tries):
            self._feedback.set(now_s + FEEDBACK_S)

    def _lost(self, now_s: float) -> None:
        """The pilot shows no state for too long: as good as a short circuit."""
        self._candidate = PilotState.E
        self._settle(now_s)

    def _settle(self, now_s: float) -> None:
        seen, self._candidate = self._candidate, None
        if seen is None or seen is self.car:
            return
        self.car = seen
        for event in CAR_EVENTS[seen]:
            if PILOT_TABLE.fire(self, event):
                break
        faults = {
            Trouble.PILOT_SHORT: seen is PilotState.E,
            Trouble.VENTILATION: seen is PilotState.D and not self.outlet.is_ventilated,
        }
        for fault in [each for each, is_active in faults.items() if is_active]:
            self.owner.trouble(fault, True, now_s)
        if seen is PilotState.A:
            self._reclose_from_s = now_s
        self._apply(now_s)
        self.owner.supply_changed(now_s)
        # A fault is over only when what the car does now is known: a car behind a short circuit was never away.
        for fault in [each for each, is_active in faults.items() if not is_active]:
            self.owner.trouble(fault, False, now_s)

    # --- what is given ------------------------------------------------------------------------------------------------

    def grant(self, current_a: float, is_faulted: bool, now_s: float) -> None:
        """Let the car draw up to ``current_a`` per phase; below 6 A nothing. A fault takes away the time to ramp down."""
        self.granted_a = current_a if current_a >= MINIMUM_A and not is_faulted else 0.0
        self.is_faulted = is_faulted
        self._apply(now_s)

    def _apply(self, now_s: float) -> None:
        PILOT_TABLE.fire(self, "offer" if self.granted_a else "withdraw")
        self._drive_pilot(now_s)
        self._drive_relay(now_s)

    def _drive_pilot(self, now_s: float) -> None:
        duty = duty_for_current(self.granted_a) if self.is_offering else PILOT_STEADY
        if duty == self.duty_percent:
            return
        is_raise = self.duty_percent != PILOT_STEADY and duty != PILOT_STEADY and duty > self.duty_percent
        if is_raise and now_s < self._raised_s + RAISE_S:
            self._raise.set(self._raised_s + RAISE_S)
            return
        self.duty_percent = duty
        self._raised_s = now_s
        self.owner.emit(SetPilot(self.outlet.connector, duty))

    def _drive_relay(self, now_s: float) -> None:
        if self._may_close():
            self._ramp_down.clear()
            if self.is_ordered_closed:
                return
            if now_s < self._reclose_from_s:
                self._reclose.set(self._reclose_from_s)
                return
            self._order(True, now_s)
        elif self.is_ordered_closed:
            # What is still on its way to close has nothing to ramp down: it must not arrive in C1.
            may_ramp_down = self.is_closed and not self.is_faulted and self.outlet.relay is RelayKind.DIRECT
            if self.state != Pilot.C1 or not may_ramp_down:
                self._order(False, now_s)
            elif not self._ramp_down.is_set:
                self._ramp_down.set(now_s + RAMP_DOWN_S)

    def _may_close(self) -> bool:
        if not self.granted_a or self.is_faulted or self.diode_ok is False:
            return False
        if self.outlet.relay is RelayKind.FOLLOWS_PILOT:
            return self.is_offering  # a permission: the controller closes by itself, in C2
        # Never close in C before the diode was seen: without PWM it cannot be, so C1 is no state to close in.
        return self.state == Pilot.C2 and (self.diode_ok is True or self.is_ordered_closed)

    def _order(self, closed: bool, now_s: float) -> None:
        self.is_ordered_closed = closed
        self._relay_tries = 0
        self._ramp_down.clear()
        self._reclose.clear()
        if not closed and (self.car_asks or self.car is PilotState.E):
            self._reclose_from_s = now_s + RECLOSE_S
        self._feedback.clear()
        self.owner.emit(SetRelay(self.outlet.connector, closed))
        if not self.outlet.has_feedback:
            self.is_closed = closed
            self.owner.supply_changed(now_s)

    def open_under_load(self, now_s: float) -> None:
        """Open the contactor without waiting for the car to ramp down, unless current is granted."""
        if self.is_ordered_closed and not self._may_close():
            self._order(False, now_s)

    def _judge_feedback(self, now_s: float) -> None:
        if self.is_closed == self.is_ordered_closed:
            return
        if self.is_closed:
            self._relay_tries = 1  # opened once more, and not judged again
            self.owner.trouble(Trouble.CONTACTOR_WELDED, True, now_s)
            self.owner.emit(SetRelay(self.outlet.connector, False))
        elif self._relay_tries == 0:
            self._relay_tries = 1
            self.owner.emit(SetRelay(self.outlet.connector, True))
        else:
            self.owner.trouble(Trouble.CONTACTOR_STUCK, True, now_s)
