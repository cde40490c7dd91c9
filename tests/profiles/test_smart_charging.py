"""SetChargingProfile, ClearChargingProfile, GetCompositeSchedule (OCPP 1.6 3.13, 5.5, 5.7, 5.16; keys 9.4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint.model.journal import OfferChanged
from chargepoint.model.timebase import utc_seconds, utc_text
from profiles.core.local_limit import LocalLimit
from profiles.smart_charging import YIELD_S, SmartCharging
from tests.world import EPOCH_UTC_S, World

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "smart-charging-vectors.json").read_text("utf-8"))["vectors"]


def schedule(*limits: tuple[int, float], **more: Any) -> dict[str, Any]:
    periods = [{"startPeriod": start_s, "limit": limit} for start_s, limit in limits]
    return {"chargingRateUnit": "A", "chargingSchedulePeriod": periods, **more}


def profile(number: int = 1, purpose: str = "TxDefaultProfile", level: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule((0, 10.0), startSchedule="2026-01-01T00:00:00Z"),
        **more,
    }


def limited(amps: float, number: int = 1, purpose: str = "TxDefaultProfile", level: int = 0) -> dict[str, Any]:
    start = "2026-01-01T00:00:00Z"
    return profile(number, purpose, level, chargingSchedule=schedule((0, amps), startSchedule=start))


def put(world: World, told: dict[str, Any], connector: int = 1) -> Any:
    """The status of the answer, or the code of the error."""
    answer = world.ask("SetChargingProfile", connectorId=connector, csChargingProfiles=told)
    return answer["status"] if isinstance(answer, dict) else answer


def clear(world: World, **criteria: Any) -> str:
    return str(world.ask("ClearChargingProfile", **criteria)["status"])


def told(world: World, connector: int = 1, duration: int = 600, **more: Any) -> list[tuple[int, float]]:
    """The periods of a composite schedule."""
    answer = world.ask("GetCompositeSchedule", connectorId=connector, duration=duration, **more)
    assert answer["status"] == "Accepted"
    return [(p["startPeriod"], p["limit"]) for p in answer["chargingSchedule"]["chargingSchedulePeriod"]]


def kept(world: World) -> set[int]:
    return {each.profile_id for each in world.feature(SmartCharging).installed}


def offered(world: World, connector: int = 1) -> float:
    return round(float(world.connector(connector).offer.amps), 3)


def in_s(world: World, seconds: float) -> str:
    return utc_text(EPOCH_UTC_S + int(world.now_s) + seconds)


# --- SetChargingProfile -----------------------------------------------------------------------------------------------


def test_a_default_profile_on_an_idle_connector_shows_in_its_schedule(world: World) -> None:
    """TxDefaultProfile on idle n, GetCompositeSchedule: Accepted; schedule shows it (test case 056)."""
    assert put(world, limited(6.0)) == "Accepted"
    assert told(world) == [(0, 6.0)]


def test_a_transaction_profile_shows_in_the_schedule(world: World) -> None:
    """TxProfile with transactionId while Charging: Accepted; shown (test case 057)."""
    world.charge()
    assert put(world, {**limited(8.0, purpose="TxProfile"), "transactionId": 1}) == "Accepted"
    assert told(world) == [(0, 8.0)]


def test_a_default_profile_changes_a_running_transaction_at_once(world: World) -> None:
    """TxDefaultProfile with ongoing transaction: applied at once (test case 082; erratum)."""
    world.charge()
    assert offered(world) == 16.0
    put(world, limited(7.0))
    assert offered(world) == 7.0
    assert world.connector().supply.duty_percent == pytest.approx(7.0 / 0.6)


def test_a_display_that_asks_for_limits_delays_no_change(world: World) -> None:
    """A query arms and cancels no timer: who asks between a change and the timer that makes it must not cancel that [D]."""
    world.charge()
    put(world, profile(chargingSchedule=schedule((0, 16.0), (60, 7.0), startSchedule=in_s(world, 0))))
    (limit,) = world.model.limits(world.connector(), world.now_s)
    due_s = limit.until_utc_s - EPOCH_UTC_S
    world.run(due_s - world.now_s - 1.0)
    world.pump.scheduler.tell(due_s + 0.01, due_s + 0.01)  # the machine is late by 10 ms: the timer is due and has not run
    assert [limit.amps for limit in world.model.limits(world.connector(), world.now_s)] == [7.0]
    assert offered(world) == 16.0
    world.run(1.0)
    assert offered(world) == 7.0


@pytest.mark.parametrize(
    ("case", "faulty", "connector"),
    [
        ("R1: no transaction", profile(purpose="TxProfile"), 1),
        ("R3", profile(purpose="ChargePointMaxProfile"), 1),
        ("R5", profile(level=11), 1),
        ("R5: below", profile(level=-1), 1),
        ("R6", profile(chargingSchedule=schedule((10, 8.0))), 1),
        ("R7", profile(chargingSchedule=schedule((0, 8.0), (60, 9.0), (60, 10.0))), 1),
        ("R8", profile(chargingProfileKind="Recurring"), 1),
        (
            "R8: no start",
            profile(chargingProfileKind="Recurring", recurrencyKind="Daily", chargingSchedule=schedule((0, 8.0))),
            1,
        ),
        ("R11", profile(purpose="TxProfile"), 0),
        ("R12", profile(chargingSchedule=schedule(*((60 * n, 8.0) for n in range(101)))), 1),
        ("no period", profile(chargingSchedule=schedule()), 1),
        ("R14", profile(chargingSchedule=schedule((0, -1.0))), 1),
        ("duration 0", profile(chargingSchedule=schedule((0, 8.0), duration=0)), 1),
        ("least", profile(chargingSchedule=schedule((0, 8.0), minChargingRate=-1.0)), 1),
        ("over", profile(validTo="2025-12-31T00:00:00Z"), 1),
        ("backwards", profile(validFrom="2027-01-02T00:00:00Z", validTo="2027-01-01T00:00:00Z"), 1),
    ],
)  # fmt: skip
def test_a_faulty_profile_is_rejected(world: World, case: str, faulty: dict[str, Any], connector: int) -> None:
    """Content that does not fit: status Rejected (5.16; handbook, rejection vectors R1 to R14)."""
    assert put(world, faulty, connector) == "Rejected", case
    assert kept(world) == set()


@pytest.mark.parametrize("phases", [0, 4])
def test_a_wrong_number_of_phases_is_rejected(world: World, phases: int) -> None:
    """numberPhases outside 1..3: Rejected (7.14)."""
    faulty = schedule((0, 8.0))
    faulty["chargingSchedulePeriod"][0]["numberPhases"] = phases
    assert put(world, profile(chargingSchedule=faulty)) == "Rejected"


@pytest.mark.parametrize("connector", [-1, 5])
def test_an_unknown_connector_is_an_error(world: World, connector: int) -> None:
    """connectorId < 0 or > N: PropertyConstraintViolation (erratum 3.39; R10)."""
    assert put(world, profile(), connector) == "PropertyConstraintViolation"


def test_an_unknown_unit_is_an_error(world: World) -> None:
    """chargingRateUnit "X": PropertyConstraintViolation (R9)."""
    faulty = profile(chargingSchedule={**schedule((0, 8.0)), "chargingRateUnit": "X"})
    assert put(world, faulty) == "PropertyConstraintViolation"


def test_a_unit_that_is_not_allowed_is_rejected() -> None:
    """chargingRateUnit not in ChargingScheduleAllowedChargingRateUnit: Rejected (9.4.2)."""
    world = World(keys={"ChargingScheduleAllowedChargingRateUnit": "Power"})
    assert put(world, profile()) == "Rejected"
    assert world.ask("GetCompositeSchedule", connectorId=1, duration=60, chargingRateUnit="A") == {"status": "Rejected"}
    assert told(world) == [(0, 11040.0)], "asked for no unit: the one there is"


def test_the_transaction_must_be_the_one_that_runs_there(world: World) -> None:
    """transactionId of another transaction: Rejected (test case 058_2; R2)."""
    world.charge()
    assert put(world, profile(purpose="TxProfile", transactionId=8)) == "Rejected"


def test_without_a_transaction_id_the_running_one_is_meant(world: World) -> None:
    """transactionId absent: accept for the running transaction (handbook 5)."""
    world.charge()
    assert put(world, limited(8.0, purpose="TxProfile")) == "Accepted"
    assert offered(world) == 8.0


def test_the_same_id_replaces_wherever_it_stands(duo: World) -> None:
    """If a profile with the same chargingProfileId exists, it is replaced (5.16.2)."""
    put(duo, profile(1), connector=1)
    put(duo, limited(20.0, 1, "ChargePointMaxProfile"), connector=0)
    assert told(duo, connector=1) == [(0, 20.0)]
    assert kept(duo) == {1}


def test_the_same_level_and_purpose_replace(world: World) -> None:
    """…or with the same combination of stackLevel and purpose (5.16.2)."""
    put(world, limited(10.0, 1))
    put(world, limited(8.0, 2))
    assert kept(world) == {2}
    put(world, limited(9.0, 3, level=1))
    put(world, limited(9.0, 4), connector=0)
    assert kept(world) == {2, 3, 4}


def test_a_profile_that_matches_two_replaces_both(world: World) -> None:
    """same id here, same level there: both go (handbook 4)."""
    put(world, limited(10.0, 1))
    put(world, limited(10.0, 2, level=1))
    put(world, limited(10.0, 1, level=1))
    assert kept(world) == {1}
    assert world.stored("charging_profile", "2") is None


def test_a_relative_maximum_begins_when_it_arrives(duo: World) -> None:
    """Relative to a situation-specific start point that is determined by the charge point (7.9).

    A ChargePointMaxProfile belongs to no transaction, so the start point is its arrival ([D]); startSchedule is ignored.
    """
    steps = schedule((0, 12.0), (600, 20.0), startSchedule="2026-01-15T00:00:00Z")
    maximum = profile(8, "ChargePointMaxProfile", chargingProfileKind="Relative", chargingSchedule=steps)
    assert put(duo, maximum, connector=0) == "Accepted"
    duo.run(200)
    assert told(duo, connector=0, duration=1200) == [(0, 12.0), (400, 20.0)]
    duo.charge("A1", 1).charge("B1", 2)
    assert offered(duo, 1) + offered(duo, 2) == 12.0
    duo.run(600 - 200 - 42)
    assert offered(duo, 1) + offered(duo, 2) == 20.0


def test_a_relative_maximum_keeps_its_start_over_a_restart(world: World) -> None:
    """ChargingProfiles SHALL be persistent across reboots/power cycles (erratum 3.37): the start point too."""
    steps = schedule((0, 7.0), (600, 9.0))
    put(world, profile(8, "ChargePointMaxProfile", chargingProfileKind="Relative", chargingSchedule=steps), connector=0)
    world.run(89.9).cut_power(dark_s=10.0)
    assert told(world, duration=1200) == [(0, 7.0), (500, 9.0)]


def test_a_relative_maximum_that_came_before_the_clock_moves_with_it() -> None:
    """Relative to a situation-specific start point (7.9): the arrival, also when the calendar is set only afterwards."""
    world = World(starts_online=False)
    world.peer.registration, world.peer.interval_s = "Pending", 100
    unusable = {"status": "Pending", "currentTime": "1960-01-01T00:00:00Z", "interval": 100}
    world.peer.answers["BootNotification"] = lambda payload: unusable
    world.network(True)
    steps = schedule((0, 7.0), (600, 9.0))
    maximum = profile(8, "ChargePointMaxProfile", chargingProfileKind="Relative", chargingSchedule=steps)
    assert put(world, maximum, connector=0) == "Accepted"
    utc_s = EPOCH_UTC_S + 90 * 86_400
    world.peer.answers["BootNotification"] = lambda payload: {
        "status": "Accepted",
        "currentTime": utc_text(utc_s + world.now_s),
        "interval": 300,
    }
    world.run(110)
    assert world.model.calendar.utc_s(world.now_s) == pytest.approx(utc_s + world.now_s, abs=1.0)
    ((_, first), (start_s, second)) = told(world, duration=1200)
    assert (first, second) == (7.0, 9.0)
    assert start_s == pytest.approx(490, abs=2)
    assert world.stored("charging_profile", "8")["received_s"] == pytest.approx(utc_s, abs=2)


def test_no_more_profiles_than_promised_are_kept() -> None:
    """MaxChargingProfilesInstalled: what is beyond is Rejected, a replacement is not (9.4.5)."""
    world = World(keys={"MaxChargingProfilesInstalled": "2"})
    until = in_s(world, 100)
    assert [put(world, profile(n, level=n) | {"validTo": until}) for n in (1, 2, 3)] == ["Accepted", "Accepted", "Rejected"]
    assert put(world, profile(2, level=5)) == "Accepted"
    assert put(world.run(100), profile(3, level=3)) == "Accepted", "one is past its validTo"
    assert kept(world) == {2, 3}


def test_further_decimals_are_cut(world: World) -> None:
    """more than one decimal in limit: accept, cut to 0.1 (handbook 5)."""
    put(world, limited(8.1999))
    assert told(world) == [(0, 8.1)]


# --- ClearChargingProfile ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "status", "left"),
    [
        ({}, "Accepted", set()),
        ({"id": 3}, "Accepted", {1, 2, 4}),
        ({"id": 9}, "Unknown", {1, 2, 3, 4}),
        ({"id": 3, "connectorId": 2, "stackLevel": 7}, "Accepted", {1, 2, 4}),
        ({"connectorId": 0}, "Accepted", {3, 4}),
        ({"chargingProfilePurpose": "TxDefaultProfile"}, "Accepted", {1, 4}),
        ({"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}, "Accepted", {1, 3, 4}),
        ({"connectorId": 1, "stackLevel": 0}, "Accepted", {1, 2, 3}),
        ({"connectorId": 1, "chargingProfilePurpose": "ChargePointMaxProfile"}, "Unknown", {1, 2, 3, 4}),
    ],
)
def test_what_fits_is_cleared(world: World, criteria: dict[str, Any], status: str, left: set[int]) -> None:
    """id alone decides, else all that is given must fit (5.5; handbook 10)."""
    world.charge()
    put(world, limited(15.0, 1, "ChargePointMaxProfile"), connector=0)
    put(world, limited(14.0, 2), connector=0)
    put(world, limited(13.0, 3, level=1))
    put(world, limited(12.0, 4, "TxProfile"))
    assert clear(world, **criteria) == status
    assert kept(world) == left
    kept_bodies = {number for number in (1, 2, 3, 4) if world.stored("charging_profile", str(number)) is not None}
    assert kept_bodies == left


def test_what_is_cleared_no_longer_limits_a_running_transaction(world: World) -> None:
    """TxDefault removed during a transaction: it goes on without (erratum)."""
    put(world, limited(8.0))
    world.charge()
    assert offered(world) == 8.0
    clear(world, id=1)
    assert offered(world.run(6)) == 16.0
    assert world.connector().supply.duty_percent == pytest.approx(16.0 / 0.6)


# --- GetCompositeSchedule ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("connector", "duration"), [(-1, 60), (2, 60), (1, -5)])
def test_a_schedule_that_cannot_be_is_rejected_with_nothing_else(world: World, connector: int, duration: int) -> None:
    """connectorId unknown, duration below 0: status Rejected only (5.7)."""
    answer = world.ask("GetCompositeSchedule", connectorId=connector, duration=duration)
    assert answer == {"status": "Rejected"}


@pytest.mark.parametrize("connector", [0, 1])
def test_a_schedule_of_no_duration_is_the_limit_in_force(world: World, connector: int) -> None:
    """"duration: Time in seconds. length of requested schedule" (6.21): 0 asks for the limit in force ([D])."""
    put(world, profile(chargingSchedule=schedule((0, 8.0), (1, 9.0), startSchedule=in_s(world, 0))))
    answer = world.ask("GetCompositeSchedule", connectorId=connector, duration=0)
    assert answer["status"] == "Accepted"
    assert answer["chargingSchedule"] == {
        "duration": 0,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8.0}],
    }


def test_a_schedule_is_complete(world: World) -> None:
    """status, connectorId, scheduleStart, and duration, unit and periods of the schedule (6.26)."""
    now = utc_text(int(EPOCH_UTC_S + world.now_s))
    answer = world.ask("GetCompositeSchedule", connectorId=1, duration=60)
    assert answer == {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": now,
        "chargingSchedule": {
            "duration": 60,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        },
    }


def test_a_schedule_is_never_longer_than_a_year(world: World) -> None:
    """duration: cap at 31536000 s and report the capped value (handbook 8)."""
    answer = world.ask("GetCompositeSchedule", connectorId=1, duration=10**12)
    assert answer["chargingSchedule"]["duration"] == 31_536_000


def test_power_is_told_when_asked(world: World) -> None:
    """unit as asked: 10 A on three phases of 230 V are 6900 W (5.7)."""
    put(world, limited(10.0))
    assert told(world, chargingRateUnit="W") == [(0, 6900.0)]


def test_connector_zero_tells_the_sum_within_the_maximum(duo: World) -> None:
    """Expected total of the charge point (5.7; vector 14)."""
    start = in_s(duo, 0)
    maximum = profile(23, "ChargePointMaxProfile")
    put(duo, {**maximum, "chargingSchedule": schedule((0, 25.0), (600, 40.0), startSchedule=start)}, connector=0)
    put(duo, limited(16.0, 24), connector=0)
    put(duo, limited(10.0, 25), connector=2)
    periods = told(duo, connector=0, duration=1200)
    assert [limit for _, limit in periods] == [25.0, 26.0]
    assert told(duo, connector=2) == [(0, 10.0)]


@pytest.mark.parametrize("hides", [True, False])
def test_the_three_profiles_of_test_case_066_combine(hides: bool) -> None:
    """ChargePointMax, TxDefault and TxProfile, 400 s (test case 066, vector 2), by whole messages."""
    vector = next(each for each in VECTORS if each["id"] == "V02")
    world = World(board="ac22-sim", keys={"TxProfileHidesTxDefault": str(hides).lower()})
    now_s = utc_seconds("2026-01-15T10:00:00Z")
    world.model.calendar.set(now_s - 60, world.now_s)
    world.peer.next_transaction_id = 7
    world.charge().run(60 - 20 - 1)
    for payload in vector["profiles"]:
        assert put(world, payload["csChargingProfiles"], payload["connectorId"]) == "Accepted"
    world.model.calendar.set(now_s + 0.5, world.now_s)
    expected = vector["queries"][0]["strict" if hides else "instant"]
    assert told(world, duration=400) == [(each["startPeriod"], each["limit"]) for each in expected]


# --- what is offered --------------------------------------------------------------------------------------------------


def test_the_offer_follows_its_schedule_to_the_second(world: World) -> None:
    """16, 5, 0, 16 A: Charging, SuspendedEVSE below 6 A, then Charging again, in one transaction (vector 15)."""
    world.charge()
    relative = schedule((0, 16.0), (100, 5.0), (200, 0.0), (300, 12.0))
    put(world, profile(purpose="TxProfile", chargingProfileKind="Relative", chargingSchedule=relative))
    began_s = utc_seconds(world.last("StartTransaction")["timestamp"]) - EPOCH_UTC_S
    world.run(int(began_s) + 99.9 - world.now_s)
    assert (offered(world), world.told()) == (16.0, "Charging")
    world.run(0.2)
    assert offered(world) == 5.0
    assert world.connector().supply.duty_percent == 100.0, "no PWM below 6 A"
    assert world.run(20).told() == "SuspendedEVSE"
    assert offered(world.run(180)) == 12.0
    assert world.run(20).told() == "Charging"
    assert world.calls("StopTransaction") == []


def test_a_limit_falls_at_once_and_rises_after_five_seconds(world: World) -> None:
    """Reductions are immediate, the pilot is raised at most every 5 s (IEC 61851-1)."""
    world.charge()
    put(world, limited(8.0))
    supply = world.connector().supply
    assert supply.duty_percent == pytest.approx(8.0 / 0.6)
    put(world, limited(12.0))
    assert supply.duty_percent == pytest.approx(8.0 / 0.6)
    assert supply.offered_a == pytest.approx(8.0), "what the pilot signals is what counts"
    put(world, limited(7.0))
    assert supply.duty_percent == pytest.approx(7.0 / 0.6)
    put(world, limited(12.0))
    world.run(5)
    assert supply.duty_percent == pytest.approx(12.0 / 0.6)
    assert supply.offered_a == pytest.approx(12.0)


# --- phases -----------------------------------------------------------------------------------------------------------


def power(watts: float, phases: int | None = None, number: int = 1, purpose: str = "TxDefaultProfile") -> dict[str, Any]:
    period: dict[str, Any] = {"startPeriod": 0, "limit": watts} | ({} if phases is None else {"numberPhases": phases})
    start = "2026-01-01T00:00:00Z"
    unit = {"chargingRateUnit": "W", "chargingSchedulePeriod": [period], "startSchedule": start}
    return profile(number, purpose, chargingSchedule=unit)


def draws(world: World, phases: int, connector: int = 1) -> World:
    """The car takes current on so many phases."""
    world.charger.act(lambda board, now_s: board.outlet(connector).hands.draws(None, phases, now_s))  # type: ignore[union-attr]
    return world


def why(world: World, connector: int = 1) -> str:
    return str(world.connector(connector).offer.reason)


def measured(board: str = "ac22-sim") -> World:
    """A box that reads its meter every 10 s in a transaction."""
    return World(board=board, keys={"MeterValueSampleInterval": "10"})


def test_power_for_one_phase_charges_a_car_with_one_phase() -> None:
    """Current per phase = Power / (Line Voltage * Number of Phases) (7.12): 3680 W on one phase are 16 A."""
    world = measured()
    put(world, power(3680.0, 1))
    draws(world, 1).charge().run(120)
    assert (offered(world), told(world)) == (16.0, [(0, 16.0)])
    assert why(world) == "TxDefaultProfile 1 (3680 W over 1 phase = 16 A)"
    assert world.told() == "Charging"


def test_power_for_one_phase_is_spread_as_soon_as_more_phases_conduct() -> None:
    """W: this is the TOTAL allowed charging power (7.12, erratum 3.69).

    [D]: numberPhases counts until the meter shows more phases conducting, because this box cannot switch any off.
    """
    world = measured()
    put(world, power(6900.0, 1))
    world.plug().tap("A1").run(1)
    assert (offered(world), told(world)) == (30.0, [(0, 30.0)])
    world.run(60)
    assert (offered(world), told(world)) == (10.0, [(0, 10.0)])
    assert why(world) == "TxDefaultProfile 1 (6900 W over 3 phases = 10 A)"
    assert world.connector().meter.reading.total_power_w <= 6900.0


def test_what_is_too_little_for_the_phases_in_use_suspends_with_its_arithmetic() -> None:
    """3680 W for one phase, and the car takes three: 5.3 A is below 6 A, the least that a pilot can offer."""
    world = measured()
    put(world, power(3680.0, 1))
    world.charge().run(60)
    assert world.told() == "SuspendedEVSE"
    assert told(world) == [(0, 5.3)]
    assert why(world) == "TxDefaultProfile 1 (3680 W over 3 phases = 5.3 A, below 6 A)"


def test_the_phases_that_were_seen_count_until_the_car_is_unplugged() -> None:
    """[D]: a car that is suspended shows no current; its phases are not forgotten, so that it does not start again."""
    world = measured()
    put(world, power(3680.0, 1))
    world.charge().run(600)
    assert world.told() == "SuspendedEVSE"
    assert [e.limit_a for _, e in world.journal if isinstance(e, OfferChanged)] == [0.0, 16.0, 5.3]
    draws(world.unplug().run(10), 1).charge("B2").run(60)
    assert (offered(world), world.told()) == (16.0, "Charging")


def test_a_maximum_in_amps_and_power_for_one_phase_are_combined_alike() -> None:
    """The lowest of both, each by its own phases (3.13.1, 7.12): the reported limit equals the offered limit."""
    world = measured()
    put(world, limited(16.0, 1, "ChargePointMaxProfile"), connector=0)
    world.charge()
    put(world, power(6900.0, 1, 2, "TxProfile"))
    world.run(60)
    assert (offered(world), told(world)) == (10.0, [(0, 10.0)])


def test_a_maximum_in_power_for_one_phase_follows_the_phases_of_all_cars() -> None:
    """The combined energy flow of all connectors cannot be greater than the maximum (3.13.1)."""
    world = World(board="ac22-sim-duo", keys={"MeterValueSampleInterval": "10"})
    put(world, power(13_800.0, 1, purpose="ChargePointMaxProfile"), connector=0)
    draws(draws(world, 1, 1), 1, 2).charge("A1", 1).charge("B1", 2).run(60)
    assert [offered(world, number) for number in (1, 2)] == [30.0, 30.0]
    draws(world, 3, 2).run(60)
    assert [offered(world, number) for number in (1, 2)] == [10.0, 10.0]
    assert why(world, 1) == "ChargePointMaxProfile 1 (13800 W over 3 phases = 20 A for 2 connectors)"


def test_the_number_of_phases_stands_in_the_schedule_that_a_profile_gives(world: World) -> None:
    """numberPhases: the number of phases that can be used for charging (7.14)."""
    start = in_s(world, 0)
    periods = [{"startPeriod": 0, "limit": 10.0, "numberPhases": 1}, {"startPeriod": 60, "limit": 10.0}]
    unit = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods, "startSchedule": start}
    put(world, profile(chargingSchedule=unit))
    answer = world.ask("GetCompositeSchedule", connectorId=1, duration=120)
    assert answer["chargingSchedule"]["chargingSchedulePeriod"] == periods


def test_a_car_takes_no_more_than_the_schedule_tells(world: World) -> None:
    """It SHALL report the power or current the Charge Point expects to consume from the grid (5.7, erratum 3.30)."""
    one_phase = schedule((0, 10.0), startSchedule="2026-01-01T00:00:00Z")
    one_phase["chargingSchedulePeriod"][0]["numberPhases"] = 1
    put(world, profile(chargingSchedule=one_phase))
    assert told(world, chargingRateUnit="W") == [(0, 2300.0)]
    world.charge().run(60)
    ((_, told_w),) = told(world, chargingRateUnit="W")
    assert world.connector().meter.reading.total_power_w <= told_w == 6900.0


# --- the reported limit equals the offered limit ----------------------------------------------------------------------


def test_the_schedule_of_a_connector_is_its_share(duo: World) -> None:
    """The result of all active schedules and possible local limits present in the Charge Point (5.7)."""
    put(duo, limited(25.0, 1, "ChargePointMaxProfile"), connector=0)
    duo.plug(1).tap("A1").run(10)
    assert told(duo, 1) == [(0, 25.0)]
    assert told(duo, 2) == [(0, 12.5)], "imagined to begin now, beside the other"
    duo.plug(2).tap("B2").run(20)
    put(duo, profile(2, chargingSchedule=schedule((0, 10.0), (300, 20.0), startSchedule=in_s(duo, 0))), connector=2)
    assert (offered(duo, 1), offered(duo, 2)) == (15.0, 10.0)
    assert told(duo, 1) == [(0, 15.0), (300, 12.5)]
    assert told(duo, 2) == [(0, 10.0), (300, 12.5)]
    assert told(duo, 1, chargingRateUnit="W") == [(0, 10_350.0), (300, 8625.0)]
    assert told(duo, 0) == [(0, 25.0)]


def test_the_schedule_of_a_connector_that_waits_for_its_turn_is_nothing(duo: World) -> None:
    """11 A among two: 6 A for each is more than there is, so the second waits (SuspendedEVSE)."""
    put(duo, limited(11.0, 1, "ChargePointMaxProfile"), connector=0)
    both(duo)
    assert [told(duo, number) for number in (1, 2)] == [[(0, 11.0)], [(0, 0.0)]]


def test_a_limit_set_on_site_stands_in_the_schedule_and_leaves_more_for_the_others(duo: World) -> None:
    """…and possible local limits present in the Charge Point (5.7)."""
    put(duo, limited(25.0, 1, "ChargePointMaxProfile"), connector=0)
    both(duo)
    assert (offered(duo, 1), offered(duo, 2)) == (12.5, 12.5)
    duo.feature(LocalLimit).set(duo.connector(1), 8.0, duo.now_s)
    duo.run(6)
    assert (offered(duo, 1), offered(duo, 2)) == (8.0, 17.0)
    assert (told(duo, 1), told(duo, 2)) == ([(0, 8.0)], [(0, 17.0)])
    duo.feature(LocalLimit).set(duo.connector(1), None, duo.now_s)
    assert told(duo.run(6), 1) == [(0, 12.5)]


def test_a_transaction_whose_card_was_refused_has_a_schedule_of_nothing(world: World) -> None:
    """StopTransactionOnInvalidId=false: the transaction goes on without energy (9.1.24), and so 5.7 reports."""
    world.configure(StopTransactionOnInvalidId="false")
    world.peer.tags["A1"] = {"status": "Invalid"}
    world.peer.answers["Authorize"] = lambda payload: {"idTagInfo": {"status": "Accepted"}}
    world.charge("A1")
    assert (offered(world), told(world)) == (0.0, [(0, 0.0)])


AMPS = st.integers(0, 350).map(lambda tenths: tenths / 10)
WATTS = st.integers(0, 22_000).map(float)
PHASES = st.none() | st.integers(1, 3)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_reported_limit_is_the_offered_limit(data: st.DataObject) -> None:
    """5.7: the reported schedule is the result of the calculation of all active schedules and local limits.

    Two outlets, profiles of all purposes in both units, cars on one or three phases, limits set on site: whatever stands
    in the first period is offered now. Below 6 A nothing is offered, and the schedule reports the limit unchanged.
    """
    world = World(board="ac22-sim-duo", keys={"MeterValueSampleInterval": "10"})
    for number in (1, 2):
        if data.draw(st.booleans(), label=f"car {number}"):
            draws(world, data.draw(st.sampled_from([1, 3])), number).charge(f"T{number}", number)
    places = [("ChargePointMaxProfile", 0), ("TxDefaultProfile", 0), ("TxDefaultProfile", 2), ("TxProfile", 1)]
    for number, (purpose, connector) in enumerate(places, start=1):
        if not data.draw(st.booleans(), label=purpose):
            continue
        unit = data.draw(st.sampled_from("AW"))
        sent = power(data.draw(WATTS if unit == "W" else AMPS), data.draw(PHASES), number, purpose)
        sent["chargingSchedule"]["chargingRateUnit"] = unit
        put(world, sent, connector)
    if data.draw(st.booleans(), label="local"):
        world.feature(LocalLimit).set(world.connector(1), data.draw(st.sampled_from([6.0, 9.5, 20.0])), world.now_s)
    for wait_s in (1, 20, 20):
        world.run(wait_s)
        for connector in world.model.connectors:
            if connector.is_charging:
                ((_, limit),) = told(world, connector.number)
                amps = offered(world, connector.number)
                assert (limit if limit >= 6.0 else 0.0) == (amps if amps >= 6.0 else 0.0)


def test_a_transaction_profile_ends_with_its_transaction(world: World) -> None:
    """The TxProfile SHALL be deleted when the transaction ends (3.13.1)."""
    world.charge()
    put(world, limited(8.0, purpose="TxProfile"))
    world.tap("A1").run(10)
    assert kept(world) == set()
    assert world.stored("charging_profile", "1") is None
    assert told(world) == [(0, 16.0)]


def test_a_calendar_that_is_set_changes_what_is_in_force(world: World) -> None:
    """Schedules are instants of UTC: when currentTime moves the calendar, they are looked at again (4.6)."""
    world.charge()
    put(world, profile(chargingSchedule=schedule((0, 7.0), startSchedule=in_s(world, 86_400))))
    assert offered(world) == 16.0
    ahead = utc_text(EPOCH_UTC_S + world.now_s + 90_000)
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": ahead}
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    assert offered(world.run(1)) == 7.0


def test_a_change_that_waits_comes_at_its_instant_of_the_set_calendar(world: World) -> None:
    """An appointment keeps its meaning when the calendar is set: an hour later is an hour of UTC."""
    world.charge()
    put(world, profile(chargingSchedule=schedule((0, 7.0), startSchedule=in_s(world, 3600))))
    ahead = utc_text(EPOCH_UTC_S + world.now_s + 3500)
    world.peer.answers["Heartbeat"] = lambda payload: {"currentTime": ahead}
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    assert offered(world.run(50)) == 16.0
    assert offered(world.run(55)) == 7.0


def test_offline_profiles_stay_in_force(world: World) -> None:
    """Offline a charge point continues with the profiles it has (3.13.4)."""
    world.charge()
    put(world, profile(chargingSchedule=schedule((0, 12.0), (100, 7.0), startSchedule=in_s(world, 0))))
    world.network(False)
    assert offered(world.run(110)) == 7.0


def test_a_car_that_is_away_comes_back_to_its_limit(world: World) -> None:
    """StopTransactionOnEVSideDisconnect=false: the pilot never signals more than the profile allows (3.13)."""
    world.configure(StopTransactionOnEVSideDisconnect="false")
    put(world, limited(8.0))
    world.charge().unplug_car()
    seen: list[float] = []
    world.watchers.append(lambda: seen.append(world.connector().supply.offered_a))
    world.plug().run(20)
    assert max(seen) == 8.0


# --- two outlets ------------------------------------------------------------------------------------------------------


def both(duo: World) -> World:
    return duo.plug(1).tap("A1").run(10).plug(2).tap("B2").run(20)


def test_two_outlets_share_what_the_charge_point_may_take(duo: World) -> None:
    """The combined energy flow of all connectors cannot be greater than the maximum (3.13.1)."""
    put(duo, limited(25.0, 1, "ChargePointMaxProfile"), connector=0)
    duo.plug(1).tap("A1").run(10)
    assert offered(duo, 1) == 25.0
    duo.plug(2).tap("B2").run(20)
    assert (offered(duo, 1), offered(duo, 2)) == (12.5, 12.5)
    put(duo, limited(10.0, 2), connector=2)
    assert (offered(duo, 1), offered(duo, 2)) == (15.0, 10.0)
    duo.tap("B2").run(20)
    assert offered(duo, 1) == 25.0


def test_who_came_first_charges_when_it_is_not_enough_for_two(duo: World) -> None:
    """At least 6 A in order of arrival, others SuspendedEVSE (handbook 6)."""
    put(duo, limited(11.0, 1, "ChargePointMaxProfile"), connector=0)
    both(duo)
    assert (offered(duo, 1), offered(duo, 2)) == (11.0, 0.0)
    assert duo.told(2) == "SuspendedEVSE"
    duo.tap("A1").run(20)
    assert (offered(duo, 2), duo.told(2)) == (11.0, "Charging")


def test_a_full_car_does_not_keep_the_others_waiting(duo: World) -> None:
    """ChargePointMaxProfile bounds all connectors together (3.13.1): what one does not take is there for the others."""
    put(duo, limited(10.0, purpose="ChargePointMaxProfile"), 0)
    duo.charge("A1", 1).charge("B1", 2)
    assert [duo.told(number) for number in (1, 2)] == ["Charging", "SuspendedEVSE"]
    duo.wants_energy(False, 1).run(YIELD_S / 2)
    put(duo, limited(10.0, purpose="ChargePointMaxProfile"), 0)
    duo.run(YIELD_S / 2 - 10)
    assert [offered(duo, number) for number in (1, 2)] == [10.0, 0.0]
    duo.run(40)
    assert [offered(duo, number) for number in (1, 2)] == [0.0, 10.0]
    assert [duo.told(number) for number in (1, 2)] == ["SuspendedEVSE", "Charging"]


def test_who_was_full_gets_another_chance(duo: World) -> None:
    """Both cars stay plugged: as soon as one takes nothing, the other may ask again."""
    put(duo, limited(10.0, purpose="ChargePointMaxProfile"), 0)
    duo.charge("A1", 1).charge("B1", 2).wants_energy(False, 1).run(YIELD_S + 60)
    duo.wants_energy(True, 1).wants_energy(False, 2).run(YIELD_S + 60)
    assert [offered(duo, number) for number in (1, 2)] == [10.0, 0.0]
    assert duo.told(1) == "Charging"


def test_who_comes_next_is_not_last_because_somebody_was_full(duo: World) -> None:
    """In order of arrival (handbook, smart-charging 6): a place that was given away is forgotten with its transaction."""
    put(duo, limited(10.0, purpose="ChargePointMaxProfile"), 0)
    duo.charge("A1", 1).charge("B1", 2).wants_energy(False, 1).run(YIELD_S + 60)
    duo.unplug(1).unplug(2).run(20).charge("C1", 1).charge("D1", 2)
    assert [offered(duo, number) for number in (1, 2)] == [10.0, 0.0]


def test_a_car_that_charges_keeps_its_place(duo: World) -> None:
    """In order of arrival (handbook, smart-charging 6)."""
    put(duo, limited(10.0, purpose="ChargePointMaxProfile"), 0)
    duo.charge("A1", 1).charge("B1", 2).wants_energy(False, 1).run(YIELD_S - 60).wants_energy(True, 1)
    assert offered(duo.run(YIELD_S + 60), 1) == 10.0


def test_where_there_is_enough_nobody_gives_way(duo: World) -> None:
    """A full car keeps its offer, and may go on whenever it likes, while nobody waits for it."""
    put(duo, limited(14.0, purpose="ChargePointMaxProfile"), 0)
    duo.charge("A1", 1).charge("B1", 2).wants_energy(False, 1).run(2 * YIELD_S)
    assert [offered(duo, number) for number in (1, 2)] == [7.0, 7.0]


def test_a_fault_at_one_outlet_leaves_its_share_to_the_other(duo: World) -> None:
    """What cannot be given at one connector may be taken at the other (3.13.1 bounds the sum only)."""
    put(duo, limited(25.0, 1, "ChargePointMaxProfile"), connector=0)
    both(duo).cause("ground_fault", connector=1).run(1)
    assert (offered(duo, 1), offered(duo, 2)) == (0.0, 25.0)


def test_at_every_moment_the_offers_stay_within_the_maximum(duo: World) -> None:
    """Also while one comes, one leaves and the schedule changes (3.13.1)."""
    start = in_s(duo, 0)
    steps = schedule((0, 25.0), (60, 14.0), (120, 11.0), (180, 40.0), startSchedule=start)
    put(duo, profile(1, "ChargePointMaxProfile", chargingSchedule=steps), connector=0)
    bounds = {0: 25.0, 60: 14.0, 120: 11.0, 180: 40.0}
    sums: list[tuple[float, float]] = []

    def watch() -> None:
        since_s = EPOCH_UTC_S + duo.now_s - utc_seconds(start)
        most = bounds[max(each for each in bounds if each <= since_s + 1e-6)]
        sums.append((offered(duo, 1) + offered(duo, 2), most))

    duo.watchers.append(watch)
    both(duo).run(200).tap("A1").run(20)
    assert all(amps <= most for amps, most in sums)
    assert max(amps for amps, _ in sums) > 25.0


# --- RemoteStartTransaction -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorises", ["true", "false"])
def test_a_remote_start_brings_its_profile(world: World, authorises: str) -> None:
    """It becomes the TxProfile of its transaction, from the first second (5.11; test case 059)."""
    world.configure(AuthorizeRemoteTxRequests=authorises)
    highest: list[float] = []
    world.watchers.append(lambda: highest.append(offered(world)))
    assert world.plug().remote_start(connectorId=1, chargingProfile=limited(9.0, purpose="TxProfile")) == "Accepted"
    world.run(20)
    assert told(world) == [(0, 9.0)]
    assert max(highest) == 9.0
    world.tap("A1").run(5)
    assert kept(world) == set()


def test_a_profile_waits_with_its_authorisation_for_the_cable(world: World) -> None:
    """Remote start first, cable later: nothing is installed before the transaction (5.11)."""
    assert world.remote_start(connectorId=1, chargingProfile=limited(9.0, purpose="TxProfile")) == "Accepted"
    assert kept(world) == set()
    assert offered(world.plug().run(20)) == 9.0


def test_a_profile_is_gone_when_its_remote_start_runs_out(world: World) -> None:
    """The next transaction is not that of the remote start (5.11)."""
    world.remote_start(connectorId=1, chargingProfile=limited(9.0, purpose="TxProfile"))
    assert offered(world.run(70).charge("B2")) == 16.0


def test_a_remote_start_with_a_faulty_profile_is_rejected(world: World) -> None:
    """profile otherwise bad: Rejected (messages, row 23; R13)."""
    faulty = profile(purpose="TxProfile", level=11)
    assert world.plug().remote_start(connectorId=1, chargingProfile=faulty) == "Rejected"
    assert world.run(20).calls("StartTransaction") == []


def test_without_smart_charging_the_profile_of_a_remote_start_is_ignored() -> None:
    """A Charge Point without support for Smart Charging SHOULD ignore this parameter (5.11)."""
    world = World(plan={"feature_profiles": ("Core",)})
    assert world.plug().remote_start(connectorId=1, chargingProfile=limited(9.0, purpose="TxProfile")) == "Accepted"
    assert offered(world.run(20)) == 16.0


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_an_accepted_profile_survives_a_kill(world: World) -> None:
    """All charging profiles are persistent (erratum): what was accepted is there after the power came back."""
    put(world, limited(20.0, 1, "ChargePointMaxProfile"), connector=0)
    put(world, {**limited(8.0, 2), "validTo": "2027-01-01T00:00:00.5+01:00"})
    before = world.feature(SmartCharging).installed
    world.cut_power()
    assert world.feature(SmartCharging).installed == before
    assert told(world) == [(0, 8.0)]


def test_a_profile_is_stored_before_it_is_accepted(world: World) -> None:
    """When the central system reads Accepted, the profile is in the store."""
    seen: list[bool] = []
    message_id = world.peer.call("SetChargingProfile", connectorId=1, csChargingProfiles=limited(8.0))
    receive = world.peer.receive

    def reading(text: str) -> None:
        if message_id in text:
            seen.append(world.stored("charging_profile", "1") is not None)
        receive(text)

    world.peer.receive = reading  # type: ignore[method-assign]
    world.run(0.1)
    assert seen == [True]


def test_a_transaction_profile_does_not_outlive_its_transaction_in_the_dark(world: World) -> None:
    """Reboot: TxProfile gone if its transaction is gone (handbook 4)."""
    world.charge()
    put(world, limited(8.0, 1, "TxProfile"))
    put(world, limited(9.0, 2))
    world.cut_power()
    assert kept(world) == {2}
    assert world.stored("charging_profile", "1") is None


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ChargeProfileMaxStackLevel", "10"),
        ("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
        ("ChargingScheduleMaxPeriods", "100"),
        ("ConnectorSwitch3to1PhaseSupported", "false"),
        ("MaxChargingProfilesInstalled", "50"),
    ],
)
def test_a_key_tells_what_can_be_done(world: World, key: str, value: str) -> None:
    """Keys of the profile, read-only (9.4)."""
    answer = world.ask("GetConfiguration", key=[key])
    assert answer["configurationKey"] == [{"key": key, "readonly": True, "value": value}]


def test_changing_how_a_transaction_profile_overrules_counts_at_once(world: World) -> None:
    """A TxProfile that has run out hides TxDefaultProfile or does not: 3.13.1 can be read both ways."""
    world.charge()
    put(world, limited(10.0, 1))
    put(world, profile(2, "TxProfile", chargingSchedule=schedule((0, 8.0), duration=30, startSchedule=in_s(world, 0))))
    assert offered(world) == 8.0
    assert offered(world.run(31)) == 10.0
    world.configure(TxProfileHidesTxDefault="true")
    assert offered(world) == 16.0


def test_a_charger_without_profiles_holds_nothing_for_them(world: World) -> None:
    """Thousands of chargers in one process: no set, no list, no appointment while there is no profile."""
    feature = world.charge().feature(SmartCharging)
    assert (feature._installed, feature._next, feature._takers) == (None, None, ())
    assert world.model.calendar.appointments == set()
