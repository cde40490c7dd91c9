"""Catalogue, sections Configuration Happy flow and Configuration Keys Non-Happy Flow."""

from __future__ import annotations

from contextlib import suppress

from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.v16 import call

from tests.conformance.tool import under_test

READ_ONLY, READ_WRITE, EITHER = {True}, {False}, {True, False}
REQUIRED = {
    "AuthorizeRemoteTxRequests": EITHER,
    "ClockAlignedDataInterval": READ_WRITE,
    "ConnectionTimeOut": READ_WRITE,
    "ConnectorPhaseRotation": READ_WRITE,
    "GetConfigurationMaxKeys": READ_ONLY,
    "HeartbeatInterval": READ_WRITE,
    "LocalAuthorizeOffline": READ_WRITE,
    "LocalPreAuthorize": READ_WRITE,
    "MeterValuesAlignedData": READ_WRITE,
    "MeterValuesSampledData": READ_WRITE,
    "MeterValueSampleInterval": READ_WRITE,
    "NumberOfConnectors": READ_ONLY,
    "ResetRetries": READ_WRITE,
    "StopTransactionOnInvalidId": READ_WRITE,
    "StopTxnAlignedData": READ_WRITE,
    "StopTxnSampledData": READ_WRITE,
    "SupportedFeatureProfiles": READ_ONLY,
    "TransactionMessageAttempts": READ_WRITE,
    "TransactionMessageRetryInterval": READ_WRITE,
    "UnlockConnectorOnEVSideDisconnect": EITHER,
    # Feature profile LocalAuthListManagement
    "LocalAuthListEnabled": READ_WRITE,
    "LocalAuthListMaxLength": READ_ONLY,
    "SendLocalListMaxLength": READ_ONLY,
    # Feature profile SmartCharging
    "ChargeProfileMaxStackLevel": READ_ONLY,
    "ChargingScheduleAllowedChargingRateUnit": READ_ONLY,
    "ChargingScheduleMaxPeriods": READ_ONLY,
    "MaxChargingProfilesInstalled": READ_ONLY,
}
"""Whether each key of the document is read-only."""


async def test_TC_019() -> None:
    async with under_test() as (tool, _box):
        profiles = await tool.call(call.GetConfiguration(key=["SupportedFeatureProfiles"]))
        assert not profiles.unknown_key
        assert [each["key"] for each in profiles.configuration_key] == ["SupportedFeatureProfiles"]
        everything = await tool.call(call.GetConfiguration())
        told = {each["key"]: each["readonly"] for each in everything.configuration_key}
        assert REQUIRED.keys() <= told.keys()
        assert [key for key, access in REQUIRED.items() if told[key] not in access] == []
        most = await tool.configuration("GetConfigurationMaxKeys")
        wanted = list(told)[: int(most)]
        some = await tool.call(call.GetConfiguration(key=wanted))
        assert not some.unknown_key
        assert {each["key"] for each in some.configuration_key} == set(wanted)


async def test_TC_021() -> None:
    async with under_test() as (tool, _box):
        assert await tool.configuration("MeterValueSampleInterval") != "17"
        await tool.configure(MeterValueSampleInterval=17)
        assert await tool.configuration("MeterValueSampleInterval") == "17"


async def test_TC_040_1() -> None:
    async with under_test() as (tool, _box):
        await tool.answered(call.ChangeConfiguration(key="Testing", value="true"), "NotSupported")


async def test_TC_040_2() -> None:
    async with under_test() as (tool, _box):
        before = await tool.configuration("MeterValueSampleInterval")
        with suppress(PropertyConstraintViolationError):
            await tool.answered(call.ChangeConfiguration(key="MeterValueSampleInterval", value="-1"), "Rejected")
        assert await tool.configuration("MeterValueSampleInterval") == before
