"""The wallbox's own small screen."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from chargepoint.runtime.control.admission import Admission
from tests.browser.hall import WITH_LINK, hall
from tests.browser.hands import Open
from tests.runtime.desk import plug_in, swipe, until

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


async def test_the_driver_hears_what_became_of_the_card(show: Open) -> None:
    async with hall("ac22-sim-duo") as place:
        place.central.cards.accept_unknown = False
        page = await show(f"{place.url}/display")
        await expect(page.get_by_role("heading").first).to_have_text("Ready")
        plug_in(place.charger)
        await expect(page.get_by_role("heading").first).to_have_text("Hold your card to the reader")
        swipe(place.charger)
        told = page.get_by_role("alert")
        await expect(told).to_have_text("Card refused: not valid here")
        await expect(told.locator("p")).to_have_count(0)
        place.central.cards.accept_unknown = True
        swipe(place.charger, "A2")
        await expect(told).to_have_text("Card accepted")


async def test_a_fault_is_told_in_words_for_drivers(show: Open) -> None:
    async with hall() as place:
        page = await show(f"{place.url}/display")
        await expect(page.get_by_role("heading")).to_have_text("Ready")
        hands = place.charger.board.outlet(1).hands
        assert hands is not None
        plug_in(place.charger)
        place.charger.act(lambda _board, now_s: hands.cause("ground_fault", True, now_s))
        await expect(page.get_by_role("heading")).to_have_text("Out of order")
        await expect(page.get_by_text("Please unplug.")).to_be_visible()
        assert "ground" not in await page.locator("main").inner_text()
        place.charger.act(lambda _board, now_s: hands.unplug(now_s))
        await expect(page.get_by_text("Please use another charging point.")).to_be_visible()


async def test_without_data_nobody_is_invited(show: Open) -> None:
    async with hall(admission=WITH_LINK) as place:
        page = await show(f"{place.url}/display")
        title = page.get_by_role("heading")
        await expect(page.get_by_role("img")).to_be_visible()
        await place.front.close()
        await expect(title).to_have_text("No data")
        await expect(page.get_by_role("img")).to_have_count(0)
        await expect(page.get_by_text("Connect your car.")).to_have_count(0)
        await place.front.listen(Admission(port=urlsplit(place.url).port or 0))
        await expect(title).to_have_text("Ready")


async def test_a_box_that_is_down_is_out_of_service(show: Open) -> None:
    async with hall() as place:
        page = await show(f"{place.url}/display")
        await expect(page.get_by_role("heading")).to_have_text("Ready")
        plug_in(place.charger)
        swipe(place.charger)
        await until(lambda: place.status() == "Charging", "a charge")
        place.charger.cut_power(3000.0)
        await expect(page.get_by_role("heading")).to_have_text("Out of service")
        await expect(page.locator("#power")).to_have_count(0)


@pytest.mark.parametrize(
    ("query", "text"),
    [("charger=XX", "There is no charger XX."), ("charger=CP1&connector=9", "There is no connector 9 at CP1.")],
)
async def test_what_is_not_there_is_said(show: Open, query: str, text: str) -> None:
    async with hall() as place:
        page = await show(f"{place.url}/display?{query}")
        await expect(page.get_by_role("alert")).to_have_text(text)
