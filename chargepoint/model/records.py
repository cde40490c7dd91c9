"""The kinds of records that the model itself keeps. Those of feature profiles stand in `FeatureProfile.records`.

`Roster.records` is the table of all kinds of a charger. Kinds that only the runtime reads (a simulated board, the count
of starts) stand with their readers there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocpp.v16.enums import Reason

from .energy import METER
from .record import Fields, RecordKind, numbered
from .transaction import QUEUE, SAMPLE, TRANSACTION, UNDELIVERED


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a connector is in service (OCPP 1.6 5.2). ``is_scheduled``: Inoperative follows when its transaction ends."""

    is_operative: bool
    is_scheduled: bool = False


def _availability(key: str, fields: Fields) -> Availability:
    numbered(key)
    return Availability(fields.flag("operative"), "scheduled" in fields and fields.flag("scheduled"))


CONFIGURATION = RecordKind(
    "configuration",
    "chargepoint.model.chargepoint",
    lambda _key, fields: fields.text("value"),
    "the value of configuration key {key}: its default is in force",
)
AVAILABILITY = RecordKind(
    "availability", "chargepoint.model.chargepoint", _availability, "the availability of connector {key}: it is Operative"
)
"""Keyed by connector, 0 for the whole charge point."""
RESTART = RecordKind(
    "restart",
    "chargepoint.model.chargepoint",
    lambda _key, fields: Reason(fields.text("reason")).value,
    "the cause of the restart: the transactions that it ended stop with PowerLoss",
)
"""One, keyed ``cause``: the reason with which running transactions end if the process does not come to it."""

MODEL: tuple[RecordKind[Any], ...] = (
    CONFIGURATION,
    AVAILABILITY,
    RESTART,
    METER,
    TRANSACTION,
    SAMPLE,
    QUEUE,
    UNDELIVERED,
)
COPIED = {kind.name: kind for kind in MODEL if kind.is_copied is not None}
"""By name, the kinds of which the store keeps second copies."""
