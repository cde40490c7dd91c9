"""What a display shows of prices and costs: what the central system told last, and nothing that was computed here.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part.
"""

from __future__ import annotations

from dataclasses import replace

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.cost import CostDisplay, CostState, PriceText, UserPrice
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.journal import CostShown
from chargepoint.model.keys import Access, integer
from chargepoint.model.record import Snapshot

from .bills import Bill, Bills
from .texts import SOURCE, Texts
from .zone import TimeZone

NUMBER_OF_DECIMALS_FOR_COST_VALUES = integer(
    "NumberOfDecimalsForCostValues",
    3,
    maximum=9,
    access=Access.READ_ONLY,
    source=SOURCE,
    effect="digits behind the point of every amount that is shown",
)


class Display(FeatureProfile):
    """Knows what each connector's display shows, and tells the journal when it changes."""

    __slots__ = ("_told",)

    name = "Core"
    keys = (NUMBER_OF_DECIMALS_FOR_COST_VALUES,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._told: dict[int, CostShown] = {}
        """What the journal has last heard of each connector."""

    def at(self, number: int, now_s: float) -> CostDisplay:
        """Return what is to be shown of the price at a connector. Raises IndexError when there is none of that number."""
        host, waiting = self.host, self.host.connector(number).authorisation
        bills: Bills = host.feature(Bills)
        bill = bills.at(number)
        if bill is None or waiting is not None or not bill.is_shown(now_s):
            price = None if waiting is None else bills.price_for(waiting.id_tag)
            shown = CostDisplay(number, CostState.PRICE, self._price_texts(price))
        else:
            shown = self._billed(number, bill, now_s)
        shown = replace(shown, zone_s=host.feature(TimeZone).offset_s)
        return shown.rounded(host.setting(NUMBER_OF_DECIMALS_FOR_COST_VALUES))

    def _billed(self, number: int, bill: Bill, now_s: float) -> CostDisplay:
        texts, is_online = self._price_texts(bill.price), self.host.session.is_online
        told = bill.total or bill.running
        if bill.is_ended and bill.total is None and not is_online:
            return CostDisplay(number, CostState.FOLLOWS, texts)
        if told is None:
            default = self.host.feature(Texts).default_price
            charging = default.charging if default is not None and bill.began_offline else None
            return CostDisplay(number, CostState.PRICE, texts, charging=charging)
        cost = told.at(self.host.calendar.utc_s(now_s))
        state = CostState.FINISHED if bill.total is not None else CostState.IDLE if cost.is_idle else CostState.CHARGING
        return CostDisplay(
            number,
            state,
            self.host.feature(Texts).texts(cost.text, cost.extra) or texts,
            cost.amount,
            cost.at_utc_s,
            cost.meter_wh,
            cost.charging,
            cost.idle,
            cost.next_period,
            cost.qr_code,
        )

    def _price_texts(self, price: UserPrice | None) -> tuple[PriceText, ...]:
        texts: Texts = self.host.feature(Texts)
        own = () if price is None else texts.texts(price.text, price.extra)
        return own or texts.default_texts(self.host.session.is_online)

    # --- when it may have changed -------------------------------------------------------------------------------------

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self._tell_all(now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        self._tell(connector, now_s)

    def link_opened(self, now_s: float) -> None:
        self._tell_all(now_s)

    def link_closed(self, now_s: float) -> None:
        self._tell_all(now_s)

    def registered(self, now_s: float) -> None:
        self._tell_all(now_s)

    def setting_changed(self, name: str, now_s: float) -> None:
        self._tell_all(now_s)

    def _tell_all(self, now_s: float) -> None:
        for connector in self.host.connectors:
            self._tell(connector, now_s)

    def _tell(self, connector: Connector, now_s: float) -> None:
        """Write what is shown into the journal, when it is something else than before."""
        if not self.host.journal:
            return
        shown = self.at(connector.number, now_s)
        amount = "" if shown.amount is None else str(shown.amount)
        entry = CostShown(connector.number, shown.state.value, amount, shown.text)
        if entry != self._told.get(connector.number, CostShown(connector.number, CostState.PRICE.value, "", "")):
            self._told[connector.number] = entry
            self.host.journal.write(now_s, entry)
