"""Whatever a central system sends, in whatever state: no crash, no unanswered call, and the error code of the standard.

Frames come from `frame_source`, what must come of them from `frame_oracle`; people, cars, the network and time go on
meanwhile. Long runs: ``./run test tests/properties/test_frames.py --frames 200000``.
"""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from logging import Logger
from random import Random
from types import FunctionType, ModuleType
from typing import Any

import pytest

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.journal import Restarting
from chargepoint.runtime.charger import Phase
from chargepoint.runtime.store import Store
from profiles.reservation import Reservation
from tests.conftest import FRAMES, count
from tests.properties.frame_oracle import ACTING, SERVED, Expected, Surroundings, call_problems, expected, judge
from tests.properties.frame_source import MOMENTS, FrameSource
from tests.watch import no_exception_logged
from tests.world import World

BOARDS = ("ac11-sim", "ac11-sim-socket", "ac22-sim-duo")
A_TRIAL = 2_500
"""Frames to one charger; then the next one comes, with the next seed."""
PATIENCE_S = 60.0
"""How long an answer may take that waits for a cable lock."""
REMEMBERED_S = 60.0
"""How long the repetition of a call gets the answer of before, and nothing is done again."""
LEFT_BEHIND = 200
"""Elements of all containers of a charger at rest beyond those after its first boot: 64 answers that it may have to repeat,
a value for each configuration key."""
MOST_TIMERS = 100
"""On both heaps, those included that will never fire."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(-(-count(metafunc.config, FRAMES) // A_TRIAL)))


@dataclass
class Owed:
    """A call that waits for its answer."""

    wanted: Expected
    text: str
    at_s: float


class Trial:
    """One charger, and a central system that sends it anything and holds every answer against the oracle."""

    def __init__(self, seed: int, actions: Collection[str] = SERVED) -> None:
        self.rng = Random(seed)
        self.source = FrameSource(self.rng, actions)
        self.world = World(board=BOARDS[seed % len(BOARDS)], seed=seed)
        self.here = Surroundings(connectors=len(self.world.model.connectors))
        told = self.world.ask("GetConfiguration")["configurationKey"]
        self.here.keys = {each["key"].lower(): each["readonly"] for each in told}
        self.owed: dict[str, Owed] = {}
        self.answers: list[tuple[str, list[Any]]] = []
        self.log: deque[str] = deque(maxlen=8)
        """What happened last."""
        self.counts: dict[str, int] = {}
        self._model = self.world.model
        self._last: tuple[str, str, int, float] | None = None
        self.is_kind = False
        """The central system makes no mistakes of its own any more."""
        self._receive = self.world.peer.receive
        self.world.peer.receive = self._on_text  # type: ignore[method-assign]
        self.world.peer.seen.clear()
        self.world.peer.results.clear()

    # --- the central system's end -------------------------------------------------------------------------------------

    def _on_text(self, text: str) -> None:
        frame = json.loads(text)
        if frame[0] != 2:
            self.answers.append((text, frame))
            return
        for problem in call_problems(text):
            raise AssertionError(f"the charger called: {problem}")
        self._notice_restart()
        self.source.own_ids = [*self.source.own_ids[-2:], frame[1]]
        world, rng = self.world, self.rng
        answer = self._answer_to(frame[2], frame[3])
        manner = 1.0 if self.is_kind else rng.random()
        if manner < 0.02:
            world.peer.send(f'[4,{json.dumps(frame[1])},"GenericError","made for a test",{{}}]')
        elif manner < 0.05:
            # Of a registration we must know whether it was understood.
            wrong = {"status": "Perhaps"} if frame[2] == "BootNotification" else self.source.broken(answer)
            world.peer.send(json.dumps([3, frame[1], wrong]))
        elif manner > 0.06 or frame[2] == "BootNotification":
            world.peer.send(json.dumps([3, frame[1], answer]))
            if frame[2] == "BootNotification":
                self.here.registration = answer["status"]

    def _answer_to(self, action: str, payload: dict[str, Any]) -> Any:
        peer = self.world.peer
        peer.registration = "Accepted"
        if not self.is_kind:
            peer.registration = self.rng.choices(("Accepted", "Pending", "Rejected"), (70, 25, 5))[0]
            # As long as this a charger stays that is not accepted.
            intervals = (0, -5, 60, 300, 86_400, 2**62)
            peer.interval_s = self.rng.choice(intervals if peer.registration == "Accepted" else intervals[:4])
            if action == "StartTransaction" and self.rng.random() < 0.2:
                peer.next_transaction_id = self.rng.choice((-1, 0, 2**31, 2**63 - 1, peer.next_transaction_id))
            if action in ("StartTransaction", "Authorize") and self.rng.random() < 0.1:
                peer.tags[payload["idTag"]] = {"status": self.rng.choice(("Blocked", "Accepted", "ConcurrentTx"))}
        answer = peer.ordinary(action, payload)
        if "currentTime" in answer and not self.is_kind and self.rng.random() < 0.05:
            answer["currentTime"] = self.rng.choice(MOMENTS)
        if action == "StartTransaction":
            peer.next_transaction_id = min(peer.next_transaction_id, 2**63 - 2)
            self.source.transactions = [*self.source.transactions[-2:], answer["transactionId"]]
        return answer

    def _notice_restart(self) -> None:
        if self.world.model is not self._model:
            self._model = self.world.model
            self.here.registration = None

    # --- what is sent -------------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send a text and look at what comes of it at once."""
        world = self.world
        self.log.append(f"{world.now_s:.1f} {text[:3_000]}")
        self.here.handled = tuple(self.owed)
        wanted = expected(text, self.here)
        repeated = None
        acts = wanted.action in ACTING
        if acts and self._last is not None and (text, world.sockets) == (self._last[0], self._last[2]):
            repeated = self._last[1] if world.now_s - self._last[3] < REMEMBERED_S else None
        world.link.to_charger(text)
        world.run(0.0)
        came = self._settle_owed(wanted)
        if wanted.message_id is None or not came:
            assert not came, f"nobody was to be answered, but {came[0][0][:500]} came"
            if wanted.message_id is not None and not wanted.may_be_silent:
                assert wanted.action == "UnlockConnector", f"{wanted.message_id!r} was not answered"
                self.owed[wanted.message_id] = Owed(wanted, text, world.now_s)
            self._count("silence")
            return
        assert len(came) == 1, f"answered {len(came)} times: {[each[0][:200] for each in came]}"
        answer, frame = came[0]
        problem = judge(frame, answer, wanted)
        assert problem is None, f"{answer[:500]}: {problem}"
        assert repeated in (None, answer), f"a repetition was answered otherwise: {answer[:500]}"
        # While its call is being handled a repetition is refused; after that it gets the answer of the call.
        self._last = None if frame[2] == "GenericError" else (text, answer, world.sockets, world.now_s)
        self._count(frame[2] if frame[0] == 4 else "CALLRESULT")

    def _wait_for_it(self) -> None:
        """Let a restart that has begun come to its end."""
        if not self.world.link.is_open or self.world.charger.phase is not Phase.RUNNING:
            sockets = self.world.sockets
            self.world.run(30.0)
            assert self.world.link.is_open, "the charger does not come back"
            self._look(True, sockets)
        self._notice_restart()

    def _settle_owed(self, wanted: Expected | None = None) -> list[tuple[str, list[Any]]]:
        """Take the answers that were owed off what came, and return the rest."""
        rest = []
        for answer, frame in self.answers:
            owed = self.owed.get(frame[1])
            if owed is None or (wanted is not None and frame[2] in wanted.codes and wanted.message_id == frame[1]):
                rest.append((answer, frame))
            else:
                problem = judge(frame, answer, owed.wanted)
                assert problem is None, f"{owed.text}: {answer}: {problem}"
                del self.owed[frame[1]]
        self.answers.clear()
        return rest

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # --- what else happens --------------------------------------------------------------------------------------------

    def happen(self) -> None:
        """Somebody does something, or time passes."""
        rng, world = self.rng, self.world
        number = rng.randint(1, self.here.connectors)
        sockets = world.sockets
        deeds: dict[str, tuple[float, Callable[[], World]]] = {
            "a moment": (30, lambda: world.run(rng.choice((0.01, 0.1, 1.0)))),
            "seconds": (10, lambda: world.run(rng.choice((3.0, 20.0, 31.0)))),
            "minutes": (4, lambda: world.run(rng.choice((61.0, 400.0)))),
            "plug": (8, lambda: world.plug(number)),
            "charge": (4, lambda: world.charge(rng.choice(("A1", "B2")), number)),
            "unplug": (5, lambda: world.unplug(number)),
            "tap": (8, lambda: world.tap(rng.choice(("A1", "B2", "C3")))),
            "pause": (2, lambda: world.wants_energy(rng.random() < 0.6, number)),
            "fault": (3, lambda: world.cause("ground_fault", rng.random() < 0.2, number)),
            "network": (0.5, lambda: world.network(False).run(rng.choice((0.5, 100.0))).network(True)),
            "power cut": (0.2, world.cut_power),
        }
        name = rng.choices(list(deeds), [weight for weight, _ in deeds.values()])[0]
        self.log.append(f"{world.now_s:.1f} {name} {number}")
        deeds[name][1]()
        self._look(name in ("network", "power cut"), sockets)

    def _look(self, is_cut: bool, sockets: int) -> None:
        """Nobody but us, a Reset or new firmware ends a connection; what is owed comes in time."""
        world = self.world
        is_restart = any(isinstance(entry, Restarting) for _, entry in world.journal)
        world.journal.clear()
        world.peer.seen.clear()
        if is_restart:
            world.run(30.0)
        if is_cut or is_restart:
            self.owed.clear()
        else:
            assert world.sockets == sockets, "the connection was lost"
            assert world.charger.phase is Phase.RUNNING
            assert world.link.is_open
        came = self._settle_owed()
        # What was answered last before the connection ended may still have been on its way.
        assert not came or is_cut or is_restart, f"{came[0][0]} came out of nothing"
        for owed in self.owed.values():
            assert world.now_s - owed.at_s < PATIENCE_S, f"{owed.text} was not answered in {PATIENCE_S:.0f} s"

    def step(self) -> None:
        """One frame, and perhaps something else."""
        self._wait_for_it()
        sockets = self.world.sockets
        self.send(self.source.draw())
        self._look(False, sockets)
        if self.rng.random() < 0.12:
            self._wait_for_it()
            self.happen()
        if self.here.registration not in ("Accepted", "Pending") and self.rng.random() < 0.3:
            # Else it would be deaf for the rest of the trial.
            self._wait_for_it()
            sockets = self.world.sockets
            self.world.peer.interval_s = 10
            self.world.run(61.0)
            self._look(False, sockets)


# --- memory -----------------------------------------------------------------------------------------------------------


def weigh(model: ChargePoint) -> dict[str, int]:
    """Count the elements of all containers that a charger holds, directly or not, by the type of the holder.

    What could not be delivered is kept on purpose, as long as it takes; heaps of timers are looked at by themselves.
    """
    found: dict[str, int] = {}
    seen = {id(each) for each in (model, model.queue.undelivered, model.timers.scheduler)}
    heap: list[tuple[Any, str]] = [(model, "")]
    while heap:
        each, holder = heap.pop()
        if isinstance(each, dict | list | set | deque):
            found[holder] = found.get(holder, 0) + len(each)
        elif type(each).__module__.partition(".")[0] in ("chargepoint", "profiles", "hw"):
            holder = type(each).__name__
        inner = [each.__closure__] if isinstance(each, FunctionType) else gc.get_referents(each)
        for one in inner:
            if id(one) not in seen and not isinstance(one, type | ModuleType | Logger | Store | World | Random):
                seen.add(id(one))
                heap.append((one, holder))
    return found


def at_rest(trial: Trial) -> dict[str, int]:
    """Take everything back that was asked for, wait until nothing is due, and weigh the charger."""
    world = trial.world
    trial.is_kind = True
    world.peer.interval_s = 300
    for _ in range(30):
        world.run(61.0)
        if world.model.session.is_online:
            break
    for number in range(1, trial.here.connectors + 1):
        world.cause("ground_fault", False, number).unplug(number)
    booked = list(world.feature(Reservation).bookings)
    calls = [
        ("ChangeConfiguration", {"key": "LocalAuthListEnabled", "value": "true"}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}),
        ("ClearCache", {}),
        ("ClearChargingProfile", {}),
        *(("CancelReservation", {"reservationId": number}) for number in booked),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    ]
    for number, (action, payload) in enumerate(calls):
        world.peer.send([2, f"rest-{world.now_s:.0f}-{number}", action, payload])
        world.run(1.0)
    world.run(7200.0)
    world.journal.clear()
    world.peer.seen.clear()
    trial.answers.clear()
    trial.owed.clear()
    trial.is_kind = False
    return weigh(world.model)


# --- the test -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warmed_up() -> None:
    """Shapes and schemas are built at first use, which is not what a trial may take."""
    for action in SERVED:
        expected(f'[2,"1","{action}",{{}}]', Surroundings(1))


@pytest.mark.usefixtures("warmed_up")
def test_every_frame_is_answered_as_the_standard_says(seed: int) -> None:
    """OCPP-J 4.1.1, 4.2.3 and table 7: a CALL gets one CALLRESULT or one CALLERROR with the code that fits, and nothing
    else gets an answer; no frame ends the connection, nor the charger, nor stays in its memory."""
    trial = Trial(seed)
    before = at_rest(trial)
    with no_exception_logged() as logged:
        for number in range(A_TRIAL):
            try:
                trial.step()
            except AssertionError as error:
                told = "\n".join(trial.log)
                pytest.fail(f"seed {seed}, frame {number}: {error}\nbefore it:\n{told}", pytrace=False)
            if logged:
                told = "\n".join(trial.log)
                pytest.fail(f"seed {seed}, frame {number}: {logged[0].getMessage()}\n{told}", pytrace=False)
    assert trial.counts.get("CALLRESULT", 0) > A_TRIAL // 10, trial.counts
    left = at_rest(trial)
    grown = {
        holder: (before.get(holder, 0), number) for holder, number in left.items() if number > before.get(holder, 0)
    }
    assert sum(left.values()) - sum(before.values()) <= LEFT_BEHIND, f"seed {seed}: {grown}"
    scheduler = trial.world.pump.scheduler
    assert len(scheduler._charge) + len(scheduler._wire) <= MOST_TIMERS


def test_a_long_conversation_leaves_nothing_behind() -> None:
    """Frames on one and the same socket, at a charger that never restarts: what they made is kept as long as it counts."""
    trial = Trial(1, SERVED - {"Reset", "UpdateFirmware"})
    before = at_rest(trial)
    for number in range(1_500):
        trial.send(trial.source.draw())
        trial.world.run(1.0 if number % 10 == 0 else 0.0)
        trial.world.journal.clear()
        trial.world.peer.seen.clear()
    assert trial.world.sockets == 1
    left = at_rest(trial)
    assert sum(left.values()) - sum(before.values()) <= LEFT_BEHIND, (before, left)
