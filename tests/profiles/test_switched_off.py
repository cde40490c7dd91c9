"""A charger without one of its feature profiles: what it answers, which keys it has, what it makes of what it stored
(OCPP 1.6 3.3, 9.1.29; OCPP-J 1.6 table 7; the exceptions are 6.28, 7.47 and test cases 048_4 and 050_4)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.timebase import utc_text
from tests.world import EPOCH_UTC_S, World

OPTIONAL = ("FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "RemoteTrigger")
SOON = utc_text(EPOCH_UTC_S + 3600)
LIMIT = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]},
}
LIST = {
    "listVersion": 1,
    "updateType": "Full",
    "localAuthorizationList": [{"idTag": "L1", "idTagInfo": {"status": "Blocked"}}],
}
RESERVATION = {"connectorId": 1, "expiryDate": SOON, "idTag": "R1", "reservationId": 7}

CALLS: dict[str, list[tuple[str, dict[str, Any], object]]] = {
    "FirmwareManagement": [
        ("UpdateFirmware", {"location": "http://127.0.0.1/f.bin", "retrieveDate": SOON}, "NotSupported"),
        ("GetDiagnostics", {"location": "http://127.0.0.1/"}, "NotSupported"),
    ],
    "LocalAuthListManagement": [
        ("GetLocalListVersion", {}, {"listVersion": -1}),
        ("SendLocalList", LIST, {"status": "NotSupported"}),
    ],
    "Reservation": [
        ("ReserveNow", RESERVATION, {"status": "Rejected"}),
        ("CancelReservation", {"reservationId": 7}, "NotSupported"),
    ],
    "SmartCharging": [
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": LIMIT}, "NotSupported"),
        ("ClearChargingProfile", {}, "NotSupported"),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, "NotSupported"),
    ],
    "RemoteTrigger": [("TriggerMessage", {"requestedMessage": "Heartbeat"}, "NotSupported")],
}
KEYS = {
    "FirmwareManagement": ["SupportedFileTransferProtocols"],
    "LocalAuthListManagement": ["LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength"],
    "Reservation": ["ReserveConnectorZeroSupported"],
    "SmartCharging": [
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
        "ConnectorSwitch3to1PhaseSupported",
    ],
    "RemoteTrigger": [],
}
TRIGGERS = {"FirmwareManagement": ["DiagnosticsStatusNotification", "FirmwareStatusNotification"]}


def without(name: str) -> World:
    return World(plan={"feature_profiles": ("Core", *(each for each in OPTIONAL if each != name))})


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_call_of_a_profile_that_is_off_is_refused_as_the_standard_says(name: str) -> None:
    world = without(name)
    for action, payload, answer in CALLS[name]:
        assert world.ask(action, **payload) == answer


@pytest.mark.parametrize("name", OPTIONAL)
def test_the_other_profiles_go_on(name: str) -> None:
    """9.1.29 lists them; each takes its calls, and a car charges."""
    world = without(name)
    told = world.ask("GetConfiguration", key=["SupportedFeatureProfiles"])["configurationKey"][0]["value"]
    assert told.split(",") == ["Core", *(each for each in OPTIONAL if each != name)]
    for other in OPTIONAL:
        for action, payload, refusal in CALLS[other]:
            if other != name:
                assert world.ask(action, **payload) != refusal
    world = without(name).charge()
    assert world.told() == "Charging"


@pytest.mark.parametrize("name", OPTIONAL)
def test_its_keys_are_not_there(name: str) -> None:
    """5.8: unknown keys are returned in unknownKey. 5.3: a key that is not supported is answered NotSupported."""
    world, keys = without(name), KEYS[name]
    listed = {entry["key"] for entry in world.ask("GetConfiguration")["configurationKey"]}
    assert listed.isdisjoint(keys)
    if keys:
        assert set(world.ask("GetConfiguration", key=keys)["unknownKey"]) == set(keys)
    for key in keys:
        assert world.ask("ChangeConfiguration", key=key, value="1") == {"status": "NotSupported"}
    whole = {entry["key"] for entry in World().ask("GetConfiguration")["configurationKey"]}
    assert whole >= set(keys)


@pytest.mark.parametrize(("name", "message"), [(name, each) for name, some in TRIGGERS.items() for each in some])
def test_its_messages_cannot_be_triggered(name: str, message: str) -> None:
    """7.44: NotImplemented, "it does not implement the requested message"."""
    assert without(name).ask("TriggerMessage", requestedMessage=message) == {"status": "NotImplemented"}
    assert World().ask("TriggerMessage", requestedMessage=message) == {"status": "Accepted"}


def test_a_remote_start_brings_its_profile_in_vain_without_smart_charging() -> None:
    """5.11: a charge point without support for Smart Charging ignores the profile and starts all the same."""
    world = without("SmartCharging").plug()
    profile = {**LIMIT, "chargingProfilePurpose": "TxProfile"}
    assert world.remote_start(connectorId=1, chargingProfile=profile) == "Accepted"
    world.run(10)
    assert world.told() == "Charging"
    assert world.connector().offered_a > 6.0


def test_what_is_stored_has_no_effect_while_its_profile_is_off_and_is_kept() -> None:
    """Switched off in the configuration file and on again: a list, a reservation and a limit are as they were."""
    world = World(board="ac22-sim-duo", plan={})
    assert world.ask("SendLocalList", **LIST) == {"status": "Accepted"}
    assert world.ask("SetChargingProfile", connectorId=1, csChargingProfiles=LIMIT) == {"status": "Accepted"}
    assert world.ask("ReserveNow", **{**RESERVATION, "connectorId": 2}) == {"status": "Accepted"}
    world.plan = {"feature_profiles": ("Core",)}
    world.cut_power()
    assert world.told(2) == "Available"
    world.charge("L1")
    assert world.told() == "Charging"
    assert world.connector().offered_a > 6.0
    world.plan = {}
    world.cut_power()
    assert world.told(2) == "Reserved"
    assert world.ask("GetLocalListVersion") == {"listVersion": 1}
    assert world.ask("ClearChargingProfile", id=1) == {"status": "Accepted"}
