"""`chargepoint fleet`: many identical simulated chargers in one process, against one central system."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from chargepoint.cli import EXIT_UNREACHABLE
from chargepoint.cli.common import admission_of, set_up_logging
from chargepoint.cli.ending import Ending, run_program
from chargepoint.cli.settings import chosen, dialled
from chargepoint.model.session import Registration
from chargepoint.runtime.address import Address, AddressError
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.configuration import Configuration, settle
from chargepoint.runtime.porter import FilePlan
from chargepoint.runtime.shutdown import end
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.ports import Board

log = logging.getLogger(__name__)

DIALS_AT_ONCE = 100
"""Chargers that dial at the same time at the start; a real fleet does not come up in one millisecond either."""
WAKE_TOGETHER = 12
"""Chargers whose samples share one wake-up: waking costs more than sampling. Their stamps stay exact."""
LONGEST_PATIENCE_S = 0.5
SAMPLE_INTERVAL = "MeterValueSampleInterval"


def patience_s(count: int, meter_interval_s: float) -> float:
    """Return how late samples may be taken so that about `WAKE_TOGETHER` of ``count`` chargers wake together."""
    return min(LONGEST_PATIENCE_S, WAKE_TOGETHER * meter_interval_s / count)


def main(
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
    """See `chargepoint.cli.programs.fleet`."""
    set_up_logging(verbose, quiet, log_format)
    logging.getLogger("chargepoint.runtime.link").setLevel(logging.WARNING if not verbose else logging.DEBUG)
    root = chosen().gather()
    settings = settle(root, chosen().beside)
    if control is not None:
        settings = replace(settings, control=admission_of(control, token))
    address, plan = dialled(settings), settings.plan()
    for doubt in settings.doubts():
        log.warning("%s", doubt)
    if not plan.board.is_simulated:
        raise click.UsageError(f"{settings.board} is a real board, and there is only one of it; give --board ac11-sim.")
    if meter_interval is None:
        meter_interval = int(settings.keys.get(SAMPLE_INTERVAL, "60"))
    keys = {**settings.keys, SAMPLE_INTERVAL: str(meter_interval)}
    alike = replace(plan, keys=keys, keeps_board=False, files=FilePlan())
    try:
        fleet = [
            (replace(alike, identity=identity, seed=number), replace(address, identity=identity))
            for number, identity in enumerate(f"{prefix}{number}" for number in range(count))
        ]
    except AddressError as error:
        raise click.UsageError(str(error)) from error
    data = settings.data if root.has("data") else None
    interval_s = meter_interval / settings.speed
    return run_program(lambda ending: _run(ending, fleet, settings, interval_s, plugged, swipe, data, duration))


async def _run(
    ending: Ending,
    fleet: list[tuple[ChargerPlan, Address]],
    settings: Configuration,
    meter_interval: float,
    plugged: bool,
    swipe: str | None,
    data: Path | None,
    duration: float | None,
) -> int:
    place = Path(tempfile.mkdtemp(prefix="chargepoint-fleet-")) if data is None else data
    store = Store(place / "fleet.sqlite3", Durability.RELAXED)
    site = Site(store, settings.speed, settings.seed, patience_s=patience_s(len(fleet), meter_interval))
    ending.has_chargers = True
    desk = None
    try:
        chargers = [site.add(plan, address, settings.link) for plan, address in fleet]
        if settings.control is not None:
            from chargepoint.runtime.frontdesk import FrontDesk

            desk = FrontDesk(site)
            for charger in chargers:
                desk.watch(charger)
            log.info("control: %s", await desk.listen(settings.control))
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
    finally:
        if await end(site, ending.shutdown, () if desk is None else (desk.close,)):
            store.close()
        else:
            ending.leave_thread()
        if losses := sum(len(charger.store_losses) for charger in site.chargers.values()):
            log.error("the store had lost %d records or pages at the start; they stand in the log above", losses)
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
