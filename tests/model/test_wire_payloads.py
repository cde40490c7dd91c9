"""Payloads: every message of both directions, read, refused with the right code, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.v16 import call, call_result, datatypes
from ocpp.v16.enums import (
    AuthorizationStatus,
    ChargePointErrorCode,
    ChargePointStatus,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
    GetCompositeScheduleStatus,
    Measurand,
    UnitOfMeasure,
)

from chargepoint.model.errors import ErrorCode, PeerError
from chargepoint.model.schemas import load, shape_of
from chargepoint.model.shapes import judge
from chargepoint.model.timebase import utc_seconds
from chargepoint.model.wire import (
    ACTIONS,
    action_of,
    decode_call,
    decode_result,
    encode_payload,
    validate_outgoing,
)

MESSAGES = [(action, is_result) for action in sorted(ACTIONS) for is_result in (False, True)]
NOON = "2026-01-15T12:00:00Z"
PERIOD = {"startPeriod": 0, "limit": 16.0}
SCHEDULE = {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": SCHEDULE,
}


def decode(action: str, is_result: bool, payload: Any) -> Any:
    return (decode_result if is_result else decode_call)(action, payload)


def refusal(action: str, payload: Any, is_result: bool = False) -> PeerError:
    with pytest.raises(PeerError) as caught:
        decode(action, is_result, payload)
    assert len(caught.value.description) <= 255
    return caught.value


# Payloads out of the schemas themselves.


@cache
def schema_of(action: str, is_result: bool) -> Any:
    """Return the schema with its references replaced, otherwise as published."""
    schema = load(action, is_result, float)
    definitions = schema.pop("definitions", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[node["$ref"].rpartition("/")[2]])
        return {name: resolved(each) for name, each in node.items()}

    return resolved(schema)


def payloads(schema: Any, every_field: bool = False) -> st.SearchStrategy[Any]:
    """Return a strategy for what fits a schema: with optional fields here and there, or with every field."""
    kind = schema["type"]
    if kind == "object":
        fields = {name: payloads(each, every_field) for name, each in schema.get("properties", {}).items()}
        needed = fields.keys() if every_field else schema.get("required", ())
        return st.fixed_dictionaries(
            {name: fields[name] for name in needed},
            optional={name: each for name, each in fields.items() if name not in needed},
        )
    if kind == "array":
        return st.lists(payloads(schema["items"], every_field), min_size=1, max_size=3)
    if "enum" in schema:
        return st.sampled_from([word for word in schema["enum"] if word != "Hertz"])
    if schema.get("format") == "date-time":
        return st.sampled_from([NOON, "1999-12-31T23:59:59.999Z"])
    if kind == "string":
        return st.text(max_size=min(schema.get("maxLength", 30), 30))
    if kind == "number":
        return st.integers(-800, 800).map(lambda tenths: tenths / 10) | st.integers(0, 80)
    return {"integer": st.integers(-(2**31), 2**31), "boolean": st.booleans()}[kind]


@settings(max_examples=5, deadline=None)
@given(st.data())
@pytest.mark.parametrize(("action", "is_result"), MESSAGES)
@pytest.mark.parametrize("every_field", [True, False])
def test_every_message_is_read_and_written_unchanged(
    action: str, is_result: bool, every_field: bool, data: st.DataObject
) -> None:
    """What one side writes the other reads: names, types and absent fields of all messages of OCPP 1.6 and security."""
    payload = data.draw(payloads(schema_of(action, is_result), every_field))
    message = decode(action, is_result, payload)
    text = encode_payload(message)

    if action == "SendLocalList" and not is_result:
        payload.setdefault("localAuthorizationList", [])  # the package's default; an empty list means the same
    assert action_of(message) == action
    assert json.loads(text) == payload
    # The package's own way to a payload, down to the order of the fields.
    theirs = remove_nones(snake_to_camel_case(serialize_as_dict(message)))  # type: ignore[no-untyped-call]
    assert text == json.dumps(theirs, separators=(",", ":"))
    validate_outgoing(action, text, is_result)


# A second judge: jsonschema, on a copy of the schemas that is corrected here independently.

CODE_OF = {
    "additionalProperties": ErrorCode.FORMATION_VIOLATION,
    "required": ErrorCode.PROTOCOL_ERROR,
    "type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "maxLength": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "format": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "minItems": ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
    "enum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
}
CHECK_ORDER = list(dict.fromkeys(CODE_OF.values()))


@cache
def second_judge(action: str, is_result: bool) -> Any:
    formats = FormatChecker(formats=())

    @formats.checks("date-time", raises=ValueError)
    def is_date_time(value: object) -> bool:
        return not isinstance(value, str) or bool(utc_seconds(value) + 1)

    def corrected(node: Any, name: str = "") -> Any:
        if not isinstance(node, dict):
            return node
        node = {key: corrected(each, key) for key, each in node.items() if key != "multipleOf"}
        if node.get("type") == "string":
            node.pop("additionalProperties", None)  # means nothing for strings, yet refuses objects
            if name == "requestedMessage":
                del node["enum"]
        if name == "sampledValue":
            node["minItems"] = 1
        return node

    return Draft4Validator(corrected(schema_of(action, is_result)), format_checker=formats)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of everything inside a payload."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(items):
        yield value, key
        if isinstance(each, dict | list):
            yield from places(each)


ODD_VALUES: list[Any] = [None, True, 0, 1.0, -3.5, "", "1", "Accepted", "x" * 10_001, NOON, [], [[]], {}, {"status": 1}]


@settings(max_examples=25, deadline=None)
@given(st.data())
@pytest.mark.parametrize(("action", "is_result"), MESSAGES)
def test_damaged_payload_gets_the_code_a_schema_validator_finds(
    action: str, is_result: bool, data: st.DataObject
) -> None:
    """The first in the order extra field, missing field, type, count, value decides, at whatever depth."""
    payload = data.draw(payloads(schema_of(action, is_result)))
    for _ in range(data.draw(st.integers(1, 3))):
        where = list(places(payload))
        damage = data.draw(st.sampled_from(["replace", "delete", "add"] if where else ["add"]))
        if damage == "add":
            objects = [payload, *(box[key] for box, key in where if isinstance(box[key], dict))]
            data.draw(st.sampled_from(objects))[data.draw(st.sampled_from(["idtag", "x", "status"]))] = "Accepted"
            continue
        box, key = data.draw(st.sampled_from(where))
        if damage == "delete":
            del box[key]
        else:
            box[key] = json.loads(json.dumps(data.draw(st.sampled_from(ODD_VALUES))))

    found = {CODE_OF[str(error.validator)] for error in second_judge(action, is_result).iter_errors(payload)}
    if found:
        assert refusal(action, payload, is_result).code == min(found, key=CHECK_ORDER.index)
    else:
        decode(action, is_result, payload)


def test_shape_that_contradicts_itself_is_our_error() -> None:
    """A payload refused without a reason is no fault of the peer: InternalError."""
    assert judge(shape_of(call.ClearCache), {}).code == "InternalError"


# The table of refusals, row by row.


@pytest.mark.parametrize(
    ("action", "payload", "code", "words"),
    [
        ("Reset", {"type": "Soft", "x": 1}, "FormationViolation", "x: unknown field"),
        ("Authorize", {"idtag": "A"}, "FormationViolation", "did you mean idTag?"),
        ("Authorize", {"id_tag": "A"}, "FormationViolation", "did you mean idTag?"),
        (
            "RemoteStartTransaction",
            {"idTag": "A", "chargingProfile": {**PROFILE, "chargingSchedule": {**SCHEDULE, "x": 1}}},
            "FormationViolation",
            "chargingProfile.chargingSchedule.x: unknown field",
        ),
        ("Reset", {}, "ProtocolError", "type: required field is missing"),
        (
            "SendLocalList",
            {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A"}, {}]},
            "ProtocolError",
            "localAuthorizationList[1].idTag: required",
        ),
        ("UnlockConnector", {"connectorId": "1"}, "TypeConstraintViolation", 'expected an integer, found "1"'),
        ("UnlockConnector", {"connectorId": 1.0}, "TypeConstraintViolation", "expected an integer, found 1.0"),
        ("UnlockConnector", {"connectorId": True}, "TypeConstraintViolation", "expected an integer, found true"),
        ("UnlockConnector", {"connectorId": None}, "TypeConstraintViolation", "expected an integer, found null"),
        ("UnlockConnector", {"connectorId": 2**63}, "TypeConstraintViolation", "64 bits"),
        ("GetConfiguration", {"key": None}, "TypeConstraintViolation", "key: expected an array, found null"),
        ("GetConfiguration", {"key": ["a", 1]}, "TypeConstraintViolation", "key[1]: expected a string"),
        ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": []}, "TypeConstraintViolation", "found an array"),
        ("Authorize", {"idTag": "A" * 21}, "TypeConstraintViolation", "21 characters, at most 20 fit"),
        ("SignedUpdateFirmware", {"requestId": 1, "firmware": "x"}, "TypeConstraintViolation", 'found "x"'),
        (
            "ReserveNow",
            {"connectorId": 1, "expiryDate": "tomorrow", "idTag": "A", "reservationId": 1},
            "TypeConstraintViolation",
            'expected an ISO 8601 date-time, found "tomorrow"',
        ),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, "OccurenceConstraintViolation", "0 items, at least 1"),
        (
            "StopTransaction",
            {
                "meterStop": 1,
                "timestamp": NOON,
                "transactionId": 1,
                "transactionData": [{"timestamp": NOON, "sampledValue": []}],
            },
            "OccurenceConstraintViolation",
            "transactionData[0].sampledValue",
        ),
        ("Reset", {"type": "Firm"}, "PropertyConstraintViolation", 'type: "Firm" is none of Hard, Soft'),
        ("Reset", {"type": "soft"}, "PropertyConstraintViolation", "none of"),
        (
            "GetCompositeSchedule",
            {"connectorId": 1, "duration": 60, "chargingRateUnit": "kW"},
            "PropertyConstraintViolation",
            '"kW" is none of A, W',
        ),
        (
            "RemoteStartTransaction",
            {"idTag": "A", "chargingProfile": {**PROFILE, "recurrencyKind": "Yearly"}},
            "PropertyConstraintViolation",
            "chargingProfile.recurrencyKind",
        ),
        (
            "SetChargingProfile",
            {"connectorId": 1, "csChargingProfiles": {**PROFILE, "chargingProfilePurpose": "MaxProfile"}},
            "PropertyConstraintViolation",
            "csChargingProfiles.chargingProfilePurpose",
        ),
    ],
)
def test_refusal_has_the_code_of_its_row_and_says_where(
    action: str, payload: dict[str, Any], code: str, words: str
) -> None:
    """Rows 5 to 10: extra field, missing field, wrong type, length and date, count, unknown value."""
    error = refusal(action, payload)
    assert error.code == code
    assert words in error.description


def test_first_fault_in_the_check_order_decides() -> None:
    """Check order: extra field, missing field, type/length/date, count, value. Taking one fault away shows the next."""
    payload: dict[str, Any] = {
        "extra": 1,
        "meterStop": 1.0,
        "timestamp": NOON,
        "reason": "Bored",
        "transactionData": [{"timestamp": NOON, "sampledValue": []}],
    }
    codes = []
    cures: list[dict[str, Any]] = [
        {"extra": ...},
        {"transactionId": 1},
        {"meterStop": 1},
        {"transactionData": []},
        {"reason": "Local"},
    ]
    for cure in cures:
        codes.append(refusal("StopTransaction", payload).code)
        payload = {name: value for name, value in (payload | cure).items() if value is not ...}
    decode_call("StopTransaction", payload)
    assert codes == CHECK_ORDER


def test_description_counts_the_other_faults() -> None:
    """One CALLERROR carries one code; people still want to know that mending that field is not all."""
    assert refusal("Reset", {"type": "Firm", "x": 1, "y": 2}).description == "x: unknown field (and 2 more)"


@pytest.mark.parametrize("value", [123456789012, [1], {"a": "secret"}])
def test_refused_string_is_not_repeated(value: object) -> None:
    """An AuthorizationKey never stands in a log, not even when it comes as a number or is too long."""
    assert refusal("ChangeConfiguration", {"key": "AuthorizationKey", "value": value}).description in {
        "value: expected a string, found an integer",
        "value: expected a string, found an array",
        "value: expected a string, found an object",
    }
    too_long = {"key": "AuthorizationKey", "value": "s3cret" * 100}
    assert "s3cret" not in refusal("ChangeConfiguration", too_long).description


@pytest.mark.parametrize("name", ["x" * 100_000, "🚗" * 1000, "\n\x00"])
def test_description_is_one_short_line_whatever_a_field_is_called(name: str) -> None:
    """errorDescription: 255 characters at most, and nothing in it that could forge a line of a log."""
    unknown, odd = refusal("ClearCache", {name: 1}), refusal("Reset", {"type": name})
    assert (unknown.code, odd.code) == ("FormationViolation", "PropertyConstraintViolation")
    assert unknown.description.isprintable()
    assert odd.description.isprintable()


@pytest.mark.parametrize("action", ["TriggerMessage", "ExtendedTriggerMessage"])
def test_unknown_trigger_reaches_the_handler(action: str) -> None:
    """Row 22: requestedMessage unknown is answered with status NotImplemented (7.44); the enum must not fire first."""
    assert decode_call(action, {"requestedMessage": "Lunch"}).requested_message == "Lunch"  # type: ignore[attr-defined]
    assert refusal(action, {"requestedMessage": 1}).code == "TypeConstraintViolation"


def test_empty_charging_schedule_reaches_the_handler() -> None:
    """A charging profile without periods is Rejected, not refused: a content fault, row 24."""
    schedule = {**SCHEDULE, "chargingSchedulePeriod": []}
    message: Any = decode_call(
        "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {**PROFILE, "chargingSchedule": schedule}}
    )
    assert message.cs_charging_profiles.charging_schedule.charging_schedule_period == []


@pytest.mark.parametrize(
    "moment",
    ["2026-01-15T10:00:00Z", "2026-01-15T10:00:00.123456789Z", "2026-01-15T10:00:00+02:00", "2026-01-15T10:00:00"],
)
def test_every_iso_8601_date_time_is_read(moment: str) -> None:
    """Must accept fractions (any count of digits) and offsets; a missing zone is UTC (3.15 with erratum 3.10)."""
    assert decode_result("Heartbeat", {"currentTime": moment}) == call_result.Heartbeat(moment)


@pytest.mark.parametrize("moment", ["", "nonsense", "2026-01-15", "10:00:00", "2026-13-01T00:00:00Z", "1768471200"])
def test_what_is_no_date_time_is_refused(moment: str) -> None:
    """Row 8: unparsable dateTime: TypeConstraintViolation."""
    assert refusal("Heartbeat", {"currentTime": moment}, is_result=True).code == "TypeConstraintViolation"


@pytest.mark.parametrize("limit", [21.4, 8.1, 0.3, 7.35, 16])
def test_limit_is_any_number(limit: float) -> None:
    """More than one decimal is cut, not refused; and no float is a multiple of 0.1 in the first place."""
    schedule = {**SCHEDULE, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    message: Any = decode_call(
        "RemoteStartTransaction", {"idTag": "A", "chargingProfile": PROFILE | {"chargingSchedule": schedule}}
    )
    assert message.charging_profile.charging_schedule.charging_schedule_period == [
        datatypes.ChargingSchedulePeriod(0, limit)
    ]


def test_number_beyond_a_float_is_refused() -> None:
    """1e999 is JSON, and infinity in Python; computing with it would fail in the handler."""
    profile = json.loads(json.dumps(PROFILE).replace("16.0", "1e999"))
    error = refusal("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    assert error.code == "TypeConstraintViolation"


@pytest.mark.parametrize("unit", ["Celcius", "Celsius"])
@pytest.mark.parametrize("where", ["MeterValues", "StopTransaction"])
def test_both_spellings_of_celsius_are_read(unit: str, where: str) -> None:
    """UnitOfMeasure: 'Celcius' is misspelt in the first issue, both have to be accepted (J errata 2.1)."""
    values = [{"timestamp": NOON, "sampledValue": [{"value": "21", "unit": unit}]}]
    if where == "MeterValues":
        decode_call(where, {"connectorId": 1, "meterValue": values})
    else:
        decode_call(where, {"meterStop": 1, "timestamp": NOON, "transactionId": 1, "transactionData": values})


@pytest.mark.parametrize("payload", [None, {}])
def test_empty_payload_may_be_null(payload: dict[str, object] | None) -> None:
    """Accept {} and null for an empty payload."""
    assert decode_call("ClearCache", payload) == call.ClearCache()
    assert decode_result("MeterValues", payload) == call_result.MeterValues()


@pytest.mark.parametrize("payload", [[], "x", 1, True])
def test_result_that_is_no_object_is_refused(payload: object) -> None:
    """CALLRESULT whose payload fails its schema: as a missing answer."""
    assert refusal("Heartbeat", payload, is_result=True).description.startswith("payload: expected an object")


def test_handlers_see_dataclasses_only() -> None:
    """Names on the wire exist in the wire modules and nowhere else, nested objects included."""
    message = decode_call("RemoteStartTransaction", {"idTag": "A", "connectorId": 1, "chargingProfile": PROFILE})
    schedule = datatypes.ChargingSchedule(ChargingRateUnitType.amps, [datatypes.ChargingSchedulePeriod(0, 16.0)])
    purpose, kind = ChargingProfilePurposeType.tx_profile, ChargingProfileKindType.relative
    assert message == call.RemoteStartTransaction("A", 1, datatypes.ChargingProfile(1, 0, purpose, kind, schedule))


def test_request_id_may_be_absent_although_the_package_demands_it() -> None:
    """requestId is mandatory unless the status is Idle (white paper, LogStatusNotification.req)."""
    message = decode_call("LogStatusNotification", {"status": "Idle"})
    assert message == call.LogStatusNotification(status="Idle", request_id=None)  # type: ignore[arg-type]
    assert encode_payload(message) == '{"status":"Idle"}'


# What we write.


def composite(limit_a: float) -> call_result.GetCompositeSchedule:
    # The package declares this field a dict, and its own dataclass is what belongs there.
    schedule: Any = datatypes.ChargingSchedule(
        ChargingRateUnitType.amps, [datatypes.ChargingSchedulePeriod(0, limit_a)]
    )
    return call_result.GetCompositeSchedule(GetCompositeScheduleStatus.accepted, charging_schedule=schedule)


def test_enums_leave_as_their_words_and_absent_fields_not_at_all() -> None:
    """Never send an optional field with null; leave it out."""
    message = call.StatusNotification(1, ChargePointErrorCode.no_error, ChargePointStatus.suspended_ev)
    assert encode_payload(message) == '{"connectorId":1,"errorCode":"NoError","status":"SuspendedEV"}'
    info = datatypes.IdTagInfo(AuthorizationStatus.accepted)
    assert encode_payload(call_result.Authorize(info)) == '{"idTagInfo":{"status":"Accepted"}}'
    assert encode_payload(call.ClearChargingProfile(stack_level=0)) == '{"stackLevel":0}'


def test_human_text_leaves_in_ascii() -> None:
    """JSON escapes what is not ASCII, so no encoding on the way can spoil it."""
    assert encode_payload(call.DataTransfer("x", data='ä"\n')) == '{"vendorId":"x","data":"\\u00e4\\"\\n"}'


@pytest.mark.parametrize(
    ("limit", "text"), [(0.1 + 0.2, "0.3"), (21.4, "21.4"), (16, "16"), (16.0, "16.0"), (-0.5, "-0.5")]
)
def test_limits_leave_with_one_decimal_at_most(limit: float, text: str) -> None:
    """limit: Accepts at most one digit fraction, e.g. 8.1 (7.14)."""
    payload = encode_payload(composite(limit))
    assert f'"limit":{text}}}' in payload
    validate_outgoing("GetCompositeSchedule", payload, is_result=True)


@pytest.mark.parametrize("limit", [float("inf"), float("nan"), Decimal("1e30")])
def test_what_is_no_number_in_json_never_leaves(limit: Any) -> None:
    """JSON has no NaN and no infinity (RFC 8259, 6)."""
    with pytest.raises(ValueError, match="no number"):
        encode_payload(composite(limit))


@pytest.mark.parametrize("wrong", [1.0, "1"])
def test_wrong_type_in_our_own_message_is_our_error(wrong: Any) -> None:
    """meterStart and meterStop: integer Wh. A quoted number or a fraction never reaches a peer."""
    with pytest.raises(TypeError):
        encode_payload(call.UnlockConnector(wrong))


def test_messages_of_an_unanswered_transaction_leave_without_its_id() -> None:
    """The id is added when StartTransaction.conf brings it."""
    waiting: Any = None
    assert encode_payload(call.StopTransaction(9, NOON, waiting)) == f'{{"meterStop":9,"timestamp":"{NOON}"}}'


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        ("Heartbeat", {"x": 1}, "x"),
        ("Authorize", {}, "'idTag' is a required property"),
        ("Authorize", {"idTag": "A" * 21}, "too long"),
        ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-01-15"}, "date-time"),
        (
            "StartTransaction",
            {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-01-15T10:00:00+01:00"},
            "date-time",
        ),
        ("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": NOON, "sampledValue": []}]}, "sampledValue"),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"timestamp": NOON, "sampledValue": [{"value": "50", "unit": "Hertz"}]}]},
            "'Hertz' is not one of",
        ),
        ("TriggerMessage", {"requestedMessage": "Lunch"}, "'Lunch' is not one of"),
    ],
)
def test_strict_check_finds_what_a_strict_peer_would(action: str, payload: dict[str, Any], words: str) -> None:
    """Outgoing messages are checked against the unpatched schemas; date-times end in Z; Hertz is no unit (7.45)."""
    with pytest.raises(ValueError, match=f"{action}.req: ") as caught:
        validate_outgoing(action, json.dumps(payload))
    assert words in str(caught.value)


def test_strict_check_counts_tenths_exactly() -> None:
    """In binary floats 268 of the 801 tenths from 0.0 to 80.0 are no multiple of 0.1; as decimals all are."""
    for tenths in range(801):
        validate_outgoing("GetCompositeSchedule", encode_payload(composite(tenths / 10)), is_result=True)
    with pytest.raises(ValueError, match="multiple"):
        validate_outgoing(
            "GetCompositeSchedule",
            json.dumps({"status": "Accepted", "chargingSchedule": {**SCHEDULE, "minChargingRate": 7.35}}),
            is_result=True,
        )


def test_units_of_the_package_are_units_of_the_schema() -> None:
    """A sampled value made with the package's words passes the strict check."""
    for unit in UnitOfMeasure:
        sample = datatypes.SampledValue("1", measurand=Measurand.temperature, unit=unit)
        validate_outgoing("MeterValues", encode_payload(call.MeterValues(1, [datatypes.MeterValue(NOON, [sample])])))


# What happens when the package changes under us.


def test_class_that_differs_from_its_schema_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong name must fail when a shape is built, not when a peer refuses it."""
    monkeypatch.setattr("chargepoint.model.schemas.load", lambda *_: {"type": "object", "properties": {"idTagg": {}}})
    with pytest.raises(LookupError, match="differ in idTag, idTagg"):
        shape_of(call.Authorize)


@pytest.mark.parametrize("rule", [{"type": "string", "pattern": "^A"}, {"type": "null"}])
def test_rule_of_a_schema_that_nobody_reads_is_found(rule: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer issue of the schemas may say more than we understand; it must not pass in silence."""
    monkeypatch.setattr("chargepoint.model.schemas.load", lambda *_: {"type": "object", "properties": {"idTag": rule}})
    with pytest.raises(LookupError, match="not understood"):
        shape_of(call.Authorize)
