"""What a charger's hardware can do: values, ports and the board that holds them.

Three words, kept apart: a *port* is what a thing can do (a Protocol here), a *line* is where it is (a serial device, a
bus), a *driver* is how to talk to it. Commands go down as method calls and never wait; whatever the hardware has to say
comes back as an `Observation`, later, through the `report` function a driver was built with. A command counts as done
when an observation says so, not when it was given.

Units are in the names. ``now_s`` is charger time in seconds (monotonic); a connector is numbered from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol

PILOT_STEADY = 100.0
"""Duty in % of the pilot that is not modulated: steady +12 V, "EVSE not ready" (x1)."""

PILOT_OFF = 0.0
"""Duty in % of the pilot held at steady −12 V: state F, "EVSE not available"."""


# --- what is fitted ---------------------------------------------------------------------------------------------------


class CableKind(StrEnum):
    """How the car's cable meets the box."""

    TETHERED = "tethered"
    SOCKET = "socket"


class RelayKind(StrEnum):
    """Who switches the contactor: we (``direct``), or the board's controller by the pilot state (``follows_pilot``)."""

    DIRECT = "direct"
    FOLLOWS_PILOT = "follows_pilot"


@dataclass(frozen=True, slots=True)
class Rated:
    """What an outlet is built for."""

    current_a: float
    phases: int
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an outlet that no command may widen; ``max_board_c`` None: no temperature sensor.

    ``min_v`` and ``max_v`` bound the mains voltage of each phase to neutral.
    """

    min_a: float = 6.0
    max_a: float = 32.0
    max_board_c: float | None = None
    min_v: float = 196.0
    max_v: float = 264.0


@dataclass(frozen=True, slots=True)
class Outlet:
    """What is fitted at one connector. ``cable_rating_a`` is None at a socket: the plug's resistor tells.

    ``has_pilot_relay``: `Pilot.set_open` works. ``drives_state_f``: the pilot shows state F after a hard fault; some old
    cars lock up on it. ``may_raise_phases``: a phase switch may go from one phase to three; some cars are destroyed by it.
    ``has_vehicle_soc``: readings carry the car's state of charge, which only a simulated car tells: the pilot of
    IEC 61851-1 has no way to.
    """

    connector: int
    rated: Rated
    limits: Limits
    cable: CableKind
    cable_rating_a: float | None
    relay: RelayKind = RelayKind.DIRECT
    has_lock: bool = False
    has_feedback: bool = True
    has_light: bool = False
    is_ventilated: bool = False
    meter_has_phase_energy: bool = False
    has_vehicle_soc: bool = False
    has_pilot_relay: bool = False
    drives_state_f: bool = True
    has_phase_switch: bool = False
    may_raise_phases: bool = False

    @property
    def most_a(self) -> float:
        """The most it may ever offer, in A per phase, whatever cable is in."""
        return min(self.rated.current_a, self.limits.max_a)


# --- what the hardware says -------------------------------------------------------------------------------------------


class PilotState(StrEnum):
    """IEC 61851-1 states of the control pilot, without the index: x1 or x2 is our own doing."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"


@dataclass(frozen=True, slots=True)
class PilotReading:
    """The control pilot as seen: ``volts`` of the positive plateau, or a ``state`` where a controller tells no volts.

    ``diode_ok`` is None while it cannot be judged (no PWM, so no negative plateau).
    """

    at_s: float
    volts: float | None = None
    state: PilotState | None = None
    diode_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class ProximityReading:
    """The plug's coding resistor in Ω (None: no plug), or the rating in A where a controller already judged it."""

    at_s: float
    ohms: float | None = None
    rating_a: float | None = None


PhaseValues = tuple[float | None, ...]
"""One value a phase (L1, L2, L3); None for a phase that the meter did not tell."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the meter; None or () is what it cannot tell. ``at_s`` is when it was taken.

    ``vehicle_soc`` is what the car tells of its battery, 0..1, see `Outlet.has_vehicle_soc`.
    ``reactive_power_var`` is positive for an inductive load, negative for a capacitive one.
    """

    at_s: float
    energy_wh: float
    power_w: PhaseValues = ()
    current_a: PhaseValues = ()
    voltage_v: PhaseValues = ()
    phase_energy_wh: PhaseValues = ()
    power_factor: float | None = None
    reactive_power_var: float | None = None
    frequency_hz: float | None = None
    board_c: float | None = None
    vehicle_soc: float | None = None

    @property
    def total_power_w(self) -> float:
        """Active power of all phases in W, as far as they are known."""
        return sum([power_w for power_w in self.power_w if power_w is not None])


class Fault(Enum):
    """Physical causes a board can report of itself; what they mean to a central system is not decided here."""

    GROUND_FAULT = "ground_fault"
    RESIDUAL_CURRENT_TEST = "residual_current_test"
    OVER_TEMPERATURE = "over_temperature"
    OVER_VOLTAGE = "over_voltage"
    UNDER_VOLTAGE = "under_voltage"
    OVER_CURRENT = "over_current"
    PROTECTIVE_EARTH = "protective_earth"
    EMERGENCY_STOP = "emergency_stop"
    METER_SILENT = "meter_silent"
    READER_SILENT = "reader_silent"
    CONTROLLER_SILENT = "controller_silent"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class PilotSeen:
    connector: int
    reading: PilotReading


@dataclass(frozen=True, slots=True)
class ProximitySeen:
    connector: int
    reading: ProximityReading


@dataclass(frozen=True, slots=True)
class RelaySeen:
    """The contactor's feedback: what the main contacts do, whatever was commanded."""

    connector: int
    closed: bool


@dataclass(frozen=True, slots=True)
class LockSeen:
    """The cable lock's feedback. ``jammed``: the motor ran and did not arrive where it was sent."""

    connector: int
    locked: bool
    jammed: bool = False


@dataclass(frozen=True, slots=True)
class MeterRead:
    """The answer to `Meter.read`, with its ``ref``; ``reading`` None: the meter did not answer."""

    connector: int
    ref: object
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class MeterSeen:
    """What a watched meter shows now, see `Meter.watch`; ``reading`` None: it does not answer."""

    connector: int
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class PhasesSeen:
    """The phase switch has arrived: the outlet has so many phases, 1 or 3."""

    connector: int
    phases: int


@dataclass(frozen=True, slots=True)
class TagSeen:
    """A card at a reader that serves ``connectors``; ``tag`` is the card number as text."""

    tag: str
    connectors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """A fault came (``active``) or went; ``connector`` 0 is the whole box."""

    connector: int
    fault: Fault
    active: bool
    info: str = ""


Observation = PilotSeen | ProximitySeen | RelaySeen | LockSeen | MeterRead | MeterSeen | PhasesSeen | TagSeen | FaultSeen
Report = Callable[[Observation], None]


# --- what can be asked of it ------------------------------------------------------------------------------------------


class Pilot(Protocol):
    """Control pilot: drives the duty, reports `PilotSeen` at every change of what it sees."""

    def set_duty(self, duty_percent: float, now_s: float) -> None:
        """Drive the pilot: 100 steady +12 V, 0 steady −12 V, anything between is PWM. In %."""

    def set_open(self, is_open: bool, now_s: float) -> None:
        """Interrupt the pilot between box and car, or join it again; the duty stays as driven.

        While it is open the readings say nothing of the car. Only where `Outlet.has_pilot_relay`.
        """


class Relay(Protocol):
    """Contactor, or the permission to close it; reports `RelaySeen` whenever its feedback changes."""

    def set_closed(self, closed: bool, now_s: float) -> None:
        """Close or open the main contacts."""


class Lock(Protocol):
    """Cable lock of a socket; reports `LockSeen` when a movement has ended."""

    def set_locked(self, locked: bool, now_s: float) -> None:
        """Start to lock or unlock."""


class Meter(Protocol):
    """Energy meter; answers every `read` with one `MeterRead` that carries the same ``ref``."""

    def read(self, ref: object, now_s: float) -> None:
        """Ask for a reading."""

    def watch(self, is_on: bool, now_s: float) -> None:
        """Report `MeterSeen` from now on, or no longer.

        A meter on a bus reports each poll, one a second, failed polls included. A device that computes its readings
        reports when current, voltage, temperature or its silence change: the last report stands until the next one.
        """

    def peek(self, now_s: float) -> Reading | None:
        """Return what a display shows at ``now_s``; None while the meter does not answer.

        A query: it changes neither the meter nor the board, and reports nothing. A simulated meter computes the reading
        of that instant; a meter on a bus returns its last poll, with the instant of that poll in ``at_s``.
        """


class PhaseSwitch(Protocol):
    """Relay that joins an outlet to one phase (L1) or to three; reports `PhasesSeen` when it has arrived."""

    def set_phases(self, phases: int, now_s: float) -> None:
        """Go to 1 or 3 phases. Never under load: the contactor must be open and the pilot interrupted."""


class Indicator(Protocol):
    """The light of an outlet."""

    def show(self, colour: str, intensity_percent: int, blinks: int, now_s: float) -> None:
        """Blink ``blinks`` times, then stay lit in ``colour`` (off, white, green, yellow, blue, red)."""


class Process(Protocol):
    """Something that goes on by itself between commands: a simulated circuit, a poller of a bus."""

    def advance(self, now_s: float) -> float:
        """Bring it to ``now_s`` and return when it wants to be called next, in s (``inf``: only after a command)."""

    def announce(self) -> None:
        """Report everything that is seen, and every active fault, at the next `advance`: somebody new is listening."""

    def snapshot(self) -> Mapping[str, object]:
        """What must survive a restart, as plain JSON values ({}: nothing)."""

    def restore(self, saved: Mapping[str, object], now_s: float) -> None:
        """Take up a `snapshot`; whatever it does not hold stays as built."""


class Hands(Protocol):
    """What people do at a simulated outlet. Real boards have none: nobody may pretend electricity there."""

    @property
    def causes(self) -> Sequence[str]:
        """Names that `cause` takes: the ways in which this outlet and its car can be broken."""

    @property
    def is_plugged(self) -> bool:
        """Whether the car is connected at both ends of the cable."""

    @property
    def is_pulling(self) -> bool:
        """Whether the cable is out of the car, and its plug is locked in the socket and comes out when the lock opens."""

    def soc_at(self, now_s: float) -> float:
        """Return the state of charge of the car, 0..1: for people and tests, a charger cannot know it."""

    @property
    def goal_soc(self) -> float:
        """The state of charge at which the car stops to charge, 0..1."""

    @property
    def broken(self) -> Sequence[str]:
        """What of `causes` is broken now."""

    def plug_in(self, now_s: float) -> None:
        """Connect the car: cable into the socket (if there is one) and into the car."""

    def unplug(self, now_s: float) -> None:
        """Take the cable out at both ends; the end in a locked socket comes out as soon as the lock opens."""

    def unplug_car(self, now_s: float) -> None:
        """Take the cable out at the car's end only."""

    def brings_car(self, model: str | None, soc: float | None, now_s: float) -> None:
        """Another car comes, or the same one charged to ``soc`` (0..1); None: as it is.

        Raises ValueError for a model that does not exist, and while the car is plugged in.
        """

    def wants_energy(self, wants: bool, now_s: float) -> None:
        """The car's driver pauses (False: S2 opens, pilot goes to B) or resumes charging."""

    def draws(self, current_a: float | None, phases: int | None, now_s: float) -> None:
        """The car takes no more than this, in A of each phase, on so many phases; None: as much as its class does.

        Raises ValueError for a current or a number of phases that no car has.
        """

    def takes_cable(self, rating_a: float, now_s: float) -> None:
        """The driver has another cable, by its rating in A: 13, 20, 32 or 63. Raises ValueError when that cannot be."""

    def cause(self, name: str, active: bool, now_s: float) -> None:
        """Break something, or mend it. Raises KeyError for an unknown name, ValueError for what cannot be here."""


class TagReader(Protocol):
    """Card reader; reports `TagSeen`."""

    connectors: tuple[int, ...]

    def present(self, tag: str, now_s: float) -> None:
        """Hold a card to a simulated reader. Raises HardwareError on a real one."""


@dataclass(slots=True)
class OutletPorts:
    """The drivers of one connector."""

    outlet: Outlet
    pilot: Pilot
    relay: Relay
    meter: Meter
    lock: Lock | None = None
    indicator: Indicator | None = None
    phase_switch: PhaseSwitch | None = None
    hands: Hands | None = None


@dataclass(slots=True)
class Board:
    """One charger's hardware: the outlets in connector order, and the processes that drive them.

    ``is_simulated`` is True when nothing of it is real; only such a board may run on a clock that jumps.
    ``vendor``, ``model`` and the meter's names come from the board file and serve BootNotification by default.
    """

    name: str
    outlets: Sequence[OutletPorts]
    readers: Sequence[TagReader] = ()
    processes: Sequence[Process] = ()
    is_simulated: bool = False
    vendor: str = ""
    model: str = ""
    meter_type: str = ""

    def outlet(self, connector: int) -> OutletPorts:
        """Return the ports of a connector (from 1). Raises IndexError when there is none."""
        if connector < 1:
            raise IndexError(f"no connector {connector}")
        return self.outlets[connector - 1]

    def advance(self, now_s: float) -> float:
        """Bring every process to ``now_s`` and return when the board wants to be called next, in s."""
        due_s = float("inf")
        for process in self.processes:
            due_s = min(due_s, process.advance(now_s))
        return due_s

    def announce(self) -> None:
        """Let every process report anew what it sees, at the next `advance`."""
        for process in self.processes:
            process.announce()

    def snapshot(self) -> list[Mapping[str, object]]:
        """What must survive a restart, one mapping a process, as plain JSON values."""
        return [process.snapshot() for process in self.processes]

    def restore(self, saved: Sequence[Mapping[str, object]], now_s: float) -> None:
        """Take up a `snapshot` of the same board file."""
        for process, state in zip(self.processes, saved, strict=False):
            process.restore(state, now_s)
