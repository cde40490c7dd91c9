"""A board file once it is understood: which drivers are fitted where, ready to build any number of boards."""

from __future__ import annotations

from dataclasses import dataclass

from hw.driver import Driver, Place, ReaderDriver
from hw.ports import (
    Board,
    CableKind,
    Hands,
    Indicator,
    Lock,
    Meter,
    Outlet,
    OutletPorts,
    PhaseSwitch,
    Pilot,
    Process,
    Relay,
    Report,
)


@dataclass(frozen=True, slots=True)
class BoardSummary:
    """One line of a list of boards."""

    name: str
    description: str
    outlets: int
    current_a: float
    phases: int
    cable: CableKind


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """The drivers of one connector, with their options."""

    outlet: Outlet
    pilot: Driver[Pilot]
    relay: Driver[Relay]
    meter: Driver[Meter]
    lock: Driver[Lock] | None
    indicator: Driver[Indicator] | None
    phase_switch: Driver[PhaseSwitch] | None
    mains: Driver[None] | None
    car: Driver[Hands] | None

    @property
    def is_simulated(self) -> bool:
        """Whether nothing at this connector is real."""
        fitted = (self.pilot, self.relay, self.meter, self.lock, self.indicator, self.phase_switch)
        return all(driver.is_simulated for driver in fitted if driver is not None)

    @property
    def real_electricity(self) -> str | None:
        """The first of pilot, relay and meter that is real, None if none is."""
        fitted = {"pilot": self.pilot, "relay": self.relay, "meter": self.meter}
        return next((name for name, driver in fitted.items() if not driver.is_simulated), None)

    def build(self, place: Place) -> OutletPorts:
        """Return the ports at ``place``."""
        if self.mains is not None:
            self.mains.build(place)
        return OutletPorts(
            outlet=self.outlet,
            pilot=self.pilot.build(place),
            relay=self.relay.build(place),
            meter=self.meter.build(place),
            lock=self.lock.build(place) if self.lock is not None else None,
            indicator=self.indicator.build(place) if self.indicator is not None else None,
            phase_switch=self.phase_switch.build(place) if self.phase_switch is not None else None,
            # The car comes last: one that is plugged in from the start meets a complete circuit.
            hands=self.car.build(place) if self.car is not None else None,
        )


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """A board file, understood.

    Lines, once there are serial drivers, are opened in `build` and handed on by `Place`.
    """

    name: str
    description: str
    vendor: str
    model: str
    meter_type: str
    connectors: tuple[ConnectorPlan, ...]
    readers: tuple[tuple[ReaderDriver, tuple[int, ...]], ...]

    @property
    def is_simulated(self) -> bool:
        """Whether nothing of the board is real."""
        connectors = all(connector.is_simulated for connector in self.connectors)
        return connectors and all(driver.is_simulated for driver, _served in self.readers)

    def build(
        self, report: Report, seed: int = 0, register_wh: float | None = None, default_register_wh: float = 0.0
    ) -> Board:
        """Return a board that says what it sees through ``report``; ``register_wh`` is where its meters start, in Wh.

        Without it the board file says where, and without that too the first meter starts at ``default_register_wh``, the
        second at half of it, and so on.

        The same ``seed`` gives the same chances. Nothing is reported before the board is first advanced.
        """
        processes: list[Process] = []
        places = [
            Place(
                plan.outlet,
                report,
                processes,
                seed=(seed << 8) + plan.outlet.connector,
                register_wh=register_wh,
                default_register_wh=default_register_wh / plan.outlet.connector,
            )
            for plan in self.connectors
        ]
        outlets = tuple(plan.build(place) for plan, place in zip(self.connectors, places, strict=True))
        readers = tuple(driver.build([places[number - 1] for number in served]) for driver, served in self.readers)
        return Board(
            name=self.name,
            outlets=outlets,
            readers=readers,
            processes=tuple(processes),
            is_simulated=self.is_simulated,
            vendor=self.vendor,
            model=self.model,
            meter_type=self.meter_type,
        )

    def summary(self) -> BoardSummary:
        """Return what a list of boards shows of it; outlets of one box are alike in all that is shown."""
        outlet = self.connectors[0].outlet
        return BoardSummary(
            name=self.name,
            description=self.description,
            outlets=len(self.connectors),
            current_a=outlet.rated.current_a,
            phases=outlet.rated.phases,
            cable=outlet.cable,
        )
