"""The kinds of records that the model itself keeps. Those of feature profiles stand in `FeatureProfile.records`.

`Roster.records` is the table of all kinds of a charger. Kinds that only the runtime reads (a simulated board, the count
of starts) stand with their readers there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocpp.v16.enums import Reason

from .energy import METER
from .faults import MEANINGS, Trouble
from .record import Fields, RecordError, RecordKind, numbered
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

def _fault(key: str, fields: Fields) -> str:
    number, _, name = key.partition("/")
    numbered(number)
    if Trouble(name) not in MEANINGS:
        raise RecordError("it is no fault of this charger")
    return fields.text("info")


FAULT = RecordKind(
    "fault",
    "chargepoint.model.connector_faults",
    _fault,
    "a fault that was latched until service, {key}: have the outlet inspected",
    is_copied=lambda _body: True,
)
"""Faults that only `confirm-repair` clears, keyed ``connector/fault``."""

MODEL: tuple[RecordKind[Any], ...] = (
    CONFIGURATION,
    AVAILABILITY,
    RESTART,
    FAULT,
    METER,
    TRANSACTION,
    SAMPLE,
    QUEUE,
    UNDELIVERED,
)
COPIED = {kind.name: kind for kind in MODEL if kind.is_copied is not None}
"""By name, the kinds of which the store keeps second copies."""
