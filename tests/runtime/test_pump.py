"""The pump on a running clock: commits before sends, off before everything, one charger's failure is its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.outbox import Save
from chargepoint.model.timebase import Alarm
from chargepoint.runtime import pump as pump_module
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.pump import NotStepped, RunningPump, SteppedPump
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store, StoreError
from hw.plan import BoardPlan
from hw.ports import Board, Report
from tests.runtime.desk import Moody, plug_in, record, seat, status, swipe, until

SPEED = 300.0


@asynccontextmanager
async def site_with(store: Store, speed: float = SPEED) -> AsyncIterator[Site]:
    site = Site(store, speed, seed=1)
    try:
        yield site
    finally:
        await site.close()
        store.close()


def save(charger: Charger, key: str) -> None:
    """Let the model store something that nobody asked for."""
    charger.act(lambda _board, _now_s: charger.model.save("test", key, {}))


class Slow(Store):
    """A store whose commits of one kind of record wait at a gate, in the writer's thread."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        self.gate = threading.Event()
        self.gate.set()
        self.is_waiting = False
        super().__init__(path)

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        rows = list(rows)
        if any(save.kind == self.kind for _identity, save in rows):
            self.is_waiting = not self.gate.is_set()
            assert self.gate.wait(10.0)
            self.is_waiting = False
        super().commit(rows)


async def test_nothing_is_sent_before_it_is_stored(tmp_path: Path) -> None:
    """A `Save` is a barrier: what follows it leaves only after the commit that holds it."""
    store = Slow(tmp_path / "cp.sqlite3", "queue")
    async with site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: len(desk.heard("StatusNotification")) == 2, "the boot")
        await until(lambda: status(charger) == "Available", "Available")
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        store.gate.clear()
        swipe(charger)
        await until(lambda: store.is_waiting, "a transaction to be stored")
        assert charger.model.queue.head is not None
        # Whatever the loop does meanwhile: the call does not leave.
        for _turn in range(20):
            await asyncio.sleep(0.001)
        assert desk.heard("StartTransaction") == []
        store.gate.set()
        await until(lambda: desk.heard("StartTransaction"), "StartTransaction")


async def test_switching_off_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    """Off-commands pass the barrier: relay open and pilot off go to the board before store and wire."""
    store = Slow(tmp_path / "cp.sqlite3", "test")
    async with site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        swipe(charger)
        await until(lambda: charger.model.connector(1).supply.is_closed, "the contactor")
        store.gate.clear()
        save(charger, "1")
        await until(lambda: store.is_waiting, "the disk to hang")
        swipe(charger)
        await until(lambda: not charger.model.connector(1).supply.is_closed, "the contactor to open")
        assert store.is_waiting
        assert desk.heard("StopTransaction") == []
        store.gate.set()
        await until(lambda: desk.heard("StopTransaction"), "StopTransaction")


async def test_a_contactor_that_waits_for_the_disk_is_not_taken_for_stuck(tmp_path: Path) -> None:
    """An SD card that hangs costs the driver the time that it hangs, not the charge."""
    store = Slow(tmp_path / "cp.sqlite3", "test")
    async with site_with(store) as site:
        charger, desk = seat(site)
        hands = charger.board.outlet(1).hands
        assert hands is not None
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        plug_in(charger)
        charger.act(lambda _board, now_s: hands.wants_energy(False, now_s))
        swipe(charger)
        await until(lambda: desk.heard("StartTransaction"), "StartTransaction")
        await until(lambda: status(charger) == "SuspendedEV", "the offer")
        store.gate.clear()
        save(charger, "1")
        await until(lambda: store.is_waiting, "the disk to hang")
        charger.act(lambda _board, now_s: hands.wants_energy(True, now_s))
        supply = charger.model.connector(1).supply
        await until(lambda: supply.is_ordered_closed, "the decision to close")
        decided_s = site.clock.charge_s()
        await until(lambda: site.clock.charge_s() > decided_s + 5.0, "more than contactor and feedback need")
        assert store.is_waiting
        assert not supply.is_closed
        store.gate.set()
        await until(lambda: supply.is_closed and status(charger) == "Charging", "the charge")
        assert not charger.model.connector(1).troubles


@pytest.mark.parametrize("durability", list(Durability))
async def test_store_that_fails_holds_back_what_depends_on_it_until_it_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, durability: Durability
) -> None:
    """Disk full: nothing is sent before it is stored; when there is space again everything goes on in order."""
    monkeypatch.setattr(pump_module, "STORE_RETRY_S", 0.01)
    store = Moody(None, durability)
    async with site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        store.problem, store.kind = "the disk is full", "queue"
        swipe(charger)
        await until(lambda: store.failures > 3, "some attempts")
        assert site.is_store_failing
        assert charger.model.queue.head is not None
        assert desk.heard("StartTransaction") == []
        assert "the disk is full; messages wait until they are stored, trying again" in caplog.text
        store.problem = None
        await until(lambda: desk.heard("StartTransaction"), "StartTransaction")
        assert len(desk.heard("StartTransaction")) == 1
        await until(lambda: status(charger) == "Charging", "Charging")
        assert not site.is_store_failing


async def test_a_store_that_hangs_counts_as_one_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worn SD card neither takes a write nor refuses it: the energy at risk is bounded all the same."""
    store = Slow(tmp_path / "cp.sqlite3", "test")
    async with site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        swipe(charger)
        await until(lambda: status(charger) == "Charging", "the charge")
        monkeypatch.setattr(pump_module, "SLOW_COMMIT_S", 0.02)
        store.gate.clear()
        save(charger, "1")
        await until(lambda: site.is_store_failing, "the failure to be seen")
        monkeypatch.undo()
        await until(lambda: status(charger) == "SuspendedEVSE", "the pause")
        told = ("SuspendedEVSE", "InternalError")
        await until(
            lambda: any((p["status"], p["errorCode"]) == told for p in desk.heard("StatusNotification")), "the report"
        )
        store.gate.set()
        await until(lambda: not site.is_store_failing, "the recovery")
        await until(lambda: status(charger) == "Charging", "the charge to go on")


@pytest.mark.parametrize("durability", list(Durability))
async def test_what_is_stored_is_reported_when_it_is(monkeypatch: pytest.MonkeyPatch, durability: Durability) -> None:
    """True means that a power loss does not undo it, False that it may."""
    monkeypatch.setattr(pump_module, "STORE_RETRY_S", 0.01)
    store = Moody(None, durability)
    async with site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        reports: list[bool] = []
        save(charger, "1")
        charger.when_stored(reports.append)
        await until(lambda: reports == [True], "the commit")
        assert "1" in store.load("CP1")["test"]
        charger.when_stored(reports.append)
        assert reports == [True, True]
        store.problem = "the disk is full"
        save(charger, "2")
        charger.when_stored(reports.append)
        await until(lambda: reports == [True, True, False], "the failure")
        store.problem = None
        await until(lambda: not site.is_store_failing, "the recovery")
        assert reports == [True, True, False]


async def test_a_store_that_goes_on_failing_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same line every five seconds fills the disk that is full already; the recovery is logged too."""
    monkeypatch.setattr(pump_module, "STORE_RETRY_S", 0.001)
    store = Moody(None, Durability.FULL)
    async with site_with(store) as site:
        charger, _desk = seat(site)
        charger.start()
        store.problem = "the disk is full"
        save(charger, "1")
        await until(lambda: store.failures > 10, "some attempts")
        store.problem = None
        await until(lambda: not site.is_store_failing, "the recovery")
        messages = [record.getMessage() for record in caplog.records if record.name == pump_module.__name__]
        assert [text for text in messages if "the disk is full" in text] == [
            "the disk is full; messages wait until they are stored, trying again every 0 s"
        ]
        assert "the store can be written again" in messages
        monkeypatch.setattr(pump_module, "FAILURE_LOG_S", 0.0)
        store.problem, before = "the disk is full", store.failures
        save(charger, "2")
        await until(lambda: store.failures > before + 3, "attempts an hour later")
        store.problem = None
        assert sum("the disk is full" in record.getMessage() for record in caplog.records) > 3


@pytest.mark.parametrize("durability", list(Durability))
async def test_an_attempt_is_made_once_and_told(durability: Durability) -> None:
    """What may fail is not tried again, and holds up nothing that is decided later."""
    store = Moody(None, durability)
    pump = RunningPump(store)
    told: list[tuple[str, bool]] = []
    store.problem = "the disk is full"
    pump.attempt("CP1", [Save("test", "1", {})], lambda kept: told.append(("first", kept)))
    pump._tick_soon()
    await until(lambda: bool(told), "the end of the first attempt")
    store.problem = None
    pump.batch("CP1", [Save("test", "2", {})])
    number = pump.attempt("CP1", [Save("test", "3", {}), Save("test", "4", {})], lambda kept: told.append(("second", kept)))
    pump.batch("CP1", [Save("test", "5", {})])
    pump._tick_soon()
    await until(lambda: pump.committed > number, "the commit after the second attempt")
    assert told == [("first", False), ("second", True)]
    assert set(store.load("CP1")["test"]) == {"2", "3", "4", "5"}
    await pump.close()
    store.close()


def test_an_attempt_keeps_all_or_nothing() -> None:
    store = Store(None)
    rows = [("CP1", Save("test", "1", {})), ("CP1", Save("test", "2", {"text": "\ud800"}))]
    with pytest.raises(StoreError, match="cannot be stored"):
        store.attempt([*rows, ("CP1", Save("test", "\ud800", {}))])
    assert store.load("CP1") == {}
    store.close()


@pytest.mark.parametrize("durability", Durability)
async def test_broken_store_does_not_keep_the_program_from_ending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, durability: Durability
) -> None:
    """SIGTERM with a full disk: it is tried once more, then the loss is said; ERROR: a transaction may be lost."""
    monkeypatch.setattr(pump_module, "STORE_RETRY_S", 0.01)
    store = Moody(None, durability)
    async with asyncio.timeout(5), site_with(store) as site:
        charger, desk = seat(site)
        charger.start()
        await until(lambda: desk.heard("StatusNotification"), "the boot")
        store.problem = "the disk is full"
        save(charger, "1")
        await until(lambda: "trying again" in caplog.text, "an attempt")
        save(charger, "2")
        await asyncio.sleep(0)
    assert "records are lost with this process" in caplog.text
    assert {record.levelno for record in caplog.records if "lost" in record.getMessage()} == {logging.ERROR}


async def test_commits_of_all_chargers_are_grouped() -> None:
    """Commits of all chargers are grouped, one per tick, in one writer thread."""
    store = Moody(None)
    async with site_with(store) as site:
        pairs = [seat(site, f"CP{n}") for n in range(20)]
        for charger, _desk in pairs:
            charger.start()
        await until(lambda: all(desk.heard("StatusNotification") for _charger, desk in pairs), "twenty boots")
        await until(lambda: sum(len(rows) for rows in store.commits) >= 20, "twenty registrations")
        assert len(store.commits) <= 8
        assert max(len({identity for identity, _save in rows}) for rows in store.commits) >= 10


class Bug(Exception):
    """What a programming mistake raises."""


def raising(*_arguments: object) -> Any:
    raise Bug


@pytest.mark.parametrize("where", ["frame", "timer", "observation", "board"])
async def test_failure_of_one_charger_is_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """It goes dark and comes back from the store; the others go on."""
    store = Store(None, Durability.RELAXED)
    async with site_with(store, 600.0) as site:
        (bad, bad_desk), (good, good_desk) = seat(site, "BAD"), seat(site, "GOOD")
        for charger in (bad, good):
            charger.start()
            plug_in(charger)
        await until(lambda: status(bad) == status(good) == "Preparing", "Preparing")
        for charger in (bad, good):
            swipe(charger)
        await until(lambda: status(bad) == status(good) == "Charging", "Charging")
        model = bad.model
        match where:
            case "frame":
                with monkeypatch.context() as broken:
                    broken.setattr(ChargePoint, "on_frame", raising)
                    bad.on_text("[]")
            case "timer":
                Alarm(bad.model.timers, raising).set(site.pump.tell_time())
                site.pump.tell_time()
            case "observation":
                with monkeypatch.context() as broken:
                    broken.setattr(ChargePoint, "on_observation", raising)
                    swipe(bad)
                    bad.step(site.pump.tell_time())
            case "board":
                breaks_once(bad.board)
        # The phase itself lasts 33 ms here: a loaded machine may not see it.
        failed = ("BAD", "failed and restarts in 10 s")
        await until(
            lambda: failed in [(getattr(each, "charger", None), each.getMessage()) for each in caplog.records],
            "the failure",
        )
        assert good.phase is Phase.RUNNING
        await until(lambda: bad.phase is Phase.RUNNING and bad.model is not model, "its return")
        await until(lambda: bad_desk.heard("StopTransaction"), "the end of its transaction")
        assert len(bad_desk.heard("BootNotification")) == 2
        assert len(good_desk.heard("BootNotification")) == 1
        assert good_desk.heard("StopTransaction") == []
        swipe(good)
        await until(lambda: good_desk.heard("StopTransaction"), "the other's own end")


def breaks_once(board: Board) -> None:
    """Let the next thing that the board's process does by itself fail."""
    process = board.processes[0]
    broken = SimpleNamespace(
        advance=raising, announce=process.announce, snapshot=process.snapshot, restore=process.restore
    )
    processes = list(board.processes)

    def fail_and_mend(now_s: float) -> float:
        board.processes = processes
        raise Bug

    broken.advance = fail_and_mend
    board.processes = [cast("Any", broken), *processes[1:]]


async def test_outlets_are_dead_while_a_failed_charger_is_down() -> None:
    """A programming mistake: this charger goes dark. Off is tried at every port, also when one of them fails."""
    store = Store(None, Durability.RELAXED)
    async with site_with(store) as site:
        charger, _desk = seat(site)
        charger.start()
        plug_in(charger)
        await until(lambda: status(charger) == "Preparing", "Preparing")
        swipe(charger)
        await until(lambda: charger.model.connector(1).supply.is_closed, "the contactor")
        ports = charger.board.outlet(1)
        opened: list[bool] = []
        ports.relay = cast("Any", SimpleNamespace(set_closed=lambda closed, _now_s: opened.append(closed)))
        ports.pilot = cast("Any", SimpleNamespace(set_duty=raising, set_open=raising))
        charger.fail(Bug())
        assert opened == [False]
        assert charger.phase is Phase.CLOSING


class Real:
    """Makes every board that is built a real one."""

    def __init__(self, build: Callable[..., Board]) -> None:
        self.build = build

    def __call__(self, plan: BoardPlan, report: Report, *settings: Any) -> Board:
        return replace(self.build(plan, report, *settings), is_simulated=False)


async def test_real_hardware_does_not_live_on_another_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stepped and scaled time refuse real drivers: their hardware lives on the wall clock."""
    build = Real(BoardPlan.build)
    monkeypatch.setattr(BoardPlan, "build", lambda *arguments: build(*arguments))
    async with site_with(Store(None, Durability.RELAXED), 60.0) as site:
        with pytest.raises(NotStepped, match="CP1 has real hardware: its clock must run at speed 1"):
            seat(site)
        assert site.chargers == {}
    async with site_with(Store(None, Durability.RELAXED), 1.0) as site:
        assert not seat(site)[0].board.is_simulated


def test_stepped_pump_refuses_real_hardware() -> None:
    """Stepped time refuses real drivers, sockets and transfers."""
    store = Store(None, Durability.RELAXED)
    charger = SimpleNamespace(identity="CP1", board=SimpleNamespace(is_simulated=False))
    with pytest.raises(NotStepped, match="real hardware"):
        SteppedPump(store).add(cast("Any", charger))
    store.close()


async def test_running_pump_follows_its_clock() -> None:
    """Scaled time: charge time runs n times as fast, wire time as it does."""
    store = Store(None, Durability.RELAXED)
    pump = RunningPump(store, RunningClock(100.0))
    rang: list[str] = []
    Alarm(pump.timers("test"), lambda _now_s: rang.append("charge")).set_after(10.0)
    pump.after_wire(0.05, lambda _now_s: rang.append("wire"))
    await until(lambda: rang == ["wire", "charge"], "both alarms")
    assert 10.0 <= pump.tell_time() < 60.0
    await pump.close()
    store.close()


async def test_store_error_of_a_closed_pump_is_not_raised() -> None:
    """See `RunningPump.close`: what was lost is said in the log; the rest of the shutdown goes on."""
    store = Moody(None, Durability.RELAXED)
    store.problem = "gone"
    pump = RunningPump(store)
    pump.batch("CP1", [Save("test", "1", {})])
    await pump.close()
    with pytest.raises(StoreError):
        store.commit([record("test", "2", {})])
    store.close()
