"""Feature profile "RemoteTrigger": TriggerMessage (OCPP 1.6 5.17)."""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import MessageTrigger, TriggerMessageStatus

from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.session import Registration


class RemoteTrigger(FeatureProfile):
    """Lets other feature profiles send what the central system wants to see now: their ``triggers``."""

    __slots__ = ()

    name = "RemoteTrigger"

    @handles(call.TriggerMessage)
    def _trigger(self, request: call.TriggerMessage, now_s: float) -> call_result.TriggerMessage:
        host = self.host
        requested, connector = str(request.requested_message), request.connector_id
        index = host.roster.triggers.get(requested)
        if index is None:
            return call_result.TriggerMessage(status=TriggerMessageStatus.not_implemented)
        addresses_connector = requested in (MessageTrigger.meter_values, MessageTrigger.status_notification)
        if addresses_connector and connector is not None:
            # 0 is tolerated for the status of the whole charge point; there is no main meter behind it.
            lowest = 0 if requested == MessageTrigger.status_notification else 1
            if not lowest <= connector <= len(host.connectors):
                return call_result.TriggerMessage(status=TriggerMessageStatus.rejected)
        is_accepted = host.session.registration is Registration.ACCEPTED and host.session.is_confirmed
        if requested == MessageTrigger.boot_notification and is_accepted:
            # Erratum 3.35: once accepted, a new BootNotification is for the next boot or reconnect.
            return call_result.TriggerMessage(status=TriggerMessageStatus.rejected)
        host.features[index].trigger(requested, connector, now_s)
        return call_result.TriggerMessage(status=TriggerMessageStatus.accepted)
