"""The protocol session against a central system with bad manners, sentence by sentence (messages.md 1.1 to 1.5)."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

import pytest

from chargepoint.model.errors import ErrorCode
from chargepoint.model.journal import CallAnswered, CallServed, FrameRefused, Undelivered
from chargepoint.model.session import Registration
from tests.world import ERROR, SILENCE, Answerer, Seen, World

QUIET = {"MeterValueSampleInterval": "0", "HeartbeatInterval": "0"}


def answers_error(_: dict[str, Any]) -> Any:
    return ERROR


def answers_not(_: dict[str, Any]) -> Any:
    return SILENCE


def answers_nonsense(_: dict[str, Any]) -> Any:
    return ["wrong"]


FAILURES = pytest.mark.parametrize("fails", [answers_error, answers_not, answers_nonsense])


def sent(world: World, *actions: str) -> list[Seen]:
    """Frames of the charger's calls, oldest first."""
    calls = [seen for seen in world.peer.seen if seen.is_from_charger and seen.frame[0] == 2]
    return [seen for seen in calls if not actions or seen.frame[2] in actions]


def ids(world: World, *actions: str) -> list[str]:
    return [seen.frame[1] for seen in sent(world, *actions)]


def answers_to(world: World, message_id: str) -> list[list[Any]]:
    return [s.frame for s in world.peer.seen if s.is_from_charger and s.frame[0] != 2 and s.frame[1] == message_id]


def offset_s(frames: list[Seen]) -> list[float]:
    return [round(seen.at_s - frames[0].at_s, 3) for seen in frames]


def refused(world: World) -> list[str]:
    return [entry.reason for _, entry in world.journal if isinstance(entry, FrameRefused)]


def failing(action: str, fails: Answerer, **keys: str) -> World:
    """A charger that is accepted, whose calls of one action fail from now on."""
    world = World(keys={**QUIET, **keys})
    world.peer.answers[action] = fails
    return world


# --- 1.1 frames, ids, one in flight -----------------------------------------------------------------------------------


def test_every_call_has_an_id_that_none_ever_had() -> None:
    """messageId of a new message: "UUID4, different from every id this identity ever used … Restart included"."""
    world = World().charge().run(200)
    world.network(False)
    world.network(True).cut_power().run(60)
    told = ids(world)
    assert len(set(told)) == len(told) > 10
    assert all(len(each) == 36 and UUID(each).version == 4 for each in told)


def test_chargers_of_one_seed_have_other_ids_under_other_identities() -> None:
    """Separate processes with one `--seed`: ids differ from all of the same sender (OCPP-J erratum 3.1), and, for whoever
    reads the log of a central system, from those of other senders too."""
    told = [ids(World(identity=identity, keys=QUIET).charge()) for identity in ("CP1", "CP2", "CP1")]
    assert len(told[0]) > 4
    assert not set(told[0]) & set(told[1])
    assert told[0] == told[2], "one seed and one identity repeat"
    assert all(UUID(each).version == 4 for each in told[1])


def test_one_call_of_ours_is_unanswered_at_a_time() -> None:
    """ "At most one unanswered CALL per direction per connection"; then "CALLRESULT, CALLERROR or own timeout"."""
    world = failing("StatusNotification", answers_not).forget()
    world.plug().ask("TriggerMessage", requestedMessage="Heartbeat")
    world.run(20)
    assert [seen.frame[2] for seen in sent(world)] == ["StatusNotification"]
    world.run(10)
    assert offset_s(sent(world))[:2] == [0.0, 30.0]
    assert sent(world)[1].frame[2] == "Heartbeat"


def test_the_time_out_is_a_configuration_key() -> None:
    """Timeout: "key MessageTimeout (s) where offered"."""
    world = failing("StatusNotification", answers_not, MessageTimeout="4").forget()
    world.plug().ask("TriggerMessage", requestedMessage="Heartbeat")
    world.run(10)
    assert offset_s(sent(world))[:2] == [0.0, 4.0]


def test_a_call_of_the_central_system_is_answered_while_ours_waits() -> None:
    """Crossing: "it must be answered at once, not queued behind our own CALL"."""
    world = failing("StatusNotification", answers_not).plug()
    assert world.model.session._in_flight is not None
    assert world.ask("GetConfiguration", key=["HeartbeatInterval"])["configurationKey"][0]["value"] == "300"
    assert world.model.session._in_flight is not None


def test_a_late_answer_to_a_call_that_is_not_stored_is_dropped() -> None:
    """Timeout: "Late answer after timeout: log, drop"."""
    world = failing("Heartbeat", answers_not).forget()
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    world.run(40)
    world.peer.send([3, ids(world, "Heartbeat")[0], {"currentTime": "2030-01-01T00:00:00Z"}])
    world.run(1)
    assert refused(world) == ["response to an unknown or already answered message ID"]
    assert world.model.calendar.utc_s(0.0) < 1.8e9


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
        ("TriggerMessage", {"requestedMessage": "MeterValues"}),
        ("RemoteStopTransaction", {"transactionId": 1}),
        ("UnlockConnector", {"connectorId": 1}),
        ("Reset", {"type": "Soft"}),
        ("Reset", {"type": "Hard"}),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
    ],
)
def test_the_answer_leaves_before_what_it_causes(action: str, payload: dict[str, Any]) -> None:
    """Element order in time: the answer to TriggerMessage and the rest "leaves before the requests it causes"."""
    world = World(board="ac11-sim-socket", keys=QUIET).charge().forget()
    message_id = world.peer.call(action, **payload)
    world.run(20)
    order = [s.frame[1] if s.frame[0] == 3 else s.frame[2] for s in world.peer.seen if s.is_from_charger]
    # What unlocking causes may come before it: the answer waits for the lock, which waits for the contactor.
    assert len(order) > 1
    assert order.index(message_id) == 0 or action == "UnlockConnector"


def test_a_remote_start_is_answered_before_it_is_authorised() -> None:
    """Element order in time, for RemoteStart with AuthorizeRemoteTxRequests."""
    world = World(keys={**QUIET, "AuthorizeRemoteTxRequests": "true"}).plug().forget()
    message_id = world.peer.call("RemoteStartTransaction", idTag="A1")
    world.run(5)
    order = [s.frame[1] if s.frame[0] == 3 else s.frame[2] for s in world.peer.seen if s.is_from_charger]
    assert order[:3] == [message_id, "Authorize", "StartTransaction"]


def test_a_null_payload_is_an_empty_one() -> None:
    """Empty payload: "Send `{}`; accept `{}` and `null`"."""
    world = World()
    world.peer.send([2, "n", "ClearCache", None])
    world.run(0.1)
    assert world.peer.results["n"] == [3, "n", {"status": "Accepted"}]


# --- 1.1 and 1.4 retries ----------------------------------------------------------------------------------------------


@FAILURES
def test_a_retry_on_the_same_socket_has_a_new_id_and_the_same_payload(fails: Answerer) -> None:
    """ "On the same socket (timeout or CALLERROR): a new id for each transmission"; "Same payload, never changed
    timestamp or values in a retry"; failure to process is "CALLERROR (any code), call timeout, invalid answer"."""
    world = failing("StartTransaction", fails).charge().run(400)
    starts = sent(world, "StartTransaction")
    assert len(starts) == 3
    assert len({seen.frame[1] for seen in starts}) == 3
    assert all(seen.frame[3] == starts[0].frame[3] for seen in starts)


@pytest.mark.parametrize(
    ("fails", "expected_s"),
    [(answers_error, [0.0, 60.0, 180.0]), (answers_nonsense, [0.0, 60.0, 180.0]), (answers_not, [0.0, 90.0, 240.0])],
)
def test_retries_wait_longer_each_time(fails: Answerer, expected_s: list[float]) -> None:
    """ "Attempts 3, interval 60, failures seen at once: transmissions at t = 0, 60, 180. If each failure is a timeout of
    30 s: 0, 90, 240" (3.7.1)."""
    world = failing("StartTransaction", fails).charge().run(1000)
    assert offset_s(sent(world, "StartTransaction")) == expected_s


def test_the_number_of_attempts_and_the_interval_are_configuration_keys() -> None:
    """`TransactionMessageAttempts` = transmissions in total; wait before n+1 = interval × n."""
    world = failing(
        "StartTransaction", answers_error, TransactionMessageAttempts="4", TransactionMessageRetryInterval="10"
    )
    world.charge().run(1000)
    assert offset_s(sent(world, "StartTransaction")) == [0.0, 10.0, 30.0, 60.0]


def test_later_transaction_messages_wait_for_a_retry_and_others_flow() -> None:
    """While waiting for a retry "later transaction messages wait too (order); others flow"."""
    world = failing("StartTransaction", answers_error, MeterValueSampleInterval="10").charge().run(30)
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    assert ids(world, "Heartbeat")
    assert not ids(world, "MeterValues")
    world.peer.answers.clear()
    world.run(40)
    order = [seen.frame[2] for seen in sent(world, "StartTransaction", "MeterValues")]
    assert order[:3] == ["StartTransaction", "StartTransaction", "MeterValues"]


def test_a_lost_link_is_no_attempt_and_the_message_keeps_its_id() -> None:
    """ "Connection loss while waiting is not a failed attempt"; "After reconnect or restart: the same id"."""
    world = failing("StartTransaction", answers_not).charge()
    for _ in range(5):
        world.network(False)
        world.network(True).run(5)
    assert len(set(ids(world, "StartTransaction"))) == 1
    assert len(ids(world, "StartTransaction")) == 6
    assert world.model.queue.head.attempts == 0


def test_a_message_keeps_its_id_over_a_restart() -> None:
    """ "After reconnect or restart: the same id (stored with the queued message)"."""
    world = failing("StartTransaction", answers_not).charge().cut_power().run(5)
    first, second = sent(world, "StartTransaction")
    assert first.frame == second.frame


def test_a_late_result_to_an_earlier_transmission_completes_the_message() -> None:
    """ "A late CALLRESULT to any of them completes it; a second one is logged and dropped"."""
    world = failing("StartTransaction", answers_not).charge().run(100)
    first, second = ids(world, "StartTransaction")
    world.peer.send([3, first, {"idTagInfo": {"status": "Accepted"}, "transactionId": 77}])
    world.run(1)
    assert world.connector().transaction.transaction_id == 77
    world.peer.send([3, second, {"idTagInfo": {"status": "Accepted"}, "transactionId": 78}])
    world.run(300)
    assert world.connector().transaction.transaction_id == 77
    assert refused(world) == ["response to an unknown or already answered message ID"]
    assert ids(world, "StartTransaction") == [first, second]


def test_nothing_overtakes_a_repetition_whose_message_a_late_result_completed() -> None:
    """No CALL "unless all the CALL messages it sent before have been responded to or have timed out" (OCPP-J 4.1.1)."""
    world = failing("StartTransaction", answers_not, MeterValueSampleInterval="25").charge().run(80)
    first, second = ids(world, "StartTransaction")
    world.peer.send([3, first, {"idTagInfo": {"status": "Accepted"}, "transactionId": 77}])
    assert world.run(1).calls("MeterValues") == []
    world.peer.send([3, second, {"idTagInfo": {"status": "Accepted"}, "transactionId": 78}])
    assert {payload["transactionId"] for payload in world.run(1).calls("MeterValues")} == {77}
    assert refused(world) == ["response to an unknown or already answered message ID"]


def test_a_late_refusal_does_not_send_the_start_again() -> None:
    """What a late CALLRESULT causes leaves after the message it completes has left the queue: never a second Start."""
    world = failing("StartTransaction", answers_error).charge()
    world.ask("TriggerMessage", requestedMessage="Heartbeat")
    (only,) = ids(world, "StartTransaction")
    world.peer.send([3, only, {"idTagInfo": {"status": "Blocked"}, "transactionId": 5}])
    world.peer.answers.clear()
    world.run(60)
    assert ids(world, "StartTransaction") == [only]
    assert [p["reason"] for p in world.calls("StopTransaction")] == ["DeAuthorized"]


def test_a_late_answer_on_another_socket_means_nothing() -> None:
    """ "Ids of earlier transmissions of a waiting message stay known for this socket": not for the next one."""
    world = failing("StartTransaction", answers_not).charge().run(100)
    first, _ = ids(world, "StartTransaction")
    world.network(False)
    world.network(True)
    world.peer.send([3, first, {"idTagInfo": {"status": "Accepted"}, "transactionId": 77}])
    world.run(1)
    assert world.connector().transaction.transaction_id is None


def test_after_the_last_attempt_a_message_is_kept_as_undelivered(caplog: pytest.LogCaptureFixture) -> None:
    """ "Message leaves the queue, not the store: kept as undelivered, logged as ERROR, shown to the operator"."""
    world = failing("StartTransaction", answers_error).charge().run(200)
    queue = world.model.queue
    (key,) = queue.undelivered
    assert queue.undelivered[key].action == "StartTransaction"
    assert world.stored("undelivered", key)["payload"] == queue.undelivered[key].payload
    assert [entry.action for _, entry in world.journal if isinstance(entry, Undelivered)] == ["StartTransaction"]
    assert [r.levelno for r in caplog.records if "could not be delivered" in r.getMessage()] == [logging.ERROR]
    world.cut_power().run(1)
    assert list(world.model.queue.undelivered) == [key]


def test_after_an_undelivered_start_everything_else_carries_minus_one() -> None:
    """ "All later messages of the transaction carry transactionId: -1 and are still sent" (erratum 3.18)."""
    world = failing("StartTransaction", answers_error, MeterValueSampleInterval="30").charge().run(300)
    world.tap("A1").run(10)
    assert {p["transactionId"] for p in world.calls("MeterValues", "StopTransaction")} == {-1}
    assert len(world.calls("StopTransaction")) == 1
    assert len(world.calls("StartTransaction")) == 3


@FAILURES
def test_an_undelivered_stop_does_not_hold_up_the_next_transaction(fails: Answerer) -> None:
    """ "Then go on with the next"."""
    world = failing("StopTransaction", fails).charge().tap("A1").run(600).unplug()
    world.charge().run(5)
    assert len(world.calls("StopTransaction")) == 3
    assert len(world.calls("StartTransaction")) == 2


def test_an_operator_can_queue_an_undelivered_message_again() -> None:
    """ "Re-queue it (tail of the queue, stored payload, counter 0)"."""
    world = failing("StopTransaction", answers_error).charge().tap("A1").run(200)
    first = sent(world, "StopTransaction")[0].frame
    world.peer.answers.clear()
    world.model.queue.requeue(next(iter(world.model.queue.undelivered)))
    world.model.session.pump(world.now_s)
    world.run(5)
    last = sent(world, "StopTransaction")[-1].frame
    assert last[3] == first[3]
    assert last[1] not in ids(world, "StopTransaction")[:-1]
    assert not world.model.queue.undelivered
    assert not world.model.queue.transactions


def test_an_operator_can_dismiss_an_undelivered_message() -> None:
    """ "… or dismiss it"."""
    world = failing("StopTransaction", answers_error).charge().tap("A1").run(200)
    world.model.queue.dismiss(next(iter(world.model.queue.undelivered)))
    world.run(200)
    assert len(world.calls("StopTransaction")) == 3
    assert not world.store.load("CP1").get("undelivered")
    assert not world.store.load("CP1").get("transaction")


def test_neither_the_queue_nor_the_others_starve() -> None:
    """One in flight: the queue head competes with other calls; "alternate, never starve the queue"."""
    world = World(keys={**QUIET, "MeterValueSampleInterval": "1", "AllowOfflineTxForUnknownId": "true"})
    world.network(False).charge().run(20)
    world.network(True)
    world.forget()
    world.peer.answers["MeterValues"] = lambda p: SILENCE
    world.peer.answers["StatusNotification"] = lambda p: SILENCE
    world.network(False)
    world.network(True)
    for _ in range(4):
        world.ask("TriggerMessage", requestedMessage="StatusNotification")
    world.run(200)
    kinds = ["queue" if s.frame[2] in ("StartTransaction", "MeterValues") else "other" for s in sent(world)]
    assert {"queue", "other"} == set(kinds[:4])


# --- 1.2 garbage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "nonsense", "{}", "17", "[]", "[2]", "[2,17,\"Heartbeat\",{}]", "[3]", "[3,null,{}]", "[3,\"x\"]"],
)
def test_what_cannot_be_answered_is_not_answered(text: str) -> None:
    """ "Not JSON / not an array / too few elements / messageId not a string": log, keep the connection, "No CALLERROR
    with an invented id"."""
    world = World().forget()
    world.peer.send(text)
    world.run(1)
    assert not [seen for seen in world.peer.seen if seen.is_from_charger]
    assert len(refused(world)) == 1
    assert world.link.is_open
    assert world.ask("ClearCache") == {"status": "Accepted"}


@pytest.mark.parametrize("text", ['[1,"x",{}]', '[5,"x",{}]', '["2","x","Heartbeat",{}]', '[2.0,"x","Reset",{}]'])
def test_other_message_types_are_ignored_in_silence(text: str) -> None:
    """Message type other than 2, 3, 4: "Ignore silently"."""
    world = World().forget()
    world.peer.send(text)
    world.run(1)
    assert not world.peer.seen
    assert not refused(world)


@pytest.mark.parametrize(
    "frame",
    [
        [2, "x", "ClearCache"],
        [2, "x", "ClearCache", {}, 1],
        [2, "x", 7, {}],
        [2, "x", "ClearCache", []],
        [2, "x", "ClearCache", "{}"],
        [2, "y" * 37, "ClearCache", {}],
    ],
)
def test_a_broken_call_is_answered_under_its_id(frame: list[Any]) -> None:
    """ "Array starts with 2, id readable, but rest broken": CALLERROR with that id, FormationViolation (1.3 row 1)."""
    world = World()
    world.peer.send(frame)
    world.run(1)
    code, message_id, name, _, details = world.peer.results[frame[1]]
    assert (code, message_id, name, details) == (4, frame[1], "FormationViolation", {})


@pytest.mark.parametrize("frame", [[3, "unknown", {}], [4, "unknown", "GenericError", "", {}]])
def test_an_answer_nobody_waits_for_is_logged_and_dropped(frame: list[Any]) -> None:
    """CALLRESULT/CALLERROR with an id we do not wait for: "Ignore, log"."""
    world = World().forget()
    world.peer.send(frame)
    world.run(1)
    assert not [seen for seen in world.peer.seen if seen.is_from_charger]
    assert len(refused(world)) == 1


def test_a_result_that_fails_its_schema_is_never_answered() -> None:
    """ "Never answer it with CALLERROR (only a CALL may be answered)"."""
    world = failing("Authorize", answers_nonsense).plug().forget().tap("A1").run(1)
    assert [seen.frame[0] for seen in world.peer.seen if seen.is_from_charger] == [2]
    assert world.statuses() == []
    assert not world.connector().is_charging


# --- 1.2 duplicate ids ------------------------------------------------------------------------------------------------


def test_an_id_that_is_being_handled_is_refused() -> None:
    """CALL id equal to one being handled on this socket: GenericError (1.3 row 2)."""
    world = World(board="ac11-sim-socket", keys=QUIET).charge()
    frame = [2, "same", "UnlockConnector", {"connectorId": 1}]
    world.peer.send(frame)
    world.run(0.05)
    world.peer.send(frame)
    world.run(20)
    first, second = answers_to(world, "same")
    assert first[:3] == [4, "same", ErrorCode.GENERIC_ERROR]
    assert second == [3, "same", {"status": "Unlocked"}]


def test_a_repeated_call_that_acts_gets_the_stored_answer_and_is_not_executed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """[D] A retry may reuse its id (OCPP-J erratum 3.1): an identical frame within 60 s on the same socket is answered as
    before and not carried out again, and log and journal say so."""
    caplog.set_level(logging.INFO)
    world = World(keys=QUIET).plug().forget()
    frame = [2, "same", "RemoteStartTransaction", {"idTag": "A1"}]
    world.peer.send(frame)
    world.run(20).tap("A1").run(10)
    world.peer.send(frame)
    world.run(10)
    assert answers_to(world, "same") == [[3, "same", {"status": "Accepted"}]] * 2
    assert len(sent(world, "StartTransaction")) == 1
    assert "RemoteStartTransaction came again after 30 s with message ID same" in caplog.text
    served = [entry for _, entry in world.journal if isinstance(entry, CallServed) and entry.message_id == "same"]
    assert [(entry.is_result, entry.answer) for entry in served] == [(True, '{"status":"Accepted"}')] * 2


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "17"}),
    ],
)
def test_a_repeated_call_that_does_not_act_is_served_again(action: str, payload: dict[str, Any]) -> None:
    """[D] Testers and some central systems use one id for all: what reads or sets is served each time."""
    world = World(keys=QUIET).forget()
    for value in ("5", "6"):
        world.model.change_setting("HeartbeatInterval", value, world.now_s)
        world.peer.send([2, "1", action, payload])
        world.run(1)
    if action == "TriggerMessage":
        assert len(sent(world, "Heartbeat")) == 2
    elif action == "GetConfiguration":
        assert [frame[2]["configurationKey"][0]["value"] for frame in answers_to(world, "1")] == ["5", "6"]
    else:
        assert world.ask("GetConfiguration", key=["HeartbeatInterval"])["configurationKey"][0]["value"] == "17"


def test_another_frame_under_a_known_id_is_a_new_call() -> None:
    """[D] The memory is for identical frames: the same request written otherwise is carried out."""
    world = World(keys=QUIET).plug().forget()
    world.peer.send('[2,"same","RemoteStartTransaction",{"idTag":"A1"}]')
    world.run(20).tap("A1").run(10)
    world.peer.send('[2,"same","RemoteStartTransaction", {"idTag":"A1"}]')
    world.run(10)
    assert len(sent(world, "StartTransaction")) == 2


def test_a_repeated_call_whose_answer_waited_for_hardware_is_not_executed_again() -> None:
    """The same, where the first answer came later."""
    world = World(board="ac11-sim-socket", keys=QUIET).charge()
    frame = [2, "same", "UnlockConnector", {"connectorId": 1}]
    world.peer.send(frame)
    world.run(20)
    world.tap("A1").run(5)
    assert world.connector().is_charging
    world.peer.send(frame)
    world.run(10)
    assert answers_to(world, "same") == [[3, "same", {"status": "Unlocked"}]] * 2
    assert world.connector().is_charging


@pytest.mark.parametrize("what", ["age", "socket"])
def test_other_age_or_socket_makes_it_a_new_call(what: str) -> None:
    """ "Other content, other socket or older → an ordinary new CALL: some back ends use constant ids"."""
    world = World(keys=QUIET).plug().forget()
    frame = [2, "1", "RemoteStartTransaction", {"idTag": "A1"}]
    world.peer.send(frame)
    world.run(10).tap("A1").run(10)
    if what == "age":
        world.run(41)
    else:
        world.network(False)
        world.network(True)
    world.peer.send(frame)
    world.run(5)
    assert len(sent(world, "StartTransaction")) == 2


# --- calls sent by hand -----------------------------------------------------------------------------------------------


def answers_seen(world: World, action: str) -> list[tuple[bool, str]]:
    return [(e.is_result, e.outcome) for _, e in world.journal if isinstance(e, CallAnswered) and e.action == action]


def test_a_call_sent_by_hand_is_answered_without_a_fault() -> None:
    """The answer to a call that a person wrote is shown, and no frame is called unusable: the back end is right."""
    world = World(keys=QUIET)
    world.model.session.send_raw("DataTransfer", '{"vendorId":"x"}', world.now_s)
    world.peer.answers["StatusNotification"] = answers_error
    model = world.model
    status = '{"connectorId":1,"status":"Available","errorCode":"NoError"}'
    model.session.send_raw("StatusNotification", status, world.now_s)
    world.run(1)
    assert answers_seen(world, "DataTransfer") == [(True, '{"status":"UnknownVendorId"}')]
    assert answers_seen(world, "StatusNotification")[-1] == (False, "InternalError: made for a test")
    assert refused(world) == []
    assert world.ask("ClearCache") == {"status": "Accepted"}
    assert world.model is model, "no feature profile takes the answer for that to a call of its own"


def test_the_answer_to_a_call_sent_by_hand_is_shown_as_it_came() -> None:
    """Right or wrong: whoever writes calls by hand wants to see what a back end makes of them, and nothing judges it."""
    world = World(keys=QUIET)
    world.peer.answers["DataTransfer"] = lambda _: {"status": "Odd", "more": [1]}
    world.model.session.send_raw("DataTransfer", '{"vendorId":"x"}', world.now_s)
    world.run(1)
    assert answers_seen(world, "DataTransfer") == [(True, '{"status":"Odd","more":[1]}')]
    assert refused(world) == []


@pytest.mark.parametrize("frame", [[3, "?", {"status": "Accepted"}], [4, "?", "GenericError", "late", {}]])
def test_a_late_answer_to_a_call_sent_by_hand_is_shown_without_a_fault(frame: list[Any]) -> None:
    """The same after the time-out: the answer is late, not unusable."""
    world = failing("DataTransfer", answers_not)
    world.model.session.send_raw("DataTransfer", '{"vendorId":"x"}', world.now_s)
    world.run(40)
    world.peer.send([frame[0], ids(world, "DataTransfer")[0], *frame[2:]])
    world.run(1)
    told = answers_seen(world, "DataTransfer")
    assert told[0] == (False, "no answer")
    assert told[1] == ((True, '{"status":"Accepted"}') if frame[0] == 3 else (False, "GenericError: late"))
    assert refused(world) == []


def test_calls_sent_by_hand_say_nothing_of_the_central_system() -> None:
    """What a person writes may be nonsense that deserves no answer: it does not end the connection."""
    world = failing("DataTransfer", answers_not)
    sockets = world.sockets
    for _ in range(6):
        world.model.session.send_raw("DataTransfer", '{"vendorId":"x"}', world.now_s)
    world.run(300)
    assert world.sockets == sockets
    assert world.model.session.is_answering


# --- 1.3 what is not there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("Nonsense", {}, "NotImplemented"),
        ("clearCache", {}, "NotImplemented"),
        ("GetDiagnostics", {"location": "ftp://x"}, "NotSupported"),
        ("StartTransaction", {}, "NotSupported"),
        ("Heartbeat", {}, "NotSupported"),
        ("GetLocalListVersion", {}, {"listVersion": -1}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, {"status": "NotSupported"}),
        (
            "ReserveNow",
            {"connectorId": 1, "expiryDate": "2026-01-01T01:00:00Z", "idTag": "A1", "reservationId": 1},
            {"status": "Rejected"},
        ),
        ("CancelReservation", {"reservationId": 1}, "NotSupported"),
    ],
)
def test_what_this_charger_has_not_got_is_answered_as_the_handbook_says(
    action: str, payload: dict[str, Any], answer: object
) -> None:
    """1.3 rows 3, 4, 16, 17, 18, for a charger with Core and nothing else."""
    world = World(plan={"feature_profiles": ("Core",)})
    assert world.ask(action, **payload) == answer


def test_a_call_that_only_a_central_system_receives_is_not_supported_whatever_it_holds() -> None:
    """Check order: "frame, duplicate id, action, profile, extra field …": the profile is judged before the fields."""
    assert World(plan={"feature_profiles": ("Core",)}).ask("SetChargingProfile", nonsense=1) == "NotSupported"


# --- 1.5 registration -------------------------------------------------------------------------------------------------


def booting(status: str | None) -> World:
    """A charger whose first BootNotification gets this status, or no answer."""
    world = World(keys=QUIET, starts_online=False)
    world.peer.registration = status or "Accepted"
    if status is None:
        world.peer.answers["BootNotification"] = answers_not
    return world.network(True).run(1)


@pytest.mark.parametrize("status", [None, "Pending", "Rejected"])
def test_before_it_is_accepted_a_charger_sends_boot_notifications_only(status: str | None) -> None:
    """Not yet booted, Pending, Rejected: nothing on its own except BootNotification."""
    world = booting(status)
    world.plug().tap("A1").unplug().run(700)
    assert {seen.frame[2] for seen in sent(world)} == {"BootNotification"}


@pytest.mark.parametrize(("status", "expected_s"), [(None, 90.0), ("Pending", 300.0), ("Rejected", 300.0)])
def test_the_next_boot_notification_waits_for_the_interval(status: str | None, expected_s: float) -> None:
    """Pending and Rejected: `interval`; no answer: 60 s after the time-out of 30 s (connection-and-boot.md 3)."""
    world = booting(status).run(1000)
    assert offset_s(sent(world, "BootNotification"))[1] == expected_s


@pytest.mark.parametrize(
    ("status", "answered"), [(None, True), ("Pending", True), ("Rejected", False), ("Accepted", True)]
)
def test_calls_are_answered_when_pending_or_accepted(status: str | None, answered: bool) -> None:
    """4.2 forbids to send before BootNotification.conf, not to answer; Rejected: no answer at all."""
    world = booting(status)
    message_id = world.peer.call("GetConfiguration")
    world.peer.send("[2,\"broken\",\"GetConfiguration\"]")
    world.run(5)
    assert (message_id in world.peer.results) is answered
    assert ("broken" in world.peer.results) is answered


@pytest.mark.parametrize(
    ("action", "payload"), [("RemoteStartTransaction", {"idTag": "A1"}), ("RemoteStopTransaction", {"transactionId": 1})]
)
def test_remote_starts_and_stops_are_rejected_while_pending(action: str, payload: dict[str, Any]) -> None:
    """Pending: "RemoteStart/RemoteStop are forbidden to the CS: answer Rejected"."""
    assert booting("Pending").ask(action, **payload) == {"status": "Rejected"}


@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues"])
def test_while_pending_what_a_trigger_asks_for_is_sent(message: str) -> None:
    """Pending: "only what a TriggerMessage/ExtendedTriggerMessage demanded"."""
    world = booting("Pending").forget()
    assert world.ask("TriggerMessage", requestedMessage=message) == {"status": "Accepted"}
    world.run(5)
    assert {seen.frame[2] for seen in sent(world)} == {message}


def test_queued_messages_stay_while_pending_and_leave_when_accepted() -> None:
    """ "Boot Pending/Rejected: queued messages stay"; replay "after reconnect and registration Accepted"."""
    world = World(keys=QUIET).charge()
    world.network(False).tap("A1").run(10)
    world.peer.registration = "Pending"
    world.cut_power()
    world.network(True).run(10)
    assert not world.calls("StopTransaction")
    world.peer.registration = "Accepted"
    world.run(300)
    assert len(world.calls("StopTransaction")) == 1


def test_a_mere_reconnect_needs_no_boot_notification() -> None:
    """ "On plain reconnect without boot: at once"; the registration stays Accepted (OCPP-J 5.4)."""
    world = World(keys=QUIET)
    world.network(False)
    assert not world.model.session.is_online
    world.forget()
    world.network(True).run(5)
    assert world.model.session.registration is Registration.ACCEPTED
    assert sent(world) == []


def test_frames_are_json_text_without_null() -> None:
    """ "Never send an optional field with null; leave it out"; payloads are objects."""
    world = World().charge().tap("A1").run(10)
    assert all("null" not in json.dumps(seen.frame) and isinstance(seen.frame[3], dict) for seen in sent(world))


def test_a_call_whose_hardware_never_answers_is_answered_all_the_same() -> None:
    """UnlockConnector on a welded contactor: "Never unlock while contactor closed", so the answer is UnlockFailed."""
    world = World(board="ac11-sim-socket", keys=QUIET).charge().cause("welded_contactor")
    message_id = world.peer.call("UnlockConnector", connectorId=1)
    world.run(30)
    assert world.peer.results[message_id] == [3, message_id, {"status": "UnlockFailed"}]
