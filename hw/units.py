"""Quantities as people write them: a number, then its unit. Cheap to import: `chargepoint ctl` needs it at every call."""

from __future__ import annotations

import re
from collections.abc import Mapping

SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
WATT_HOURS_PER_UNIT = {"Wh": 1.0, "kWh": 1000.0}
AMPERES_PER_UNIT = {"A": 1.0}
PERCENT_PER_UNIT = {"%": 1.0}

DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h|d)")
PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
PER_DAY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\s*[-–]\s*([0-9]+(?:\.[0-9]+)?))?\s*%\s*/\s*day")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+|%)")


def quantity(text: str, units: Mapping[str, float]) -> float | None:
    """Return a quantity such as ``2 kWh`` in the unit whose factor is 1; None if the text is not one of these units."""
    found = _QUANTITY.fullmatch(text.strip())
    return None if found is None or found[2] not in units else float(found[1]) * units[found[2]]


def duration_s(text: str) -> float | None:
    """Return a duration such as ``90s`` or ``5 min`` in s, None if the text is none."""
    found = DURATION.fullmatch(text)
    return None if found is None else float(found[1]) * SECONDS_PER_UNIT[found[2]]


def share(text: str) -> float | None:
    """Return a share such as ``20%`` as 0.2, None if the text is none."""
    found = PERCENT.fullmatch(text)
    return None if found is None else float(found[1]) / 100.0


def share_per_day(text: str) -> tuple[float, float] | None:
    """Return a range such as ``20-60 %/day`` as (0.2, 0.6), ``40 %/day`` as (0.4, 0.4); None if the text is none."""
    found = PER_DAY.fullmatch(text.strip())
    if found is None:
        return None
    low = float(found[1]) / 100.0
    return low, low if found[2] is None else float(found[2]) / 100.0
