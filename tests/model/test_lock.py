"""The cable lock: moved, waited for, tried again, and given up (hardware/iec61851.md 8: "3 tries, ≥1 s apart")."""

from __future__ import annotations

from chargepoint.model.lock import MOVEMENT_S, PAUSE_S, CableLock
from chargepoint.model.outbox import Effect, SetLock
from chargepoint.model.timebase import Clock, Scheduler, Timers


class Bench:
    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.timers = Timers(self.scheduler)
        self.commands: list[tuple[float, bool]] = []
        self.settled: list[tuple[bool, bool]] = []
        self.store_takes_s = 0.0
        """How long a command waits until what was decided before it is stored."""
        self.lock = CableLock(self, 1)

    def emit(self, effect: Effect) -> None:
        assert isinstance(effect, SetLock)
        self.commands.append((self.scheduler.charge_s, effect.locked))
        if self.store_takes_s:
            self.timers.at(
                self.scheduler.charge_s + self.store_takes_s, lambda now_s: self.lock.on_ordered(effect.locked, now_s)
            )
        else:
            self.lock.on_ordered(effect.locked, self.scheduler.charge_s)

    def lock_settled(self, locked: bool, succeeded: bool, now_s: float) -> None:
        self.settled.append((locked, succeeded))

    def move(self, locked: bool) -> None:
        self.lock.move(locked, self.scheduler.charge_s)

    def feel(self, locked: bool, jammed: bool = False) -> None:
        self.lock.on_lock(locked, jammed, self.scheduler.charge_s)

    def run(self, seconds: float) -> None:
        end_s = self.scheduler.charge_s + seconds
        while (due_s := self.scheduler.next_due_s(Clock.CHARGE)) <= end_s:
            self.scheduler.tell(due_s, due_s)
            self.scheduler.run_due()
        self.scheduler.tell(end_s, end_s)


def test_a_movement_counts_when_its_feedback_says_so() -> None:
    """ "A hardware command counts as done when the hardware has answered, not when it was sent"."""
    bench = Bench()
    bench.move(True)
    assert (bench.commands, bench.settled, bench.lock.is_locked) == ([(0.0, True)], [], False)
    assert bench.lock.is_moving
    bench.feel(True)
    assert (bench.settled, bench.lock.is_locked, bench.lock.is_moving) == ([(True, True)], True, False)
    bench.run(60)
    assert len(bench.commands) == 1


def test_where_it_is_already_it_need_not_go() -> None:
    """Every `move` ends in one `lock_settled`, at once when there is nothing to do."""
    bench = Bench()
    bench.move(False)
    assert (bench.commands, bench.settled) == ([], [(False, True)])


def test_a_jam_is_tried_three_times_and_given_up() -> None:
    """ "lock fails: 3 tries, ≥1 s apart"."""
    bench = Bench()
    bench.move(True)
    for _ in range(3):
        bench.feel(False, jammed=True)
        bench.run(PAUSE_S)
    assert [at_s for at_s, _ in bench.commands] == [0.0, 1.0, 2.0]
    assert bench.settled == [(True, False)]
    bench.run(60)
    assert len(bench.commands) == 3


def test_a_motor_that_says_nothing_is_tried_three_times_too() -> None:
    """Missing feedback is a failed try."""
    bench = Bench()
    bench.move(True)
    bench.run(10 * MOVEMENT_S)
    assert len(bench.commands) == 3
    assert bench.settled == [(True, False)]


def test_a_motor_that_was_not_told_yet_has_not_failed() -> None:
    """An SD card takes its time; feedback is missed from when the motor was told, not from the decision."""
    bench = Bench()
    bench.store_takes_s = 30.0
    bench.move(True)
    bench.run(30.0 + MOVEMENT_S / 2)
    assert (len(bench.commands), bench.settled) == (1, [])
    bench.run(MOVEMENT_S)
    assert len(bench.commands) == 2


def test_a_second_try_may_succeed() -> None:
    """A cable that was only half in."""
    bench = Bench()
    bench.move(True)
    bench.feel(False, jammed=True)
    bench.run(PAUSE_S)
    bench.feel(True)
    assert bench.settled == [(True, True)]


def test_a_movement_the_other_way_is_given_up() -> None:
    """The last wish counts, with tries of its own."""
    bench = Bench()
    bench.move(True)
    bench.move(False)
    bench.feel(False)
    bench.run(60)
    assert [locked for _, locked in bench.commands] == [True, False]
    assert bench.settled == [(False, True)]


def test_feedback_nobody_asked_for_is_believed() -> None:
    """``is_locked`` is what its feedback last said."""
    bench = Bench()
    bench.feel(True)
    assert bench.lock.is_locked
    assert bench.settled == []
