"""Every frame on the wire, one JSON object a line, for people and programs that look at it afterwards.

    {"timestamp": "2026-01-01T12:00:00.123Z", "chargePointId": "CP001", "direction": "sent", "messageType": "CALL",
     "messageId": "…", "action": "Heartbeat", "payload": {}, "raw": "[2,\\"…\\",\\"Heartbeat\\",{}]", "meta": {}}

``direction`` is seen from the charger. ``action`` of an answer is that of its call, null if nobody called. ``payload`` of a
CALLERROR has errorCode, errorDescription and errorDetails; null, with messageType UNKNOWN, is a frame that cannot be read.
``meta`` may have ``latencyMs`` (an answer: since its call), ``chargerTime`` (where the charger's clock is not the wall's)
and ``masked`` (something in payload and raw was hidden).

A charger that is not traced has an ordinary `Link`; one that is has a `TracedLink`.
"""

from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TextIO

from chargepoint.model.timebase import utc_text
from hw.errors import ChargePointError

from .address import Address
from .clock import wall_utc_s
from .connection import LinkSettings
from .link import Link, Listener, WireTimers
from .secrecy import masked_text

log = logging.getLogger(__name__)

LIMIT_BYTES = 50_000_000
"""A trace that has grown so big becomes ``FILE.1``, in place of an older one: a disk holds twice that at most."""
OPEN_CALLS = 256
"""Calls without an answer that are remembered for each direction."""

_TYPES = {2: "CALL", 3: "CALLRESULT", 4: "CALLERROR"}


class TraceError(ChargePointError):
    """The trace cannot be written where it should be."""


class Trace:
    """The file. Each line is in the hands of the operating system when `write` returns; only its owner may read it.

    A file that is there is continued. An error of the disk ends the trace and not the charger.
    """

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """Raises TraceError when the file cannot be opened."""
        self.path = path
        self._limit_bytes = limit_bytes
        self._size = 0
        self._file: TextIO | None = None
        try:
            self._open()
        except OSError as error:
            raise TraceError(f"{path}: the trace cannot be written: {error.strerror}") from error

    def _open(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = open(descriptor, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._size = os.fstat(descriptor).st_size

    def write(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            return
        line = f"{json.dumps(entry)}\n"
        try:
            if self._size and self._size + len(line) > self._limit_bytes:
                self._file.close()
                os.replace(self.path, f"{self.path}.1")
                self._open()
            self._file.write(line)
            self._size += len(line)
        except OSError as error:
            log.error("%s: the trace ends here: %s", self.path, error)
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class TracedLink(Link):
    """A link that writes down each frame that goes out or comes in."""

    __slots__ = ("_calls", "_charger_utc_s", "_trace")

    def __init__(
        self,
        trace: Trace,
        address: Address,
        listener: Listener,
        timers: WireTimers,
        chance: Random,
        settings: LinkSettings | None = None,
        charger_utc_s: Callable[[], float] | None = None,
    ) -> None:
        """``charger_utc_s``: the charger's own clock, where it is not the wall's."""
        super().__init__(address, listener, timers, chance, settings)
        self._trace = trace
        self._charger_utc_s = charger_utc_s
        self._calls: dict[str, OrderedDict[str, tuple[str, float]]] = {"sent": OrderedDict(), "received": OrderedDict()}

    def send_text(self, text: str) -> bool:
        if self.is_open:
            # Before it is written: an answer cannot stand before its call.
            self._note("sent", text)
        return super().send_text(text)

    def received(self, text: str) -> None:
        self._note("received", text)
        super().received(text)

    def _note(self, direction: str, text: str) -> None:
        now_s = wall_utc_s()
        entry = {
            "timestamp": utc_text(now_s),
            "chargePointId": self.address.identity,
            "direction": direction,
            **self._told(direction, text, now_s),
        }
        if self._charger_utc_s is not None:
            entry["meta"]["chargerTime"] = utc_text(self._charger_utc_s())
        self._trace.write(entry)

    def _told(self, direction: str, text: str, now_s: float) -> dict[str, Any]:
        """Return what a frame says. It need not be a sound one: nothing is judged here."""
        raw = masked_text(text)
        meta: dict[str, Any] = {} if raw == text else {"masked": True}
        try:
            frame = json.loads(raw)
            kind = _TYPES[frame[0]]
            message_id = str(frame[1])
        except (ValueError, TypeError, LookupError, RecursionError):
            unread = {"messageType": "UNKNOWN", "messageId": None, "action": None, "payload": None}
            return {**unread, "raw": raw, "meta": meta}
        action = self._action(direction, kind, message_id, frame, now_s, meta)
        told = {"messageType": kind, "messageId": message_id, "action": action, "payload": _payload(kind, frame)}
        return {**told, "raw": raw, "meta": meta}

    def _action(
        self, direction: str, kind: str, message_id: str, frame: list[Any], now_s: float, meta: dict[str, Any]
    ) -> str | None:
        if kind == "CALL":
            action = str(frame[2]) if len(frame) > 2 else ""
            calls = self._calls[direction]
            calls[message_id] = (action, now_s)
            if len(calls) > OPEN_CALLS:
                calls.popitem(last=False)
            return action
        called = self._calls["received" if direction == "sent" else "sent"].pop(message_id, None)
        if called is None:
            return None
        meta["latencyMs"] = round((now_s - called[1]) * 1000.0, 1)
        return called[0]


def _payload(kind: str, frame: list[Any]) -> Any:
    if kind == "CALLERROR":
        names = ("errorCode", "errorDescription", "errorDetails")
        return dict(zip(names, frame[2:5], strict=False))
    place = 3 if kind == "CALL" else 2
    return frame[place] if len(frame) > place else None
