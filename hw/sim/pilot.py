"""The control pilot circuit of IEC 61851-1:2017 annex A, solved electrically.

The box drives +-12 V behind R1; the car loads the positive half through a diode with R2, and with R3 beside it while S2
is closed. Volts are rounded as an ADC of 0.1 V would, which makes them the nominal 12, 9, 6, 3, 0 and -12.
"""

from __future__ import annotations

from enum import Enum
from math import inf

from hw.ports import PILOT_OFF, PILOT_STEADY

DRIVE_V = 12.0
R1_OHM = 1000.0
R2_OHM = 2740.0
R3_C_OHM = 1300.0
R3_D_OHM = 270.0
DIODE_V = 0.75
"""Forward voltage of a silicon diode at the few mA of the pilot."""
DIODE_LIMIT_V = -10.0
"""A negative plateau above this is loaded: there is no diode. EVSE practice is a limit of -10 to -11 V."""


def parallel_ohm(first_ohm: float, second_ohm: float) -> float:
    """Return two resistors beside each other."""
    return first_ohm * second_ohm / (first_ohm + second_ohm)


class PilotLoad(Enum):
    """What the car puts between pilot and earth, in ohm."""

    NONE = inf
    B = R2_OHM
    C = parallel_ohm(R2_OHM, R3_C_OHM)
    D = parallel_ohm(R2_OHM, R3_D_OHM)
    SHORT = 0.0


def plateau_v(drive_v: float, load: PilotLoad, has_diode: bool = True) -> float:
    """Return the volts between pilot and earth while the box drives ``drive_v``."""
    if load is PilotLoad.NONE:
        return drive_v
    if load is PilotLoad.SHORT:
        return 0.0
    if has_diode and drive_v <= 0.0:
        return drive_v
    drop_v = DIODE_V if has_diode else 0.0
    load_ohm = float(load.value)
    return round(drop_v + (drive_v - drop_v) * load_ohm / (R1_OHM + load_ohm), 1)


def is_pwm(duty_percent: float) -> bool:
    """Whether a duty is modulated at all: 0 and 100 % are steady."""
    return PILOT_OFF < duty_percent < PILOT_STEADY


def look(duty_percent: float, load: PilotLoad, has_diode: bool) -> tuple[float, bool | None]:
    """Return what the box sees: volts of the positive plateau (of the only one when steady), and the diode check.

    The diode cannot be judged without PWM, nor behind a short.
    """
    if duty_percent <= PILOT_OFF:
        return plateau_v(-DRIVE_V, load, has_diode), None
    volts = plateau_v(DRIVE_V, load, has_diode)
    if not is_pwm(duty_percent) or load is PilotLoad.SHORT:
        return volts, None
    return volts, plateau_v(-DRIVE_V, load, has_diode) < DIODE_LIMIT_V


def allowed_current_a(duty_percent: float) -> float:
    """Return the current in A that a car may draw at a duty cycle, 0.0 where it may draw nothing.

    3..7 % asks for digital communication, which a basic car lacks. Source: IEC 61851-1:2017 annex A, EV side.
    """
    if 8.0 <= duty_percent < 10.0:
        return 6.0
    if 10.0 <= duty_percent <= 85.0:
        return duty_percent * 0.6
    if 85.0 < duty_percent <= 96.0:
        return (duty_percent - 64.0) * 2.5
    if 96.0 < duty_percent <= 97.0:
        return 80.0
    return 0.0
