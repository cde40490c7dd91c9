"""How `transitions` is used here: one shared machine, bare records, no exceptions on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest
from transitions import Machine

from chargepoint.model.connector_state import SESSION_TABLE, SessionState
from chargepoint.model.machine import Table
from chargepoint.model.pilot import PILOT_TABLE, Pilot


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(slots=True)
class Record:
    """Slotted: a machine that wanted to add a trigger method to it would fail."""

    state: str = Light.RED.value


LIGHTS = Table(Light, [("go", [Light.RED], Light.GREEN), ("stop", [Light.GREEN], Light.RED)])


def test_records_share_a_machine_and_are_never_added_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "One shared Machine per table, `machine.events[name].trigger(record)`, record never added as a model"."""
    added: list[object] = []
    monkeypatch.setattr(Machine, "add_model", lambda self, model, *_: added.append(model))
    table = Table(Light, [("go", [Light.RED], Light.GREEN)])
    one, other = Record(), Record()
    assert table.fire(one, "go")
    assert (one.state, other.state) == ("green", "red")
    assert [model for model in added if isinstance(model, Record)] == []
    machine = next(iter(table._events.values())).machine
    assert machine.models == []


def test_a_move_changes_the_state_and_says_so() -> None:
    """`fire(table, record, event) -> bool`."""
    record = Record()
    assert LIGHTS.allows(record, "go")
    assert LIGHTS.fire(record, "go") is True
    assert record.state == "green"
    assert type(record.state) is str


def test_an_event_that_is_no_move_is_refused_and_raises_nothing() -> None:
    """An event that is no move in the present state is refused by `fire` and leaves the record as it is."""
    record = Record()
    assert not LIGHTS.allows(record, "stop")
    assert LIGHTS.fire(record, "stop") is False
    assert record.state == "red"


def test_a_state_is_a_plain_string() -> None:
    """``state`` is the value of a state: `transitions` would read a member of an enum by its name."""
    with pytest.raises(ValueError, match="RED"):
        LIGHTS.fire(Record(Light.RED), "go")


def test_an_event_that_no_table_knows_is_a_mistake_of_ours() -> None:
    """Raises KeyError for no such event: programming mistakes stay ordinary exceptions."""
    with pytest.raises(KeyError):
        LIGHTS.fire(Record(), "fly")


@pytest.mark.parametrize(("table", "states"), [(SESSION_TABLE, SessionState), (PILOT_TABLE, Pilot)])
def test_no_event_in_any_state_raises(table: Table, states: type[StrEnum]) -> None:
    """MachineError never escapes: every event in every state is a move or is refused."""
    moves = {(source, event): target for event, sources, target in table.moves for source in sources}
    for state in states:
        for event in {event for event, _, _ in table.moves}:
            record = Record(state.value)
            assert table.fire(record, event) is ((state.value, event) in moves)
            assert record.state == moves.get((state.value, event), state.value)


@pytest.mark.parametrize(("table", "states"), [(SESSION_TABLE, SessionState), (PILOT_TABLE, Pilot)])
def test_every_state_can_be_reached_and_left(table: Table, states: type[StrEnum]) -> None:
    """A state that nothing leads to, or out of, would be a mistake in the table."""
    assert {target for _, _, target in table.moves} == {state.value for state in states}
    assert {source for _, sources, _ in table.moves for source in sources} == {state.value for state in states}
