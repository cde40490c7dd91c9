"""What a charge point must answer to a text of the central system, written a second time.

From the standard, with `jsonschema` and plain code: no line of the program's own reading of frames and payloads is used.
Sources: OCPP-J 1.6 4.1-4.2 and table 7 with the J errata of 2025-04; OCPP 1.6 chapters 5-7 with the errata of 2025-04. The
first that is wrong decides: frame, id that is being handled, action, feature profile, extra field, missing field, type with
length and date, count, value, behaviour. Where the standard leaves a choice, all that it allows is expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator

ACTING = frozenset(
    {
        "CancelReservation",
        "ClearChargingProfile",
        "DataTransfer",
        "GetDiagnostics",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
"""Calls that are not carried out again when the same frame comes again."""

SERVED = frozenset(
    {
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "DataTransfer",
        "GetConfiguration",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "UnlockConnector",
        "GetDiagnostics",
        "UpdateFirmware",
        "GetLocalListVersion",
        "SendLocalList",
        "ReserveNow",
        "CancelReservation",
        "SetChargingProfile",
        "ClearChargingProfile",
        "GetCompositeSchedule",
        "TriggerMessage",
    }
)
"""What a charge point with every feature profile of OCPP 1.6 receives."""
UNSERVED = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "CertificateSigned",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetInstalledCertificateIds",
        "GetLog",
        "InstallCertificate",
        "LogStatusNotification",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "SignedUpdateFirmware",
    }
)
"""Known actions all the same: those only a central system receives, and the security extension's."""

ORDER = (
    "FormationViolation",
    "ProtocolError",
    "TypeConstraintViolation",
    "OccurenceConstraintViolation",
    "PropertyConstraintViolation",
)
"""In which kinds of faults of a payload are told."""
FAULTS = {
    "additionalProperties": "FormationViolation",
    "required": "ProtocolError",
    "type": "TypeConstraintViolation",
    "maxLength": "TypeConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "enum": "PropertyConstraintViolation",
}
"""The code for each rule of a schema."""
CODES = frozenset({*ORDER, "NotImplemented", "NotSupported", "InternalError", "SecurityError", "GenericError"})

TRIGGERS = (
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
)
LONGEST_ID = 36
MOST_KEYS = 200
MOST_ENTRIES = 500
DEEP = 200
"""Brackets within brackets; a parser may have a bound somewhere beyond (RFC 8259, 9)."""
LARGE = 2**63
"""Numbers of this size and more a charger may refuse, or not: the standard has no bound."""


@dataclass(frozen=True)
class Expected:
    """What may come: no answer, a CALLERROR with one of ``codes``, a CALLRESULT of ``action`` with one of ``statuses``."""

    message_id: str | None = None
    """None: nobody can, or may, be answered."""
    codes: frozenset[str] = frozenset()
    action: str | None = None
    """None: no CALLRESULT."""
    statuses: frozenset[str] | None = None
    """None: whatever the schema allows."""
    may_be_silent: bool = False


SILENCE = Expected()


@dataclass
class Surroundings:
    """What the central system knows of the charger it talks to."""

    connectors: int
    registration: str | None = "Accepted"
    """What it answered to BootNotification; None: nothing yet."""
    keys: Mapping[str, bool] = field(default_factory=dict)
    """Configuration keys in lower case, and whether they are read-only."""
    handled: Collection[str] = ()
    """Ids of calls that wait for their answer."""


def expected(text: str, here: Surroundings) -> Expected:
    """Return what must come of a text."""
    if here.registration == "Rejected":
        return SILENCE  # OCPP 1.6, 4.2: a charge point that was rejected answers nothing; one that waits to boot does
    if depth(text) > DEEP:
        return _of_unreadable(text)
    try:
        frame = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        return _of_unreadable(text) if "digits" in str(error) else SILENCE
    if not isinstance(frame, list) or len(frame) < 2 or isinstance(frame[0], bool) or frame[0] != 2:
        return SILENCE
    if not isinstance(frame[1], str):
        return SILENCE
    found = _of_call(frame, here)
    if isinstance(frame[0], float):
        return Expected(found.message_id, found.codes, found.action, found.statuses, may_be_silent=True)
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def depth(text: str) -> int:
    """Return how deep brackets nest, at least."""
    if text.count("[") + text.count("{") <= DEEP:
        return 0
    deepest = level = 0
    for each in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        if each in "[{":
            level += 1
            deepest = max(deepest, level)
        elif each in "]}":
            level -= 1
    return deepest


def _of_unreadable(text: str) -> Expected:
    """JSON, but beyond what a parser must take: any refusal will do, or none at all."""
    found = re.match(r'\s*\[\s*2\s*,\s*("(?:[^"\\]|\\.)*")', text)
    return Expected(json.loads(found[1]), CODES - {"InternalError"}, may_be_silent=True) if found else SILENCE


def _of_call(frame: list[Any], here: Surroundings) -> Expected:
    message_id = frame[1]

    def refused(*codes: str) -> Expected:
        return Expected(message_id, frozenset(codes))

    if len(message_id) > LONGEST_ID or len(frame) != 4:
        return refused("FormationViolation")
    action, payload = frame[2], {} if frame[3] is None else frame[3]
    if not isinstance(action, str) or not isinstance(payload, dict):
        return refused("FormationViolation")
    if not _is_unicode(frame):
        # Half a surrogate pair is no text (RFC 8259, 8.2); no table says whose fault that is.
        return Expected(message_id, CODES - {"InternalError"}, may_be_silent=not _is_unicode(message_id))
    if message_id in here.handled:
        return refused("GenericError")
    if action not in SERVED:
        return refused("NotSupported" if action in UNSERVED else "NotImplemented")
    faults = set(_faults(action, payload))
    for code in ORDER:
        if code in faults:
            # A number that is refused as too large has the wrong type, which is told before what comes later.
            is_later = _is_large(payload) and code not in ORDER[:2]
            return refused(code, "TypeConstraintViolation") if is_later else refused(code)
    codes = set(_refusals(action, payload, here))
    if codes and not _is_large(payload) and "maybe" not in codes:
        return refused(*codes)
    if _is_large(payload):
        codes |= {"TypeConstraintViolation", "PropertyConstraintViolation"}
    return Expected(message_id, frozenset(codes - {"maybe"}), action, _statuses(action, payload, here))


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_large(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_large, value.values()))
    if isinstance(value, list):
        return any(map(_is_large, value))
    return isinstance(value, int | float) and abs(value) >= LARGE - 1


# --- the shape of a payload -------------------------------------------------------------------------------------------


@cache
def schema(action: str, is_result: bool = False) -> Any:
    """Return a schema as the ``ocpp`` package ships it, its numbers with a fraction as Decimal."""
    name = f"{action}{'Response' if is_result else ''}.json"
    text = files("ocpp.v16").joinpath("schemas", name).read_text("utf-8-sig")
    return json.loads(text, parse_float=Decimal)


def _incoming(node: Any) -> Any:
    """Mend what the schemas have wrong about requests: dates are judged by `_dates`, tenths are cut by the receiver."""
    if isinstance(node, list):
        return [_incoming(each) for each in node]
    if not isinstance(node, dict):
        return node
    mended = {name: _incoming(each) for name, each in node.items() if name not in ("format", "multipleOf")}
    if isinstance(mended.get("properties"), dict):
        mended["additionalProperties"] = False
    elif mended.get("type") == "string":
        mended.pop("additionalProperties", None)  # one of them says this of a string
    return mended


@cache
def _validator(action: str) -> Any:
    mended = _incoming(schema(action))
    if action == "TriggerMessage":
        del mended["properties"]["requestedMessage"]["enum"]  # 7.44: what is unknown has a status of its own
        mended["properties"]["requestedMessage"].pop("maxLength", None)
    return Draft4Validator(mended)


def _faults(action: str, payload: Any) -> Iterator[str]:
    for error in _validator(action).iter_errors(payload):
        yield FAULTS[str(error.validator)]
    for text in _dates(schema(action), payload):
        if moment(text) is False:
            yield "TypeConstraintViolation"


def _dates(node: Any, value: Any) -> Iterator[str]:
    """Yield the strings that stand where a date-time belongs."""
    if node.get("format") == "date-time" and isinstance(value, str):
        yield value
    if isinstance(value, dict):
        for name, each in node.get("properties", {}).items():
            if name in value:
                yield from _dates(each, value[name])
    if isinstance(value, list) and "items" in node:
        for each in value:
            yield from _dates(node["items"], each)


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):?(\d\d))?", re.ASCII)
_UNCLEAR = re.compile(r"[\dTWtz:.,+ -]{8,40}Z?", re.ASCII)


def moment(text: str) -> bool | None:
    """Whether a text is a date-time of ISO 8601 (OCPP 1.6, 3.15); None where one may think so or not."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None if _UNCLEAR.fullmatch(text.strip()) and "T" in text.upper() else False
    try:
        datetime.fromisoformat(f"{found[1]}T{found[2]}")
    except ValueError:
        return None if found[2] in ("24:00:00", "23:59:60") else False
    return int(found[3] or 0) < 24 and int(found[4] or 0) < 60


# --- what a well-shaped wish comes to ---------------------------------------------------------------------------------


def _refusals(action: str, payload: Mapping[str, Any], here: Surroundings) -> Iterator[str]:
    """Yield the codes for a value that no status tells; "maybe" where a CALLRESULT will do as well."""
    if any(moment(text) is None for text in _dates(schema(action), payload)):
        yield from ("TypeConstraintViolation", "maybe")
    if action == "SetChargingProfile" and not 0 <= payload["connectorId"] <= here.connectors:
        yield "PropertyConstraintViolation"  # erratum 3.39
    if action == "GetConfiguration" and len(payload.get("key", ())) > MOST_KEYS:
        yield "OccurenceConstraintViolation"
    if (
        action in ("GetDiagnostics", "UpdateFirmware")
        and min(payload.get(n, 0) for n in ("retries", "retryInterval")) < 0
    ):
        yield from ("PropertyConstraintViolation", "maybe")


def _statuses(action: str, payload: Mapping[str, Any], here: Surroundings) -> frozenset[str] | None:
    """Return the statuses that are possible whatever the charger is about, None where it depends."""
    decide = _DECISIONS.get(action)
    found = None if decide is None else decide(payload, here)
    return None if found is None else frozenset(found)


def _is_there(payload: Mapping[str, Any], here: Surroundings, least: int = 1) -> bool:
    return "connectorId" not in payload or least <= payload["connectorId"] <= here.connectors


def _availability(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    return {"Accepted", "Scheduled"} if _is_there(payload, here, 0) else {"Rejected"}


def _configuration(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    is_readonly = here.keys.get(payload["key"].lower())
    if is_readonly is None:
        return {"NotSupported"}
    return {"Rejected"} if is_readonly else {"Accepted", "Rejected", "RebootRequired"}


def _remote_start(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    profile = payload.get("chargingProfile")
    is_misplaced = profile and (profile["chargingProfilePurpose"] != "TxProfile" or "transactionId" in profile)
    is_early = here.registration != "Accepted"
    return {"Rejected"} if is_early or is_misplaced or not _is_there(payload, here) else None


def _remote_stop(_payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    return {"Rejected"} if here.registration != "Accepted" else None


def _unlock(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    return None if _is_there(payload, here) else {"NotSupported"}


def _trigger(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    wanted = payload["requestedMessage"]
    if wanted not in TRIGGERS:
        return {"NotImplemented"}
    if wanted in ("MeterValues", "StatusNotification"):
        return {"Accepted"} if _is_there(payload, here, 0 if wanted == "StatusNotification" else 1) else {"Rejected"}
    return {"Accepted", "Rejected"} if wanted == "BootNotification" else {"Accepted"}


def _reserve(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    return None if _is_there(payload, here, 0) else {"Rejected"}


def _set_profile(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    profile, connector = payload["csChargingProfiles"], payload["connectorId"]
    purpose, periods = profile["chargingProfilePurpose"], profile["chargingSchedule"]["chargingSchedulePeriod"]
    is_misplaced = connector == 0 if purpose == "TxProfile" else connector > 0 and purpose == "ChargePointMaxProfile"
    is_faulty = not periods or periods[0]["startPeriod"] != 0 or profile["stackLevel"] < 0
    return {"Rejected"} if is_misplaced or is_faulty else {"Accepted", "Rejected"}


def _composite(payload: Mapping[str, Any], here: Surroundings) -> Collection[str] | None:
    return None if _is_there(payload, here, 0) else {"Rejected"}


def _local_list(payload: Mapping[str, Any], _here: Surroundings) -> Collection[str] | None:
    entries = payload.get("localAuthorizationList", [])
    if payload["listVersion"] <= 0 or (payload["updateType"] == "Full" and not all("idTagInfo" in e for e in entries)):
        return {"Failed", "NotSupported"}
    if len({entry["idTag"].lower() for entry in entries}) < len(entries) or len(entries) > MOST_ENTRIES:
        return {"Failed", "NotSupported", "VersionMismatch"}
    return None


_DECISIONS = {
    "ChangeAvailability": _availability,
    "ChangeConfiguration": _configuration,
    "GetCompositeSchedule": _composite,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": _reserve,
    "SendLocalList": _local_list,
    "SetChargingProfile": _set_profile,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
}


# --- what came --------------------------------------------------------------------------------------------------------


def judge(answer: list[Any], text: str, wanted: Expected) -> str | None:
    """Return what is wrong with an answer, None when nothing is."""
    if answer[1] != wanted.message_id:
        return f"id {answer[1]!r} instead of {wanted.message_id!r}"
    if answer[0] == 4:
        if len(answer) != 5 or not isinstance(answer[3], str) or len(answer[3]) > 255 or answer[4] != {}:
            return "no CALLERROR of table 7"
        return None if answer[2] in wanted.codes else f"{answer[2]} instead of {_wanted(wanted)}"
    if answer[0] != 3 or len(answer) != 3 or wanted.action is None:
        return f"expected {_wanted(wanted)}"
    status = answer[2].get("status")
    if wanted.statuses is not None and status not in wanted.statuses:
        return f"status {status} instead of {_wanted(wanted)}"
    return next(iter(result_problems(wanted.action, text)), None)


def _wanted(wanted: Expected) -> str:
    result = [] if wanted.action is None else [f"{wanted.action}.conf {sorted(wanted.statuses or ())}"]
    return " or ".join([*sorted(wanted.codes), *result]) or "silence"


def result_problems(action: str, text: str) -> Iterator[str]:
    """Yield what the published schema has against the payload of a CALLRESULT, given as the text of the frame."""
    yield from _outgoing_problems(action, json.loads(text, parse_float=Decimal)[2], is_result=True)


def call_problems(text: str) -> Iterator[str]:
    """Yield what the published schema has against a CALL of the charger."""
    frame = json.loads(text, parse_float=Decimal)
    yield from _outgoing_problems(frame[2], frame[3], is_result=False)


def _outgoing_problems(action: str, payload: Any, is_result: bool) -> Iterator[str]:
    for error in _outgoing_validator(action, is_result).iter_errors(payload):
        yield f"{action}: {error.json_path} {error.message[:200]}"
    for date in _dates(schema(action, is_result), payload):
        if not date.endswith("Z") or not moment(date):
            yield f"{action}: date {date}"


@cache
def _outgoing_validator(action: str, is_result: bool) -> Any:
    return Draft4Validator(schema(action, is_result))
