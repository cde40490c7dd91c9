"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def logging_options(command: F) -> F:
    """Add -q, -v and --log-format; `set_up_logging` obeys them."""
    for option in (
        click.option(
            "--log-format",
            envvar="CHARGEPOINT_LOG_FORMAT",
            type=click.Choice(["text", "json"]),
            default="text",
            help="Logs on stderr.",
        ),
        click.option(
            "-v",
            "--verbose",
            envvar="CHARGEPOINT_VERBOSE",
            count=True,
            help="More: -v shows frames, -vv everything.",
        ),
        click.option("-q", "--quiet", envvar="CHARGEPOINT_QUIET", is_flag=True, help="Only warnings and errors."),
    ):
        command = option(command)
    return command


token_option = click.option(
    "--token",
    envvar="CHARGEPOINT_CONTROL_TOKEN",
    help="Bearer token for --control, required for non-loopback addresses; better in the environment.",
)


def control_options(command: F) -> F:
    """Add --control and --token; `admission_of` reads them."""
    control = click.option(
        "--control", help="Take commands over HTTP on [HOST:]PORT, such as 8080; the page is there too."
    )
    return control(token_option(command))
