"""What cars do and how long they take for it: states, delays and the options of one car (EV model, section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from hw.sim.cars import CarClass, Quirk

FOLLOW_S = 0.5
"""A new duty is averaged over some periods before it counts; EV model: 0.2 to 1 s."""
SLOW_FOLLOW_S = 4.9
LATE_C_S = 90.0
RAMP_OFF_S = 1.5
"""From full current to 0 when the PWM stops; S2 opens at its end, within the 3 s of IEC 61851-1."""
HOLD_S2_S = 1.0
"""S2 stays closed this long after the mains vanished."""
NO_MAINS_S = 10.0
"""In C without mains: back to B, and this long a pause before the next try."""
NO_MAINS_TRIES = 3
SIMPLIFIED_A = 10.0
OVERDRAW = 1.2
READY_JITTER = 0.2
LONG_WAKE_S = 30.0
TOP_UP_S = 600.0
SHOWN_ABOVE_SOC = 0.004


class CarState(StrEnum):
    """What the car is doing; ``STOPPING`` ends with S2 opening."""

    UNPLUGGED = "unplugged"
    ASLEEP = "asleep"
    WAIT = "wait"
    READY = "ready"
    PRECHARGE = "precharge"
    CHARGING = "charging"
    BALANCING = "balancing"
    STOPPING = "stopping"
    FULL = "full"
    DEAD = "dead"


S2_CLOSED = frozenset(
    (CarState.READY, CarState.PRECHARGE, CarState.CHARGING, CarState.BALANCING, CarState.STOPPING),
)
"""States in which the car asks for energy on the pilot: C, or D."""

DRAWING = frozenset((CarState.PRECHARGE, CarState.CHARGING, CarState.BALANCING))
"""States with S2 closed in which the car draws, or is about to; they end through ``STOPPING``, or with the pilot."""

LASTING = frozenset((CarState.ASLEEP, CarState.FULL, CarState.DEAD))
"""States that a lost pilot or a restart does not end."""


@dataclass(frozen=True, slots=True)
class CarOptions:
    """One car as it arrives. Shares are 0..1; ``top_up_s`` is how long a full car waits before it asks again.

    ``drives_per_day``: the share of the battery that it uses up in a day, from one arrival to the next, least and most; a
    new one is drawn each time it leaves. None: it comes back as it left.
    """

    kind: CarClass
    soc: float = 0.2
    target_soc: float = 1.0
    battery_efficiency: float = 0.985
    top_up_s: float = inf
    drives_per_day: tuple[float, float] | None = None
    quirks: frozenset[Quirk] = field(default_factory=frozenset)
