"""What OCPP 1.6 demands, one feature profile per module, standing on the model: no clock, no socket, no file.

`ALL` lists them in the order in which their hooks are called; `select` picks some by their standard names.
"""

from __future__ import annotations

from collections.abc import Iterable

from chargepoint.model.feature import FeatureProfile

from .core import Core
from .firmware import FirmwareManagement
from .local_list import LocalAuthList
from .remote_trigger import RemoteTrigger
from .reservation import Reservation
from .smart_charging import SmartCharging

ALL: dict[str, tuple[type[FeatureProfile], ...]] = {
    "Core": Core.parts,
    "FirmwareManagement": FirmwareManagement.parts,
    "LocalAuthListManagement": (LocalAuthList,),
    "Reservation": (Reservation,),
    "SmartCharging": (SmartCharging,),
    "RemoteTrigger": (RemoteTrigger,),
}
"""Classes by feature profile, as SupportedFeatureProfiles names them (OCPP 1.6 9.1.29)."""


def select(names: Iterable[str] = tuple(ALL)) -> tuple[type[FeatureProfile], ...]:
    """Return the classes of the feature profiles named, in hook order.

    Raises ValueError for a name that is none, or when Core, which is mandatory, is missing.
    """
    wanted = tuple(names)
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        raise ValueError(f"no feature profile {unknown[0]!r}; there are {', '.join(ALL)}")
    if "Core" not in wanted:
        raise ValueError("the feature profile Core cannot be left out (OCPP 1.6, 3.3)")
    return tuple(cls for name, classes in ALL.items() if name in wanted for cls in classes)
