"""The ports of a simulated outlet: thin views of one `Circuit`, as the charger and as people see it."""

from __future__ import annotations

from collections.abc import Sequence

from hw.ports import Reading, Report, TagSeen
from hw.sim.cars import CLASSES, Quirk
from hw.sim.circuit import Circuit
from hw.sim.faults import NAMES, QUIRK_NAMES, Cause, impossible
from hw.words import hint


class _View:
    __slots__ = ("_circuit",)

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit


class SimulatedPilot(_View):
    """`hw.ports.Pilot`."""

    __slots__ = ()

    def set_duty(self, duty_percent: float, now_s: float) -> None:
        self._circuit.set_duty(duty_percent, now_s)

    def set_open(self, is_open: bool, now_s: float) -> None:
        self._circuit.set_pilot_open(is_open, now_s)


class SimulatedRelay(_View):
    """`hw.ports.Relay`."""

    __slots__ = ()

    def set_closed(self, closed: bool, now_s: float) -> None:
        self._circuit.set_coil(closed, now_s)


class SimulatedLock(_View):
    """`hw.ports.Lock`."""

    __slots__ = ()

    def set_locked(self, locked: bool, now_s: float) -> None:
        self._circuit.set_locked(locked, now_s)


class SimulatedPhaseSwitch(_View):
    """`hw.ports.PhaseSwitch`."""

    __slots__ = ()

    def set_phases(self, phases: int, now_s: float) -> None:
        self._circuit.set_phases(phases, now_s)


class SimulatedMeter(_View):
    """`hw.ports.Meter`."""

    __slots__ = ()

    def read(self, ref: object, now_s: float) -> None:
        self._circuit.read_meter(ref, now_s)

    def watch(self, is_on: bool, now_s: float) -> None:
        self._circuit.watch_meter(is_on, now_s)

    def peek(self, now_s: float) -> Reading | None:
        return self._circuit.peek_meter(now_s)


class SimulatedHands(_View):
    """`hw.ports.Hands`: the people around a simulated outlet."""

    __slots__ = ()

    @property
    def causes(self) -> Sequence[str]:
        """What can break here: not everything is fitted at every outlet."""
        return tuple(name for name in NAMES if impossible(self._circuit.outlet, name) is None)

    @property
    def is_plugged(self) -> bool:
        """Whether the car is connected at both ends of the cable."""
        return self._circuit.cable.is_in_box and self._circuit.cable.is_in_car

    @property
    def is_pulling(self) -> bool:
        """Whether the cable is out of the car, and its plug is locked in the socket and comes out when the lock opens."""
        return self._circuit.cable.is_pulled

    @property
    def broken(self) -> Sequence[str]:
        """What of `causes` is broken now."""
        car = self._circuit.car
        quirks = frozenset() if car is None else car.quirks
        return [
            *(cause.value for cause in Cause if self._circuit.has_cause(cause)),
            *(quirk.value for quirk in Quirk if quirk in quirks),
        ]

    def soc_at(self, now_s: float) -> float:
        return self._circuit.soc_at(now_s)

    @property
    def goal_soc(self) -> float:
        """The state of charge at which the car stops to charge, 0..1."""
        return self._circuit.goal_soc

    def plug_in(self, now_s: float) -> None:
        self._circuit.plug_in(now_s)

    def unplug(self, now_s: float) -> None:
        self._circuit.unplug(now_s)

    def unplug_car(self, now_s: float) -> None:
        self._circuit.unplug(now_s, car_only=True)

    def brings_car(self, model: str | None, soc: float | None, now_s: float) -> None:
        if model is not None and model not in CLASSES:
            raise ValueError(f"unknown model {model!r}: {hint(model, CLASSES)}")
        self._circuit.bring_car(None if model is None else CLASSES[model], soc, now_s)

    def wants_energy(self, wants: bool, now_s: float) -> None:
        self._circuit.set_wish(wants, now_s)

    def draws(self, current_a: float | None, phases: int | None, now_s: float) -> None:
        self._circuit.set_appetite(current_a, phases, now_s)

    def takes_cable(self, rating_a: float, now_s: float) -> None:
        self._circuit.take_cable(rating_a, now_s)

    def cause(self, name: str, active: bool, now_s: float) -> None:
        if name not in NAMES:
            raise KeyError(name)
        reason = impossible(self._circuit.outlet, name)
        if reason is not None:
            raise ValueError(reason)
        if name in QUIRK_NAMES:
            self._circuit.set_quirk(Quirk(name), active, now_s)
        else:
            self._circuit.cause(Cause(name), active, now_s)


class SimulatedIndicator:
    """`hw.ports.Indicator` that remembers what it shows, and how often it has blinked."""

    __slots__ = ("blinks", "colour", "intensity_percent")

    def __init__(self) -> None:
        self.colour = "off"
        self.intensity_percent = 0
        self.blinks = 0

    def show(self, colour: str, intensity_percent: int, blinks: int, now_s: float) -> None:
        self.colour = colour
        self.intensity_percent = intensity_percent
        self.blinks += blinks


class SimulatedReader:
    """`hw.ports.TagReader`; a card held to it is reported at once, for no command of the charger is under way."""

    __slots__ = ("_circuits", "_report", "connectors")

    def __init__(self, connectors: tuple[int, ...], circuits: tuple[Circuit, ...], report: Report) -> None:
        self.connectors = connectors
        self._circuits = circuits
        self._report = report

    def present(self, tag: str, now_s: float) -> None:
        """Hold a card to the reader; a silent reader sees nothing."""
        if not any(circuit.has_cause(Cause.READER_SILENT) for circuit in self._circuits):
            self._report(TagSeen(tag, self.connectors))
