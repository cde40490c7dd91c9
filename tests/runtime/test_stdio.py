"""JSON lines on real descriptors: pipes that are read late or never, and files."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from select import select
from typing import Any

import pytest

from chargepoint.model.journal import CallSent
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.events import Events
from chargepoint.runtime.control.jsonlines import LONGEST, JsonLines
from chargepoint.runtime.control.stdio import serve
from tests.runtime.desk import PATIENCE_S, until
from tests.runtime.web import Office, office
from tests.world import World

PIPE_HOLDS = 65_536
"""Bytes; what is more waits until somebody reads."""


class Pipe:
    """A pipe of the system; each end is closed once."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self.read_end, self.write_end = os.fdopen(read_end, "rb", 0), os.fdopen(write_end, "wb", 0)

    def close(self) -> None:
        self.read_end.close()
        self.write_end.close()

    def lines(self) -> list[dict[str, Any]]:
        """Read to the end; return what stands there."""
        return [json.loads(line) for line in self.read_end.readlines()]


@pytest.fixture
def requests() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def answers() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def begin(desk: Office, source: int, sink: int) -> asyncio.Task[None]:
    return asyncio.create_task(serve(JsonLines(desk.front.desk), desk.front.events, source, sink))


async def test_who_does_not_read_its_answers_holds_up_nobody_else(requests: Pipe, answers: Pipe) -> None:
    """The answers wait, the chargers do not; when it reads at last all of them are there, in order."""
    async with office() as desk:
        serving = begin(desk, requests.read_end.fileno(), answers.write_end.fileno())
        for number in range(300):
            requests.write_end.write(b'{"id": %d, "verb": "keys"}\n' % number)
        requests.write_end.close()
        for _ask in range(20):
            assert (await desk.do("plug-in"))["done"]
        assert not serving.done()
        reading = asyncio.create_task(asyncio.to_thread(answers.lines))
        await asyncio.wait_for(serving, PATIENCE_S)
        answers.write_end.close()
        assert [line["id"] for line in await reading] == list(range(300))


async def test_events_that_nobody_read_are_counted(requests: Pipe, answers: Pipe) -> None:
    """A stepped clock: nothing happens between the request and the answer that the test did not write."""
    world, ring = World(), Events(kept=5)
    ring.watch(world.charger)
    world.charger.cut_power(5)
    world.run(60)
    missed = ring.last - 5
    assert missed > 0
    lines = JsonLines(CommandDispatcher({"CP1": world.charger}, RunningClock()))
    requests.write_end.write(b'{"verb": "events"}\n')
    requests.write_end.close()
    await asyncio.wait_for(serve(lines, ring, requests.read_end.fileno(), answers.write_end.fileno()), PATIENCE_S)
    answers.write_end.close()
    told = answers.lines()
    assert told[:2] == [{"id": None, "result": {"after": 0}}, {"missed": missed}]
    assert [line["event"]["id"] for line in told[2:]] == list(range(missed + 1, ring.last + 1))


async def test_a_request_that_comes_while_events_are_told_is_answered(requests: Pipe, answers: Pipe) -> None:
    """Nobody reads, so that telling takes as long as the test wants; a stepped clock, so that nothing else is told."""
    world, ring = World(), Events()
    ring.watch(world.charger)
    world.charger.cut_power(5)
    world.run(60)
    lines = JsonLines(CommandDispatcher({"CP1": world.charger}, RunningClock()))
    serving = asyncio.create_task(serve(lines, ring, requests.read_end.fileno(), answers.write_end.fileno()))
    requests.write_end.write(b'{"id": 1, "verb": "events", "arguments": {"after": %d}}\n' % ring.last)
    await until(lambda: lines.follows is not None, "somebody who wants events")
    for _ in range(10):
        world.model.journal.write(0.0, CallSent("1", "DataTransfer", "x" * PIPE_HOLDS))
    await until(lambda: lines.follows == ring.last, "the events on their way")
    requests.write_end.write(b'{"id": 2, "verb": "keys"}\n')
    await until(lambda: not select([requests.read_end], [], [], 0)[0], "the request to be taken")
    for _turn in range(20):
        await asyncio.sleep(0)
    reading = asyncio.create_task(asyncio.to_thread(answers.lines))
    requests.write_end.close()
    await asyncio.wait_for(serving, PATIENCE_S)
    answers.write_end.close()
    assert [line["id"] for line in await reading if "id" in line] == [1, 2]


async def test_who_is_gone_ends_it(requests: Pipe, answers: Pipe) -> None:
    async with office() as desk:
        answers.read_end.close()
        serving = begin(desk, requests.read_end.fileno(), answers.write_end.fileno())
        requests.write_end.write(b'{"verb": "chargers"}\n')
        await asyncio.wait_for(serving, PATIENCE_S)
        await until(serving.done, "the end")


async def test_files_do_as_well_as_pipes(tmp_path: Path) -> None:
    """`run --stdio < requests > answers`; a line that is too long is refused, the last one needs no end."""
    lines = ['{"id": 1, "verb": "chargers"}', "", "x" * (5 * LONGEST), '{"id": "\\ud800", "verb": "x"}']
    (tmp_path / "requests").write_text("\n".join([*lines, '{"verb": "queue"}']))
    async with office() as desk:
        with (tmp_path / "requests").open("rb") as source, (tmp_path / "answers").open("wb") as sink:
            await asyncio.wait_for(begin(desk, source.fileno(), sink.fileno()), PATIENCE_S)
    told = [json.loads(line) for line in (tmp_path / "answers").read_text("ascii").splitlines()]
    assert [line["id"] for line in told] == [1, None, "\ud800", None]
    assert told[1]["error"]["reason"].startswith("a line of more than")
    assert told[3]["result"] == {"messages": []}


async def test_what_waits_is_answered_late_and_before_the_end(requests: Pipe, answers: Pipe) -> None:
    """The input has ended: what waits is still answered, others were answered meanwhile."""
    async with office(speed=600.0) as desk:
        serving = begin(desk, requests.read_end.fileno(), answers.write_end.fileno())
        requests.write_end.write(b'{"id": 1, "command": "wait", "arguments": {"seconds": "1 min"}}\n')
        requests.write_end.write(b'{"id": 2, "command": "plug_in"}\n')
        requests.write_end.close()
        await asyncio.wait_for(serving, PATIENCE_S)
    answers.write_end.close()
    assert [(line["id"], line["result"]["done"]) for line in answers.lines()] == [
        (2, "plugged in at connector 1"),
        (1, "waited 60 s"),
    ]


async def test_events_are_nested_json_with_a_time(requests: Pipe, answers: Pipe) -> None:
    """No JSON inside a string: payload and answer are values; seconds are rounded, and UTC stands beside them."""
    world, ring = World(), Events()
    ring.watch(world.charger)
    world.charger.cut_power(5)
    world.run(60)
    lines = JsonLines(CommandDispatcher({"CP1": world.charger}, RunningClock()))
    requests.write_end.write(b'{"command": "events"}\n')
    requests.write_end.close()
    await asyncio.wait_for(serve(lines, ring, requests.read_end.fileno(), answers.write_end.fileno()), PATIENCE_S)
    answers.write_end.close()
    told = [line["event"] for line in answers.lines() if "event" in line]
    boot = next(each for each in told if each["kind"] == "CallSent" and each["action"] == "BootNotification")
    assert boot["payload"]["chargePointModel"] == "AC11"
    answered = next(each for each in told if each["kind"] == "CallAnswered" and each["action"] == "BootNotification")
    assert answered["outcome"]["status"] == "Accepted"
    assert all(each["at_s"] == round(each["at_s"], 3) for each in told)
    assert all(datetime.fromisoformat(each["time"]).tzinfo is not None for each in told)
    assert answered["took_s"] == round(answered["took_s"], 3)


async def test_a_card_before_the_boot_is_refused_and_not_reported_as_done() -> None:
    """OCPP 1.6 section 4.2: a charger that was never accepted should not let anybody charge."""
    world = World(starts_online=False)
    answered: list[str] = []
    lines = JsonLines(CommandDispatcher({"CP1": world.charger}, RunningClock()))
    lines.answer('{"id": 1, "command": "swipe", "arguments": {"tag": "A1"}}', answered.append)
    error = json.loads(answered[0])["error"]
    assert (error["kind"], "the central system has never accepted this charger" in error["reason"]) == ("conflict", True)
