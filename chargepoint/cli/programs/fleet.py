"""The options of `chargepoint fleet`."""

from __future__ import annotations

import click

from chargepoint.cli.flags import control_options, logging_options
from chargepoint.cli.settings import configuration_options


@click.command(name="fleet")
@configuration_options(without=("id", "durability"))
@click.option("--count", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Number of chargers.")
@click.option("--prefix", default="CP", show_default=True, help="Identities are this and a number from 0.")
@click.option("--meter-interval", type=click.IntRange(0), show_default="60", help="Seconds between meter values.")
@click.option("--plugged/--unplugged", default=True, show_default=True, help="A car is connected from the start.")
@click.option("--swipe", metavar="TAG", help="Start all of them with this card once they are accepted.")
@click.option("--duration", type=click.FloatRange(0), help="End after so many seconds of wall time.")
@control_options
@logging_options
def command(
    count: int,
    prefix: str,
    meter_interval: int | None,
    plugged: bool,
    swipe: str | None,
    duration: float | None,
    control: str | None,
    token: str | None,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """Run a fleet.

    All chargers are alike, as configuration files, environment and options describe one: a simulated box with a car on
    every outlet, which charges when the central system starts it. Firmware and diagnostics are pretended. The store
    survives the process only when --data or the configuration says where it lies.
    """
    from chargepoint.cli.fleet import main

    return main(
        count=count,
        prefix=prefix,
        meter_interval=meter_interval,
        plugged=plugged,
        swipe=swipe,
        duration=duration,
        control=control,
        token=token,
        verbose=verbose,
        quiet=quiet,
        log_format=log_format,
    )
