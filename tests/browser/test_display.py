"""The wallbox's own small screen."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.hall import WITH_LINK, hall
from tests.browser.hands import Open
from tests.runtime.desk import plug_in, swipe

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_display_invites_and_then_shows_the_charge(show: Open) -> None:
    async with hall(admission=WITH_LINK) as place:
        page = await show(f"{place.url}/display", width=480, height=800)
        title = page.get_by_role("heading")
        await expect(title).to_have_text("Ready")
        code = page.get_by_role("img", name="QR code: start a charge here with your phone")
        await expect(code).to_be_visible()
        assert await code.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
        plug_in(place.charger)
        await expect(title).to_have_text("Hold your card to the reader")
        swipe(place.charger)
        await expect(title).to_have_text("Charging")
        await expect(page.locator("#power")).to_have_text("11.0")
        await expect(page.locator("#energy")).not_to_have_text("0.00 kWh")
        await expect(code).to_have_count(0)


async def test_without_a_link_there_is_no_code(show: Open) -> None:
    async with hall("ac22-sim-duo") as place:
        page = await show(f"{place.url}/display?charger=CP1&connector=2")
        await expect(page.get_by_role("heading")).to_have_text("Ready")
        await expect(page.get_by_text("CP1 · 2")).to_be_visible()
        await expect(page.get_by_role("img")).to_have_count(0)
