"""Each cause acts physically, and the board's monitor reports what it watches for."""

from __future__ import annotations

import pytest

from hw.ports import Fault, FaultSeen, MeterRead, MeterSeen, RelaySeen, TagSeen
from hw.sim.faults import MONITORED


@pytest.mark.parametrize(("cause", "fault"), [(cause.value, fault) for cause, fault in MONITORED.items()])
def test_monitor_reports_a_fault_and_its_end(bench, cause, fault):
    """A fault came (active) or went; connector 0 is the whole box (hw.ports.FaultSeen)."""
    bench.cause(cause).cause(cause).cause(cause, False)
    connector = 0 if fault is Fault.EMERGENCY_STOP else 1
    reports = [(seen.connector, seen.fault, seen.active) for seen in bench.all(FaultSeen)]
    assert reports == [(connector, fault, True), (connector, fault, False)]


@pytest.mark.parametrize("cause", ["ground_fault", "emergency_stop", "controller_silent"])
def test_trip_opens_the_contactor_and_mending_does_not_close_it(bench, cause):
    """Safety functions belong to the board's own controller; mending a fault must never close a contactor."""
    bench.plug().offer(16).run(60).cause(cause).run(0.1)
    assert not bench.all(RelaySeen)[-1].closed
    assert not bench.cause(cause, False).run(0.1).all(RelaySeen)[-1].closed


def test_welded_contactor_stays_closed(bench):
    """Welded: commanded open but feedback closed (IEC 61851-1 practice); it opens once mended."""
    bench.follows = False
    bench.close().run(1).cause("welded_contactor").close(False).run(1)
    assert bench.all(RelaySeen)[-1].closed
    assert not bench.cause("welded_contactor", False).run(1).all(RelaySeen)[-1].closed


def test_stuck_contactor_does_not_close(bench):
    """Commanded closed but open; it closes once mended."""
    bench.follows = False
    bench.cause("contactor_stuck").close().run(1)
    assert not bench.all(RelaySeen)[-1].closed
    assert bench.cause("contactor_stuck", False).run(1).all(RelaySeen)[-1].closed


@pytest.mark.parametrize(("cause", "voltage_v"), [("over_voltage", 276.0), ("under_voltage", 184.0)])
def test_voltage_faults_are_seen_by_the_meter(bench, cause, voltage_v):
    """The grid's voltage really moves: 20 % up or down."""
    assert bench.cause(cause).read().voltage_v == pytest.approx((voltage_v,) * 3)


def test_over_current_is_a_car_that_draws_too_much(bench):
    """Over-current: 20 % above the offer, and gone when mended."""
    bench.plug().offer(10).run(60).cause("over_current").run(10)
    assert bench.read().current_a[0] == pytest.approx(12.0)
    assert bench.cause("over_current", False).run(10).read().current_a[0] == pytest.approx(10.0)


def test_hot_board_shows_at_its_sensor(bench):
    """Over-temperature: 85 degrees at a board that stops at 75."""
    assert bench.read().board_c == 25.0
    assert bench.cause("over_temperature").read().board_c == 85.0


def test_shorted_pilot_reads_0_v_and_the_car_lets_go(bench):
    """E: 0 V, CP-PE short (IEC 61851-1:2017); the car sees no pilot and opens S2."""
    bench.plug().offer(16).run(60).cause("cp_short")
    assert bench.volts == 0.0
    assert bench.run(3).cause("cp_short", False).volts == 9.0


def test_missing_diode_shows_while_the_pwm_runs(bench):
    """9 V with V- of about -9 V = resistor without diode (IEC 61851-1 practice)."""
    bench.cause("diode_short").plug().offer(16)
    assert bench.board.processes[0].car.has_diode is False
    assert bench.seen[-1].reading.diode_ok is False


def test_silent_meter_answers_with_no_reading(bench):
    """`reading` None: the meter did not answer (hw.ports.MeterRead)."""
    bench.cause("meter_silent")
    bench.outlet.meter.read(7, bench.now_s)
    bench.run(0)
    assert bench.seen[-1] == MeterRead(1, 7, None)


def test_silent_controller_takes_up_the_last_command_when_it_is_back(bench):
    """A silent controller goes on as it was; afterwards it follows what it was last told."""
    bench.plug().cause("controller_silent").offer(16).run(60)
    assert bench.volts == 9.0
    assert bench.cause("controller_silent", False).run(60).volts == 6.0


def test_silent_reader_sees_no_card(bench):
    """A reader that is dead loses the cards held to it."""
    (reader,) = bench.board.readers
    bench.cause("reader_silent")
    reader.present("12E45678", bench.now_s)
    assert bench.all(TagSeen) == []
    bench.cause("reader_silent", False)
    reader.present("12E45678", bench.now_s)
    assert bench.all(TagSeen) == [TagSeen("12E45678", (1,))]


def test_unknown_cause_is_refused(bench):
    """Raises KeyError for a name that is not in `causes` (hw.ports.Hands.cause)."""
    assert {"ground_fault", "holds_c"} <= set(bench.hands.causes)
    with pytest.raises(KeyError, match="gremlins"):
        bench.hands.cause("gremlins", True, 0.0)


@pytest.mark.parametrize("name", ["lock_jammed", "half_plugged"])
def test_what_is_not_fitted_cannot_break(bench_with, name):
    """A tethered cable has no lock; at a socket it has one."""
    tethered = bench_with()
    assert name not in tethered.hands.causes
    with pytest.raises(ValueError, match="a tethered cable has no lock"):
        tethered.cause(name)
    assert name in bench_with(socket=True).cause(name).hands.broken


def power_on(bench_with):
    return bench_with("model: bev_3p16_mid").plug().offer(16).run(60)


def gained_wh(bench, seconds):
    before = bench.read().energy_wh
    return bench.run(seconds).read().energy_wh - before


def test_a_frozen_meter_shows_power_and_no_energy(bench_with):
    bench = power_on(bench_with).cause("meter_frozen")
    assert (gained_wh(bench, 600), bench.read().total_power_w) == (0.0, pytest.approx(11_040.0))
    assert gained_wh(bench.cause("meter_frozen", False), 600) == pytest.approx(1840.0)


def test_a_replaced_meter_begins_at_zero(bench_with):
    bench = power_on(bench_with).cause("meter_replaced")
    assert bench.read().energy_wh == 0.0
    assert gained_wh(bench, 600) == pytest.approx(1840.0)


def test_a_meter_rolls_over_to_zero(bench_with):
    bench = power_on(bench_with).cause("meter_rollover")
    before_wh = bench.read().energy_wh
    assert bench.run(100).read().energy_wh > before_wh
    assert bench.run(100).read().energy_wh < 200.0


def test_a_reversed_meter_shows_export(bench_with):
    reading = power_on(bench_with).cause("meter_reversed").read()
    assert reading.total_power_w == pytest.approx(-11_040.0)
    assert reading.current_a == pytest.approx((-16.0,) * 3)


def test_a_late_meter_answers_with_what_was_two_seconds_ago(bench_with):
    bench = power_on(bench_with).cause("meter_late")
    asked_s = bench.now_s
    bench.outlet.meter.read("late", asked_s)
    bench.due_s = bench.board.advance(bench.now_s)
    assert "late" not in [seen.ref for seen in bench.all(MeterRead)]
    answer = bench.run(2.0).all(MeterRead)[-1]
    assert (answer.ref, answer.reading.at_s) == ("late", asked_s)


def test_a_lossy_meter_that_is_watched_is_polled_and_loses_one_answer_in_a_hundred(bench_with):
    bench = power_on(bench_with).cause("meter_lossy")
    bench.outlet.meter.watch(True, bench.now_s)
    seen = bench.run(10_000).all(MeterSeen)
    assert len(seen) >= 9_999
    assert 50 <= sum(each.reading is None for each in seen) <= 150


def test_a_watched_meter_without_such_a_fault_reports_changes_only(bench_with):
    bench = power_on(bench_with)
    bench.outlet.meter.watch(True, bench.now_s)
    assert len(bench.run(3600).all(MeterSeen)) <= 2


def test_an_undefined_pilot_is_between_the_windows_and_passes(bench):
    """7.5 V is no state (IEC 61851-1 annex A); without a car nothing loads the pilot: it stays at 12 V."""
    assert bench.cause("cp_undefined").volts == 12.0
    assert bench.plug().volts == 7.5
    assert bench.cause("cp_undefined", False).offer(16).run(60).volts == 6.0
    assert bench.cause("cp_undefined").volts == 7.5
    assert bench.cause("cp_undefined", False).volts == 6.0
