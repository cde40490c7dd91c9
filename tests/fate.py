"""Death at any step: what leaves a charger, and every commit, is a step at which its process may be gone.

    with mortal() as fate:
        fate.dies_in(7)
        world.run(60)  # raises `Dies` at the seventh step, if there are so many

``saves`` says which records reach the store at all; tests of tests take one away and look who notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chargepoint.model.outbox import Save
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.store import Store

Saves = Callable[[Save], bool]
"""Whether a record reaches the store."""


class Dies(BaseException):
    """The process is gone; no `except Exception` on the way out may notice."""


class Fate:
    """Counts the steps, and lets the process die once at one of them. A commit is two: before and after it is done."""

    def __init__(self) -> None:
        self.steps = 0
        self._dies_at: int | None = None

    def dies_in(self, steps: int | None) -> None:
        """Die at that step from now; None: live."""
        self._dies_at = None if steps is None else self.steps + steps

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._dies_at:
            self._dies_at = None
            raise Dies


@contextmanager
def mortal(saves: Saves | None = None) -> Iterator[Fate]:
    """Make every charger of this process mortal."""
    fate = Fate()
    carry_out, commit = Charger._carry_out, Store.commit

    def carrying_out(charger: Charger, effect: Any, now_s: float) -> None:
        fate.step()
        carry_out(charger, effect, now_s)

    def committing(store: Store, rows: Any) -> None:
        fate.step()
        commit(store, rows if saves is None else [row for row in rows if saves(row[1])])
        fate.step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Charger, "_carry_out", carrying_out)
        patch.setattr(Store, "commit", committing)
        yield fate
