"""The trace: every frame in order, complete, without secrets, bounded, and nothing that a charger waits for."""

from __future__ import annotations

import json
import os
import random
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call
from ocpp.v16.enums import ResetType

from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from chargepoint.runtime.trace import OPEN_CALLS, Trace, TracedLink, TraceError
from hw.loader import plan_board
from tests.wire.independent import SETTINGS, Csms, until

START_S = 1_700_000_000.0


class Nobody:
    """A listener that does not care."""

    def on_open(self, subprotocol: str | None) -> None: ...
    def on_text(self, text: str) -> None: ...
    def on_closed(self, closed: object) -> None: ...
    def on_dial_failed(self, failure: object) -> None: ...
    def after_wire(self, delay_s: float, action: object) -> Any:
        raise AssertionError("nothing is dialled")


@pytest.fixture
def trace(tmp_path: Path) -> Any:
    made = Trace(tmp_path / "trace.jsonl")
    yield made
    made.close()


@pytest.fixture
def link(trace: Trace) -> TracedLink:
    nobody = Nobody()
    return TracedLink(trace, Address(url="ws://h", identity="CP001"), nobody, nobody, random.Random(1))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncIterator[Callable[[str, float], Charger]]:
    """A charger with a traced link, made the way the command makes it."""
    store = Store(None, Durability.RELAXED)
    sites: list[Site] = []
    traces: list[Trace] = []

    def make(url: str, speed: float) -> Charger:
        site = Site(store, speed, seed=1)
        trace = Trace(tmp_path / "trace.jsonl")
        sites.append(site)
        traces.append(trace)
        address = Address(url=url, identity="CP001")

        def link(charger: Charger) -> TracedLink:
            clock = lambda: charger.model.calendar.utc_s(site.clock.charge_s())  # noqa: E731
            return TracedLink(trace, address, charger, site.pump, site.rng, SETTINGS, clock)

        charger = site.add(ChargerPlan(identity="CP001", board=plan_board("ac11-sim")), link)
        charger.start()
        return charger

    yield make
    for site in sites:
        await site.close()
    for trace in traces:
        trace.close()
    store.close()


async def test_every_frame_of_both_directions_is_a_line(
    traced: Callable[[str, float], Charger], tmp_path: Path
) -> None:
    """Timestamp, chargePointId, direction, messageType, messageId, action, payload, raw, meta."""
    async with Csms() as csms:
        traced(csms.url, 300.0)
        await csms.accepted()
        await csms.call(call.ChangeConfiguration(key="HeartbeatInterval", value="3600"))
        await until(lambda: not csms.dialogue.is_busy, "all answered")
        sent, received = csms.dialogue.sent, csms.dialogue.received
        await until(lambda: len(lines(tmp_path / "trace.jsonl")) >= sent + received, "all traced")
    found = lines(tmp_path / "trace.jsonl")
    assert list(found[0]) == [
        "timestamp",
        "chargePointId",
        "direction",
        "messageType",
        "messageId",
        "action",
        "payload",
        "raw",
        "meta",
    ]
    boot, accepted = found[:2]
    assert (boot["direction"], boot["messageType"], boot["action"]) == ("sent", "CALL", "BootNotification")
    assert json.loads(boot["raw"]) == [2, boot["messageId"], "BootNotification", boot["payload"]]
    assert (accepted["direction"], accepted["messageType"]) == ("received", "CALLRESULT")
    assert (accepted["messageId"], accepted["action"]) == (boot["messageId"], "BootNotification")
    assert accepted["payload"]["status"] == "Accepted"
    assert accepted["meta"]["latencyMs"] >= 0.0
    change = [each for each in found if each["action"] == "ChangeConfiguration"]
    assert [(each["direction"], each["messageType"]) for each in change] == [
        ("received", "CALL"),
        ("sent", "CALLRESULT"),
    ]
    assert all(each["timestamp"].endswith("Z") and each["meta"]["chargerTime"].endswith("Z") for each in found)
    assert {each["chargePointId"] for each in found} == {"CP001"}


async def test_frames_go_on_after_a_reset(traced: Callable[[str, float], Charger], tmp_path: Path) -> None:
    """One file for all lives and sockets of a charger."""
    async with Csms() as csms:
        traced(csms.url, 300.0)
        await csms.accepted()
        await csms.call(call.Reset(type=ResetType.hard))
        await until(lambda: len(csms.all("BootNotification")) == 2, "booted again")
    boots = [
        each
        for each in lines(tmp_path / "trace.jsonl")
        if each["action"] == "BootNotification" and each["messageType"] == "CALL"
    ]
    assert len(boots) == 2


def test_authorization_key_is_hidden_in_payload_and_raw(link: TracedLink, trace: Trace) -> None:
    """AuthorizationKey values are masked; the frame is otherwise whole."""
    link.received('[2,"7","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123456789abcdef"}]')
    text = trace.path.read_text()
    assert "0123456789abcdef" not in text
    (found,) = lines(trace.path)
    assert found["payload"] == {"key": "AuthorizationKey", "value": "…"}
    assert json.loads(found["raw"]) == [2, "7", "ChangeConfiguration", found["payload"]]
    assert found["meta"] == {"masked": True}


@pytest.mark.parametrize(
    ("text", "kind", "payload"),
    [
        ('[4,"1","InternalError","no","x"]', "CALLERROR", {"errorCode": "InternalError", "errorDescription": "no"}),
        ('[4,"1"]', "CALLERROR", {}),
        ('[3,"1"]', "CALLRESULT", None),
        ('[2,"1"]', "CALL", None),
        ("hello", "UNKNOWN", None),
        ("{}", "UNKNOWN", None),
        ("[]", "UNKNOWN", None),
        ("[[],1]", "UNKNOWN", None),
        ("[" * 100_000, "UNKNOWN", None),
    ],
)
def test_frames_that_are_not_sound_are_traced_as_they_came(
    link: TracedLink, trace: Trace, text: str, kind: str, payload: dict[str, Any] | None
) -> None:
    """The broken frame is the one that people look for."""
    link.received(text)
    (found,) = lines(trace.path)
    assert (found["messageType"], found["raw"], found["meta"]) == (kind, text, {})
    if payload is None:
        assert found["payload"] is None
    else:
        assert payload.items() <= found["payload"].items()


def test_answer_that_nobody_waits_for_has_no_action(link: TracedLink, trace: Trace) -> None:
    link.received('[3,"1",{}]')
    assert lines(trace.path)[0]["action"] is None


def test_ids_of_the_two_directions_are_not_confused(link: TracedLink, trace: Trace) -> None:
    """Both ends may use the same id at the same time (OCPP-J 1.6, 4.1.4)."""
    link.received('[2,"1","Reset",{"type":"Soft"}]')
    link.received('[3,"1",{}]')
    assert [each["action"] for each in lines(trace.path)] == ["Reset", None]


def test_calls_without_an_answer_are_forgotten(link: TracedLink) -> None:
    """Bounded, for a firmware that runs for years."""
    for number in range(OPEN_CALLS + 50):
        link.received(f'[2,"{number}","ClearCache",{{}}]')
    assert len(link._calls["received"]) == OPEN_CALLS


def test_frame_that_was_not_sent_is_not_traced(link: TracedLink, trace: Trace) -> None:
    assert not link.send_text('[2,"1","Heartbeat",{}]')
    assert lines(trace.path) == []


# --- the file ---------------------------------------------------------------------------------------------------------


def test_each_line_is_on_its_way_when_it_is_written(trace: Trace) -> None:
    """After a SIGKILL the trace has all that was written."""
    trace.write({"n": 1})
    assert lines(trace.path) == [{"n": 1}]


def test_trace_is_continued_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Card numbers stand in it."""
    for number in (1, 2):
        trace = Trace(tmp_path / "t.jsonl")
        trace.write({"n": number})
        trace.close()
    assert lines(tmp_path / "t.jsonl") == [{"n": 1}, {"n": 2}]
    assert stat.S_IMODE(os.stat(tmp_path / "t.jsonl").st_mode) == 0o600


def test_full_trace_rolls_over_once(tmp_path: Path) -> None:
    """Two files of the limit at most, and no line is torn or lost on the way."""
    path = tmp_path / "t.jsonl"
    trace = Trace(path, limit_bytes=100)
    for number in range(40):
        trace.write({"n": number})
        assert path.stat().st_size <= 100
    trace.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["t.jsonl", "t.jsonl.1"]
    kept = [each["n"] for each in lines(tmp_path / "t.jsonl.1") + lines(path)]
    assert kept == list(range(kept[0], 40))


def test_line_longer_than_the_limit_is_written(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.jsonl", limit_bytes=10)
    trace.write({"text": "x" * 50})
    trace.close()
    assert len(lines(tmp_path / "t.jsonl")) == 1


def test_disk_error_ends_the_trace_and_nothing_else(trace: Trace, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the disk does, the charger goes on."""
    assert trace._file is not None
    full = open("/dev/full", "w", buffering=1)  # noqa: SIM115
    trace._file.close()
    trace._file = full
    trace.write({"n": 1})
    trace.write({"n": 2})
    assert [record.getMessage().startswith(f"{trace.path}: the trace ends here: ") for record in caplog.records] == [
        True
    ]
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="the trace cannot be written: No such file or directory"):
        Trace(tmp_path / "nowhere" / "t.jsonl")
