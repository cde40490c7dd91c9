"""Catalogue, section Cold Boot Charge Point."""

from __future__ import annotations

from ocpp.v16 import call

from tests.conformance.tool import Tool, statuses_told, under_test

BOOT_INTERVAL_S = 20
HEARTBEAT_S = 45


async def heartbeats(tool: Tool, interval_s: int) -> None:
    """Three heartbeats, each an interval after the last message."""
    for _each in range(3):
        heard = await tool.expect(call.Heartbeat, within_s=interval_s + 1, past=())
        before = tool.csms.heard[tool.csms.heard.index(heard) - 1]
        assert (heard.at - before.at).total_seconds() == interval_s


async def test_TC_001() -> None:
    async with under_test(boots=False) as (tool, box):
        tool.registrations = ["Rejected"]
        tool.csms.interval_s = BOOT_INTERVAL_S
        box.switch_on()
        first = await tool.expect(call.BootNotification)
        tool.csms.interval_s = HEARTBEAT_S
        again = await tool.expect(call.BootNotification)
        assert (again.at - first.at).total_seconds() == BOOT_INTERVAL_S
        await statuses_told(tool)
        await heartbeats(tool, HEARTBEAT_S)


async def test_TC_002() -> None:
    async with under_test(boots=False) as (tool, box):
        tool.registrations = ["Pending"]
        tool.csms.interval_s = BOOT_INTERVAL_S
        box.switch_on()
        first = await tool.expect(call.BootNotification)
        tool.csms.interval_s = HEARTBEAT_S
        found = await tool.call(call.GetConfiguration())
        assert found.configuration_key
        await tool.configure(MeterValueSampleInterval=17)
        again = await tool.expect(call.BootNotification)
        assert (again.at - first.at).total_seconds() == BOOT_INTERVAL_S
        await statuses_told(tool)
        await heartbeats(tool, HEARTBEAT_S)
