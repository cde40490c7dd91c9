"""`chargepoint run`: one charger against a central system, as firmware or simulated."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from chargepoint.cli import EXIT_UNREACHABLE
from chargepoint.cli.common import admission_of, logging_options, set_up_logging
from chargepoint.cli.ending import Ending
from chargepoint.cli.settings import configuration_options, configured, dialled
from chargepoint.cli.story import Story
from chargepoint.model.journal import CallSent, CallServed, Entry, Registered
from chargepoint.model.session import Registration
from chargepoint.runtime.address import Address
from chargepoint.runtime.charger import Charger, LinkPort
from chargepoint.runtime.configuration import Configuration
from chargepoint.runtime.control.script import Step, parse, play
from chargepoint.runtime.diagnostics import Recollection
from chargepoint.runtime.secrecy import masked_text
from chargepoint.runtime.site import Site, open_store
from chargepoint.runtime.trace import Trace, TracedLink

log = logging.getLogger(__name__)

ACCEPTANCE_S = 5.0
"""Wall seconds that a script waits for the first acceptance; afterwards it shows what happens without."""


@click.command(name="run")
@configuration_options()
@click.option("--do", "script", help='What people do: "plug_in; swipe 04A1B2C3; wait 10 min; unplug".')
@click.option("--duration", type=click.FloatRange(0), help="Stop after so many seconds.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help="Write every frame to this file, a JSON object a line; at 50 MB it becomes FILE.1.",
)
@click.option("--control", help="Take verbs over HTTP on [HOST:]PORT, such as 8080; the page is there too.")
@click.option("--stdio", is_flag=True, help="Take verbs as JSON lines on standard input; ends when it ends.")
@logging_options
def command(
    script: str | None,
    duration: float | None,
    trace: Path | None,
    control: str | None,
    stdio: bool,
    verbose: int,
    quiet: bool,
    log_format: str,
) -> int:
    """Run one charger.

    What it is stands in configuration files: /etc/chargepoint/config.yaml, ~/.config/chargepoint/config.yaml,
    ./chargepoint.yaml and -c FILE, each over the one before; the environment and options go before all of them. Without
    a file a simulated 11 kW box is run. Simulated boxes do what --do says; real ones are plugged by people.
    """
    set_up_logging(verbose, quiet, log_format)
    settings = configured()
    if control is not None:
        settings = replace(settings, control=admission_of(control))
    address = dialled(settings)
    steps = parse(script) if script else ()
    for doubt in settings.doubts():
        log.warning("%s", doubt, extra={"charger": settings.identity})
    own_time = "second time of a line" if log_format == "text" else "charger_time"
    clock = "" if settings.speed == 1.0 else f"; speed x{settings.speed:g}: the {own_time} is the charger's own clock"
    return asyncio.run(_run(settings, address, steps, trace, duration, clock, takes_lines=stdio))


async def _run(
    settings: Configuration,
    address: Address,
    steps: Sequence[Step],
    trace_file: Path | None,
    duration: float | None,
    clock: str,
    *,
    takes_lines: bool,
) -> int:
    is_open = settings.control is not None or settings.mqtt is not None or takes_lines
    if is_open:
        from chargepoint.runtime.frontdesk import FrontDesk
    ending = Ending()
    trace = None if trace_file is None else Trace(trace_file)
    store = open_store(settings.data, settings.identity, settings.durability_in_force)
    # Else processes with one seed would dial at the same moments after an outage.
    seed = None if settings.seed is None else f"{settings.seed}:{settings.identity}"
    site = Site(store, settings.speed, seed)
    recollection = Recollection()
    logging.getLogger().addHandler(recollection)
    plan = replace(settings.plan(), recollection=recollection)
    charger = site.add(plan, address if trace is None else _traced(trace, site, address, settings), settings.link)
    is_real = site.clock.is_real
    # Without a handler for its lines none is written: a frame may hold a megabyte.
    is_told = log.isEnabledFor(logging.INFO)
    story = Story(_log_line, None if is_real else lambda _identity, now_s: charger.model.calendar.utc_s(now_s))
    accepted = asyncio.Event()

    def remember(_identity: str, _now_s: float, entry: Entry) -> None:
        if isinstance(entry, Registered) and entry.status == Registration.ACCEPTED.value:
            accepted.set()

    def listen(each: Charger) -> None:
        if is_told:
            each.model.journal.listen(story.listen)
        each.model.journal.listen(remember)

    charger.on_rebuilt = (listen, _frames, recollection.watch)
    desk = FrontDesk(site) if is_open else None
    if desk is not None:
        desk.watch(charger)
    log.info(
        "board %s, dials %s %s%s",
        settings.board,
        masked_text(address.target()),
        "without password" if address.user is None else f"as {address.user}",
        clock,
        extra={"charger": settings.identity},
    )
    try:
        if desk is not None and settings.control is not None:
            log.info("control: %s", await desk.listen(settings.control))
        charger.start()
        if desk is not None and settings.mqtt is not None:
            desk.publish(settings.mqtt)
        if desk is not None and takes_lines:
            ending.after(desk.take_lines(sys.stdin.buffer, sys.stdout))
        await _until_the_end(ending, _play(steps, charger, site, accepted) if steps else None, duration)
    finally:
        if desk is not None:
            await desk.close()
        # Also when the script could not be done: whatever charges is stopped in order.
        await site.wind_down()
        await site.close()
        store.close()
        if trace is not None:
            trace.close()
        logging.getLogger().removeHandler(recollection)
    if ending.signal is None and not accepted.is_set():
        log.error("%s never accepted this charger", masked_text(address.target()), extra={"charger": settings.identity})
        return EXIT_UNREACHABLE
    return ending.exit_code


async def _play(steps: Sequence[Step], charger: Charger, site: Site, accepted: asyncio.Event) -> None:
    """Do the steps once the central system has accepted us: people come to a box that is ready. Raises CommandError."""
    try:
        await asyncio.wait_for(accepted.wait(), ACCEPTANCE_S)
    except TimeoutError:
        log.warning("the script begins, although the central system has not accepted this charger yet")
    await play(steps, charger, site.clock)


async def _until_the_end(ending: Ending, script: Coroutine[Any, Any, None] | None, duration: float | None) -> None:
    """Wait for a signal, for ``duration`` to pass, or without one for the end of the script and what it caused.

    Raises what the script raises, at once.
    """
    end = asyncio.create_task(ending.wait(duration))
    if script is not None:
        playing = asyncio.create_task(script)
        await asyncio.wait({end, playing}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            await playing
            if duration is None:
                # The script was all there was to do; let what it caused reach the central system.
                await ending.wait(1.0)
                end.cancel()
                return
        playing.cancel()
    await end


def _traced(
    trace: Trace, site: Site, address: Address, settings: Configuration
) -> Callable[[Charger], LinkPort]:
    def link(charger: Charger) -> LinkPort:
        own_clock = None if site.clock.is_real else lambda: charger.model.calendar.utc_s(site.clock.charge_s())
        return TracedLink(trace, address, charger, site.pump, site.rng, settings.link, own_clock)

    return link


def _log_line(identity: str, utc_s: float | None, text: str) -> None:
    log.info("%s", text, extra={"charger": identity, "charger_utc_s": utc_s})


def _frames(charger: Charger) -> None:
    """At -v every frame is told as well."""
    if not log.isEnabledFor(logging.DEBUG):
        return

    def listen(identity: str, _now_s: float, entry: object) -> None:
        if isinstance(entry, CallSent | CallServed):
            frame = (entry.message_id, entry.action, masked_text(entry.payload))
            log.debug("%s %s %s", *frame, extra={"charger": identity})

    charger.model.journal.listen(listen)
