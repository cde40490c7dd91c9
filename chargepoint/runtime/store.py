"""The store: one SQLite file for all chargers of a process, written in batches, in decision order.

Durability is a setting. *Full* survives a power cut after every commit (``synchronous=FULL``: the write-ahead log reaches
the disk before anything is sent); *relaxed* survives the death of the process, which is what a simulation needs.

Each record carries a CRC-32 of its place and body. A record whose checksum or JSON is wrong is not used: `Store.load`
returns it under the kind `UNREADABLE`, and the charger puts it aside.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import crc32

from chargepoint.model.outbox import Save
from chargepoint.model.record import DAMAGED, UNREADABLE, RecordKind, Snapshot
from chargepoint.model.usage import HISTORY, SESSION
from hw.errors import ChargePointError

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
_DROP = "DELETE FROM record WHERE charger = CAST(? AS TEXT) AND kind = CAST(? AS TEXT) AND key = CAST(? AS TEXT)"

_Record = tuple[str, str, str, str, int]
"""A place, the encoded body there, and the checksum of both."""


class Durability(StrEnum):
    FULL = "full"
    RELAXED = "relaxed"


def file_stem(identity: str) -> str:
    """Return an identity as the beginning of file names, for any file system."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)


def checksum(charger: str, kind: str, key: str, body: str) -> int:
    """Return the CRC-32 of a record: of its place as well, so that a record under a wrong key is found too."""
    return crc32(f"{charger}\0{kind}\0{key}\0{body}".encode())


class StoreError(ChargePointError):
    """The store cannot be opened or written; nothing may be sent that depends on it."""


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
        try:
            if path is not None:
                _make(path.parent)
                # Cards, keys and who charged when; what SQLite puts beside it gets the same mode.
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                _close_to_others(path)
            self._db = sqlite3.connect(
                ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=0.5
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(_advice(path, error)) from error
        # A store that is dropped closes its file, as every other file of Python does.
        self._close = weakref.finalize(self, self._db.close)
        self._db.create_function("record_crc", 4, checksum, deterministic=True)
        try:
            if path is not None:
                # Two processes with one identity would both be the charger: the first keeps the file to itself. Set
                # before the log is opened, this also keeps the log's index in memory instead of in a third file.
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durability is Durability.FULL else 'OFF'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._db.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
            # Deleted records leave no bytes behind, neither cards nor what a salvage could mistake for a live record.
            self._db.execute("PRAGMA secure_delete=ON")
            self._migrate()
        except sqlite3.Error as error:
            self._close()
            raise StoreError(_advice(path, error)) from error

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(SCHEMAS):
            raise sqlite3.DatabaseError(f"written by a newer version (schema {version}, this one knows {len(SCHEMAS)})")
        self._db.execute("BEGIN EXCLUSIVE")
        for number, name in enumerate(SCHEMAS[version:], version + 1):
            for statement in files("chargepoint.runtime").joinpath(name).read_text("utf-8").split(";"):
                if statement.strip():
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={number}")
        self._db.execute("COMMIT")
        if version < len(SCHEMAS):
            self._checkpoint()

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
                found.setdefault(UNREADABLE, {})[f"{kind}/{key}"] = entry
            else:
                found.setdefault(kind, {})[key] = value
        return found

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
            raise StoreError(_advice(self.path, error)) from error
        return [(_text(kind), _text(key), _text(body), crc) for kind, key, body, crc in rows]

    def chargers(self) -> tuple[str, ...]:
        """Return the identities of which something is kept. Raises StoreError."""
        try:
            rows = self._db.execute(
                "SELECT DISTINCT charger FROM record WHERE charger != '' ORDER BY charger"
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreError(_advice(self.path, error)) from error
        return tuple(identity for (identity,) in rows)

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        """Write a batch as one transaction: all of it or nothing.

        Raises StoreError when the store cannot take it now, `Unstorable` when it took all but what can never be stored.
        """
        puts, drops, refused = _encoded(rows)
        try:
            try:
                self._write(puts, drops)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                # The log may hold the room that is missing: empty it and try once more.
                self._checkpoint("TRUNCATE")
                self._write(puts, drops)
        except sqlite3.Error as error:
            raise StoreError(_advice(self.path, error)) from error
        if any(kind == SESSION for _charger, kind, *_rest in puts):
            # A charging transaction has ended: it must not stand in the log alone.
            self._checkpoint()
        if refused:
            raise Unstorable(tuple(refused), "; ".join(refused.values()))

    def _write(self, puts: list[_Record], drops: list[_Place]) -> None:
        """Write one SQLite transaction. Raises sqlite3.Error, and has changed nothing then."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if puts:
                self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", puts)
            if drops:
                self._db.executemany(_DROP, drops)
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
        _puts, _drops, refused = _encoded(rows)
        if refused:
            raise StoreError("; ".join(refused.values()))
        self.commit(rows)

    def close(self) -> None:
        self._close()


def _encoded(rows: Iterable[tuple[str, Save]]) -> tuple[list[_Record], list[_Place], dict[str, str]]:
    """Return what to write, what to drop, and why for each charger that has a record no store could hold."""
    # The last word on a record is the only one that a reader could ever see.
    last = {(charger, save.kind, save.key): save.body for charger, save in rows}
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


def _close_to_others(path: Path) -> None:
    """Take from group and others what they may do with the store; warn of a directory in which they may replace it."""
    for each in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))):
        if each.exists() and (mode := stat.S_IMODE(each.stat().st_mode)) & 0o077:
            each.chmod(0o600)
            log.warning("the store %s had mode %o and could be used by others: it has mode 600 now", each, mode)
    mode = path.parent.stat().st_mode
    if mode & 0o022 and not mode & stat.S_ISVTX:
        log.warning(
            "others may write to the data directory %s (mode %o) and replace the store: chmod go-w %s",
            path.parent,
            stat.S_IMODE(mode),
            path.parent,
        )


def _make(directory: Path) -> None:
    """Make the data directory. Raises StoreError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError(
            f"the data directory {directory} cannot be made: {why}; give one that you may write to, with --data or as "
            "data: in the configuration"
        ) from error


def _advice(path: Path | None, error: Exception) -> str:
    where = "the store in memory" if path is None else f"the store {path}"
    # Not str(error) of an OSError: it holds the path, and a path may hold any of the words looked for here.
    text = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
    if "locked" in text:
        return f"{where} is in use by another process: stop that one, or give this one another data directory"
    if "readonly" in text or isinstance(error, PermissionError):
        return f"{where} cannot be written ({text}): check the owner of the data directory"
    if "full" in text:
        return f"{where} cannot grow, the disk is full: free some space; nothing is sent before it is stored"
    return f"{where} cannot be used: {text}"
