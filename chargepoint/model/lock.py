"""The cable lock of a socket: moved, waited for, tried again, and given up (IEC 61851-1 mode 3, detachable cable)."""

from __future__ import annotations

from typing import Protocol

from .outbox import Effect, SetLock
from .timebase import Alarm, Timers

TRIES = 3
PAUSE_S = 1.0
"""Between a failed movement and the next."""
MOVEMENT_S = 2.0
"""How long a motor may take until its feedback is missed."""


class LockOwner(Protocol):
    """What a lock needs of the connector it belongs to."""

    timers: Timers

    def emit(self, effect: Effect) -> None: ...
    def lock_settled(self, locked: bool, succeeded: bool, now_s: float) -> None: ...


class CableLock:
    """One lock; ``is_locked`` is what its feedback last said. Every `move` ends in one `lock_settled`."""

    __slots__ = ("_alarm", "_connector", "_goal", "_owner", "_tries", "is_locked")

    def __init__(self, owner: LockOwner, connector: int) -> None:
        self.is_locked = False
        self._owner = owner
        self._connector = connector
        self._goal: bool | None = None
        self._tries = 0
        self._alarm = Alarm(owner.timers, self._try_again)

    @property
    def is_moving(self) -> bool:
        return self._goal is not None

    def move(self, locked: bool, now_s: float) -> None:
        """Start to lock or unlock; a movement the other way is given up."""
        if self._goal is None and self.is_locked == locked:
            self._owner.lock_settled(locked, True, now_s)
            return
        self._goal = locked
        self._tries = 0
        self._command()

    def on_lock(self, locked: bool, jammed: bool, now_s: float) -> None:
        """Take the feedback of a movement."""
        self.is_locked = locked
        goal = self._goal
        if goal is None:
            return
        if locked == goal and not jammed:
            self._settle(goal, True, now_s)
        else:
            self._alarm.set(now_s + PAUSE_S)

    def on_ordered(self, locked: bool, now_s: float) -> None:
        """The motor has its order, which the store may have held up: from now on the feedback is missed."""
        if self._goal == locked:
            self._alarm.set(now_s + MOVEMENT_S)

    def _command(self) -> None:
        assert self._goal is not None
        self._tries += 1
        self._alarm.clear()
        self._owner.emit(SetLock(self._connector, self._goal))

    def _try_again(self, now_s: float) -> None:
        if self._goal is None:
            return
        if self._tries < TRIES:
            self._command()
        else:
            self._settle(self._goal, False, now_s)

    def _settle(self, goal: bool, succeeded: bool, now_s: float) -> None:
        self._goal = None
        self._alarm.clear()
        self._owner.lock_settled(goal, succeeded, now_s)
