"""`chargepoint csms`: the embedded central system on a socket, for trying chargers without a back end."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from random import Random

import click

from chargepoint.cli.common import set_up_logging
from chargepoint.cli.ending import Ending, run_program
from chargepoint.cli.orders import listen
from chargepoint.cli.story import exchange_text
from chargepoint.runtime.central_records import Card, Cards
from chargepoint.runtime.central_system import CentralSystem, Exchange
from chargepoint.runtime.centre import serve
from hw.errors import ChargePointError

log = logging.getLogger(__name__)


class CannotServe(ChargePointError):
    """The socket cannot be had, or the certificate not be read."""


def main(
    host: str,
    port: int,
    path: str,
    password: str | None,
    certificate: Path | None,
    cards: tuple[str, ...],
    heartbeat: int,
    max_message: int,
    duration: float | None,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """See `chargepoint.cli.programs.csms`."""
    set_up_logging(verbose, quiet, log_format)
    return run_program(
        lambda ending: _serve(
            ending, host, port, path, password, certificate, cards, heartbeat, max_message, duration
        )
    )


async def _serve(
    ending: Ending,
    host: str,
    port: int,
    path: str,
    password: str | None,
    certificate: Path | None,
    cards: tuple[str, ...],
    heartbeat: int,
    max_message: int,
    duration: float | None,
) -> int:
    def tell(exchange: Exchange) -> None:
        log.info("%s", exchange_text(exchange), extra={"charger": exchange.identity})

    central = CentralSystem(
        Random(),
        cards=Cards({tag: Card() for tag in cards}, accept_unknown=not cards),
        heartbeat_interval_s=heartbeat,
    )
    if log.isEnabledFor(logging.INFO):
        central.watchers.append(tell)
    try:
        async with serve(
            central,
            host,
            port,
            path_prefix=path,
            passwords=password.encode() if password else None,
            ssl_context=_context(certificate),
            largest_message=max_message,
        ) as centre:
            click.echo(f"central system at {centre.url}; Ctrl-C ends it; orders are typed, see --help")
            orders = asyncio.create_task(
                listen(central, click.echo, lambda problem: click.echo(problem, err=True))
            )
            await ending.wait(duration)
            orders.cancel()
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}:{port}: {error.strerror}; take another --port") from error
    return ending.exit_code


def _context(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except (OSError, ssl.SSLError) as error:
        raise CannotServe(f"{certificate}: no certificate with its key (PEM): {error}") from error
    return context
