"""A store whose file is damaged: what can be read is taken into a new one, the old one is kept, nothing is silent."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chargepoint.model.outbox import Save
from chargepoint.model.record import UNREADABLE
from chargepoint.runtime.salvage import MAGIC, PAGE_BYTES
from chargepoint.runtime.store import Durability, Store, StoreError
from chargepoint.runtime.store_file import beside
from tests.runtime.desk import record

PAGE = PAGE_BYTES
Found = dict[str, dict[str, Any]]

BILLED: Found = {
    "transaction": {"1-a": {"connector": 1}},
    "meter": {"1": {"wh": 1234, "at": 1000.0}},
    "queue": {"000000000001": {"action": "StartTransaction"}},
}


def filled(path: Path, queued: int = 200) -> Store:
    """A store of several pages: what is billed, and many records beside it."""
    store = Store(path, Durability.RELAXED)
    rows = [record(kind, key, body) for kind, found in BILLED.items() for key, body in found.items()]
    rows += [record("listed", f"card{number:04d}", {"status": "Accepted", "parent": "x" * 40}) for number in range(queued)]
    rows += [record("cache", "long", {"status": "y" * 9000})]  # on pages that overflow
    store.commit(rows)
    return store


def kept(path: Path) -> list[Path]:
    return [each for each in sorted(path.parent.iterdir()) if ".damaged-" in each.name and not each.name.endswith("-wal")]


def problems(store: Store) -> dict[str, str]:
    return {name: entry["problem"] for name, entry in store.load("CP1").get(UNREADABLE, {}).items()}


def billed(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Found:
    """What of `BILLED` was loaded, by record or by copy."""
    values: Found = {kind: dict(found.get(kind, {})) for kind in BILLED}
    for entry in found.get(UNREADABLE, {}).values():
        if entry["kind"] in BILLED:
            values[entry["kind"]][entry["key"]] = entry["copy"]
    return values


def scribble(path: Path, number: int, rng: Random, length: int = PAGE) -> None:
    """Overwrite a page, or part of it, with bytes of chance."""
    data = bytearray(path.read_bytes())
    start = (number - 1) * PAGE + rng.randrange(PAGE - length + 1)
    data[start : start + length] = rng.randbytes(length)
    path.write_bytes(data)


# --- one record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, found in BILLED.items() for key in found])
@pytest.mark.parametrize("change", ["UPDATE record SET body = '{}' WHERE kind = ?", "DELETE FROM record WHERE kind = ?"])
def test_record_that_is_billed_is_taken_from_its_copy(tmp_path: Path, kind: str, key: str, change: str) -> None:
    """[D] Records that money depends on are kept twice; the second copy of a register is at most a minute older."""
    store = filled(tmp_path / "cp.sqlite3")
    store._db.execute(change, (kind,))
    store.close()
    store = Store(tmp_path / "cp.sqlite3")
    assert problems(store) == {f"{kind}/{key}": "it is missing" if "DELETE" in change else "its checksum is wrong"}
    store.close()
    store = Store(tmp_path / "cp.sqlite3")
    assert billed(store.load("CP1")) == BILLED
    store.close()


def test_record_that_was_deleted_in_order_does_not_come_back(tmp_path: Path) -> None:
    """A delivered message must not be sent again: the copy goes with its record, in one commit."""
    store = filled(tmp_path / "cp.sqlite3")
    store.commit([record("queue", "000000000001", None)])
    store.close()
    store = Store(tmp_path / "cp.sqlite3")
    assert "queue" not in store.load("CP1")
    assert problems(store) == {}
    store.close()


def test_register_is_copied_less_often_than_it_is_written(tmp_path: Path) -> None:
    """[D] SD cards wear out by writing: the second copy is on a page of its own, written when it is 45 s old."""
    store = Store(tmp_path / "cp.sqlite3", Durability.RELAXED)
    ages = []
    for at_s in range(0, 600, 10):
        store.commit([record("meter", "1", {"wh": at_s, "at": float(at_s)})])
        (body,) = store._db.execute("SELECT body FROM copy").fetchone()
        ages.append(at_s - int(body.partition(":")[2].partition(",")[0]))
    assert max(ages) == 40
    assert ages.count(0) == 12
    store.close()


# --- pages ------------------------------------------------------------------------------------------------------------


def test_whichever_page_is_overwritten_what_is_billed_is_there(tmp_path: Path) -> None:
    """[D] One page of the file, also the first, is lost: the store opens, the damaged file is kept, what is billed is
    read from its record or its copy, and the charger is told. Records of other pages are as they were."""
    original = tmp_path / "original.sqlite3"
    filled(original).close()
    pages = original.stat().st_size // PAGE
    assert pages > 7
    for number in range(1, pages + 1):
        path = tmp_path / str(number) / "cp.sqlite3"
        path.parent.mkdir()
        shutil.copy(original, path)
        scribble(path, number, Random(number))
        damaged = path.read_bytes()
        store = Store(path)
        assert [each.read_bytes() for each in kept(path)] == [damaged], f"page {number}"
        found = store.load("CP1")
        assert "store/0" in found[UNREADABLE], f"page {number}"
        assert billed(found) == BILLED, f"page {number}"
        assert len(found["listed"]) > 110, f"page {number}"
        store.commit([record("meter", "1", {"wh": 2000, "at": 2000.0})])
        store.close()
        store = Store(path)
        assert store.load("CP1")["meter"] == {"1": {"wh": 2000, "at": 2000.0}}
        assert store.damage == ()
        store.close()


def test_deleted_records_do_not_come_back_with_a_salvage(tmp_path: Path) -> None:
    """Nothing is sent twice: what was deleted is overwritten on its page, and on pages that are free again."""
    path = tmp_path / "cp.sqlite3"
    store = filled(path)
    body = {"action": "MeterValues", "payload": "z" * 90}
    store.commit([record("queue", f"{number:012d}", body) for number in range(2, 400)])
    store.commit([record("queue", f"{number:012d}", None) for number in range(1, 400)])
    store.close()
    assert b"MeterValues" not in path.read_bytes()
    scribble(path, 1, Random(1))
    store = Store(path)
    assert "queue" not in store.load("CP1")
    store.close()


def test_empty_file_beside_its_log_is_read_from_the_log(tmp_path: Path) -> None:
    """SQLite deletes a log whose database is empty, and with it all that stood only there."""
    source, path = tmp_path / "source.sqlite3", tmp_path / "cp.sqlite3"
    store = filled(source)
    shutil.copy(beside(source, "-wal"), beside(path, "-wal"))
    path.write_bytes(b"")
    store.close()
    store = Store(path)
    assert billed(store.load("CP1")) == BILLED
    assert kept(path)
    store.close()


def commits(path: Path, count: int) -> tuple[bytes, bytes]:
    """Return database and log of a store with so many commits in the log."""
    store = Store(path, Durability.RELAXED)
    for number in range(1, count + 1):
        store.commit([record("queue", f"{number:012d}", {"action": "StartTransaction"})])
    files = path.read_bytes(), beside(path, "-wal").read_bytes()
    store.close()
    return files


def test_log_that_has_changed_loses_no_later_commit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite drops a changed frame with all commits behind it, silently: here minutes of registers and whole charges."""
    database, log = commits(tmp_path / "source.sqlite3", 20)
    path = tmp_path / "cp.sqlite3"
    path.write_bytes(database)
    damaged = bytearray(log)
    damaged[32 + 3 * (PAGE + 24) + 24 + 2000] ^= 0x10
    beside(path, "-wal").write_bytes(damaged)
    with caplog.at_level(logging.ERROR):
        store = Store(path)
    assert "write-ahead log has changed" in caplog.text
    found = store.load("CP1")
    assert len(found["queue"]) == 20
    store.close()


def test_log_that_ends_in_the_middle_of_a_commit_is_sound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A power cut leaves half a commit behind, which nobody has relied on: no damage, and no message."""
    database, log = commits(tmp_path / "source.sqlite3", 20)
    for number, cut in enumerate((100, PAGE, PAGE + 24 + 7, 2 * PAGE)):
        path = tmp_path / f"cp{number}.sqlite3"
        path.write_bytes(database)
        torn = bytearray(log)
        torn[-cut:] = bytes(cut) if number % 2 else b""
        beside(path, "-wal").write_bytes(torn)
        with caplog.at_level(logging.ERROR):
            store = Store(path)
        assert not caplog.records
        assert store.damage == ()
        assert len(store.load("CP1")["queue"]) >= 17
        store.close()


@pytest.mark.parametrize("step", range(1, 7))
def test_salvage_that_is_cut_off_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Pull the plug at any line: the new file takes its place only when it is complete, and the old one is kept."""
    path = tmp_path / "cp.sqlite3"
    filled(path).close()
    scribble(path, 1, Random(1))
    steps = 0

    def mortal(method: str) -> None:
        original = getattr(Path, method)

        def dying(self: Path, *arguments: object, **more: object) -> object:
            nonlocal steps
            steps += 1
            if steps == step:
                raise KeyboardInterrupt
            return original(self, *arguments, **more)

        monkeypatch.setattr(Path, method, dying)

    for method in ("unlink", "replace"):
        mortal(method)
    with pytest.raises(KeyboardInterrupt):
        Store(path)
    monkeypatch.undo()
    store = Store(path)
    assert billed(store.load("CP1")) == BILLED
    assert kept(path)
    assert not beside(path, ".salvaged").exists()
    store.close()


def test_file_that_cannot_be_used_names_the_way_out(tmp_path: Path) -> None:
    """[D] What to move where, and what that costs."""
    path = tmp_path / "cp.sqlite3"
    path.write_bytes(b"no store" * 1000)
    with pytest.raises(StoreError, match=f"To start with a new one, .* move cp.sqlite3, and .*-wal .*out of {tmp_path}"):
        Store(path)
    assert path.read_bytes() == b"no store" * 1000
    assert [each.name for each in tmp_path.iterdir()] == ["cp.sqlite3"]


def test_store_in_use_is_not_salvaged(tmp_path: Path) -> None:
    """The log of a running process is half written at times: only who has the file to himself may judge it."""
    path = tmp_path / "cp.sqlite3"
    with sqlite3.connect(path, isolation_level=None) as running:
        running.execute("PRAGMA locking_mode=EXCLUSIVE")
        running.execute("PRAGMA journal_mode=WAL")
        running.execute("CREATE TABLE x (y)")
        with pytest.raises(StoreError, match="is in use by another process"):
            Store(path)
        assert kept(path) == []
    running.close()


def test_every_charger_of_a_damaged_store_is_told_once(tmp_path: Path) -> None:
    """Which of them the lost page belonged to is not known any more."""
    path = tmp_path / "fleet.sqlite3"
    store = filled(path)
    store.commit([("CP2", Save("meter", "1", {"wh": 1}))])
    store.close()
    scribble(path, 3, Random(3))
    store = Store(path)
    for charger in ("CP1", "CP2"):
        assert "store/0" in store.load(charger)[UNREADABLE]
        assert "store/0" not in store.load(charger).get(UNREADABLE, {})
    store.close()


@pytest.mark.parametrize(
    ("found", "put", "problem"),
    [
        (b"tablerecordrecord", b"tablerecordrecorf", "malformed database schema"),
        (MAGIC + b"\x08\x00\x02", MAGIC + b"\x08\x00\x0a", "attempt to write a readonly database"),
        (b"CP1listedcard0050", b"CQ1listedcard0050", "row not in PRIMARY KEY order for record"),
    ],
)
def test_damage_of_header_schema_and_order_is_salvaged(tmp_path: Path, found: bytes, put: bytes, problem: str) -> None:
    """The name of a table, a version in the header, and a record out of order, behind which no other is found."""
    path = tmp_path / "cp.sqlite3"
    filled(path).close()
    data = path.read_bytes()
    assert data.count(found) == 1
    path.write_bytes(data.replace(found, put))
    store = Store(path)
    assert store.damage[0]["problem"].startswith(problem)
    records = store.load("CP1")
    assert billed(records) == BILLED
    assert len(records["listed"]) >= 199
    assert kept(path)
    store.close()


def test_record_of_a_charger_that_does_not_exist_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The name of a charger may change too, so that no charger would ever load the record: all of them are told, once."""
    path = tmp_path / "cp.sqlite3"
    store = filled(path)
    store.commit([record("usage", "totals", {"total": 1})])
    store._db.execute("UPDATE record SET charger = 'CQ1' WHERE kind = 'usage'")
    store.close()
    with caplog.at_level(logging.ERROR):
        store = Store(path)
    assert "the name 'CQ1' in 1 records is of no charger" in caplog.text
    assert "store/0" in store.load("CP1")[UNREADABLE]
    assert store.chargers() == ("CP1",)
    assert store.load("", {"damaged"})["damaged"]["CQ1/usage/totals"]["body"] == '{"total":1}'
    store.close()
    store = Store(path)
    assert store.damage == ()
    store.close()


def test_copy_that_is_damaged_or_missing_is_made_anew(tmp_path: Path) -> None:
    """Else the next damage would find none."""
    path = tmp_path / "cp.sqlite3"
    store = filled(path)
    store._db.execute("UPDATE copy SET body = '{}' WHERE kind = 'queue'")
    store._db.execute("DELETE FROM copy WHERE kind = 'transaction'")
    store.close()
    store = Store(path)
    assert UNREADABLE not in store.load("CP1")
    store._db.execute("DELETE FROM record WHERE kind IN ('queue', 'transaction')")
    store.close()
    store = Store(path)
    assert billed(store.load("CP1")) == BILLED
    store.close()


def test_header_that_is_lost_does_not_hide_the_size_of_pages(tmp_path: Path) -> None:
    """Stores of earlier versions have the pages of 4096 bytes that SQLite makes by itself."""
    path = tmp_path / "cp.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA page_size=4096")
        database.execute("CREATE TABLE x (y)")
    filled(path).close()
    data = path.read_bytes()
    assert data[16:18] == b"\x10\x00"
    path.write_bytes(bytes(4096) + data[4096:])
    store = Store(path)
    assert billed(store.load("CP1")) == BILLED
    store.close()
