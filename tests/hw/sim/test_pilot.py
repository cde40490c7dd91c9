"""The pilot circuit: volts by state, the diode check, and the car's table of duties."""

from __future__ import annotations

import pytest

from hw.sim.pilot import PilotLoad, allowed_current_a, look

STEADY, PWM, OFF = 100.0, 50.0, 0.0


@pytest.mark.parametrize(
    ("duty_percent", "load", "has_diode", "seen"),
    [
        (STEADY, PilotLoad.NONE, True, (12.0, None)),
        (STEADY, PilotLoad.B, True, (9.0, None)),
        (PWM, PilotLoad.NONE, True, (12.0, True)),
        (PWM, PilotLoad.B, True, (9.0, True)),
        (PWM, PilotLoad.C, True, (6.0, True)),
        (PWM, PilotLoad.D, True, (3.0, True)),
        (PWM, PilotLoad.B, False, (8.8, False)),
        (PWM, PilotLoad.C, False, (5.6, False)),
        (PWM, PilotLoad.SHORT, True, (0.0, None)),
        (STEADY, PilotLoad.SHORT, True, (0.0, None)),
        (OFF, PilotLoad.NONE, True, (-12.0, None)),
        (OFF, PilotLoad.C, True, (-12.0, None)),
    ],
)
def test_volts_are_nominal(duty_percent, load, has_diode, seen):
    """A 12, B 9, C 6, D 3, E 0, F -12 V; only the positive half may be loaded (IEC 61851-1:2017 annex A)."""
    assert look(duty_percent, load, has_diode) == seen


@pytest.mark.parametrize(
    ("duty_percent", "current_a"),
    [
        (0, 0), (2.9, 0), (5, 0), (7.5, 0), (8, 6), (9.9, 6), (10, 6), (16.67, 10.0), (26.67, 16.0), (53.33, 32.0),
        (85, 51), (89.2, 63), (96, 80), (96.5, 80), (97.5, 0), (100, 0),
    ],
)  # fmt: skip
def test_car_reads_the_duty(duty_percent, current_a):
    """10..85 %: D x 0.6 A; 85..96 %: (D - 64) x 2.5 A; 3..7 % is digital communication (IEC 61851-1:2017 annex A)."""
    assert allowed_current_a(duty_percent) == pytest.approx(current_a, abs=0.01)
