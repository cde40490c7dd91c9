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
from chargepoint.runtime.control.commands import COMMANDS
from tests.cli.shell import ROOT, Process, chargepoint
from tests.cli.test_run import configuration
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
