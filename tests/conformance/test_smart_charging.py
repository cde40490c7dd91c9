"""Catalogue, section SmartCharging: TC_056 to TC_060, TC_066, TC_067, TC_072 and TC_082.

What is set and what is expected in the last ones is in ``tests/data/smart-charging-vectors.json``: V02, V03 and V04.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call
from ocpp.v16.enums import ChargingProfilePurposeType, ChargingRateUnitType, MessageTrigger

from tests.conformance.states import TAG, charging, started
from tests.conformance.tool import Tool, under_test

BOARD = "ac22-sim"
DURATION_S = 300
LIMIT = {"A": 6.0, "W": 6000.0}
LIMIT_IN_A = {"A": 6.0, "W": 8.6}
"""What a limit comes to for each of three phases with 230 V, cut to tenths."""
LOCAL_LIMIT = {"A": 32.0, "W": 22080.0}
EPOCH = datetime.fromisoformat("2026-01-15T10:00:00Z")
"""When the vectors begin."""
_DATA = Path(__file__).parents[1] / "data" / "smart-charging-vectors.json"
VECTORS = {vector["id"]: vector for vector in json.loads(_DATA.read_text("utf-8"))["vectors"]}
WATTS_PER_AMP = 1000.0
"""If the unit is W, the limits of TC_066, TC_067 and TC_072 are multiplied by 1000."""

OFFERED = {"MeterValuesSampledData": "Current.Offered"}

both_units = pytest.mark.parametrize("unit", ["A", "W"])

with_and_without_start = pytest.mark.parametrize("has_start", [True, False], ids=["start", "no start"])
"""The catalogue names no startSchedule. Without one the profile begins with the transaction, or with one imagined now."""

Periods = list[tuple[int, float]]


def profile(purpose: str, unit: str, start: str | None = None, **more: Any) -> dict[str, Any]:
    """The charging profile of TC_056 and others: 6 A, or 6000 W, for five minutes."""
    schedule: dict[str, Any] = {
        "duration": DURATION_S,
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": LIMIT[unit], "numberPhases": 3}],
    }
    if start is not None:
        schedule["startSchedule"] = start
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **more,
    }


def setting(told: dict[str, Any], connector: int = 1) -> call.SetChargingProfile:
    return call.SetChargingProfile(connector_id=connector, cs_charging_profiles=told)


async def composite(tool: Tool, duration_s: int = DURATION_S, unit: str = "A") -> Periods:
    """Ask for the composite schedule of connector 1; return its periods, as start and limit."""
    request = call.GetCompositeSchedule(1, duration_s, ChargingRateUnitType(unit))
    answer = await tool.accepted(request)
    assert answer.connector_id == 1
    late = datetime.fromisoformat(tool.utc()) - datetime.fromisoformat(answer.schedule_start)
    assert timedelta(0) <= late < timedelta(seconds=1)
    schedule = answer.charging_schedule
    assert schedule["duration"] == duration_s
    assert schedule["charging_rate_unit"] == unit
    return [(each["start_period"], float(each["limit"])) for each in schedule["charging_schedule_period"]]


def left(tool: Tool, unit: str, begun: str) -> Periods:
    """What is left of the five minutes of `profile`, counted in whole seconds, and the local limit after them."""
    now_s, begun_s = (int(datetime.fromisoformat(each).timestamp()) for each in (tool.utc(), begun))
    periods = [(0, LIMIT[unit]), (DURATION_S - (now_s - begun_s), LOCAL_LIMIT[unit])]
    return [each for each in periods if each[0] < DURATION_S]


def transaction_began(tool: Tool) -> str:
    return str(tool.csms.all("StartTransaction")[-1]["timestamp"])


async def offered_a(tool: Tool) -> float:
    """Ask for the current that connector 1 offers; it is the only measurand that is configured."""
    tool.overlook()
    await tool.accepted(call.TriggerMessage(MessageTrigger.meter_values, connector_id=1))
    values = await tool.expect(call.MeterValues, connector_id=1)
    return float(values["meter_value"][0]["sampled_value"][0]["value"])


# --- one profile ------------------------------------------------------------------------------------------------------


@both_units
@with_and_without_start
async def test_TC_056(has_start: bool, unit: str) -> None:
    async with under_test(BOARD) as (tool, box):
        start = tool.utc() if has_start else None
        await tool.accepted(setting(profile("TxDefaultProfile", unit, start)))
        assert await composite(tool, unit=unit) == [(0, LIMIT[unit])]
        await box.live(100)
        assert await composite(tool, unit=unit) == left(tool, unit, start or tool.utc())


@both_units
@with_and_without_start
async def test_TC_057(has_start: bool, unit: str) -> None:
    async with under_test(BOARD, keys=OFFERED) as (tool, box):
        transaction_id = await charging(tool, box)
        start = tool.utc() if has_start else None
        await tool.accepted(setting(profile("TxProfile", unit, start, transactionId=transaction_id)))
        assert await composite(tool, unit=unit) == left(tool, unit, start or transaction_began(tool))
        assert await offered_a(tool) == LIMIT_IN_A[unit]


async def test_TC_058_1() -> None:
    async with under_test(BOARD) as (tool, _box):
        await tool.answered(setting(profile("TxProfile", "A", tool.utc(), transactionId=1)), "Rejected")
        assert await composite(tool) == [(0, LOCAL_LIMIT["A"])]


async def test_TC_058_2() -> None:
    async with under_test(BOARD) as (tool, box):
        other = await charging(tool, box) + 1
        await tool.answered(setting(profile("TxProfile", "A", tool.utc(), transactionId=other)), "Rejected")
        assert await composite(tool) == [(0, LOCAL_LIMIT["A"])]


@both_units
@with_and_without_start
async def test_TC_082(has_start: bool, unit: str) -> None:
    async with under_test(BOARD, keys=OFFERED) as (tool, box):
        await charging(tool, box)
        assert await offered_a(tool) == LOCAL_LIMIT["A"]
        start = tool.utc() if has_start else None
        await tool.accepted(setting(profile("TxDefaultProfile", unit, start)))
        assert await composite(tool, unit=unit) == left(tool, unit, start or transaction_began(tool))
        assert await offered_a(tool) == LIMIT_IN_A[unit]


# --- several profiles -------------------------------------------------------------------------------------------------


async def set_profiles(tool: Tool, vector: str, unit: str, transaction_id: int | None = None) -> None:
    """Set the profiles of a vector as if they began now."""

    def moved(moment: str) -> str:
        return tool.utc((datetime.fromisoformat(moment) - EPOCH).total_seconds())

    for each in VECTORS[vector]["profiles"]:
        told = json.loads(json.dumps(each["csChargingProfiles"]))
        schedule = told["chargingSchedule"]
        schedule["chargingRateUnit"] = unit
        for period in schedule["chargingSchedulePeriod"]:
            period["limit"] = _in_unit(period["limit"], unit)
        for place, name in ((told, "validFrom"), (told, "validTo"), (schedule, "startSchedule")):
            if name in place:
                place[name] = moved(place[name])
        if "transactionId" in told:
            told["transactionId"] = transaction_id
        await tool.accepted(setting(told, each["connectorId"]))


def _in_unit(limit_a: float, unit: str) -> float:
    return limit_a * WATTS_PER_AMP if unit == "W" else limit_a


async def check(tool: Tool, vector: str, unit: str, column: str = "strict") -> None:
    """Ask what a vector asks, when it asks; the vector says what must come."""
    begin_s = tool.box.clock.now_s
    for query in VECTORS[vector]["queries"]:
        after_s = (datetime.fromisoformat(query["now"]) - EPOCH).total_seconds()
        await tool.box.live_to(begin_s + after_s)
        wanted = [(each["startPeriod"], _in_unit(each["limit"], unit)) for each in query[column]]
        assert await composite(tool, query["request"]["duration"], unit) == wanted


@both_units
@pytest.mark.parametrize(("hides", "column"), [(True, "strict"), (False, "instant")], ids=["strict", "instant"])
async def test_TC_066(hides: bool, column: str, unit: str) -> None:
    async with under_test(BOARD) as (tool, box):
        await tool.configure(TxProfileHidesTxDefault=hides)
        transaction_id = await charging(tool, box)
        await set_profiles(tool, "V02", unit, transaction_id)
        await check(tool, "V02", unit, column)


@both_units
async def test_TC_067(unit: str) -> None:
    async with under_test(BOARD) as (tool, _box):
        await set_profiles(tool, "V04a", unit)
        await check(tool, "V04a", unit)
        await tool.accepted(call.ClearChargingProfile(id=1))
        await check(tool, "V04b", unit)
        purpose = ChargingProfilePurposeType.tx_default_profile
        await tool.accepted(call.ClearChargingProfile(charging_profile_purpose=purpose, stack_level=0))
        await check(tool, "V04c", unit)
        await tool.accepted(call.ClearChargingProfile())
        assert await composite(tool, 350, unit) == [(0, LOCAL_LIMIT[unit])]


@both_units
async def test_TC_072(unit: str) -> None:
    async with under_test(BOARD) as (tool, _box):
        await set_profiles(tool, "V03", unit)
        await check(tool, "V03", unit)


# --- with a remote start ----------------------------------------------------------------------------------------------


@both_units
async def test_TC_059(unit: str) -> None:
    async with under_test(BOARD, keys=OFFERED) as (tool, box):
        await box.plug_in()
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        brought = profile("TxProfile", unit, chargingProfileKind="Relative")
        await tool.accepted(call.RemoteStartTransaction(TAG, connector_id=1, charging_profile=brought))
        await started(tool)
        assert await composite(tool, unit=unit) == left(tool, unit, transaction_began(tool))
        assert await offered_a(tool) == LIMIT_IN_A[unit]


async def test_TC_060() -> None:
    async with under_test(BOARD) as (tool, box):
        await box.plug_in()
        request = call.RemoteStartTransaction(TAG, connector_id=1, charging_profile=profile("TxDefaultProfile", "A"))
        await tool.answered(request, "Rejected")
        await tool.nothing_of(call.StartTransaction)
