"""Catalogue, section DataTransfer: TC_062, and TC_064 of older lists."""

from __future__ import annotations

from ocpp.v16 import call

from tests.conformance.states import charging
from tests.conformance.tool import under_test


async def test_TC_062() -> None:
    async with under_test() as (tool, box):
        request = call.DataTransfer(vendor_id="org.example.unknown", message_id="hello", data="anything")
        await tool.answered(request, "UnknownVendorId")
        await charging(tool, box)


async def test_TC_064() -> None:
    async with under_test() as (tool, box):
        await box.transfer_data("org.example", "anything")
        await tool.expect(call.DataTransfer, vendor_id="org.example", data="anything")
