"""Connector status: the derivation and the table of moves (connector-states.md 2 and 3)."""

from __future__ import annotations

from dataclasses import fields
from itertools import product
from typing import Any

import pytest
from ocpp.v16.enums import ChargePointStatus as Status

from chargepoint.model.status import MOVES, Situation, path, status_of

NAMES = {
    "A": Status.available, "B": Status.preparing, "C": Status.charging, "D": Status.suspended_ev,
    "E": Status.suspended_evse, "F": Status.finishing, "G": Status.reserved, "H": Status.unavailable,
    "I": Status.faulted,
}  # fmt: skip

TABLE = {
    "A": "BCDEGHI", "B": "ACDEFI", "C": "ADEFHI", "D": "ACEFHI", "E": "ACDFHI", "F": "ABHI", "G": "ABHI",
    "H": "ABCDEI", "I": "ABCDEFGH",
}  # fmt: skip
"""Section 3, copied from the handbook's table by hand: from, and where to."""


def expected(s: Situation) -> Status:
    """Section 2, row by row; the first that fits decides."""
    rows = (
        (s.has_fault, Status.faulted),
        (s.until_stopped is not None, s.until_stopped or Status.available),
        (s.in_transaction and not s.is_offering, Status.suspended_evse),
        (s.in_transaction and s.is_offering and s.car_asks, Status.charging),
        (s.in_transaction and s.is_offering and not s.car_asks, Status.suspended_ev),
        (not s.is_operative, Status.unavailable),
        (s.is_authorised, Status.preparing),
        (s.is_left_over, Status.finishing),
        (s.is_reserved, Status.reserved),
        (s.is_plugged, Status.preparing),
        (True, Status.available),
    )
    return next(status for applies, status in rows if applies)


def test_the_status_is_derived_for_every_situation() -> None:
    """A total function of what is true (section 2): all 1024 situations."""
    names = [field.name for field in fields(Situation)]
    choices: list[tuple[Any, Any]] = [
        (None, Status.charging) if name == "until_stopped" else (False, True) for name in names
    ]
    for values in product(*choices):
        situation = Situation(**dict(zip(names, values, strict=True)))
        assert status_of(situation) is expected(situation), situation


def test_the_moves_are_those_of_the_standard() -> None:
    """OCPP 1.6 4.9: "Not in the table, hence never send"."""
    assert {row: {NAMES[to] for to in tos} for row, tos in TABLE.items()} == {
        row: set(MOVES[status]) for row, status in NAMES.items()
    }


@pytest.mark.parametrize("start", list(Status))
@pytest.mark.parametrize("end", list(Status))
def test_from_everywhere_to_everywhere_only_moves_are_reported(start: Status, end: Status) -> None:
    """ "If physics skips a step, send the intermediate one"."""
    steps = path(start, end)
    if start is end:
        assert steps == ()
        return
    assert steps[-1] is end
    for before, after in zip((start, *steps), steps, strict=False):
        assert after in MOVES[before]
    if end in MOVES[start]:
        assert steps == (end,)
    # What is told on the way happened to nobody: a fault, a transaction or a reservation may not stand there.
    assert set(steps[:-1]) <= {Status.preparing, Status.available, Status.finishing}


@pytest.mark.parametrize(
    ("start", "end", "steps"), [("A", "F", "BF"), ("C", "B", "AB"), ("F", "C", "BC"), ("G", "C", "BC"), ("H", "F", "BF")]
)
def test_a_skipped_step_is_the_shortest_way(start: str, end: str, steps: str) -> None:
    """Some of the moves that are not in the table."""
    found = path(NAMES[start], NAMES[end])
    assert len(found) == len(steps)
    assert found[-1] is NAMES[steps[-1]]
