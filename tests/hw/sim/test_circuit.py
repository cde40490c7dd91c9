"""The circuit of an outlet: what the box sees and when, the contactor, the lock, the meter, and a restart."""

from __future__ import annotations

import json

import pytest

from hw.loader import plan_board
from hw.ports import LockSeen, MeterRead, PilotSeen, ProximitySeen, RelaySeen
from hw.sim.onboard import Supply
from hw.sim.register import Register


def test_nothing_is_reported_before_the_first_advance(plan_with):
    """A command counts as done when an observation says so, later (hw.ports)."""
    seen = []
    board = plan_with().build(seen.append)
    board.outlet(1).hands.plug_in(0.0)
    board.outlet(1).pilot.set_duty(50.0, 0.0)
    assert seen == []
    board.advance(0.0)
    assert [type(observation) for observation in seen] == [PilotSeen, RelaySeen, PilotSeen]


def test_box_knows_its_state_at_boot(bench_with):
    """Pilot, contactor, proximity and lock report once at the start, so that the model knows where it stands."""
    bench = bench_with(socket=True)
    assert [type(seen) for seen in bench.seen] == [ProximitySeen, PilotSeen, RelaySeen, LockSeen]
    assert (bench.volts, bench.all(RelaySeen)[0].closed, bench.all(LockSeen)[0].locked) == (12.0, False, False)
    assert bench.all(ProximitySeen)[0].reading.ohms is None


@pytest.mark.parametrize(("cable_a", "ohms"), [(13, 1500), (20, 680), (32, 220), (63, 100)])
def test_plug_tells_the_rating_of_its_cable(bench_with, cable_a, ohms):
    """1500 ohm 13 A, 680 ohm 20 A, 220 ohm 32 A, 100 ohm 63 A (IEC 61851-1:2017 table B.2)."""
    bench = bench_with(f"cable_a: {cable_a}", socket=True).plug()
    assert bench.all(ProximitySeen)[-1].reading.ohms == ohms
    bench.hands.unplug(bench.now_s)
    bench.run(0)
    assert bench.all(ProximitySeen)[-1].reading.ohms is None


def test_tethered_cable_has_no_proximity(bench):
    """Proximity is a socket's; a tethered cable's rating is configured."""
    assert bench.plug().all(ProximitySeen) == []


def test_contactor_reports_when_its_contacts_arrive(bench):
    """Feedback decides what is true: it comes 20 ms after the coil, and as long after it was let go."""
    bench.follows = False
    bench.close()
    assert not bench.all(RelaySeen)[-1].closed
    assert bench.run(0.02).all(RelaySeen)[-1].closed
    bench.close(False).run(0.019)
    assert bench.all(RelaySeen)[-1].closed
    assert not bench.run(0.001).all(RelaySeen)[-1].closed


@pytest.mark.parametrize(
    ("plugged", "cause", "locked", "jammed"),
    [
        (True, None, True, False),
        (False, None, False, True),
        (True, "lock_jammed", False, True),
        (True, "half_plugged", False, True),
    ],
)
def test_lock_reports_when_its_motor_stopped(bench_with, plugged, cause, locked, jammed):
    """Motor 0.3 s; the bolt needs a plug that is all the way in (IEC 61851-1, socket lock)."""
    bench = bench_with(socket=True)
    if plugged:
        bench.plug()
    if cause is not None:
        bench.cause(cause)
    bench.outlet.lock.set_locked(True, bench.now_s)
    bench.run(0.29)
    assert len(bench.all(LockSeen)) == 1
    bench.run(0.02)
    assert bench.all(LockSeen)[-1] == LockSeen(1, locked, jammed)


def locked_and_unplugged(bench_with):
    bench = bench_with(socket=True).plug()
    bench.outlet.lock.set_locked(True, bench.now_s)
    bench.run(1)
    bench.hands.unplug(bench.now_s)
    return bench.run(60)


def test_the_plug_comes_out_as_soon_as_the_lock_opens(bench_with):
    """The end in a locked socket comes out as soon as the lock opens (hw.ports.Hands.unplug)."""
    bench = locked_and_unplugged(bench_with)
    before = (bench.hands.is_pulling, bench.all(ProximitySeen)[-1].reading.ohms)
    bench.outlet.lock.set_locked(False, bench.now_s)
    bench.run(0.31)
    assert (before, bench.hands.is_pulling, bench.all(ProximitySeen)[-1].reading.ohms) == ((True, 220.0), False, None)


def test_nobody_pulls_any_more_at_a_cable_that_was_plugged_in_again(bench_with):
    """Who plugs in wants to charge: the lock that opens later lets go of nothing."""
    bench = locked_and_unplugged(bench_with).plug()
    bench.outlet.lock.set_locked(False, bench.now_s)
    bench.run(1)
    assert (bench.hands.is_plugged, bench.hands.is_pulling) == (True, False)


def test_the_pulling_outlasts_a_power_cut(bench_with):
    """People are part of the hardware that a snapshot keeps."""
    saved = locked_and_unplugged(bench_with).board.snapshot()
    after = bench_with(socket=True)
    after.board.restore(saved, after.now_s)
    assert after.hands.is_pulling


def test_locked_socket_keeps_its_end_of_the_cable(bench_with):
    """A locked socket keeps its end and only the car's end comes out (hw.ports.Hands.unplug)."""
    bench = bench_with(socket=True).plug()
    bench.outlet.lock.set_locked(True, bench.now_s)
    bench.run(1)
    bench.hands.unplug(bench.now_s)
    bench.run(1)
    assert (bench.volts, bench.all(ProximitySeen)[-1].reading.ohms) == (12.0, 220.0)
    assert not bench.hands.is_plugged


def test_unplugging_under_load_stops_the_current_at_once(bench):
    """CP lost or unplugged under load: no current, and the box sees A in the same instant."""
    bench.plug().offer(16).run(60)
    bench.follows = False
    bench.hands.unplug(bench.now_s)
    assert bench.run(0).volts == 12.0
    assert bench.read().current_a == (0.0, 0.0, 0.0)


def test_meter_reads_what_the_car_draws(bench):
    """11.04 kW at 3 x 16 A and 230 V (EV model, section 6), per phase and as counted energy."""
    reading = bench.plug().offer(16).run(60).read()
    assert reading.power_w == pytest.approx((3680.0,) * 3, rel=0.001)
    assert (reading.current_a, reading.voltage_v) == (pytest.approx((16.0,) * 3), (230.0,) * 3)
    assert (reading.power_factor, reading.frequency_hz) == (1.0, 50.0)
    later = bench.run(3600).read()
    assert later.energy_wh - reading.energy_wh == pytest.approx(11040, rel=1e-6)
    assert later.phase_energy_wh == (), "this meter counts the total only"


def test_a_meter_may_count_each_phase():
    """The phases add up to the total (board file: `phase_energy: true`)."""
    register = Register(3, 300.0, phase_energy=True)
    register.add(100.0, 2)
    reading = register.reading(0.0, Supply(230.0, 3), 0.0, 0, 0.0, None)
    assert sum(reading.phase_energy_wh) == pytest.approx(reading.energy_wh)


def test_two_phase_car_leaves_the_third_phase_idle(bench_with):
    """2 phase car L1+L2; idle phases show 0 A (EV model, section 3)."""
    reading = bench_with("model: bev_2p16").plug().offer(16).run(60).read()
    assert reading.current_a == pytest.approx((16.0, 16.0, 0.0))


def test_chameleon_charger_has_a_poor_power_factor_at_low_current(bench_with):
    """Chameleon type: 0.80 at 6 to 8 A (EV model, section 3)."""
    reading = bench_with("model: bev_3p32_cham", phases=1).plug().offer(8).run(120).read()
    assert reading.power_factor == pytest.approx(0.865, abs=0.001)


@pytest.mark.parametrize(("model", "is_exporting"), [("bev_3p32_cham", True), ("bev_3p16_mid", False)])
def test_only_a_chameleon_charger_exports_reactive_power(bench_with, model, is_exporting):
    """Q is signed: a chameleon type is capacitive (EV model, section 3)."""
    reactive_var = bench_with(f"model: {model}").plug().offer(14).run(120).read().reactive_power_var
    assert abs(reactive_var) > 10.0
    assert (reactive_var < 0.0) is is_exporting


def test_class_error_acts_alike_on_current_power_and_energy(bench_with):
    """The meter sees V, I and P after its own class error, fixed by the seed (EV model, section 7)."""
    true, shown = (
        bench_with(meter=meter).plug().offer(10).run(3600).read() for meter in ("", ", class_error: 1%")
    )
    gain = shown.power_w[0] / true.power_w[0]
    assert 0.0 < abs(gain - 1.0) <= 0.01
    assert shown.current_a == pytest.approx([gain * each for each in true.current_a])
    assert shown.energy_wh == pytest.approx(gain * true.energy_wh)
    assert shown.reactive_power_var == pytest.approx(gain * true.reactive_power_var)
    assert shown.power_factor == true.power_factor


def test_a_silent_meter_shows_nothing(bench):
    """`Meter.peek`: None while the meter does not answer, as a reading without an answer."""
    assert bench.outlet.meter.peek(bench.now_s) == bench.read()
    bench.cause("meter_silent")
    assert bench.outlet.meter.peek(bench.now_s) is None


def test_register_starts_where_the_plan_says(plan_with):
    """`register_wh` of the board file, or of the builder, is what the meter had counted before."""
    plan = plan_with(meter=", register_wh: 5000, resolution_wh: 10")
    for override, expected in ((None, 5000.0), (123.0, 120.0)):
        seen = []
        board = plan.build(seen.append, register_wh=override)
        board.outlet(1).meter.read("r", 0.0)
        board.advance(0.0)
        (read,) = (observation for observation in seen if isinstance(observation, MeterRead))
        assert (read.ref, read.reading.energy_wh) == ("r", expected)


def test_source_resistance_makes_the_voltage_sag(plan_with, bench_with, tmp_path):
    """V_k = V_grid - R_src x I_k (EV model, section 3)."""
    plan_with()
    text = (tmp_path / "bench.yaml").read_text(encoding="utf-8")
    path = tmp_path / "sag.yaml"
    path.write_text(text + "    mains: {driver: sim.mains, source_ohm: 0.25}\n", encoding="utf-8")
    seen = []
    board = plan_board(str(path)).build(seen.append)
    outlet = board.outlet(1)
    outlet.hands.plug_in(0.0)
    outlet.pilot.set_duty(16 / 0.6, 0.0)
    board.advance(10.0)
    outlet.relay.set_closed(True, 10.0)
    board.advance(100.0)
    outlet.meter.read(None, 100.0)
    board.advance(100.0)
    assert seen[-1].reading.voltage_v == pytest.approx((226.0,) * 3)


def test_steady_charging_costs_nothing_between_events(bench):
    """Between events every quantity is piecewise simple: hours without an event (architecture, time by events)."""
    bench.plug().offer(16).run(60)
    assert bench.due_s - bench.now_s > 4 * 3600


@pytest.mark.parametrize("soc", [20, 79, 93, 99])
@pytest.mark.parametrize("kind", ["bev_1p32", "bev_3p16_mid", "bev_3p32_cham", "phev_1p32"])
def test_whatever_the_box_can_see_it_is_woken_for(bench_with, kind, soc):
    """`advance` returns when there may be more to report: who comes back only then is told everything on time."""
    bench = bench_with(f"model: {kind}, soc: {soc}%, top_up: 5 min").plug()
    for amps in (16, 10, 0, 32, 0, 13, 32):
        bench.offer(amps).run(1800)
    assert len(bench.all(PilotSeen)) > 8
    assert bench.latest_s < 1e-6


def test_restart_keeps_plug_car_lock_and_register(bench_with, plan_with):
    """`snapshot`/`restore` keep plug, car and register over a SIGKILL; the contactor is open, the pilot steady."""
    bench = bench_with(socket=True).plug().offer(16)
    bench.outlet.lock.set_locked(True, bench.now_s)
    bench.run(3600)
    energy_wh, soc = bench.read().energy_wh, bench.car.soc
    saved = json.loads(json.dumps(bench.board.snapshot()))

    after = bench_with(socket=True)
    after.board.restore(saved, 10.0)
    after.now_s = 10.0
    after.seen.clear()
    after.run(0)
    assert (after.volts, after.hands.is_plugged, after.car.soc) == (9.0, True, soc)
    assert after.read().energy_wh == energy_wh
    assert after.board.processes[0].cable.is_locked
    assert after.offer(16).run(60).read().total_power_w == pytest.approx(11040)


def test_restart_keeps_a_full_car_full(bench_with):
    """A full car does not ask again because the charger restarted."""
    bench = bench_with("soc: 99%").plug().offer(16).run(3 * 3600)
    after = bench_with("soc: 99%")
    after.board.restore(bench.board.snapshot(), 0.0)
    assert after.offer(16).run(600).volts == 9.0


def test_time_never_runs_backwards(bench):
    """A clock that steps back takes nothing off the register."""
    bench.plug().offer(16).run(600)
    energy_wh = bench.read().energy_wh
    bench.now_s -= 300
    assert bench.read().energy_wh == energy_wh


def test_a_year_passes_in_one_call(bench):
    """However long nobody looked, what was due has happened in order."""
    bench.plug().offer(16).run(60)
    bench.board.advance(bench.now_s + 365 * 86400.0)
    assert bench.car.soc > 0.99
