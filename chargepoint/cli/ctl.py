"""`chargepoint ctl`: the verbs of a running chargepoint, one command each, made from the table of verbs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from chargepoint.cli import EXIT_FAILED, events_text
from chargepoint.cli.client import DEFAULT_URL, Client, Refused, Wrong
from chargepoint.cli.common import output_option, print_table
from chargepoint.runtime.control.commands import COMMANDS, BadArgumentsError, Command


@dataclass(frozen=True, slots=True)
class Asked:
    """What every verb is told by the options before it."""

    client: Client
    prefix: str | None
    is_for_all: bool
    output: str


class Verbs(click.Group):
    """The verbs as commands; a word with an underscore is the same verb."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name.replace("_", "-"))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        if args and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.commands, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.commands)}"
            ctx.fail(f"{args[0]!r} is no verb: {hint}")
        return super().resolve_command(ctx, args)


@click.group(name="ctl", cls=Verbs)
@click.option(
    "--url", envvar="CHARGEPOINT_CONTROL_URL", default=DEFAULT_URL, show_default=True, help="Where it takes verbs."
)
@click.option(
    "--token", envvar="CHARGEPOINT_CONTROL_TOKEN", help="Opens any address but loopback; better in the environment."
)
@click.option("--id", "prefix", metavar="PREFIX", help="Charger, by how its identity begins.  [default: the only one]")
@click.option("--all", "is_for_all", is_flag=True, help="Every charger that fits, not one.")
@output_option
@click.pass_context
def command(
    context: click.Context, url: str, token: str | None, prefix: str | None, is_for_all: bool, output: str
) -> None:
    """Talk to a running chargepoint (`run`, `fleet` or `demo` with --control).

    Exits with 0 when it was done, 1 when it was refused, 2 when it was not understood, 3 when nobody answered.
    """
    context.obj = Asked(Client(url, token), prefix, is_for_all, output)


# --- commands from verbs ----------------------------------------------------------------------------------------------


def _command(verb: Command) -> click.Command:
    schema = verb.arguments.model_json_schema()
    required = schema.get("required", [])
    parameters = [_parameter(name, body, name in required) for name, body in schema.get("properties", {}).items()]

    @click.pass_obj
    def run(asked: Asked, /, **given: Any) -> int:
        return _do(verb, asked, given)

    return click.Command(verb.name, params=parameters, callback=run, help=_help(verb, schema), short_help=verb.does)


def _help(verb: Command, schema: Mapping[str, Any]) -> str:
    """Options tell their own help; arguments do not."""
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    says = {name: properties[name].get("description") for name in required}
    told = [f"{name.upper()}: {text}." for name, text in says.items() if text]
    return "\n\n".join([verb.does, *told])


def _parameter(name: str, body: Mapping[str, Any], is_required: bool) -> click.Parameter:
    if body.get("type") == "array":
        return click.Argument([name], nargs=-1)
    if is_required:
        return click.Argument([name], type=_type(body))
    dashed = name.replace("_", "-")
    if body.get("type") == "object":
        return click.Option(
            ["-p", f"--{dashed}", name],
            metavar="@FILE|-|JSON",
            callback=_read_object,
            help=f"A JSON object, {body['description']}: written out, in a file, or on standard input.",
        )
    default = body.get("default")
    says = body.get("description", "")
    shown = f"{says}  [default: {default}]" if default not in (None, {}) else says
    return click.Option([f"--{dashed}", name], type=_type(body), help=shown)


_NONE = object()
"""What the word ``none`` stands for, where JSON has null: click takes None for a word that was not given."""


class _OrNone(click.ParamType[Any]):
    """A word of another type, or ``none``."""

    def __init__(self, other: click.ParamType[Any]) -> None:
        self.other = other
        self.name = other.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return _NONE if value == "none" else self.other.convert(value, param, ctx)


def _type(body: Mapping[str, Any]) -> Any:
    """Return what click shall make of a word; bounds are the verb's own business."""
    for each in body.get("anyOf", ()):
        if each.get("type") != "null":
            return _OrNone(_type(each))
    if "enum" in body:
        return click.Choice(body["enum"])
    kinds = {
        "integer": click.INT,
        "number": click.FLOAT,
        "boolean": click.BOOL,
    }
    return kinds.get(str(body.get("type")), click.STRING)


def _read_object(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any] | None:
    """Read a JSON object: written out, in a file (``@FILE``), or on standard input (``-``)."""
    if value is None:
        return None
    try:
        text = sys.stdin.read() if value == "-" else Path(value[1:]).read_text("utf-8") if value[:1] == "@" else value
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{value}: {error}", context, parameter) from error
    if not isinstance(found, dict):
        raise click.BadParameter(f"{value}: not a JSON object", context, parameter)
    return found


def _do(verb: Command, asked: Asked, given: Mapping[str, Any]) -> int:
    arguments = {
        name: None if value is _NONE else list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != ()
    }
    try:
        verb.judge(arguments)
    except BadArgumentsError as error:
        raise Wrong(str(error)) from error
    identities = asked.client.identities(asked.prefix, takes_many=asked.is_for_all)
    told, was_refused = [], False
    for identity in identities:
        try:
            told.append((identity, asked.client.do(identity, verb, arguments)))
        except Refused as error:
            if len(identities) == 1:
                raise
            # One of many that cannot must not keep the others from it.
            click.echo(f"{identity}: {error.message}", err=True)
            was_refused = True
    _print(verb, told, asked.output)
    was_refused = was_refused or any(body.get("status") in ("Rejected", "NotSupported") for _identity, body in told)
    return EXIT_FAILED if was_refused else 0


def _print(verb: Command, told: list[tuple[str, dict[str, Any]]], output: str) -> None:
    if output == "table":
        for identity, body in told:
            _TABLES.get(verb.name, _plain)(identity, body)
    elif output == "json" and len(told) == 1:
        click.echo(json.dumps(told[0][1], indent=2))
    elif output == "json":
        click.echo(json.dumps(dict(told), indent=2))
    else:
        for identity, body in told:
            click.echo(json.dumps(body if len(told) == 1 else {"charger": identity, **body}))


# --- tables for people ------------------------------------------------------------------------------------------------


def _plain(identity: str, body: Mapping[str, Any]) -> None:
    """One line for what was done; a table for a list of things."""
    lists = [value for value in body.values() if isinstance(value, list)]
    if lists and all(isinstance(row, dict) for row in lists[0]):
        if not lists[0]:
            click.echo(f"{identity}: none")
        print_table([{name: _flat(value) for name, value in row.items()} for row in lists[0]], "table")
        return
    click.echo(f"{identity}: {', '.join(str(value) for value in body.values() if value)}")


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _state(identity: str, body: Mapping[str, Any]) -> None:
    online = f"connected, {body['registration']}" if body["is_connected"] else "not connected"
    speed = "" if body["speed"] == 1 else f"  x{body['speed']:g}"
    waiting = f"  {body['waiting_messages']} waiting" if body["waiting_messages"] else ""
    down = "" if body["phase"] == "running" else f"  {body['phase']}"
    click.echo(f"{identity}  {body['board']}  {online}{down}  {body['time'][:19]}Z{speed}{waiting}")
    print_table([_outlet(each) for each in body["connectors"]], "table")
    for fault in body["faults"]:
        click.echo(f"! connector {fault['connector']}: {fault['error_code']}, {fault['info'] or fault['trouble']}")


def _outlet(connector: Mapping[str, Any]) -> dict[str, Any]:
    charge = connector["charge"] or {}
    return {
        "connector": connector["connector"],
        "status": connector["status"],
        "pilot": connector["pilot"]["state"],
        "contactor": "closed" if connector["pilot"]["is_contactor_closed"] else "open",
        "kW": f"{(connector['meter']['power_w'] or 0.0) / 1000:.2f}",
        "kWh": f"{charge['energy_wh'] / 1000:.3f}" if charge else "",
        "card": charge.get("id_tag", ""),
        "offer A": connector["limit_a"],
        "because of": connector["why"],
    }


def _statistics(identity: str, body: Mapping[str, Any]) -> None:
    print_table([*(usage_row(day["day"], day) for day in body["days"]), usage_row("total", body["total"])], "table")


def usage_row(name: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return sessions, energy and hours as people read them."""
    return {
        "day": name,
        "sessions": usage["sessions"],
        "kWh": f"{usage['energy_wh'] / 1000:.3f}",
        "hours in use": f"{usage['in_use_s'] / 3600:.2f}",
        "hours charging": f"{usage['charging_s'] / 3600:.2f}",
    }


_TABLES: dict[str, Callable[[str, Mapping[str, Any]], None]] = {"state": _state, "statistics": _statistics}
for _verb in COMMANDS.values():
    command.add_command(_command(_verb))


# --- what is no verb of one charger -----------------------------------------------------------------------------------


@command.command(name="chargers")
@click.pass_obj
def chargers(asked: Asked) -> int:
    """Every charger in a line."""
    rows = [each for each in asked.client.chargers() if each["id"].startswith(asked.prefix or "")]
    is_table = asked.output == "table"
    print_table([{**row, "statuses": ", ".join(row["statuses"])} if is_table else row for row in rows], asked.output)
    return 0


@command.command(name="events")
@click.option("--after", type=click.IntRange(0), help="Also what is kept of the past, after this event.")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.pass_obj
def events(asked: Asked, after: int | None, count: int | None) -> int:
    """Tell what happens, as it happens, until Ctrl-C."""
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
