"""What the central system was told to be Accepted still holds after a power cut, wherever it comes; nothing is half done.

For every message that changes what is stored the charger dies at each step of serving it, and comes back from the store.
Where the answer had reached the central system, things are as they are after an undisturbed life and a restart; where it
had not, they may also be as before, but nothing in between. And no contactor is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from chargepoint.model.timebase import utc_text
from profiles.reservation import Reservation
from profiles.smart_charging import SmartCharging
from tests.fate import Dies, Saves, mortal
from tests.watch import Auditor, Electrician, no_exception_logged
from tests.world import EPOCH_UTC_S, World

KEYS = {"LocalPreAuthorize": "true", "MeterValueSampleInterval": "0", "TransactionMessageRetryInterval": "1"}
START = "2026-01-01T00:00:00Z"


def nothing(world: World) -> None:
    """Nothing happens."""


@dataclass(frozen=True)
class Order:
    """What is asked for, and how it shows. ``look`` is called once, at the end: it may do what people do."""

    action: str
    payload: dict[str, Any]
    look: Callable[[World], Hashable]
    before: Callable[[World], object] = nothing
    kinds: tuple[str, ...] = ()
    """Records without which it would not last; with a plus where either would do."""
    lasts_s: float = 1.0
    expected: str | None = "Accepted"
    board: str = "ac11-sim"
    more: dict[str, Any] = field(default_factory=dict)


class Life:
    """A charger that is given an order, dies at a step of it or just after it, and comes back."""

    def __init__(self, order: Order, dies_at: int | None, saves: Saves | None = None, *, is_asked: bool = True) -> None:
        self._order = order
        self.world = World(board=order.board, keys=KEYS, **order.more)
        electrician = Electrician(self.world)
        auditor = Auditor(self.world)
        self.is_answered = False
        self.steps = 0
        is_due = False
        with (
            mortal(lambda save: not is_due or saves is None or saves(save)) as fate,
            no_exception_logged() as logged,
        ):
            order.before(self.world)
            is_due = True
            fate.dies_in(dies_at)
            before = fate.steps
            if is_asked:
                self._ask()
            self.steps = fate.steps - before
            fate.dies_in(None)
            auditor.power_was_cut()
            self.world.cut_power(5.0)
            electrician.look()
            assert not any(connector.supply.is_closed for connector in self.world.model.connectors)
            self.world.run(20)
            self.state = order.look(self.world)
            assert not logged, logged[0].getMessage()

    def _ask(self) -> None:
        message_id = self.world.peer.call(self._order.action, **self._order.payload)
        with suppress(Dies):
            self.world.run(self._order.lasts_s)
        answer = self.world.peer.results.get(message_id)
        if answer is not None:
            self.is_answered = True
            assert answer[0] == 3
            assert answer[2].get("status") == self._order.expected, answer


def sweep(order: Order, saves: Saves | None = None) -> int:
    """Cut at every step; return how many there were. Raises AssertionError that names the first step that hurts."""
    old, new = Life(order, None, is_asked=False), Life(order, None)
    assert old.state != new.state, f"nothing shows: {old.state}"
    assert new.is_answered
    for step in range(1, new.steps + 1):
        life = Life(order, step, saves)
        allowed = {new.state} if life.is_answered else {old.state, new.state}
        assert life.state in allowed, f"cut at step {step} of {new.steps}: {life.state}, not one of {allowed}"
    life = Life(order, None, saves)
    assert life.state == new.state, f"cut when all was done: {life.state}, not {new.state}"
    return new.steps


# --- how things show --------------------------------------------------------------------------------------------------


def key(name: str) -> Callable[[World], Hashable]:
    def look(world: World) -> Hashable:
        (entry,) = world.ask("GetConfiguration", key=[name])["configurationKey"]
        return str(entry["value"])

    return look


def told(world: World) -> Hashable:
    """What the central system was told of each connector since the restart."""
    return tuple(world.told(number) for number in range(len(world.model.connectors) + 1))


def told_when_empty(world: World) -> Hashable:
    return told(world.unplug().run(10))


def welcome_offline(world: World) -> Hashable:
    """Which cards may charge while nobody can be asked."""
    world.network(False).plug()
    welcome = []
    for tag in ("A1", "B1", "C1", "D1"):
        if world.tap(tag).run(5).connector().is_charging:
            welcome.append(tag)
            world.tap(tag).run(5)
    return tuple(welcome)


def listed(world: World) -> Hashable:
    return world.ask("GetLocalListVersion")["listVersion"], welcome_offline(world)


def profiles(world: World) -> Hashable:
    plan = world.ask("GetCompositeSchedule", connectorId=1, duration=600)["chargingSchedule"]["chargingSchedulePeriod"]
    kept = frozenset(each.profile_id for each in world.feature(SmartCharging).installed)
    return kept, tuple((period["startPeriod"], period["limit"]) for period in plan)


def reservations(world: World) -> Hashable:
    bookings = world.feature(Reservation).bookings.values()
    return told(world), frozenset((each.reservation_id, each.connector, each.id_tag) for each in bookings)


def stopped(world: World) -> Hashable:
    """Why the transaction ended, and whether the next power cut is taken for what it is."""
    world.unplug().run(10).plug().tap("A1").run(10)
    world.cut_power(5.0).run(20)
    return tuple(payload["reason"] for payload in world.calls("StopTransaction"))


def moved(action: str) -> Callable[[World], Hashable]:
    """How a transfer ended, and that the box is in use again."""

    def look(world: World) -> Hashable:
        world.run(300)
        statuses = [payload["status"] for payload in world.calls(action)]
        finals = [status for status in statuses if status in ("Installed", "Uploaded")]
        assert len(finals) <= 1, f"ended more than once: {statuses}"
        return tuple(finals), told(world)

    return look


# --- what is ordered --------------------------------------------------------------------------------------------------


def charged_before(world: World) -> None:
    """Two cards are known from what they charged."""
    for tag in ("A1", "B1"):
        world.plug().tap(tag).run(5).tap(tag).run(5).unplug().run(5)


def with_old_list(world: World) -> None:
    entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in ("A1", "B1")]
    answer = world.ask("SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=entries)
    assert answer == {"status": "Accepted"}


def profile(number: int, level: int, amps: float) -> dict[str, Any]:
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": START,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
        },
    }


def with_profiles(world: World) -> None:
    for number in (1, 2, 3):
        answer = world.ask(
            "SetChargingProfile", connectorId=1, csChargingProfiles=profile(number, number, 6.0 + number)
        )
        assert answer == {"status": "Accepted"}


def reserve(number: int, tag: str, connector: int = 1) -> dict[str, Any]:
    expiry = utc_text(EPOCH_UTC_S + 6000)
    return {"connectorId": connector, "idTag": tag, "expiryDate": expiry, "reservationId": number}


ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
ORDERS: dict[str, Order] = {
    "ChangeConfiguration": Order(
        "ChangeConfiguration",
        {"key": "ConnectionTimeOut", "value": "17"},
        key("ConnectionTimeOut"),
        kinds=("configuration",),
    ),
    "ChangeAvailability of a connector": Order(
        "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, told, kinds=("availability",)
    ),
    "ChangeAvailability of the box": Order(
        "ChangeAvailability",
        {"connectorId": 0, "type": "Inoperative"},
        told,
        kinds=("availability",),
        board="ac22-sim-duo",
    ),
    "ChangeAvailability back": Order(
        "ChangeAvailability",
        {"connectorId": 0, "type": "Operative"},
        told,
        lambda world: world.availability("Inoperative", 0),
        ("availability",),
        board="ac22-sim-duo",
    ),
    "ChangeAvailability while a car charges": Order(
        "ChangeAvailability",
        {"connectorId": 1, "type": "Inoperative"},
        told_when_empty,
        lambda world: world.charge(),
        ("availability",),
        expected="Scheduled",
    ),
    "ClearCache": Order("ClearCache", {}, welcome_offline, charged_before, ("cache",)),
    "SendLocalList Full": Order(
        "SendLocalList",
        {
            "listVersion": 7,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": tag, **ACCEPTED} for tag in ("B1", "C1", "D1")],
        },
        listed,
        with_old_list,
        ("listed", "list"),
    ),
    "SendLocalList Differential": Order(
        "SendLocalList",
        {
            "listVersion": 2,
            "updateType": "Differential",
            "localAuthorizationList": [{"idTag": "A1"}, {"idTag": "C1", **ACCEPTED}, {"idTag": "D1", **ACCEPTED}],
        },
        listed,
        with_old_list,
        ("listed", "list"),
    ),
    "ReserveNow": Order("ReserveNow", reserve(1, "A1"), reservations, kinds=("reservation",)),
    "ReserveNow that replaces": Order(
        "ReserveNow",
        reserve(1, "C1", 2),
        reservations,
        lambda world: world.ask("ReserveNow", **reserve(1, "A1")),
        ("reservation",),
        board="ac22-sim-duo",
    ),
    "CancelReservation": Order(
        "CancelReservation",
        {"reservationId": 1},
        reservations,
        lambda world: world.ask("ReserveNow", **reserve(1, "A1")),
        ("reservation",),
    ),
    "SetChargingProfile": Order(
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": profile(9, 1, 10.0)},
        profiles,
        kinds=("charging_profile",),
    ),
    "SetChargingProfile that replaces": Order(
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": profile(1, 3, 10.0)},
        profiles,
        with_profiles,
        ("charging_profile",),
    ),
    "ClearChargingProfile": Order("ClearChargingProfile", {}, profiles, with_profiles, ("charging_profile",)),
    "Reset Soft": Order(
        "Reset", {"type": "Soft"}, stopped, lambda world: world.charge(), ("restart+transaction",), lasts_s=0.1
    ),
    "Reset Hard": Order(
        "Reset", {"type": "Hard"}, stopped, lambda world: world.charge(), ("restart+transaction",), lasts_s=0.1
    ),
    "UpdateFirmware": Order(
        "UpdateFirmware",
        {"location": "http://files/wall-2.0.bin", "retrieveDate": START},
        moved("FirmwareStatusNotification"),
        kinds=("firmware",),
        expected=None,
    ),
    "GetDiagnostics": Order(
        "GetDiagnostics",
        {"location": "ftp://files/"},
        moved("DiagnosticsStatusNotification"),
        kinds=("diagnostics",),
        expected=None,
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_what_was_accepted_holds_wherever_the_power_goes(name: str) -> None:
    """Persist over reboot and power loss (handbook, messages 7): all of it, once it was answered, and never a part."""
    assert sweep(ORDERS[name]) >= 3


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, order in ORDERS.items() for kind in order.kinds])
def test_the_sweep_notices_what_is_not_kept(name: str, kind: str) -> None:
    """A test of the test: with one kind of `Save` taken away, what was accepted is gone."""
    with pytest.raises(AssertionError):
        sweep(ORDERS[name], lambda save: save.kind not in kind.split("+"))


# --- what comes about without an answer of ours -----------------------------------------------------------------------


def lives(build: Callable[[], World], deed: Callable[[World], object]) -> Iterator[World]:
    """Cut a deed at each of its steps; yield what has come back from the store, 20 s later."""
    is_cut = True
    step = 0
    while is_cut:
        step += 1
        world = build()
        electrician, auditor = Electrician(world), Auditor(world)
        with mortal() as fate, no_exception_logged() as logged:
            fate.dies_in(step)
            try:
                deed(world)
                is_cut = False
            except Dies:
                auditor.power_was_cut()
                world.cut_power(5.0)
                electrician.look()
            assert not any(connector.supply.is_closed for connector in world.model.connectors) or not is_cut
            fate.dies_in(None)
            world.run(20)
            yield world
            assert not logged, logged[0].getMessage()
    assert step > 5, "hardly anything happened"


def remote_start_with_profile(world: World) -> None:
    told = {**profile(1, 1, 8.0), "chargingProfilePurpose": "TxProfile"}
    world.peer.call("RemoteStartTransaction", idTag="A1", connectorId=1, chargingProfile=told)
    world.run(10).unplug().run(10)


def test_the_profile_of_a_remote_start_goes_with_its_transaction_wherever_the_power_goes() -> None:
    """A TxProfile "SHALL only be used for the current transaction" (3.13.1), and no transaction outlives the power."""
    for world in lives(lambda: World(keys=KEYS).plug(), remote_start_with_profile):
        world.unplug().run(10)
        assert world.feature(SmartCharging).installed == ()
        starts, stops = world.calls("StartTransaction"), world.calls("StopTransaction")
        assert len({start["timestamp"] for start in starts}) == len({stop["timestamp"] for stop in stops})
        world.charge()
        (period, *_) = world.ask("GetCompositeSchedule", connectorId=1, duration=60)["chargingSchedule"][
            "chargingSchedulePeriod"
        ]
        assert period["limit"] == 16.0


def test_a_card_that_was_accepted_is_known_wherever_the_power_goes() -> None:
    """What an Authorize.conf told is in the cache before anything is built upon it (3.5.1)."""
    for world in lives(lambda: World(keys=KEYS).plug(), lambda world: world.tap("A1").run(3)):
        has_begun = bool(world.calls("StartTransaction"))
        world.unplug().run(10)
        assert welcome_offline(world) in ([("A1",)] if has_begun else [(), ("A1",)])


def test_a_charger_that_was_accepted_stays_so_wherever_the_power_goes() -> None:
    """4.2: one that was never accepted lets nobody charge; what it says after its acceptance shows that it was."""
    keys = {**KEYS, "AllowOfflineTxForUnknownId": "true"}
    for world in lives(lambda: World(keys=keys, starts_online=False), lambda world: world.network(True)):
        was_accepted = bool(world.calls("StatusNotification"))
        everybody = ("A1", "B1", "C1", "D1")
        assert welcome_offline(world) in ([everybody] if was_accepted else [(), everybody])


FINALS = {
    "FirmwareStatusNotification": ("Installed", "InstallationFailed", "DownloadFailed"),
    "DiagnosticsStatusNotification": ("Uploaded", "UploadFailed"),
}


@pytest.mark.parametrize(
    ("action", "payload", "told_by"),
    [
        (
            "UpdateFirmware",
            {"location": "http://files/wall-2.0.bin", "retrieveDate": START},
            "FirmwareStatusNotification",
        ),
        ("GetDiagnostics", {"location": "ftp://files/"}, "DiagnosticsStatusNotification"),
    ],
)
def test_a_transfer_ends_and_says_so_once_wherever_the_power_goes(
    action: str, payload: dict[str, Any], told_by: str
) -> None:
    """4.4, 4.5: the central system is told how it ended; a repetition without an answer in between is none (5.19)."""

    def order(world: World) -> None:
        world.peer.call(action, **payload)
        world.run(60)

    for world in lives(lambda: World(keys=KEYS), order):
        world.run(300)
        statuses = [told["status"] for told in world.calls(told_by)]
        answered = [status for status in statuses if status in FINALS[told_by]]
        if world.peer.results:
            assert answered, f"no end: {statuses}"
        assert len(set(answered)) <= 1, f"two ends: {statuses}"
        assert len(answered) <= 2, f"told more often than once and once again: {statuses}"
        assert statuses[-1:] == answered[-1:], f"something after the end: {statuses}"
        assert told(world) == ("Available", "Available")
