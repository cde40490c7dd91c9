"""Prices and costs on the display: the California pricing extension of OCPP 1.6, all of it inside DataTransfer.

No feature profile of the standard: `CustomDisplayCostAndPrice` and `CustomMultiLanguageMessages`, which only the
configuration file sets, switch the parts on. Without them the vendor is unknown and the keys are not there.
"""

from __future__ import annotations

from chargepoint.model.feature import FeatureProfile

from .bills import Bills
from .display import Display
from .idle_fee import IdleFee
from .texts import Texts, Translations
from .triggers import MeterTriggers
from .zone import TimeZone


class Costs:
    """The parts, in hook order: what is owed and what is due is settled before the display tells."""

    parts: tuple[type[FeatureProfile], ...] = (Texts, TimeZone, MeterTriggers, IdleFee, Bills, Display)
    multi_language: tuple[type[FeatureProfile], ...] = (Translations,)
    """In addition, where texts are shown in several languages."""
