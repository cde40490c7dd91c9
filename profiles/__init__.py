"""What OCPP 1.6 demands, one feature profile per module, standing on the model: no clock, no socket, no file.

`ALL` lists them in the order in which their hooks are called; `select` picks some by their standard names. `EXTENSIONS`
are what the standard leaves to DataTransfer: SupportedFeatureProfiles does not know them, a key switches each on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chargepoint.model.cost import CUSTOM_DISPLAY_COST_AND_PRICE
from chargepoint.model.feature import FeatureProfile

from .absent import KEYS
from .core import Core
from .costs import Costs
from .costs.texts import CUSTOM_MULTI_LANGUAGE_MESSAGES
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


EXTENSIONS: dict[str, tuple[type[FeatureProfile], ...]] = {
    CUSTOM_DISPLAY_COST_AND_PRICE.name: Costs.parts,
    CUSTOM_MULTI_LANGUAGE_MESSAGES.name: Costs.multi_language,
}
"""Classes by the read-only configuration key that switches them on; the later ones need the first."""


def extensions(keys: Mapping[str, str]) -> tuple[str, ...]:
    """Return the extensions that configuration keys, as the box leaves the factory, switch on."""
    on = {name.lower() for name, text in keys.items() if text.strip().lower() == "true"}
    names = tuple(name for name in EXTENSIONS if name.lower() in on)
    return names if CUSTOM_DISPLAY_COST_AND_PRICE.name in names else ()


def select(
    names: Iterable[str] = tuple(ALL), extensions: Iterable[str] = ()
) -> tuple[type[FeatureProfile], ...]:
    """Return the classes of the feature profiles and extensions named, in hook order.

    Raises ValueError for a name that is none, or when Core, which is mandatory, is missing.
    """
    wanted = tuple(names)
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        raise ValueError(f"no feature profile {unknown[0]!r}; there are {', '.join(ALL)}")
    if "Core" not in wanted:
        raise ValueError("the feature profile Core cannot be left out (OCPP 1.6, 3.3)")
    chosen = {*wanted, *extensions}
    return tuple(cls for name, classes in {**ALL, **EXTENSIONS}.items() if name in chosen for cls in classes)


def absent_keys(classes: Iterable[type[FeatureProfile]]) -> dict[str, str]:
    """Return the configuration keys that a charger of these classes lacks, each with the reason; see `Keyring`."""
    present, found = set(classes), dict(KEYS)
    for name, parts in {**ALL, **EXTENSIONS}.items():
        reason = f"belongs to the feature profile {name}, which is not in use"
        if name == "Core":
            reason = "needs hardware that this board does not have"
        elif name in EXTENSIONS:
            reason = f"needs the key {name}: true"
        for cls in parts:
            if cls not in present:
                found.update({key.name: reason for key in cls.keys})
                found.update({family.name: reason for family in cls.families})
    return found
