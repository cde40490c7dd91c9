"""A charger in bad company: a wire and a central system that misbehave at random, people who do what they like, power cuts.

    Storm(seed).blow()

Everything is drawn from the seed, so a seed that fails fails again. The wire breaks before and after a message, goes
silent without closing, refuses dials; the central system keeps answers back, sends them late, twice, garbled or as
errors, restarts, registers us or not; the charger dies between any two steps. Then the sky clears, everybody goes home,
and what was told must be what was: by `tests.watch`, which sits at both ends, and by the `Bookkeeper`, who knows nothing
but the registers of the circuits and what was said.
"""

from __future__ import annotations

import heapq
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from random import Random
from typing import Any

from chargepoint.model.journal import Undelivered
from chargepoint.model.timebase import Timer
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.connection import Closed
from hw.sim.circuit import Circuit
from tests.fate import Dies, Fate, Saves, mortal
from tests.watch import HAIR_S, TRANSACTION_ACTIONS, Auditor, Electrician, Story, no_exception_logged
from tests.world import EPOCH_UTC_S, Frame, Peer, Seen, TestLink, World

TWO_OUTLETS = "ac22-sim-duo"
ANSWER_S = 30.0
"""MessageTimeout as it is by default: nothing here changes it."""
PING_S, PONG_S = 60.0, 20.0
"""How long a wire that died without a word goes unnoticed."""
FIRST_WAIT_S, LONGEST_WAIT_S = 3.0, 48.0
"""Back-off between dials."""
UNSTORED_S = 62.0
"""A running register is stored each minute: so much of it may be forgotten with the power."""
TOLERANCE = 1.1
"""What a car may draw above its offer."""
CLEAR_S = 300.0
"""What dials, registrations and retries may take once all is well."""

CODES = (
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "FormatViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "OccurrenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
    "NoSuchCode",
)
GARBAGE = (
    "",
    "not JSON",
    "\x00",
    "{}",
    "[]",
    "[3]",
    '[3, "nobody-asked", {}]',
    '[4, "nobody-asked", "GenericError", "", {}]',
    '[7, "x", {}]',
    '[2, "g-1", "NoSuchAction", {}]',
    '[2, "g-2", "Reset", {"type": "Lukewarm"}]',
    '[2, "g-3", "RemoteStopTransaction", {"transactionId": ',
)
MANNERS = ("silent", "late", "twice", "slow", "error", "wrong", "garbage", "breaks", "refuses", "closes")
"""How a message is answered that is not answered plainly."""
TOO_BIG = 1009
BLAMING = (1002, 1003, 1007, 1008, 1011)
CLOSE_CODES = (1000, 1001, 1012, TOO_BIG, *BLAMING)
MOST_SILENCES = 3
CLOSES_AN_ATTEMPT = 3
"""So many closes with a blaming code, in a row with the same message unanswered, count as one failed attempt."""


@dataclass
class Weather:
    """How bad it is, as probabilities: of a frame to be lost with its wire, of an odd answer, of a dial refused."""

    wire: float = 0.0
    manners: float = 0.0
    dials: float = 0.0
    registration: float = 0.0

    @classmethod
    def drawn(cls, rng: Random) -> Weather:
        worst = rng.choice((0.02, 0.1, 0.25, 0.5))
        wire, manners, dials, registration = (worst * rng.random() for _ in range(4))
        return cls(wire * 0.5, manners, dials, registration)


class RoughWire(TestLink):
    """A wire that breaks at any frame, or dies without a word; it dials again by itself, with a back-off."""

    def __init__(self, world: StormyWorld, charger: Charger) -> None:
        super().__init__(world, charger)
        self._storm = world
        self._rng = world.chance
        self._timers = world.pump.timers("wire")
        self._timer: Timer | None = None
        self._wait_s = FIRST_WAIT_S
        self._is_dead = False
        self._under_way: list[str] = []
        self._outstanding: tuple[str, float] | None = None
        """Id of the charger's call that waits for its answer, and since when."""
        self._is_heartbeat = False
        self._silences = 0
        """Calls in a row that were not answered on this socket."""
        self._is_mute = False
        """The charger may think that the central system answers nothing: then silence is no attempt."""
        self._asked: set[str] = set()
        """Ids of the charger's calls on this socket."""

    # --- coming and going ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if not self._is_wanted or self.is_open or self.is_down:
            return
        storm = self._storm
        if storm.now_s < storm.centre_is_down_until_s or self._rng.random() < storm.weather.dials:
            self._charger.on_dial_failed("refused")
            self._dial_later()
            return
        self._is_dead = False
        self._silences = 0
        super()._open()

    def _dial_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.after_wire(self._wait_s, lambda _now_s: self._post(self._open))
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _end(self, reason: str, peer_code: int | None = None) -> None:
        self.note_silence()
        self._is_mute |= peer_code is not None and self._outstanding is not None and self._is_heartbeat
        self._outstanding = None
        self._asked.clear()
        self._under_way.clear()
        super()._end(reason, peer_code)

    def _closed(self, closed: Closed) -> None:
        super()._closed(closed)
        if self._is_wanted and not self.is_down and not self.is_open:
            self._dial_later()

    def reset_backoff(self) -> None:
        self._wait_s = FIRST_WAIT_S

    def breaks(self) -> None:
        """The connection is lost, with everything under way."""
        self.drop()

    def dies(self) -> None:
        """Nothing gets through any more, and nobody says so; a ping without an answer will show it."""
        if self.is_open and not self._is_dead:
            self._is_dead = True
            self._under_way.clear()
            number = self._number
            wait_s = PING_S * self._rng.random() + PONG_S
            self._timers.after_wire(wait_s, lambda _now_s: self.drop() if number == self._number else None)

    def clears(self) -> None:
        """Whatever died is noticed now."""
        if self._is_dead:
            self.breaks()

    # --- frames -------------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> bool:
        if not self.is_open:
            return False
        self._note(json.loads(text))
        if not self._is_dead and self._rng.random() < self._storm.weather.wire:
            self._rng.choice((self.breaks, self.dies))()
        if self.is_open and not self._is_dead:
            self._under_way.append(text)
            self._post(partial(self._reach_centre, self._number, text))
        else:
            self._swallow(text)
        return True

    def _note(self, frame: Frame) -> None:
        """A call may leave when the one before is answered, has timed out, or went with its socket (OCPP-J 4.1.1)."""
        if frame[0] != 2:
            return
        if self._outstanding is not None:
            waited_s = self._storm.now_s - self._outstanding[1]
            if waited_s < ANSWER_S - HAIR_S:
                self._storm.violations.append(f"{frame[2]} {waited_s:.3f} s after a call that is unanswered")
            self.note_silence()
        self._outstanding = frame[1], self._storm.now_s
        self._is_heartbeat = frame[2] == "Heartbeat"
        self._asked.add(frame[1])
        if frame[2] in TRANSACTION_ACTIONS and not _is_triggered(frame[3]):
            if not self._storm.is_queued(frame[1]):
                self._storm.violations.append(f"{frame[2]} leaves before it is stored")
            self._storm.bookkeeper.sent(frame)

    def note_silence(self) -> None:
        """If the call that is out has not been answered in time, it has failed."""
        if self._outstanding is not None and self._storm.now_s - self._outstanding[1] >= ANSWER_S - HAIR_S:
            self._storm.bookkeeper.was_silent(self._outstanding[0], is_attempt=not self._is_mute)
            self._outstanding = None
            self._silences += 1
            self._is_mute |= self._is_heartbeat or self._silences >= MOST_SILENCES

    def _reach_centre(self, number: int, text: str) -> None:
        if number == self._number and not self._is_dead:
            self._under_way.remove(text)
            self._world.peer.receive(text)
        else:
            self._swallow(text)

    def _swallow(self, text: str) -> None:
        self._storm.on_swallowed(json.loads(text))

    def power_was_cut(self) -> None:
        """What had left the box arrives, as far as it had got; answers find nobody."""
        self.note_silence()
        arrives = self._rng.randint(0, len(self._under_way))
        under_way, self._under_way = self._under_way, []
        for text in under_way[:arrives]:
            self._world.peer.receive(text)

    def to_charger(self, text: str, seen: Seen | None = None) -> None:
        if self._is_dead:
            return
        if self._rng.random() < self._storm.weather.wire:
            self._rng.choice((self.breaks, self.dies))()
        else:
            super().to_charger(text, seen)

    def _arrive(self, text: str, seen: Seen | None) -> None:
        if self._is_dead:
            return
        if seen is not None and seen.frame[0] in (3, 4) and self._charger.phase is Phase.RUNNING:
            self._note_answer(seen.frame)
        super()._arrive(text, seen)

    def _note_answer(self, frame: Frame) -> None:
        """An answer means something on the socket of its call only."""
        self.note_silence()
        self._is_mute = False
        self._silences = 0
        is_result = frame[0] == 3 and "wrong" not in frame[2]
        if self._outstanding is not None and self._outstanding[0] == frame[1]:
            self._outstanding = None
            if not is_result:
                # SecurityError may say that the peer accepts nobody before BootNotification (OCPP-J erratum 3.10): then
                # it has not looked at the message.
                self._storm.bookkeeper.failed(frame[1], is_sure=frame[2] != "SecurityError")
        if is_result and frame[1] in self._asked:
            self._storm.bookkeeper.answered(frame[1], frame[2])


class Moody(Peer):
    """A central system that processes every message once, however often it comes, and answers as it likes."""

    def __init__(self, world: StormyWorld) -> None:
        super().__init__(world)
        self.interval_s = world.heartbeat_s
        self._storm = world
        self._rng = world.chance
        self._numbers: dict[str, int] = {}
        self._lies = self._rng.choice((None, None, None, 0, 1)) if world.board != TWO_OUTLETS else None
        """What it calls every transaction, if it cannot count. At two outlets two stops may then say the same."""
        self._knows_repetitions = self._rng.random() < 0.8

    def ordinary(self, action: str, payload: dict[str, Any]) -> Any:
        if action == "BootNotification" and self._rng.random() < self._storm.weather.registration:
            answer = super().ordinary(action, payload)
            return {**answer, "status": self._rng.choice(("Pending", "Rejected")), "interval": self._rng.randint(5, 90)}
        answer = super().ordinary(action, payload)
        if action == "StartTransaction":
            number = answer["transactionId"]
            if self._knows_repetitions:
                number = self._numbers.setdefault(json.dumps(payload), number)
            answer["transactionId"] = number if self._lies is None else self._lies
        return answer

    def receive(self, text: str) -> None:
        frame = json.loads(text)
        self.seen.append(Seen(self._storm.now_s, True, frame, self._storm.sockets))
        if frame[0] != 2:
            self.results[frame[1]] = frame
            return
        _, message_id, action, payload = frame
        self._storm.bookkeeper.told(message_id)
        manner = self._rng.choice(MANNERS) if self._rng.random() < self._storm.weather.manners else "plain"
        answer: Frame = [3, message_id, self.ordinary(action, payload)]
        getattr(self, f"_{manner}")(answer, action, payload)

    def _plain(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        self.send(answer)

    def _silent(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        """No answer, on a wire that lives."""

    def _breaks(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        """It was processed, but the answer is lost with the wire."""
        self._storm.wire.breaks()

    def _closes(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        """It was processed, but then the socket is closed in order, as if it had not been."""
        code = self._rng.choice(CLOSE_CODES)
        if action == "StopTransaction" and code == TOO_BIG:
            code = 1011  # else its content changes, and this book knows messages by what they say
        self._storm.bookkeeper.closed(answer[1], code)
        self._storm.wire.closed_by_peer(code)

    def _late(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        """After the charger has given up, on whatever socket is open by then."""
        self._storm.later(self._rng.uniform(ANSWER_S, 4 * ANSWER_S), lambda: self.send(answer))

    def _slow(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        socket = self._storm.sockets

        def tell() -> None:
            # What tells the time tells it as it is when it is told.
            if self._storm.sockets == socket:
                self.send([*answer[:2], self.ordinary(action, payload)] if "currentTime" in answer[2] else answer)

        self._storm.later(self._rng.uniform(0.1, ANSWER_S - 1.0), tell)

    def _twice(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        self.send(answer)
        self.send(answer)

    def _error(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        self.send([4, answer[1], self._rng.choice(CODES), "made for a test", {}])

    def _wrong(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        self.send([3, answer[1], ["wrong"]])

    def _garbage(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        self.send(self._rng.choice((*GARBAGE, json.dumps(answer)[:-2])))
        self.send(answer)

    def _refuses(self, answer: Frame, action: str, payload: dict[str, Any]) -> None:
        result = dict(answer[2])
        if "idTagInfo" in result:
            result["idTagInfo"] = {"status": self._rng.choice(("Invalid", "Blocked", "Expired", "ConcurrentTx"))}
        self.send([3, answer[1], result])


class Bookkeeper:
    """What the central system was told, against what the registers say.

    It knows a message by what it says, never by what the charger calls it, and nothing of queues and stores.
    """

    def __init__(self, world: StormyWorld, attempts: int) -> None:
        self._world = world
        self._attempts = attempts
        self._message_of: dict[str, str] = {}
        """What was said under an id."""
        self._answered: set[str] = set()
        self._just_answered: set[str] = set()
        """In this moment; if the charger dies in it, nobody knows whether it has kept them."""
        self._numbers: dict[str, set[int]] = {}
        """What the central system called a transaction, by its start."""
        self._given_up: set[str] = set()
        self._failures: Counter[str] = Counter()
        """Transmissions that were answered with an error or nonsense, or not in time: those count as attempts."""
        self._silences: Counter[str] = Counter()
        """Those that were not answered by a central system that answered nothing: perhaps attempts, perhaps not."""
        self._too_big: Counter[str] = Counter()
        self._closes: Counter[str] = Counter()
        """Close frames on a message: attempts, unless one on a Heartbeat followed, or within the first hour."""
        self._just_failed: list[str] = []
        self._unsure: Counter[str] = Counter()
        """Failures that may not count: in the moment of a power cut, or by SecurityError."""
        self._last_told = ""
        self._resting: dict[int, set[int]] = {}
        """Registers in whole Wh that an outlet showed while its contactor was open."""
        self.told_once: set[str] = set()
        self.is_requeued = False
        self._cuts_s: list[float] = []
        self.repetitions = 0

    @property
    def cuts(self) -> int:
        """How often the power was cut."""
        return len(self._cuts_s)

    # --- what goes on -------------------------------------------------------------------------------------------------

    def sent(self, frame: Frame) -> None:
        """The charger put a message of a transaction on the wire, whatever becomes of it."""
        _, message_id, action, payload = frame
        self._message_of[message_id] = json.dumps([action, payload])

    def told(self, message_id: str) -> None:
        """The central system has got a call."""
        message = self._message_of.get(message_id)
        if message is None:
            return
        assert message not in self._answered | self._just_answered, f"told again after the answer: {message}"
        if message in self.told_once:
            self.repetitions += 1
            return
        self.told_once.add(message)
        action, payload = json.loads(message)
        if action != "StopTransaction" and not self.is_requeued:
            at = payload["timestamp"] if action == "StartTransaction" else payload["meterValue"][0]["timestamp"]
            assert at >= self._last_told, f"told after what happened at {self._last_told}: {message}"
            self._last_told = at

    def answered(self, message_id: str, result: dict[str, Any]) -> None:
        """A result has reached the charger on the socket on which it had asked."""
        message = self._message_of.get(message_id)
        if message is not None:
            self._just_answered.add(message)
            if "transactionId" in result:
                self._numbers.setdefault(message, set()).add(result["transactionId"])

    def was_silent(self, message_id: str, is_attempt: bool) -> None:
        """A call was not answered in time."""
        if is_attempt:
            self.failed(message_id)
        elif message_id in self._message_of:
            self._silences[self._message_of[message_id]] += 1

    def closed(self, message_id: str, code: int) -> None:
        """The central system closed the socket on a call."""
        message = self._message_of.get(message_id)
        if message is not None and code == TOO_BIG:
            self._too_big[message] += 1
        elif message is not None and code in BLAMING:
            self._closes[message] += 1

    def failed(self, message_id: str, *, is_sure: bool = True) -> None:
        """A call failed on a wire that lives; it is not sure that this counts as an attempt."""
        if message_id in self._message_of:
            self._unsure[self._message_of[message_id]] += not is_sure
            self._just_failed.append(self._message_of[message_id])
            self._failures[self._message_of[message_id]] += 1

    def look(self) -> None:
        """A moment is over, and everything that came of it is done."""
        assert not self._world.violations, self._world.violations[0]
        self._answered |= self._just_answered
        self._just_answered.clear()
        self._just_failed.clear()
        for number, circuit in enumerate(self._world.circuits, 1):
            if not circuit.contactor.is_closed:
                self._resting.setdefault(number, set()).add(whole_wh(circuit))

    def power_was_cut(self) -> None:
        self._cuts_s.append(self._world.now_s)
        self._just_answered.clear()
        self._unsure.update(self._just_failed)
        self._just_failed.clear()

    # --- at the end ---------------------------------------------------------------------------------------------------

    def check_attempts(self) -> None:
        """Given up is what failed as often as it may, and it is kept; nothing was tried any more after that."""
        for key, body in self._world.store.load("CP1").get("undelivered", {}).items():
            message = self._message_of[body["id"]]
            self._given_up.add(message)
            failures = self._failures[message] + self._silences[message] + self._too_big[message]
            failures += self._closes[message] // CLOSES_AN_ATTEMPT
            # A meter value may be sent once, when none is taken; and of one kind of error each has only one.
            least = 1 if body["action"] == "MeterValues" else self._attempts
            assert failures >= least, f"{failures} failures gave up {message}"
            assert any(isinstance(entry, Undelivered) and entry.key == key for _, entry in self._world.journal)
        for message, failures in self._failures.items():
            unsure = self._unsure[message]
            assert failures <= self._attempts + unsure, f"{failures} failures of {message}"
            is_over = message in self._given_up | self._answered
            assert is_over or failures < self._attempts + unsure, f"lost: {message}"

    def requeue(self) -> None:
        """The operator queues again what was given up: an answer that came too late counted for nothing."""
        self.look()
        self.is_requeued = True
        self._answered.clear()

    def check_numbers(self, story: Story) -> None:
        """Everything told of a transaction has the number that its start was answered with, or -1 (erratum 3.18)."""
        start = json.dumps(["StartTransaction", story.payload("StartTransaction")])
        numbers = self._numbers[start] | ({-1} if start in self._given_up else set())
        for action, payload in zip(story.actions, story.payloads, strict=True):
            if action != "StartTransaction":
                assert payload.get("transactionId") in numbers, f"{action} of none of {numbers}: {payload}"

    def check_energy(self, stories: list[Story]) -> None:
        """What was told adds up to what the registers show, and every transaction begins where another one ended."""
        for number, circuit in enumerate(self._world.circuits, 1):
            resting = self._resting[number]
            mine = [story for story in stories if story.payload("StartTransaction")["connectorId"] == number]
            mine.sort(key=lambda story: str(story.payload("StartTransaction")["timestamp"]))
            before_wh, before_at_s = min(resting), 0.0
            for story in mine:
                start, stop = story.payload("StartTransaction"), story.payload("StopTransaction")
                self._check_gap(number, before_wh, start["meterStart"], before_at_s)
                before_wh, before_at_s = stop["meterStop"], _seconds(stop["timestamp"])
                is_cut_short = self._is_cut_after(before_at_s)
                assert before_wh in resting or is_cut_short, f"outlet {number} never rested at {before_wh}: {resting}"
            self._check_gap(number, before_wh, whole_wh(circuit), before_at_s)

    def _check_gap(self, number: int, before_wh: int, then_wh: int, at_s: float) -> None:
        """Between two transactions nothing flows; of one that a power cut ended, a minute may not have been stored."""
        rated = self._world.charger.board.outlet(number).outlet.rated
        gap_wh, most_w = then_wh - before_wh, rated.current_a * rated.voltage_v * rated.phases
        assert gap_wh >= 0, f"outlet {number}: {-gap_wh} Wh were told twice"
        bound_wh = 1.0 + TOLERANCE * most_w * UNSTORED_S / 3600.0 if self._is_cut_after(at_s) else 0.0
        assert gap_wh <= bound_wh, (
            f"outlet {number}: {gap_wh} Wh flowed in no transaction, after {at_s} s, {self._cuts_s}"
        )

    def _is_cut_after(self, at_s: float) -> bool:
        """Whether the power was cut before what was told of that time was stored again."""
        return any(-0.002 <= cut_s - at_s <= UNSTORED_S for cut_s in self._cuts_s)


def _is_triggered(payload: dict[str, Any]) -> bool:
    """Whether these values were asked for: then they are no transaction's."""
    values = [sampled for value in payload.get("meterValue", []) for sampled in value["sampledValue"]]
    return any(sampled.get("context") == "Trigger" for sampled in values)


def _seconds(timestamp: str) -> float:
    """Charge time of an instant on the wire."""
    return datetime.fromisoformat(timestamp).timestamp() - EPOCH_UTC_S


def whole_wh(circuit: Circuit) -> int:
    """Return the register of an outlet, cut to what messages tell."""
    return math.floor(circuit.register.energy_wh + 1e-6)


@dataclass
class StormyWorld(World):
    """A world with a rough wire and a moody central system. ``chance`` decides everything."""

    chance: Random = field(default_factory=Random)
    weather: Weather = field(default_factory=Weather)
    heartbeat_s: int = 300

    def __post_init__(self) -> None:
        self.centre_is_down_until_s = 0.0
        self.circuits: list[Circuit] = []
        self.violations: list[str] = []
        """What was seen where an exception would meet the charger, which lives through it."""
        self.bookkeeper = Bookkeeper(self, int(self.keys["TransactionMessageAttempts"]))
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()
        self.on_swallowed: Callable[[Frame], None] = lambda _frame: None
        super().__post_init__()
        self.watchers.append(self.bookkeeper.look)

    def _make_peer(self) -> Peer:
        return Moody(self)

    def _make_link(self, charger: Charger) -> TestLink:
        return RoughWire(self, charger)

    def _build(self) -> None:
        super()._build()
        self.circuits = [process for process in self.charger.board.processes if isinstance(process, Circuit)]

    @property
    def wire(self) -> RoughWire:
        link = self.link
        assert isinstance(link, RoughWire)
        return link

    def is_queued(self, message_id: str) -> bool:
        """Whether a message of that id stands in the store."""
        rows = self.store._db.execute("SELECT body FROM record WHERE kind = 'queue'")
        return any(f'"id":"{message_id}"' in body for (body,) in rows)

    def later(self, delay_s: float, deed: Callable[[], object]) -> None:
        """Do something after a while, whatever becomes of the charger meanwhile."""
        heapq.heappush(self._agenda, (self.now_s + delay_s, next(self._numbers), deed))

    def due(self, until_s: float) -> tuple[float, Callable[[], object]] | None:
        """Take what is next on the agenda, None when that is after ``until_s``."""
        if not self._agenda or self._agenda[0][0] > until_s:
            return None
        at_s, _, deed = heapq.heappop(self._agenda)
        return at_s, deed

    def pull_the_plug(self, dark_s: float) -> None:
        """Cut the power in the middle of whatever goes on."""
        self.wire.power_was_cut()
        self.bookkeeper.power_was_cut()
        self.cut_power(dark_s)


TAGS = ("A1", "A1", "A1", "A2", "B1", "C1", "a1")
FAULTS = (
    "ground_fault",
    "over_temperature",
    "emergency_stop",
    "under_voltage",
    "internal",
    "contactor_stuck",
    "cp_short",
)
KEYS: dict[str, tuple[str, ...]] = {
    "LocalPreAuthorize": ("true", "false"),
    "AllowOfflineTxForUnknownId": ("true", "true", "false"),
    "AuthorizeRemoteTxRequests": ("true", "false"),
    "StopTransactionOnInvalidId": ("true", "false"),
    "MaxEnergyOnInvalidId": ("0", "50"),
    "MinimumStatusDuration": ("0", "0", "5"),
    "MeterValueSampleInterval": ("0", "60", "300"),
    "ClockAlignedDataInterval": ("0", "0", "900"),
    "StopTxnSampledData": ("", "Energy.Active.Import.Register"),
    "TransactionMessageAttempts": ("1", "2", "3", "5"),
    "TransactionMessageRetryInterval": ("0", "5", "30"),
    "TransactionMessageClosePatience": ("0", "0", "60", "3600"),
}
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("TriggerMessage", {"requestedMessage": "MeterValues"}),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "120"}),
    ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
    ("UnlockConnector", {"connectorId": 1}),
    ("ClearCache", {}),
    ("DataTransfer", {"vendorId": "nobody"}),
)
WAITS_S = (0.01, 0.2, 1.0, 3.0, 10.0, 25.0, 35.0, 61.0, 200.0, 600.0)


class Storm:
    """One charger from a clear morning to a clear evening. ``steps``: how much happens to it in between."""

    def __init__(self, seed: int, steps: int = 16, heartbeat_s: int = 300, **keys: str) -> None:
        self._rng = rng = Random(f"storm {seed}")
        self._steps = steps
        board = rng.choice(("ac11-sim", "ac11-sim", "ac11-sim-socket", TWO_OUTLETS))
        keys = {name: rng.choice(values) for name, values in KEYS.items()} | keys
        self.world = StormyWorld(board=board, keys=keys, seed=seed, chance=rng, heartbeat_s=heartbeat_s)
        self.world.weather = Weather.drawn(rng)
        self.electrician = Electrician(self.world)
        self.auditor = Auditor(self.world)
        self.world.on_swallowed = self.auditor.was_lost
        self.world.peer.tags = {
            "A1": {"status": "Accepted", "parentIdTag": "G"},
            "A2": {"status": "Accepted", "parentIdTag": "G"},
            "B1": {"status": "Blocked"},
        }
        self._connectors = len(self.world.circuits)
        self._broken: list[tuple[int, str]] = []

    def blow(self, saves: Saves | None = None) -> None:
        """Live it through. Raises AssertionError, or whatever the charger could not bear, at the first violation."""
        with mortal(saves) as fate, no_exception_logged() as logged:
            for _ in range(self._steps):
                self._happens(fate)
            fate.dies_in(None)
            self._settle()
            self._close()
            assert not logged, logged[0].getMessage()

    @property
    def repetitions(self) -> int:
        """Messages that the central system was told again."""
        return self.world.bookkeeper.repetitions

    # --- time ---------------------------------------------------------------------------------------------------------

    def _pass(self, seconds: float) -> None:
        """Let time pass, and what is on the agenda happen; who dies comes back in the dark."""
        world, end_s = self.world, self.world.now_s + seconds
        while (due := world.due(end_s)) is not None:
            at_s, deed = due
            self._run(at_s - world.now_s)
            deed()
        self._run(end_s - world.now_s)

    def _run(self, seconds: float) -> None:
        try:
            self.world.run(max(0.0, seconds))
        except Dies:
            self._cut()

    def _cut(self) -> None:
        """The power is cut, and perhaps again before the charger is up."""
        is_up = False
        while not is_up:
            self.auditor.power_was_cut()
            try:
                self.world.pull_the_plug(self._rng.choice((0.1, 5.0, 60.0, 1000.0)))
                is_up = True
            except Dies:
                is_up = False

    # --- what happens -------------------------------------------------------------------------------------------------

    def _happens(self, fate: Fate) -> None:
        rng = self._rng
        if rng.random() < 0.1:
            fate.dies_in(rng.randint(1, 40))
        rng.choices((self._person, self._order, self._network, self._hardware), (12, 2, 2, 1))[0]()
        self._pass(rng.choice(WAITS_S))

    def _act(self, deed: str, connector: int, *arguments: Any) -> None:
        self.world.charger.act(lambda board, now_s: getattr(board.outlet(connector).hands, deed)(*arguments, now_s))

    def _person(self) -> None:
        rng, connector = self._rng, self._rng.randint(1, self._connectors)
        deed = rng.choice(("arrive", "arrive", "tap", "tap", "plug_in", "unplug", "unplug_car", "pause", "resume"))
        if deed in ("plug_in", "unplug", "unplug_car"):
            self._act(deed, connector)
        elif deed in ("pause", "resume"):
            self._act("wants_energy", connector, deed == "resume")
        elif deed == "arrive":
            self._act("plug_in", connector)
            self._pass(rng.choice((0.5, 5.0)))
            self._tap()
            self._pass(rng.choice((1.0, 20.0, 120.0)))
        else:
            self._tap()

    def _tap(self) -> None:
        tag = self._rng.choice(TAGS)
        self.world.charger.act(lambda board, now_s: board.readers[0].present(tag, now_s))

    def _order(self) -> None:
        rng, peer = self._rng, self.world.peer
        if not self.world.link.is_open:
            return
        which = rng.random()
        if which < 0.3:
            peer.call("RemoteStartTransaction", idTag=rng.choice(TAGS), connectorId=rng.randint(1, self._connectors))
        elif which < 0.5:
            peer.call("RemoteStopTransaction", transactionId=max(0, peer.next_transaction_id - rng.randint(0, 2)))
        elif which < 0.6:
            peer.call("Reset", type=rng.choice(("Soft", "Hard")))
        else:
            action, payload = rng.choice(ORDERS)
            peer.call(action, **payload)

    def _network(self) -> None:
        rng, world = self._rng, self.world
        deed = rng.choice(("breaks", "dies", "outage", "centre restarts", "centre restarts in silence"))
        if deed == "breaks":
            world.wire.breaks()
        elif deed == "dies":
            world.wire.dies()
        else:
            world.centre_is_down_until_s = world.now_s + rng.choice((5.0, 60.0, 900.0))
            (world.wire.dies if deed == "centre restarts in silence" else world.wire.breaks)()

    def _hardware(self) -> None:
        rng = self._rng
        if self._broken and rng.random() < 0.6:
            connector, name = self._broken.pop()
            self._act("cause", connector, name, False)
        elif rng.random() < 0.5:
            connector, name = rng.randint(1, self._connectors), rng.choice(FAULTS)
            self._broken.append((connector, name))
            self._act("cause", connector, name, True)
        else:
            self._cut()

    # --- at the end ---------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """The sky clears, what broke is mended, everybody goes home."""
        world = self.world
        world.weather = Weather()
        world.centre_is_down_until_s = 0.0
        world.wire.clears()
        for connector, name in self._broken:
            self._act("cause", connector, name, False)
        self._pass(CLEAR_S)
        for _ in range(2):
            for connector in range(1, self._connectors + 1):
                self._act("unplug", connector)
            self._pass(20)
            if all(connector.transaction is None for connector in world.model.connectors):
                break
            self._cut()
            self._pass(30)
        for _ in range(20):
            if world.model.session.is_idle:
                break
            self._pass(300)

    def _close(self) -> None:
        auditor, bookkeeper = self.auditor, self.world.bookkeeper
        bookkeeper.look()
        bookkeeper.check_attempts()
        if self.world.model.queue.undelivered:
            bookkeeper.requeue()
            auditor.requeue()
            self._pass(CLEAR_S)
        self.electrician.look()
        auditor.close()
        for story in auditor.stories.values():
            bookkeeper.check_numbers(story)
        bookkeeper.check_energy(list(auditor.stories.values()))
