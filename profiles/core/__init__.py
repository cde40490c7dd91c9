"""Feature profile "Core": one name made of parts (OCPP 1.6 chapters 4 and 5, keys 9.1)."""

from __future__ import annotations

from chargepoint.model.feature import FeatureProfile

from .availability import Availability
from .boot import Boot
from .configuration import Configuration
from .data_transfer import DataTransfer
from .identification import Identification
from .light import Light
from .local_limit import LocalLimit
from .metering import Metering
from .remote import Remote
from .reset import Reset
from .status import Status
from .store_failure import StoreFailure
from .transactions import Transactions
from .unlock import Unlock
from .usage import Usage
from .wake_up import WakeUp


class Core:
    """The parts, in hook order: samples are taken before a transaction's messages are built from them, and totals are
    restored before a transaction that a power cut ended is counted."""

    parts: tuple[type[FeatureProfile], ...] = (
        Boot,
        Configuration,
        Identification,
        Metering,
        Usage,
        Transactions,
        Status,
        Availability,
        Remote,
        Reset,
        Unlock,
        DataTransfer,
        Light,
        WakeUp,
        LocalLimit,
        StoreFailure,
    )
