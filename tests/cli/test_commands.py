"""The other commands: what they print, in which form, and what they say of a wrong line."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chargepoint import __version__
from chargepoint.cli import COMMANDS, EXIT_BUG, group, main
from chargepoint.cli.demo import PORTS
from chargepoint.cli.ending import Ending
from chargepoint.runtime.control.admission import Admission
from tests.cli.shell import chargepoint
from tests.wire.independent import Csms


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, prog_name="chargepoint", catch_exceptions=False)


def ends(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command as `main` does; return its exit code and all it printed."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    printed = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, printed.out + printed.err


SUBCOMMANDS = [("board", each) for each in ("list", "check")] + [
    ("config", each) for each in ("show", "check", "schema", "init")
]
SUBCOMMANDS += [("backend", "list"), ("backend", "show")]


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), *SUBCOMMANDS])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_answers_for_help(command: tuple[str, ...], option: str) -> None:
    """Heavy imports are lazy: `--help` answers at once; every option has help."""
    result = run(*command, option)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: chargepoint")
    if not command:
        assert all(name in result.output for name in COMMANDS)


def test_version_is_told() -> None:
    """`--version`: what a bug report begins with."""
    assert run("--version").output.strip().endswith(__version__)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "unknown command 'rnu': did you mean run?"),
        (("xyzzy",), "unknown command 'xyzzy': available: demo, run,"),
        (("run",), "no central system: give --url ws://…, or central_system: {url: …} in a file."),
        (("run", "--url", "http://localhost"), "write ws:// instead of http://"),
        (("run", "--url", "ws://localhost", "--id", "a:b", "--password", "x"), "has a colon"),
        (("run", "--url", "ws://localhost", "--board", "ac11"), "no board 'ac11'; did you mean 'ac11-sim'"),
        (("run", "--url", "ws://localhost", "--do", "plugin"), "unknown command 'plugin': did you mean plug-in?"),
        (("run", "--url", "wss://localhost", "--ca-file", "no.pem"), "no.pem cannot be read: No such file"),
        (("run", "--ur", "ws://localhost"), "--url"),
        (("run", "--url", "ws://localhost", "--speed", "0"), "0 is not in the range"),
        (("run", "-c", "nowhere.yaml"), "nowhere.yaml: does not exist"),
        (("fleet",), "no central system: give --url ws://…, or central_system: {url: …} in a file."),
        (("fleet", "--url", "tcp://x"), "must begin with ws:// or wss://"),
        (("fleet", "--backend", "stev"), "'stev' is not one of 'embedded'"),
        (("run", "--backend", "stev"), "'stev' is not one of 'embedded'"),
        (("run", "--url", "ws://localhost", "--trace", "no/t.jsonl"), "no/t.jsonl: the trace cannot be written"),
        (("doctor",), "no central system: give its URL, --backend, or central_system: {url: …} in the file."),
        (("doctor", "http://localhost"), "Try: write ws:// instead of http://"),
        (("doctor", "-c", "nowhere.yaml"), "nowhere.yaml: does not exist"),
        (("backend", "show", "stev"), "no back end 'stev'; did you mean 'steve'?"),
        (("board", "check", "nowhere.yaml"), "nowhere.yaml: does not exist"),
        (("keys", "--board", "ac12-sim"), "no board 'ac12-sim'; did you mean"),
        (("keys", "-o", "xml"), "'xml' is not one of"),
        (("run", "--password", "geheim"), "no central system: give --url ws://…"),
        (("run", "--url", "ws://localhost", "--password-file", "nowhere"), "--password-file: nowhere cannot be read"),
        (("config", "check", "nowhere.yaml"), "nowhere.yaml: does not exist"),
        (("run", "--url", "ws://localhost", "--id", ""), "is empty; give the identity that the central system knows"),
        (("run", "--url", "ws://localhost", "--data", "/proc/foo"), "the data directory /proc/foo cannot be made"),
        (("run", "--url", "ws://localhost", "--do", "fault grond_fault"), "did you mean ground_fault?"),
        (("run", "--url", "ws://localhost", "--control", "0.0.0.0:8080"), "CHARGEPOINT_CONTROL_TOKEN in the environment"),
        (("run", "--url", "ws://localhost", "--control", "0.0.0.0:8080"), "--token with --control"),
        (("stats", "--data", "nowhere"), "Error: --data: there is no directory nowhere"),
        (("completion", "tcsh"), "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (("demo", "--duration", "1"), "is not in the range x>=10"),
        (("csms", "--certificate", "nowhere.pem", "--port", "0"), "nowhere.pem: no certificate with its key (PEM)"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_line_that_helps(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """Exit code 2: usage or configuration; the nearest thing that would have been right is named."""
    monkeypatch.chdir(tmp_path)
    code, printed = ends(capsys, *arguments)
    assert code == 2
    assert said in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "chargepoint-data").exists()


def test_our_own_bug_is_exit_code_70(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 70: our bug, said to be ours."""
    monkeypatch.setattr("hw.loader.list_boards", lambda: 1 / 0)
    code, printed = ends(capsys, "board", "list")
    assert code == 70
    assert "Error: this is our bug: ZeroDivisionError" in printed


@pytest.mark.parametrize(
    "arguments",
    [("rnu",), ("run", "-c", "no.yaml"), ("keys", "--board", "x"), ("stats", "--data", "x"), ("ctl", "state")],
)
def test_every_error_begins_alike(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Whoever raised it: a script that looks for errors looks for one word."""
    if arguments[0] == "ctl":
        arguments = ("ctl", "--url", "http://127.0.0.1:1", *arguments[1:])
    code, printed = ends(capsys, *arguments)
    assert code in (2, 3)
    assert printed.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("command", [("demo",), ("run", "--url", "ws://localhost"), ("config", "check")])
def test_wrong_speed_of_the_environment_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CHARGEPOINT_SPEED", "fast")
    code, printed = ends(capsys, *command)
    assert code == 2
    assert "CHARGEPOINT_SPEED" in printed
    assert "'fast' is not a valid" in printed


def test_options_can_be_given_by_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every option has a `CHARGEPOINT_…` environment name."""
    monkeypatch.setenv("CHARGEPOINT_BOARD", "ac22-sim-duo")
    monkeypatch.setenv("CHARGEPOINT_OUTPUT", "json")
    code, printed = ends(capsys, "keys")
    assert code == 0
    keys = {row["key"]: row for row in json.loads(printed)}
    assert keys["NumberOfConnectors"]["default"] == "2"


def rows_of(result: Result, output: str) -> list[dict[str, Any]]:
    assert result.exit_code == 0
    if output == "jsonl":
        return [json.loads(line) for line in result.output.splitlines()]
    rows = json.loads(result.output)
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_keys_are_told_for_programs(output: str) -> None:
    """`keys`: every configuration key, its type, default and source."""
    rows = rows_of(run("keys", "-o", output), output)
    keys = {row["key"]: row for row in rows}
    assert len(keys) == len(rows) > 30
    assert keys["HeartbeatInterval"] == {
        "key": "HeartbeatInterval",
        "access": "RW",
        "type": "integer",
        "unit": "s",
        "default": "300",
        "source": "9.1.10",
        "effect": keys["HeartbeatInterval"]["effect"],
    }
    assert all(row["source"] for row in rows)
    assert [row["key"] for row in rows] == sorted(keys)


def test_keys_are_told_for_people() -> None:
    """A table: one line a key, columns aligned."""
    lines = run("keys").output.splitlines()
    assert lines[0].split() == ["key", "access", "type", "unit", "default", "source", "effect"]
    column = lines[0].index("source")
    assert all(line[column - 1] == " " for line in lines if len(line) > column)
    assert any(line.startswith("HeartbeatInterval ") for line in lines)


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_boards_are_listed_and_each_is_sound(output: str) -> None:
    """`board list` shows what comes with the program; `board check` accepts all of it."""
    rows = rows_of(run("board", "list", "-o", output), output)
    assert "ac11-sim" in [row["name"] for row in rows]
    for row in rows:
        assert rows_of(run("board", "check", row["name"], "-o", output), output) == [row]
        assert row["description"]


def test_board_file_with_a_mistake_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """File, line, column, and the nearest valid key."""
    path = tmp_path / "box.yaml"
    path.write_text("conectors: []\n")
    code, printed = ends(capsys, "board", "check", str(path))
    assert code == 2
    assert f"{path}:1:1: unknown key 'conectors' in the file; did you mean 'connectors'?" in printed


def left_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_demo_shows_a_charge_and_ends_with_0(tmp_path: Path) -> None:
    """`demo` needs nothing: off a terminal every step is a line, stdout is the result, and nothing is kept."""
    async with chargepoint("demo", "--duration", "10", cwd=tmp_path) as demo:
        assert await demo.exit_code() == 0, demo.text
    for step in (
        "central system at ws://127.0.0.1:",
        "BootNotification",
        "connector 1: Preparing",
        "Authorize idTag=04…F6 ← Accepted",
        "transaction begins at 1234000 Wh",
        "connector 1: Charging",
        "MeterValues #1",
        "transaction ends, Local",
        "connector 1: Available",
        "1 charge, ",
    ):
        assert step in demo.text, f"{step!r} is missing in\n{demo.text}"
    assert "Traceback" not in demo.text
    assert left_in(tmp_path) == []


async def test_demo_takes_the_next_free_port_for_its_page(tmp_path: Path) -> None:
    """Nobody asked for 8080: the next one will do, and is told; no error is printed for it."""
    usual = Admission().port
    with ExitStack() as taken:
        with suppress(OSError):  # somebody else has it
            taken.enter_context(socket.create_server(("127.0.0.1", usual)))
        async with chargepoint("demo", cwd=tmp_path) as demo:
            told = await demo.told("page: http://127.0.0.1:")
            demo.send(signal.SIGINT)
            assert await demo.exit_code() == 130
    port, _, why = told.partition(" ")
    assert usual < int(port) < usual + PORTS
    assert why == f"(port {usual} is taken)"


async def test_demo_without_the_port_that_was_asked_for_ends(tmp_path: Path) -> None:
    """Who names a port gets that one, or a line that says why not."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with chargepoint("demo", "--control", port, cwd=tmp_path) as demo:
            assert await demo.exit_code() == 2
    assert f"Error: cannot listen on 127.0.0.1:{port}: is another program there? Choose another port" in demo.text
    assert "Traceback" not in demo.text


async def test_demo_is_ended_by_a_signal_in_order(tmp_path: Path) -> None:
    """130 for SIGINT; Ctrl-C once is graceful and says so."""
    async with chargepoint("demo", cwd=tmp_path) as demo:
        await demo.says("BootNotification")
        demo.send(signal.SIGINT)
        assert await demo.exit_code() == 130
    assert "stopping in order" in demo.text


async def test_small_fleet_boots_and_ends_in_order(tmp_path: Path) -> None:
    """`fleet`: many chargers in one process, each with a car; without --data nothing stays."""
    async with Csms() as csms:
        options = ("--count", 5, "--duration", 1, "--speed", 60, "--swipe", "A1", "--prefix", "F")
        async with chargepoint("fleet", "--url", csms.url, *options, cwd=tmp_path) as fleet:
            assert await fleet.exit_code() == 0, fleet.text
        assert {each.id for each in csms.dialogues} == {f"F{n}" for n in range(5)}
        assert len(csms.all("BootNotification")) == 5
        assert len(csms.all("StartTransaction")) == 5
        assert csms.problems == []
        assert {each.connection.close_code for each in csms.dialogues} == {1001}
    assert "5 of 5 chargers accepted" in fleet.text
    assert "at the end: 5 Charging" in fleet.text
    assert left_in(tmp_path) == []


async def test_fleet_is_what_the_configuration_says(tmp_path: Path) -> None:
    """Many of the charger that ./chargepoint.yaml describes; options go before it, and data stay where it says."""
    async with Csms() as csms:
        (tmp_path / "chargepoint.yaml").write_text(
            f"central_system: {{url: {csms.url}, trailing_slash: true}}\nstation: {{vendor: ACME}}\ndata: state\n"
            "keys: {MeterValueSampleInterval: 30, MeterValuesSampledData: Voltage}\nclock: {speed: 60}\n"
        )
        options = ("--count", 2, "--duration", 2, "--swipe", "A1", "--prefix", "F")
        async with chargepoint("fleet", *options, cwd=tmp_path) as fleet:
            assert await fleet.exit_code() == 0, fleet.text
        assert {each["charge_point_vendor"] for each in csms.all("BootNotification")} == {"ACME"}
        samples = csms.all("MeterValues")
        assert len(samples) >= 4
        assert samples[0]["meter_value"][0]["sampled_value"][0]["measurand"] == "Voltage"
        assert csms.problems == []
    assert (tmp_path / "state" / "fleet.sqlite3").exists()


def test_fleet_of_a_real_board_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one contactor, not five hundred."""
    monkeypatch.setattr("hw.plan.BoardPlan.is_simulated", False)
    code, printed = ends(capsys, "fleet", "--url", "ws://localhost:1")
    assert code == 2
    assert "ac11-sim is a real board, and there is only one of it" in printed


async def test_fleet_without_a_central_system_is_exit_code_3(tmp_path: Path) -> None:
    """Exit code 3: central system unreachable."""
    async with Csms() as csms:
        url = csms.url
    options = ("--count", 2, "--duration", "0.1", "--ca-file", "no.pem")
    async with chargepoint("fleet", "--url", url, *options, cwd=tmp_path) as fleet:
        assert await fleet.exit_code() == 3
    assert "ca_file no.pem has no effect" in fleet.text


async def test_taken_port_is_said(tmp_path: Path) -> None:
    """`csms`: the address it cannot have, and what to try."""
    async with Csms() as csms, chargepoint("csms", "--port", csms.port, cwd=tmp_path) as second:
        assert await second.exit_code() == 2
        assert f"cannot listen on 127.0.0.1:{csms.port}" in second.text
        assert "take another --port" in second.text


async def test_work_that_failed_is_told_to_whoever_started_the_program(caplog: pytest.LogCaptureFixture) -> None:
    """`run --stdio` ends when its work does; when that has failed, not with 0."""

    async def broken() -> None:
        raise ArithmeticError("made for this test")

    ending = Ending()
    ending.after(broken())
    assert await ending.wait(30)
    assert ending.exit_code == EXIT_BUG
    assert "ended by a failure" in caplog.text
