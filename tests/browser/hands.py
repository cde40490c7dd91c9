"""What one does on the page again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

from tests.browser.hall import Hall

Open = Callable[..., Awaitable[Page]]
"""Opens an address: ``await show(url, width=360, scheme="dark")``. ``answers``: JSON given by pattern of address, in the
server's stead."""

TAG = "04A1B2C3"


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def shows(page: Page, status: str) -> None:
    await expect(page.locator("#status")).to_have_text(status)


async def start_charge(page: Page) -> None:
    await button(page, "Plug in").click()
    await shows(page, "Preparing")
    await page.get_by_label("Card number").fill(TAG)
    await button(page, "Swipe card").click()
    await shows(page, "Charging")


def limit_for(place: Hall, amps: float, seconds: int) -> None:
    """Let the central system install a profile for new transactions: so many A, then 10 A."""
    periods = [{"startPeriod": 0, "limit": amps}, {"startPeriod": seconds, "limit": 10.0}]
    profile = {
        "chargingProfileId": 3,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
    }
    place.call("SetChargingProfile", connectorId=1, csChargingProfiles=profile)
