"""UnlockConnector: help for a driver whose cable is stuck (OCPP 1.6 5.18; erratum 3.87)."""

from __future__ import annotations

from functools import partial

from ocpp.v16 import call, call_result
from ocpp.v16.enums import Reason, UnlockStatus

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import SessionState
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.outbox import Ref
from chargepoint.model.serving import Later
from chargepoint.model.timebase import Alarm

from .identification import Identification

PATIENCE_S = 20.0
"""A contactor that does not open keeps its cable: after so long the answer is UnlockFailed."""


class Unlock(FeatureProfile):
    """Unlocks a cable, after the transaction and the voltage on it have ended; answers when the motor has."""

    __slots__ = ("_asked", "_patience")

    name = "Core"

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._asked: set[int] = set()
        self._patience = {
            connector.number: Alarm(host.timers, partial(self._answer, connector.number, False))
            for connector in host.connectors
        }

    @handles(call.UnlockConnector)
    def _unlock(self, request: call.UnlockConnector, now_s: float) -> call_result.UnlockConnector | Later:
        host, number = self.host, request.connector_id
        if not host.has_connector(number) or host.connector(number).lock is None:
            return call_result.UnlockConnector(status=UnlockStatus.not_supported)
        connector = host.connector(number)
        assert connector.lock is not None
        host.feature(Identification).release_cable(connector)
        if connector.state in (SessionState.LOCKING, SessionState.STARTING):
            connector.cancel(now_s)  # it would lock again what the driver is to get out
        if connector.end(Reason.unlock_command.value, None, now_s) or connector.lock.is_locked or connector.lock.is_moving:
            self._asked.add(number)
            self._patience[number].set(now_s + PATIENCE_S)
            connector.unlock(now_s)
            if number in self._asked:
                return Later(Ref("unlock", str(number)))
        # Nothing was locked, or the lock answered at once.
        self._asked.discard(number)
        return call_result.UnlockConnector(status=UnlockStatus.unlocked)

    def unlocked(self, connector: Connector, succeeded: bool, now_s: float) -> None:
        if connector.number not in self._asked:
            return
        self._answer(connector.number, succeeded, now_s)

    def _answer(self, number: int, succeeded: bool, now_s: float) -> None:
        self._asked.discard(number)
        self._patience[number].clear()
        status = UnlockStatus.unlocked if succeeded else UnlockStatus.unlock_failed
        answer = call_result.UnlockConnector(status=status)
        self.host.session.answer(Ref("unlock", str(number)), answer, now_s)
