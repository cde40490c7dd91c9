"""The control pilot of IEC 61851-1: volts to state, amps to duty and back, debounce, and the table of x1 and x2.

The car says A (absent), B (connected), C (wants energy), D (wants energy and ventilation) or E (short circuit) by the
voltage; we say x1 (steady +12 V: not ready) or x2 (PWM: ready, and how much). The table below knows the pairs.
"""

from __future__ import annotations

from enum import StrEnum

from hw.ports import PILOT_STEADY, PilotReading, PilotState

from .machine import Table

MINIMUM_A = 6.0
"""The least a pilot can offer in A; below it there is only "not ready" (IEC 61851-1 annex A)."""

_BANDS = (  # accept windows in V; between them the state is undefined and the last one stands
    (11.0, 13.0, PilotState.A),
    (8.0, 10.0, PilotState.B),
    (5.0, 7.0, PilotState.C),
    (2.0, 4.0, PilotState.D),
    (-1.0, 1.99, PilotState.E),
    (-13.0, -11.0, PilotState.F),
)


def state_for_volts(volts: float) -> PilotState | None:
    """Return the state of a positive plateau in V, None between the windows (IEC 61851-1 annex A)."""
    for low, high, state in _BANDS:
        if low <= volts <= high:
            return state
    return None


def duty_for_current(current_a: float) -> float:
    """Return the duty in % that offers ``current_a``; `PILOT_STEADY` below 6 A, 96 % above 80 A.

    Between 51 and 52.5 A both formulae of IEC 61851-1 annex A meet at 85 %.
    """
    if current_a < MINIMUM_A:
        return PILOT_STEADY
    if current_a <= 52.5:
        return min(current_a, 51.0) / 0.6
    return min(current_a, 80.0) / 2.5 + 64.0


def current_for_duty(duty_percent: float) -> float:
    """Return the current in A that a car may draw at a duty in %, 0.0 where no AC charging is defined.

    Raises ValueError outside 0..100 %. Source: IEC 61851-1 annex A, car side.
    """
    if not 0.0 <= duty_percent <= 100.0:
        raise ValueError(f"duty must be 0..100 %, got {duty_percent}")
    if duty_percent < 8.0 or duty_percent > 97.0:
        return 0.0
    if duty_percent < 10.0:
        return 6.0
    if duty_percent <= 85.0:
        return duty_percent * 0.6
    return 80.0 if duty_percent > 96.0 else (duty_percent - 64.0) * 2.5


_RATINGS = ((60.0, 0.0), (140.0, 63.0), (308.0, 32.0), (936.0, 20.0), (2460.0, 13.0))


def cable_rating_for_ohms(ohms: float) -> float | None:
    """Return what a plug's coding resistor in Ω allows in A, 0.0 for a short circuit, None for no plug.

    In the gaps between the standard's ranges the lower rating holds (IEC 61851-1 annex B, contiguous thresholds).
    """
    for limit, rating_a in _RATINGS:
        if ohms < limit:
            return rating_a
    return 13.0 if ohms <= 4500.0 else None


# --- debounce ---------------------------------------------------------------------------------------------------------

_DELAYS_S = {PilotState.A: 0.025, PilotState.B: 0.025, PilotState.C: 0.2, PilotState.D: 0.2, PilotState.E: 0.025}
"""How long a state must stand before it counts, in s. Away from C and D stays far inside the 100 ms in which the
contactor must open; towards them there is time, up to 3 s."""


def delay_s(before: PilotState, after: PilotState) -> float:
    """Return how long ``after`` must stand before it counts, in s."""
    if after is PilotState.B and before is PilotState.A:
        return 0.2  # a plug on its way in bounces
    return _DELAYS_S.get(after, 0.025)


def state_seen(reading: PilotReading) -> PilotState | None:
    """Return the state a reading shows, None between the windows.

    F counts as E: we never drive −12 V, so whoever does says that this outlet is dead.
    """
    state = reading.state
    if state is None and reading.volts is not None:
        state = state_for_volts(reading.volts)
    return PilotState.E if state is PilotState.F else state


# --- the pairs --------------------------------------------------------------------------------------------------------


class Pilot(StrEnum):
    """What both sides say: the car's state, and 1 (we are not ready) or 2 (we offer)."""

    A = "A"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"
    E = "E"


_CONNECTED = (Pilot.B1, Pilot.B2, Pilot.C1, Pilot.C2)

PILOT_TABLE = Table(
    Pilot,
    [
        # what the car does
        ("connects", [Pilot.A, Pilot.E], Pilot.B1),
        ("requests", [Pilot.A, Pilot.B1, Pilot.E], Pilot.C1),
        ("requests", [Pilot.B2], Pilot.C2),
        ("releases", [Pilot.C1], Pilot.B1),
        ("releases", [Pilot.C2], Pilot.B2),
        ("leaves", [*_CONNECTED, Pilot.E], Pilot.A),
        ("shorts", [Pilot.A, *_CONNECTED], Pilot.E),
        # what we do
        ("offer", [Pilot.B1], Pilot.B2),
        ("offer", [Pilot.C1], Pilot.C2),
        ("withdraw", [Pilot.B2], Pilot.B1),
        ("withdraw", [Pilot.C2], Pilot.C1),
    ],
)

CAR_EVENTS = {
    PilotState.A: ("leaves",),
    PilotState.B: ("connects", "releases"),
    PilotState.C: ("requests",),
    PilotState.D: ("requests",),
    PilotState.E: ("shorts",),
}
"""The events that may bring the table to a state the car shows; one of them is a move, or none."""
