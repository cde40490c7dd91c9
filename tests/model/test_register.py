"""What a charger believes of a register: money hangs on it."""

from __future__ import annotations

import logging
from dataclasses import replace
from math import inf, nan

import pytest

from chargepoint.model.measured import cleaned, is_reversed
from chargepoint.model.register import Register
from hw.ports import CableKind, Limits, Outlet, Rated, Reading

OUTLET = Outlet(1, Rated(16.0, 3), Limits(max_a=16.0), CableKind.TETHERED, 16.0)
"""11 kW: 30.7 Wh in 10 s."""


class Owner:
    log = logging.LoggerAdapter(logging.getLogger("test"), {})


def register_after(*readings: tuple[float, float]) -> Register:
    """Return a register that was shown readings: at s, Wh."""
    register = Register(Owner(), OUTLET)
    for at_s, energy_wh in readings:
        register.believe(Reading(at_s, energy_wh))
    return register


def test_one_reading_that_rated_power_cannot_have_given_is_not_billed() -> None:
    """1,020 Wh too much, once: what follows counts as if it had not been."""
    assert register_after((0, 100.0), (10, 130.0), (20, 1180.0), (30, 190.0), (40, 220.0)).wh == 220.0


def test_a_second_reading_that_agrees_counts() -> None:
    """A meter that counts in whole kWh is ahead of the power by up to 1 kWh, and stays there."""
    register = register_after((0, 1000.0), (10, 2000.0))
    assert (register.wh, register.is_doubtful) == (1000.0, True)
    register.believe(Reading(11.5, 2000.0))
    assert (register.wh, register.is_doubtful) == (2000.0, False)


def test_a_jump_out_of_all_proportion_is_another_meter_and_not_billed() -> None:
    """A meter that was replaced by one that has counted more: only what it counts from then on is added."""
    register = register_after((0, 100.0), (10, 9_000_000.0), (20, 9_000_020.0), (30, 9_000_040.0), (40, 9_000_070.0))
    assert (register.wh, register.offset_wh) == (170.0, 100.0 - 9_000_000.0)


@pytest.mark.parametrize("glitch_wh", [1e12, 5000.0, 1180.0, 0.0, 99.0])
def test_no_single_reading_changes_what_is_billed(glitch_wh: float) -> None:
    """A register is read each second; one wrong answer in between is worth nothing."""
    for place in range(1, 9):
        readings = [(float(at_s), 100.0 + at_s) for at_s in range(10)]
        readings[place] = (float(place), glitch_wh)
        assert register_after(*readings).wh == 109.0


def test_a_value_that_is_not_finite_is_no_value() -> None:
    """NaN from a bus: the phases that are known stand, and a register that is not known is no reading."""
    reading = Reading(0.0, 5.0, power_w=(nan, 1.0, inf), current_a=(nan, -2.0, 3.0), frequency_hz=nan, board_c=-inf)
    assert cleaned(reading) == Reading(0.0, 5.0, power_w=(None, 1.0, None), current_a=(None, 2.0, 3.0))
    assert cleaned(replace(reading, energy_wh=nan)) is None


def test_import_is_never_negative() -> None:
    """Power.Active.Import and Current.Import (OCPP 1.6 7.31): a reversed transformer shows a magnitude and no power."""
    reversed_one = Reading(0.0, 5.0, power_w=(-5750.0,) * 3, current_a=(-25.0,) * 3)
    clean = cleaned(reversed_one)
    assert clean is not None
    assert (clean.total_power_w, clean.current_a) == (0.0, (25.0,) * 3)
    assert is_reversed(reversed_one)
    assert not is_reversed(clean)


def test_a_clean_reading_is_passed_on_as_it_is() -> None:
    reading = Reading(0.0, 5.0, power_w=(1.0, 2.0, 3.0), current_a=(1.0, 0.0, 0.0), voltage_v=(230.0,) * 3)
    assert cleaned(reading) is reading
