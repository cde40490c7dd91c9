"""UnlockConnector: help for a driver whose cable is stuck (OCPP 1.6 5.18; erratum 3.87)."""

from __future__ import annotations

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.outbox import Ref
from chargepoint.model.session import Later
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Reason, UnlockStatus

from .identification import Identification


class Unlock(FeatureProfile):
    """Unlocks a cable, after the transaction and the voltage on it have ended; answers when the motor has."""

    __slots__ = ("_asked",)

    name = "Core"

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._asked: set[int] = set()

    @handles(call.UnlockConnector)
    def _unlock(self, request: call.UnlockConnector, now_s: float) -> call_result.UnlockConnector | Later:
        host, number = self.host, request.connector_id
        if not host.has_connector(number) or host.connector(number).lock is None:
            return call_result.UnlockConnector(status=UnlockStatus.not_supported)
        connector = host.connector(number)
        assert connector.lock is not None
        host.feature(Identification).release_cable(connector)
        if connector.end(Reason.unlock_command.value, None, now_s) or connector.lock.is_locked or connector.lock.is_moving:
            self._asked.add(number)
            connector.unlock(now_s)
            if number in self._asked:
                return Later(Ref("unlock", str(number)))
        # Nothing was locked, or the lock answered at once.
        self._asked.discard(number)
        return call_result.UnlockConnector(status=UnlockStatus.unlocked)

    def unlocked(self, connector: Connector, succeeded: bool, now_s: float) -> None:
        if connector.number not in self._asked:
            return
        self._asked.discard(connector.number)
        status = UnlockStatus.unlocked if succeeded else UnlockStatus.unlock_failed
        answer = call_result.UnlockConnector(status=status)
        self.host.session.answer(Ref("unlock", str(connector.number)), answer, now_s)
