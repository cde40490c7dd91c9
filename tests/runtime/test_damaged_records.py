"""A record of the store that cannot be used: the box comes up without it, and says what is lost."""

from __future__ import annotations

import json
import logging

import pytest

from chargepoint.model.record import Damaged
from chargepoint.runtime.record_codec import checksum
from tests.world import World


def spoil(world: World, kind: str, key: str, body: str, *, is_sealed: bool) -> None:
    """Replace the body of a record; ``is_sealed``: under a right checksum, as a fault of the program would write it."""
    crc = checksum("CP1", kind, key, body) if is_sealed else 0
    changed = world.store._db.execute(
        "UPDATE record SET body = ?, crc = ? WHERE charger = 'CP1' AND kind = ? AND key = ?", (body, crc, kind, key)
    )
    assert changed.rowcount == 1


@pytest.mark.parametrize("is_sealed", [True, False])
@pytest.mark.parametrize("body", ["{}", "no JSON", '{"total":1}'])
def test_bad_record_is_put_aside_and_the_box_comes_up(
    body: str, is_sealed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """[D] One bad record stops neither box nor fleet: it is kept under the kind `damaged` with its kind, key and body, an
    ERROR says what is lost, and StatusNotification of connector 0 carries InternalError (OCPP 1.6 7.6)."""
    world = World().charge()
    world.tap("A1").run(10).unplug().run(5)
    spoil(world, "usage", "totals", body, is_sealed=is_sealed)
    with caplog.at_level(logging.ERROR):
        world.cut_power()
    assert "record usage/totals is damaged" in caplog.text
    assert "the totals of sessions and energy" in caplog.text
    kept = world.stored("damaged", "usage/totals")
    assert (kept["kind"], kept["key"]) == ("usage", "totals")
    assert kept["body"] in (body, json.loads(body) if body.startswith("{") else body)
    assert world.stored("usage", "totals") is None
    world.run(5)
    assert ("Available", "InternalError", "Store damaged, losses: 1") in world.tells(0)
    assert len(world.model.losses) == 1
    world.forget().charge().tap("A1").run(10).unplug().run(5)
    assert [each["reason"] for each in world.calls("StopTransaction")] == ["Local"]
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        world.cut_power().run(5)
    assert not caplog.text, "reported once"
    assert world.model.losses == []


def test_new_store_has_lost_nothing() -> None:
    """A store without records is no damage, with a simulated board that is kept or without."""
    for keeps_board in (True, False):
        world = World(keeps_board=keeps_board).run(5)
        assert world.charger.store_losses == []
        assert world.tells(0) == [("Available", "NoError", "")]


def test_simulated_board_that_cannot_be_restored_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """What is deep inside a snapshot of a board is for its parts to read; one that fails costs the simulated scene only."""
    world = World().charge()
    body = world.stored("board", "state")
    body["processes"][0]["car"]["state"] = "flying"
    spoil(world, "board", "state", json.dumps(body), is_sealed=True)
    with caplog.at_level(logging.ERROR):
        world.cut_power().run(30)
    assert "record board/state is damaged" in caplog.text
    assert [each["reason"] for each in world.calls("StopTransaction")] == ["PowerLoss"]


# --- transactions and their messages ----------------------------------------------------------------------------------


def lose(world: World, kind: str, key: str = "%") -> None:
    """Take records away together with their second copies."""
    for table in ("record", "copy"):
        world.store._db.execute(f"DELETE FROM {table} WHERE kind = ? AND key LIKE ?", (kind, key))


def number_of(world: World, action: str) -> str:
    """Return the key of a queued message."""
    return str(next(message.key for message in world.model.queue if message.action == action))


def test_message_whose_transaction_is_lost_never_leaves(caplog: pytest.LogCaptureFixture) -> None:
    """StopTransaction.req requires its transactionId (OCPP 1.6 6.47): a queued message without its transaction is kept as
    undelivered, with an ERROR; [D] what else waits is sent."""
    world = World().charge().network(False).run(70)
    world.tap("A1").run(10).unplug().run(5)
    lose(world, "transaction")
    with caplog.at_level(logging.ERROR):
        world.forget().cut_power().network(True).run(30)
    assert "has lost its transaction" in caplog.text
    assert "could not be delivered" not in caplog.text, "before anything is sent"
    assert world.calls("StopTransaction", "MeterValues") == []
    assert [message.action for message in world.model.queue.undelivered.values()] == ["MeterValues", "StopTransaction"]
    assert len(world.model.losses) == 2
    key = list(world.model.queue.undelivered)[-1]
    world.charger.requeue(key)
    world.run(30)
    assert world.calls("StopTransaction") == [], "nor when it is queued again"
    assert [message.action for message in world.model.queue.undelivered.values()] == ["MeterValues", "StopTransaction"]
    world.forget().charge("A2").tap("A2").run(10)
    assert [each["transactionId"] for each in world.calls("StopTransaction")] == [2]


def test_transaction_whose_start_is_lost_sends_nothing_without_an_id(caplog: pytest.LogCaptureFixture) -> None:
    """Without StartTransaction there is no transactionId to come, so nothing of that transaction can be sent."""
    world = World(keys={"AllowOfflineTxForUnknownId": "true"}).network(False).charge().run(70)
    lose(world, "queue", number_of(world, "StartTransaction"))
    with caplog.at_level(logging.ERROR):
        world.forget().cut_power().network(True).run(30)
    assert world.calls("StartTransaction", "StopTransaction", "MeterValues") == []
    assert "could not be delivered (its transactionId is lost)" in caplog.text
    assert [message.action for message in world.model.queue.undelivered.values()][-1] == "StopTransaction"


@pytest.mark.parametrize("is_delivered", [True, False])
def test_stop_that_is_lost_is_queued_again_as_it_was(is_delivered: bool, caplog: pytest.LogCaptureFixture) -> None:
    """[D] A transaction that was started and has no stop gets it, with the register and the timestamp of its end."""
    world = World(keys={"AllowOfflineTxForUnknownId": "true"}).network(is_delivered).charge().run(30)
    world.network(False).tap("A1").run(10)
    stop = next(json.loads(message.payload) for message in world.model.queue if message.action == "StopTransaction")
    lose(world, "queue", number_of(world, "StopTransaction"))
    with caplog.at_level(logging.ERROR):
        world.cut_power(120.0).network(True).run(30)
    assert "the StopTransaction of transaction" in caplog.text
    assert world.calls("StopTransaction") == [{**stop, "transactionId": 1}]
    assert len(world.calls("StartTransaction")) == 1
    assert world.model.queue.transactions == {}
    statistics = world.stored("usage", "totals")["total"]
    assert statistics["sessions"] == 1, "counted once"


def test_stop_that_was_delivered_is_not_sent_again() -> None:
    """A transaction of which only undelivered meter values are left has had its stop."""
    world = World(keys={"MeterValueSampleInterval": "20", "TransactionMessageAttempts": "1"})
    world.peer.answers["MeterValues"] = lambda payload: "NotSupported"
    world.charge().run(50).tap("A1").run(10).unplug().run(5)
    assert [message.action for message in world.model.queue.undelivered.values()] == ["MeterValues"] * 3
    world.forget().cut_power().run(30)
    assert world.calls("StopTransaction") == []
    assert world.model.losses == []


def test_values_of_a_lost_transaction_are_dropped_and_named() -> None:
    """The transactionData of a transaction that is lost belongs to no message any more."""
    world = World(keys={"StopTxnSampledData": "Energy.Active.Import.Register"}).charge().run(70)
    lose(world, "transaction")
    world.cut_power().run(5)
    assert [each for each in world.model.losses if "transactionData" in each]
    assert "sample" not in world.store.load("CP1")


def test_a_report_can_be_printed_whatever_the_bytes_have_become() -> None:
    """A terminal, a log file and JSON take UTF-8 only."""
    broken = b"sess\xff".decode("utf-8", "surrogateescape")
    damaged = Damaged(broken, broken, {}, f"no number: {broken!s}", f"what {broken} held")
    assert damaged.report.encode() == rb"record sess\xff/sess\xff is damaged (no number: sess\xff): what sess\xff held"
