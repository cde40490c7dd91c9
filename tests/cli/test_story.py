"""The lines that tell what a charger does."""

from __future__ import annotations

import json

import pytest

from chargepoint.cli.story import Story
from chargepoint.model.journal import CallServed, CostShown, Entry


def line(entry: Entry) -> str:
    written: list[str] = []
    Story(written.append).listen("CP1", 0.0, entry)
    return written[0]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (json.dumps({"idToken": "04A1B2C3", "priceText": "EUR 1"}), "SetUserPrice idToken=04…C3 priceText=EUR 1"),
        ("plain", "vendorId=com.example messageId=SetUserPrice data=plain"),
    ],
)
def test_a_vendors_message_gives_nobody_a_card(data: str, told: str) -> None:
    """Tags are shortened before they are logged, also those in the text of a DataTransfer."""
    request = {"vendorId": "com.example", "messageId": "SetUserPrice", "data": data}
    served = CallServed("1", "DataTransfer", json.dumps(request), True, '{"status":"Accepted"}')
    assert line(served) == f"CP1 ← DataTransfer {told} → Accepted"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (CostShown(1, "Charging", "1.330", "EUR 0.39/kWh"), "display Charging 1.330 (EUR 0.39/kWh)"),
        (CostShown(1, "Follows", "", ""), "display Follows"),
    ],
)
def test_the_display_is_told(shown: CostShown, told: str) -> None:
    """A log shows what a charge costs."""
    assert line(shown) == f"CP1 connector 1: {told}"
