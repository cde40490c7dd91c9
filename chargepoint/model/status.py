"""Connector status: derived, never stored, and reported only along the moves that OCPP 1.6 4.9 knows.

`status_of` is total over what is true at a connector. `path` tells the moves to report when physics skipped one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocpp.v16.enums import ChargePointStatus as Status


@dataclass(frozen=True, slots=True)
class Situation:
    """What is true at a connector, as far as its status depends on it."""

    has_fault: bool = False
    until_stopped: Status | None = None
    """The transaction is ending: its status until the stop is fixed."""
    in_transaction: bool = False
    is_offering: bool = False
    car_asks: bool = False
    is_operative: bool = True
    is_authorised: bool = False
    is_left_over: bool = False
    is_reserved: bool = False
    is_plugged: bool = False


def status_of(situation: Situation) -> Status:
    """Return the status of a situation (OCPP 1.6 4.9 and 7.7).

    Finishing is the status "when a Transaction has stopped" (7.7), so a transaction that is ending keeps the status it had
    until its StopTransaction is fixed. Before that neither ReserveNow nor RemoteStart could be accepted either.
    """
    if situation.has_fault:
        return Status.faulted
    if situation.until_stopped is not None:
        return situation.until_stopped
    if situation.in_transaction:
        if not situation.is_offering:
            return Status.suspended_evse
        return Status.charging if situation.car_asks else Status.suspended_ev
    if not situation.is_operative:
        return Status.unavailable
    if situation.is_authorised:
        return Status.preparing
    if situation.is_left_over:
        return Status.finishing
    if situation.is_reserved:
        return Status.reserved
    return Status.preparing if situation.is_plugged else Status.available


_A, _B, _C, _D, _E, _F, _G, _H, _I = (
    Status.available,
    Status.preparing,
    Status.charging,
    Status.suspended_ev,
    Status.suspended_evse,
    Status.finishing,
    Status.reserved,
    Status.unavailable,
    Status.faulted,
)
MOVES: dict[Status, tuple[Status, ...]] = {
    _A: (_B, _C, _D, _E, _G, _H, _I),
    _B: (_A, _C, _D, _E, _F, _I),
    _C: (_A, _D, _E, _F, _H, _I),
    _D: (_A, _C, _E, _F, _H, _I),
    _E: (_A, _C, _D, _F, _H, _I),
    _F: (_A, _B, _H, _I),
    _G: (_A, _B, _H, _I),
    _H: (_A, _B, _C, _D, _E, _I),
    _I: (_A, _B, _C, _D, _E, _F, _G, _H),
}
"""The moves of the table in OCPP 1.6 4.9; what is not in it is never reported."""

_PASSING = (_B, _F, _A)
"""Statuses that a skipped move may pass through, best first; the others would report something that did not happen.

Available comes last: the central system may answer it with ReserveNow or RemoteStart, which would be refused.
"""


def path(reported: Status, actual: Status, *, is_occupied: bool = False) -> tuple[Status, ...]:
    """Return the statuses to report, in order, to get from one to another; () when nothing changed.

    The moves C8, D8 and E8 of the table, from a transaction to Unavailable, are those where "no user action is required";
    at a connector that ``is_occupied`` by a cable or a car they lead over Finishing (C6, D6, E6 and F8).
    """
    if reported == actual:
        return ()
    if is_occupied and actual is _H and reported in (_C, _D, _E):
        return (_F, _H)
    trails: list[tuple[Status, ...]] = [()]
    while True:
        longer = []
        for trail in trails:
            here = trail[-1] if trail else reported
            if actual in MOVES[here]:
                return (*trail, actual)
            longer += [(*trail, step) for step in _PASSING if step in MOVES[here] and step not in trail]
        trails = longer
