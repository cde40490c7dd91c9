"""What a connector offers its car: the least of all limits, and why not more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hw.ports import Outlet

from .connector_state import Limit
from .journal import Journal, OfferChanged, PilotChanged
from .supervision import Supervision
from .supply import Supply


class OfferOwner(Protocol):
    """What the offer needs of the connector it belongs to."""

    number: int
    outlet: Outlet
    supply: Supply
    supervision: Supervision

    @property
    def cable_rating_a(self) -> float | None: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def is_charging(self) -> bool: ...
    @property
    def is_connected(self) -> bool: ...
    @property
    def is_withheld(self) -> bool: ...
    @property
    def is_secured(self) -> bool: ...
    @property
    def must_open(self) -> bool: ...
    @property
    def is_energy_blocked(self) -> bool: ...
    def limits(self, now_s: float) -> Iterable[Limit]: ...


class ConnectorOffer:
    """The offer of one connector; ``limit`` is what holds now."""

    __slots__ = ("_owner", "_seen_pilot", "limit")

    def __init__(self, owner: OfferOwner) -> None:
        self.limit = Limit(0.0, "")
        self._owner = owner
        self._seen_pilot: tuple[str, float, bool] | None = None

    def own_limit(self) -> Limit:
        """The least of what outlet, board, cable and mains can bear now, per phase."""
        outlet, cable_a = self._owner.outlet, self._owner.cable_rating_a
        limit = Limit(outlet.rated.current_a, "rated current of the outlet")
        if outlet.limits.max_a < limit.amps:
            limit = Limit(outlet.limits.max_a, "limit of the board file")
        if cable_a is not None and cable_a < limit.amps:
            limit = Limit(cable_a, "rating of the cable")
        elif cable_a is None and self._owner.is_connected:
            limit = Limit(0.0, "no rating of the cable")
        if self._owner.supply.is_worn:
            limit = Limit(0.0, "closings of the contactor in this hour")
        return min((limit, *self._owner.supervision.limits(limit.amps)), key=lambda each: each.amps)

    def update(self, now_s: float) -> None:
        """Offer what may be offered now."""
        owner, limit = self._owner, self._allowed(now_s)
        if limit != self.limit:
            self.limit = limit
            if owner.journal:
                owner.journal.write(now_s, OfferChanged(owner.number, limit.amps, limit.reason))
        owner.supply.grant(limit.amps, owner.must_open, now_s)
        owner.supervision.offer_changed(now_s)
        if owner.journal:
            pilot = (str(owner.supply.state), owner.supply.duty_percent, owner.supply.is_closed)
            if pilot != self._seen_pilot:
                self._seen_pilot = pilot
                owner.journal.write(now_s, PilotChanged(owner.number, *pilot))

    def _allowed(self, now_s: float) -> Limit:
        owner = self._owner
        if not owner.is_charging:
            return Limit(0.0, "no transaction")
        if owner.is_withheld:
            return Limit(0.0, "fault")
        if not owner.is_secured:
            return Limit(0.0, "cable not locked")
        if owner.is_energy_blocked:
            return Limit(0.0, "the central system refused the card")
        limit = min((self.own_limit(), *owner.limits(now_s)), key=lambda each: each.amps)
        if not owner.is_connected:
            # The offer stands while the car is away (StopTransactionOnEVSideDisconnect=false): SuspendedEV. It is never
            # more than the limits allow, because a car that comes back meets it at once.
            limit = Limit(limit.amps, "EV side disconnected")
        return limit
