"""`run`, the one file that a fresh machine starts with."""

import ast
import fcntl
import os
import shutil
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]

Steps = list[list[str]]
"""The commands that an environment would have carried out."""


def load(path: Path) -> ModuleType:
    """Return `run` at this path as a module. It has no .py at its end, so the loader is named."""
    loader = SourceFileLoader("run", str(path))
    spec = spec_from_loader("run", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`run` in a checkout of its own, in a folder with a space in its name; uv is not there."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    for name in ("run", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, checkout)
    module = load(checkout / "run")
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    return module


@pytest.fixture
def steps(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Collect the steps of an installation instead of carrying them out; a venv gets its two telling files."""
    collected: Steps = []

    def carry_out(environment: object, command: list[str]) -> None:
        collected.append(command)
        if "venv" in command:
            folder = Path(command[-1])
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "python").touch()
            (folder / "pyvenv.cfg").touch()

    monkeypatch.setattr(run.Environment, "carry_out", carry_out)
    return collected


def prepare(run: ModuleType, extra: str = "web", name: str = ".venv") -> None:
    run.Environment(os.path.join(run.ROOT, name)).make_ready_for(extra)


def makes(step: list[str]) -> bool:
    """Is this the step that makes the empty environment?"""
    return step[1:3] == ["-m", "venv"]


# --- the right Python -------------------------------------------------------------------------------------------------


def test_python_3_6_can_parse_it() -> None:
    """An old Python shall print what it needs, not a SyntaxError."""
    ast.parse((ROOT / "run").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_old_python_without_a_newer_one_says_what_is_needed(run: ModuleType) -> None:
    with pytest.raises(run.CannotRun, match=r"needs Python 3\.11 or newer, and this is Python \d"):
        run.restart_with_newer_python([])


def test_python_that_does_not_run_is_passed_over(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pyenv shim is on PATH also where no such version is chosen; it exits with 127."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    found = {"python3.13": str(shim), "python3.12": sys.executable}
    monkeypatch.setattr(run.shutil, "which", found.get)
    assert run.newer_python() == sys.executable


# --- the environment --------------------------------------------------------------------------------------------------


def test_first_start_makes_and_fills_the_environment(run: ModuleType, steps: Steps) -> None:
    prepare(run, "dev")
    assert [makes(step) for step in steps] == [True, False, False]
    assert steps[-1][-2:] == ["--editable", ".[dev]"]


@pytest.mark.parametrize(
    ("installed", "wanted", "is_enough"),
    [("web", "web", True), ("dev", "dev", True), ("dev", "web", True), ("web", "dev", False)],
)
def test_second_start_installs_only_what_is_missing(
    run: ModuleType, steps: Steps, installed: str, wanted: str, is_enough: bool
) -> None:
    prepare(run, installed)
    steps.clear()
    prepare(run, wanted)
    assert (steps == []) is is_enough
    assert not any(makes(step) for step in steps)


def change_pins(checkout: Path) -> None:
    with (checkout / "constraints.txt").open("a") as file:
        file.write("new==1.0\n")


def change_dependencies(checkout: Path) -> None:
    text = (checkout / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(text.replace("dependencies = [", 'dependencies = ["new",', 1))


def change_linter_settings(checkout: Path) -> None:
    text = (checkout / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(text.replace("line-length = 120", "line-length = 100"))


def lose_base_python(checkout: Path) -> None:
    """What an upgrade of the system's Python leaves: a link to nothing."""
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("gone")


def lose_stamp(checkout: Path) -> None:
    """What an interrupted `python -m venv` leaves: a folder that nobody vouches for."""
    (checkout / ".venv" / "chargepoint-installed.json").unlink()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_pins, [False, False]),
        (change_dependencies, [False, False]),
        (change_linter_settings, []),
        (lose_base_python, [True, False, False]),
        (lose_stamp, [True, False, False]),
    ],
)
def test_start_does_no_more_than_a_change_asks_for(
    run: ModuleType, steps: Steps, change: Callable[[Path], None], expected: list[bool]
) -> None:
    """New packages go into the environment there is; one that is broken is made anew; other settings cost nothing."""
    prepare(run)
    steps.clear()
    change(Path(run.ROOT))
    prepare(run)
    assert [makes(step) for step in steps] == expected


def test_install_that_was_cut_short_is_done_again(
    run: ModuleType, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(run)
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(run.Environment, "carry_out", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(run, "dev")
    steps.clear()
    prepare(run)  # had been there, but who knows what is left of it
    assert [makes(step) for step in steps] == [False, False]


def test_environment_of_a_moved_checkout_is_installed_again(
    run: ModuleType, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editable install names the folder it came from: a copy would run the code of the original."""
    prepare(run)
    steps.clear()
    copy = Path(run.ROOT).with_name("the copy")
    shutil.copytree(run.ROOT, copy)
    monkeypatch.setattr(run, "ROOT", str(copy))
    prepare(run)
    assert [makes(step) for step in steps] == [False, False]


def test_folder_that_is_no_environment_is_not_deleted(run: ModuleType, steps: Steps) -> None:
    """CHARGEPOINT_VENV=~ is a slip, not an order to empty somebody's home."""
    photos = Path(run.ROOT) / "home" / "photos"
    photos.mkdir(parents=True)
    with pytest.raises(run.CannotRun, match="holds something else"):
        prepare(run, name="home")
    assert photos.exists()
    assert steps == []


def test_debian_without_venv_is_told_what_to_install(
    run: ModuleType, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(run.CannotRun, match="sudo apt install python3-venv"):
        prepare(run)
    assert steps == []


def test_step_that_fails_names_the_next_move(run: ModuleType) -> None:
    with pytest.raises(run.CannotRun, match="package index"):
        run.Environment(run.ROOT).carry_out([sys.executable, "-c", "raise SystemExit(2)"])


def test_start_waits_for_another_that_installs(
    run: ModuleType, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two starts finds the work done when it gets its turn."""
    first = os.open(run.ROOT, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)

    said = []

    def first_gets_done(message: str) -> None:
        said.append(message)
        monkeypatch.setattr(run.Environment, "is_ready_for", lambda _self, _extra: True)
        os.close(first)

    monkeypatch.setattr(run, "say", first_gets_done)
    prepare(run)
    assert steps == []
    assert len(said) == 1
    assert "installing packages into .venv; that may take a minute" in said[0]


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", "-P -m chargepoint demo"),
        ("scenario run x.yaml", "-P -m chargepoint scenario run x.yaml"),
        ("--help", "-P -m chargepoint --help"),
        ("test", "-m pytest -n 2 --dist worksteal"),
        ("test -k boot -n 0", "-m pytest -n 2 --dist worksteal -k boot -n 0"),
        ("test --pdb tests/model", "-m pytest --pdb tests/model"),
    ],
)
def test_command_line_becomes_a_module_and_its_arguments(run: ModuleType, typed: str, expected: str) -> None:
    assert run.module_arguments(typed.split()) == expected.split()


@pytest.mark.parametrize(
    ("called", "typed", "expected"),
    [
        ("./run", "", "./run"),
        ("run", "demo", "./run"),
        ("/opt/it/run", "csms", "/opt/it/run"),
        ("./run", "test", None),
    ],
)
def test_program_is_told_what_it_was_called(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, called: str, typed: str, expected: str | None
) -> None:
    """So that its hints can be typed. The tests are told nothing: they are nobody's program."""
    told: list[str | None] = []
    monkeypatch.chdir(run.ROOT)
    monkeypatch.setenv("CHARGEPOINT_PROGRAM", "")
    monkeypatch.delenv("CHARGEPOINT_PROGRAM")
    monkeypatch.setattr(run.sys, "argv", [called])
    monkeypatch.setattr(run.Environment, "make_ready_for", lambda _self, _extra: None)
    monkeypatch.setattr(run.os, "execv", lambda *_command: told.append(os.environ.get("CHARGEPOINT_PROGRAM")))
    run.start(typed.split())
    assert told == [expected]


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((1, 0), 1), ((0, 2), 2)])
def test_lint_runs_both_checkers_and_fails_with_either(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int], expected: int
) -> None:
    left = list(codes)
    monkeypatch.setattr(run.subprocess, "call", lambda *_args, **_kwargs: left.pop(0))
    assert run.lint("python") == expected
    assert left == []
