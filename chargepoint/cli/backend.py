"""`chargepoint backend`: central systems known by name, and what is known about dialling them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chargepoint.cli.tables import output_option, print_record, print_table

if TYPE_CHECKING:
    from chargepoint.runtime.backends import Backend


@click.group(name="backend")
def command() -> None:
    """List central systems that --backend knows by name."""


@command.command(name="list")
@output_option
def list_command(output: str) -> int:
    """Show the central systems with the shape of their URL."""
    from chargepoint.runtime.backends import BACKENDS

    rows = [{name: value for name, value in _row(each).items() if name in _COLUMNS} for each in BACKENDS.values()]
    print_table(rows, output)
    return 0


_COLUMNS = ("name", "title", "url", "password", "tried")


@command.command(name="show")
@click.argument("name")
@output_option
def show_command(name: str, output: str) -> int:
    """Show all that is known of one central system, and where that is from."""
    from chargepoint.runtime.backends import find

    print_record(_row(find(name)), output)
    return 0


def _row(backend: Backend) -> dict[str, object]:
    return {
        "name": backend.name,
        "title": backend.title,
        "url": backend.url or "of your account",
        "password": backend.password.value,
        "basic_user": backend.basic_user,
        "append_identity": backend.append_identity,
        "trailing_slash": backend.trailing_slash,
        "subprotocols": ", ".join(backend.subprotocols),
        "require_subprotocol": backend.require_subprotocol,
        "boot_on_reconnect": backend.boot_on_reconnect,
        "keys": [f"{name}: {value}" for name, value in backend.keys.items()],
        "tried": backend.tried or "not tried",
        "source": backend.source,
        "notes": list(backend.notes),
    }
