"""Checks and reads the values of commands: JSON values, words of a command line, and the JSON Schema of both.

Cheap to import: `chargepoint ctl` reads its words here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hw.units import AMPERES_PER_UNIT, PERCENT_PER_UNIT, SECONDS_PER_UNIT, WATT_HOURS_PER_UNIT, quantity
from hw.words import nearest

from .commands import Argument, Command, Kind
from .errors import BadArgumentsError

UNITS = {
    Kind.CURRENT: AMPERES_PER_UNIT,
    Kind.DURATION: SECONDS_PER_UNIT,
    Kind.ENERGY: WATT_HOURS_PER_UNIT,
    Kind.GOAL: {**WATT_HOURS_PER_UNIT, **PERCENT_PER_UNIT},
    Kind.PERCENT: PERCENT_PER_UNIT,
}
"""Kinds that may be written as a text with a unit; the value is in the unit whose factor is 1."""
NONE = "none"
"""The word for null, where an argument may be null."""

Schema = dict[str, Any]


class StateOfCharge(float):
    """A `Kind.GOAL` that is a state of charge in %; any other number of that kind is an energy in Wh."""


def check(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command, given as JSON values, with defaults filled in.

    Raises BadArgumentsError, which names everything that is wrong.
    """
    names = [each.name for each in command.arguments]
    wrong = [_unknown(name, names) for name in given if name not in names]
    values = {}
    for each in command.arguments:
        if each.name not in given:
            if each.is_required:
                wrong.append(f"{each.name}: required, {each.what}")
            values[each.name] = each.default
            continue
        try:
            values[each.name] = _checked(each, given[each.name])
        except ValueError as error:
            wrong.append(f"{each.name}: {error}")
    if wrong:
        raise BadArgumentsError(f"{command.name}: {'; '.join(wrong)}")
    return values


def _unknown(name: str, names: list[str]) -> str:
    near = nearest(name, names)
    return f"{name if _is_unicode(name) else ascii(name)}: unknown argument" + (f", did you mean {near}?" if near else "")


def _checked(argument: Argument, value: Any) -> Any:
    """Return a JSON value as a command takes it. Raises ValueError."""
    if value is None and (argument.is_nullable or argument.default is None):
        return None
    kind = argument.kind
    if kind is Kind.FLAG:
        if not isinstance(value, bool):
            raise _refusal(argument, value)
        return value
    if kind is Kind.TEXT or kind is Kind.WORD:
        if not isinstance(value, str) or (kind is Kind.WORD and value not in argument.words) or not _is_unicode(value):
            raise _refusal(argument, value)
        if not (argument.minimum or 0) <= len(value) <= (argument.maximum or math.inf):
            raise ValueError(f"must have {_range(argument)} characters, has {len(value)}")
        return value
    if kind is Kind.TEXTS:
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) and _is_unicode(each) for each in value):
            raise _refusal(argument, value)
        return tuple(value)
    if kind is Kind.OBJECT:
        if not isinstance(value, dict):
            raise _refusal(argument, value)
        return value
    return _number(argument, value)


def _number(argument: Argument, value: Any) -> float:
    if isinstance(value, str) and argument.kind in UNITS:
        found = quantity(value, UNITS[argument.kind])
        if found is None:
            raise _refusal(argument, value)
        if argument.kind is Kind.GOAL and quantity(value, PERCENT_PER_UNIT) is not None:
            if found > 100.0:
                raise ValueError(f"must be at most 100 %, got {value}")
            return StateOfCharge(found)
        value = found
    if isinstance(value, StateOfCharge):
        return value  # checked already
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _refusal(argument, value)
    if argument.kind is Kind.INTEGER and value != int(value):  # 1.0 is an integer in JSON Schema
        raise _refusal(argument, value)
    number: float = int(value) if argument.kind is Kind.INTEGER else float(value)
    minimum, maximum = argument.minimum, argument.maximum
    is_low = minimum is not None and (number <= minimum if argument.excludes_minimum else number < minimum)
    if is_low or (maximum is not None and number > maximum):
        raise ValueError(f"must be {_range(argument)}, got {number:g}")
    return number


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can be
        return False


def _range(argument: Argument) -> str:
    low, high = argument.minimum, argument.maximum
    above = "more than " if argument.excludes_minimum else ""
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"{above or 'at least '}{low:g}"
    return f"{above}{low:g}{' and at most ' if above else '..'}{high:g}"


def expected(argument: Argument) -> str:
    """Return what an argument takes, in words."""
    if argument.words:
        return f"{', '.join(argument.words[:-1])} or {argument.words[-1]}"
    return argument.kind.value + (f", or {NONE}" if argument.is_nullable and not argument.default else "")


def _refusal(argument: Argument, value: Any) -> ValueError:
    shown = _printed(value)
    return ValueError(f"must be {expected(argument)}, got {shown if len(shown) <= 60 else shown[:60] + '…'}")


def _printed(value: Any) -> str:
    """Return a value as JSON, half a surrogate pair escaped: an error text must have a form in UTF-8."""
    try:
        shown = json.dumps(value, ensure_ascii=False)
        return shown if _is_unicode(shown) else json.dumps(value)
    except (TypeError, ValueError):
        return ascii(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- words ------------------------------------------------------------------------------------------------------------


def read(argument: Argument, word: str) -> Any:
    """Return the value that a word of a command line stands for. Raises ValueError."""
    if word == NONE and argument.is_nullable:
        return None
    kind = argument.kind
    if kind is Kind.TEXTS:
        return [word]
    if kind is Kind.OBJECT or kind is Kind.FLAG:
        try:
            return _checked(argument, json.loads(word))
        except json.JSONDecodeError:
            raise _refusal(argument, word) from None
    if kind in (Kind.TEXT, Kind.WORD):
        return _checked(argument, word)
    if kind in (Kind.ENERGY, Kind.GOAL) and quantity(word, UNITS[kind]) is None:
        raise _refusal(argument, word)  # 2 may be meant as Wh or as kWh
    try:
        return _checked(argument, int(word) if kind is Kind.INTEGER else float(word))
    except ValueError as error:
        if str(error).startswith("must be"):
            raise
        return _checked(argument, word)


def read_query(command: Command, given: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the checked arguments of a command from the query of a URL. Raises BadArgumentsError."""
    values: dict[str, Any] = {}
    for name, words in given.items():
        argument = command.argument(name)
        if argument is None:
            values[name] = words[-1]
        elif argument.kind is Kind.TEXTS:
            values[name] = words
        else:
            try:
                values[name] = read(argument, words[-1])
            except ValueError as error:
                raise BadArgumentsError(f"{command.name}: {name}: {error}") from error
    return check(command, values)


# --- schema -----------------------------------------------------------------------------------------------------------


def schema(command: Command) -> Schema:
    """Return the JSON Schema of the arguments of a command."""
    required = [each.name for each in command.arguments if each.is_required]
    return {
        "type": "object",
        "title": command.name,
        "additionalProperties": False,
        "properties": {each.name: argument_schema(each) for each in command.arguments},
        **({"required": required} if required else {}),
    }


def argument_schema(argument: Argument) -> Schema:
    """Return the JSON Schema of one argument."""
    value = _value_schema(argument)
    if argument.is_nullable or argument.default is None:
        value = {"anyOf": [*value.get("anyOf", [value]), {"type": "null"}]}
    told: Schema = {**value, "description": argument.what}
    if not argument.is_required:
        told["default"] = list(argument.default) if isinstance(argument.default, tuple) else argument.default
    return told


def _value_schema(argument: Argument) -> Schema:
    kind = argument.kind
    if kind is Kind.WORD:
        return {"enum": list(argument.words)}
    if kind is Kind.TEXT:
        bounds = {"minLength": argument.minimum, "maxLength": argument.maximum}
        return {"type": "string", **{name: int(bound) for name, bound in bounds.items() if bound is not None}}
    if kind is Kind.TEXTS:
        return {"type": "array", "items": {"type": "string"}}
    if kind is Kind.FLAG:
        return {"type": "boolean"}
    if kind is Kind.OBJECT:
        return {"type": "object"}
    low = "exclusiveMinimum" if argument.excludes_minimum else "minimum"
    number: Schema = {"type": "integer" if kind is Kind.INTEGER else "number"}
    number |= {low: argument.minimum} if argument.minimum is not None else {}
    number |= {"maximum": argument.maximum} if argument.maximum is not None else {}
    if kind not in UNITS:
        return number
    text = {
        "type": "string",
        "pattern": rf"^[0-9]+(\.[0-9]+)? *({'|'.join(UNITS[kind])})$",
        "description": f"{kind.value}, within the same bounds",
    }
    return {"anyOf": [number, text]}
