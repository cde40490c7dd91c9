"""Events as they come over HTTP, in lines: for people as `run` logs them, for programs JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

import click

from chargepoint.cli.story import Story, line_text
from chargepoint.model.journal import Entry
from chargepoint.runtime.control.jsontext import nested

_KINDS = {kind.__name__: kind for kind in get_args(Entry)}


def teller(output: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what prints an event, in the form asked for."""
    if output != "table":
        return lambda event: click.echo(json.dumps(nested(event)))
    story = Story(lambda *line: click.echo(line_text(*line)))

    def tell(event: Mapping[str, Any]) -> None:
        kind = _KINDS.get(event["kind"])
        if kind is None:
            return  # a newer program than this one
        told = {name: value for name, value in event.items() if name not in ("id", "charger", "at_s", "time", "kind")}
        story.listen(event["charger"], event["at_s"], kind(**told))

    return tell
