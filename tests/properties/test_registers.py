"""Kills at random moments: every Wh of the meter belongs to exactly one transaction, at every outlet.

The charger dies and comes back from its store while cars charge, pause and leave at one or two outlets. The register of
each simulated meter is read at the board, past the charger.
"""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest

from hw.sim.circuit import Circuit
from tests.world import World

KEYS = {"MeterValueSampleInterval": "60", "LocalPreAuthorize": "true", "TransactionMessageRetryInterval": "1"}
SEEDS = 25


def register_wh(world: World, connector: int) -> int:
    """Return what the meter of an outlet shows, in whole Wh."""
    circuits = [process for process in world.charger.board.processes if isinstance(process, Circuit)]
    return math.floor(circuits[connector - 1].register.energy_wh + 1e-6)


def sessions(world: World, connector: int) -> list[tuple[int, int]]:
    """Return meterStart and meterStop of the transactions of a connector, oldest first, resent messages once."""
    starts: dict[str, int] = {}
    stops: dict[int, int] = {}
    ids: dict[str, int] = {}
    for seen in world.peer.seen:
        frame = seen.frame
        if seen.is_from_charger and frame[0] == 2 and frame[2] == "StartTransaction":
            if frame[3]["connectorId"] == connector:
                starts.setdefault(frame[1], frame[3]["meterStart"])
        elif not seen.is_from_charger and frame[0] == 3 and frame[1] in starts:
            ids[frame[1]] = frame[2]["transactionId"]
        elif seen.is_from_charger and frame[0] == 2 and frame[2] == "StopTransaction":
            stops.setdefault(frame[3]["transactionId"], frame[3]["meterStop"])
    return [(begin, stops[ids[key]]) for key, begin in starts.items()]


def live(board: str, outlets: int, seed: int) -> World:
    """Let cars come, pause and go, and kill the charger now and then; leave with everything ended and sent."""
    chance = Random(f"{board}:{seed}")
    world = World(board=board, keys=KEYS, seed=seed)
    world.run(2)
    for _ in range(chance.randint(4, 9)):
        connector = chance.randint(1, outlets)
        act = chance.choice(("charge", "charge", "pause", "stop", "leave", "kill", "kill"))
        if act == "charge" and not world.connector(connector).is_plugged:
            world.plug(connector).remote_start(f"T{connector}", connectorId=connector)
        elif act == "charge" and not world.connector(connector).is_in_transaction:
            world.remote_start(f"T{connector}", connectorId=connector)
        elif act == "pause":
            world.wants_energy(chance.random() < 0.5, connector)
        elif act == "stop" and world.connector(connector).transaction is not None:
            world.remote_stop(world.connector(connector).transaction.transaction_id or 0)
        elif act == "leave":
            world.unplug(connector)
        elif act == "kill":
            world.cut_power(chance.uniform(0.5, 200.0))
        world.run(chance.choice((0.3, 3.0, 9.0, 47.0, 130.0)) * chance.uniform(0.5, 1.5))
    world.cut_power(5.0).run(60)
    return world


@pytest.mark.parametrize(("board", "outlets"), [("ac22-sim", 1), ("ac22-sim-duo", 2)])
def test_the_sum_of_the_sessions_is_the_difference_of_the_registers(board: str, outlets: int) -> None:
    """meterStop is "the meter value in Wh at end of the transaction" (6.49), also of one that a loss of power ended
    (4.10: the transaction is stopped with the last known value): the next meterStart (6.45) continues from there.
    """
    charged_wh = 0
    for seed in range(SEEDS):
        world = live(board, outlets, seed)
        for connector in range(1, outlets + 1):
            told = sessions(world, connector)
            where = f"seed {seed}, connector {connector}: {told}"
            assert all(begin <= end for begin, end in told), where
            assert all(end == begin for (_, end), (begin, _) in pairwise(told)), where
            if told:
                assert told[-1][1] == register_wh(world, connector), where
                assert told[0][0] == 0, where
                charged_wh += told[-1][1]
    assert charged_wh > 1000 * outlets * SEEDS / 5, "nothing was charged: the test proves nothing"
