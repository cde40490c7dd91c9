"""The keys of OCPP 1.6 chapter 9 against what is declared: number, access, type; required ones are there."""

from __future__ import annotations

import pytest

import profiles
from chargepoint.runtime.assembly import roster_for
from hw.loader import plan_board

# Name, section, required, accessibility, type: OCPP 1.6 edition 2, 9.1 and 9.2. "R RW": the choice is ours.
CORE = [
    ("AllowOfflineTxForUnknownId", "9.1.1", False, "RW", "boolean"),
    ("AuthorizationCacheEnabled", "9.1.2", False, "RW", "boolean"),
    ("AuthorizeRemoteTxRequests", "9.1.3", True, "R RW", "boolean"),
    ("BlinkRepeat", "9.1.4", False, "RW", "integer"),
    ("ClockAlignedDataInterval", "9.1.5", True, "RW", "integer"),
    ("ConnectionTimeOut", "9.1.6", True, "RW", "integer"),
    ("ConnectorPhaseRotation", "9.1.7", True, "RW", "list"),
    ("ConnectorPhaseRotationMaxLength", "9.1.8", False, "R", "integer"),
    ("GetConfigurationMaxKeys", "9.1.9", True, "R", "integer"),
    ("HeartbeatInterval", "9.1.10", True, "RW", "integer"),
    ("LightIntensity", "9.1.11", False, "RW", "integer"),
    ("LocalAuthorizeOffline", "9.1.12", True, "RW", "boolean"),
    ("LocalPreAuthorize", "9.1.13", True, "RW", "boolean"),
    ("MaxEnergyOnInvalidId", "9.1.14", False, "RW", "integer"),
    ("MeterValuesAlignedData", "9.1.15", True, "RW", "list"),
    ("MeterValuesAlignedDataMaxLength", "9.1.16", False, "R", "integer"),
    ("MeterValuesSampledData", "9.1.17", True, "RW", "list"),
    ("MeterValuesSampledDataMaxLength", "9.1.18", False, "R", "integer"),
    ("MeterValueSampleInterval", "9.1.19", True, "RW", "integer"),
    ("MinimumStatusDuration", "9.1.20", False, "RW", "integer"),
    ("NumberOfConnectors", "9.1.21", True, "R", "integer"),
    ("ResetRetries", "9.1.22", True, "RW", "integer"),
    ("StopTransactionOnEVSideDisconnect", "9.1.23", True, "RW", "boolean"),
    ("StopTransactionOnInvalidId", "9.1.24", True, "RW", "boolean"),
    ("StopTxnAlignedData", "9.1.25", True, "RW", "list"),
    ("StopTxnAlignedDataMaxLength", "9.1.26", False, "R", "integer"),
    ("StopTxnSampledData", "9.1.27", True, "RW", "list"),
    ("StopTxnSampledDataMaxLength", "9.1.28", False, "R", "integer"),
    ("SupportedFeatureProfiles", "9.1.29", True, "R", "list"),
    ("TransactionMessageAttempts", "9.1.31", True, "RW", "integer"),
    ("TransactionMessageRetryInterval", "9.1.32", True, "RW", "integer"),
    ("UnlockConnectorOnEVSideDisconnect", "9.1.33", True, "R RW", "boolean"),
    ("WebSocketPingInterval", "9.1.34", False, "RW", "integer"),
]
SMART_CHARGING = [
    ("ChargeProfileMaxStackLevel", "9.4.1", True, "R", "integer"),
    ("ChargingScheduleAllowedChargingRateUnit", "9.4.2", True, "R", "list"),
    ("ChargingScheduleMaxPeriods", "9.4.3", True, "R", "integer"),
    ("ConnectorSwitch3to1PhaseSupported", "9.4.4", False, "R", "boolean"),
    ("MaxChargingProfilesInstalled", "9.4.5", True, "R", "integer"),
]


LOCAL_AUTH_LIST = [
    ("LocalAuthListEnabled", "9.2.1", True, "RW", "boolean"),
    ("LocalAuthListMaxLength", "9.2.2", True, "R", "integer"),
    ("SendLocalListMaxLength", "9.2.3", True, "R", "integer"),
]
RESERVATION = [("ReserveConnectorZeroSupported", "9.3.1", False, "R", "boolean")]
KEYS = CORE + LOCAL_AUTH_LIST + RESERVATION + SMART_CHARGING


@pytest.mark.parametrize(("name", "section", "required", "access", "kind"), KEYS, ids=[row[0] for row in KEYS])
def test_a_key_is_declared_as_the_standard_has_it(
    name: str, section: str, required: bool, access: str, kind: str
) -> None:
    """OCPP 1.6 9.1 to 9.4: name, accessibility and type of every key."""
    keyring = roster_for(plan_board("ac22-sim-duo"), tuple(profiles.ALL)).keyring
    key = keyring.find(name)
    assert key is not None or not required
    assert key is not None, "optional, but this charger has it"
    assert key.name == name
    assert key.kind == kind
    assert keyring.access(key).value in access.split()
    if not name.endswith("DataMaxLength"):
        # Two sections describe one list: the length key names the one of its list.
        assert key.source.split()[0] in (section, "OCPP-J")
