"""One charger and its outbox: what leaves at once, what waits for a commit, and what a life leaves behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chargepoint.model.journal import LinkChanged
from chargepoint.model.outbox import Effect, Indicate, ReadMeter, Ref, Restart, Save, Send, SetPilot, SetRelay
from chargepoint.model.timebase import Scheduler, Timers
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.connection import CloseCause, Closed
from chargepoint.runtime.store import Durability, Store
from hw.ports import PILOT_STEADY
from tests.runtime.desk import plug_in, seat, status, swipe, until
from tests.runtime.test_pump import site_with
from tests.world import World

SAVE = Save("queue", "1", {})
A, B = Send("a"), Send("b")
CLOSE, OPEN = SetRelay(1, True), SetRelay(1, False)
PWM, STEADY = SetPilot(1, 26.7), SetPilot(1, PILOT_STEADY)


class Outlet:
    """A charger whose model decides what the test says; everything that leaves is kept in ``left``."""

    def __init__(self) -> None:
        self.left: list[Any] = []
        self.commanded: list[Effect] = []
        """Commands that the model heard to have been given."""
        self.batches: list[list[Save]] = []
        self.committed = 0
        self.effects: list[Effect] = []
        self.charger = Charger("CP1", cast("Any", self), Timers(Scheduler()), cast("Any", lambda *_arguments: None))
        ports = SimpleNamespace(
            outlet=SimpleNamespace(has_pilot_relay=False),
            pilot=SimpleNamespace(set_duty=lambda duty, now_s: self.left.append(SetPilot(1, duty))),
            relay=SimpleNamespace(set_closed=lambda closed, now_s: self.left.append(SetRelay(1, closed))),
            meter=SimpleNamespace(read=lambda ref, now_s: self.left.append(ref)),
            lock=None,
            indicator=None,
        )
        self.charger.board = cast(
            "Any",
            SimpleNamespace(outlet=lambda number: ports, outlets=(ports,), advance=lambda now_s: float("inf")),
        )
        self.charger.link = cast(
            "Any", SimpleNamespace(send_text=lambda text: self.left.append(Send(text)), stop=lambda *_: None)
        )
        self.charger.porter = cast("Any", SimpleNamespace(stop=lambda: None))
        self.charger.model = cast(
            "Any",
            SimpleNamespace(
                take_effects=self.take_effects,
                on_commanded=lambda command, now_s: self.commanded.append(command),
                timers=SimpleNamespace(close=lambda: None),
            ),
        )
        self.charger.phase = Phase.RUNNING

    # what a charger sees of the pump

    def tell_time(self) -> float:
        return 0.0

    def is_dirty(self, charger: Charger) -> None:
        pass

    def has_stepped(self) -> None:
        pass

    def batch(self, identity: str, saves: list[Save]) -> int:
        self.batches.append(saves)
        return len(self.batches)

    def wait_for(self, batch: int, charger: Charger) -> None:
        pass

    # what a test does

    def take_effects(self) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects

    def decide(self, *effects: Effect) -> list[Any]:
        """Let the model decide; return what left at once."""
        self.left.clear()
        self.effects = list(effects)
        self.charger.step(0.0)
        return list(self.left)

    def commit(self, number: int) -> list[Any]:
        """Let a commit be done; return what left after it."""
        self.left.clear()
        self.committed = number
        self.charger.committed(0.0)
        return list(self.left)


@pytest.mark.parametrize(
    ("decided", "at_once", "after_commit"),
    [
        ([A, B], [A, B], []),
        ([A, SAVE, B], [A], [B]),
        ([SAVE, A, Save("queue", "2", {}), B], [], [A, B]),
        ([A, SAVE], [A], []),
        ([SAVE, CLOSE, A], [], [CLOSE, A]),
        ([SAVE, A, OPEN, STEADY], [OPEN, STEADY], [A]),
        ([SAVE, CLOSE, PWM, OPEN, A], [OPEN], [PWM, A]),
        ([SAVE, OPEN, CLOSE], [OPEN], [CLOSE]),
        ([SAVE, SetRelay(2, True), OPEN], [OPEN], [CLOSE]),
        ([SAVE, Indicate(1, "green", 50, False), A], [], [A]),
    ],
)
def test_what_follows_a_save_waits_for_its_commit_but_off_never_waits(
    decided: list[Effect], at_once: list[Effect], after_commit: list[Effect]
) -> None:
    """A `Save` is a barrier; switching off passes it, and what waits must not undo it."""
    box = Outlet()
    assert box.decide(*decided) == at_once
    assert len(box.batches) == any(isinstance(effect, Save) for effect in decided)
    assert box.commit(1) == after_commit


def test_the_model_hears_of_a_command_when_it_was_given() -> None:
    """What it waits for begins then, not with the decision."""
    box = Outlet()
    box.decide(SAVE, CLOSE)
    assert box.commanded == []
    box.commit(1)
    assert box.commanded == [CLOSE]


def test_a_save_with_nothing_behind_it_holds_up_the_next_decisions() -> None:
    """Nothing leaves before every save that was decided earlier is on the disk, whichever outbox it stood in."""
    box = Outlet()
    assert box.decide(SAVE) == []
    assert box.decide(A, OPEN) == [OPEN]
    assert box.commit(1) == [A]


def test_decisions_of_later_steps_stay_behind_the_barrier() -> None:
    """Effects leave in decision order, over any number of commits."""
    box = Outlet()
    assert box.decide(SAVE, A) == []
    assert box.decide(B) == []
    assert box.decide(SAVE, Send("c")) == []
    assert box.decide(Send("d")) == []
    assert box.commit(1) == [A, B]
    assert box.decide(OPEN) == [OPEN]
    assert box.commit(2) == [Send("c"), Send("d")]
    assert box.decide(A) == [A]


def test_off_takes_back_what_still_waits_from_an_earlier_step() -> None:
    """The contactor must not close after the command to open it, however late the disk is."""
    box = Outlet()
    assert box.decide(SAVE, PWM, CLOSE, A) == []
    assert box.decide(OPEN) == [OPEN]
    assert box.decide(STEADY) == [STEADY]
    assert box.commit(1) == [A]


def test_failing_board_loses_no_decision() -> None:
    """Whatever a board did to us meanwhile: what was decided before is stored."""
    box = Outlet()
    box.charger.board = cast("Any", SimpleNamespace(outlet=_raise, outlets=(), advance=_raise))
    box.decide(SAVE, A, OPEN)
    assert box.batches == [[SAVE]]
    assert box.charger.phase is Phase.CLOSING
    assert box.commit(1) == []


def _raise(_number: float) -> Any:
    raise RuntimeError("a driver's bug")


def test_restart_makes_the_outlets_dead_and_forgets_what_waited() -> None:
    """5.14: a reset cuts the outputs; the model that comes back decides anew."""
    box = Outlet()
    assert box.decide(A, Restart(True), B, CLOSE, SAVE) == [A, STEADY, OPEN]
    assert box.batches == [[SAVE]]
    assert box.charger.phase is Phase.CLOSING
    assert box.decide(A) == []


def test_simulated_board_outlives_the_process() -> None:
    """Board.snapshot/restore keep plug, car and register over a SIGKILL."""
    world = World().charge().run(600)
    before = world.connector().meter.register_wh
    assert before > 0
    world.cut_power().run(5)
    hands = world.charger.board.outlet(1).hands
    assert hands is not None
    assert hands.is_plugged
    assert world.last("StopTransaction")["meterStop"] >= int(before)


def test_reset_drops_the_timers_of_the_old_model() -> None:
    """A Reset is "drop the object, build a new one from the store": nothing of the old one fires later."""
    world = World()
    old = world.model
    world.ask("Reset", type="Hard")
    world.run(30)
    assert world.model is not old
    assert not old.timers.is_open
    assert world.told() == "Available"


@pytest.mark.parametrize("end", ["hard reset", "power cut", "end of the program"])
def test_listeners_learn_that_the_link_is_down_when_the_model_has_ended(end: str) -> None:
    """Each opening of the link is followed by its closing, also where the closing handshake ends after the model [D]."""
    world = World()
    if end == "hard reset":
        world.ask("Reset", type="Hard")
        world.run(30)
    elif end == "power cut":
        world.charger.cut_power(10.0)
        world.run(30)
    else:
        world.charger.stop()
        world.pump.settle()
    links = [entry.is_open for _at_s, entry in world.journal if isinstance(entry, LinkChanged)]
    assert links == ([True, False] if end == "end of the program" else [True, False, True])


async def test_charger_that_never_started_can_be_stopped() -> None:
    """A start that fails half-way must leave a site that can be closed."""
    async with site_with(Store(None, Durability.RELAXED)) as site:
        charger, _desk = seat(site)
    assert charger.phase is Phase.STOPPED


async def test_frames_and_closings_of_a_charger_that_is_down_are_nobodys() -> None:
    """Between two lives there is no model to tell."""
    async with site_with(Store(None, Durability.RELAXED), 1.0) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        before = len(desk.calls)
        charger.fail(RuntimeError("made for a test"))
        charger.on_text('[2,"1","GetConfiguration",{}]')
        charger.on_closed(Closed(CloseCause.LOST, 1006, "gone"))
        charger.on_open("ocpp1.6")
        plug_in(charger)
        assert len(desk.calls) == before
        assert desk.stops == [(1011, "internal error")]


async def test_two_failures_are_two_returns() -> None:
    """However often it fails, it goes dark and comes back."""
    async with site_with(Store(None, Durability.RELAXED), 1000.0) as site:
        charger, desk = seat(site)
        charger.start()
        for life in (1, 2, 3):
            await until(lambda boots=life: len(desk.heard("BootNotification")) == boots, f"boot {life}")  # type: ignore[misc]
            charger.fail(RuntimeError("made for a test"))
            site.pump.has_stepped()
        await until(lambda: len(desk.heard("BootNotification")) == 4, "the last boot")
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        swipe(charger)
        await until(lambda: status(charger) == "Charging", "Charging")


def test_meter_is_read_with_the_reference_that_was_given() -> None:
    """Every answer comes back as an input with its reference, so that it survives a restart."""
    box = Outlet()
    assert box.decide(ReadMeter(1, Ref("sample", "7"))) == [Ref("sample", "7")]
