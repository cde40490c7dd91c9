"""What a charger takes of a reading: finite values, no negative import, and whether the meter is wired the wrong way round.

Meters on a bus send NaN for what they cannot measure, and a current transformer that is fitted the wrong way round shows
negative values. Everything behind `cleaned` may rely on the values.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import cast

from hw.ports import PhaseValues, Reading

REVERSED_A = 1.0
REVERSED_W = 230.0
"""From so much current or power in the wrong direction on: it is more than noise."""


def cleaned(reading: Reading) -> Reading | None:
    """Return a reading with finite values only, currents as magnitudes and powers not below 0.

    A value that is not finite is no value: None in its place. None for the whole reading when its register is not finite.
    """
    if not isfinite(reading.energy_wh):
        return None
    if _is_clean(reading):
        return reading
    return replace(
        reading,
        power_w=tuple(None if each is None else max(0.0, each) for each in _finite(reading.power_w)),
        current_a=tuple(None if each is None else abs(each) for each in _finite(reading.current_a)),
        voltage_v=_finite(reading.voltage_v),
        phase_energy_wh=_finite(reading.phase_energy_wh),
        power_factor=_known(reading.power_factor),
        reactive_power_var=_known(reading.reactive_power_var),
        frequency_hz=_known(reading.frequency_hz),
        board_c=_known(reading.board_c),
        vehicle_soc=_known(reading.vehicle_soc),
    )


def is_reversed(reading: Reading) -> bool:
    """Return whether a phase of a reading as it came shows export: no car of this charger feeds back."""
    return any(each is not None and each <= -REVERSED_A for each in reading.current_a) or any(
        each is not None and each <= -REVERSED_W for each in reading.power_w
    )


def _is_clean(reading: Reading) -> bool:
    """Whether there is nothing to change: a sum is finite when all its parts are."""
    single = (
        reading.power_factor,
        reading.reactive_power_var,
        reading.frequency_hz,
        reading.board_c,
        reading.vehicle_soc,
    )
    # No generators here: every reading of thousands of chargers comes by.
    imported = (*reading.power_w, *reading.current_a)
    others = (*reading.voltage_v, *reading.phase_energy_wh)
    if None in imported or None in others:
        return False
    known = cast("tuple[float, ...]", imported)
    total = sum(known) + sum(cast("tuple[float, ...]", others)) + sum([each for each in single if each is not None])
    return isfinite(total) and min(known, default=0.0) >= 0.0


def _finite(values: PhaseValues) -> PhaseValues:
    return tuple(map(_known, values))


def _known(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
