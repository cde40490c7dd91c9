"""RemoteStartTransaction and RemoteStopTransaction (OCPP 1.6 5.11, 5.12; key 9.1.3)."""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import Reason, RemoteStartStopStatus

from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import Authorisation
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.keys import boolean
from chargepoint.model.session import Registration

from .identification import Identification

AUTHORIZE_REMOTE_TX_REQUESTS = boolean(
    "AuthorizeRemoteTxRequests", False, source="9.1.3", effect="a remote start is authorised like a card"
)

_ACCEPTED, _REJECTED = RemoteStartStopStatus.accepted, RemoteStartStopStatus.rejected


class Remote(FeatureProfile):
    """Starts and stops on behalf of the central system. What it causes leaves after its answer."""

    __slots__ = ()

    name = "Core"
    keys = (AUTHORIZE_REMOTE_TX_REQUESTS,)

    @handles(call.RemoteStartTransaction)
    def _start(
        self, request: call.RemoteStartTransaction, now_s: float
    ) -> call_result.RemoteStartTransaction:
        host = self.host
        refused = call_result.RemoteStartTransaction(status=_REJECTED)
        told = request.charging_profile
        if host.session.registration is not Registration.ACCEPTED:
            return refused  # 4.2: not while Pending
        if host.is_store_failing:
            host.log.warning("remote start rejected: the store cannot be written, so no transaction can begin")
            return refused
        number = request.connector_id
        if number is None:
            here = [connector for connector in host.connectors if self._may_start(connector)]
        elif host.has_connector(number) and self._may_start(host.connector(number)):
            here = [host.connector(number)]
        else:
            here = []
        identification, tag = host.feature(Identification), request.id_tag
        parent = identification.known_parent(tag, now_s)
        target = identification.target(tag, parent, here, is_remote=True)
        if target is None and not identification.may_ask(tag, here, now_s):
            return refused
        try:
            profile = None if told is None else host.take_profile(told, now_s)
        except ValueError as reason:
            host.log.info("remote start rejected, its charging profile: %s", reason)
            return refused
        if target is None or host.setting(AUTHORIZE_REMOTE_TX_REQUESTS):
            # 5.13: whether it is of the group a connector is reserved for SHALL be asked, whatever the key says.
            identification.identify(tag, here, now_s, is_remote=True, charging_profile=profile)
            return call_result.RemoteStartTransaction(status=_ACCEPTED)
        began = identification.authorise(target, Authorisation(tag, parent, charging_profile=profile), here, now_s)
        return call_result.RemoteStartTransaction(status=_ACCEPTED if began else _REJECTED)

    def _may_start(self, connector: Connector) -> bool:
        """Nobody is charging there, and nobody is about to."""
        is_asking = self.host.feature(Identification).is_asking(connector)
        return connector.is_free and connector.authorisation is None and not is_asking

    @handles(call.RemoteStopTransaction)
    def _stop(self, request: call.RemoteStopTransaction, now_s: float) -> call_result.RemoteStopTransaction:
        running = [
            connector
            for connector in self.host.connectors
            if connector.is_charging
            and connector.transaction is not None
            and connector.transaction.transaction_id == request.transaction_id
        ]
        if len(running) > 1:
            self.host.log.warning(
                "RemoteStop %d fits the transactions of connectors %s: nothing is stopped",
                request.transaction_id,
                ", ".join(str(connector.number) for connector in running),
            )
        if len(running) != 1 or self.host.session.registration is not Registration.ACCEPTED:
            return call_result.RemoteStopTransaction(status=_REJECTED)
        running[0].end(Reason.remote.value, None, now_s)
        return call_result.RemoteStopTransaction(status=_ACCEPTED)
