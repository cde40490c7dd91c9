"""Catalogue, sections on offline behaviour: TC_036 to TC_039."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from ocpp.v16 import call

from tests.conformance.charge_point import ChargePointUnderTest
from tests.conformance.states import TAG, charging, id_tag_cached, id_tag_local_auth_list, started, stopped
from tests.conformance.tool import Tool, under_test

OFFLINE = {
    "LocalAuthorizeOffline": "true",
    "LocalAuthListEnabled": "true",
    "AuthorizationCacheEnabled": "true",
    "AllowOfflineTxForUnknownId": "true",
}
"""Every way there is to know a card without the central system."""
ONLY_CACHE = {**OFFLINE, "LocalAuthListEnabled": "false", "AllowOfflineTxForUnknownId": "false"}
ONLY_LIST = {**OFFLINE, "AuthorizationCacheEnabled": "false", "AllowOfflineTxForUnknownId": "false"}
ONLY_UNKNOWN = {**OFFLINE, "LocalAuthListEnabled": "false", "AuthorizationCacheEnabled": "false"}


def instant(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


async def known(tool: Tool, box: ChargePointUnderTest) -> None:
    """Tables 112 and 113, as far as the keys allow: the card is in the cache and on the list."""
    await id_tag_cached(tool, box)
    if await tool.configuration("LocalAuthListEnabled") == "true":
        await id_tag_local_auth_list(tool)


async def starts_offline(tool: Tool, box: ChargePointUnderTest) -> None:
    """The link is cut, a card starts a transaction, and some time later the link is back."""
    await box.cut_link()
    await box.plug_in()
    await box.swipe(TAG)
    await box.live(60)
    await box.restore_link()


async def test_TC_036() -> None:
    interval_s = 10
    async with under_test() as (tool, box):
        await tool.configure(MeterValueSampleInterval=interval_s)
        transaction_id = await charging(tool, box)
        await tool.expect(call.MeterValues, transaction_id=transaction_id)
        await box.cut_link()
        await box.live(4 * interval_s)
        await box.restore_link()
        await tool.nothing_of(call.StopTransaction, for_s=90)
        sent = tool.csms.all("MeterValues")
        assert {each["transaction_id"] for each in sent} == {transaction_id}
        taken = [instant(value["timestamp"]) for each in sent for value in each["meter_value"]]
        assert {later - earlier for earlier, later in pairwise(taken)} == {timedelta(seconds=interval_s)}
        back = next(each.at for each in sent if each.socket == 2)
        assert sum(each.at == back for each in sent) >= 4
        assert sent[-1].at > back


@pytest.mark.parametrize(
    "keys", [OFFLINE, ONLY_LIST, ONLY_CACHE, ONLY_UNKNOWN], ids=["all", "list", "cache", "unknown"]
)
async def test_TC_037_1(keys: dict[str, str]) -> None:
    async with under_test(keys=keys) as (tool, box):
        await known(tool, box)
        await starts_offline(tool, box)
        await started(tool)


async def test_TC_037_2() -> None:
    async with under_test(keys=OFFLINE) as (tool, box):
        await tool.configure(StopTransactionOnInvalidId=False, MaxEnergyOnInvalidId=0)
        await known(tool, box)
        tool.cards[TAG] = {"status": "Invalid"}
        await starts_offline(tool, box)
        await started(tool)
        await tool.expect(call.StatusNotification, connector_id=1, status="SuspendedEVSE")
        await tool.nothing_of(call.StopTransaction, for_s=60)


async def test_TC_037_3() -> None:
    async with under_test(keys=OFFLINE) as (tool, box):
        await tool.configure(StopTransactionOnInvalidId=True, MaxEnergyOnInvalidId=0)
        await known(tool, box)
        tool.cards[TAG] = {"status": "Invalid"}
        await starts_offline(tool, box)
        await started(tool)
        await stopped(tool, transaction_id=tool.csms.transaction_id, reason="DeAuthorized")


async def test_TC_038() -> None:
    async with under_test() as (tool, box):
        transaction_id = await charging(tool, box)
        await box.cut_link()
        await box.swipe(TAG)
        await box.restore_link()
        await stopped(tool, transaction_id=transaction_id, reason={"Local", None})


async def test_TC_039() -> None:
    async with under_test(keys=OFFLINE) as (tool, box):
        await known(tool, box)
        await box.cut_link()
        await box.plug_in()
        await box.swipe(TAG)
        await box.live(60)
        await box.swipe(TAG)
        await box.unplug()
        await box.restore_link()
        start = await tool.expect(call.StartTransaction, id_tag=TAG)
        stop = await tool.expect(call.StopTransaction, transaction_id=tool.csms.transaction_id, reason={"Local", None})
        assert instant(stop["timestamp"]) - instant(start["timestamp"]) >= timedelta(seconds=60)
        assert instant(stop["timestamp"]) < start.at
