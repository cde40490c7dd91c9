"""Every command of a central system of other people's code, answered and valid by the package's own schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import NotImplementedError, NotSupportedError, OCPPError
from ocpp.v16 import call

import profiles
from chargepoint.runtime.store import Store
from tests.wire.independent import Csms, Heard, until, wallbox


async def test_get_configuration_without_keys_tells_all_of_them(csms: Csms) -> None:
    """5.8: if the list of keys is empty, the Charge Point SHALL return a list of all configuration settings."""
    async with wallbox(csms.url, keys={"VendorNote": "mine"}):
        await csms.accepted()
        answer = await csms.call(call.GetConfiguration())
    told = {each["key"]: each for each in answer.configuration_key}
    assert len(told) == len(answer.configuration_key)
    assert told["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "1"}
    assert told["SupportedFeatureProfiles"]["value"].split(",") == list(profiles.ALL)
    assert told["HeartbeatInterval"]["readonly"] is False
    assert told["VendorNote"]["value"] == "mine"
    required = {
        "AuthorizeRemoteTxRequests",
        "ClockAlignedDataInterval",
        "ConnectionTimeOut",
        "ConnectorPhaseRotation",
        "GetConfigurationMaxKeys",
        "LocalAuthListEnabled",
        "LocalAuthListMaxLength",
        "LocalAuthorizeOffline",
        "LocalPreAuthorize",
        "MeterValuesAlignedData",
        "MeterValuesSampledData",
        "MeterValueSampleInterval",
        "ResetRetries",
        "SendLocalListMaxLength",
        "StopTransactionOnEVSideDisconnect",
        "StopTransactionOnInvalidId",
        "StopTxnAlignedData",
        "StopTxnSampledData",
        "TransactionMessageAttempts",
        "TransactionMessageRetryInterval",
        "UnlockConnectorOnEVSideDisconnect",
    }
    assert required <= told.keys()


async def test_get_configuration_tells_what_is_asked_and_names_what_is_unknown(csms: Csms) -> None:
    """5.8: for unrecognized keys the Charge Point SHALL list the key names in the optional unknown key list."""
    async with wallbox(csms.url):
        await csms.accepted()
        answer = await csms.call(call.GetConfiguration(key=["heartbeatinterval", "FluxCapacitor"]))
        assert answer.configuration_key == [{"key": "HeartbeatInterval", "readonly": False, "value": "3600"}]
        assert answer.unknown_key == ["FluxCapacitor"]


async def test_change_configuration_is_judged_and_kept_over_a_restart(csms: Csms, tmp_path: Path) -> None:
    """5.3: Accepted and in force; Rejected for a value that cannot be; NotSupported for a key that is unknown."""
    store = Store(tmp_path / "store.sqlite3")
    async with wallbox(csms.url, store=store):
        await csms.accepted()
        for key, value, status in (
            ("MeterValueSampleInterval", "17", "Accepted"),
            ("MeterValueSampleInterval", "often", "Rejected"),
            ("NumberOfConnectors", "7", "Rejected"),
            ("FluxCapacitor", "1.21", "NotSupported"),
        ):
            answer = await csms.call(call.ChangeConfiguration(key=key, value=value))
            assert answer.status == status, key
    store.close()
    store = Store(tmp_path / "store.sqlite3")
    async with wallbox(csms.url, store=store):
        await csms.accepted()
        answer = await csms.call(call.GetConfiguration(key=["MeterValueSampleInterval"]))
        assert answer.configuration_key[0]["value"] == "17"
    store.close()


async def test_cache_is_cleared(csms: Csms) -> None:
    """5.4: upon receipt of a ClearCache.req, the Charge Point SHALL attempt to clear its Authorization Cache."""
    async with wallbox(csms.url):
        await csms.accepted()
        assert (await csms.call(call.ClearCache())).status in ("Accepted", "Rejected")


async def test_inoperative_connector_is_told_and_refuses_a_start(csms: Csms) -> None:
    """5.2: the Charge Point SHALL change its availability, and inform of it by a StatusNotification."""
    async with wallbox(csms.url):
        await csms.accepted()
        answer = await csms.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))  # type: ignore[arg-type]
        assert answer.status == "Accepted"
        await csms.expect("StatusNotification", connector_id=1, status="Unavailable")
        assert (await csms.call(call.RemoteStartTransaction(id_tag="A1"))).status == "Rejected"
        answer = await csms.call(call.ChangeAvailability(connector_id=0, type="Operative"))  # type: ignore[arg-type]
        assert answer.status == "Accepted"
        await csms.expect("StatusNotification", connector_id=1, status="Available")


async def test_change_of_availability_waits_for_a_transaction(csms: Csms) -> None:
    """5.2: in case of a running transaction the Charge Point SHALL respond with "Scheduled"."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StatusNotification", status="Charging")
        answer = await csms.call(call.ChangeAvailability(connector_id=1, type="Inoperative"))  # type: ignore[arg-type]
        assert answer.status == "Scheduled"
        await box.do("unplug")
        await csms.expect("StatusNotification", status="Unavailable")
        await csms.expect_somewhere("StopTransaction", reason="EVDisconnected")


async def test_data_of_a_strange_vendor_is_not_taken(csms: Csms) -> None:
    """4.3: if the recipient has no implementation for the vendorId it SHALL return status UnknownVendorId."""
    async with wallbox(csms.url):
        await csms.accepted()
        answer = await csms.call(call.DataTransfer(vendor_id="org.example", message_id="hello", data="{}"))
        assert answer.status == "UnknownVendorId"


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
async def test_reset_stops_the_transaction_and_boots_on_a_new_connection(csms: Csms, kind: str) -> None:
    """5.14: soft: stop ongoing transactions and send StopTransaction.req for every one; hard: restart; then boot again."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StatusNotification", status="Charging")
        first = csms.dialogue
        answer = await box.restarted(csms.call(call.Reset(type=kind)))  # type: ignore[arg-type]
        assert answer.status == "Accepted"
        boot = await csms.expect("BootNotification")
        assert boot.socket == 2
        assert first.connection.close_code == 1001
        stop = await csms.expect_somewhere("StopTransaction", transaction_id=1)
        assert stop["reason"] == f"{kind}Reset"
        assert len(csms.all("StopTransaction")) == 1
        if kind == "Soft":
            assert stop.socket == 1
        # The car is still plugged in and its transaction is over: nothing starts by itself.
        await csms.expect("StatusNotification", connector_id=1)
        assert len(csms.all("StartTransaction")) == 1


async def test_charge_works_after_a_reset(csms: Csms) -> None:
    """5.14: after a reset the Charge Point is as after any other start."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.restarted(csms.call(call.Reset(type="Hard")))  # type: ignore[arg-type]
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StartTransaction", id_tag="A1")
        await csms.expect("StatusNotification", status="Charging")


async def test_fixed_cable_cannot_be_unlocked(csms: Csms) -> None:
    """Erratum 3.87: a charger without a lock answers NotSupported."""
    async with wallbox(csms.url):
        await csms.accepted()
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == "NotSupported"


async def test_socket_is_unlocked_after_its_transaction_was_stopped(csms: Csms) -> None:
    """5.18: if there is an ongoing transaction, the Charge Point SHALL finish it first (reason UnlockCommand)."""
    async with wallbox(csms.url, board="ac11-sim-socket") as box:
        await csms.accepted()
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == "Unlocked"
        assert (await csms.call(call.UnlockConnector(connector_id=2))).status == "NotSupported"
        await box.do("plug_in; swipe A1")
        await csms.expect("StatusNotification", status="Charging")
        lock = box.charger.model.connector(1).lock
        assert lock is not None
        assert lock.is_locked
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == "Unlocked"
        await csms.expect("StopTransaction", reason="UnlockCommand")
        assert not lock.is_locked


@pytest.mark.parametrize(
    ("message", "connector"),
    [
        ("Heartbeat", None),
        ("StatusNotification", 0),
        ("StatusNotification", 1),
        ("MeterValues", 1),
        ("FirmwareStatusNotification", None),
        ("DiagnosticsStatusNotification", None),
    ],
)
async def test_triggered_message_follows_the_answer(csms: Csms, message: str, connector: int | None) -> None:
    """5.17: the Charge Point SHALL first send the TriggerMessage response, before sending the requested message."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.is_quiet()
        before = len(csms.heard)
        answer = await csms.call(call.TriggerMessage(requested_message=message, connector_id=connector))  # type: ignore[arg-type]
        if message.startswith(("Firmware", "Diagnostics")) and "FirmwareManagement" not in profiles.ALL:
            assert answer.status == "NotImplemented"
            return
        assert answer.status == "Accepted"
        await until(lambda: len(csms.heard) > before, message)
        heard = csms.heard[before]
        assert (heard.action, heard.payload.get("connector_id")) == (message, connector)


async def test_trigger_without_a_connector_is_for_all_of_them(csms: Csms) -> None:
    """5.17: if connectorId is absent, the request is for the Charge Point as a whole, connector 0 included or not."""
    async with wallbox(csms.url, board="ac11-sim-duo") as box:
        await csms.expect("StatusNotification", connector_id=2)
        await box.is_quiet()
        before = len(csms.heard)
        await csms.call(call.TriggerMessage(requested_message="StatusNotification"))  # type: ignore[arg-type]
        await until(lambda: {each["connector_id"] for each in csms.heard[before:]} >= {1, 2}, "both")


async def test_boot_is_not_triggered_once_it_was_accepted(csms: Csms) -> None:
    """Errata 2025-04, 5.17: TriggerMessage for BootNotification is Rejected after a BootNotification was Accepted."""
    async with wallbox(csms.url):
        await csms.accepted()
        answer = await csms.call(call.TriggerMessage(requested_message="BootNotification"))  # type: ignore[arg-type]
        assert answer.status == "Rejected"


async def test_boot_is_triggered_while_the_registration_is_pending(csms: Csms) -> None:
    """4.2: while Pending the Central System may ask for messages, and no other is sent without being asked."""
    states = iter(["Pending", "Accepted"])
    ordinary = csms.ordinary

    def boot(payload: dict[str, Any]) -> Any:
        answer = ordinary(Heard("BootNotification", payload, 1))
        answer.status = next(states)
        return answer

    csms.answers["BootNotification"] = boot
    async with wallbox(csms.url):
        await csms.expect("BootNotification")
        found = await csms.call(call.GetConfiguration(key=["NumberOfConnectors"]))
        assert found.configuration_key[0]["value"] == "1"
        assert (await csms.call(call.RemoteStartTransaction(id_tag="A1"))).status == "Rejected"
        assert len(csms.heard) == 1
        answer = await csms.call(call.TriggerMessage(requested_message="BootNotification"))  # type: ignore[arg-type]
        assert answer.status == "Accepted"
        await csms.accepted()


EVERYTHING_ELSE = [
    call.CancelReservation(reservation_id=1),
    call.ClearChargingProfile(),
    call.GetCompositeSchedule(connector_id=1, duration=60),
    call.GetDiagnostics(location="ftp://localhost/"),
    call.GetLocalListVersion(),
    call.ReserveNow(connector_id=1, expiry_date="2099-01-01T00:00:00Z", id_tag="A1", reservation_id=1),
    call.SendLocalList(list_version=1, update_type="Full"),  # type: ignore[arg-type]
    call.SetChargingProfile(
        connector_id=0,
        cs_charging_profiles={
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
            },
        },
    ),
    call.UpdateFirmware(location="ftp://localhost/fw", retrieve_date="2099-01-01T00:00:00Z"),
]


@pytest.mark.parametrize("request_", EVERYTHING_ELSE, ids=lambda each: type(each).__name__)
async def test_other_commands_are_answered_too(csms: Csms, request_: object) -> None:
    """OCPP-J 4.1.3: every CALL is answered, by a CALLRESULT its schema allows or by NotSupported or NotImplemented."""
    async with wallbox(csms.url):
        await csms.accepted()
        try:
            await csms.call(request_)
        except OCPPError as error:
            assert isinstance(error, NotImplementedError | NotSupportedError)  # noqa: PT017 - an answer as well
