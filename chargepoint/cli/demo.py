"""`chargepoint demo`: a car charges at a virtual wallbox, against the embedded central system, over a real socket."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random

import click

from chargepoint.cli import EXIT_FAILED
from chargepoint.cli.common import admission_of, set_up_logging
from chargepoint.cli.ending import Ending, run_program
from chargepoint.cli.story import Story, line_text
from chargepoint.model.journal import Entry, TransactionEnded
from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.central_system import CentralSystem
from chargepoint.runtime.centre import serve
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.script import parse, play
from chargepoint.runtime.frontdesk import FrontDesk, NoWeb
from chargepoint.runtime.shutdown import end
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.errors import ChargePointError
from hw.loader import plan_board

log = logging.getLogger(__name__)

IDENTITY = "CP001"
TAG = "04A1B2C3D4E5F6"
ARRIVES_S = 2.0
"""Wall seconds before the car comes; it leaves as long before the end."""
VISIT_S = 60.0
"""Wall seconds of one visit when the demo goes on for ever."""
PORTS = 10
"""Ports that are tried for the page where none was asked for."""


def main(
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
    """See `chargepoint.cli.programs.demo`."""
    set_up_logging(verbose, quiet or not verbose, log_format)
    plan = ChargerPlan(
        identity=IDENTITY,
        board=plan_board(board),
        keys={"MeterValueSampleInterval": "60", "MeterValuesSampledData": _SAMPLED},
        seed=seed,
        register_wh=1_234_000.0,
        derives_defaults=True,
    )
    admission = None if control is None else admission_of(control, token)
    return run_program(lambda ending: _demo(ending, plan, speed, duration, quiet, admission))


_SAMPLED = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"


async def _demo(
    ending: Ending, plan: ChargerPlan, speed: float, duration: float | None, quiet: bool, control: Admission | None
) -> int:
    store = Store(None, Durability.RELAXED)
    site = Site(store, speed, plan.seed)
    ending.has_chargers = True
    ended: list[TransactionEnded] = []
    async with serve(CentralSystem(Random(plan.seed)), path_prefix="/ocpp", utc_s=site.utc_s) as centre:
        charger = site.add(plan, Address(url=centre.url, identity=IDENTITY))
        lines: list[str] = []
        story = Story(
            lambda *line: lines.append(line_text(*line)), lambda _identity, now_s: charger.model.calendar.utc_s(now_s)
        )

        def remember(_identity: str, _now_s: float, entry: Entry) -> None:
            if isinstance(entry, TransactionEnded):
                ended.append(entry)

        def listen(each: Charger) -> None:
            if not quiet:
                each.model.journal.listen(story.listen)
            each.model.journal.listen(remember)

        charger.on_rebuilt = (listen,)
        desk = FrontDesk(site)
        desk.watch(charger)
        page = await _page(desk, control)
        if not quiet:
            click.echo(f"{IDENTITY}: {plan.board.description}; central system at {centre.url}; speed x{speed:g}")
            click.echo(page)
        charger.start()
        driver = asyncio.create_task(_visits(charger, desk.desk, duration))
        show = asyncio.create_task(_show(charger, site, lines, quiet))
        over = asyncio.create_task(ending.wait(duration))
        await asyncio.wait({driver, over}, return_when=asyncio.FIRST_COMPLETED)
        if driver.done():
            driver.result()
            await asyncio.wait({over}, timeout=1.0)
        for task in (driver, over):
            task.cancel()
        await end(site, ending.shutdown, (desk.close,))
        show.cancel()  # draws once more
        await asyncio.gather(show, return_exceptions=True)
    store.close()
    if ended and not quiet:
        energy_wh = sum(each.energy_wh for each in ended)
        click.echo(f"{len(ended)} charge{'s' if len(ended) > 1 else ''}, {energy_wh / 1000:.2f} kWh in all")
    if ending.signal is None and not ended:
        click.echo("no charge was completed", err=True)
        return EXIT_FAILED
    return ending.exit_code


async def _page(desk: FrontDesk, control: Admission | None) -> str:
    """Open the page and tell where it is.

    Where nobody asked for a port the next free one will do, and no page at all is no reason to stop.
    """
    if control is not None:
        return f"page: {await desk.listen(control)}"
    usual = Admission()
    taken = ""
    for port in range(usual.port, usual.port + PORTS):
        try:
            return f"page: {await desk.listen(replace(usual, port=port))}{taken}"
        except NoWeb as error:
            return f"no page: {error}"
        except ChargePointError:
            taken = f" (port {usual.port} is taken)"
    return f"no page: ports {usual.port} to {usual.port + PORTS - 1} are taken; name another with --control"


async def _visits(charger: Charger, dispatcher: CommandDispatcher, duration: float | None) -> None:
    """The car comes, charges and leaves: once within ``duration``, or again and again."""
    while True:
        stay_s = (VISIT_S if duration is None else duration) - 3 * ARRIVES_S
        await asyncio.sleep(ARRIVES_S)
        for line, wall_s in (
            ("plug_in", 1.0),
            (f"swipe {TAG}", stay_s - 2.0),
            (f"swipe {TAG}", 1.0),
            ("unplug", 1.0),
        ):
            await play(parse(line), charger, dispatcher)
            await asyncio.sleep(wall_s)
        if duration is not None:
            return


async def _show(charger: Charger, site: Site, lines: list[str], quiet: bool) -> None:
    if quiet:
        return
    if sys.stdout.isatty():
        from chargepoint.cli.panel import show

        await show(charger, site, lines)
    else:
        await _print(lines, click.echo)


async def _print(lines: list[str], write: Callable[[str], None]) -> None:
    """Print lines as they come, the last ones too."""
    try:
        while True:
            while lines:
                write(lines.pop(0))
            await asyncio.sleep(0.05)
    finally:
        for line in lines:
            write(line)
