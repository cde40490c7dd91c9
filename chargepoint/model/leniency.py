"""Confirmations with slips: read as far as their meaning is clear, because to refuse them would stop the charge point.

A central system that answers has processed the call. BootNotification would be sent for ever, a StartTransaction would
open another transaction with each repetition, and a StopTransaction would be kept as undelivered. So these are read, with
a warning, as what they mean:

* fields that are not of the standard, and fields that are null: left out,
* ``[]`` where a confirmation has no required field: an empty object (what PHP writes for one),
* an integer written as ``300.0`` or ``"300"``: that integer,
* a word of an enumeration in another case: that word,
* an optional field that cannot be read, such as an expiryDate: left out,
* BootNotification.conf without a readable interval or currentTime: 0, the charge point's own choice (4.2), and a
  moment that no clock is set to.

A transactionId or a status that cannot be read stays a fault. What a central system *asks* is never mended: it gets the
CALLERROR of table 7 and can correct itself. Sources: OCPP-J 1.6 4.2 and 4.2.3, OCPP 1.6 4.2 and 3.7.1; our choice.
"""

from __future__ import annotations

import math
import re
from typing import Any

from .shapes import Choice, Integer, Misfit, Record, Shape, shown

NO_TIME = "0001-01-01T00:00:00Z"
"""Stands for a currentTime that cannot be read: no clock is set to it."""
_INSTEAD: dict[tuple[str, str], Any] = {
    ("BootNotification", "interval"): 0,
    ("BootNotification", "currentTime"): NO_TIME,
}
"""What a required field is taken for when it is missing or cannot be read."""

_INTEGER = re.compile(r"\s*-?[0-9]+\s*")
LONGEST_INTEGER = 20
"""Digits of the largest integer in a string: 64 bits and a sign."""


class Slips(list[str]):
    """What was mended, for the log: each names its field, and what was found."""


def mended(action: str, shape: Record, payload: object) -> tuple[object, Slips]:
    """Return a confirmation as it is to be decoded, and what was mended in it.

    What cannot be mended stays as it is, for `Record.decode` to refuse.
    """
    slips = Slips()
    if payload == [] and not any(member.is_required for member in shape.members):
        slips.append("payload: found an empty array")
        payload = {}
    if type(payload) is not dict:
        return payload, slips
    value = _record(shape, payload, "", slips)
    for member in shape.members:
        instead = _INSTEAD.get((action, member.name))
        if instead is None or _fits(member.shape, value.get(member.name)):
            continue
        problem = "missing" if member.name not in payload else f"found {shown(payload[member.name])}"
        slips.append(f"{member.name}: {problem}")
        value[member.name] = instead
    return value, slips


def _record(shape: Record, payload: dict[str, Any], where: str, slips: Slips) -> dict[str, Any]:
    """Return the fields of a record that can be used, each mended, and the required ones that cannot as they are."""
    kept: dict[str, Any] = {}
    for member in shape.members:
        found = payload.get(member.name)
        if found is None:
            continue
        name = f"{where}{member.name}"
        if isinstance(member.shape, Record) and type(found) is dict:
            found = _record(member.shape, found, f"{name}.", slips)
        if not _fits(member.shape, found):
            meant = _meant(member.shape, found)
            if meant is None and not member.is_required:
                slips.append(f"{name}: found {shown(found)}, left out")
                continue
            if meant is not None:
                slips.append(f"{name}: found {shown(found)}, taken for {shown(meant)}")
                found = meant
        kept[member.name] = found
    return kept


def _fits(shape: Shape, value: object) -> bool:
    try:
        shape.decode(value)
    except Misfit:
        return False
    return True


def _meant(shape: Shape, value: object) -> object:
    """Return what a value stands for that does not fit its shape, None when that is not clear."""
    if isinstance(shape, Choice) and type(value) is str:
        return next((word for word in shape.words if word.lower() == value.strip().lower()), None)
    meant: int | None = None
    if isinstance(shape, Integer):
        if type(value) is float and math.isfinite(value) and value == int(value):
            meant = int(value)
        if type(value) is str and len(value) <= LONGEST_INTEGER and _INTEGER.fullmatch(value):
            meant = int(value)
    return meant if _fits(shape, meant) else None
