"""Strict YAML with positions, shared by board files, configuration files and scenarios.

Two traps of YAML are closed by the resolver. YAML 1.1 reads ``on: no`` as ``{True: False}`` and ``12:30`` as 750; YAML
1.2 reads the card number ``12E45678`` as infinity and ``04126789`` as a number without its zero. Here only ``true``,
``false``, ``null`` (or nothing), whole numbers without a leading zero and decimals with a point are anything but text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import BaseResolver
from ruamel.yaml.tokens import (
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    Token,
)

from hw.binding import Bounds, OneOf, Seconds, Share, bind
from hw.errors import InputFileError, Mark
from hw.node import Entry, Node, Scalar
from hw.section import Section

__all__ = [
    "Bounds",
    "Document",
    "Entry",
    "Node",
    "OneOf",
    "Seconds",
    "Section",
    "Share",
    "bind",
    "load",
    "parse",
    "scalar",
    "written",
]

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[str], Scalar]] = {
    "null": lambda _text: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "str": str,
}


_PLAIN = {
    "null": re.compile(r"null|"),
    "bool": re.compile(r"true|false"),
    "int": re.compile(r"-?(?:0|[1-9][0-9]*)"),
    "float": re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+"),
}
"""The plain scalars that are anything but text."""
_SAFE = re.compile(r"[\w./][\w./-]*(?::[\w./-]+)*", re.ASCII)
"""Texts that need no quotes, wherever they stand."""


class _StrictResolver(BaseResolver):
    """Resolves plain scalars by the four patterns above; everything else is text."""

    def __init__(self, version: object = None, loader: object = None) -> None:
        super().__init__(loader)  # the base takes no version

    @property
    def processing_version(self) -> tuple[int, int]:
        return (1, 2)  # whatever a %YAML directive says


for _name, _first in (
    ("null", ["n", ""]),
    ("bool", ["t", "f"]),
    ("int", list("-0123456789")),
    ("float", list("-0123456789")),
):
    _StrictResolver.add_implicit_resolver_base(_TAG + _name, re.compile(rf"(?:{_PLAIN[_name].pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class Document:
    """One input file, parsed. ``error`` is the branch of `InputFileError` that its readers raise."""

    root: Node
    error: type[InputFileError]

    def mapping(self) -> Section:
        """Return the file as the mapping it should be."""
        return Section(self.root, self.error)


def load(path: Path, *, error: type[InputFileError] = InputFileError) -> Document:
    """Return the parsed file. Raises ``error`` when it cannot be read, is not YAML, or holds a key twice."""
    whole = Mark(str(path), 0, 0)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as cause:
        raise error(Mark(str(path), 1, 1), "is not UTF-8 text") from cause
    except FileNotFoundError as cause:
        raise error(whole, "does not exist") from cause
    except OSError as cause:
        raise error(whole, f"cannot be read: {cause.strerror}") from cause
    return parse(text, file=str(path), error=error)


def parse(text: str, *, file: str = "<text>", error: type[InputFileError] = InputFileError) -> Document:
    """Return the parsed ``text``; ``file`` is what errors call it. Raises ``error`` as `load` does."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = _StrictResolver
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as cause:
        opened = _left_open(text)
        if opened is not None:
            raise error(_mark(opened[1], file), f"the {opened[0]} that begins here is not closed") from cause
        problem = str(cause.problem or cause.context or "is not YAML")
        if problem.startswith("but "):
            problem = f"{cause.context}, {problem}"
        raise error(_mark(cause.problem_mark or cause.context_mark, file), problem) from cause
    except ReaderError as cause:
        line, column = text.count("\n", 0, cause.position) + 1, cause.position - text.rfind("\n", 0, cause.position)
        raise error(Mark(file, line, column), f"character #x{cause.character:02x} is not allowed") from cause
    except YAMLError as cause:
        raise error(Mark(file, 1, 1), f"is not YAML: {str(cause).splitlines()[0]}") from cause
    if root is None:
        raise error(Mark(file, 1, 1), "the file is empty")
    return Document(_Reader(file, error).node(root, ""), error)


_CLOSED_BY = {FlowSequenceEndToken: FlowSequenceStartToken, FlowMappingEndToken: FlowMappingStartToken}
_BRACKETS = {FlowSequenceStartToken: "[", FlowMappingStartToken: "{"}


def _left_open(text: str) -> tuple[str, StringMark] | None:
    """Return the innermost bracket, or the quote, that is still open at the end of a text, and where it stands."""
    opened: list[tuple[type[Token], StringMark]] = []
    try:
        for token in YAML(typ="safe", pure=True).scan(text):
            kind = type(token)
            if kind in _BRACKETS:
                opened.append((kind, token.start_mark))
            elif kind in _CLOSED_BY and (not opened or opened.pop()[0] is not _CLOSED_BY[kind]):
                return None
    except MarkedYAMLError as cause:
        is_quote = cause.context == "while scanning a quoted scalar" and "end of stream" in str(cause.problem)
        return ("quote", cause.context_mark) if is_quote and cause.context_mark is not None else None
    return (_BRACKETS[opened[-1][0]], opened[-1][1]) if opened else None


def written(value: Scalar | tuple[str, ...]) -> str:
    """Return YAML text for a value, on one line and plain where it can be, that is read as the same value."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"  # an exponent would be a text
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _SAFE.fullmatch(value) and scalar(value) == value else json.dumps(value, ensure_ascii=False)


def scalar(text: str) -> Scalar:
    """Return what a plain scalar of YAML stands for: a number, true, false or nothing, else the text itself."""
    for kind, pattern in _PLAIN.items():
        if pattern.fullmatch(text):
            return _SCALARS[kind](text)
    return text


def _mark(mark: StringMark | None, file: str) -> Mark:
    """Return a mark that counts from 1, as editors do."""
    return Mark(file, mark.line + 1, mark.column + 1) if mark is not None else Mark(file, 1, 1)


class _Reader:
    """Turns the YAML library's nodes into ours, which know their place and their path."""

    def __init__(self, file: str, error: type[InputFileError]) -> None:
        self._file = file
        self._error = error
        self._open: set[int] = set()  # nodes being read: an alias inside its own anchor would never end

    def node(self, node: YamlNode, field: str) -> Node:
        mark = _mark(node.start_mark, self._file)
        if id(node) in self._open:
            raise self._error(mark, f"{field} contains itself")
        self._open.add(id(node))
        try:
            match node:
                case MappingNode():
                    return Node(mark, field, self._mapping(node, field))
                case SequenceNode():
                    children = [self.node(item, f"{field}[{at}]") for at, item in enumerate(node.value)]
                    return Node(mark, field, children)
                case _:
                    return Node(mark, field, self._scalar(node, mark))
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: MappingNode, field: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark, self._file)
            if not isinstance(key_node, ScalarNode):
                raise self._error(mark, "a key must be a plain word")
            key = str(key_node.value)
            if key in entries:
                raise self._error(mark, f"{key!r} stands here twice, first in line {entries[key].key_mark.line}")
            value = self.node(value_node, f"{field}.{key}" if field else key)
            if value.value is None and not value_node.value:
                value = replace(value, mark=mark)  # YAML puts a value that is missing at the next thing it found
            entries[key] = Entry(mark, value)
        return entries

    def _scalar(self, node: YamlNode, mark: Mark) -> Scalar:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _SCALARS:
            raise self._error(mark, f"tag {node.tag} is not known here")
        try:
            return _SCALARS[kind](node.value)
        except ValueError as cause:
            raise self._error(mark, f"{node.value!r} is not of kind {kind}") from cause
