"""Records: what a reader refuses is no part of a snapshot, whatever is wrong with it, and is reported once."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import profiles
from chargepoint.model.feature import FeatureProfile, Roster
from chargepoint.model.record import UNREADABLE, Fields, RecordError, RecordKind, Snapshot
from chargepoint.model.usage import HISTORY_KINDS
from chargepoint.runtime.charger import BOARD
from chargepoint.runtime.store import LIVES

ROOT = Path(__file__).resolve().parents[2]
KINDS = (*Roster(profiles.select(tuple(profiles.ALL), tuple(profiles.EXTENSIONS))).records, *HISTORY_KINDS, BOARD, LIVES)
NUMBER = RecordKind("number", __name__, lambda _key, fields: fields.integer("n"), "number {key}", version=2)


def test_bad_record_is_left_out_and_the_others_are_read() -> None:
    """[D] Record by record: the bad one is listed with what is lost, the others are values."""
    bodies: dict[str, Any] = {"1": {"n": 1}, "2": {}, "3": {"n": "3"}, "4": {"n": 4, "v": 2}, "5": {"n": 5, "v": 3}}
    unreadable = {"number/6": {"kind": "number", "key": "6", "body": '{"n"', "problem": "it is no JSON"}}
    snapshot = Snapshot({"number": bodies, "foreign": {"1": {}}, UNREADABLE: unreadable}, (NUMBER,))
    assert snapshot.of(NUMBER) == {"1": 1, "4": 4}
    assert [(each.key, each.loss) for each in snapshot.damaged] == [(key, f"number {key}") for key in "2356"]
    assert "version 3, this program knows 2" in next(each.problem for each in snapshot.damaged if each.key == "5")
    kept, dropped = snapshot.damaged[0].put_aside()
    assert (kept.kind, kept.key) == ("damaged", "number/2")
    assert kept.body == {"kind": "number", "key": "2", "body": {}, "problem": "n is missing"}
    assert (dropped.kind, dropped.key, dropped.body) == ("number", "2", None)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("text", 1),
        ("flag", 1),
        ("integer", True),
        ("integer", 1.0),
        ("number", "1"),
        ("number", True),
        ("number", float("nan")),
        ("number", float("inf")),
        ("amount", -0.1),
        ("instant", -1.0),
        ("instant", 253_402_300_800.0),
        ("texts", ["a", 1]),
        ("items", []),
        ("fields", []),
    ],
)
def test_field_of_another_type_is_refused(read: str, value: object) -> None:
    """Python's JSON reads NaN and takes true for 1; a date behind the year 9999 cannot be written (RFC 3339)."""
    with pytest.raises(RecordError):
        getattr(Fields({"x": value}), read)("x")
    with pytest.raises(RecordError, match="x is missing"):
        getattr(Fields({}), read)("x")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("body", [{}, {"value": []}, {"connector": "1"}], ids=json.dumps)
def test_no_kind_takes_a_body_without_its_fields(kind: RecordKind[Any], body: dict[str, Any]) -> None:
    """`{}` in a record once stopped the program with a traceback, at every start."""
    assert Snapshot({kind.name: {"1": body}}, (kind,)).damaged


def test_no_two_owners_keep_one_kind() -> None:
    """One kind, one owner, one reader."""

    class Other(FeatureProfile):
        name = "Other"
        records = (RecordKind("cache", __name__, lambda _key, fields: fields.text("x"), "x"),)

    with pytest.raises(ValueError, match="kept twice"):
        Roster((*profiles.select(("Core",)), Other))
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names) - 1  # the totals are declared with the history as well, by the same object
    for kind in KINDS:
        assert (ROOT / f"{kind.owner.replace('.', '/')}.py").exists(), kind.owner


def test_every_record_that_is_written_has_a_kind() -> None:
    """A kind that no table knows is not read, nor put aside when it is damaged: writers name a `RecordKind`."""
    places = ("profiles/**/*.py", "chargepoint/model/*.py", "chargepoint/runtime/*.py")
    for path in (each for place in places for each in ROOT.glob(place)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            called = ast.unparse(node.func)
            assert not re.search(r"(^|\.)(Save|host\.save|self\.save)$", called), f"{path.name}:{node.lineno}: {called}"
