"""The living panel of a charger on a terminal: what the box shows, and what it last said to the central system."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chargepoint.cli.story import clock_text
from chargepoint.model.connector import Connector
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control import views
from chargepoint.runtime.site import Site
from hw.ports import Reading

FRAMES_PER_S = 4.0
LINES = 10
"""What happened last: at most so many lines, fewer on a low terminal."""
KEPT_ROWS = 4
"""Rows of a low terminal that the panel leaves to what stands above it: where the page is."""
BOX_COLUMNS = 78
BOX_ROWS = 4
_COLOURS = {
    "Available": "green",
    "Preparing": "yellow",
    "Charging": "bright_blue",
    "SuspendedEV": "cyan",
    "SuspendedEVSE": "magenta",
    "Finishing": "yellow",
    "Reserved": "yellow",
    "Unavailable": "white",
    "Faulted": "bright_red",
}


async def show(charger: Charger, site: Site, lines: list[str]) -> None:
    """Draw until cancelled; the last picture stays on the screen. ``lines`` is kept short."""
    console = Console()
    live = Live(console=console, refresh_per_second=FRAMES_PER_S, transient=False, redirect_stderr=False)
    with _unechoed(), live, _errors_above(console):
        try:
            while True:
                del lines[:-LINES]
                live.update(_picture(charger, site, lines, console.size))
                await asyncio.sleep(1 / FRAMES_PER_S)
        finally:
            live.update(_picture(charger, site, lines, console.size))


class _Above(io.TextIOBase):
    """A stream that writes above the panel, with no buffer below it: click would find that, and write into the panel."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = ""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("text only")  # click asks by trying
        *lines, self._begun = f"{self._begun}{text}".split("\n")
        for line in filter(None, lines):
            self._console.print(Text(line))
        return len(text)


@contextmanager
def _errors_above(console: Console) -> Iterator[None]:
    """Let messages and the log appear above the panel, not in the middle of it."""
    above = _Above(console)
    handlers = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    before = [each.setStream(above) for each in handlers]
    try:
        with redirect_stderr(above):
            yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)


@contextmanager
def _unechoed() -> Iterator[None]:
    """Keep what is typed out of the picture: `^C` would move the cursor, and half a panel stay behind."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (AttributeError, OSError, ValueError, termios.error):
        yield
        return
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    _set_terminal(descriptor, quiet)
    try:
        yield
    finally:
        _set_terminal(descriptor, before)


def _set_terminal(descriptor: int, attributes: list[Any]) -> None:
    """In the background the terminal is somebody else's, and to touch it would stop us."""
    try:
        is_ours = os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return  # nobody's: what is typed there is no signal
    if is_ours:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, attributes)


def _picture(charger: Charger, site: Site, lines: list[str], size: ConsoleDimensions) -> Group:
    """What fits: a picture higher than the terminal would lose its end, which is what happens."""
    model = charger.model
    header = Text.assemble(
        (charger.identity, "bold"),
        f"  {clock_text(model.calendar.utc_s(site.clock.charge_s()))} UTC, speed x{site.clock.speed:g}   ",
        ("online" if model.session.is_online else "offline", "green" if model.session.is_online else "red"),
        f"  {model.session.registration.value}",
        no_wrap=True,
        overflow="ellipsis",
    )
    rows = size.height - KEPT_ROWS - 3  # the header, and the frame of what happens
    is_roomy = size.width >= BOX_COLUMNS and rows - BOX_ROWS * len(model.connectors) >= min(LINES, rows // 2)
    now_s = site.clock.charge_s()
    draw = _box if is_roomy else _line
    boxes = [draw(connector, views.reading(charger, connector.number, now_s)) for connector in model.connectors]
    count = max(1, min(LINES, rows - (BOX_ROWS if is_roomy else 1) * len(boxes)))
    told = Text("\n".join([*lines[-count:], *[""] * (count - len(lines))]), no_wrap=True, overflow="ellipsis")
    return Group(header, *boxes, Panel(told, title="what happens", title_align="left", height=count + 2))


def _line(connector: Connector, shown: Reading | None) -> Text:
    """A connector where there is no room for its box."""
    status = connector.status.value
    return Text.assemble(
        f"{connector.number} ",
        (status, f"bold {_COLOURS.get(status, 'white')}"),
        (f" {_power_kw(shown):.2f} kW", "bold"),
        f" {views.session_wh(connector, shown) / 1000:.3f} kWh, pilot {connector.supply.state}, {_offered(connector)}",
        no_wrap=True,
        overflow="ellipsis",
    )


def _box(connector: Connector, shown: Reading | None) -> Panel:
    status = connector.status.value
    supply, offer = connector.supply, connector.offer
    duty = "steady" if supply.duty_percent in (0.0, 100.0) else f"{supply.duty_percent:.1f} %"
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        Text(status, style=f"bold {_COLOURS.get(status, 'white')}"),
        Text(f"{_power_kw(shown):6.2f} kW", style="bold"),
        f"{views.session_wh(connector, shown) / 1000:7.3f} kWh this session",
        f"meter {views.register_wh(connector, shown) / 1000:.3f} kWh",
    )
    grid.add_row(
        f"pilot {supply.state}, {duty}",
        f"contactor {'closed' if supply.is_closed else 'open'}",
        _offered(connector),
        Text(offer.reason, style="dim"),
    )
    return Panel(grid, title=f"connector {connector.number}", title_align="left")


def _power_kw(shown: Reading | None) -> float:
    return 0.0 if shown is None else shown.total_power_w / 1000


def _offered(connector: Connector) -> str:
    return f"offers {connector.offer.amps:g} A" if connector.offer.amps else "offers nothing"
