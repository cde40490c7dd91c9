"""Whether the central system answers at all: calls unanswered in a row, and the Heartbeat that finds out.

A central system that answers pings and no call looks connected. After `MOST_UNANSWERED` calls in a row without an answer
the socket is closed and dialled again; the last of them is a Heartbeat, so that a central system which only ignores one
kind of message keeps its connection. From then on it is *doubted*: sockets begin with a Heartbeat, no failure of a stored
message counts as an attempt, and the offline rules judge cards, until some call is answered. Our choice; OCPP 1.6 3.5 and
4.6 leave open when a charge point counts itself as offline.
"""

from __future__ import annotations

MOST_UNANSWERED = 3
"""Calls in a row without an answer after which the connection is given up."""


class PeerCheck:
    """Counts what one central system leaves unanswered, over as many sockets as it takes."""

    __slots__ = ("_skips_once", "_unanswered", "is_doubted", "wants_heartbeat")

    def __init__(self) -> None:
        self.is_doubted = False
        self.wants_heartbeat = False
        """The next call is to be a Heartbeat."""
        self._unanswered = 0
        self._skips_once = False

    def opened(self) -> None:
        """A socket is open. After one that was closed on the Heartbeat, this one begins with what else is to be sent:
        a central system that closes on every Heartbeat may still take the rest.
        """
        self._unanswered = 0
        self.wants_heartbeat = self.is_doubted and not self._skips_once
        self._skips_once = False

    def asked(self) -> None:
        """The Heartbeat has left."""
        self.wants_heartbeat = False

    def answered(self) -> None:
        """The central system has answered a call, with a result or an error."""
        self._unanswered = 0
        self.is_doubted = self.wants_heartbeat = False

    def failed(self, is_closed: bool) -> None:
        """A Heartbeat that was to find out got no answer; ``is_closed``: the central system closed the socket on it."""
        self.is_doubted = True
        self._skips_once = is_closed

    def timed_out(self) -> bool:
        """A call was not answered in time. Return whether the connection is to be given up."""
        self._unanswered += 1
        self.wants_heartbeat = self._unanswered == MOST_UNANSWERED - 1
        if self._unanswered < MOST_UNANSWERED:
            return False
        self.is_doubted = True
        return True
