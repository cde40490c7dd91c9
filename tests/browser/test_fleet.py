"""Many chargers: squares, totals, a table; and the way to one of them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.hall import hall
from tests.browser.hands import Open, button, shows
from tests.runtime.desk import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = 60


async def test_a_fleet_is_looked_at_and_one_is_opened(show: Open) -> None:
    async with hall(count=COUNT) as place:
        hands = place.chargers[7].board.outlet(1).hands
        assert hands is not None
        place.chargers[7].act(lambda _board, now_s: hands.cause("ground_fault", True, now_s))
        await until(lambda: place.chargers[7].model.connector(1).status.value == "Faulted", "a fault")
        page = await show(place.url)
        await expect(page.locator("#fleet-count")).to_have_text(str(COUNT))
        await expect(page.get_by_role("img", name=f"{COUNT - 1} Available, 1 Faulted")).to_be_visible()
        await expect(page.get_by_role("table", name="Chargers").get_by_role("link")).to_have_count(50)
        await button(page, "Next").click()
        await expect(page.get_by_role("link", name=f"CP{COUNT}")).to_be_visible()
        await page.get_by_role("button", name="Faulted").click()
        await expect(page.get_by_role("table", name="Chargers").get_by_role("link")).to_have_text(["CP8"])
        await page.get_by_role("button", name="Faulted").click()
        squares = page.locator("canvas")
        await squares.hover(position={"x": 26 * 7 + 13, "y": 13})
        await expect(page.get_by_text("CP8 · Faulted")).to_be_visible()
        await squares.click(position={"x": 26 * 7 + 13, "y": 13})
        await shows(page, "Faulted")
        await expect(page.get_by_label("Charger", exact=True)).to_have_value("CP8")
        await page.get_by_label("Charger", exact=True).select_option("CP9")
        await shows(page, "Available")
        await page.get_by_role("link", name=f"All {COUNT}").click()
        await expect(page.locator("#fleet-count")).to_have_text(str(COUNT))
