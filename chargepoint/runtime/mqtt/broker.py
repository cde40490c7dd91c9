"""Which MQTT broker a charger tells its state to, and under which topics."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

PLAIN_PORT = 1883
TLS_PORT = 8883
DEFAULT_PREFIX = "chargepoint"
DEFAULT_DISCOVERY_PREFIX = "homeassistant"
# An environment that uv made has no pip in it.
_PIP = "{} -m pip install" if importlib.util.find_spec("pip") else "uv pip install --python {}"
NO_MQTT = f"MQTT needs aiomqtt, which is not installed: {_PIP.format(sys.executable)} aiomqtt"


def has_mqtt() -> bool:
    """Whether the packages of the extra [mqtt] are installed."""
    return importlib.util.find_spec("aiomqtt") is not None


@dataclass(frozen=True, slots=True)
class Broker:
    """An MQTT broker. ``ca_file``: speak TLS, and trust these roots. ``prefix``: what all our topics begin with."""

    host: str
    port: int = PLAIN_PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    prefix: str = DEFAULT_PREFIX
    discovery_prefix: str = DEFAULT_DISCOVERY_PREFIX
    """Where Home Assistant looks for devices."""


def is_topic(text: str) -> bool:
    """Whether a text may begin the topics of messages (MQTT 3.1.1, 4.7): levels, none empty, without wildcards."""
    return re.fullmatch(r"[^$/+#\0\s][^/+#\0\s]*(/[^/+#\0\s]+)*", text) is not None and len(text) <= 200


def node_of(identity: str) -> str:
    """Return an identity as Home Assistant takes it in topics: letters, digits, _ and - only; distinct ones stay so."""
    node = re.sub(r"[^A-Za-z0-9_-]", "_", identity)
    return node if node == identity else f"{node}_{hashlib.sha256(identity.encode()).hexdigest()[:6]}"
