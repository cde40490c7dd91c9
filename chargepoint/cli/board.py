"""`chargepoint board`: what hardware there is to choose from, and whether a board file is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chargepoint.cli.tables import output_option, print_table

if TYPE_CHECKING:
    from hw.plan import BoardSummary


@click.group(name="board")
def command() -> None:
    """List and check board files: which drivers are fitted where."""


@command.command(name="list")
@output_option
def list_command(output: str) -> int:
    """Show the boards that come with the program."""
    from hw.loader import list_boards

    print_table([_row(board) for board in list_boards()], output)
    return 0


@command.command(name="check")
@click.argument("board")
@output_option
def check_command(board: str, output: str) -> int:
    """Check a board file, or one of the boards that come with the program, without touching any hardware."""
    from hw.loader import check_board

    summary = check_board(board)
    print_table([_row(summary)], output)
    return 0


def _row(board: BoardSummary) -> dict[str, object]:
    return {
        "name": board.name,
        "outlets": board.outlets,
        "current_a": board.current_a,
        "phases": board.phases,
        "cable": board.cable.value,
        "description": board.description,
    }
