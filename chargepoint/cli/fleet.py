"""`chargepoint fleet`: many identical simulated chargers in one process, against one central system."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import click

from chargepoint.cli import EXIT_UNREACHABLE
from chargepoint.cli.common import Ending, admission_of, logging_options, set_up_logging
from chargepoint.cli.connection import backend_option, shaped
from chargepoint.model.session import Registration
from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.backends import find
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.connection import LinkSettings
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.ports import Board

log = logging.getLogger(__name__)

DIALS_AT_ONCE = 100
"""Chargers that dial at the same time at the start; a real fleet does not come up in one millisecond either."""
WAKE_TOGETHER = 12
"""Chargers whose samples share one wake-up: waking costs more than sampling. Their stamps stay exact."""
LONGEST_PATIENCE_S = 0.5


def patience_s(count: int, meter_interval_s: float) -> float:
    """Return how late samples may be taken so that about `WAKE_TOGETHER` of ``count`` chargers wake together."""
    return min(LONGEST_PATIENCE_S, WAKE_TOGETHER * meter_interval_s / count)


@click.command(name="fleet")
@click.option("--url", help="Central system, such as ws://localhost:9000/ocpp; needed without --backend.")
@backend_option
@click.option("--count", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Number of chargers.")
@click.option("--prefix", default="CP", show_default=True, help="Identities are this and a number from 0.")
@click.option("--board", default="ac11-sim", show_default=True, help="Simulated board, the same for all.")
@click.option(
    "--meter-interval", type=click.IntRange(0), default=60, show_default=True, help="Seconds between meter values."
)
@click.option("--plugged/--unplugged", default=True, show_default=True, help="A car is connected from the start.")
@click.option("--swipe", metavar="TAG", help="Start all of them with this card once they are accepted.")
@click.option("--password", help="Password for HTTP Basic, the same for all.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Roots to trust for wss://.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep the store here; else it goes with the process.")
@click.option("--speed", type=click.FloatRange(0.001, 100_000), default=1.0, show_default=True)
@click.option("--seed", type=int, help="Makes chance repeatable.")
@click.option("--duration", type=click.FloatRange(0), help="Stop after so many seconds.")
@click.option("--control", help="Take verbs over HTTP on [HOST:]PORT, such as 8080; the page is there too.")
@logging_options
def command(
    url: str | None,
    backend: str | None,
    count: int,
    prefix: str,
    board: str,
    meter_interval: int,
    plugged: bool,
    swipe: str | None,
    password: str | None,
    ca_file: Path | None,
    data: Path | None,
    speed: float,
    seed: int | None,
    duration: float | None,
    control: str | None,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """Run a fleet.

    All chargers are alike: one outlet with a car, which charges when the central system starts it. Their store survives
    the process only with --data.
    """
    from chargepoint.runtime.address import Tls

    set_up_logging(verbose, quiet, log_format)
    logging.getLogger("chargepoint.runtime.link").setLevel(logging.WARNING if not verbose else logging.DEBUG)
    keys = {"MeterValueSampleInterval": str(meter_interval)}
    plan = plan_board(board)
    preset = None if backend is None else find(backend)
    url = url if preset is None else preset.url_for(url)
    if url is None:
        raise click.UsageError("Missing option '--url' (or '--backend').")
    tls = Tls(ca_file=ca_file)
    secret = password.encode() if password else None
    addresses = [Address(url=url, identity=f"{prefix}{i}", password=secret, tls=tls) for i in range(count)]
    if preset is not None:
        addresses = [shaped(address, preset) for address in addresses]
    plans = [
        ChargerPlan(identity=address.identity, board=plan, keys=keys, seed=number)
        for number, address in enumerate(addresses)
    ]
    fleet = list(zip(plans, addresses, strict=True))
    admission = None if control is None else admission_of(control)
    return asyncio.run(_run(fleet, meter_interval / speed, plugged, swipe, data, speed, seed, duration, admission))


async def _run(
    fleet: list[tuple[ChargerPlan, Address]],
    meter_interval: float,
    plugged: bool,
    swipe: str | None,
    data: Path | None,
    speed: float,
    seed: int | None,
    duration: float | None,
    control: Admission | None,
) -> int:
    ending = Ending()
    place = Path(tempfile.mkdtemp(prefix="chargepoint-fleet-")) if data is None else data
    store = Store(place / "fleet.sqlite3", Durability.RELAXED)
    site = Site(store, speed, seed, patience_s=patience_s(len(fleet), meter_interval))
    settings = LinkSettings()
    desk = None
    try:
        chargers = [site.add(plan, address, settings) for plan, address in fleet]
        if control is not None:
            from chargepoint.runtime.frontdesk import FrontDesk

            desk = FrontDesk(site)
            for charger in chargers:
                desk.watch(charger)
            log.info("control: %s", await desk.listen(control))
        await _bring_up(chargers, plugged, ending)
        site.settle_memory()
        log.info("%d of %d chargers accepted", _accepted(chargers), len(chargers))
        if swipe:
            for charger in chargers:
                charger.act(lambda board, now_s: board.readers[0].present(swipe, now_s))
        await ending.wait(duration)
        accepted = _accepted(chargers)
        states = Counter(connector.status.value for c in chargers for connector in c.model.connectors)
        log.info("at the end: %s", ", ".join(f"{number} {state}" for state, number in sorted(states.items())))
        if desk is not None:
            await desk.close()
        await site.close()
    finally:
        store.close()
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    return ending.exit_code if accepted or ending.signal else EXIT_UNREACHABLE


async def _bring_up(chargers: list[Charger], plugged: bool, ending: Ending) -> None:
    """Start them a hundred at a time, the next when most of the last have an answer or a while has passed."""
    for first in range(0, len(chargers), DIALS_AT_ONCE):
        group = chargers[first : first + DIALS_AT_ONCE]
        for charger in group:
            charger.start()
            if plugged:
                for connector in charger.model.connectors:
                    charger.act(partial(_plug_in, connector.number))
        for _look in range(100):
            if await ending.wait(0.01) or _accepted(group) > 0.9 * len(group):
                break


def _plug_in(connector: int, board: Board, now_s: float) -> None:
    hands = board.outlet(connector).hands
    if hands is not None:
        hands.plug_in(now_s)


def _accepted(chargers: list[Charger]) -> int:
    return sum(charger.model.session.registration is Registration.ACCEPTED for charger in chargers)
