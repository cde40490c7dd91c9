"""What `fault` can break at a simulated charger, in groups as help lists it, and how each fault ends.

Plain data, cheap to import: `chargepoint ctl fault --help` shows it.
"""

from __future__ import annotations

from typing import NamedTuple

BOX = "Charger"
METER = "Energy meter"
POWER = "Contactor, lock and pilot"
VEHICLE = "Vehicle"

AT_ONCE = "ends with its cause"
UNPLUGGED = "latched until the cable is unplugged"
SERVICE = "latched until `confirm-repair`, over restarts too"
NO_FAULT = "no fault"


class Cause(NamedTuple):
    """A physical cause: its name, what it is, and how the fault that it leads to ends."""

    group: str
    name: str
    what: str
    ends: str = AT_ONCE


CAUSES = (
    Cause(BOX, "ground_fault", "residual current", UNPLUGGED),
    Cause(BOX, "residual_current_test", "the self-test of the residual current device fails"),
    Cause(BOX, "over_temperature", "the board is too hot"),
    Cause(BOX, "over_voltage", "mains voltage too high"),
    Cause(BOX, "under_voltage", "mains voltage too low"),
    Cause(BOX, "over_current", "the vehicle draws more than it is offered", UNPLUGGED),
    Cause(BOX, "protective_earth", "protective earth lost"),
    Cause(BOX, "emergency_stop", "emergency stop pressed"),
    Cause(BOX, "controller_silent", "the board's controller does not answer"),
    Cause(METER, "meter_silent", "the energy meter does not answer"),
    Cause(METER, "meter_frozen", "its register stands still while power flows"),
    Cause(METER, "meter_replaced", "replaced by one that begins at 0", NO_FAULT),
    Cause(METER, "meter_rollover", "its register rolls over to 0 after 500 Wh", NO_FAULT),
    Cause(METER, "meter_late", "its answers are 2 s late", NO_FAULT),
    Cause(METER, "meter_lossy", "it loses 1 % of its answers", NO_FAULT),
    Cause(METER, "meter_glitch", "now and then NaN, or a register that is 1,020 Wh too high", NO_FAULT),
    Cause(METER, "meter_reversed", "current transformers the wrong way round"),
    Cause(BOX, "reader_silent", "the card reader does not answer"),
    Cause(BOX, "internal", "internal error"),
    Cause(POWER, "welded_contactor", "the contactor does not open", SERVICE),
    Cause(POWER, "contactor_stuck", "the contactor does not close", UNPLUGGED),
    Cause(POWER, "lock_jammed", "the cable lock does not move", UNPLUGGED),
    Cause(POWER, "half_plugged", "plug not fully inserted: the lock does not close", UNPLUGGED),
    Cause(POWER, "diode_short", "the diode of the vehicle is shorted", UNPLUGGED),
    Cause(POWER, "cp_short", "control pilot shorted to earth"),
    Cause(POWER, "cp_undefined", "control pilot at 7.5 V while a vehicle is connected: no state"),
    Cause(VEHICLE, "holds_c", "stays in state C when the PWM stops", NO_FAULT),
    Cause(VEHICLE, "no_diode", "no diode: loads the negative half of the pilot too", UNPLUGGED),
    Cause(VEHICLE, "state_d", "asks for ventilation: D instead of C", UNPLUGGED),
    Cause(VEHICLE, "never_c", "never asks for energy", NO_FAULT),
    Cause(VEHICLE, "overdraw", "draws 20 % more than it is offered", UNPLUGGED),
    Cause(VEHICLE, "c_when_full", "stays in state C when full", NO_FAULT),
    Cause(VEHICLE, "simplified", "simplified pilot: A to C directly, 10 A at most", NO_FAULT),
    Cause(VEHICLE, "late_c", "asks for energy 90 s late", NO_FAULT),
    Cause(VEHICLE, "slow_follow", "follows a new duty cycle after 4.9 s", NO_FAULT),
    Cause(VEHICLE, "f_locks_up", "dead after state F until unplugged", NO_FAULT),
    Cause(VEHICLE, "needs_30s_cp", "wakes only after 30 s without pilot", NO_FAULT),
)

CAUSES_OF_ERROR_CODE = {
    "ConnectorLockFailure": "lock_jammed",
    "EVCommunicationError": "diode_short",
    "GroundFailure": "ground_fault",
    "HighTemperature": "over_temperature",
    "InternalError": "internal",
    "OtherError": "emergency_stop",
    "OverCurrentFailure": "over_current",
    "OverVoltage": "over_voltage",
    "PowerMeterFailure": "meter_silent",
    "PowerSwitchFailure": "welded_contactor",
    "ReaderFailure": "reader_silent",
    "UnderVoltage": "under_voltage",
}
"""What breaks so that a charger reports a ChargePointErrorCode (OCPP 1.6 section 7.6): the most telling cause of each.
There is none for LocalListConflict, ResetFailure and WeakSignal: nothing at the outlet brings them about."""

BY_NAME = {cause.name: cause for cause in CAUSES}


def cause_of(what: str) -> str:
    """Return the physical cause that a cause or an error code stands for; what is neither is returned as it is."""
    return CAUSES_OF_ERROR_CODE.get(what, what)


def help_lines() -> list[str]:
    """Return all causes in groups, each with how its fault ends, and the error codes with the cause that each sets."""
    lines = []
    for group in (BOX, METER, POWER, VEHICLE):
        lines.append(f"{group}:")
        lines += [f"  {cause.name:<22} {cause.what}" + _ending(cause) for cause in CAUSES if cause.group == group]
    lines.append("Error codes of OCPP 1.6, each sets a cause:")
    lines += [f"  {code:<22} {cause}" for code, cause in CAUSES_OF_ERROR_CODE.items()]
    lines.append("* The fault is latched: it stays until the cable is unplugged, also after clear-fault.")
    lines.append("** The fault is latched until service: remove its cause, then `confirm-repair`.")
    return lines


def _ending(cause: Cause) -> str:
    return {UNPLUGGED: " *", SERVICE: " **"}.get(cause.ends, "")
