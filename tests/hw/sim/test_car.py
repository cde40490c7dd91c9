"""The car: reference results, delays, pauses and bad habits."""

from __future__ import annotations

import pytest

from hw.loader import read_plan
from hw.ports import PilotSeen
from hw.sim.habits import CarState
from tests.hw.conftest import Bench

REFERENCE = [
    # class, P_max kW, h from 20 to 80 %, h to 95 %, h to balancing, h to the end, E_ac kWh
    ("phev_1p16", 3.68, 2.00, 2.51, 3.00, 3.25, 9.83),
    ("phev_1p32", 7.36, 1.61, 2.02, 2.44, 2.69, 15.86),
    ("bev_1p32", 7.36, 3.50, 4.38, 5.07, 5.40, 34.45),
    ("bev_2p16", 7.36, 3.31, 4.13, 4.78, 5.11, 32.51),
    ("bev_3p16_mid", 11.04, 3.43, 4.29, 4.91, 5.41, 50.66),
    ("bev_3p16_large", 11.04, 5.64, 7.05, 7.90, 8.40, 83.14),
    ("bev_3p32_22", 22.08, 2.50, 3.13, 3.71, 4.21, 73.85),
    ("bev_3p32_cham", 22.08, 1.21, 1.58, 2.27, 2.77, 35.83),
]


def hours_to(bench, soc):
    """Run in steps of 20 s until the car has ``soc`` and return the hours since the start."""
    while bench.car.soc < soc:
        bench.run(20)
        assert bench.now_s < 100 * 3600, f"stuck at {bench.car.soc} in {bench.car.state}"
    return bench.now_s / 3600


@pytest.mark.parametrize(("model", "power_kw", "to_80", "to_95", "to_balancing", "to_end", "energy_kwh"), REFERENCE)
def test_reference_results_hold(bench_with, model, power_kw, to_80, to_95, to_balancing, to_end, energy_kwh):
    """EV model, section 6: this model, 230 V, no sag, eta_b = 1, 32 A three-phase, 20 % start (+-2 %)."""
    bench = bench_with(f"model: {model}, soc: 20%, battery_efficiency: 100%").plug().offer(32)
    bench.run(120)
    assert bench.read().total_power_w == pytest.approx(1000 * power_kw, rel=0.001)
    assert hours_to(bench, 0.80) == pytest.approx(to_80, rel=0.02)
    assert hours_to(bench, 0.95) == pytest.approx(to_95, rel=0.02)
    bench.until(lambda bench: bench.car.state is CarState.BALANCING)
    assert bench.now_s / 3600 == pytest.approx(to_balancing, rel=0.02)
    bench.until(lambda bench: bench.car.state is CarState.FULL)
    assert bench.now_s / 3600 == pytest.approx(to_end, rel=0.02)
    assert bench.read().energy_wh == pytest.approx(1000 * energy_kwh, rel=0.02)


@pytest.mark.parametrize(
    ("model", "phases", "offer_a", "to_80", "to_end"),
    [("bev_3p16_mid", 3, 6, 9.38, 13.20), ("bev_3p16_mid", 1, 16, 10.62, 15.32), ("bev_3p32_22", 3, 16, 5.04, None)],
)
def test_reference_results_hold_for_less_current_and_fewer_phases(bench_with, model, phases, offer_a, to_80, to_end):
    """EV model, section 6: 6 A x 3 and 16 A x 1 for bev_3p16_mid; bev_3p32_22 limited to 16 A x 3."""
    bench = bench_with(f"model: {model}, soc: 20%, battery_efficiency: 100%", phases=phases).plug().offer(offer_a)
    assert hours_to(bench, 0.80) == pytest.approx(to_80, rel=0.02)
    if to_end is not None:
        bench.until(lambda bench: bench.car.state is CarState.FULL)
        assert bench.now_s / 3600 == pytest.approx(to_end, rel=0.02)


def test_full_car_opens_s2(bench_with):
    """FULL => B (EV model, section 8)."""
    bench = bench_with("soc: 99%").plug().offer(16).until(lambda bench: bench.car.state is CarState.FULL)
    assert bench.volts == 9.0


def test_car_stops_at_its_target(bench_with):
    """Target SoC (user limit 80 %) is an option of the car (EV model, section 2)."""
    bench = bench_with("soc: 79%, target_soc: 80%").plug().offer(16)
    bench.until(lambda bench: bench.car.state is CarState.FULL)
    assert bench.car.soc == pytest.approx(0.80, abs=1e-4)


def test_car_opens_s2_within_3_s_of_the_pwm_stopping(bench):
    """x1 during charge: ramp down in t_off, open S2 within 3 s (EV model, section 2)."""
    bench.plug().offer(16).run(60)
    assert bench.volts == 6.0
    bench.offer(0).run(3)
    assert bench.volts == 9.0


def test_driver_pauses_and_resumes(bench):
    """The driver's pause opens S2, so the pilot goes to B (hw.ports.Hands)."""
    bench.plug().offer(16).run(60)
    bench.hands.wants_energy(False, bench.now_s)
    bench.run(10)
    assert (bench.volts, bench.read().total_power_w) == (9.0, 0.0)
    bench.hands.wants_energy(True, bench.now_s)
    bench.run(60)
    assert bench.read().total_power_w == pytest.approx(11040)


def test_car_without_mains_tries_three_times_and_sleeps(bench_with):
    """Volts absent > 10 s in C: back to B, retry after 10 s (x3, then ASLEEP) (EV model, section 2)."""
    bench = bench_with(follows=False).plug().offer(16).run(300)
    assert bench.car.state is CarState.ASLEEP
    assert [seen.reading.volts for seen in bench.all(PilotSeen)].count(6.0) == 3


def test_car_asleep_ignores_pwm_until_the_pilot_was_gone_for_4_s(bench_with):
    """In B1 longer than t_sleep: ASLEEP, ignores PWM until a CP toggle >= t_wake (EV model, section 2)."""
    bench = bench_with("model: bev_3p16_mid").plug().run(31 * 60)
    assert bench.car.state is CarState.ASLEEP
    bench.offer(16).run(60)
    assert bench.volts == 9.0
    bench.duty(0).run(2).offer(16).run(60)
    assert bench.volts == 9.0
    bench.duty(0).run(4).offer(16).run(60)
    assert bench.volts == 6.0


@pytest.mark.parametrize(
    ("quirk", "volts_before", "volts_after"),
    [
        ("holds_c", 6.0, 6.0),
        ("simplified", 6.0, 6.0),
        ("state_d", 3.0, 9.0),
        ("never_c", 9.0, 9.0),
        ("late_c", 9.0, 9.0),
        ("c_when_full", 6.0, 9.0),
    ],
)
def test_quirk_shows_on_the_pilot(bench_with, quirk, volts_before, volts_after):
    """Volts a minute after PWM, and 5 s after it stopped, by flag (EV model, section 5)."""
    bench = bench_with(f"soc: 20%, quirks: [{quirk}]", follows=False).plug().offer(16).run(1)
    bench.close().run(59)
    assert bench.volts == volts_before
    bench.offer(0).run(5)
    assert bench.volts == volts_after


def test_late_car_asks_90_s_after_the_pwm(bench_with):
    """late_c: C 90 s after PWM (EV model, section 5)."""
    bench = bench_with("quirks: [late_c]").plug().offer(16).run(89)
    assert bench.volts == 9.0
    assert bench.run(2).volts == 6.0


def test_overdrawing_car_takes_a_fifth_more(bench_with):
    """overdraw (+20 %) (EV model, section 5)."""
    bench = bench_with("quirks: [overdraw]").plug().offer(10).run(60)
    assert bench.read().current_a[0] == pytest.approx(12.0)


def test_car_that_locks_up_after_f_needs_unplugging(bench_with):
    """f_locks_up cars stay dead until unplug (EV model, section 2)."""
    bench = bench_with("quirks: [f_locks_up]").plug().offer(16).run(60).duty(0).run(5).offer(16).run(60)
    assert bench.car.state is CarState.DEAD
    bench.hands.unplug(bench.now_s)
    assert bench.plug().run(60).volts == 6.0


def test_full_car_that_holds_c_draws_nothing(bench_with):
    """c_when_full: stays C at 0 A (EV model, section 5)."""
    bench = bench_with("soc: 99%, quirks: [c_when_full]").plug().offer(16)
    bench.until(lambda bench: bench.car.state is CarState.FULL)
    assert (bench.volts, bench.read().total_power_w) == (6.0, 0.0)


def test_full_car_asks_again(bench_with):
    """Re-request every t_top: C for 5 to 30 min (EV model, section 2)."""
    bench = bench_with("soc: 99%, top_up: 6 h").plug().offer(16)
    bench.until(lambda bench: bench.car.state is CarState.FULL).run(6 * 3600 + 60)
    assert bench.car.state is CarState.BALANCING
    assert bench.run(11 * 60).volts == 9.0


def test_cable_bounds_the_current(bench_with):
    """I_t = min(I_allow, I_pp, I_car_max, I_req) (EV model, section 3)."""
    bench = bench_with("model: bev_3p32_22, cable_a: 20", socket=True).plug().offer(32).run(60)
    assert bench.read().current_a == pytest.approx((20.0, 20.0, 20.0))


@pytest.mark.parametrize(("phases", "refused_a", "accepted_a"), [(1, 7.5, 8.0), (3, 12.5, 13.0)])
def test_a_chameleon_needs_more_on_three_phases(bench_with, phases, refused_a, accepted_a):
    """Makers: 8 A on one phase, 13 A on three; how many there are it learns with the first voltage."""
    bench = bench_with("model: bev_3p32_cham", phases=phases).plug().offer(refused_a).run(120)
    assert bench.read().total_power_w == 0.0
    assert bench.offer(accepted_a).run(120).read().total_power_w > 1000.0


@pytest.mark.parametrize("volts", [100.0, 120.0, 240.0])
def test_a_car_charges_at_any_voltage_of_the_world(tmp_path, volts):
    """J1772 level 1 is 120 V: on-board chargers take 100 to 240 V."""
    path = tmp_path / "world.yaml"
    path.write_text(
        f"""connectors:
  - rated: {{current_a: 16, phases: 1, voltage_v: {volts}}}
    cable: {{kind: tethered, rating_a: 16}}
    pilot: {{driver: sim.pilot}}
    relay: {{driver: sim.relay}}
    meter: {{driver: sim.meter}}
    car: {{driver: sim.car, model: bev_1p32}}
"""
    )
    assert Bench(read_plan(path)).plug().offer(12).run(60).read().total_power_w == pytest.approx(12 * volts, rel=0.01)


def test_a_slow_car_follows_each_duty_in_its_turn(bench_with):
    """A new duty takes effect 4.9 s after it came, whatever comes meanwhile."""
    bench = bench_with("model: bev_3p32_22, quirks: [slow_follow]").plug().offer(32).run(60)
    for offer_a in (28, 24, 20, 16, 12):
        bench.offer(offer_a).run(3)
    assert bench.car.current_at(bench.now_s) == pytest.approx(16.0, abs=0.1), "12 A came 3 s ago, 16 A 6 s ago"
    assert bench.run(3).car.current_at(bench.now_s) == pytest.approx(12.0, abs=0.1)


def away(bench, seconds):
    """Unplug the car and plug it in again so much later."""
    bench.hands.unplug(bench.now_s)
    bench.run(seconds).plug()


def test_a_car_that_drives_comes_back_with_less_and_never_empty(bench_with):
    """`drives: 20-60 %/day`: a new share each time it leaves, and a driver charges before the battery is empty."""
    bench = bench_with("soc: 90%, drives: 20-60 %/day").plug()
    used = []
    for _ in range(3):
        before = bench.car.soc
        away(bench, 12 * 3600)
        used.append(2.0 * (before - bench.car.soc))
    assert all(0.2 <= each <= 0.6 for each in used)
    assert len(set(used)) == 3
    away(bench, 30 * 86_400)
    assert bench.car.soc == pytest.approx(0.05)


def test_a_drive_goes_on_over_a_restart_of_the_simulation(bench_with):
    """What is drawn, and the times of departure and arrival, outlast it: the same drives with it and without."""
    cars = "soc: 90%, drives: 20-60 %/day"
    through, restarted = bench_with(cars).plug(), bench_with(cars).plug()
    for bench in (through, restarted):
        bench.hands.unplug(bench.now_s)
        bench.run(6 * 3600)
    circuit = restarted.board.processes[0]
    saved = circuit.snapshot()
    other = bench_with(cars)
    other.run(100)
    other.board.processes[0].restore(saved, other.now_s)
    for _ in range(2):
        for bench in (through, other):
            bench.run(3 * 3600).plug()
        assert other.car.soc == pytest.approx(through.car.soc)
        for bench in (through, other):
            bench.hands.unplug(bench.now_s)
