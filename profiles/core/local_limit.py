"""What the owner of the box allows: a limit set on site, such as by home automation, beside those of the central system.

OCPP 1.6 leaves local limits to the charge point (3.13); the least of all limits wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import Limit
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.pilot import MINIMUM_A
from chargepoint.model.record import Fields, RecordKind, Snapshot, numbered

REASON = "local control"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is allowed at a connector, per phase. ``amps`` None: no limit; ``is_held``: nothing, until it is resumed."""

    amps: float | None = None
    is_held: bool = False


FREE = Allowance()


def _allowance(key: str, fields: Fields) -> Allowance:
    numbered(key)
    return Allowance(fields.optional("amps", fields.amount), fields.flag("is_held"))


LOCAL_LIMIT = RecordKind("local_limit", __name__, _allowance, "the local limit of connector {key}: it no longer holds")
"""Keyed by connector."""


class LocalLimit(FeatureProfile):
    """Keeps the limits that were set on site, over restarts too."""

    __slots__ = ("_allowances",)

    name = "Core"
    records = (LOCAL_LIMIT,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._allowances: dict[int, Allowance] | None = None
        """By connector; None as long as there never was one."""

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        stored = snapshot.of(LOCAL_LIMIT)
        if stored:
            self._allowances = {int(number): allowance for number, allowance in stored.items()}

    def at(self, connector: Connector) -> float | None:
        """Return the local limit of a connector in A per phase, 0 while it is held, None when there is none."""
        allowance = self._allowance(connector)
        if allowance.is_held:
            return 0.0
        # The box may have been given a smaller outlet since.
        return None if allowance.amps is None else min(allowance.amps, connector.outlet.most_a)

    def set(self, connector: Connector, amps: float | None, now_s: float) -> None:
        """Allow ``amps`` per phase, None: as much as ever. Below 6 A, which no pilot can signal, nothing is allowed until
        `resume`.

        Raises ValueError for more than the outlet can bear.
        """
        if amps is not None and amps < MINIMUM_A:
            self._keep(connector, replace(self._allowance(connector), is_held=True), now_s)
            return
        most_a = connector.outlet.most_a
        if amps is not None and amps > most_a:
            raise ValueError(f"connector {connector.number} bears {most_a:g} A, not {amps:g} A")
        self._keep(connector, Allowance(amps), now_s)

    def resume(self, connector: Connector, now_s: float) -> None:
        """Allow again what was allowed before nothing was."""
        self._keep(connector, replace(self._allowance(connector), is_held=False), now_s)

    def limits(self, connector: Connector, now_s: float) -> Iterable[Limit]:
        amps = self.at(connector)
        return () if amps is None else (Limit(amps, REASON),)

    def _allowance(self, connector: Connector) -> Allowance:
        return FREE if self._allowances is None else self._allowances.get(connector.number, FREE)

    def _keep(self, connector: Connector, allowance: Allowance, now_s: float) -> None:
        if allowance == self._allowance(connector):
            return
        self._allowances = self._allowances or {}
        self._allowances[connector.number] = allowance
        self.host.save(LOCAL_LIMIT.name, str(connector.number), None if allowance == FREE else asdict(allowance))
        connector.reconsider(now_s)
