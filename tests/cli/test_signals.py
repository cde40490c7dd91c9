"""SIGINT and SIGTERM end every command, whatever becomes of its output, its store and its central system.

Exit codes 130 and 143 for signals: the first one ends a command in order within 5 s, a second one at once. A command that
has nothing to end in order leaves both to the system, and a shell makes the same codes of that.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import SystemRandom

import pytest

from tests.cli.shell import LAUNCH, ROOT, chargepoint
from tests.cli.test_run import configuration
from tests.wire.independent import Csms, until

IN_ORDER_S = 5.0
MARGIN_S = 3.0
"""What a busy machine may take beyond the 5 s; a container has 10 s."""
CHARGE = "plug_in; swipe A1; wait 10 h"

Output = Callable[[], int]
"""Opens what a command writes to; returns the descriptor."""


def reader_gone() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def full_pipe() -> int:
    """A pipe without room, as behind a dead log collector. Its read end stays open as long as this process lives."""
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    assert os.write(writing, b"x" * size) == size
    _kept.append(reading)
    return writing


_kept: list[int] = []


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


BROKEN = (reader_gone, full_pipe, full_disk)


@pytest.fixture(autouse=True)
def _close_what_is_kept() -> None:
    while _kept:
        os.close(_kept.pop())


@asynccontextmanager
async def started(
    *arguments: object, cwd: Path, output: Output, prelude: str = "", takes_input: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``chargepoint …`` with stdout and stderr at a broken output; kill it if it still runs at the end."""
    os.makedirs(cwd, exist_ok=True)
    descriptor = output()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        prelude + LAUNCH,
        *map(str, arguments),
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
        stdout=descriptor,
        stderr=descriptor,
        env={**os.environ, "HOME": str(cwd), "XDG_CONFIG_HOME": "", "PYTHONPATH": str(ROOT)},
    )
    os.close(descriptor)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process, *numbers: signal.Signals, every_s: float = 0.2) -> tuple[int, float]:
    """Send signals; return the exit code as a shell shows it, and how long it took from the first one."""
    began_s = time.monotonic()
    for position, number in enumerate(numbers):
        if position:
            await asyncio.sleep(every_s)
        process.send_signal(number)
    async with asyncio.timeout(20.0):
        code = await process.wait()
    return code if code >= 0 else 128 - code, time.monotonic() - began_s


def free_port() -> int:
    """Return a port that no connection going out takes meanwhile: those come from 32768 upwards."""
    while True:
        port = SystemRandom().randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def answers(port: int) -> None:
    """Wait until somebody listens at a port."""

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return True
        return False

    await until(listens, f"port {port}")


async def writes_in_vain(process: asyncio.subprocess.Process) -> None:
    """Wait until a process hangs in a pipe that has no room: where its thread sleeps is all there is to see of that."""
    place = Path(f"/proc/{process.pid}/wchan")
    await until(lambda: "pipe" in place.read_text(), "a write to the pipe")


@pytest.mark.parametrize("output", BROKEN, ids=lambda each: each.__name__)
async def test_a_broken_output_holds_up_no_signal(output: Output, tmp_path: Path) -> None:
    """`run`, `fleet`, `demo` and `csms` at -v: the first signal ends them in order, their transactions too."""
    async with Csms() as csms:
        port, page = free_port(), free_port()
        box = configuration(tmp_path, csms.url, speed=60, interval=1)
        client_options = ("--id", "CP9", "--duration", 1)
        fleet = ("fleet", "--url", csms.url, "--count", 2, "--speed", 60, "--prefix", "F", "--swipe", "A1", "-v")
        async with (
            started("run", "-c", box, "-v", "--do", CHARGE, cwd=tmp_path / "run", output=output) as run,
            started(*fleet, cwd=tmp_path / "fleet", output=output) as many,
            started("demo", "-v", "--control", page, cwd=tmp_path / "demo", output=output) as demo,
            started("csms", "-v", "--port", port, cwd=tmp_path / "csms", output=output) as central,
        ):
            await asyncio.gather(answers(port), answers(page))
            async with chargepoint("run", "--url", f"ws://127.0.0.1:{port}/ocpp", *client_options, cwd=tmp_path) as client:
                assert await client.exit_code() == 0, client.text
            await until(lambda: len({each.socket for each in csms.all("MeterValues")}) == 3, "\n".join(csms.story()))
            found = await asyncio.gather(
                *(ended(each, signal.SIGTERM) for each in (run, many, central)), ended(demo, signal.SIGINT)
            )
        assert [code for code, _took_s in found] == [143, 143, 143, 130]
        assert max(took_s for _code, took_s in found) < IN_ORDER_S + MARGIN_S
        assert [each["reason"] for each in csms.all("StopTransaction")] == ["Reboot"] * 3
        assert csms.problems == []


async def test_answers_that_nobody_reads_hold_up_no_signal(tmp_path: Path) -> None:
    """`run --stdio` whose program reads no answers: they wait in a thread, and the signal does not."""
    async with (
        Csms() as csms,
        started("run", "--url", csms.url, "--stdio", cwd=tmp_path, output=full_pipe, takes_input=True) as run,
    ):
        assert run.stdin is not None
        await csms.accepted()
        run.stdin.write(b'{"id": 1, "verb": "events"}\n{"id": 2, "verb": "state"}\n' * 50)
        code, took_s = await ended(run, signal.SIGTERM)
    assert code == 143
    assert took_s < IN_ORDER_S + MARGIN_S


async def test_short_commands_are_ended_too(tmp_path: Path) -> None:
    """`ctl events` and `doctor` into a full pipe: they have nothing to end in order, so the system ends them."""
    page = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        doctor = ("doctor", f"ws://127.0.0.1:{silent.getsockname()[1]}/ocpp")
        follow = ("ctl", "--url", f"http://127.0.0.1:{page}", "-o", "jsonl", "events", "--after", 0)
        async with Csms() as csms, chargepoint("run", "--url", csms.url, "--control", page, cwd=tmp_path) as run:
            await run.says("control: ")
            await csms.accepted()
            async with (
                started(*follow, cwd=tmp_path, output=full_pipe) as one,
                started(*follow, cwd=tmp_path, output=full_pipe) as other,
                started(*doctor, cwd=tmp_path, output=full_pipe) as third,
                started(*doctor, cwd=tmp_path, output=full_pipe) as fourth,
            ):
                await asyncio.gather(*(writes_in_vain(each) for each in (one, other, third, fourth)))
                found = await asyncio.gather(
                    ended(one, signal.SIGINT),
                    ended(other, signal.SIGTERM),
                    ended(third, signal.SIGINT),
                    ended(fourth, signal.SIGTERM),
                )
            assert [code for code, _took_s in found] == [130, 143, 130, 143]
            assert max(took_s for _code, took_s in found) < MARGIN_S


HANGING_STORE = """
import pathlib, threading
from chargepoint.runtime.store import Store
commit = Store.commit
def hang(self, rows):
    if pathlib.Path("hang").exists():
        pathlib.Path("hangs").touch()
        threading.Event().wait()
    return commit(self, rows)
Store.commit = hang
"""
"""A disk that never answers, once there is a file ``hang``."""


@pytest.mark.parametrize("durability", ["full", "relaxed"])
async def test_a_store_that_hangs_holds_up_no_signal(durability: str, tmp_path: Path) -> None:
    """A relaxed store is written in the event loop, which then never turns again: a thread takes the signals."""
    async with Csms() as csms:
        box = configuration(tmp_path, csms.url, speed=60, interval=1)
        run = ("run", "-c", box, "-v", "--durability", durability, "--do", CHARGE)
        async with (
            started(*run, cwd=tmp_path / "one", output=full_pipe, prelude=HANGING_STORE) as once,
            started(*run, "--id", "CP2", cwd=tmp_path / "two", output=full_pipe, prelude=HANGING_STORE) as twice,
        ):
            await until(lambda: len({each.socket for each in csms.all("MeterValues")}) == 2, "\n".join(csms.story()))
            for name in ("one", "two"):
                (tmp_path / name / "hang").touch()
            await until(lambda: all((tmp_path / name / "hangs").exists() for name in ("one", "two")), "a hanging store")
            found = await asyncio.gather(ended(once, signal.SIGTERM), ended(twice, signal.SIGINT, signal.SIGTERM))
    (code, took_s), (other_code, other_took_s) = found
    assert (code, other_code) == (143, 130)
    assert took_s < IN_ORDER_S + MARGIN_S
    assert other_took_s < 1.2 + MARGIN_S  # 0.2 s after the first signal came the second, which leaves 1 s


async def test_a_frozen_central_system_holds_up_no_signal(tmp_path: Path) -> None:
    """It reads nothing and answers no close frame: 5 s in all; the stop goes out after the next start (3.7.1)."""
    async with Csms() as csms:
        box = configuration(tmp_path, csms.url, speed=60, interval=1)
        run = ("run", "-c", box, "-v")
        async with started(*run, "--do", CHARGE, cwd=tmp_path, output=full_pipe) as frozen:
            await until(lambda: len(csms.all("MeterValues")) >= 2, "\n".join(csms.story()))
            csms.dialogue.connection.transport.pause_reading()
            code, took_s = await ended(frozen, signal.SIGTERM)
        assert code == 143
        assert took_s < IN_ORDER_S + MARGIN_S
        async with chargepoint(*run, "--duration", 2, cwd=tmp_path) as again:
            assert await again.exit_code() == 0, again.text
        assert [each["reason"] for each in csms.all("StopTransaction")] == ["Reboot"]


async def test_a_result_for_a_full_disk_or_a_closed_pipe(tmp_path: Path) -> None:
    """`keys > full` says what is wrong with exit code 1; behind `| head` the end of the reader is no error."""
    async with (
        started("keys", cwd=tmp_path, output=full_disk) as full,
        started("keys", cwd=tmp_path, output=reader_gone) as gone,
    ):
        assert [await each.wait() for each in (full, gone)] == [1, 0]
