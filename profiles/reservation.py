"""Feature profile "Reservation": ReserveNow and CancelReservation (OCPP 1.6 3.11, 5.1, 5.13; key 9.3.1).

A reservation of a connector keeps that connector; one of connector 0 keeps any, and shows as Reserved only where no
choice is left. Who may use what is asked by the hook `admission`; a transaction's `reservation_id` ends its reservation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ocpp.v16 import call, call_result
from ocpp.v16.enums import CancelReservationStatus, ChargePointStatus, ReservationStatus

from chargepoint.model.authorization import Admission
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import SessionState
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.journal import ReservationEnded
from chargepoint.model.keys import Access, boolean
from chargepoint.model.record import Fields, RecordKind, Snapshot, numbered
from chargepoint.model.tags import same_tag
from chargepoint.model.timebase import Appointment, utc_seconds
from chargepoint.model.transaction import Transaction
from hw.ports import Reading

RESERVE_CONNECTOR_ZERO_SUPPORTED = boolean(
    "ReserveConnectorZeroSupported",
    True,
    access=Access.READ_ONLY,
    source="9.3.1",
    effect="any connector can be reserved, by reserving connector 0",
)

_OUT_OF_USE = (ChargePointStatus.unavailable, ChargePointStatus.faulted)


@dataclass(frozen=True, slots=True)
class Booking:
    """A reservation as ReserveNow made it (6.37). ``connector`` 0: any. ``expires_utc_s``: seconds since 1970."""

    reservation_id: int
    connector: int
    id_tag: str
    parent_id_tag: str | None
    expires_utc_s: float

    def is_for(self, tag: str, parent: str | None) -> bool:
        """Whether a tag, or the group it belongs to, is the one reserved for (5.13)."""
        return same_tag(tag, self.id_tag) or same_tag(parent, self.parent_id_tag)


def _booking(key: str, fields: Fields) -> Booking:
    return Booking(
        reservation_id=numbered(key),
        connector=fields.integer("connector", 0),
        id_tag=fields.text("tag"),
        parent_id_tag=fields.optional("parent", fields.text),
        expires_utc_s=fields.number("expires"),
    )


RESERVATION = RecordKind("reservation", __name__, _booking, "reservation {key}: its connector is free for everybody")
"""Keyed by reservationId."""


class Reservation(FeatureProfile):
    """Keeps connectors for those who reserved them, until they come, or it expires, or it is cancelled."""

    __slots__ = ("_expiries", "bookings")

    name = "Reservation"
    keys = (RESERVE_CONNECTOR_ZERO_SUPPORTED,)
    records = (RESERVATION,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.bookings: dict[int, Booking] = {}
        """By reservationId."""
        self._expiries: dict[int, Appointment] = {}

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """What expired in the dark is over; so is what a stored transaction has used (its end may not be stored yet)."""
        used = {transaction.reservation_id for transaction in self.host.queue.transactions.values()}
        utc_s = self.host.calendar.utc_s(now_s)
        for key, booking in snapshot.of(RESERVATION).items():
            is_fitted = booking.connector == 0 or self.host.has_connector(booking.connector)
            if is_fitted and booking.expires_utc_s > utc_s and booking.reservation_id not in used:
                self._keep(booking)
            else:
                self.host.save(RESERVATION.name, key, None)
        self._review(now_s)

    # --- calls of the central system ----------------------------------------------------------------------------------

    @handles(call.ReserveNow)
    def _reserve(self, request: call.ReserveNow, now_s: float) -> call_result.ReserveNow:
        booking = Booking(
            request.reservation_id,
            request.connector_id,
            request.id_tag,
            request.parent_id_tag,
            utc_seconds(request.expiry_date),
        )
        status = self._judge(booking, now_s)
        if status == ReservationStatus.accepted:
            before = self.bookings.get(booking.reservation_id)
            self._forget(booking.reservation_id)
            self._keep(booking)
            body = {
                "connector": booking.connector,
                "tag": booking.id_tag,
                "parent": booking.parent_id_tag,
                "expires": booking.expires_utc_s,
            }
            self.host.save(RESERVATION.name, str(booking.reservation_id), body)
            if before is not None:
                self._replaced(booking, now_s)
            self._review(now_s)
        return call_result.ReserveNow(status=status)

    def _judge(self, booking: Booking, now_s: float) -> ReservationStatus:
        """Judge a request by the sentences of 5.13.

        The one it replaces does not stand in its way. Where a replacement wants a connector that somebody else uses it
        is Occupied, and the earlier reservation stands: 5.13 lets it replace, but nobody could keep that promise.
        """
        host, number = self.host, booking.connector
        if number == 0 and not host.setting(RESERVE_CONNECTOR_ZERO_SUPPORTED):
            return ReservationStatus.rejected
        if number and not host.has_connector(number):
            return ReservationStatus.rejected
        concerned = (host.connector(number),) if number else host.connectors
        if all(connector.has_fault for connector in concerned):
            return ReservationStatus.faulted
        if all(connector.status in _OUT_OF_USE for connector in concerned):
            return ReservationStatus.unavailable
        others = [each for each in self.bookings.values() if each.reservation_id != booking.reservation_id]
        spare = self._spare(others)
        wanted = sum(each.connector == 0 and not self._in_hand(each) for each in others)
        if number == 0:
            is_possible = self._in_hand(booking) or len(spare) > wanted
        else:
            connector = concerned[0]
            in_hand = connector.authorisation
            is_own = in_hand is not None and in_hand.reservation_id == booking.reservation_id
            is_possible = is_own or (connector in spare and len(spare) > wanted)
        if not is_possible:
            return ReservationStatus.occupied
        # [D] Nothing to keep when it is over already. 5.13 knows no status for that, but its Faulted, Unavailable and
        # Occupied are SHALL, so they come first.
        is_over = booking.expires_utc_s <= host.calendar.utc_s(now_s)
        return ReservationStatus.rejected if is_over else ReservationStatus.accepted

    def _replaced(self, booking: Booking, now_s: float) -> None:
        """Somebody may wait for a cable under the reservation as it was: it stays theirs only if it still fits."""
        for connector in self.host.connectors:
            waiting = connector.authorisation
            if waiting is None or waiting.reservation_id != booking.reservation_id:
                continue
            if booking.connector not in (0, connector.number):
                connector.authorisation = replace(waiting, reservation_id=None)
            elif not booking.is_for(waiting.id_tag, waiting.parent_id_tag):
                connector.cancel(now_s)

    @handles(call.CancelReservation)
    def _cancel(self, request: call.CancelReservation, now_s: float) -> call_result.CancelReservation:
        if request.reservation_id not in self.bookings:
            return call_result.CancelReservation(status=CancelReservationStatus.rejected)
        self._end(request.reservation_id, "cancelled", now_s)
        return call_result.CancelReservation(status=CancelReservationStatus.accepted)

    # --- who may use what ---------------------------------------------------------------------------------------------

    def admission(self, connector: Connector, tag: str, parent: str | None) -> Admission | None:
        if not self.bookings:
            return None
        for booking in self.bookings.values():
            if booking.connector == connector.number:
                if booking.is_for(tag, parent):
                    return Admission(reservation_id=booking.reservation_id, is_bound=True)
                return Admission(is_admitted=False, asks_parent=booking.parent_id_tag is not None)
        anywhere = [booking for booking in self.bookings.values() if booking.connector == 0]
        for booking in sorted(anywhere, key=self._in_hand):
            if booking.is_for(tag, parent) and all(same_tag(tag, other) for other in self._hands(booking)):
                return Admission(reservation_id=booking.reservation_id)
        unclaimed = [booking for booking in anywhere if not self._in_hand(booking)]
        left = [other for other in self._spare(self.bookings.values()) if other is not connector]
        if unclaimed and (connector.is_reserved or len(left) < len(unclaimed)):
            asks_parent = any(booking.parent_id_tag is not None for booking in unclaimed)
            return Admission(is_admitted=False, asks_parent=asks_parent)
        return None

    def _hands(self, booking: Booking) -> list[str]:
        """The tags that were authorised under a reservation and whose transaction has not begun."""
        waiting = (connector.authorisation for connector in self.host.connectors)
        return [each.id_tag for each in waiting if each is not None and each.reservation_id == booking.reservation_id]

    def _in_hand(self, booking: Booking) -> bool:
        return bool(self._hands(booking))

    def _spare(self, bookings: Iterable[Booking]) -> list[Connector]:
        """Connectors that can be promised to somebody, those first that nothing is plugged into.

        A car that nobody has paid for takes a connector away, except where it stands before one that was promised
        already: it may be that of the holder, and the connector stays Reserved (4.9).
        """
        bound = {booking.connector for booking in bookings}
        free = [
            connector
            for connector in self.host.connectors
            if connector.number not in bound
            and connector.is_operative
            and not connector.availability.is_scheduled
            and connector.state == SessionState.IDLE
            and (connector.status == ChargePointStatus.available or connector.is_reserved)
        ]
        return sorted(free, key=lambda connector: connector.is_plugged)

    # --- keeping ------------------------------------------------------------------------------------------------------

    def _keep(self, booking: Booking) -> None:
        number = booking.reservation_id
        self.bookings[number] = booking
        self._expiries[number] = self.host.calendar.at(
            booking.expires_utc_s, lambda now_s: self._end(number, "expired", now_s)
        )

    def _forget(self, reservation_id: int) -> None:
        if self.bookings.pop(reservation_id, None) is not None:
            self._expiries.pop(reservation_id).cancel()

    def _drop(self, reservation_id: int, why: str, now_s: float) -> None:
        """Forget a reservation for good. Who was authorised under it stays so, as anybody else."""
        booking = self.bookings[reservation_id]
        self._forget(reservation_id)
        self.host.save(RESERVATION.name, str(reservation_id), None)
        self.host.journal.write(now_s, ReservationEnded(reservation_id, booking.connector, why))
        for connector in self.host.connectors:
            waiting = connector.authorisation
            if waiting is not None and waiting.reservation_id == reservation_id:
                connector.authorisation = replace(waiting, reservation_id=None)

    def _end(self, reservation_id: int, why: str, now_s: float) -> None:
        self._drop(reservation_id, why, now_s)
        self._mark(now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        if self.bookings:
            self._review(now_s)

    def _review(self, now_s: float) -> None:
        """A reservation ends when its connector, or for 0 the last one, becomes Faulted or Unavailable (5.13)."""
        for booking in list(self.bookings.values()):
            number = booking.connector
            concerned = (self.host.connector(number),) if number else self.host.connectors
            if all(connector.has_fault or not connector.is_operative for connector in concerned):
                self._drop(booking.reservation_id, "out of service", now_s)
        self._mark(now_s)

    def _mark(self, now_s: float) -> None:
        """Show as Reserved what is kept: bound connectors, and those that are all that is left for the others."""
        reserved = {booking.connector for booking in self.bookings.values()}
        wanted = sum(booking.connector == 0 and not self._in_hand(booking) for booking in self.bookings.values())
        spare = self._spare(self.bookings.values()) if wanted else []
        open_to_all = [connector for connector in spare if not connector.is_plugged]
        if len(open_to_all) <= wanted:
            reserved.update(connector.number for connector in spare[:wanted])
        changed = [each for each in self.host.connectors if each.is_reserved != (each.number in reserved)]
        for connector in changed:
            connector.is_reserved = not connector.is_reserved
        for connector in changed:
            self.host.connector_changed(connector, now_s)

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        """It was used (5.13). The connector tells by itself what it is now, once its transaction is complete."""
        if transaction.reservation_id in self.bookings:
            self._drop(transaction.reservation_id, "used", now_s)
            connector.is_reserved = False
