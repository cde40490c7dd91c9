"""What one does at the box, by mouse and by keyboard, and what the page then shows."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from chargepoint.runtime.control.admission import Admission
from tests.browser.hall import hall
from tests.browser.hands import TAG, Open, button, limit_for, shows, start_charge
from tests.runtime.desk import swipe, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_STEPS = 60
"""Of the Tab key, through the whole page."""


async def test_a_whole_charge_by_clicking(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await shows(page, "Available")
        await expect(page.locator("#reason")).to_have_text("Nothing offered, no transaction")
        await start_charge(page)
        await expect(page.locator("#power")).to_have_text("11.04")
        await expect(page.locator("#pilot")).to_have_text("C2")
        await expect(page.locator("#reason")).to_have_text("16 A offered, rated current of the outlet")
        await expect(page.locator("#energy")).not_to_have_text("0.000 kWh")
        await expect(page.get_by_text("04…C3", exact=True)).to_be_visible()
        await expect(page.get_by_role("img", name="Now 11.04 kW, limit 11.04 kW")).to_be_visible()
        await button(page, "Swipe card").click()
        await shows(page, "Finishing")
        await button(page, "Unplug").click()
        await shows(page, "Available")
        await expect(page.locator("#energy")).to_have_text("–")
        await until(lambda: not place.transactions()[0].is_running, "the end of the transaction")
        (transaction,) = place.transactions()
        assert (transaction.id_tag, transaction.reason) == (TAG, "Local")
        assert transaction.energy_wh > 0


async def test_what_a_charge_costs_is_shown_as_it_is_told(show: Open) -> None:
    """California pricing: the amount of the last RunningCost, on the page and on the box's own screen."""
    async with hall(keys={"CustomDisplayCostAndPrice": "true"}) as place:
        page = await show(place.url)
        await start_charge(page)
        await expect(page.locator("#cost")).to_have_count(0)
        number = place.charger.model.connector(1).transaction
        assert number is not None
        await until(lambda: number.transaction_id is not None, "the number of the transaction")
        told = json.dumps({"transactionId": number.transaction_id, "cost": 1.5, "state": "Charging"})
        vendor = "org.openchargealliance.costmsg"
        place.call("DataTransfer", vendorId=vendor, messageId="RunningCost", data=told)
        await expect(page.locator("#cost")).to_have_text("1.500 so far")
        screen = await show(f"{place.url}/display")
        await expect(screen.locator("#cost")).to_have_text("1.500 so far")


async def test_only_what_is_possible_now_can_be_clicked(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await expect(button(page, "Plug in")).to_be_visible()
        await expect(button(page, "Unplug")).to_have_count(0)
        await expect(page.get_by_role("group", name="The car")).to_have_count(0)
        await button(page, "Plug in").click()
        await expect(button(page, "Unplug")).to_be_visible()
        await expect(button(page, "Plug in")).to_have_count(0)
        await expect(page.get_by_role("group", name="The car")).to_be_visible()


async def test_real_hardware_pretends_nothing(show: Open) -> None:
    async with hall() as place:
        for ports in place.charger.board.outlets:
            ports.hands = None
        place.charger.board.is_simulated = False
        page = await show(place.url)
        await expect(button(page, "Swipe card")).to_be_visible()
        await expect(button(page, "Network down")).to_be_visible()
        for name in ("Plug in", "Unplug", "Power loss"):
            await expect(button(page, name)).to_have_count(0)
        await expect(page.get_by_role("tab", name="Faults")).to_have_count(0)


async def test_the_car_rests_and_takes_less(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await start_charge(page)
        await page.get_by_text("Bound what it takes").click()
        await page.get_by_label("At most, A").fill("8")
        await page.get_by_label("Phases").select_option("1")
        await button(page, "Apply").click()
        await expect(page.locator("#power")).to_have_text(re.compile(r"^1\.8\d$"))
        await button(page, "B Rest").click()
        await shows(page, "Paused by the car")


async def test_network_and_mains_go_and_come_back(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        connection = page.get_by_role("banner").get_by_role("status")
        await expect(connection).to_have_text("Connected")
        await button(page, "Network down").click()
        await expect(connection).to_have_text("Network down")
        await button(page, "Network up").click()
        await expect(connection).to_have_text("Connected")
        lives = place.central.chargers["CP1"].connections
        await button(page, "Power loss").click()
        await until(lambda: place.central.chargers["CP1"].connections > lives, "the next life")
        await expect(connection).to_have_text("Connected")


async def test_why_no_more_is_offered_and_until_when(show: Open) -> None:
    async with hall() as place:
        limit_for(place, 6.0, 3600)
        page = await show(place.url)
        await start_charge(page)
        reason = page.locator("#reason")
        await expect(reason).to_contain_text("Limited to 6 A by TxDefaultProfile 3 until ")
        bound = (await state_of(page))["connectors"][0]["bounds"][0]
        assert (await reason.inner_text()).endswith(bound["until"][11:16])
        await expect(page.locator("#power")).to_have_text(re.compile(r"^4\.1"))


async def state_of(page: Page) -> dict[str, list[dict[str, list[dict[str, str]]]]]:
    found: dict[str, list[dict[str, list[dict[str, str]]]]] = await page.evaluate(
        "fetch('/api/v1/chargers/CP1/state').then((answer) => answer.json())"
    )
    return found


async def test_connectors_are_chosen(show: Open) -> None:
    async with hall("ac22-sim-duo") as place:
        page = await show(place.url)
        await page.get_by_role("button", name="Connector 2").click()
        await button(page, "Plug in").click()
        await shows(page, "Preparing")
        assert (place.status(1), place.status(2)) == ("Available", "Preparing")
        await page.get_by_role("button", name="Connector 1").click()
        await shows(page, "Available")


async def test_the_page_says_when_it_hears_nothing_and_comes_back(show: Open) -> None:
    """The browser takes the stream up where it was: no message is missing, none is there twice."""
    async with hall() as place:
        page = await show(place.url)
        connection = page.get_by_role("banner").get_by_role("status")
        await expect(button(page, "BootNotification")).to_have_count(1)
        await place.front.close()
        await expect(connection).to_have_text("Page offline")
        place.call("TriggerMessage", requestedMessage="Heartbeat")
        await until(lambda: "Heartbeat" in [action for action, _ in place.heard], "a message that nobody sees")
        await place.front.listen(Admission(port=urlsplit(place.url).port or 0))
        await expect(connection).to_have_text("Connected")
        await expect(button(page, "Heartbeat")).to_have_count(1)
        await expect(button(page, "BootNotification")).to_have_count(1)


async def test_an_answer_that_is_no_stream_is_not_the_end(show: Open) -> None:
    """A proxy says 502 while the charger restarts, and a browser gives up for good on that."""
    async with hall() as place:
        page = await show(place.url)
        connection = page.get_by_role("banner").get_by_role("status")
        await expect(connection).to_have_text("Connected")
        refused = 0

        async def refuse(route: Route) -> None:
            nonlocal refused
            refused += 1
            await route.fulfill(status=502, body="bad gateway")

        await page.route("**/api/v1/events?**", refuse)
        await place.front.close()
        await expect(connection).to_have_text("Page offline")
        await until(lambda: refused > 0, "the browser to ask again")
        await place.front.listen(Admission(port=urlsplit(place.url).port or 0))
        await page.unroute("**/api/v1/events?**")
        await expect(connection).to_have_text("Connected")
        await expect(button(page, "BootNotification")).to_have_count(1)


async def test_a_token_opens_the_page_and_leaves_the_address(show: Open) -> None:
    async with hall(admission=Admission(port=0, token="0123456789abcdef")) as place:
        page = await show(f"{place.url}/?token=0123456789abcdef")
        await shows(page, "Available")
        assert "token" not in page.url
        await start_charge(page)


async def test_what_is_stale_does_not_look_live(show: Open) -> None:
    """Values as of when, and nothing to click that could not be done."""
    async with hall() as place:
        page = await show(place.url)
        await start_charge(page)
        await page.get_by_role("tab", name="Faults").click()
        switch = page.get_by_role("switch", name="Ground fault")
        await expect(switch).to_be_enabled()
        await expect(page.locator("#as-of")).to_have_count(0)
        await place.front.close()
        await expect(page.locator("#as-of")).to_have_text(re.compile(r"^as of \d\d:\d\d:\d\d$"))
        for each in (button(page, "Unplug"), button(page, "Swipe card"), page.get_by_label("Card number"), switch):
            await expect(each).to_be_disabled()
        await place.front.listen(Admission(port=urlsplit(place.url).port or 0))
        await expect(page.locator("#as-of")).to_have_count(0)
        await expect(button(page, "Unplug")).to_be_enabled()
        await expect(switch).to_be_enabled()


async def test_a_box_that_is_down_gives_nothing(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await start_charge(page)
        await expect(page.locator("#power")).to_have_text("11.04")
        place.charger.cut_power(3000.0)
        await expect(page.get_by_text("Box is down", exact=True)).to_be_visible()
        await shows(page, "Unavailable")
        await expect(page.locator("#power")).to_have_text("0.00")
        await expect(page.locator("#pilot")).to_have_text("B1")
        await expect(page.locator("#reason")).to_have_text("Nothing offered, the box is down")
        await expect(page.get_by_text("open", exact=True)).to_be_visible()
        await expect(button(page, "Swipe card")).to_have_count(0)


PLACE = "(element) => element.getBoundingClientRect().top + scrollY"


async def test_the_figure_stays_where_it_is(show: Open) -> None:
    """Neither a car nor a fault moves it."""
    async with hall() as place:
        page = await show(place.url, width=1440)
        await shows(page, "Available")
        figure = page.locator("#power")
        where = await figure.evaluate(PLACE)
        await button(page, "Plug in").click()
        await expect(page.get_by_role("group", name="The car")).to_be_visible()
        assert await figure.evaluate(PLACE) == where
        await page.get_by_role("tab", name="Faults").click()
        session = page.locator(".session")
        below = await session.evaluate(PLACE)
        await page.get_by_role("switch", name="Over temperature").click()
        await expect(page.locator(".trouble")).to_be_visible()
        assert await figure.evaluate(PLACE) == where
        assert await session.evaluate(PLACE) == below


# --- cards ------------------------------------------------------------------------------------------------------------


async def test_what_became_of_a_card_is_said(show: Open) -> None:
    async with hall() as place:
        place.central.cards.accept_unknown = False
        page = await show(place.url)
        notice = page.locator(".notice")
        await button(page, "Plug in").click()
        await shows(page, "Preparing")
        swipe(place.charger, "STRANGER")
        await expect(notice).to_have_text("Card ST…ER refused: Invalid")
        await expect(notice).to_have_class(re.compile("is-bad"))
        await expect(notice).to_have_attribute("role", "alert")
        place.central.cards.accept_unknown = True
        swipe(place.charger, TAG)
        await expect(notice).to_have_text("Card 04…C3: accepted")
        await expect(notice).not_to_have_class(re.compile("is-bad"))
        await shows(page, "Charging")
        swipe(place.charger, TAG)
        await expect(notice).to_have_text("Card 04…C3: stops connector 1")
        await page.reload()
        await shows(page, "Finishing")
        await expect(notice.locator("p")).to_have_count(0)


async def test_a_card_number_is_no_prose(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        assert await page.get_by_label("Card number").evaluate("(field) => field.spellcheck") is False
        await page.get_by_role("tab", name="Keys").click()
        assert await page.get_by_label("HeartbeatInterval").evaluate("(field) => field.spellcheck") is False


# --- the chart --------------------------------------------------------------------------------------------------------


async def test_the_chart_knows_the_charges_of_before(show: Open) -> None:
    """The default MeterValuesSampledData tells energy only: power is what was gained in between."""
    async with hall(
        keys={"MeterValuesSampledData": "Energy.Active.Import.Register", "MeterValueSampleInterval": "60"}
    ) as place:
        page = await show(place.url)
        await expect(page.get_by_text("No charge yet")).to_be_visible()
        await start_charge(page)
        await expect(page.get_by_text("No charge yet")).to_have_count(0)
        await until(lambda: [action for action, _ in place.heard].count("MeterValues") > 2, "meter values")
        await button(page, "Swipe card").click()
        await button(page, "Unplug").click()
        await shows(page, "Available")
        await until(lambda: not place.transactions()[0].is_running, "the end of the transaction")
        await page.reload()
        await expect(
            page.get_by_role("img", name=re.compile(r"Now 0\.00 kW.*: (9|1[0-3])\.\d\d kW\.$"))
        ).to_be_visible()
        await expect(page.get_by_text("No charge yet")).to_have_count(0)


POWERS = """async ([messages, connector, now]) => {
    const { powers, readings } = await import("/static/js/past.js");
    const told = messages.map(([action, call, answer]) => (
        { isOurs: true, action, call: JSON.stringify(call), answer: JSON.stringify(answer) }));
    const live = { wh: connector.register, kw: connector.kw ?? null };
    const points = powers(readings(told.toReversed(), connector, now, 10), now, live, 10);
    return points.map(([at, kw]) => [Math.round(at), kw === null ? null : Math.round(kw * 100) / 100]);
}"""
IDLE = {"connector": 1, "charge": None, "register": None}
START = [
    "StartTransaction",
    {"connectorId": 1, "meterStart": 100, "timestamp": "1970-01-01T00:00:00Z"},
    {"transactionId": 7},
]
STOP = ["StopTransaction", {"transactionId": 7, "meterStop": 1200, "timestamp": "1970-01-01T00:10:00Z"}, {}]


def told_at(second: int, **values: float) -> list[Any]:
    """A MeterValues of transaction 7, of ``energy`` in Wh or ``power`` in W."""
    names = {"energy": "Energy.Active.Import.Register", "power": "Power.Active.Import"}
    sampled = [{"measurand": names[name], "value": str(value)} for name, value in values.items()]
    timestamp = f"1970-01-01T00:{second // 60:02}:{second % 60:02}Z"
    call = {"connectorId": 1, "transactionId": 7, "meterValue": [{"timestamp": timestamp, "sampledValue": sampled}]}
    return ["MeterValues", call, {}]


@pytest.mark.parametrize(
    ("messages", "connector", "points"),
    [
        pytest.param(
            [START, told_at(300, energy=1100), STOP],
            IDLE,
            [[0, 12.0], [300, 12.0], [300, 1.2], [600, 1.2], [600, 0], [900, 0]],
            id="steps between registers, and nothing after the end",
        ),
        pytest.param(
            [START, told_at(300, power=11000), told_at(360, power=9000), STOP],
            IDLE,
            [[0, None], [0, None], [300, 11.0], [360, 9.0], [360, None], [600, 0], [900, 0]],
            id="a gap where neither power nor energy is known",
        ),
        pytest.param(
            [START, told_at(300, power=11000, energy=1000), told_at(599, power=11000, energy=1100), STOP],
            IDLE,
            [[0, 10.8], [300, 10.8], [300, 11.0], [599, 11.0], [599, None], [600, 0], [900, 0]],
            id="registers close to each other make no peak",
        ),
        pytest.param(
            [START, STOP, STOP], IDLE, [[0, 6.6], [600, 6.6], [600, 0], [900, 0]], id="start and stop alone"
        ),
        pytest.param(
            [],
            {
                "connector": 1,
                "charge": {"started": "1970-01-01T00:00:00Z", "meter_start_wh": 0, "transaction_id": None},
                "register": 1000,
            },
            [[0, 4.0], [900, 4.0]],
            id="a charge whose messages wait",
        ),
        pytest.param(
            [START, told_at(840, energy=2440)],
            {"connector": 1, "charge": None, "register": 2520, "kw": 10.0},  # the register is a look old
            [[0, 10.03], [840, 10.03], [840, 10.0], [900, 10.0]],
            id="the last stretch is what the meter says now",
        ),
        pytest.param(
            [told_at(300, energy=100), told_at(360, energy=50)], IDLE, [[300, None], [300, None], [360, None]],
            id="a register that runs back",
        ),
    ],
)  # fmt: skip
async def test_power_is_told_from_what_is_known(
    show: Open, messages: list[Any], connector: dict[str, Any], points: list[Any]
) -> None:
    async with hall() as place:
        page = await show(place.url)
        assert await page.evaluate(POWERS, [messages, connector, 900]) == points


# --- without a mouse --------------------------------------------------------------------------------------------------

FOCUSED = """() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return { name: element.ariaLabel || element.labels?.[0]?.innerText || element.innerText,
             isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
}"""


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of this name has the focus; it must show that it has."""
    for _ in range(MOST_STEPS):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if (focused["name"] or "").strip() == name:
            assert focused["isMarked"], f"nothing shows that {name} has the focus"
            return
    raise AssertionError(f"Tab does not lead to {name}")


async def test_a_whole_charge_by_keyboard_alone(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await shows(page, "Available")
        await tab_to(page, "Plug in")
        await page.keyboard.press("Enter")
        await shows(page, "Preparing")
        await tab_to(page, "Card number")
        await page.keyboard.press("ControlOrMeta+a")
        await page.keyboard.type(TAG)
        await page.keyboard.press("Enter")
        await shows(page, "Charging")
        await page.keyboard.press("Enter")
        await shows(page, "Finishing")
        await tab_to(page, "Unplug")
        await page.keyboard.press("Space")
        await shows(page, "Available")
        await until(lambda: not place.transactions()[0].is_running, "the end of the transaction")


async def test_tabs_are_walked_with_arrows(show: Open) -> None:
    async with hall() as place:
        page = await show(place.url)
        await page.get_by_role("tab", name="Messages").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tab", name="Keys")).to_be_focused()
        await expect(page.get_by_role("tab", name="Keys")).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Home")
        await page.keyboard.press("ArrowLeft")
        await expect(page.get_by_role("tab", name="Statistics")).to_be_focused()
