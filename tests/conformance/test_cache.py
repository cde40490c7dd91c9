"""Catalogue, section Cache."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import TAG, authorized, id_tag_cached, occupied, started
from tests.conformance.tool import under_test


@pytest.mark.parametrize("way", ["remote", "card"])
async def test_TC_007(way: str) -> None:
    async with under_test() as (tool, box):
        await tool.configure(AuthorizationCacheEnabled=True, LocalPreAuthorize=True, AuthorizeRemoteTxRequests=True)
        await id_tag_cached(tool, box)
        await occupied(tool, box)
        if way == "remote":
            await tool.accepted(call.RemoteStartTransaction(id_tag=TAG, connector_id=1))
        else:
            # Later issues of the document also start by the card itself.
            await box.swipe(TAG)
        await started(tool)
        await tool.nothing_of(call.Authorize)


async def test_TC_061() -> None:
    async with under_test() as (tool, box):
        await tool.configure(AuthorizationCacheEnabled=True, LocalPreAuthorize=True, ConnectionTimeOut=40)
        await authorized(tool, box)
        await tool.expect(call.StatusNotification, connector_id=1, status="Available", within_s=41)
        await box.swipe(TAG)
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        await tool.nothing_of(call.Authorize, for_s=1)
        await tool.expect(call.StatusNotification, connector_id=1, status="Available", within_s=41)
        await tool.accepted(call.ClearCache())
        await authorized(tool, box)
