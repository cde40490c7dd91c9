"""Boot, registration, heartbeat and the clock (OCPP 1.6 4.2, 4.6; test cases 001, 002)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.chargepoint import Station
from chargepoint.model.options import Options
from chargepoint.model.timebase import utc_text
from tests.world import EPOCH_UTC_S, ERROR, SILENCE, World


def moments(world: World, action: str) -> list[float]:
    """When calls of an action came, in s of charger time."""
    return [round(seen.at_s) for seen in world._calls() if seen.frame[2] == action]


def unregistered(status: str, interval_s: int = 60, **more: Any) -> World:
    """A charger whose central system does not accept it yet."""
    world = World(starts_online=False, **more)
    world.peer.registration, world.peer.interval_s = status, interval_s
    return world.network(True)


def deaf(world: World, answer: object) -> World:
    """Let BootNotification be answered with a CALLERROR or not at all."""
    world.peer.answers["BootNotification"] = lambda payload: answer
    return world.network(True)


# --- registration -----------------------------------------------------------------------------------------------------


def test_boot_notification_is_the_first_message_and_every_status_follows_it(world: World) -> None:
    """After boot Accepted: SN(0), SN(1)…SN(N) (4.2; test case 001)."""
    assert world.story() == ["BootNotification", "StatusNotification 0 Available", "StatusNotification 1 Available"]


def test_boot_notification_says_who_the_charger_is() -> None:
    """Each time a Charge Point boots, it sends a request with its configuration, e.g. version and vendor (4.2)."""
    station = Station(
        vendor="V", model="M", serial_number="S", firmware_version="F", iccid="1", imsi="2", meter_serial_number="MS"
    )
    assert World(plan={"station": station}).last("BootNotification") == {
        "chargePointVendor": "V",
        "chargePointModel": "M",
        "chargePointSerialNumber": "S",
        "firmwareVersion": "F",
        "iccid": "1",
        "imsi": "2",
        "meterType": "SIM-3P",
        "meterSerialNumber": "MS",
    }


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_the_next_boot_notification_waits_for_the_interval(status: str) -> None:
    """The interval is the minimum wait time before sending a next BootNotification (4.2, 6.4; test cases 001, 002)."""
    world = unregistered(status, 90).run(200)
    assert moments(world, "BootNotification") == [0, 90, 180]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_interval_zero_leaves_the_wait_to_the_charger_and_does_not_flood(status: str) -> None:
    """If that interval value is zero, the Charge Point chooses one that avoids flooding the Central System (4.2)."""
    world = unregistered(status, 0).run(100)
    assert moments(world, "BootNotification") == [0, 30, 60, 90]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_nothing_but_boot_notification_leaves_before_acceptance(status: str) -> None:
    """The Charge Point SHALL NOT send request messages to the Central System before it is accepted (4.2)."""
    world = unregistered(status, 1000).plug().tap("A1").run(900)
    assert world.story() == ["BootNotification"]


def test_a_rejected_charger_is_accepted_later_and_tells_its_statuses_then() -> None:
    """BN; BN again after interval; SN(Available) for 0..N (test case 001)."""
    world = unregistered("Rejected", 30)
    world.peer.registration = "Accepted"
    world.run(40)
    assert world.story()[1:] == [
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Available",
    ]


@pytest.mark.parametrize(("answer", "wait_s"), [(ERROR, 60), (SILENCE, 90)])
def test_boot_notification_without_a_result_is_repeated_after_a_pause(answer: object, wait_s: int) -> None:
    """none (timeout) / CALLERROR: retry after back-off, 60 s (handbook, connection-and-boot 3)."""
    world = deaf(World(starts_online=False), answer).run(100)
    assert moments(world, "BootNotification") == [0, wait_s]


def test_the_pause_after_an_unanswered_boot_is_the_one_of_the_plan() -> None:
    """retry after back-off (handbook, connection-and-boot 3)."""
    world = deaf(World(starts_online=False, plan={"boot_retry_s": 10.0}), ERROR).run(25)
    assert len(world.calls("BootNotification")) == 3


def test_a_reconnect_brings_no_boot_notification(world: World) -> None:
    """When reconnecting, a charge point should not send a BootNotification (OCPP-J 5.4)."""
    world.forget().network(False).run(20).network(True).run(20)
    assert world.calls("BootNotification") == []


def test_a_boot_notification_lost_with_its_socket_begins_the_next_socket() -> None:
    """not yet booted: BootNotification only (OCPP 1.6 4.2)."""
    world = deaf(World(starts_online=False), SILENCE).run(5)
    world.peer.answers.clear()
    world.network(False).run(5).network(True)
    assert world.story() == [
        "BootNotification",
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Available",
    ]


# --- what is served in which state ------------------------------------------------------------------------------------


def test_a_pending_charger_answers_configuration() -> None:
    """While Pending the Central System MAY send request messages to retrieve or change configuration (4.2; 002)."""
    world = unregistered("Pending")
    assert world.ask("ChangeConfiguration", key="MeterValueSampleInterval", value="30") == {"status": "Accepted"}


def test_what_was_configured_while_pending_is_told_back() -> None:
    """GetConfiguration (no keys); ChangeConfiguration MeterValueSampleInterval (test case 002)."""
    world = unregistered("Pending").configure(MeterValueSampleInterval=30)
    assert world.ask("GetConfiguration", key=["MeterValueSampleInterval"])["configurationKey"] == [
        {"key": "MeterValueSampleInterval", "readonly": False, "value": "30"}
    ]


def test_a_pending_charger_refuses_remote_start() -> None:
    """The Central System SHALL NOT send RemoteStart while Pending: answer Rejected (4.2)."""
    assert unregistered("Pending").plug().remote_start(connectorId=1) == "Rejected"


def test_a_pending_charger_refuses_remote_stop() -> None:
    """The Central System SHALL NOT send RemoteStop while Pending: answer Rejected (4.2)."""
    assert unregistered("Pending").remote_stop(1) == "Rejected"


def test_a_rejected_charger_answers_nothing() -> None:
    """Rejected: the Charge Point SHALL NOT respond to any message of the Central System (4.2)."""
    world = unregistered("Rejected")
    world.peer.call("GetConfiguration")
    world.run(5)
    assert world.peer.results == {}


def test_before_the_first_answer_the_central_system_is_served_as_while_pending() -> None:
    """Until BootNotification.conf the charge point "SHALL NOT send any other request to the Central System" (4.2): it is
    sending that is forbidden, not answering."""
    world = deaf(World(starts_online=False), SILENCE)
    assert "configurationKey" in world.ask("GetConfiguration")
    assert world.remote_start() == "Rejected"
    assert world.remote_stop(1) == "Rejected"
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
    world.plug().tap("A1").run(5)
    assert {seen.frame[2] for seen in world.peer.seen if seen.is_from_charger and seen.frame[0] == 2} == {
        "BootNotification"
    }


def test_a_rejected_charger_serves_nobody_on_the_next_socket_either() -> None:
    """Rejected: "the Charge Point SHALL NOT respond to any Central System initiated message" (4.2), until the next
    BootNotification.conf."""
    world = unregistered("Rejected")
    world.network(False).network(True)
    world.peer.call("GetConfiguration")
    world.run(5)
    assert world.peer.results == {}
    world.peer.registration = "Pending"
    world.run(400)
    assert "configurationKey" in world.ask("GetConfiguration")


# --- charging without a central system --------------------------------------------------------------------------------


def test_a_charger_that_was_never_accepted_lets_nobody_charge() -> None:
    """never Accepted before: refuse charging, even unknown tags allowed offline (4.2)."""
    world = World(starts_online=False, keys={"AllowOfflineTxForUnknownId": "true"})
    world.plug().tap("A1").run(20)
    assert not world.connector().is_charging


def test_a_charger_accepted_in_an_earlier_life_charges_by_the_offline_rules() -> None:
    """Offline boot with earlier Accepted: charging by offline rules allowed (4.2)."""
    world = World(keys={"AllowOfflineTxForUnknownId": "true"})
    world.network(False)
    world.cut_power()
    world.link.hold(True)
    world.plug().tap("A1").run(20)
    assert world.connector().is_charging


# --- heartbeat --------------------------------------------------------------------------------------------------------


def test_heartbeats_come_at_the_interval_of_the_boot_answer() -> None:
    """The Charge Point SHALL adjust the heartbeat interval in accordance with BootNotification.conf (4.2; 001)."""
    world = unregistered("Accepted", 100).run(350)
    assert moments(world, "Heartbeat") == [100, 200, 300]


def test_the_interval_of_the_boot_answer_is_written_into_the_key() -> None:
    """value from BootNotification.conf wins at boot and is written into the key (handbook, messages 3)."""
    world = unregistered("Accepted", 100)
    assert world.ask("GetConfiguration", key=["HeartbeatInterval"])["configurationKey"][0]["value"] == "100"


def test_interval_zero_keeps_the_chargers_own_heartbeat() -> None:
    """Interval 0 in BootNotification.conf: keep own default (handbook, messages 3)."""
    world = unregistered("Accepted", 0, keys={"HeartbeatInterval": "120"}).run(250)
    assert moments(world, "Heartbeat") == [120, 240]


def test_a_changed_heartbeat_interval_is_in_force_at_once(world: World) -> None:
    """Change of HeartbeatInterval effective at once (9.1.10)."""
    world.configure(HeartbeatInterval=20).forget().run(50)
    assert len(world.calls("Heartbeat")) == 2


def test_heartbeat_interval_zero_ends_heartbeats(world: World) -> None:
    """HeartbeatInterval 0 = no heartbeats (handbook, configuration-keys 2)."""
    world.configure(HeartbeatInterval=0).run(1000)
    assert world.calls("Heartbeat") == []


def test_any_call_puts_the_heartbeat_off(world: World) -> None:
    """A Charge Point MAY skip a Heartbeat when another PDU was sent within the heartbeat interval (4.6)."""
    world.run(250).plug().run(100)
    assert world.calls("Heartbeat") == []


def test_one_heartbeat_a_day_comes_even_when_other_calls_never_pause(world: World) -> None:
    """It is RECOMMENDED to send at least one Heartbeat per 24 hours, for the clock (4.6)."""
    world.configure(MeterValueSampleInterval=200).charge("A1").run(3 * 86400)
    assert len(world.calls("Heartbeat")) >= 3


def test_a_heartbeat_without_an_answer_does_not_end_them(world: World) -> None:
    """It is the heartbeat interval that says when the next one is due (4.6), not the answer."""
    world.peer.answers["Heartbeat"] = lambda payload: SILENCE
    world.run(620)
    assert len(world.calls("Heartbeat")) == 2


def test_no_heartbeat_is_sent_while_the_link_is_down(world: World) -> None:
    """A heartbeat tells that the connection is alive (4.6)."""
    world.network(False).run(1000).network(True).run(5)
    assert world.calls("Heartbeat") == []


def test_heartbeats_go_on_after_a_reconnect(world: World) -> None:
    """link cut while idle: reconnect, heartbeats (test case 035)."""
    world.network(False).run(10).network(True).run(310)
    assert len(world.calls("Heartbeat")) == 1


def test_a_reconnect_begins_with_boot_notification_where_that_is_wanted() -> None:
    """OCPP-J 5.4: "no BootNotification" on a mere reconnect; [D]: an option for central systems that wait for one.

    Until it is answered nothing else is sent (4.2), then the statuses as after a boot and what was queued.
    """
    world = World(plan={"options": Options(boot_on_reconnect=True)})
    world.charge().forget().network(False)
    world.tap("A1").run(30).network(True).run(5)
    story = world.story()
    assert story[0] == "BootNotification"
    assert "StatusNotification 1 Finishing" in story
    assert "StopTransaction Local" in story
    world.forget().run(60).network(False).run(5)
    world.peer.registration = "Pending"
    assert world.network(True).tap("B2").run(30).story() == ["BootNotification"]


def test_a_reconnect_sends_no_boot_notification(world: World) -> None:
    """OCPP-J 5.4: when reconnecting, a charge point should not send a BootNotification."""
    world.forget().network(False).run(10).network(True).run(60)
    assert world.calls("BootNotification") == []


# --- keys of the connection -------------------------------------------------------------------------------------------


def test_ping_interval_is_handed_to_the_link_when_the_socket_opens() -> None:
    """WebSocketPingInterval: number of seconds between pings (OCPP-J 7)."""
    assert World(keys={"WebSocketPingInterval": "17"}).link.ping_interval_s == 17.0


def test_a_changed_ping_interval_is_in_force_at_once(world: World) -> None:
    """WebSocketPingInterval: no reboot, apply at once (handbook, configuration-keys 2)."""
    assert world.configure(WebSocketPingInterval=5).link.ping_interval_s == 5.0


def test_message_timeout_bounds_the_wait_for_an_answer(world: World) -> None:
    """MessageTimeout: own CALL timeout (erratum v4)."""
    world.configure(MessageTimeout=5)
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.forget().plug().tap("A1").run(4)
    before = world.calls("Authorize")
    world.run(3)
    assert (before, len(world.calls("Authorize"))) == ([], 1)


# --- clock ------------------------------------------------------------------------------------------------------------


def in_an_hour(world: World) -> str:
    return utc_text(EPOCH_UTC_S + world.now_s + 3600.0)


def test_the_boot_answer_sets_the_clock() -> None:
    """It is RECOMMENDED that the Charge Point synchronises its clock with currentTime (4.2)."""
    world = World(starts_online=False)
    world.peer.answers["BootNotification"] = lambda payload: {
        "status": "Accepted",
        "currentTime": in_an_hour(world),
        "interval": 300,
    }
    world.network(True).plug().run(1)
    assert world.last("StatusNotification")["timestamp"].startswith("2026-01-01T01:00:00")


@pytest.mark.parametrize("current_time", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_time_in_which_nobody_lives_does_not_set_the_clock(world: World, current_time: str) -> None:
    """Impossible or unset dates (handbook, pitfalls 13): with year 9999 no timestamp could be written a second later."""
    before_s = world.model.calendar.utc_s(world.now_s)
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": current_time}
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
    world.run(1.0)
    assert world.model.calendar.utc_s(world.now_s) == pytest.approx(before_s + 1.1)
    assert world.last("Heartbeat") == {}


def test_a_heartbeat_answer_sets_the_clock(world: World) -> None:
    """The response contains the current time, which is RECOMMENDED to synchronise the internal clock (4.6)."""
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": in_an_hour(world)}
    world.run(301).plug().run(1)
    assert world.last("StatusNotification")["timestamp"].startswith("2026-01-01T01:05:01")


@pytest.mark.parametrize(
    "current_time", ["2026-01-01T01:00:00.123456Z", "2026-01-01T03:00:00+02:00", "2026-01-01T01:00:00"]
)
def test_every_spelling_of_the_current_time_is_understood(current_time: str) -> None:
    """Must accept fractions (any count of digits) and offsets; a missing zone is UTC (OCPP-J; handbook, messages 1.1)."""
    world = World(starts_online=False)
    world.peer.answers["BootNotification"] = lambda payload: {
        "status": "Accepted",
        "currentTime": current_time,
        "interval": 300,
    }
    world.network(True).plug().run(1)
    assert world.last("StatusNotification")["timestamp"].startswith("2026-01-01T01:00:00")


def test_a_clock_that_is_a_little_off_is_left_alone(world: World) -> None:
    """set clock if |Δ| > 1–2 s (handbook, connection-and-boot 4)."""
    before = world.model.calendar.utc_s(world.now_s)
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": utc_text(EPOCH_UTC_S + world.now_s + 0.9)}
    world.run(310)
    assert world.model.calendar.utc_s(world.now_s) - before == pytest.approx(310.0, abs=0.01)


def test_setting_the_clock_does_not_disturb_a_running_interval(world: World) -> None:
    """Timers on the monotonic clock (handbook, connection-and-boot 4)."""
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": in_an_hour(world)}
    world.run(910)
    assert moments(world, "Heartbeat") == [300, 600, 900]
