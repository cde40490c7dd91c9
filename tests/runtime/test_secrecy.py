"""What must not be told is hidden, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chargepoint.runtime.secrecy import masked, masked_text

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    "payload",
    [
        {"key": "AuthorizationKey", "value": HASH},
        {"value": HASH, "key": "authorizationkey"},
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": HASH}]},
        {"key": "VendorPassword", "value": HASH},
        {"location": f"ftp://box:{HASH}@host/x"},
        {"vendorId": "x", "data": json.dumps({"password": HASH})},
        {"data": {"password": HASH}},
        {"location": f"https://host/x?sig={HASH}&v=1"},
        {"location": f"https://host/x?X-Amz-Security-Token={HASH}"},
        {"key": "AuthorizationKey", "value": [HASH]},
        {"password": {"is": HASH}},
        [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": HASH}],
    ],
)
def test_secrets_of_a_payload_are_hidden(payload: Any) -> None:
    """An AuthorizationKey is never told, wherever it stands."""
    before = json.dumps(payload)
    hidden = json.dumps(masked(payload))
    assert HASH in before
    assert HASH not in hidden
    assert HASH not in masked_text(before)
    assert json.dumps(payload) == before


@pytest.mark.parametrize(
    "payload",
    [
        {"idTag": "04A1B2C3D4"},
        {"key": "HeartbeatInterval", "value": "60"},
        {"key": ["AuthorizationKey", "HeartbeatInterval"]},
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": True}], "unknownKey": []},
        {"sampledValue": [{"value": 'OCMF|{}|{"SD":"3045"}', "format": "SignedData"}]},
        {"location": "https://host/x"},
        {"location": "https://host/x?version=2&design=3#keys"},
        None,
        [3, "1", {}],
    ],
)
def test_what_is_no_secret_stays_the_same_object(payload: Any) -> None:
    """A trace that changes what it need not is no evidence."""
    assert masked(payload) is payload


def test_escaped_name_is_no_hiding_place() -> None:
    """JSON has many ways to spell a name."""
    assert HASH not in masked_text(f'{{"key":"\\u0041uthorizationKey","value":"{HASH}"}}')


def test_text_that_is_no_json_is_hidden_by_its_looks() -> None:
    assert HASH not in masked_text(f'{{"key":"AuthorizationKey","value":"{HASH}"')


@pytest.mark.parametrize(
    "part", ["a.", "token", "value:", '"value":"', "sig ", "http://", "password,", 'token""""""""""', "private", "\\u0041-"]
)
def test_a_megabyte_of_anything_takes_no_time(part: str) -> None:
    """A central system may send what it likes, and all chargers of the process wait meanwhile. Where the search takes a
    time that grows with the square of the text, this test takes hours.
    """
    text = "token ://" + part * (1_000_000 // len(part))
    masked_text(text)
    masked({"data": text})


@pytest.mark.parametrize("depth", [50, 100, 500, 900, 5_000, 100_000])
def test_what_is_nested_deeply_is_hidden_and_nothing_breaks(depth: int) -> None:
    """No message is as deep; a secret at the bottom is not told, however deep it lies."""
    assert HASH not in masked_text('{"a":' * depth + json.dumps({"password": HASH}) + "}" * depth)
