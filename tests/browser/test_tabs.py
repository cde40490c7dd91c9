"""The tabs below the box: messages, keys, charging profiles, the queue, faults, statistics."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect

from chargepoint.model.faults import Trouble
from tests.browser.hall import hall
from tests.browser.hands import Open, button, limit_for, shows, start_charge
from tests.runtime.desk import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def open_tab(page: Page, name: str) -> None:
    await page.get_by_role("tab", name=name).click()
    await expect(page.get_by_role("tabpanel", name=name)).to_be_visible()


# --- messages ---------------------------------------------------------------------------------------------------------


async def test_a_message_is_edited_and_resent(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "BootNotification").click()
        await expect(page.get_by_text('"chargePointModel": "AC11"')).to_be_visible()
        await button(page, "Edit and resend").click()
        payload = page.get_by_label("Payload")
        await expect(payload).to_be_focused()
        boot = json.loads(await payload.input_value())
        await payload.fill(json.dumps({**boot, "chargePointVendor": "Edited"}))
        await button(page, "Send").click()
        await until(lambda: [text for action, text in place.heard if action == "BootNotification" and "Edited" in text])
        await expect(button(page, "BootNotification")).to_have_count(2)
        await expect(page.get_by_role("form", name="Message to send")).to_have_count(0)


async def test_what_is_no_json_is_not_sent(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Write a message").click()
        await page.get_by_label("Action").fill("DataTransfer")
        await page.get_by_label("Payload").fill("{")
        await button(page, "Send").click()
        await expect(page.get_by_role("alert").filter(has_text="Not JSON")).to_be_visible()
        assert "DataTransfer" not in [action for action, _ in place.heard]


async def test_escape_closes_what_was_written(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Write a message").click()
        await expect(page.get_by_label("Payload")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("form", name="Message to send")).to_have_count(0)
        await expect(button(page, "Write a message")).to_be_focused()


async def test_what_is_refused_is_said(show: Open) -> None:
    """Without a connection nothing can be sent: the page says so where a screen reader hears it."""
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Network down").click()
        await expect(page.get_by_role("banner").get_by_text("Network down")).to_be_visible()
        await button(page, "Write a message").click()
        await button(page, "Send").click()
        await expect(page.get_by_role("alert").filter(has_text="connect")).to_be_visible()


async def test_messages_are_filtered_and_shown_raw(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        place.call("GetConfiguration", key=["HeartbeatInterval"])
        await expect(button(page, "GetConfiguration")).to_be_visible()
        await page.get_by_label("From").select_option("the central system")
        await expect(button(page, "BootNotification")).to_have_count(0)
        await page.get_by_label("From").select_option("both")
        await page.get_by_label("Filter").fill("chargePointVendor")
        await expect(button(page, "GetConfiguration")).to_have_count(0)
        await button(page, "BootNotification").click()
        await button(page, "Raw").click()
        frames = await page.locator(".frames pre").all_inner_texts()
        call, answer = (json.loads(frame) for frame in frames)
        assert (call[0], call[2], answer[0], answer[1]) == (2, "BootNotification", 3, call[1])
        assert answer[2]["status"] == "Accepted"


async def test_a_call_of_the_central_system_cannot_be_resent(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        place.call("GetConfiguration", key=["HeartbeatInterval"])
        await button(page, "GetConfiguration").click()
        await expect(button(page, "Copy")).to_be_visible()
        await expect(button(page, "Edit and resend")).to_have_count(0)


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_a_key_is_changed(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await open_tab(page, "Keys")
        await page.get_by_label("Filter").fill("heartbeat")
        await page.get_by_label("HeartbeatInterval").fill("77")
        await button(page, "Save").click()
        await expect(page.locator(".notice")).to_contain_text("Accepted")
        await expect(button(page, "Save")).to_have_count(0)
        entry = place.charger.model.settings.entry("HeartbeatInterval")
        assert entry is not None
        assert entry.value == "77"


async def test_a_key_says_why_it_takes_no_value(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await open_tab(page, "Keys")
        await page.get_by_label("HeartbeatInterval").fill("often")
        await button(page, "Save").click()
        notice, field = page.locator(".notice"), page.get_by_label("HeartbeatInterval")
        await expect(notice).to_contain_text("Rejected")
        await expect(notice).to_have_class(re.compile("is-bad"))
        await expect(field).to_have_value("often")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(re.compile("^Not taken: "))
        await expect(page.get_by_label("NumberOfConnectors")).to_have_count(0)
        await field.fill("often enough")
        await expect(field).to_have_attribute("aria-invalid", "false")


@pytest.mark.parametrize("place_in_view", ["start", "end"])
async def test_what_is_said_of_a_key_does_not_cover_it(show: Open, place_in_view: str) -> None:
    async with hall() as place:
        page = await show(place.url, width=360, height=640)
        await open_tab(page, "Keys")
        field = page.get_by_label("ConnectionTimeOut")
        await field.fill("soon")
        await field.evaluate("(field, block) => field.scrollIntoView({ block })", place_in_view)
        await field.press("Enter")
        await expect(page.locator(".notice p")).to_contain_text("Rejected")
        above, row = await page.locator(".notice p").bounding_box(), await field.bounding_box()
        assert above is not None
        assert row is not None
        assert above["y"] + above["height"] <= row["y"] or row["y"] + row["height"] <= above["y"]


async def test_a_key_that_needs_a_reboot_says_so(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url, answers={"**/key-set": {"status": "RebootRequired", "reason": ""}})
        await open_tab(page, "Keys")
        await page.get_by_label("HeartbeatInterval").fill("77")
        await button(page, "Save").click()
        await expect(page.locator(".notice")).to_have_text("RebootRequired: takes effect after a reboot")
        await expect(page.locator(".notice")).not_to_have_class(re.compile("is-bad"))
        await expect(page.get_by_label("HeartbeatInterval")).to_have_accessible_description(
            "Takes effect after a reboot."
        )


# --- charging profiles ------------------------------------------------------------------------------------------------


async def test_the_stack_of_profiles_is_drawn(show: Open) -> None:
    async with hall() as place:
        limit_for(place, 6.0, 7200)
        page = await show(place.url)
        await open_tab(page, "Charging profiles")
        lanes = page.get_by_role("img", name="Limits over the next 24 hours")
        await expect(lanes).to_be_visible()
        await expect(page.locator(".limit-text")).to_have_text(["6 A", "10 A"])
        await expect(page.locator(".lanes").get_by_text("now", exact=True)).to_be_visible()
        low, high = [await each.bounding_box() for each in await page.locator("rect.limit").all()]
        assert low is not None
        assert high is not None
        assert low["width"] * 11 == pytest.approx(high["width"], rel=0.1)  # two hours of 24
        assert low["height"] / high["height"] == pytest.approx(0.6, rel=0.1)
        await expect(page.get_by_role("row", name="TxDefaultProfile 3")).to_contain_text("+2:00 10 A")


# --- the queue --------------------------------------------------------------------------------------------------------


async def test_what_waits_is_shown_until_it_is_delivered(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Network down").click()
        await start_charge(page)
        await open_tab(page, "Queue")
        row = page.get_by_role("row", name="StartTransaction")
        await expect(row).to_be_visible()
        await row.get_by_role("button", name="show content of StartTransaction").click()
        await expect(row.get_by_text('"meterStart": 0')).to_be_visible()
        await button(page, "Network up").click()
        await expect(row).to_have_count(0)


@pytest.mark.parametrize(("name", "is_kept"), [("Send again", True), ("Dismiss", False)])
async def test_what_was_given_up_is_settled(show: Open, name: str, is_kept: bool) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Network down").click()
        await expect(page.get_by_role("banner").get_by_text("Network down")).to_be_visible()
        await start_charge(page)
        queue = place.charger.model.queue
        first = next(iter(queue))
        queue.give_up(first)
        await open_tab(page, "Queue")
        given_up = page.get_by_role("table", name="Messages that were given up")
        await expect(given_up.get_by_role("row", name="StartTransaction")).to_be_visible()
        await button(page, name).click()
        await expect(given_up).to_have_count(0)
        assert not queue.undelivered
        assert ("StartTransaction" in {each.action for each in queue}) == is_kept


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_fault_is_raised_and_cleared(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await open_tab(page, "Faults")
        switch = page.get_by_role("switch", name="Over temperature")
        await expect(switch).to_have_attribute("aria-checked", "false")
        await switch.click()
        await shows(page, "Faulted")
        await expect(switch).to_have_attribute("aria-checked", "true")
        await expect(page.locator(".trouble")).to_contain_text("HighTemperature")
        assert place.charger.model.connector(1).condition()[1] == "HighTemperature"
        await page.reload()
        await expect(switch).to_have_attribute("aria-checked", "true")
        await switch.click()
        await shows(page, "Available")
        await expect(page.locator(".trouble")).to_have_count(0)


async def test_a_fault_that_only_the_plug_keeps_says_so(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await button(page, "Plug in").click()
        await open_tab(page, "Faults")
        switch = page.get_by_role("switch", name="Ground fault")
        await switch.click()
        await expect(page.locator(".trouble")).to_contain_text("GroundFailure")
        await expect(page.locator(".trouble")).not_to_contain_text("unplug")
        await switch.click()
        await expect(page.locator(".trouble")).to_contain_text("unplug to clear")
        await button(page, "Unplug").click()
        await expect(page.locator(".trouble")).to_have_count(0)


async def test_a_latched_fault_is_cleared_by_confirming_the_repair(show: Open) -> None:
    """A welded contactor is latched until service: removing its cause is not enough."""
    async with hall() as place:
        page = await show(place.url)
        connector = place.charger.model.connector(1)
        connector.trouble(Trouble.CONTACTOR_WELDED, True, place.charger.tell_time())
        connector.trouble(Trouble.CONTACTOR_WELDED, False, place.charger.tell_time())
        place.charger.settle()
        await shows(page, "Faulted")
        await open_tab(page, "Faults")
        await button(page, "Confirm repair").click()
        await shows(page, "Available")
        await expect(button(page, "Confirm repair")).to_have_count(0)


# --- statistics -------------------------------------------------------------------------------------------------------

USAGE = {"sessions": 2, "energy_wh": 31_400, "in_use_s": 9000.0, "charging_s": 7300.0}
SESSION = {
    "number": 1,
    "connector": 1,
    "tag": "04…C3",
    "transaction_id": 2,
    "started": "2026-01-01T10:00:00Z",
    "ended": "2026-01-01T11:00:00Z",
    "energy_wh": 11_040,
    "in_use_s": 3600.0,
    "charging_s": 3600.0,
    "reason": "Local",
}


async def test_statistics_are_there_where_the_charger_keeps_them(show: Open) -> None:
    async with hall() as place:
        paths: dict[str, object] = {f"/api/v1/chargers/{{charger}}/{verb}": {} for verb in ("statistics", "sessions")}
        answers = {
            "**/openapi.json": {"paths": paths},
            "**/CP1/statistics": {"total": USAGE, "days": [{"day": "2026-01-01", **USAGE}]},
            "**/CP1/sessions": {"sessions": [SESSION]},
        }
        page = await show(place.url, answers=answers)
        await open_tab(page, "Statistics")
        await expect(page.get_by_text("31.4 kWh").first).to_be_visible()
        await expect(page.get_by_role("row", name="2026-01-01 11:00:00")).to_contain_text("11.04 kWh")


async def test_statistics_are_hidden_where_nobody_keeps_them(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url, answers={"**/openapi.json": {"paths": {}}})
        await shows(page, "Available")
        await expect(page.get_by_role("tab", name="Statistics")).to_have_count(0)
