"""ChangeAvailability: at once where nobody is, scheduled where somebody is (OCPP 1.6 5.2)."""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import AvailabilityStatus, AvailabilityType

from chargepoint.model.feature import FeatureProfile, handles

from .status import Status


class Availability(FeatureProfile):
    """Makes connectors, or the whole charge point, operative and inoperative; persistent."""

    __slots__ = ()

    name = "Core"

    @handles(call.ChangeAvailability)
    def _change(self, request: call.ChangeAvailability, now_s: float) -> call_result.ChangeAvailability:
        host, number = self.host, request.connector_id
        operative = request.type == AvailabilityType.operative
        if number and not host.has_connector(number):
            return call_result.ChangeAvailability(status=AvailabilityStatus.rejected)
        concerned = host.connectors if number == 0 else (host.connector(number),)
        if number == 0:
            host.feature(Status).set_operative(operative, now_s)
        done = [connector.availability.set(operative, now_s) for connector in concerned]
        status = AvailabilityStatus.accepted if all(done) else AvailabilityStatus.scheduled
        return call_result.ChangeAvailability(status=status)
