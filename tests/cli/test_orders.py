"""Orders typed at the embedded central system (chargepoint.cli.orders)."""

from __future__ import annotations

import json
from random import Random

import pytest

from chargepoint.cli.orders import OrderError, parse, send
from chargepoint.runtime.central_system import CentralSystem


def told_to_nobody(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize(
    ("line", "action", "payload", "identity"),
    [
        ("ClearCache", "ClearCache", {}, None),
        ("reset type=Soft @CP7", "Reset", {"type": "Soft"}, "CP7"),
        ("UnlockConnector connectorId=1", "UnlockConnector", {"connectorId": 1}, None),
        ("RemoteStartTransaction idTag=0412", "RemoteStartTransaction", {"idTag": "0412"}, None),
        ('DataTransfer {"vendorId": "x", "data": "a b"}', "DataTransfer", {"vendorId": "x", "data": "a b"}, None),
        ("ChangeConfiguration key=K value=60", "ChangeConfiguration", {"key": "K", "value": "60"}, None),
        ('Reset {"type": "Soft"} @CP7', "Reset", {"type": "Soft"}, "CP7"),
        ('Reset @CP7 {"type": "Soft"}', "Reset", {"type": "Soft"}, "CP7"),
        (
            'SetChargingProfile connectorId=1 csChargingProfiles={"chargingProfileId": 1, "x": [{"limit": 6.0}]} @CP7',
            "SetChargingProfile",
            {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 1, "x": [{"limit": 6.0}]}},
            "CP7",
        ),
        (
            'SendLocalList localAuthorizationList=[{"idTag": "A 1"}] @C=7',
            "SendLocalList",
            {"localAuthorizationList": [{"idTag": "A 1"}]},
            "C=7",
        ),
        (
            'DataTransfer data={"a": "b c"} vendorId="A B"',
            "DataTransfer",
            {"data": '{"a": "b c"}', "vendorId": "A B"},
            None,
        ),
        ("ChangeConfiguration key=K value=[x", "ChangeConfiguration", {"key": "K", "value": "[x"}, None),
    ],
)
def test_an_order_is_an_action_with_its_fields(line: str, action: str, payload: object, identity: str | None) -> None:
    """Card numbers and configuration values stay text, numbers are numbers."""
    assert parse(line) == (action, payload, identity)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("RemoteStart idTag=1", "did you mean RemoteStartTransaction?"),
        ("Reset Soft", "name=value"),
        ("Reset {broken", "cannot read"),
        ('Reset {"type": "Soft"}@CP7', "a blank is missing before '@CP7'"),
        ("Reset type='Soft", "No closing quotation; write ACTION name=value"),
        ('{"type": "Soft"}', "begins with an action"),
    ],
)
def test_an_order_that_cannot_be_read_says_what_to_write(line: str, hint: str) -> None:
    with pytest.raises(OrderError, match=hint):
        parse(line)


def test_an_order_goes_to_the_only_charger() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    send(central, "GetConfiguration key=HeartbeatInterval,NumberOfConnectors", told_to_nobody)
    assert '"GetConfiguration",{"key":["HeartbeatInterval","NumberOfConnectors"]}' in sent[0]


def test_names_of_keys_may_be_json() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    send(central, 'GetConfiguration key=["A", "B"]', told_to_nobody)
    assert '"GetConfiguration",{"key":["A","B"]}' in sent[0]


def test_an_order_among_several_names_its_charger() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    central.connected("CP2", sent.append)
    with pytest.raises(OrderError, match="which charger"):
        send(central, "ClearCache", told_to_nobody)
    with pytest.raises(OrderError, match="type"):
        send(central, "Reset type=Warm @CP1", told_to_nobody)
    assert sent == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RemoteStartTransaction idTga=04A1", "unknown field 'idTga': did you mean idTag?; missing: idTag"),
        ("RemoteStartTransaction", "missing: idTag"),
        ("ClearCache zzz=1", "unknown field 'zzz': there is none"),
        ("Reset type=Warm", "type: "),
    ],
)
def test_a_wrong_field_is_told_with_the_nearest_one_and_what_is_missing(line: str, said: str) -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    with pytest.raises(OrderError) as caught:
        send(central, line, told_to_nobody)
    assert said in str(caught.value)
    assert sent == []


# --- answers ----------------------------------------------------------------------------------------------------------


def answered(line: str, payload: object) -> list[str]:
    """Type an order, let the charger answer it, and return what is told to whoever typed it."""
    central = CentralSystem(Random(1))
    sent: list[str] = []
    told: list[str] = []
    central.connected("CP1", sent.append)
    send(central, line, told.append)
    assert told == []
    central.receive("CP1", json.dumps([3, json.loads(sent[0])[1], payload]), 0.0)
    return told


def test_configuration_is_told_in_full_and_secrets_are_not() -> None:
    """OCPP 1.6, 5.8: values, what is read-only, and what is not known; a key that can only be written has no value."""
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
        {"key": "AuthorizationKey", "readonly": False},
        {"key": "OtherPassword", "readonly": False, "value": "geheim"},
        {"key": "Odd", "readonly": False, "value": "\x1b[2J"},
    ]
    assert answered("GetConfiguration", {"configurationKey": keys, "unknownKey": ["Foo", "Bar"]}) == [
        "CP1 GetConfiguration:",
        "    HeartbeatInterval = 300",
        "    NumberOfConnectors = 1  (read-only)",
        "    AuthorizationKey has no value to show",
        "    OtherPassword = …",
        '    Odd = "\\u001b[2J"',
        "    unknown: Foo, Bar",
    ]


def test_composite_schedule_is_told_period_by_period() -> None:
    schedule = {
        "duration": 600,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 16.0, "numberPhases": 3},
            {"startPeriod": 60, "limit": 6.5},
        ],
    }
    answer = {"status": "Accepted", "connectorId": 1, "chargingSchedule": schedule}
    assert answered("GetCompositeSchedule connectorId=1 duration=600", answer) == [
        "CP1 GetCompositeSchedule:",
        "    status = Accepted",
        "    connectorId = 1",
        "    chargingRateUnit = A",
        "    duration = 600",
        "    from 0 s: 16 A, 3 phases",
        "    from 60 s: 6.5 A",
    ]


@pytest.mark.parametrize(
    ("line", "answer", "told"),
    [
        ("ClearCache", {"status": "Rejected"}, "CP1 ClearCache: status = Rejected"),
        ("GetLocalListVersion", {"listVersion": 7}, "CP1 GetLocalListVersion: listVersion = 7"),
        (
            "UpdateFirmware location=ftp://h/f retrieveDate=2026-01-01T00:00:00Z",
            {},
            "CP1 UpdateFirmware: done, its answer has",
        ),
        ("ClearCache", {"status": "Perhaps"}, "CP1 ClearCache: answered, but not as the standard has it: "),
    ],
)
def test_answers_are_told_with_their_fields(line: str, answer: object, told: str) -> None:
    (only,) = answered(line, answer)
    assert only.startswith(told)


def test_a_refusal_and_a_lost_answer_are_told() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    told: list[str] = []
    central.connected("CP1", sent.append)
    send(central, "ClearCache", told.append)
    send(central, "GetLocalListVersion", told.append)
    central.receive("CP1", json.dumps([4, json.loads(sent[0])[1], "NotSupported", "not here", {}]), 0.0)
    central.disconnected("CP1")
    assert told == [
        "CP1 ClearCache: refused: NotSupported not here",
        "CP1 GetLocalListVersion: no answer, the connection is gone",
    ]
