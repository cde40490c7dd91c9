"""What a payload looks like: a tree of shapes, built once per message, that reads, writes and judges it.

Each shape does three things with one value:

* ``decode`` takes it from the wire and raises `Misfit` at the first thing that is wrong. This is the path of nearly
  every message, so it says nothing about what was wrong.
* ``faults`` goes through the value again after a `Misfit` and yields *everything* that is wrong, because the order in
  which OCPP wants faults reported is not the order in which they stand in the text (`judge`).
* ``encode`` gives the JSON text of one of our own values. It checks nothing but what would break the JSON.

One tree for all three means that the name of a field is known in one place and that a message is walked once, not once
to validate and once more to convert: with `fastjsonschema`, the validation alone took as long as both do here. That it
judges as a JSON schema validator does is proved against `jsonschema` in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Protocol

from chargepoint.model.errors import ErrorCode, PeerError
from chargepoint.model.timebase import utc_seconds

LARGEST = 2**63 - 1
"""Bound of every number read. OCPP 1.6 sets none; beyond it a store or a float would fail, later and elsewhere."""

DESCRIPTION_LENGTH = 255
"""Longest errorDescription we send. OCPP-J 1.6 sets no limit, OCPP 2.0.1 part 4 has this one and peers cut there."""


class Misfit(Exception):
    """A value does not fit its shape; `judge` knows why. Never leaves the wire modules."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a payload: the OCPP error code, the path of the field, and the problem in words."""

    code: ErrorCode
    where: str
    problem: str


class Shape(Protocol):
    """What a value on the wire must look like, and how it is read and written."""

    @property
    def encode(self) -> Callable[[Any], str]:
        """Return the JSON text of a value of ours."""

    def decode(self, value: object, /) -> object:
        """Return what handlers see of a value from the wire. Raises `Misfit`."""

    def faults(self, value: object, where: str, /) -> Iterator[Fault]:
        """Yield everything that is wrong with a value from the wire."""


class Text:
    """A string; the length belongs to the type (CiString20Type and so on, OCPP 1.6, 7.15 to 7.19)."""

    __slots__ = ("max_length",)
    encode = staticmethod(quote)

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length

    def decode(self, value: object) -> str:
        if type(value) is str and len(value) <= self.max_length:
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not str:
            # The value itself stays out of the text: it may be an AuthorizationKey sent as a number.
            yield _wrong_type(where, "a string", json_type(value))
        elif len(value) > self.max_length:
            problem = f"{len(value)} characters, at most {self.max_length} fit"
            yield Fault(ErrorCode.TYPE_CONSTRAINT_VIOLATION, where, problem)


class Choice:
    """A word of an enumeration, read as a plain string: the enums of ``ocpp`` are strings and compare equal."""

    __slots__ = ("words",)
    encode = staticmethod(quote)

    def __init__(self, words: Mapping[str, None]) -> None:
        self.words = words

    def decode(self, value: object) -> str:
        if type(value) is str and value in self.words:
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not str:
            yield _wrong_type(where, "a string", shown(value))
        elif value not in self.words:
            problem = f"{shown(value)} is none of {', '.join(self.words)}"
            yield Fault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, where, problem)


class Moment:
    """A date-time, checked and kept as text: what a handler wants of it, seconds or the text, is its own affair."""

    __slots__ = ()
    encode = staticmethod(quote)

    def decode(self, value: object) -> str:
        if type(value) is str:
            try:
                utc_seconds(value)
            except ValueError:
                raise Misfit from None
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not str:
            yield _wrong_type(where, "a date-time in a string", shown(value))
            return
        try:
            utc_seconds(value)
        except ValueError:
            yield _wrong_type(where, "an ISO 8601 date-time", shown(value))


class Integer:
    """A JSON integer: neither ``1.0`` nor ``"1"`` nor ``true`` is one (row 7 of the table of refusals)."""

    __slots__ = ()
    encode = staticmethod(int.__repr__)  # of a bool or an IntEnum it still gives digits, of a float it is a TypeError

    def decode(self, value: object) -> int:
        if type(value) is int and -LARGEST <= value <= LARGEST:
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not int:
            yield _wrong_type(where, "an integer", shown(value))
        elif not -LARGEST <= value <= LARGEST:
            yield _wrong_type(where, "an integer of at most 64 bits", "a larger one")


class Number:
    """A JSON number. The three of OCPP 1.6 have one decimal; further ones are cut where they are used, not refused."""

    __slots__ = ()

    @staticmethod
    def encode(value: float) -> str:
        if -LARGEST <= value <= LARGEST:
            return repr(round(value, 1))  # 0.1 + 0.2 is written 0.3; an int stays an int
        raise ValueError(f"no number of OCPP: {value!r}")

    def decode(self, value: object) -> float:
        # The bounds also refuse the infinity that 1e999 becomes.
        if (type(value) is float or type(value) is int) and -LARGEST <= value <= LARGEST:
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not float and type(value) is not int:
            yield _wrong_type(where, "a number", shown(value))
        elif not -LARGEST <= value <= LARGEST:
            yield _wrong_type(where, "a number of at most 19 digits", "a larger one")


class Boolean:
    """``true`` or ``false``."""

    __slots__ = ()

    @staticmethod
    def encode(value: bool) -> str:
        return "true" if value else "false"

    def decode(self, value: object) -> bool:
        if type(value) is bool:
            return value
        raise Misfit

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not bool:
            yield _wrong_type(where, "true or false", shown(value))


class Many:
    """A JSON array of one shape with at least ``at_least`` items."""

    __slots__ = ("at_least", "item")

    def __init__(self, item: Shape, at_least: int) -> None:
        self.item = item
        self.at_least = at_least

    def decode(self, value: object) -> list[object]:
        if type(value) is not list or len(value) < self.at_least:
            raise Misfit
        decode = self.item.decode
        return [decode(each) for each in value]

    def encode(self, value: list[Any]) -> str:
        return f"[{','.join(map(self.item.encode, value))}]"

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not list:
            yield _wrong_type(where, "an array", shown(value))
            return
        if len(value) < self.at_least:
            problem = f"{len(value)} items, at least {self.at_least} needed"
            yield Fault(ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION, where, problem)
        for index, each in enumerate(value):
            yield from self.item.faults(each, f"{where}[{index}]")


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a record: its name on the wire, the attribute that holds it here, and what it looks like."""

    name: str
    attribute: str
    shape: Shape
    is_required: bool


class Record:
    """A JSON object that is a dataclass of ``ocpp`` here."""

    __slots__ = ("_absent", "_kind", "_readers", "_required", "encode", "members")

    def __init__(self, kind: type, members: tuple[Member, ...], absent: Mapping[str, None]) -> None:
        """``absent`` are the arguments that the class demands although the message may leave the field out."""
        self.members = members
        self._kind = kind
        self._absent: dict[str, object] = dict(absent)
        self._required = frozenset(member.name for member in members if member.is_required)
        self._readers = {member.name: (member.attribute, member.shape.decode) for member in members}
        self.encode = _record_writer(members)

    def decode(self, value: object) -> object:
        if type(value) is not dict or not value.keys() >= self._required:
            raise Misfit
        arguments = self._absent.copy()
        readers = self._readers
        for name, each in value.items():
            reader = readers.get(name)
            if reader is None:
                raise Misfit
            attribute, decode = reader
            arguments[attribute] = decode(each)
        return self._kind(**arguments)

    def faults(self, value: object, where: str) -> Iterator[Fault]:
        if type(value) is not dict:
            yield _wrong_type(where, "an object", shown(value))
            return
        for name in value.keys() - self._readers.keys():
            # A name may be anything; quoted, a line break in it cannot forge a line of a log.
            printable = name if name.isascii() and name.isidentifier() else quote(name)
            yield Fault(ErrorCode.FORMATION_VIOLATION, _inside(where, printable), f"unknown field{self._meant(name)}")
        for name in self._required - value.keys():
            yield Fault(ErrorCode.PROTOCOL_ERROR, _inside(where, name), "required field is missing")
        for member in self.members:
            if member.name in value:
                yield from member.shape.faults(value[member.name], _inside(where, member.name))

    def _meant(self, name: str) -> str:
        """Return the name a peer most likely had in mind: nearly always the case of a letter is wrong."""
        folded = name.replace("_", "").casefold()
        return next((f", did you mean {known}?" for known in self._readers if known.casefold() == folded), "")


def judge(shape: Shape, payload: object) -> PeerError:
    """Return the error for a payload that `Shape.decode` refused.

    Of several faults the first in the check order decides: extra field, missing field, type with length and date,
    count, value. Within one kind it is the first by path, so that the same payload always gets the same answer.
    """
    faults = list(shape.faults(payload, ""))
    if not faults:
        # Not a peer's fault. `decode` and `faults` of one shape disagree, and the tests say they do not.
        return PeerError(ErrorCode.INTERNAL_ERROR, "refused for no reason that could be found")
    first = min(faults, key=lambda fault: (_CHECK_ORDER.index(fault.code), fault.where))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = first.where if len(first.where) <= 80 else f"{first.where[:77]}..."
    problem = f"{where or 'payload'}: {first.problem}"
    return PeerError(first.code, shortened(problem, DESCRIPTION_LENGTH - len(more)) + more)


_CHECK_ORDER = (
    ErrorCode.FORMATION_VIOLATION,
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
    ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
)


def json_type(value: object) -> str:
    """Return what a JSON value is, in words that never contain it."""
    if value is None:
        return "null"
    return _JSON_TYPES.get(type(value), "something else")


_JSON_TYPES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction or exponent",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def shown(value: object) -> str:
    """Return a short text of a JSON value; of arrays and objects only the type, however deep they nest."""
    if type(value) is str:
        return quote(value[:40]) + ("..." if len(value) > 40 else "")
    if value is None or type(value) in (bool, int, float):
        return shortened(json.dumps(value), 40)
    return json_type(value)


def shortened(text: str, length: int) -> str:
    """Cut a text to a length, visibly."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _wrong_type(where: str, expected: str, found: str) -> Fault:
    return Fault(ErrorCode.TYPE_CONSTRAINT_VIOLATION, where, f"expected {expected}, found {found}")


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _record_writer(members: tuple[Member, ...]) -> Callable[[Any], str]:
    """Compile a function that writes a dataclass as a JSON object, in the order of its attributes.

    What is None is left out, never sent as null. Compiled, as `dataclasses` does it, since a loop over the members
    takes twice the time: 1.6 us for a sampled value, of which a charger writes more than of anything else.
    """
    lines = ["def write(message):", "    text = ''"]
    for index, member in enumerate(members):
        lines.append(f"    if (value := message.{member.attribute}) is not None:")
        lines.append(f"        text += {f',{quote(member.name)}:'!r} + write_{index}(value)")
    lines.append("    return '{' + text[1:] + '}'")
    namespace: dict[str, Any] = {f"write_{index}": member.shape.encode for index, member in enumerate(members)}
    exec("\n".join(lines), namespace)
    write: Callable[[Any], str] = namespace["write"]
    return write
