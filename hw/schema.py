"""The JSON Schema of an input file, made from the dataclasses that `hw.binding` fills from it.

An editor that knows it completes keys, shows what they are for and marks what cannot be. It is a little wider than the
reader: what only the whole tells (a board that exists, two keys that exclude each other) no schema sees.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.binding import Bounds, Declared, Help, Length, Matches, Written, declared, required
from hw.units import DURATION, PER_DAY, PERCENT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors' YAML language servers know best."""

Schema = dict[str, Any]


def schema_of(kind: type[DataclassInstance], title: str) -> Schema:
    """Return the schema of a file that `hw.binding.bind` reads as ``kind``."""
    return {"$schema": DRAFT, "title": title, **_section(kind)}


def _section(kind: type[DataclassInstance]) -> Schema:
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(kind, name, what) for name, what in declared(kind).items()},
    }
    if required(kind):
        schema["required"] = list(required(kind))
    return schema


def _property(kind: type[DataclassInstance], name: str, what: Declared) -> Schema:
    schema = _optional(_value(what)) if what.is_optional else _value(what)
    note = what.note(Help)
    if note is not None:
        schema["description"] = note.text
    default = next(field.default for field in fields(kind) if field.name == name)
    if default not in (MISSING, None) and what.section is None:
        schema["default"] = _plain(default)
    return schema


def _optional(schema: Schema) -> Schema:
    """Return the schema that lets ``null`` stand there too, which takes back what a lower layer says."""
    if list(schema) == ["type"]:
        return {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _value(what: Declared) -> Schema:
    if what.written is Written.PER_DAY:
        return {"type": "string", "pattern": f"^(?:{PER_DAY.pattern})$"}
    if what.section is not None:
        return _section(what.section)
    if what.items is not None:
        # Whole numbers of a list count something: the reader wants none below 0.
        notes = (Bounds(0),) if what.items.kind is int else what.notes
        return {"type": "array", "items": _value(Declared(what.items.kind, notes))}
    if what.values is not None:
        return {"type": "object", "additionalProperties": _value(what.values)}
    if what.choices is not None:
        return {"enum": [str(member.value) for member in what.choices]}
    if what.kind is bool:
        return {"type": "boolean"}
    if what.kind in (int, float):
        return _number(what)
    if what.kind in (str, Path):
        return _text(what)
    raise TypeError(f"a field of type {what.kind} has no schema")


def _number(what: Declared) -> Schema:
    minimum, maximum = what.bounds.minimum, what.bounds.maximum
    if what.written is Written.DURATION:
        minimum = max(0.0, minimum)
    if what.written is Written.SHARE:
        minimum, maximum = 0.0, 1.0
    schema: Schema = {"type": "integer" if what.kind is int else "number"}
    schema |= {"minimum": minimum} if isfinite(minimum) else {}
    schema |= {"maximum": maximum} if isfinite(maximum) else {}
    words = {Written.DURATION: DURATION, Written.SHARE: PERCENT}
    if what.written not in words:
        return schema
    return {"anyOf": [schema, {"type": "string", "pattern": f"^(?:{words[what.written].pattern})$"}]}


def _text(what: Declared) -> Schema:
    if what.written is Written.PLAIN:
        return {"type": ["string", "number", "boolean", "null"]}
    if what.words is not None:
        return {"enum": list(what.words)}
    schema: Schema = {"type": "string"}
    length, matches = what.note(Length), what.note(Matches)
    schema |= {"maxLength": length.maximum} if length is not None else {}
    schema |= {"pattern": f"^(?:{matches.pattern})$"} if matches is not None else {}
    return schema


def _plain(default: object) -> object:
    match default:
        case Enum():
            return default.value
        case Path():
            return str(default)
        case tuple():
            return list(default)
        case _:
            return default
