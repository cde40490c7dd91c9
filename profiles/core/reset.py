"""Reset: stop what runs, let it be told, go down, come back (OCPP 1.6 5.14; key 9.1.22).

A reset is "drop this charger and build it again from the store", so it always succeeds from our side; ResetRetries counts
attempts to get there while transactions refuse to end.
"""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import Reason, ResetStatus, ResetType

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.faults import Trouble
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.keys import integer
from chargepoint.model.timebase import Alarm, Clock

RESET_RETRIES = integer(
    "ResetRetries", 3, unit="times", source="9.1.22", effect="further waits for a transaction that does not end"
)

DELIVERY_WAIT_S = {ResetType.soft: 60.0, ResetType.hard: 5.0}
"""How long the messages of the stopped transactions may take to be answered. What is not answered by then is sent again
after the restart; a hard reset "is not required to gracefully stop ongoing transaction" (5.14)."""
ENDING_WAIT_S = 18.0
"""How long a transaction may take to end: contactor, meter, and the margin of both."""
LOOK_S = 0.2


class Reset(FeatureProfile):
    """Restarts the charger, softly or hard."""

    __slots__ = ("_began_wire_s", "_ended_wire_s", "_look", "_tries", "_type")

    name = "Core"
    keys = (RESET_RETRIES,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._type: ResetType | None = None
        self._tries = 0
        self._began_wire_s = 0.0
        self._ended_wire_s: float | None = None
        """When the last transaction had ended."""
        self._look = Alarm(host.timers, self._try, Clock.WIRE)

    @handles(call.Reset)
    def _reset(self, request: call.Reset, now_s: float) -> call_result.Reset:
        host = self.host
        if host.is_restarting or host.is_installing:
            return call_result.Reset(status=ResetStatus.rejected)
        is_hard = request.type == ResetType.hard
        if self._type is not None and not (is_hard and self._type is ResetType.soft):
            return call_result.Reset(status=ResetStatus.accepted)  # under way already
        self._type = ResetType.hard if is_hard else ResetType.soft
        self._tries = 0
        self._began_wire_s, self._ended_wire_s = host.timers.wire_s, None
        reason = Reason.hard_reset if is_hard else Reason.soft_reset
        host.wind_down(reason.value, now_s)
        self._look.set_after(LOOK_S)
        return call_result.Reset(status=ResetStatus.accepted)

    def _try(self, now_s: float) -> None:
        host = self.host
        waited_s = host.timers.wire_s - self._began_wire_s
        ending = [connector for connector in host.connectors if connector.transaction is not None]
        if ending and waited_s < ENDING_WAIT_S * (1 + self._tries):
            self._look.set_after(LOOK_S)
        elif ending and self._tries < host.setting(RESET_RETRIES):
            self._tries += 1
            host.warn(Trouble.RESET_FAILED, True, now_s)
            self._look.set_after(LOOK_S)
        elif self._is_telling():
            self._look.set_after(LOOK_S)
        else:
            host.restart(self._type is ResetType.hard, f"Reset {self._type}", now_s)

    def _is_telling(self) -> bool:
        """Whether messages are on their way and may take longer."""
        wire_s = self.host.timers.wire_s
        if self._ended_wire_s is None:
            self._ended_wire_s = wire_s
        session, limit_s = self.host.session, DELIVERY_WAIT_S[self._type or ResetType.hard]
        return session.is_online and not session.is_idle and wire_s - self._ended_wire_s < limit_s
