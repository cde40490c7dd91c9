"""The pump: lets time pass, runs what is due, moves what was decided. It drives any number of chargers.

`RunningPump` follows a clock and awaits nothing but the event loop: sockets call in, one alarm wakes it, and commits of all
chargers are grouped, one per tick. `SteppedPump` jumps from one due moment to the next, as fast as the machine allows, and
is for chargers whose board and link live in this process.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any

from chargepoint.model.outbox import Save
from chargepoint.model.timebase import Action, Alarm, Clock, Scheduler, Timer, Timers
from hw.errors import ChargePointError

from .charger import Charger
from .clock import RunningClock
from .store import Durability, Rows, Store, StoreError, Unstorable

log = logging.getLogger(__name__)

STORE_RETRY_S = 5.0
"""Pause before a commit that failed is tried again; until it succeeds nothing leaves that waits for it."""
SLOW_COMMIT_S = 5.0
"""A commit that takes longer counts as one that fails."""
FAILURE_LOG_S = 3600.0
"""How often a store that goes on failing is logged."""


CLOSE_S = 30.0
"""How long the store may take for the last commits of the process."""
LAZY_COMMIT_S = 0.05
"""How long a relaxed store may wait with rows that nothing waits for, such as that a message was answered. A process
killed meanwhile sends that message once more, the same; a full store never waits."""


class NotStepped(ChargePointError):
    """Something real was asked to live on a clock that jumps."""


@dataclass(slots=True)
class Batch:
    """What one commit holds. One that somebody is ``told`` of is an attempt: it may fail, and is not tried again."""

    number: int
    rows: Rows = field(default_factory=list)
    told: Callable[[bool], None] | None = None
    succeeded: bool = True


class Pump(ABC):
    """What both pumps share: chargers, their timers, their batches."""

    def __init__(self, store: Store, patience_s: float = 0.0) -> None:
        self.store = store
        self.scheduler = Scheduler(patience_s)
        self.chargers: dict[str, Charger] = {}
        self._dirty: list[Charger] = []
        self._full: deque[Batch] = deque()
        """Batches that nothing is added to any more, oldest first."""
        self._filling = Batch(1)
        self.committed = 0
        """Number of the last batch that is on the disk."""
        self._waiting: dict[int, list[Charger]] = {}
        """Who wants to hear of a batch, by its number."""
        self.store_failing_since_s: float | None = None
        """Charge time since which a commit has been failing, None while the store works."""

    def timers(self, owner: object) -> Timers:
        """Return a share of the scheduler for something of the runtime."""
        return Timers(self.scheduler, owner)

    def add(self, charger: Charger) -> None:
        """Drive a charger from now on. Raises ValueError when its identity is taken."""
        if charger.identity in self.chargers:
            raise ValueError(f"there is a charger {charger.identity} already")
        self.chargers[charger.identity] = charger

    # --- the shore that chargers see ----------------------------------------------------------------------------------

    @abstractmethod
    def tell_time(self) -> float:
        """Tell the scheduler what time it is, and return the charge time in s."""

    def is_dirty(self, charger: Charger) -> None:
        """A charger has something in its mailbox or outbox."""
        self._dirty.append(charger)

    @abstractmethod
    def has_stepped(self) -> None:
        """A charger has dealt with something outside a tick."""

    def batch(self, identity: str, saves: list[Save]) -> int:
        """Put saves into the next commit and return its number."""
        self._filling.rows += [(identity, save) for save in saves]
        return self._filling.number

    def attempt(self, identity: str, saves: Sequence[Save], told: Callable[[bool], None]) -> int:
        """Put saves into a commit of their own, which is tried once; return its number. ``told`` hears how it went."""
        if self._filling.rows:
            self._close_batch()
        number = self._filling.number
        self._filling.rows += [(identity, save) for save in saves]
        self._filling.told = told
        self._close_batch()
        return number

    def _close_batch(self) -> None:
        self._full.append(self._filling)
        self._filling = Batch(self._filling.number + 1)

    @property
    def _has_rows(self) -> bool:
        return bool(self._filling.rows or self._full)

    def wait_for(self, batch: int, charger: Charger) -> None:
        """Tell a charger when a batch, which may be under way already, is on the disk."""
        self._waiting.setdefault(batch, []).append(charger)

    def load(
        self, identity: str, kinds: Collection[str] | None = None
    ) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        return self.store.load(identity, kinds)

    # --- what a tick does ---------------------------------------------------------------------------------------------

    def _run_due(self) -> None:
        """Run what is due, in order. What a timer brought about is dealt with before the next one: a deadline that is
        late itself, because the machine stalled, must not overtake the event it was waiting for.
        """
        while (timer := self.scheduler.take_due()) is not None:
            action = timer.action
            if action is None:
                continue
            try:
                action(self.scheduler.charge_s)
            except Exception as error:
                owner = timer.owner.owner
                if isinstance(owner, Charger):
                    owner.fail(error)
                else:
                    log.exception("a timer of %r failed", owner)
            if self._dirty:
                self._step_dirty()

    def _step_dirty(self) -> None:
        now_s = self.scheduler.charge_s
        while self._dirty:
            dirty, self._dirty = self._dirty, []
            for charger in dirty:
                charger.step(now_s)

    def _take_batch(self) -> Batch:
        if not self._full:
            self._close_batch()
        return self._full.popleft()

    def _write(self, batch: Batch) -> None:
        """Commit a batch, in any thread. Raises StoreError and Unstorable, but not for an attempt."""
        if batch.told is None:
            self.store.commit(batch.rows)
            return
        try:
            self.store.attempt(batch.rows)
        except StoreError as error:
            log.error("%s", error)
            batch.succeeded = False

    def _store(self, batch: Batch) -> None:
        """Commit a batch. Raises StoreError; a charger whose records can never be stored fails, the others go on."""
        try:
            self._write(batch)
        except Unstorable as error:
            self._fail_chargers(error)

    def _fail_chargers(self, error: Unstorable) -> None:
        for identity in error.chargers:
            self.chargers[identity].fail(error)

    @property
    def is_store_failing(self) -> bool:
        """A commit has failed, or takes too long, and was not made up for yet: what waits for it is held back."""
        return self.store_failing_since_s is not None

    def _store_failed(self, since_s: float) -> None:
        if self.store_failing_since_s is None:
            self.store_failing_since_s = since_s
            for charger in self.chargers.values():
                charger.on_store_failed(since_s)

    def _store_recovered(self) -> None:
        if self.store_failing_since_s is not None:
            self.store_failing_since_s = None
            for charger in self.chargers.values():
                charger.on_store_recovered()

    def _is_committed(self, batch: Batch) -> None:
        self.committed = batch.number
        for charger in dict.fromkeys(self._waiting.pop(batch.number, ())):
            charger.committed(self.scheduler.charge_s)
        if batch.told is not None:
            batch.told(batch.succeeded)


class SteppedPump(Pump):
    """Jumps to whatever is due next. Both clocks are one; ``deliver`` moves frames between the ends in this process."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.mailbox: deque[Callable[[], None]] = deque()
        """Events of links in memory, oldest first; each is called once."""

    def add(self, charger: Charger) -> None:
        if not charger.board.is_simulated:
            raise NotStepped(f"{charger.identity} has real hardware: use `clock: {{speed: 1}}`")
        super().add(charger)

    def tell_time(self) -> float:
        return self.scheduler.charge_s

    def has_stepped(self) -> None:
        """Nothing to do: `settle` goes on until all is quiet."""

    def settle(self) -> None:
        """Let everything happen that happens now: mailboxes, outboxes, commits, until all is quiet."""
        while True:
            self._step_dirty()
            if self._has_rows:
                batch = self._take_batch()
                self._store(batch)
                self._is_committed(batch)
            elif self.mailbox:
                self.mailbox.popleft()()
            elif not self._dirty:
                return

    def run_until(self, end_s: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass to ``end_s``, or until ``until`` is true; return whether it was. Time stops where it was."""
        while True:
            self.settle()
            if until is not None and until():
                return True
            due_s = min(self.scheduler.next_due_s(Clock.CHARGE), self.scheduler.next_due_s(Clock.WIRE))
            if due_s > end_s:
                self.scheduler.tell(end_s, end_s)
                return False
            self.scheduler.tell(due_s, due_s)
            self._run_due()

    def run_for(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let ``seconds`` pass, see `run_until`."""
        return self.run_until(self.scheduler.charge_s + seconds, until)


class RunningPump(Pump):
    """Follows a running clock inside an asyncio event loop. Create it where the loop runs, `close` it there too."""

    def __init__(self, store: Store, clock: RunningClock | None = None, patience_s: float = 0.0) -> None:
        """``patience_s``: see `Scheduler`; for a fleet, where thousands of samples a minute need not be punctual."""
        super().__init__(store, patience_s)
        self.clock = clock or RunningClock()
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_s = inf
        self._tick_is_due = False
        self._commit_by_s = inf
        self._is_closed = False
        self._closing = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, "store") if store.durability is Durability.FULL else None
        self._commit: asyncio.Task[None] | None = None
        self._commit_began_s = 0.0
        self._slow_commit = Alarm(self._link_timers, self._commit_is_slow, Clock.WIRE)
        self._failure_logged_wire_s: float | None = None
        self.tell_time()

    def add(self, charger: Charger) -> None:
        if not (charger.board.is_simulated or self.clock.is_real):
            raise NotStepped(f"{charger.identity} has real hardware: its clock must run at speed 1")
        super().add(charger)

    # --- the shore ----------------------------------------------------------------------------------------------------

    def tell_time(self) -> float:
        clock, scheduler = self.clock, self.scheduler
        wire_s = clock.wire_s()
        scheduler.tell(wire_s * clock.speed, wire_s)
        return scheduler.charge_s

    def is_dirty(self, charger: Charger) -> None:
        super().is_dirty(charger)
        self._tick_soon()

    def has_stepped(self) -> None:
        if not self._has_rows:
            self._arm()
        elif self._waiting or self._full or self._writer is not None:
            self._tick_soon()
        else:
            # Nobody waits for these rows: they may share a commit with what comes next.
            self._commit_by_s = min(self._commit_by_s, self.scheduler.wire_s + LAZY_COMMIT_S)
            self._arm()

    def wait_for(self, batch: int, charger: Charger) -> None:
        super().wait_for(batch, charger)
        self._tick_soon()

    def after_wire(self, delay_s: float, action: Action) -> Timer:
        """Arm a timer of a link: from now, not from the last tick."""
        self.tell_time()
        timer = self._link_timers.after_wire(delay_s, action)
        self._arm()
        return timer

    @property
    def _link_timers(self) -> Timers:
        return Timers(self.scheduler, "link")

    def _tick_soon(self) -> None:
        """Whatever just called in may have left work; do it once, at the end of this turn of the loop."""
        if not self._tick_is_due and not self._is_closed:
            self._tick_is_due = True
            self._loop.call_soon(self._tick)

    # --- a tick -------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._is_closed:
            return
        clock, scheduler = self.clock, self.scheduler
        wire_s = clock.wire_s()
        scheduler.tell(wire_s * clock.speed, wire_s)
        try:
            self._run_due()
            self._step_dirty()
            while self._has_rows and self._commit is None:
                self._commit_by_s = inf
                self._start_commit()
                self._step_dirty()
        finally:
            # Whatever went wrong in this tick: there will be a next one.
            self._tick_is_due = False
            self._arm()

    def _arm(self) -> None:
        """Set the one alarm clock of the process to the next moment that anything waits for."""
        clock, scheduler = self.clock, self.scheduler
        due_s = min(
            scheduler.next_due_s(Clock.WIRE), scheduler.next_due_s(Clock.CHARGE) / clock.speed, self._commit_by_s
        )
        if due_s == self._alarm_s and self._alarm is not None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_s = due_s
        if due_s < inf:
            self._alarm = self._loop.call_later(max(0.0, due_s - clock.wire_s()), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._alarm_s = inf
        self._tick()

    # --- commits ------------------------------------------------------------------------------------------------------

    def _start_commit(self) -> None:
        batch = self._take_batch()
        if self._writer is None:
            # Relaxed: nothing waits for a disk, so a thread would only cost.
            try:
                self._store(batch)
            except StoreError as error:
                self._commit = self._loop.create_task(self._insist(batch, error))
            else:
                self._is_committed(batch)
        else:
            self._commit = self._loop.create_task(self._insist(batch))

    def _commit_is_slow(self, _now_s: float) -> None:
        """A commit neither succeeds nor fails, as a worn SD card does: what depends on it waits as if it had failed."""
        self._log_failure(f"the store has not taken a write for {SLOW_COMMIT_S:.0f} s; messages wait until it does")
        self._store_failed(self._commit_began_s)

    def _log_failure(self, text: str) -> None:
        """Log that the store fails: once, and again every `FAILURE_LOG_S` while it goes on."""
        wire_s = self.clock.wire_s()
        if self._failure_logged_wire_s is None or wire_s - self._failure_logged_wire_s >= FAILURE_LOG_S:
            self._failure_logged_wire_s = wire_s
            log.error("%s", text)

    async def _insist(self, batch: Batch, error: StoreError | None = None) -> None:
        """Commit a batch off the loop; while the store fails everything that waits for it goes on waiting."""
        self._commit_began_s = self.scheduler.charge_s
        self._slow_commit.set(self.scheduler.wire_s + SLOW_COMMIT_S)
        try:
            while True:
                if error is not None:
                    self._store_failed(self._commit_began_s)
                    self._log_failure(
                        f"{error}; messages wait until they are stored, trying again every {STORE_RETRY_S:.0f} s"
                    )
                    self._tick_soon()
                    await self._pause(STORE_RETRY_S)
                try:
                    await self._loop.run_in_executor(self._writer, self._write, batch)
                    break
                except Unstorable as refused:
                    self._fail_chargers(refused)
                    break
                except StoreError as reason:
                    error = reason
                    if self._is_closed:
                        log.error("%s; %d records are lost with this process", error, len(batch.rows))
                        return
        finally:
            self._commit = None
            self._slow_commit.clear()
        self.tell_time()
        self._is_committed(batch)
        if self.is_store_failing:
            self._failure_logged_wire_s = None
            log.warning("the store can be written again")
            self._store_recovered()
        self._tick_soon()

    async def _pause(self, seconds: float) -> None:
        """Wait, or until `close` is called."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def close(self, patience_s: float = CLOSE_S) -> bool:
        """Write what is left, and release loop and thread. The chargers must have been stopped.

        Return whether the store has answered within ``patience_s``; after False its thread still runs, and the store must
        not be closed. A store that fails is tried once more, not for ever: a program that cannot be ended is killed, and
        loses as much.
        """
        self._is_closed = True
        self._closing.set()
        if self._alarm is not None:
            self._alarm.cancel()
        deadline_s = self.clock.wire_s() + patience_s
        is_done = self._commit is None or await _ends(self._commit, patience_s)
        while is_done and self._has_rows:
            batch = self._take_batch()
            is_done = await _ends(asyncio.ensure_future(self._write_last(batch)), deadline_s - self.clock.wire_s())
        if not is_done:
            log.error("the store does not answer: what is not in it is lost with this process")
        if self._writer is not None:
            self._writer.shutdown(wait=is_done)
        return is_done

    async def _write_last(self, batch: Batch) -> None:
        try:
            if self._writer is None:
                self._write(batch)
            else:
                await self._loop.run_in_executor(self._writer, self._write, batch)
        except Unstorable as refused:
            self._fail_chargers(refused)
        except StoreError as error:
            log.error("%s; %d records are lost with this process", error, len(batch.rows))


async def _ends(work: asyncio.Future[None], patience_s: float) -> bool:
    """Wait for the end of some work, but not longer; return whether it has ended. Raises what the work raises."""
    done, _ = await asyncio.wait({work}, timeout=max(0.0, patience_s))
    for each in done:
        each.result()
    return bool(done)
