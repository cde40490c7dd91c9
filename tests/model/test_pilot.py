"""The control pilot of IEC 61851-1, by its tables (hardware/iec61851.md 1 to 3)."""

from __future__ import annotations

import pytest

from chargepoint.model.machine import Table
from chargepoint.model.pilot import (
    CAR_EVENTS,
    PILOT_TABLE,
    Pilot,
    cable_rating_for_ohms,
    current_for_duty,
    delay_s,
    duty_for_current,
    state_for_volts,
    state_seen,
)
from hw.ports import PILOT_STEADY, PilotReading, PilotState


@pytest.mark.parametrize(
    ("low", "nominal", "high", "state"),
    [(11, 12, 13, "A"), (8, 9, 10, "B"), (5, 6, 7, "C"), (2, 3, 4, "D"), (-1, 0, 1.9, "E"), (-13, -12, -11, "F")],
)
def test_each_window_of_the_positive_plateau_is_a_state(low: float, nominal: float, high: float, state: str) -> None:
    """Accept windows of section 1."""
    assert [state_for_volts(volts) for volts in (low, nominal, high)] == [PilotState(state)] * 3


@pytest.mark.parametrize("volts", [10.5, 7.5, 4.5, -5.0, 14.0, -14.0])
def test_between_the_windows_there_is_no_state(volts: float) -> None:
    """ "Between the windows the state is undefined: keep the previous state until a valid window is seen"."""
    assert state_for_volts(volts) is None


@pytest.mark.parametrize(
    ("amps", "percent"),
    [
        (6, 10.0), (10, 16.67), (13, 21.67), (16, 26.67), (20, 33.33), (25, 41.67), (32, 53.33), (48, 80.0),
        (51, 85.0), (51.5, 85.0), (52.5, 85.0), (63, 89.2), (70, 92.0), (80, 96.0),
    ],
)  # fmt: skip
def test_amps_become_a_duty_cycle(amps: float, percent: float) -> None:
    """I / 0.6 up to 51 A, I / 2.5 + 64 above; "clamp 51 < I < 52.5 to 51 A" (section 2)."""
    assert duty_for_current(amps) == pytest.approx(percent, abs=0.005)


@pytest.mark.parametrize("amps", [0.0, 1.0, 5.99])
def test_there_is_no_way_to_offer_less_than_six_amps(amps: float) -> None:
    """Below 6 A "no PWM: steady +12 V (100 %)"."""
    assert duty_for_current(amps) == PILOT_STEADY


def test_more_than_the_pilot_can_tell_is_cut() -> None:
    """The table ends at 80 A, 96 %."""
    assert duty_for_current(125.0) == 96.0


@pytest.mark.parametrize(
    ("percent", "amps"),
    [
        (0, 0), (2.9, 0), (5, 0), (7.5, 0), (8, 6), (9.9, 6), (10, 6), (50, 30), (85, 51), (90, 65), (96, 80),
        (96.5, 80), (97, 80), (97.1, 0), (100, 0),
    ],
)  # fmt: skip
def test_a_car_reads_the_duty_cycle(percent: float, amps: float) -> None:
    """Section 2, EV side."""
    assert current_for_duty(percent) == pytest.approx(amps)


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_a_duty_outside_0_to_100_is_refused(percent: float) -> None:
    """Raises ValueError outside 0..100 %."""
    with pytest.raises(ValueError, match="duty"):
        current_for_duty(percent)


def test_what_a_car_reads_is_never_more_than_was_meant() -> None:
    """ "Round down when converting": duty ≤ the limit, whatever the limit."""
    for amps in (tenths / 10 for tenths in range(60, 801)):
        assert amps - 1.5 - 1e-9 <= current_for_duty(duty_for_current(amps)) <= amps + 1e-9


@pytest.mark.parametrize(
    ("ohms", "rating_a"),
    [
        (1500, 13), (680, 20), (220, 32), (100, 63), (2460, 13), (936, 13), (935, 20), (308, 20), (307, 32),
        (140, 32), (139, 63), (59, 0), (0, 0), (4500, 13), (4501, None), (1e9, None),
    ],
)  # fmt: skip
def test_a_plug_tells_what_its_cable_bears(ohms: float, rating_a: float) -> None:
    """Section 4: nominal values, "in the gaps take the lower rating", < 60 Ω short, > 4500 Ω no plug."""
    assert cable_rating_for_ohms(ohms) == rating_a


@pytest.mark.parametrize("before", list(PilotState))
@pytest.mark.parametrize("after", [PilotState.A, PilotState.B, PilotState.E])
def test_leaving_c_is_seen_in_time(before: PilotState, after: PilotState) -> None:
    """ "Report A after ≤ 50 ms, C→B after ≤ 50 ms (budget 100 ms)"; a plug on its way in may take longer."""
    limit_s = 0.5 if (before, after) == (PilotState.A, PilotState.B) else 0.05
    assert 0.0 < delay_s(before, after) <= limit_s


@pytest.mark.parametrize("before", [PilotState.A, PilotState.B])
def test_a_request_is_believed_slowly(before: PilotState) -> None:
    """ "B→C after 100–500 ms"."""
    assert 0.1 <= delay_s(before, PilotState.C) <= 0.5


@pytest.mark.parametrize(
    ("reading", "seen"),
    [
        (PilotReading(0.0, volts=9.0), PilotState.B),
        (PilotReading(0.0, state=PilotState.C), PilotState.C),
        (PilotReading(0.0, volts=12.0, state=PilotState.C), PilotState.C),
        (PilotReading(0.0, volts=7.5), None),
        (PilotReading(0.0, volts=-12.0), PilotState.E),
        (PilotReading(0.0, state=PilotState.F), PilotState.E),
        (PilotReading(0.0), None),
    ],
)
def test_a_reading_shows_a_state_or_none(reading: PilotReading, seen: PilotState | None) -> None:
    """A controller's word counts before volts; our own −12 V says nothing of the car."""
    assert state_seen(reading) is seen


class _Pair:
    def __init__(self, state: str) -> None:
        self.state = state


def _show(pair: _Pair, car: PilotState, table: Table = PILOT_TABLE) -> str:
    for event in CAR_EVENTS[car]:
        if table.fire(pair, event):
            break
    return pair.state


@pytest.mark.parametrize("start", list(Pilot))
@pytest.mark.parametrize("car", [PilotState.A, PilotState.B, PilotState.C, PilotState.D, PilotState.E])
def test_from_every_pair_the_table_follows_the_car(start: Pilot, car: PilotState) -> None:
    """Index 1 or 2 stays while the car stays connected; only an offer makes it 2 (section 5)."""
    is_offering = start in (Pilot.B2, Pilot.C2)
    index = "2" if is_offering else "1"
    expected = {"A": "A", "B": f"B{index}", "C": f"C{index}", "D": f"C{index}", "E": "E"}[car.value]
    assert _show(_Pair(start.value), car) == expected


@pytest.mark.parametrize(
    ("event", "moves"),
    [("offer", {"B1": "B2", "C1": "C2"}), ("withdraw", {"B2": "B1", "C2": "C1"})],
)
def test_an_offer_changes_the_index_and_nothing_else(event: str, moves: dict[str, str]) -> None:
    """x1: EVSE not ready, x2: EVSE ready; in A and E there is nobody to offer to."""
    for start in Pilot:
        pair = _Pair(start.value)
        PILOT_TABLE.fire(pair, event)
        assert pair.state == moves.get(start.value, start.value)
