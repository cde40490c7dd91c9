"""What the messages of the California pricing extension mean: reading, rounding, prices by the clock, thresholds."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16.enums import ChargePointStatus

from chargepoint.model.cost import (
    ChargingPrice,
    Cost,
    CostDisplay,
    CostState,
    IdlePrice,
    NextPeriod,
    PriceText,
    TextFormat,
    crosses,
    rounded,
)
from chargepoint.model.cost_reading import Incomplete, Unreadable, read_cost, read_default_price, read_user_price
from chargepoint.model.timebase import utc_seconds

D = Decimal
TEN_TWENTY = utc_seconds("2026-01-15T10:20:00Z")
ELEVEN = utc_seconds("2026-01-15T11:00:00Z")

RUNNING = (
    '{"transactionId":55,"timestamp":"2026-01-15T10:20:00Z","meterValue":1203400,"cost":1.33,"state":"Charging",'
    '"chargingPrice":{"kWhPrice":0.39,"hourPrice":0,"flatFee":0},"idlePrice":{"graceMinutes":15,"hourPrice":3},'
    '"nextPeriod":{"atTime":"2026-01-15T11:00:00Z","chargingPrice":{"kWhPrice":0.45}},'
    '"triggerMeterValue":{"atTime":"2026-01-15T11:00:00Z","atEnergykWh":1210,"atPowerkW":8,'
    '"atCPStatus":["SuspendedEV","SuspendedEVSE"]}}'
)
FINAL = '{"transactionId":55,"cost":4.12,"priceText":"EUR 4.12","qrCodeText":"https://pay.example/r/55"}'
USER = (
    '{"idToken":"04A1B2C3","priceText":"EUR 0.39/kWh",'
    '"priceTextExtra":[{"format":"UTF8","language":"de","content":"0,39 EUR/kWh"}]}'
)


def cost(**fields: Any) -> Cost:
    return read_cost(json.dumps({"transactionId": 1, "cost": 1, **fields}), 0.0)


# --- the examples -----------------------------------------------------------------------------------------------------


def test_a_running_cost_is_read_to_the_digit() -> None:
    """Example of RunningCost (handbook, costs 6)."""
    told = read_cost(RUNNING, 0.0)
    assert (told.transaction_id, told.amount, told.at_utc_s, told.meter_wh) == (55, D("1.33"), TEN_TWENTY, 1_203_400)
    assert told.charging == ChargingPrice(D("0.39"), D(0), D(0))
    assert (told.idle, told.is_idle) == (IdlePrice(15, D(3)), False)
    assert told.next_period == NextPeriod(ELEVEN, ChargingPrice(D("0.45")))
    trigger = told.trigger
    assert (trigger.at_utc_s, trigger.energy_wh, trigger.power_w) == (ELEVEN, D(1_210_000), D(8000))
    assert trigger.statuses == {ChargePointStatus.suspended_ev, ChargePointStatus.suspended_evse}
    assert trigger.faults == ()


def test_a_final_cost_is_read() -> None:
    """Example of FinalCost (handbook, costs 6)."""
    told = read_cost(FINAL, 0.0)
    assert (told.amount, told.text, told.qr_code) == (D("4.12"), "EUR 4.12", "https://pay.example/r/55")


def test_a_user_price_is_read() -> None:
    """Example of SetUserPrice (handbook, costs 6)."""
    told = read_user_price(USER)
    assert (told.id_tag, told.text) == ("04A1B2C3", "EUR 0.39/kWh")
    assert told.extra == (PriceText("0,39 EUR/kWh", "de", TextFormat.UTF8),)


def test_a_default_price_is_read() -> None:
    """priceText, priceTextOffline, chargingPrice (handbook, costs 4)."""
    told = read_default_price('{"priceText":"A","priceTextOffline":"B","chargingPrice":{"hourPrice":1.5}}')
    assert (told.text_for(True), told.text_for(False), told.charging) == ("A", "B", ChargingPrice(per_hour=D("1.5")))


def test_without_an_offline_text_the_other_one_stands() -> None:
    """priceTextOffline (falls back to priceText) (handbook, costs 5)."""
    assert read_default_price('{"priceText":"A"}').text_for(False) == "A"


# --- strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        "[" * 100_000,
        '{"transactionId":1,"cost":NaN}',
        '{"transactionId":1,"cost":1e99999999999999999999}',
        '{"transactionId":1,"cost":1e12}',
        '{"transactionId":1,"cost":"1.33"}',
        '{"transactionId":1,"cost":true}',
        '{"transactionId":1,"cost":null}',
        '{"transactionId":1.5,"cost":1}',
        '{"transactionId":"x","cost":1}',
        '{"transactionId":true,"cost":1}',
        '{"transactionId":null,"cost":1}',
        '{"transactionId":1,"cost":1,"timestamp":5}',
        '{"transactionId":1,"cost":1,"timestamp":"yesterday"}',
        '{"transactionId":1,"cost":1,"meterValue":1.5}',
        '{"transactionId":1,"cost":1,"state":"Finished"}',
        '{"transactionId":1,"cost":1,"chargingPrice":0.39}',
        '{"transactionId":1,"cost":1,"chargingPrice":{"kWhPrice":"0.39"}}',
        '{"transactionId":1,"cost":1,"idlePrice":{"graceMinutes":2.5}}',
        '{"transactionId":1,"cost":1,"nextPeriod":{}}',
        '{"transactionId":1,"cost":1,"nextPeriod":{"atTime":"soon"}}',
        '{"transactionId":1,"cost":1,"triggerMeterValue":[]}',
        '{"transactionId":1,"cost":1,"triggerMeterValue":{"atEnergykWh":"10"}}',
        '{"transactionId":1,"cost":1,"triggerMeterValue":{"atCPStatus":"Charging"}}',
        '{"transactionId":1,"cost":1,"triggerMeterValue":{"atCPStatus":[1]}}',
        '{"transactionId":1,"cost":1,"triggerMeterValue":{"atTime":5}}',
        '{"transactionId":1,"cost":1,"priceText":5}',
        '{"transactionId":1,"cost":1,"priceText":"\\ud83d"}',
        '{"transactionId":1,"cost":1,"priceTextExtra":{}}',
        '{"transactionId":1,"cost":1,"priceTextExtra":["x"]}',
        '{"transactionId":1,"cost":1,"priceTextExtra":[{"content":"x"}]}',
        '{"transactionId":1,"cost":1,"priceTextExtra":[{"content":"x","language":"de","format":"RTF"}]}',
        '{"transactionId":1,"cost":1,"qrCodeText":[]}',
    ],
    ids=range(37),
)
def test_what_is_no_cost_is_refused(source: str) -> None:
    """`data` is not JSON, wrong types (handbook, costs 2)."""
    with pytest.raises(Unreadable):
        read_cost(source, 0.0)


@pytest.mark.parametrize("source", ["{}", '{"cost":1}', '{"transactionId":1}', '{"transactionId":1,"state":"Idle"}'])
def test_what_is_missing_is_told_apart_from_what_is_wrong(source: str) -> None:
    """Running/FinalCost without transactionId or cost (handbook, costs 2)."""
    with pytest.raises(Incomplete):
        read_cost(source, 0.0)


@pytest.mark.parametrize("source", ["{}", '{"priceText":"x"}', '{"idToken":""}'])
def test_a_user_price_is_somebodys(source: str) -> None:
    """SetUserPrice without idToken (handbook, costs 2)."""
    with pytest.raises(Incomplete):
        read_user_price(source)


@pytest.mark.parametrize("source", ["{", '{"idToken":5}', '{"idToken":"123456789012345678901"}'])
def test_what_is_no_user_price_is_refused(source: str) -> None:
    """`data` is not JSON, wrong types (handbook, costs 2); an idTag has 20 characters at most (OCPP 1.6 7.28)."""
    with pytest.raises(Unreadable):
        read_user_price(source)


@pytest.mark.parametrize(
    "source", ["x", "{}", '{"priceText":""}', '{"priceText":5}', '{"priceText":"A","priceTextOffline":""}']
)
def test_what_is_no_default_price_is_refused(source: str) -> None:
    """Not JSON or no priceText: Rejected; priceTextOffline ≥1 (handbook, costs 4)."""
    with pytest.raises((Unreadable, Incomplete)):
        read_default_price(source)


@pytest.mark.parametrize(("written", "read"), [('"55"', 55), ('"-7"', -7), ("0", 0), ("-1", -1), (str(2**63), 2**63)])
def test_any_integer_is_a_transaction_id(written: str, read: int) -> None:
    """numeric string also read (handbook, costs 1.2); any integer is valid, 0 and negatives too (erratum 3.54)."""
    assert read_cost(f'{{"transactionId":{written},"cost":0}}', 0.0).transaction_id == read


def test_what_nobody_knows_is_ignored() -> None:
    """Fields of a later edition disturb nobody."""
    assert cost(taxRate=19, meterValue=7.0).meter_wh == 7


def test_a_faulty_trigger_costs_nobody_the_display() -> None:
    """trigger in it faulty: that trigger is ignored (handbook, costs 2)."""
    trigger = cost(triggerMeterValue={"atTime": "soon", "atCPStatus": ["Charging", "Bored"], "atPowerkW": 0.5}).trigger
    assert (trigger.at_utc_s, trigger.power_w, trigger.statuses) == (
        None,
        D(500),
        frozenset({ChargePointStatus.charging}),
    )
    assert trigger.faults == ("atCPStatus 'Bored'", "atTime 'soon'")


def test_a_time_without_a_zone_is_the_stations() -> None:
    """a zone is taken literally, TimeOffset only for times without one (handbook, costs 3)."""
    told = '{"transactionId":1,"cost":1,"timestamp":"%s"}'
    assert read_cost(told % "2026-01-15T11:20:00", 3600.0).at_utc_s == TEN_TWENTY
    assert read_cost(told % "2026-01-15T10:20:00Z", 3600.0).at_utc_s == TEN_TWENTY
    assert read_cost(told % "2026-01-15T08:20:00-02:00", 3600.0).at_utc_s == TEN_TWENTY


# --- amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        ("1.3335", 3, "1.334"),
        ("1.33349999999", 3, "1.333"),
        ("2.675", 2, "2.68"),  # a binary float would make 2.67 of it
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("-0.0001", 3, "0.000"),
        ("4.12", 3, "4.120"),
        ("1e-400", 2, "0.00"),
        ("999999999999.9999999999", 9, "1000000000000.000000000"),
    ],
)
def test_half_a_digit_goes_up(amount: str, decimals: int, shown: str) -> None:
    """parse as Decimal and round half up (handbook, costs 1.2)."""
    told = read_cost(f'{{"transactionId":1,"cost":{amount}}}', 0.0).amount
    assert str(rounded(told, decimals)) == shown


def test_a_display_rounds_every_amount_and_nothing_else() -> None:
    """NumberOfDecimalsForCostValues: digits of all amounts (handbook, costs 4)."""
    price, idle = ChargingPrice(D("0.345"), None, D("1")), IdlePrice(15, D("2.005"))
    shown = CostDisplay(
        1, CostState.CHARGING, (), D("1.335"), 5.5, 7, price, idle, NextPeriod(9.5, price, None), "code", 3600.0
    ).rounded(2)
    by_two = ChargingPrice(D("0.35"), None, D("1.00"))
    assert shown == CostDisplay(
        1,
        CostState.CHARGING,
        (),
        D("1.34"),
        5.5,
        7,
        by_two,
        IdlePrice(15, D("2.01")),
        NextPeriod(9.5, by_two),
        "code",
        3600.0,
    )
    assert str(shown.charging and shown.charging.flat_fee) == "1.00"


# --- prices by the clock ----------------------------------------------------------------------------------------------


def test_the_next_period_begins_at_its_second() -> None:
    """nextPeriod: next tariff step (handbook, costs 1.2); the amount is the central system's (no local calculation)."""
    told = read_cost(RUNNING, 0.0)
    assert told.at(ELEVEN - 0.001) is told
    then = told.at(ELEVEN)
    assert (then.charging, then.next_period, then.amount) == (ChargingPrice(D("0.45")), None, D("1.33"))
    assert then.idle == IdlePrice(15, D(3)), "what the period does not tell goes on"


def test_a_period_may_change_the_idle_price_alone() -> None:
    """nextPeriod: chargingPrice and idlePrice, both optional (handbook, costs 1.2)."""
    told = cost(
        chargingPrice={"kWhPrice": 1}, nextPeriod={"atTime": "2026-01-15T11:00:00Z", "idlePrice": {"hourPrice": 5}}
    ).at(ELEVEN)
    assert (told.charging, told.idle) == (ChargingPrice(D(1)), IdlePrice(None, D(5)))


# --- the power threshold ----------------------------------------------------------------------------------------------


def test_power_fires_beyond_five_per_cent() -> None:
    """Example S = 8 kW: 7.0 (first, fires), 8.2 –, 8.4 fires, 7.8 –, 7.6 fires (handbook, costs 3)."""
    before: Decimal | None = None
    fired = []
    for power_w in (D(7000), D(8200), D(8400), D(7800), D(7600)):
        is_fired = crosses(before, power_w, D(8000))
        before = power_w if is_fired else before
        fired.append(is_fired)
    assert fired == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("before", "power", "threshold", "fires"),
    [
        ("8000", "8400", "8000", True),  # right at it counts as below
        ("8000", "7600", "8000", False),
        ("8400.1", "7600.1", "8000", False),
        ("8400", "12000", "8000", False),  # no second time on the same side
        ("0", "0", "0", False),
        ("0", "7000", "0", True),
        ("7000", "0", "0", True),
    ],
)
def test_power_at_the_edges(before: str, power: str, threshold: str, fires: bool) -> None:
    """P0 < S ∧ P ≥ 1.05·S; P0 > S ∧ P ≤ 0.95·S; P0 = S: treat as below (handbook, costs 3)."""
    assert crosses(D(before), D(power), D(threshold)) is fires
