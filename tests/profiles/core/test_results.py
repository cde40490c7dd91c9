"""Confirmations that are not quite as the standard has them (OCPP 1.6 3.7.1, 4.8; OCPP-J 4.2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World

ACCEPTED = {"status": "Accepted"}


@pytest.mark.parametrize(
    "answer",
    [
        {"transactionId": 7, "idTagInfo": {**ACCEPTED, "expiryDate": None, "parentIdTag": None}},
        {"transactionId": 7, "idTagInfo": {**ACCEPTED, "language": "de"}},
        {"transactionId": 7, "idTagInfo": ACCEPTED, "meterStart": 0},
    ],
    ids=["null", "inner field", "field"],
)
def test_a_transaction_that_was_answered_is_not_begun_again(world: World, answer: dict[str, Any]) -> None:
    """When the Central System fails to process a message it SHOULD be sent again (3.7.1): this one it has processed."""
    world.peer.answers["StartTransaction"] = lambda _: answer
    world.charge().run(400).tap("A1").run(10)
    assert len(world.calls("StartTransaction")) == 1
    assert world.last("StopTransaction")["transactionId"] == 7


def test_an_end_that_was_answered_is_not_told_again(world: World) -> None:
    """Optional. It contains information about authorization status, expiry and parent id (6.50); null is none."""
    world.peer.answers["StopTransaction"] = lambda _: {"idTagInfo": None}
    world.charge().tap("A1").run(400)
    assert len(world.calls("StopTransaction")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"transactionId": None, "idTagInfo": ACCEPTED},
        {"transactionId": 7, "idTagInfo": {"status": None}},
    ],
    ids=["id", "status"],
)
def test_what_matters_must_be_there_and_be_understood(world: World, answer: dict[str, Any]) -> None:
    """An invalid confirmation is a failure to process: three attempts (3.7.1; handbook, messages 1.4)."""
    world.peer.answers["StartTransaction"] = lambda _: answer
    world.charge().run(400)
    assert len(world.calls("StartTransaction")) == 3


def test_a_call_with_the_same_faults_is_refused(world: World) -> None:
    """A CALL can be answered with what is wrong with it: TypeConstraintViolation, FormationViolation (OCPP-J table 7)."""
    assert world.ask("RemoteStartTransaction", idTag="A1", connectorId=None) == "TypeConstraintViolation"
    assert world.ask("RemoteStartTransaction", idTag="A1", colour="red") == "FormationViolation"
