"""What the calendar begins with on a machine whose clock may be wrong, and which times it is told it believes.

[D] On the real clock: the latest of the machine's clock, the last stored instant and the date of the release. OCPP 1.6 4.2
and 4.6 recommend the time of the central system from then on.
"""

from __future__ import annotations

import logging
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import chargepoint
from chargepoint.model.timebase import utc_seconds, utc_text
from chargepoint.runtime.clock import wall_utc_s
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from tests.world import EPOCH_UTC_S, World

RELEASED_UTC_S = utc_seconds("2025-11-01T00:00:00Z")
DAY_S = 86400.0


def real(**more: Any) -> World:
    """A charger on the real clock, whose program was released two months ago."""
    return World(earliest_utc_s=RELEASED_UTC_S, **more)


def wakes_in_1970(world: World) -> World:
    """Cut the power of a machine whose clock does not run on without it, and give it no network."""
    world.machine_utc_s = -world.now_s - 10.0
    return world.cut_power(10.0, is_online=False)


def utc_s(world: World) -> float:
    return float(world.model.calendar.utc_s(world.now_s))


# --- the start --------------------------------------------------------------------------------------------------------


def test_without_a_clock_and_a_store_it_begins_at_the_release(caplog: pytest.LogCaptureFixture) -> None:
    """[D] No program runs before it was made."""
    with caplog.at_level(logging.WARNING):
        world = real(machine_utc_s=0.0, starts_online=False)
    assert utc_s(world) == pytest.approx(RELEASED_UTC_S, abs=1)
    assert "the clock of this machine shows 1970-01-01T00:00:00" in caplog.text


def test_without_a_clock_it_begins_at_the_last_stored_instant() -> None:
    """[D] What is stored was stored before now."""
    world = real().charge().run(100).tap("A1").run(10)
    stopped_s = utc_seconds(world.last("StopTransaction")["timestamp"])
    assert utc_s(wakes_in_1970(world)) == pytest.approx(stopped_s, abs=1)


def test_a_machine_that_is_later_is_believed() -> None:
    """[D] The latest counts."""
    world = real().charge().run(100).tap("A1").run(10)
    world.machine_utc_s = EPOCH_UTC_S + 30 * DAY_S
    assert utc_s(world.cut_power(10.0, is_online=False)) == pytest.approx(EPOCH_UTC_S + 30 * DAY_S + world.now_s, abs=1)


def test_a_clock_that_is_no_real_one_keeps_its_date() -> None:
    """[D] Scaled, stepped and replayed clocks may show any date."""
    world = World(machine_utc_s=0.0, starts_online=False)
    assert utc_s(world) == world.now_s


def test_the_last_instant_costs_no_write() -> None:
    """[D] An SD card wears out: the instant is that of records which are written anyway."""
    worlds = [World(earliest_utc_s=earliest_s).charge().run(600) for earliest_s in (None, RELEASED_UTC_S)]
    assert worlds[0].model.saves == worlds[1].model.saves


def test_the_order_of_a_bill_survives_a_start_in_1970() -> None:
    """4.10: the stop of a transaction that a power cut ended is not before its last sample; the next one begins later."""
    world = real(keys={"AllowOfflineTxForUnknownId": "true"}).charge().run(200)
    world.network(False)
    wakes_in_1970(world).run(10).tap("B1").run(100).tap("B1").run(10).network(True).run(20)
    told = [utc_seconds(p["timestamp"]) for p in world.calls("StartTransaction", "StopTransaction")]
    assert told == sorted(told)
    kinds = [line.split()[0] for line in world.story() if "Transaction" in line]
    assert kinds == ["StartTransaction", "StopTransaction"] * 2


# --- cards ------------------------------------------------------------------------------------------------------------


def test_a_card_that_expired_years_ago_does_not_charge_when_the_clock_wakes_in_1970() -> None:
    """ "If an idTag … expires by the passage of time it SHALL be changed to Expired" (3.5.1); offline it starts nothing."""
    world = real()
    world.peer.tags["A1"] = {"status": "Accepted", "expiryDate": utc_text(EPOCH_UTC_S + 60.0)}
    world.charge("A1").run(20).tap("A1").run(10)
    world.charge("B1").run(100).tap("B1").run(10).unplug().run(5)
    assert not wakes_in_1970(world).charge("A1").connector().is_charging
    assert world.run(5).charge("B1").connector().is_charging


# --- what the central system says -------------------------------------------------------------------------------------


def told(world: World, at_utc_s: float) -> World:
    """Let the central system say what time it is."""
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": utc_text(at_utc_s)}
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    return world.run(0.1)


def test_a_time_before_the_release_is_ignored_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """4.6 recommends the time of the central system; [D] one that cannot be true is left out."""
    world = real()
    before_s = utc_s(world)
    with caplog.at_level(logging.WARNING):
        told(world, RELEASED_UTC_S - 1.0)
    assert utc_s(world) == pytest.approx(before_s, abs=1)
    assert "which is before this program was made" in caplog.text


def test_a_time_of_1970_at_boot_is_ignored() -> None:
    """4.2: "it is RECOMMENDED to synchronize its internal clock with the supplied Central System's current time"."""
    world = real(starts_online=False)
    world.peer.answers["BootNotification"] = lambda payload: {
        "status": "Accepted",
        "currentTime": "1970-01-01T00:00:00Z",
        "interval": 300,
    }
    assert utc_s(world.network(True).run(5)) == pytest.approx(EPOCH_UTC_S + world.now_s, abs=1)


def test_any_other_time_is_obeyed_also_backwards() -> None:
    """4.6: the time of the central system is the one to go by."""
    world = told(real(), EPOCH_UTC_S - 20 * DAY_S)
    assert utc_s(world) == pytest.approx(EPOCH_UTC_S - 20 * DAY_S, abs=1)


def test_a_clock_that_was_set_back_stays_so_over_a_start_in_1970() -> None:
    """[D] The instants that were stored under the wrong date count no more."""
    world = told(real(), EPOCH_UTC_S + 9000 * DAY_S).charge().run(100).tap("A1").run(10)
    true_s = EPOCH_UTC_S + world.now_s
    assert utc_s(wakes_in_1970(told(world, true_s))) == pytest.approx(true_s, abs=2)


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2011-05-01T00:00:00Z"])
def test_on_a_stepped_clock_every_time_is_obeyed(world: World, at: str) -> None:
    """[D] A recording of another year keeps its dates."""
    assert utc_s(told(world, utc_seconds(at))) == pytest.approx(utc_seconds(at), abs=1)


# --- the release ------------------------------------------------------------------------------------------------------


def test_the_release_date_is_that_of_the_changelog() -> None:
    """The newest dated heading of CHANGELOG.md, once there is one; never a day that has not come."""
    text = (Path(chargepoint.__file__).parents[1] / "CHANGELOG.md").read_text("utf-8")
    released = date.fromisoformat(chargepoint.RELEASE_DATE)
    dated = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert not dated or dated[0] == (chargepoint.__version__, chargepoint.RELEASE_DATE)
    assert bool(dated) or "## [Unreleased]" in text
    assert date(2026, 1, 1) <= released
    assert utc_seconds(f"{released}T00:00:00Z") <= wall_utc_s()


@pytest.mark.parametrize(("speed", "is_bounded"), [(1.0, True), (60.0, False)])
async def test_only_a_clock_at_speed_1_is_the_real_one(speed: float, is_bounded: bool) -> None:
    """[D] Scaled clocks keep the date they are given."""
    site = Site(Store(None, Durability.RELAXED), speed)
    try:
        calendar = site.calendar(site.pump.timers("test"))
        assert calendar.is_possible(0.0) is not is_bounded
        assert calendar.sets_once is not is_bounded
    finally:
        await site.close()
