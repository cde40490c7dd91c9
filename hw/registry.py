"""Which drivers there are, by the name that a board file picks them with: ``{driver: sim.pilot}``.

A new driver is one line here; the loader knows none of them.
"""

from __future__ import annotations

from hw.driver import Driver, ReaderDriver
from hw.ports import Hands, Indicator, Lock, Meter, PhaseSwitch, Pilot, Relay
from hw.sim import drivers as sim

PILOTS: dict[str, type[Driver[Pilot]]] = {"sim.pilot": sim.SimPilot}
RELAYS: dict[str, type[Driver[Relay]]] = {"sim.relay": sim.SimRelay}
METERS: dict[str, type[Driver[Meter]]] = {"sim.meter": sim.SimMeter}
LOCKS: dict[str, type[Driver[Lock]]] = {"sim.lock": sim.SimLock}
INDICATORS: dict[str, type[Driver[Indicator]]] = {"sim.indicator": sim.SimIndicator}
PHASE_SWITCHES: dict[str, type[Driver[PhaseSwitch]]] = {"sim.phase_switch": sim.SimPhaseSwitch}
MAINS: dict[str, type[Driver[None]]] = {"sim.mains": sim.SimMains}
CARS: dict[str, type[Driver[Hands]]] = {"sim.car": sim.SimCar}
READERS: dict[str, type[ReaderDriver]] = {"sim.tags": sim.SimTags}
