"""StatusNotification: what is told, when, and in which steps (OCPP 1.6 4.9, 7.6, 7.7; test cases 023, 024, 041)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from random import Random

import pytest
from ocpp.v16.enums import ChargePointStatus as Status

from chargepoint.model.status import MOVES, Situation, path, status_of
from tests.world import SILENCE, World

# --- which status -----------------------------------------------------------------------------------------------------

SITUATIONS: list[tuple[Situation, Status]] = [
    (Situation(), Status.available),
    (Situation(is_plugged=True), Status.preparing),
    (Situation(is_authorised=True), Status.preparing),
    (Situation(is_reserved=True), Status.reserved),
    (Situation(is_reserved=True, is_plugged=True), Status.reserved),
    (Situation(is_reserved=True, is_authorised=True), Status.preparing),
    (Situation(is_left_over=True, is_plugged=True), Status.finishing),
    (Situation(is_left_over=True, is_plugged=True, is_authorised=True), Status.preparing),
    (Situation(is_left_over=True, is_plugged=True, is_reserved=True), Status.finishing),
    (Situation(is_operative=False), Status.unavailable),
    (Situation(is_operative=False, is_plugged=True), Status.unavailable),
    (Situation(in_transaction=True, is_offering=True, car_asks=True), Status.charging),
    (Situation(in_transaction=True, is_offering=True), Status.suspended_ev),
    (Situation(in_transaction=True, car_asks=True), Status.suspended_evse),
    (Situation(in_transaction=True), Status.suspended_evse),
    (Situation(in_transaction=True, is_offering=True, car_asks=True, is_operative=False), Status.charging),
    (Situation(has_fault=True, in_transaction=True, is_offering=True, car_asks=True), Status.faulted),
    (Situation(has_fault=True, is_operative=False), Status.faulted),
    (Situation(until_stopped=Status.charging), Status.charging),
    (Situation(until_stopped=Status.charging, is_operative=False), Status.charging),
    (Situation(until_stopped=Status.charging, has_fault=True), Status.faulted),
]


@pytest.mark.parametrize(("situation", "status"), SITUATIONS)
def test_the_status_follows_from_the_situation(situation: Situation, status: Status) -> None:
    """Derivation function (handbook, connector-states 2)."""
    assert status_of(situation) is status


@pytest.mark.parametrize(("reported", "actual"), list(product(Status, Status)))
def test_a_report_moves_only_along_the_table(reported: Status, actual: Status) -> None:
    """Not in the table, hence never send (4.9; handbook, connector-states 3)."""
    steps = (reported, *path(reported, actual))
    assert steps[-1] is actual
    assert all(there in MOVES[here] for here, there in pairwise(steps))


FORBIDDEN = [
    (Status.available, Status.finishing),
    (Status.preparing, Status.reserved),
    (Status.preparing, Status.unavailable),
    (Status.charging, Status.preparing),
    (Status.finishing, Status.charging),
    (Status.reserved, Status.charging),
    (Status.unavailable, Status.finishing),
    (Status.unavailable, Status.reserved),
]


@pytest.mark.parametrize(("here", "there"), FORBIDDEN)
def test_moves_that_must_never_be_sent_are_not_in_the_table(here: Status, there: Status) -> None:
    """Available→Finishing, Preparing→Reserved/Unavailable, … : never send (handbook, connector-states 3)."""
    assert there not in MOVES[here]


@pytest.mark.parametrize(
    ("reported", "actual", "steps"),
    [
        (Status.charging, Status.preparing, (Status.finishing, Status.preparing)),
        (Status.finishing, Status.charging, (Status.preparing, Status.charging)),
        (Status.preparing, Status.unavailable, (Status.finishing, Status.unavailable)),
        (Status.unavailable, Status.finishing, (Status.preparing, Status.finishing)),
        (Status.available, Status.available, ()),
    ],
)
def test_a_skipped_step_is_told_on_the_way(reported: Status, actual: Status, steps: tuple[Status, ...]) -> None:
    """If physics skips a step, send the intermediate one (handbook, connector-states 3)."""
    assert path(reported, actual) == steps


DEEDS: list[Callable[[World], object]] = [
    lambda world: world.plug(1),
    lambda world: world.plug(2),
    lambda world: world.unplug(1),
    lambda world: world.unplug(2),
    lambda world: world.unplug_car(1),
    lambda world: world.tap("A1"),
    lambda world: world.tap("B1"),
    lambda world: world.wants_energy(False, 1),
    lambda world: world.wants_energy(True, 1),
    lambda world: world.cause("internal", True, 1),
    lambda world: world.cause("internal", False, 1),
    lambda world: world.cause("ground_fault", True, 2),
    lambda world: world.cause("ground_fault", False, 2),
    lambda world: world.cause("cp_short", True, 1),
    lambda world: world.cause("cp_short", False, 1),
    lambda world: world.cause("lock_jammed", True, 2),
    lambda world: world.cause("lock_jammed", False, 2),
    lambda world: world.availability("Inoperative", 1),
    lambda world: world.availability("Operative", 1),
    lambda world: world.availability("Inoperative", 0),
    lambda world: world.availability("Operative", 0),
    lambda world: world.remote_start("C1", connectorId=2),
    lambda world: world.remote_start("D1"),
    lambda world: world.run(30),
    lambda world: world.run(90),
]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_people_do_is_told_only_along_the_table(duo: World, seed: int) -> None:
    """Not in the table, hence never send (4.9; handbook, connector-states 3)."""
    chance = Random(seed)
    for deed in chance.choices(DEEDS, k=60):
        deed(duo)
        duo.run(chance.choice((0.0, 0.2, 3.0, 15.0)))
    moves = {move for number in (1, 2) for move in pairwise(duo.statuses(number))}
    assert {(here, there) for here, there in moves if here != there and Status(there) not in MOVES[Status(here)]} == set()


# --- pauses -----------------------------------------------------------------------------------------------------------


def test_a_car_that_stops_asking_is_suspended_ev(world: World) -> None:
    """EV opens S2: SN(SuspendedEV) (7.7)."""
    assert world.charge().forget().wants_energy(False).run(5).statuses() == ["SuspendedEV"]


def test_a_car_that_asks_again_is_charging_again(world: World) -> None:
    """EV opens S2, then back: SN(Charging) (4.9, D3)."""
    world.charge().wants_energy(False).run(5).forget()
    assert world.wants_energy(True).run(10).statuses() == ["Charging"]


def test_a_short_pause_of_the_car_is_not_told(world: World) -> None:
    """Status returns to the last reported one before the stability time: send nothing (handbook, connector-states 6)."""
    world.charge().configure(MinimumStatusDuration=10).forget().wants_energy(False)
    assert world.wants_energy(True).run(10).statuses() == []


def test_a_car_that_is_slow_to_ask_is_told_as_suspended_ev_after_a_while(world: World) -> None:
    """authd ∧ plug, EV still B2 → transaction, SuspendedEV (B4)."""
    world.cause("never_c").forget().charge()
    assert world.statuses() == ["Preparing", "SuspendedEV"]


# --- MinimumStatusDuration --------------------------------------------------------------------------------------------


def patient(world: World) -> World:
    return world.configure(MinimumStatusDuration=10).forget()


def test_a_status_must_last_its_minimum_before_it_is_told(world: World) -> None:
    """MinimumStatusDuration: the minimum duration that a status is stable before it is sent (9.1.23; test case 023)."""
    patient(world).plug().run(9)
    before = world.statuses()
    world.run(1)
    assert (before, world.statuses()) == ([], ["Preparing"])


def test_a_delayed_status_bears_the_time_of_its_change(world: World) -> None:
    """timestamp = moment of the change (handbook, connector-states 6)."""
    patient(world).plug().run(15)
    assert world.last("StatusNotification")["timestamp"].startswith("2026-01-01T00:00:00")


def test_a_status_that_went_back_in_time_is_not_told(world: World) -> None:
    """Status returns to the last reported one before: send nothing (handbook, connector-states 6)."""
    assert patient(world).plug().run(5).unplug().run(30).statuses() == []


def test_a_further_change_restarts_the_wait(world: World) -> None:
    """Further change before → restart, skip the intermediate one (handbook, connector-states 6)."""
    patient(world).plug().run(5).tap("A1").run(8)
    before = world.statuses()
    world.run(10)
    assert (before, world.statuses()) == ([], ["Charging"])


def test_a_fault_is_told_without_delay(world: World) -> None:
    """Never delay: Faulted (handbook, connector-states 6)."""
    assert patient(world).cause("internal").statuses() == ["Faulted"]


def test_reports_after_boot_are_not_delayed() -> None:
    """Never delay: reports after boot (handbook, connector-states 6)."""
    assert World(keys={"MinimumStatusDuration": "100"}).statuses() == ["Available"]


# --- reconnecting -----------------------------------------------------------------------------------------------------


def test_after_an_outage_only_what_changed_is_told(world: World) -> None:
    """send the current status of each connector whose status differs from the last one confirmed (4.9; 037_1)."""
    world.forget().network(False).plug().run(5).network(True).run(5)
    assert world.story() == ["StatusNotification 1 Preparing"]


def test_what_came_and_went_in_an_outage_is_not_told(world: World) -> None:
    """no history (4.9; test case 039)."""
    world.forget().network(False).plug().run(5).unplug().run(5).network(True).run(5)
    assert world.story() == []


def test_a_report_that_was_not_confirmed_is_told_again_after_the_reconnect(world: World) -> None:
    """whose status differs from the last one confirmed by the CS (handbook, connector-states 7.5)."""
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.plug().network(False)
    world.peer.answers.clear()
    assert world.forget().network(True).run(5).statuses() == ["Preparing"]


def test_a_report_whose_answer_was_lost_is_corrected_after_the_reconnect(world: World) -> None:
    """4.9: it may have been heard, so the central system must learn that it is not so any more."""
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.plug().run(5).network(False).unplug().run(5)
    world.peer.answers.clear()
    assert world.told() == "Preparing"
    assert world.forget().network(True).run(5).statuses() == ["Available"]


def test_a_report_that_never_left_leads_nowhere() -> None:
    """The moves of the table in 4.9 begin at what the central system can have heard."""
    world = World(starts_online=False, keys={"AllowOfflineTxForUnknownId": "true"})
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE if payload["connectorId"] else {}
    world.network(True).plug().run(1).network(False)
    world.tap("A1").run(20).tap("A1").run(5)
    world.peer.answers.clear()
    assert world.statuses() == ["Available"]
    assert world.forget().network(True).run(5).statuses() == ["Preparing", "Finishing"]


def test_the_central_system_is_led_over_what_it_may_not_have_heard(world: World) -> None:
    """4.9: after a Finishing that may be lost, Charging is told so that every step is a move of the table."""
    world.charge()
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.tap("A1").run(5).network(False).tap("A1").run(20)
    world.peer.answers.clear()
    assert world.told() == "Finishing"
    assert world.forget().network(True).run(5).statuses() == ["Finishing", "Preparing", "Charging"]


def test_reports_after_boot_that_were_lost_are_told_after_the_reconnect() -> None:
    """for connector 0..n after each Accepted boot (4.2); whose status differs from the last one confirmed (4.9)."""
    world = World(starts_online=False)
    world.peer.answers["StatusNotification"] = lambda payload: SILENCE
    world.network(True).run(1).network(False)
    world.peer.answers.clear()
    assert world.forget().network(True).run(5).story() == [
        "StatusNotification 0 Available",
        "StatusNotification 1 Available",
    ]


# --- faults -----------------------------------------------------------------------------------------------------------

BLOCKING = {
    "ground_fault": ("GroundFailure", "CX002"),
    "residual_current_test": ("GroundFailure", ""),
    "protective_earth": ("GroundFailure", ""),
    "over_temperature": ("HighTemperature", "CX019"),
    "over_voltage": ("OverVoltage", "CX005"),
    "under_voltage": ("UnderVoltage", "CX006"),
    "over_current": ("OverCurrentFailure", "CX004"),
    "emergency_stop": ("OtherError", ""),
    "controller_silent": ("InternalError", ""),
    "internal": ("InternalError", ""),
}
"""Causes the board reports, with errorCode and vendorErrorCode."""
ENDING = {
    "ground_fault": "Other",
    "protective_earth": "Other",
    "over_current": "Other",
    "emergency_stop": "EmergencyStop",
}
"""Those after which a transaction cannot go on, with the reason of its end."""
RECOVERABLE = sorted(BLOCKING.keys() - ENDING)


@pytest.mark.parametrize("cause", BLOCKING)
def test_a_blocking_fault_is_told_as_faulted_with_its_code(world: World, cause: str) -> None:
    """Faulted: an error of the table of ChargePointErrorCode that prevents charging (7.6, 7.7)."""
    world.cause(cause)
    told = next(p for p in world.calls("StatusNotification") if p["status"] == "Faulted" and p["connectorId"] == 1)
    assert (told["errorCode"], told.get("vendorErrorCode", "")) == BLOCKING[cause]


@pytest.mark.parametrize("cause", BLOCKING)
def test_on_a_faulted_connector_no_card_starts_a_transaction(world: World, cause: str) -> None:
    """fault; try to start: SN(Faulted); no Start (test case 041)."""
    world.cause(cause).plug().tap("A1").run(30)
    assert world.calls("StartTransaction") == []


@pytest.mark.parametrize("cause", BLOCKING)
def test_on_a_faulted_connector_a_remote_start_is_rejected(world: World, cause: str) -> None:
    """RemoteStart on Faulted → Rejected (handbook, connector-states 5)."""
    assert world.cause(cause).plug().remote_start(connectorId=1) == "Rejected"


@pytest.mark.parametrize("cause", BLOCKING)
def test_a_fault_that_ends_at_a_free_connector_leaves_it_available(world: World, cause: str) -> None:
    """On clearing: SN with NoError; back to what the derivation yields (I1)."""
    world.cause(cause).run(5).forget().cause(cause, False).run(5)
    assert world.tells() == [("Available", "NoError", "")]


RAMPING = ("over_temperature", "over_voltage", "under_voltage")
"""Faults that leave the car the time to ramp down: an opening under load costs more than these seconds."""


@pytest.mark.parametrize("cause", sorted(BLOCKING.keys() - set(RAMPING)))
def test_a_fault_takes_the_energy_away(world: World, cause: str) -> None:
    """Fault while a transaction runs: power off at once (handbook, connector-states 5)."""
    world.charge().cause(cause)
    assert not world.connector().supply.is_closed


@pytest.mark.parametrize("cause", RAMPING)
def test_a_fault_that_is_no_danger_yet_lets_the_car_ramp_down(world: World, cause: str) -> None:
    """C2 -> C1 without danger: the contactor stays closed while the car ramps down, at most 6 s (IEC 61851-1)."""
    world.charge().cause(cause)
    assert world.connector().supply.duty_percent == 100.0
    assert world.connector().supply.is_closed
    assert not world.run(3).connector().supply.is_closed


@pytest.mark.parametrize("cause", RECOVERABLE)
def test_a_recoverable_fault_keeps_the_transaction(world: World, cause: str) -> None:
    """Recoverable: keep the transaction, on clearing return (I3); first 30 s of rest, after heat five minutes."""
    world.charge().forget().cause(cause).run(20).cause(cause, False).run(400)
    first, *between, last = world.statuses()
    assert (first, last) == ("Faulted", "Charging")
    assert set(between) <= {"SuspendedEV", "SuspendedEVSE"}


@pytest.mark.parametrize("cause", ENDING)
def test_a_fault_that_cannot_recover_ends_the_transaction_with_its_reason(world: World, cause: str) -> None:
    """Non-recoverable: Stop (reason EmergencyStop for the button, else Other) (handbook, connector-states 5)."""
    world.charge().cause(cause).run(10)
    assert world.last("StopTransaction")["reason"] == ENDING[cause]


@pytest.mark.parametrize("cause", ["protective_earth", "emergency_stop"])
def test_after_such_a_fault_with_the_cable_in_comes_finishing(world: World, cause: str) -> None:
    """SN Faulted; after clearing with cable in → Finishing (I6)."""
    world.charge().forget().cause(cause).run(10).cause(cause, False).run(10)
    assert world.statuses() == ["Faulted", "Finishing"]


@pytest.mark.parametrize("cause", ["ground_fault", "over_current"])
def test_a_latched_fault_lasts_until_the_car_has_left(world: World, cause: str) -> None:
    """ground fault latched (handbook, connector-states 5); auto-clear faults end at A (handbook, iec61851 5, row 13)."""
    world.charge().forget().cause(cause).run(10).cause(cause, False).run(10)
    before = world.statuses()
    assert (before, world.unplug().run(5).statuses()) == (["Faulted"], ["Faulted", "Available"])


def test_a_ground_fault_that_is_still_there_outlasts_the_car(world: World) -> None:
    """Faulted: an error has occurred and the connector is not available for energy delivery (7.7)."""
    world.charge().cause("ground_fault").run(10).unplug().run(10)
    assert world.told() == "Faulted"


def test_a_silent_meter_stops_the_energy_and_is_told(world: World) -> None:
    """PowerMeterFailure: Faulted if billing needs it (7.6)."""
    world.configure(MeterValueSampleInterval=10).charge().cause("meter_silent").run(15)
    assert world.tells()[-1] == ("Faulted", "PowerMeterFailure", "")


def test_a_meter_that_answers_again_lets_the_transaction_go_on(world: World) -> None:
    """Recoverable: keep the transaction, on clearing return (I3)."""
    world.configure(MeterValueSampleInterval=10).charge().cause("meter_silent").run(15).forget()
    assert world.cause("meter_silent", False).run(60).statuses() == ["SuspendedEV", "Charging"]


def test_a_silent_meter_lets_no_transaction_begin(world: World) -> None:
    """Take register reading R0 once: without one there is no meterStart (handbook, transactions 1)."""
    world.cause("meter_silent").plug().tap("A1").run(30)
    assert (world.calls("StartTransaction"), world.told()) == ([], "Faulted")


def test_a_contactor_that_does_not_close_is_a_power_switch_failure(world: World) -> None:
    """PowerSwitchFailure: failure to turn power switch on (7.6)."""
    world.cause("contactor_stuck").charge()
    assert world.tells()[-1] == ("Faulted", "PowerSwitchFailure", "Contactor does not close")


def test_a_contactor_that_does_not_close_ends_the_transaction(world: World) -> None:
    """Non-recoverable: Stop, reason Other (handbook, connector-states 5)."""
    world.cause("contactor_stuck").charge()
    assert world.last("StopTransaction")["reason"] == "Other"


def test_a_welded_contactor_is_a_power_switch_failure_that_outlasts_the_car(world: World) -> None:
    """PowerSwitchFailure: contactor welded: Faulted, non-recoverable (7.6)."""
    world.charge().cause("welded_contactor").tap("A1").run(20).unplug().run(5)
    assert world.tells()[-1] == ("Faulted", "PowerSwitchFailure", "Contactor does not open")


def test_a_welded_contactor_lets_the_transaction_end_all_the_same(world: World) -> None:
    """R1/T1 = a fresh reading once the contactor confirms open, or 6.5 s after the event at the latest (transactions 1)."""
    world.charge().cause("welded_contactor").tap("A1").run(20)
    assert world.last("StopTransaction")["reason"] == "Local"


def test_a_car_without_a_diode_is_a_warning_with_suspended_evse(world: World) -> None:
    """EVCommunicationError only with Preparing, SuspendedEV, SuspendedEVSE and Finishing (4.9)."""
    world.charge().forget().cause("diode_short").run(5)
    assert world.tells() == [("SuspendedEVSE", "EVCommunicationError", "Diode fault")]


def test_a_pilot_short_in_a_transaction_is_a_warning_with_suspended_evse(world: World) -> None:
    """EVCommunicationError: go to SuspendedEVSE (4.9; handbook, connector-states 5)."""
    world.charge().forget().cause("cp_short").run(5)
    assert world.tells() == [("SuspendedEVSE", "EVCommunicationError", "CP short")]


def test_charging_goes_on_when_a_pilot_short_is_over(world: World) -> None:
    """restriction lifted, EV draws (E3)."""
    world.charge().cause("cp_short").run(5).forget().cause("cp_short", False).run(40)
    assert world.told() == "Charging"


def test_a_pilot_short_before_a_transaction_is_a_warning_with_preparing(world: World) -> None:
    """E: warning EVCommunicationError, else Preparing/Finishing (4.9, 7.6)."""
    world.plug().forget().cause("cp_short").run(5)
    assert world.tells() == [("Preparing", "EVCommunicationError", "CP short")]


def test_a_pilot_short_at_an_empty_outlet_is_faulted(world: World) -> None:
    """at an empty outlet Faulted(OtherError): Available may not carry EVCommunicationError (4.9)."""
    world.forget().cause("cp_short").run(5)
    assert world.tells() == [("Faulted", "OtherError", "CP short")]


def test_a_car_that_wants_ventilation_is_refused_once_and_for_all(world: World) -> None:
    """CP = D, no ventilation: PWM off, no contactor, SuspendedEVSE (handbook, iec61851 5, row 5)."""
    world.cause("state_d").forget().charge().run(60)
    assert world.tells() == [
        ("Preparing", "NoError", ""),
        ("SuspendedEVSE", "OtherError", "Ventilation not available"),
    ]


def test_a_half_plugged_cable_is_a_lock_failure_without_a_transaction(socket: World) -> None:
    """RemoteStart; plug half: SN(Preparing); SN(Faulted, ConnectorLockFailure); no Start (test case 024)."""
    socket.forget().cause("half_plugged").remote_start(connectorId=1)
    socket.plug().run(20)
    assert socket.story() == ["StatusNotification 1 Preparing", "StatusNotification 1 Faulted ConnectorLockFailure"]


def test_a_lock_failure_ends_with_the_cable_out(socket: World) -> None:
    """On clearing: SN with NoError (handbook, connector-states 5)."""
    socket.cause("half_plugged").plug().tap("A1").run(20).cause("half_plugged", False).unplug().run(5)
    assert socket.tells()[-1] == ("Available", "NoError", "")


# --- connector 0 ------------------------------------------------------------------------------------------------------


def test_a_silent_reader_is_a_warning_of_the_whole_box(world: World) -> None:
    """Warnings: Available + errorCode, connector 0: ReaderFailure (7.6)."""
    world.forget().cause("reader_silent")
    assert world.story() == ["StatusNotification 0 Available ReaderFailure"]


def test_a_reader_that_works_again_is_told(world: World) -> None:
    """On clearing: SN with NoError (handbook, connector-states 5)."""
    world.cause("reader_silent").forget().cause("reader_silent", False)
    assert world.story() == ["StatusNotification 0 Available"]


def test_a_fault_of_the_whole_box_is_told_for_the_box_and_each_connector(duo: World) -> None:
    """report Faulted for 0 and each connector (state SetChargePointFaulted of the test cases)."""
    duo.forget().cause("emergency_stop")
    assert [duo.statuses(number) for number in (0, 1, 2)] == [["Faulted"]] * 3


def test_a_fault_of_one_connector_leaves_the_others_and_the_box_alone(duo: World) -> None:
    """Connector 0 is independent: connector 1 may be Faulted while 0 is Available (4.9)."""
    duo.forget().cause("ground_fault", connector=2)
    assert duo.story() == ["StatusNotification 2 Faulted GroundFailure"]


def test_the_box_is_available_again_when_its_fault_is_over(duo: World) -> None:
    """Fault gone: back to what the derivation yields (I1)."""
    duo.cause("emergency_stop").forget().cause("emergency_stop", False).run(5)
    assert [duo.statuses(number) for number in (0, 1, 2)] == [["Available"]] * 3


def test_a_fault_that_lasts_through_a_power_cut_is_told_after_boot(world: World) -> None:
    """for connector 0..n after each Accepted boot, as they are (4.2)."""
    world.cause("internal").plug().forget().cut_power().run(5)
    assert world.told() == "Faulted"


def test_a_cable_that_is_in_at_boot_is_told_at_once(world: World) -> None:
    """After boot Accepted: a plugged cable → Preparing (handbook, connector-states 4)."""
    world.plug().forget().cut_power().run(5)
    assert world.statuses() == ["Preparing"]
