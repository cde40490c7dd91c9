"""One charge, three ways: by `ctl`, by curl as the README has it, and by JSON lines; and what `ctl` says when it cannot."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from chargepoint.cli import main, program
from chargepoint.runtime.control.causes import CAUSES
from chargepoint.runtime.control.commands import COMMANDS
from chargepoint.runtime.control.waiting import Waiting
from tests.cli.shell import ROOT, Process, chargepoint
from tests.cli.test_run import configuration
from tests.runtime.desk import Desk
from tests.runtime.web import office
from tests.wire.independent import Csms, until

TAG = "04A1B2C3D4"


@asynccontextmanager
async def box(directory: Path, *options: object, **shell: Any) -> AsyncIterator[tuple[Process, Csms]]:
    """Run a charger against a central system, at the speed of a test."""
    async with Csms() as csms:
        file = configuration(directory, csms.url)
        async with chargepoint("run", "-c", file, *options, cwd=directory, **shell) as run:
            await csms.expect("BootNotification")
            yield run, csms


async def ctl(url: str, *arguments: object) -> tuple[int, str]:
    """Run ``chargepoint ctl``, in a thread; return its exit code and all it printed."""

    def run() -> tuple[int, str]:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as ended:
            main(["ctl", "--url", url, *map(str, arguments)])
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.getvalue()

    return await asyncio.to_thread(run)


async def comes_to(url: str, status: str) -> dict[str, Any]:
    """Ask for the state until the first connector has a status; return the state."""
    async with asyncio.timeout(30):
        while True:
            code, text = await ctl(url, "-o", "json", "state")
            assert code == 0, text
            state: dict[str, Any] = json.loads(text)
            if state["connectors"][0]["status"] == status:
                return state


@pytest.mark.timeout(120)
async def test_a_charge_by_ctl(tmp_path: Path) -> None:
    async with box(tmp_path, "--control", "127.0.0.1:0") as (run, csms):
        url = await run.told("control: ")
        assert await ctl(url, "plug-in") == (0, "CP001: plugged in at connector 1\n")
        await comes_to(url, "Preparing")
        assert (await ctl(url, "swipe", TAG))[0] == 0
        state = await comes_to(url, "Charging")
        assert state["connectors"][0]["charge"]["id_tag"] == "04…D4"
        code, text = await ctl(url, "state")
        assert code == 0
        assert re.search(r"CP001  ac11-sim  connected, Accepted", text)
        assert re.search(r"1 +Charging +C2 +closed +[\d.]+ +[\d.]+ +04…D4 +16 +rated current", text)
        assert (await ctl(url, "swipe", TAG))[0] == 0
        assert (await ctl(url, "unplug"))[0] == 0
        stop = await csms.expect("StopTransaction")
        assert stop["reason"] in ("Local", "EVDisconnected")
        code, text = await ctl(url, "-o", "json", "sessions")
        assert json.loads(text)["sessions"][0]["tag"] == "04…D4"
        code, text = await ctl(url, "events", "--after", 0, "--count", 12)
        assert (code, "→ BootNotification" in text) == (0, True)
        # Its store is its own while it runs: `stats` says whom to ask instead, and asks it.
        async with chargepoint(
            "stats", cwd=tmp_path, environment={"CHARGEPOINT_STATS_DATA": "chargepoint-data"}
        ) as stats:
            assert await stats.exit_code() == 1
            assert "is in use by another process" in stats.text
            assert "ctl statistics" in stats.text
        async with chargepoint("stats", "--url", url, cwd=tmp_path) as stats:
            assert await stats.exit_code() == 0
            assert re.search(r"total +1 +[\d.]+", stats.text)


def curl_lines() -> list[list[str]]:
    """The curl lines of the README, in words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [shlex.split(line) for line in re.findall(r"^curl .*$", text, re.MULTILINE)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_a_charge_by_curl_as_the_readme_has_it(tmp_path: Path) -> None:
    async with box(tmp_path, "--control", "127.0.0.1:0") as (run, csms):
        url = await run.told("control: ")
        answers = []
        for words in curl_lines():
            line = [word.replace("http://127.0.0.1:8080", url) for word in words]
            process = await asyncio.create_subprocess_exec(
                *line, "-sS", "--fail-with-body", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            assert process.returncode == 0, output
            answers.append(json.loads(output))
            if line[-1].endswith("/swipe"):
                # As people do, the next line is typed when the first has had its effect.
                count = sum(each[-1].endswith("/swipe") for each in curl_lines()[: len(answers)])
                await csms.expect("StartTransaction" if count == 1 else "StopTransaction")
            await asyncio.sleep(0.1)
        assert len(answers) == 7
        assert answers[3]["connectors"][0]["charge"]["id_tag"] == "04…D4"
        assert answers[6]["sessions"][0]["reason"] == "Local"


async def test_a_charge_by_json_lines(tmp_path: Path) -> None:
    async with box(tmp_path, "--stdio", "-q", takes_input=True) as (run, csms):

        def told() -> list[dict[str, Any]]:
            return [json.loads(line) for line in run.lines if line.startswith("{")]

        def statuses() -> list[str]:
            events = [line["event"] for line in told() if "event" in line]
            return [event["status"] for event in events if event["kind"] == "StatusChanged"]

        async def ask(number: int, verb: str, **arguments: Any) -> Any:
            run.write(json.dumps({"id": number, "verb": verb, "arguments": arguments}))
            await until(lambda: any(line.get("id") == number for line in told()), f"the answer to {verb}: {run.text}")
            return next(line for line in told() if line.get("id") == number)

        assert await ask(1, "events", after=0) == {"id": 1, "result": {"after": 0}}
        assert (await ask(2, "plug-in"))["result"] == {"done": "plugged in at connector 1"}
        await until(lambda: statuses()[-1:] == ["Preparing"], "Preparing")
        await ask(3, "swipe", tag=TAG)
        await until(lambda: statuses()[-1:] == ["Charging"], "Charging")
        assert (await ask(4, "state"))["result"]["connectors"][0]["charge"]["id_tag"] == "04…D4"
        assert (await ask(5, "plug-on"))["error"]["kind"] == "not-found"
        run.write("x" * 1_500_000)  # and what comes after a line that is too long is answered
        await ask(6, "swipe", tag=TAG)
        await csms.expect("StopTransaction")
        await ask(7, "unplug")
        await until(lambda: statuses()[-1:] == ["Available"], "Available")
        run.end_input()
        assert await run.exit_code() == 0, run.text
        too_long = next(line["error"]["reason"] for line in told() if line.get("id", 0) is None)
        assert too_long.startswith("a line of more than")
    async with chargepoint("stats", "--data", tmp_path / "chargepoint-data", "-o", "json", cwd=tmp_path) as stats:
        assert await stats.exit_code() == 0, stats.text
        (charger,) = json.loads(stats.text)
        assert (charger["charger"], charger["total"]["sessions"]) == ("CP001", 1)


# --- what ctl says when it cannot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("state",), 2, "which charger? 2 fit: CP1, CP2. Name one with --id, or all of them with --all."),
        (("--id", "CP", "state"), 2, "which charger? 2 fit"),
        (("--id", "X", "state"), 1, "no charger begins with 'X': there is CP1, CP2"),
        (("--id", "CP2", "state"), 0, "CP2  ac11-sim"),
        (("unplug",), 2, "or all of them with --all"),
        (("--all", "network", "down"), 0, "CP1: network down\nCP2: network down"),
        (("--all", "fault", "gremlins"), 1, "CP2: unknown fault 'gremlins'"),
        (("--id", "CP1", "plug-in", "--connector", "9"), 1, "there is no connector 9: ac11-sim has 1"),
        (("--id", "CP1", "plug-in", "--connector", "0"), 2, "must be 1..99, got 0"),
        (("--id", "CP1", "plug_in"), 0, "plugged in at connector 1"),
        (("--id", "CP1", "ev-state", "F"), 2, 'must be B, C or D, got "F"'),
        (("plug-on",), 2, "unknown command 'plug-on': did you mean plug-in?"),
        (("--id", "CP1", "fault", "gremlins"), 1, "unknown fault 'gremlins'"),
        (("--id", "CP1", "requeue", "7"), 1, "no undelivered message 7"),
        (("--id", "CP1", "keys", "HeartbeatInterval"), 0, "HeartbeatInterval  3600"),
        (("--id", "CP1", "key-set", "HeartbeatInterval", "often"), 1, "Rejected"),
        (("--id", "CP1", "send", "Heartbeat", "-p", "[]"), 2, "not a JSON object"),
        (("--id", "CP1", "send", "Heartbeat", "-p", "@none.json"), 2, "No such file"),
        (("--id", "CP1", "send", "DataTransfer", "-p", '{"vendorId": "X"}'), 0, "DataTransfer queued"),
        (("chargers",), 0, "CP2  running"),
        (("--id", "CP1", "-o", "jsonl", "state"), 0, '{"id": "CP1",'),
        (("--url", "nonsense", "state"), 2, "--url is something like"),
    ],
)
async def test_ctl_answers(arguments: tuple[str, ...], code: int, said: str) -> None:
    async with office(count=2) as desk:
        found, text = await ctl(desk.url, *arguments)
        assert said in text
        assert found == code


async def test_ctl_names_the_remedy_when_nobody_answers() -> None:
    code, text = await ctl("http://127.0.0.1:9", "state")
    assert (code, f"start one with `{program.name()} run --control 8080" in text) == (3, True)
    async with Csms() as stranger:
        code, text = await ctl(stranger.url.replace("ws://", "http://").partition("/ocpp")[0], "state")
        assert (code, "is not a chargepoint" in text) == (3, True)


async def test_ctl_reaches_a_charger_with_a_slash_in_its_identity() -> None:
    async with office(prefix="A/B") as desk:
        code, text = await ctl(desk.url, "--id", "A/B1", "state")
        assert (code, "A/B1  ac11-sim" in text) == (0, True), text


@pytest.mark.parametrize(
    ("end", "arguments", "code", "said"),
    [
        (b"0\r\n\r\n", ("events",), 0, "the other side has ended"),
        (b"0\r\n\r\n", ("events", "--count", 3), 1, "the other side has ended"),
        (b"", ("events",), 3, "is it still running?"),
    ],
)
async def test_a_stream_that_ends_early_is_no_success(
    end: bytes, arguments: tuple[object, ...], code: int, said: str
) -> None:
    """A script that waits for events must not go on as if they had come; nor is a stream that breaks off an end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"d\r\nretry: 2000\n\n\r\n" + end)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        told = await ctl(url, *arguments)
    assert (told[0], said in told[1]) == (code, True), told


async def test_ctl_takes_address_and_token_from_the_environment(tmp_path: Path) -> None:
    async with office(token="0123456789abcdef") as desk:
        code, text = await ctl(desk.url, "state")
        assert (code, "wants a token" in text) == (1, True)
        code, text = await ctl(desk.url, "--token", "fedcba9876543210", "state")
        assert (code, "does not take this token" in text) == (1, True)
        variables = {"CHARGEPOINT_CONTROL_URL": desk.url, "CHARGEPOINT_CONTROL_TOKEN": "0123456789abcdef"}
        async with chargepoint("ctl", "state", cwd=tmp_path, environment=variables) as run:
            assert await run.exit_code() == 0, run.text
            assert "CP1  ac11-sim" in run.text


async def test_every_verb_has_its_command_and_help() -> None:
    code, text = await ctl("http://127.0.0.1:9", "-h")
    assert code == 0
    assert all(name in text for name in COMMANDS)


# --- what a newcomer tried --------------------------------------------------------------------------------------------


async def test_options_stand_before_a_command_or_after_it() -> None:
    """-o, --id and --all; what stands after the command goes before."""
    async with office(count=2) as desk:
        code, text = await ctl(desk.url, "state", "--id", "CP2", "-o", "json")
        assert (code, json.loads(text)["id"]) == (0, "CP2")
        code, text = await ctl(desk.url, "--id", "CP1", "-o", "jsonl", "state", "--id", "CP2", "-o", "json")
        assert (code, json.loads(text)["id"]) == (0, "CP2")
        code, text = await ctl(desk.url, "plug-in", "--all")
        assert (code, text.count("plugged in at connector 1")) == (0, 2)
        code, text = await ctl(desk.url, "chargers", "-o", "json")
        assert (code, [each["id"] for each in json.loads(text)]) == (0, ["CP1", "CP2"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ctl", "plug"), "unknown command 'plug': did you mean plug-in?"),
        (("ctl", "xyzzy"), "unknown command 'xyzzy': available: plug-in, unplug, "),
        (("run", "--contrl", "1"), "No such option '--contrl'. Did you mean '--control'?"),
        (("run", "--mqtt", "broker"), "No such option '--mqtt'.\n"),
        (("ctl", "swipe", "A1", "--conector", "1"), "Did you mean '--connector'?"),
    ],
)
def test_a_typo_suggests_the_likely_word_or_none(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code, said in capsys.readouterr().err) == (2, True)


async def test_an_earlier_name_is_taken_with_a_warning() -> None:
    async with office() as desk:
        code, text = await ctl(desk.url, "resume")
        assert (code, "Warning: resume is called unpause now" in text) == (0, True)
        assert "no longer held at 0 A" in text


async def test_the_outcome_of_a_swipe_is_the_exit_code() -> None:
    """Refused at once is exit code 1 without waiting; with --wait the central system's decision is."""
    async with office() as desk:
        await ctl(desk.url, "plug-in")
        assert await ctl(desk.url, "swipe", "A1") == (0, "CP1: card A1 presented; the central system is asked\n")
        await desk.comes_to("Charging")
        assert (await ctl(desk.url, "swipe", "A1", "--wait"))[0] == 0
        await ctl(desk.url, "unplug")
        await desk.comes_to("Available")
        await ctl(desk.url, "fault", "over_temperature")
        await desk.comes_to("Faulted")
        for wait in ((), ("--wait",)):
            code, text = await ctl(desk.url, "swipe", "A1", *wait)
            assert (code, "card A1 refused: no connector is free (connector 1 is Faulted)" in text) == (1, True)
        code, text = await ctl(desk.url, "fault", "reader_silent")
        code, text = await ctl(desk.url, "swipe", "A1", "--wait", "--within", "200 ms")
        assert (code, "no decision about card A1 within 0.2 s" in text) == (6, True)


async def test_the_answer_to_a_call_sent_by_hand_is_the_result() -> None:
    """`send --wait`: the answer; exit code 1 for a CALLERROR or a status that refuses, 6 without an answer in time."""
    async with office() as desk:
        code, text = await ctl(desk.url, "send", "DataTransfer", "-p", '{"vendorId": "X"}', "--wait")
        assert (code, text) == (0, 'CP1: DataTransfer: Accepted {"status": "Accepted"}\n')
        link = desk.chargers[0].link
        assert isinstance(link, Desk)

        def answers(text: str, kind: int, *rest: Any) -> bool:
            asyncio.get_running_loop().call_soon(link._answer, json.dumps([kind, json.loads(text)[1], *rest]))
            return True

        link.send_text = lambda text: answers(text, 4, "NotImplemented", "", {})  # type: ignore[method-assign]
        code, text = await ctl(desk.url, "send", "Heartbeet", "--wait")
        assert (code, "Heartbeet failed: NotImplemented" in text) == (1, True)
        link.send_text = lambda text: answers(text, 3, {"status": "UnknownVendorId"})  # type: ignore[method-assign]
        code, text = await ctl(desk.url, "send", "DataTransfer", "-p", '{"vendorId": "X"}', "--wait")
        assert (code, "DataTransfer: UnknownVendorId" in text) == (1, True)
        link.send_text = lambda text: bool(text)  # type: ignore[method-assign]
        code, text = await ctl(desk.url, "send", "Heartbeat", "--wait", "--within", "0.2")
        assert (code, "no answer to Heartbeat within 0.2 s" in text) == (6, True)


async def test_a_wait_ends_with_its_condition_or_its_limit() -> None:
    async with office(speed=600.0) as desk:
        code, text = await ctl(desk.url, "wait-until", "1 kWh")
        assert (code, "no vehicle is connected" in text) == (1, True)
        await ctl(desk.url, "plug-in")
        await ctl(desk.url, "swipe", "A1", "--wait")
        code, text = await ctl(desk.url, "wait-until", "100 Wh")
        assert (code, "kWh at connector 1" in text) == (0, True)
        code, text = await ctl(desk.url, "wait-until", "60 kWh", "--within", "1 min")
        assert (code, "less than 60 kWh at connector 1 within 60 s" in text) == (6, True)


async def test_a_wait_is_over_when_the_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that waits does not keep the program from its end; it is answered."""
    begun: list[float] = []
    monkeypatch.setattr(Waiting, "finish_after", lambda _waiting, delay_s, _document: begun.append(delay_s))
    async with office() as desk:
        waiting = asyncio.create_task(ctl(desk.url, "wait", "1 h"))
        await until(lambda: begun, "the request")
        await desk.front.close()
        code, text = await waiting
        assert (code, "the program ends" in text) == (2, True)


def test_help_lists_the_causes_of_faults_and_how_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(("ctl", "fault", "-h"))
    text = capsys.readouterr().out
    assert all(f"  {cause.name}" in text for cause in CAUSES)
    assert "Contactor, lock and pilot:" in text
    assert "* The fault is latched: it stays until the cable is unplugged, also after clear-fault." in text
    assert "a latched fault stays until the cable is unplugged" in " ".join(text.split())  # at --clear-after


async def test_a_fault_that_is_latched_says_so_when_it_is_caused() -> None:
    """`--clear-after` removes the cause; the fault stays until the cable is unplugged."""
    async with office() as desk:
        await ctl(desk.url, "plug-in")
        code, text = await ctl(desk.url, "fault", "ground_fault", "--clear-after", "30")
        said = "the cause is removed after 30 s; the fault is latched until the cable is unplugged"
        assert (code, said in text) == (0, True)


async def test_the_queue_is_a_digest() -> None:
    """A line a message, as the log has it; an empty queue says so."""
    async with office() as desk:
        assert await ctl(desk.url, "queue") == (0, "CP1: nothing queued\n")
        await ctl(desk.url, "plug-in")
        await ctl(desk.url, "swipe", "A1", "--wait")
        await desk.comes_to("Charging")
        await ctl(desk.url, "network", "down")
        await ctl(desk.url, "swipe", "A1")
        await until(lambda: len(desk.chargers[0].model.queue) > 0, "a message in the queue")
        code, text = await ctl(desk.url, "queue")
        (head, row) = text.splitlines()
        assert (code, head.split()) == (0, ["key", "action", "content", "attempts", "state"])
        assert row.split()[1:3] == ["StopTransaction", "tag=A1"]
        assert len(row) < 100
