"""A mapping of an input file, read strictly: every getter checks type and bounds where the value stands.

A key that nobody reads is an error (`Section.finish`), and every error names file, line and column, the field, what was
found and what was expected. Missing and misspelt keys are told apart by likeness: ``realy`` is answered with "did you
mean 'relay'?", not with "relay is missing".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NoReturn, TypeVar

from hw.errors import InputFileError, Mark, first_of
from hw.node import Entry, Node, unknown
from hw.units import duration_s, share, share_per_day
from hw.words import nearest

EnumT = TypeVar("EnumT", bound=Enum)


def _hidden(node: Node) -> Node:
    value = node.value
    if isinstance(value, dict):
        value = {key: replace(entry, node=_hidden(entry.node)) for key, entry in value.items()}
    elif isinstance(value, list):
        value = [_hidden(each) for each in value]
    return replace(node, value=value, is_secret=True)


class Section:
    """A mapping being read. ``error`` is the branch of `InputFileError` to raise.

    Getters take a ``default``; None means that the key is required. Ask `has` where absence has a meaning of its own.
    """

    __slots__ = ("_entries", "_known", "error", "field", "mark")

    def __init__(self, node: Node, error: type[InputFileError]) -> None:
        self.error = error
        self.field = node.field
        self.mark = node.mark
        self._known: dict[str, None] = {}
        if not isinstance(node.value, dict):
            self.fail(node, "a mapping")
        self._entries = node.value

    def fail(self, node: Node, expected: str) -> NoReturn:
        """Raise the error that ``node`` should have been something else."""
        raise self.error(node.mark, f"{node.field or 'the file'} must be {expected}, got {node}")

    def mark_of(self, key: str) -> Mark:
        """Return where the value of ``key`` stands; the mapping itself if there is no such key."""
        return self._entries[key].node.mark if key in self._entries else self.mark

    def has(self, key: str) -> bool:
        """Whether the key is there; from now on it counts as a valid one."""
        self._known[key] = None
        return key in self._entries

    def node(self, key: str) -> Node:
        """Return the node of a required key."""
        if not self.has(key):
            self._refuse_misspelt(key)
            raise self.error(self.mark, f"{self._where()} needs {key!r}")
        return self._entries[key].node

    def hide(self, key: str) -> None:
        """Make a key a secret: what stands there, and below, is not shown in errors."""
        if key in self._entries:
            entry = self._entries[key]
            self._entries[key] = replace(entry, node=_hidden(entry.node))

    # --- scalars ------------------------------------------------------------------------------------------------------

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        minimum: float = float("-inf"),
        maximum: float = float("inf"),
    ) -> float:
        """Return a number within the bounds, both inclusive."""
        if default is not None and not self.has(key):
            return default
        node = self.node(key)
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.fail(node, "a number")
        return float(self._bounded(node, node.value, minimum, maximum))

    def integer(
        self,
        key: str,
        default: int | None = None,
        *,
        minimum: float = float("-inf"),
        maximum: float = float("inf"),
    ) -> int:
        """Return a whole number within the bounds, both inclusive."""
        if default is not None and not self.has(key):
            return default
        return self._integer(self.node(key), minimum, maximum)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        if default is not None and not self.has(key):
            return default
        return self._text(self.node(key))

    def path(self, key: str) -> Path:
        """Return the path of a file, which lies beside the input file that names it unless it is absolute."""
        node = self.node(key)
        path = Path(self._text(node))
        return Path(node.mark.file).parent / path if node.mark.line else path

    def plain(self, key: str) -> str:
        """Return a text, a number, true or false as it is written; nothing is the empty text."""
        node = self.node(key)
        match node.value:
            case None:
                return ""
            case dict() | list():
                self.fail(node, "a text, a number, true or false")
            case str():
                return node.value
            case _:
                return str(node)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false (``on``, ``yes`` and the like are texts)."""
        if default is not None and not self.has(key):
            return default
        node = self.node(key)
        if not isinstance(node.value, bool):
            self.fail(node, "true or false")
        return node.value

    def choice(self, key: str, kind: type[EnumT], default: EnumT | None = None) -> EnumT:
        """Return the member of an enum by its value."""
        if default is not None and not self.has(key):
            return default
        return kind(self._one_of(self.node(key), [str(member.value) for member in kind]))

    def one_of(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return one of the texts in ``choices``."""
        if default is not None and not self.has(key):
            return default
        return self._one_of(self.node(key), list(choices))

    def duration_s(
        self, key: str, default: float | None = None, *, minimum: float = 0.0, maximum: float = float("inf")
    ) -> float:
        """Return a duration in s, written ``90s``, ``5 min``, ``2 h`` or as a plain number of seconds."""
        if default is not None and not self.has(key):
            return default
        node = self.node(key)
        if isinstance(node.value, str) and (written_s := duration_s(node.value)) is not None:
            return self._bounded(node, written_s, minimum, maximum)
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return self._bounded(node, float(node.value), minimum, maximum)
        self.fail(node, "a duration such as 90s, 5 min or 2 h")

    def share(self, key: str, default: float | None = None) -> float:
        """Return a share of 0..1, written ``20%`` or ``0.2``."""
        if default is not None and not self.has(key):
            return default
        node = self.node(key)
        value = node.value
        if isinstance(value, str) and (written := share(value)) is not None:
            value = written
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            self.fail(node, "a share such as 20% or 0.2")
        return float(value)

    def share_per_day(self, key: str) -> tuple[float, float]:
        """Return a range of shares a day, written ``20-60 %/day`` or ``40 %/day``."""
        node = self.node(key)
        found = share_per_day(node.value) if isinstance(node.value, str) else None
        if found is None or not 0.0 <= found[0] <= found[1] <= 2.0:
            self.fail(node, "a range such as 20-60 %/day, up to 200 %/day")
        return found

    # --- lists and mappings -------------------------------------------------------------------------------------------

    def texts(
        self, key: str, default: tuple[str, ...] | None = None, *, choices: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """Return a list of texts, each one of ``choices`` if any are given."""
        if default is not None and not self.has(key):
            return default
        names = list(choices)
        return tuple(self._one_of(node, names) if names else self._text(node) for node in self._list(key))

    def integers(self, key: str, default: tuple[int, ...] | None = None, *, minimum: int = 0) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        if default is not None and not self.has(key):
            return default
        return tuple(self._integer(node, minimum) for node in self._list(key))

    def child(self, key: str) -> Section:
        """Return the mapping under a key."""
        return Section(self.node(key), self.error)

    def children(self, key: str) -> list[Section]:
        """Return the mappings of a list, in file order."""
        return [Section(node, self.error) for node in self._list(key)]

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Yield every key with its entry, for mappings whose keys are data; all of them count as read."""
        for key, entry in self._entries.items():
            self._known[key] = None
            yield key, entry

    def unread(self) -> list[InputFileError]:
        """Return an error for each key that was not asked for; it names the nearest and all valid ones."""
        return [
            self.error(entry.key_mark, unknown(f"unknown key {key!r} in {self._where()}", key, self._known))
            for key, entry in self._entries.items()
            if key not in self._known
        ]

    def finish(self) -> None:
        """Raise for the keys that were not asked for."""
        mistakes = self.unread()
        if mistakes:
            raise first_of(mistakes)

    # --- within -------------------------------------------------------------------------------------------------------

    def _where(self) -> str:
        return self.field or "the file"

    def _refuse_misspelt(self, wanted: str) -> None:
        key = nearest(wanted, [key for key in self._entries if key not in self._known])
        if key is not None:
            problem = f"unknown key {key!r} in {self._where()}; did you mean {wanted!r}?"
            raise self.error(self._entries[key].key_mark, problem)

    def _bounded(self, node: Node, number: float, minimum: float, maximum: float = float("inf")) -> float:
        if minimum <= number <= maximum:
            return number
        if maximum == float("inf"):
            self.fail(node, f"at least {minimum:g}")
        if minimum == float("-inf"):
            self.fail(node, f"at most {maximum:g}")
        self.fail(node, f"{minimum:g}..{maximum:g}")

    def _integer(self, node: Node, minimum: float, maximum: float = float("inf")) -> int:
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            self.fail(node, "a whole number")
        self._bounded(node, node.value, minimum, maximum)
        return node.value

    def _text(self, node: Node) -> str:
        if not isinstance(node.value, str):
            hint = " in quotes" if isinstance(node.value, int | float) else ""
            self.fail(node, f"a text{hint}")
        return node.value

    def _one_of(self, node: Node, choices: list[str]) -> str:
        # A choice may look like a number (``rating: 32``); it is compared as it is written.
        text = str(node) if isinstance(node.value, int | float) else node.value
        if not isinstance(text, str):
            self.fail(node, f"one of {', '.join(choices)}")
        if text not in choices:
            raise self.error(node.mark, unknown(f"unknown {node.field} {text!r}", text, choices))
        return text

    def _list(self, key: str) -> list[Node]:
        node = self.node(key)
        if not isinstance(node.value, list):
            self.fail(node, "a list")
        return node.value
