"""A bench for simulated outlets: a board, a clock that is stepped, and a charger just clever enough to close in C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hw.loader import plan_board, read_plan
from hw.plan import BoardPlan
from hw.ports import Hands, MeterRead, Observation, OutletPorts, PilotSeen, Reading

SeenT = TypeVar("SeenT")

BOARD = """\
connectors:
  - rated: {{current_a: {current_a}, phases: {phases}}}
    cable: {cable}
    pilot: {{driver: sim.pilot}}
    relay: {{driver: sim.relay}}
    meter: {{driver: sim.meter{meter}}}
    {lock}
    phase_energy: true
    limits: {{max_board_c: 75}}
    car: {{driver: sim.car, {car}}}
"""


class Bench:
    """One outlet under test; ``follows`` closes the contactor in C or D with PWM, and opens it otherwise."""

    def __init__(self, plan: BoardPlan, *, follows: bool = True, seed: int = 1) -> None:
        self.seen: list[Observation] = []
        self.board = plan.build(self._see, seed)
        self.outlet: OutletPorts = self.board.outlet(1)
        self.now_s = 0.0
        self.latest_s = 0.0
        """How long after it happened the pilot was seen, at worst."""
        self.follows = follows
        self.duty_percent = 100.0
        self.due_s = self.board.advance(0.0)

    @property
    def hands(self) -> Hands:
        assert self.outlet.hands is not None
        return self.outlet.hands

    @property
    def car(self) -> Any:
        """The simulated car itself, to look into its head."""
        return self.board.processes[0].car  # type: ignore[attr-defined]

    @property
    def volts(self) -> float | None:
        return self.all(PilotSeen)[-1].reading.volts

    def all(self, kind: type[SeenT]) -> list[SeenT]:
        return [seen for seen in self.seen if isinstance(seen, kind)]

    def plug(self) -> Bench:
        self.hands.plug_in(self.now_s)
        return self.run(0.0)

    def offer(self, current_a: float) -> Bench:
        """PWM for a current up to 51 A; 0: steady +12 V."""
        return self.duty(current_a / 0.6 if current_a else 100.0)

    def duty(self, percent: float) -> Bench:
        self.duty_percent = percent
        self.outlet.pilot.set_duty(percent, self.now_s)
        return self.run(0.0)

    def close(self, closed: bool = True) -> Bench:
        self.outlet.relay.set_closed(closed, self.now_s)
        return self.run(0.0)

    def cause(self, name: str, active: bool = True) -> Bench:
        self.hands.cause(name, active, self.now_s)
        return self.run(0.0)

    def run(self, seconds: float) -> Bench:
        """Advance from event to event."""
        end_s = self.now_s + seconds
        self.due_s = self.board.advance(self.now_s)
        while self.due_s <= end_s:
            self.now_s = max(self.now_s, self.due_s)
            self.due_s = self.board.advance(self.now_s)
        self.now_s = end_s
        self.due_s = self.board.advance(end_s)
        return self

    def until(self, done: Callable[[Bench], bool], limit_s: float = 30 * 3600.0) -> Bench:
        """Run from event to event until ``done``; fails after ``limit_s``."""
        end_s = self.now_s + limit_s
        while not done(self):
            assert self.due_s < end_s, "it never happened"
            self.run(max(0.0, self.due_s - self.now_s))
        return self

    def read(self) -> Reading:
        self.outlet.meter.read("test", self.now_s)
        self.run(0.0)
        reading = self.all(MeterRead)[-1].reading
        assert reading is not None
        return reading

    def _see(self, observation: Observation) -> None:
        self.seen.append(observation)
        if isinstance(observation, PilotSeen):
            self.latest_s = max(self.latest_s, self.now_s - observation.reading.at_s)
        if self.follows and isinstance(observation, PilotSeen):
            asks = observation.reading.volts in (6.0, 3.0) and 0 < self.duty_percent < 100
            self.outlet.relay.set_closed(asks, observation.reading.at_s)


@pytest.fixture
def plan_with(tmp_path: Path) -> Callable[..., BoardPlan]:
    """Return a function that makes a board with the car, cable and meter one asks for."""

    def make(
        car: str = "soc: 20%", *, socket: bool = False, current_a: int = 32, phases: int = 3, meter: str = "", **_: Any
    ) -> BoardPlan:
        path = tmp_path / "bench.yaml"
        cable, lock = "{kind: tethered, rating_a: 32}", "feedback: true"
        if socket:
            cable, lock = "{kind: socket}", "lock: {driver: sim.lock}"
        path.write_text(
            BOARD.format(car=car, cable=cable, lock=lock, current_a=current_a, phases=phases, meter=meter),
            encoding="utf-8",
        )
        return read_plan(path)

    return make


@pytest.fixture
def bench_with(plan_with: Callable[..., BoardPlan]) -> Callable[..., Bench]:
    """Return a function that makes a bench; its arguments are those of ``plan_with`` and of `Bench`."""

    def make(car: str = "soc: 20%", *, follows: bool = True, seed: int = 1, **plan: Any) -> Bench:
        return Bench(plan_with(car, **plan), follows=follows, seed=seed)

    return make


@pytest.fixture
def bench() -> Bench:
    """The usual wallbox with the usual car."""
    return Bench(plan_board("ac11-sim"))
