"""Fill a dataclass from a mapping of an input file: its fields are the keys, its defaults the defaults.

`hw.schema` makes a JSON Schema from the same fields, so what is read and what an editor offers are declared once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hw.errors import InputFileError, first_of
from hw.section import Section

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DataclassT = TypeVar("DataclassT", bound="DataclassInstance")
NoteT = TypeVar("NoteT")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive bounds of a number: ``Annotated[float, Bounds(0, 60)]``."""

    minimum: float = float("-inf")
    maximum: float = float("inf")


@dataclass(frozen=True, slots=True)
class OneOf:
    """The words a text may be: ``Annotated[str, OneOf(("sdm120", "sdm630"))]``.

    They are looked at when one is read, not before: they may come from a file of their own.
    """

    words: Collection[str]


@dataclass(frozen=True, slots=True)
class Length:
    """The most characters a text may have: ``Annotated[str, Length(20)]``."""

    maximum: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The regular expression a whole text must match, and how a person would say it."""

    pattern: str
    expected: str


@dataclass(frozen=True, slots=True)
class Help:
    """What a key is for, for people; ``example`` is a value as it is written, where the default says too little."""

    text: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """The value is never shown, not even in an error."""


class Written(Enum):
    """Ways to write a value that are friendlier than its type."""

    DURATION = "90s, 5 min, 2 h"
    SHARE = "20%"
    PER_DAY = "20-60 %/day"
    PLAIN = "text, 5, 1.5, true"


Seconds = Annotated[float, Written.DURATION]
"""A field in s that may be written as a duration: ``90s``, ``5 min``; `Bounds` may narrow it."""

Share = Annotated[float, Written.SHARE]
"""A field of 0..1 that may be written in per cent: ``20%``."""

SharePerDay = Annotated[tuple[float, float], Written.PER_DAY]
"""A range of shares of 0..2 a day, written ``20-60 %/day``."""

Plain = Annotated[str, Written.PLAIN]
"""A text that may be written as what it looks like: ``5``, ``true``."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the type of a field says: ``kind`` without ``| None`` and notes, and the notes of its `Annotated`."""

    kind: Any
    notes: tuple[Any, ...] = ()
    is_optional: bool = False

    @classmethod
    def by(cls, hint: Any) -> Declared:
        """Take a type hint apart."""
        notes: tuple[Any, ...] = ()
        is_optional = False
        while True:
            if get_origin(hint) is Annotated:
                hint, *more = get_args(hint)
                notes = (*notes, *more)
            elif get_origin(hint) in (Union, UnionType):
                is_optional = True
                (hint,) = (part for part in get_args(hint) if part is not NoneType)
            else:
                return cls(hint, notes, is_optional)

    def note(self, kind: type[NoteT]) -> NoteT | None:
        """Return the note of this class, None if there is none."""
        return next((note for note in self.notes if isinstance(note, kind)), None)

    @property
    def written(self) -> Written | None:
        return self.note(Written)

    @property
    def bounds(self) -> Bounds:
        return self.note(Bounds) or Bounds()

    @property
    def words(self) -> Collection[str] | None:
        """The words a text, or each text of a list, is one of; None for any."""
        one_of = self.note(OneOf)
        return None if one_of is None else one_of.words

    @property
    def section(self) -> type[DataclassInstance] | None:
        """The dataclass of a mapping whose keys are its fields."""
        return self.kind if isinstance(self.kind, type) and is_dataclass(self.kind) else None

    @property
    def choices(self) -> type[Enum] | None:
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Enum) else None

    @property
    def items(self) -> Declared | None:
        """What each entry of a list is."""
        return Declared.by(get_args(self.kind)[0]) if get_origin(self.kind) is tuple else None

    @property
    def values(self) -> Declared | None:
        """What each value of a mapping is whose keys are data."""
        return Declared.by(get_args(self.kind)[1]) if get_origin(self.kind) is Mapping else None


@cache
def declared(kind: type[DataclassInstance]) -> dict[str, Declared]:
    """Return what each key of a section is, by its name, in the order of the fields."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: Declared.by(hints[field.name]) for field in fields(kind) if field.init}


@cache
def required(kind: type[DataclassInstance]) -> tuple[str, ...]:
    """Return the keys of a section that have no default."""
    return tuple(
        field.name
        for field in fields(kind)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    )


def bind(
    section: Section, kind: type[DataclassT], mistakes: list[InputFileError] | None = None
) -> DataclassT:
    """Return a ``kind`` filled from the section; keys that are not fields are errors.

    Field types: float, int, str, bool, Path, enums, dataclasses, mappings of str, tuples of str, int, a string enum or a
    dataclass, ``X | None``, `Seconds`, `Share`, `SharePerDay`, `Plain`, numbers with `Bounds`, str with `OneOf`, `Length`
    or `Matches`.

    Raises the section's error with all that is wrong, in the order of the file. With ``mistakes`` that is appended there
    instead, and the default stands in for what cannot be read; only where a required key has none it raises.
    """
    found: list[InputFileError] = []
    values: dict[str, object] = {}
    for name, each in declared(kind).items():
        if section.has(name) or name in required(kind):
            try:
                values[name] = _read(section, name, each, found)
            except InputFileError as error:
                found += error.mistakes
    found += section.unread()
    if found and (mistakes is None or any(name not in values for name in required(kind))):
        raise first_of(found)
    if mistakes is not None:
        mistakes += found
    return kind(**values)


def _read(section: Section, key: str, what: Declared, mistakes: list[InputFileError]) -> object:
    if what.note(Secret) is not None:
        section.hide(key)
    if what.is_optional and section.node(key).value is None:
        return None
    if what.written is Written.PER_DAY:
        return section.share_per_day(key)
    if what.section is not None:
        return bind(section.child(key), what.section, mistakes)
    if what.items is not None:
        return _read_tuple(section, key, what, what.items)
    if what.values is not None:
        return _read_mapping(section.child(key), what.values, mistakes)
    if what.choices is not None:
        return section.choice(key, what.choices)
    if what.kind is bool:
        return section.flag(key)
    if what.kind is Path:
        return section.path(key)
    if what.kind in (int, float):
        return _read_number(section, key, what)
    if what.kind is str:
        return _read_text(section, key, what)
    raise TypeError(f"{key}: a field of type {what.kind} cannot be read from a file")


def _read_sections(sections: list[Section], kind: type[DataclassT]) -> tuple[DataclassT, ...]:
    found: list[DataclassT] = []
    mistakes: list[InputFileError] = []
    for section in sections:
        try:
            found.append(bind(section, kind))
        except InputFileError as error:
            mistakes += error.mistakes
    if mistakes:
        raise first_of(mistakes)
    return tuple(found)


def _read_mapping(section: Section, what: Declared, mistakes: list[InputFileError]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, _entry in section.items():
        try:
            values[name] = _read(section, name, what, mistakes)
        except InputFileError as error:
            mistakes += error.mistakes
    return values


def _read_number(section: Section, key: str, what: Declared) -> float:
    minimum, maximum = what.bounds.minimum, what.bounds.maximum
    if what.written is Written.DURATION:
        return section.duration_s(key, minimum=max(0.0, minimum), maximum=maximum)
    if what.written is Written.SHARE:
        return section.share(key)
    if what.kind is int:
        return section.integer(key, minimum=minimum, maximum=maximum)
    return section.number(key, minimum=minimum, maximum=maximum)


def _read_text(section: Section, key: str, what: Declared) -> str:
    if what.written is Written.PLAIN:
        return section.plain(key)
    if what.words is not None:
        return section.one_of(key, what.words)
    text = section.text(key)
    length, matches = what.note(Length), what.note(Matches)
    if length is not None and len(text) > length.maximum:
        section.fail(section.node(key), f"at most {length.maximum} characters")
    if matches is not None and not re.fullmatch(matches.pattern, text):
        section.fail(section.node(key), matches.expected)
    return text


def _read_tuple(section: Section, key: str, what: Declared, items: Declared) -> tuple[object, ...]:
    if items.section is not None:
        return _read_sections(section.children(key), items.section)
    if items.kind is int:
        return section.integers(key)
    if items.choices is not None:
        kind = items.choices
        return tuple(kind(word) for word in section.texts(key, choices=[str(member.value) for member in kind]))
    return section.texts(key, choices=what.words or ())
