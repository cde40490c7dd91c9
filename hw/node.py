"""Values of an input file that know where they stand, and the words of complaints about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hw.errors import Mark
from hw.words import nearest

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """One value of an input file with the place where it stands; ``field`` is its dotted path (``""``: the root)."""

    mark: Mark
    field: str
    value: Scalar | list[Node] | dict[str, Entry]
    is_secret: bool = False
    """Not to be shown, not even in an error."""

    def __str__(self) -> str:
        """What stands there, in the words of an error message."""
        if self.is_secret:
            return "what is not shown"
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case None:
                return "nothing"
            case bool():
                return str(self.value).lower()
            case str():
                return repr(self.value)
            case number:
                return str(number)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, where it stands, and its value."""

    key_mark: Mark
    node: Node


def unknown(problem: str, found: str, valid: Iterable[str]) -> str:
    """Return ``problem`` with the nearest of the valid words, and all of them."""
    words = sorted(valid)
    near = nearest(found, words)
    hint = f"; did you mean {near!r}?" if near is not None else ""
    return f"{problem}{hint} (valid: {', '.join(words)})"
