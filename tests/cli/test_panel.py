"""The panel of `demo` on a terminal: it fits, and it ends whole."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import click
import pytest
from rich.console import Console

from chargepoint.cli.panel import _errors_above

ROOT = Path(__file__).parents[2]

ON_ITS_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from chargepoint.cli import main
main(["demo"])
"""
"""Ctrl-C becomes a signal only for whom the terminal controls."""


def screen(written: str) -> list[str]:
    """Return the lines that a terminal without end shows: of the control sequences only those that rich writes."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[a-zA-Z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b[") and part.endswith("A"):
            row -= int(part[2:-1])
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (60, 12)])
def test_panel_fits_and_ctrl_c_leaves_it_whole(tmp_path: Path, columns: int, rows: int) -> None:
    """What happens is seen on a low terminal too; after Ctrl-C there is one panel, and what was charged in all."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen(
        [sys.executable, "-c", ON_ITS_TERMINAL],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path), "TERM": "xterm", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, has_typed = b"", False
    try:
        while True:
            readable, _, _ = select.select([ours], [], [], 30)
            assert readable, f"nothing more after {shown.decode()}"
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if b"MeterValues" in shown and not has_typed:
                has_typed = True
                os.write(ours, b"x\x03")
        assert demo.wait(30) == 130
    finally:
        demo.kill()
        demo.wait()
        os.close(ours)
    assert b"^C" not in shown
    lines = screen(shown.decode())
    (begin,) = [number for number, line in enumerate(lines) if "what happens" in line]
    (end,) = [number for number, line in enumerate(lines) if line.startswith("╰") and number > begin]
    assert begin + 1 < end
    (top,) = [number for number, line in enumerate(lines) if line.startswith("CP001  ")]
    assert end - top + 1 <= rows
    assert sum("stopping in order" in line for line in lines[:top]) == 1
    assert re.fullmatch(r"1 charge, \d\.\d\d kWh in all", lines[end + 1])


def test_messages_stand_above_the_panel(capsys: pytest.CaptureFixture[str]) -> None:
    """click looks for the stream below a stream, and must not find the terminal there."""
    console = Console(width=40)
    with console.capture() as capture, _errors_above(console):
        click.echo("\nstopping", err=True)
        click.echo("[red]", err=True)
    assert capture.get() == "stopping\n[red]\n"
    assert capsys.readouterr().err == ""
