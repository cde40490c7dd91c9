"""The wire of the stepped clock: a fake charger, the real central system, and a mailbox that the test empties."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from ocpp.v16 import call

from chargepoint.model.timebase import Clock, Scheduler, Timers
from chargepoint.runtime.central_system import Answer, CentralSystem, Failure
from chargepoint.runtime.charger import LinkPort
from chargepoint.runtime.connection import CloseCause, Closed
from chargepoint.runtime.dialfailure import DialFailure
from chargepoint.runtime.wire_pair import Direction, Mailbox, WirePair

HEARTBEAT = '[2,"h{}","Heartbeat",{{}}]'


class Bench:
    """Two ends, a wire between them, and the pump's part played by hand."""

    def __init__(self, **options: Any) -> None:
        self.scheduler = Scheduler()
        self.mailbox: Mailbox = deque()
        self.central = CentralSystem(Random(1))
        self.happened: list[Any] = []
        self.depth = 0
        self.pair = WirePair(
            "CP1", self.central, self, Timers(self.scheduler), self.mailbox, lambda: self.scheduler.charge_s, **options
        )

    # The charger

    def on_open(self, subprotocol: str | None) -> None:
        self.happened.append(("open", subprotocol))

    def on_text(self, text: str) -> None:
        self.happened.append(json.loads(text))

    def on_closed(self, closed: Closed) -> None:
        self.happened.append(closed)

    def on_dial_failed(self, failure: DialFailure) -> None:
        raise AssertionError("a wire in memory can be dialled")

    # The pump

    def settle(self) -> Bench:
        while self.mailbox:
            self.mailbox.popleft()()
        return self

    def advance(self, seconds: float) -> Bench:
        self.scheduler.tell(self.scheduler.charge_s + seconds, self.scheduler.wire_s + seconds)
        while (timer := self.scheduler.take_due()) is not None:
            if timer.action is not None:
                timer.action(self.scheduler.charge_s)
        return self.settle()

    def opened(self) -> Bench:
        self.pair.start()
        self.settle()
        assert self.take() == [("open", "ocpp1.6")]
        return self

    def take(self) -> list[Any]:
        """Return what the charger was told since the last time."""
        happened, self.happened = self.happened, []
        return happened

    @property
    def is_known_to_be_there(self) -> bool:
        return self.central.chargers["CP1"].is_connected


def test_it_is_a_link_to_a_charger() -> None:
    link: LinkPort = Bench().pair
    assert link.is_idle


def test_nothing_happens_before_the_mailbox_is_emptied() -> None:
    bench = Bench()
    bench.pair.start()
    assert bench.take() == []
    assert not bench.pair.is_open
    bench.settle()
    assert bench.take() == [("open", "ocpp1.6")]
    assert bench.pair.is_open
    assert not bench.pair.is_idle
    assert bench.is_known_to_be_there


def test_a_call_and_its_answer_take_a_turn_each() -> None:
    bench = Bench().opened()
    assert bench.pair.send_text(HEARTBEAT.format(1))
    assert bench.central.exchanges == 0
    bench.mailbox.popleft()()
    assert bench.central.exchanges == 1
    assert bench.take() == []
    bench.mailbox.popleft()()
    assert bench.take() == [[3, "h1", {"currentTime": "1970-01-01T00:00:00.000Z"}]]


def test_frames_arrive_in_the_order_in_which_they_were_sent() -> None:
    bench = Bench().opened()
    for number in range(3):
        bench.pair.send_text(HEARTBEAT.format(number))
    message_id = bench.central.call("CP1", call.ClearCache())
    bench.settle()
    assert [frame[1] for frame in bench.take()] == [message_id, "h0", "h1", "h2"]


def test_a_charger_that_answers_at_once_does_not_recurse() -> None:
    """Ten thousand exchanges, each caused by the one before, on a stack that stays flat."""
    bench = Bench().opened()
    left = 10_000

    def on_text(text: str) -> None:
        nonlocal left
        if left:
            left -= 1
            bench.pair.send_text(HEARTBEAT.format(left))

    bench.on_text = on_text  # type: ignore[method-assign]
    bench.pair.send_text(HEARTBEAT.format("-first"))
    bench.settle()
    assert bench.central.exchanges == 10_001


def test_two_chargers_share_a_mailbox_in_order() -> None:
    bench = Bench().opened()
    other = WirePair("CP2", bench.central, bench, Timers(bench.scheduler), bench.mailbox, lambda: 0.0)
    other.start()
    bench.settle()
    bench.take()
    other.send_text(HEARTBEAT.format("-other"))
    bench.pair.send_text(HEARTBEAT.format("-one"))
    bench.settle()
    assert [frame[1] for frame in bench.take()] == ["h-other", "h-one"]


# Ending


def test_what_was_sent_before_a_close_still_arrives() -> None:
    bench = Bench().opened()
    bench.pair.send_text(HEARTBEAT.format(1))
    bench.pair.stop(1001, "stopping")
    assert not bench.pair.is_open
    assert not bench.pair.is_idle
    assert not bench.pair.send_text(HEARTBEAT.format(2))
    bench.settle()
    # The answer was sent after the close, to a socket that is no more.
    assert bench.take() == [Closed(CloseCause.OURS, 1001, "stopping")]
    assert bench.central.exchanges == 1
    assert bench.pair.is_idle
    assert not bench.is_known_to_be_there
    bench.advance(100)
    assert bench.take() == []


def test_redial_closes_and_opens() -> None:
    bench = Bench().opened()
    bench.pair.redial(1012)
    bench.settle()
    assert bench.take() == [Closed(CloseCause.OURS, 1012, "closed by us"), ("open", "ocpp1.6")]
    assert bench.central.chargers["CP1"].connections == 2


def test_redial_of_a_stopped_link_does_nothing() -> None:
    bench = Bench()
    bench.pair.redial()
    assert bench.settle().take() == []


def test_a_dropped_link_dials_again_after_the_back_off() -> None:
    bench = Bench(retry_minimum_s=3.0).opened()
    bench.pair.drop()
    bench.settle()
    (closed,) = bench.take()
    assert (closed.cause, closed.code) == (CloseCause.DROPPED, 1006)
    assert bench.advance(2.9).take() == []
    assert bench.advance(0.2).take() == [("open", "ocpp1.6")]


def test_a_link_can_be_stopped_and_started_in_one_turn() -> None:
    """A reset closes the socket, and the charger that is built again dials."""
    bench = Bench().opened()
    bench.pair.stop()
    bench.pair.start()
    bench.settle()
    assert [type(each) for each in bench.take()] == [Closed, tuple]
    bench.pair.stop()
    bench.settle()
    assert bench.advance(100).pair.is_idle


def test_a_dial_that_nobody_wants_any_more_opens_nothing() -> None:
    bench = Bench()
    bench.pair.start()
    bench.pair.stop()
    assert bench.settle().take() == []


# The network


def test_frames_under_way_are_lost_in_both_directions_when_the_network_goes() -> None:
    bench = Bench().opened()
    bench.central.call("CP1", call.ClearCache())
    bench.pair.send_text(HEARTBEAT.format(1))
    bench.pair.hold(True)
    bench.settle()
    assert [type(each) for each in bench.take()] == [Closed]
    assert bench.central.exchanges == 0
    assert not bench.pair.send_text(HEARTBEAT.format(2))


def test_a_held_link_stays_away_until_it_is_released() -> None:
    bench = Bench(retry_minimum_s=3.0).opened()
    bench.pair.hold(True)
    bench.settle()
    bench.take()
    assert bench.advance(1000).take() == []
    bench.pair.redial()
    assert bench.settle().take() == []
    bench.pair.hold(False)
    assert bench.advance(2.9).take() == []
    assert bench.advance(0.2).take() == [("open", "ocpp1.6")]


def test_nothing_of_the_old_connection_comes_out_of_the_new_one() -> None:
    bench = Bench().opened()
    bench.pair.send_text(HEARTBEAT.format("-old"))
    bench.pair.drop()
    bench.pair.redial()
    bench.settle()
    assert [type(each) for each in bench.take()] == [Closed, tuple]
    bench.pair.send_text(HEARTBEAT.format("-new"))
    assert [frame[1] for frame in bench.settle().take()] == ["h-new"]
    assert bench.advance(100).take() == []


def test_a_network_that_was_away_for_an_instant_is_a_new_connection() -> None:
    bench = Bench().opened()
    bench.pair.hold(True)
    bench.pair.hold(False)
    bench.settle()
    assert [type(each) for each in bench.take()] == [Closed]
    assert bench.advance(3).take() == [("open", "ocpp1.6")]
    assert bench.scheduler.next_due_s(Clock.WIRE) == float("inf")


def test_a_link_that_was_never_started_does_not_dial_when_the_network_is_back() -> None:
    bench = Bench()
    bench.pair.hold(True)
    bench.pair.hold(False)
    assert bench.advance(100).take() == []


def test_calls_of_the_central_system_are_lost_with_the_network() -> None:
    bench = Bench().opened()
    answers: list[Answer] = []
    bench.central.call("CP1", call.ClearCache(), answers.append)
    bench.pair.hold(True)
    bench.settle()
    assert [answer.failure for answer in answers] == [Failure.LOST]


def test_a_silent_charger_does_not_block_the_central_system() -> None:
    bench = Bench(answer_timeout_s=30.0).opened()
    answers: list[Answer] = []
    for _ in range(2):
        bench.central.call("CP1", call.ClearCache(), answers.append)
    bench.settle()
    assert len(bench.take()) == 1
    bench.advance(30)
    assert [answer.failure for answer in answers] == [Failure.TIMEOUT]
    assert len(bench.take()) == 1


# Chaos


@pytest.mark.parametrize(
    ("made", "answers"),
    [([], []), (["{0}", "{0}"], ["h1", "h1"]), (["{0}]"], []), (["garbage", "{0}"], ["h1"])],
)
def test_a_bad_network_drops_doubles_and_mangles(made: list[str], answers: list[str]) -> None:
    def loss(direction: Direction, text: str) -> Iterable[str]:
        return [each.replace("{0}", text) for each in made] if direction is Direction.TO_CENTRE else [text]

    bench = Bench(loss=loss).opened()
    assert bench.pair.send_text(HEARTBEAT.format(1))
    assert [frame[1] for frame in bench.settle().take()] == answers


def test_a_bad_network_may_lose_answers_only() -> None:
    bench = Bench(loss=lambda direction, text: [text] if direction is Direction.TO_CENTRE else []).opened()
    bench.pair.send_text(HEARTBEAT.format(1))
    assert bench.settle().take() == []
    assert bench.central.exchanges == 1
    bench.pair.loss = None
    bench.pair.send_text(HEARTBEAT.format(2))
    assert [frame[1] for frame in bench.settle().take()] == ["h2"]
