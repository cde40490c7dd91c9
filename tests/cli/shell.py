"""The command as people run it: in a process of its own, watched line by line, with deadlines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

LAUNCH = """
import pathlib
from chargepoint.cli import main
from chargepoint.runtime import layers
layers.SYSTEM_FILE = pathlib.Path("no-system-file.yaml")
main()
"""
"""`python -m chargepoint`, but whatever stands in /etc stays out of the tests."""


class Process:
    """A running command; ``lines`` is what it has written so far, stdout and stderr in one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def told(self, what: str) -> str:
        """Return the rest of the line that begins after ``what``, as soon as it is there."""
        await self.says(what)
        return self.text.partition(what)[2].partition("\n")[0].strip()

    def write(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for the end. Raises TimeoutError with what was written when it does not come."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._reading)
                return await self._process.wait()
        except TimeoutError:
            raise TimeoutError(f"still running after {PATIENCE_S:g} s:\n{self.text}") from None

    async def says(self, condition: Callable[[str], bool] | str) -> None:
        """Wait until what was written fulfils a condition, or holds a text."""
        is_so = (lambda text: condition in text) if isinstance(condition, str) else condition
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so(self.text):
                    assert not self._reading.done(), f"it has ended:\n{self.text}"
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise TimeoutError(f"in vain for {PATIENCE_S:g} s, {condition!r}:\n{self.text}") from None

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def chargepoint(
    *arguments: object, cwd: Path, takes_input: bool = False, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run ``chargepoint …`` in a directory while the context lasts; kill it if it still runs then.

    ``environment`` is laid over this process's, which is given without what is meant for chargepoint.
    """
    ours = {key: value for key, value in os.environ.items() if not key.startswith("CHARGEPOINT_")}
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            LAUNCH,
            *map(str, arguments),
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                **ours,
                "HOME": str(cwd),
                "XDG_CONFIG_HOME": "",
                **(environment or {}),
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
            },
        )
    )
    try:
        yield process
    finally:
        await process.kill()
