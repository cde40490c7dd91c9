"""Drivers of simulated devices: their options as a board file gives them, and how they join one circuit.

All simulated devices of one connector share its `Circuit`; whichever driver is built first brings it along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Annotated, ClassVar

from hw.binding import Bounds, OneOf, Seconds, Share, SharePerDay
from hw.driver import Driver, Place, ReaderDriver
from hw.ports import Hands, Indicator, Lock, Meter, PhaseSwitch, Pilot, Relay, TagReader
from hw.sim.cable import PROXIMITY_OHM, Cable
from hw.sim.car import Car
from hw.sim.cars import CLASSES, Quirk
from hw.sim.chance import Chance
from hw.sim.circuit import Circuit
from hw.sim.contactor import Contactor
from hw.sim.habits import CarOptions
from hw.sim.handling import (
    SimulatedHands,
    SimulatedIndicator,
    SimulatedLock,
    SimulatedMeter,
    SimulatedPhaseSwitch,
    SimulatedPilot,
    SimulatedReader,
    SimulatedRelay,
)
from hw.sim.onboard import Supply
from hw.sim.register import Register

CableRating = Annotated[str, OneOf(tuple(f"{rating_a:g}" for rating_a in PROXIMITY_OHM))]


def circuit_at(place: Place) -> Circuit:
    """Return the circuit that the simulated drivers of a connector share."""
    circuit = place.shared.get(Circuit)
    if not isinstance(circuit, Circuit):
        outlet = place.outlet
        rating_a = outlet.cable_rating_a or outlet.rated.current_a
        circuit = Circuit(outlet, place.report, cable_a=rating_a, seed=place.seed)
        place.shared[Circuit] = circuit
        place.processes.append(circuit)
    return circuit


@dataclass(frozen=True)
class SimPilot(Driver[Pilot]):
    """Pilot; ``noise_v`` is the greatest error of a reading in V."""

    is_simulated: ClassVar[bool] = True
    noise_v: Annotated[float, Bounds(0.0, 1.0)] = 0.0

    def build(self, place: Place) -> Pilot:
        circuit = circuit_at(place)
        circuit.pilot_noise_v = self.noise_v
        return SimulatedPilot(circuit)


@dataclass(frozen=True)
class SimRelay(Driver[Relay]):
    """Contactor; ``travel_s`` from coil to contacts."""

    is_simulated: ClassVar[bool] = True
    travel_s: Seconds = 0.02

    def build(self, place: Place) -> Relay:
        circuit = circuit_at(place)
        circuit.contactor = Contactor(self.travel_s)
        return SimulatedRelay(circuit)


@dataclass(frozen=True)
class SimPhaseSwitch(Driver[PhaseSwitch]):
    """Relay between one phase and three; it begins with all phases of the outlet."""

    is_simulated: ClassVar[bool] = True

    def build(self, place: Place) -> PhaseSwitch:
        return SimulatedPhaseSwitch(circuit_at(place))


@dataclass(frozen=True)
class SimLock(Driver[Lock]):
    """Cable lock; ``motor_s`` for one movement."""

    is_simulated: ClassVar[bool] = True
    motor_s: Seconds = 0.3

    def build(self, place: Place) -> Lock:
        circuit = circuit_at(place)
        circuit.cable.motor_s = self.motor_s
        return SimulatedLock(circuit)


@dataclass(frozen=True)
class SimMeter(Driver[Meter]):
    """Energy meter; ``register_wh`` is where it starts, ``class_error`` its greatest gain error (class 1: ``1%``),
    drawn once a meter by the seed."""

    is_simulated: ClassVar[bool] = True
    register_wh: Annotated[float | None, Bounds(minimum=0.0)] = None
    class_error: Share = 0.0
    resolution_wh: Annotated[float, Bounds(minimum=0.0)] = 0.0

    def build(self, place: Place) -> Meter:
        circuit = circuit_at(place)
        told = (place.register_wh, self.register_wh, place.default_register_wh)
        circuit.register = Register(
            place.outlet.rated.phases,
            next(each for each in told if each is not None),
            gain=Chance(place.seed).around(1.0, self.class_error) if self.class_error else 1.0,
            resolution_wh=self.resolution_wh,
            phase_energy=place.outlet.meter_has_phase_energy,
        )
        return SimulatedMeter(circuit)


@dataclass(frozen=True)
class SimIndicator(Driver[Indicator]):
    """Display without a lamp."""

    is_simulated: ClassVar[bool] = True

    def build(self, place: Place) -> Indicator:
        return SimulatedIndicator()


@dataclass(frozen=True)
class SimMains(Driver[None]):
    """What feeds the outlet, by default at its rated voltage.

    ``source_ohm`` makes the voltage sag under load (typical: 0.15 to 0.35 ohm).
    """

    is_simulated: ClassVar[bool] = True
    voltage_v: Annotated[float | None, Bounds(80.0, 300.0)] = None
    frequency_hz: Annotated[float, Bounds(45.0, 65.0)] = 50.0
    source_ohm: Annotated[float, Bounds(0.0, 1.0)] = 0.0

    def build(self, place: Place) -> None:
        circuit = circuit_at(place)
        voltage_v = place.outlet.rated.voltage_v if self.voltage_v is None else self.voltage_v
        circuit.supply = Supply(voltage_v, place.outlet.rated.phases, self.source_ohm, self.frequency_hz)


@dataclass(frozen=True)
class SimCar(Driver[Hands]):
    """A car, its cable (``cable_a``, at a socket), and the people who handle both.

    ``drives``: what the car uses up of its battery in a day, such as ``20-60 %/day``: it comes back with so much less.
    """

    is_simulated: ClassVar[bool] = True
    model: Annotated[str, OneOf(tuple(CLASSES))] = "bev_3p16_mid"
    soc: Share = 0.2
    target_soc: Share = 1.0
    battery_efficiency: Share = 0.985
    top_up: Seconds = inf
    drives: SharePerDay | None = None
    cable_a: CableRating = "32"
    quirks: tuple[Quirk, ...] = ()
    plugged: bool = False

    @cached_property
    def _options(self) -> CarOptions:
        return CarOptions(
            kind=CLASSES[self.model],
            soc=self.soc,
            target_soc=self.target_soc,
            battery_efficiency=self.battery_efficiency,
            top_up_s=self.top_up,
            drives_per_day=self.drives,
            quirks=frozenset(self.quirks),
        )

    def build(self, place: Place) -> Hands:
        circuit = circuit_at(place)
        if place.outlet.cable_rating_a is None:
            circuit.cable = Cable(place.outlet.cable, float(self.cable_a), circuit.cable.motor_s)
        circuit.car = Car(self._options, place.seed)
        if self.plugged:
            circuit.plug_in(0.0)
        return SimulatedHands(circuit)


@dataclass(frozen=True)
class SimTags(ReaderDriver):
    """Card reader: cards are held to it from the control page, the command line or a scenario."""

    is_simulated: ClassVar[bool] = True

    def build(self, places: Sequence[Place]) -> TagReader:
        connectors = tuple(place.outlet.connector for place in places)
        circuits = tuple(found for place in places if isinstance(found := place.shared.get(Circuit), Circuit))
        return SimulatedReader(connectors, circuits, places[0].report)
