"""The options of `chargepoint csms`."""

from __future__ import annotations

from pathlib import Path

import click

from chargepoint.cli.flags import logging_options
from chargepoint.runtime.options import LARGEST_MESSAGE


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
    from chargepoint.cli.csms import main

    return main(
        host=host,
        port=port,
        path=path,
        password=password,
        certificate=certificate,
        cards=cards,
        heartbeat=heartbeat,
        max_message=max_message,
        duration=duration,
        verbose=verbose,
        quiet=quiet,
        log_format=log_format,
    )
