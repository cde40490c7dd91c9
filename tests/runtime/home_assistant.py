"""What Home Assistant makes of MQTT messages, as its documentation is known to say: nothing of the program is used here.

Written from memory, not beside the pages. They are "MQTT" (discovery topic, payload, availability, birth and last
will), "MQTT Sensor", "MQTT binary sensor", "MQTT Number", "MQTT Switch", "Sensor" and "Binary sensor" (device
classes), "Sensor entity" (state classes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMMON = {
    "availability_topic",
    "device",
    "device_class",
    "entity_category",
    "icon",
    "name",
    "origin",
    "payload_available",
    "payload_not_available",
    "qos",
    "state_topic",
    "unique_id",
}
COMPONENTS: Mapping[str, tuple[set[str], set[str]]] = {
    "sensor": ({"state_topic"}, {"options", "state_class", "suggested_display_precision", "unit_of_measurement"}),
    "binary_sensor": ({"state_topic"}, {"payload_on", "payload_off"}),
    "number": ({"command_topic"}, {"command_topic", "max", "min", "mode", "step", "unit_of_measurement", "retain"}),
    "switch": ({"command_topic"}, {"command_topic", "payload_on", "payload_off", "state_on", "state_off", "retain"}),
}
"""Required keys, and those that a component knows beside the common ones."""
UNITS = {
    "current": {"A", "mA"},
    "duration": {"d", "h", "min", "s", "ms"},
    "energy": {"Wh", "kWh", "MWh"},
    "power": {"mW", "W", "kW"},
}
STATE_CLASSES = {"energy": {"total", "total_increasing"}}
"""Where a device class does not go with every state class."""
ANY_STATE_CLASS = {"measurement", "total", "total_increasing"}
BINARY_CLASSES = {"connectivity", "plug", "problem", "power", "running"}
DEVICE = {"connections", "hw_version", "identifiers", "manufacturer", "model", "name", "serial_number", "sw_version"}
LONGEST_STATE = 255


@dataclass(frozen=True)
class Found:
    """An entity as it shows."""

    component: str
    config: Mapping[str, Any]
    state: str | None
    is_available: bool


def entities(messages: Mapping[str, str], prefix: str = "homeassistant") -> dict[str, Found]:
    """Return by unique id what is discovered from retained messages. Raises AssertionError for what is not taken."""
    found: dict[str, Found] = {}
    for topic, payload in messages.items():
        if not (topic.startswith(f"{prefix}/") and topic.endswith("/config")):
            continue
        # <discovery_prefix>/<component>/[<node_id>/]<object_id>/config
        parts = re.fullmatch(rf"{prefix}/(\w+)/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config", topic)
        assert parts is not None, topic
        config = json.loads(payload)
        _check(parts[1], config)
        assert config["unique_id"] not in found, "unique ids are unique"
        state = messages.get(config["state_topic"])
        found[config["unique_id"]] = each = Found(
            parts[1], config, state, messages.get(config["availability_topic"]) == "online"
        )
        if state is not None:
            _check_state(each)
    return found


def _check(component: str, config: Mapping[str, Any]) -> None:
    required, known = COMPONENTS[component]
    assert required <= config.keys(), f"{component} needs {required - config.keys()}"
    assert config.keys() <= COMMON | known, f"{component} does not know {config.keys() - COMMON - known}"
    device = config["device"]
    assert device.get("identifiers") or device.get("connections"), "a device needs one of them"
    assert device.keys() <= DEVICE
    assert "unique_id" in config, "without one a device is ignored"
    assert config["origin"]["name"], "origin: name is required"
    assert config.get("entity_category") in (None, "diagnostic", *(["config"] if "command_topic" in config else []))
    for key in ("state_topic", "command_topic", "availability_topic"):
        assert not re.search(r"[+#]", config.get(key, "")), "no wildcards"
    device_class, unit = config.get("device_class"), config.get("unit_of_measurement")
    if component in ("sensor", "number") and device_class in UNITS:
        assert unit in UNITS[device_class], f"{device_class} in {unit}"
    if component == "sensor":
        _check_sensor(config)
    if component == "binary_sensor":
        assert device_class in (None, *BINARY_CLASSES)
    if component == "number":
        assert config.get("min", 1) < config.get("max", 100)
        assert config.get("step", 1) >= 0.001
        assert config.get("mode", "auto") in ("auto", "box", "slider")


def _check_sensor(config: Mapping[str, Any]) -> None:
    device_class, state_class = config.get("device_class"), config.get("state_class")
    assert device_class in (None, "enum", *UNITS)
    assert state_class in (None, *STATE_CLASSES.get(device_class or "", ANY_STATE_CLASS))
    assert ("options" in config) == (device_class == "enum")
    if device_class == "enum":
        assert config["options"]
        assert state_class is None
        assert "unit_of_measurement" not in config


def _check_state(found: Found) -> None:
    config, state = found.config, found.state
    assert state is not None
    assert len(state) <= LONGEST_STATE
    if state == "None":  # unknown
        return
    if found.component in ("binary_sensor", "switch"):
        assert state in ("ON", "OFF")
    elif config.get("device_class") == "enum":
        assert state in config["options"]
    elif "unit_of_measurement" in config:
        value = float(state)
        if found.component == "number":
            assert config.get("min", 1) <= value <= config.get("max", 100)
