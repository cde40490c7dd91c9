"""The light of an outlet: its colour tells the status, a blink that a card was seen (keys 9.1.4 and 9.1.11).

A board without a light has neither of the keys.
"""

from __future__ import annotations

from ocpp.v16.enums import ChargePointStatus

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import integer
from chargepoint.model.outbox import Indicate
from chargepoint.model.record import Snapshot

BLINK_REPEAT = integer("BlinkRepeat", 3, maximum=100, unit="times", source="9.1.4", effect="blinks when a card is seen")
LIGHT_INTENSITY = integer("LightIntensity", 100, maximum=100, unit="%", source="9.1.11", effect="brightness of the light")

COLOURS = {
    ChargePointStatus.available: "green",
    ChargePointStatus.preparing: "yellow",
    ChargePointStatus.charging: "blue",
    ChargePointStatus.suspended_ev: "blue",
    ChargePointStatus.suspended_evse: "yellow",
    ChargePointStatus.finishing: "white",
    ChargePointStatus.reserved: "yellow",
    ChargePointStatus.unavailable: "off",
    ChargePointStatus.faulted: "red",
}


class Light(FeatureProfile):
    """Shows every connector's status on its light."""

    __slots__ = ("_shown",)

    name = "Core"
    keys = (BLINK_REPEAT, LIGHT_INTENSITY)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._shown: dict[int, str] = {}

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        for connector in self.host.connectors:
            self._show(connector, 0)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        if self._shown.get(connector.number) != COLOURS[connector.status]:
            self._show(connector, 0)

    def tag_presented(self, tag: str, connectors: tuple[int, ...], now_s: float) -> None:
        for number in connectors:
            if self.host.has_connector(number):
                self._show(self.host.connector(number), self.host.setting(BLINK_REPEAT))

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == LIGHT_INTENSITY.name:
            for connector in self.host.connectors:
                self._show(connector, 0)

    def _show(self, connector: Connector, blinks: int) -> None:
        if connector.outlet.has_light:
            colour = self._shown[connector.number] = COLOURS[connector.status]
            self.host.emit(Indicate(connector.number, colour, self.host.setting(LIGHT_INTENSITY), blinks))
