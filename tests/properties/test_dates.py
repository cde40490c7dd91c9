"""Dates and durations at the ends of what can be written blind no look at the charger, now or after a restart.

A central system that means "for ever" writes what comes to its mind: 9999-12-31 in some zone, a duration of 10^12 s. Every
date field of every message that a charge point takes, and every number that is added to a date, gets such values; after
each message everything is asked that can be asked.
"""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint.cli.story import clock_text
from chargepoint.model import wire
from chargepoint.model.composite import Period, Profile
from chargepoint.model.shapes import Integer, Many, Moment, Record, Shape
from chargepoint.model.timebase import EARLIEST_UTC_S, LATEST_UTC_S, utc_seconds, utc_text
from chargepoint.runtime.control import views
from profiles.smart_charging import SmartCharging
from tests.properties.frame_oracle import SERVED
from tests.properties.test_observers import Observed
from tests.world import World

DATES = (
    "9999-12-31T23:59:59-01:00",
    "9999-12-31T23:59:59.999999-23:59",
    "9999-12-31T23:59:59.9995Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00.000001+00:01",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.9996Z",
    "9999-12-31T23:59:59",
)
DURATIONS = ("duration", "startPeriod", "retryInterval", "retries")
"""Numbers that are added to a date, or say how often that is done."""
NUMBERS = (0, 1, -1, 10**9, 10**12, 2**62, 2**63 - 1, 1 - 2**63)


@dataclass
class Asked(Observed):
    """A world in which everything is asked when a test says so."""

    def _build(self) -> None:
        super()._build()
        self.watchers = []

    run = World.run


# --- every field ------------------------------------------------------------------------------------------------------

Path = tuple[str, ...]

INFO = {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z"}
PROFILE: dict[str, Any] = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "validFrom": "2020-01-01T00:00:00Z",
    "validTo": "2030-01-01T00:00:00Z",
    "chargingSchedule": {
        "startSchedule": "2025-12-31T23:00:00Z",
        "duration": 86400,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.0}, {"startPeriod": 7200, "limit": 7.0}],
    },
}
REMOTE = {**PROFILE, "chargingProfileId": 2, "chargingProfilePurpose": "TxProfile"}
MOST = {**PROFILE, "chargingProfileId": 3, "chargingProfilePurpose": "ChargePointMaxProfile"}
DAILY = {**PROFILE, "chargingProfileId": 4, "chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
URL = "http://files.example/wall-2.1.0.bin"

CALLS: dict[str, list[dict[str, Any]]] = {
    "SetChargingProfile": [
        {"connectorId": 1, "csChargingProfiles": PROFILE},
        {"connectorId": 0, "csChargingProfiles": MOST},
        {"connectorId": 1, "csChargingProfiles": DAILY},
        {"connectorId": 1, "csChargingProfiles": {**REMOTE, "chargingProfileKind": "Relative"}},
    ],
    "RemoteStartTransaction": [{"idTag": "A1", "connectorId": 1, "chargingProfile": REMOTE}],
    "ReserveNow": [
        {"connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "A1", "reservationId": 1},
    ],
    "UpdateFirmware": [{"location": URL, "retrieveDate": "2030-01-01T00:00:00Z", "retries": 1, "retryInterval": 9}],
    "GetDiagnostics": [
        {
            "location": URL,
            "startTime": "2020-01-01T00:00:00Z",
            "stopTime": "2030-01-01T00:00:00Z",
            "retries": 1,
            "retryInterval": 9,
        }
    ],
    "SendLocalList": [
        {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A1", "idTagInfo": INFO}]},
    ],
    "GetCompositeSchedule": [{"connectorId": 1, "duration": 3600}, {"connectorId": 0, "duration": 3600}],
}
"""Requests of the central system with all their dates and with the numbers that are durations."""
ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300},
    "Heartbeat": {"currentTime": "2026-01-01T00:00:00Z"},
    "Authorize": {"idTagInfo": INFO},
    "StartTransaction": {"idTagInfo": INFO, "transactionId": 7},
    "StopTransaction": {"idTagInfo": INFO},
}
COSTS = (
    ("SetUserPrice", {"idToken": "A1", "priceText": "x", "timestamp": "2026-01-01T00:00:00Z"}),
    (
        "RunningCost",
        {
            "transactionId": 1,
            "timestamp": "2026-01-01T00:00:00Z",
            "meterValue": 1,
            "cost": 1.5,
            "state": "Charging",
            "chargingPrice": {"kWhPrice": 0.4},
            "nextPeriod": {"atTime": "2026-01-01T01:00:00Z", "chargingPrice": {"kWhPrice": 0.5}},
            "triggerMeterValue": {"atTime": "2026-01-01T02:00:00Z"},
        },
    ),
)
"""Messages in the data of a DataTransfer, which no schema of OCPP describes."""


def fields(shape: Shape, kind: type, path: Path = ()) -> list[Path]:
    """Return the paths of all fields of a kind."""
    if isinstance(shape, Many):
        return fields(shape.item, kind, path)
    if isinstance(shape, Record):
        return [found for member in shape.members for found in fields(member.shape, kind, (*path, member.name))]
    return [path] if isinstance(shape, kind) else []


def put(payload: Any, path: Path, value: Any) -> Any:
    """Return a payload with another value in a field; in an array, of the last item."""
    changed = deepcopy(payload)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
        holder = holder[-1] if isinstance(holder, list) else holder
    holder[path[-1]] = value
    return changed


def present(payload: Any, path: Path) -> bool:
    for name in path:
        payload = payload[-1] if isinstance(payload, list) else payload
        if name not in payload:
            return False
        payload = payload[name]
    return True


def test_no_date_of_any_message_is_forgotten() -> None:
    """As the schemas have them: a date that is not in the payloads here would not be tried."""
    for action in SERVED:
        for path in fields(wire._request_shape(action), Moment):
            assert any(present(each, path) for each in CALLS.get(action, [])), (action, path)
    for action in wire.CALLS_FROM_CHARGE_POINT - {"SecurityEventNotification", "SignCertificate", "LogStatusNotification"}:
        for path in fields(wire._confirmation_shape(action), Moment):
            assert present(ANSWERS.get(action, {}), path), (action, path)


CALL_FIELDS = [
    (action, number, path, values)
    for action, payloads in CALLS.items()
    for number, payload in enumerate(payloads)
    for kind, values in ((Moment, DATES), (Integer, NUMBERS))
    for path in fields(wire._request_shape(action), kind)
    if present(payload, path) and (kind is Moment or path[-1] in DURATIONS)
]


def looked(world: Asked) -> None:
    """Ask everything, as onlookers and as the central system."""
    world.look()
    for connector in (0, 1):
        for unit in ("A", "W"):
            answer = world.ask(
                "GetCompositeSchedule", connectorId=connector, duration=86400, chargingRateUnit=unit
            )
            assert answer["status"] in ("Accepted", "Rejected"), answer
    for line in world.lines:
        assert "\n" not in line


@pytest.mark.parametrize(("action", "number", "path", "values"), CALL_FIELDS)
def test_every_field_of_every_call_takes_the_ends_of_time(
    action: str, number: int, path: Path, values: tuple[Any, ...]
) -> None:
    """One field after the other, while a car charges or waits for it, and over a restart."""
    world = Asked()
    if action != "RemoteStartTransaction":
        world.charge()
    for value in values:
        world.ask(action, **put(CALLS[action][number], path, value))
        world.run(1)
        looked(world)
    world.run(30).cut_power()
    assert isinstance(world, Asked)
    looked(world)
    assert world.charge("A9").told() in ("Charging", "SuspendedEVSE", "Preparing", "Finishing", "Reserved", "Unavailable")
    looked(world)


def _answer(answer: Any, _payload: dict[str, Any]) -> Any:
    return answer


@pytest.mark.parametrize("action", ANSWERS)
def test_every_date_of_every_confirmation_takes_the_ends_of_time(action: str) -> None:
    world = Asked()
    for path in fields(wire._confirmation_shape(action), Moment):
        for value in DATES:
            world.peer.answers[action] = partial(_answer, put(ANSWERS[action], path, value))
            world.ask("TriggerMessage", requestedMessage="Heartbeat")
            world.charge().run(2)
            looked(world)
            world.tap("A1").run(5).unplug().run(5)
            looked(world)
    world.ask("Reset", type="Hard")
    looked(world.run(30))
    looked(world.cut_power().run(10))


def dates_in(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        return [found for name, each in value.items() for found in dates_in(each, (*path, name))]
    return [path] if path[-1] in ("timestamp", "atTime") else []


@pytest.mark.parametrize("date", DATES)
def test_dates_of_costs_and_zones_take_the_ends_of_time(date: str) -> None:
    """The California pricing extension has its dates in a text, and a time zone is added to those that have none."""
    world = Asked(keys={"CustomDisplayCostAndPrice": "true"})
    world.charge()
    for offset in ("-14:00", "+14:00"):
        world.ask("ChangeConfiguration", key="TimeOffset", value=offset)
        world.ask("ChangeConfiguration", key="NextTimeOffsetTransitionDateTime", value=date)
        for message, body in COSTS:
            for path in dates_in(body):
                data = json.dumps(put(body, path, date))
                world.ask("DataTransfer", vendorId="org.openchargealliance.costmsg", messageId=message, data=data)
                world.run(2)
                looked(world)
    looked(world.cut_power().run(10))


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A call with some of its dates and durations at the ends."""
    action = draw(st.sampled_from(sorted(CALLS)))
    payload = draw(st.sampled_from(CALLS[action]))
    for kind, values in ((Moment, DATES), (Integer, NUMBERS)):
        for path in fields(wire._request_shape(action), kind):
            if present(payload, path) and draw(st.booleans()):
                payload = put(payload, path, draw(st.sampled_from(values)))
    return action, payload


@settings(max_examples=25)
@given(st.lists(orders(), min_size=1, max_size=6))
def test_ends_of_time_may_meet(found: list[tuple[str, dict[str, Any]]]) -> None:
    world = Asked()
    world.charge()
    for action, payload in found:
        world.ask(action, **payload)
        looked(world.run(5))
    looked(world.cut_power().run(5))


def test_a_profile_that_was_stored_with_such_dates_is_shown() -> None:
    """A store of an earlier version holds instants that no text can hold."""
    world = Asked()
    world.charge()
    for number, start_s in enumerate((-62_135_683_140, 253_402_304_399)):
        stored = Profile(
            profile_id=number,
            connector=1,
            purpose="TxDefaultProfile",
            level=number,
            kind="Absolute",
            unit="A",
            periods=(Period(0, 10.0), Period(10**12, 8.0)),
            start_s=start_s,
            duration_s=10**12,
            valid_from_s=-62_135_683_140,
            valid_to_s=253_402_304_399,
        )
        world.feature(SmartCharging)._install(stored)
    world.run(1).cut_power()
    assert len(world.feature(SmartCharging).installed) == 2
    looked(world)
    shown = views.charging_profile(world.feature(SmartCharging).installed[0])
    assert (shown.valid_from, shown.valid_to) == ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")


# --- formatting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [0.0, -0.0001, 1e9, 1e12, 2.0**63, 1e308, math.inf, -1.0, -1e12, -1e308, -math.inf, math.nan]
)
def test_formatting_never_raises(value: float) -> None:
    """ISO 8601 ends with the year 9999 (OCPP-J 1.6 3.1): a later instant is shown as its end."""
    assert len(utc_text(value)) == len("2026-01-01T00:00:00.000Z")
    assert EARLIEST_UTC_S <= utc_seconds(utc_text(value)) <= LATEST_UTC_S
    assert len(clock_text(value)) == 8


@pytest.mark.parametrize("date", DATES)
def test_an_instant_from_outside_is_clamped_where_it_enters(date: str) -> None:
    for zone_s in (0.0, -50_400.0, 50_400.0):
        read = utc_seconds(date, zone_s)
        assert EARLIEST_UTC_S <= read <= LATEST_UTC_S
        assert abs(utc_seconds(utc_text(read)) - read) < 0.001
