"""Catalogue, sections Remote Actions, happy and non-happy."""

from __future__ import annotations

from contextlib import suppress

import pytest
from ocpp.exceptions import OCPPError
from ocpp.v16 import call

from tests.conformance.charge_point import ChargePointUnderTest
from tests.conformance.states import OTHER_TAG, TAG, charging, remotely_prepared, started, stopped
from tests.conformance.tool import Tool, under_test

both_settings = pytest.mark.parametrize("authorizes", [True, False])


@both_settings
async def test_TC_010(authorizes: bool) -> None:
    async with under_test() as (tool, box):
        await tool.configure(AuthorizeRemoteTxRequests=authorizes)
        await charging(tool, box)


@both_settings
async def test_TC_011_1(authorizes: bool) -> None:
    async with under_test() as (tool, box):
        await tool.configure(AuthorizeRemoteTxRequests=authorizes)
        await remotely_prepared(tool)
        await box.plug_in()
        await started(tool)


@both_settings
async def test_TC_011_2(authorizes: bool) -> None:
    async with under_test() as (tool, _box):
        await tool.configure(AuthorizeRemoteTxRequests=authorizes, ConnectionTimeOut=50)
        preparing, *_authorize = await remotely_prepared(tool)
        available = await tool.expect(call.StatusNotification, connector_id=1, status="Available", within_s=51)
        assert (available.at - preparing.at).total_seconds() == pytest.approx(50, abs=1)
        await tool.nothing_of(call.StartTransaction)


async def test_TC_012() -> None:
    async with under_test() as (tool, box):
        transaction_id = await charging(tool, box)
        await tool.accepted(call.RemoteStopTransaction(transaction_id=transaction_id))
        await stopped(tool, transaction_id=transaction_id, reason="Remote")


async def is_quietly_charging(tool: Tool, box: ChargePointUnderTest) -> None:
    """The transaction lives on, and no other begins."""
    await tool.nothing_of(call.StopTransaction, call.StartTransaction)
    assert box.status() == "Charging"


async def test_TC_026() -> None:
    async with under_test() as (tool, box):
        await tool.configure(LocalPreAuthorize=False)
        await charging(tool, box)
        for tag in (TAG, OTHER_TAG):
            await tool.answered(call.RemoteStartTransaction(id_tag=tag, connector_id=1), "Rejected")
        await is_quietly_charging(tool, box)


async def test_TC_027() -> None:
    async with under_test() as (tool, box):
        await box.plug_in()
        with suppress(OCPPError):  # the document allows any CALLERROR
            await tool.answered(call.RemoteStartTransaction(id_tag=TAG, connector_id=0), "Rejected")
        await tool.nothing_of(call.Authorize, call.StartTransaction)


async def test_TC_028() -> None:
    async with under_test() as (tool, box):
        transaction_id = await charging(tool, box)
        await tool.answered(call.RemoteStopTransaction(transaction_id=transaction_id + 1), "Rejected")
        await is_quietly_charging(tool, box)
