"""The transactionData of StopTransaction as stored JSON text: bounded in values and bytes, and its unit of temperature.

Meter values are stored encoded, one by one; everything here works on that text. Sources: OCPP 1.6 6.49 and 7.45,
errata 3.85 and v4 (StopTransactionMaxMeterValues).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

OTHER_SPELLING = {"Celcius": "Celsius", "Celsius": "Celcius"}
"""OCPP 1.6 spells the unit "Celsius" in 7.45 and "Celcius" in the schemas that are out there (erratum 3.85)."""


def thinned(values: Sequence[str], most: int) -> list[str]:
    """Return at most ``most`` of the values, evenly chosen; first and last always stay. ``most`` is 2 or more."""
    last = len(values) - 1
    return list(values) if last < most else [values[k * last // (most - 1)] for k in range(most)]


def fitting(values: Sequence[str], most: int, largest: int) -> list[str]:
    """Return at most ``most`` of the encoded values, evenly chosen, of at most ``largest`` bytes as a JSON array.

    First and last always stay, whatever their size. The text is ASCII, so characters are bytes.
    """
    kept = thinned(values, most)
    while len(kept) > 2 and (size := sum(map(len, kept)) + len(kept) + 1) > largest:
        kept = thinned(values, max(2, min(len(kept) - 1, len(kept) * largest // size)))
    return kept


def slimmer(payload: str, largest: int) -> str | None:
    """Return an encoded StopTransaction whose transactionData has at most ``largest`` bytes, and less than before.

    One that cannot have so few is left without: the field is optional (6.49). None: there is nothing to leave out.
    """
    told = json.loads(payload)
    before = told.pop("transactionData", None)
    if not before:
        return None
    values = [json.dumps(value, separators=(",", ":")) for value in before]
    kept = fitting(values, max(2, len(values) - 1), largest)
    is_left = len(kept) < len(values) and sum(map(len, kept)) + len(kept) + 1 <= largest
    rest = json.dumps(told, separators=(",", ":"))
    return f'{rest[:-1]},"transactionData":[{",".join(kept)}]}}' if is_left else rest


def spelling_in(payload: str) -> str | None:
    """Return how an encoded message spells the unit of its temperatures, None when it has none."""
    # Inside a JSON string the quotes would be escaped, so this finds members and nothing else.
    return next((word for word in OTHER_SPELLING if f'"unit":"{word}"' in payload), None)


def respelled(payload: str, spelling: str) -> str:
    """Return an encoded message, or meter value, whose temperatures have the unit ``spelling``."""
    return payload.replace(f'"unit":"{OTHER_SPELLING[spelling]}"', f'"unit":"{spelling}"')
