"""The command line as a whole: quick, complete, with the same names everywhere."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from chargepoint.cli import COMMANDS, group, main, program
from chargepoint.cli.starting import SCHEMA_FILE, starting_file
from chargepoint.runtime.options import DURABILITIES, OPTIONS
from chargepoint.runtime.sections import settings
from chargepoint.runtime.store import Durability

ROOT = Path(__file__).parents[2]

HEAVY = ("asyncio", "jsonschema", "ocpp", "pydantic", "rich", "ruamel", "sqlite3", "ssl", "transitions", "websockets")


def modules_after(directory: Path, *arguments: str, **environment: str) -> tuple[str, set[str]]:
    """Run the command in a process of its own; return its stdout and the packages that it has imported by its end."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr))\n"
        "from chargepoint.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--help",), {}, "Usage: chargepoint"),
        (("-h",), {}, "Usage: chargepoint"),
        (("--version",), {}, "chargepoint, version"),
        (("run", "-h"), {}, "Script of --do"),
        (("csms", "-h"), {}, "RemoteStartTransaction idTag="),
        (("ctl", "-h"), {}, "Vehicle and user"),
        (("completion", "fish"), {}, "_CHARGEPOINT_COMPLETE=fish_complete"),
        ((), {"_CHARGEPOINT_COMPLETE": "zsh_complete", "COMP_WORDS": "chargepoint ", "COMP_CWORD": "1"}, "fleet"),
    ],
)
def test_help_and_completion_import_nothing_heavy(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """Heavy imports are lazy: `--help` and completion answer at once."""
    printed, imported = modules_after(tmp_path, *arguments, **environment)
    assert said in printed
    assert "click" in imported
    assert imported & set(HEAVY) == set()


def test_heavy_modules_would_be_seen(tmp_path: Path) -> None:
    """The test above finds what it looks for: a command that runs a charger needs all of them."""
    _printed, imported = modules_after(tmp_path, "run", "--url", "ws://127.0.0.1:9", "--duration", "0")
    assert imported & set(HEAVY) >= {"asyncio", "ocpp", "ssl", "websockets"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_the_shell_takes(shell: str) -> None:
    """`chargepoint completion bash|zsh|fish`: the script, checked by the shell where there is one."""
    result = CliRunner().invoke(group, ["completion", shell], prog_name="chargepoint")
    assert result.exit_code == 0
    assert f"_CHARGEPOINT_COMPLETE={shell}_complete" in result.output
    path = shutil.which(shell)
    if path is not None:
        subprocess.run([path, "-n"], input=result.output, text=True, check=True, timeout=30)


def test_commands_of_program_are_the_commands() -> None:
    """Only where one of them follows is `chargepoint` the program, and not the thing."""
    assert program._COMMANDS.split("|") == list(COMMANDS)


@pytest.mark.parametrize(
    ("told", "called", "expected"),
    [
        ("./run", "/x/chargepoint/__main__.py", "./run"),
        ("", "/x/chargepoint/__main__.py", "python -m chargepoint"),
        ("", ".venv/bin/chargepoint", ".venv/bin/chargepoint"),
        ("", "chargepoint", "chargepoint"),
        ("", "/usr/bin/pytest", "chargepoint"),
    ],
)
def test_program_is_named_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, told: str, called: str, expected: str
) -> None:
    """What a hint says can be typed by whoever reads it."""
    monkeypatch.setenv(program.VARIABLE, told)
    monkeypatch.setattr(sys, "argv", [called])
    assert program.name() == expected


def test_a_file_that_is_kept_names_no_path_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`config init` writes files that are copied to other machines: the command in them is `chargepoint`, or ./run."""
    elsewhere = tmp_path / "chargepoint"
    elsewhere.touch(0o755)
    monkeypatch.delenv(program.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", [str(elsewhere)])
    assert program.spoken("`chargepoint config check`") == f"`{elsewhere} config check`"
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(group, ["config", "init", "cp.yaml"]).exit_code == 0
    for written in ("cp.yaml", SCHEMA_FILE):
        assert str(tmp_path) not in (tmp_path / written).read_text("utf-8")
    assert "`chargepoint config check`" in (tmp_path / "cp.yaml").read_text("utf-8")
    monkeypatch.setenv(program.VARIABLE, "./run")
    assert "`./run config check`" in starting_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-h",), "Usage: ./run [OPTIONS]"),
        (("demo", "-h"), "A name of `./run board list`."),
        (("completion", "-h"), 'eval "$(./run completion bash)"'),
        (("ctl", "--url", "http://127.0.0.1:1", "state"), "start one with `./run run --control 8080 …`"),
        (("config", "init", "new.yaml"), "`./run config check new.yaml` finds mistakes"),
        (("config", "schema"), "`./run backend list`"),
    ],
)
def test_hints_name_the_program_as_it_was_called(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """People who start it by `./run` have no command `chargepoint`."""
    printed = " ".join(printed_by_run(tmp_path, *arguments).split())
    assert said in printed
    assert "`chargepoint " not in printed


def printed_by_run(directory: Path, *arguments: str) -> str:
    """Return what a process prints that was told that it is called `./run`."""
    done = subprocess.run(
        [sys.executable, "-m", "chargepoint", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(directory), program.VARIABLE: "./run"},
    )
    return done.stdout


def test_bash_completes_what_is_called_by_a_path(tmp_path: Path) -> None:
    """`eval "$(./run completion bash)"`: Tab after `./run` asks this very program, wherever the shell stands then."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    start = tmp_path / "it is here" / "run"
    start.parent.mkdir()
    start.write_text(f'#!/bin/sh\nexec env {program.VARIABLE}="$0" "{sys.executable}" -m chargepoint "$@"\n')
    start.chmod(0o755)
    lines = (
        'eval "$(./run completion bash)"; complete -p ./run; cd /',
        "COMP_WORDS=(./run config s) COMP_CWORD=2; _run_completion ./run s config",
        'echo "${COMPREPLY[@]}"',
    )
    done = subprocess.run(
        [bash, "--norc", "-c", "\n".join(lines)],
        cwd=start.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[0].endswith("-F _run_completion ./run")
    assert done.stdout.splitlines()[1:] == ["schema show"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_the_program_by_its_path(tmp_path: Path, shell: str) -> None:
    script = printed_by_run(tmp_path, "completion", shell)
    assert f" {tmp_path / 'run'})" in script
    assert "$+commands[" not in script
    assert ("compdef _run_completion ./run" if shell == "zsh" else f"--path {tmp_path / 'run'} ") in script


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("chargepoint co", ["config", "completion"]),
        ("chargepoint config s", ["schema", "show"]),
        ("chargepoint run --durability ", ["full", "relaxed"]),
        ("chargepoint fleet --pl", ["--plugged"]),
    ],
)
def test_commands_options_and_choices_are_completed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, completions: list[str]
) -> None:
    """What the shell asks when Tab is pressed."""
    monkeypatch.setenv("_CHARGEPOINT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit):
        main(())
    assert [line.split(",")[1] for line in capsys.readouterr().out.splitlines()] == completions


# --- names ------------------------------------------------------------------------------------------------------------


def options() -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Every option of every command but help and version, and but those of `ctl` that its commands take again."""

    def below(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Option]]:
        for each in command.get_params(click.Context(command, help_option_names=["-h", "--help"])):
            if isinstance(each, click.Option) and not each.is_eager and each.envvar != [] and "--help" not in each.opts:
                yield path, each
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                yield from below((*path, name), child)

    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from below((name,), command)


RUNNING = ("ctl", "stats")
"""Commands whose --url and --id are about a chargepoint that runs somewhere, not about one to be run."""


def flag(option: click.Option) -> str:
    return max(option.opts, key=len)


def test_every_option_has_a_variable_which_its_help_shows() -> None:
    """Every option has a `CHARGEPOINT_…` environment name, shown in help."""
    pages: dict[tuple[str, ...], str] = {}
    for path, option in options():
        if path not in pages:
            pages[path] = CliRunner().invoke(group, [*path, "-h"], prog_name="chargepoint").output
        own = "_".join(("CHARGEPOINT", *path, flag(option)[2:])).replace("-", "_").upper()
        shared = f"CHARGEPOINT_{flag(option)[2:]}".replace("-", "_").upper()
        control = f"CHARGEPOINT_CONTROL_{flag(option)[2:]}".upper()
        assert option.envvar in (own, shared, *([control] if path[0] in RUNNING or flag(option) == "--token" else []))
        assert f"env var: {option.envvar}" in " ".join(pages[path].split())


def test_what_the_configuration_knows_has_one_name_everywhere() -> None:
    """CHARGEPOINT_URL is the same thing for every command, whether it reads configuration files or not."""
    names = {each.option.flag: each.option.variable for each in settings()}
    assert set(names) >= {"--url", "--id", "--password", "--password-file", "--board", "--data"}
    found = {
        (path[0], flag(option)): option.envvar
        for path, option in options()
        if flag(option) in names and path[0] not in RUNNING
    }
    assert all(variable == names[name] for (_command, name), variable in found.items())
    assert {("run", "--url"), ("fleet", "--url"), ("csms", "--password"), ("demo", "--seed")} <= set(found)


def test_options_of_the_command_line_are_keys_of_the_file() -> None:
    """`runtime.options` is what help shows without the file's sections: every one is a key, with the default it shows."""
    found = {each.option.name: each for each in settings()}
    assert [each.name for each in OPTIONS] == list(found)
    for option in OPTIONS:
        default = found[option.name].default
        assert option.default == (None if default is None else str(default)), option.name
    assert [str(each) for each in Durability] == list(DURABILITIES)


def test_names_that_are_kept() -> None:
    """Documented names stay: they stand in people's compose files and units."""
    assert {option.envvar for path, option in options() if path == ("run",)} == {
        *("CHARGEPOINT_CONFIG", "CHARGEPOINT_URL", "CHARGEPOINT_ID", "CHARGEPOINT_PASSWORD"),
        *("CHARGEPOINT_PASSWORD_FILE", "CHARGEPOINT_CA_FILE", "CHARGEPOINT_BOARD", "CHARGEPOINT_DATA"),
        *("CHARGEPOINT_DURABILITY", "CHARGEPOINT_SPEED", "CHARGEPOINT_SEED", "CHARGEPOINT_RUN_DO"),
        *("CHARGEPOINT_BACKEND", "CHARGEPOINT_RUN_TRACE", "CHARGEPOINT_RUN_CONTROL", "CHARGEPOINT_RUN_STDIO"),
        *("CHARGEPOINT_RUN_STAY", "CHARGEPOINT_CONTROL_TOKEN"),
        *("CHARGEPOINT_RUN_DURATION", "CHARGEPOINT_QUIET", "CHARGEPOINT_VERBOSE", "CHARGEPOINT_LOG_FORMAT"),
    }


COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3|9)[0-7]m")


@pytest.mark.parametrize("is_plain", [True, False])
def test_no_color_is_honoured(tmp_path: Path, is_plain: bool) -> None:
    """NO_COLOR, whatever its value: no colour, also on a terminal (no-color.org)."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TERM": "xterm-256color"}
    demo = subprocess.Popen(
        [sys.executable, "-m", "chargepoint", "demo"],
        cwd=tmp_path,
        env={**environment, **({"NO_COLOR": "1"} if is_plain else {})},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    shown = b""
    try:
        while b"Available" not in shown:
            readable, _, _ = select.select([ours], [], [], 30)
            assert readable, f"nothing more after {shown!r}"
            shown += os.read(ours, 4096)
    finally:
        demo.kill()
        demo.wait()
        os.close(theirs)
        os.close(ours)
    assert (COLOUR.search(shown) is None) is is_plain
