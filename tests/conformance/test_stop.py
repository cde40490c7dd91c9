"""Catalogue, section Stop Charging Session."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import OTHER_TAG, TAG, authorized, charging, started, stopped
from tests.conformance.tool import message, under_test

FAMILY = {"status": "Accepted", "parent_id_tag": "FAMILY"}


@pytest.mark.parametrize("board", ["ac22-sim-socket", "ac22-sim-duo"])
async def test_TC_068(board: str) -> None:
    async with under_test(board) as (tool, box):
        if board.endswith("duo"):
            await charging(tool, box, "TAG-STRANGER", 2)
        transaction_id = await charging(tool, box)
        await box.swipe(OTHER_TAG)
        await tool.nothing_of(call.Authorize, call.StopTransaction)
        await box.swipe(TAG)
        await stopped(tool, transaction_id=transaction_id, id_tag={TAG, None})


@pytest.mark.parametrize("board", ["ac22-sim-socket", "ac22-sim-duo"])
async def test_TC_069(board: str) -> None:
    async with under_test(board) as (tool, box):
        tool.cards |= {TAG: FAMILY, OTHER_TAG: FAMILY}
        if board.endswith("duo"):
            await charging(tool, box, "TAG-STRANGER", 2)
        transaction_id = await charging(tool, box)
        await box.swipe(OTHER_TAG)
        await tool.expect(call.Authorize, id_tag=OTHER_TAG)
        await stopped(tool, transaction_id=transaction_id, id_tag=OTHER_TAG)


async def test_TC_005_1() -> None:
    async with under_test() as (tool, box):
        await tool.configure(StopTransactionOnEVSideDisconnect=True, UnlockConnectorOnEVSideDisconnect=True)
        transaction_id = await charging(tool, box)
        await box.unplug_car()
        await stopped(tool, transaction_id=transaction_id, reason="EVDisconnected")
        await box.unplug()
        await tool.expect(call.StatusNotification, connector_id=1, status="Available")


async def test_TC_005_2() -> None:
    async with under_test() as (tool, box):
        await tool.configure(StopTransactionOnEVSideDisconnect=True, UnlockConnectorOnEVSideDisconnect=False)
        transaction_id = await charging(tool, box)
        await box.unplug_car()
        await tool.in_any_order(
            message(call.StopTransaction, transaction_id=transaction_id, reason="EVDisconnected"),
            message(call.StatusNotification, connector_id=1, status={"Finishing", "Available"}),
        )
        await tool.answered(call.UnlockConnector(connector_id=1), "Unlocked")
        await box.unplug()
        await tool.expect(call.StatusNotification, connector_id=1, status="Available")


@pytest.mark.parametrize(("board", "afterwards"), [("ac22-sim-socket", "Finishing"), ("ac22-sim", "Available")])
async def test_TC_005_3(board: str, afterwards: str) -> None:
    async with under_test(board) as (tool, box):
        await tool.configure(StopTransactionOnEVSideDisconnect=False)
        if board == "ac22-sim-socket":
            await tool.configure(UnlockConnectorOnEVSideDisconnect=False)
        transaction_id = await charging(tool, box)
        await box.unplug_car()
        await tool.expect(
            call.StatusNotification,
            connector_id=1,
            status={"SuspendedEV", "SuspendedEVSE"},
            info="EV side disconnected",
        )
        await tool.nothing_of(call.StopTransaction)
        await tool.accepted(call.RemoteStopTransaction(transaction_id=transaction_id))
        await tool.in_any_order(
            message(call.StopTransaction, transaction_id=transaction_id, reason="Remote"),
            message(call.StatusNotification, connector_id=1, status=afterwards),
        )


async def test_TC_006() -> None:
    async with under_test("ac22-sim-duo") as (tool, box):
        await box.plug_in(1)
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        await authorized(tool, box, TAG)
        await started(tool, TAG, 1)
        await box.plug_in(2)
        await tool.expect(call.StatusNotification, connector_id=2, status="Preparing")
        await authorized(tool, box, OTHER_TAG, 2)
        await started(tool, OTHER_TAG, 2)
        await box.swipe(TAG)
        await stopped(tool, 1, transaction_id=1)
        await tool.nothing_of(call.StopTransaction)
        await box.swipe(OTHER_TAG)
        await stopped(tool, 2, transaction_id=2)
