"""The store: what it keeps, that a batch is one, and what it says when it cannot."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chargepoint.model.outbox import Save
from chargepoint.model.record import UNREADABLE
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


# --- what has changed under the store ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE record SET body = '{\"wh\":2}'", "its checksum is wrong"),
        ("UPDATE record SET key = '2'", "its checksum is wrong"),
        ("UPDATE record SET body = CAST(x'7b22ff227d' AS TEXT)", "its checksum is wrong"),
        ("UPDATE record SET body = 'no', crc = record_crc(charger, kind, key, 'no')", "it is no JSON"),
        ("UPDATE record SET body = '[1]', crc = record_crc(charger, kind, key, '[1]')", "it is no JSON object"),
        ("UPDATE record SET body = '{\"wh\":NaN}', crc = record_crc(charger, kind, key, '{\"wh\":NaN}')", "it is no JSON"),
        (f"UPDATE record SET body = '{'[' * 9}', crc = record_crc(charger, kind, key, '{'[' * 9}')", "it is no JSON"),
    ],
)
def test_record_whose_bytes_have_changed_is_no_record(change: str, problem: str) -> None:
    """[D] Nothing is billed, sent or offered by a record that is not as it was written; what was found is handed out."""
    store = Store()
    store.commit([record("meter", "1", {"wh": 1})])
    store._db.execute(change)
    found = store.load("CP1")
    assert list(found) == [UNREADABLE]
    (entry,) = found[UNREADABLE].values()
    assert (entry["kind"], entry["problem"]) == ("meter", problem)
    assert json.dumps(entry["body"]).isascii()
    store.close()


def test_record_under_bytes_that_are_no_text_is_found_and_can_be_dropped() -> None:
    """A flipped bit may fall into a key as well: the record must not be reported at every start for ever."""
    store = Store()
    store.commit([record("meter", "1", {"wh": 1}), record("meter", "2", {"wh": 2})])
    store._db.execute("UPDATE record SET key = CAST(x'ff' AS TEXT) WHERE key = '1'")
    found = store.load("CP1")
    assert found["meter"] == {"2": {"wh": 2}}
    (entry,) = found[UNREADABLE].values()
    store.commit([record(entry["kind"], entry["key"], None)])
    assert store.load("CP1") == {"meter": {"2": {"wh": 2}}}
    store.close()


def test_store_without_checksums_gets_them(tmp_path: Path) -> None:
    """Schema 2 is made from schema 1 in the middle of a transaction: every record is as it was."""
    path = tmp_path / "cp.sqlite3"
    rows = [
        ("CP1", "transaction", "1-a", '{"connector":1,"ended":false}'),
        ("CP1", "queue", "000000000001", '{"action":"StartTransaction","payload":"{}","tx":"1-a","id":"m1","attempts":0}'),
        ("CP1", "meter", "1", '{"wh":1234,"at":1767225600.5}'),
        ("", "store", "lives", '{"count":7}'),
        ("CPµ", "configuration", "HeartbeatInterval", '{"value":"10"}'),
    ]
    with sqlite3.connect(path) as database:
        schema = Path(__file__).parents[2] / "chargepoint" / "runtime" / "schema_001.sql"
        database.executescript(schema.read_text("utf-8"))
        database.executemany("INSERT INTO record VALUES (?, ?, ?, ?)", rows)
        database.execute("PRAGMA user_version=1")
    database.close()
    for _start in range(2):
        store = Store(path)
        for charger, kind, key, body in rows:
            assert store.load(charger)[kind][key] == json.loads(body)
        assert UNREADABLE not in store.load("CP1")
        store.close()


# --- room on the disk -------------------------------------------------------------------------------------------------


def test_log_stays_small_beside_its_database(tmp_path: Path) -> None:
    """[D] On a disk of 1 MB the write-ahead log may not take the room of the database: about 100 pages, whatever is
    written, and at most half a megabyte is kept after one large commit."""
    store = Store(tmp_path / "cp.sqlite3", Durability.RELAXED)
    log_file = tmp_path / "cp.sqlite3-wal"
    sizes = []
    for number in range(600):
        store.commit([record("meter", "1", {"wh": number}), record("queue", f"{number % 50:012d}", {"text": "x" * 200})])
        sizes.append(log_file.stat().st_size)
    assert 100_000 < max(sizes) < 300_000
    store.commit([record("queue", f"{number:012d}", {"text": "x" * 4000}) for number in range(400)])
    for number in range(150):
        store.commit([record("meter", "1", {"wh": number})])
    assert log_file.stat().st_size <= 512 * 1024
    store.close()


def test_transaction_that_has_ended_does_not_stand_in_the_log_alone(tmp_path: Path) -> None:
    """[D] Whoever copies the database without its log, or loses the log, still has every charge that has ended."""
    path = tmp_path / "cp.sqlite3"
    store = Store(path)
    store.commit([record("queue", "000000000001", {"action": "StartTransaction"})])
    store.commit([record("queue", "000000000002", {"action": "StopTransaction"}), record("session", "000", {"number": 0})])
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(path.read_bytes())
    store.close()
    store = Store(copy)
    assert set(store.load("CP1")["queue"]) == {"000000000001", "000000000002"}
    store.close()


def test_full_disk_is_given_the_room_that_the_log_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[D] Full: the log is emptied into the database and cut, then the commit is tried once more."""
    store = Store(tmp_path / "cp.sqlite3")
    store.commit([record("meter", "1", {"wh": 1})])
    log_file = tmp_path / "cp.sqlite3-wal"
    assert log_file.stat().st_size > 0
    write, sizes = store._write, []

    def full_at_first(*batch: object) -> None:
        sizes.append(log_file.stat().st_size)
        if len(sizes) == 1:
            store._db.execute("PRAGMA max_page_count=1")  # no smaller than what there is: the next page is refused
        else:
            store._db.execute("PRAGMA max_page_count=100000")
        write(*batch)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "_write", full_at_first)
    store.commit([record("queue", str(n), {"text": "x" * 500}) for n in range(50)])
    assert len(sizes) == 2
    assert sizes[1] == 0
    assert len(store.load("CP1")["queue"]) == 50
    store.close()


# --- who may read it --------------------------------------------------------------------------------------------------


def test_store_that_others_could_use_is_closed_to_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """[D] Cards, keys and who charged when: an existing store of mode 666 is set to 600, with a warning, once."""
    path = tmp_path / "cp.sqlite3"
    Store(path).close()
    path.chmod(0o666)
    with caplog.at_level(logging.WARNING):
        Store(path).close()
        Store(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.getMessage() for each in caplog.records] == [
        f"the store {path} had mode 666 and could be used by others: it has mode 600 now"
    ]


@pytest.mark.parametrize(("mode", "is_told"), [(0o777, True), (0o770, True), (0o755, False), (0o1777, False)])
def test_directory_in_which_others_may_write_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, is_told: bool
) -> None:
    """[D] Who may write to the directory can replace the store: a warning; the directory belongs to its owner."""
    os.chmod(tmp_path, mode)
    with caplog.at_level(logging.WARNING):
        Store(tmp_path / "cp.sqlite3").close()
    assert ("others may write to the data directory" in caplog.text) == is_told
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
