"""Fill a dataclass from a mapping of an input file: its fields are the keys, its defaults the defaults."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hw.section import Section

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DataclassT = TypeVar("DataclassT", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive bounds of a number: ``Annotated[float, Bounds(0, 60)]``."""

    minimum: float = float("-inf")
    maximum: float = float("inf")


@dataclass(frozen=True, slots=True)
class OneOf:
    """The words a text may be: ``Annotated[str, OneOf(("sdm120", "sdm630"))]``."""

    words: tuple[str, ...]


class Written(Enum):
    """Ways to write a number that are friendlier than the number."""

    DURATION = "90s, 5 min, 2 h"
    SHARE = "20%"


Seconds = Annotated[float, Written.DURATION]
"""A field in s that may be written as a duration: ``90s``, ``5 min``."""

Share = Annotated[float, Written.SHARE]
"""A field of 0..1 that may be written in per cent: ``20%``."""


def bind(section: Section, kind: type[DataclassT]) -> DataclassT:
    """Return a ``kind`` filled from the section; keys that are not fields are errors.

    Field types: float, int, str, bool, enums, tuples of str, int or a string enum, ``X | None``, `Seconds`, `Share`,
    and the first two with `Bounds`, str with `OneOf`. Raises the section's error with the place of what is wrong.
    """
    hints = _hints(kind)
    values: dict[str, object] = {}
    for field in fields(kind):
        is_required = field.default is MISSING and field.default_factory is MISSING
        if field.init and (section.has(field.name) or is_required):
            values[field.name] = _read(section, field.name, hints[field.name])
    section.finish()
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _read(section: Section, key: str, hint: Any) -> object:
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        extras = tuple(rest)
    if get_origin(hint) in (Union, UnionType):
        if section.node(key).value is None:
            return None
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
        return _read(section, key, hint)
    if get_origin(hint) is tuple:
        return _read_tuple(section, key, get_args(hint)[0])
    bounds = next((extra for extra in extras if isinstance(extra, Bounds)), Bounds())
    if Written.DURATION in extras:
        return section.duration_s(key)
    if Written.SHARE in extras:
        return section.share(key)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return section.choice(key, hint)
    if hint is bool:
        return section.flag(key)
    if hint is int:
        return section.integer(key, minimum=bounds.minimum, maximum=bounds.maximum)
    if hint is float:
        return section.number(key, minimum=bounds.minimum, maximum=bounds.maximum)
    if hint is str:
        words = next((extra.words for extra in extras if isinstance(extra, OneOf)), None)
        return section.text(key) if words is None else section.one_of(key, words)
    raise TypeError(f"{key}: a field of type {hint} cannot be read from a file")


def _read_tuple(section: Section, key: str, hint: Any) -> tuple[object, ...]:
    if hint is int:
        return section.integers(key)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(hint(word) for word in section.texts(key, choices=[str(member.value) for member in hint]))
    return section.texts(key)
