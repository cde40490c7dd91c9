"""Sessions and statistics with the power cut at every commit: no session is counted twice, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chargepoint.model.outbox import Save
from chargepoint.model.usage import SESSION
from chargepoint.runtime.control import history
from chargepoint.runtime.control.responses import Sessions, Statistics
from chargepoint.runtime.store import Store
from tests.world import World


class Dies(BaseException):
    """The process is gone; no `except Exception` on the way out may notice."""


class Cut:
    """Counts commits, and lets the process die before or after one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dies_at: int | None, keeps: Callable[[Save], bool]) -> None:
        self.steps = 0
        self._commit, self._dies_at, self._keeps = Store.commit, dies_at, keeps
        monkeypatch.setattr(Store, "commit", lambda store, rows: self._committing(store, rows))

    def _committing(self, store: Store, rows: Any) -> None:
        self._step()
        self._commit(store, [row for row in rows if self._keeps(row[1])])
        self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._dies_at:
            raise Dies


def day(world: World) -> list[Callable[[], object]]:
    """A charge, and one that begins and ends while there is no network."""
    return [
        lambda: world.plug().tap("A1").run(130),
        lambda: world.tap("A1").run(8).unplug().run(5),
        lambda: world.charger.change_setting("AllowOfflineTxForUnknownId", "true"),
        lambda: world.network(False).plug().tap("B2").run(70),
        lambda: world.tap("B2").run(8).unplug(),
        lambda: world.network(True).run(30),
    ]


def live(monkeypatch: pytest.MonkeyPatch, dies_at: int | None, keeps: Callable[[Save], bool] = lambda _: True) -> int:
    """Live a day with a cut; hold the books against what the central system was told. Return the number of steps."""
    with monkeypatch.context() as patch:
        world = World()
        cut = Cut(patch, dies_at, keeps)
        for part in day(world):
            try:
                part()
            except Dies:
                is_down = world.link.is_down
                world.cut_power(5.0)
                world.link.hold(is_down)
                world.run(3.0)
    world.network(True).run(60)
    if world.connector().is_charging:  # the cut has upset the script: a card that should have stopped has started
        world.unplug()
    world.run(60)
    check_books(world)
    return cut.steps


def books(world: World) -> tuple[Sessions, Statistics]:
    records = world.store.load("CP1", history.KINDS)
    return history.sessions(records, 200), history.statistics(records, 400)


def check_books(world: World) -> None:
    told, statistics = books(world)
    starts = {_unique(each): each for each in world.calls("StartTransaction")}
    stops = {_unique(each): each for each in world.calls("StopTransaction")}
    assert [each.number for each in told.sessions] == list(range(len(stops)))
    for session, start, stop in zip(told.sessions, starts.values(), stops.values(), strict=True):
        assert session.energy_wh == stop["meterStop"] - start["meterStart"]
        assert (session.started, session.ended) == (start["timestamp"], stop["timestamp"])
        assert (session.reason, session.transaction_id) == (stop["reason"], stop["transactionId"])
        assert 0 <= session.charging_s <= session.in_use_s
        assert session.energy_wh == pytest.approx(11040 * session.charging_s / 3600, abs=60)
    energy_wh = sum(session.energy_wh for session in told.sessions)
    for usage in (statistics.total, *statistics.days):
        assert (usage.sessions, usage.energy_wh) == (len(told.sessions), energy_wh)
        assert usage.in_use_s == pytest.approx(sum(session.in_use_s for session in told.sessions), abs=0.5)
        assert usage.charging_s == pytest.approx(sum(session.charging_s for session in told.sessions), abs=0.5)
    assert len(statistics.days) == 1


def _unique(payload: dict[str, Any]) -> tuple[Any, ...]:
    """What a message and its repetition have in common, and no other message."""
    return tuple(value for _name, value in sorted(payload.items()) if not isinstance(value, list))


def sweep(monkeypatch: pytest.MonkeyPatch, keeps: Callable[[Save], bool]) -> int:
    """Cut at every step; return how many there were. Raises AssertionError that names the first step that hurts."""
    steps = live(monkeypatch, None)
    for step in range(1, steps + 1):
        try:
            live(monkeypatch, step, keeps)
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"cut at step {step} of {steps}: {error}") from error
    return steps


def test_every_session_is_counted_once_wherever_the_power_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records leave with the stop message of its transaction, in one commit."""
    assert sweep(monkeypatch, lambda _save: True) > 50


@pytest.mark.parametrize("kind", ["session", "session_id", "usage"])
def test_the_sweep_notices_a_record_that_is_not_kept(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A test of the test."""
    with pytest.raises(AssertionError, match="cut at step"):
        sweep(monkeypatch, lambda save: save.kind != kind)


def test_the_history_is_a_ring_on_the_disk_and_a_life_begins_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chargepoint.model.usage.SESSIONS_KEPT", 3)
    monkeypatch.setattr("chargepoint.model.usage.DAYS_KEPT", 2)
    world = World()
    for number in range(5):
        world.plug().tap(f"CARD-{number}").run(60).tap(f"CARD-{number}").run(5).unplug().run(86_400)
    told, statistics = books(world)
    assert [(each.number, each.tag) for each in told.sessions] == [(2, "CA…-2"), (3, "CA…-3"), (4, "CA…-4")]
    assert [(each.day, each.sessions) for each in statistics.days] == [
        ("2026-01-03", 1),
        ("2026-01-04", 1),
        ("2026-01-05", 1),
    ]
    assert statistics.total.sessions == 5
    assert SESSION not in world.store.load("CP1")
    assert len(world.store.load("CP1", {SESSION})[SESSION]) == 3


def test_a_calendar_that_is_set_back_loses_no_day() -> None:
    """Two records of one date are added up."""
    world = World()

    def session() -> None:
        world.plug().tap("A1").run(30).tap("A1").run(5).unplug().run(5)

    session()
    world.run(86_400)
    session()
    calendar = world.model.calendar
    calendar.set(calendar.utc_s(world.now_s) - 86_400, world.now_s)
    session()
    _told, statistics = books(world)
    assert [(each.day, each.sessions) for each in statistics.days] == [("2026-01-01", 2), ("2026-01-02", 1)]
