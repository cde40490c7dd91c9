"""Where a configuration comes from: several files, the environment and the command line, one laid over the other.

    defaults < /etc/chargepoint/config.yaml < ~/.config/chargepoint/config.yaml < ./chargepoint.yaml < -c FILE
             < CHARGEPOINT_* < flags

Mappings merge key by key; a list or a single value replaces the one below. Every value keeps the place where it stands,
so errors and `config show --origin` name the file, the variable or the flag it came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from hw.binding import declared
from hw.document import Document, Section, load, scalar
from hw.errors import Mark
from hw.node import Entry, Node, Scalar

from .configuration import ConfigurationError
from .sections import File, InsteadOf, Setting, settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SYSTEM_FILE = Path("/etc/chargepoint/config.yaml")
WORKING_FILE = Path("chargepoint.yaml")


def gather(
    named: Path | None = None,
    flags: Mapping[str, Scalar] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Section:
    """Return all layers as one: the files that are there, ``named`` over them, the environment, and ``flags`` by name.

    An empty variable or flag says nothing, and neither does one whose name no key has.

    Raises ConfigurationError when a file cannot be read, also for one that is ``named`` and not there.
    """
    files = [load(path, error=ConfigurationError).root for path in places(named, environment)]
    layers = [Node(Mark("default", 0, 0), "", {}), *files, _environment(environment), _flags(flags or {})]
    return Document(reduce(_over, layers), ConfigurationError).mapping()


def places(named: Path | None = None, environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the files that are read, the lowest first: those of the usual ones that exist, then ``named``."""
    usual = (SYSTEM_FILE, _own_directory(environment) / "chargepoint" / "config.yaml", WORKING_FILE)
    if named is None:
        return tuple(filter(_is_there, usual))
    return (*(path for path in usual if _is_there(path) and not _is_same(path, named)), named)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _is_there(path: Path) -> bool:
    """Whether there is a file, also one that we may not look at: that is an error when it is read, not a file less."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _own_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of a user's own configuration; a relative one is invalid (XDG Base Directory, 0.8)."""
    told = Path(environment.get("XDG_CONFIG_HOME", ""))
    return told if told.is_absolute() else Path(environment.get("HOME") or os.path.expanduser("~")) / ".config"


# --- layers that are no files -----------------------------------------------------------------------------------------


def _environment(environment: Mapping[str, str]) -> Node:
    return _tree(
        (setting, setting.option.variable, _typed(setting, environment[setting.option.variable]))
        for setting in settings()
        if environment.get(setting.option.variable)
    )


def _flags(flags: Mapping[str, Scalar]) -> Node:
    return _tree(
        (setting, setting.option.flag, flags[setting.option.name])
        for setting in settings()
        if flags.get(setting.option.name) not in (None, "")
    )


def _typed(setting: Setting, text: str) -> Scalar:
    """Return a value as the file would have it: a number where one is wanted, else the text as it is."""
    return scalar(text) if setting.what.kind in (int, float) else text


def _tree(said: Iterable[tuple[Setting, str, Scalar]]) -> Node:
    """Return the settings as a document; the place of each is what it was said by."""
    root: dict[str, Entry] = {}
    for setting, by, value in said:
        mark, entries = Mark(by, 0, 0), root
        for depth, name in enumerate(setting.path[:-1], 1):
            empty = Node(mark, ".".join(setting.path[:depth]), {})
            within = entries.setdefault(name, Entry(mark, empty)).node.value
            assert isinstance(within, dict), setting.path
            entries = within
        entries[setting.path[-1]] = Entry(mark, Node(mark, ".".join(setting.path), value))
    return Node(Mark("default", 0, 0), "", root)


# --- one over the other -----------------------------------------------------------------------------------------------


def _over(lower: Node, upper: Node) -> Node:
    """Return ``upper`` laid over ``lower``. A mapping stays where it stood first."""
    if not (isinstance(lower.value, dict) and isinstance(upper.value, dict)):
        return upper
    replaced = {key for name in upper.value for key in _instead_of(upper.field, name)} - set(upper.value)
    merged = {key: entry for key, entry in lower.value.items() if key not in replaced}
    for key, entry in upper.value.items():
        merged[key] = Entry(entry.key_mark, _over(merged[key].node, entry.node)) if key in merged else entry
    return Node(lower.mark if lower.mark.line else upper.mark, upper.field, merged)


def _instead_of(field: str, key: str) -> tuple[str, ...]:
    """Return the keys beside ``key`` whose place it takes, in the mapping called ``field``."""
    kind: type[DataclassInstance] | None = File
    for name in filter(None, field.split(".")):
        what = declared(kind).get(name)
        kind = None if what is None else what.section
        if kind is None:
            return ()
    what = declared(kind).get(key)
    note = None if what is None else what.note(InsteadOf)
    return () if note is None else note.keys
