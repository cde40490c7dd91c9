"""Light and dark, on a phone and on a wide screen: nothing sticks out, and nobody is shut out (axe-core, WCAG 2.1 AA)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.browser.hall import WITH_LINK, hall
from tests.browser.hands import Open, button, limit_for, start_charge
from tests.runtime.desk import plug_in, swipe

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (Path(__file__).parent / "data" / "axe.min.js").read_text("utf-8")
CHECK = """async () => {
    const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
    const bad = found.violations.filter((each) => ["serious", "critical"].includes(each.impact));
    return bad.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(" | ")}`);
}"""
Scheme = Literal["light", "dark"]
SETTLED = """Promise.all(document.getAnimations().filter(each => each instanceof CSSTransition)
    .map(each => each.finished.catch(() => null))).then(() => null)"""
LOOKS: list[tuple[int, Scheme, bool]] = [
    (360, "light", True),
    (360, "dark", False),
    (1440, "light", False),
    (1440, "dark", True),
]
"""Width, colours, and whether axe-core looks too, which takes its time: what it sees depends on one of them at a time."""


async def look(page: Page, where: str, is_thorough: bool) -> None:
    """Check what is shown now."""
    wide = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{where}: {wide[0]} px are needed, there are {wide[1]}"
    if is_thorough:
        await page.evaluate(SETTLED)  # a button that is changing its colours has neither the old nor the new contrast
        await page.evaluate(AXE)  # not a script of the page, which its Content-Security-Policy would refuse
        assert await page.evaluate(CHECK) == [], where


@pytest.mark.parametrize(("width", "scheme", "is_thorough"), LOOKS)
async def test_every_tab_looks_right_and_serves_everybody(
    show: Open, width: int, scheme: Scheme, is_thorough: bool
) -> None:
    async with hall("ac22-sim-duo", count=2) as place:
        limit_for(place, 6.0, 3600)
        page = await show(f"{place.url}/#/CP1", width=width, height=800, scheme=scheme)
        await start_charge(page)
        await button(page, "StartTransaction").click()
        await button(page, "Edit and resend").click()
        await look(page, "messages", is_thorough)
        for name in ("Keys", "Charging profiles", "Queue", "Faults"):
            await page.get_by_role("tab", name=name).click()
            panel = page.get_by_role("tabpanel", name=name)
            await expect(panel).to_be_visible()
            await expect(panel.get_by_text("Asking the charger")).to_have_count(0)
            if name == "Faults":
                await page.get_by_role("switch", name="Ground fault").click()
                await expect(page.locator(".trouble")).to_be_visible()
            await look(page, name, is_thorough)
        await page.get_by_role("tab", name="Keys").click()
        await page.get_by_label("HeartbeatInterval").fill("often")
        await button(page, "Save").click()
        await expect(page.get_by_text("Not taken")).to_be_visible()
        await look(page, "a key that was refused", is_thorough)
        await place.front.close()
        await expect(page.locator("#as-of")).to_be_visible()
        await look(page, "without data", is_thorough)


CUT = """(cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.innerText)"""
BROKEN = """(cells) => cells.filter((cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return new Set([...text.getClientRects()].map((each) => Math.round(each.bottom))).size > 1;
}).map((cell) => cell.innerText)"""
DAY = {"day": "2026-11-21", "sessions": 12, "energy_wh": 99_900, "in_use_s": 80_000.0, "charging_s": 70_000.0}


async def test_a_phone_shows_whole_words(show: Open) -> None:
    paths: dict[str, object] = {"/api/v1/chargers/{charger}/statistics": {}}
    answers = {"**/openapi.json": {"paths": paths}, "**/CP1/statistics": {"total": {}, "days": [DAY]}}
    async with hall(count=2) as place:
        page = await show(f"{place.url}/#/CP1/1/statistics", width=360, height=800, answers=answers)
        tab = page.get_by_role("tab", name="Statistics")
        await expect(tab).to_be_visible()
        box = await tab.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360
        days = page.get_by_role("table", name="Energy by day")
        assert await days.locator("tbody th, tbody td").evaluate_all(BROKEN) == []
        assert await page.get_by_role("tabpanel").evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")
        await page.get_by_role("tab", name="Messages").click()
        await start_charge(page)
        await expect(button(page, "StartTransaction")).to_be_visible()
        assert await page.locator(".messages tbody th, .messages tbody .gist").evaluate_all(CUT) == []
        await page.goto(f"{place.url}/#/")
        await expect(page.locator("#fleet-count")).to_have_text("2")
        assert await page.locator(".fleet .number").evaluate_all(BROKEN) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("width", "scheme", "is_thorough"), LOOKS)
async def test_fleet_and_display_look_right(show: Open, width: int, scheme: Scheme, is_thorough: bool) -> None:
    async with hall(count=3, admission=WITH_LINK) as place:
        page = await show(place.url, width=width, height=800, scheme=scheme)
        await expect(page.locator("#fleet-count")).to_have_text("3")
        await look(page, "fleet", is_thorough)
        await page.goto(f"{place.url}/display?charger=CP1")
        await expect(page.get_by_role("img")).to_be_visible()
        await look(page, "display", is_thorough)
        place.central.cards.accept_unknown = False
        plug_in(place.charger)
        swipe(place.charger)
        await expect(page.get_by_role("alert").get_by_text("Card refused")).to_be_visible()
        await look(page, "display with a refused card", is_thorough)
        await place.front.close()
        await expect(page.get_by_role("heading")).to_have_text("No data")
        await look(page, "display without data", is_thorough)
