"""What a driver may decide at a simulated outlet: how much the car takes, on how many phases, with which cable."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hw.ports import ProximitySeen
from tests.hw.conftest import Bench

BenchWith = Callable[..., Bench]


def test_a_car_takes_no_more_than_its_driver_lets_it(bench: Bench) -> None:
    """It stays in C, whatever is offered above; the meter shows what flows, and without a bound it is as before."""
    bench.plug().offer(16).run(60)
    assert bench.read().current_a == pytest.approx((16, 16, 16), abs=0.1)
    bench.hands.draws(7.5, None, bench.now_s)
    bench.run(60)
    assert bench.volts == 6.0
    assert bench.read().current_a == pytest.approx((7.5, 7.5, 7.5), abs=0.01)
    bench.hands.draws(None, None, bench.now_s)
    bench.run(60)
    assert bench.read().current_a == pytest.approx((16, 16, 16), abs=0.1)


def test_a_car_uses_so_many_phases(bench: Bench) -> None:
    """One third of the power on L1 alone, and the energy of the session counts that phase alone."""
    bench.hands.draws(None, 1, bench.now_s)
    bench.plug().offer(16).run(60)
    before = bench.read()
    assert before.current_a == pytest.approx((16, 0, 0), abs=0.1)
    bench.run(3600)
    gained_wh = bench.read().energy_wh - before.energy_wh
    assert gained_wh == pytest.approx(16 * 230, rel=0.01)
    bench.hands.draws(None, 2, bench.now_s)
    bench.run(60)
    assert bench.read().current_a == pytest.approx((16, 16, 0), abs=0.1)


@pytest.mark.parametrize(("current_a", "phases"), [(0.0, None), (-1.0, None), (17.0, None), (None, 0), (None, 4)])
def test_what_no_car_does_is_refused(bench: Bench, current_a: float | None, phases: int | None) -> None:
    with pytest.raises(ValueError, match="this car"):
        bench.hands.draws(current_a, phases, bench.now_s)


def test_a_weaker_cable_shows_its_resistor_and_bounds_the_car(bench_with: BenchWith) -> None:
    """IEC 61851-1 table B.2: 680 ohm is a cable of 20 A."""
    bench = bench_with("model: bev_1p32, soc: 20%", socket=True)
    bench.hands.takes_cable(20, bench.now_s)
    bench.plug().offer(32).run(60)
    assert bench.all(ProximitySeen)[-1].reading.ohms == 680.0
    assert bench.read().current_a[0] == pytest.approx(20, abs=0.1)


def test_a_cable_that_cannot_be_is_refused(bench: Bench, bench_with: BenchWith) -> None:
    with pytest.raises(ValueError, match="no cable is rated 25 A"):
        bench.hands.takes_cable(25, bench.now_s)
    with pytest.raises(ValueError, match="fixed to the box"):
        bench.hands.takes_cable(13, bench.now_s)
    socket = bench_with(socket=True).plug()
    with pytest.raises(ValueError, match="plugged in"):
        socket.hands.takes_cable(20, socket.now_s)


def test_wishes_outlive_a_restart(bench_with: BenchWith) -> None:
    bench, again = bench_with(socket=True), bench_with(socket=True)
    bench.hands.takes_cable(20, bench.now_s)
    bench.hands.draws(8, 2, bench.now_s)
    bench.plug()
    again.board.restore(bench.board.snapshot(), 0.0)
    again.offer(16).run(60)
    assert again.all(ProximitySeen)[-1].reading.ohms == 680.0
    assert again.read().current_a == pytest.approx((8, 8, 0), abs=0.01)
