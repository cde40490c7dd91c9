"""DataTransfer (OCPP 1.6 4.3, 5.6; test cases 062, 064)."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from chargepoint.model.outbox import Ref
from tests.world import ERROR, SILENCE, World


def test_an_unknown_vendor_is_answered_as_such(world: World) -> None:
    """unknown vendor: UnknownVendorId, without data (5.6; test case 062)."""
    answer = world.ask("DataTransfer", vendorId="com.example", messageId="M", data="x")
    assert answer == {"status": "UnknownVendorId"}


def test_only_the_vendor_is_needed(world: World) -> None:
    """vendorId is required, messageId and data are not (6.15)."""
    assert world.ask("DataTransfer", vendorId="com.example") == {"status": "UnknownVendorId"}


def test_data_is_a_text(world: World) -> None:
    """data is a string: JSON inside must be text (6.15)."""
    assert world.ask("DataTransfer", vendorId="com.example", data={"a": 1}) == "TypeConstraintViolation"


def test_the_charger_can_send_one(world: World) -> None:
    """If a Charge Point needs to send information not supported by OCPP, it SHALL use DataTransfer (4.3)."""
    world.model.send(call.DataTransfer(vendor_id="com.example", data="hello"), Ref("data", "1"), world.now_s)
    assert world.run(1).last("DataTransfer") == {"vendorId": "com.example", "data": "hello"}


@pytest.mark.parametrize("answer", [ERROR, SILENCE])
def test_a_failed_one_disturbs_nothing(world: World, answer: object) -> None:
    """DataTransfer: failures are the vendor's business (4.3)."""
    world.peer.answers["DataTransfer"] = lambda payload: answer
    world.model.send(call.DataTransfer(vendor_id="com.example"), Ref("data", "1"), world.now_s)
    assert world.run(40).charge().connector().is_charging
