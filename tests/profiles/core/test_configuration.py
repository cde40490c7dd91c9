"""GetConfiguration and ChangeConfiguration (OCPP 1.6 5.3, 5.8, chapter 9; test cases 019, 021, 040)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.outbox import Save
from tests.world import World


def change(world: World, key: str, value: str) -> Any:
    return world.ask("ChangeConfiguration", key=key, value=value)["status"]


def entries(world: World, *names: str) -> dict[str, tuple[bool, str]]:
    """What GetConfiguration tells: readonly and value by key."""
    answer = world.ask("GetConfiguration", **({"key": list(names)} if names else {}))
    return {entry["key"]: (entry["readonly"], entry["value"]) for entry in answer["configurationKey"]}


# --- getting ----------------------------------------------------------------------------------------------------------

REQUIRED = {
    "AuthorizeRemoteTxRequests": False,
    "ClockAlignedDataInterval": False,
    "ConnectionTimeOut": False,
    "ConnectorPhaseRotation": False,
    "GetConfigurationMaxKeys": True,
    "HeartbeatInterval": False,
    "LocalAuthorizeOffline": False,
    "LocalPreAuthorize": False,
    "MeterValuesAlignedData": False,
    "MeterValuesSampledData": False,
    "MeterValueSampleInterval": False,
    "NumberOfConnectors": True,
    "ResetRetries": False,
    "StopTransactionOnInvalidId": False,
    "StopTxnAlignedData": False,
    "StopTxnSampledData": False,
    "SupportedFeatureProfiles": True,
    "TransactionMessageAttempts": False,
    "TransactionMessageRetryInterval": False,
    "UnlockConnectorOnEVSideDisconnect": False,
}
"""Keys that Core demands of every charge point, and whether they are read-only here."""


@pytest.mark.parametrize("key", REQUIRED)
def test_every_required_key_is_told_with_its_accessibility(socket: World, key: str) -> None:
    """none: all required keys with right readonly (9.1; test case 019)."""
    assert entries(socket)[key][0] is REQUIRED[key]


def test_a_key_that_is_asked_for_is_told_alone(world: World) -> None:
    """[SupportedFeatureProfiles]: known, no unknownKey (test case 019)."""
    answer = world.ask("GetConfiguration", key=["ConnectionTimeOut"])
    assert answer == {"configurationKey": [{"key": "ConnectionTimeOut", "readonly": False, "value": "60"}]}


def test_core_is_among_the_supported_feature_profiles(world: World) -> None:
    """SupportedFeatureProfiles: a list of supported Feature Profiles (9.1.26)."""
    assert "Core" in entries(world, "SupportedFeatureProfiles")["SupportedFeatureProfiles"][1].split(",")


@pytest.mark.parametrize(("board", "number"), [("ac11-sim", "1"), ("ac22-sim-duo", "2")])
def test_number_of_connectors_is_the_boards(board: str, number: str) -> None:
    """NumberOfConnectors: the number of physical charging connectors of this Charge Point (9.1.22)."""
    assert entries(World(board=board), "NumberOfConnectors")["NumberOfConnectors"] == (True, number)


def test_an_empty_list_means_all_keys(world: World) -> None:
    """key missing or []: all known keys (5.8)."""
    assert world.ask("GetConfiguration", key=[]) == world.ask("GetConfiguration")


def test_unknown_keys_are_told_with_the_spelling_of_the_request(world: World) -> None:
    """others → unknownKey with the spelling of the request (5.8)."""
    answer = world.ask("GetConfiguration", key=["NoSuchKey", "ConnectionTimeOut"])
    assert (answer["unknownKey"], len(answer["configurationKey"])) == (["NoSuchKey"], 1)


def test_a_key_is_found_in_any_case_and_told_in_its_own(world: World) -> None:
    """compare keys case-insensitively; report in canonical spelling (7.4)."""
    assert list(entries(world, "connectiontimeout")) == ["ConnectionTimeOut"]


def test_a_key_asked_for_twice_is_told_once(world: World) -> None:
    """one entry per requested key, duplicates once (handbook, configuration-keys 1)."""
    answer = world.ask("GetConfiguration", key=["ConnectionTimeOut", "CONNECTIONTIMEOUT", "ConnectionTimeOut"])
    assert len(answer["configurationKey"]) == 1


def test_more_keys_than_the_most_is_an_occurence_constraint_violation() -> None:
    """more keys than GetConfigurationMaxKeys: OccurenceConstraintViolation (9.1.9; handbook, messages 1.3, row 9)."""
    world = World(keys={"GetConfigurationMaxKeys": "3"})
    assert world.ask("GetConfiguration", key=["A", "B", "C", "D"]) == "OccurenceConstraintViolation"


def test_the_most_keys_can_be_asked_for_at_once(world: World) -> None:
    """list of MaxKeys keys: all back in one answer (test case 019)."""
    names = list(entries(world))
    most = int(entries(world, "GetConfigurationMaxKeys")["GetConfigurationMaxKeys"][1])
    assert list(entries(world, *names[:most])) == names[:most]


def test_all_keys_fit_into_one_request(world: World) -> None:
    """Make GetConfigurationMaxKeys ≥ total number of keys (handbook, configuration-keys 1)."""
    assert int(entries(world)["GetConfigurationMaxKeys"][1]) >= len(entries(world))


def test_a_fixed_cable_cannot_be_unlocked_and_its_key_says_so(world: World) -> None:
    """UnlockConnectorOnEVSideDisconnect: false, read-only with a fixed cable (erratum 3.84)."""
    key = "UnlockConnectorOnEVSideDisconnect"
    assert (entries(world, key)[key], change(world, key, "true")) == ((True, "false"), "Rejected")


# --- changing ---------------------------------------------------------------------------------------------------------


def test_a_change_is_accepted_and_told_back(world: World) -> None:
    """MeterValueSampleInterval: Accepted; GetConfiguration shows it (test case 021)."""
    answer = change(world, "MeterValueSampleInterval", "37")
    told = entries(world, "MeterValueSampleInterval")["MeterValueSampleInterval"]
    assert (answer, told) == ("Accepted", (False, "37"))


def test_an_unknown_key_is_not_supported(world: World) -> None:
    """key Testing=true: NotSupported (test case 040_1)."""
    assert change(world, "Testing", "true") == "NotSupported"


def test_an_impossible_value_is_rejected(world: World) -> None:
    """MeterValueSampleInterval=-1: Rejected (test case 040_2)."""
    assert change(world, "MeterValueSampleInterval", "-1") == "Rejected"


@pytest.mark.parametrize("key", ["NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"])
def test_a_read_only_key_is_rejected(world: World, key: str) -> None:
    """key read-only: Rejected (5.3)."""
    assert change(world, key, "5") == "Rejected"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ConnectionTimeOut", ""),
        ("ConnectionTimeOut", "3.0"),
        ("ConnectionTimeOut", "ten"),
        ("ConnectionTimeOut", "-5"),
        ("ConnectionTimeOut", "99999999999"),
        ("HeartbeatInterval", "-1"),
        ("WebSocketPingInterval", "-1"),
        ("LocalPreAuthorize", "1"),
        ("LocalPreAuthorize", "yes"),
        ("LocalPreAuthorize", ""),
        ("TransactionMessageAttempts", "0"),
        ("MessageTimeout", "0"),
        ("MaxEnergyOnInvalidId", "-1"),
        ("MinimumStatusDuration", "-1"),
        ("ResetRetries", "-1"),
        ("MeterValuesSampledData", "Energy.Active.Import.Register,Taste"),
        ("StopTxnSampledData", "60"),
    ],
)
def test_a_value_out_of_range_or_form_is_rejected_and_changes_nothing(world: World, key: str, value: str) -> None:
    """value not parsable / out of range: Rejected, nothing changed (handbook, configuration-keys 1)."""
    before = entries(world, key)
    assert (change(world, key, value), entries(world, key)) == ("Rejected", before)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("LocalPreAuthorize", "TRUE", "true"),
        ("localpreauthorize", "true", "true"),
        ("ConnectionTimeOut", " 90 ", "90"),
        ("ConnectionTimeOut", "0", "0"),
    ],
)
def test_a_value_is_read_generously_and_told_strictly(world: World, key: str, value: str, told: str) -> None:
    """boolean accept true/false in any case, report lower case; integer: trim (handbook, configuration-keys 1)."""
    assert (change(world, key, value), [v for _, v in entries(world, key).values()]) == ("Accepted", [told])


def test_a_value_that_is_in_force_already_is_accepted(world: World) -> None:
    """value equal to present one: Accepted (handbook, configuration-keys 1)."""
    assert change(world, "ConnectionTimeOut", "60") == "Accepted"


def test_a_change_outlasts_a_power_cut(world: World) -> None:
    """Persist every accepted change over reboot (handbook, configuration-keys 1)."""
    change(world, "ConnectionTimeOut", "77")
    assert entries(world.cut_power(), "ConnectionTimeOut")["ConnectionTimeOut"][1] == "77"


def test_a_key_too_long_is_a_type_constraint_violation(world: World) -> None:
    """Key > 50 characters → CALLERROR TypeConstraintViolation (handbook, messages 1.3, row 8)."""
    assert world.ask("ChangeConfiguration", key="K" * 51, value="1") == "TypeConstraintViolation"


def test_a_value_too_long_is_a_type_constraint_violation(world: World) -> None:
    """value > 500 characters → CALLERROR TypeConstraintViolation (handbook, messages 1.3, row 8)."""
    assert world.ask("ChangeConfiguration", key="ConnectionTimeOut", value="1" * 501) == "TypeConstraintViolation"


@pytest.mark.parametrize("key", ["AuthorizationKey", "SecurityProfile", "CpoName", "CertificateStoreMaxLength"])
def test_a_key_of_the_security_extension_is_unknown(world: World, key: str) -> None:
    """If the key does not correspond to a configuration setting supported by Charge Point: NotSupported (5.3)."""
    assert world.ask("ChangeConfiguration", key=key, value="1") == {"status": "NotSupported"}
    assert world.ask("GetConfiguration", key=[key]) == {"configurationKey": [], "unknownKey": [key]}


def test_a_stored_key_without_effect_is_not_reported_any_more(world: World) -> None:
    """An earlier version kept an AuthorizationKey as a custom key, and GetConfiguration returned its value."""
    world.store.commit([("CP1", Save("configuration", "AuthorizationKey", {"value": "0001020304050607"}))])
    world.cut_power()
    assert world.stored("configuration", "AuthorizationKey") is not None
    told = world.ask("GetConfiguration")["configurationKey"]
    assert "AuthorizationKey" not in {each["key"] for each in told}
    assert world.ask("GetConfiguration", key=["AuthorizationKey"])["unknownKey"] == ["AuthorizationKey"]
