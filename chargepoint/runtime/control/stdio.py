"""`lines` on this process's standard input and output, until input ends."""

from __future__ import annotations

import asyncio
import json
from typing import BinaryIO, TextIO

from .events import Events, told
from .lines import LONGEST, Lines

LOOK_S = 0.1
"""How often new events are looked for while somebody wants them, in wall time."""
AT_ONCE = 500
"""Events told in one go; between two goes requests are answered."""


async def serve(lines: Lines, events: Events, source: BinaryIO, sink: TextIO) -> None:
    """Answer every line of ``source`` on ``sink``, in order, and tell events while `Lines.follows` says so.

    Returns when ``source`` ends, with the last events told.
    """
    reader = asyncio.StreamReader(limit=4 * LONGEST)
    transport, _protocol = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    waiting = asyncio.create_task(_line(reader))
    try:
        while True:
            await asyncio.wait({waiting}, timeout=LOOK_S if lines.follows is not None else None)
            if waiting.done():
                line = waiting.result()
                if line is None:
                    return
                if line.strip():
                    _write(sink, lines.answer(line))
                waiting = asyncio.create_task(_line(reader))
            _tell(lines, events, sink)
    finally:
        waiting.cancel()
        transport.close()


async def _line(reader: asyncio.StreamReader) -> str | None:
    """Return the next line, None at the end. A line that is too long comes as one that is refused."""
    try:
        data = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        data = error.partial
        if not data:
            return None
    except asyncio.LimitOverrunError as error:
        await reader.readexactly(error.consumed)
        while not (await reader.read(LONGEST)).endswith(b"\n") and not reader.at_eof():
            pass
        return "x" * (LONGEST + 1)
    return data.decode("utf-8", "replace")


def _tell(lines: Lines, events: Events, sink: TextIO) -> None:
    if lines.follows is None:
        return
    missed = events.missed(lines.follows)
    if missed:
        _write(sink, json.dumps({"missed": missed}))
        lines.follows += missed
    for count, event in enumerate(events.after(lines.follows)):
        if count == AT_ONCE:
            break
        _write(sink, json.dumps({"event": told(event)}, separators=(",", ":")))
        lines.follows = event.number


def _write(sink: TextIO, text: str) -> None:
    sink.write(text + "\n")
    sink.flush()
