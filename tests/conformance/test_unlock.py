"""Catalogue, sections Unlocking, happy and non-happy."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import charging, stopped
from tests.conformance.tool import under_test

SOCKET, FIXED_CABLE = "ac22-sim-socket", "ac22-sim"


async def test_TC_017_1() -> None:
    async with under_test(SOCKET) as (tool, _box):
        await tool.answered(call.UnlockConnector(connector_id=1), "Unlocked")


async def test_TC_017_2() -> None:
    async with under_test(FIXED_CABLE) as (tool, _box):
        await tool.answered(call.UnlockConnector(connector_id=1), "NotSupported")


async def test_TC_018_1() -> None:
    async with under_test(SOCKET) as (tool, box):
        transaction_id = await charging(tool, box)
        await tool.answered(call.UnlockConnector(connector_id=1), "Unlocked")
        await stopped(tool, transaction_id=transaction_id, reason="UnlockCommand")
        await box.unplug()
        await tool.expect(call.StatusNotification, connector_id=1, status="Available")


async def test_TC_018_2() -> None:
    async with under_test(FIXED_CABLE) as (tool, box):
        await charging(tool, box)
        await tool.answered(call.UnlockConnector(connector_id=1), "NotSupported")
        await tool.nothing_of(call.StopTransaction, call.StatusNotification)


async def test_TC_030() -> None:
    async with under_test(SOCKET) as (tool, box):
        await charging(tool, box)
        await box.fault("lock_jammed")
        await tool.answered(call.UnlockConnector(connector_id=1), "UnlockFailed")


@pytest.mark.parametrize("board", [SOCKET, FIXED_CABLE, "ac22-sim-duo"])
async def test_TC_031(board: str) -> None:
    async with under_test(board) as (tool, box):
        unknown = len(box.charger.board.outlets) + 1
        await tool.answered(call.UnlockConnector(connector_id=unknown), "NotSupported")
