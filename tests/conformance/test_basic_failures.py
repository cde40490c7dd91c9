"""Catalogue, section Basic Actions Non-happy flow."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import remotely_prepared
from tests.conformance.tool import under_test


@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired"])
async def test_TC_023(status: str) -> None:
    async with under_test(keys={"MinimumStatusDuration": "10"}) as (tool, box):
        await tool.configure(LocalPreAuthorize=True)
        tool.cards["TAG-BAD"] = {"status": status}
        await box.plug_in()
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        await box.swipe("TAG-BAD")
        await tool.expect(call.Authorize, id_tag="TAG-BAD")
        await tool.nothing_of(call.StartTransaction, for_s=60)
        assert box.status() != "Charging"


async def test_TC_024() -> None:
    async with under_test() as (tool, box):
        await remotely_prepared(tool)
        await box.plug_in_half()
        await tool.expect(call.StatusNotification, connector_id=1, status="Faulted", error_code="ConnectorLockFailure")
        await tool.nothing_of(call.StartTransaction, for_s=60)
