"""How transactions begin and end, and what a late refusal does (OCPP 1.6 3.6-3.9, 4.8, 4.10; test cases 003-006, 037)."""

from __future__ import annotations

import pytest

from tests.world import World


def refused_late(world: World, status: str = "Invalid", **info: str) -> World:
    """Let Authorize accept every tag, and StartTransaction refuse it."""
    world.peer.answers["StartTransaction"] = lambda payload: {
        "idTagInfo": {"status": status, **info},
        "transactionId": 7,
    }
    return world


def is_locked(world: World) -> bool:
    return bool(world.connector().lock.is_locked)


# --- begin ------------------------------------------------------------------------------------------------------------


def test_cable_first_then_card(world: World) -> None:
    """plug; card: SN(Preparing); Authorize; StartTransaction; SN(Charging) (test case 003)."""
    assert world.forget().charge("A1").story() == [
        "StatusNotification 1 Preparing",
        "Authorize A1",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


def test_start_transaction_bears_connector_tag_register_and_instant() -> None:
    """connectorId, idTag, meterStart in Wh, timestamp (6.45)."""
    world = World(plan={"register_wh": 12345.6}).charge("A1")
    start = world.last("StartTransaction")
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "A1", 12345)


def test_a_transaction_begins_at_the_instant_of_the_card(world: World) -> None:
    """Take register reading R0 and time T0 once (handbook, transactions 1)."""
    world.run(99.9).plug().tap("A1")
    assert world.last("StartTransaction")["timestamp"].startswith("2026-01-01T00:01:40.5")


@pytest.mark.parametrize("number", [0, -5, 1, 2**31 - 1])
def test_every_transaction_id_is_a_good_one(world: World, number: int) -> None:
    """Any integer is valid, 0 and negatives too (erratum 3.54)."""
    world.peer.next_transaction_id = number
    world.charge("A1").tap("A1").run(10)
    assert world.last("StopTransaction")["transactionId"] == number


def test_no_transaction_begins_before_the_cable_is_locked(socket: World) -> None:
    """Lock when authorised ∧ plugged, before Start (failure → no transaction) (handbook, connector-states 7.7)."""
    socket.cause("lock_jammed").plug().tap("A1").run(30)
    assert socket.calls("StartTransaction") == []


def test_a_running_transactions_cable_is_locked(socket: World) -> None:
    """cable in ∧ lock closed: all preconditions of a transaction (handbook, transactions 1)."""
    assert is_locked(socket.charge("A1"))


def test_nobody_is_trapped_before_being_authorised(socket: World) -> None:
    """Not at plug-in: nobody may be trapped before being authorised (handbook, connector-states 7.7)."""
    assert not is_locked(socket.plug().run(30))


def test_the_next_meter_start_is_not_below_the_last_meter_stop(world: World) -> None:
    """meterStart of the next ≥ meterStop of the former; equal if nothing else draws (handbook, transactions 1)."""
    world.charge("A1").run(300).tap("A1").run(10).tap("B1").run(10)
    assert world.calls("StartTransaction")[1]["meterStart"] == world.calls("StopTransaction")[0]["meterStop"] > 0


# --- end --------------------------------------------------------------------------------------------------------------


def test_the_same_card_stops_without_authorize(world: World) -> None:
    """Same card: reason Local, same tag, no Auth; SN(Finishing) ↔ Stop (3.4)."""
    world.charge("A1").forget().tap("A1").run(10)
    assert world.story() == ["StopTransaction Local", "StatusNotification 1 Finishing"]


def test_the_stop_by_card_bears_the_tag(world: World) -> None:
    """idTag: send whenever known, also the starter's own tag on same-card stop (handbook, messages 3)."""
    assert world.charge("A1").tap("A1").run(10).last("StopTransaction")["idTag"] == "A1"


def test_finishing_lasts_until_the_cable_is_out(world: World) -> None:
    """Stop → Finishing; unplug → SN(Available) (F1)."""
    world.charge("A1").tap("A1").run(500).forget()
    assert (world.statuses(), world.unplug().statuses()) == ([], ["Available"])


def test_a_further_swipe_in_finishing_begins_anew(world: World) -> None:
    """a further swipe in Finishing must not send a second Stop; new start allowed (F2)."""
    world.charge("A1").tap("A1").run(10).forget().tap("A1").run(20)
    assert world.story() == [
        "Authorize A1",
        "StatusNotification 1 Preparing",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
    ]


def test_two_swipes_in_a_row_are_one_stop(world: World) -> None:
    """A later event changes neither reason nor count: one Stop per transaction (handbook, transactions 1)."""
    world.charge("A1").tap("A1").tap("A1").unplug().run(10)
    assert [p["reason"] for p in world.calls("StopTransaction")] == ["Local"]


def test_unplugging_a_fixed_cable_ends_the_transaction(world: World) -> None:
    """EV-side unplug: EVDisconnected; fixed cable: SN(Available) may follow directly (C1; test case 005_1)."""
    world.charge("A1").forget().unplug().run(5)
    assert (world.last("StopTransaction")["reason"], world.told()) == ("EVDisconnected", "Available")


def test_a_stop_by_unplugging_bears_no_tag(world: World) -> None:
    """omit on reset, power loss, remote stop, EV disconnect (handbook, messages 3)."""
    assert "idTag" not in world.charge("A1").unplug().run(5).last("StopTransaction")


def test_unplugging_the_car_of_a_detachable_cable_is_finishing(socket: World) -> None:
    """Stop(EVDisconnected); SN(Finishing), info "EV side disconnected" (test case 005_1)."""
    socket.charge("A1").forget().unplug_car().run(10)
    assert (socket.last("StopTransaction")["reason"], socket.tells()) == (
        "EVDisconnected",
        [("Finishing", "NoError", "EV side disconnected")],
    )


def test_unplugging_the_car_unlocks_the_cable(socket: World) -> None:
    """UnlockConnectorOnEVSideDisconnect: true → unlock the cable on charge point side (9.1.31; test case 005_1)."""
    assert not is_locked(socket.charge("A1").unplug_car().run(10))


def test_unlock_key_false_keeps_the_cable_locked(socket: World) -> None:
    """UnlockConnectorOnEVSideDisconnect=false: cable stays locked (9.1.31; test case 005_2)."""
    socket.configure(UnlockConnectorOnEVSideDisconnect="false")
    assert is_locked(socket.charge("A1").unplug_car().run(60))


def test_a_cable_kept_locked_is_freed_by_the_starters_card(socket: World) -> None:
    """user presents card or CS unlocks (handbook, connector-states 7.3)."""
    socket.configure(UnlockConnectorOnEVSideDisconnect="false").charge("A1").unplug_car().run(10)
    assert not is_locked(socket.tap("A1").run(2))


def test_a_cable_kept_locked_is_not_freed_by_a_stranger(socket: World) -> None:
    """user presents card or CS unlocks (handbook, connector-states 7.3)."""
    socket.configure(UnlockConnectorOnEVSideDisconnect="false").charge("A1").unplug_car().run(10)
    socket.peer.tags["B1"] = {"status": "Invalid"}
    assert is_locked(socket.tap("B1").run(2))


def test_a_cable_kept_locked_is_freed_by_unlock_connector(socket: World) -> None:
    """Stop(EVDisconnected); UnlockConnector: Unlocked; SN(Finishing or Available) (test case 005_2)."""
    socket.configure(UnlockConnectorOnEVSideDisconnect="false").charge("A1").unplug_car().run(10)
    socket.peer.call("UnlockConnector", connectorId=1)
    assert not is_locked(socket.run(3))


def going_on(world: World) -> World:
    return world.configure(StopTransactionOnEVSideDisconnect="false").charge("A1").forget().unplug_car().run(5)


def test_stop_key_false_lets_the_transaction_outlast_the_unplugging(socket: World) -> None:
    """=false: SN(SuspendedEV, NoError, info "EV side disconnected"), no stop (9.1.27; test case 005_3)."""
    assert going_on(socket).tells() == [("SuspendedEV", "NoError", "EV side disconnected")]


def test_stop_key_false_keeps_the_cable_locked_in_any_case(socket: World) -> None:
    """lock stays in any case; overrides UnlockConnectorOnEVSideDisconnect (9.1.27)."""
    assert is_locked(going_on(socket))


def test_stop_key_false_goes_on_charging_when_replugged(socket: World) -> None:
    """replug → SN(Charging) (D3)."""
    assert going_on(socket).plug().run(20).tells()[-1] == ("Charging", "NoError", "")


def test_stop_key_false_ends_by_remote_stop(socket: World) -> None:
    """RemoteStop: SN(Finishing); Stop(Remote) (test case 005_3)."""
    going_on(socket).remote_stop(1)
    assert (socket.run(10).last("StopTransaction")["reason"], socket.told()) == ("Remote", "Finishing")


def test_stop_key_false_at_a_fixed_cable_ends_in_available(world: World) -> None:
    """user/remote stop → Stop(Remote), fixed cable: Available (test case 005_3)."""
    going_on(world).remote_stop(1)
    assert (world.run(10).last("StopTransaction")["reason"], world.told()) == ("Remote", "Available")


def test_a_stop_unlocks_only_after_the_contactor_opened(socket: World) -> None:
    """Never unlock while contactor closed (handbook, connector-states 7.7)."""
    socket.charge("A1").tap("A1")
    connector = socket.connector()
    assert connector.supply.is_closed <= is_locked(socket)


def test_a_stop_unlocks_the_cable(socket: World) -> None:
    """unlock on: normal stop (handbook, connector-states 7.7)."""
    assert not is_locked(socket.charge("A1").tap("A1").run(10))


def test_the_socket_is_available_when_the_plug_is_out(socket: World) -> None:
    """unplugged (pilot →A and CP-side plug out) (F1)."""
    assert socket.charge("A1").tap("A1").run(10).unplug().run(2).told() == "Available"


def test_the_plug_alone_in_the_socket_is_still_finishing(socket: World) -> None:
    """Finishing: transaction over but cable/bay not cleared (7.7)."""
    assert socket.charge("A1").tap("A1").run(10).unplug_car().run(5).told() == "Finishing"


def test_the_meter_stop_is_read_after_the_contactor_opened(world: World) -> None:
    """R1/T1 = a fresh reading once the contactor confirms open (handbook, transactions 1)."""
    world.charge("A1").run(600).tap("A1").run(30)
    assert world.last("StopTransaction")["meterStop"] == world.connector().meter.energy_wh


# --- power ------------------------------------------------------------------------------------------------------------


def test_after_a_power_cut_the_transaction_is_stopped_for_power_loss(world: World) -> None:
    """BN; SN n Preparing or Finishing; Stop(PowerLoss) (test case 032_2). [D] Preparing: the car is still there, and a new
    authorisation starts a transaction; some central systems start none from Finishing.
    """
    world.charge("A1").forget().cut_power().run(5)
    assert (world.last("StopTransaction")["reason"], world.statuses()) == ("PowerLoss", ["Preparing"])


def test_after_a_power_cut_the_meter_stop_is_the_last_that_was_stored(world: World) -> None:
    """Stop with meterStop and timestamp of the last stored reading, a minute old at most (connector-states 7.3)."""
    world.charge("A1").run(3600)
    before_wh = world.connector().meter.energy_wh
    stop_wh = world.cut_power().run(5).last("StopTransaction")["meterStop"]
    assert before_wh - 11000 / 60 - 1 <= stop_wh <= before_wh


def test_after_a_power_cut_the_cable_is_free(socket: World) -> None:
    """unlock on: normal stop (handbook, connector-states 7.7): nobody is trapped by a session that ended in the dark."""
    assert not is_locked(socket.charge("A1").cut_power().run(10))


def test_a_car_that_left_in_the_dark_leaves_an_available_connector() -> None:
    """for connector 0..n after each Accepted boot, as they are (4.2)."""
    world = World(keeps_board=False).charge("A1")
    assert world.cut_power().run(5).told() == "Available"


def test_a_stop_under_way_keeps_its_reason_over_a_power_cut(world: World) -> None:
    """Killed in between → after restart the pending stop is completed with its own reason (handbook, transactions 1)."""
    world.charge("A1").tap("A1").cut_power().run(5)
    assert [p["reason"] for p in world.calls("StopTransaction")] == ["Local"]


def test_a_transaction_stopped_by_a_power_cut_can_be_followed_by_the_next(world: World) -> None:
    """Finishing → card again → Preparing (F2)."""
    assert world.charge("A1").cut_power().run(5).tap("A1").run(20).connector().is_charging


def test_a_restart_on_purpose_stops_with_the_reason_that_was_stored(world: World) -> None:
    """Local restart on purpose (cause stored before going down): Stop(Reboot) (7.36; handbook, transactions 8)."""
    world.charge("A1").model.wind_down("Reboot", world.now_s)
    assert [p["reason"] for p in world.run(10).cut_power().run(5).calls("StopTransaction")] == ["Reboot"]


def test_a_kill_on_the_way_down_ends_by_the_stored_reason_and_the_meter(world: World) -> None:
    """7.36 Reboot: the reason is stored first; killed before the contactor opens, the next start reads the meter [D]."""
    world.charge("A1").run(100).model.wind_down("Reboot", world.now_s)
    world.run(0.2)
    assert world.connector().supply.is_closed
    (stop,) = world.cut_power().run(10).calls("StopTransaction")
    meter = world.charger.board.outlet(1).meter.peek(world.now_s)
    assert meter is not None
    assert (stop["reason"], stop["meterStop"]) == ("Reboot", int(meter.energy_wh))
    assert stop["meterStop"] > 200


# --- refused late -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_a_tag_refused_by_start_transaction_is_stopped(world: World, status: str) -> None:
    """StopTransactionOnInvalidId true: energy off; Stop reason DeAuthorized; SN(Finishing) (9.1.28)."""
    refused_late(world, status).charge("A1")
    assert (world.last("StopTransaction")["reason"], world.told()) == ("DeAuthorized", "Finishing")


def test_a_stop_for_refusal_bears_the_starters_tag(world: World) -> None:
    """Start.conf not Accepted: DeAuthorized, starter's tag (handbook, connector-states 7.3)."""
    assert refused_late(world).charge("A1").last("StopTransaction")["idTag"] == "A1"


def test_offline_started_and_refused_later_is_stopped(world: World) -> None:
    """Start; SN(Charging); Stop(DeAuthorized); SN(Finishing), each pair may swap (test case 037_3)."""
    refused_late(world).configure(AllowOfflineTxForUnknownId="true").forget()
    world.network(False).charge("A1").network(True).run(20)
    assert world.story() == [
        "StatusNotification 1 Charging",
        "StartTransaction A1",
        "StopTransaction DeAuthorized",
        "StatusNotification 1 Finishing",
    ]


def test_offline_started_and_refused_later_is_suspended_when_the_key_says_so(world: World) -> None:
    """Start; SN(Charging); SN(SuspendedEVSE) (test case 037_2)."""
    refused_late(world).configure(AllowOfflineTxForUnknownId="true", StopTransactionOnInvalidId="false").forget()
    world.network(False).charge("A1").network(True).run(20)
    assert world.story() == [
        "StatusNotification 1 Charging",
        "StartTransaction A1",
        "StatusNotification 1 SuspendedEVSE",
    ]


def test_offline_started_and_accepted_later_goes_on(world: World) -> None:
    """Start; SN(Charging) (test case 037_1)."""
    world.configure(AllowOfflineTxForUnknownId="true").forget()
    world.network(False).charge("A1").network(True).run(20)
    assert world.story() == ["StatusNotification 1 Charging", "StartTransaction A1"]


def test_a_refused_transaction_that_goes_on_gets_no_energy(world: World) -> None:
    """StopTransactionOnInvalidId false: stays open; energy off: SN(SuspendedEVSE) (9.1.28)."""
    refused_late(world).configure(StopTransactionOnInvalidId="false").charge("A1")
    assert (world.connector().is_charging, world.connector().supply.is_closed, world.told()) == (
        True,
        False,
        "SuspendedEVSE",
    )


def test_a_refused_transaction_that_goes_on_ends_by_card(world: World) -> None:
    """ends by card/remote/unplug as usual (handbook, connector-states 7.4)."""
    refused_late(world).configure(StopTransactionOnInvalidId="false").charge("A1").tap("A1").run(10)
    assert world.last("StopTransaction")["reason"] == "Local"


@pytest.mark.parametrize(("stops", "end"), [("true", "Finishing"), ("false", "SuspendedEVSE")])
def test_max_energy_on_invalid_id_grants_so_much_more(world: World, stops: str, end: str) -> None:
    """go on charging until n Wh are delivered since the answer, then the row above (9.1.20)."""
    refused_late(world).configure(MaxEnergyOnInvalidId=500, StopTransactionOnInvalidId=stops).charge("A1")
    before = world.told()
    assert (before, world.run(600).told()) == ("Charging", end)


def test_max_energy_on_invalid_id_is_kept_to_the_watt_hour(world: World) -> None:
    """MaxEnergyOnInvalidId: maximum energy in Wh delivered when an identifier is invalidated (9.1.20)."""
    refused_late(world).configure(MaxEnergyOnInvalidId=500).charge("A1").run(600)
    delivered_wh = world.last("StopTransaction")["meterStop"] - world.last("StartTransaction")["meterStart"]
    assert 500 <= delivered_wh <= 510  # the ramp down after the limit


def test_max_energy_counts_from_the_refusal_not_from_the_start(world: World) -> None:
    """count from the moment of invalidation (handbook, connector-states 7.4)."""
    refused_late(world).configure(AllowOfflineTxForUnknownId="true", MaxEnergyOnInvalidId=500)
    world.configure(MeterValueSampleInterval=10)
    world.network(False).charge("A1").run(600)
    before_wh = world.connector().meter.energy_wh
    world.network(True).run(600)
    assert before_wh + 500 <= world.last("StopTransaction")["meterStop"] <= before_wh + 550


def test_a_refused_drivers_cable_stays_locked(socket: World) -> None:
    """keep the cable locked until the same idTag or one with the same parent is shown (erratum; 4.8)."""
    assert is_locked(refused_late(socket).charge("A1").run(60))


def test_the_refused_driver_frees_the_cable_with_the_same_card(socket: World) -> None:
    """keep the cable locked until the same idTag is shown (4.8)."""
    assert not is_locked(refused_late(socket).charge("A1").tap("A1").run(2))


def test_freeing_the_cable_starts_no_transaction(socket: World) -> None:
    """keep the cable locked until the same idTag is shown (4.8)."""
    refused_late(socket).charge("A1").forget().tap("A1").run(20)
    assert socket.story() == []


def test_a_card_of_the_refused_drivers_group_frees_the_cable(socket: World) -> None:
    """or one with the same parent is shown (4.8)."""
    socket.peer.tags["A2"] = {"status": "Accepted", "parentIdTag": "G1"}
    socket.tap("A2").tap("A2").run(1)  # known from now on
    refused_late(socket, parentIdTag="G1").charge("A1").tap("A2").run(2)
    assert not is_locked(socket)


def test_a_card_of_the_group_that_is_not_known_yet_is_asked_about_and_frees_the_cable(socket: World) -> None:
    """or one with the same parent is shown (4.8); unknown → Authorize (3.4)."""
    socket.peer.tags["A2"] = {"status": "Accepted", "parentIdTag": "G1"}
    refused_late(socket, parentIdTag="G1").charge("A1").tap("A2").run(2)
    assert not is_locked(socket)


def test_a_strangers_card_does_not_free_a_refused_drivers_cable(socket: World) -> None:
    """keep the cable locked until the same idTag or one with the same parent is shown (4.8)."""
    socket.peer.tags["B1"] = {"status": "Invalid"}
    assert is_locked(refused_late(socket).charge("A1").tap("B1").run(2))


def test_a_refused_drivers_cable_stays_locked_over_a_power_cut(socket: World) -> None:
    """keep the cable locked until the same idTag or one with the same parent is shown (4.8)."""
    assert is_locked(refused_late(socket).charge("A1").run(5).cut_power().run(10))


def test_after_a_power_cut_the_same_card_frees_the_cable(socket: World) -> None:
    """keep the cable locked until the same idTag is shown (4.8)."""
    assert not is_locked(refused_late(socket).charge("A1").run(5).cut_power().run(10).tap("A1").run(2))


def test_an_authorisation_that_times_out_leaves_no_locked_cable(socket: World) -> None:
    """unlock on: end of Preparing (handbook, connector-states 7.7)."""
    socket.cause("meter_silent").plug().tap("A1").run(30)
    assert not is_locked(socket)
