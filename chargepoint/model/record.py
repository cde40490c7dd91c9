"""Records of the store: what a kind of record is, and how the bodies that were stored become values again.

Every kind is declared once, as a `RecordKind` with its owner, its version and its reader. `Snapshot` reads each record of
a charger through its kind. A record that its reader refuses is listed in `Snapshot.damaged` and is no part of the
snapshot, so that no owner meets one: `ChargePoint.start` puts it aside and reports the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from .outbox import Save

T = TypeVar("T")

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""What the store holds of a charger: kind, key, body."""

UNREADABLE = "unreadable"
"""Under this kind the store returns records whose bytes have changed: ``kind``, ``key``, ``body`` as text, ``problem``."""
DAMAGED = "damaged"
"""Kind of the records that were put aside, keyed ``kind/key``; the body holds ``kind``, ``key``, ``body``, ``problem``."""
LAST_INSTANT_UTC_S = 253_402_300_800.0
"""The end of the year 9999: no instant that can be written as text is later."""


class RecordError(ValueError):
    """The body of a record is not what its kind allows."""


def numbered(key: str) -> int:
    """Return the number that a key is. Raises RecordError."""
    if not (key.isascii() and key.removeprefix("-").isdecimal()):
        raise RecordError("its key is no number")
    return int(key)


class Fields:
    """The fields of a stored body, checked. Every method raises RecordError for a value of another type."""

    __slots__ = ("_body",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def __contains__(self, name: str) -> bool:
        return name in self._body

    def raw(self, name: str) -> Any:
        """Return a field as it is stored. Raises RecordError when it is absent."""
        try:
            return self._body[name]
        except KeyError:
            raise RecordError(f"{name} is missing") from None

    def text(self, name: str) -> str:
        value = self.raw(name)
        if type(value) is not str:
            raise RecordError(f"{name} is no text")
        return value

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        if type(value) is not bool:
            raise RecordError(f"{name} is neither true nor false")
        return value

    def integer(self, name: str, least: int | None = None) -> int:
        value = self.raw(name)
        if type(value) is not int or (least is not None and value < least):
            raise RecordError(f"{name} is no integer{'' if least is None else f' of {least} or more'}")
        return value

    def number(self, name: str, least: float = -math.inf, below: float = math.inf) -> float:
        """Return a finite number with ``least`` ≤ number < ``below``."""
        value = self.raw(name)
        if type(value) not in (int, float) or not least <= value < below or value == -math.inf:
            raise RecordError(f"{name} is no number in its range")
        return float(value)

    def amount(self, name: str, default: float | None = None) -> float:
        """Return a number that is not negative: an energy in Wh, a duration in s. ``default`` stands for an absent one."""
        return default if default is not None and name not in self._body else self.number(name, 0.0)

    def instant(self, name: str, default: float | None = None) -> float:
        """Return an instant in s since 1970, UTC, up to the year 9999. ``default`` stands for an absent one."""
        return default if default is not None and name not in self._body else self.number(name, 0.0, LAST_INSTANT_UTC_S)

    def items(self, name: str) -> list[Any]:
        """Return a list that is not empty."""
        value = self.raw(name)
        if type(value) is not list or not value:
            raise RecordError(f"{name} is no list with anything in it")
        return value

    def texts(self, name: str) -> list[str]:
        value = self.raw(name)
        if type(value) is not list or not all(type(each) is str for each in value):
            raise RecordError(f"{name} is no list of texts")
        return value

    def fields(self, name: str) -> Fields:
        """Return a field that has fields of its own."""
        value = self.raw(name)
        if type(value) is not dict:
            raise RecordError(f"{name} is no object")
        return Fields(value)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return what ``read``, a method of this object, returns for a field; None when it is absent or null."""
        return None if self._body.get(name) is None else read(name)


@dataclass(frozen=True, slots=True, eq=False)
class RecordKind(Generic[T]):
    """One kind of records. ``read`` makes a value of key and fields; it raises ValueError for a body that is none."""

    name: str
    owner: str
    """The module that alone writes and reads them."""
    read: Callable[[str, Fields], T]
    loss: str
    """What is lost with a record, for the log; ``{key}`` stands for its key."""
    is_copied: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether the store keeps a second copy of a body, for records that money depends on; None: never."""
    copy_after_s: float = 0.0
    """How much later the ``at`` of a body must be than that of its copy for a new copy; 0: each is copied."""
    version: int = 1
    """Of the body. A later one writes its number under ``v``; a body of a later version than this is put aside."""


def printable(text: str) -> str:
    """Return a text with escapes for its bytes that are no UTF-8: a log or a terminal may refuse them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record that cannot be used. ``body``: as stored, or the text that was found where its bytes have changed."""

    kind: str
    key: str
    body: object
    problem: str
    loss: str
    copy: Mapping[str, Any] | None = None
    """The second copy, which is used instead."""

    @property
    def place(self) -> str:
        """Kind and key, printable whatever bytes they have become."""
        return printable(f"{self.kind}/{self.key}")

    @property
    def report(self) -> str:
        """Say what is damaged and what is lost with it."""
        what = self.loss if self.copy is None else "its second copy, up to a minute older, is used"
        return printable(f"record {self.place} is damaged ({self.problem}): {what}")

    def put_aside(self) -> tuple[Save, ...]:
        """Return what keeps the record where nothing reads it, and takes it away from its own place."""
        kind, _, key = self.place.partition("/")
        body = {"kind": kind, "key": key, "body": self.body, "problem": self.problem}
        return Save(DAMAGED, self.place, body), Save(self.kind, self.key, self.copy)


def read(kind: RecordKind[T], key: str, body: Mapping[str, Any]) -> T:
    """Return the value of one record. Raises RecordError, whatever is wrong with the body."""
    try:
        version = body.get("v", 1)
        if version != kind.version and (type(version) is not int or version > kind.version):
            raise RecordError(f"it is of version {version}, this program knows {kind.version}")
        return kind.read(key, Fields(body))
    except RecordError:
        raise
    except Exception as error:
        # A reader is code over bytes that anything may have happened to; what it trips over is the record's fault.
        raise RecordError(f"{type(error).__name__}: {error}") from error


class Snapshot:
    """What the store holds of a charger, read record by record."""

    __slots__ = ("_values", "damaged")

    def __init__(self, records: Records, kinds: Iterable[RecordKind[Any]]) -> None:
        self._values: dict[str, dict[str, Any]] = {}
        self.damaged: list[Damaged] = []
        known = {kind.name: kind for kind in kinds}
        for name, bodies in records.items():
            if name == UNREADABLE:
                for each in bodies.values():
                    self._unreadable(known, each)
            elif name in known:
                self._read(known, known[name], bodies)

    def _read(
        self, known: Mapping[str, RecordKind[Any]], kind: RecordKind[Any], bodies: Mapping[str, Mapping[str, Any]]
    ) -> None:
        values = self._values.setdefault(kind.name, {})
        for key, body in bodies.items():
            try:
                values[key] = read(kind, key, body)
            except RecordError as error:
                self.damaged.append(Damaged(kind.name, key, body, str(error), kind.loss.format(key=key)))

    def _unreadable(self, known: Mapping[str, RecordKind[Any]], entry: Mapping[str, Any]) -> None:
        """Take the second copy of a record that the store could not read, where there is one."""
        key, kind, copy = entry["key"], known.get(entry["kind"]), entry.get("copy")
        loss = entry.get("loss", "what it held") if kind is None else kind.loss.format(key=key)
        if kind is not None and copy is not None:
            try:
                self._values.setdefault(kind.name, {})[key] = read(kind, key, copy)
            except RecordError:
                copy = None
        self.damaged.append(Damaged(entry["kind"], key, entry["body"], entry["problem"], loss, copy))

    def of(self, kind: RecordKind[T]) -> Mapping[str, T]:
        """Return the records of a kind by key; none when the charger has none."""
        return cast("Mapping[str, T]", self._values.get(kind.name, {}))

    def one(self, kind: RecordKind[T], key: str) -> T | None:
        """Return one record, None when there is none."""
        return self.of(kind).get(key)
