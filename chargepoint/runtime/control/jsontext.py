"""JSON as RFC 8259 has it: Python reads more than that. And JSON that stands as a text in an event."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

PAYLOADS = frozenset({"payload", "answer", "outcome"})
"""Fields of events that hold a JSON value as the text that went over the wire."""


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError, also for numbers that JSON does not have, and RecursionError."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        _no_number(word)
    return number


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number of JSON")


def nested(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event whose payloads are JSON values, where they are that; else the text stays."""
    return {name: _parsed(value) if name in PAYLOADS else value for name, value in event.items()}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return read_json(value)
    except (ValueError, RecursionError):
        return value
