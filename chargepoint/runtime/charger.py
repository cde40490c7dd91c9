"""One runnable charger: the model, its board, its link and its share of the store, joined by the rules of the outbox.

Effects leave in decision order, with one exception in one place: *switching off never waits*. A `Save` is a barrier: what
follows it leaves only after the commit that holds it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Protocol

from ocpp.v16.enums import ConfigurationStatus

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.outbox import (
    CancelTransfer,
    CloseLink,
    Command,
    Effect,
    Errand,
    Indicate,
    Install,
    LinkIsGood,
    OpenPilot,
    ReadMeter,
    Redial,
    Ref,
    Restart,
    Save,
    Send,
    SetPilot,
    SetPing,
    SetRelay,
    StartTransfer,
    SwitchPhases,
    TrySave,
    WatchMeter,
    is_switching_off,
)
from chargepoint.model.record import Damaged, RecordKind, Records, Snapshot
from chargepoint.model.timebase import Alarm, Clock, Timers
from chargepoint.model.transfer import Transferred
from hw.errors import HardwareError
from hw.ports import PILOT_STEADY, Board, Fault, FaultSeen, LockSeen, MeterRead, Observation, PilotSeen, ProximitySeen
from profiles.core.local_limit import LocalLimit

from .connection import Closed

log = logging.getLogger(__name__)

GOODBYE_S = 5.0
"""How long a socket may take to close in order before a restart goes on without it."""
FAILED_DOWN_S = 10.0
"""A charger that failed stays down so long, its outlets dead, before it is built again from the store."""


class LinkPort(Protocol):
    """What a charger needs of its link: `chargepoint.runtime.link.Link`, or one in memory."""

    @property
    def is_idle(self) -> bool: ...
    @property
    def is_held(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self, code: int = 1001, reason: str = "") -> None: ...
    def redial(self, code: int = 1000, reason: str = "", *, at_once: bool = True) -> None: ...
    def drop(self) -> None: ...
    def hold(self, network_down: bool) -> None: ...
    def send_text(self, text: str) -> bool: ...
    def set_ping_interval(self, interval_s: float) -> None: ...
    def reset_backoff(self) -> None: ...


class Porter(Protocol):
    """Who carries files for a charger, in the background: `Charger.on_transfer` hears of every end."""

    def carry(self, errand: Errand) -> None: ...
    def stop(self) -> None:
        """The charger goes down: whatever runs is ended, and nothing is heard of it any more."""


class Shore(Protocol):
    """What a charger needs of the pump that drives it."""

    committed: int
    """Number of the last batch that is on the disk."""

    @property
    def store_failing_since_s(self) -> float | None:
        """Charge time since which the store takes nothing, None while it works."""

    def tell_time(self) -> float: ...
    def is_dirty(self, charger: Charger) -> None: ...
    def has_stepped(self) -> None: ...
    def batch(self, identity: str, saves: list[Save]) -> int: ...
    def attempt(self, identity: str, saves: Sequence[Save], told: Callable[[bool], None]) -> int: ...
    def wait_for(self, batch: int, charger: Charger) -> None: ...
    def load(
        self, identity: str, kinds: Collection[str] | None = None
    ) -> Mapping[str, Mapping[str, Mapping[str, Any]]]: ...


class Phase(Enum):
    """Where a charger is between two lives."""

    BUILT = "built"
    RUNNING = "running"
    CLOSING = "closing"
    STOPPED = "stopped"


BOARD = RecordKind(
    "board",
    __name__,
    lambda _key, fields: fields.items("processes"),
    "what the simulated board looked like: cars, cables and registers of its outlets begin anew",
)
"""One, keyed ``state``: what `Board.snapshot` returned."""

Builder = Callable[["Charger", Timers], ChargePoint]
"""Makes a new model for a charger; called at every start."""


_Held = Effect | int
"""What waits to leave: an effect, or the number of the commit before which nothing behind it may."""


class Charger:
    """A model with everything around it. ``report`` and the link's events come in; effects go out."""

    __slots__ = (
        "_board_due",
        "_board_has_news",
        "_builder",
        "_duties",
        "_held",
        "_is_stepping",
        "_is_store_failing",
        "_keeps_board",
        "_mailbox",
        "_phase_alarm",
        "_runtime_timers",
        "_saved_in",
        "_shore",
        "_store_reports",
        "board",
        "down_s",
        "identity",
        "link",
        "model",
        "on_rebuilt",
        "phase",
        "porter",
        "store_losses",
    )

    def __init__(
        self,
        identity: str,
        shore: Shore,
        timers: Timers,
        builder: Builder,
        *,
        keeps_board: bool = False,
        down_s: float = 5.0,
    ) -> None:
        """``down_s``: how long a reset keeps the box off the network, in charge time."""
        self.identity = identity
        self.board: Board
        self.link: LinkPort
        self.porter: Porter
        self.model: ChargePoint
        self.phase = Phase.BUILT
        self.down_s = down_s
        self.store_losses: list[str] = []
        """What the store had lost at the starts of this process, one sentence each."""
        self.on_rebuilt: tuple[Callable[[Charger], None], ...] = ()
        self._shore = shore
        self._builder = builder
        # Owned by this charger, so that what fails in them is its failure and nobody else's.
        self._runtime_timers = Timers(timers.scheduler, self)
        self._mailbox: list[Observation] = []
        self._held: deque[_Held] = deque()
        self._saved_in = 0
        """The batch that holds the last of its saves."""
        self._duties: dict[int, float] = {}
        """What each pilot drives, in %."""
        self._is_stepping = False
        self._is_store_failing = False
        self._store_reports: list[tuple[int, Callable[[bool], None]]] = []
        """Who waits for which batch, see `when_stored`."""
        self._keeps_board = keeps_board
        self._board_has_news = False
        self._board_due = Alarm(self._runtime_timers, self._advance_board)
        self._phase_alarm: Alarm | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Build the model from the store, restore a simulated board, and begin."""
        now_s = self._shore.tell_time()
        records = self._shore.load(self.identity)
        damaged = self._restore_board(records, now_s) if self._keeps_board and self.phase is Phase.BUILT else None
        # Whatever an earlier process left switched on: nobody here has granted it.
        self._make_dead(now_s)
        self._build(records, now_s, damaged)
        self.link.start()
        self.step(now_s)

    def _restore_board(self, records: Records, now_s: float) -> Damaged | None:
        """Restore a simulated board; return its record when the board cannot take it up as a whole."""
        saved = Snapshot(records, (BOARD,)).one(BOARD, "state")
        try:
            self.board.restore(saved or (), now_s)
        except Exception as error:
            return Damaged(BOARD.name, "state", {"processes": saved}, f"{type(error).__name__}: {error}", BOARD.loss)
        return None

    def _build(self, records: Records, now_s: float, damaged: Damaged | None = None) -> None:
        self._held.clear()
        self._mailbox.clear()
        self.model = self._builder(self, Timers(self._runtime_timers.scheduler, self))
        self.phase = Phase.RUNNING
        for listener in self.on_rebuilt:
            listener(self)
        snapshot = Snapshot(records, (*self.model.roster.records, BOARD))
        if damaged is not None:
            snapshot.damaged.append(damaged)
        self.model.start(snapshot, now_s)
        self.store_losses += self.model.losses
        since_s = self._shore.store_failing_since_s
        if since_s is not None:
            self.on_store_failed(since_s)
        self.board.announce()
        self._advance_board(now_s)

    def stop(self, code: int = 1001) -> None:
        """End: outlets dead, socket closed in order, nothing due any more. The store keeps what was running."""
        if self.phase is Phase.RUNNING:
            self.step(self._shore.tell_time())
        was_built, self.phase = self.phase is not Phase.BUILT, Phase.STOPPED
        self._make_dead(self._shore.tell_time())
        self.link.stop(code, "stopping")
        self.porter.stop()
        if was_built:
            self.model.timers.close()
        self._board_due.clear()

    def fail(self, error: BaseException) -> None:
        """A programming mistake: this charger goes dark and comes back from the store; the others go on."""
        now_s = self._shore.tell_time()
        if self.phase is Phase.STOPPED:
            log.error("failed after its end", exc_info=error, extra={"charger": self.identity})
            return
        log.error("failed and restarts in %.0f s", FAILED_DOWN_S, exc_info=error, extra={"charger": self.identity})
        self._make_dead(now_s)
        self.model.timers.close()
        self.phase = Phase.CLOSING
        self.link.stop(1011, "internal error")
        self.porter.stop()
        self._later(now_s + FAILED_DOWN_S, self._come_back)

    def _make_dead(self, now_s: float) -> None:
        """Pilot off and contactor open at every outlet, whatever the model believes and as far as the board obeys."""
        for ports in self.board.outlets:
            self._attempt(partial(ports.pilot.set_duty, PILOT_STEADY, now_s))
            self._attempt(partial(ports.relay.set_closed, False, now_s))
            if ports.outlet.has_pilot_relay:
                self._attempt(partial(ports.pilot.set_open, False, now_s))
        self._duties.clear()
        self._attempt(partial(self._advance_board, now_s))

    def _attempt(self, deed: Callable[[], object]) -> None:
        """Do one of several things that all must be tried: a pilot that fails keeps no contactor closed."""
        try:
            deed()
        except Exception:
            log.exception("the board failed while it was switched off", extra={"charger": self.identity})

    def _restart(self, now_s: float) -> None:
        self._make_dead(now_s)
        self.porter.stop()
        self.model.timers.close()
        self._held.clear()
        self.phase = Phase.CLOSING
        self._later(now_s + self.down_s, self._come_back)

    def cut_power(self, dark_s: float) -> None:
        """The mains of the box fail for ``dark_s`` of charge time: the socket just stops, what was not stored is gone.

        It comes back from the store, as after every power cut. While it is down nothing happens.
        """
        if self.phase is Phase.RUNNING:
            now_s = self._shore.tell_time()
            self._restart(now_s)
            self.link.drop()
            self.link.stop()
            self._later(now_s + dark_s, self._come_back)

    def on_store_failed(self, since_s: float) -> None:
        """The store takes nothing: frames of stored messages that wait for it are taken back, others leave from now on."""
        self._report_stored(is_failing=True)
        if self.phase is not Phase.RUNNING:
            self._is_store_failing = True
            return
        self.step(self._shore.tell_time())  # the frames of the last decisions wait for the store too
        self._is_store_failing = True
        waiting = [each for each in self._held if type(each) is Send]
        unsent = {each.message_id for each in waiting if each.message_id is not None}
        free = [each for each in waiting if not each.waits_for_store]
        if waiting:
            self._held = deque(
                each
                for each in self._held
                if type(each) is not Send or (each.message_id is None and each.waits_for_store)
            )
        for each in free:
            self.link.send_text(each.text)
        self._input(lambda now_s: self.model.on_store_failed(since_s, unsent, now_s))

    def on_store_recovered(self) -> None:
        """The store works again."""
        self._is_store_failing = False
        self._input(self.model.on_store_recovered)

    def _later(self, due_s: float, action: Callable[[float], None]) -> None:
        if self._phase_alarm is not None:
            self._phase_alarm.clear()
        self._phase_alarm = Alarm(self._runtime_timers, action)
        self._phase_alarm.set(due_s)

    def _come_back(self, now_s: float) -> None:
        if self.phase is not Phase.CLOSING:
            return
        if not self.link.is_idle or self._saved_in > self._shore.committed:
            # The old socket closes before a new one opens, however fast the clock runs; and the new life begins with
            # everything the old one decided, or a message would go out again after its answer.
            if not self.link.is_idle:
                self.link.drop()
            self._phase_alarm = Alarm(self._runtime_timers, self._come_back, Clock.WIRE)
            self._phase_alarm.set_after(0.05)
            return
        self._build(self._shore.load(self.identity), now_s)
        self.link.start()
        self.step(now_s)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def report(self, seen: Observation) -> None:
        """The board's mailbox."""
        self._mailbox.append(seen)
        self.wake()

    def wake(self) -> None:
        """There is something in mailbox or outbox."""
        if not self._is_stepping:
            self._shore.is_dirty(self)

    def stored(self, kinds: Collection[str] | None = None) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Return what the store holds of this charger, see `Store.load`. Raises StoreError."""
        return self._shore.load(self.identity, kinds)

    def when_stored(self, report: Callable[[bool], None]) -> None:
        """Call ``report`` once: with True when everything decided so far is on the disk, with False if the store fails."""
        self.step(self._shore.tell_time())
        if self._saved_in <= self._shore.committed:
            report(True)
        elif self._shore.store_failing_since_s is not None:
            report(False)
        else:
            self._store_reports.append((self._saved_in, report))
            self._shore.wait_for(self._saved_in, self)

    def _report_stored(self, is_failing: bool = False) -> None:
        due = [each for each in self._store_reports if is_failing or each[0] <= self._shore.committed]
        self._store_reports = [each for each in self._store_reports if each not in due]
        for batch, report in due:
            report(batch <= self._shore.committed)

    def act(self, deed: Callable[[Board, float], None]) -> None:
        """Let somebody do something at the board, such as plug in at a simulated outlet."""
        now_s = self._shore.tell_time()
        deed(self.board, now_s)
        self._advance_board(now_s)
        self._shore.is_dirty(self)

    def act_after(self, delay_s: float, deed: Callable[[], None]) -> None:
        """Let something happen at the board later, in s of charge time, whatever becomes of the model meanwhile."""
        self._runtime_timers.at(self._shore.tell_time() + delay_s, lambda _now_s: deed())

    def tell_time(self) -> float:
        """Return the charge time in s."""
        return self._shore.tell_time()

    def alarm(self, action: Callable[[float], None], clock: Clock = Clock.CHARGE) -> Alarm:
        """Return a timer that outlives restarts. `wake` after setting it; ``action`` must not raise."""
        self._shore.tell_time()
        return Alarm(self._runtime_timers, action, clock)

    def settle(self) -> None:
        """Deal at once with what `act` brought about, without waiting for a tick of the pump."""
        self.step(self._shore.tell_time())
        self._shore.has_stepped()

    def change_setting(self, name: str, value: str) -> tuple[ConfigurationStatus, str]:
        """Change a configuration key as ChangeConfiguration would; return the status and the reason of a refusal."""
        return self.model.change_setting(name, value, self._shore.tell_time())

    def limit(self, connector: int, amps: float | None) -> None:
        """Set the local limit of a connector: see `LocalLimit.set`, which raises ValueError."""
        self.model.feature(LocalLimit).set(self.model.connector(connector), amps, self._shore.tell_time())

    def resume(self, connector: int) -> None:
        """Allow at a connector what was allowed before its local limit was 0."""
        self.model.feature(LocalLimit).resume(self.model.connector(connector), self._shore.tell_time())

    def confirm_repair(self, connector: int) -> tuple[list[str], list[str]]:
        """Clear the faults of a connector that are latched until service; return those cleared, and those still seen."""
        cleared, seen = self.model.connector(connector).faults.confirm_repair(self._shore.tell_time())
        return [each.value for each in cleared], [each.value for each in seen]

    def requeue(self, key: str) -> None:
        """Send a message that was given up once more. Raises KeyError."""
        self.model.requeue(key, self._shore.tell_time())

    def send_raw(self, action: str, payload: str) -> None:
        """Send a call as it is written, right or wrong (encoded JSON). Raises ConnectionError without a socket."""
        self.model.session.send_raw(action, payload, self._shore.tell_time())

    def on_open(self, subprotocol: str | None) -> None:
        self._input(lambda now_s: self.model.on_link(True, subprotocol or "no subprotocol", now_s))

    def on_text(self, text: str) -> None:
        """A frame: taken in and dealt with at once, without waiting for a tick of the pump."""
        if self.phase is not Phase.RUNNING or self._is_stepping:
            self._input(lambda now_s: self.model.on_frame(text, now_s))
            return
        now_s = self._shore.tell_time()
        self._is_stepping = True
        try:
            self.model.on_frame(text, now_s)
            self._step(now_s)
        except Exception as error:
            self.fail(error)
        finally:
            self._is_stepping = False
        self._shore.has_stepped()

    def on_closed(self, closed: Closed) -> None:
        if self.phase is Phase.RUNNING:
            self._input(lambda now_s: self.model.on_link(False, str(closed), now_s, closed.peer_code))
        elif self.phase is not Phase.BUILT:
            self.model.on_link_after_end(str(closed), self._shore.tell_time())

    def on_transfer(self, ref: Ref, ended: Transferred) -> None:
        """The porter has done what it was told, or could not."""
        self._input(lambda now_s: self.model.on_transfer(ref, ended, now_s))

    def _on_stored(self, ref: Ref, succeeded: bool) -> None:
        self._input(lambda now_s: self.model.on_stored(ref, succeeded, now_s))

    def on_dial_failed(self, failure: object) -> None:
        """The link has said so in the log and goes on trying."""

    def tell(self, what: Callable[[ChargePoint, float], None]) -> None:
        """Give the model an input of the runtime, with the charge time. What fails in it is a failure of this charger."""
        self._input(lambda now_s: what(self.model, now_s))

    def _input(self, give: Callable[[float], None]) -> None:
        if self.phase is Phase.RUNNING:
            try:
                give(self._shore.tell_time())
            except Exception as error:
                self.fail(error)
            self._shore.has_stepped()

    # --- what goes out ------------------------------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Take in what the board said and carry out what was decided, until both are quiet."""
        if self._is_stepping or self.phase is not Phase.RUNNING:
            return
        self._is_stepping = True
        try:
            self._step(now_s)
        except Exception as error:
            self.fail(error)
        finally:
            self._is_stepping = False

    def _step(self, now_s: float) -> None:
        while self.phase is Phase.RUNNING:
            if self._mailbox:
                seen_now, self._mailbox = self._mailbox, []
                for seen in seen_now:
                    self.model.on_observation(seen, now_s)
                    if self._keeps_board and isinstance(seen, PilotSeen | ProximitySeen | LockSeen):
                        self._board_has_news = True
            effects = self.model.take_effects()
            if effects:
                self._take(effects, now_s)
            elif not self._mailbox:
                if self._board_has_news:
                    self._take([], now_s)
                return

    def _take(self, effects: list[Effect], now_s: float) -> None:
        before = self._saved_in
        saves = [effect for effect in effects if type(effect) is Save]
        if self._keeps_board:
            self._keep_board(saves)
        if saves:
            self._saved_in = self._shore.batch(self.identity, saves)
        # 61851: off within 100 ms, whatever store and wire are doing; what waits must not undo it.
        for effect in effects:
            if self._takes_energy_away(effect):
                self._forget_held(effect)
                self._carry_out(effect, now_s)
        batch = before
        for effect in effects:
            if type(effect) is Save:
                batch = self._saved_in
            elif type(effect) is ReadMeter or type(effect) is WatchMeter:
                self._carry_out(effect, now_s)  # a question changes nothing, so it waits for nothing
            elif self._is_store_failing and type(effect) is Send and not effect.waits_for_store:
                self._carry_out(effect, now_s)
            elif not self._takes_energy_away(effect) and not self._is_overruled(effect, effects):
                self._leave(effect, batch, now_s)

    def _leave(self, effect: Effect, batch: int, now_s: float) -> None:
        """Carry an effect out, or hold it until everything decided before it is on the disk and has left."""
        is_stored = batch <= self._shore.committed
        if is_stored and not self._held:
            if self.phase is Phase.RUNNING:
                # Else a Restart has been carried out: what the old model wants after it is void, but for its saves.
                self._carry_out(effect, now_s)
            return
        if not is_stored:
            self._held.append(batch)
            self._shore.wait_for(batch, self)
        self._held.append(effect)

    def _takes_energy_away(self, effect: Effect) -> bool:
        """Contactor open, pilot steady, or less current than is offered now."""
        if type(effect) is SetPilot and 0.0 < effect.duty_percent < self._duties.get(effect.connector, PILOT_STEADY):
            return self._duties.get(effect.connector, PILOT_STEADY) != PILOT_STEADY
        return is_switching_off(effect)

    @staticmethod
    def _is_overruled(effect: Effect, effects: list[Effect]) -> bool:
        """Whether the same outbox switches off later what this effect switches on."""
        if not isinstance(effect, SetPilot | SetRelay):
            return False
        last = [e for e in effects if type(e) is type(effect) and e.connector == effect.connector][-1]
        return last is not effect and is_switching_off(last)

    def _forget_held(self, off: Effect) -> None:
        """Leave out what waits to switch the same thing on again."""
        assert isinstance(off, SetPilot | SetRelay)
        if self._held:
            kept = [e for e in self._held if type(e) is not type(off) or e.connector != off.connector]
            self._held = deque(kept)

    def _keep_board(self, saves: list[Save]) -> None:
        """A simulated board is stored with every register it told, so that the two never contradict each other."""
        if self._board_has_news or any(save.kind == "meter" for save in saves):
            self._board_has_news = False
            saves.append(Save(BOARD.name, "state", {"processes": self.board.snapshot()}))

    def committed(self, now_s: float) -> None:
        """A commit that this charger waited for is on the disk: what waited for it leaves."""
        if self._store_reports:
            self._report_stored()
        try:
            self._release(now_s)
        except Exception as error:
            self.fail(error)
        self.step(now_s)

    def _release(self, now_s: float) -> None:
        while self._held and self.phase is Phase.RUNNING:
            effect = self._held.popleft()
            if not isinstance(effect, int):
                self._carry_out(effect, now_s)
            elif effect > self._shore.committed:
                self._held.appendleft(effect)
                return

    def _carry_out(self, effect: Effect, now_s: float) -> None:
        if isinstance(effect, Send):
            self.link.send_text(effect.text)
        elif isinstance(effect, Command):
            self._command(effect, now_s)
        elif isinstance(effect, StartTransfer | CancelTransfer | Install):
            self.porter.carry(effect)
        elif isinstance(effect, TrySave):
            # Noted as its last save, so that a new life does not begin before it is known how this one went.
            self._saved_in = self._shore.attempt(self.identity, effect.saves, partial(self._on_stored, effect.ref))
        elif isinstance(effect, SetPing):
            self.link.set_ping_interval(float(effect.interval_s))
        elif isinstance(effect, LinkIsGood):
            self.link.reset_backoff()
        elif isinstance(effect, CloseLink):
            self.link.stop(effect.code, effect.reason)
        elif isinstance(effect, Redial):
            self.link.redial(effect.code, effect.reason, at_once=False)
        elif isinstance(effect, Restart):
            self._restart(now_s)

    def _command(self, effect: Command, now_s: float) -> None:
        """Give a command to the board. A device that fails is a fault of its outlet, not of the charger."""
        try:
            self._obey(effect, now_s)
        except HardwareError as error:
            log.error("%s", error, extra={"charger": self.identity})
            if isinstance(effect, ReadMeter):
                self._mailbox.append(MeterRead(effect.connector, effect.ref, None))
            else:
                self._mailbox.append(FaultSeen(effect.connector, Fault.CONTROLLER_SILENT, True, str(error)))
        # Also of one that failed: what should have opened and did not is to be missed.
        self.model.on_commanded(effect, now_s)
        self._advance_board(now_s)

    def _obey(self, effect: Command, now_s: float) -> None:
        ports = self.board.outlet(effect.connector)
        if isinstance(effect, ReadMeter):
            ports.meter.read(effect.ref, now_s)
        elif isinstance(effect, SetPilot):
            self._duties[effect.connector] = effect.duty_percent
            ports.pilot.set_duty(effect.duty_percent, now_s)
        elif isinstance(effect, SetRelay):
            ports.relay.set_closed(effect.closed, now_s)
        elif isinstance(effect, WatchMeter):
            ports.meter.watch(effect.is_on, now_s)
        elif isinstance(effect, OpenPilot):
            ports.pilot.set_open(effect.is_open, now_s)
        elif isinstance(effect, SwitchPhases):
            if ports.phase_switch is not None:
                ports.phase_switch.set_phases(effect.phases, now_s)
        elif isinstance(effect, Indicate):
            if ports.indicator is not None:
                ports.indicator.show(effect.colour, effect.intensity_percent, effect.blinks, now_s)
        elif ports.lock is not None:
            ports.lock.set_locked(effect.locked, now_s)

    def _advance_board(self, now_s: float) -> None:
        due_s = self.board.advance(now_s)
        if due_s == float("inf"):
            self._board_due.clear()
        else:
            self._board_due.set(due_s)
