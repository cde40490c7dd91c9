"""The options of `chargepoint run`."""

from __future__ import annotations

from pathlib import Path

import click

from chargepoint.cli.flags import control_options, logging_options
from chargepoint.cli.program import spoken
from chargepoint.cli.settings import configuration_options
from chargepoint.runtime.control.commands import script_lines


class _Run(click.Command):
    """Help ends with the words of scripts."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\nScript of --do: commands with ; between them, arguments in their order or as name=value,\n")
        formatter.write("@2 for connector 2. `swipe` and `send` wait for their outcome.\n")
        formatter.write("".join(f"  {line}\n" for line in script_lines()))
        formatter.write(spoken("  CAUSE, CODE: see `chargepoint ctl fault -h`.\n"))


@click.command(name="run", cls=_Run)
@configuration_options()
@click.option(
    "--do",
    "script",
    metavar="SCRIPT",
    help='Commands at the charger, after which the program ends: "plug_in; swipe 04A1B2C3; wait 10 min; unplug".',
)
@click.option("--stay", is_flag=True, help="Keep running after the script of --do.")
@click.option(
    "--duration",
    type=click.FloatRange(0),
    help="End after so many seconds of wall time, whatever --speed is (`wait` in a script is charger time).",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help="Write every frame to this file, a JSON object a line; at 50 MB it becomes FILE.1.",
)
@control_options
@click.option("--stdio", is_flag=True, help="Take commands as JSON lines on standard input; ends when it ends.")
@logging_options
def command(
    script: str | None,
    stay: bool,
    duration: float | None,
    trace: Path | None,
    control: str | None,
    token: str | None,
    stdio: bool,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """Run one charger.

    Settings are read from /etc/chargepoint/config.yaml, ~/.config/chargepoint/config.yaml, ./chargepoint.yaml and -c
    FILE, later files overriding earlier ones; the environment and options override all of them. Without a file a
    simulated 11 kW wallbox is run.

    The script of --do ends the program. Exits with 0 when it was done, 1 when a step could not be done, a card was
    refused or a wait can no longer come true, 3 when the central system never accepted the charger, 6 when a time limit
    ran out.
    """
    from chargepoint.cli.run import main

    return main(
        script=script,
        stay=stay,
        duration=duration,
        trace=trace,
        control=control,
        token=token,
        stdio=stdio,
        verbose=verbose,
        quiet=quiet,
        log_format=log_format,
    )
