"""`jsonlines` on this process's standard input and output, until input ends.

Two threads do what blocks, whatever the two are: pipes, files or a terminal. A program that does not read what it is told
holds up its own requests and nobody else; events that it missed meanwhile are counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from queue import SimpleQueue

from .events import Events, as_json
from .jsonlines import LONGEST, JsonLines

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""How often new events are looked for while somebody wants them, in wall time."""
AT_ONCE = 2000
"""Events told in one go; between two goes requests are answered."""
CHUNK = 65_536
TOO_LONG = "x" * (LONGEST + 1)
"""Stands for a line that nobody should keep: it is refused like one."""


async def serve(lines: JsonLines, events: Events, source: int, sink: int) -> None:
    """Answer every line of the file ``source`` on ``sink`` (descriptors), and write events while `JsonLines.follows` says
    so.

    Returns when ``source`` has ended and every command that waits is done, with the last events written; or when nobody
    reads ``sink`` any more.
    """
    requests, output = _Requests(source), _Output(sink)
    answers: list[str] = []
    has_answer = asyncio.Event()

    def answer(line: str) -> None:
        answers.append(line + "\n")
        has_answer.set()

    arriving: asyncio.Task[str | None] | None = asyncio.create_task(requests.line())
    late = asyncio.create_task(has_answer.wait())
    try:
        while True:
            tasks = {late} if arriving is None else {late, arriving}
            await asyncio.wait(tasks, timeout=LOOK_S if lines.follows is not None else None,
                               return_when=asyncio.FIRST_COMPLETED)
            has_arrived = arriving is not None and arriving.done()
            line = arriving.result() if arriving is not None and has_arrived else ""
            if line and line.strip():
                lines.answer(line, answer)
            has_answer.clear()
            if late.done():
                late = asyncio.create_task(has_answer.wait())
            if answers:
                told, answers[:] = "".join(answers), []
                await output.write(told)
            await _tell(lines, events, output)
            if line is None:
                arriving = None
            elif has_arrived:  # not one that has arrived since: its line has still to be answered
                arriving = asyncio.create_task(requests.line())
            if arriving is None and not lines.is_waiting and not answers:
                return
    except OSError as error:
        log.info("nobody reads the answers any more: %s", error)
    finally:
        lines.cancel()
        late.cancel()
        if arriving is not None:
            arriving.cancel()


async def _tell(lines: JsonLines, events: Events, output: _Output) -> None:
    if lines.follows is None:
        return
    if lines.follows > events.last:
        lines.follows = 0  # of an earlier run of the program
    texts = []
    missed = events.missed(lines.follows)
    if missed:
        texts.append(json.dumps({"missed": missed}))
        lines.follows += missed
    for event in events.after(lines.follows):
        if len(texts) >= AT_ONCE:
            break
        texts.append(json.dumps({"event": as_json(event)}, separators=(",", ":")))
        lines.follows = event.number
    if texts:
        await output.write("\n".join(texts) + "\n")


class _Requests:
    """The lines of a file, read in a thread of its own, no faster than they are taken."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._rest = bytearray()
        self._is_at_end = False
        _start(self._read, "requests")

    def _read(self) -> None:
        chunk = b"?"
        while chunk:
            try:
                chunk = os.read(self._source, CHUNK)
            except OSError:
                chunk = b""
            put = self._chunks.put(chunk)
            try:
                asyncio.run_coroutine_threadsafe(put, self._loop).result()
            except (RuntimeError, CancelledError):
                put.close()
                return  # the loop is closed: the program ends

    async def line(self) -> str | None:
        """Return the next line, without its end; None after the last. Of one that is too long no more is kept."""
        is_too_long = False
        while (end := self._rest.find(b"\n")) < 0:
            is_too_long = is_too_long or len(self._rest) > 4 * LONGEST
            if is_too_long:
                self._rest.clear()
            if self._is_at_end:
                last = self._rest.decode("utf-8", "replace")
                self._rest.clear()
                return last or (TOO_LONG if is_too_long else None)
            chunk = await self._chunks.get()
            self._is_at_end = not chunk
            self._rest += chunk
        line = self._rest[:end].decode("utf-8", "replace")
        del self._rest[: end + 1]
        return TOO_LONG if is_too_long else line


class _Output:
    """A file that is written in a thread of its own."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        _start(self._work, "answers")

    def _work(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the program ends
            while True:
                data, done = self._jobs.get()
                try:
                    while data:
                        data = data[os.write(self._sink, data) :]
                    self._loop.call_soon_threadsafe(_settle, done, None)
                except OSError as error:
                    self._loop.call_soon_threadsafe(_settle, done, error)

    async def write(self, text: str) -> None:
        """Write a text, all of it. Raises OSError when nobody reads it."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((text.encode(), done))
        await done


def _settle(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _start(work: Callable[[], None], name: str) -> None:
    # Daemons: one that waits for a file that says nothing must not keep the program.
    threading.Thread(target=work, name=name, daemon=True).start()
