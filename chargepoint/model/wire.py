"""Frames and payloads of OCPP-J 1.6: the only module in which text becomes messages and messages become text.

A *frame* is the JSON array on the wire; a *message* is a dataclass of ``ocpp.v16.call`` (requests) or
``ocpp.v16.call_result`` (confirmations) with snake_case attributes and, inside, dataclasses of ``ocpp.v16.datatypes``.
Names on the wire, such as ``idTag``, exist here, in `shapes` and in `schemas`, and nowhere else::

    text ── read_frame ──► Call(id, action, payload) ── decode_call ──► call.RemoteStartTransaction(id_tag=…)
    text ◄─ result_frame ── payload text ◄── encode_payload ── call_result.RemoteStartTransaction(status=…)

All functions serve both ends: the charger, and the central system that this program embeds for tests and simulation.

Which error answers what follows one order: frame, action, extra field, missing field, type with length and date,
count, value. The codes are those of OCPP-J 1.6 table 7, spelt as there. Duplicate message ids, feature profiles that
are not fitted, and everything a handler judges are the session's and the handlers' affair.

Of a name that stands twice in a JSON object the last one counts: RFC 8259, 4 leaves it open, most peers do the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import MeterValue
from ocpp.v16.enums import Action

from chargepoint.model.errors import ErrorCode, FrameError, PeerError
from chargepoint.model.leniency import mended
from chargepoint.model.schemas import outgoing_problems, shape_of
from chargepoint.model.shapes import DESCRIPTION_LENGTH, Many, Misfit, Record, Shape, json_type, judge, shortened, shown
from chargepoint.model.timebase import utc_seconds, utc_text

MESSAGE_ID_LENGTH = 36
"""Longest message id: a UUID fits exactly (OCPP-J 1.6, 4.1.4)."""

ACTIONS = frozenset(action.value for action in Action)
"""Every action of OCPP 1.6 and its security extension, spelt as on the wire, which is case-sensitive (OCPP-J 4.2.1)."""

CALLS_FROM_CHARGE_POINT = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""Requests that a charge point sends. The package tells the two directions apart only in a comment."""

CALLS_FROM_CENTRAL_SYSTEM = ACTIONS - CALLS_FROM_CHARGE_POINT | {"DataTransfer"}
"""Requests that a charge point receives; DataTransfer goes both ways."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: the frame is sound, action and payload are not judged yet."""

    id: str
    action: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class CallResult:
    """A confirmation as it came. Its payload may be any JSON value: `decode_result` needs the action to judge it."""

    id: str
    payload: object


@dataclass(frozen=True, slots=True)
class CallError:
    """A refusal as it came. ``code`` is the peer's spelling, which need not be one of table 7."""

    id: str
    code: str
    description: str
    details: dict[str, object]


Frame = Call | CallResult | CallError


class BadCall(PeerError):
    """A CALL whose id is readable and whose rest is broken: it is answered with this id and FormationViolation."""

    def __init__(self, message_id: str, description: str) -> None:
        super().__init__(ErrorCode.FORMATION_VIOLATION, description)
        self.message_id = message_id


def read_frame(text: str | bytes) -> Frame | None:
    """Take a frame apart; None for a message type other than 2, 3, 4, which is ignored silently (OCPP-J 1.6, 4.1.3).

    Raises FrameError when nothing can be answered, and BadCall when a CALLERROR with the id of the CALL can. A
    CALLRESULT is never answered, so a broken one is a FrameError too. A CALLERROR is read leniently: whatever its last
    elements look like, a peer that refuses has refused, and waiting for the time-out would tell us no more.
    """
    frame, is_unicode = _parsed(text)
    if type(frame) is not list or not frame:
        raise FrameError(f"a frame is an array, found {'an empty one' if frame == [] else json_type(frame)}")
    kind = frame[0]
    # `type` because True and 2.0 are no message types although they compare like integers.
    if type(kind) is not int or not 2 <= kind <= 4:
        return None
    if len(frame) < 2 or type(frame[1]) is not str:
        raise FrameError(f"message id: expected a string, found {shown(frame[1]) if len(frame) > 1 else 'nothing'}")
    if kind == 2:
        return _call(frame[1], frame, is_unicode)
    if not is_unicode:
        raise FrameError(_HALF_CHARACTER)
    if kind == 4:
        return _call_error(frame[1], frame)
    if len(frame) != 3:
        raise FrameError(f"a CALLRESULT has 3 elements, found {len(frame)}")
    return CallResult(frame[1], frame[2])


def _parsed(text: str | bytes) -> tuple[object, bool]:
    """Return the JSON value, and whether every string in it is Unicode. Raises FrameError."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")  # named, because `json.loads` would guess at UTF-16 and 32 as well
        if text.startswith(_BYTE_ORDER_MARK):
            # RFC 8259 8.1: "Implementations MUST NOT add a byte order mark".
            raise FrameError("the text begins with a byte order mark (U+FEFF), which JSON does not allow")
        value = _DECODER.decode(text)
        return value, _is_unicode(text, value)
    except ValueError as error:  # also UnicodeDecodeError
        raise FrameError(shortened(f"not JSON: {error}", DESCRIPTION_LENGTH)) from error
    except RecursionError:
        raise FrameError("not JSON: nested too deep") from None


_BYTE_ORDER_MARK = "\ufeff"
_MOST_DIGITS = 4300


def _integer(digits: str) -> int:
    """Read an integer; of more digits than Python reads in linear time it is JSON all the same, but unusable."""
    length = len(digits.removeprefix("-"))
    if length > _MOST_DIGITS:
        raise FrameError(f"an integer of {length} digits; at most {_MOST_DIGITS} are read")
    return int(digits)


def _is_unicode(text: str, value: object) -> bool:
    """Whether every string in a parsed text can be written as UTF-8, to a store for instance.

    JSON can spell half a surrogate pair, ``"\\ud83d"``, and Python would keep it until something else fails.
    """
    if "\\u" not in text and text.isascii():
        return True
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_HALF_CHARACTER = "half of a surrogate pair is no character"


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)


def _call(message_id: str, frame: list[object], is_unicode: bool) -> Call:
    if len(message_id) > MESSAGE_ID_LENGTH:
        raise BadCall(message_id, f"message id: {len(message_id)} characters, at most {MESSAGE_ID_LENGTH} fit")
    if len(frame) != 4:
        raise BadCall(message_id, f"a CALL has 4 elements, found {len(frame)}")
    action, payload = frame[2], frame[3]
    if type(action) is not str:
        raise BadCall(message_id, f"action: expected a string, found {shown(action)}")
    if payload is None:
        payload = {}  # both stand for an empty payload (OCPP-J 1.6, 4.2.1)
    elif type(payload) is not dict:
        raise BadCall(message_id, f"payload: expected an object, found {json_type(payload)}")
    if not is_unicode:
        raise BadCall(message_id, _HALF_CHARACTER)
    return Call(message_id, action, payload)


def _call_error(message_id: str, frame: list[object]) -> CallError:
    code, description, details, *_ = [*frame[2:], None, None, None]
    return CallError(
        message_id,
        code if isinstance(code, str) else "",
        description if isinstance(description, str) else "",
        details if isinstance(details, dict) else {},
    )


def is_known_action(action: str) -> bool:
    """Whether OCPP 1.6 or its security extension has this action. An unknown one is answered with NotImplemented."""
    return action in ACTIONS


def action_of(message: object) -> str:
    """Return the action a message belongs to: a request and its confirmation have the same one."""
    return type(message).__name__


def decode_call(action: str, payload: Mapping[str, object] | None) -> object:
    """Return the request of ``ocpp.v16.call`` that a payload is.

    Enumerations are plain strings in it, date-times the text that came, objects dataclasses of ``ocpp.v16.datatypes``,
    absent fields None. Raises PeerError with the code and, for people, the field and what was expected and found.
    """
    if action not in ACTIONS:
        raise PeerError(ErrorCode.NOT_IMPLEMENTED, f"unknown action {shown(action)}")
    return _decoded(_request_shape(action), payload)


def decode_result(action: str, payload: object) -> object:
    """Return the confirmation of ``ocpp.v16.call_result`` that a payload is, as `decode_call` does for requests.

    ``action`` is that of our request. Raises PeerError, which nobody is told: only a CALL may be answered.
    """
    return _decoded(_confirmation_shape(action), payload)


def understood_result(action: str, payload: object) -> tuple[object, Sequence[str]]:
    """Return a confirmation as `decode_result` does, and the slips in it that were mended; see `.leniency`.

    Raises PeerError for what cannot be understood. It names what is wrong after mending: the field that is missing, not
    one that is too many.
    """
    shape = _confirmation_shape(action)
    if payload is None:
        payload = {}
    try:
        return shape.decode(payload), ()
    except Misfit:
        value, slips = mended(action, shape, payload)
        return _decoded(shape, value), slips


def _decoded(shape: Record, payload: object) -> object:
    if payload is None:
        payload = {}
    try:
        return shape.decode(payload)
    except Misfit:
        raise judge(shape, payload) from None


def encode_payload(message: object) -> str:
    """Return the JSON text of a message: ASCII, no blanks, absent fields left out.

    Nothing is judged here, see `validate_outgoing`; an attribute of a wrong type raises what Python raises.
    StopTransaction and MeterValues may have no ``transaction_id`` yet: `with_transaction_id` adds it.
    """
    kind: type = type(message)
    return _shape_of(kind).encode(message)


def encode_meter_value(value: MeterValue) -> str:
    """Return the JSON text of one element of StopTransaction.transactionData: values are stored one by one."""
    return _meter_value_shape().encode(value)


def payload_text(payload: object) -> str:
    """Return the JSON text of a payload as it came, for the journal: ASCII and no blanks, like what we write."""
    return _encode(payload)


_encode = json.JSONEncoder(separators=(",", ":")).encode

# Shapes are built at first use, not at import: a charger without the security extension never pays for its messages.
_shape_of = cache(shape_of)


@cache
def _request_shape(action: str) -> Record:
    return _shape_of(getattr(call, action))


@cache
def _meter_value_shape() -> Shape:
    data = next(m.shape for m in _request_shape("StopTransaction").members if m.name == "transactionData")
    assert isinstance(data, Many)
    return data.item


@cache
def _confirmation_shape(action: str) -> Record:
    return _shape_of(getattr(call_result, action))


def with_transaction_id(payload_text: str, transaction_id: int) -> str:
    """Return an encoded StopTransaction or MeterValues with the id that its StartTransaction.conf brought.

    Such a message is stored encoded while the charger is offline. Raises ValueError when it has an id already.
    """
    # Inside a JSON string the quotes would be escaped, so this finds a name and nothing else.
    if '"transactionId":' in payload_text:
        raise ValueError(f"payload has a transactionId already: {payload_text}")
    rest = payload_text[1:]
    return f'{{"transactionId":{transaction_id:d}{"" if rest == "}" else ","}{rest}'


def with_transaction_in_data(payload_text: str, transaction_id: int) -> str:
    """Return an encoded DataTransfer of a transaction whose data, an object in a JSON text, tells the transactionId.

    It was stored without when StartTransaction.conf was still to come; an id that stands there already stays.
    """
    payload = json.loads(payload_text)
    payload["data"] = _encode({"transactionId": transaction_id, **json.loads(payload["data"])})
    return _encode(payload)


def with_transaction_data(payload_text: str, values: list[str]) -> str:
    """Return an encoded StopTransaction with MeterValue elements that were encoded, and stored, one by one."""
    return f'{payload_text[:-1]},"transactionData":[{",".join(values)}]}}' if values else payload_text


def with_stamps_moved(text: str, step_s: float) -> str:
    """Return an encoded transaction message, or MeterValue, whose timestamps are ``step_s`` later.

    It was stored while the charger's clock was not set. Those in the data of a DataTransfer, an object in a JSON text,
    move too.
    """
    moved = _moved(json.loads(text), step_s)
    if "data" in moved:
        moved["data"] = _encode(_moved(json.loads(moved["data"]), step_s))
    return _encode(moved)


def _moved(value: Any, step_s: float) -> Any:
    if isinstance(value, list):
        return [_moved(each, step_s) for each in value]
    if not isinstance(value, dict):
        return value
    stamped = value.get("timestamp")
    moved = {name: _moved(each, step_s) for name, each in value.items()}
    return moved if stamped is None else {**moved, "timestamp": utc_text(utc_seconds(stamped) + step_s)}


def call_frame(message_id: str, action: str, payload_text: str) -> str:
    """Return a CALL: ``[2,"id","Action",{…}]``."""
    return f"[2,{quote(message_id)},{quote(action)},{payload_text}]"


def result_frame(message_id: str, payload_text: str) -> str:
    """Return a CALLRESULT, which names no action: ``[3,"id",{…}]``."""
    return f"[3,{quote(message_id)},{payload_text}]"


def error_frame(message_id: str, code: ErrorCode, description: str, details: Mapping[str, object] | None = None) -> str:
    """Return a CALLERROR: ``[4,"id","Code","description",{}]``; details are an object even if empty (OCPP-J 4.2.3)."""
    short = shortened(description, DESCRIPTION_LENGTH)
    return f"[4,{quote(message_id)},{quote(code)},{quote(short)},{payload_text(dict(details or {}))}]"


def validate_outgoing(action: str, payload_text: str, is_result: bool = False) -> None:
    """Check an encoded payload of ours against the schema as published; for tests and ``--strict``.

    Raises ValueError, not a PeerError: it is our own mistake. Lists every problem.
    """
    if problems := list(outgoing_problems(action, payload_text, is_result)):
        raise ValueError(f"{action}{'.conf' if is_result else '.req'}: {'; '.join(problems)}")


__all__ = [
    "ACTIONS",
    "CALLS_FROM_CENTRAL_SYSTEM",
    "CALLS_FROM_CHARGE_POINT",
    "MESSAGE_ID_LENGTH",
    "BadCall",
    "Call",
    "CallError",
    "CallResult",
    "Frame",
    "action_of",
    "call_frame",
    "decode_call",
    "decode_result",
    "encode_meter_value",
    "encode_payload",
    "error_frame",
    "is_known_action",
    "payload_text",
    "read_frame",
    "result_frame",
    "validate_outgoing",
    "with_transaction_data",
    "with_transaction_id",
    "with_transaction_in_data",
]
