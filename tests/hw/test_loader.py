"""Board files: what ships, what is refused, and how many can be built."""

from __future__ import annotations

import pytest

from hw.errors import BoardFileError
from hw.loader import check_board, list_boards, load_board, plan_board
from hw.ports import CableKind, Limits, Rated, TagSeen
from hw.sim.drivers import SimMeter, SimPilot, SimRelay

SHIPPED = [
    # name, outlets, A, phases, cable
    ("ac11-sim", 1, 16, 3, "tethered"),
    ("ac11-sim-duo", 2, 16, 3, "tethered"),
    ("ac11-sim-socket", 1, 16, 3, "socket"),
    ("ac22-sim", 1, 32, 3, "tethered"),
    ("ac22-sim-duo", 2, 32, 3, "socket"),
    ("ac22-sim-socket", 1, 32, 3, "socket"),
    ("ac3.7-sim", 1, 16, 1, "tethered"),
    ("ac7.4-sim", 1, 32, 1, "tethered"),
]

GOOD = """\
connectors:
  - rated: {current_a: 16, phases: 3}
    cable: {kind: tethered, rating_a: 16}
    pilot: {driver: sim.pilot}
    relay: {driver: sim.relay}
    meter: {driver: sim.meter}
"""


def test_shipped_boards_are_listed():
    """Name, outlets, current, phases and cable of every shipped board; each has a description."""
    boards = list_boards()
    assert [(b.name, b.outlets, b.current_a, b.phases, b.cable.value) for b in boards] == SHIPPED
    assert all(board.description for board in boards)


@pytest.mark.parametrize("name", [row[0] for row in SHIPPED])
def test_shipped_board_is_simulated_and_its_cars_are_unplugged(name):
    """Only a board of which nothing is real may run on a clock that jumps (hw.ports.Board)."""
    board = load_board(name, lambda observation: None)
    board.advance(0.0)
    assert board.is_simulated
    assert (board.vendor, bool(board.model), bool(board.meter_type)) == ("Wallbox Simulator", True, True)
    assert not any(outlet.hands.is_plugged for outlet in board.outlets)
    assert all(outlet.outlet.has_lock == (outlet.outlet.cable is CableKind.SOCKET) for outlet in board.outlets)


def test_one_reader_serves_both_connectors():
    """A reader that serves several connectors reports them all (hw.ports.TagSeen)."""
    seen = []
    load_board("ac22-sim-duo", seen.append).readers[0].present("04126789", 0.0)
    assert seen == [TagSeen("04126789", (1, 2))]


def test_file_is_a_board_too(tmp_path):
    """Anything with a separator, or ending in .yaml or .yml, is a file."""
    path = tmp_path / "mine.yml"
    path.write_text(GOOD, encoding="utf-8")
    outlet = plan_board(str(path)).connectors[0].outlet
    assert (outlet.rated, outlet.limits, outlet.cable_rating_a) == (Rated(16.0, 3), Limits(max_a=16.0), 16.0)
    assert check_board(str(path)).name == "mine"
    assert load_board(str(path), lambda observation: None).outlet(1).hands is None


def test_unknown_board_names_the_nearest():
    """An unknown board lists the names and the nearest."""
    with pytest.raises(BoardFileError) as caught:
        check_board("ac11-smi")
    names = ", ".join(row[0] for row in SHIPPED)
    assert str(caught.value) == f"no board 'ac11-smi'; did you mean 'ac11-sim'? (valid: {names})"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("relay:", "realy:", "5:5: unknown key 'realy' in connectors[0]; did you mean 'relay'?"),
        (
            "sim.pilot",
            "sim.pilto",
            "4:21: unknown connectors[0].pilot.driver 'sim.pilto'; did you mean 'sim.pilot'? (valid: sim.pilot)",
        ),
        (
            "sim.meter",
            "sim.meter, gain: 2",
            "6:32: unknown key 'gain' in connectors[0].meter "
            "(valid: class_error, driver, register_wh, resolution_wh)",
        ),
        ("phases: 3", "phases: 4", "2:36: connectors[0].rated.phases must be 1..3, got 4"),
        (
            "tethered",
            "teethered",
            "3:19: unknown connectors[0].cable.kind 'teethered'; did you mean 'tethered'? (valid: socket, tethered)",
        ),
        (
            "    relay",
            "    lock: {driver: sim.lock}\n    relay",
            "5:11: connectors[0].lock: a tethered cable has no lock",
        ),
        ("    relay", "    limits: {max_a: 32}\n    relay", "5:21: connectors[0].limits.max_a must be 6..16, got 32"),
        (
            "    relay",
            "    vehicle_soc: true\n    relay",
            "5:18: connectors[0].vehicle_soc: only a simulated car tells its state of charge, and there is none",
        ),
        (
            "connectors:",
            "readers: [{driver: sim.tags, connectors: [2]}]\nconnectors:",
            "1:42: readers[0].connectors must be of 1..1",
        ),
    ],
)  # fmt: skip
def test_mistake_in_a_board_file_is_named_with_its_place(tmp_path, old, new, message):
    """Strict input files: file, line, column and the nearest valid key (the house, rule 9)."""
    path = tmp_path / "board.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(BoardFileError) as caught:
        check_board(str(path))
    assert str(caught.value) == f"{path}:{message}"


@pytest.mark.parametrize(("port", "driver"), [("pilot", SimPilot), ("relay", SimRelay), ("meter", SimMeter)])
def test_no_simulated_car_at_real_hardware(tmp_path, monkeypatch, port, driver):
    """A real contactor must not follow a pilot that somebody pretends."""
    path = tmp_path / "board.yaml"
    path.write_text(GOOD + "    car: {driver: sim.car}\n", encoding="utf-8")
    check_board(str(path))
    monkeypatch.setattr(driver, "is_simulated", False)
    with pytest.raises(BoardFileError, match=f"connectors\\[0\\].car: .* the {port} is real; leave it out"):
        check_board(str(path))


def test_board_without_outlets_is_refused(tmp_path):
    """A charger has at least one connector."""
    path = tmp_path / "board.yaml"
    path.write_text("connectors: []\n", encoding="utf-8")
    with pytest.raises(BoardFileError, match="1:13: connectors must have at least one entry"):
        check_board(str(path))


def test_boards_of_one_plan_share_nothing_that_changes():
    """A plan is parsed once and built many times."""
    plan = plan_board("ac11-sim")
    first, second = plan.build(lambda observation: None), plan.build(lambda observation: None, seed=2)
    first.outlet(1).hands.plug_in(0.0)
    assert first.outlet(1).hands.is_plugged
    assert not second.outlet(1).hands.is_plugged
    assert first.outlet(1).outlet is second.outlet(1).outlet
