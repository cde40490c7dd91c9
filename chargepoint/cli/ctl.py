"""`chargepoint ctl`: the commands of a running chargepoint, made from the table of commands.

A call costs little more than an HTTP request: nothing of a charger is imported here. What draws a result is in `results`,
and imported for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from chargepoint.cli import EXIT_FAILED, name_variables
from chargepoint.cli.tables import OUTPUTS, output_option
from chargepoint.runtime.control import arguments, causes, commands
from chargepoint.runtime.control.commands import COMMANDS, Argument, Command, Kind
from chargepoint.runtime.control.errors import BadArgumentsError
from hw.words import hint

if TYPE_CHECKING:
    from chargepoint.cli.client import Client

DEFAULT_URL = "http://127.0.0.1:8080"
REFUSALS = ("Rejected", "NotSupported")
"""A configuration key that was not changed, OCPP 1.6 section 7.19."""


class Asked(NamedTuple):
    """What the options say that every command takes, before its name or after it."""

    client: Client
    prefix: str | None
    is_for_all: bool
    output: str


class Commands(click.Group):
    """The commands in groups. A word with an underscore, and an earlier name, is the same command."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        dashed = cmd_name.replace("_", "-")
        warning = commands.renamed(dashed)
        if warning is not None:
            click.echo(f"Warning: {warning}", err=True)
        return super().get_command(ctx, commands.ALIASES.get(dashed, dashed))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = (*self.commands, *commands.ALIASES)
        if args and args[0].replace("_", "-") not in known:
            ctx.fail(f"unknown command {args[0]!r}: {hint(args[0], self.commands)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, members in commands.in_groups():
            with formatter.section(group.value):
                rows = [(each.name, each.what) for each in members]
                others = [self.commands[name] for name in ("chargers", "events")]
                if group is commands.Group.QUERIES:
                    rows += [(each.name or "", each.get_short_help_str(80)) for each in others]
                formatter.write_dl(rows)


@click.group(name="ctl", cls=Commands)
@click.option(
    "--url", envvar="CHARGEPOINT_CONTROL_URL", default=DEFAULT_URL, show_default=True, help="Address of its --control."
)
@click.option(
    "--token",
    envvar="CHARGEPOINT_CONTROL_TOKEN",
    help="Bearer token, required for non-loopback addresses; better in the environment.",
)
@click.option("--id", "prefix", metavar="PREFIX", help="Charger, by how its identity begins.  [default: the only one]")
@click.option("--all", "is_for_all", is_flag=True, help="Every charger that fits, not one.")
@output_option
@click.pass_context
def command(
    context: click.Context, url: str, token: str | None, prefix: str | None, is_for_all: bool, output: str
) -> None:
    """Control a running charger (`run`, `fleet` or `demo` with --control).

    -o, --id and --all may stand before the command or after it. Exits with 0 when it was done, 1 when it was refused, 2
    when it was not understood, 3 without a response, 6 when a time limit ran out.
    """
    from chargepoint.cli.client import Client  # help needs no HTTP

    client = Client(url, token)
    context.call_on_close(client.close)
    context.obj = Asked(client, prefix, is_for_all, output)


def _shared() -> list[click.Parameter]:
    """Return the options that may follow a command, too; their variables are those of the options before it."""
    return [
        click.Option(["--id", "prefix"], metavar="PREFIX", envvar=[], help="Charger, by how its identity begins."),
        click.Option(["--all", "is_for_all"], is_flag=True, envvar=[], help="Every charger that fits, not one."),
        click.Option(
            ["-o", "--output"], type=click.Choice(OUTPUTS), envvar=[], help="Form of the result on stdout."
        ),
    ]


def _merged(asked: Asked, given: dict[str, Any]) -> Asked:
    """Return what the options before and after a command say; the latter win. They are taken out of ``given``."""
    prefix, is_for_all, output = given.pop("prefix"), given.pop("is_for_all"), given.pop("output")
    return asked._replace(
        prefix=asked.prefix if prefix is None else prefix,
        is_for_all=asked.is_for_all or is_for_all,
        output=asked.output if output is None else output,
    )


# --- commands from the table ------------------------------------------------------------------------------------------


class _Told(click.Command):
    """A command that a line can be wrong in two ways: in its options (click says), and in its values (the table says)."""

    def __init__(self, told: Command) -> None:
        self._told = told
        parameters: list[click.Parameter] = []  # made when they are needed: ctl has some thirty commands
        super().__init__(told.name, params=parameters, callback=self._run, help=told.what, short_help=told.what)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not self.params:
            own = [_parameter(each) for each in self._told.arguments]
            name_variables(own, f"CHARGEPOINT_CTL_{self._told.script_name.upper()}")
            self.params = [*own, *_shared()]
        return super().get_params(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        told = self._told
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(told.what)
            if told.details:
                formatter.write_paragraph()
                formatter.write_text(told.details)
            for each in told.arguments:
                if each.is_required:
                    formatter.write_paragraph()
                    formatter.write_text(f"{each.name.upper()}: {each.what}.")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._told.name in ("fault", "clear-fault"):
            formatter.write("\nCauses (WHAT):\n")
            formatter.write("".join(f"  {line}\n" for line in causes.help_lines()))

    @staticmethod
    def _run(**given: Any) -> int:
        context = click.get_current_context()
        found = context.command
        assert isinstance(found, _Told)
        return _do(found._told, _merged(context.obj, given), given)


def _parameter(argument: Argument) -> click.Parameter:
    if argument.kind is Kind.TEXTS:
        return click.Argument([argument.name], nargs=-1)
    kind = _Word(argument)
    if argument.is_required:
        return click.Argument([argument.name], type=kind)
    dashed = argument.name.replace("_", "-")
    if argument.kind is Kind.OBJECT:
        return click.Option(
            ["-p", f"--{dashed}", argument.name],
            metavar="@FILE|-|JSON",
            callback=_read_object,
            help=f"A JSON object, {argument.what}: written out, in a file, or on standard input.",
        )
    if argument.kind is Kind.FLAG:
        return click.Option([f"--{dashed}", argument.name], is_flag=True, default=None, help=f"{argument.what}.")
    shown = "" if argument.default is None else f"  [default: {_shown(argument)}]"
    return click.Option([f"--{dashed}", argument.name], type=kind, help=f"{argument.what}{shown}")


def _shown(argument: Argument) -> str:
    number = f"{argument.default:g}" if isinstance(argument.default, float) else str(argument.default)
    return f"{number} s" if argument.kind is Kind.DURATION else number


_NONE = object()
"""What the word ``none`` stands for, where JSON has null: click takes None for a word that was not given."""


class _Word(click.ParamType[Any]):
    """A word as the table of commands reads it."""

    def __init__(self, argument: Argument) -> None:
        self._argument = argument
        self.name = "|".join(argument.words) or argument.kind.name.lower()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            found = arguments.read(self._argument, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return _NONE if found is None else found


def _read_object(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any] | None:
    """Read a JSON object: written out, in a file (``@FILE``), or on standard input (``-``)."""
    if value is None:
        return None
    from pathlib import Path

    try:
        text = sys.stdin.read() if value == "-" else Path(value[1:]).read_text("utf-8") if value[:1] == "@" else value
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{value}: {error}", context, parameter) from error
    if not isinstance(found, dict):
        raise click.BadParameter(f"{value}: not a JSON object", context, parameter)
    return found


def _do(told: Command, asked: Asked, given: Mapping[str, Any]) -> int:
    from chargepoint.cli.client import Refused, TimedOut, Wrong

    values = {
        name: None if value is _NONE else list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != ()
    }
    try:
        arguments.check(told, values)
    except BadArgumentsError as error:
        raise Wrong(str(error)) from error
    identities = asked.client.identities(asked.prefix, takes_many=asked.is_for_all)
    bodies: list[tuple[str, dict[str, Any]]] = []
    code = 0
    for identity in identities:
        try:
            bodies.append((identity, asked.client.do(identity, told, values)))
        except (Refused, TimedOut) as error:
            if len(identities) == 1:
                raise
            # One of many that cannot must not keep the others from it.
            click.echo(f"{identity}: {error.message}", err=True)
            code = max(code, error.exit_code)
    _print(told, bodies, asked.output)
    if any(body.get("status") in REFUSALS or body.get("is_refused") for _identity, body in bodies):
        code = max(code, EXIT_FAILED)
    return code


def _print(told: Command, bodies: Sequence[tuple[str, dict[str, Any]]], output: str) -> None:
    if output == "table":
        from chargepoint.cli import results

        for identity, body in bodies:
            results.show(told.name, identity, body)
    elif output == "json" and len(bodies) == 1:
        click.echo(json.dumps(bodies[0][1], indent=2))
    elif output == "json":
        click.echo(json.dumps(dict(bodies), indent=2))
    else:
        for identity, body in bodies:
            click.echo(json.dumps(body if len(bodies) == 1 else {"charger": identity, **body}))


for _told in COMMANDS.values():
    command.add_command(_Told(_told))


# --- what is no command of one charger --------------------------------------------------------------------------------


def _with_shared(command: click.Command) -> click.Command:
    command.params += _shared()
    return command


@command.command(name="chargers")
@click.pass_obj
def chargers(asked: Asked, /, **given: Any) -> int:
    """Every charger in a line."""
    from chargepoint.cli.tables import print_table

    asked = _merged(asked, given)
    rows = [each for each in asked.client.chargers() if each["id"].startswith(asked.prefix or "")]
    is_table = asked.output == "table"
    print_table([{**row, "statuses": ", ".join(row["statuses"])} if is_table else row for row in rows], asked.output)
    return 0


@command.command(name="events")
@click.option("--after", type=click.IntRange(0), help="Also what is kept of the past, after this event.")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.pass_obj
def events(asked: Asked, /, after: int | None, count: int | None, **given: Any) -> int:
    """Live events until Ctrl-C."""
    from chargepoint.cli import events_text

    asked = _merged(asked, given)
    identity = None if asked.prefix is None else asked.client.identities(asked.prefix, takes_many=False)[0]
    teller = events_text.teller(asked.output)
    for kind, body in asked.client.events(identity, after):
        if kind == "restarted":
            click.echo("the other side has been started anew since that event: what it still knows", err=True)
        if kind == "missed":
            click.echo(f"{body['missed']} events were missed", err=True)
        for event in body if kind == "journal" else ():
            teller(event)
            if count is not None:
                count -= 1
                if count == 0:
                    return 0
    click.echo("the other side has ended", err=True)
    return 0 if count is None else EXIT_FAILED


_with_shared(chargers)
_with_shared(events)
