"""The file to begin with: every key that there is, with its default and what it is for, most of them commented out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chargepoint.cli.effective import text_of
from chargepoint.cli.program import lasting
from chargepoint.runtime.sections import File
from hw.binding import Help, declared

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA_FILE = "chargepoint.schema.json"
"""Lies beside the file, so that an editor finds it wherever both are copied to."""

ALIVE = {("identity",): "CP001", ("central_system", "url"): "ws://localhost:9000/ocpp"}
"""Keys that are not commented out: without them there is nothing to dial."""
_COLUMN = 48

_HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
#
# One charger. What is commented out shows its default, or an example where the help says what happens without; take
# the "# " away before a key, and before the section it is in, to change it. `chargepoint config check` finds mistakes,
# `chargepoint config show --origin` tells what is in force.
"""


def starting_file() -> str:
    """Return the text of the file."""
    return lasting(_HEAD + "".join(f"{line}\n" for line in _section(File(), ())))


def _section(within: DataclassInstance, above: tuple[str, ...]) -> Iterator[str]:
    for name, what in declared(type(within)).items():
        path, indent = (*above, name), "  " * len(above)
        default = getattr(within, name)
        note = what.note(Help) or Help("")
        if what.section is not None:
            yield ""
            is_alive = any(each[: len(path)] == path for each in ALIVE)
            yield _line(f"{indent}{name}:", note.text, is_alive)
            yield from _section(default, path)
        else:
            if not above:
                yield ""
            value = ALIVE.get(path) or note.example or text_of(default, what)
            yield _line(f"{indent}{name}: {value}", note.text, path in ALIVE)


def _line(text: str, note: str, is_alive: bool) -> str:
    return f"{text if is_alive else _commented(text):<{_COLUMN}}  # {note}"


def _commented(text: str) -> str:
    return f"{' ' * (len(text) - len(text.lstrip()))}# {text.lstrip()}"
