"""The central system sets the clock while a car charges (OCPP 1.6 4.2, 4.6): the bill keeps its order and its duration.

[D] Timestamps of a transaction are the instant at which it began plus the charge time since.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from chargepoint.model.timebase import utc_seconds, utc_text
from tests.world import EPOCH_UTC_S, World

HOUR_S = 3600.0
WEEK_S = 7 * 24 * HOUR_S
STEPS = pytest.mark.parametrize("step_s", [-HOUR_S, WEEK_S], ids=["back an hour", "forward a week"])


def set_clock(world: World, ahead_s: float) -> World:
    """Let the central system's clock be ``ahead_s`` of the true time, and tell it."""

    def answers(payload: dict[str, Any]) -> Any:
        return {"currentTime": utc_text(EPOCH_UTC_S + world.now_s + ahead_s)}

    world.peer.answers["Heartbeat"] = answers
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
    return world.run(0.1)


def stamps(world: World, context: str = "Sample.Periodic") -> list[float]:
    """Timestamps of MeterValues in UTC s, in the order in which they were sent."""
    values = [value for payload in world.calls("MeterValues") for value in payload["meterValue"]]
    chosen = [value for value in values if value["sampledValue"][0].get("context", "Sample.Periodic") == context]
    return [utc_seconds(value["timestamp"]) for value in chosen]


def bounds(world: World) -> tuple[float, float]:
    """Timestamps of the last StartTransaction and StopTransaction in UTC s."""
    start, stop = world.last("StartTransaction"), world.last("StopTransaction")
    return utc_seconds(start["timestamp"]), utc_seconds(stop["timestamp"])


def charge(world: World, step_s: float) -> World:
    """A transaction of ten minutes with the step in the middle, one sample a minute."""
    world.charge().run(300 - 20)
    return set_clock(world, step_s).run(300).tap("A1").run(10)


@STEPS
def test_a_transaction_lasts_as_long_as_it_lasted(world: World, step_s: float) -> None:
    """6.45, 6.49: the dates and times at which the transaction was started and stopped."""
    started_s, stopped_s = bounds(charge(world, step_s))
    assert stopped_s - started_s == pytest.approx(602, abs=2)


@STEPS
def test_its_samples_keep_their_order_and_distance(world: World, step_s: float) -> None:
    """ "Samples are acquired and transmitted periodically at this interval from the start of the charging transaction"
    (3.16.1, MeterValueSampleInterval)."""
    world.configure(StopTxnSampledData="Energy.Active.Import.Register")
    charge(world, step_s)
    started_s, stopped_s = bounds(world)
    told = stamps(world)
    assert [round(later - earlier) for earlier, later in pairwise([started_s, *told])] == [60] * 10
    data = [utc_seconds(value["timestamp"]) for value in world.last("StopTransaction")["transactionData"]]
    assert data == sorted(data)
    assert (data[0], data[-1]) == (started_s, stopped_s)


@STEPS
def test_the_step_is_taken_over_at_its_end(world: World, step_s: float) -> None:
    """The time of the Central System "is RECOMMENDED to be used by the Charge Point to synchronize its internal clock"
    (4.6): the next transaction has it."""
    charge(world, step_s).tap("B1").run(5)
    started_s = utc_seconds(world.last("StartTransaction")["timestamp"])
    assert started_s == pytest.approx(EPOCH_UTC_S + world.now_s + step_s, abs=6)


def test_a_small_step_is_taken_over_at_once(world: World) -> None:
    """[D] Up to 60 s; what follows is never before what was sent."""
    world.charge().run(100)
    set_clock(world, 45.0).run(100)
    assert [round(later - earlier) for earlier, later in pairwise(stamps(world))] == [60, 105]


def test_small_steps_back_do_not_break_the_order(world: World) -> None:
    """[D] The next timestamps repeat the last one until the clock has caught up."""
    world.configure(MeterValueSampleInterval=10).charge().run(60)
    set_clock(world, -50.0).run(100)
    told = stamps(world)
    assert told == sorted(told)
    assert told[-1] - told[0] == pytest.approx(10 * (len(told) - 1) - 50, abs=1)


@STEPS
def test_statuses_do_not_run_before_what_they_follow(world: World, step_s: float) -> None:
    """ "The StatusNotification.req messages MUST be sent in the order in which the events … occurred" (4.9)."""
    world.forget()
    charge(world, step_s).unplug().run(5)
    names = ("StartTransaction", "StatusNotification", "StopTransaction")
    told = [utc_seconds(payload["timestamp"]) for payload in world.calls(*names)]
    assert told == sorted(told)
    assert world.statuses() == ["Preparing", "Charging", "Finishing", "Available"]


@STEPS
def test_clock_aligned_values_that_would_break_the_order_are_left_out(step_s: float) -> None:
    """ClockAlignedDataInterval: "evenly spaced meter data aggregation intervals per day" (3.16.2); [D] a value that is not
    between the timestamps of its transaction is left out."""
    world = World(board="ac11-sim-duo", keys={"ClockAlignedDataInterval": "60", "MeterValueSampleInterval": "0"})
    charge(world, step_s)
    aligned = [p for p in world.calls("MeterValues") if p["connectorId"] == 1 and "transactionId" in p]
    started_s, stopped_s = bounds(world)
    told = [utc_seconds(p["meterValue"][0]["timestamp"]) for p in aligned]
    assert len(told) == 5
    assert all(started_s <= each <= stopped_s and each % 60 == 0 for each in told)


@STEPS
def test_clock_aligned_values_outside_a_transaction_keep_the_grid_of_the_calendar(step_s: float) -> None:
    """3.16.2: "starting at 00:00:00 (midnight)", by the calendar that was set."""
    world = World(board="ac11-sim-duo", keys={"ClockAlignedDataInterval": "60", "MeterValueSampleInterval": "0"})
    charge(world, step_s)
    idle = [p["meterValue"][0]["timestamp"] for p in world.calls("MeterValues") if p["connectorId"] == 2]
    assert all(datetime.fromisoformat(each).second == 0 for each in idle)
    assert utc_seconds(idle[-1]) == pytest.approx(EPOCH_UTC_S + world.now_s + step_s, abs=60)


@STEPS
def test_a_stop_after_a_restart_is_not_before_the_last_sample(world: World, step_s: float) -> None:
    """4.10 after a loss of power: the register and the instant that were stored last, by the clock of the transaction."""
    world.charge().run(100)
    set_clock(world, step_s).run(100).cut_power().run(30)
    started_s, stopped_s = bounds(world)
    last_s = stamps(world)[-1]
    assert started_s < last_s <= stopped_s <= last_s + 60.0


def in_use_s(world: World) -> tuple[float, float]:
    """What the statistics hold: seconds in use of all sessions, and of the last one."""
    totals = world.stored("usage", "totals")["total"]["in_use_s"]
    return totals, world.stored("session", "000")["in_use_s"]


@STEPS
def test_statistics_count_the_time_that_passed(world: World, step_s: float) -> None:
    """[D] Durations come from the monotonic clock."""
    assert in_use_s(charge(world, step_s)) == pytest.approx((602, 602), abs=2)


def test_statistics_count_the_time_that_passed_before_a_restart(world: World) -> None:
    """[D] The duration is stored with the register, so that a restart does not lose it."""
    world.charge().run(100)
    set_clock(world, WEEK_S).run(100).cut_power().run(30)
    assert in_use_s(world) == pytest.approx((221, 221), abs=62), "up to the last stored register"


@STEPS
def test_a_relative_profile_goes_on_where_it_was(world: World, step_s: float) -> None:
    """Relative: "Schedule periods are relative to a situation-specific start point (such as the start of a Transaction)"
    (7.9): the second one begins 400 s after it, whatever was done to the calendar."""
    periods = [{"startPeriod": 0, "limit": 8.0}, {"startPeriod": 400, "limit": 12.0}]
    profile: dict[str, Any] = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
    }
    assert world.ask("SetChargingProfile", connectorId=0, csChargingProfiles=profile) == {"status": "Accepted"}
    world.charge().run(100)
    set_clock(world, step_s).run(200)
    before = world.connector().offer.amps
    assert (before, world.run(120).connector().offer.amps) == (8.0, 12.0)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_done_to_the_clock_a_bill_is_in_order(seed: int) -> None:
    """Every timestamp of a transaction is between its start and its stop, and none is before the one sent before it."""
    chance = Random(seed)
    world = World(seed=seed, keys={"MeterValueSampleInterval": "7", "ClockAlignedDataInterval": "30"})
    world.charge()
    for _ in range(12):
        set_clock(world, chance.choice((0.0, 5.0, -5.0, 40.0, -55.0, 100.0, -HOUR_S, WEEK_S))).run(chance.uniform(5, 60))
    elapsed_s = world.now_s
    world.tap("A1").run(10)
    started_s, stopped_s = bounds(world)
    told = [utc_seconds(p["meterValue"][0]["timestamp"]) for p in world.calls("MeterValues") if "transactionId" in p]
    assert [started_s, *told, stopped_s] == sorted([started_s, *told, stopped_s])
    # Of all steps only those of up to a minute count, each at most once a turn.
    assert abs(stopped_s - started_s - elapsed_s) <= 12 * 60 + 5
