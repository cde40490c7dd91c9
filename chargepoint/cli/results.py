"""What `ctl` prints of a result for people: a line, or a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from chargepoint.cli.tables import print_table


def show(command: str, identity: str, body: Mapping[str, Any]) -> None:
    """Print the result of a command."""
    _TABLES.get(command, _plain)(identity, body)


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


def _send(identity: str, body: Mapping[str, Any]) -> None:
    answer = body.get("answer")
    click.echo(f"{identity}: {body['done']}" + ("" if answer is None else f" {json.dumps(answer, ensure_ascii=False)}"))


def _state(identity: str, body: Mapping[str, Any]) -> None:
    online = f"connected, {body['registration']}" if body["is_connected"] else "not connected"
    if body["is_connected"] and body["registration"] == "Accepted" and not body["is_answering"]:
        online += ", calls are not answered"
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
        "offered (A)": connector["limit_a"],
        "limited by": connector["why"],
    }


def _queue(identity: str, body: Mapping[str, Any]) -> None:
    if not body["messages"]:
        click.echo(f"{identity}: nothing queued")
        return
    print_table([_message(each) for each in body["messages"]], "table")


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    from chargepoint.cli.digest import request

    return {
        "key": message["key"],
        "action": message["action"],
        "content": request(message["action"], message["payload"]).strip(),
        "attempts": message["attempts"],
        "state": "undelivered" if message["is_undelivered"] else "waiting",
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


_TABLES: dict[str, Callable[[str, Mapping[str, Any]], None]] = {
    "state": _state,
    "queue": _queue,
    "statistics": _statistics,
    "send": _send,
}
