"""UnlockConnector (OCPP 1.6 5.18; erratum 3.87; test cases 017, 018, 030, 031)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World


def unlock(world: World, connector: int = 1) -> Any:
    """Ask for it and wait for the motor; return the status."""
    message_id = world.peer.call("UnlockConnector", connectorId=connector)
    world.run(10)
    return world.peer.results[message_id][2]["status"]


def test_without_a_session_nothing_is_locked(socket: World) -> None:
    """Unlock, no session (not fixed): Unlocked (test case 017_1)."""
    assert unlock(socket) == "Unlocked"


def test_a_fixed_cable_is_not_supported(world: World) -> None:
    """Unlock, no session (fixed): NotSupported (test case 017_2)."""
    assert unlock(world) == "NotSupported"


def test_a_session_is_stopped_and_the_cable_unlocked(socket: World) -> None:
    """Unlocked; Stop(UnlockCommand); SN(Finishing); SN(Available) (test case 018_1)."""
    socket.charge().forget()
    assert unlock(socket) == "Unlocked"
    assert socket.unplug().run(2).story() == [
        "StopTransaction UnlockCommand",
        "StatusNotification 1 Finishing",
        "StatusNotification 1 Available",
    ]


def test_a_stop_by_unlocking_bears_no_tag(socket: World) -> None:
    """UnlockCommand: none (handbook, connector-states 7.3)."""
    unlock(socket.charge())
    assert "idTag" not in socket.last("StopTransaction")


def test_a_session_at_a_fixed_cable_lives_on(world: World) -> None:
    """NotSupported, transaction lives on (test case 018_2)."""
    world.charge()
    assert (unlock(world), world.connector().is_charging) == ("NotSupported", True)


def test_a_jammed_lock_is_an_unlock_failure(socket: World) -> None:
    """lock jammed; Unlock: UnlockFailed (test case 030)."""
    assert unlock(socket.charge().cause("lock_jammed")) == "UnlockFailed"


def test_a_jammed_lock_ends_the_transaction_all_the_same(socket: World) -> None:
    """running transaction is first stopped with reason UnlockCommand (5.18)."""
    unlock(socket.charge().cause("lock_jammed"))
    assert socket.last("StopTransaction")["reason"] == "UnlockCommand"


def test_a_lock_that_moves_again_can_be_unlocked_later(socket: World) -> None:
    """UnlockConnector: to help a driver whose cable is stuck (5.18)."""
    unlock(socket.charge().cause("lock_jammed"))
    assert unlock(socket.cause("lock_jammed", False)) == "Unlocked"


@pytest.mark.parametrize("connector", [0, 2, 99])
def test_an_unknown_connector_is_not_supported(socket: World, connector: int) -> None:
    """UnlockConnector: unknown connector → NotSupported, never UnlockFailed (erratum 3.87; test case 031)."""
    assert unlock(socket, connector) == "NotSupported"


def test_preparing_is_not_cleared(socket: World) -> None:
    """Must not clear Preparing authorisations by itself (handbook, messages 4)."""
    socket.tap("A1").run(2)
    unlock(socket)
    assert socket.plug().run(20).connector().is_charging


def test_the_other_outlet_is_left_alone(duo: World) -> None:
    """UnlockConnector is for one connector (5.18)."""
    duo.charge("A1", 1).charge("B1", 2)
    unlock(duo, 2)
    assert [duo.connector(number).is_charging for number in (1, 2)] == [True, False]
