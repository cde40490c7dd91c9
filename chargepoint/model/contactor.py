"""The contactor of one outlet: its orders, what its feedback says, its rest, and how often it may close.

Sources: IEC 61851-1 (feedback, opening times); EVSE practice for the rest after an opening and the retry of a contactor
that does not close.
"""

from __future__ import annotations

import math
from typing import Protocol

from hw.ports import Outlet, RelayKind

from .faults import Trouble
from .outbox import Effect, SetRelay
from .timebase import Alarm, Timers

FEEDBACK_S = 1.0
"""How long the contactor's feedback may lag behind a command before it counts as a fault."""
REST_S = 5.0
"""Rest of the contactor between any opening and the next closing (EVSE practice)."""
MOST_CLOSINGS = 60
"""How often the contactor may close within `GUARD_S`. [D] An ordinary session closes it once, an energy manager that pauses
every few minutes 10 to 20 times an hour; contacts are rated for some 100,000 closings."""
GUARD_S = 3600.0


class ContactorOwner(Protocol):
    """What a contactor needs of the supply it belongs to."""

    timers: Timers

    def emit(self, effect: Effect) -> None: ...
    def contactor_changed(self, now_s: float) -> None: ...
    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...


class Contactor:
    """``is_closed`` is what the feedback says, ``is_ordered_closed`` what was ordered last.

    ``rests_until_s``: it must not close before; the supply keeps the pilot steady until then.
    """

    __slots__ = (
        "_closings_s",
        "_feedback",
        "_outlet",
        "_owner",
        "_tries",
        "is_closed",
        "is_ordered_closed",
        "opened_s",
        "rests_until_s",
    )

    def __init__(self, owner: ContactorOwner, outlet: Outlet) -> None:
        self.is_closed = False
        self.is_ordered_closed = False
        self.rests_until_s = -math.inf
        self.opened_s = -math.inf
        """When it was ordered to open for the last time."""
        self._owner = owner
        self._outlet = outlet
        self._tries = 0
        self._closings_s: list[float] = []
        """When it was ordered to close within the last `GUARD_S`, oldest first."""
        self._feedback = Alarm(owner.timers, self._judge_feedback)

    def order(self, closed: bool, now_s: float) -> None:
        """Close or open it."""
        self.is_ordered_closed = closed
        self._tries = 0
        if closed:
            self._closings_s = [at_s for at_s in self._closings_s if at_s > now_s - GUARD_S]
            self._closings_s.append(now_s)
        else:
            self.opened_s = now_s
            self.rest(REST_S, now_s)
        self._feedback.clear()
        self._owner.emit(SetRelay(self._outlet.connector, closed))
        if not self._outlet.has_feedback:
            self.is_closed = closed
            self._owner.contactor_changed(now_s)

    def rest(self, seconds: float, now_s: float) -> None:
        """Keep it open for ``seconds`` from now on, at least."""
        self.rests_until_s = max(self.rests_until_s, now_s + seconds)

    def free_from_s(self, now_s: float) -> float:
        """Return from when the guard lets it close, in s: not after ``now_s`` while closings are left in this hour."""
        if len(self._closings_s) < MOST_CLOSINGS:
            return now_s
        return self._closings_s[-MOST_CLOSINGS] + GUARD_S

    def on_feedback(self, closed: bool, now_s: float) -> None:
        """Take the feedback: what is true, whatever was ordered."""
        if closed == self.is_closed:
            return
        self.is_closed = closed
        if not closed:
            self.rest(REST_S, now_s)
        follows = self._outlet.relay is RelayKind.FOLLOWS_PILOT
        if closed == self.is_ordered_closed or (follows and not closed):
            # A controller that follows the pilot opens by itself; only closing without leave is a fault.
            self._feedback.clear()
            self._tries = 0
            if not closed:
                self._owner.trouble(Trouble.CONTACTOR_WELDED, False, now_s)  # its cause: the fault is latched
        else:
            self._feedback.set(now_s + FEEDBACK_S)
        self._owner.contactor_changed(now_s)

    def on_ordered(self, closed: bool, now_s: float) -> None:
        """The contactor has its order, which the store may have held up: from now on the feedback is missed."""
        if closed != self.is_ordered_closed or self.is_closed == closed or not self._outlet.has_feedback:
            return
        if self._outlet.relay is RelayKind.DIRECT and (closed or not self._tries):
            self._feedback.set(now_s + FEEDBACK_S)

    def _judge_feedback(self, now_s: float) -> None:
        if self.is_closed == self.is_ordered_closed:
            return
        if self.is_closed:
            self._tries = 1  # opened once more, and not judged again
            self._owner.trouble(Trouble.CONTACTOR_WELDED, True, now_s)
            self._owner.emit(SetRelay(self._outlet.connector, False))
        elif self._tries == 0:
            self._tries = 1
            self._owner.emit(SetRelay(self._outlet.connector, True))
        else:
            self._owner.trouble(Trouble.CONTACTOR_STUCK, True, now_s)
