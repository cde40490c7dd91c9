"""Stored messages that the central system cannot take: close frames, refusals, messages too big, no answers at all.

"It MAY happen that a transaction-related message cannot be processed by the Central System. (…) the Charge Point SHOULD
try (…) again", as often as TransactionMessageAttempts says, then "the Charge Point SHOULD discard the message" and go on
(OCPP 1.6 3.7.1). What else is tested here is our choice [D], as `chargepoint.model.delivery` says.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from chargepoint.model.transaction_data import fitting, respelled, slimmer, spelling_in, thinned
from tests.world import SILENCE, Answerer, Seen, World

QUIET = {"MeterValueSampleInterval": "0", "HeartbeatInterval": "0"}
DIAL_S = 5.0


def closes(world: World, code: int | None) -> Answerer:
    """The central system closes the socket with a code, or loses TCP, and is there again soon."""

    def answer(_: dict[str, Any]) -> Any:
        if code is None:
            world.link.drop()
        else:
            world.link.closed_by_peer(code)
        world.pump.timers("wire").after_wire(DIAL_S, lambda _now_s: world.link.hold(world.link.is_down))
        return SILENCE

    return answer


def poisoned(code: int | None, action: str = "StartTransaction", **keys: str) -> World:
    """A charger whose central system closes the socket on each message of one action."""
    world = World(keys={**QUIET, **keys})
    world.peer.answers[action] = closes(world, code)
    return world


def sent(world: World, *actions: str) -> list[Seen]:
    calls = [seen for seen in world.peer.seen if seen.is_from_charger and seen.frame[0] == 2]
    return [seen for seen in calls if not actions or seen.frame[2] in actions]


def times_s(frames: list[Seen]) -> list[float]:
    return [round(seen.at_s - frames[0].at_s) for seen in frames]


def undelivered(world: World) -> list[str]:
    return [message.action for message in world.model.queue.undelivered.values()]


# --- close frames -----------------------------------------------------------------------------------------------------


def test_a_message_too_big_is_given_up_after_its_attempts() -> None:
    """1009 each time counts as a failed attempt under TransactionMessageAttempts and …RetryInterval [D]; the same
    message, with the same id on the next socket (OCPP-J erratum 3.1); then "go on with the next" (3.7.1)."""
    world = poisoned(1009).charge().run(400)
    starts = sent(world, "StartTransaction")
    assert times_s(starts) == [0, 60, 180]
    assert all(seen.frame == starts[0].frame for seen in starts)
    assert undelivered(world) == ["StartTransaction"]
    world.tap("A1").run(10)
    assert world.last("StopTransaction")["transactionId"] == -1


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1011])
def test_every_third_close_in_a_row_is_a_failed_attempt(code: int) -> None:
    """1002, 1003, 1007, 1008 and 1011 on every third close in a row with the same message in flight [D]."""
    world = poisoned(code, TransactionMessageClosePatience="0").charge().run(600)
    assert times_s(sent(world, "StartTransaction")) == [0, 5, 10, 70, 75, 80, 200, 205, 210]
    assert undelivered(world) == ["StartTransaction"]


@pytest.mark.parametrize("code", [None, 1000, 1001, 1012])
def test_no_other_end_of_the_connection_counts(code: int | None) -> None:
    """ "loss of TCP never" [D]: a central system that restarts, or a broken wire, says nothing of the message."""
    world = poisoned(code, TransactionMessageClosePatience="0").charge().run(600)
    assert len(sent(world, "StartTransaction")) > 100
    assert not undelivered(world)
    assert world.model.queue.head.failed_attempts == 0


def test_in_the_first_hour_closes_give_nothing_up() -> None:
    """A database that is down closes on every transaction message: no message is given up for that in the first hour
    [D]; waits grow, and what comes behind keeps its order."""
    world = poisoned(1011, MeterValueSampleInterval="60").charge().run(3500)
    assert not undelivered(world)
    assert {seen.frame[2] for seen in sent(world)} & {"MeterValues", "StopTransaction"} == set()
    world.peer.answers.clear()
    world.run(800)
    assert world.connector().transaction.transaction_id == 1
    assert world.calls("MeterValues")
    assert not undelivered(world)


def test_after_the_first_hour_the_message_is_given_up_and_the_rest_goes_on() -> None:
    """ "one message that cannot be acknowledged must not block the rest" (3.7.1)."""
    world = poisoned(1011, MeterValueSampleInterval="60").charge().run(6000)
    assert undelivered(world) == ["StartTransaction"]
    assert {payload["transactionId"] for payload in world.calls("MeterValues")} == {-1}


def test_the_first_hour_goes_on_after_a_restart() -> None:
    """Attempts, closes and their time are stored with the message: a box that is restarted every half hour, since it
    seems to hang, comes to an end all the same [D]."""
    world = poisoned(1011).charge()
    for _ in range(6):
        world.run(1700).cut_power(1.0)
    world.run(100)
    assert undelivered(world) == ["StartTransaction"]


def test_a_heartbeat_goes_first_on_a_new_socket_before_a_message_is_given_up() -> None:
    """Before such a message is given up, a Heartbeat goes out on a new socket with the message held back; if it is
    answered, the count stands [D]."""
    world = poisoned(1009, TransactionMessageAttempts="1").charge().run(30)
    start, heartbeat = sent(world, "StartTransaction", "Heartbeat")
    assert heartbeat.socket == start.socket + 1
    first = next(seen for seen in sent(world) if seen.socket == heartbeat.socket)
    assert first is heartbeat
    assert undelivered(world) == ["StartTransaction"]


def test_a_central_system_that_closes_on_the_heartbeat_too_is_the_cause() -> None:
    """If that is closed too, the peer is the cause and nothing is counted until some CALL has been answered [D]."""
    world = poisoned(1009, TransactionMessageAttempts="1").plug().tap("A1")
    world.peer.answers["Heartbeat"] = closes(world, 1009)
    for action in ("StatusNotification", "MeterValues"):
        world.peer.answers[action] = closes(world, 1009)
    world.run(2000)
    assert not undelivered(world)
    assert world.model.queue.head.failed_attempts == 0
    world.peer.answers.clear()
    world.run(100)
    assert world.connector().transaction.transaction_id == 1


def test_a_central_system_that_closes_on_every_heartbeat_still_gets_the_rest() -> None:
    """The Heartbeat that finds out must not become the message that blocks the rest (3.7.1)."""
    world = poisoned(1009, TransactionMessageAttempts="1").plug().tap("A1")
    world.peer.answers = {"Heartbeat": closes(world, 1011)}
    world.run(60)
    assert world.connector().transaction.transaction_id == 1


def test_a_call_that_is_not_stored_and_always_closed_on_does_not_block_the_queue() -> None:
    """The kind of it: a central system that closes on every StatusNotification, which go first on a new socket (4.9), still
    gets what stands in the queue."""
    world = World(keys={**QUIET, "AllowOfflineTxForUnknownId": "true", "MeterValueSampleInterval": "60"})
    world.network(False).charge().run(300).tap("A1").run(10)
    assert len(world.model.queue) > 5
    world.peer.answers["StatusNotification"] = closes(world, 1011)
    world.network(True).run(600)
    assert world.calls("StatusNotification")
    assert not len(world.model.queue)
    assert not undelivered(world)


def test_the_probe_is_owed_over_a_restart() -> None:
    """That a message is held back is stored: after a power cut the Heartbeat still goes before it is given up [D]."""
    world = poisoned(1009, TransactionMessageAttempts="1").plug().tap("A1")
    world.network(False)
    assert world.model.queue.head.trial_code == 1009
    world.cut_power(5.0).run(10)
    assert len(sent(world, "StartTransaction")) == 1
    assert len(sent(world, "Heartbeat")) == 1
    assert undelivered(world) == ["StartTransaction"]


def test_the_log_names_action_and_size_of_what_made_the_central_system_close(caplog: pytest.LogCaptureFixture) -> None:
    """The log says which message of what size made the peer close."""
    world = poisoned(1009).charge().run(10)
    (start,) = sent(world, "StartTransaction")
    size = len(json.dumps(start.frame, separators=(",", ":")))
    assert f"(code 1009) while StartTransaction {start.frame[1]} of {size} bytes was unanswered" in caplog.text
    assert "attempt 1 of 3 failed; sent again after 60 s at the earliest" in caplog.text


def test_a_close_on_a_large_answer_is_not_blamed_on_a_small_message(caplog: pytest.LogCaptureFixture) -> None:
    """1009 is about the message that was too big, which may be our answer to a call that crossed the stored message."""
    world = World(keys=QUIET)
    world.peer.answers["StartTransaction"] = lambda _: SILENCE
    world.charge()
    world.ask("GetConfiguration")
    world.link.closed_by_peer(1009)
    world.run(1)
    assert world.model.queue.head.attempts == 0
    assert "bytes is more likely the cause" in caplog.text


# --- StopTransaction that is too big ----------------------------------------------------------------------------------

DATA = {
    "StopTxnSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
    "MeterValueSampleInterval": "10",
}


def takes_at_most(world: World, size: int) -> None:
    """The central system takes messages of at most so many bytes."""
    receive = world.peer.receive

    def limited(text: str) -> None:
        if len(text) > size:
            too_big.append(len(text))
            closes(world, 1009)({})
        else:
            receive(text)

    too_big: list[int] = []
    world.peer.receive = limited  # type: ignore[method-assign]


def long_charge(**keys: str) -> World:
    """40 minutes of four measurands every 10 s."""
    return World(keys={**QUIET, **DATA, **keys}).charge().run(2400)


def test_transaction_data_is_bounded_in_bytes() -> None:
    """Not counts but bytes decide whether a central system can take it: 64 KiB by default [D]; "only intermediate values
    are dropped": begin and end stay (erratum on StopTransactionMaxMeterValues)."""
    world = long_charge().tap("A1").run(20)
    stop = world.last("StopTransaction")
    assert 40_000 < len(json.dumps(stop, separators=(",", ":"))) <= 65_536
    contexts = [value["sampledValue"][0]["context"] for value in stop["transactionData"]]
    assert (contexts[0], contexts[-1]) == ("Transaction.Begin", "Transaction.End")
    stamps = [value["timestamp"] for value in stop["transactionData"]]
    assert stamps == sorted(stamps)


def test_the_bound_in_bytes_is_a_configuration_key() -> None:
    """A central system's operator knows what it can take."""
    world = long_charge()
    world.configure(StopTransactionMaxBytes=8192).tap("A1").run(20)
    assert 4_000 < len(json.dumps(world.last("StopTransaction"), separators=(",", ":"))) <= 8192


@pytest.mark.parametrize("size", [60_000, 20_000, 10_000, 2_000])
def test_a_stop_that_is_too_big_is_thinned_until_it_is_taken(size: int) -> None:
    """Thinned further after a 1009. A thinned StopTransaction is new content and gets a new message id [D]; meterStop and
    all that is required stay, transactionData is optional (6.49)."""
    world = long_charge()
    takes_at_most(world, size)
    world.tap("A1").run(600)
    assert not undelivered(world)
    (stop,) = world.calls("StopTransaction")
    assert stop["meterStop"] > 0
    assert stop["transactionId"] == 1
    assert not len(world.model.queue)


def test_a_thinned_stop_has_a_new_message_id_and_is_stored() -> None:
    """ "A thinned StopTransaction is new content and gets a new message id" [D]: an answer cache of the central system may
    know the old one."""
    world = poisoned(1009, "StopTransaction", **DATA).charge().run(600).tap("A1").run(7)
    first = sent(world, "StopTransaction")[-1].frame
    head = world.model.queue.head
    stored = world.stored("queue", head.key)
    assert (stored["id"], stored["payload"]) == (head.message_id, head.payload)
    assert head.message_id != first[1]
    assert len(head.payload) < len(json.dumps(first[3], separators=(",", ":"))) / 3
    world.cut_power(1.0).run(100)
    second = sent(world, "StopTransaction")[-1].frame
    assert second[1] == stored["id"]


def test_a_stop_without_data_that_is_too_big_is_kept_as_undelivered() -> None:
    """There is nothing left to leave out: attempts, probe, undelivered."""
    world = poisoned(1009, "StopTransaction", TransactionMessageAttempts="1", **DATA).charge().run(600).tap("A1").run(300)
    sizes = [len(json.dumps(seen.frame)) for seen in sent(world, "StopTransaction")]
    assert len(sizes) == 2
    assert "transactionData" not in world.last("StopTransaction")
    assert undelivered(world) == ["StopTransaction"]


# --- samples that are refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_samples_that_the_central_system_does_not_take_do_not_hold_up_the_stop(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """NotImplemented and NotSupported: one retry for the first such sample of a boot, none after [D]. Nothing is dropped
    silently, and the bill comes at once."""
    world = World(keys={**QUIET, "MeterValueSampleInterval": "60"})
    world.peer.answers["MeterValues"] = lambda _: code
    world.charge().run(8 * 3600)
    tapped_s = world.now_s
    world.tap("A1").run(30)
    assert sent(world, "StopTransaction")[0].at_s - tapped_s < 10.0
    told = [seen.frame[3]["meterValue"][0]["timestamp"] for seen in sent(world, "MeterValues")]
    assert len(told) == len(set(told)) + 1
    assert undelivered(world) == ["MeterValues"] * len(set(told))
    warnings = [record for record in caplog.records if "each is sent once" in record.getMessage()]
    assert [record.levelno for record in warnings] == [logging.WARNING]


def test_after_three_lost_samples_each_is_sent_once_until_one_is_accepted() -> None:
    """After 3 samples given up in a row further ones are sent once until one is accepted; Start and Stop keep full
    retries [D]."""
    world = World(keys={**QUIET, "MeterValueSampleInterval": "600"})
    world.peer.answers["MeterValues"] = lambda _: "InternalError"
    world.charge().run(5 * 600)
    told = [seen.frame[3]["meterValue"][0]["timestamp"] for seen in sent(world, "MeterValues")]
    counts = [told.count(each) for each in dict.fromkeys(told)]
    assert counts == [3, 3, 3, 1, 1]
    world.peer.answers.clear()
    world.run(600)
    world.peer.answers["MeterValues"] = lambda _: "InternalError"
    world.peer.answers["StopTransaction"] = lambda _: "InternalError"
    world.forget().run(600).tap("A1").run(700)
    assert len(sent(world, "MeterValues")) == 3
    assert len(sent(world, "StopTransaction")) == 3


HOT = {"MeterValuesSampledData": "Energy.Active.Import.Register,Temperature"}


def knows_only(world: World, word: str) -> None:
    """The central system refuses every other unit of temperature."""

    def answer(payload: dict[str, Any]) -> Any:
        values = payload.get("meterValue", payload.get("transactionData", []))
        units = {each["unit"] for value in values for each in value["sampledValue"]}
        return {} if units <= {"Wh", word} else "PropertyConstraintViolation"

    world.peer.answers["MeterValues"] = world.peer.answers["StopTransaction"] = answer


def units(frame: Seen) -> set[str]:
    return {each["unit"] for each in frame.frame[3]["meterValue"][0]["sampledValue"]}


def test_a_refused_temperature_is_told_with_the_other_spelling_at_once() -> None:
    """7.45 says Celsius, the schemas that are out there Celcius (erratum 3.85): a sample refused with a constraint
    violation is sent once more with the other spelling, as a new message with a new id [D]."""
    world = World(keys={**QUIET, **HOT, "MeterValueSampleInterval": "60"})
    knows_only(world, "Celsius")
    world.charge().run(200)
    first, second, *later = sent(world, "MeterValues")
    assert (units(first), units(second)) == ({"Wh", "Celcius"}, {"Wh", "Celsius"})
    assert first.frame[1] != second.frame[1]
    assert second.at_s == first.at_s
    assert [units(each) for each in later] == [{"Wh", "Celsius"}] * 2
    assert not undelivered(world)


def test_a_stop_with_temperatures_is_respelled_too() -> None:
    """The kind of it: transactionData has the same unit, and the bill hangs on it."""
    keys = {"StopTxnSampledData": HOT["MeterValuesSampledData"], "MeterValueSampleInterval": "0"}
    world = World(keys={**QUIET, **keys})
    knows_only(world, "Celsius")
    world.charge().tap("A1").run(10)
    assert len(sent(world, "StopTransaction")) == 2
    assert not undelivered(world)


def test_samples_taken_before_the_spelling_was_known_are_told_with_it() -> None:
    """What was found out with a MeterValues counts for the transactionData of samples before it."""
    world = World(keys={**QUIET, **HOT, "StopTxnSampledData": "Temperature", "MeterValueSampleInterval": "60"})
    knows_only(world, "Celsius")
    world.charge().run(200).tap("A1").run(10)
    (stop,) = world.calls("StopTransaction")
    assert {each["unit"] for value in stop["transactionData"] for each in value["sampledValue"]} == {"Celsius"}


def test_a_sample_that_both_spellings_do_not_help_is_given_up() -> None:
    """Once more at most [D]: what breaks a constraint will break it again."""
    world = World(keys={**QUIET, **HOT, "MeterValueSampleInterval": "60"})
    world.peer.answers["MeterValues"] = lambda _: "TypeConstraintViolation"
    world.charge().run(70)
    assert len(sent(world, "MeterValues")) == 2
    assert undelivered(world) == ["MeterValues"]


@pytest.mark.parametrize("word", ["Celsius", "Celcius"])
def test_the_spelling_can_be_set(word: str) -> None:
    """A setting: one word for all, and no attempt with the other."""
    world = World(keys={**QUIET, **HOT, "MeterValueSampleInterval": "60", "TemperatureUnitSpelling": word})
    world.peer.answers["MeterValues"] = lambda _: "FormationViolation"
    world.charge().run(70)
    assert [units(each) for each in sent(world, "MeterValues")] == [{"Wh", word}]


# --- no answers at all ------------------------------------------------------------------------------------------------


def frozen(**keys: str) -> World:
    """A charger whose central system keeps the socket, answers pings and no call."""
    world = World(keys={**QUIET, **keys}).configure(HeartbeatInterval=60)
    for action in ("Heartbeat", "Authorize", "StatusNotification", "StartTransaction", "StopTransaction", "MeterValues"):
        world.peer.answers[action] = lambda _: SILENCE
    return world


def test_three_unanswered_calls_in_a_row_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A server that answers pings and no CALL: close, dial again [D]."""
    world = frozen()
    sockets = world.sockets
    world.run(90)
    assert world.sockets == sockets
    world.run(100)
    assert world.sockets > sockets
    assert "3 calls in a row without an answer: connecting again" in caplog.text


def test_the_offline_rules_apply_until_a_call_is_answered() -> None:
    """3.5: a local list and the cache are for when "the Charge Point is offline"; who leaves calls unanswered is away."""
    world = frozen(LocalAuthorizeOffline="true", AllowOfflineTxForUnknownId="true").run(200)
    assert not world.model.session.is_answering
    world.charge("STRANGER")
    assert world.connector().is_charging
    assert not world.calls("Authorize")
    world.peer.answers.clear()
    world.run(200)
    assert world.model.session.is_answering
    assert world.connector().transaction.transaction_id == 1


def test_an_answer_in_between_begins_the_count_again() -> None:
    """Three in a row: a central system that ignores one kind of message keeps its connection, since the third call is a
    Heartbeat."""
    world = World(keys={**QUIET, "MeterValueSampleInterval": "60"})
    world.peer.answers["MeterValues"] = lambda _: SILENCE
    sockets = world.sockets
    world.charge().run(3600)
    assert world.sockets == sockets
    assert len(undelivered(world)) > 10
    assert world.model.session.is_answering


def test_nothing_of_the_queue_is_given_up_to_a_central_system_that_answers_nothing() -> None:
    """ "nothing is counted until some CALL has been answered" [D]: a frozen central system loses no bill."""
    world = World(keys=QUIET).charge()
    frozen_answers = frozen().peer.answers
    world.peer.answers.update(frozen_answers)
    world.tap("A1").run(7200)
    assert not undelivered(world)
    world.peer.answers.clear()
    world.run(400)
    assert not len(world.model.queue)


# --- the text of transactionData --------------------------------------------------------------------------------------


def test_thinning_keeps_begin_and_end() -> None:
    """Middle ones are dropped, never begin or end."""
    values = [str(number) for number in range(100)]
    assert thinned(values, 2) == ["0", "99"]
    assert thinned(values, 100) == values
    for most in (2, 3, 50, 99):
        assert (thinned(values, most)[0], thinned(values, most)[-1], len(thinned(values, most))) == ("0", "99", most)


@pytest.mark.parametrize("largest", [0, 10, 100, 1000, 10_000])
def test_what_fits_is_as_many_values_as_the_bytes_allow(largest: int) -> None:
    """At most so many bytes as a JSON array; begin and end whatever their size."""
    values = [f'"{number:08d}"' for number in range(200)]
    kept = fitting(values, 500, largest)
    size = len(f"[{','.join(kept)}]")
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert size <= largest or len(kept) == 2
    assert size > largest * 0.7 or len(kept) in (2, 200)


def test_a_stop_is_made_slimmer_until_nothing_is_left_to_leave_out() -> None:
    """Less each time; without transactionData there is nothing more."""
    values = ",".join(f'{{"timestamp":"{number}","sampledValue":[{{"value":"1"}}]}}' for number in range(9))
    payload = f'{{"meterStop":1,"transactionData":[{values}]}}'
    sizes = [len(payload)]
    text: str | None = payload
    while (text := slimmer(text or "", 200)) is not None:
        sizes.append(len(text))
        assert json.loads(text)["meterStop"] == 1
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes) > 1


def test_a_unit_in_a_text_is_no_unit() -> None:
    """Only members are respelled: the same words within a JSON string are escaped."""
    text = json.dumps({"data": json.dumps({"unit": "Celcius"}, separators=(",", ":"))}, separators=(",", ":"))
    assert spelling_in(text) is None
    assert respelled(text, "Celsius") == text
