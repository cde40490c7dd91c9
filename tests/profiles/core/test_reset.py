"""Reset (OCPP 1.6 5.14; key 9.1.21; test cases 013-016)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model import connector_ending
from tests.world import SILENCE, World

KINDS = {"Hard": "HardReset", "Soft": "SoftReset"}


def reset(world: World, kind: str) -> World:
    assert world.ask("Reset", type=kind) == {"status": "Accepted"}
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_boots_again(world: World, kind: str) -> None:
    """Accepted; BN; SN for all (test cases 013, 014)."""
    assert reset(world.forget(), kind).run(20).story() == [
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Available",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_in_a_transaction_stops_it_first(world: World, kind: str) -> None:
    """Accepted; Stop; SN(Finishing); BN; SN n Finishing/Preparing, rest Available (test cases 015, 016)."""
    assert reset(world.charge().forget(), kind).run(30).story() == [
        f"StopTransaction {KINDS[kind]}",
        "StatusNotification 1 Finishing",
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Preparing",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_by_reset_bears_no_tag(world: World, kind: str) -> None:
    """omit on reset (handbook, messages 3)."""
    assert "idTag" not in reset(world.charge(), kind).run(30).last("StopTransaction")


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_to_a_reset_leaves_first(world: World, kind: str) -> None:
    """Let the answer leave the socket before going down (handbook, messages 4)."""
    world.charge().forget()
    message_id = world.peer.call("Reset", type=kind)
    world.run(30)
    assert next(seen.frame[1] for seen in world.peer.seen if seen.is_from_charger) == message_id


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_frees_the_cable(socket: World, kind: str) -> None:
    """graceful stop: unlock on normal stop (handbook, connector-states 7.7)."""
    assert not reset(socket.charge(), kind).run(30).connector().lock.is_locked


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_ends_every_transaction(duo: World, kind: str) -> None:
    """any transactions in progress SHALL be terminated (5.14)."""
    reset(duo.charge("A1", 1).charge("B1", 2), kind).run(30)
    assert [p["reason"] for p in duo.calls("StopTransaction")] == [KINDS[kind]] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_without_a_link_keeps_the_stop_for_later(world: World, kind: str) -> None:
    """Queue: kept (handbook, connection-and-boot 6)."""
    world.charge().peer.call("Reset", type=kind)
    world.run(0.05).network(False).run(60).network(True).run(10)
    assert [p["reason"] for p in world.calls("StopTransaction")] == [KINDS[kind]]


def test_a_power_cut_amid_a_reset_leaves_the_reason_of_the_reset(world: World) -> None:
    """Stop queued before going down (HardReset), or rebuilt (handbook, transactions 8)."""
    reset(world.charge(), "Hard").cut_power().run(10)
    assert [p["reason"] for p in world.calls("StopTransaction")] == ["HardReset"]


def test_the_reason_of_a_reset_is_not_kept_for_the_next_power_cut(world: World) -> None:
    """any process death without a stored cause: PowerLoss (handbook, transactions 8)."""
    reset(world, "Hard").run(20).charge().cut_power().run(10)
    assert world.last("StopTransaction")["reason"] == "PowerLoss"


def test_a_soft_reset_waits_a_minute_at_most_for_the_stop_to_be_answered(world: World) -> None:
    """Wait for StopTransaction.conf on reset: at most 60 s (handbook, transactions 8)."""
    world.configure(MessageTimeout=1000).charge().peer.answers["StopTransaction"] = lambda payload: SILENCE
    reset(world.forget(), "Soft").run(55)
    before = len(world.calls("BootNotification"))
    assert (before, len(world.run(20).calls("BootNotification"))) == (0, 1)


def test_a_hard_reset_waits_five_seconds_at_most_for_the_stop_to_be_answered(world: World) -> None:
    """ "it is not required to gracefully stop ongoing transaction" (5.14); [D] 5 s, then it restarts with it unanswered."""
    world.configure(MessageTimeout=1000).charge().peer.answers["StopTransaction"] = lambda payload: SILENCE
    reset(world.forget(), "Hard").run(6)
    before = world.model.is_restarting
    assert (before, len(world.run(8).calls("BootNotification"))) == (False, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_that_is_answered_within_seconds_is_sent_once(world: World, kind: str) -> None:
    """ "The Charge Point SHALL send a StopTransaction.req for any ongoing transaction before performing the reset" (5.14):
    the link lasts until its answer, so that nothing is sent twice."""
    peer = world.charge().peer

    def answers_later(payload: dict[str, Any]) -> Any:
        asked = next(seen.frame[1] for seen in reversed(peer.seen) if seen.frame[2] == "StopTransaction")
        world.pump.timers("peer").after_wire(3.0, lambda _now_s: peer.send([3, asked, {}]))
        return SILENCE

    peer.answers["StopTransaction"] = answers_later
    reset(world.forget(), kind).run(30)
    assert len(world.calls("StopTransaction")) == 1
    assert len(world.calls("BootNotification")) == 1


def test_a_second_reset_under_way_is_one_reset(world: World) -> None:
    """Accepted: the Charge Point will reset itself (5.14)."""
    world.charge().forget()
    assert len(reset(reset(world, "Soft"), "Soft").run(40).calls("BootNotification")) == 1


def test_a_reset_takes_back_an_authorisation_that_waits(world: World) -> None:
    """At receipt of a soft reset: return to a state as after boot (5.14)."""
    world.tap("A1").run(2)
    assert not reset(world, "Soft").run(20).plug().run(20).connector().is_charging


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_outlasts_a_reset(world: World, kind: str) -> None:
    """Persisted: availability, config, list, cache … (handbook, connection-and-boot 6)."""
    reset(world.configure(ConnectionTimeOut=77), kind).run(20)
    assert world.ask("GetConfiguration", key=["ConnectionTimeOut"])["configurationKey"][0]["value"] == "77"


def never_ending(monkeypatch: pytest.MonkeyPatch, retries: int) -> World:
    """A reset under way at a charger whose transaction does not come to its end, for its contactor does not open."""
    monkeypatch.setattr(connector_ending, "OPENING_WAIT_S", 1000.0)
    return reset(World(keys={"ResetRetries": str(retries)}).charge().cause("welded_contactor").forget(), "Soft")


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_reset_retries_is_how_often_an_ending_is_waited_for_again(
    monkeypatch: pytest.MonkeyPatch, retries: int
) -> None:
    """ResetRetries: number of times to retry an unsuccessful reset of the Charge Point (9.1.21)."""
    world = never_ending(monkeypatch, retries).run(18 * (1 + retries) - 1)
    before = len(world.calls("BootNotification"))
    assert (before, len(world.run(10).calls("BootNotification"))) == (0, 1)


def test_a_reset_that_has_to_be_retried_is_told_for_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResetFailure: unable to perform a reset; connector 0, a warning (7.6)."""
    assert ("Available", "ResetFailure", "") in never_ending(monkeypatch, 1).run(20).tells(0)
