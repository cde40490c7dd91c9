"""Catalogue, section LocalAuthListManagement: TC_042, TC_043 and TC_008."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from ocpp.v16 import call

import profiles
from chargepoint.model.outbox import Save
from chargepoint.runtime.store import Durability, Store, StoreError
from tests.conformance.states import OTHER_TAG, TAG, local_list, started
from tests.conformance.tool import Tool, booted, under_test

WITHOUT_LIST = tuple(name for name in profiles.ALL if name != "LocalAuthListManagement")

not_supported = pytest.mark.parametrize(
    ("feature_profiles", "keys"),
    [(WITHOUT_LIST, {}), (tuple(profiles.ALL), {"LocalAuthListEnabled": "false"})],
    ids=["profile missing", "disabled"],
)


class FailingStore(Store):
    """Refuses as many commits as it is told to, as a disk that is full for a while does."""

    failures = 0

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the store refuses, as it was told to")
        super().commit(rows)


async def version(tool: Tool) -> int:
    return int((await tool.call(call.GetLocalListVersion())).list_version)


@not_supported
async def test_TC_042_1(feature_profiles: tuple[str, ...], keys: dict[str, str]) -> None:
    async with under_test(feature_profiles=feature_profiles, keys=keys) as (tool, _box):
        assert await version(tool) == -1


async def test_TC_042_2() -> None:
    async with under_test(keys={"LocalAuthListEnabled": "true"}) as (tool, _box):
        await tool.accepted(local_list("Full", 1))
        assert await version(tool) == 0


async def test_TC_043() -> None:
    async with under_test(keys={"LocalAuthListEnabled": "true", "LocalPreAuthorize": "true"}) as (tool, box):
        await tool.accepted(local_list("Full", 1, TAG))
        await tool.accepted(local_list("Differential", 2, OTHER_TAG))
        for tag in (TAG, OTHER_TAG):
            await box.plug_in()
            await box.swipe(tag)
            await started(tool, tag)  # and no Authorize
            await box.swipe(tag)
            await box.unplug()
            await tool.expect(call.StopTransaction, id_tag=tag)
            await tool.expect(call.StatusNotification, connector_id=1, status="Available")


@not_supported
async def test_TC_043_1(feature_profiles: tuple[str, ...], keys: dict[str, str]) -> None:
    async with under_test(feature_profiles=feature_profiles, keys={"LocalPreAuthorize": "true", **keys}) as (tool, box):
        await tool.answered(local_list("Full", 1, TAG), "NotSupported")
        await box.plug_in()
        await box.swipe(TAG)
        await tool.expect(call.Authorize, id_tag=TAG)


async def test_TC_043_2() -> None:
    async with under_test(keys={"LocalAuthListEnabled": "true"}) as (tool, _box):
        await tool.accepted(local_list("Full", 2, TAG))
        assert await version(tool) == 2
        await tool.accepted(local_list("Differential", 5, OTHER_TAG))
        assert await version(tool) == 5
        await tool.answered(local_list("Differential", 4, TAG), "VersionMismatch")
        assert await version(tool) == 5


async def test_TC_043_3() -> None:
    async with under_test(keys={"LocalAuthListEnabled": "true", "LocalAuthListMaxLength": "2"}) as (tool, _box):
        await tool.accepted(local_list("Full", 1, TAG))
        # A list that is longer than the charge point can keep fails; the one before stays.
        await tool.answered(local_list("Full", 2, TAG, OTHER_TAG, "TAG-THIRD"), "Failed")
        assert await version(tool) == 1


async def test_list_that_cannot_be_stored_is_failed() -> None:
    """7.47: "Failed to update the Local Authorization List". TC_043_3 with a store that breaks."""
    async with under_test(keys={"LocalAuthListEnabled": "true"}, boots=False) as (tool, box):
        box.store = store = FailingStore(None, Durability.RELAXED)
        box.switch_on()
        await booted(tool)
        await tool.accepted(local_list("Full", 1, TAG))
        store.failures = 1
        await tool.answered(local_list("Full", 2, TAG, OTHER_TAG), "Failed")
        assert await version(tool) == 1


async def test_TC_008() -> None:
    async with under_test() as (tool, box):
        await tool.configure(
            LocalPreAuthorize=True,
            AuthorizationCacheEnabled=False,
            LocalAuthListEnabled=True,
            AuthorizeRemoteTxRequests=True,
        )
        await tool.accepted(local_list("Full", await version(tool) + 1, TAG))
        await box.plug_in()
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")
        await tool.accepted(call.RemoteStartTransaction(id_tag=TAG, connector_id=1))
        await started(tool)  # and no Authorize
