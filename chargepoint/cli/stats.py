"""`chargepoint stats`: what chargers were used for, from their data directory or from a running one."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from chargepoint.cli import program
from chargepoint.cli.results import usage_row
from chargepoint.cli.tables import print_table
from chargepoint.runtime.options import DEFAULT_DATA
from hw.errors import ChargePointError


class Unusable(ChargePointError):
    """A directory to read, or a file to write, that cannot be had."""


Told = list[tuple[str, dict[str, Any]]]
"""Charger, and what the command `statistics` tells of it."""


@click.command(name="stats")
@click.option(
    "--data", type=click.Path(path_type=Path), default=DEFAULT_DATA, show_default=True, help="Data directory."
)
@click.option("--url", help="Ask a running one instead, such as http://127.0.0.1:8080.")
@click.option("--token", envvar="CHARGEPOINT_CONTROL_TOKEN", help="For --url.")
@click.option("--id", "prefix", metavar="PREFIX", default="", help="Only chargers whose identity begins so.")
@click.option("--days", type=click.IntRange(1, 400), default=31, show_default=True, help="How many days are shown.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="Form."
)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Write energy by day as SVG, too.")
def command(
    data: Path, url: str | None, token: str | None, prefix: str, days: int, output: str, picture: Path | None
) -> int:
    """Show sessions, energy and hours, in all and by day.

    A session counts, as a whole, for the day (UTC) on which it ended. A charger that runs keeps its data to itself: stop
    it, or ask it with --url.
    """
    if url is None and not data.is_dir():
        raise Unusable(f"--data: there is no directory {data}; a charger keeps its data where its configuration says")
    told = list(_asked(url, token, prefix, days) if url else _stored(data, prefix, days))
    if not told:
        raise click.ClickException(
            f"no charger was found{f' that begins with {prefix!r}' if prefix else ''}: see --data"
        )
    if picture is not None:
        try:
            picture.write_text(_picture(told, days), "utf-8")
        except OSError as error:
            raise Unusable(f"--picture: {picture} cannot be written: {error.strerror}") from error
    _print(told, output)
    return 0


def _asked(url: str, token: str | None, prefix: str, days: int) -> Iterator[tuple[str, dict[str, Any]]]:
    from chargepoint.cli.client import Client
    from chargepoint.runtime.control.commands import COMMANDS

    with closing(Client(url, token)) as client:
        for identity in client.identities(prefix, takes_many=True):
            yield identity, client.do(identity, COMMANDS["statistics"], {"days": days})


def _stored(data: Path, prefix: str, days: int) -> Iterator[tuple[str, dict[str, Any]]]:
    from chargepoint.runtime.control import history
    from chargepoint.runtime.store import Store, StoreError

    for path in sorted(data.glob("*.sqlite3")):
        try:
            store = Store(path)
        except StoreError as error:
            hint = (
                f"; or ask the charger that uses it: {program.name()} ctl statistics, or --url"
                if "in use" in str(error)
                else ""
            )
            raise click.ClickException(f"{error}{hint}") from error
        for identity in store.chargers():
            if identity.startswith(prefix):
                told = history.statistics(store.load(identity, history.KINDS), days)
                yield identity, told.model_dump(mode="json")
        store.close()


def _print(told: Told, output: str) -> None:
    if output == "json":
        click.echo(json.dumps([{"charger": identity, **body} for identity, body in told], indent=2))
    elif output == "csv":
        _write_csv(told)
    else:
        for identity, body in told:
            rows = [*body["days"], {"day": "total", **body["total"]}]
            click.echo(identity)
            print_table([usage_row(row["day"], row) for row in rows], "table")


def _write_csv(told: Told) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["charger", "day", "sessions", "energy_wh", "in_use_s", "charging_s"])
    for identity, body in told:
        for day in body["days"]:
            writer.writerow(
                [identity, day["day"], day["sessions"], day["energy_wh"], day["in_use_s"], day["charging_s"]]
            )


def _picture(told: Told, days: int) -> str:
    from chargepoint.cli.picture import energy_by_day

    sums: dict[str, int] = {}
    for _identity, body in told:
        for day in body["days"]:
            sums[day["day"]] = sums.get(day["day"], 0) + day["energy_wh"]
    total: Mapping[str, Any] = told[0][1]["total"]
    sessions = total["sessions"] if len(told) == 1 else sum(body["total"]["sessions"] for _identity, body in told)
    kwh = sum(body["total"]["energy_wh"] for _identity, body in told) / 1000
    who = told[0][0] if len(told) == 1 else f"{len(told)} chargers"
    return energy_by_day(f"{who}: {sessions} sessions, {kwh:.1f} kWh in all", sums, days)
