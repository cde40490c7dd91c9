"""Configuration keys: declared once, typed, and honoured or truthfully absent (OCPP 1.6 section 9).

A `Key[T]` is a declaration beside the code that obeys it. A `Keyring` is all keys of the feature profiles in use, shared
by every charger of a kind; `Settings` is one charger's own values on top of it, so that thousands of chargers cost next
to nothing. Values travel as text; what the text means is the key's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar, cast

from ocpp.v16.enums import ConfigurationStatus

log = logging.getLogger(__name__)

T = TypeVar("T")
MAX_KEY = 50
MAX_VALUE = 500


class Access(Enum):
    """What a central system may do with a key."""

    READ_WRITE = "RW"
    READ_ONLY = "R"
    WRITE_ONLY = "W"


@dataclass(frozen=True, slots=True, eq=False)
class Key(Generic[T]):
    """One configuration key. ``parse`` raises ValueError, with a reason, for a value the key does not take."""

    name: str
    default: T | None
    parse: Callable[[str], T]
    write: Callable[[T], str]
    kind: str
    unit: str
    access: Access
    source: str
    effect: str


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"expected true or false, got {text!r}")
    return word == "true"


def boolean(
    name: str, default: bool, *, access: Access = Access.READ_WRITE, source: str, effect: str = ""
) -> Key[bool]:
    """Declare a key that switches something; it exists only where the something does."""
    return Key(name, default, _flag, lambda value: "true" if value else "false", "boolean", "", access, source, effect)


def integer(
    name: str,
    default: int,
    *,
    minimum: int = 0,
    maximum: int = 2**31 - 1,
    unit: str = "",
    access: Access = Access.READ_WRITE,
    source: str,
    effect: str = "",
) -> Key[int]:
    """Declare a whole number between ``minimum`` and ``maximum``."""

    def parse(text: str) -> int:
        digits = text.strip()
        if not digits.removeprefix("-").isdecimal() or not digits.isascii():
            raise ValueError(f"expected a whole number, got {text!r}")
        value = int(digits)
        if not minimum <= value <= maximum:
            raise ValueError(f"expected {minimum}..{maximum}, got {value}")
        return value

    return Key(name, default, parse, str, "integer", unit, access, source, effect)


def text(
    name: str, default: str, *, access: Access = Access.READ_WRITE, source: str, effect: str = ""
) -> Key[str]:
    """Declare a free text."""
    return Key(name, default, str, str, "string", "", access, source, effect)


def choice(
    name: str, default: str, words: tuple[str, ...], *, access: Access = Access.READ_WRITE, source: str, effect: str = ""
) -> Key[str]:
    """Declare one of a few words, found whatever the case."""

    def parse(text: str) -> str:
        for word in words:
            if word.lower() == text.strip().lower():
                return word
        raise ValueError(f"expected {' or '.join(words)}, got {text!r}")

    return Key(name, default, parse, str, "string", "", access, source, effect)


def items(
    name: str,
    default: tuple[str, ...],
    *,
    check: Callable[[str], bool],
    expected: str,
    maximum: int | None = None,
    access: Access = Access.READ_WRITE,
    source: str,
    effect: str = "",
) -> Key[tuple[str, ...]]:
    """Declare a comma-separated list of items that pass ``check``; no duplicates, order is kept, empty is allowed."""

    def parse(text: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in text.split(",")) if text.strip() else ()
        wrong = [part for part in parts if not check(part)]
        if wrong:
            raise ValueError(f"expected {expected}, got {wrong[0]!r}")
        if len(set(parts)) != len(parts):
            raise ValueError("an item stands twice")
        if maximum is not None and len(parts) > maximum:
            raise ValueError(f"at most {maximum} items, got {len(parts)}")
        return parts

    return Key(name, default, parse, ",".join, "list", "", access, source, effect)


@dataclass(frozen=True, slots=True, eq=False)
class KeyFamily(Generic[T]):
    """Keys of one kind, one for each variant, called ``name,variant``; they exist as soon as they have a value.

    Variants are told apart whatever the case; without one there is no key, and every value is refused.
    """

    name: str
    parse: Callable[[str], T]
    write: Callable[[T], str]
    kind: str
    source: str
    effect: str

    def member(self, name: str) -> Key[T] | None:
        """Return the key of this name, None when it is none of this family."""
        head, _, variant = name.partition(",")
        if head.strip().lower() != self.name.lower():
            return None
        variant = variant.strip().lower()
        full = f"{self.name},{variant}" if variant else self.name
        parse = self.parse if variant else self._refuse
        return Key(full, None, parse, self.write, self.kind, "", Access.READ_WRITE, self.source, self.effect)

    def _refuse(self, text: str) -> T:
        raise ValueError(f"expected a key {self.name},…")


class Keyring:
    """All keys of one kind of charger, found by name whatever the case (OCPP 1.6: keys are CiString)."""

    __slots__ = ("_absent", "_by_name", "defaults", "families", "fixed")

    def __init__(
        self,
        keys: Iterable[Key[Any]],
        fixed: Mapping[str, tuple[Any, Access | None]] | None = None,
        families: Iterable[KeyFamily[Any]] = (),
        absent: Mapping[str, str] | None = None,
    ) -> None:
        """``fixed`` gives keys another default, and access, for this kind: what the board or the build decides.

        ``absent`` are names with a meaning that this kind of charger does not honour, and why: no custom key may have
        one of them. A name that ends in ``[]`` stands for all that have a number there.

        Raises ValueError when two declarations share a name.
        """
        self._by_name: dict[str, Key[Any]] = {}
        self.fixed = dict(fixed or {})
        self.families = tuple(families)
        self._absent = {name.lower(): reason for name, reason in (absent or {}).items()}
        for key in keys:
            if self._by_name.setdefault(key.name.lower(), key) is not key:
                raise ValueError(f"configuration key {key.name} is declared twice")
        self.defaults = {key.name: self.default(key) for key in self}

    def find(self, name: str) -> Key[Any] | None:
        """Return the key of a name, one of a family too; None when there is none."""
        key = self._by_name.get(name.lower())
        if key is None:
            key = next((member for family in self.families if (member := family.member(name)) is not None), None)
        return key

    def absence(self, name: str) -> str | None:
        """Return why this charger lacks a key that others have, as ``NAME belongs to …``; None for any other name."""
        head = name.partition(",")[0].strip().lower()
        reason = self._absent.get(head) or self._absent.get(f"{head.rstrip('0123456789')}[]")
        return None if reason is None else f"{name} {reason}"

    def __iter__(self) -> Iterator[Key[Any]]:
        return iter(self._by_name.values())

    def __contains__(self, key: Key[Any]) -> bool:
        return self._by_name.get(key.name.lower()) is key

    def access(self, key: Key[Any]) -> Access:
        fixed = self.fixed.get(key.name)
        return key.access if fixed is None or fixed[1] is None else fixed[1]

    def default(self, key: Key[T]) -> T | None:
        fixed = self.fixed.get(key.name)
        return key.default if fixed is None else cast("T", fixed[0])


@dataclass(frozen=True, slots=True)
class Entry:
    """What GetConfiguration tells of a key."""

    key: str
    readonly: bool
    value: str | None


class Settings:
    """One charger's configuration: a keyring and what was changed in it."""

    __slots__ = ("_custom", "_values", "keyring")

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._values: dict[str, Any] = {}
        self._custom: dict[str, str] = {}

    def get(self, key: Key[T]) -> T:
        """Return the value in force. Raises KeyError for a key of a feature profile that is not in use."""
        value = self._values.get(key.name)
        return cast("T", self.keyring.defaults[key.name] if value is None else value)

    def has(self, key: Key[Any]) -> bool:
        return key in self.keyring

    def set(self, key: Key[T], value: T) -> None:
        """Put a value in force without asking whether a central system might."""
        self._values[key.name] = value

    def unset(self, key: Key[Any]) -> None:
        """Take a value back: the default is in force again."""
        self._values.pop(key.name, None)

    def members(self, family: KeyFamily[T]) -> Mapping[str, T]:
        """Return the values of a family by variant, in lower case."""
        prefix = f"{family.name},"
        return {name.removeprefix(prefix): value for name, value in self._values.items() if name.startswith(prefix)}

    def configure(self, name: str, text: str) -> None:
        """Set a key from a configuration file or from the store, read-only ones too.

        An unknown name becomes a custom key. Raises ValueError for a value the key does not take, and for a name that
        means something this charger does not honour (`Keyring.absence`).
        """
        key = self.keyring.find(name)
        if key is not None:
            self._values[key.name] = key.parse(text)
            return
        reason = self.keyring.absence(name)
        if reason is not None:
            raise ValueError(reason)
        self._custom[self._custom_name(name) or name] = text

    def change(self, name: str, text: str) -> tuple[ConfigurationStatus, str, str]:
        """Try what ChangeConfiguration asks and return the status, the key's canonical name and the reason of a refusal.

        Source: OCPP 1.6 5.3 and 9; checks in the order unknown, read-only, value.
        """
        key = self.keyring.find(name)
        if key is None:
            custom = self._custom_name(name)
            if custom is None:
                return ConfigurationStatus.not_supported, name, self.keyring.absence(name) or "no such key"
            self._custom[custom] = text
            return ConfigurationStatus.accepted, custom, ""
        if self.keyring.access(key) is Access.READ_ONLY:
            return ConfigurationStatus.rejected, key.name, "read-only"
        try:
            self._values[key.name] = key.parse(text)
        except ValueError as reason:
            return ConfigurationStatus.rejected, key.name, str(reason)
        return ConfigurationStatus.accepted, key.name, ""

    def _custom_name(self, name: str) -> str | None:
        """Return the spelling under which a custom key is kept, None when there is none of this name."""
        return next((custom for custom in self._custom if custom.lower() == name.lower()), None)

    def text(self, name: str) -> str | None:
        """Return the value of a key as text, None when it has none or there is no such key."""
        key = self.keyring.find(name)
        if key is None:
            return self._custom.get(name)
        value = self._values.get(key.name)
        if value is None:
            value = self.keyring.defaults.get(key.name)
        return None if value is None else key.write(value)

    def entry(self, name: str) -> Entry | None:
        """Return what GetConfiguration tells of one key, None when there is none. Write-only values are never told."""
        key = self.keyring.find(name)
        if key is None:
            custom = self._custom_name(name)
            return None if custom is None else Entry(custom, readonly=False, value=self._custom[custom])
        if key not in self.keyring and key.name not in self._values:
            return None  # one of a family that has no value
        access = self.keyring.access(key)
        value = None if access is Access.WRITE_ONLY else self.text(key.name)
        return Entry(key.name, access is Access.READ_ONLY, None if value is None else value[:MAX_VALUE])

    def entries(self) -> list[Entry]:
        """Return every key that may be read, in the order of declaration; families and custom ones last."""
        names = [key.name for key in self.keyring if self.keyring.access(key) is not Access.WRITE_ONLY]
        names += [name for name in self._values if name not in self.keyring.defaults]
        return [entry for name in (*names, *self._custom) if (entry := self.entry(name)) is not None]
