"""Catalogue, section Reservation: TC_046 to TC_053."""

from __future__ import annotations

from dataclasses import replace

from ocpp.v16 import call

import profiles
from tests.conformance.states import (
    OTHER_TAG,
    TAG,
    authorized,
    charge_point_faulted,
    charging,
    faulted,
    occupied,
    reservation,
    reserved,
    started,
    unavailable,
)
from tests.conformance.tool import Tool, under_test

DUO = "ac22-sim-duo"
WITHOUT_RESERVATION = tuple(name for name in profiles.ALL if name != "Reservation")


def reservation_used(tool: Tool) -> int | None:
    """The reservationId of the last transaction that was started."""
    return tool.csms.all("StartTransaction")[-1].payload.get("reservation_id")


async def test_TC_046_1() -> None:
    async with under_test(DUO) as (tool, box):
        await unavailable(tool, box, 2)
        await reserved(tool, box, TAG, reservation_id=46)
        tool.overlook()
        await box.swipe(OTHER_TAG)
        await tool.nothing_of(call.Authorize, call.StatusNotification, call.StartTransaction)
        await box.swipe(TAG)
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing", past=(call.Authorize,))
        await box.plug_in()
        await started(tool, TAG, reservation_id=46)
        assert {each["id_tag"] for each in tool.csms.all("Authorize")} <= {TAG}


async def test_TC_046_2() -> None:
    async with under_test() as (tool, box):
        await reserved(tool, box, TAG, reservation_id=46)
        await charging(tool, box, TAG)
        assert reservation_used(tool) == 46


async def test_TC_047() -> None:
    async with under_test(DUO) as (tool, box):
        await unavailable(tool, box, 2)
        expiry = tool.utc(60)
        await reserved(tool, box, TAG, for_s=60)
        over = await tool.expect(call.StatusNotification, connector_id=1, status="Available", within_s=65)
        assert over["timestamp"] >= expiry
        await charging(tool, box, OTHER_TAG)
        assert reservation_used(tool) is None


async def test_TC_048_1() -> None:
    async with under_test() as (tool, box):
        await faulted(tool, box)
        await tool.answered(reservation(tool), "Faulted")


async def test_TC_048_2() -> None:
    async with under_test() as (tool, box):
        await occupied(tool, box)
        await tool.answered(reservation(tool), "Occupied")


async def test_TC_048_3() -> None:
    async with under_test() as (tool, box):
        await unavailable(tool, box)
        await tool.answered(reservation(tool), "Unavailable")


async def test_TC_048_4() -> None:
    async with under_test(feature_profiles=WITHOUT_RESERVATION) as (tool, box):
        await tool.answered(reservation(tool), "Rejected")
        await charging(tool, box, OTHER_TAG)


async def test_TC_049() -> None:
    async with under_test(DUO) as (tool, box):
        assert await tool.configuration("ReserveConnectorZeroSupported") == "true"
        await unavailable(tool, box, 2)
        await tool.accepted(reservation(tool, TAG, connector=0, reservation_id=49))
        await tool.expect(call.StatusNotification, connector_id=1, status="Reserved")
        await charging(tool, box, TAG)
        assert reservation_used(tool) == 49


async def test_TC_050_1() -> None:
    async with under_test(DUO) as (tool, box):
        await charge_point_faulted(tool, box)
        await tool.answered(reservation(tool, connector=0), "Faulted")


async def test_TC_050_2() -> None:
    async with under_test(DUO) as (tool, box):
        await occupied(tool, box, 1)
        await occupied(tool, box, 2)
        await tool.answered(reservation(tool, connector=0), "Occupied")


async def test_TC_050_3() -> None:
    async with under_test(DUO) as (tool, box):
        await unavailable(tool, box, 0)
        await tool.answered(reservation(tool, connector=0), "Unavailable")


async def test_TC_050_4() -> None:
    async with under_test(DUO, feature_profiles=WITHOUT_RESERVATION) as (tool, box):
        await tool.answered(reservation(tool, connector=0), "Rejected")
        await charging(tool, box, OTHER_TAG)


async def test_TC_051() -> None:
    async with under_test() as (tool, box):
        await reserved(tool, box, TAG, reservation_id=51)
        await tool.accepted(call.CancelReservation(reservation_id=51))
        await tool.expect(call.StatusNotification, connector_id=1, status="Available")
        await charging(tool, box, OTHER_TAG)
        assert reservation_used(tool) is None


async def test_TC_052() -> None:
    async with under_test() as (tool, box):
        await reserved(tool, box, TAG, reservation_id=52)
        await tool.answered(call.CancelReservation(reservation_id=53), "Rejected")
        await tool.nothing_of(call.StatusNotification)
        await charging(tool, box, TAG)
        assert reservation_used(tool) == 52


async def test_TC_053() -> None:
    async with under_test(DUO) as (tool, box):
        await unavailable(tool, box, 2)
        tool.cards[TAG] = tool.cards[OTHER_TAG] = {"status": "Accepted", "parent_id_tag": "PARENT"}
        await tool.accepted(replace(reservation(tool, TAG, reservation_id=53), parent_id_tag="PARENT"))
        await tool.expect(call.StatusNotification, connector_id=1, status="Reserved")
        await authorized(tool, box, OTHER_TAG)
        await box.plug_in()
        await started(tool, OTHER_TAG, reservation_id=53)
