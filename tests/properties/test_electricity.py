"""Random cars, limits, habits and meters: what is billed and reported agrees with itself, and the contactor is spared."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import pytest

from chargepoint.model.contactor import GUARD_S, MOST_CLOSINGS, REST_S
from hw.sim.cars import CLASSES
from hw.sim.circuit import Circuit
from tests.watch import Electrician
from tests.world import World

HABITS = ("slow_follow", "simplified", "late_c", "c_when_full", "holds_c", "f_locks_up", "needs_30s_cp", "never_c")
METERS = ("meter_late", "meter_lossy", "meter_glitch", None)
WANTED = "Energy.Active.Import.Register,Energy.Active.Import.Interval,Current.Offered"
SEEDS = 24
THOROUGH_SEEDS = 80


@cache
def board(model: str, noise_v: float, class_error: str) -> str:
    path = Path(mkdtemp()) / f"{model}-{noise_v}-{class_error}.yaml"
    path.write_text(
        f"""connectors:
  - rated: {{current_a: 32, phases: 3}}
    cable: {{kind: tethered, rating_a: 32}}
    pilot: {{driver: sim.pilot, noise_v: {noise_v}}}
    pilot_relay: true
    relay: {{driver: sim.relay}}
    meter: {{driver: sim.meter, class_error: {class_error}}}
    car: {{driver: sim.car, model: {model}, soc: 20%}}
readers:
  - {{driver: sim.tags}}
"""
    )
    return str(path)


class Story:
    """One charger and what happens to it by chance."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        model, noise_v = self.rng.choice(sorted(CLASSES)), self.rng.choice((0.0, 0.3))
        keys = {"MeterValueSampleInterval": self.rng.choice(("3", "11", "60")), "MeterValuesSampledData": WANTED}
        self.world = World(board=board(model, noise_v, self.rng.choice(("0%", "1%"))), keys=keys, seed=seed)
        self.circuit = next(each for each in self.world.charger.board.processes if isinstance(each, Circuit))
        self.electrician = Electrician(self.world)
        self.closed_s: list[float] = []
        self.signalled: dict[str, float] = {}
        self._was_closed = False
        self.world.watchers.append(self._look)
        meter = self.rng.choice(METERS)
        for name in (meter, *self.rng.sample(HABITS, self.rng.choice((0, 0, 1, 2)))):
            if name is not None:
                self.world.cause(name)

    def _look(self) -> None:
        is_closed = self.circuit.contactor.is_closed
        if is_closed and not self._was_closed:
            self.closed_s.append(self.world.now_s)
        self._was_closed = is_closed

    def happen(self) -> None:
        world, rng = self.world, self.rng
        match rng.randrange(9):
            case 0 | 1:
                world.tap("A1")
            case 2 | 3:
                world.charger.limit(1, rng.choice((0.0, 5.9, 6.0, 7.99, rng.uniform(6.0, 32.0))))
            case 4:
                world.wants_energy(rng.random() < 0.6)
            case 5:
                world.unplug()
            case _:
                world.plug()
        world.run(rng.choice((0.5, 3.0, 10.0, 60.0, 600.0)) * rng.uniform(0.5, 1.5))

    def finish(self) -> None:
        """Everybody goes home."""
        self.world.charger.limit(1, None)
        self.world.unplug().run(120)

    def values(self, transaction: int) -> list[dict[str, str]]:
        """What MeterValues told of a transaction, oldest first: value by measurand."""
        told = [each for each in self.world.calls("MeterValues") if each.get("transactionId") == transaction]
        return [
            {value["measurand"]: value["value"] for value in each["meterValue"][0]["sampledValue"]} for each in told
        ]


def transactions(world: World) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Return id, start and stop of each transaction in their order."""
    starts, stops = world.calls("StartTransaction"), world.calls("StopTransaction")
    return [(each["transactionId"], start, each) for start, each in zip(starts, stops, strict=True)]


@pytest.mark.timeout(0)
def test_what_is_billed_and_told_agrees_with_itself(pytestconfig: pytest.Config) -> None:
    """meterStop equals the next meterStart to the Wh; intervals add up; the contactor rests, and its guard holds.

    Nothing is faulted, because nothing is wrong; and no offer is told that the outlet does not have.
    """
    began = 0
    for seed in range(THOROUGH_SEEDS if pytestconfig.getoption("--thorough") else SEEDS):
        story = Story(seed)
        for _ in range(25):
            story.happen()
        story.finish()
        world = story.world
        codes = {each["errorCode"] for each in world.calls("StatusNotification")}
        assert codes <= {"NoError", "OtherError"}, (seed, codes)
        assert {each[2] for each in world.tells() if each[1] == "OtherError"} <= {"Contactor closed too often"}, seed
        register_wh: int | None = None
        for number, start, stop in transactions(world):
            began += 1
            assert register_wh in (None, start["meterStart"]), (seed, number)
            register_wh = stop["meterStop"]
            told = story.values(number)
            intervals = [int(each["Energy.Active.Import.Interval"]) for each in told]
            registers = [int(each["Energy.Active.Import.Register"]) for each in told]
            if registers:
                assert sum(intervals) == registers[-1] - start["meterStart"], (seed, number)
                assert start["meterStart"] <= registers[0] <= registers[-1] <= stop["meterStop"], (seed, number)
            offers = [float(each["Current.Offered"]) for each in told]
            assert all(each == 0.0 or 6.0 <= each <= 32.0 for each in offers), (seed, number, offers)
        closed_s = story.closed_s
        assert all(after - before > REST_S for before, after in pairwise(closed_s)), seed
        for at_s in closed_s:
            assert sum(at_s <= each < at_s + GUARD_S for each in closed_s) <= MOST_CLOSINGS, seed
    assert began > SEEDS
