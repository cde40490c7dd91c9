"""The JSON Schema made from a dataclass says what the reader does: every kind of field, every kind of value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from jsonschema import Draft7Validator

from hw.binding import Bounds, Help, Length, Matches, OneOf, Plain, Seconds, Secret, Share, bind, declared
from hw.document import parse, written
from hw.errors import InputFileError
from hw.schema import schema_of


class Parity(StrEnum):
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True)
class Inner:
    unit: Annotated[int, Bounds(1, 247)]
    note: str = ""


@dataclass(frozen=True)
class Outer:
    number: float = 0.0
    bounded: Annotated[float, Bounds(-1.5, 60)] = 0.0
    whole: int = 0
    small: Annotated[int | None, Bounds(0, 3)] = None
    flag: bool = False
    text: str = ""
    short: Annotated[str | None, Length(3)] = None
    hexadecimal: Annotated[str, Matches(r"(?:[0-9a-f]{2})+", "hexadecimal digits")] = "00"
    word: Annotated[str, OneOf(("PUT", "POST"))] = "PUT"
    parity: Parity | None = None
    place: Path | None = None
    wait: Seconds = 1.0
    patience: Annotated[Seconds | None, Bounds(1.0)] = None
    charge: Share = 0.5
    names: tuple[str, ...] = ()
    some: Annotated[tuple[str, ...], OneOf(("a", "b"))] = ()
    parities: tuple[Parity, ...] = ()
    registers: tuple[int, ...] = ()
    headers: Annotated[Mapping[str, str], Secret()] = field(default_factory=dict)
    keys: Mapping[str, Plain] = field(default_factory=dict)
    inner: Annotated[Inner | None, Help("What is within.")] = None


PROBES: tuple[object, ...] = (
    *("", "x", "a", "abc", "abcd", "0a", "0A", "0a0", "PUT", "put", "even", "EVEN", "true", "7"),
    *("90s", "5 min", "1.5h", "20%", "120 %", "soon", "-1s", "90s ", "٣s"),
    *(0, 1, 2, 3, 4, 60, 61, 247, 248, -1, -2, 0.5, 1.5, -1.5, 60.5, 1000.25, True, False, None),
    *([], ["a"], ["a", "c"], ["even"], ["evn"], [1], [-1], [1.5], [True], [None], [[]], [{}]),
    *({}, {"a": "b"}, {"a": 1}, {"a": 1.5}, {"a": True}, {"a": None}, {"a": []}, {"a": {}}),
    *({"unit": 1}, {"unit": 0}, {"unit": 1, "note": "x"}, {"unit": 1, "not": "x"}, {"note": "x"}),
)
"""Values of every shape: good ones, and what people write instead."""


def yaml(value: object) -> str:
    """Return a value as YAML, which JSON is."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {yaml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml, value)) + "]"
    assert value is None or isinstance(value, str | int | float)
    return written(value)


@pytest.mark.parametrize("name", list(declared(Outer)))
def test_schema_and_reader_agree_on_every_kind_of_field(name: str) -> None:
    """What the editor lets through the reader takes, and the other way round; both kinds occur."""
    validator = Draft7Validator(schema_of(Outer, "Outer"))
    verdicts = set()
    for value in PROBES:
        text = f"{name}: {yaml(value)}"
        try:
            bind(parse(text).mapping(), Outer)
            reads = True
        except InputFileError:
            reads = False
        if name == "charge" and value == "120 %":  # what is written in words, a schema cannot count
            continue
        assert validator.is_valid({name: value}) is reads, f"{text}: the reader says {reads}"
        verdicts.add(reads)
    assert verdicts == {True, False}


def test_schema_tells_purpose_default_and_what_is_required() -> None:
    """What an editor shows while somebody writes."""
    schema = schema_of(Outer, "A file")
    Draft7Validator.check_schema(schema)
    assert (schema["title"], schema["additionalProperties"]) == ("A file", False)
    assert list(schema["properties"]) == list(declared(Outer))
    assert "required" not in schema
    assert schema["properties"]["inner"]["description"] == "What is within."
    assert schema["properties"]["inner"]["anyOf"][0]["required"] == ["unit"]
    assert schema["properties"]["wait"]["default"] == 1.0
    assert "default" not in schema["properties"]["small"]


@pytest.mark.parametrize(
    "value",
    ["", "x", "a b", "true", "null", "7", "007", "1.50", "ws://h:9000/ocpp", "a: b", "a #b", "#", "- x", "{id}", '"', "é",
     "[a, b]", "a,b", "x:", "line\nend", "\t", "yes", "12E45678", "12:30", "~", "*x", "&x", "!x", "%x", "@x", "`", "'",
     0, -1, 7, 1.5, 60.0, 1e-7, 1.25e-5, True, False, None],
)  # fmt: skip
def test_what_is_written_is_read_as_the_same(value: str | float | bool | None) -> None:
    """`config show` can be kept as a file; the traps of YAML are closed on the way out too."""
    for text in (f"k: {written(value)}  # why", f"k: [{written(value)}, {written(value)}]"):
        node = parse(text).mapping().node("k")
        found = node.value[0].value if isinstance(node.value, list) else node.value
        assert (type(found), found) == (type(value), value), text


def test_list_is_written_on_one_line() -> None:
    assert written(("a", "b c")) == '[a, "b c"]'


def test_secret_is_not_shown_in_an_error() -> None:
    """Secrets are never echoed, also those that cannot be used."""
    with pytest.raises(InputFileError) as caught:
        bind(parse("headers: {X-Key: 815}", file="f").mapping(), Outer)
    assert str(caught.value) == "f:1:18: headers.X-Key must be a text in quotes, got what is not shown"
