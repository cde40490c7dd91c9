"""A charger in a world whose store can be made to fail."""

from __future__ import annotations

from chargepoint.runtime.pump import SteppedPump
from tests.world import World


class FailingPump(SteppedPump):
    """A pump whose commits can be made to fail: batches pile up, and the chargers know."""

    fails = False

    def settle(self) -> None:
        while True:
            self._step_dirty()
            if self._has_rows and not self.fails:
                batch = self._take_batch()
                self._store(batch)
                self._is_committed(batch)
            elif self.mailbox:
                self.mailbox.popleft()()
            elif not self._dirty:
                return

    def break_store(self) -> None:
        self.fails = True
        self._store_failed(self.scheduler.charge_s)

    def mend_store(self) -> None:
        self.fails = False
        self._store_recovered()


class StoreWorld(World):
    def _make_pump(self) -> FailingPump:
        return FailingPump(self.store)

    def break_store(self) -> StoreWorld:
        assert isinstance(self.pump, FailingPump)
        self.pump.break_store()
        self.run(0.1)
        return self

    def mend_store(self) -> StoreWorld:
        assert isinstance(self.pump, FailingPump)
        self.pump.mend_store()
        self.run(0.1)
        return self
