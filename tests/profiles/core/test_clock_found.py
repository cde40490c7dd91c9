"""A box that starts without the time and without its central system (OCPP 1.6 3.15, 4.2; handbook, pitfalls 13)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from chargepoint.model.timebase import utc_seconds, utc_text
from tests.profiles.test_smart_charging import offered, profile, put, schedule
from tests.world import EPOCH_UTC_S, SILENCE, TestLink, World

KEYS = {
    "AllowOfflineTxForUnknownId": "true",
    "MeterValueSampleInterval": "60",
    "StopTxnSampledData": "Energy.Active.Import.Register",
}


class Timeless(World):
    """After a power cut its clock is ``error_s`` wrong, and the network is down."""

    error_s = 0.0
    is_cut_off = False

    def _make_link(self, charger: Any) -> TestLink:
        link = super()._make_link(charger)
        link.is_down = self.is_cut_off
        return link

    def true_utc_s(self) -> float:
        return EPOCH_UTC_S + self.now_s - self.error_s

    def lose_the_time(self, error_s: float) -> Timeless:
        def now() -> dict[str, Any]:
            return {"currentTime": utc_text(self.true_utc_s())}

        self.is_cut_off = True
        self.cut_power()
        self.error_s = error_s
        self.peer.answers["BootNotification"] = lambda _: {"status": "Accepted", "interval": 300, **now()}
        self.peer.answers["Heartbeat"] = lambda _: now()
        self.forget()
        return self


@pytest.fixture(params=[-7200.0, 7200.0], ids=["behind", "ahead"])
def timeless(request: pytest.FixtureRequest) -> Timeless:
    return Timeless(keys=KEYS).lose_the_time(request.param)


def stamps(world: World, action: str) -> list[float]:
    return [utc_seconds(payload["timestamp"]) for payload in world.calls(action)]


def test_a_transaction_begun_without_the_time_tells_when_it_really_began(timeless: Timeless) -> None:
    """timestamp: the date and time on which the transaction is started (6.45); who pays by time pays for no step."""
    began_utc_s = timeless.true_utc_s()
    timeless.charge().run(600).network(True)
    timeless.tap("A1").run(20)
    (start_utc_s,), (stop_utc_s,) = stamps(timeless, "StartTransaction"), stamps(timeless, "StopTransaction")
    assert start_utc_s == pytest.approx(began_utc_s, abs=3.0)
    assert stop_utc_s - start_utc_s == pytest.approx(620.0, abs=5.0)


def test_its_meter_values_follow_each_other(timeless: Timeless) -> None:
    """Original timestamps, sixty seconds apart, whether StopTransaction carries them or not (4.7; test case 070)."""
    timeless.charge().run(300).network(True).run(300)
    timeless.tap("A1").run(20)
    stop = timeless.last("StopTransaction")
    sent = [utc_seconds(payload["meterValue"][0]["timestamp"]) for payload in timeless.calls("MeterValues")]
    kept = [utc_seconds(value["timestamp"]) for value in stop["transactionData"]][:-1]
    for series in (sent, kept):
        assert [b - a for a, b in pairwise(series)] == pytest.approx([60.0] * (len(series) - 1))
    assert kept[0] == stamps(timeless, "StartTransaction")[0]


def test_a_stop_of_before_tells_when_it_really_was(timeless: Timeless) -> None:
    """All transaction-related messages are queued, and bear the time of what they tell of (4.8, 4.10)."""
    timeless.charge().run(300).tap("A1").run(10)
    ended_utc_s = timeless.true_utc_s() - 10.0
    timeless.run(900).network(True).run(20)
    assert stamps(timeless, "StopTransaction") == pytest.approx([ended_utc_s], abs=5.0)


def test_a_status_of_before_tells_since_when_it_really_is(timeless: Timeless) -> None:
    """timestamp: the time for which the status is reported (6.47)."""
    plugged_utc_s = timeless.true_utc_s()
    timeless.plug().run(600).network(True).run(1)
    assert utc_seconds(timeless.last("StatusNotification")["timestamp"]) == pytest.approx(plugged_utc_s, abs=2.0)


def test_a_relative_profile_still_counts_from_the_start() -> None:
    """Relative: the schedule starts at the start of the transaction (7.9)."""
    world = Timeless(keys=KEYS)
    slow_start = schedule((0, 6.0), (3600, 16.0))
    assert put(world, profile(chargingProfileKind="Relative", chargingSchedule=slow_start)) == "Accepted"
    world.lose_the_time(-7200.0).charge().network(True).run(60)
    assert offered(world) == 6.0
    assert offered(world.run(3600)) == 16.0


def test_what_an_earlier_life_has_stamped_stays(timeless: Timeless) -> None:
    """A power cut ends a transaction with the last reading and its time, which the box knew then (7.36)."""
    world = Timeless(keys=KEYS)
    world.charge().run(130)
    last_utc_s = EPOCH_UTC_S + world.now_s
    world.lose_the_time(timeless.error_s).run(5).network(True).run(5)
    assert stamps(world, "StopTransaction") == pytest.approx([last_utc_s], abs=61.0)


def test_the_corrected_time_is_stored(timeless: Timeless) -> None:
    """Nothing is sent before it is stored: another power cut tells the same start."""
    timeless.charge().run(300)
    timeless.peer.answers["StartTransaction"] = lambda _: SILENCE
    timeless.network(True).run(5)
    told = stamps(timeless, "StartTransaction")
    del timeless.peer.answers["StartTransaction"]
    timeless.is_cut_off = False
    timeless.forget().cut_power().run(5)
    assert stamps(timeless, "StartTransaction") == told


def test_a_clock_that_is_set_later_moves_nothing(world: World) -> None:
    """A stored message is never changed once it may have been sent (handbook, transactions 2)."""
    world.peer.answers["StartTransaction"] = lambda _: SILENCE
    world.peer.answers["Heartbeat"] = lambda _: {"currentTime": utc_text(EPOCH_UTC_S + world.now_s + 3600.0)}
    world.charge().ask("TriggerMessage", requestedMessage="Heartbeat")
    world.run(400)
    assert len(stamps(world, "StartTransaction")) == 3
    assert len(set(stamps(world, "StartTransaction"))) == 1


@pytest.mark.parametrize("unplugs_offline", [True, False])
def test_an_idle_fee_ends_when_the_plug_was_really_pulled(timeless: Timeless, unplugs_offline: bool) -> None:
    """ConnectorUnplugged: timestamp of the moment that ends the idle fee (California pricing requirements)."""
    costs = {"CustomDisplayCostAndPrice": "true", "CustomIdleFeeAfterStop": "true"}
    world = Timeless(keys={**KEYS, **costs}).lose_the_time(timeless.error_s)
    world.charge().tap("A1").run(100)
    if unplugs_offline:
        world.unplug().run(300).network(True).run(5)
    else:
        world.network(True).run(1).unplug().run(5)
    pulled_utc_s = world.true_utc_s() - (305.0 if unplugs_offline else 5.0)
    told = json.loads(world.last("DataTransfer")["data"])
    assert utc_seconds(told["timestamp"]) == pytest.approx(pulled_utc_s, abs=2.0)
    assert told["transactionId"] == 1


def test_an_idle_fee_of_an_earlier_life_ends_when_the_plug_was_really_pulled() -> None:
    """The same, where the box saw the stop before it lost the time, and shows an earlier one now."""
    costs = {"CustomDisplayCostAndPrice": "true", "CustomIdleFeeAfterStop": "true"}
    world = Timeless(keys={**KEYS, **costs})
    world.charge().tap("A1").run(10)
    world.lose_the_time(0.0).model.calendar.offset_s -= 7200.0
    world.run(600).unplug()
    pulled_utc_s = world.true_utc_s()
    world.run(300).network(True).run(5)
    told = json.loads(world.last("DataTransfer")["data"])
    assert utc_seconds(told["timestamp"]) == pytest.approx(pulled_utc_s, abs=2.0)


def test_a_time_that_was_known_is_not_found_again() -> None:
    """Retries bear the same payload (handbook, transactions 2), though a central system comes back with another time."""
    world = Timeless(keys=KEYS)
    world.peer.answers["StartTransaction"] = lambda _: SILENCE
    world.charge().network(False)
    told = stamps(world, "StartTransaction")
    world.peer.answers["StartTransaction"] = lambda _: "SecurityError"
    world.peer.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "interval": 300,
        "currentTime": utc_text(EPOCH_UTC_S + world.now_s + 3600.0),
    }
    world.network(True).run(100)
    assert len(world.calls("BootNotification")) == 2
    assert set(stamps(world, "StartTransaction")) == set(told)


def test_a_time_that_comes_after_the_registration_moves_nothing() -> None:
    """A stored message is never changed once it may have been sent (handbook, transactions 2)."""
    world = Timeless(keys=KEYS).lose_the_time(-7200.0)
    world.peer.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "interval": 300,
        "currentTime": "1969-12-31T23:59:59Z",
    }
    world.peer.answers["StartTransaction"] = lambda _: SILENCE
    world.charge().network(True).ask("TriggerMessage", requestedMessage="Heartbeat")
    world.run(400)
    assert len(stamps(world, "StartTransaction")) == 3
    assert len(set(stamps(world, "StartTransaction"))) == 1
