"""Forms of a result on stdout: a table, JSON, or a JSON object a line."""

from __future__ import annotations

import json
from typing import Any

import click

OUTPUTS = ("table", "json", "jsonl")

output_option = click.option(
    "-o",
    "--output",
    envvar="CHARGEPOINT_OUTPUT",
    type=click.Choice(OUTPUTS),
    default="table",
    show_default=True,
    help="Form of the result on stdout.",
)


def print_table(rows: list[dict[str, Any]], output: str) -> None:
    """Print rows in the form asked for: aligned columns, one JSON array, or one JSON object a line."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    if output == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(names[i]), *(len(line[i]) for line in cells)) for i in range(len(names))]
    for line in (names, *cells):
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_record(record: dict[str, Any], output: str) -> None:
    """Print one thing in the form asked for: a line a field, or a JSON object."""
    if output != "table":
        click.echo(json.dumps(record, indent=2 if output == "json" else None))
        return
    width = max(len(name) for name in record)
    for name, value in record.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines):
            click.echo(f"{('' if number else name).ljust(width)}  {_cell(line)}".rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
