"""Catalogue, section Start Charging Session."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import TAG, authorized, started
from tests.conformance.tool import under_test


async def test_TC_003() -> None:
    async with under_test() as (tool, box):
        await box.plug_in()
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        await box.swipe(TAG)
        await tool.expect(call.Authorize, id_tag=TAG)
        await started(tool)


async def test_TC_004_1() -> None:
    async with under_test() as (tool, box):
        await tool.configure(MeterValueSampleInterval=60)
        await authorized(tool, box)
        await box.plug_in()
        await started(tool)


async def test_TC_004_2() -> None:
    async with under_test() as (tool, box):
        await tool.configure(ConnectionTimeOut=60)
        *_authorize, preparing = await authorized(tool, box)
        available = await tool.expect(call.StatusNotification, connector_id=1, status="Available", within_s=61)
        assert (available.at - preparing.at).total_seconds() == pytest.approx(60, abs=1)
