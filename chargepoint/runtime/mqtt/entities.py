"""What is told of a charger over MQTT, and what it takes: one table, for topics and for Home Assistant's discovery.

Every entity has its state topic ``PREFIX/CHARGER/KEY`` (of the box) or ``PREFIX/CHARGER/CONNECTOR/KEY``; numbers and
switches take orders at ``…/set``. Sources: Home Assistant's documentation of MQTT discovery and of its MQTT sensor, binary
sensor, number and switch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ocpp.v16.enums import ChargePointStatus

import chargepoint
from chargepoint.model.pilot import MINIMUM_A
from chargepoint.runtime.control import responses

from .broker import Broker, node_of

UNKNOWN = "None"
"""What Home Assistant takes for a value that nobody knows."""
LONGEST_STATE = 255
"""Home Assistant refuses longer states."""
ONLINE, OFFLINE = "online", "offline"
"""Its words for availability, and for its own birth and death."""

S = TypeVar("S", responses.Charger, responses.Connector)


@dataclass(frozen=True, slots=True)
class Entity(Generic[S]):
    """One thing that Home Assistant shows, of a charger or of a connector."""

    key: str
    component: str
    name: str
    told: Callable[[S], str]
    shape: Callable[[S], Mapping[str, Any]] = lambda of: {}
    """What else its discovery says."""

    @property
    def takes_orders(self) -> bool:
        return self.component in ("number", "switch")


def _fixed(**shape: Any) -> Callable[[Any], Mapping[str, Any]]:
    return lambda of: shape


def _switch(is_on: bool) -> str:
    return "ON" if is_on else "OFF"


def _measured(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"


def _register(of: responses.Connector) -> str:
    # While the meter does not answer the register may be an old one or 0, and a total that falls and rises again would
    # count as energy.
    return UNKNOWN if of.meter.power_w is None else _measured(of.meter.register_wh)


def _limit_shape(of: responses.Connector) -> Mapping[str, Any]:
    shape = {"min": 0, "max": of.most_a, "step": 1, "mode": "slider"}
    return {**shape, "device_class": "current", "unit_of_measurement": "A"}


_ENERGY = {"device_class": "energy", "unit_of_measurement": "Wh", "state_class": "total_increasing"}

OF_CHARGER: tuple[Entity[responses.Charger], ...] = (
    Entity(
        "connected",
        "binary_sensor",
        "Central system",
        lambda of: _switch(of.is_connected),
        _fixed(device_class="connectivity", entity_category="diagnostic"),
    ),
)

OF_CONNECTOR: tuple[Entity[responses.Connector], ...] = (
    Entity(
        "status",
        "sensor",
        "Status",
        lambda of: of.status,
        _fixed(device_class="enum", options=[status.value for status in ChargePointStatus], icon="mdi:ev-station"),
    ),
    Entity(
        "power",
        "sensor",
        "Power",
        lambda of: _measured(of.meter.power_w),
        _fixed(device_class="power", unit_of_measurement="W", state_class="measurement"),
    ),
    Entity("energy", "sensor", "Energy", _register, _fixed(**_ENERGY)),
    Entity(
        "session_energy",
        "sensor",
        "Session energy",
        lambda of: _measured(0.0 if of.charge is None else of.charge.energy_wh),
        _fixed(**_ENERGY),
    ),
    Entity(
        "session_time",
        "sensor",
        "Session time",
        # Whole minutes: a recorder keeps every change.
        lambda of: _measured(0.0 if of.charge is None else of.charge.duration_s // 60),
        _fixed(device_class="duration", unit_of_measurement="min", state_class="measurement"),
    ),
    Entity(
        "offered_current",
        "sensor",
        "Offered current",
        lambda of: f"{of.limit_a:g}",
        _fixed(device_class="current", unit_of_measurement="A", state_class="measurement"),
    ),
    Entity("limited_by", "sensor", "Limited by", lambda of: of.why[:LONGEST_STATE], _fixed(icon="mdi:speedometer")),
    Entity("plugged", "binary_sensor", "Plugged", lambda of: _switch(of.is_car_connected), _fixed(device_class="plug")),
    Entity(
        "contactor",
        "binary_sensor",
        "Contactor",
        lambda of: _switch(of.pilot.is_contactor_closed),
        _fixed(entity_category="diagnostic", icon="mdi:electric-switch"),
    ),
    Entity(
        "fault",
        "binary_sensor",
        "Fault",
        lambda of: _switch(of.error_code != "NoError"),
        _fixed(device_class="problem"),
    ),
    Entity(
        "error",
        "sensor",
        "Error",
        lambda of: ": ".join(filter(None, (of.error_code, of.info)))[:LONGEST_STATE],
        _fixed(entity_category="diagnostic"),
    ),
    Entity(
        "limit",
        "number",
        "Limit",
        lambda of: f"{of.most_a if of.local_limit_a is None else of.local_limit_a:g}",
        _limit_shape,
    ),
    Entity(
        "charging",
        "switch",
        "Charging allowed",
        lambda of: _switch(of.local_limit_a != 0.0),
        _fixed(icon="mdi:ev-plug-type2"),
    ),
)


class UnknownOrder(ValueError):
    """A message that is no order to this charger."""


class Topics:
    """Where a charger tells what, and what a message at one of its topics asks for."""

    def __init__(self, broker: Broker, identity: str) -> None:
        self._discovery_prefix = broker.discovery_prefix
        self._node = node_of(identity)
        self._base = f"{broker.prefix}/{self._node}"
        self.client_id = f"chargepoint-{self._node}"
        self.availability = f"{self._base}/availability"
        self.birth = f"{broker.discovery_prefix}/status"
        """Where Home Assistant says that it has started."""

    def orders(self) -> list[str]:
        """Return the topics to listen at, with a wildcard for the connector."""
        return [f"{self._base}/+/{each.key}/set" for each in OF_CONNECTOR if each.takes_orders]

    def messages(self, charger: responses.Charger) -> Iterator[tuple[str, str]]:
        """Yield all that can be told of a charger, as topic and payload: what exists, how it is, and that it is up."""
        for box in OF_CHARGER:
            yield self._discovery(charger, box, charger, box.key, box.name)
            yield f"{self._base}/{box.key}", box.told(charger)
        for connector in charger.connectors:
            for each in OF_CONNECTOR:
                path = f"{connector.connector}/{each.key}"
                name = each.name if len(charger.connectors) == 1 else f"Connector {connector.connector} {each.name}"
                yield self._discovery(charger, each, connector, path, name)
                yield f"{self._base}/{path}", each.told(connector)
        yield self.availability, ONLINE if charger.phase == "running" else OFFLINE

    def _discovery(self, charger: responses.Charger, entity: Entity[S], of: S, path: str, name: str) -> tuple[str, str]:
        """Return the message by which Home Assistant learns of an entity."""
        state, key = f"{self._base}/{path}", path.replace("/", "_")
        device = {
            "identifiers": [f"chargepoint_{self._node}"],
            "name": charger.id,
            "manufacturer": charger.vendor,
            "model": charger.model,
            "sw_version": charger.firmware_version,
        }
        config = {
            "name": name,
            "unique_id": f"chargepoint_{self._node}_{key}",
            "state_topic": state,
            **({"command_topic": f"{state}/set"} if entity.takes_orders else {}),
            **entity.shape(of),
            "availability_topic": self.availability,
            "device": {name: value for name, value in device.items() if value},
            "origin": {"name": "chargepoint", "sw_version": chargepoint.__version__},
        }
        topic = f"{self._discovery_prefix}/{entity.component}/chargepoint_{self._node}/{key}/config"
        return topic, json.dumps(config, ensure_ascii=False, separators=(",", ":"))

    def command(self, topic: str, payload: bytes) -> tuple[str, dict[str, Any]]:
        """Return the command, with its arguments, that a message asks for. Raises UnknownOrder."""
        connector, _, key = topic.removeprefix(f"{self._base}/").removesuffix("/set").partition("/")
        if not (connector.isascii() and connector.isdecimal() and len(connector) <= 2):
            raise UnknownOrder(f"no connector {connector[:20]!r}")
        text = payload[:20].decode("ascii", "replace").strip()
        arguments: dict[str, Any] = {"connector": int(connector)}
        if key == "limit":
            try:
                return "limit", {**arguments, "amps": float(text)}
            except ValueError:
                raise UnknownOrder(f"{text!r} is no current: 0, or {MINIMUM_A:g} A and more") from None
        if key == "charging" and text == "ON":
            return "unpause", arguments
        if key == "charging" and text == "OFF":
            return "pause", arguments
        raise UnknownOrder(f"{text!r} is neither ON nor OFF")
