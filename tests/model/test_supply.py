"""The relay rule of IEC 61851-1: contactor closed only in C2 with a grant, and how it opens (hardware/iec61851.md 3, 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chargepoint.model.faults import Trouble
from chargepoint.model.outbox import Effect, SetPilot, SetRelay
from chargepoint.model.supply import Supply
from chargepoint.model.timebase import Clock, Scheduler, Timers
from hw.ports import CableKind, Limits, LockSeen, Outlet, PilotReading, Rated, RelayKind
from hw.sim.circuit import Circuit
from tests.world import World

OUTLET = Outlet(1, Rated(32.0, 3), Limits(), CableKind.TETHERED, 32.0)
VOLTS = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0}


class Bench:
    """A supply with a contactor that follows its command after 20 ms, if it does."""

    def __init__(self, outlet: Outlet = OUTLET) -> None:
        self.scheduler = Scheduler()
        self.timers = Timers(self.scheduler)
        self.told: list[tuple[float, Effect]] = []
        self.troubles: dict[Trouble, bool] = {}
        self.contactor_follows = True
        self.store_takes_s = 0.0
        """How long a command waits until what was decided before it is stored."""
        self.supply = Supply(self, outlet)

    def emit(self, effect: Effect) -> None:
        self.told.append((round(self.now_s, 3), effect))
        if not isinstance(effect, SetRelay):
            return
        if self.store_takes_s:
            self.timers.at(self.now_s + self.store_takes_s, lambda now_s: self.supply.on_ordered(effect.closed, now_s))
        else:
            self.supply.on_ordered(effect.closed, self.now_s)
        if self.contactor_follows and self.supply.outlet.has_feedback:
            self.timers.at(
                self.now_s + self.store_takes_s + 0.02, lambda now_s: self.supply.on_relay(effect.closed, now_s)
            )

    def supply_changed(self, now_s: float) -> None: ...

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        self.troubles[what] = active

    @property
    def now_s(self) -> float:
        return self.scheduler.charge_s

    def run(self, seconds: float) -> Bench:
        end_s = self.now_s + seconds
        while True:
            due_s = self.scheduler.next_due_s(Clock.CHARGE)
            if due_s > end_s:
                self.scheduler.tell(end_s, end_s)
                return self
            self.scheduler.tell(due_s, due_s)
            self.scheduler.run_due()

    def see(self, state: str, diode_ok: bool | None = True) -> Bench:
        ok = diode_ok if self.supply.is_offering else None
        self.supply.on_pilot(PilotReading(self.now_s, volts=VOLTS[state], diode_ok=ok), self.now_s)
        return self

    def grant(self, amps: float, is_faulted: bool = False) -> Bench:
        self.supply.grant(amps, is_faulted, self.now_s)
        return self

    def charging(self, amps: float = 16.0) -> Bench:
        self.see("B").run(1).grant(amps).see("B").run(1).see("C").run(1)
        assert self.supply.is_closed
        self.told.clear()
        return self

    def relay(self) -> list[tuple[float, bool]]:
        """Commands to the contactor, with the seconds since they were last forgotten."""
        return [(at_s, e.closed) for at_s, e in self.told if isinstance(e, SetRelay)]

    def duties(self) -> list[float]:
        return [round(e.duty_percent, 2) for _, e in self.told if isinstance(e, SetPilot)]


def test_the_contactor_closes_in_c2_with_a_grant() -> None:
    """Row 3: B2, CP = C for the debounce, diode OK, allow → close within 3 s."""
    bench = Bench().see("B").run(1).grant(16.0).see("B").run(1)
    assert (bench.supply.state, bench.duties(), bench.relay()) == ("B2", [26.67], [])
    bench.see("C").run(3)
    ((closed_s, closed),) = bench.relay()
    assert closed
    assert 0.1 <= closed_s - 2.0 <= 0.5
    assert bench.supply.is_closed


@pytest.mark.parametrize("state", ["A", "B", "E"])
def test_leaving_c_opens_the_contactor_at_once(state: str) -> None:
    """C2/D2 → B2 or A: contactor open ≤ 100 ms; E: "contactor: at once"."""
    bench = Bench().charging()
    left_s = bench.now_s
    bench.see(state).run(0.1)
    assert [closed for _, closed in bench.relay()] == [False]
    assert bench.relay()[0][0] - left_s <= 0.05
    assert not bench.supply.is_closed


def test_a_withdrawn_grant_lets_the_car_ramp_down() -> None:
    """Row 7: "PWM off (+12 V), start 6 s timer, keep contactor closed so that the car ramps down"."""
    bench = Bench().charging().grant(0.0).run(5.9)
    assert (bench.duties(), bench.relay(), bench.supply.state) == ([100.0], [], "C1")
    bench.see("B").run(0.1)
    assert [closed for _, closed in bench.relay()] == [False]


def test_a_car_that_does_not_react_is_opened_under_load_after_six_seconds() -> None:
    """Row 9: "6 s timer → open contactor under load"."""
    bench = Bench().charging()
    bench.grant(0.0).run(10)
    ((opened_s, closed),) = bench.relay()
    assert (opened_s, closed) == (bench.now_s - 4.0, False)


def test_a_grant_that_comes_back_in_time_keeps_the_contactor_closed() -> None:
    """Row 10: C1, allow again before the contactor opened → PWM on, stop timer."""
    bench = Bench().charging().grant(0.0).run(3).grant(16.0).run(20)
    assert bench.relay() == []
    assert bench.supply.is_closed


def test_a_fault_takes_away_the_time_to_ramp_down() -> None:
    """ "A fault, B, A or E ends it within 100 ms"."""
    bench = Bench().charging().grant(0.0).run(2)
    fault_s = bench.now_s
    bench.grant(0.0, is_faulted=True)
    assert bench.relay() == [(fault_s, False)]


def test_a_fault_opens_without_a_ramp() -> None:
    """Row 15: any fault: contactor open ≤ 100 ms."""
    bench = Bench().charging()
    bench.grant(16.0, is_faulted=True)
    assert bench.relay() == [(bench.now_s, False)]
    assert bench.duties() == [100.0]


def test_a_contactor_on_its_way_to_close_does_not_arrive_in_c1() -> None:
    """ "Contactor never closes in A, B, E, F" nor in C1: nothing ramps down where nothing flows."""
    bench = Bench().see("B").run(1).grant(16.0).see("B").run(1).see("C").run(0.2)
    assert bench.relay()[-1][1]
    assert not bench.supply.is_closed
    bench.grant(0.0)
    assert not bench.relay()[-1][1]


def test_a_contactor_that_opened_under_a_car_in_c_rests_before_it_closes() -> None:
    """Wait after the end of C before re-closing: 5 s; the pilot is steady meanwhile."""
    bench = Bench().charging().grant(0.0, is_faulted=True).run(0.1).grant(16.0).see("C").run(4)
    assert [closed for _, closed in bench.relay()] == [False]
    assert bench.supply.duty_percent == 100.0
    bench.run(2).see("C").run(1)
    assert [closed for _, closed in bench.relay()] == [False, True]


@pytest.mark.parametrize("diode_ok", [None, False])
def test_it_never_closes_before_the_diode_was_seen(diode_ok: bool | None) -> None:
    """ "Never close in C1 … run PWM at least some cycles before closing"; without a diode never."""
    bench = Bench().see("B").run(1).grant(16.0)
    bench.see("C", diode_ok).run(5)
    assert bench.relay() == []
    assert bench.troubles.get(Trouble.DIODE_MISSING, False) is (diode_ok is False)


def test_a_short_bounce_is_no_state() -> None:
    """Debounce: a state counts once it has stood."""
    bench = Bench().charging()
    bench.see("B").run(0.01).see("C").run(1)
    assert bench.relay() == []


def test_d_is_a_request_and_without_ventilation_a_trouble() -> None:
    """Row 5: CP = D, no ventilation → `vent`."""
    for is_ventilated in (False, True):
        bench = Bench(replace(OUTLET, is_ventilated=is_ventilated)).see("B").run(1).grant(16.0).see("D").run(1)
        assert bench.troubles[Trouble.VENTILATION] is not is_ventilated


@pytest.mark.parametrize(("amps", "duties"), [(5.9, []), (6.0, [10.0]), (16.0, [26.67]), (32.0, [53.33])])
def test_the_pilot_tells_the_grant(amps: float, duties: list[float]) -> None:
    """ "There is no way to offer less than 6 A"."""
    bench = Bench().see("B").run(1).grant(amps)
    assert bench.duties() == duties
    assert bench.supply.offered_a == (amps if duties else 0.0)


def test_a_running_pilot_is_lowered_at_once_and_raised_after_five_seconds() -> None:
    """ "PWM change ≥5 s apart except reductions … (reductions may be immediate)"."""
    bench = Bench().charging(16.0).run(10).grant(10.0).grant(8.0)
    assert bench.duties() == [16.67, 13.33]
    bench.grant(20.0).run(4.9)
    assert bench.duties() == [16.67, 13.33]
    bench.run(0.2)
    assert bench.duties() == [16.67, 13.33, 33.33]


def test_a_contactor_that_does_not_close_is_tried_once_more() -> None:
    """Commanded closed but open > 1 s: "retry once, then fault"."""
    bench = Bench()
    bench.contactor_follows = False
    bench.see("B").run(1).grant(16.0).see("B").see("C").run(1.5)
    assert [closed for _, closed in bench.relay()] == [True, True]
    assert Trouble.CONTACTOR_STUCK not in bench.troubles
    bench.run(1)
    assert bench.troubles[Trouble.CONTACTOR_STUCK]


def test_a_contactor_that_has_not_got_its_order_yet_is_not_stuck() -> None:
    """An SD card takes its time; feedback is missed from when the contactor was told, not from the decision."""
    bench = Bench()
    bench.store_takes_s = 30.0
    bench.see("B").run(1).grant(16.0).see("B").run(1).see("C").run(30)
    assert bench.troubles.get(Trouble.CONTACTOR_STUCK) is None
    assert [closed for _at_s, closed in bench.relay()] == [True]
    bench.run(1)
    assert bench.supply.is_closed
    assert Trouble.CONTACTOR_STUCK not in bench.troubles


def test_a_contactor_that_does_not_open_is_welded() -> None:
    """Commanded open but feedback closed after 1 s: welded."""
    bench = Bench().charging()
    bench.contactor_follows = False
    bench.see("B").run(0.9)
    assert Trouble.CONTACTOR_WELDED not in bench.troubles
    bench.run(0.5)
    assert bench.troubles[Trouble.CONTACTOR_WELDED]


def test_feedback_that_closes_by_itself_is_welded_too() -> None:
    """Feedback is "what is true, whatever was ordered"."""
    bench = Bench()
    bench.contactor_follows = False
    bench.supply.on_relay(True, 0.0)
    bench.run(2)
    assert bench.troubles[Trouble.CONTACTOR_WELDED]


def test_without_feedback_the_command_counts() -> None:
    """A board without feedback cannot say more."""
    bench = Bench(replace(OUTLET, has_feedback=False)).see("B").run(1).grant(16.0).see("B").see("C").run(3)
    assert bench.supply.is_closed
    assert Trouble.CONTACTOR_STUCK not in bench.troubles


def test_a_relay_that_follows_the_pilot_is_permitted_with_the_offer_and_forbidden_with_its_end() -> None:
    """`follows_pilot`: "SetRelay is then a permission": the controller closes by itself in C2."""
    bench = Bench(replace(OUTLET, relay=RelayKind.FOLLOWS_PILOT)).see("B").run(1).grant(16.0)
    assert [closed for _, closed in bench.relay()] == [True]
    bench.see("C").run(1).grant(0.0)
    assert [closed for _, closed in bench.relay()] == [True, False]


def test_a_socket_whose_lock_opens_is_dead_at_once() -> None:
    """`allow` = … ∧ (tethered ∨ lock confirmed) ∧ …: never live with an unlocked socket, and no ramp for a plug."""
    world = World(board="ac11-sim-socket").charge()
    circuit = world.charger.board.processes[0]
    assert isinstance(circuit, Circuit)
    assert circuit.contactor.is_closed
    world.charger.report(LockSeen(1, locked=False))
    world.run(0.1)
    assert not circuit.contactor.is_closed
    assert world.connector().is_charging
    world.charger.report(LockSeen(1, locked=True))
    world.run(60)
    assert circuit.contactor.is_closed
