"""The start of a charge point from its store: the records of the model itself, before those of the feature profiles.

Nothing here stops a start: a record that cannot be used is put aside, and what is lost with it is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .energy import METER
from .faults import Trouble
from .journal import Journal, Undelivered
from .keys import Settings
from .outbox import Effect
from .record import Snapshot
from .records import AVAILABILITY, CONFIGURATION, FAULT
from .transaction import UNDELIVERED, TransactionQueue

if TYPE_CHECKING:
    from .connector import Connector


class RestoredHost(Protocol):
    """What is restored of a charge point."""

    journal: Journal
    queue: TransactionQueue
    settings: Settings

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]: ...
    @property
    def connectors(self) -> Sequence[Connector]: ...
    def emit(self, effect: Effect) -> None: ...
    def report_loss(self, loss: str) -> None: ...


def restore(host: RestoredHost, snapshot: Snapshot, now_s: float) -> None:
    """Take up settings, transactions, registers and availability."""
    for each in snapshot.damaged:
        for save in each.put_aside():
            host.emit(save)
        host.report_loss(each.report)
    for name, value in snapshot.of(CONFIGURATION).items():
        try:
            host.settings.configure(name, value)
        except ValueError as reason:
            host.log.warning("stored configuration key %s is not usable: %s", name, reason)
    known = set(snapshot.of(UNDELIVERED))
    for loss in host.queue.restore(snapshot):
        host.report_loss(loss)
    for key, message in host.queue.undelivered.items():
        if key not in known:
            host.journal.write(now_s, Undelivered(key, message.action, "its transaction is lost"))
    numbers = {str(connector.number): connector for connector in host.connectors}
    for number, register in snapshot.of(METER).items():
        if number in numbers:
            numbers[number].meter.restore(register.energy_wh, register.offset_wh)
    for key, info in snapshot.of(FAULT).items():
        number, _, name = key.partition("/")
        if number in numbers:
            numbers[number].faults.restore(Trouble(name), info)
    for number, availability in snapshot.of(AVAILABILITY).items():
        if number in numbers:
            numbers[number].availability.restore(availability.is_operative, availability.is_scheduled)
