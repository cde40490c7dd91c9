"""Standard output and standard error of a command that runs for long: writing to them never waits.

A pipe that nobody reads, a terminal that is held and a full disk would hold up the event loop, and with it signals and
chargers. So a thread does the writing. What it has no room for is left out and counted, and so is what cannot be written.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from typing import TextIO

ROOM = 1_000_000
"""Bytes that may wait to be written; a line more is left out."""
FLUSH_S = 0.5
"""How long the end of the program waits for what is not written yet."""


class Writer:
    """Writes to a file descriptor in a thread of its own, in the order of the calls of `write`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._left_out = 0
        """Lines left out since the last one that was taken."""
        self._changed = threading.Condition()
        # A daemon: one that waits for a reader must not keep the program.
        threading.Thread(target=self._work, name=f"output {descriptor}", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Take some lines to write, or leave them out when there is no room. May be called from any thread."""
        with self._changed:
            if self._size and self._size + len(data) > ROOM:
                self._left_out += max(1, data.count(b"\n"))
                return
            if self._left_out:
                data = b"[%d lines left out: the reader is too slow]\n" % self._left_out + data
                self._left_out = 0
            if not self._waiting:
                self._changed.notify_all()
            self._waiting.append(data)
            self._size += len(data)

    def flush(self, patience_s: float) -> bool:
        """Wait until everything is written, but not longer than ``patience_s``; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._size, patience_s)

    def _work(self) -> None:
        unwritten, why = 0, ""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = b"".join(self._waiting)
                self._waiting.clear()
            size, lines = len(data), max(1, data.count(b"\n"))
            if unwritten:
                data = f"[{unwritten} lines could not be written: {why}]\n".encode() + data
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
                unwritten = 0
            except OSError as error:
                # Each time anew: a disk may have room again, and a named pipe a new reader.
                unwritten, why = unwritten + lines, error.strerror or type(error).__name__
            with self._changed:
                self._size -= size
                self._changed.notify_all()


class Stream(io.TextIOBase):
    """A text stream over a `Writer`, in place of ``sys.stdout`` or ``sys.stderr``.

    It has no ``buffer``: whoever wrote bytes below it would overtake the text, or wait for the reader.
    """

    def __init__(self, replaced: TextIO, writer: Writer) -> None:
        self.replaced = replaced
        self.writer = writer
        self._encoding = replaced.encoding or "utf-8"

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute
        return self._encoding

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("text only")  # click finds out by trying
        self.writer.write(text.encode(self._encoding, "backslashreplace"))
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.replaced.fileno()

    def isatty(self) -> bool:
        return self.replaced.isatty()


def never_wait() -> None:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that never wait. `finish` puts back what was there.

    Both share a writer when they lead to the same file, so that their lines stay in order. A stream that is no file of
    the operating system, as in a test, stays as it is.
    """
    writers: dict[tuple[int, int], Writer] = {}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Stream):
            return
        try:
            status = os.fstat(stream.fileno())
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
        target = (status.st_dev, status.st_ino)
        if target not in writers:
            writers[target] = Writer(stream.fileno())
        setattr(sys, name, Stream(stream, writers[target]))


def finish(patience_s: float = FLUSH_S) -> None:
    """Write what is still waiting, as far as it goes within ``patience_s``, and put the replaced streams back."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Stream):
            stream.writer.flush(patience_s)
            setattr(sys, name, stream.replaced)
