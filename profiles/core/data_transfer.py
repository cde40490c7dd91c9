"""DataTransfer: an agreement of two parties about what the standard does not cover (OCPP 1.6 4.3, 5.6).

Features that know a vendor override `FeatureProfile.data_transfer`; what they do not answer is answered by the options of
the charge point. The key that says whether the vendor of cost messages is known is there in either case.
"""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.calls import Outcome
from chargepoint.model.cost import CUSTOM_DISPLAY_COST_AND_PRICE
from chargepoint.model.feature import FeatureProfile, answered, handles
from chargepoint.model.outbox import Ref


class DataTransfer(FeatureProfile):
    """Hands a vendor's message to whoever knows the vendor, and sends ours."""

    __slots__ = ()

    name = "Core"
    keys = (CUSTOM_DISPLAY_COST_AND_PRICE,)

    @handles(call.DataTransfer)
    def _transfer(self, request: call.DataTransfer, now_s: float) -> call_result.DataTransfer:
        answer = self.host.data_transfer(request, now_s)
        return answer or self._by_options(request)

    def _by_options(self, request: call.DataTransfer) -> call_result.DataTransfer:
        """4.3: a vendor without any answer is unknown, a messageId without one is a mismatch.

        Both names are compared without case: they are CiStrings (6.15).
        """
        vendor, message = request.vendor_id.lower(), (request.message_id or "").lower()
        of_vendor = [each for each in self.host.options.vendor_answers if each.vendor.lower() == vendor]
        if not of_vendor:
            return call_result.DataTransfer(status=DataTransferStatus.unknown_vendor_id)
        exact = (each for each in of_vendor if each.message is not None and each.message.lower() == message)
        found = next(exact, next((each for each in of_vendor if each.message is None), None))
        if found is None:
            return call_result.DataTransfer(status=DataTransferStatus.unknown_message_id)
        return call_result.DataTransfer(status=found.status, data=request.data if found.is_echo else found.data)

    @answered(call.DataTransfer)
    def _transferred(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        if outcome.result is None:
            self.host.log.warning("DataTransfer %s: %s", about.key, outcome.detail or outcome.failure)
        else:
            self.host.log.info("DataTransfer %s: %s", about.key, outcome.result.status)
