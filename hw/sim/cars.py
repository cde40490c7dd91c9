"""Classes of cars as data, and the ways in which a car can misbehave.

The figures are those of the EV model (sections 4 and 5): generic classes, illustrative, no maker's data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

REFERENCE_V = 230.0
"""Voltage to earth at which a class's rated power is stated."""


@dataclass(frozen=True, slots=True)
class CarClass:
    """What the cars of one class share.

    ``taper_soc``, ``taper_exponent`` and ``cut_off_w`` shape the end of charging: up to ``taper_soc`` the battery takes
    what the on-board charger gives, then ever less, and below ``cut_off_w`` the cells are balanced. ``loss_*`` are the
    charger's losses: P0, k1 * P and k2 * P**2. ``power_factor_slope`` is ``a`` in PF(I) = 1 - a * (I_full / I - 1).

    ``min_a`` is the least current per phase, ``min_three_phase_a`` that on three phases where it is another one.
    ``is_capacitive``: its current leads the voltage, so it exports reactive power.

    The EV model names 0.995 for the power factor at full current, but its reference results have 11.04 kW at 3 x 16 A
    and 230 V, which is a power factor of 1; the reference results win.
    """

    name: str
    phases: int
    max_a: float
    min_a: float
    capacity_kwh: float
    taper_soc: float
    taper_exponent: float
    cut_off_w: float
    loss_w: float
    loss_per_w: float
    loss_per_w2: float
    ramp_up_a_per_s: float
    ready_delay_s: float
    draw_delay_s: float
    power_factor_slope: float
    balancing_w: float
    balancing_s: float
    sleeps_after_s: float = inf
    wakes_on_pwm: bool = False
    wake_pulse_s: float = 4.0
    ramp_down_a_per_s: float = 10.0
    min_three_phase_a: float | None = None
    is_capacitive: bool = False

    def least_a(self, phases: int) -> float:
        """Return the least current in A per phase with which the car charges on so many phases."""
        if phases >= 3 and self.min_three_phase_a is not None:
            return self.min_three_phase_a
        return self.min_a


class Quirk(StrEnum):
    """Ways in which real cars, and test plugs, leave the standard (EV model, section 5)."""

    HOLDS_C = "holds_c"
    """Keeps S2 closed, and goes on drawing, when the PWM stops: forces the 6 s rule."""
    NO_DIODE = "no_diode"
    """Resistors without a diode: loads the negative half of the pilot too."""
    STATE_D = "state_d"
    """Asks for ventilation: D instead of C."""
    NEVER_C = "never_c"
    """Never closes S2."""
    OVERDRAW = "overdraw"
    """Draws 20 % more than offered, and more than its class allows."""
    C_WHEN_FULL = "c_when_full"
    """Stays in C at 0 A when full."""
    SIMPLIFIED = "simplified"
    """Simplified pilot: no S2, so A goes to C directly, and 10 A at most."""
    LATE_C = "late_c"
    """Closes S2 only 90 s after the PWM came."""
    SLOW_FOLLOW = "slow_follow"
    """Reacts to a new duty only after 4.9 s, so a deep cut is late for the 5 s of IEC 61851-1."""
    F_LOCKS_UP = "f_locks_up"
    """Is dead after state F until it is unplugged."""
    NEEDS_30S_CP = "needs_30s_cp"
    """Wakes only after the pilot was gone for 30 s."""


_PHEV_1P16 = CarClass(
    "phev_1p16",
    phases=1,
    max_a=16,
    min_a=6,
    capacity_kwh=11,
    taper_soc=0.93,
    taper_exponent=0.80,
    cut_off_w=350,
    loss_w=110,
    loss_per_w=0.065,
    loss_per_w2=2.0e-6,
    ramp_up_a_per_s=2.0,
    ready_delay_s=0.5,
    draw_delay_s=3,
    power_factor_slope=0.003,
    balancing_w=150,
    balancing_s=900,
)
_BEV_1P32 = replace(
    _PHEV_1P16,
    name="bev_1p32",
    max_a=32,
    capacity_kwh=39,
    taper_soc=0.96,
    cut_off_w=500,
    loss_w=170,
    loss_per_w=0.060,
    loss_per_w2=1.2e-6,
    ramp_up_a_per_s=2.5,
    ready_delay_s=0.5,
    draw_delay_s=4,
    balancing_w=250,
    balancing_s=1200,
)
_BEV_3P16_MID = replace(
    _BEV_1P32,
    name="bev_3p16_mid",
    phases=3,
    max_a=16,
    capacity_kwh=58,
    taper_soc=0.97,
    loss_w=190,
    loss_per_w=0.055,
    loss_per_w2=0.8e-6,
    ramp_up_a_per_s=2.0,
    balancing_w=300,
    balancing_s=1800,
    sleeps_after_s=30 * 60,
)

_CLASSES = (
    _PHEV_1P16,
    replace(
        _PHEV_1P16,
        name="phev_1p32",
        max_a=32,
        capacity_kwh=18,
        taper_soc=0.94,
        cut_off_w=400,
        loss_w=130,
        loss_per_w=0.060,
        loss_per_w2=1.5e-6,
        ramp_up_a_per_s=2.5,
        balancing_w=200,
    ),
    _BEV_1P32,
    replace(_BEV_1P32, name="bev_2p16", phases=2, max_a=16, capacity_kwh=36.8, ramp_up_a_per_s=2.0),
    _BEV_3P16_MID,
    replace(
        _BEV_3P16_MID,
        name="bev_3p16_large",
        capacity_kwh=95,
        taper_soc=0.98,
        loss_w=220,
        ready_delay_s=0.5,
        draw_delay_s=5,
        sleeps_after_s=inf,
        wakes_on_pwm=True,
    ),
    replace(
        _BEV_3P16_MID,
        name="bev_3p32_22",
        max_a=32,
        capacity_kwh=85,
        taper_soc=0.96,
        cut_off_w=600,
        loss_w=240,
        loss_per_w2=0.5e-6,
        ramp_up_a_per_s=4.0,
        ready_delay_s=0.5,
        draw_delay_s=5,
        sleeps_after_s=60 * 60,
    ),
    replace(
        _BEV_3P16_MID,
        name="bev_3p32_cham",
        max_a=32,
        min_a=8,
        min_three_phase_a=13,
        capacity_kwh=41,
        taper_soc=0.88,
        taper_exponent=0.90,
        cut_off_w=700,
        loss_w=350,
        loss_per_w=0.050,
        loss_per_w2=0.5e-6,
        ramp_up_a_per_s=1.0,
        ready_delay_s=8,
        draw_delay_s=8,
        power_factor_slope=0.045,
        balancing_w=400,
        sleeps_after_s=inf,
        is_capacitive=True,
    ),
)

CLASSES = {kind.name: kind for kind in _CLASSES}
"""The eight classes by name."""
