"""Cars that keep the standard, behind meters as they are: no supervision may fault them, whatever they are offered.

IEC 61851-1 gives a car 5 s to follow another duty cycle and 3 s to stop drawing; a meter is up to 1 % wrong, answers up to
2 s late, and now and then not at all or with a value that is none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import nan
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from hw.ports import MeterRead, MeterSeen, Observation
from hw.sim.cars import CLASSES
from hw.sim.circuit import Circuit
from tests.watch import Electrician
from tests.world import World

COMPLIANT = ("slow_follow", "simplified", "late_c", "c_when_full", "holds_c", "f_locks_up", "needs_30s_cp")
"""Habits that a charger has to bear: none of them draws more than is offered for longer than the standard allows."""
LOST = NOT_A_NUMBER = 0.01


class Bus:
    """Brings what the meters of a board say to its charger: late, with an error, and not always."""

    def __init__(self, world: World, seed: int, late_s: float) -> None:
        self._chance = Random(seed)
        self._gain = self._chance.uniform(0.99, 1.01)
        self._late_s = late_s
        self._brought_s = 0.0
        self._world = world
        self._timers = world.pump.timers(self)
        for process in world.charger.board.processes:
            circuit = cast(Circuit, process)
            circuit._report = self._bring

    def _bring(self, seen: Observation) -> None:
        if not isinstance(seen, MeterRead | MeterSeen):
            self._world.charger.report(seen)
            return
        told = self._bent(seen)
        # A bus brings its telegrams in their order.
        self._brought_s = max(self._brought_s, self._world.now_s + self._chance.uniform(0.0, self._late_s))
        self._timers.at(self._brought_s, lambda _now_s: self._world.charger.report(told))

    def _bent(self, seen: MeterRead | MeterSeen) -> MeterRead | MeterSeen:
        reading, chance = seen.reading, self._chance
        if reading is None or chance.random() < LOST:
            return replace(seen, reading=None)
        current_a = [each and each * self._gain + chance.uniform(-0.05, 0.05) for each in reading.current_a]
        if chance.random() < NOT_A_NUMBER:
            current_a[chance.randrange(len(current_a))] = nan
        voltage_v = tuple(each and each + chance.uniform(-1.0, 1.0) for each in reading.voltage_v)
        return replace(seen, reading=replace(reading, current_a=tuple(current_a), voltage_v=voltage_v))


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="boards"))


def board(model: str, is_socket: bool, has_feedback: bool, follows: bool) -> str:
    """Write the file of a board with this car, and return its path."""
    text = Path(f"hw/boards/ac22-sim{'-socket' if is_socket else ''}.yaml").read_text(encoding="utf-8")
    extra = ("" if has_feedback else "    feedback: false\n") + ("    contactor: follows_pilot\n" if follows else "")
    text = text.replace("model: bev_3p32_22", f"model: {model}").replace("    relay: {", f"{extra}    relay: {{")
    path = folder() / f"{model}-{is_socket:d}{has_feedback:d}{follows:d}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


AMPS = st.one_of(st.none(), st.sampled_from([0.0, 6.0, 8.0, 16.0, 32.0]), st.floats(6.0, 32.0))
PAUSES_S = st.sampled_from([0.3, 1.0, 3.0, 5.0, 6.5, 7.0, 10.0, 20.0])


@given(
    model=st.sampled_from(sorted(CLASSES)),
    habits=st.sets(st.sampled_from(COMPLIANT), max_size=2),
    is_socket=st.booleans(),
    has_feedback=st.booleans(),
    follows=st.booleans(),
    sample_s=st.sampled_from([0, 10, 60]),
    late_s=st.sampled_from([0.0, 0.5, 2.0]),
    seed=st.integers(0, 999),
    offers=st.lists(st.tuples(AMPS, PAUSES_S, st.booleans()), min_size=5, max_size=40),
)
def test_no_compliant_car_is_ever_faulted(
    model: str,
    habits: set[str],
    is_socket: bool,
    has_feedback: bool,
    follows: bool,
    sample_s: int,
    late_s: float,
    seed: int,
    offers: list[tuple[float | None, float, bool]],
) -> None:
    """Whatever is offered, and however its meter tells it: no fault, and energy only where the relay rule allows it."""
    keys = {"MeterValueSampleInterval": str(sample_s)}
    world = World(board=board(model, is_socket, has_feedback, follows), keys=keys, seed=seed)
    if not follows:
        Electrician(world)  # a simulated contactor opens when its permission ends, not when the pilot leaves C
    for habit in sorted(habits):
        world.cause(habit)
    Bus(world, seed, late_s)
    world.plug().tap("A1").run(20)
    for amps, seconds, wants_energy in offers:
        world.wants_energy(wants_energy or seconds > 5.0)
        world.charger.limit(1, amps)
        world.run(seconds)
    world.tap("A1").run(15).unplug().run(15)
    assert "Faulted" not in world.statuses(), world.tells()
    assert not world.connector().troubles
