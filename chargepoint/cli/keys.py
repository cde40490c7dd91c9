"""`chargepoint keys`: every configuration key, what it does, and where the standard says so."""

from __future__ import annotations

import click

from chargepoint.cli.common import output_option, print_table
from chargepoint.model.keys import Key, Keyring
from chargepoint.runtime.assembly import roster_for
from hw.loader import plan_board


@click.command(name="keys")
@click.option("--board", default="ac11-sim", show_default=True, help="Some defaults depend on the board.")
@output_option
def command(board: str, output: str) -> int:
    """Show the configuration keys a charger with this board has: type, access, default, source and effect."""
    import profiles

    roster = roster_for(plan_board(board), tuple(profiles.ALL))
    print_table([_row(key, roster.keyring) for key in sorted(roster.keyring, key=lambda each: each.name)], output)
    return 0


def _row(key: Key[object], keyring: Keyring) -> dict[str, object]:
    default = keyring.default(key)
    return {
        "key": key.name,
        "access": keyring.access(key).value,
        "type": key.kind,
        "unit": key.unit,
        "default": "" if default is None else key.write(default),
        "source": key.source,
        "effect": key.effect,
    }
