"""Orders typed at the embedded central system (chargepoint.cli.orders)."""

from __future__ import annotations

from random import Random

import pytest

from chargepoint.cli.orders import OrderError, parse, send
from chargepoint.runtime.central_system import CentralSystem


@pytest.mark.parametrize(
    ("line", "action", "payload", "identity"),
    [
        ("ClearCache", "ClearCache", {}, None),
        ("reset type=Soft @CP7", "Reset", {"type": "Soft"}, "CP7"),
        ("UnlockConnector connectorId=1", "UnlockConnector", {"connectorId": 1}, None),
        ("RemoteStartTransaction idTag=0412", "RemoteStartTransaction", {"idTag": "0412"}, None),
        ('DataTransfer {"vendorId": "x", "data": "a b"}', "DataTransfer", {"vendorId": "x", "data": "a b"}, None),
        ("ChangeConfiguration key=K value=60", "ChangeConfiguration", {"key": "K", "value": "60"}, None),
    ],
)
def test_an_order_is_an_action_with_its_fields(line: str, action: str, payload: object, identity: str | None) -> None:
    """Card numbers and configuration values stay text, numbers are numbers."""
    assert parse(line) == (action, payload, identity)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("RemoteStart idTag=1", "did you mean RemoteStartTransaction?"),
        ("Reset Soft", "name=value"),
        ("Reset {broken", "cannot read"),
    ],
)
def test_an_order_that_cannot_be_read_says_what_to_write(line: str, hint: str) -> None:
    with pytest.raises(OrderError, match=hint):
        parse(line)


def test_an_order_goes_to_the_only_charger() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    send(central, "GetConfiguration key=HeartbeatInterval,NumberOfConnectors")
    assert '"GetConfiguration",{"key":["HeartbeatInterval","NumberOfConnectors"]}' in sent[0]


def test_an_order_among_several_names_its_charger() -> None:
    central = CentralSystem(Random(1))
    sent: list[str] = []
    central.connected("CP1", sent.append)
    central.connected("CP2", sent.append)
    with pytest.raises(OrderError, match="which charger"):
        send(central, "ClearCache")
    with pytest.raises(OrderError, match="type"):
        send(central, "Reset type=Warm @CP1")
    assert sent == []
