"""DataTransfer (OCPP 1.6 4.3, 5.6; test cases 062, 064)."""

from __future__ import annotations

import pytest
from ocpp.v16 import call
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.options import Options, VendorAnswer
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


# --- answers by configuration -----------------------------------------------------------------------------------------

ANSWERS = (
    VendorAnswer(vendor="com.acme", message="Ping", data="pong"),
    VendorAnswer(vendor="com.acme", message="Echo", is_echo=True),
    VendorAnswer(vendor="com.acme", message="Refuse", status=DataTransferStatus.rejected, data="because"),
    VendorAnswer(vendor="com.any", status=DataTransferStatus.accepted),
    VendorAnswer(vendor="com.any", message="Not", status=DataTransferStatus.unknown_message_id),
)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"vendorId": "com.acme", "messageId": "Ping"}, {"status": "Accepted", "data": "pong"}),
        ({"vendorId": "COM.ACME", "messageId": "ping"}, {"status": "Accepted", "data": "pong"}),
        ({"vendorId": "com.acme", "messageId": "Echo", "data": "{}"}, {"status": "Accepted", "data": "{}"}),
        ({"vendorId": "com.acme", "messageId": "Echo"}, {"status": "Accepted"}),
        ({"vendorId": "com.acme", "messageId": "Refuse"}, {"status": "Rejected", "data": "because"}),
        ({"vendorId": "com.acme", "messageId": "Other"}, {"status": "UnknownMessageId"}),
        ({"vendorId": "com.acme"}, {"status": "UnknownMessageId"}),
        ({"vendorId": "com.any", "messageId": "Whatever", "data": "x"}, {"status": "Accepted"}),
        ({"vendorId": "com.any"}, {"status": "Accepted"}),
        ({"vendorId": "com.any", "messageId": "Not"}, {"status": "UnknownMessageId"}),
        ({"vendorId": "com.other", "messageId": "Ping"}, {"status": "UnknownVendorId"}),
    ],
)
def test_the_configuration_says_what_a_vendor_is_answered(request_: dict[str, str], answer: dict[str, str]) -> None:
    """In case of a messageId mismatch the recipient SHALL return status UnknownMessageId; Accepted or Rejected and the
    data element is part of the vendor-specific agreement (4.3)."""
    world = World(plan={"options": Options(vendor_answers=ANSWERS)})
    assert world.ask("DataTransfer", **request_) == answer


def test_a_feature_that_knows_the_vendor_answers_first() -> None:
    """The messages of prices and costs keep their meaning."""
    vendor = "org.openchargealliance.costmsg"
    options = Options(vendor_answers=(VendorAnswer(vendor=vendor, data="mine"),))
    world = World(keys={"CustomDisplayCostAndPrice": "true"}, plan={"options": options})
    assert world.ask("DataTransfer", vendorId=vendor, messageId="Nothing") == {"status": "UnknownMessageId"}
