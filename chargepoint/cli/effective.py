"""The configuration in force as YAML that can be read again, each value with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chargepoint.runtime.backends import BACKENDS, keys_with
from chargepoint.runtime.configuration import Configuration
from chargepoint.runtime.secrecy import is_secret_name, masked_text
from chargepoint.runtime.sections import File
from hw.binding import Declared, Secret, Written, bind, declared
from hw.document import Section, scalar, written

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_COLUMN = 48


@dataclass(frozen=True, slots=True)
class _Line:
    depth: int
    text: str
    origin: str = ""

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{self.text}"


def shown(root: Section, settings: Configuration, *, with_origin: bool) -> Iterator[str]:
    """Yield the lines of the configuration that ``root`` says, which means ``settings``; what is not set is left out."""
    told = bind(root, File)
    derived: dict[str, Any] = {
        "board": settings.board,
        "data": settings.data,
        "durability": settings.durability_in_force,
    }
    backend = told.central_system.backend
    if backend is not None:
        derived["keys"] = keys_with(BACKENDS[backend].keys, told.keys)
    for line in _section(told, root, 0, derived, otherwise="default" if backend is None else f"backend {backend}"):
        yield f"{line!s:<{_COLUMN}}  # {line.origin}" if with_origin and line.origin else str(line)


def _section(
    told: DataclassInstance,
    section: Section | None,
    depth: int,
    derived: Mapping[str, Any],
    otherwise: str = "default",
) -> Iterator[_Line]:
    """Yield the lines of a section; ``otherwise`` is where the keys of its mappings come from that it does not say."""
    for name, what in declared(type(told)).items():
        value = derived.get(name, getattr(told, name))
        if what.section is not None:
            lines = list(_section(value, _child(section, name), depth + 1, {}))
            yield _Line(depth, f"{name}:" if any(not each.text.startswith("#") for each in lines) else f"{name}: {{}}")
            yield from lines
        elif what.values is not None:
            is_secret = what.note(Secret) is not None
            yield from _mapping(name, value, _child(section, name), depth, otherwise, is_secret=is_secret)
        elif value not in (None, ()):
            text = f"# {name}: not shown" if what.note(Secret) else f"{name}: {text_of(value, what)}"
            yield _Line(depth, text, _origin(section, name))


def _mapping(
    name: str, values: Mapping[str, str], section: Section | None, depth: int, otherwise: str, *, is_secret: bool
) -> Iterator[_Line]:
    """Yield a mapping whose keys are data."""
    secret = {key for key in values if is_secret or is_secret_name(key)}
    yield _Line(depth, f"{name}:" if set(values) - secret else f"{name}: {{}}", "" if values else "default")
    for key, value in values.items():
        shown = "not shown" if key in secret else _as_it_looks(masked_text(value))
        text = f"{'# ' if key in secret else ''}{written(key)}: {shown}"
        yield _Line(depth + 1, text, _origin(section, key, otherwise))


def _as_it_looks(text: str) -> str:
    """Return the YAML of a text that may be written as the number or truth it looks like."""
    return text if text and not isinstance(scalar(text), str | None) else written(text)


def text_of(value: Any, what: Declared) -> str:
    """Return the YAML of the value of a key."""
    if what.written is Written.DURATION:
        return f"{written(float(value)).removesuffix('.0')}s"
    if what.items is not None and what.items.section is not None:
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, tuple):
        return written(tuple(_word(each) for each in value))
    word = _word(value)
    return written(masked_text(word) if isinstance(word, str) else word)


def _flow(told: DataclassInstance) -> str:
    """Return a section on one line, without the keys that are as they would be anyway."""
    shown = [
        f"{each.name}: {text_of(getattr(told, each.name), declared(type(told))[each.name])}"
        for each in fields(told)
        if getattr(told, each.name) != each.default
    ]
    return f"{{{', '.join(shown)}}}"


def _word(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _child(section: Section | None, name: str) -> Section | None:
    return section.child(name) if section is not None and section.has(name) else None


def _origin(section: Section | None, name: str, otherwise: str = "default") -> str:
    return str(section.mark_of(name)) if section is not None and section.has(name) else otherwise
