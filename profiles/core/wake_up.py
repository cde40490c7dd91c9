"""Waking a car that has fallen asleep: it is offered energy and does not ask for it.

Cars sleep after a long time without an offer, and some notice a new one only when the pilot was gone for a while. The pilot
is cut for 4 s then, while plug, lock and transaction stay as they are; OCPP learns nothing of it. A car that has left
state C by itself is full, or its driver wants nothing: it is never cut.

Source: practice of IEC 61851-1 chargers for cars that do not answer a new offer ("legacy wake-up").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.journal import CarAsleep, WakeUpTried
from chargepoint.model.keys import integer
from chargepoint.model.timebase import Alarm
from chargepoint.model.transaction import Transaction
from hw.ports import Reading

PATIENCE_S = 90.0
"""How long a car may take to ask for what it is offered [D]: 30 s to 90 s are usual, and slow cars need all of it."""
ANSWER_S = 100.0
"""How long a car may take to ask after its pilot was cut: it wakes up, and is as slow as before."""
CUTS_S = (4.0, 30.0)
"""How long the pilot is cut at the first try and at the second."""

WAKE_UP_TRIES = integer(
    "WakeUpTries",
    1,
    maximum=len(CUTS_S),
    unit="times",
    source="IEC 61851-1",
    effect=f"the pilot is cut for {CUTS_S[0]:g} s, then for {CUTS_S[1]:g} s, when a car does not ask for energy within "
    f"{PATIENCE_S:g} s; 0: never",
)


@dataclass(slots=True)
class _Offer:
    """What one connector's car makes of the offer. It exists while a car may be waited for."""

    alarm: Alarm
    tries: int = 0
    is_asking: bool = False
    is_done: bool = False
    """The car has left state C by itself."""
    is_asleep: bool = False
    """It did not answer the last try either."""


class WakeUp(FeatureProfile):
    """Cuts the pilot of a car that does not answer an offer."""

    __slots__ = ("_offers",)

    name = "Core"
    keys = (WAKE_UP_TRIES,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._offers: dict[int, _Offer] = {}
        """By connector, those with a transaction."""

    def is_asleep(self, connector: Connector) -> bool:
        """Whether the car did not answer the wake-up either."""
        offer = self._offers.get(connector.number)
        return offer is not None and offer.is_asleep

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        alarm = Alarm(self.host.timers, partial(self._waited, connector.number))
        self._offers[connector.number] = _Offer(alarm)

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        offer = self._offers.pop(connector.number, None)
        if offer is not None:
            offer.alarm.clear()

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        offer = self._offers.get(connector.number)
        if offer is None:
            return
        supply = connector.supply
        is_granted = supply.granted_a > 0.0
        if supply.car_asks:
            offer.is_asking, offer.is_asleep, offer.is_done, offer.tries = True, False, False, 0
            offer.alarm.clear()
            return
        if not supply.is_connected:
            offer.is_done, offer.is_asleep, offer.tries = False, False, 0  # another car may come
        elif offer.is_asking and is_granted:
            offer.is_done = True
        offer.is_asking = False
        if not is_granted or offer.is_done or not supply.is_connected:
            offer.alarm.clear()
        elif not offer.alarm.is_set and not offer.is_asleep:
            offer.alarm.set(now_s + PATIENCE_S)

    def _waited(self, number: int, now_s: float) -> None:
        """The car has not asked for so long."""
        connector, offer = self.host.connector(number), self._offers[number]
        if not connector.supply.is_offering:
            offer.alarm.set(now_s + PATIENCE_S)  # the outlet rests: the offer has not been made yet
        elif offer.tries < self.host.setting(WAKE_UP_TRIES):
            cut_s = CUTS_S[offer.tries]
            offer.tries += 1
            if connector.supply.interrupt(cut_s, now_s):
                self.host.log.info("connector %d: the car does not answer: pilot cut for %g s", number, cut_s)
                self.host.journal.write(now_s, WakeUpTried(number, cut_s))
            offer.alarm.set(now_s + cut_s + ANSWER_S)
        else:
            offer.is_asleep = True
            self.host.log.warning("connector %d: car asleep: it does not ask for the energy it is offered", number)
            self.host.journal.write(now_s, CarAsleep(number))
            self.host.connector_changed(connector, now_s)
