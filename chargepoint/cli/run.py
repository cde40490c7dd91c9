"""`chargepoint run`: one charger against a central system, as firmware or simulated."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from chargepoint.cli import EXIT_FAILED, EXIT_TIMEOUT, EXIT_UNREACHABLE
from chargepoint.cli.common import admission_of, set_up_logging
from chargepoint.cli.ending import Ending, run_program
from chargepoint.cli.settings import configured, dialled
from chargepoint.cli.story import Story
from chargepoint.model.journal import CallSent, CallServed, Entry, Registered
from chargepoint.model.session import Registration
from chargepoint.runtime.address import Address
from chargepoint.runtime.charger import Charger, LinkPort
from chargepoint.runtime.configuration import Configuration
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.errors import CommandError, TimeLimitError
from chargepoint.runtime.control.script import Play, Step, StepError, parse
from chargepoint.runtime.diagnostics import Recollection
from chargepoint.runtime.secrecy import masked_text
from chargepoint.runtime.shutdown import end
from chargepoint.runtime.site import Site, open_store
from chargepoint.runtime.store import file_stem
from chargepoint.runtime.trace import Trace, TracedLink

log = logging.getLogger(__name__)

ACCEPTANCE_S = 5.0
"""Wall seconds that a script waits for the first acceptance; afterwards it shows what happens without."""


QUIET_S = 0.25
AFTERMATH_S = 5.0
"""Wall seconds that a script's last messages have to reach the central system, looked at every `QUIET_S`."""


@dataclass(frozen=True, slots=True)
class Script:
    """What --do says. ``stays``: the program goes on after it."""

    steps: Sequence[Step]
    stays: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a script; ``error`` None: everything was done."""

    error: CommandError | None

    @property
    def exit_code(self) -> int:
        if self.error is None:
            return 0
        is_timeout = isinstance(self.error, TimeLimitError) or (isinstance(self.error, StepError) and self.error.is_timeout)
        return EXIT_TIMEOUT if is_timeout else EXIT_FAILED

    def __str__(self) -> str:
        if self.error is None:
            return "script done"
        return f"script {'timed out' if self.exit_code == EXIT_TIMEOUT else 'failed'} at {self.error}"


def main(
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
    """See `chargepoint.cli.programs.run`."""
    set_up_logging(verbose, quiet, log_format)
    settings = configured()
    if control is not None:
        settings = replace(settings, control=admission_of(control, token))
    address = dialled(settings)
    steps = parse(script) if script else ()
    for doubt in settings.doubts():
        log.warning("%s", doubt, extra={"charger": settings.identity})
    own_time = "second time of a line" if log_format == "text" else "charger_time"
    clock = "" if settings.speed == 1.0 else f"; speed x{settings.speed:g}: the {own_time} is the charger's own clock"
    script_ = Script(steps, stay) if steps else None
    tells = click.echo if log_format == "text" and not stdio else None
    return run_program(
        lambda ending: _run(ending, settings, address, script_, trace, duration, clock, tells, takes_lines=stdio)
    )


async def _run(
    ending: Ending,
    settings: Configuration,
    address: Address,
    script: Script | None,
    trace_file: Path | None,
    duration: float | None,
    clock: str,
    tells: Callable[[str], None] | None,
    *,
    takes_lines: bool,
) -> int:
    is_open = settings.control is not None or settings.mqtt is not None or takes_lines
    if is_open:
        from chargepoint.runtime.frontdesk import FrontDesk
    trace = None if trace_file is None else Trace(trace_file)
    file = settings.data / f"{file_stem(settings.identity)}.sqlite3"
    if file.exists():
        log.info(
            "continues with the data of earlier runs in %s; another directory (--data) starts afresh",
            file,
            extra={"charger": settings.identity},
        )
    store = open_store(settings.data, settings.identity, settings.durability_in_force)
    # Else processes with one seed would dial at the same moments after an outage.
    seed = None if settings.seed is None else f"{settings.seed}:{settings.identity}"
    site = Site(store, settings.speed, seed)
    ending.has_chargers = True
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
    play = None if script is None else Play(CommandDispatcher(site.chargers, site.clock), charger)
    if play is not None:
        charger.on_rebuilt = (*charger.on_rebuilt, play.hear)
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
    verdict: Verdict | None = None
    try:
        if desk is not None and settings.control is not None:
            log.info("control: %s", await desk.listen(settings.control))
        charger.start()
        if desk is not None and settings.mqtt is not None:
            desk.publish(settings.mqtt)
        if desk is not None and takes_lines:
            ending.after(desk.take_lines(sys.stdin.buffer, sys.stdout))
        if script is None or play is None:
            if not await ending.wait(duration):
                log.info("ends after the %g s of --duration", duration)
        else:
            verdict = await _until_the_end(ending, script, play, charger, accepted, duration)
    finally:
        # Also when the script could not be done: whatever charges is stopped in order.
        if await end(site, ending.shutdown, () if desk is None else (desk.close,)):
            store.close()
        else:
            ending.leave_thread()
        for loss in charger.store_losses:
            log.error("the store had lost at the start: %s", loss, extra={"charger": settings.identity})
        if trace is not None:
            trace.close()
        logging.getLogger().removeHandler(recollection)
    if verdict is not None and play is not None:
        text = f"{verdict}; {play.summary}"
        if tells is not None:
            tells(text)
        else:  # stdout has another use
            log.info("%s", text, extra={"charger": settings.identity})
    if ending.signal is None and not accepted.is_set():
        log.error("%s never accepted this charger", masked_text(address.target()), extra={"charger": settings.identity})
        return EXIT_UNREACHABLE
    return ending.exit_code or (0 if verdict is None else verdict.exit_code)


async def _until_the_end(
    ending: Ending, script: Script, play: Play, charger: Charger, accepted: asyncio.Event, duration: float | None
) -> Verdict:
    """Do a script, and return what came of it: at its end, with ``stay`` at the end of ``duration`` or at a signal."""
    end = asyncio.create_task(ending.wait(duration))
    playing = asyncio.create_task(_play(script.steps, play, accepted))
    try:
        await asyncio.wait({end, playing}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            limit = None if ending.signal or duration is None else duration
            return Verdict(play.unfinished(limit))
        error = playing.exception()
        if error is not None and not isinstance(error, CommandError):
            raise error
        if isinstance(error, CommandError) and script.stays:
            log.error("%s", error, extra={"charger": charger.identity})
        if script.stays:
            await end
            return Verdict(error)
        if error is None:
            error = await _aftermath(ending, play, charger)
        return Verdict(error)
    finally:
        for task in (end, playing):
            task.cancel()
        await asyncio.gather(end, playing, return_exceptions=True)


async def _play(steps: Sequence[Step], play: Play, accepted: asyncio.Event) -> None:
    """Do the steps once the central system has accepted the charger. Raises CommandError."""
    try:
        await asyncio.wait_for(accepted.wait(), ACCEPTANCE_S)
    except TimeoutError:
        log.warning("the script begins, although the central system has not accepted this charger yet")
    await play.run(steps)


async def _aftermath(ending: Ending, play: Play, charger: Charger) -> CommandError | None:
    """Let what a script caused reach the central system; return why the script has failed after all, None if it has not."""
    for connector in play.running:
        log.warning(
            "the script ended inside the transaction at connector %d, which is stopped now",
            connector,
            extra={"charger": charger.identity},
        )
    await ending.wait(QUIET_S)
    for _look in range(int(AFTERMATH_S / QUIET_S)):
        session = charger.model.session
        if ending.signal is not None or not session.is_online or (session.is_idle and not len(charger.model.queue)):
            break
        await ending.wait(QUIET_S)
    return play.refusal()


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
