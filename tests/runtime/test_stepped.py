"""Chargers and central system on a clock that jumps: nothing is real but the store, and a run repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.stepped import SteppedSite
from chargepoint.runtime.store import Durability, Store
from chargepoint.runtime.wire_pair import Direction
from hw.loader import plan_board
from hw.ports import Board

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


def plug_in_and_tap(board: Board, now_s: float) -> None:
    hands = board.outlet(1).hands
    assert hands is not None
    hands.plug_in(now_s)
    board.readers[0].present("A1", now_s)


def an_hour(store: Store | None = None, seed: int = 1) -> tuple[SteppedSite, list[str]]:
    """Two chargers, of which the second charges; return everything that passed their wires."""
    site = SteppedSite(store, start_utc_s=NOON, seed=seed)
    seen: list[str] = []

    def watch(_direction: Direction, text: str) -> tuple[str, ...]:
        seen.append(text)
        return (text,)

    for number in (1, 2):
        site.add(ChargerPlan(identity=f"CP{number}", board=plan_board("ac11-sim"), seed=number, keeps_board=True))
        site.wires[f"CP{number}"].loss = watch
    site.run_for(60.0)
    site.act("CP2", plug_in_and_tap)
    site.run_until_utc(NOON + 3600.0)
    return site, seen


def test_an_hour_passes_at_once_and_only_the_one_that_was_asked_charges() -> None:
    site, _ = an_hour()
    assert site.utc_s() == NOON + 3600.0
    first, second = site.central.chargers["CP1"], site.central.chargers["CP2"]
    assert first.transactions_started == 0
    (transaction,) = second.transactions.values()
    assert transaction.is_running
    assert transaction.started_utc_s == pytest.approx(NOON + 60.0, abs=1.0)
    assert transaction.energy_wh == pytest.approx(11_040 * 58 / 60, rel=0.02)


def test_the_same_seed_gives_the_same_run() -> None:
    assert an_hour(seed=1)[1] == an_hour(seed=1)[1]
    assert an_hour(seed=1)[1] != an_hour(seed=2)[1]


def test_a_second_life_on_a_store_goes_on_and_repeats_no_message_id(tmp_path: Path) -> None:
    """OCPP-J erratum 3.1: ids differ from those of all earlier calls of the identity."""
    ids = []
    for _life in range(2):
        site, seen = an_hour(Store(tmp_path / "site.sqlite3", Durability.RELAXED))
        ids.append({text.split('"', 2)[1] for text in seen if text.startswith("[2,")})
        site.close()
    assert not ids[0] & ids[1]
    assert sum('"reason":"PowerLoss"' in text for text in seen) == 1


def test_time_stops_where_it_is_told_to() -> None:
    site = SteppedSite(start_utc_s=NOON)
    site.add(ChargerPlan(identity="CP1", board=plan_board("ac11-sim")))
    assert site.run_for(3600.0, until=lambda: "CP1" in site.central.chargers)
    assert site.utc_s() == NOON
    assert not site.run_until_utc(NOON + 10.0, until=lambda: False)
    assert site.utc_s() == NOON + 10.0
