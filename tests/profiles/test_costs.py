"""Prices and costs on the display: the California pricing extension (handbook, costs)."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from chargepoint.model.cost import ChargingPrice, CostDisplay, CostState, PriceText
from chargepoint.model.journal import CostShown
from chargepoint.model.outbox import Save
from chargepoint.model.timebase import utc_text
from profiles.costs.bills import KEPT_PRICES, TOTAL_SHOWN_S
from profiles.costs.display import Display
from profiles.costs.idle_fee import IdleFee
from tests.world import EPOCH_UTC_S, ERROR, SILENCE, World

VENDOR = "org.openchargealliance.costmsg"
ON = {"CustomDisplayCostAndPrice": "true"}
IDLE_FEE = {**ON, "CustomIdleFeeAfterStop": "true"}
LANGUAGES = {**ON, "CustomMultiLanguageMessages": "true", "SupportedLanguages": "en, de, es-MX"}

ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}
UNREADABLE = {"status": "Rejected", "data": "json parsing failed"}


@pytest.fixture
def shop() -> World:
    """A box with a display for costs, booted and accepted."""
    return World(keys=ON)


@pytest.fixture
def parking() -> World:
    """One that promises ConnectorUnplugged too."""
    return World(keys=IDLE_FEE)


@pytest.fixture
def twins() -> World:
    """Two sockets, in front of a central system that calls every transaction 7."""
    world = World(board="ac22-sim-duo", keys=IDLE_FEE)
    world.peer.answers["StartTransaction"] = lambda _p: {"idTagInfo": {"status": "Accepted"}, "transactionId": 7}
    return world


def tell(world: World, message: str, /, data: str | None = None, **fields: Any) -> Any:
    """Let the central system send a cost message; return the answer."""
    text = json.dumps(fields) if data is None else data
    return world.ask("DataTransfer", vendorId=VENDOR, messageId=message, data=text)


def running(world: World, cost: float = 1.33, **more: Any) -> Any:
    return tell(world, "RunningCost", transactionId=1, cost=cost, **more)


def final(world: World, cost: float = 4.12, **more: Any) -> Any:
    return tell(world, "FinalCost", transactionId=1, cost=cost, **more)


def triggered(world: World, **trigger: Any) -> World:
    """Charge, and let a RunningCost ask for meter values."""
    assert running(world, triggerMeterValue=trigger) == ACCEPTED
    return world.forget()


def shown(world: World, connector: int = 1) -> CostDisplay:
    display: CostDisplay = world.feature(Display).at(connector, world.now_s)
    return display


def sight(world: World, connector: int = 1) -> tuple[str, str, str]:
    """State, amount and text on a display."""
    display = shown(world, connector)
    return display.state.value, "" if display.amount is None else str(display.amount), display.text


def change(world: World, key: str, value: str) -> str:
    return str(world.ask("ChangeConfiguration", key=key, value=value)["status"])


def default_price(world: World, **fields: Any) -> World:
    assert change(world, "DefaultPrice", json.dumps(fields)) == "Accepted"
    return world


def value(world: World, key: str) -> Any:
    """What GetConfiguration tells of a key; "" for one without a value, None for one that is not there."""
    answer = world.ask("GetConfiguration", key=[key])
    return answer["configurationKey"][0].get("value", "") if answer.get("configurationKey") else None


def others(world: World) -> list[list[str]]:
    """What measurands the MeterValues with context Other told, phases aside; each must name its transaction."""
    found = []
    for payload in world.calls("MeterValues"):
        sampled = payload["meterValue"][0]["sampledValue"]
        if sampled[0]["context"] == "Other":
            assert payload["transactionId"] == 1
            found.append([each["measurand"] for each in sampled if "phase" not in each])
    return found


ENERGY = ["Energy.Active.Import.Register"]
ENERGY_AND_POWER = [*ENERGY, "Power.Active.Import"]


# --- switched on and off ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [{}, {"CustomDisplayCostAndPrice": "false"}])
def test_without_the_switch_the_vendor_is_unknown(keys: dict[str, str]) -> None:
    """CustomDisplayCostAndPrice false or absent: UnknownVendorId (handbook, costs 2)."""
    world = World(keys=keys)
    assert tell(world, "SetUserPrice", idToken="A1") == {"status": "UnknownVendorId"}
    assert value(world, "CustomDisplayCostAndPrice") == "false"
    assert value(world, "DefaultPrice") is None, "what would have no effect is not there"
    assert change(world, "CustomDisplayCostAndPrice", "true") == "Rejected"


def test_a_charger_without_costs_pays_nothing_for_them(world: World) -> None:
    """Thousands of chargers: nobody is asked whether a card waits, or what a vendor's message means."""
    listening = world.model.roster.listening
    assert (listening["waits_s"], listening["news_came"][1:], listening["data_transfer"]) == ((), (), ())


def test_costs_are_no_feature_profile(shop: World) -> None:
    """SupportedFeatureProfiles lists those of the standard (9.1.29); CustomDisplayCostAndPrice is read-only (costs 4)."""
    assert "ost" not in value(shop, "SupportedFeatureProfiles")
    assert value(shop, "CustomDisplayCostAndPrice") == "true"
    assert change(shop, "CustomDisplayCostAndPrice", "false") == "Rejected"


# --- answers ----------------------------------------------------------------------------------------------------------


def test_another_message_of_the_vendor_is_unknown(shop: World) -> None:
    """vendor right, other messageId: UnknownMessageId (handbook, costs 2)."""
    assert tell(shop, "ConnectorUnplugged", transactionId=1) == {"status": "UnknownMessageId"}
    assert shop.ask("DataTransfer", vendorId=VENDOR) == {"status": "UnknownMessageId"}
    assert shop.ask("DataTransfer", vendorId="com.example", messageId="FinalCost") == {"status": "UnknownVendorId"}


def test_names_are_case_insensitive(shop: World) -> None:
    """vendorId and messageId are CiString (OCPP 1.6 6.15)."""
    answer = shop.ask("DataTransfer", vendorId=VENDOR.upper(), messageId="setuserprice", data='{"idToken":"A1"}')
    assert answer == ACCEPTED


@pytest.mark.parametrize("message", ["SetUserPrice", "RunningCost", "FinalCost"])
def test_without_data_it_is_rejected(shop: World, message: str) -> None:
    """no `data`: Rejected (handbook, costs 2)."""
    assert shop.ask("DataTransfer", vendorId=VENDOR, messageId=message) == REJECTED


@pytest.mark.parametrize("message", ["SetUserPrice", "RunningCost", "FinalCost"])
@pytest.mark.parametrize("data", ["", "cost: 1", "[]", '{"idToken":1,"transactionId":"x","cost":"1"}'])
def test_what_cannot_be_read_says_so(shop: World, message: str, data: str) -> None:
    """`data` is not JSON, wrong types: Rejected, `data` "json parsing failed" (handbook, costs 2)."""
    assert tell(shop.charge(), message, data) == UNREADABLE
    assert sight(shop) == ("Price", "", "")


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("SetUserPrice", {"priceText": "x"}),
        ("RunningCost", {"cost": 1}),
        ("RunningCost", {"transactionId": 1}),
        ("FinalCost", {"cost": 1}),
        ("FinalCost", {"transactionId": 1}),
    ],
)
def test_what_lacks_something_is_rejected(shop: World, message: str, fields: dict[str, Any]) -> None:
    """SetUserPrice without idToken, Running/FinalCost without transactionId or cost: Rejected (handbook, costs 2)."""
    assert tell(shop.charge(), message, **fields) == REJECTED


@pytest.mark.parametrize("message", ["RunningCost", "FinalCost"])
def test_a_foreign_transaction_is_rejected_and_leaves_no_trace(shop: World, message: str) -> None:
    """unknown or foreign transactionId: Rejected, no data, nothing shown, no trigger armed (handbook, costs 2)."""
    assert tell(shop, message, transactionId=1, cost=1) == REJECTED, "before anything ran"
    shop.charge()
    trigger = {"atPowerkW": 1, "atEnergykWh": 0}
    assert tell(shop, message, transactionId=99, cost=1, triggerMeterValue=trigger) == REJECTED
    assert sight(shop) == ("Price", "", "")
    assert others(shop.run(30)) == []


def test_a_cost_that_fits_two_is_shown_at_none(twins: World, caplog: pytest.LogCaptureFixture) -> None:
    """transactionId fits two running transactions: Rejected + WARNING (handbook, costs 2)."""
    twins.charge("A1", 1).charge("B1", 2)
    with caplog.at_level(logging.WARNING):
        assert tell(twins, "RunningCost", transactionId=7, cost=1) == REJECTED
        assert tell(twins, "FinalCost", transactionId=7, cost=1) == REJECTED
    assert "fits connectors 1, 2" in caplog.text
    assert sight(twins, 1) == sight(twins, 2) == ("Price", "", "")


def test_what_is_over_does_not_stand_in_the_way_of_what_runs(twins: World) -> None:
    """Ended transactions never match where one is running (transactions 1, "Ambiguous id")."""
    twins.charge("A1", 1).tap("A1").run(10).charge("B1", 2)
    assert tell(twins, "RunningCost", transactionId=7, cost=2) == ACCEPTED
    assert [sight(twins, number)[1] for number in (1, 2)] == ["", "2.000"]
    assert tell(twins, "FinalCost", transactionId=7, cost=1) == REJECTED, "it may be meant for either"


def test_a_total_goes_to_the_one_that_waits_for_it(twins: World) -> None:
    """FinalCost after the stop: for the last ended transaction of a connector (handbook, costs 2)."""
    twins.charge("A1", 1).tap("A1").run(10)
    assert tell(twins, "FinalCost", transactionId=7, cost=1) == ACCEPTED
    twins.unplug(1).charge("B1", 2).tap("B1").run(10)
    assert tell(twins, "FinalCost", transactionId=7, cost=2) == ACCEPTED
    assert sight(twins, 2) == ("Finished", "2.000", "")


def test_a_running_cost_after_the_stop_is_rejected(shop: World) -> None:
    """RunningCost after the stop: only while the idle fee runs, else Rejected (handbook, costs 2)."""
    shop.charge().tap("A1").run(10)
    assert running(shop) == REJECTED


def test_a_running_cost_after_the_stop_tells_the_idle_fee(parking: World) -> None:
    """RunningCost after the stop: Accepted only while the idle fee runs, still plugged (handbook, costs 2)."""
    parking.charge().tap("A1").run(10)
    assert running(parking, 2, state="Idle", triggerMeterValue={"atPowerkW": 0, "atEnergykWh": 0}) == ACCEPTED
    assert sight(parking) == ("Idle", "2.000", "")
    assert others(parking.run(60)) == [], "all triggers go with the transaction (costs 3)"
    parking.unplug().run(1)
    assert running(parking) == REJECTED


def test_a_total_is_taken_until_the_next_one_begins(shop: World) -> None:
    """FinalCost after the stop: Accepted until the next one begins there (handbook, costs 2)."""
    shop.charge().tap("A1").run(10)
    assert final(shop, 1) == ACCEPTED
    assert final(shop, 2) == ACCEPTED, "corrected"
    shop.unplug().run(1)
    assert final(shop, 3) == ACCEPTED
    shop.charge("B1")
    assert final(shop) == REJECTED


def test_a_total_may_come_before_the_stop(shop: World) -> None:
    """FinalCost for a running transaction ([L] knows only those); a later RunningCost says that it goes on."""
    assert final(shop.charge()) == ACCEPTED
    assert shown(shop).state is CostState.FINISHED
    assert running(shop, 5) == ACCEPTED
    assert sight(shop) == ("Charging", "5.000", "")


# --- the price of a driver --------------------------------------------------------------------------------------------


def test_a_price_waits_for_its_driver(shop: World) -> None:
    """idToken without transaction: Accepted, kept for the coming one (handbook, costs 2); case does not count (1.1)."""
    default_price(shop, priceText="EUR 0.49/kWh")
    assert tell(shop, "SetUserPrice", idToken="a1", priceText="EUR 0.39/kWh") == ACCEPTED
    assert sight(shop)[2] == "EUR 0.49/kWh"
    assert sight(shop.tap("A1"))[2] == "EUR 0.39/kWh", "as soon as the driver is known"
    assert sight(shop.plug().run(20))[2] == "EUR 0.39/kWh"
    assert sight(shop.tap("A1").run(10))[2] == "EUR 0.39/kWh"
    assert sight(shop.unplug())[2] == "EUR 0.49/kWh"
    assert sight(shop.charge("A1"))[2] == "EUR 0.49/kWh", "Unplug: clear display and prices of that idToken (5)"


def test_a_price_may_come_late(shop: World) -> None:
    """idToken of a running transaction: Accepted, shown for that transaction (handbook, costs 2)."""
    shop.charge("A1")
    assert tell(shop, "SetUserPrice", idToken="a1", priceText="EUR 0.39/kWh") == ACCEPTED
    assert sight(shop) == ("Price", "", "EUR 0.39/kWh")


def test_a_price_is_only_its_drivers(shop: World) -> None:
    """SetUserPrice: price text for one idToken (handbook, costs 1)."""
    default_price(shop, priceText="EUR 0.49/kWh")
    tell(shop, "SetUserPrice", idToken="B1", priceText="EUR 0.39/kWh")
    assert sight(shop.charge("A1"))[2] == "EUR 0.49/kWh"


def test_prices_of_those_who_never_come_are_forgotten(shop: World) -> None:
    """Kept for the coming one: not for ever, a charger has little memory."""
    for number in range(KEPT_PRICES + 1):
        tell(shop, "SetUserPrice", idToken=f"T{number}", priceText="x")
    assert sight(shop.tap("T0"))[2] == ""
    assert sight(shop.run(70).tap("T1"))[2] == "x"


# --- waiting for the price --------------------------------------------------------------------------------------------


def test_an_accepted_card_waits_for_its_price(shop: World) -> None:
    """Authorize.conf Accepted: wait up to WaitForSetUserPriceTimeout, then go on either way (handbook, costs 5)."""
    shop.configure(WaitForSetUserPriceTimeout=5000)
    shop.plug().forget().tap("A1").run(4)
    assert shop.calls("StartTransaction") == []
    assert len(shop.run(2).calls("StartTransaction")) == 1


def test_the_price_ends_the_wait(shop: World) -> None:
    """The wait must not block answering the CS: SetUserPrice arrives in it (handbook, costs 5)."""
    shop.configure(WaitForSetUserPriceTimeout=30000)
    shop.plug().forget().tap("A1").run(1)
    assert tell(shop, "SetUserPrice", idToken="B1", priceText="x") == ACCEPTED
    assert shop.run(1).calls("StartTransaction") == []
    assert tell(shop, "SetUserPrice", idToken="a1", priceText="y") == ACCEPTED
    assert len(shop.run(1).calls("StartTransaction")) == 1
    assert sight(shop)[2] == "y"
    assert len(shop.run(40).calls("StartTransaction")) == 1
    assert shop.connector().is_charging, "nothing comes of the time-out"


def test_a_price_that_was_there_first_is_not_waited_for(shop: World) -> None:
    """wait for SetUserPrice of that idToken (handbook, costs 5): it has come."""
    shop.configure(WaitForSetUserPriceTimeout=30000)
    tell(shop.plug(), "SetUserPrice", idToken="A1", priceText="y")
    assert len(shop.tap("A1").run(1).calls("StartTransaction")) == 1


def test_a_second_tap_does_not_begin_anew_while_it_waits(shop: World) -> None:
    """One driver, one question."""
    shop.configure(WaitForSetUserPriceTimeout=3000)
    shop.plug().forget().tap("A1").run(1).tap("A1").run(10)
    assert (len(shop.calls("Authorize")), len(shop.calls("StartTransaction"))) == (1, 1)


def test_the_wait_outlives_the_link(shop: World) -> None:
    """then go on either way (handbook, costs 5): the central system has accepted the card."""
    shop.configure(WaitForSetUserPriceTimeout=5000)
    shop.plug().tap("A1").run(1).network(False).run(10)
    assert shop.connector().is_charging


def test_a_card_of_the_cache_does_not_wait(shop: World) -> None:
    """Authorised by list or cache: no wait (handbook, costs 5)."""
    shop.configure(WaitForSetUserPriceTimeout=30000, LocalPreAuthorize="true")
    shop.charge("A1").run(20).tap("A1").run(10).unplug().run(5).forget()
    assert len(shop.plug().tap("A1").run(1).calls("StartTransaction")) == 1


def test_a_refused_card_does_not_wait(shop: World) -> None:
    """Authorize.conf Accepted: wait (handbook, costs 5)."""
    shop.configure(WaitForSetUserPriceTimeout=5000)
    shop.peer.tags["A1"] = {"status": "Blocked"}
    shop.plug().tap("A1").run(1).peer.tags.clear()
    assert shop.run(1).tap("A1").run(20).connector().is_charging


@pytest.mark.parametrize(("told", "answer"), [("0", "Accepted"), ("30000", "Accepted"), ("30001", "Rejected")])
def test_the_wait_has_bounds(shop: World, told: str, answer: str) -> None:
    """WaitForSetUserPriceTimeout: int ms, 0…30000; other values Rejected (handbook, costs 4)."""
    assert change(shop, "WaitForSetUserPriceTimeout", told) == answer
    assert change(shop, "WaitForSetUserPriceTimeout", "-1") == "Rejected"


# --- what a charge costs ----------------------------------------------------------------------------------------------


def test_a_display_follows_a_charge(shop: World) -> None:
    """RunningCost: show cost; Stop: last cost stays until FinalCost; Unplug: clear display (handbook, costs 5)."""
    shop.charge()
    running(shop, 1.3335, timestamp="2026-01-01T00:00:30Z", meterValue=70, chargingPrice={"kWhPrice": 0.39})
    display = shown(shop)
    assert (display.state, display.amount) == (CostState.CHARGING, Decimal("1.334"))
    assert (display.at_utc_s, display.meter_wh) == (EPOCH_UTC_S + 30, 70)
    assert display.charging == ChargingPrice(Decimal("0.390"))
    assert sight(shop.run(300)) == ("Charging", "1.334", ""), "no local cost calculation"
    running(shop, 2, state="Idle")
    assert sight(shop) == ("Idle", "2.000", ""), "show Idle as sent (costs 1.2)"
    shop.tap("A1").run(10)
    assert sight(shop) == ("Idle", "2.000", "")
    final(shop, 4.12, priceText="EUR 4.12", qrCodeText="https://pay.example/r/1")
    assert sight(shop.run(3600)) == ("Finished", "4.120", "EUR 4.12")
    assert shown(shop).qr_code == "https://pay.example/r/1"
    assert sight(shop.unplug()) == ("Price", "", "")


def test_the_log_tells_what_a_charge_costs(shop: World) -> None:
    """Onlookers read the journal: once for everything that changed on the display."""
    default_price(shop, priceText="EUR 0.49/kWh")
    shop.charge()
    running(shop, 1)
    running(shop.run(60), 1)
    running(shop, 2, state="Idle")
    shop.tap("A1").run(10)
    final(shop, 3, priceText="EUR 3")
    shop.unplug().run(60)
    told = [entry for _, entry in shop.journal if isinstance(entry, CostShown)]
    assert told == [
        CostShown(1, "Price", "", "EUR 0.49/kWh"),
        CostShown(1, "Charging", "1.000", "EUR 0.49/kWh"),
        CostShown(1, "Idle", "2.000", "EUR 0.49/kWh"),
        CostShown(1, "Finished", "3.000", "EUR 3"),
        CostShown(1, "Price", "", "EUR 0.49/kWh"),
    ]


def test_digits_are_configured() -> None:
    """NumberOfDecimalsForCostValues: digits of all amounts; R (handbook, costs 4)."""
    world = World(keys={**ON, "NumberOfDecimalsForCostValues": "2"}).charge()
    running(world, 1.335)
    assert sight(world)[1] == "1.34"
    assert change(world, "NumberOfDecimalsForCostValues", "1") == "Rejected"


def test_the_next_period_comes_by_the_clock(shop: World) -> None:
    """nextPeriod: next tariff step (handbook, costs 1.2)."""
    at = utc_text(EPOCH_UTC_S + 600)
    period = {"atTime": at, "chargingPrice": {"kWhPrice": 0.45}}
    running(shop.charge(), 1, chargingPrice={"kWhPrice": 0.39}, nextPeriod=period)
    assert shown(shop).charging == ChargingPrice(Decimal("0.390"))
    assert shown(shop).next_period is not None
    shop.run(600)
    assert shown(shop).charging == ChargingPrice(Decimal("0.450"))
    assert (shown(shop).next_period, shown(shop).amount) == (None, Decimal("1.000"))


def test_offline_the_cost_follows(shop: World) -> None:
    """none comes (offline): "cost follows", never a computed sum (handbook, costs 5)."""
    running(shop.charge(), 1)
    shop.network(False).run(10)
    assert sight(shop) == ("Charging", "1.000", "")
    assert sight(shop.tap("A1").run(10)) == ("Follows", "", "")
    shop.network(True).run(30)
    assert sight(shop) == ("Charging", "1.000", "")
    final(shop, 2)
    assert sight(shop) == ("Finished", "2.000", "")


def test_a_total_that_comes_after_the_plug_is_shown_for_a_while(shop: World) -> None:
    """FinalCost: show total, text, QR code until unplug or timeout (handbook, costs 5)."""
    shop.charge().unplug().run(10)
    assert sight(shop) == ("Price", "", "")
    final(shop, 2)
    assert sight(shop.run(TOTAL_SHOWN_S - 1)) == ("Finished", "2.000", "")
    assert sight(shop.run(1)) == ("Price", "", "")
    assert [e.state for _, e in shop.journal if isinstance(e, CostShown)] == ["Finished", "Price"]


def test_the_next_driver_does_not_see_the_last_ones_total(shop: World) -> None:
    """Clear display (handbook, costs 5): a card is about somebody else's price."""
    shop.charge().unplug().run(10)
    final(shop, 2)
    tell(shop, "SetUserPrice", idToken="B1", priceText="EUR 0.29/kWh")
    assert sight(shop.tap("B1").run(1)) == ("Price", "", "EUR 0.29/kWh")


def test_a_cost_survives_a_power_cut(shop: World) -> None:
    """Restart within a transaction: last RunningCost restored (handbook, costs 5); here the transaction ends with it."""
    shop.configure(DefaultPrice='{"priceText":"EUR 0.49/kWh"}')
    tell(shop, "SetUserPrice", idToken="A1", priceText="EUR 0.39/kWh")
    running(shop.charge(), 1.5)
    shop.cut_power().run(60)
    assert shop.last("StopTransaction")["reason"] == "PowerLoss"
    assert sight(shop) == ("Charging", "1.500", "EUR 0.39/kWh")
    assert running(shop) == REJECTED
    assert final(shop, 2, qrCodeText="q") == ACCEPTED
    shop.cut_power().run(60)
    assert (sight(shop), shown(shop).qr_code) == (("Finished", "2.000", "EUR 0.39/kWh"), "q")
    assert sight(shop.unplug().run(5)) == ("Price", "", "EUR 0.49/kWh")
    assert sight(shop.cut_power().run(60)) == ("Price", "", "EUR 0.49/kWh")


def test_who_left_in_the_dark_leaves_a_clear_display() -> None:
    """Unplug: clear display (handbook, costs 5), also when nobody saw it."""
    world = World(keys=ON, keeps_board=False)
    running(world.charge(), 1.5)
    assert sight(world.cut_power().run(10)) == ("Price", "", "")


def test_a_transaction_that_began_offline_has_a_cost_once_it_is_known(shop: World) -> None:
    """The transactionId comes only with StartTransaction.conf (transactions 1)."""
    shop.configure(AllowOfflineTxForUnknownId="true")
    shop.network(False).charge().network(True).run(30)
    assert running(shop) == ACCEPTED


# --- default price ----------------------------------------------------------------------------------------------------


def test_the_default_price_follows_the_link() -> None:
    """Start-up: offline text; connected: priceText; link lost: priceTextOffline (handbook, costs 5)."""
    price = '{"priceText":"EUR 0.49/kWh","priceTextOffline":"No price now"}'
    world = World(keys={**ON, "DefaultPrice": price}, starts_online=False)
    assert sight(world) == ("Price", "", "No price now")
    assert sight(world.network(True).run(5))[2] == "EUR 0.49/kWh"
    assert sight(world.network(False))[2] == "No price now"
    assert sight(world.network(True).run(5))[2] == "EUR 0.49/kWh"
    told = [entry.text for _, entry in world.journal if isinstance(entry, CostShown)]
    assert told == ["No price now", "EUR 0.49/kWh"] * 2


def test_a_new_default_price_is_shown_at_once(shop: World) -> None:
    """DefaultPrice(Text) changed: show at once (handbook, costs 5)."""
    assert value(shop, "DefaultPrice") == ""
    default_price(shop, priceText="EUR 0.49/kWh")
    assert sight(shop)[2] == "EUR 0.49/kWh"
    assert sight(shop.cut_power().run(5))[2] == "EUR 0.49/kWh"
    assert value(shop, "DefaultPrice") == '{"priceText": "EUR 0.49/kWh"}', "as it was told"


@pytest.mark.parametrize("told", ["EUR 0.49", "{}", '{"priceText":""}', '{"priceText":5}'])
def test_a_default_price_has_a_text(shop: World, told: str) -> None:
    """Not JSON or no priceText: Rejected (handbook, costs 4)."""
    assert change(shop, "DefaultPrice", told) == "Rejected"


def test_the_prices_of_the_default_count_offline_only(shop: World) -> None:
    """`chargingPrice` only for sessions started offline (handbook, costs 4)."""
    shop.configure(AllowOfflineTxForUnknownId="true")
    default_price(shop, priceText="x", chargingPrice={"kWhPrice": 0.49})
    assert shown(shop.charge()).charging is None
    shop.tap("A1").run(10).unplug().run(5).network(False).charge("B1")
    assert shown(shop).charging == ChargingPrice(Decimal("0.490"))
    assert shown(shop).amount is None, "no local cost calculation"


# --- languages --------------------------------------------------------------------------------------------------------


def test_one_language_ignores_the_others(shop: World) -> None:
    """false: extra texts ignored, DefaultPriceText unknown (handbook, costs 4)."""
    extra = [{"format": "UTF8", "language": "de", "content": "0,39 EUR/kWh"}]
    tell(shop, "SetUserPrice", idToken="A1", priceText="EUR 0.39/kWh", priceTextExtra=extra)
    assert shown(shop.charge()).texts == (PriceText("EUR 0.39/kWh", "en"),)
    assert change(shop, "DefaultPriceText,en", '{"priceText":"x"}') == "NotSupported"


def test_many_languages_are_shown() -> None:
    """priceTextExtra: further languages, used only when CustomMultiLanguageMessages=true (handbook, costs 1.1)."""
    world = World(keys=LANGUAGES)
    extra = [{"format": "HTML", "language": "de", "content": "0,39 EUR/kWh"}]
    tell(world, "SetUserPrice", idToken="A1", priceText="EUR 0.39/kWh", priceTextExtra=extra)
    texts = shown(world.charge()).texts
    assert [(each.content, each.language, each.format.value) for each in texts] == [
        ("EUR 0.39/kWh", "en", "UTF8"),
        ("0,39 EUR/kWh", "de", "HTML"),
    ]
    final(world, 2, priceText="EUR 2", priceTextExtra=[{"language": "de", "content": "2 EUR"}])
    assert [each.content for each in shown(world).texts] == ["EUR 2", "2 EUR"]


def test_the_default_price_has_a_text_for_each_language() -> None:
    """one key per language; GetConfiguration lists one entry per stored language (handbook, costs 4)."""
    world = default_price(World(keys=LANGUAGES), priceText="EUR 0.49/kWh")
    assert value(world, "DefaultPriceText,de") is None
    text = '{"priceText":"0,49 EUR/kWh","priceTextOffline":"Preis derzeit nicht abrufbar"}'
    assert change(world, "DefaultPriceText,de", text) == "Accepted"
    assert change(world, "DefaultPriceText, ES-mx", '{"priceText":"0.49 EUR"}') == "Accepted"
    assert value(world, "defaultpricetext,DE") == text
    assert value(world, "DefaultPriceText") is None
    listed = [each["key"] for each in world.ask("GetConfiguration")["configurationKey"]]
    assert [key for key in listed if "DefaultPriceText" in key] == ["DefaultPriceText,de", "DefaultPriceText,es-mx"]
    for _ in range(2):
        assert [each.content for each in shown(world).texts] == ["EUR 0.49/kWh", "0,49 EUR/kWh", "0.49 EUR"]
        assert [each.language for each in shown(world).texts] == ["en", "de", "es-mx"]
        world.cut_power().run(5)
    assert [each.content for each in shown(world.network(False)).texts][1] == "Preis derzeit nicht abrufbar"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("DefaultPriceText", '{"priceText":"x"}'),
        ("DefaultPriceText,", '{"priceText":"x"}'),
        ("DefaultPriceText,fr", '{"priceText":"x"}'),
        ("DefaultPriceText,de", '{"priceTextOffline":"x"}'),
        ("DefaultPriceText,de", "x"),
        ("Language", "fr"),
        ("SupportedLanguages", "fr"),
    ],
)
def test_a_text_needs_a_language_that_is_supported(key: str, told: str) -> None:
    """No language, language not in SupportedLanguages, no priceText: Rejected (handbook, costs 4)."""
    assert change(World(keys=LANGUAGES), key, told) == "Rejected"


def test_the_language_of_plain_texts_can_be_changed() -> None:
    """Language: language of the plain texts (handbook, costs 4)."""
    world = default_price(World(keys=LANGUAGES), priceText="EUR 0.49/kWh")
    world.ask("ChangeConfiguration", key="DefaultPriceText,de", value='{"priceText":"0,49 EUR/kWh"}')
    assert change(world, "Language", "de") == "Accepted"
    assert shown(world).texts == (PriceText("0,49 EUR/kWh", "de"),)
    running(world.charge(), 1, priceText="bisher")
    assert shown(world).texts == (PriceText("bisher", "de"),)


# --- time zone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "kept"), [("+01:00", "+01:00"), ("-05:30", "-05:30"), ("-00:30", "-00:30"), ("2:00", "+02:00")]
)
def test_a_zone_is_shown(shop: World, told: str, kept: str) -> None:
    """TimeOffset: display zone (handbook, costs 4)."""
    assert value(shop, "TimeOffset") == "+00:00"
    assert change(shop, "TimeOffset", told) == "Accepted"
    assert value(shop, "TimeOffset") == kept
    hours, minutes = kept[1:].split(":")
    east_s = (int(hours) * 60 + int(minutes)) * 60.0
    assert shown(shop).zone_s == (-east_s if kept.startswith("-") else east_s)


@pytest.mark.parametrize("told", ["", "1", "+25:00", "+01:60", "+01:00:00", "CET", "+01-00", "٠١:٠٠"])
def test_what_is_no_zone_is_rejected(shop: World, told: str) -> None:
    """hours −24…24, minutes 0…59, two parts by `:`; else Rejected (handbook, costs 4)."""
    assert change(shop, "TimeOffset", told) == "Rejected"


def test_summer_time_comes_by_itself(shop: World) -> None:
    """at that instant TimeOffset := TimeOffsetNextTransition (handbook, costs 4)."""
    shop.configure(TimeOffset="+01:00", TimeOffsetNextTransition="+02:00")
    assert change(shop, "NextTimeOffsetTransitionDateTime", "2026-01-01T02:00:00+01:00") == "Accepted"
    shop.run(3590)
    assert value(shop, "TimeOffset") == "+01:00"
    shop.run(20)
    assert (value(shop, "TimeOffset"), shown(shop).zone_s) == ("+02:00", 7200.0)
    assert value(shop, "NextTimeOffsetTransitionDateTime") == "", "it does not lie ahead any more"
    shop.cut_power().run(10)
    assert (value(shop, "TimeOffset"), value(shop, "NextTimeOffsetTransitionDateTime")) == ("+02:00", "")


@pytest.mark.parametrize("dark_s", [10.0, 4000.0])
def test_summer_time_comes_after_a_restart(shop: World, dark_s: float) -> None:
    """Re-armed after restart (handbook, costs 4)."""
    shop.configure(TimeOffsetNextTransition="-02:00", NextTimeOffsetTransitionDateTime="2026-01-01T01:00:00Z")
    shop.cut_power(dark_s)
    assert shop.run(max(1.0, 3700 - shop.now_s)).feature(Display).at(1, shop.now_s).zone_s == -7200.0


def test_a_new_date_replaces_the_old_one(shop: World) -> None:
    """NextTimeOffsetTransitionDateTime is one instant; without TimeOffsetNextTransition nothing changes at it."""
    shop.configure(TimeOffset="+01:00", NextTimeOffsetTransitionDateTime="2026-01-01T00:10:00Z")
    shop.configure(NextTimeOffsetTransitionDateTime="2026-01-01T00:20:00Z")
    shop.run(900)
    assert value(shop, "NextTimeOffsetTransitionDateTime") == "2026-01-01T00:20:00Z"
    shop.run(900)
    assert (value(shop, "NextTimeOffsetTransitionDateTime"), value(shop, "TimeOffset")) == ("", "+01:00")


@pytest.mark.parametrize("told", ["2025-12-31T23:59:59Z", "2026-01-01T00:30:00+01:00", "tomorrow", "", "2026-06-01"])
def test_the_change_of_time_lies_ahead(shop: World, told: str) -> None:
    """must lie ahead, else Rejected (handbook, costs 4)."""
    assert change(shop, "NextTimeOffsetTransitionDateTime", told) == "Rejected"


def test_times_without_a_zone_are_the_stations(shop: World) -> None:
    """TimeOffset only for times without one (handbook, costs 3)."""
    shop.configure(TimeOffset="+01:00")
    triggered(shop.charge(), atTime="2026-01-01T01:05:00").run(270)
    assert others(shop) == []
    assert others(shop.run(30)) == [ENERGY]


# --- triggers ---------------------------------------------------------------------------------------------------------


def test_a_value_at_a_time(shop: World) -> None:
    """atTime: at that instant, once; context Other, with transactionId; outside the grid (handbook, costs 3)."""
    triggered(shop.charge(), atTime="2026-01-01T00:05:00Z").run(600)
    assert others(shop) == [ENERGY]
    told = [p["meterValue"][0] for p in shop.calls("MeterValues")]
    due = [each["timestamp"] for each in told if each["sampledValue"][0]["context"] == "Other"]
    assert due == ["2026-01-01T00:05:00.000Z"]
    periodic = [each["timestamp"] for each in told if each["sampledValue"][0]["context"] == "Sample.Periodic"]
    assert len(periodic) == 10, "the samples go on"


def test_a_value_in_the_past(shop: World, caplog: pytest.LogCaptureFixture) -> None:
    """in the past: not at all; Accepted, that trigger is ignored, ERROR logged (handbook, costs 2, 3)."""
    with caplog.at_level(logging.ERROR):
        triggered(shop.charge(), atTime="2026-01-01T00:00:01Z", atCPStatus=["Bored"]).run(600)
    assert others(shop) == []
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_a_time_follows_the_calendar(shop: World) -> None:
    """at that instant (handbook, costs 3), by the time that the central system tells (OCPP 1.6 4.6)."""
    triggered(shop.charge(), atTime="2026-01-01T01:00:00Z")
    shop.peer.answers["Heartbeat"] = lambda _payload: {"currentTime": utc_text(EPOCH_UTC_S + 3590)}
    shop.ask("TriggerMessage", requestedMessage="Heartbeat")
    assert others(shop.run(15)) == [ENERGY]


@pytest.mark.parametrize("energy_wh", [500, 505, 509])
def test_a_value_at_an_energy(shop: World, energy_wh: int) -> None:
    """atEnergykWh: register ≥ value × 1000 Wh, absolute; once (handbook, costs 3)."""
    triggered(shop.charge(), atEnergykWh=energy_wh / 1000).run(600)
    assert others(shop) == [ENERGY]
    values = [p["meterValue"][0]["sampledValue"][0] for p in shop.calls("MeterValues")]
    told_wh = [int(each["value"]) for each in values if each["context"] == "Other"]
    assert energy_wh <= told_wh[0] <= energy_wh + 2, "not a look later than it must be"


def test_the_register_is_absolute() -> None:
    """absolute meter register, same scale as `meterValue` (handbook, costs 3)."""
    world = World(keys=ON, plan={"register_wh": 1_234_000.0})
    triggered(world.charge(), atEnergykWh=1234.5).run(100)
    assert others(world) == []
    assert others(world.run(100)) == [ENERGY]


def test_values_at_a_power(shop: World) -> None:
    """atPowerkW: the first power reading after arming always, then on each crossing (handbook, costs 3)."""
    triggered(shop.charge(), atPowerkW=8).run(120)
    assert others(shop) == [ENERGY_AND_POWER]
    shop.wants_energy(False).run(120)
    assert others(shop) == [ENERGY_AND_POWER] * 2
    shop.wants_energy(True).run(120)
    assert others(shop) == [ENERGY_AND_POWER] * 3


def test_energy_comes_before_power(shop: World) -> None:
    """Energy and power at once: energy first; the power test waits for the next reading (handbook, costs 3)."""
    triggered(shop.charge(), atPowerkW=8, atEnergykWh=0.01).run(60)
    assert others(shop) == [ENERGY, ENERGY_AND_POWER]
    first, second = (p["meterValue"][0]["timestamp"] for p in shop.calls("MeterValues")[:2])
    assert first < second


def test_values_at_a_status(shop: World) -> None:
    """atCPStatus: connector changes into one of them; each change (handbook, costs 3)."""
    triggered(shop.charge(), atCPStatus=["SuspendedEV", "Charging", "Finishing"]).run(60)
    assert others(shop) == [], "it was Charging already"
    shop.wants_energy(False).run(60)
    assert others(shop) == [ENERGY]
    shop.wants_energy(True).run(60).tap("A1").run(10)
    assert others(shop) == [ENERGY] * 2, "all triggers go with the transaction"


def test_a_status_need_not_last(shop: World) -> None:
    """the derived status counts, MinimumStatusDuration does not delay the trigger (handbook, costs 3)."""
    shop.configure(MinimumStatusDuration=100)
    triggered(shop.charge(), atCPStatus=["SuspendedEV"]).wants_energy(False).run(10)
    assert (others(shop), shop.statuses()) == ([ENERGY], [])


def test_a_new_running_cost_replaces_all_triggers(shop: World) -> None:
    """New RunningCost: replaces triggers, absent = off; atTime replaced too (handbook, costs 3)."""
    triggers = {"atTime": "2026-01-01T00:05:00Z", "atEnergykWh": 0.5, "atPowerkW": 8, "atCPStatus": ["SuspendedEV"]}
    triggered(shop.charge(), **triggers)
    running(shop)
    assert others(shop.run(600).wants_energy(False).run(60)) == []


def test_the_last_power_outlives_a_running_cost(shop: World) -> None:
    """P0 is kept (handbook, costs 3)."""
    triggered(shop.charge(), atPowerkW=8).run(30)
    running(shop, triggerMeterValue={"atPowerkW": 8})
    assert others(shop.run(60)) == [ENERGY_AND_POWER]
    running(shop, triggerMeterValue={"atPowerkW": 20})
    assert others(shop.run(60)) == [ENERGY_AND_POWER], "still below"


def test_triggers_go_with_the_transaction(shop: World) -> None:
    """End: all triggers go with the transaction (handbook, costs 3)."""
    triggers = {"atTime": "2026-01-01T00:05:00Z", "atEnergykWh": 0.5, "atPowerkW": 80, "atCPStatus": ["Charging"]}
    triggered(shop.charge(), **triggers).run(10).tap("A1").run(10).unplug().run(5).forget()
    shop.charge("B1").run(600)
    assert others(shop) == []


def test_values_are_queued_offline(shop: World) -> None:
    """Offline: a fired MeterValues is transaction-related and queued like the others (handbook, costs 3)."""
    triggered(shop.charge(), atTime="2026-01-01T00:05:00Z").network(False).run(400).tap("A1").run(10)
    story = shop.forget().network(True).run(30).story()
    assert others(shop) == [ENERGY]
    assert story.index("StopTransaction Local") > story.index("MeterValues")


def test_nobody_looks_at_the_meter_where_nothing_is_asked(shop: World) -> None:
    """Only energy and power need looks; thousands of chargers must not pay for what they do not use."""
    armed = len(shop.charge().pump.scheduler)
    running(shop)
    assert len(shop.run(1).pump.scheduler) == armed
    running(shop, triggerMeterValue={"atPowerkW": 8})
    assert len(shop.run(1).pump.scheduler) == armed + 1


# --- the plug ---------------------------------------------------------------------------------------------------------


def unplugged(world: World) -> list[dict[str, Any]]:
    """What ConnectorUnplugged told, oldest first."""
    found = []
    for payload in world.calls("DataTransfer"):
        assert (payload["vendorId"], payload["messageId"]) == (VENDOR, "ConnectorUnplugged")
        found.append(json.loads(payload["data"]))
    return found


def test_the_plug_is_told_after_the_stop(parking: World) -> None:
    """plug removed after the stop, only with CustomIdleFeeAfterStop=true (handbook, costs 1)."""
    parking.charge().tap("A1").run(600)
    assert unplugged(parking) == []
    parking.unplug().run(60)
    assert [(each["transactionId"], each["timestamp"][:19]) for each in unplugged(parking)] == [
        (1, "2026-01-01T00:10:22")
    ]
    assert parking.plug().run(5).unplug().run(5).calls("DataTransfer")[1:] == []


def test_no_promise_no_message(shop: World) -> None:
    """only with CustomIdleFeeAfterStop=true; R, default false (handbook, costs 4)."""
    assert value(shop, "CustomIdleFeeAfterStop") == "false"
    assert change(shop, "CustomIdleFeeAfterStop", "true") == "Rejected"
    assert unplugged(shop.charge().tap("A1").run(60).unplug().run(60)) == []


def test_a_stop_by_the_plug_keeps_the_promise_too(parking: World) -> None:
    """true promises ConnectorUnplugged; CS prolongs the bill until it comes (handbook, costs 4)."""
    story = parking.charge().unplug().run(20).story()
    assert [each["transactionId"] for each in unplugged(parking)] == [1]
    stop = parking.last("StopTransaction")
    assert (stop["reason"], stop["timestamp"] <= unplugged(parking)[0]["timestamp"]) == ("EVDisconnected", True)
    assert story.index("DataTransfer") > story.index("StopTransaction EVDisconnected")


def test_a_car_that_leaves_and_comes_back_has_not_ended_anything() -> None:
    """plug removed after the stop (handbook, costs 1), not within the transaction."""
    world = World(keys={**IDLE_FEE, "StopTransactionOnEVSideDisconnect": "false"}, board="ac11-sim-socket")
    world.charge().unplug_car().run(10).plug().run(30)
    assert world.connector().is_charging
    assert unplugged(world) == []
    world.tap("A1").run(10)
    assert unplugged(world) == []
    assert len(unplugged(world.unplug_car().run(5))) == 1


def test_each_transaction_on_one_plug_is_told(parking: World) -> None:
    """CS prolongs the bill until it comes (handbook, costs 4): of both, with the moment that is true."""
    parking.charge("A1").tap("A1").run(10).tap("B1").run(30).tap("B1").run(10).unplug().run(10)
    assert [each["transactionId"] for each in unplugged(parking)] == [1, 2]


def test_it_stands_behind_its_stop_when_offline(parking: World) -> None:
    """Persist it and send it behind the StopTransaction of that transaction (handbook, costs 1.3)."""
    parking.configure(AllowOfflineTxForUnknownId="true")
    parking.network(False).charge().run(100).tap("A1").run(10).unplug().run(10).charge("B1").tap("B1").run(9).unplug()
    parking.forget().network(True).run(60)
    story = [each for each in parking.story() if "Status" not in each and "MeterValues" not in each]
    assert story == [
        "StartTransaction A1",
        "StopTransaction Local",
        "DataTransfer",
        "StartTransaction B1",
        "StopTransaction Local",
        "DataTransfer",
    ]
    assert [each["transactionId"] for each in unplugged(parking)] == [1, 2], "known only when it is sent"


def test_an_unplugging_long_after_everything_was_told(parking: World) -> None:
    """The transaction is forgotten by then; its id is not."""
    parking.charge().tap("A1").run(10)
    assert not parking.model.queue.transactions
    parking.cut_power().run(3600).cut_power().run(60)
    assert unplugged(parking) == []
    assert unplugged(parking.unplug().run(5))[0]["transactionId"] == 1
    assert parking.stored("unplug", "1") is None


def test_who_left_in_the_dark_is_told_when_the_light_is_back() -> None:
    """lost, the driver pays idle time for ever (handbook, costs 1.3)."""
    world = World(keys=IDLE_FEE, keeps_board=False)
    world.charge().tap("A1").run(10).cut_power(600.0).run(10)
    assert [each["transactionId"] for each in unplugged(world)] == [1]
    world = World(keys=IDLE_FEE, keeps_board=False)
    world.charge().cut_power(600.0).run(10)
    assert world.last("StopTransaction")["reason"] == "PowerLoss"
    assert [each["transactionId"] for each in unplugged(world)] == [1]


def test_a_socket_whose_cable_stays_in_the_box_is_not_idle() -> None:
    """plug removed: either end; the car has gone."""
    world = World(keys=IDLE_FEE, board="ac11-sim-socket").charge().tap("A1").run(10)
    world.cut_power().run(60)
    assert unplugged(world) == [], "the car is still there"
    assert len(unplugged(world.unplug_car().run(5))) == 1


def test_a_car_that_leaves_its_cable_behind_in_the_dark_is_not_idle() -> None:
    """After a restart every connector is looked at once, also one that a cable still occupies."""
    world = World(keys=IDLE_FEE, board="ac11-sim-socket").charge().tap("A1").run(10)
    owed = world.store.load("CP1")["unplug"]
    world.network(False).unplug_car()
    queued = world.store.load("CP1")["queue"]
    unseen = [Save("unplug", key, body) for key, body in owed.items()] + [Save("queue", key, None) for key in queued]
    world.store.commit([("CP1", save) for save in unseen])
    assert len(unplugged(world.cut_power().run(10))) == 1


def test_after_a_restart_every_connector_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board may tell of the cable before the pilot shows that no car is there, and then nothing else happens."""
    world = World(keys=IDLE_FEE, board="ac11-sim-socket").plug_box().cut_power()
    looks: list[float] = []
    monkeypatch.setattr(IdleFee, "connector_changed", lambda _self, _connector, now_s: looks.append(now_s))
    world.run(5)
    assert len(looks) == 1


def test_a_short_circuit_is_no_unplugging(parking: World) -> None:
    """A pilot that shows nothing tells nothing of the plug."""
    parking.charge().tap("A1").run(10).cause("cp_short").run(30)
    assert unplugged(parking) == []
    assert unplugged(parking.cause("cp_short", False).run(30)) == []
    assert len(unplugged(parking.unplug().run(5))) == 1


@pytest.mark.parametrize("answer", [ERROR, SILENCE])
def test_it_is_sent_again_until_it_is_taken(parking: World, answer: object) -> None:
    """Persist it (handbook, costs 1.3): tried like every message of a transaction."""
    parking.configure(TransactionMessageRetryInterval=1)
    parking.peer.answers["DataTransfer"] = lambda _payload: answer
    parking.charge().tap("A1").run(10).unplug().run(10)
    parking.peer.answers["DataTransfer"] = lambda _payload: ACCEPTED
    parking.run(60)
    told = unplugged(parking)
    assert len(told) >= 2
    assert all(each == told[0] for each in told)
    assert not len(parking.model.queue)


def test_a_central_system_that_does_not_know_it_is_no_trouble(
    parking: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer is an answer: it is logged, and the queue goes on."""
    with caplog.at_level(logging.WARNING):
        parking.charge().tap("A1").run(10).unplug().run(10)
    assert "does not take ConnectorUnplugged: UnknownVendorId" in caplog.text
    assert not len(parking.model.queue)


def test_a_connector_that_is_not_fitted_any_more_is_not_idle() -> None:
    """lost, the driver pays idle time for ever (handbook, costs 1.3)."""
    world = World(keys=IDLE_FEE, board="ac22-sim-duo")
    world.charge("A1", 2).tap("A1").run(10)
    world.board = "ac22-sim-socket"
    world.keeps_board = False
    assert [each["transactionId"] for each in unplugged(world.cut_power().run(10))] == [1]
