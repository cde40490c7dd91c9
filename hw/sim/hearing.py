"""What a car makes of the pilot: a duty counts some time after it came, and a pilot that was gone for long wakes a car."""

from __future__ import annotations

from math import inf

from hw.ports import PILOT_OFF, PILOT_STEADY
from hw.sim.pilot import allowed_current_a

LOST_PILOT_S = 0.3
"""A pilot gone for less is not noticed; IEC 61851-1 practice: an F pulse is at least 300 ms."""
MOST_SIGNALS = 16
"""Changes of the duty that a car has seen and not understood yet; a pilot that changes faster loses the oldest."""


class Hearing:
    """The pilot at one inlet, as it is and as the car has understood it; duties are in %, None is no pilot at all."""

    __slots__ = ("_lost_s", "_seen_percent", "_signals", "has_pulsed", "percent")

    def __init__(self) -> None:
        self._seen_percent: float | None = None
        self._lost_s = inf  # since when the pilot is gone
        self._signals: tuple[tuple[float, float | None], ...] = ()
        """What the car has not understood yet: when it will have, and the duty, oldest first. Never changed in place."""
        self.percent: float | None = None
        """What the car has understood."""
        self.has_pulsed = False
        """The pilot was gone long enough to wake the car, and came back."""

    @property
    def due_s(self) -> float:
        """When the car understands the next duty, in s."""
        return self._signals[0][0] if self._signals else inf

    @property
    def loses_pilot(self) -> bool:
        """Whether what it understands next is that the pilot is gone."""
        return bool(self._signals) and is_lost(self._signals[0][1])

    @property
    def is_lost(self) -> bool:
        """Whether the car knows of no pilot to follow."""
        return is_lost(self.percent)

    @property
    def is_steady(self) -> bool:
        """Whether the charger is not ready to supply energy (x1)."""
        return self.percent == PILOT_STEADY

    @property
    def is_state_f(self) -> bool:
        return self.percent == PILOT_OFF

    @property
    def offered_a(self) -> float:
        """The current in A of each phase that the pilot offers."""
        return 0.0 if self.percent is None else allowed_current_a(self.percent)

    def see(self, duty_percent: float | None, now_s: float, *, follow_s: float, wake_pulse_s: float) -> None:
        """The pilot changed: it counts ``follow_s`` later, and sooner if it is gone."""
        if duty_percent == self._seen_percent:
            return
        was_gone, is_gone = is_lost(self._seen_percent), is_lost(duty_percent)
        if is_gone and not was_gone:
            self._lost_s = now_s
        elif was_gone and not is_gone:
            self.has_pulsed = self.has_pulsed or now_s - self._lost_s >= wake_pulse_s
        self._seen_percent = duty_percent
        if is_gone:
            self._signals = ((now_s + LOST_PILOT_S, duty_percent),)  # a pilot that is gone overrules what it said
        else:
            waiting = tuple(each for each in self._signals if not is_lost(each[1]))
            self._signals = (*waiting[-MOST_SIGNALS:], (now_s + follow_s, duty_percent))

    def understand(self) -> None:
        """The next duty counts from now on."""
        (_, self.percent), *waiting = self._signals
        self._signals = tuple(waiting)

    def forget(self) -> None:
        """The plug is out."""
        self._seen_percent = self.percent = None
        self._lost_s = inf
        self._signals = ()
        self.has_pulsed = False


def is_lost(duty_percent: float | None) -> bool:
    """Whether there is no pilot to follow: none at all, or steady -12 V (state F)."""
    return duty_percent is None or duty_percent == PILOT_OFF
