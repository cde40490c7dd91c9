"""The store: one SQLite file for all chargers of a process, written in batches, in decision order.

Durability is a setting. *Full* survives a power cut after every commit (``synchronous=FULL``: the write-ahead log reaches
the disk before anything is sent); *relaxed* survives the death of the process, which is what a simulation needs.

Each record carries a CRC-32 of its place and body. A record whose checksum or JSON is wrong is not used: `Store.load`
returns it under the kind `UNREADABLE`, and the charger puts it aside. Records that money depends on have a second copy in
a table, and so on pages, of their own. A file whose pages or log are damaged is kept under another name, and what can be
read of it goes into a new one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import crc32

from chargepoint.model.outbox import Save
from chargepoint.model.record import DAMAGED, UNREADABLE, RecordKind, Snapshot
from chargepoint.model.records import COPIED
from chargepoint.model.usage import HISTORY, SESSION
from hw.errors import ChargePointError

from .salvage import MAGIC, is_log_damaged, salvage
from .store_file import SALVAGED, StoreError, advice, beside, prepare, swap_in

__all__ = ["Durability", "Rows", "Store", "StoreError", "Unstorable", "file_stem"]

log = logging.getLogger(__name__)

SCHEMAS = ("schema_001.sql", "schema_002.sql")
"""In order of age; ``user_version`` of the file says how many of them it has."""

NOT_LOADED = HISTORY | {DAMAGED}
"""Kinds that no start of a charger reads."""

CHECKPOINT_PAGES = 100
"""Pages in the write-ahead log at which SQLite moves them into the database: 400 kB, so that the log fits on a small disk
beside its database."""
LOG_LIMIT_BYTES = 512 * 1024
"""A write-ahead log that grew beyond this, in one large commit, is cut to it at the next checkpoint."""

LIVES = RecordKind(
    "store",
    __name__,
    lambda _key, fields: fields.integer("count", 0),
    "how often this store was opened: with a fixed seed, message ids of earlier runs come again",
)
"""One, keyed ``lives``, of no charger."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

Rows = list[tuple[str, Save]]
"""What one commit holds: charger and value, oldest first."""

_Place = tuple[str | bytes, str | bytes, str | bytes]
"""Where a record stands: charger, kind, key."""
_Bodies = dict[tuple[str, str, str], Mapping[str, Any] | None]
"""Bodies by charger, kind and key; None: dropped."""

_DROP = "DELETE FROM {} WHERE charger = CAST(? AS TEXT) AND kind = CAST(? AS TEXT) AND key = CAST(? AS TEXT)"

_Record = tuple[str, str, str, str, int]
"""A place, the encoded body there, and the checksum of both."""


COPY_MASK = 0xFFFFFFFF
"""What the checksum of a second copy differs by (xor), so that a salvage tells it from its record."""


class Durability(StrEnum):
    FULL = "full"
    RELAXED = "relaxed"


def file_stem(identity: str) -> str:
    """Return an identity as the beginning of file names, for any file system."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)


def checksum(charger: str, kind: str, key: str, body: str) -> int:
    """Return the CRC-32 of a record: of its place as well, so that a record under a wrong key is found too."""
    return crc32(f"{charger}\0{kind}\0{key}\0{body}".encode())


class Unstorable(ChargePointError):
    """Records that no store could ever hold were left out of a commit; ``chargers`` is whose they were."""

    def __init__(self, chargers: tuple[str, ...], problem: str) -> None:
        super().__init__(problem)
        self.chargers = chargers


class Store:
    """Keeps records of chargers. `commit` may be called from one other thread; everything else from the one that opened.

    ``path`` None keeps them in memory, for as long as the object lives.
    """

    def __init__(self, path: Path | None = None, durability: Durability = Durability.FULL) -> None:
        """Raises StoreError, with what to do, when the file cannot be used."""
        self.path = path
        self.durability = durability
        self.damage: dict[str, str] | None = None
        """Set where a damaged file was replaced: what each charger of it is told."""
        self._told: set[str] = set()
        self._missing: dict[str, list[tuple[str, str]]] = {}
        """Kinds and keys, by charger, of records that are gone although their copies are there."""
        self._copied_at: dict[tuple[str, str, str], float] = {}
        """The ``at`` of those copies that are not made each time."""
        try:
            problem = None
            if path is not None:
                prepare(path)
                if path.stat().st_size == 0 and beside(path, "-wal").exists():
                    problem = "it is empty beside its write-ahead log"  # SQLite would delete that log
            if problem is None:
                problem = self._open()
            if problem is not None and path is not None:
                self._replace(path, problem)
                problem = self._open()
            if problem is not None:
                raise sqlite3.DatabaseError(problem)
            self._find_missing()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise StoreError(advice(path, error)) from error

    def _open(self) -> str | None:
        """Open the file; return what is wrong with its content, None when nothing is. Raises sqlite3.Error."""
        where = ":memory:" if self.path is None else self.path
        self._db = sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=0.5)
        # A store that is dropped closes its file, as every other file of Python does.
        self._close = weakref.finalize(self, self._db.close)
        self._db.create_function("record_crc", 4, checksum, deterministic=True)
        try:
            if self.path is not None:
                # Two processes with one identity would both be the charger: the first keeps the file to itself. Set
                # before the log is opened, this also keeps the log's index in memory instead of in a third file.
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if self.durability is Durability.FULL else 'OFF'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._db.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
            # Deleted records leave no bytes behind, neither cards nor what a salvage could mistake for a live record.
            self._db.execute("PRAGMA secure_delete=ON")
            if self.path is not None:
                (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    return str(verdict).replace("\n", " ")
                # After the file was locked: another process may be writing its log.
                if is_log_damaged(beside(self.path, "-wal")):
                    return "its write-ahead log has changed since it was written"
            _migrate(self._db)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            return str(error)
        return None

    def _replace(self, path: Path, problem: str) -> None:
        """Make a new file of what can be read of a damaged one, which is kept under another name.

        Raises sqlite3.Error when there is nothing of ours in it, and OSError.
        """
        found = salvage(path, checksum, COPY_MASK)
        with path.open("rb") as file:
            is_database = file.read(len(MAGIC)) in (MAGIC, b"")
        if not (is_database or found.intact or found.copies):
            raise sqlite3.DatabaseError(problem)
        new = beside(path, ".part")
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_CREAT | os.O_RDWR, 0o600))
        database = sqlite3.connect(new, isolation_level=None)
        try:
            database.create_function("record_crc", 4, checksum, deterministic=True)
            _migrate(database)
            database.execute("BEGIN")
            rows = [(*place, body, crc) for place, (body, crc) in found.records.items()]
            database.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
            copies = [(*place, body, checksum(*place, body) ^ COPY_MASK) for place, body in found.copies.items()]
            database.executemany("INSERT INTO copy VALUES (?, ?, ?, ?, ?)", copies)
            database.execute("COMMIT")
        finally:
            database.close()
        new.replace(beside(path, SALVAGED))
        kept = swap_in(path)
        self.close()
        loss = f"whatever stood on its damaged pages; {found.intact} records were saved, the old file is {kept.name}"
        self.damage = {"kind": LIVES.name, "key": path.name, "body": "", "problem": problem, "loss": loss}
        log.error("the store %s was damaged (%s): lost is %s", path, problem, loss)

    def _find_missing(self) -> None:
        """Look for records that are gone although their copies are there: nothing deletes one without the other."""
        gone = self._db.execute(
            "SELECT charger, kind, key FROM copy WHERE NOT EXISTS (SELECT 1 FROM record WHERE "
            "record.charger = copy.charger AND record.kind = copy.kind AND record.key = copy.key)"
        )
        for charger, kind, key in gone.fetchall():
            self._missing.setdefault(charger, []).append((kind, key))

    def begin_life(self) -> int:
        """Return how often this store was opened to be lived in, this time included; stored at once. Raises StoreError."""
        snapshot = Snapshot(self.load(""), (LIVES,))
        lives = (snapshot.one(LIVES, "lives") or 0) + 1
        saves = [save for each in snapshot.damaged for save in each.put_aside()]
        self.commit([("", save) for save in (*saves, Save(LIVES.name, "lives", {"count": lives}))])
        for each in snapshot.damaged:
            log.error("%s", each.report)
        return lives

    def load(self, charger: str, kinds: Collection[str] | None = None) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Return what is kept for a charger: kind, key, body. Raises StoreError.

        ``kinds`` None: all that a life begins with, which is everything but `NOT_LOADED`. A record whose bytes have
        changed is not among its kind but under `UNREADABLE`: ``kind``, ``key``, ``body`` as text and ``problem``.
        """
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        named = tuple(NOT_LOADED if kinds is None else kinds)
        which = f"charger = ? AND kind {'NOT IN' if kinds is None else 'IN'} ({','.join('?' * len(named))})"
        for kind, key, body, crc in self._rows(which, (charger, *named)):
            value, problem = _decoded(charger, kind, key, body, crc)
            if problem:
                text = body.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                entry = {"kind": kind, "key": key, "body": text, "problem": problem}
                found.setdefault(UNREADABLE, {})[f"{kind}/{key}"] = entry | self._copy(charger, kind, key)
            else:
                found.setdefault(kind, {})[key] = value
        if kinds is None:
            self._add_losses(charger, found.setdefault(UNREADABLE, {}))
            if not found[UNREADABLE]:
                del found[UNREADABLE]
        return found

    def _add_losses(self, charger: str, unreadable: dict[str, Mapping[str, Any]]) -> None:
        """Add what was found when the file was opened; each charger is told once."""
        for kind, key in self._missing.pop(charger, ()):
            entry = {"kind": kind, "key": key, "body": None, "problem": "it is missing"}
            unreadable[f"{kind}/{key}"] = entry | self._copy(charger, kind, key)
        if self.damage is not None and charger and charger not in self._told:
            self._told.add(charger)
            unreadable[LIVES.name] = self.damage

    def _copy(self, charger: str, kind: str, key: str) -> dict[str, Any]:
        """Return the second copy of a record as ``copy``, nothing when there is none or it has changed as well."""
        if kind not in COPIED:
            return {}
        try:
            row = self._db.execute(
                "SELECT body, crc FROM copy WHERE charger = ? AND kind = ? AND key = ?", (charger, kind, key)
            ).fetchone()
        except (sqlite3.Error, UnicodeError):
            return {}
        body, problem = ({}, "none") if row is None else _decoded(charger, kind, key, row[0], row[1] ^ COPY_MASK)
        return {} if problem else {"copy": body}

    def _rows(self, which: str, parameters: tuple[str, ...]) -> list[tuple[str, str, str, int]]:
        """Return kind, key, body and checksum of records. Bytes that are no UTF-8 come as lone surrogates."""
        try:
            try:
                return self._db.execute(f"SELECT kind, key, body, crc FROM record WHERE {which}", parameters).fetchall()
            except sqlite3.OperationalError as error:
                if "UTF-8" not in str(error):
                    raise
            columns = "CAST(kind AS BLOB), CAST(key AS BLOB), CAST(body AS BLOB), crc"
            rows = self._db.execute(f"SELECT {columns} FROM record WHERE {which}", parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(advice(self.path, error)) from error
        return [(_text(kind), _text(key), _text(body), crc) for kind, key, body, crc in rows]

    def chargers(self) -> tuple[str, ...]:
        """Return the identities of which something is kept. Raises StoreError."""
        try:
            rows = self._db.execute(
                "SELECT DISTINCT charger FROM record WHERE charger != '' ORDER BY charger"
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreError(advice(self.path, error)) from error
        return tuple(identity for (identity,) in rows)

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        """Write a batch as one transaction: all of it or nothing.

        Raises StoreError when the store cannot take it now, `Unstorable` when it took all but what can never be stored.
        """
        last = _last(rows)
        puts, drops, refused = _encoded(last)
        copies = self._copies(puts, last)
        try:
            try:
                self._write(puts, drops, copies)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                # The log may hold the room that is missing: empty it and try once more.
                self._checkpoint("TRUNCATE")
                self._write(puts, drops, copies)
        except sqlite3.Error as error:
            raise StoreError(advice(self.path, error)) from error
        for charger, kind, key, _text, _crc in copies:
            if COPIED[kind].copy_after_s:
                self._copied_at[charger, kind, key] = _instant(last[charger, kind, key])
        if any(kind == SESSION for _charger, kind, *_rest in puts):
            # A charging transaction has ended: it must not stand in the log alone.
            self._checkpoint()
        if refused:
            raise Unstorable(tuple(refused), "; ".join(refused.values()))

    def _copies(self, puts: list[_Record], last: _Bodies) -> list[_Record]:
        """Return the second copies to write with a batch."""
        copies = []
        for charger, kind, key, text, crc in puts:
            known = COPIED.get(kind)
            if known is None or known.is_copied is None or not known.is_copied(last[charger, kind, key] or {}):
                continue
            if known.copy_after_s:
                before_s = self._copied_at.get((charger, kind, key), -math.inf)
                if before_s <= _instant(last[charger, kind, key]) < before_s + known.copy_after_s:
                    continue
            copies.append((charger, kind, key, text, crc ^ COPY_MASK))
        return copies

    def _write(self, puts: list[_Record], drops: list[_Place], copies: list[_Record]) -> None:
        """Write one SQLite transaction. Raises sqlite3.Error, and has changed nothing then."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if puts:
                self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", puts)
            if drops:
                self._db.executemany(_DROP.format("record"), drops)
                self._db.executemany(_DROP.format("copy"), [place for place in drops if place[1] in COPIED])
            if copies:
                self._db.executemany("INSERT OR REPLACE INTO copy VALUES (?, ?, ?, ?, ?)", copies)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _checkpoint(self, mode: str = "PASSIVE") -> None:
        """Move the write-ahead log into the database; on failure it stays where it is, which loses nothing."""
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error as error:
            log.debug("no checkpoint: %s", error)

    def attempt(self, rows: Sequence[tuple[str, Save]]) -> None:
        """Write a batch as one transaction, or nothing of it. Raises StoreError, also for what can never be stored."""
        _puts, _drops, refused = _encoded(_last(rows))
        if refused:
            raise StoreError("; ".join(refused.values()))
        self.commit(rows)

    def close(self) -> None:
        """Close the file. A second time does nothing."""
        if hasattr(self, "_close"):
            self._close()


def _migrate(database: sqlite3.Connection) -> None:
    """Bring a database to the newest schema, as one transaction. Raises sqlite3.Error."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(SCHEMAS):
        raise sqlite3.DatabaseError(f"written by a newer version (schema {version}, this one knows {len(SCHEMAS)})")
    if version == len(SCHEMAS):
        return
    database.execute("BEGIN EXCLUSIVE")
    for number, name in enumerate(SCHEMAS[version:], version + 1):
        for statement in files("chargepoint.runtime").joinpath(name).read_text("utf-8").split(";"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA user_version={number}")
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint").fetchall()


def _last(rows: Iterable[tuple[str, Save]]) -> _Bodies:
    """Return the last word on each record: the only one that a reader could ever see."""
    return {(charger, save.kind, save.key): save.body for charger, save in rows}


def _instant(body: Mapping[str, Any] | None) -> float:
    """Return when a body was made, in s of UTC; 0.0 when it does not say."""
    at = None if body is None else body.get("at")
    return float(at) if isinstance(at, (int, float)) else 0.0


def _encoded(last: _Bodies) -> tuple[list[_Record], list[_Place], dict[str, str]]:
    """Return what to write, what to drop, and why for each charger that has a record no store could hold."""
    puts: list[_Record] = []
    drops: list[_Place] = []
    refused: dict[str, str] = {}
    for place, body in last.items():
        try:
            if body is None:
                drops.append((_parameter(place[0]), _parameter(place[1]), _parameter(place[2])))
            else:
                text = _encode(body)
                puts.append((*place, text, checksum(*place, text)))
        except (TypeError, ValueError) as error:
            refused[place[0]] = f"a record of kind {place[1]} cannot be stored: {error}"
    return puts, drops, refused


def _decoded(charger: str, kind: str, key: str, body: str, crc: int) -> tuple[dict[str, Any], str]:
    """Return the body of a record, or why it cannot be used."""
    try:
        if crc != checksum(charger, kind, key, body):
            return {}, "its checksum is wrong"
        value = json.loads(body)
    except UnicodeError:
        return {}, "its checksum is wrong"  # bytes that are no UTF-8 were never written
    except (ValueError, RecursionError):
        return {}, "it is no JSON"
    return (value, "") if isinstance(value, dict) else ({}, "it is no JSON object")


def _text(found: bytes) -> str:
    return found.decode("utf-8", "surrogateescape")


def _parameter(part: str) -> str | bytes:
    """Return a part of a place for SQL: as bytes where it is what `_text` made of bytes that are no UTF-8."""
    return part if part.isascii() else part.encode("utf-8", "surrogateescape")
