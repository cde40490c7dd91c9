"""DataTransfer: an agreement of two parties about what the standard does not cover (OCPP 1.6 4.3, 5.6).

Features that know a vendor override `FeatureProfile.data_transfer`; nobody knowing it is UnknownVendorId. The key that
says whether the vendor of cost messages is known is there in either case.
"""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.cost import CUSTOM_DISPLAY_COST_AND_PRICE
from chargepoint.model.feature import FeatureProfile, answered, handles
from chargepoint.model.outbox import Ref
from chargepoint.model.session import Outcome


class DataTransfer(FeatureProfile):
    """Hands a vendor's message to whoever knows the vendor, and sends ours."""

    __slots__ = ()

    name = "Core"
    keys = (CUSTOM_DISPLAY_COST_AND_PRICE,)

    @handles(call.DataTransfer)
    def _transfer(self, request: call.DataTransfer, now_s: float) -> call_result.DataTransfer:
        answer = self.host.data_transfer(request, now_s)
        return answer or call_result.DataTransfer(status=DataTransferStatus.unknown_vendor_id)

    @answered(call.DataTransfer)
    def _transferred(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        if outcome.result is None:
            self.host.log.warning("DataTransfer %s: %s", about.key, outcome.detail or outcome.failure)
        else:
            self.host.log.info("DataTransfer %s: %s", about.key, outcome.result.status)
