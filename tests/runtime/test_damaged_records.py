"""A record of the store that cannot be used: the box comes up without it, and says what is lost."""

from __future__ import annotations

import json
import logging

import pytest

from chargepoint.runtime.store import checksum
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
