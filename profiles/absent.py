"""What a charge point answers to calls of feature profiles it has not got, where that is no CALLERROR.

Everything else known answers NotSupported, everything unknown NotImplemented (OCPP-J 1.6 table 7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import ReservationStatus, UpdateStatus

ANSWERS: dict[str, Callable[[], Any]] = {
    # 6.28: "-1 if the local list is not supported"
    "GetLocalListVersion": lambda: call_result.GetLocalListVersion(list_version=-1),
    # 7.47: NotSupported is a status of its own
    "SendLocalList": lambda: call_result.SendLocalList(status=UpdateStatus.not_supported),
    # 5.13 and test cases 048_4 and 050_4 of the certification catalogue
    "ReserveNow": lambda: call_result.ReserveNow(status=ReservationStatus.rejected),
}
