"""Catalogue, sections Power Failure and Fault Behavior, and the idle charge point of older lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from ocpp.v16 import call

from tests.conformance.charge_point import ChargePointUnderTest
from tests.conformance.states import TAG, charge_point_faulted, charging, faulted, unavailable
from tests.conformance.tool import Tool, booted, message, under_test

BOARDS = pytest.mark.parametrize("board", ["ac22-sim-socket", "ac22-sim-duo"])


@BOARDS
async def test_TC_032_2(board: str) -> None:
    async with under_test(board) as (tool, box):
        transaction_id = await charging(tool, box)
        await box.cut_power()
        stop = message(call.StopTransaction, transaction_id=transaction_id, reason="PowerLoss")
        await booted(tool, {1: {"Preparing", "Finishing"}}, stop)
        await tool.nothing_of(call.StopTransaction, call.StartTransaction)


@BOARDS
async def test_TC_034(board: str) -> None:
    async with under_test(board) as (tool, box):
        await unavailable(tool, box, 0)
        await box.cut_power()
        await booted(tool, dict.fromkeys(range(3), "Unavailable"))


async def test_TC_035() -> None:
    async with under_test() as (tool, box):
        await tool.configure(HeartbeatInterval=30)
        tool.overlook()
        await box.cut_link()
        await box.live(100)
        await box.restore_link()
        for _each in range(3):
            await tool.expect(call.Heartbeat)
        await tool.nothing_of(call.BootNotification)
        assert box.link.connections == 2


@pytest.mark.parametrize("breaks", [faulted, charge_point_faulted])
@pytest.mark.parametrize("way", ["card", "remote"])
async def test_TC_041(way: str, breaks: Callable[[Tool, ChargePointUnderTest], Awaitable[None]]) -> None:
    async with under_test() as (tool, box):
        await breaks(tool, box)
        await box.plug_in()
        if way == "card":
            await box.swipe(TAG)
        else:
            await tool.answered(call.RemoteStartTransaction(id_tag=TAG, connector_id=1), "Rejected")
        await tool.nothing_of(call.StartTransaction, for_s=120)
