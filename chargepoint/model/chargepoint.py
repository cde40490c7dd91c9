"""One charge point: connectors, settings, session and feature profiles behind a handful of inputs.

Every input is an ordinary call with the charge time; what it decides is appended to one outbox, in decision order, for
the runtime to carry out. Nothing here waits, and nothing answers at once: what can fail comes back as an input.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from ocpp.v16.enums import ConfigurationStatus

from hw.ports import (
    Fault,
    FaultSeen,
    LockSeen,
    MeterRead,
    MeterSeen,
    Observation,
    Outlet,
    PhasesSeen,
    PilotSeen,
    ProximitySeen,
    Reading,
    RelaySeen,
    TagSeen,
)

from . import wire
from .authorization import UNRESERVED, Admission, TagInfo, Verdict
from .calls import Lane, Outcome
from .composite import Profile
from .connector import BEGIN, Connector
from .connector_ending import END
from .connector_state import Limit
from .energy import KEEP, KEEP_S, METER
from .errors import ErrorCode, PeerError
from .faults import MEANINGS, Trouble
from .feature import FeatureProfile, Roster
from .journal import ClockSet, FaultChanged, Journal, LinkChanged, Restarting, TagPresented
from .keys import Access, Key, Settings
from .options import Options
from .outbox import CloseLink, Command, Effect, LinkIsGood, Ref, Restart, Save, SetLock, SetRelay
from .record import Snapshot
from .records import AVAILABILITY, CONFIGURATION, RESTART
from .restore import restore
from .serving import Later
from .session import Session
from .timebase import Calendar, Timers, utc_text
from .transaction import Message, Transaction, TransactionQueue
from .transaction_clock import LARGE_STEP_S
from .transfer import Transferred

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Station:
    """Who this charger says it is (BootNotification, OCPP 1.6 6.3). None: not told. Lengths are the standard's."""

    vendor: str = "Chargepoint"
    model: str = "AC wallbox"
    serial_number: str | None = None
    charge_box_serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_type: str | None = None
    meter_serial_number: str | None = None


class ChargePoint:
    """The model of one charger. Build it, call `start`, then feed it; take its effects after every input."""

    __slots__ = (
        "_id_mask",
        "_outbox",
        "_wake",
        "boot_retry_s",
        "box_troubles",
        "calendar",
        "connectors",
        "features",
        "identity",
        "is_going_down",
        "is_installing",
        "is_restarting",
        "is_store_failing",
        "journal",
        "log",
        "losses",
        "options",
        "queue",
        "register_period_s",
        "rng",
        "roster",
        "saves",
        "session",
        "settings",
        "station",
        "timers",
        "warnings",
    )

    def __init__(
        self,
        identity: str,
        outlets: Sequence[Outlet],
        roster: Roster,
        *,
        timers: Timers,
        calendar: Calendar,
        rng: Random,
        station: Station | None = None,
        boot_retry_s: float = 60.0,
        register_period_s: float = KEEP_S,
        options: Options | None = None,
        wake: Callable[[], None] = lambda: None,
        configuration: Mapping[str, str] | None = None,
    ) -> None:
        """``wake`` is called when the empty outbox gets its first effect. ``configuration`` sets keys as a central
        system would find them, before what the store has changed.

        Raises ValueError, with the key's name, for a value its key does not take.
        """
        self.identity = identity
        digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._id_mask = int.from_bytes(digest, "big")
        self.station = station or Station()
        self.timers = timers
        self.calendar = calendar
        self.boot_retry_s = boot_retry_s
        self.register_period_s = register_period_s
        """How old the stored register of a charging session may be."""
        self.options = options or Options()
        self.rng = rng
        self.journal = Journal(identity)
        self.log = logging.LoggerAdapter(log, {"charger": identity})
        self.roster = roster
        self.settings = Settings(roster.keyring)
        for name, value in (configuration or {}).items():
            try:
                self.settings.configure(name, value)
            except ValueError as reason:
                raise ValueError(f"{name}: {reason}") from reason
        self._outbox: list[Effect] = []
        self._wake = wake
        self.queue = TransactionQueue(self)
        self.session = Session(self, self.queue)
        self.connectors = tuple(Connector(self, outlet) for outlet in outlets)
        self.features = tuple(cls(self) for cls in roster.classes)
        self.warnings: dict[Trouble, str] = {}
        self.losses: list[str] = []
        """What the store had lost when this life began, one sentence each; for people."""
        self.box_troubles: dict[Trouble, str] = {}
        self.is_restarting = False
        self.is_store_failing = False
        """Nothing can be stored: no transaction begins."""
        self.saves = 0
        """How many records were saved so far."""
        self.is_going_down = False
        """Nobody may start any more."""
        self.is_installing = False
        """Firmware is being written: no reset now (OCPP 1.6 5.14)."""

    def start(self, snapshot: Snapshot, now_s: float) -> None:
        """Take up what the store holds. Call it once, before any other input.

        A record that cannot be used is put aside under the kind `DAMAGED` and reported; the charger starts without it.
        """
        self._begin_calendar(snapshot, now_s)
        restore(self, snapshot, now_s)
        self._tell("restored", snapshot, now_s)
        self.queue.begin_life()
        for connector in self.connectors:
            connector.availability.settle(now_s)
        if self.losses:
            self.warn(Trouble.STORE_DAMAGED, True, now_s, f"Store damaged, losses: {len(self.losses)}")

    def _begin_calendar(self, snapshot: Snapshot, now_s: float) -> None:
        """A machine without a clock that runs on wakes up in 1970: what is stored was stored before now.

        The instants stored with the registers count: they are written at every begin and end of a transaction and every
        few seconds within one, so this costs no write.
        """
        last_utc_s = max((each.at_utc_s for each in snapshot.of(METER).values()), default=0.0)
        machine = self.stamp(now_s)
        if self.calendar.begin(last_utc_s, now_s) > LARGE_STEP_S:
            self.log.warning("the clock of this machine shows %s: the calendar begins at %s", machine, self.stamp(now_s))

    def report_loss(self, loss: str) -> None:
        """Report what the store has lost; called while the charger starts."""
        self.losses.append(loss)
        self.log.error("%s", loss)

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, in order, and forget it."""
        effects, self._outbox = self._outbox, []
        return effects

    # --- inputs -------------------------------------------------------------------------------------------------------

    def on_frame(self, text: str, now_s: float) -> None:
        """A text frame came in."""
        self.session.receive(text, now_s)

    def on_link(self, is_open: bool, detail: str, now_s: float, peer_code: int | None = None) -> None:
        """The socket opened or closed; ``peer_code`` is the code of the close frame that the central system sent."""
        if is_open == self.session.is_open:
            return
        self.journal.write(now_s, LinkChanged(is_open, detail))
        if is_open:
            self.session.opened(now_s)
            self._tell("link_opened", now_s)
            self.session.begin(now_s)
        else:
            self.session.closed(peer_code, now_s)
            self._tell("link_closed", now_s)

    def on_link_after_end(self, detail: str, now_s: float) -> None:
        """The socket closed when this model had ended: listeners of the journal learn it, and nothing else follows."""
        if self.session.is_open:
            self.session.is_open = False
            self.journal.write(now_s, LinkChanged(False, detail))

    def on_observation(self, seen: Observation, now_s: float) -> None:
        """The hardware has something to say."""
        if isinstance(seen, PilotSeen):
            self.connector(seen.connector).supply.on_pilot(seen.reading, now_s)
        elif isinstance(seen, MeterRead):
            self._on_meter(seen, now_s)
        elif isinstance(seen, MeterSeen):
            self.connector(seen.connector).on_meter_seen(seen.reading, now_s)
        elif isinstance(seen, PhasesSeen):
            self.connector(seen.connector).on_phases(seen.phases, now_s)
        elif isinstance(seen, RelaySeen):
            self.connector(seen.connector).on_relay(seen.closed, now_s)
        elif isinstance(seen, LockSeen):
            self.connector(seen.connector).on_lock(seen.locked, seen.jammed, now_s)
        elif isinstance(seen, ProximitySeen):
            self.connector(seen.connector).on_proximity(seen.reading, now_s)
        elif isinstance(seen, TagSeen):
            self._tell("tag_presented", seen.tag, seen.connectors, now_s)
        else:
            self._on_fault(seen, now_s)

    def on_commanded(self, command: Command, now_s: float) -> None:
        """The board has been given a command: at once, or when the store had taken what was decided before it."""
        if isinstance(command, SetRelay):
            self.connector(command.connector).supply.on_ordered(command.closed, now_s)
        elif isinstance(command, SetLock):
            lock = self.connector(command.connector).lock
            if lock is not None:
                lock.on_ordered(command.locked, now_s)

    def on_transfer(self, ref: Ref, ended: Transferred, now_s: float) -> None:
        """A file was moved or firmware installed, or it failed."""
        self._tell("transfer_ended", ref, ended, now_s)

    def on_store_failed(self, since_s: float, unsent: Collection[str], now_s: float) -> None:
        """The store takes nothing since ``since_s`` of charge time.

        ``unsent``: ids of stored messages that wait for it and whose frames were taken back.
        """
        self.is_store_failing = True
        self.session.hold_queue(unsent)
        self._tell("store_failed", since_s, now_s)

    def on_store_recovered(self, now_s: float) -> None:
        """The store has taken everything that waited for it."""
        if self.is_store_failing:
            self.is_store_failing = False
            self._tell("store_recovered", now_s)
            self.session.release_queue(now_s)

    def on_stored(self, ref: Ref, succeeded: bool, now_s: float) -> None:
        """The store took all of a `TrySave`, or nothing of it."""
        self._tell("stored", ref, succeeded, now_s)

    def _on_meter(self, seen: MeterRead, now_s: float) -> None:
        connector = self.connector(seen.connector)
        if not isinstance(seen.ref, Ref):
            return
        if seen.ref.kind in (BEGIN, END, KEEP):
            connector.on_reading(seen.ref.kind, seen.reading, now_s)
            return
        reading = connector.meter.answered(seen.reading, now_s)
        index = self.roster.reads.get(seen.ref.kind)
        if index is not None:
            self.features[index].meter_read(connector, seen.ref, reading, now_s)

    def _on_fault(self, seen: FaultSeen, now_s: float) -> None:
        trouble = Trouble(seen.fault.value)
        if seen.fault is Fault.READER_SILENT:
            self.warn(trouble, seen.active, now_s, seen.info)
            return
        if seen.connector == 0:
            if seen.active:
                self.box_troubles[trouble] = seen.info
            else:
                self.box_troubles.pop(trouble, None)
        concerned = self.connectors if seen.connector == 0 else (self.connector(seen.connector),)
        for connector in concerned:
            connector.monitored(trouble, seen.active, now_s, seen.info)

    def warn(self, trouble: Trouble, active: bool, now_s: float, info: str = "") -> None:
        """Something is wrong with the whole box that stops nobody from charging (connector 0)."""
        if active == (trouble in self.warnings):
            return
        if active:
            self.warnings[trouble] = info or MEANINGS[trouble].info
        else:
            del self.warnings[trouble]
        self.journal.write(now_s, FaultChanged(0, trouble.value, active, info))
        for connector in self.connectors[:1]:
            self.connector_changed(connector, now_s)

    # --- what features ask of their host ------------------------------------------------------------------------------

    def connector(self, number: int) -> Connector:
        """Return a connector. Raises IndexError when there is none of that number."""
        if number < 1:
            raise IndexError(f"no connector {number}")
        return self.connectors[number - 1]

    def has_connector(self, number: int) -> bool:
        return 1 <= number <= len(self.connectors)

    def emit(self, effect: Effect) -> None:
        """Append to the outbox."""
        if not self._outbox:
            self._wake()
        if type(effect) is Save:
            self.saves += 1
        self._outbox.append(effect)

    def save(self, kind: str, key: str, body: Mapping[str, Any] | None) -> None:
        """Keep something over a restart; None forgets it."""
        self.emit(Save(kind, key, body))

    def send(self, request: Any, about: Ref, now_s: float, lane: Lane = Lane.NORMAL) -> None:
        """Call the central system; what becomes of it comes back to the method marked `answered` for the call."""
        self.session.call(request, about, lane, now_s)

    def enqueue(self, request: Any, transaction: str | None, data: list[str] | None = None) -> None:
        """Put a transaction-related message into the stored queue; ``data`` are encoded values for StopTransaction.

        The transactionId is filled in when the message is sent.
        """
        payload = wire.encode_payload(request)
        if data is not None:
            payload = wire.with_transaction_data(payload, data)
        self.queue.put(wire.action_of(request), payload, transaction)
        self.session.pump(self.timers.charge_s)

    def requeue(self, key: str, now_s: float) -> None:
        """Send a message that was given up once more, as soon as its turn comes. Raises KeyError."""
        self.queue.requeue(key)
        self.session.pump(now_s)

    def setting(self, key: Key[Any]) -> Any:
        """Return the value in force of a key that this charger has."""
        return self.settings.get(key)

    def stamp(self, now_s: float) -> str:
        """The charger's UTC as text for the wire."""
        return utc_text(self.calendar.utc_s(now_s))

    def feature(self, cls: type[FeatureProfile]) -> Any:
        """Return this charger's instance of a feature class. Raises LookupError when it has none."""
        for feature in self.features:
            if type(feature) is cls:
                return feature
        raise LookupError(cls.__name__)

    def judge(self, tag: str, connector: Connector | None, now_s: float) -> Verdict:
        """Ask the features who may start, in order; the first that has an opinion decides."""
        for index in self.roster.listening["verdict"]:
            verdict = self.features[index].verdict(tag, connector, now_s)
            if verdict is not None:
                return verdict
        raise LookupError("no feature profile judges tags")

    def admission(self, connector: Connector, tag: str, parent: str | None) -> Admission:
        """Return whether a connector is kept from a tag of the group ``parent``, or for it; by default neither."""
        for index in self.roster.listening["admission"]:
            admission = self.features[index].admission(connector, tag, parent)
            if admission is not None:
                return admission
        return UNRESERVED

    def listed(self, tag: str) -> TagInfo | None:
        """Return what a local authorization list says of a tag, None where there is none or it is silent."""
        for index in self.roster.listening["listed"]:
            info = self.features[index].listed(tag)
            if info is not None:
                return info
        return None

    def list_conflict(self, tag: str, told: TagInfo, now_s: float) -> None:
        self._tell("list_conflict", tag, told, now_s)

    def waits_s(self, tag: str, now_s: float) -> float:
        """Return how long an accepted tag waits before it may charge, in s of wire time; by default not at all."""
        return max((self.features[i].waits_s(tag, now_s) for i in self.roster.listening["waits_s"]), default=0.0)

    def news_came(self, tag: str, now_s: float) -> None:
        """What an accepted tag was waiting for has come."""
        self._tell("news_came", tag, now_s)

    def objection(self, name: str, value: str) -> str | None:
        """Return why some feature cannot take a value of a key, None when all can."""
        for index in self.roster.listening["objection"]:
            reason = self.features[index].objection(name, value)
            if reason is not None:
                return reason
        return None

    def change_setting(self, name: str, text: str, now_s: float) -> tuple[ConfigurationStatus, str]:
        """Change a configuration key for good, whoever asks; return the status of 5.3 and the reason of a refusal."""
        key = self.settings.keyring.find(name)
        if key is not None:
            name = key.name
            is_writable = self.settings.keyring.access(key) is not Access.READ_ONLY
            reason = self.objection(name, text) if is_writable else None
            if reason is not None:
                return ConfigurationStatus.rejected, reason
        before = self.settings.text(name)
        status, name, refusal = self.settings.change(name, text)
        if status == ConfigurationStatus.accepted:
            # Stored even if it is in force already: it may be so only because BootNotification.conf said it.
            self.save(CONFIGURATION.name, name, {"value": self.settings.text(name)})
            if self.settings.text(name) != before:
                self.setting_changed(name, now_s)
        return status, refusal

    def data_transfer(self, request: Any, now_s: float) -> Any | None:
        """Let the features answer a DataTransfer; None when nobody knows the vendor."""
        for index in self.roster.listening["data_transfer"]:
            answer = self.features[index].data_transfer(request, now_s)
            if answer is not None:
                return answer
        return None

    def take_profile(self, told: Any, now_s: float) -> Profile | None:
        """Return the charging profile of a remote start; None without smart charging, which ignores it (5.11).

        Raises ValueError, with the reason, for one that cannot be taken.
        """
        for index in self.roster.listening["take_profile"]:
            return self.features[index].take_profile(told, now_s)
        return None

    def present(self, tag: str, verdict: str, now_s: float) -> None:
        """Tell the journal what was made of a card."""
        self.journal.write(now_s, TagPresented(tag, verdict))

    def restart(self, hard: bool, cause: str, now_s: float) -> None:
        """Go down and come back from the store; the socket is closed in order."""
        self.is_restarting = True
        self.journal.write(now_s, Restarting(cause))
        self.emit(CloseLink(1001, cause))
        self.emit(Restart(hard))

    def wind_down(self, reason: str, now_s: float) -> None:
        """End every transaction for ``reason``, because this process will end; if it is killed meanwhile, they ended so."""
        self.is_going_down = True
        self.save(RESTART.name, "cause", {"reason": reason})
        for connector in self.connectors:
            connector.cancel(now_s)
            connector.end(reason, None, now_s)

    def end_ramp_down(self, now_s: float) -> None:
        """The time that cars have to ramp down is over: open every contactor and read the meters."""
        for connector in self.connectors:
            connector.ending.end_ramp_down(now_s)

    def settle(self, now_s: float) -> None:
        """The time that meters have to answer is over: complete every ended transaction with its last register."""
        for connector in self.connectors:
            connector.ending.settle(now_s)

    @property
    def is_wound_down(self) -> bool:
        """No transaction waits for its end, and the central system has been told as far as it listens."""
        ending = any(connector.transaction is not None for connector in self.connectors)
        return not ending and (not self.session.is_online or self.session.is_idle)

    def link_is_good(self) -> None:
        self.emit(LinkIsGood())

    # --- what connectors tell -----------------------------------------------------------------------------------------

    def _tell(self, hook: str, *arguments: Any) -> None:
        for index in self.roster.listening[hook]:
            getattr(self.features[index], hook)(*arguments)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        self._tell("connector_changed", connector, now_s)

    def car_came(self, connector: Connector, now_s: float) -> None:
        self._tell("car_came", connector, now_s)

    def car_left(self, connector: Connector, now_s: float) -> None:
        self._tell("car_left", connector, now_s)

    def unlocked(self, connector: Connector, succeeded: bool, now_s: float) -> None:
        self._tell("unlocked", connector, succeeded, now_s)

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        self.queue.save(transaction)
        self._tell("transaction_started", connector, transaction, reading, now_s)

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        self._tell("transaction_ending", connector, transaction, now_s)

    def transaction_ended(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float, now_s: float
    ) -> None:
        self._tell("transaction_ended", connector, transaction, reading, at_utc_s, now_s)

    def transaction_settled(
        self, transaction: Transaction, meter_stop_wh: int, reason: str, at_utc_s: float, now_s: float
    ) -> None:
        self._tell("transaction_settled", transaction, meter_stop_wh, reason, at_utc_s, now_s)

    def is_energy_blocked(self, connector: Connector) -> bool:
        """Whether the central system refused the tag of the transaction that runs there."""
        return connector.transaction is not None and connector.transaction.is_deauthorized

    def limits(
        self, connector: Connector, now_s: float, besides: FeatureProfile | None = None
    ) -> Iterable[Limit]:
        """Return the bounds that the features set on what a connector may offer; those ``besides`` one of them."""
        for index in self.roster.listening["limits"]:
            if self.features[index] is not besides:
                yield from self.features[index].limits(connector, now_s)

    def save_register(self, connector: int, energy_wh: int, offset_wh: float, now_s: float) -> None:
        body: dict[str, Any] = {"wh": energy_wh, "at": self.connector(connector).utc_s(now_s)}
        if offset_wh:
            body["offset"] = offset_wh
        running = self.connector(connector).transaction
        if running is not None:
            running.count(running.charging_since_s is not None, now_s)
            body["charging"] = round(running.charging_s, 1)
            body["lasted"] = round(running.count_duration(now_s), 1)
        self.save(METER.name, str(connector), body)

    def save_availability(self, connector: Connector) -> None:
        body = {"operative": connector.is_operative, "scheduled": connector.availability.is_scheduled}
        self.save(AVAILABILITY.name, str(connector.number), body)

    # --- what the session tells ---------------------------------------------------------------------------------------

    def new_message_id(self) -> str:
        """A UUID4 that no call of this identity ever had (OCPP-J erratum 3.1).

        Chargers of other processes may draw the same numbers, because they were given the same seed: the identity is
        mixed in, so that ids differ in the log of a central system that serves all of them.
        """
        digits = f"{self.rng.getrandbits(128) ^ self._id_mask:032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def refuses(self, action: str) -> PeerError | None:
        """Return why a call cannot be served, None when it can."""
        if action in self.roster.handlers or action in self.roster.absent:
            return None
        if wire.is_known_action(action):
            return PeerError(ErrorCode.NOT_SUPPORTED, f"{action} is not supported by this charge point")
        return PeerError(ErrorCode.NOT_IMPLEMENTED, f"{action} is not an action of OCPP 1.6")

    def serve(self, request: Any, now_s: float) -> Any | Later:
        """Let the feature that handles a call serve it. Whatever goes wrong inside becomes InternalError."""
        action = wire.action_of(request)
        served_by = self.roster.handlers.get(action)
        if served_by is None:
            return self.roster.absent[action]()
        index, method = served_by
        try:
            return method(self.features[index], request, now_s)
        except PeerError:
            raise
        except Exception as error:
            self.log.exception("%s could not be served", action)
            raise PeerError(ErrorCode.INTERNAL_ERROR, f"{type(error).__name__} in {action}") from error

    def answered(self, action: str, about: Ref, outcome: Outcome, now_s: float) -> None:
        taken_by = self.roster.answers.get(action)
        if taken_by is not None:
            index, method = taken_by
            method(self.features[index], about, outcome, now_s)

    def delivered(self, message: Message, result: Any, now_s: float) -> None:
        self._tell("transaction_answered", message, result, now_s)

    def undelivered(self, message: Message, reason: str, level: int, now_s: float) -> None:
        """A message was given up; it is logged with ``level``, one of `logging`."""
        self.log.log(
            level, "%s could not be delivered (%s): kept as undelivered %s", message.action, reason, message.key
        )
        self._tell("message_lost", message, reason, now_s)

    def call_sent(self, action: str, now_s: float) -> None:
        self._tell("call_sent", action, now_s)

    def forgotten(self, now_s: float) -> None:
        """The central system does not know any more that it has accepted this charger."""
        self._tell("forgotten", now_s)

    def registered(self, now_s: float) -> None:
        """BootNotification was accepted: tell everybody."""
        self._tell("registered", now_s)
        self._tell("booted", now_s)

    def _clock_found(self, step_s: float, now_s: float) -> None:
        """The calendar was set for the first time, by ``step_s``: what was stamped before moves with it."""
        self.queue.move_stamps(step_s)
        for connector in self.connectors:
            if connector.is_in_transaction:
                connector.meter.save(now_s)
        self._tell("clock_found", step_s, now_s)

    def clock_stepped(self, step_s: float, now_s: float, *, is_first: bool = False) -> None:
        """The calendar was set by ``step_s``; ``is_first``: it was never right before, and nothing stamped has left."""
        if is_first:
            self._clock_found(step_s, now_s)
        else:
            for connector in self.connectors:
                if connector.transaction is not None and connector.transaction.clock is not None:
                    connector.transaction.clock.follow(step_s)
                elif step_s < -LARGE_STEP_S and self.calendar.earliest_utc_s is not None:
                    connector.meter.save_again(now_s)  # or the next start would begin at the instant that was wrong
        self.journal.write(now_s, ClockSet(step_s))
        self._tell("clock_stepped", now_s)

    def setting_changed(self, name: str, now_s: float) -> None:
        self._tell("setting_changed", name, now_s)
