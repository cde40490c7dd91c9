"""The tool itself: what the catalogue does not expect does not pass."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import TAG, occupied
from tests.conformance.tool import Unexpected, message, under_test


async def test_another_message_than_the_expected_one_is_named() -> None:
    async with under_test() as (tool, box):
        await occupied(tool, box)
        await box.swipe(TAG)
        with pytest.raises(
            Unexpected, match=r"expected StartTransaction; instead came Authorize \{'id_tag': 'TAG-VALID'\}"
        ):
            await tool.expect(call.StartTransaction)


async def test_a_field_with_another_value_does_not_fit() -> None:
    async with under_test() as (tool, box):
        await box.plug_in()
        with pytest.raises(Unexpected, match=r"nothing in 5 s, after StatusNotification .*'status': 'Preparing'"):
            await tool.expect(call.StatusNotification, connector_id=1, status="Charging", within_s=5)


async def test_a_message_that_does_not_come_ends_the_wait_after_its_time() -> None:
    async with under_test() as (tool, box):
        before_s = box.clock.now_s
        with pytest.raises(Unexpected, match="expected Authorize and StopTransaction; instead came nothing in 40 s"):
            await tool.in_any_order(message(call.Authorize), message(call.StopTransaction), within_s=40)
        assert box.clock.now_s == before_s + 40


async def test_a_message_answers_one_expectation_only() -> None:
    async with under_test() as (tool, box):
        await box.plug_in()
        preparing = message(call.StatusNotification, status="Preparing")
        with pytest.raises(Unexpected, match="nothing"):
            await tool.in_any_order(preparing, preparing, within_s=20)


async def test_what_must_not_come_is_seen_until_the_end_of_the_time() -> None:
    async with under_test() as (tool, _box):
        await tool.configure(HeartbeatInterval=30)
        await tool.nothing_of(call.Heartbeat, for_s=29)
        with pytest.raises(Unexpected, match="expected nothing of Heartbeat"):
            await tool.nothing_of(call.Heartbeat, for_s=2)


async def test_a_status_that_is_not_accepted_fails() -> None:
    async with under_test() as (tool, _box):
        with pytest.raises(Unexpected, match=r"NotSupported.*expected Accepted"):
            await tool.configure(Testing=True)


async def test_a_message_against_its_schema_fails_the_case() -> None:
    async def case() -> None:
        async with under_test() as (_tool, box):
            box.link.send_text('[2, "1", "StatusNotification", {"connectorId": 1, "status": "Busy"}]')
            await box.settle()

    with pytest.raises(Unexpected, match="the tool had to refuse"):
        await case()


async def test_time_passes_only_when_it_is_let() -> None:
    async with under_test() as (tool, box):
        before_s = box.clock.now_s
        await tool.call(call.GetConfiguration())
        await box.settle()
        assert box.clock.now_s == before_s
