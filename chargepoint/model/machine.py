"""State machines as shared tables: one `transitions.Machine` per kind, driving records that are never added to it.

A record is any object with a ``state`` attribute. A `Machine` per record would cost 85 KiB and adding records to a
shared one 17 KiB each; `trigger` on the shared machine with the bare record costs nothing and is held by a test
(``transitions`` is pinned below 0.10 for it). Tables have guards but no side effects: the caller compares the state
before and after, and acts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from transitions import Machine

# It tells every state it enters and leaves, at INFO; the journal tells what matters.
logging.getLogger("transitions").setLevel(logging.WARNING)


class Record(Protocol):
    """Something a table can drive; ``state`` is the value of a state, a plain string."""

    state: str


class Table:
    """States and moves of one kind of machine.

    ``moves`` are (event, states it may happen in, state it leads to). An event that is no move in the present state
    is refused by `fire` and leaves the record as it is.
    """

    def __init__(self, states: type[StrEnum], moves: Iterable[tuple[str, Iterable[str], str]]) -> None:
        self.moves = tuple((event, tuple(sources), target) for event, sources, target in moves)
        machine = Machine(
            model=None,
            states=[state.value for state in states],
            initial=next(iter(states)).value,
            auto_transitions=False,
            transitions=[
                {"trigger": event, "source": [str(s) for s in sources], "dest": str(target)}
                for event, sources, target in self.moves
            ],
        )
        self._events = machine.events
        self._possible = {(source, event) for event, sources, _ in self.moves for source in map(str, sources)}

    def allows(self, record: Record, event: str) -> bool:
        """Whether ``event`` is a move in the record's present state."""
        return (str(record.state), event) in self._possible

    def fire(self, record: Record, event: str) -> bool:
        """Let ``event`` happen to ``record`` and return whether it was a move. Raises KeyError for no such event."""
        trigger = self._events[event].trigger
        if (str(record.state), event) not in self._possible:
            return False
        return bool(trigger(record))
