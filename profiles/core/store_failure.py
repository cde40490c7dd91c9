"""What a charger does while its store cannot be written: no transaction begins, and charging pauses after a while.

OCPP 1.6 requires that every transaction reaches the central system (3.7.1, 4.8, 4.10). Energy that flows while the register
cannot be stored would be lost with a loss of power, so it is bounded. [D] The status of a paused transaction is
SuspendedEVSE with the error code InternalError; it goes on when the store can be written again.
"""

from __future__ import annotations

from collections.abc import Iterable

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import Limit
from chargepoint.model.faults import Trouble
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import Access, integer
from chargepoint.model.timebase import Alarm

STORE_FAILURE_LIMIT = integer(
    "StoreFailureLimit",
    60,
    minimum=20,
    maximum=3600,
    access=Access.READ_ONLY,
    unit="s",
    source="this charger",
    effect="charging without a stored register lasts no longer than this, then 0 A is offered until the store recovers",
)

REASON = "the store cannot be written"


class StoreFailure(FeatureProfile):
    """Bounds the energy that is charged while nothing can be stored."""

    __slots__ = ("_is_paused", "_pause")

    name = "Core"
    keys = (STORE_FAILURE_LIMIT,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._is_paused = False
        self._pause = Alarm(host.timers, self._suspend)

    def store_failed(self, since_s: float, now_s: float) -> None:
        # The last register in the store may be a period older than the first write that failed.
        host = self.host
        self._pause.set(max(now_s, since_s + host.setting(STORE_FAILURE_LIMIT) - host.register_period_s))
        for connector in self.host.connectors:
            connector.cancel(now_s)

    def store_recovered(self, now_s: float) -> None:
        self._pause.clear()
        self._set_paused(False, now_s)

    def _suspend(self, now_s: float) -> None:
        self._set_paused(True, now_s)

    def _set_paused(self, is_paused: bool, now_s: float) -> None:
        self._is_paused = is_paused
        for connector in self.host.connectors:
            connector.trouble(Trouble.STORE_FAILED, is_paused, now_s)
            connector.reconsider(now_s)

    def limits(self, connector: Connector, now_s: float) -> Iterable[Limit]:
        return (Limit(0.0, REASON),) if self._is_paused else ()
