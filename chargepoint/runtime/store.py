"""The store: one SQLite file for all chargers of a process, written in batches, in decision order.

Durability is a setting. *Full* survives a power cut after every commit (``synchronous=FULL``: the write-ahead log reaches
the disk before anything is sent); *relaxed* survives the death of the process, which is what a simulation needs.

Each record carries a CRC-32 of its place and body. A record whose checksum or JSON is wrong is not used: `Store.load`
returns it under the kind `UNREADABLE`, and the charger puts it aside. Records that money depends on have a second copy in
a table, and so on pages, of their own. A file whose pages or log are damaged is kept under another name, and what can be
read of it goes into a new one.
"""

from __future__ import annotations

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

from chargepoint.model.outbox import Save
from chargepoint.model.record import DAMAGED, UNREADABLE, RecordKind, Snapshot, printable
from chargepoint.model.records import COPIED
from chargepoint.model.usage import HISTORY, SESSION
from hw.errors import ChargePointError

from .record_codec import (
    COPY_MASK,
    Bodies,
    Parameters,
    Place,
    Row,
    checksum,
    decoded,
    encoded,
    instant,
    last,
    parameters,
    row,
    text,
)
from .salvage import MAGIC, PAGE_BYTES, is_log_damaged, salvage
from .store_file import SALVAGED, StoreError, advice, beside, is_writable, prepare, swap_in

__all__ = ["Durability", "Rows", "Store", "StoreError", "Unstorable", "file_stem"]

log = logging.getLogger(__name__)

SCHEMAS = ("schema_001.sql", "schema_002.sql")
"""In order of age; ``user_version`` of the file says how many of them it has."""

NOT_LOADED = HISTORY | {DAMAGED}
"""Kinds that no start of a charger reads."""

CHECKPOINT_PAGES = 100
"""Pages in the write-ahead log at which SQLite moves them into the database: 200 kB, so that the log fits on a small disk
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

Rows = list[tuple[str, Save]]
"""What one commit holds: charger and value, oldest first."""

_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file whose pages are damaged; the last, that tables are there or missing, of its schema."""
_PUT = "INSERT OR REPLACE INTO {} VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM {} WHERE charger = CAST(? AS TEXT) AND kind = CAST(? AS TEXT) AND key = CAST(? AS TEXT)"

class Durability(StrEnum):
    FULL = "full"
    RELAXED = "relaxed"


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))


def file_stem(identity: str) -> str:
    """Return an identity as the beginning of file names, for any file system."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)


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
        self.damage: tuple[dict[str, str], ...] = ()
        """What was found when the file was opened and may concern every charger in it: as under `UNREADABLE`."""
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
            if path is not None:
                self._put_right()
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
            self._db.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a file that is new
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if self.durability is Durability.FULL else 'OFF'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._db.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
            # Deleted records leave no bytes behind, neither cards nor what a salvage could mistake for a live record.
            self._db.execute("PRAGMA secure_delete=ON")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if not 0 <= version < 1000:
                return f"its schema number is {version}"
            if self.path is not None:
                # Not quick_check, which does not see records out of order: those behind one would not be found.
                (verdict,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
                if verdict != "ok":
                    return str(verdict).replace("\n", " ")
                # After the file was locked: another process may be writing its log.
                if is_log_damaged(beside(self.path, "-wal")):
                    return "its write-ahead log has changed since it was written"
            _migrate(self._db)
            for table in ("record", "copy"):
                self._db.execute(f"SELECT charger, kind, key, body, crc FROM {table} LIMIT 0")
                self._db.execute(f"DELETE FROM {table} WHERE 0")  # fails where nothing may be written
        except UnicodeDecodeError:
            return "its schema is no text"  # what the message of the sqlite3 module would tell
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            # A file that may be written, and says of itself that it may not, has a changed header.
            if code & 0xFF not in _DAMAGED_CODES and not (code == sqlite3.SQLITE_READONLY and is_writable(self.path)):
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
            database.execute(f"PRAGMA page_size={PAGE_BYTES}")
            _migrate(database)
            database.execute("BEGIN")
            rows = [(*place, body, crc) for place, (body, crc) in found.records.items()]
            database.executemany(_PUT.format("record"), rows)
            copies = [(*place, body, checksum(*place, body) ^ COPY_MASK) for place, body in found.copies.items()]
            database.executemany(_PUT.format("copy"), copies)
            database.execute("COMMIT")
        finally:
            database.close()
        new.replace(beside(path, SALVAGED))
        kept = swap_in(path)
        self.close()
        saved = f"{found.intact} records were saved, the old file is {kept.name}"
        self._report(problem, f"whatever stood on its damaged pages; {saved}")

    def _put_right(self) -> None:
        """Put copies and strays right; on a full disk a later start does it. Raises sqlite3.Error."""
        try:
            self._survey()
            self._put_strays_aside()
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            log.warning("%s", advice(self.path, error))

    def _survey(self) -> None:
        """Compare records and copies, of which nothing deletes one without the other. Raises sqlite3.Error."""
        copies, bad = set[Place](), list[Parameters]()
        for charger, kind, key, body, crc in self._rows("copy"):
            if decoded(charger, kind, key, body, crc ^ COPY_MASK)[1]:
                bad.append(parameters(charger, kind, key))
            else:
                copies.add((charger, kind, key))
        new: list[Row] = []
        for charger, kind, key, body, crc in self._rows("record", f"kind IN ({_marks(COPIED)})", *COPIED):
            if (charger, kind, key) in copies:
                copies.discard((charger, kind, key))
                continue
            value, problem = decoded(charger, kind, key, body, crc)
            is_copied = COPIED[kind].is_copied
            if not problem and is_copied is not None and is_copied(value):
                new.append((charger, kind, key, body, crc ^ COPY_MASK))
        for charger, kind, key in sorted(copies):
            self._missing.setdefault(charger, []).append((kind, key))
        if bad:
            log.warning("%d second copies of records were damaged and are made anew", len(bad))
        if bad or new:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_DROP.format("copy"), bad)
            self._db.executemany(_PUT.format("copy"), new)
            self._db.execute("COMMIT")

    def _put_strays_aside(self) -> None:
        """Put aside the records of a charger of which none is intact: that is one whose name has changed in a record.

        No charger would ever load them. Raises sqlite3.Error.
        """
        for charger in self.chargers():
            rows = self._rows("record", "charger = CAST(? AS TEXT)", parameters(charger, "", "")[0])
            if any(not decoded(*each)[1] for each in rows):
                continue
            self._db.execute("BEGIN IMMEDIATE")
            for _charger, kind, key, body, _crc in rows:
                place = f"{printable(charger)}/{printable(kind)}/{printable(key)}"
                aside = Save(DAMAGED, place, {"kind": printable(kind), "key": place, "body": printable(body)})
                self._db.execute(_PUT.format("record"), row("", aside))
                self._db.execute(_DROP.format("record"), parameters(charger, kind, key))
            self._db.execute("COMMIT")
            self._report(f"the name {printable(charger)!r} in {len(rows)} records is of no charger", "what they held")

    def _report(self, problem: str, loss: str) -> None:
        """Log what has become of the file; every charger in it is told when it loads its records."""
        assert self.path is not None
        log.error("the store %s was damaged (%s): lost is %s", self.path, problem, loss)
        entry = {"kind": LIVES.name, "key": self.path.name, "body": "", "problem": problem, "loss": loss}
        self.damage = (*self.damage, entry)

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
        which = f"charger = ? AND kind {'NOT IN' if kinds is None else 'IN'} ({_marks(named)})"
        try:
            rows = self._rows("record", which, charger, *named)
        except sqlite3.Error as error:
            raise StoreError(advice(self.path, error)) from error
        for _charger, kind, key, body, crc in rows:
            value, problem = decoded(charger, kind, key, body, crc)
            if problem:
                entry = {"kind": kind, "key": key, "body": printable(body), "problem": problem}
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
        if self.damage and charger and charger not in self._told:
            self._told.add(charger)
            unreadable |= {f"{LIVES.name}/{number}": entry for number, entry in enumerate(self.damage)}

    def _copy(self, charger: str, kind: str, key: str) -> dict[str, Any]:
        """Return the second copy of a record as ``copy``, nothing when there is none or it has changed as well."""
        if kind not in COPIED:
            return {}
        try:
            found = self._db.execute(
                "SELECT body, crc FROM copy WHERE charger = ? AND kind = ? AND key = ?", (charger, kind, key)
            ).fetchone()
        except (sqlite3.Error, UnicodeError):
            return {}
        body, problem = ({}, "none") if found is None else decoded(charger, kind, key, found[0], found[1] ^ COPY_MASK)
        return {} if problem else {"copy": body}

    def _rows(self, table: str, which: str = "1", *values: str | bytes) -> list[Row]:
        """Return rows of a table. Raises sqlite3.Error; bytes that are no UTF-8 come as lone surrogates."""
        try:
            return self._db.execute(
                f"SELECT charger, kind, key, body, crc FROM {table} WHERE {which}", values
            ).fetchall()
        except sqlite3.OperationalError as error:
            if "UTF-8" not in str(error):
                raise
        columns = ", ".join(f"CAST({name} AS BLOB)" for name in ("charger", "kind", "key", "body"))
        rows = self._db.execute(f"SELECT {columns}, crc FROM {table} WHERE {which}", values).fetchall()
        return [(text(charger), text(kind), text(key), text(body), crc) for charger, kind, key, body, crc in rows]

    def chargers(self) -> tuple[str, ...]:
        """Return the identities of which something is kept. Raises StoreError."""
        try:
            rows = self._db.execute("SELECT DISTINCT CAST(charger AS BLOB) FROM record").fetchall()
        except sqlite3.Error as error:
            raise StoreError(advice(self.path, error)) from error
        return tuple(sorted(text(identity) for (identity,) in rows if identity))

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        """Write a batch as one transaction: all of it or nothing.

        Raises StoreError when the store cannot take it now, `Unstorable` when it took all but what can never be stored.
        """
        bodies = last(rows)
        puts, drops, refused = encoded(bodies)
        copies = self._copies(puts, bodies)
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
                self._copied_at[charger, kind, key] = instant(bodies[charger, kind, key])
        if any(kind == SESSION for _charger, kind, *_rest in puts):
            # A charging transaction has ended: it must not stand in the log alone.
            self._checkpoint()
        if refused:
            raise Unstorable(tuple(refused), "; ".join(refused.values()))

    def _copies(self, puts: list[Row], bodies: Bodies) -> list[Row]:
        """Return the second copies to write with a batch."""
        copies = []
        for charger, kind, key, body, crc in puts:
            known = COPIED.get(kind)
            if known is None or known.is_copied is None or not known.is_copied(bodies[charger, kind, key] or {}):
                continue
            if known.copy_after_s:
                before_s = self._copied_at.get((charger, kind, key), -math.inf)
                if before_s <= instant(bodies[charger, kind, key]) < before_s + known.copy_after_s:
                    continue
            copies.append((charger, kind, key, body, crc ^ COPY_MASK))
        return copies

    def _write(self, puts: list[Row], drops: list[Parameters], copies: list[Row]) -> None:
        """Write one SQLite transaction. Raises sqlite3.Error, and has changed nothing then."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if puts:
                self._db.executemany(_PUT.format("record"), puts)
            if drops:
                self._db.executemany(_DROP.format("record"), drops)
                self._db.executemany(_DROP.format("copy"), [place for place in drops if place[1] in COPIED])
            if copies:
                self._db.executemany(_PUT.format("copy"), copies)
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
        _puts, _drops, refused = encoded(last(rows))
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
