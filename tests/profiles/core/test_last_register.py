"""meterStop is the register at the end, and the next meterStart equals it (OCPP 1.6 6.47, 6.45)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from hw.ports import MeterRead
from hw.sim.circuit import Circuit
from hw.sim.metering import MeterOutput
from tests.world import World


def circuit(world: World) -> Circuit:
    return next(each for each in world.charger.board.processes if isinstance(each, Circuit))


def register_wh(world: World) -> int:
    shown = world.charger.board.outlet(1).meter.peek(world.now_s)
    assert shown is not None
    return int(shown.energy_wh)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Let every answer of the meter come so many seconds late, with the reading of when it was asked."""
    delay_s = [0.0]
    world: list[World] = []

    def read(self: Circuit, ref: object, now_s: float) -> None:
        self._bring_to(now_s)
        answer = MeterRead(1, ref, self._meter_reading(now_s))
        world[0].pump.timers("bus").at(now_s + delay_s[0], lambda _now_s: world[0].charger.report(answer))

    monkeypatch.setattr(Circuit, "read_meter", read)
    monkeypatch.setattr(MeterOutput, "changed", lambda *_arguments: [])

    def make(seconds: float, **options: Any) -> World:
        delay_s[0] = seconds
        made = World.__new__(World)
        world.append(made)
        World.__init__(made, **options)
        return made

    return make


def test_the_register_of_a_welded_contactor_is_that_of_the_stop() -> None:
    """The contactor never opens: the stop carries the register of that moment, not one of a minute ago."""
    world = World(keys={"MeterValueSampleInterval": "0"}).charge().run(50).cause("welded_contactor").cause("holds_c")
    world.run(35).tap("A1")
    while not world.calls("StopTransaction"):
        world.run(0.1)
    assert world.last("StopTransaction")["meterStop"] >= register_wh(world) - 1


@pytest.mark.parametrize("delay_s", [0.0, 0.6, 1.0, 2.0, 4.9])
@pytest.mark.parametrize("habit", [None, "holds_c"])
def test_the_next_start_equals_the_stop_however_late_the_meter(late: Any, delay_s: float, habit: str | None) -> None:
    """The wait for the meter begins when the contactor is open, 6 s after the end under a car that holds C."""
    world = late(delay_s, keys={"MeterValueSampleInterval": "0"}).plug()
    if habit:
        world.cause(habit)
    world.tap("A1").run(60).tap("A1").run(25)
    stop = world.last("StopTransaction")
    assert stop["meterStop"] == register_wh(world)
    world.unplug().run(5).charge("A1").run(20)
    assert world.last("StartTransaction")["meterStart"] == stop["meterStop"]


def test_an_answer_that_is_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lost answer at the begin or at the end costs neither the session nor its energy."""
    world = World(keys={"MeterValueSampleInterval": "0"}).plug()
    real, rng = Circuit.read_meter, Random(4)

    def read(self: Circuit, ref: object, now_s: float) -> None:
        if rng.random() < 0.5:
            self._bring_to(now_s)
            self._fresh.append(MeterRead(1, ref, None))
        else:
            real(self, ref, now_s)

    monkeypatch.setattr(Circuit, "read_meter", read)
    for _ in range(20):
        world.tap("A1").run(60).tap("A1").run(20)
        assert world.last("StopTransaction")["meterStop"] == register_wh(world)
    assert len(world.calls("StartTransaction")) == 20
    assert "PowerMeterFailure" not in [each["errorCode"] for each in world.calls("StatusNotification")]


@pytest.mark.parametrize("amps", [6.0, 16.0])
def test_intervals_add_up_to_the_difference_of_the_registers(amps: float) -> None:
    """Energy.Active.Import.Interval (7.31): the sum over a transaction is what its registers differ by, to the Wh."""
    wanted = "Energy.Active.Import.Interval,Energy.Active.Import.Register"
    world = World(keys={"MeterValueSampleInterval": "7", "MeterValuesSampledData": wanted}).plug()
    world.charger.limit(1, amps)
    world.tap("A1").run(3600)
    values = [each for call in world.calls("MeterValues") for each in call["meterValue"][0]["sampledValue"]]
    intervals = [int(each["value"]) for each in values if each["measurand"].endswith("Interval")]
    registers = [int(each["value"]) for each in values if each["measurand"].endswith("Register")]
    assert sum(intervals) == registers[-1] - world.last("StartTransaction")["meterStart"]


def test_what_is_offered_is_what_the_pilot_signals() -> None:
    """Current.Offered, Power.Offered (7.31): 0.0 below 6 A, not more than is signalled, cut to a decimal."""
    wanted = "Current.Offered,Power.Offered"
    world = World(board="ac22-sim", keys={"MeterValueSampleInterval": "1", "MeterValuesSampledData": wanted}).plug()
    world.tap("A1").run(10)
    rng = Random(2)
    for amps in (5.0, 7.99, 6.0, 32.0, 13.37, *(rng.uniform(0.0, 32.0) for _ in range(40))):
        world.charger.limit(1, amps)
        for _ in range(7):
            world.forget().run(1)
            duty = circuit(world)._driven_percent
            signalled_a = 0.0 if duty in (0.0, 100.0) else duty * 0.6
            told = {
                each["measurand"]: float(each["value"])
                for call in world.calls("MeterValues")
                for each in call["meterValue"][0]["sampledValue"]
            }
            if told:
                assert signalled_a - 0.1 < told["Current.Offered"] <= signalled_a + 1e-6
                assert told["Power.Offered"] <= signalled_a * 3 * 230.0 + 1e-3
