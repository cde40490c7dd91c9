"""A central system that comes back without its memory (OCPP-J erratum 3.10; OCPP 1.6 4.2, 3.7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.timebase import utc_text
from tests.world import EPOCH_UTC_S, World

CALLS = (
    "Authorize",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
)
ONE_ATTEMPT = {"TransactionMessageAttempts": "1", "MeterValueSampleInterval": "0", "AllowOfflineTxForUnknownId": "true"}


def _refuses(payload: dict[str, Any]) -> str:
    return "SecurityError"


def forget(world: World) -> World:
    """The central system accepts nobody any more before it has answered his BootNotification."""

    def accepts(payload: dict[str, Any]) -> Any:
        for action in CALLS:
            world.peer.answers.pop(action, None)
        return world.peer.ordinary("BootNotification", payload)

    world.peer.answers.update(dict.fromkeys(CALLS, _refuses), BootNotification=accepts)
    return world


def come_back_forgetful(world: World) -> World:
    world.network(False)
    return forget(world.forget()).network(True)


def test_a_charger_that_was_forgotten_registers_again(world: World) -> None:
    """CALL messages before the Charge Point is accepted are answered with SecurityError (OCPP-J erratum 3.10)."""
    come_back_forgetful(world).plug().run(5)
    assert world.story() == [
        "StatusNotification 1 Preparing",
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Preparing",
    ]


def test_no_transaction_is_lost_to_a_central_system_without_memory() -> None:
    """A message that was answered with SecurityError has not been looked at: it is no failure to process it (3.7.1)."""
    world = World(keys=ONE_ATTEMPT).network(False).charge().tap("A1").run(10).unplug().run(5)
    forget(world.forget()).network(True).run(5)
    told = [line for line in world.story() if "Notification" not in line]
    assert told == ["StartTransaction A1", "StartTransaction A1", "StopTransaction Local"]
    assert world.last("StopTransaction")["transactionId"] == 1
    assert not world.model.queue.undelivered


def test_a_repeated_message_has_another_id() -> None:
    """messageId: must differ from those of all messages of this sender on the same connection (OCPP-J 4.1.4)."""
    world = World(keys=ONE_ATTEMPT).network(False).charge().tap("A1").run(10).unplug().run(5)
    forget(world.forget()).network(True).run(5)
    ids = [seen.frame[1] for seen in world.peer.seen if seen.is_from_charger and seen.frame[2] == "StartTransaction"]
    assert len(set(ids)) == 2


def test_an_error_after_the_registration_is_an_attempt() -> None:
    """Attempts 3, interval 60: transmissions at t = 0, 60, 180; then on with the next (3.7.1)."""
    world = World(keys={"MeterValueSampleInterval": "0"})
    world.peer.answers["StartTransaction"] = _refuses
    world.charge().run(400)
    assert len(world.calls("StartTransaction")) == 3
    assert len(world.calls("BootNotification")) == 1
    assert [each.action for each in world.model.queue.undelivered.values()] == ["StartTransaction"]


def test_the_car_goes_on_charging_meanwhile(world: World) -> None:
    """Transactions go on while nobody listens (handbook, connection-and-boot 2)."""
    world.charge()
    come_back_forgetful(world).run(400)
    assert world.connector().is_charging
    assert [line for line in world.story() if "Transaction" in line] == []
    assert world.told() == "Charging"


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
def test_whoever_is_not_taken_back_waits(registration: str) -> None:
    """While Pending or Rejected nothing but BootNotification is sent; queued messages stay (4.2)."""
    world = World(keys=ONE_ATTEMPT).network(False).charge().tap("A1").run(10).unplug().run(5)
    forget(world.forget())
    world.peer.registration, world.peer.interval_s = registration, 100
    world.network(True).run(95)
    assert world.story() == ["StartTransaction A1", "BootNotification"]
    world.peer.registration = "Accepted"
    told = [line for line in world.forget().run(20).story() if "Status" not in line]
    assert told == ["BootNotification", "StartTransaction A1", "StopTransaction Local"]


def test_a_card_that_is_known_here_charges_at_once(world: World) -> None:
    """Whoever is not accepted is not online: the offline rules decide (3.5.4, 4.2)."""
    world.charge().tap("A1").run(10).unplug()
    come_back_forgetful(world).tap("A1").plug().run(20)
    told = [line for line in world.story() if "Status" not in line]
    assert told == ["Authorize A1", "BootNotification", "StartTransaction A1"]


def test_a_status_of_an_update_is_told_again(world: World) -> None:
    """The Charge Point SHALL notify the Central System of the progress of the update (4.5)."""
    come_back_forgetful(world)
    at = utc_text(EPOCH_UTC_S + world.now_s)
    world.ask("UpdateFirmware", location="ftp://files.example/new.bin", retrieveDate=at)
    told = [p["status"] for p in world.run(60).calls("FirmwareStatusNotification")]
    assert told == ["Downloading", "Downloading", "Downloaded", "Installing", "Installed"]
