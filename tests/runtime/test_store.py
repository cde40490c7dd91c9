"""The store: what it keeps, that a batch is one, and what it says when it cannot."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chargepoint.model.outbox import Save
from chargepoint.runtime.store import SCHEMAS, Durability, Store, StoreError, Unstorable
from tests.runtime.desk import record


def test_records_are_back_after_a_restart(tmp_path: Path) -> None:
    """A Reset is "drop the object, build a new one from the store"."""
    path = tmp_path / "new" / "directory" / "cp.sqlite3"
    store = Store(path)
    store.commit([record("queue", "1", {"action": "StopTransaction", "µ": [1, 2.5, None]}), record("queue", "2", {})])
    store.commit([record("queue", "2", None), ("CP2", Save("queue", "1", {"other": True}))])
    store.close()
    store = Store(path)
    assert store.load("CP1") == {"queue": {"1": {"action": "StopTransaction", "µ": [1, 2.5, None]}}}
    assert store.load("CP2") == {"queue": {"1": {"other": True}}}
    assert store.load("CP3") == {}
    store.close()


@pytest.mark.parametrize(("bodies", "kept"), [([{"n": 1}, None], {}), ([None, {"n": 1}], {"meter": {"1": {"n": 1}}})])
def test_last_word_of_a_batch_counts(bodies: list[dict[str, int] | None], kept: object) -> None:
    """Records are written in decision order."""
    store = Store()
    store.commit([record("meter", "1", {"n": 0})])
    store.commit([record("meter", "1", body) for body in bodies])
    assert store.load("CP1") == kept
    store.close()


def test_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """One commit per pump tick: a StartTransaction in the queue and its transaction come together."""
    store = Store(tmp_path / "cp.sqlite3")
    store.commit([record("meter", "1", {"wh": 1})])
    store._db.execute("CREATE TRIGGER broken BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'a broken page'); END")
    with pytest.raises(StoreError, match="a broken page"):
        store.commit([record("queue", "1", {"a": 1}), record("meter", "1", None)])
    assert store.load("CP1") == {"meter": {"1": {"wh": 1}}}
    store._db.execute("DROP TRIGGER broken")
    store.commit([record("queue", "1", {"a": 1}), record("meter", "1", None)])
    assert store.load("CP1") == {"queue": {"1": {"a": 1}}}
    store.close()


def test_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    """Nothing is sent before it is stored; what is in the store stays readable."""
    store = Store(tmp_path / "cp.sqlite3")
    store.commit([record("meter", "1", {"wh": 1})])
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="cannot grow, the disk is full: free some space"):
        store.commit([record("queue", str(n), {"text": "x" * 500}) for n in range(50)])
    assert store.load("CP1") == {"meter": {"1": {"wh": 1}}}
    store._db.execute("PRAGMA max_page_count=100000")
    store.commit([record("queue", "1", {"text": "x" * 500})])
    assert set(store.load("CP1")) == {"meter", "queue"}
    store.close()


def test_store_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    """A file system that was remounted read-only is a frequent end of an SD card."""
    store = Store(tmp_path / "cp.sqlite3")
    store._db.execute("PRAGMA query_only=1")
    with pytest.raises(StoreError, match=r"cannot be written \(.*readonly.*\): check the owner"):
        store.commit([record("meter", "1", {"wh": 1})])
    store.close()


def test_what_is_no_json_is_left_out_and_its_charger_named() -> None:
    """A `Save` holds plain JSON values; anything else is our bug, and must not keep the others from being stored."""
    store = Store()
    with pytest.raises(Unstorable, match="a record of kind meter cannot be stored") as caught:
        store.commit([record("meter", "1", {"wh": {1, 2}}), ("CP2", Save("queue", "1", {}))])
    assert caught.value.chargers == ("CP1",)
    assert store.load("CP1") == {}
    assert store.load("CP2") == {"queue": {"1": {}}}
    store.close()


@pytest.mark.parametrize("durability", list(Durability))
def test_second_process_is_locked_out_with_what_to_do(tmp_path: Path, durability: Durability) -> None:
    """Two processes with one identity would both be the charger."""
    path = tmp_path / "cp.sqlite3"
    first = Store(path, durability)
    program = f"from pathlib import Path\nfrom chargepoint.runtime.store import Store\nStore(Path({str(path)!r}))"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "StoreError" in second.stderr
    assert "is in use by another process: stop that one, or give this one another data directory" in second.stderr
    first.commit([record("meter", "1", {"wh": 1})])
    first.close()
    Store(path).close()


def test_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """Going back to an older program must not ruin what the newer one wrote."""
    path = tmp_path / "cp.sqlite3"
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version={len(SCHEMAS) + 1}")
    database.close()
    with pytest.raises(StoreError, match=rf"written by a newer version \(schema {len(SCHEMAS) + 1}, this one knows"):
        Store(path)
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA user_version").fetchone() == (len(SCHEMAS) + 1,)
    database.close()


def test_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """A wrong --data must not overwrite somebody's file."""
    path = tmp_path / "cp.sqlite3"
    path.write_text("This is my diary, and it is longer than the header of a database. " * 20)
    with pytest.raises(StoreError, match="cannot be used: file is not a database"):
        Store(path)
    assert path.read_text().startswith("This is my diary")


def test_words_in_a_path_are_no_diagnosis(tmp_path: Path) -> None:
    """The advice follows from what happened, not from what a directory is called."""
    (tmp_path / "full of locked readonly things").write_text("")
    with pytest.raises(StoreError, match=r"data directory .* cannot be made: (Not a directory|File exists); give one"):
        Store(tmp_path / "full of locked readonly things" / "cp.sqlite3")


@pytest.mark.parametrize(("durability", "synchronous"), [(Durability.FULL, 2), (Durability.RELAXED, 0)])
def test_durability_is_what_the_database_was_told(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    """WAL, synchronous=FULL: a power cut loses nothing that was committed; relaxed survives the death of the process."""
    store = Store(tmp_path / "cp.sqlite3", durability)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_the_store_is_its_owners_alone(tmp_path: Path) -> None:
    """Cards, and who charged when: also in what SQLite puts beside it."""
    store = Store(tmp_path / "cp.sqlite3")
    store.commit([record("queue", "1", {})])
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert "cp.sqlite3" in modes
    assert set(modes.values()) == {0o600}
    store.close()


def test_lives_are_counted(tmp_path: Path) -> None:
    """OCPP-J erratum 3.1: message ids must differ from all earlier ones of the same charger; each life draws its own."""
    path = tmp_path / "cp.sqlite3"
    for life in (1, 2, 3):
        store = Store(path)
        assert store.begin_life() == life
        store.close()


def test_a_life_begins_without_the_history() -> None:
    """Sessions and days are read on demand: a charger with years behind it starts as fast as a new one."""
    store = Store(None, Durability.RELAXED)
    store.begin_life()
    store.commit([("CP1", Save("session", "000", {"number": 0})), ("CP1", Save("meter", "1", {"wh": 7}))])
    store.commit([("CP2", Save("meter", "1", {"wh": 8}))])
    assert store.load("CP1") == {"meter": {"1": {"wh": 7}}}
    assert store.load("CP1", {"session", "day"}) == {"session": {"000": {"number": 0}}}
    assert store.chargers() == ("CP1", "CP2")
