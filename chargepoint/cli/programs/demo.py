"""The options of `chargepoint demo`."""

from __future__ import annotations

import click

from chargepoint.cli.flags import logging_options, token_option

LEAST_S = 10.0
"""Shortest demo: the car needs the time to come, charge and leave."""


@click.command(name="demo")
@click.option(
    "--speed",
    envvar="CHARGEPOINT_SPEED",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="Charger time is faster.",
)
@click.option("--duration", type=click.FloatRange(LEAST_S), help="Stop after so many seconds; else with Ctrl-C.")
@click.option(
    "--board",
    envvar="CHARGEPOINT_BOARD",
    default="ac11-sim",
    show_default=True,
    help="A name of `chargepoint board list`.",
)
@click.option(
    "--seed", envvar="CHARGEPOINT_SEED", type=int, default=1, show_default=True, help="The same seed, the same car."
)
@click.option("--control", help="Address of the page: [HOST:]PORT.  [default: 8080, or the next free port]")
@token_option
@logging_options
def command(
    speed: float,
    duration: float | None,
    board: str,
    seed: int,
    control: str | None,
    token: str | None,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """Show a car charging.

    On a terminal a panel shows the box as it lives; elsewhere every step is a line. Nothing is kept.
    """
    from chargepoint.cli.demo import main

    return main(
        speed=speed,
        duration=duration,
        board=board,
        seed=seed,
        control=control,
        token=token,
        verbose=verbose,
        quiet=quiet,
        log_format=log_format,
    )
