"""Whenever Available is reported, the connector is free in that instant: ReserveNow and RemoteStart are accepted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from chargepoint.model.timebase import utc_text
from chargepoint.runtime.porter import FilePlan
from tests.world import EPOCH_UTC_S, World

Step = Callable[[World], object]

STEPS: list[Step] = [
    lambda world: world.plug(1),
    lambda world: world.plug(2),
    lambda world: world.unplug(1),
    lambda world: world.unplug(1),
    lambda world: world.unplug(2),
    lambda world: world.unplug_car(1),
    lambda world: world.tap("A1"),
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
    lambda world: world.availability("Inoperative", 1),
    lambda world: world.availability("Operative", 1),
    lambda world: world.availability("Inoperative", 0),
    lambda world: world.availability("Operative", 0),
    lambda world: world.remote_start("C1", connectorId=2),
    lambda world: world.remote_start("D1"),
    lambda world: reserve(world, 0, for_s=40.0),
    lambda world: reserve(world, 2, for_s=40.0),
    lambda world: world.ask("UpdateFirmware", location="ftp://files.example/wall-2.0.bin", retrieveDate=at(world)),
    lambda world: world.network(False),
    lambda world: world.network(True),
    lambda world: world.cut_power(),
    lambda world: world.run(30),
    lambda world: world.run(90),
]


def at(world: World, in_s: float = 0.0) -> str:
    return utc_text(EPOCH_UTC_S + world.now_s + in_s)


def reserve(world: World, connector: int, for_s: float) -> None:
    world.ask("ReserveNow", connectorId=connector, expiryDate=at(world, for_s), idTag="E1", reservationId=connector + 1)


class Asker:
    """A central system that asks for every connector that it hears to be Available, at once, and keeps the answers."""

    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._asked: dict[str, tuple[str, dict[str, Any]]] = {}
        """Action and the report that it answers, by message id."""
        world.peer.answers["StatusNotification"] = self._hears

    def _hears(self, payload: dict[str, Any]) -> Any:
        number = payload["connectorId"]
        if number and payload["status"] == "Available":
            # In half of the cases nothing, so that what comes next finds a connector that stays Available.
            match self._chance.choice(("nothing", "nothing", "reserve", "start")):
                case "reserve":
                    expiry = at(self._world, 60.0)
                    self._ask(payload, "ReserveNow", expiryDate=expiry, idTag="R1", reservationId=77)
                    self._world.peer.call("CancelReservation", reservationId=77)
                case "start":
                    self._ask(payload, "RemoteStartTransaction", idTag="R2")
        return {}

    def _ask(self, report: dict[str, Any], action: str, **payload: Any) -> None:
        message_id = self._world.peer.call(action, connectorId=report["connectorId"], **payload)
        self._asked[message_id] = action, report

    def refusals(self) -> list[str]:
        """What was answered with anything but Accepted. A question that the network swallowed has no answer."""
        answers = {key: self._world.peer.results[key] for key in self._asked if key in self._world.peer.results}
        return [
            f"{action} after {report}: {answers[key][2]}"
            for key, (action, report) in self._asked.items()
            if key in answers and answers[key][2] != {"status": "Accepted"} and not self._leads_to_reserved(report)
        ]

    def _leads_to_reserved(self, report: dict[str, Any]) -> bool:
        """Whether Available was only the way to Reserved, which the table of 4.9 has no other way to."""
        return {**report, "status": "Reserved"} in self._world.calls("StatusNotification")


@pytest.mark.parametrize("board", ["ac11-sim-duo", "ac22-sim-duo"])
@pytest.mark.parametrize("seed", range(20))
def test_a_connector_that_is_reported_available_can_be_reserved_and_started(board: str, seed: int) -> None:
    """7.7 Available: "When a Connector becomes available for a new user"; so ReserveNow is not answered with Occupied
    (5.13), nor RemoteStartTransaction with Rejected (5.11).

    Reset is left out: who has sent it knows that no transaction begins before the next boot.
    """
    chance = Random(seed)
    world = World(
        board=board,
        seed=seed,
        keys={"ConnectionTimeOut": "20", "AllowOfflineTxForUnknownId": "true"},
        plan={"files": FilePlan(restarts=False)},
    )
    asker = Asker(world, chance)
    for step in chance.choices(STEPS, k=80):
        with suppress(AssertionError):  # without a link, or while it restarts, the charger answers nothing
            step(world)
        world.run(chance.choice((0.0, 0.03, 0.2, 3.0, 15.0)))
        assert asker.refusals() == []
