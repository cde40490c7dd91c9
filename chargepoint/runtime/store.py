"""The store: one SQLite file for all chargers of a process, written in batches, in decision order.

Durability is a setting. *Full* survives a power cut after every commit (``synchronous=FULL``: the write-ahead log reaches
the disk before anything is sent); *relaxed* survives the death of the process, which is what a simulation needs.
"""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from chargepoint.model.outbox import Save
from chargepoint.model.usage import HISTORY
from hw.errors import ChargePointError

SCHEMAS = ("schema_001.sql",)
"""In order of age; ``user_version`` of the file says how many of them it has."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

Rows = list[tuple[str, Save]]
"""What one commit holds: charger and value, oldest first."""

_Place = tuple[str, str, str]
"""Where a record stands: charger, kind, key."""
_Record = tuple[str, str, str, str]
"""A place and the encoded body there."""


class Durability(StrEnum):
    FULL = "full"
    RELAXED = "relaxed"


def file_stem(identity: str) -> str:
    """Return an identity as the beginning of file names, for any file system."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in identity)


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
            self._db = sqlite3.connect(
                ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=0.5
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(_advice(path, error)) from error
        # A store that is dropped closes its file, as every other file of Python does.
        self._close = weakref.finalize(self, self._db.close)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durability is Durability.FULL else 'OFF'}")
            if path is not None:
                # Two processes with one identity would both be the charger: the first keeps the file to itself.
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
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

    def begin_life(self) -> int:
        """Return how often this store was opened to be lived in, this time included; stored at once. Raises StoreError."""
        kept = self.load("").get("store", {}).get("lives", {})
        lives = int(kept.get("count", 0)) + 1
        self.commit([("", Save("store", "lives", {"count": lives}))])
        return lives

    def load(self, charger: str, kinds: Collection[str] | None = None) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Return what is kept for a charger: kind, key, body. Raises StoreError.

        ``kinds`` None: all that a life begins with, which is everything but `HISTORY`.
        """
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        named = tuple(HISTORY if kinds is None else kinds)
        which = f"kind {'NOT IN' if kinds is None else 'IN'} ({','.join('?' * len(named))})"
        try:
            rows = self._db.execute(
                f"SELECT kind, key, body FROM record WHERE charger = ? AND {which}", (charger, *named)
            ).fetchall()
            for kind, key, body in rows:
                found.setdefault(kind, {})[key] = json.loads(body)
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(_advice(self.path, error)) from error
        return found

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
            self._db.execute("BEGIN IMMEDIATE")
            if puts:
                self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", puts)
            if drops:
                self._db.executemany("DELETE FROM record WHERE charger = ? AND kind = ? AND key = ?", drops)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError(_advice(self.path, error)) from error
        if refused:
            raise Unstorable(tuple(refused), "; ".join(refused.values()))

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
    puts, drops = [], []
    refused: dict[str, str] = {}
    for place, body in last.items():
        try:
            "".join(place).encode()
            if body is None:
                drops.append(place)
            else:
                puts.append((*place, _encode(body)))
        except (TypeError, ValueError) as error:
            refused[place[0]] = f"a record of kind {place[1]} cannot be stored: {error}"
    return puts, drops, refused


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
