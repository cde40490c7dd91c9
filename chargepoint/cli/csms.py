"""`chargepoint csms`: the embedded central system on a socket, for trying chargers without a back end."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from random import Random

import click

from chargepoint.cli.common import logging_options, set_up_logging
from chargepoint.cli.ending import Ending, run_program
from chargepoint.cli.orders import listen
from chargepoint.cli.story import exchange_text
from chargepoint.runtime.central_records import Card, Cards
from chargepoint.runtime.central_system import CentralSystem, Exchange
from chargepoint.runtime.centre import LARGEST_MESSAGE, serve
from hw.errors import ChargePointError

log = logging.getLogger(__name__)


class CannotServe(ChargePointError):
    """The socket cannot be had, or the certificate not be read."""


@click.command(name="csms")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes a free one.")
@click.option("--path", default="/ocpp", show_default=True, help="Path before the identity.")
@click.option("--password", envvar="CHARGEPOINT_PASSWORD", help="HTTP Basic password that every charger must send.")
@click.option("--certificate", type=click.Path(path_type=Path), help="Server certificate and key (PEM): wss://.")
@click.option("--card", "cards", multiple=True, metavar="TAG", help="Accept only these cards (repeatable).")
@click.option("--heartbeat", type=click.IntRange(1), default=300, show_default=True, help="Heartbeat interval in s.")
@click.option(
    "--max-message",
    type=click.IntRange(1024),
    default=LARGEST_MESSAGE,
    show_default=True,
    metavar="BYTES",
    help="Close the connection with 1009 on a larger message.",
)
@click.option("--duration", type=click.FloatRange(0), help="Stop after so many seconds.")
@logging_options
def command(
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
    """Run the embedded central system: accepts every charger and, unless --card is given, every card.

    Orders are typed, one a line: an action, its fields, and the charger when there are several.

    \b
        RemoteStartTransaction idTag=04A1B2C3 connectorId=1
        GetConfiguration key=HeartbeatInterval,MeterValueSampleInterval
        ChangeAvailability connectorId=0 type=Inoperative @CP001

    A value may be a JSON object or array, blanks in it too, and so may the whole payload; quote a text with blanks.

    \b
        SetChargingProfile connectorId=1 csChargingProfiles={"chargingProfileId": 1, …} @CP001
        SetChargingProfile {"connectorId": 1, "csChargingProfiles": {…}} @CP001
        SetChargingProfile @CP001 {"connectorId": 1, "csChargingProfiles": {…}}
        DataTransfer vendorId=ACME data="two words"

    What is answered to an order is printed in full.
    """
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
