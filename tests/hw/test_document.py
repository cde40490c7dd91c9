"""Strict YAML: what is text, where things stand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.document import load, parse
from hw.errors import BoardFileError, InputFileError, Mark


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12E45678", "12E45678"),
        ("04126789", "04126789"),
        ("on", "on"),
        ("no", "no"),
        ("12:30", "12:30"),
        ("True", "True"),
        ("~", "~"),
        ("1.", "1."),
        ("0x1F", "0x1F"),
        (".5", ".5"),
        ("2026-01-02", "2026-01-02"),
        ("'5'", "5"),
        ("5", 5),
        ("-3", -3),
        ("0", 0),
        ("0.50", 0.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
    ],
)
def test_only_plain_words_are_anything_but_text(written, value):
    """A card number is not infinity, a time is not 750, and `on` is not true."""
    entries = dict(parse(f"key: {written}\n").mapping().items())
    assert entries["key"].node.value == value
    assert type(entries["key"].node.value) is type(value)


def test_every_key_value_and_item_knows_its_place():
    """Line and column count from 1, as editors do."""
    entries = dict(parse("a: 1\nb:\n  - x\n  - {c: 2}\nd:\ne: 3\n", file="f.yaml").mapping().items())
    assert entries["b"].key_mark == Mark("f.yaml", 2, 1)
    items = entries["b"].node.value
    assert [str(item.mark) for item in items] == ["f.yaml:3:5", "f.yaml:4:5"]
    assert (items[1].value["c"].node.mark, items[1].value["c"].node.field) == (Mark("f.yaml", 4, 9), "b[1].c")
    assert entries["d"].node.mark == Mark("f.yaml", 5, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: 'a' stands here twice, first in line 1"),
        ("a: [1\nb: 2\n", "f.yaml:1:4: the [ that begins here is not closed"),
        ("a: [", "f.yaml:1:4: the [ that begins here is not closed"),
        ("a: [1, {b: 2, c", "f.yaml:1:8: the { that begins here is not closed"),
        ("a: 1\nb: 'x\nc: 2\n", "f.yaml:2:4: the quote that begins here is not closed"),
        ("a: [{b: 1]\n", "f.yaml:1:10: expected ',' or '}', but got ']'"),
        ("a: ]\n", "f.yaml:1:4: expected the node content, but found ']'"),
        ("a:\n\t- b\n", "f.yaml:2:1: found character '\\t' that cannot start any token"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: expected a single document in the stream, but found another document"),
        ("a: &x [*x]\n", "f.yaml:1:4: a[0] contains itself"),
        ("a: !foo 3\n", "f.yaml:1:4: tag !foo is not known here"),
        ("? [1]\n: 2\n", "f.yaml:1:3: a key must be a plain word"),
        ("", "f.yaml:1:1: the file is empty"),
        ("a: 1\nb: \x01\n", "f.yaml:2:4: character #x01 is not allowed"),
    ],
)
def test_what_is_not_strict_yaml_is_refused_with_its_place(text, message):
    """Prints as ``file:line:column: problem`` (hw.errors.InputFileError)."""
    with pytest.raises(BoardFileError) as caught:
        parse(text, file="f.yaml", error=BoardFileError)
    assert str(caught.value) == message


def test_root_that_is_no_mapping_is_refused():
    """A file of another shape is told what it should be."""
    with pytest.raises(InputFileError, match="f:1:1: the file must be a mapping, got a list"):
        parse("- 1\n", file="f").mapping()


def test_file_that_cannot_be_read_names_itself(tmp_path: Path) -> None:
    """No traceback for a wrong path or an encoding from elsewhere."""
    with pytest.raises(InputFileError, match=r"gone\.yaml: does not exist"):
        load(tmp_path / "gone.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: ä".encode("latin-1"))
    with pytest.raises(InputFileError, match=r"latin\.yaml:1:1: is not UTF-8 text"):
        load(latin)
