"""Onlookers of a `World` who know nothing of the model's reasons: of the circuits, of the books, of the reservations.

`Electrician` asks the simulated circuits, at every moment at which anything happens, whether the relay rule of IEC 61851-1
holds. `Auditor` sits at the central system's end and holds every frame against what OCPP allows; `Auditor.close` says at
the end whether every transaction was told once, in order, and in full. `Concierge` sees that nobody sits at a table that
another one has reserved. All raise AssertionError at the first violation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chargepoint.model.journal import TransactionStarted
from chargepoint.model.pilot import current_for_duty
from chargepoint.model.session import Registration
from chargepoint.model.status import MOVES
from chargepoint.runtime.charger import Phase
from hw.sim.circuit import Circuit
from hw.sim.faults import MONITORED, Cause
from hw.sim.pilot import PilotLoad, is_pwm
from profiles.reservation import Reservation
from tests.world import Frame, Seen, World

OPEN_S = 0.1
RAMP_DOWN_S = 6.0
TRAVEL_S = 0.03
ANSWER_S = 60.0
HAIR_S = 1e-6

RAMPING = {Cause.OVER_TEMPERATURE, Cause.OVER_VOLTAGE, Cause.UNDER_VOLTAGE}
"""Causes that leave the car the time to ramp down."""
OPENING = frozenset(MONITORED) - {Cause.READER_SILENT} - RAMPING


@dataclass
class _Outlet:
    """What the last look at a circuit found, and since when."""

    circuit: Circuit
    is_closed: bool = False
    was_welded: bool = False
    energy_wh: float = 0.0
    not_asking_since_s: float | None = None
    broken_since_s: float | None = None
    not_granted_since_s: float | None = None


class Electrician:
    """Asks the circuits, not the model, whether energy flows only where it may (hardware/iec61851.md 5, relay rule)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._outlets: list[_Outlet] = []
        self.closings = 0
        world.watchers.append(self.look)

    def look(self) -> None:
        """Look at every outlet. Nothing changes between two looks, so the last one tells how long it was so."""
        circuits = [process for process in self._world.charger.board.processes if isinstance(process, Circuit)]
        if [outlet.circuit for outlet in self._outlets] != circuits:
            for circuit in circuits:
                is_welded = circuit.has_cause(Cause.WELDED_CONTACTOR)
                assert is_welded or not circuit.contactor.is_closed, "closed after a power cut"
            self._outlets = [_Outlet(circuit, was_welded=circuit.contactor.is_closed) for circuit in circuits]
        for number, outlet in enumerate(self._outlets, 1):
            self._look(number, outlet)

    def _look(self, number: int, outlet: _Outlet) -> None:
        circuit, now_s = outlet.circuit, self._world.now_s
        charger = self._world.charger
        is_closed = circuit.contactor.is_closed
        energy_wh = circuit.register.energy_wh
        assert energy_wh >= outlet.energy_wh, f"the register of {number} fell from {outlet.energy_wh} to {energy_wh}"
        outlet.energy_wh = energy_wh
        load = circuit.car.load if circuit.car is not None and circuit.cable.is_in_car else PilotLoad.NONE
        asks = load in (PilotLoad.C, PilotLoad.D) and not circuit.has_cause(Cause.CP_SHORT)
        is_running = charger.phase is Phase.RUNNING and charger.model.connector(number).is_charging
        duty = circuit._driven_percent
        is_granted = is_running and is_pwm(duty)
        is_excused = outlet.was_welded or circuit.has_cause(Cause.WELDED_CONTACTOR)
        outlet.was_welded = is_excused and (is_closed or circuit.has_cause(Cause.WELDED_CONTACTOR))
        is_broken = not OPENING.isdisjoint(circuit._causes)

        def since(before: float | None, is_so: bool) -> float | None:
            return (now_s if before is None else before) if is_so else None

        if outlet.is_closed and not is_excused:
            for since_s, limit_s, what in (
                (outlet.not_asking_since_s, OPEN_S, "after C and D were left"),
                (outlet.broken_since_s, OPEN_S, "with a fault"),
                (outlet.not_granted_since_s, RAMP_DOWN_S + TRAVEL_S, "after the offer ended"),
            ):
                late = since_s is not None and now_s - since_s > limit_s + HAIR_S
                assert not late, f"{now_s:.3f}: contactor {number} closed since {since_s} {what}"
        outlet.not_asking_since_s = since(outlet.not_asking_since_s, is_closed and not asks)
        outlet.broken_since_s = since(outlet.broken_since_s, is_closed and is_broken)
        outlet.not_granted_since_s = since(outlet.not_granted_since_s, is_closed and not is_granted)
        if is_closed and not is_excused:
            if not outlet.is_closed:
                self.closings += 1
                assert is_granted, f"{now_s:.3f}: contactor {number} closes at {duty} % without a grant"
            is_silent = circuit.has_cause(Cause.CONTROLLER_SILENT)
            may_offer = is_running or is_silent
            assert may_offer or not is_pwm(duty), f"{now_s:.3f}: {number} offers {duty} % to nobody"
            has_lock = charger.board.outlet(number).outlet.has_lock
            assert circuit.cable.is_locked or not has_lock, f"{now_s:.3f}: {number} is live and not locked"
        if is_pwm(duty) and not circuit.has_cause(Cause.CONTROLLER_SILENT):
            outlet_plan = charger.board.outlet(number).outlet
            bound_a = min(outlet_plan.rated.current_a, outlet_plan.limits.max_a, circuit.cable.rating_a)
            assert current_for_duty(duty) <= bound_a + HAIR_S, f"{number} offers more than {bound_a} A"
        outlet.is_closed = is_closed


class Concierge:
    """Watches what was reserved and who uses it (OCPP 1.6 5.13)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[int, set[tuple[str, str | None]]] = {}
        world.watchers.append(self.look)

    def look(self) -> None:
        world = self._world
        if world.charger.phase is not Phase.RUNNING:
            return
        bookings = world.feature(Reservation).bookings
        for booking in bookings.values():
            self._made.setdefault(booking.reservation_id, set()).add((booking.id_tag, booking.parent_id_tag))
        bound = {booking.connector: booking for booking in bookings.values()}
        for connector in world.model.connectors:
            booking, waiting, transaction = bound.get(connector.number), connector.authorisation, connector.transaction
            if booking is not None:
                assert connector.is_reserved, f"connector {connector.number} does not show {booking}"
                assert connector.is_operative and not connector.has_fault, "reserved out of service"  # noqa: PT018
                assert transaction is None, f"{transaction.id_tag} charges at a connector reserved for {booking}"
                assert waiting is None or waiting.reservation_id == booking.reservation_id, f"{waiting} for {booking}"
            for user in (waiting, transaction):
                if user is not None and user.reservation_id is not None:
                    self._is_entitled(user.reservation_id, user.id_tag)

    def _is_entitled(self, reservation_id: int, tag: str) -> None:
        group = self._world.peer.tag_info(tag.upper()).get("parentIdTag", "").lower()
        made = self._made.get(reservation_id, set())
        is_so = any(tag.lower() == one.lower() or (parent and parent.lower() == group) for one, parent in made)
        assert is_so, f"{tag} uses the reservation {reservation_id} of {made}"


TRANSACTION_ACTIONS = ("StartTransaction", "MeterValues", "StopTransaction", "DataTransfer")
"""What may stand in the queue; MeterValues and DataTransfer may also be sent without it."""

Identity = tuple[str, str, str | None]
"""A stored message: action, payload as stored, key of its transaction."""


@dataclass
class _Sent:
    """One transmission of a call of the charger."""

    at_s: float
    socket: int
    action: str
    payload: dict[str, Any]
    identity: Identity | None


@dataclass
class _Told:
    """What the central system knows of a connector's status."""

    last: str | None = None
    confirmed: str | None = None
    lost: set[str] = field(default_factory=set)
    """What the wire swallowed of it since: the charger may think that it was heard."""
    is_fresh: bool = True
    """Nothing was reported since the last boot."""


@dataclass
class Story:
    """What was told of one transaction, in order of the first transmissions."""

    actions: list[str] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)

    def payload(self, action: str) -> dict[str, Any]:
        """Return the first that was told with an action. Raises ValueError when there is none."""
        return self.payloads[self.actions.index(action)]


class Auditor:
    """The books of a central system: what came, what was answered, and what should not have come."""

    def __init__(self, world: World, timeout_s: float = 30.0) -> None:
        self._world = world
        self._timeout_s = timeout_s
        self._read = 0
        self._sent: dict[str, _Sent] = {}
        self._pending: tuple[str, int, float] | None = None
        self._results: list[Seen] = []
        self._is_done: set[Identity] = set()
        self._may_be_done: set[Identity] = set()
        self._begun: dict[str, None] = {}
        self._payloads: dict[Identity, dict[str, Any]] = {}
        self._told = {
            payload["connectorId"]: _Told(payload["status"], payload["status"], is_fresh=False)
            for payload in world.calls("StatusNotification")
        }
        self._asked: dict[str, Seen] = {}
        self._numbers: dict[int, float] = {}
        self._triggered: dict[int, float] = {}
        self.stories: dict[str, Story] = {}
        self.resent = 0
        """Transmissions of what had been transmitted before."""
        self.is_requeued = False
        """Messages come out of order, since somebody queued undelivered ones again."""
        self._receive = world.peer.receive
        world.peer.receive = self._on_receive  # type: ignore[method-assign]
        world.watchers.append(self.look)
        world.store.commit = self._commit  # type: ignore[method-assign]

    def _commit(self, rows: Any) -> None:
        rows = list(rows)
        try:
            type(self._world.store).commit(self._world.store, rows)
        finally:  # a test may let the process die with the commit done
            for _, save in rows:
                if save.kind == "transaction" and self._world.stored("transaction", save.key) is not None:
                    self._begun[save.key] = None

    # --- frame by frame -----------------------------------------------------------------------------------------------

    def _on_receive(self, text: str) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self._on_call(frame)
        self._receive(text)

    def _on_call(self, frame: Frame) -> None:
        world, now_s, socket = self._world, self._world.now_s, self._world.sockets
        _, message_id, action, payload = frame
        self.look()
        assert len(message_id) <= 36
        if self._pending is not None and self._pending[1] == socket:
            waited_s = now_s - self._pending[2]
            before = self._sent[self._pending[0]].action
            assert waited_s >= self._timeout_s - HAIR_S, f"{action} while {before} is unanswered"
        self._pending = (message_id, socket, now_s)
        identity = self._identity(message_id, action)
        known = self._sent.get(message_id)
        if known is not None:
            assert identity is not None, f"{action}: the id {message_id} was used before"
            assert (known.identity, known.payload) == (identity, payload), "an id came again with something else"
            assert known.socket != socket, f"{action} was repeated on one socket with one id"
        self._sent[message_id] = _Sent(now_s, socket, action, payload, identity)
        if identity is not None:
            self._on_stored(identity, payload)
        elif action == "MeterValues":
            self._never_falls(self._triggered, payload)
        if action == "BootNotification":
            for told in self._told.values():
                told.is_fresh = True
        if action == "StatusNotification":
            self._on_status(payload)
        assert action == "BootNotification" or world.model.session.registration is not Registration.REJECTED

    def _identity(self, message_id: str, action: str) -> Identity | None:
        """Find a transaction message in the queue; it must stand in the store before it goes out."""
        if action not in TRANSACTION_ACTIONS:
            return None
        for message in self._world.model.queue:
            if message.message_id == message_id:
                stored = self._world.stored("queue", message.key)
                assert stored is not None, f"{action} left before it was stored"
                assert stored["id"] == message_id, f"{action} left before its id was stored"
                return action, message.payload, message.transaction
        assert action in ("MeterValues", "DataTransfer"), f"{action} is not in the queue"
        return None

    def _on_stored(self, identity: Identity, payload: dict[str, Any]) -> None:
        action, _, key = identity
        assert identity not in self._is_done, f"{action} was sent again after its answer"
        before = self._payloads.setdefault(identity, payload)
        if before is not payload:
            self.resent += 1
            same = {**before, "transactionId": 0} == {**payload, "transactionId": 0}
            assert same if self.is_requeued else before == payload, f"{action} was repeated with another payload"
            return
        if key is not None:
            story = self.stories.setdefault(key, Story())
            if not self.is_requeued:
                # What nobody has heard of may go on only when its start was given up on a wire that swallowed it.
                is_known = bool(story.actions) or self._is_given_up(key)
                expected = not story.actions if action == "StartTransaction" else is_known
                assert expected, f"{action} after {story.actions} of {key}"
                is_after = "StopTransaction" in story.actions
                assert is_after == (action == "DataTransfer"), f"{action} of {key} after {story.actions}"
            story.actions.append(action)
            story.payloads.append(payload)
        if not self.is_requeued:
            self._never_falls(self._numbers, payload, key)

    def _is_given_up(self, key: str) -> bool:
        """Whether the start of a transaction is among what could not be delivered."""
        lost = self._world.model.queue.undelivered.values()
        return any(message.transaction == key and message.action == "StartTransaction" for message in lost)

    def _never_falls(self, told: dict[int, float], payload: dict[str, Any], key: str | None = None) -> None:
        connector = payload.get("connectorId")
        if connector is None:
            connector = int(str(key).partition("-")[0])
        values = [float(payload[name]) for name in ("meterStart", "meterStop") if name in payload]
        for value in payload.get("meterValue", []):
            values += [
                float(each["value"])
                for each in value["sampledValue"]
                if each["measurand"] == "Energy.Active.Import.Register" and "phase" not in each
            ]
        for register_wh in values:
            before_wh = told.get(connector, 0.0)
            assert register_wh >= before_wh, f"register of {connector} fell from {before_wh} to {register_wh}"
            told[connector] = register_wh
        if "meterStop" in payload and not self.is_requeued:
            data = [
                (float(each["value"]), each["context"] == "Transaction.End")
                for value in payload.get("transactionData", [])
                for each in value["sampledValue"]
                if each["measurand"] == "Energy.Active.Import.Register" and "phase" not in each
            ]
            assert data == sorted(data), f"registers within transactionData fall: {data}"
            ends = [register_wh for register_wh, is_end in data if is_end]
            assert ends in ([], [payload["meterStop"]]), "Transaction.End is not meterStop"

    def _on_status(self, payload: dict[str, Any]) -> None:
        number, status = payload["connectorId"], payload["status"]
        told = self._told.setdefault(number, _Told())
        if number and not told.is_fresh:
            bases = {told.last, told.confirmed, *told.lost}
            allowed = any(base == status or (base and status in MOVES[base]) for base in bases)  # type: ignore[index]
            assert allowed, f"connector {number} went from {bases} to {status}"
        told.last, told.is_fresh = status, False

    # --- what happened to answers -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take in what the peer sent since the last look."""
        world = self._world
        if self._read == len(world.peer.seen) and not self._results and not self._asked:
            return
        fresh, self._read = world.peer.seen[self._read :], len(world.peer.seen)
        for seen in fresh:
            if seen.frame[0] in (3, 4) and not seen.is_from_charger:
                if self._pending is not None and self._pending[0] == seen.frame[1]:
                    self._pending = None
                self._results.append(seen)
            elif seen.frame[0] == 2 and not seen.is_from_charger:
                if world.model.session.registration is Registration.ACCEPTED:
                    self._asked[seen.frame[1]] = seen
            elif seen.is_from_charger:
                self._asked.pop(seen.frame[1], None)
        waiting = []
        for seen in self._results:
            sent = self._sent.get(seen.frame[1])
            if sent is None or sent.socket != seen.socket or "wrong" in seen.frame[-1]:
                continue
            if not seen.has_arrived:
                waiting.append(seen)
            elif seen.frame[0] == 3:
                if sent.identity is not None:
                    self._is_done.add(sent.identity)
                # A status that was answered too late is not known to have been heard.
                if sent.action == "StatusNotification" and world.now_s - sent.at_s < self._timeout_s:
                    told = self._told[sent.payload["connectorId"]]
                    told.confirmed = sent.payload["status"]
                    told.lost.clear()
        self._results = [seen for seen in waiting if seen.socket == world.sockets]
        for message_id, seen in list(self._asked.items()):
            if seen.socket != world.sockets or not world.link.is_open:
                del self._asked[message_id]
            elif world.now_s - seen.at_s > ANSWER_S and world.charger.phase is Phase.RUNNING:
                if seen.has_arrived and world.model.session.registration is Registration.ACCEPTED:
                    raise AssertionError(f"{seen.frame[2]} of {seen.at_s:.1f} was never answered")
                del self._asked[message_id]

    def was_lost(self, frame: Frame) -> None:
        """The wire swallowed a frame of the charger."""
        self.look()
        if frame[0] != 2:
            self._asked.pop(frame[1], None)
        elif frame[2] == "StatusNotification":
            self._told.setdefault(frame[3]["connectorId"], _Told()).lost.add(frame[3]["status"])

    def power_was_cut(self) -> None:
        """The process died in the middle of a moment: an answer that had arrived may have been stored, or not."""
        done = set(self._is_done)
        self.look()
        self._may_be_done |= self._is_done - done
        self._is_done = done

    def requeue(self) -> None:
        """Let the operator queue everything again that is undelivered: an answer that came too late counted for nothing."""
        self.look()
        self.is_requeued = True
        for key, message in list(self._world.model.queue.undelivered.items()):
            self._is_done.discard((message.action, message.payload, message.transaction))
            self._world.model.queue.requeue(key)
        self._world.model.session.pump(self._world.now_s)

    # --- at the end ---------------------------------------------------------------------------------------------------

    def started(self) -> list[str]:
        """Keys of all transactions that ever began: that were stored."""
        return list(self._begun)

    def close(self) -> None:
        """Every transaction: one start, one stop, each answered; connectors as last reported."""
        self.look()
        started = self.started()
        written = [entry.key for _, entry in self._world.journal if isinstance(entry, TransactionStarted)]
        assert len(set(written)) == len(written), "a transaction key came twice"
        assert sorted(self.stories) == sorted(started), "told and begun transactions differ"
        for key, story in self.stories.items():
            for action in ("StartTransaction", "StopTransaction"):
                assert story.actions.count(action) == 1, f"{key}: {story.actions}"
        unanswered = [identity for identity in self._payloads if identity not in self._is_done | self._may_be_done]
        assert not unanswered, f"never answered: {unanswered}"
        assert not len(self._world.model.queue)
        assert not self._world.model.queue.transactions, "a transaction was left in the books"
        records = self._world.store.load("CP1")
        left = {kind: records[kind] for kind in ("queue", "undelivered", "transaction", "sample") if kind in records}
        assert not left, f"left in the store: {left}"
        for connector in self._world.model.connectors:
            last = self._told[connector.number].last
            assert last == connector.status.value, f"{connector.number} is {connector.status.value}, told {last}"


@contextmanager
def no_exception_logged() -> Iterator[list[logging.LogRecord]]:
    """Collect what is logged with a traceback; there should be nothing."""
    found: list[logging.LogRecord] = []

    class _Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                found.append(record)

    handler = _Handler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(handler)
