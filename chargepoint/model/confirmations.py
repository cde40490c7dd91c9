"""Confirmations of our calls: read leniently, each kind of slip logged once, late ones told apart from foreign ones."""

from __future__ import annotations

import logging
from typing import Any

from . import wire
from .calls import InFlight
from .transaction import Message

MOST_LATE = 64
"""Calls without an answer in time whose late answers are still known."""


class Confirmations:
    """What is known of the calls that one central system answers, or may still answer on this socket."""

    __slots__ = ("_late", "_log", "_slips")

    def __init__(self, log: logging.LoggerAdapter[logging.Logger]) -> None:
        self._log = log
        self._late: dict[str, InFlight] = {}
        self._slips: frozenset[str] = frozenset()
        """Action and field of the slips that were logged. Immutable, so that chargers without any share one."""

    def read(self, action: str, payload: object) -> Any:
        """Return the confirmation that a payload is, see `wire.understood_result`. Raises PeerError."""
        result, slips = wire.understood_result(action, payload)
        for slip in slips:
            kind = f"{action} {slip.partition(':')[0]}"
            if kind not in self._slips:
                self._slips |= {kind}
                self._log.warning("%s.conf of the central system has a slip: %s", action, slip)
        return result

    # --- late ones ----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """A socket is open: answers to calls of the last one mean nothing on it."""
        self._late.clear()

    def missed(self, call: InFlight) -> None:
        """A call has failed, and may still be answered on this socket."""
        self._late[call.message_id] = call
        if len(self._late) > MOST_LATE:
            del self._late[next(iter(self._late))]

    def take(self, message_id: str) -> InFlight | None:
        """Return the call that a late answer is for, and forget it; None when there is none."""
        return self._late.pop(message_id, None)

    def forget(self, message: Message) -> None:
        """A stored message is over: answers to its transmissions mean nothing any more."""
        for message_id in [key for key, call in self._late.items() if call.message is message]:
            del self._late[message_id]
