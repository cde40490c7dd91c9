"""What charging costs, as a central system tells it and a display shows it: the California pricing extension of OCPP 1.6.

The central system computes, the charger shows: no cost is added up here, between two updates or offline. What depends on
the moment is only which prices are in force. Amounts are `Decimal` from the first digit on; `rounded` says how they look.
The messages are read in `cost_reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from ocpp.v16.enums import ChargePointStatus

from .keys import Access, boolean

VENDOR_ID = "org.openchargealliance.costmsg"

CUSTOM_DISPLAY_COST_AND_PRICE = boolean(
    "CustomDisplayCostAndPrice",
    False,
    access=Access.READ_ONLY,
    source="California pricing",
    effect="there is a display for prices and costs, and their messages are understood",
)

class CostState(StrEnum):
    """What the display of a connector is about."""

    PRICE = "Price"
    """What charging would cost, or will: no cost has been told."""
    CHARGING = "Charging"
    IDLE = "Idle"
    """The time is being charged for, not energy."""
    FOLLOWS = "Follows"
    """The transaction is over, and the cost will be told once the central system can be heard."""
    FINISHED = "Finished"
    """The total."""


class TextFormat(StrEnum):
    """How a text is to be read (MessageFormat of OCPP 2.0.1)."""

    ASCII = "ASCII"
    HTML = "HTML"
    URI = "URI"
    UTF8 = "UTF8"


@dataclass(frozen=True, slots=True)
class PriceText:
    """A text for the driver, in a language as RFC 5646 writes it."""

    content: str
    language: str
    format: TextFormat = TextFormat.UTF8


@dataclass(frozen=True, slots=True)
class ChargingPrice:
    """What charging costs, in the main unit of the currency. None: not told."""

    per_kwh: Decimal | None = None
    per_hour: Decimal | None = None
    flat_fee: Decimal | None = None

    def rounded(self, decimals: int) -> ChargingPrice:
        return ChargingPrice(*(rounded(each, decimals) for each in (self.per_kwh, self.per_hour, self.flat_fee)))


@dataclass(frozen=True, slots=True)
class IdlePrice:
    """What standing there without charging costs per hour, after so many minutes of grace."""

    grace_minutes: int | None = None
    per_hour: Decimal | None = None

    def rounded(self, decimals: int) -> IdlePrice:
        return replace(self, per_hour=rounded(self.per_hour, decimals))


@dataclass(frozen=True, slots=True)
class NextPeriod:
    """Prices that will be in force from an instant on, UTC in s; what is None goes on as it is."""

    at_utc_s: float
    charging: ChargingPrice | None = None
    idle: IdlePrice | None = None


@dataclass(frozen=True, slots=True)
class MeterTrigger:
    """When a central system wants a meter value. ``energy_wh`` is on the scale of the register, ``power_w`` the total.

    ``faults`` tells what was asked for and cannot be.
    """

    at_utc_s: float | None = None
    energy_wh: Decimal | None = None
    power_w: Decimal | None = None
    statuses: frozenset[ChargePointStatus] = frozenset()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserPrice:
    """The price for one tag (SetUserPrice). ``text`` is in the language of the station."""

    id_tag: str
    text: str = ""
    extra: tuple[PriceText, ...] = ()
    source: str = field(default="", compare=False, repr=False)
    """The JSON text it was read from."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a transaction has cost so far, or in the end (RunningCost, FinalCost). Any field may stand in either."""

    transaction_id: int
    amount: Decimal
    at_utc_s: float | None = None
    meter_wh: int | None = None
    is_idle: bool = False
    charging: ChargingPrice | None = None
    idle: IdlePrice | None = None
    next_period: NextPeriod | None = None
    trigger: MeterTrigger = MeterTrigger()
    text: str = ""
    extra: tuple[PriceText, ...] = ()
    qr_code: str = ""
    source: str = field(default="", compare=False, repr=False)
    """The JSON text it was read from."""
    zone_s: float = field(default=0.0, compare=False, repr=False)
    """Where its times without a zone are, in s east of UTC."""

    def at(self, utc_s: float) -> Cost:
        """Return the same with the prices that are in force at an instant: the next period's when it has begun."""
        coming = self.next_period
        if coming is None or utc_s < coming.at_utc_s:
            return self
        return replace(
            self, charging=coming.charging or self.charging, idle=coming.idle or self.idle, next_period=None
        )


@dataclass(frozen=True, slots=True)
class DefaultPrice:
    """The price as long as no other was told; ``charging`` counts for transactions that begin offline."""

    text: str
    offline_text: str | None = None
    charging: ChargingPrice | None = None
    source: str = field(default="", compare=False, repr=False)
    """The JSON text it was read from."""

    def text_for(self, is_online: bool) -> str:
        """Return the text that fits the link; a station that has none for offline shows the other one."""
        return self.text if is_online else self.offline_text or self.text


@dataclass(frozen=True, slots=True)
class CostDisplay:
    """What is to be shown of the price at one connector, amounts rounded. None and "": nothing of that kind.

    ``texts``: first the one in the language of the station, if there is any, then its translations. ``at_utc_s`` and
    ``meter_wh``: moment and register that ``amount`` stands for. ``zone_s``: the station's time, in s east of UTC.
    """

    connector: int
    state: CostState
    texts: tuple[PriceText, ...] = ()
    amount: Decimal | None = None
    at_utc_s: float | None = None
    meter_wh: int | None = None
    charging: ChargingPrice | None = None
    idle: IdlePrice | None = None
    next_period: NextPeriod | None = None
    qr_code: str = ""
    zone_s: float = 0.0

    @property
    def text(self) -> str:
        """The first of the texts."""
        return self.texts[0].content if self.texts else ""

    def rounded(self, decimals: int) -> CostDisplay:
        coming = self.next_period
        if coming is not None:
            coming = NextPeriod(
                coming.at_utc_s,
                coming.charging and coming.charging.rounded(decimals),
                coming.idle and coming.idle.rounded(decimals),
            )
        return replace(
            self,
            amount=rounded(self.amount, decimals),
            charging=self.charging and self.charging.rounded(decimals),
            idle=self.idle and self.idle.rounded(decimals),
            next_period=coming,
        )


def rounded(amount: Decimal | None, decimals: int) -> Decimal | None:
    """Return an amount with so many digits behind the point, half a digit up; no minus before a zero."""
    if amount is None:
        return None
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + Decimal(0)


def crosses(before_w: Decimal | None, power_w: Decimal, threshold_w: Decimal) -> bool:
    """Whether a power is worth a report: the first one is, then each that is beyond the threshold by 5 %.

    ``before_w``: the power that was reported last. One that was right at the threshold counts as below it.
    """
    if before_w is None:
        return True
    if before_w <= threshold_w:
        return power_w > threshold_w and power_w * 100 >= threshold_w * 105
    return power_w * 100 <= threshold_w * 95
