"""Time as the model sees it: three clocks, one scheduler, and a calendar that the central system sets.

*Charge* time is the monotonic time of the charger (physics, durations, sampling). *Wire* time is wall time (answer
time-outs, pings, back-off): on an accelerated clock a peer still takes its real milliseconds to answer. *Calendar* time
is UTC as the charger believes it; a `Calendar` maps it to charge time and re-arms what waits on it when it is set.

Nobody here reads a clock. The runtime tells the scheduler the time, the scheduler tells the actions.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from math import ceil, inf

FEW = 32
"""Timers a clock may have before any is looked at before it is due."""

Action = Callable[[float], None]
"""What a timer does; it is given the charge time in s."""


class Clock(Enum):
    """The clock a timer lives on. Calendar timers are charge timers that a `Calendar` re-arms."""

    CHARGE = "charge"
    WIRE = "wire"


class Timer:
    """One armed action of one owner. `cancel` is idempotent and may be called from the action itself."""

    __slots__ = ("_sequence", "action", "due_s", "owner")

    def __init__(self, due_s: float, sequence: int, action: Action, owner: Timers) -> None:
        self.due_s = due_s
        self.action: Action | None = action
        self.owner = owner
        self._sequence = sequence

    def __lt__(self, other: Timer) -> bool:
        if self.due_s != other.due_s:
            return self.due_s < other.due_s
        return self._sequence < other._sequence

    @property
    def is_armed(self) -> bool:
        return self.action is not None and self.owner.is_open

    def cancel(self) -> None:
        self.action = None


class Scheduler:
    """All timers of a process: one heap a clock, in the order (due, sequence), so that every run has one order."""

    __slots__ = ("_charge", "_roomy", "_sequence", "_wire", "charge_s", "patience_s", "wire_s")

    def __init__(self, patience_s: float = 0.0) -> None:
        """``patience_s``: how late a patient timer may be, so that those of many owners share a wake-up."""
        self.patience_s = patience_s
        self.charge_s = 0.0
        self.wire_s = 0.0
        self._sequence = 0
        self._charge: list[Timer] = []
        self._wire: list[Timer] = []
        self._roomy = FEW
        """A heap that is longer is looked through for timers that will never fire."""

    def arm(self, due_s: float, action: Action, clock: Clock, owner: Timers) -> Timer:
        self._sequence += 1
        timer = Timer(due_s, self._sequence, action, owner)
        heap = self._charge if clock is Clock.CHARGE else self._wire
        heapq.heappush(heap, timer)
        if len(heap) > self._roomy:
            self._sweep()
        return timer

    def _sweep(self) -> None:
        """Drop what was cancelled or whose owner is closed: due in years, it would keep all it knows that long."""
        for heap in (self._charge, self._wire):
            heap[:] = [timer for timer in heap if timer.is_armed]
            heapq.heapify(heap)
        self._roomy = max(FEW, 2 * len(self._charge), 2 * len(self._wire))

    def next_due_s(self, clock: Clock) -> float:
        """When the next timer of a clock is due, in s of that clock; ``inf`` when none is armed."""
        heap = self._charge if clock is Clock.CHARGE else self._wire
        while heap and not heap[0].is_armed:
            heapq.heappop(heap)
        return heap[0].due_s if heap else inf

    def tell(self, charge_s: float, wire_s: float) -> None:
        """Set the time. It never goes back."""
        self.charge_s = max(self.charge_s, charge_s)
        self.wire_s = max(self.wire_s, wire_s)

    def take_due(self) -> Timer | None:
        """Return the next timer that is due and take it off the heap, None when nothing is due.

        The caller runs ``timer.action`` and decides what its failure means to ``timer.owner``.
        """
        for heap, time_s in ((self._charge, self.charge_s), (self._wire, self.wire_s)):
            while heap and heap[0].due_s <= time_s:
                timer = heapq.heappop(heap)
                if timer.is_armed:
                    return timer
        return None

    def run_due(self) -> int:
        """Run everything that is due, in order, and return how many actions ran."""
        ran = 0
        while (timer := self.take_due()) is not None:
            if timer.action is not None:
                timer.action(self.charge_s)
                ran += 1
        return ran

    def __len__(self) -> int:
        return sum(timer.is_armed for heap in (self._charge, self._wire) for timer in heap)


class Timers:
    """One owner's share of a scheduler. Closing it ends every timer of the owner, whoever holds them."""

    __slots__ = ("is_open", "owner", "scheduler")

    def __init__(self, scheduler: Scheduler, owner: object = None) -> None:
        self.scheduler = scheduler
        self.owner = owner
        self.is_open = True

    @property
    def charge_s(self) -> float:
        return self.scheduler.charge_s

    @property
    def wire_s(self) -> float:
        return self.scheduler.wire_s

    def time_s(self, clock: Clock) -> float:
        """What a clock shows, in s."""
        return self.scheduler.charge_s if clock is Clock.CHARGE else self.scheduler.wire_s

    def at(self, due_s: float, action: Action, clock: Clock = Clock.CHARGE, *, is_patient: bool = False) -> Timer:
        """Arm ``action`` for ``due_s`` on a clock. What is due already runs at the next look.

        A patient one may run up to the scheduler's ``patience_s`` later.
        """
        scheduler = self.scheduler
        if is_patient and scheduler.patience_s:
            due_s = ceil(due_s / scheduler.patience_s) * scheduler.patience_s
        return scheduler.arm(due_s, action, clock, self)

    def after_wire(self, delay_s: float, action: Action) -> Timer:
        """Arm ``action`` for ``delay_s`` of wall time from now."""
        return self.at(self.wire_s + delay_s, action, Clock.WIRE)

    def close(self) -> None:
        self.is_open = False


class Alarm:
    """One thing to be done at one moment that moves: at most one heap entry however often it is set or cleared.

    A deadline that is set and cleared with every message would fill the heap with dead timers; this one lets an early
    timer fire and looks whether it still applies.
    """

    __slots__ = ("_action", "_clock", "_is_patient", "_timer", "_timers", "due_s")

    def __init__(
        self, timers: Timers, action: Action, clock: Clock = Clock.CHARGE, *, is_patient: bool = False
    ) -> None:
        self.due_s: float | None = None
        self._timers = timers
        self._action = action
        self._clock = clock
        self._is_patient = is_patient
        self._timer: Timer | None = None

    @property
    def is_set(self) -> bool:
        return self.due_s is not None

    def set(self, due_s: float) -> None:
        """Be due at ``due_s`` of this alarm's clock, instead of whenever it was due before."""
        self.due_s = due_s
        if self._timer is not None:
            if self._timer.due_s <= due_s:
                return
            self._timer.cancel()
        self._timer = self._timers.at(due_s, self._fire, self._clock, is_patient=self._is_patient)

    def set_after(self, delay_s: float) -> None:
        """Be due ``delay_s`` from what the alarm's clock shows now."""
        self.set(self._timers.time_s(self._clock) + delay_s)

    def clear(self) -> None:
        self.due_s = None

    def _fire(self, now_s: float) -> None:
        self._timer = None
        due_s = self.due_s
        if due_s is None:
            return
        if due_s > self._timers.time_s(self._clock):
            self._timer = self._timers.at(due_s, self._fire, self._clock, is_patient=self._is_patient)
            return
        self.due_s = None
        self._action(now_s)


class Appointment:
    """Something that waits for a UTC instant; keeps its meaning when the calendar is set."""

    __slots__ = ("_calendar", "_timer", "action", "due_utc_s")

    def __init__(self, calendar: Calendar, due_utc_s: float, action: Action) -> None:
        self.due_utc_s = due_utc_s
        self.action = action
        self._calendar = calendar
        self._timer = self._arm()

    def _arm(self) -> Timer:
        calendar = self._calendar
        return calendar.timers.at(calendar.charge_s(self.due_utc_s), self._fire)

    def _fire(self, now_s: float) -> None:
        self._calendar.appointments.discard(self)
        self.action(now_s)

    def rearm(self) -> None:
        self._timer.cancel()
        self._timer = self._arm()

    def cancel(self) -> None:
        self._timer.cancel()
        self._calendar.appointments.discard(self)


class Calendar:
    """UTC of one charger: an offset to charge time, set by ``currentTime`` of the central system (OCPP 1.6 4.2, 4.6)."""

    __slots__ = ("appointments", "earliest_utc_s", "is_set", "offset_s", "sets_once", "timers")

    def __init__(
        self, timers: Timers, offset_s: float, *, sets_once: bool = False, earliest_utc_s: float | None = None
    ) -> None:
        """``sets_once``: on a clock that runs ahead of the central system's, only its first word is taken.

        ``earliest_utc_s``: on the real clock, the instant before which the true time cannot be, in UTC s. None: any date
        can be right, as on a clock that is scaled, stepped or replayed.
        """
        self.offset_s = offset_s
        self.sets_once = sets_once
        self.earliest_utc_s = earliest_utc_s
        self.is_set = False
        self.timers = timers
        self.appointments: set[Appointment] = set()

    def utc_s(self, now_s: float) -> float:
        """Seconds since 1970 at charge time ``now_s``."""
        return now_s + self.offset_s

    def charge_s(self, utc_s: float) -> float:
        """The charge time at which this calendar will show ``utc_s``."""
        return utc_s - self.offset_s

    def begin(self, last_utc_s: float, now_s: float) -> float:
        """Begin at the latest of the machine's clock, ``last_utc_s`` and `earliest_utc_s`; return the step in s.

        ``last_utc_s`` is the latest instant that was stored. A clock for which any date can be right stays as it is.
        """
        if self.earliest_utc_s is None:
            return 0.0
        step_s = max(0.0, max(last_utc_s, self.earliest_utc_s) - self.utc_s(now_s))
        self.offset_s += step_s
        return step_s

    def is_possible(self, utc_s: float) -> bool:
        """Whether ``utc_s`` can be the true time."""
        return self.earliest_utc_s is None or utc_s >= self.earliest_utc_s

    def set(self, utc_s: float, now_s: float, tolerance_s: float = 0.0) -> float:
        """Make ``now_s`` mean ``utc_s``, re-arm what waits on the calendar, and return the step in s.

        A step within ``tolerance_s`` is not made, nor any after the first where the calendar sets once.
        """
        step_s = utc_s - self.utc_s(now_s)
        if abs(step_s) <= tolerance_s or (self.is_set and self.sets_once):
            self.is_set = True
            return 0.0
        self.offset_s += step_s
        self.is_set = True
        for appointment in sorted(self.appointments, key=lambda each: each.due_utc_s):
            appointment.rearm()
        return step_s

    def at(self, utc_s: float, action: Action) -> Appointment:
        """Arm ``action`` for a UTC instant; it is told the charge time."""
        appointment = Appointment(self, utc_s, action)
        self.appointments.add(appointment)
        return appointment


EARLIEST_UTC_S = -62_135_596_800.0
"""0001-01-01T00:00:00Z."""
LATEST_UTC_S = 253_402_300_799.999
"""9999-12-31T23:59:59.999Z. No instant outside these two can be written (ISO 8601), so none is kept."""


def utc_text(utc_s: float) -> str:
    """Return an instant as OCPP wants it: ISO 8601, UTC, ``Z``, milliseconds (OCPP-J 1.6, 3.1; OCPP 1.6, 3.15).

    It never raises: sums of instants and durations of a central system may lie after the year 9999, and are shown as
    its end.
    """
    # In this order also for NaN, which compares with nothing: it becomes the earliest.
    millis = round(min(LATEST_UTC_S, utc_s if utc_s > EARLIEST_UTC_S else EARLIEST_UTC_S) * 1000.0)
    seconds, millis = divmod(millis, 1000)
    head = _SECONDS.get(seconds)
    if head is None:
        if len(_SECONDS) >= 64:
            _SECONDS.clear()
        head = _SECONDS[seconds] = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    return f"{head}.{millis:03d}Z"


_SECONDS: dict[int, str] = {}
"""The last seconds written, since thousands of chargers stamp the same one."""


def utc_seconds(text: str, zone_s: float = 0.0) -> float:
    """Return seconds since 1970 of an ISO 8601 date-time; any fraction, any offset.

    One without a zone is of the zone ``zone_s`` east of UTC, by default UTC itself. One that its zone moves out of the
    years 1 to 9999 becomes `EARLIEST_UTC_S` or `LATEST_UTC_S`. Raises ValueError when it is none.
    Source: OCPP 1.6, 3.15 with erratum 3.10.
    """
    body = text.strip()
    # `fromisoformat` reads a date alone, and up to a NUL whatever follows it.
    if ("T" not in body and "t" not in body and " " not in body) or "\0" in body:
        raise ValueError(f"not a date-time: {text!r}")
    moment = datetime.fromisoformat(body)
    utc_s = moment.timestamp() if moment.tzinfo is not None else moment.replace(tzinfo=UTC).timestamp() - zone_s
    return max(EARLIEST_UTC_S, min(LATEST_UTC_S, utc_s))
