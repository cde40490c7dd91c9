"""The JSON schemas of OCPP 1.6 as the ``ocpp`` package carries them, turned into shapes or asked strictly.

What *comes in* is read by shapes built from these schemas with five corrections (`_Builder`), each because the
published schema is stricter or laxer than the standard it stands for. What *goes out* is checked against the schemas as
they are (`outgoing_problems`), in tests and with ``--strict``.

Two families of files: draft-04 for OCPP 1.6 itself, draft-06 with ``definitions`` for the security extension. All are
read by the rules of draft-04, in which ``1.0`` is no integer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ocpp.v16 import call, datatypes

from chargepoint.model.shapes import Boolean, Choice, Integer, Many, Member, Moment, Number, Record, Shape, Text
from chargepoint.model.timebase import utc_seconds

Schema = Mapping[str, Any]

OBJECTS: Mapping[str, type] = MappingProxyType(
    {
        "certificateHashData": datatypes.CertificateHashData,
        "chargingProfile": datatypes.ChargingProfile,
        "chargingSchedule": datatypes.ChargingSchedule,
        "chargingSchedulePeriod": datatypes.ChargingSchedulePeriod,
        "configurationKey": datatypes.KeyValue,
        "csChargingProfiles": datatypes.ChargingProfile,
        "firmware": datatypes.Firmware,
        "idTagInfo": datatypes.IdTagInfo,
        "localAuthorizationList": datatypes.AuthorizationData,
        "log": datatypes.LogParameters,
        "meterValue": datatypes.MeterValue,
        "sampledValue": datatypes.SampledValue,
        "transactionData": datatypes.MeterValue,
    }
)
"""The class of every object that stands inside a message, by the field it stands in."""

_OPEN_CHOICES = frozenset({("TriggerMessage", "requestedMessage"), ("ExtendedTriggerMessage", "requestedMessage")})
"""Enumerations for which the standard wants a status of its own: NotImplemented (OCPP 1.6, 7.44)."""

_AT_LEAST_ONE = frozenset({"sampledValue"})
"""Lists of 1..* in the standard (7.33) for which one of the schemas, StopTransaction, forgot ``minItems``.

All of them forgot it for chargingSchedulePeriod (7.13) too, but a profile with faulty content is Rejected, not refused.
"""

_TEMPERATURES = ("Celcius", "Celsius")
"""The first issue of the standard misspelt it, the corrected one has both (J errata 2.1)."""

_UNDERSTOOD = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "additionalItems", "minItems", "maxLength"}
    | {"enum", "format", "multipleOf", "title", "javaType"}
)
"""The keywords of a field. What is not among them would be a rule that nobody reads."""


def is_result(kind: type) -> bool:
    """Whether a message class of ``ocpp`` is a confirmation; the class of its request has the same name."""
    return kind.__module__ != call.__name__


def shape_of(kind: type) -> Record:
    """Build the shape of a message class of ``ocpp.v16.call`` or ``ocpp.v16.call_result`` from its schema.

    Raises LookupError when class and schema do not have the same fields, or the schema says something new.
    """
    schema = load(kind.__name__, is_result(kind), float)
    definitions = schema.pop("definitions", {})
    for heading in ("$schema", "$id", "id"):
        schema.pop(heading, None)
    return _Builder(kind.__name__, definitions).record(kind, schema)


def load(action: str, is_result: bool, parse_float: Callable[[str], object]) -> dict[str, Any]:
    """Read the schema of a request or of a confirmation, numbers with a fraction by ``parse_float``."""
    file = files("ocpp.v16").joinpath("schemas", f"{action}{'Response' if is_result else ''}.json")
    # The encoding drops a byte order mark: some issues of these files have one.
    schema: dict[str, Any] = json.loads(file.read_text("utf-8-sig"), parse_float=parse_float)
    return schema


class _Builder:
    """Builds shapes out of one schema. The corrections, numbered as our reading of the standard numbers them:

    1. ``multipleOf`` is dropped: in binary floats 21.4 is no multiple of 0.1.
    2. `_OPEN_CHOICES` become plain strings.
    3. ``format`` is dropped, but a date-time is checked by `utc_seconds`, which knows offsets, fractions and no zone.
    4. Both `_TEMPERATURES` are units.
    5. `_AT_LEAST_ONE` holds everywhere.
    """

    def __init__(self, action: str, definitions: Mapping[str, Schema]) -> None:
        self._action = action
        self._definitions = definitions

    def record(self, kind: type, schema: Schema) -> Record:
        """Join a dataclass and the schema of an object: attribute ``id_tag`` is field ``idTag``, none is left over."""
        if not is_dataclass(kind):
            raise LookupError(f"{kind.__name__} of {self._action} is no dataclass")
        self._understand(schema)
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        attributes = {camel_case(field.name): field for field in fields(kind)}
        if attributes.keys() != properties.keys():
            odd = sorted(attributes.keys() ^ properties.keys())
            raise LookupError(f"{kind.__name__} and the schema of {self._action} differ in {', '.join(odd)}")
        members = tuple(
            Member(name, field.name, self.shape(name, properties[name]), name in required)
            for name, field in attributes.items()
        )
        absent = {
            field.name: None
            for name, field in attributes.items()
            if name not in required and field.default is MISSING and field.default_factory is MISSING
        }
        return Record(kind, members, absent)

    def shape(self, name: str, schema: Schema) -> Shape:
        """Return the shape of the field ``name``, or of the items of the list of that name."""
        if "$ref" in schema:
            return self.shape(name, self._definitions[schema["$ref"].removeprefix("#/definitions/")])
        self._understand(schema)
        match schema["type"]:
            case "string":
                return self._text(name, schema)
            case "integer":
                return Integer()
            case "number":
                return Number()
            case "boolean":
                return Boolean()
            case "array":
                at_least = max(schema.get("minItems", 0), name in _AT_LEAST_ONE)
                return Many(self.shape(name, schema["items"]), at_least)
            case "object":
                return self.record(OBJECTS[name], schema)
            case other:
                raise LookupError(f"schema of {self._action}, {name}: type {other} not understood")

    def _understand(self, schema: Schema) -> None:
        # A newer issue of the schemas may say more than we read; that must not pass in silence.
        if unknown := schema.keys() - _UNDERSTOOD:
            raise LookupError(f"schema of {self._action}: {', '.join(sorted(unknown))} not understood")

    def _text(self, name: str, schema: Schema) -> Shape:
        if "enum" in schema and (self._action, name) not in _OPEN_CHOICES:
            words = dict.fromkeys(schema["enum"])
            if not words.keys().isdisjoint(_TEMPERATURES):
                words.update(dict.fromkeys(_TEMPERATURES))
            return Choice(words)
        if schema.get("format") == "date-time":
            return Moment()
        return Text(schema.get("maxLength", sys.maxsize))


def camel_case(attribute: str) -> str:
    """Return the name an attribute has on the wire: ``parent_id_tag`` is ``parentIdTag``, ``iccid`` is ``iccid``."""
    head, *tail = attribute.split("_")
    return head + "".join(part.capitalize() for part in tail)


def outgoing_problems(action: str, payload_text: str, is_result: bool) -> Iterator[str]:
    """Yield what the schema, as published, has against a payload of ours, one line each.

    Date-times must be UTC with a ``Z``: the standard leaves us free there (OCPP-J 1.6, 3.1), peers do not.
    """
    # Decimals on both sides: it is the only way in which 21.4 is a multiple of 0.1.
    payload = json.loads(payload_text, parse_float=Decimal)
    for error in _strict_validator(action, is_result).iter_errors(payload):
        yield f"{error.json_path.removeprefix('$.')}: {error.message}"


@cache
def _strict_validator(action: str, is_result: bool) -> Any:
    # Only tests and --strict need the validator, so only they pay for it.
    from jsonschema import Draft4Validator, FormatChecker

    formats = FormatChecker(formats=())

    @formats.checks("date-time", raises=ValueError)
    def is_utc(value: object) -> bool:
        return not isinstance(value, str) or (utc_seconds(value) > 0.0 and value.endswith("Z"))

    schema = load(action, is_result, Decimal)
    _without_hertz(schema)
    return Draft4Validator(schema, format_checker=formats)


def _without_hertz(schema: Any) -> None:
    """Take out, in place, the unit that the ``ocpp`` package added of its own: it has no place in OCPP 1.6 (7.45)."""
    if isinstance(schema, dict):
        if "Hertz" in schema.get("enum", ()):
            schema["enum"].remove("Hertz")
        for each in schema.values():
            _without_hertz(each)
