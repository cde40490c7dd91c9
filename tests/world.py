"""A charger in a world of its own: stepped time, a simulated board, and a central system written for tests.

`Peer` speaks OCPP-J from scratch, in plain JSON: it shares no line with the program, so nothing here passes by agreeing
with itself. Every frame of the charger is checked against the schemas as published. `World.cut_power` drops everything
but the store and the hardware, and builds the charger again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from chargepoint.model import wire
from chargepoint.model.journal import Entry
from chargepoint.model.timebase import Calendar, Timers, utc_text
from chargepoint.runtime.assembly import ChargerPlan, assemble
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.connection import CloseCause, Closed
from chargepoint.runtime.pump import SteppedPump
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board

EPOCH_UTC_S = 1767225600.0  # 2026-01-01T00:00:00Z

BACK_OFF_S = 5.0
"""Wait before a dial that is not to come at once."""

Frame = list[Any]
Answerer = Callable[[dict[str, Any]], Any]
"""Makes the payload of a CALLRESULT; `ERROR` or the name of a code answers with a CALLERROR, `SILENCE` not at all."""
ERROR = object()
SILENCE = object()


@dataclass
class Seen:
    """A frame on the wire, from the peer's side. ``at_s``: charger time; ``socket`` counts the connections."""

    at_s: float
    is_from_charger: bool
    frame: Frame
    socket: int = 0
    has_arrived: bool = True
    """Whether a running charger got it: a frame of the peer may be under way, or lost."""


class Peer:
    """A central system that answers everything with what `answers` says and remembers every frame."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = 0
        self.seen: list[Seen] = []
        self.results: dict[str, Frame] = {}
        self.next_transaction_id = 1
        self.interval_s = 300
        self.registration = "Accepted"
        self.tags: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Answerer] = {}
        """By action, instead of the ordinary answer."""
        self.garble: Callable[[str], Iterable[str]] | None = None
        """What the network makes of a frame of the peer."""

    def tag_info(self, tag: str) -> dict[str, Any]:
        return self.tags.get(tag, {"status": "Accepted"})

    def ordinary(self, action: str, payload: dict[str, Any]) -> Any:
        now = utc_text(EPOCH_UTC_S + self._world.now_s)
        if action == "BootNotification":
            return {"status": self.registration, "currentTime": now, "interval": self.interval_s}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            return {"idTagInfo": self.tag_info(payload["idTag"])}
        if action == "StartTransaction":
            self.next_transaction_id += 1
            return {"idTagInfo": self.tag_info(payload["idTag"]), "transactionId": self.next_transaction_id - 1}
        if action == "DataTransfer":
            return {"status": "UnknownVendorId"}
        return {}

    def receive(self, text: str) -> None:
        frame = json.loads(text)
        self.seen.append(Seen(self._world.now_s, True, frame, self._world.sockets))
        if frame[0] != 2:
            self.results[frame[1]] = frame
            return
        _, message_id, action, payload = frame
        wire.validate_outgoing(action, json.dumps(payload))
        answerer = self.answers.get(action)
        answer = answerer(payload) if answerer else self.ordinary(action, payload)
        if answer is ERROR or isinstance(answer, str):
            code = "InternalError" if answer is ERROR else answer
            self.send([4, message_id, code, "made for a test", {}])
        elif answer is not SILENCE:
            self.send([3, message_id, answer])

    def send(self, frame: Frame | str) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        seen = None
        if not isinstance(frame, str):
            seen = Seen(self._world.now_s, False, frame, self._world.sockets, has_arrived=False)
            self.seen.append(seen)
        for each in (text,) if self.garble is None else self.garble(text):
            self._world.link.to_charger(each, seen if each == text else None)

    def call(self, action: str, /, **payload: Any) -> str:
        """Send a CALL; return its id."""
        self._calls += 1
        message_id = f"cs-{self._calls}"
        self.send([2, message_id, action, payload])
        return message_id


class TestLink:
    """A wire in memory: frames and closings arrive one by one, each in its own turn."""

    __test__ = False

    def __init__(self, world: World, charger: Charger) -> None:
        self._world = world
        self._charger = charger
        self.is_open = False
        self.is_idle = True
        self.is_down = False
        self._is_wanted = False
        self._number = 0

    @property
    def is_held(self) -> bool:
        return self.is_down

    def _post(self, event: Callable[[], None]) -> None:
        self._world.pump.mailbox.append(event)

    def start(self) -> None:
        self._is_wanted = True
        self._post(self._open)

    def _open(self) -> None:
        if self._is_wanted and not self.is_open and not self.is_down:
            self.is_open, self.is_idle = True, False
            self._number += 1
            self._world.sockets += 1
            self._charger.on_open("ocpp1.6")

    def stop(self, code: int = 1001, reason: str = "") -> None:
        # What was written before still reaches the peer: a closing handshake comes after it.
        self._is_wanted = False
        self._end(reason)

    def redial(self, code: int = 1000, reason: str = "", *, at_once: bool = True) -> None:
        self._end(reason)
        if at_once:
            self._post(self._open)
        else:
            self._world.pump.timers("wire").after_wire(BACK_OFF_S, lambda _now_s: self._post(self._open))

    def drop(self) -> None:
        self._number += 1
        self._end("dropped")

    def hold(self, network_down: bool) -> None:
        self.is_down = network_down
        if network_down:
            self.drop()
        elif self._is_wanted:
            self._post(self._open)

    def closed_by_peer(self, code: int) -> None:
        """The central system sends a close frame, and whatever it did not read is lost."""
        self._number += 1
        self._end("closed by the central system", code)

    def _end(self, reason: str, peer_code: int | None = None) -> None:
        if self.is_open:
            self.is_open = False
            is_ours = peer_code is None
            closed = Closed(CloseCause.LOST if is_ours else CloseCause.PEER, peer_code or 1006, reason)
            self._post(lambda: self._closed(closed))

    def _closed(self, closed: Closed) -> None:
        self.is_idle = True
        self._charger.on_closed(closed)

    def send_text(self, text: str) -> bool:
        if self.is_open:
            number = self._number
            self._post(lambda: self._world.peer.receive(text) if number == self._number else None)
        return self.is_open

    def to_charger(self, text: str, seen: Seen | None = None) -> None:
        if self.is_open:
            number = self._number
            self._post(lambda: self._arrive(text, seen) if self.is_open and number == self._number else None)

    def _arrive(self, text: str, seen: Seen | None) -> None:
        if seen is not None:
            seen.has_arrived = self._charger.phase is Phase.RUNNING
        self._charger.on_text(text)

    def set_ping_interval(self, interval_s: float) -> None:
        self.ping_interval_s = interval_s

    def reset_backoff(self) -> None:
        pass


@dataclass
class World:
    """One charger and everything around it. Verbs return the world, so that a situation reads as one line."""

    board: str = "ac11-sim"
    keys: dict[str, str] = field(default_factory=dict)
    seed: int = 1
    starts_online: bool = True
    keeps_board: bool = True
    """False: after a power cut the board is as new, whoever was plugged in has left in the dark."""
    plan: dict[str, Any] = field(default_factory=dict)
    """Further fields of `ChargerPlan`."""
    machine_utc_s: float = EPOCH_UTC_S
    """What the machine's clock shows at time 0, in UTC s."""
    earliest_utc_s: float | None = None
    """Not None: the clock is the real one, and the program was released then."""
    identity: str = "CP1"
    store_path: Path | None = None
    """The file of the store; None keeps it in memory."""
    durability: Durability = Durability.RELAXED
    """With FULL the register is stored every 10 s."""
    begins_s: float = 0.0
    """Charge time of the start."""

    def __post_init__(self) -> None:
        self.store = Store(self.store_path, self.durability)
        self.rng = Random(self.seed)
        self.journal: list[tuple[float, Entry]] = []
        self.watchers: list[Callable[[], None]] = []
        """Called at every moment at which something happened, when all of it has."""
        self.sockets = 0
        self.pump = self._make_pump()
        self.pump.scheduler.tell(self.begins_s, self.begins_s)
        self.peer = self._make_peer()
        self._build()
        if not self.starts_online:
            self.link.is_down = True
        self.charger.start()
        self.run(0.1)

    def _build(self) -> None:
        plan = ChargerPlan(
            identity=self.identity,
            board=plan_board(self.board),
            keys=self.keys,
            keeps_board=self.keeps_board,
            seed=self.seed,
            **self.plan,
        )
        self.charger = assemble(plan, self.pump, self.rng, self._make_calendar, self._make_link)
        self.charger.on_rebuilt = (
            lambda charger: charger.model.journal.listen(lambda _id, at_s, entry: self.journal.append((at_s, entry))),
        )

    def _make_pump(self) -> SteppedPump:
        return SteppedPump(self.store)

    def _make_calendar(self, timers: Timers) -> Calendar:
        return Calendar(timers, self.machine_utc_s, earliest_utc_s=self.earliest_utc_s)

    def _make_peer(self) -> Peer:
        return Peer(self)

    def _make_link(self, charger: Charger) -> TestLink:
        return TestLink(self, charger)

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return self.pump.scheduler.charge_s

    @property
    def link(self) -> TestLink:
        link = self.charger.link
        assert isinstance(link, TestLink)
        return link

    @property
    def model(self) -> Any:
        return self.charger.model

    def stored(self, kind: str, key: str) -> Any:
        """Return one record of the store, None when there is none."""
        found = self.store._db.execute("SELECT body FROM record WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if found is None else json.loads(found[0])

    def connector(self, number: int = 1) -> Any:
        return self.charger.model.connector(number)

    def feature(self, cls: type) -> Any:
        return self.charger.model.feature(cls)

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """Payloads of the charger's CALLs, oldest first; of all actions when none is named."""
        return [s.frame[3] for s in self._calls() if not actions or s.frame[2] in actions]

    def story(self) -> list[str]:
        """The charger's CALLs in short, oldest first: action, and what tells it apart."""
        told = []
        for seen in self._calls():
            action, payload = seen.frame[2], seen.frame[3]
            details: dict[str, Callable[[dict[str, Any]], str]] = {
                "StatusNotification": lambda p: f"{p['connectorId']} {p['status']}"
                + ("" if p["errorCode"] == "NoError" else f" {p['errorCode']}"),
                "StopTransaction": lambda p: p.get("reason", ""),
                "Authorize": lambda p: p["idTag"],
                "StartTransaction": lambda p: p["idTag"],
            }
            detail = details[action](payload) if action in details else ""
            told.append(f"{action} {detail}".strip())
        return told

    def _calls(self) -> list[Seen]:
        return [s for s in self.peer.seen if s.is_from_charger and s.frame[0] == 2]

    def statuses(self, connector: int = 1) -> list[str]:
        """What StatusNotification told of a connector, oldest first."""
        return [p["status"] for p in self.calls("StatusNotification") if p["connectorId"] == connector]

    def last(self, action: str) -> dict[str, Any]:
        """Payload of the charger's newest CALL of an action."""
        return self.calls(action)[-1]

    def told(self, connector: int = 1) -> str:
        """The status that was told last of a connector."""
        return self.statuses(connector)[-1]

    def tells(self, connector: int = 1) -> list[tuple[str, str, str]]:
        """Status, error code and info of what was told of a connector, oldest first."""
        told = [p for p in self.calls("StatusNotification") if p["connectorId"] == connector]
        return [(p["status"], p["errorCode"], p.get("info", "")) for p in told]

    def forget(self) -> Self:
        """Forget the frames so far."""
        self.peer.seen.clear()
        return self

    # --- doing --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> Self:
        self.pump.run_for(seconds, self._watch if self.watchers else None)
        return self

    def _watch(self) -> bool:
        for watcher in self.watchers:
            watcher()
        return False

    def plug(self, connector: int = 1) -> Self:
        self.charger.act(lambda board, now_s: board.outlet(connector).hands.plug_in(now_s))  # type: ignore[union-attr]
        return self.run(0.5)

    def plug_box(self, connector: int = 1) -> Self:
        """Put the plug into the socket, with the car's end still in the hand."""
        return self.plug(connector).unplug_car(connector)

    def unplug(self, connector: int = 1) -> Self:
        self.charger.act(lambda board, now_s: board.outlet(connector).hands.unplug(now_s))  # type: ignore[union-attr]
        return self.run(1.0)

    def unplug_car(self, connector: int = 1) -> Self:
        self.charger.act(lambda board, now_s: board.outlet(connector).hands.unplug_car(now_s))  # type: ignore[union-attr]
        return self.run(1.0)

    def wants_energy(self, wants: bool, connector: int = 1) -> Self:
        self.charger.act(
            lambda board, now_s: board.outlet(connector).hands.wants_energy(wants, now_s)  # type: ignore[union-attr]
        )
        return self.run(0.5)

    def cause(self, name: str, active: bool = True, connector: int = 1) -> Self:
        """Break something at an outlet, or mend it."""
        self.charger.act(
            lambda board, now_s: board.outlet(connector).hands.cause(name, active, now_s)  # type: ignore[union-attr]
        )
        return self.run(0.5)

    def tap(self, tag: str, reader: int = 0) -> Self:
        self.charger.act(lambda board, now_s: board.readers[reader].present(tag, now_s))
        return self.run(0.5)

    def ask(self, action: str, /, **payload: Any) -> Any:
        """Let the central system call; return the payload of the answer, or the code of a CALLERROR."""
        message_id = self.peer.call(action, **payload)
        self.run(0.1)
        frame = self.peer.results.get(message_id)
        assert frame is not None, f"{action} was not answered"
        return frame[2]

    def configure(self, **keys: object) -> Self:
        """Let the central system change configuration keys."""
        for key, value in keys.items():
            answer = self.ask("ChangeConfiguration", key=key, value=str(value))
            assert answer == {"status": "Accepted"}, f"{key}: {answer}"
        return self

    def remote_start(self, tag: str = "A1", **more: Any) -> str:
        """Ask for a transaction; return the status of the answer."""
        return str(self.ask("RemoteStartTransaction", idTag=tag, **more)["status"])

    def remote_stop(self, transaction_id: int) -> str:
        """Ask for the end of a transaction; return the status of the answer."""
        return str(self.ask("RemoteStopTransaction", transactionId=transaction_id)["status"])

    def availability(self, kind: str, connector: int = 1) -> str:
        """Ask for Operative or Inoperative; return the status of the answer."""
        return str(self.ask("ChangeAvailability", connectorId=connector, type=kind)["status"])

    def charge(self, tag: str = "A1", connector: int = 1) -> Self:
        """Plug in, present a card, and charge until the current flows."""
        return self.plug(connector).tap(tag).run(20)

    def network(self, is_up: bool) -> Self:
        self.link.hold(not is_up)
        return self.run(0.1)

    def cut_power(self, dark_s: float = 10.0, *, is_online: bool = True) -> Self:
        """Everything that is not in the store or in the hardware is gone; later the charger is built again."""
        saved_now_s = self.now_s
        self.pump = self._make_pump()
        self.pump.scheduler.tell(saved_now_s + dark_s, saved_now_s + dark_s)
        self._build()
        if not is_online:
            self.link.is_down = True
        self.charger.start()
        return self.run(0.1)
