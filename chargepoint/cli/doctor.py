"""`chargepoint doctor`: why a central system cannot be reached, hop by hop, and what to try."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from chargepoint.cli import EXIT_UNREACHABLE, EXIT_USAGE
from chargepoint.cli.settings import chosen, configuration_options, configured
from chargepoint.cli.tables import output_option

if TYPE_CHECKING:
    from chargepoint.runtime.doctor import Finding

_WIDTH = 18


@click.command(name="doctor")
@click.argument("target", metavar="[URL]", required=False)
@configuration_options(without=("data", "durability", "speed", "seed"))
@click.option("--boot/--no-boot", default=True, show_default=True, help="Send a BootNotification at the end.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Seconds that each hop may take."
)
@output_option
def command(
    target: str | None,
    boot: bool,
    timeout: float,
    output: str,
) -> int:
    """Walk to the central system at URL (or --url), from DNS over TCP, TLS, HTTP and subprotocol to BootNotification.

    It names the hop that fails, what was tried there, and one thing to do. Nothing that is stored here changes. The central
    system sees a charger that boots and leaves: it may register an identity it does not know, and drop the connection of a
    charger that has it now. With --no-boot the walk ends at the open WebSocket.

    Exit code 0: accepted (or open, with --no-boot); 3: some hop failed; 2: the URL itself cannot be dialled.
    """
    import asyncio
    import logging

    from chargepoint.runtime.address import AddressError
    from chargepoint.runtime.assembly import station_of
    from chargepoint.runtime.configuration import ConfigurationError
    from chargepoint.runtime.doctor import examine
    from chargepoint.runtime.doctor.findings import unusable
    from profiles.core.boot import boot_notification

    # stdout has the findings; what the libraries say on the way is in them.
    logging.getLogger().setLevel(logging.CRITICAL)
    if target is not None:
        if chosen().flags.get("url", target) != target:
            raise click.UsageError("two URLs: give one, as the argument or as --url.")
        chosen().flags["url"] = target
    try:
        settings = configured()
    except ConfigurationError as error:
        if not isinstance(error.__cause__, AddressError):
            raise
        wrong = unusable(str(chosen().flags.get("url") or "the configured address"), error.__cause__)
        _tell(wrong, output)
        return _conclude((wrong,), output, EXIT_USAGE)
    if settings.central_system is None:
        raise click.UsageError("no central system: give its URL, --backend, or central_system: {url: …} in the file.")
    request = boot_notification(station_of(settings.plan())) if boot else None
    findings = asyncio.run(examine(settings.central_system, request, lambda each: _tell(each, output), timeout))
    return _conclude(findings, output, EXIT_UNREACHABLE, settings.hints)


def _tell(finding: Finding, output: str) -> None:
    if output == "jsonl":
        click.echo(json.dumps(asdict(finding)))
    elif output == "table":
        click.echo(f"{finding.state:<8}{finding.hop:<{_WIDTH}}{finding.tried}")
        click.echo(f"{'':<{8 + _WIDTH}}{finding.found}")
        if finding.remedy:
            click.echo(f"{'':<{8 + _WIDTH}}try: {finding.remedy}")


def _conclude(findings: Sequence[Finding], output: str, failed_code: int, hints: Sequence[str] = ()) -> int:
    """Print the verdict, with the hints of the back end where a hop failed, and return the exit code."""
    from chargepoint.runtime.doctor import State

    last = findings[-1]
    has_failed = last.state is State.FAILED
    if output == "json":
        verdict = {
            "ok": not has_failed,
            "failed": last.hop if has_failed else None,
            "remedy": last.remedy if has_failed else None,
            "hints": list(hints) if has_failed else [],
            "hops": [asdict(each) for each in findings],
        }
        click.echo(json.dumps(verdict, indent=2))
    elif output == "table":
        what = (
            f"It fails at {last.hop}: {last.found}"
            if has_failed
            else f"The central system can be reached: {last.found}"
        )
        click.echo(f"\n{what}")
        if has_failed:
            click.echo(f"Try: {last.remedy}")
            for hint in hints:
                click.echo(f"Note: {hint}")
    return failed_code if has_failed else 0
