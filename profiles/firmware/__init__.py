"""Feature profile "FirmwareManagement": one name made of parts (OCPP 1.6 5.9, 5.19, 4.4, 4.5)."""

from __future__ import annotations

from chargepoint.model.feature import FeatureProfile

from .diagnostics import Diagnostics
from .update import Update


class FirmwareManagement:
    """The parts, in hook order."""

    parts: tuple[type[FeatureProfile], ...] = (Update, Diagnostics)
