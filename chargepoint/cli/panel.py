"""The living panel of a charger on a terminal: what the box shows, and what it last said to the central system."""

from __future__ import annotations

import asyncio

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chargepoint.cli.story import clock_text
from chargepoint.model.connector import Connector
from chargepoint.model.outbox import Ref
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.site import Site
from hw.ports import Board

FRAMES_PER_S = 4.0
LINES = 10
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
    with Live(console=console, refresh_per_second=FRAMES_PER_S, transient=False) as live:
        try:
            while True:
                charger.act(_look)
                del lines[:-LINES]
                live.update(_picture(charger, site, lines))
                await asyncio.sleep(1 / FRAMES_PER_S)
        finally:
            live.update(_picture(charger, site, lines))


def _look(board: Board, now_s: float) -> None:
    """Read the meters as a display does."""
    for ports in board.outlets:
        ports.meter.read(Ref("display"), now_s)


def _picture(charger: Charger, site: Site, lines: list[str]) -> Group:
    model = charger.model
    header = Text.assemble(
        (charger.identity, "bold"),
        f"  {clock_text(model.calendar.utc_s(site.clock.charge_s()))} UTC, speed x{site.clock.speed:g}   ",
        ("online" if model.session.is_online else "offline", "green" if model.session.is_online else "red"),
        f"  {model.session.registration.value}",
    )
    told = Text("\n".join([*lines[-LINES:], *[""] * (LINES - len(lines))]), no_wrap=True, overflow="ellipsis")
    boxes = [_box(connector) for connector in model.connectors]
    return Group(header, *boxes, Panel(told, title="what happens", title_align="left", height=LINES + 2))


def _box(connector: Connector) -> Panel:
    status = connector.status.value
    supply, offer = connector.supply, connector.offer
    duty = "steady" if supply.duty_percent in (0.0, 100.0) else f"{supply.duty_percent:.1f} %"
    reading = connector.meter.reading
    power_kw = reading.total_power_w / 1000 if reading is not None else 0.0
    transaction = connector.transaction
    session_kwh = (connector.meter.register_wh - transaction.meter_start_wh) / 1000 if transaction is not None else 0.0
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        Text(status, style=f"bold {_COLOURS.get(status, 'white')}"),
        Text(f"{power_kw:6.2f} kW", style="bold"),
        f"{session_kwh:7.3f} kWh this session",
        f"meter {connector.meter.register_wh / 1000:.3f} kWh",
    )
    grid.add_row(
        f"pilot {supply.state}, {duty}",
        f"contactor {'closed' if supply.is_closed else 'open'}",
        f"offers {offer.amps:g} A" if offer.amps else "offers nothing",
        Text(offer.reason, style="dim"),
    )
    return Panel(grid, title=f"connector {connector.number}", title_align="left")
