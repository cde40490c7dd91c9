"""`chargepoint config`: what is in force and why, what is wrong, what may stand there, and a file to begin with."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chargepoint.cli import program
from chargepoint.cli.settings import chosen, configuration_options
from hw.errors import ChargePointError

WORKING_FILE = "chargepoint.yaml"


class CannotWrite(ChargePointError):
    """The file is there already, or cannot be written."""


@click.group(name="config")
def command() -> None:
    """Show, check and begin configuration files.

    \b
    A value comes from the last of these that gives one:
        the defaults
        /etc/chargepoint/config.yaml
        ~/.config/chargepoint/config.yaml
        ./chargepoint.yaml
        the file of -c
        the environment, CHARGEPOINT_…
        an option
    """


@command.command(name="show")
@configuration_options()
@click.option("--origin", is_flag=True, help="Say of each value where it comes from.")
def show_command(origin: bool) -> int:
    """Show the configuration in force, as YAML. Secrets are not shown."""
    from chargepoint.cli.effective import shown
    from chargepoint.runtime.configuration import settle

    root = chosen().gather()
    for line in shown(root, settle(root, chosen().beside), with_origin=origin):
        click.echo(line)
    return 0


@command.command(name="check")
@configuration_options()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check_command(file: Path | None) -> int:
    """Check FILE by itself, or without one all that is in force.

    Every mistake is shown as file:line:column, with what would have been right; the exit code is then 2.
    """
    from chargepoint.runtime import layers
    from chargepoint.runtime.configuration import read, settle

    if file is not None:
        settings, checked = read(file), [str(file)]
    else:
        settings = settle(chosen().gather(), chosen().beside)
        checked = [str(path) for path in layers.places(chosen().config)] or ["no file"]
    for doubt in settings.doubts():
        click.echo(doubt, err=True)
    click.echo(f"{', '.join(checked)}: ok")
    return 0


@command.command(name="schema")
def schema_command() -> int:
    """Print the JSON Schema of a configuration file, for editors."""
    click.echo(_schema())
    return 0


@command.command(name="init")
@click.argument("file", type=click.Path(path_type=Path), default=WORKING_FILE)
def init_command(file: Path) -> int:
    """Write a commented file to begin with, ./chargepoint.yaml if FILE is not given, and its schema beside it.

    Nothing is overwritten, and no directory is made.
    """
    from chargepoint.cli.starting import SCHEMA_FILE, starting_file

    if not file.parent.is_dir():
        raise CannotWrite(f"{file} cannot be written: there is no directory {file.parent}; make it first")
    beside, text, schema = file.parent / SCHEMA_FILE, starting_file(), _schema()
    try:
        with file.open("x", encoding="utf-8") as to:
            to.write(text)
        if not beside.exists():
            beside.write_text(f"{schema}\n", encoding="utf-8")
    except FileExistsError as error:
        raise CannotWrite(f"{file} is there already; nothing was written") from error
    except OSError as error:
        raise CannotWrite(f"{error.filename} cannot be written: {error.strerror}") from error
    click.echo(f"{file} written; `{program.name()} config check {file}` finds mistakes")
    return 0


def _schema() -> str:
    from chargepoint.runtime.sections import File
    from hw.schema import schema_of

    return program.lasting(json.dumps(schema_of(File, "Configuration of a charge point"), indent=2, ensure_ascii=False))
