"""The board is warm by the square of the current, with inertia."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hw.ports import MeterSeen
from hw.sim.thermal import BoardTemperature


def test_a_board_warms_up_by_63_percent_in_15_minutes() -> None:
    """25 C and 15 K more at the rated current, time constant 15 min."""
    board = BoardTemperature()
    board.load(1.0, 0.0)
    assert board.at(0.0) == 25.0
    assert board.at(900.0) == pytest.approx(25.0 + 15.0 * 0.632, abs=0.01)
    board.load(0.5, 900.0)
    assert board.at(900.0) == pytest.approx(34.48, abs=0.01)
    assert board.at(100_000.0) == pytest.approx(25.0 + 15.0 * 0.25)


def test_the_next_degree_is_known_in_advance() -> None:
    """A warm board is reported each degree, and nothing is polled for it."""
    board = BoardTemperature()
    board.hold(85.0, 0.0)
    board.hold(None, 10.0)
    seen, now_s = [], 10.0
    while (now_s := board.crosses_s(now_s, 60.0)) < float("inf"):
        seen.append(round(board.at(now_s), 6))
    assert seen == pytest.approx([float(each) for each in range(84, 58, -1)][: len(seen)], abs=0.05)
    assert 59.0 <= seen[-1] <= 60.0


def test_a_hot_board_cools_down_slowly_and_is_reported(bench_with):
    """Mended, it is no colder at once."""
    bench = bench_with()
    bench.outlet.meter.watch(True, bench.now_s)
    bench.cause("over_temperature").run(60).cause("over_temperature", False)
    assert bench.read().board_c == pytest.approx(85.0, abs=0.1)
    bench.run(600)
    assert bench.read().board_c == pytest.approx(25.0 + 60.0 * 0.513, abs=0.5)
    reported = [seen.reading.board_c for seen in bench.all(MeterSeen)]
    assert max(before - after for before, after in pairwise(reported[2:])) <= 1.01
