"""Catalogue, section RemoteTrigger: TC_054 and TC_055."""

from __future__ import annotations

from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger

from tests.conformance.tool import under_test


async def test_TC_054() -> None:
    async with under_test() as (tool, _box):
        tool.overlook()
        await tool.accepted(call.TriggerMessage(MessageTrigger.meter_values, connector_id=1))
        await tool.expect(call.MeterValues, connector_id=1)
        await tool.accepted(call.TriggerMessage(MessageTrigger.heartbeat))
        await tool.expect(call.Heartbeat)
        await tool.accepted(call.TriggerMessage(MessageTrigger.status_notification, connector_id=1))
        await tool.expect(call.StatusNotification, connector_id=1, status="Available")
        await tool.accepted(call.TriggerMessage(MessageTrigger.diagnostics_status_notification))
        await tool.expect(call.DiagnosticsStatusNotification, status="Idle")
        await tool.accepted(call.TriggerMessage(MessageTrigger.firmware_status_notification))
        await tool.expect(call.FirmwareStatusNotification, status="Idle")


async def test_TC_055() -> None:
    async with under_test() as (tool, _box):
        tool.overlook()
        beyond = int(await tool.configuration("NumberOfConnectors")) + 1
        await tool.answered(call.TriggerMessage(MessageTrigger.meter_values, connector_id=beyond), "Rejected")
        await tool.nothing_of(call.MeterValues)
