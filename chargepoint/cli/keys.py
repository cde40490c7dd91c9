"""`chargepoint keys`: every configuration key, what it does, and where the standard says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chargepoint.cli.tables import output_option, print_table

if TYPE_CHECKING:
    from chargepoint.model.keys import Key, KeyFamily, Keyring


@click.command(name="keys")
@click.option(
    "--board",
    envvar="CHARGEPOINT_BOARD",
    default="ac11-sim",
    show_default=True,
    help="Some defaults depend on the board.",
)
@output_option
def command(board: str, output: str) -> int:
    """Show the configuration keys a charger with this board has: type, access, default, source and effect.

    Those of California pricing are there only where CustomDisplayCostAndPrice is true.
    """
    import profiles
    from chargepoint.runtime.assembly import roster_for
    from hw.loader import plan_board

    roster = roster_for(plan_board(board), tuple(profiles.ALL), tuple(profiles.EXTENSIONS))
    rows = [_row(key, roster.keyring) for key in roster.keyring] + [_family_row(each) for each in roster.keyring.families]
    print_table(sorted(rows, key=lambda row: str(row["key"])), output)
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


def _family_row(family: KeyFamily[object]) -> dict[str, object]:
    from chargepoint.model.keys import Access

    return {
        "key": f"{family.name},…",
        "access": Access.READ_WRITE.value,
        "type": family.kind,
        "unit": "",
        "default": "",
        "source": family.source,
        "effect": family.effect,
    }
