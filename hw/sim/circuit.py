"""One outlet's electricity: pilot, contactor, cable, meter and car, joined as they are in the box.

Time moves by events. `Circuit.advance` handles whatever is due, in order, and returns when the box may see the next
thing; between two events every quantity is piecewise simple and integrated exactly, so hours of steady charging cost
nothing, and what nobody can see costs nobody a wake-up.

Observations leave only from `advance`, never from inside a command: a command's caller is busy deciding and must not be
called back. After a command the circuit therefore wants to be advanced again, at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from math import inf

from hw.ports import (
    PILOT_STEADY,
    CableKind,
    FaultSeen,
    LockSeen,
    Observation,
    Outlet,
    PhasesSeen,
    PilotReading,
    PilotSeen,
    ProximityReading,
    ProximitySeen,
    Reading,
    RelaySeen,
    Report,
)
from hw.sim.cable import PROXIMITY_OHM, Cable
from hw.sim.car import Car
from hw.sim.cars import CarClass, Quirk
from hw.sim.chance import Chance
from hw.sim.contactor import Contactor
from hw.sim.faults import (
    MONITORED,
    OVER_TEMPERATURE_C,
    OVER_VOLTAGE_FACTOR,
    QUIRK_OF,
    TRIPPING,
    UNDEFINED_V,
    UNDER_VOLTAGE_FACTOR,
    Cause,
)
from hw.sim.metering import MeterOutput
from hw.sim.onboard import Supply, phase_power_w
from hw.sim.pilot import PilotLoad, look
from hw.sim.register import Register
from hw.sim.thermal import BoardTemperature

WARM_K = 15.0
"""From so much below the limit of the board on, a watched meter reports each whole degree."""


class Circuit:
    """The simulated electricity of one connector: the `Process` behind all of its simulated drivers."""

    __slots__ = (
        "_board",
        "_causes",
        "_chance",
        "_coil",
        "_driven_percent",
        "_duty_percent",
        "_fresh",
        "_has_started",
        "_is_pilot_open",
        "_now_s",
        "_outlet",
        "_phases_joined",
        "_report",
        "_reported_closed",
        "_reported_ohm",
        "_reported_pilot",
        "cable",
        "car",
        "contactor",
        "meter",
        "pilot_noise_v",
        "register",
        "supply",
    )

    def __init__(self, outlet: Outlet, report: Report, *, cable_a: float, seed: int = 0) -> None:
        self._outlet = outlet
        self._report = report
        self._chance = Chance(seed)
        self.meter = MeterOutput(outlet.connector, seed)
        self._board = BoardTemperature()
        self.supply = Supply(outlet.rated.voltage_v, outlet.rated.phases)
        self.pilot_noise_v = 0.0
        self.contactor = Contactor(travel_s=0.02)
        self.cable = Cable(outlet.cable, cable_a)
        self.register = Register(outlet.rated.phases, 0.0, phase_energy=outlet.meter_has_phase_energy)
        self.car: Car | None = None
        self._causes: frozenset[Cause] = frozenset()
        self._duty_percent = PILOT_STEADY  # as commanded
        self._driven_percent = PILOT_STEADY  # as driven: a silent controller goes on as it was
        self._coil = False
        self._is_pilot_open = False
        self._phases_joined = outlet.rated.phases
        self._has_started = False
        self._now_s = 0.0
        self._fresh: list[Observation] = []
        self._reported_pilot: tuple[float, bool | None] | None = None
        self._reported_closed: bool | None = None
        self._reported_ohm: float | None = -1.0  # no reading is negative: the first look is always news

    @property
    def outlet(self) -> Outlet:
        """What is fitted here."""
        return self._outlet

    # --- the process --------------------------------------------------------------------------------------------------

    def advance(self, now_s: float) -> float:
        """Bring the circuit to ``now_s``, report what happened on the way, and return when there may be more to report."""
        self._bring_to(now_s)
        if not self._has_started:
            self._start(now_s)
        if self.meter.is_watched and (self._warm_s() < inf or (self.car is not None and self.car.is_ramping)):
            self._fresh += self.meter.changed(self._look_at_meter)
        while self._fresh:
            fresh, self._fresh = self._fresh, []
            for observation in fresh:
                self._report(observation)
        return self._shows_s()

    def announce(self) -> None:
        """Report everything at the next `advance`, as after power-on."""
        self._has_started = False
        self._reported_pilot = None
        self._reported_closed = None
        self._reported_ohm = -1.0
        self.meter.watch(False, self._now_s)  # whoever is listening now has not asked for it yet

    def snapshot(self) -> Mapping[str, object]:
        """Cable, lock, register, causes, contactor and car, as plain JSON values."""
        return {
            "in_box": self.cable.is_in_box,
            "in_car": self.cable.is_in_car,
            "locked": self.cable.is_locked,
            "pulled": self.cable.is_pulled,
            "cable_a": self.cable.rating_a,
            "register_wh": self.register.snapshot(),
            "causes": sorted(self._causes),
            "closed": self.contactor.is_closed,
            "car": None if self.car is None else self.car.snapshot(),
            "meter": self.meter.snapshot(),
        }

    def restore(self, saved: Mapping[str, object], now_s: float) -> None:
        """Take up a `snapshot`: the contactor is open, unless it is welded, and the pilot steady, whatever they were."""
        self._now_s = max(self._now_s, now_s)
        self._duty_percent = PILOT_STEADY
        self._coil = self._is_pilot_open = False
        rating_a = float(str(saved.get("cable_a", self.cable.rating_a)))
        if rating_a != self.cable.rating_a and rating_a not in PROXIMITY_OHM:
            raise ValueError(f"no cable is rated {rating_a:g} A")
        self.cable.rating_a = rating_a
        self.cable.is_in_box = bool(saved["in_box"])
        self.cable.is_in_car = bool(saved["in_car"])
        self.cable.is_locked = self.cable.wants_locked = bool(saved["locked"])
        self.cable.is_pulled = bool(saved.get("pulled", False))
        register, causes, car = saved["register_wh"], saved["causes"], saved["car"]
        if isinstance(register, Sequence):
            self.register.restore([float(wh) for wh in register])
        if self.car is not None:
            self.car.unplug(now_s)
            if isinstance(car, Mapping):
                self.car.restore(car, self.cable.rating_a, now_s)
        if isinstance(causes, Sequence):
            if saved.get("closed") is True and Cause.WELDED_CONTACTOR.value in causes:
                self.contactor.begin_welded()
            for name in causes:
                self.cause(Cause(str(name)), True, now_s)
        meter = saved.get("meter")
        if isinstance(meter, Mapping):
            self.meter.restore(meter)
        self._drive(now_s)

    # --- commands of the charger --------------------------------------------------------------------------------------

    def set_duty(self, duty_percent: float, now_s: float) -> None:
        """Drive the pilot, in %."""
        self._bring_to(now_s)
        self._duty_percent = duty_percent
        self._drive(now_s)

    def set_pilot_open(self, is_open: bool, now_s: float) -> None:
        """Interrupt the pilot between box and car, or join it again."""
        self._bring_to(now_s)
        self._is_pilot_open = is_open
        self._drive(now_s)

    def set_phases(self, phases: int, now_s: float) -> None:
        """Join the outlet to the first ``phases`` phases of the mains."""
        self._bring_to(now_s)
        self._phases_joined = phases
        self._fresh.append(PhasesSeen(self._outlet.connector, phases))
        self._show_mains(now_s)

    def set_coil(self, closed: bool, now_s: float) -> None:
        """Power the contactor's coil or not."""
        self._bring_to(now_s)
        self._coil = closed
        self._drive(now_s)

    def set_locked(self, locked: bool, now_s: float) -> None:
        """Run the lock's motor."""
        self._bring_to(now_s)
        self.cable.drive_lock(locked, now_s)

    def read_meter(self, ref: object, now_s: float) -> None:
        """Answer with a reading, or with none when the meter is silent."""
        self._bring_to(now_s)
        self._fresh += self.meter.asked(ref, self._look_at_meter, self._now_s)

    def watch_meter(self, is_on: bool, now_s: float) -> None:
        """Report what the meter shows, now and whenever it changes, or no longer."""
        self._bring_to(now_s)
        self.meter.watch(is_on, now_s)
        self._look(now_s)

    def peek_meter(self, now_s: float) -> Reading | None:
        """Return the reading that `read_meter` would answer at ``now_s``, and change nothing."""
        if self._due_s() > now_s:
            return self._meter_reading(max(now_s, self._now_s))
        twin = self._twin_at(now_s)
        return twin._meter_reading(twin._now_s)

    def soc_at(self, now_s: float) -> float:
        """Return the state of charge of the car, 0..1, and change nothing; 0.0 without a car."""
        car = self._twin_at(now_s).car
        return 0.0 if car is None else car.soc

    @property
    def goal_soc(self) -> float:
        """The state of charge at which the car stops to charge, 0..1; 0.0 without a car."""
        return 0.0 if self.car is None else self.car.goal_soc

    def _twin_at(self, now_s: float) -> Circuit:
        """Return a copy to which everything until ``now_s`` has happened: here that is for `advance`, in its turn."""
        twin = copy(self)
        twin.contactor, twin.cable, twin.register = copy(self.contactor), copy(self.cable), self.register.plus(0.0, 0)
        twin._board = copy(self._board)
        twin.car = None if self.car is None else self.car.twin()
        twin._chance, twin._fresh, twin.meter = copy(self._chance), [], self.meter.quiet()
        twin._bring_to(now_s)
        return twin

    def _meter_reading(self, at_s: float) -> Reading | None:
        """Return a reading at an instant before which nothing is due; None when the meter is silent."""
        if Cause.METER_SILENT in self._causes:
            return None
        car, phases, current_a = self.car, self._phases(), self._current_a(at_s)
        power_w = phase_power_w(car.kind, self._mains(), current_a) if car and phases else 0.0
        register = self.register.plus(car.unsettled_wh(at_s), phases) if car else self.register
        reading = register.reading(
            at_s,
            self._mains(),
            current_a,
            phases,
            power_w,
            self._board_c(at_s),
            is_capacitive=car is not None and car.kind.is_capacitive,
        )
        if self._outlet.has_vehicle_soc and car is not None and self.cable.is_in_car and self.cable.is_in_box:
            reading = replace(reading, vehicle_soc=car.shown_soc_at(at_s))
        return self.meter.shown(reading)

    def _look_at_meter(self) -> Reading | None:
        return self._meter_reading(self._now_s)

    # --- what people do -----------------------------------------------------------------------------------------------

    def plug_in(self, now_s: float) -> None:
        """Connect the car at both ends."""
        self._bring_to(now_s)
        if self.car is not None and not self.cable.is_in_car:
            self.cable.plug_in()
            self.car.plug(self.cable.rating_a, now_s)
            self._show_mains(now_s)
            self._show_pilot(now_s)

    def bring_car(self, kind: CarClass | None, soc: float | None, now_s: float) -> None:
        """Exchange the car, or set its state of charge. Raises ValueError while it is plugged in."""
        self._bring_to(now_s)
        if self.car is None:
            raise ValueError("no car comes here: the board file has none")
        if self.cable.is_in_car:
            raise ValueError("the car is plugged in: unplug it first")
        self.car.become(kind, soc, now_s)

    def unplug(self, now_s: float, *, car_only: bool = False) -> None:
        """Take the cable out of the car, and out of the box: at once, or when the lock opens."""
        self._bring_to(now_s)
        if car_only:
            self.cable.is_in_car = False
        else:
            self.cable.unplug()
        if self.car is not None and not self.cable.is_in_car:
            self.car.unplug(now_s)
        self._look(now_s)

    def set_wish(self, wants_energy: bool, now_s: float) -> None:
        """The car's driver pauses or resumes."""
        self._bring_to(now_s)
        if self.car is not None:
            self.car.set_wish(wants_energy, now_s)
            self._look(now_s)

    def set_appetite(self, current_a: float | None, phases: int | None, now_s: float) -> None:
        """The car takes no more than this. Raises ValueError."""
        self._bring_to(now_s)
        if self.car is not None:
            self.car.set_appetite(current_a, phases, now_s)
            self._look(now_s)

    def take_cable(self, rating_a: float, now_s: float) -> None:
        """Another cable is at hand, by its rating in A. Raises ValueError."""
        self._bring_to(now_s)
        self.cable.replace_by(rating_a)
        self._look(now_s)

    def has_cause(self, cause: Cause) -> bool:
        """Whether something is broken now."""
        return cause in self._causes

    def set_quirk(self, quirk: Quirk, active: bool, now_s: float) -> None:
        """Give the car a bad habit, or take it away."""
        self._bring_to(now_s)
        if self.car is not None:
            self.car.quirks = self.car.quirks | {quirk} if active else self.car.quirks - {quirk}
            self.car.set_wish(self.car.wants_energy, now_s)
            self._look(now_s)

    def cause(self, cause: Cause, active: bool, now_s: float) -> None:
        """Break something, or mend it; the board's own monitor reports what it watches for."""
        self._bring_to(now_s)
        if active == (cause in self._causes):
            return
        self._causes = self._causes | {cause} if active else self._causes - {cause}
        self.meter.set_cause(cause, active, self.register.energy_wh, now_s)
        if cause is Cause.OVER_TEMPERATURE:
            self._board.hold(OVER_TEMPERATURE_C if active else None, now_s)
        if cause in TRIPPING:
            # A trip also drops the command: mending a fault must never close a contactor.
            self._coil = self._coil and not active
        if cause in (Cause.WELDED_CONTACTOR, Cause.CONTACTOR_STUCK) and not active:
            self.contactor.mend(now_s)
        if cause in QUIRK_OF:
            self.set_quirk(QUIRK_OF[cause], active, now_s)
        if cause in MONITORED and self._has_started:
            self._report_cause(cause, active)
        self._drive(now_s)
        self._show_mains(now_s)

    def _report_cause(self, cause: Cause, active: bool) -> None:
        connector = 0 if cause is Cause.EMERGENCY_STOP else self._outlet.connector
        self._fresh.append(FaultSeen(connector, MONITORED[cause], active, f"simulated {cause.value}"))

    # --- within -------------------------------------------------------------------------------------------------------

    def _shows_s(self) -> float:
        """When the box may see something next; what happens unseen until then is caught up with."""
        shows_s = min(self.contactor.due_s, self.cable.due_s, self.meter.due_s, self._warm_s())
        if self.car is None:
            return shows_s
        return min(shows_s, self.car.steps_s if self.meter.is_watched else self.car.shows_s)

    def _due_s(self) -> float:
        due_s = min(self.contactor.due_s, self.cable.due_s, self.meter.due_s)
        return min(due_s, self.car.due_s) if self.car is not None else due_s

    def _bring_to(self, now_s: float) -> None:
        """Handle everything due up to ``now_s`` in order; time never runs backwards here."""
        while (due_s := self._due_s()) <= now_s:
            self._settle(due_s)
            self._step(self._now_s)
        self._settle(now_s)

    def _settle(self, now_s: float) -> None:
        self._now_s = max(self._now_s, now_s)
        if self.car is not None:
            self.register.add(self.car.settle(self._now_s), self.car.phases)
        self._board.load(self._current_a(self._now_s) / self._outlet.rated.current_a, self._now_s)

    def _step(self, now_s: float) -> None:
        if self.contactor.due_s <= now_s:
            self.contactor.step(
                is_welded=Cause.WELDED_CONTACTOR in self._causes, is_stuck=Cause.CONTACTOR_STUCK in self._causes
            )
            self._show_mains(now_s)
        if self.cable.due_s <= now_s:
            self.cable.step(is_blocked=not self._causes.isdisjoint((Cause.LOCK_JAMMED, Cause.HALF_PLUGGED)))
            self._fresh.append(LockSeen(self._outlet.connector, self.cable.is_locked, self.cable.is_jammed))
        if self.car is not None and self.car.due_s <= now_s:
            self.car.step(now_s)
        if self.meter.due_s <= now_s:
            self._fresh += self.meter.step(self._look_at_meter, now_s)
        self._look(now_s)

    def _drive(self, now_s: float) -> None:
        """Pass the commands on to pilot and coil, as far as the controller is alive and nothing has tripped."""
        if Cause.CONTROLLER_SILENT not in self._causes:
            self._driven_percent = self._duty_percent
        self.contactor.drive(self._coil and self._causes.isdisjoint(TRIPPING), now_s)
        self._show_pilot(now_s)

    def _show_pilot(self, now_s: float) -> None:
        """Let the car see the pilot; a shorted one is none."""
        if self.car is not None:
            is_cut = self._is_pilot_open or Cause.CP_SHORT in self._causes
            self.car.see_pilot(None if is_cut else self._driven_percent, now_s)
        self._look(now_s)

    def _show_mains(self, now_s: float) -> None:
        """Let the car see the mains, if there are any at its inlet."""
        if self.car is not None and self.cable.is_in_car:
            self.car.see_mains(self._mains() if self.contactor.is_closed else None, now_s)
        self._look(now_s)

    def _mains(self) -> Supply:
        supply = self.supply
        if self._phases_joined < supply.phases:
            supply = replace(supply, phases=self._phases_joined)
        if Cause.UNDER_VOLTAGE in self._causes:
            return supply.scaled(UNDER_VOLTAGE_FACTOR)
        return supply.scaled(OVER_VOLTAGE_FACTOR) if Cause.OVER_VOLTAGE in self._causes else supply

    def _phases(self) -> int:
        return self.car.phases if self.car is not None else 0

    def _current_a(self, at_s: float) -> float:
        return self.car.current_at(at_s) if self.car is not None and self.car.phases else 0.0

    def _board_c(self, at_s: float) -> float | None:
        return None if self._outlet.limits.max_board_c is None else self._board.at(at_s)

    def _warm_s(self) -> float:
        """When a watched meter has another degree to report, in s."""
        limit_c = self._outlet.limits.max_board_c
        if limit_c is None or not self.meter.is_watched:
            return inf
        return self._board.crosses_s(self._now_s, limit_c - WARM_K)

    # --- what the box sees of it --------------------------------------------------------------------------------------

    def _start(self, now_s: float) -> None:
        """The first look after power-on: everything is news, and what is broken as well."""
        self._has_started = True
        for cause in sorted(self._causes & MONITORED.keys()):
            self._report_cause(cause, True)
        self._show_pilot(now_s)
        if self._outlet.has_lock:
            self._fresh.append(LockSeen(self._outlet.connector, self.cable.is_locked))

    def _look(self, now_s: float) -> None:
        """Report what the box sees differently from last time."""
        connector = self._outlet.connector
        ohm = self.cable.proximity_ohm
        if ohm != self._reported_ohm and self.cable.kind is CableKind.SOCKET:
            self._reported_ohm = ohm
            self._fresh.append(ProximitySeen(connector, ProximityReading(now_s, ohms=ohm)))
        load, has_diode = (self.car.load, self.car.has_diode) if self.car is not None else (PilotLoad.NONE, True)
        if self._is_pilot_open:
            load = PilotLoad.NONE
        if Cause.CP_SHORT in self._causes:
            load = PilotLoad.SHORT
        seen = look(self._driven_percent, load, has_diode)
        if Cause.CP_UNDEFINED in self._causes and load not in (PilotLoad.NONE, PilotLoad.SHORT):
            seen = UNDEFINED_V, seen[1]
        if seen != self._reported_pilot:
            self._reported_pilot = seen
            volts = self._chance.around(seen[0], self.pilot_noise_v) if self.pilot_noise_v else seen[0]
            self._fresh.append(PilotSeen(connector, PilotReading(now_s, volts=volts, diode_ok=seen[1])))
        if self.contactor.is_closed != self._reported_closed:
            self._reported_closed = self.contactor.is_closed
            self._fresh.append(RelaySeen(connector, self.contactor.is_closed))
        self._fresh += self.meter.changed(self._look_at_meter)
