"""Three clocks, one order, and a calendar that the central system sets."""

from __future__ import annotations

import pytest

from chargepoint.model.timebase import Alarm, Calendar, Clock, Scheduler, Timers, utc_seconds, utc_text

NEW_YEAR_UTC_S = 1767225600.0


def run(scheduler: Scheduler, charge_s: float, wire_s: float | None = None) -> None:
    scheduler.tell(charge_s, charge_s if wire_s is None else wire_s)
    scheduler.run_due()


def test_what_is_due_runs_in_the_order_of_moment_and_arming() -> None:
    """Timer heap: "deterministic order (due, sequence)"."""
    scheduler, order = Scheduler(), []
    timers = Timers(scheduler)
    for name, due_s in (("c", 2.0), ("a", 1.0), ("d", 2.0), ("b", 1.0), ("never", 9.0)):
        timers.at(due_s, lambda _, n=name: order.append(n))  # type: ignore[misc]
    run(scheduler, 3.0)
    assert order == ["a", "b", "c", "d"]
    assert scheduler.next_due_s(Clock.CHARGE) == 9.0


def test_every_timer_lives_on_one_clock() -> None:
    """ "Three clocks, never mixed": wire timers do not care for charge time."""
    scheduler, ran = Scheduler(), []
    timers = Timers(scheduler)
    timers.at(5.0, lambda _: ran.append("charge"))
    timers.after_wire(5.0, lambda _: ran.append("wire"))
    run(scheduler, 100.0, 1.0)
    assert ran == ["charge"]
    run(scheduler, 100.0, 5.0)
    assert ran == ["charge", "wire"]


def test_actions_are_told_the_charge_time_whatever_their_clock() -> None:
    """ "Nobody here reads a clock … the scheduler tells the actions"."""
    scheduler, told = Scheduler(), list[float]()
    Timers(scheduler).after_wire(1.0, told.append)
    run(scheduler, 60.0, 2.0)
    assert told == [60.0]


def test_time_never_goes_back() -> None:
    """Charge time is monotonic."""
    scheduler = Scheduler()
    scheduler.tell(10.0, 10.0)
    scheduler.tell(5.0, 5.0)
    assert (scheduler.charge_s, scheduler.wire_s) == (10.0, 10.0)


def test_a_cancelled_timer_and_a_closed_owner_do_nothing() -> None:
    """A restart drops a charger with everything it had armed, "whoever holds them"."""
    scheduler, ran = Scheduler(), []
    mine, other = Timers(scheduler), Timers(scheduler)
    mine.at(1.0, lambda _: ran.append("mine"))
    other.at(1.0, lambda _: ran.append("cancelled")).cancel()
    other.at(1.0, lambda _: ran.append("other"))
    mine.close()
    assert len(scheduler) == 1
    run(scheduler, 2.0)
    assert ran == ["other"]


def test_an_action_may_arm_what_is_due_at_once() -> None:
    """What is due already runs at the next look."""
    scheduler, ran = Scheduler(), list[float]()
    timers = Timers(scheduler)

    def again(now_s: float) -> None:
        timers.at(now_s, ran.append)

    timers.at(1.0, again)
    run(scheduler, 1.0)
    assert ran == [1.0]


def test_an_alarm_rings_once_at_the_moment_it_was_last_set_to() -> None:
    """One thing to be done at one moment that moves."""
    scheduler, rang = Scheduler(), list[float]()
    alarm = Alarm(Timers(scheduler), rang.append)
    alarm.set(5.0)
    alarm.set(9.0)
    run(scheduler, 6.0)
    assert rang == []
    alarm.set(7.0)
    assert alarm.is_set
    run(scheduler, 7.0)
    assert rang == [7.0]
    assert not alarm.is_set
    run(scheduler, 100.0)
    assert rang == [7.0]


def test_a_cleared_alarm_does_not_ring() -> None:
    """Clearing is idempotent, and the alarm can be set again."""
    scheduler, rang = Scheduler(), list[float]()
    alarm = Alarm(Timers(scheduler), rang.append)
    alarm.set(1.0)
    alarm.clear()
    alarm.clear()
    run(scheduler, 2.0)
    assert rang == []
    alarm.set_after(1.0)
    run(scheduler, 3.0)
    assert rang == [3.0]


def test_an_alarm_costs_one_heap_entry_however_often_it_moves() -> None:
    """A deadline that is set and cleared with every message would fill the heap with dead timers."""
    scheduler = Scheduler()
    alarm = Alarm(Timers(scheduler), lambda _: None, Clock.WIRE)
    for second in range(1000):
        alarm.set(30.0 + second)
        alarm.clear()
    assert len(scheduler) <= 1


@pytest.mark.parametrize("clock", Clock)
def test_timers_that_will_never_fire_do_not_pile_up(clock: Clock) -> None:
    """A reservation until the year 9999, replaced again and again: each left a timer behind, and all that it knows."""
    scheduler, ran = Scheduler(), []
    timers = Timers(scheduler)
    for number in range(40):
        timers.at(1.0 + number % 7, lambda _, n=number: ran.append(n), clock)  # type: ignore[misc]
    for _ in range(1_000):
        timers.at(1e12, lambda _: None, clock).cancel()
        former = Timers(scheduler)
        former.at(1e12, lambda _: None, clock)
        former.close()
    assert len(scheduler._charge) + len(scheduler._wire) <= 100
    run(scheduler, 10.0)
    assert ran == sorted(range(40), key=lambda n: (n % 7, n))


def test_an_appointment_keeps_its_instant_when_the_calendar_is_set() -> None:
    """Calendar timers are "re-armed when the calendar steps"."""
    scheduler, met = Scheduler(), list[float]()
    calendar = Calendar(Timers(scheduler), NEW_YEAR_UTC_S)
    calendar.at(NEW_YEAR_UTC_S + 100.0, met.append)
    calendar.at(NEW_YEAR_UTC_S + 100.0, met.append).cancel()
    calendar.set(NEW_YEAR_UTC_S + 60.0, 0.0)
    run(scheduler, 39.0)
    assert met == []
    run(scheduler, 40.0)
    assert met == [40.0]
    assert not calendar.appointments


def test_a_calendar_set_past_an_appointment_keeps_it_at_once() -> None:
    """Nothing that waits on the calendar is lost by a jump."""
    scheduler, met = Scheduler(), list[float]()
    calendar = Calendar(Timers(scheduler), NEW_YEAR_UTC_S)
    calendar.at(NEW_YEAR_UTC_S + 100.0, met.append)
    assert calendar.set(NEW_YEAR_UTC_S + 500.0, 0.0) == 500.0
    scheduler.run_due()
    assert met == [0.0]


@pytest.mark.parametrize(("told_s", "step_s"), [(0.5, 0.0), (-1.0, 0.0), (1.5, 1.5), (-3600.0, -3600.0)])
def test_a_small_difference_is_the_way_the_answer_travelled(told_s: float, step_s: float) -> None:
    """currentTime sets the clock "if |Δ| > 1–2 s" (connection-and-boot.md 4)."""
    calendar = Calendar(Timers(Scheduler()), NEW_YEAR_UTC_S)
    assert calendar.set(NEW_YEAR_UTC_S + told_s, 0.0, 1.0) == step_s
    assert calendar.utc_s(0.0) == NEW_YEAR_UTC_S + step_s
    assert calendar.is_set


def test_on_a_clock_that_runs_ahead_only_the_first_word_counts() -> None:
    """ "currentTime sets the calendar always on the real clock, once on a scaled or stepped one"."""
    calendar = Calendar(Timers(Scheduler()), 0.0, sets_once=True)
    assert calendar.set(NEW_YEAR_UTC_S, 0.0) == NEW_YEAR_UTC_S
    assert calendar.set(NEW_YEAR_UTC_S + 50.0, 10.0) == 0.0


@pytest.mark.parametrize(
    ("text", "utc_s"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR_UTC_S),
        ("2026-01-01T00:00:00.5Z", NEW_YEAR_UTC_S + 0.5),
        ("2026-01-01T00:00:00.123456789Z", NEW_YEAR_UTC_S + 0.123456),
        ("2026-01-01T02:00:00+02:00", NEW_YEAR_UTC_S),
        ("2025-12-31T19:00:00-05:00", NEW_YEAR_UTC_S),
        ("2026-01-01T00:00:00", NEW_YEAR_UTC_S),
        ("2026-01-01T00:00:00,25Z", NEW_YEAR_UTC_S + 0.25),
    ],
)
def test_date_times_come_with_any_fraction_and_offset(text: str, utc_s: float) -> None:
    """Timestamps in: "must accept fractions (any count of digits) and offsets … missing zone as UTC"."""
    assert utc_seconds(text) == pytest.approx(utc_s, abs=1e-6)


def test_a_time_without_a_zone_may_be_of_another_one() -> None:
    """Some vendors' messages are in the time of the station; one that names its zone is taken literally."""
    assert utc_seconds("2026-01-01T01:00:00", 3600.0) == NEW_YEAR_UTC_S
    assert utc_seconds("2026-01-01T00:00:00Z", 3600.0) == NEW_YEAR_UTC_S


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "2026-01-01", "2026-13-01T00:00:00Z", "1767225600", "2026-01-01T00:00:00\0", "2026-01-01T00:00\0x"],
)
def test_what_is_no_date_time_is_refused(text: str) -> None:
    """An unparsable dateTime is a TypeConstraintViolation (1.3 row 8)."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is Python's
        utc_seconds(text)


@pytest.mark.parametrize(
    ("utc_s", "text"),
    [
        (NEW_YEAR_UTC_S, "2026-01-01T00:00:00.000Z"),
        (NEW_YEAR_UTC_S + 0.0014, "2026-01-01T00:00:00.001Z"),
        (NEW_YEAR_UTC_S - 0.0001, "2026-01-01T00:00:00.000Z"),
        (NEW_YEAR_UTC_S + 59.9996, "2026-01-01T00:01:00.000Z"),
    ],
)
def test_timestamps_go_out_in_utc_with_a_z(utc_s: float, text: str) -> None:
    """Timestamps out: "UTC with Z … milliseconds optional"."""
    assert utc_text(utc_s) == text
