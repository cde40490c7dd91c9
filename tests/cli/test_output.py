"""Output that never waits: what becomes of lines that nobody reads, and of those that cannot be written."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator

import click
import pytest

from chargepoint.cli import output
from chargepoint.cli.output import Stream, Writer

PIPE_BYTES = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe with room for one page: read end and write end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield reading, writing
    # The thread of a writer may still wait at the write end: it ends with the process, and so does that end.
    os.close(reading)


def _streams() -> tuple[object, object]:
    return sys.stdout, sys.stderr


def everything(reading: int, last: bytes) -> bytes:
    data = b""
    while not data.endswith(last):
        data += os.read(reading, 65_536)
    return data


def test_lines_come_in_order_and_are_all_written_at_the_end(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = Writer(writing)
    lines = [b"line %d\n" % number for number in range(100)]
    for line in lines:
        writer.write(line)
    assert writer.flush(30.0)
    assert os.read(reading, 65_536) == b"".join(lines)


def test_a_pipe_that_nobody_reads_costs_no_time_and_bounded_memory(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no room is left out, and how much is told where it is missing."""
    monkeypatch.setattr(output, "ROOM", 10_000)
    reading, writing = pipe
    writer = Writer(writing)
    line = b"x" * 99 + b"\n"
    began_s = time.monotonic()
    for _ in range(20_000):
        writer.write(line)
    assert time.monotonic() - began_s < 5.0
    assert not writer.flush(0.05)
    assert writer._size <= 10_000 + len(line)
    data = b""
    while not writer.flush(0.01):
        data += os.read(reading, 65_536)
    writer.write(b"again\n")
    data += everything(reading, b"again\n")
    text = data.decode()
    left_out = int(text.partition("[")[2].partition(" lines left out")[0])
    assert text.count("x\n") + left_out == 20_000
    assert text.endswith("lines left out: the reader is too slow]\nagain\n")


def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = Writer(writing)
    writer.write(b"nobody reads this\n")
    assert writer.flush(30.0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), reading)  # for the fixture to close


def test_a_full_disk_is_told_as_soon_as_it_has_room_again(pipe: tuple[int, int]) -> None:
    """Each write is tried: the disk may have room again, and a named pipe another reader."""
    reading, writing = pipe
    place = os.dup(writing)
    os.dup2(os.open("/dev/full", os.O_WRONLY), place)
    writer = Writer(place)
    for _ in range(2):
        writer.write(b"one\ntwo\n")
        assert writer.flush(30.0)
    os.dup2(writing, place)
    writer.write(b"three\n")
    assert everything(reading, b"three\n") == b"[4 lines could not be written: No space left on device]\nthree\n"


def test_streams_are_replaced_and_put_back(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One writer for both where they lead to the same file: lines stay in order. Without a file nothing is replaced."""
    reading, writing = pipe
    with os.fdopen(writing, "w") as out, os.fdopen(os.dup(writing), "w") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        output.never_wait()
        output.never_wait()
        assert isinstance(sys.stdout, Stream)
        assert isinstance(sys.stderr, Stream)
        assert sys.stdout.writer is sys.stderr.writer
        for number in range(10):
            click.echo(f"out {number}")
            click.echo(f"err {number} ä", err=True)
        output.finish()
        assert _streams() == (out, err)
        expected = "".join(f"out {number}\nerr {number} ä\n" for number in range(10))
        assert os.read(reading, 65_536).decode(out.encoding) == expected
