"""Reading a mapping strictly, and filling a dataclass from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import pytest

from hw.document import Bounds, OneOf, Seconds, Share, bind, parse
from hw.errors import InputFileError


class Parity(StrEnum):
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True)
class Options:
    unit: Annotated[int, Bounds(1, 247)]
    gain: float = 1.0
    parity: Parity = Parity.EVEN
    wait: Seconds = 1.0
    soc: Share = 0.5
    names: tuple[str, ...] = ()
    parities: tuple[Parity, ...] = ()
    registers: tuple[int, ...] = ()
    model: Annotated[str, OneOf(("sdm120", "sdm630"))] = "sdm630"
    note: str | None = "none"
    is_fast: bool = False


def section(text):
    return parse(text, file="f").mapping()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("90 s", 90), ("5 min", 300), ("2 h", 7200), ("1.5h", 5400), ("250ms", 0.25), ("3", 3)],
)
def test_durations_are_written_as_people_do(written, seconds):
    """`90s`, `5 min`, `2 h`, or a plain number of seconds."""
    assert section(f"wait: {written}").duration_s("wait") == seconds


@pytest.mark.parametrize(("written", "share"), [("20%", 0.2), ("0.2", 0.2), ("100 %", 1.0), ("0", 0.0)])
def test_shares_are_written_in_per_cent_or_as_numbers(written, share):
    """`20%` or `0.2`."""
    assert section(f"soc: {written}").share("soc") == share


@pytest.mark.parametrize(
    ("written", "least", "most"), [("20-60 %/day", 0.2, 0.6), ("20–60%/day", 0.2, 0.6), ("40 %/day", 0.4, 0.4)]
)
def test_a_range_of_shares_a_day(written, least, most):
    """`20-60 %/day`, or one value."""
    assert section(f"drives: {written}").share_per_day("drives") == pytest.approx((least, most))


@pytest.mark.parametrize("written", ["60-20 %/day", "40 %", "300 %/day", "0.4"])
def test_what_is_no_range_of_shares_a_day_is_refused(written):
    with pytest.raises(InputFileError, match="drives must be a range such as 20-60 %/day"):
        section(f"drives: {written}").share_per_day("drives")


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("baud: fast", lambda s: s.number("baud"), "f:1:7: baud must be a number, got 'fast'"),
        ("baud: true", lambda s: s.number("baud"), "f:1:7: baud must be a number, got true"),
        ("baud: -1", lambda s: s.number("baud", minimum=0), "f:1:7: baud must be at least 0, got -1"),
        ("unit: 300", lambda s: s.integer("unit", minimum=1, maximum=247), "f:1:7: unit must be 1..247, got 300"),
        ("unit: 1.5", lambda s: s.integer("unit"), "f:1:7: unit must be a whole number, got 1.5"),
        ("id: 5", lambda s: s.text("id"), "f:1:5: id must be a text in quotes, got 5"),
        ("on: yes", lambda s: s.flag("on"), "f:1:5: on must be true or false, got 'yes'"),
        (
            "wait: soon",
            lambda s: s.duration_s("wait"),
            "f:1:7: wait must be a duration such as 90s, 5 min or 2 h, got 'soon'",
        ),
        ("soc: 120%", lambda s: s.share("soc"), "f:1:6: soc must be a share such as 20% or 0.2, got '120%'"),
        (
            "kind: evn",
            lambda s: s.choice("kind", Parity),
            "f:1:7: unknown kind 'evn'; did you mean 'even'? (valid: even, odd)",
        ),
        ("cable: 3", lambda s: s.child("cable"), "f:1:8: cable must be a mapping, got 3"),
        ("list: {}", lambda s: s.children("list"), "f:1:7: list must be a list, got a mapping"),
        ("list: [1, {}]", lambda s: s.children("list"), "f:1:8: list[0] must be a mapping, got 1"),
        ("a: 1", lambda s: s.number("baud"), "f:1:1: the file needs 'baud'"),
        (
            "a: 1\nrealy: 2",
            lambda s: s.number("relay"),
            "f:2:1: unknown key 'realy' in the file; did you mean 'relay'?",
        ),
        ("wait:", lambda s: s.number("wait"), "f:1:1: wait must be a number, got nothing"),
    ],
)  # fmt: skip
def test_getters_name_place_field_found_and_expected(text, read, message):
    """InputFileError: file, line, column, field, found, expected (conventions, Errors)."""
    with pytest.raises(InputFileError) as caught:
        read(section(text))
    assert str(caught.value) == message


def test_key_that_nobody_reads_is_an_error():
    """A key nobody reads is an error that names file, line, column and the nearest valid key (the house, rule 9)."""
    read = section("relay: 1\nmetre: 2\n")
    read.number("relay")
    read.number("meter", 3)
    with pytest.raises(InputFileError) as caught:
        read.finish()
    assert str(caught.value) == "f:2:1: unknown key 'metre' in the file; did you mean 'meter'? (valid: meter, relay)"


def test_free_form_mapping_counts_as_read():
    """Mappings whose keys are data are walked with their marks."""
    read = section("HeartbeatInterval: 300\nOther: x\n")
    assert [(key, entry.node.value) for key, entry in read.items()] == [("HeartbeatInterval", 300), ("Other", "x")]
    read.finish()


def test_dataclass_is_filled_from_its_fields():
    """A driver's options are the fields of its dataclass."""
    text = (
        "unit: 2\ngain: 2\nparity: odd\nwait: 5 min\nsoc: 20%\nnames: [a, b]\nparities: [odd]\n"
        "registers: [1, 2]\nmodel: sdm120\nnote: null\nis_fast: true\n"
    )
    expected = Options(2, 2.0, Parity.ODD, 300.0, 0.2, ("a", "b"), (Parity.ODD,), (1, 2), "sdm120", None, True)
    assert bind(section(text), Options) == expected
    assert bind(section("unit: 1"), Options) == Options(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unit: 0", "f:1:7: unit must be 1..247, got 0"),
        ("gain: 1", "f:1:1: the file needs 'unit'"),
        ("unit: 1\nmodel: sdm12", "f:2:8: unknown model 'sdm12'; did you mean 'sdm120'? (valid: sdm120, sdm630)"),
        ("unit: 1\nparities: [evn]", "f:2:12: unknown parities[0] 'evn'; did you mean 'even'? (valid: even, odd)"),
    ],
)
def test_dataclass_refuses_what_does_not_fit(text, message):
    """Unknown keys, wrong types and bounds are errors with their place."""
    with pytest.raises(InputFileError) as caught:
        bind(section(text), Options)
    assert str(caught.value) == message
