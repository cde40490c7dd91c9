"""The lines that tell what a charger does: arrows seen from the charger, cards shortened, keys hidden."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from chargepoint.cli import group
from chargepoint.cli.story import Story, line_text
from chargepoint.model.journal import CallAnswered, CallSent, CallServed, CostShown, Entry, Journal

START = '{"connectorId":1,"idTag":"04A1B2C3D4","meterStart":0,"timestamp":"2026-01-01T12:03:11Z"}'
STARTED = '{"transactionId":4711,"idTagInfo":{"status":"Accepted"}}'


def told(*entries: Entry) -> list[str]:
    lines: list[str] = []
    story = Story(lambda *line: lines.append(line_text(*line)))
    for entry in entries:
        story.listen("CP001", 0.0, entry)
    return lines


def test_exchange_is_one_line() -> None:
    """`→ StartTransaction #1 tag=04…D4 meter=0 ← Accepted tx=4711 38 ms`."""
    lines = told(CallSent("1", "StartTransaction", START), CallAnswered("1", "StartTransaction", True, STARTED, 0.038))
    assert lines == ["CP001 → StartTransaction #1 tag=04…D4 meter=0 ← Accepted tx=4711 38 ms"]


def test_call_that_was_lost_is_not_mixed_up_with_the_next() -> None:
    """A call that is lost with its link has no answer; what comes next is told with its own request."""
    lines = told(
        CallSent("1", "StartTransaction", START),
        CallSent("2", "Authorize", '{"idTag":"04A1B2C3D4"}'),
        CallAnswered("2", "Authorize", True, '{"idTagInfo":{"status":"Accepted"}}', 0.002),
        CallAnswered("1", "StartTransaction", True, STARTED, 60.0),
    )
    assert lines == [
        "CP001 → Authorize idTag=04…D4 ← Accepted 2 ms",
        "CP001 → StartTransaction ← Accepted tx=4711 60000 ms",
    ]


def test_lost_calls_are_forgotten() -> None:
    """Bounded, for a firmware that runs for years."""
    story = Story(lambda *_line: None)
    for number in range(100):
        story.listen("CP001", 0.0, CallSent(str(number), "Heartbeat", "{}"))
    assert len(story._sent) == 1


def test_authorization_key_is_hidden() -> None:
    payload = '{"key":"AuthorizationKey","value":"0123456789abcdef"}'
    lines = told(CallServed("1", "ChangeConfiguration", payload, True, '{"status":"Accepted"}'))
    assert lines == ["CP001 ← ChangeConfiguration key=AuthorizationKey value=… → Accepted"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps({"idToken": "04A1B2C3", "priceText": "EUR 1"}), "SetUserPrice idToken=… priceText=EUR 1"),
        ("plain", "vendorId=com.example messageId=SetUserPrice data=plain"),
    ],
)
def test_a_vendors_message_gives_nobody_a_card(data: str, said: str) -> None:
    """Tags are shortened before they are logged, also those in the text of a DataTransfer."""
    request = {"vendorId": "com.example", "messageId": "SetUserPrice", "data": data}
    served = CallServed("1", "DataTransfer", json.dumps(request), True, '{"status":"Accepted"}')
    assert told(served)[0] == f"CP001 ← DataTransfer {said} → Accepted"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (CostShown(1, "Charging", "1.330", "EUR 0.39/kWh"), "display Charging 1.330 (EUR 0.39/kWh)"),
        (CostShown(1, "Follows", "", ""), "display Follows"),
    ],
)
def test_the_display_is_told(shown: CostShown, said: str) -> None:
    """A log shows what a charge costs."""
    assert told(shown)[0] == f"CP001 connector 1: {said}"


@pytest.mark.parametrize(("arguments", "is_built"), [(["-q"], False), ([], True)])
def test_no_line_is_built_that_no_handler_shows(
    arguments: list[str], is_built: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line parses the frames it shows; a charger with ``-q`` has other things to do."""
    heard: list[object] = []
    monkeypatch.setattr(Journal, "listen", lambda _journal, listener: heard.append(getattr(listener, "__self__", None)))
    command = ["run", "--url", "ws://127.0.0.1:1/ocpp", "--id", "CP1", "--duration", "0.2", *arguments]
    CliRunner().invoke(group, command, prog_name="chargepoint")
    assert any(isinstance(each, Story) for each in heard) is is_built


@pytest.mark.parametrize(
    "action", ["", "Authorize", "StartTransaction", "MeterValues", "StatusNotification", "DataTransfer"]
)
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "{}",
        '{"idTag":7}',
        '{"meterValue":[]}',
        '{"meterValue":[{"sampledValue":[{}]}]}',
        '{"meterValue":7}',
        '{"data":{"a":1}}',
    ],
)
def test_a_frame_that_is_not_sound_is_one_line(action: str, payload: str) -> None:
    """Whatever a peer sends: nothing of it breaks a line in two."""
    text = payload.replace("7", '"x\\ny"')
    served = CallServed("1", action, text, True, '{"status":["a\\nb"],"idTagInfo":1}')
    refused = CallServed("1", action, text, False, "InternalError: a\nb")
    lines = told(served, refused)
    assert len(lines) == 2
    assert "\n" not in "".join(lines)
