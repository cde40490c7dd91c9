"""What can break at a simulated outlet, and what a board's own monitor then says of it.

A cause acts physically in the circuit; only where a real board watches for it, a `Fault` is reported as well. A welded
or stuck contactor, a jammed lock, a short on the pilot and a missing diode are for the charger to find out.
"""

from __future__ import annotations

from enum import StrEnum

from hw.ports import CableKind, Fault, Outlet, RelayKind
from hw.sim.cars import Quirk


class Cause(StrEnum):
    """Names that `Hands.cause` takes, beside those of `Quirk`."""

    GROUND_FAULT = "ground_fault"
    RESIDUAL_CURRENT_TEST = "residual_current_test"
    OVER_TEMPERATURE = "over_temperature"
    OVER_VOLTAGE = "over_voltage"
    UNDER_VOLTAGE = "under_voltage"
    OVER_CURRENT = "over_current"
    PROTECTIVE_EARTH = "protective_earth"
    EMERGENCY_STOP = "emergency_stop"
    CONTROLLER_SILENT = "controller_silent"
    METER_SILENT = "meter_silent"
    METER_FROZEN = "meter_frozen"
    METER_REPLACED = "meter_replaced"
    METER_ROLLOVER = "meter_rollover"
    METER_LATE = "meter_late"
    METER_LOSSY = "meter_lossy"
    METER_GLITCH = "meter_glitch"
    METER_REVERSED = "meter_reversed"
    READER_SILENT = "reader_silent"
    INTERNAL = "internal"
    WELDED_CONTACTOR = "welded_contactor"
    CONTACTOR_STUCK = "contactor_stuck"
    LOCK_JAMMED = "lock_jammed"
    HALF_PLUGGED = "half_plugged"
    DIODE_SHORT = "diode_short"
    CP_SHORT = "cp_short"
    CP_UNDEFINED = "cp_undefined"


MONITORED: dict[Cause, Fault] = {
    Cause.GROUND_FAULT: Fault.GROUND_FAULT,
    Cause.RESIDUAL_CURRENT_TEST: Fault.RESIDUAL_CURRENT_TEST,
    Cause.OVER_TEMPERATURE: Fault.OVER_TEMPERATURE,
    Cause.OVER_VOLTAGE: Fault.OVER_VOLTAGE,
    Cause.UNDER_VOLTAGE: Fault.UNDER_VOLTAGE,
    Cause.OVER_CURRENT: Fault.OVER_CURRENT,
    Cause.PROTECTIVE_EARTH: Fault.PROTECTIVE_EARTH,
    Cause.EMERGENCY_STOP: Fault.EMERGENCY_STOP,
    Cause.CONTROLLER_SILENT: Fault.CONTROLLER_SILENT,
    Cause.READER_SILENT: Fault.READER_SILENT,
    Cause.INTERNAL: Fault.INTERNAL,
}
"""Causes that a board reports by itself. A silent meter shows as a read without an answer."""

METER_FAULTS = frozenset(
    (
        Cause.METER_FROZEN,
        Cause.METER_REPLACED,
        Cause.METER_ROLLOVER,
        Cause.METER_LATE,
        Cause.METER_LOSSY,
        Cause.METER_GLITCH,
        Cause.METER_REVERSED,
    )
)
"""Causes that change what the meter shows; `hw.sim.metering` says how."""

TRIPPING = frozenset((Cause.GROUND_FAULT, Cause.EMERGENCY_STOP, Cause.CONTROLLER_SILENT))
"""Causes that cut the coil of the contactor in hardware, whatever is commanded."""

QUIRK_OF = {Cause.OVER_CURRENT: Quirk.OVERDRAW, Cause.DIODE_SHORT: Quirk.NO_DIODE}
"""Causes that are a fault of the car."""

OVER_VOLTAGE_FACTOR = 1.2
UNDER_VOLTAGE_FACTOR = 0.8
OVER_TEMPERATURE_C = 85.0
UNDEFINED_V = 7.5
"""A pilot between the windows of B and C: no state (IEC 61851-1 annex A)."""

def impossible(outlet: Outlet, name: str) -> str | None:
    """Return why nothing at this outlet can break so, None when it can."""
    if name in (Cause.LOCK_JAMMED, Cause.HALF_PLUGGED) and not outlet.has_lock:
        what = "a tethered cable has" if outlet.cable is CableKind.TETHERED else "this socket has"
        return f"{name} cannot be here: {what} no lock"
    if name in (Cause.WELDED_CONTACTOR, Cause.CONTACTOR_STUCK) and outlet.relay is RelayKind.FOLLOWS_PILOT:
        return f"{name} cannot be here: the controller of the board switches the contactor by itself"
    return None


QUIRK_NAMES = frozenset(quirk.value for quirk in Quirk)
NAMES = tuple(word.value for kind in (Cause, Quirk) for word in kind)
"""Every name that `Hands.cause` takes."""
