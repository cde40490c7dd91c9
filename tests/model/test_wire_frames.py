"""Frames: what is read, what is refused, what is ignored, and what leaves (OCPP-J 1.6, chapter 4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chargepoint.model.errors import ErrorCode, FrameError, PeerError
from chargepoint.model.wire import (
    ACTIONS,
    CALLS_FROM_CENTRAL_SYSTEM,
    CALLS_FROM_CHARGE_POINT,
    BadCall,
    Call,
    CallError,
    CallResult,
    call_frame,
    decode_call,
    decode_result,
    error_frame,
    is_known_action,
    payload_text,
    read_frame,
    result_frame,
    with_transaction_id,
    with_transaction_in_data,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


def refusal(read: Callable[[], object]) -> PeerError | None:
    """Return why something could not be read, or None; any other exception is a crash and comes through."""
    try:
        read()
    except PeerError as error:
        return error
    return None


def test_call_is_read() -> None:
    """A Call always consists of 4 elements: [<MessageTypeId>, "<UniqueId>", "<Action>", {<Payload>}] (4.2.1)."""
    assert read_frame('[2,"19","Reset",{"type":"Soft"}]') == Call("19", "Reset", {"type": "Soft"})


def test_call_in_bytes_is_read_as_utf_8() -> None:
    """The whole message MUST be valid JSON encoded with the UTF-8 character encoding (4.1.2)."""
    assert read_frame('[2,"19","DataTransfer",{"vendorId":"Brötchen"}]'.encode()) == Call(
        "19", "DataTransfer", {"vendorId": "Brötchen"}
    )


def test_call_with_null_for_its_payload_has_an_empty_one() -> None:
    """If there is no payload JSON allows for two different notations: null or an empty object {} (4.2.1)."""
    assert read_frame('[2,"19","ClearCache",null]') == Call("19", "ClearCache", {})


def test_result_is_read_and_judged_later() -> None:
    """A CallResult always consists of 3 elements: MessageTypeId, UniqueId and a payload (4.2.2)."""
    assert read_frame('[3,"19",{"status":"Accepted"}]') == CallResult("19", {"status": "Accepted"})
    assert read_frame('[3,"19",[]]') == CallResult("19", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[4,"1","NotSupported","no",{"a":1}]', CallError("1", "NotSupported", "no", {"a": 1})),
        ('[4,"1","FormatViolation","",{}]', CallError("1", "FormatViolation", "", {})),
        ('[4,"1","GenericError"]', CallError("1", "GenericError", "", {})),
        ('[4,"1",5,null,"text"]', CallError("1", "", "", {})),
        ('[4,"1"]', CallError("1", "", "", {})),
        ('[4,"1","A","b",{},"more"]', CallError("1", "A", "b", {})),
    ],
)
def test_error_is_read_leniently(text: str, expected: CallError) -> None:
    """CALLERROR (any code) is a failure to process; peers differ in how they spell it and what they leave out."""
    assert read_frame(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        "null",
        "17",
        '"text"',
        "[]",
        "[2]",
        "[3]",
        "[2,17]",
        '[2,null,"Reset",{}]',
        '[2,["1"],"Reset",{}]',
        '[3,{},{"status":"Accepted"}]',
        "[4,1]",
        '[3,"1"]',
        '[3,"1",{},{}]',
        '[2,"1","Reset",{"type":NaN}]',
        '[2,"1","Reset",{"type":-Infinity}]',
        '[2,"1","Reset",{"type":"Soft"}',
        '[2,"1","Reset",{"type":"Soft"}]]',
        '\ufeff[2,"1","ClearCache",{}]',
        '[3,"1",{"parentIdTag":"\\ud800"}]',
        b"\xff\xfe[",
        b'[2,"\xc3","ClearCache",{}]',
        "[" * 100_000,
        f'[2,"1","Reset",{"[" * 100_000}{"]" * 100_000}]',
        f'[2,"1","RemoteStopTransaction",{{"transactionId":{"9" * 5000}}}]',
    ],
)
def test_what_cannot_be_answered_is_a_frame_error(text: str | bytes) -> None:
    """Not JSON, not an array, too few elements, messageId not a string: nothing can be answered by the rules."""
    with pytest.raises(FrameError):
        read_frame(text)


@pytest.mark.parametrize(
    "text", ['[1,"1",{}]', '[5,"1","x"]', "[9]", '["2","1","Reset",{}]', "[2.0]", "[true]", "[{}]"]
)
def test_other_message_types_are_ignored(text: str) -> None:
    """A message with a Message Type Number not in this list: it SHALL ignore the message payload (4.1.3)."""
    assert read_frame(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[2,"19"]', "4 elements, found 2"),
        ('[2,"19","Reset"]', "4 elements, found 3"),
        ('[2,"19","Reset",{},{}]', "4 elements, found 5"),
        ('[2,"19",7,{}]', "action: expected a string, found 7"),
        ('[2,"19",null,{}]', "action: expected a string, found null"),
        ('[2,"19","Reset",[]]', "payload: expected an object, found an array"),
        ('[2,"19","Reset","{}"]', "payload: expected an object, found a string"),
        ('[2,"19","Reset",false]', "payload: expected an object, found a boolean"),
        ('[2,"19","Reset",{"type":"\\uDC00"}]', "surrogate"),
    ],
)
def test_call_with_a_readable_id_is_refused_with_that_id(text: str, words: str) -> None:
    """Row 1: frame not 4 elements, action not a string, payload neither object nor null: FormationViolation."""
    with pytest.raises(BadCall) as caught:
        read_frame(text)
    assert (caught.value.message_id, caught.value.code) == ("19", "FormationViolation")
    assert words in caught.value.description


def test_id_of_36_characters_is_the_longest() -> None:
    """MessageId: maximum of 36 characters, to allow for GUIDs (4.1.4); a longer one gets a CALLERROR (4.2.3)."""
    assert read_frame(f'[2,"{"i" * 36}","ClearCache",{{}}]') == Call("i" * 36, "ClearCache", {})
    with pytest.raises(BadCall) as caught:
        read_frame(f'[2,"{"i" * 37}","ClearCache",{{}}]')
    assert (caught.value.message_id, caught.value.code) == ("i" * 37, "FormationViolation")


def test_escaped_characters_are_whole_ones_when_they_come_in_pairs() -> None:
    """JSON spells a character outside the basic plane as two escapes (RFC 8259, 7)."""
    frame = read_frame('[2,"1","DataTransfer",{"vendorId":"\\ud83d\\ude97"}]')
    assert frame == Call("1", "DataTransfer", {"vendorId": "🚗"})


def test_last_of_two_equal_names_counts() -> None:
    """RFC 8259, 4 leaves equal names open; nothing breaks."""
    assert read_frame('[2,"1","Reset",{"type":"Soft","type":"Hard"}]') == Call("1", "Reset", {"type": "Hard"})


@given(st.text(st.characters(codec=None)) | st.binary() | JSON_VALUES.map(json.dumps))
@example('[2,"1"]')
def test_no_text_breaks_the_reader(text: str | bytes) -> None:
    """Whatever arrives is a frame, is ignored, or is refused as the peer's fault."""
    error = refusal(lambda: read_frame(text))
    assert error is None or (error.code == "FormationViolation" and len(error.description) <= 255)


@given(
    st.lists(st.sampled_from([2, 3, 4]) | st.text(max_size=40) | st.sampled_from(sorted(ACTIONS)) | JSON_VALUES),
    st.sampled_from(sorted(ACTIONS)),
)
def test_no_frame_breaks_the_decoder(elements: list[Any], asked: str) -> None:
    """Whatever stands in a frame, only errors with a code of table 7 come out, and their text stays short."""

    def read() -> None:
        frame = read_frame(json.dumps(elements))
        if isinstance(frame, Call):
            decode_call(frame.action, frame.payload)
        elif isinstance(frame, CallResult):
            decode_result(asked, frame.payload)

    error = refusal(read)
    assert error is None or (error.code != ErrorCode.INTERNAL_ERROR and len(error.description) <= 255)


def test_frames_leave_as_the_standard_writes_them() -> None:
    """The syntax of a call, a result and an error (4.2.1 to 4.2.3)."""
    assert call_frame("19", "Reset", '{"type":"Soft"}') == '[2,"19","Reset",{"type":"Soft"}]'
    assert result_frame("19", "{}") == '[3,"19",{}]'
    assert error_frame("19", ErrorCode.NOT_SUPPORTED, "no") == '[4,"19","NotSupported","no",{}]'
    assert payload_text({"status": "Ä", "n": [1.5, None]}) == '{"status":"\\u00c4","n":[1.5,null]}'
    assert error_frame("19", ErrorCode.NOT_SUPPORTED, "", {"a": 1}) == '[4,"19","NotSupported","",{"a":1}]'


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_answer_repeats_the_id_exactly(message_id: str, description: str) -> None:
    """UniqueId: this must be the exact same id that is in the call request (4.2.3), whatever a peer puts in it."""
    error = error_frame(message_id, ErrorCode.FORMATION_VIOLATION, description)
    assert error.isascii()
    assert json.loads(error)[1] == json.loads(result_frame(message_id, "{}"))[1] == message_id
    assert len(json.loads(error)[3]) <= 255


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("{}", '{"transactionId":-7}'),
        ('{"meterStop":12}', '{"transactionId":-7,"meterStop":12}'),
        ('{"info":"\\"transactionId\\":1"}', '{"transactionId":-7,"info":"\\"transactionId\\":1"}'),
    ],
)
def test_transaction_id_is_added_to_a_stored_payload(payload: str, expected: str) -> None:
    """transactionId is supplied by the Central System in StartTransaction.conf (4.8): what is queued has none yet."""
    assert with_transaction_id(payload, -7) == expected
    assert json.loads(expected)["transactionId"] == -7


def test_transaction_id_is_not_added_twice() -> None:
    """Two equal names in an object would leave it to the peer which one it reads."""
    with pytest.raises(ValueError, match="already"):
        with_transaction_id('{"meterStop":12,"transactionId":3}', 7)


def test_actions_have_a_direction_and_only_data_transfer_has_both() -> None:
    """DataTransfer is the only message that both sides initiate (OCPP 1.6, 4.3 and 5.6)."""
    assert CALLS_FROM_CHARGE_POINT | CALLS_FROM_CENTRAL_SYSTEM == ACTIONS
    assert {"DataTransfer"} == CALLS_FROM_CHARGE_POINT & CALLS_FROM_CENTRAL_SYSTEM
    assert len(ACTIONS) == 39


@pytest.mark.parametrize("action", ["reset", "RESET", "Reset ", "", "__init__", "dataclass", "NotifyReport"])
def test_unknown_action_is_not_implemented(action: str) -> None:
    """Row 3: unknown action, wrong case of the name: NotImplemented; the field is case-sensitive (4.2.1)."""
    assert not is_known_action(action)
    with pytest.raises(PeerError, match="NotImplemented"):
        decode_call(action, {})


@pytest.mark.parametrize(
    ("data", "transaction"), [({"timestamp": "2026-01-01T00:00:00Z"}, 55), ({}, 55), ({"transactionId": 7}, 7)]
)
def test_a_vendors_message_of_a_transaction_gets_its_id(data: dict[str, Any], transaction: int) -> None:
    """data is a text (6.15): the id goes into the JSON in it, unless it was known when the message was stored."""
    stored = payload_text({"vendorId": "com.example", "messageId": "M", "data": json.dumps(data)})
    sent = json.loads(with_transaction_in_data(stored, 55))
    assert json.loads(sent.pop("data")) == {**data, "transactionId": transaction}
    assert sent == {"vendorId": "com.example", "messageId": "M"}
