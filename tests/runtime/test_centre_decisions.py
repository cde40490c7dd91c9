"""What the embedded central system answers and remembers: frames in, frames out, no socket and no clock."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from ocpp.v16 import call, call_result
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus, ResetType

from chargepoint.model import wire
from chargepoint.runtime import central_system as module
from chargepoint.runtime.central_records import Card, Cards, Charger
from chargepoint.runtime.central_system import Answer, CentralSystem, Exchange, Failure

NOON_S = 1768478400.0
NOON = "2026-01-15T12:00:00.000Z"

BOOT = {"chargePointVendor": "Vendor", "chargePointModel": "Model"}
START = {"connectorId": 1, "idTag": "04A1", "meterStart": 1000, "timestamp": "2026-01-15T11:00:00Z"}
STOP = {"transactionId": 1, "meterStop": 3500, "timestamp": "2026-01-15T11:30:00Z", "reason": "EVDisconnected"}


class Peer:
    """A charge point that writes its JSON by hand, on a line without a wire."""

    def __init__(self, central: CentralSystem, identity: str = "CP1") -> None:
        self.central = central
        self.identity = identity
        self.received: list[Any] = []
        self.calls = 0
        self.connect()

    def connect(self) -> None:
        self.central.connected(self.identity, lambda text: self.received.append(json.loads(text)))

    def send(self, frame: object, utc_s: float = NOON_S) -> None:
        self.central.receive(self.identity, frame if isinstance(frame, str) else json.dumps(frame), utc_s)

    def frame(self, action: str, payload: dict[str, Any], message_id: str | None = None) -> list[Any]:
        """Send a call and return the one frame that answers it."""
        self.calls += 1
        before = len(self.received)
        self.send([2, message_id or f"m{self.calls}", action, payload])
        (answer,) = self.received[before:]
        assert answer[1] == (message_id or f"m{self.calls}")
        return answer  # type: ignore[no-any-return]

    def ask(self, action: str, payload: dict[str, Any], message_id: str | None = None) -> Any:
        """Send a call and return the payload of its confirmation, which fits the schema as published."""
        kind, _, result = self.frame(action, payload, message_id)
        assert kind == 3
        wire.validate_outgoing(action, json.dumps(result), is_result=True)
        return result

    @property
    def known(self) -> Charger:
        return self.central.chargers[self.identity]


@pytest.fixture
def central() -> CentralSystem:
    return CentralSystem(Random(1))


@pytest.fixture
def peer(central: CentralSystem) -> Peer:
    return Peer(central)


# Booting


def test_a_charge_point_is_accepted_and_told_the_time_and_the_interval(peer: Peer) -> None:
    """Once Accepted it takes the interval for its heartbeats and "the supplied Central System's current time" (4.2)."""
    assert peer.ask("BootNotification", BOOT) == {"status": "Accepted", "currentTime": NOON, "interval": 300}
    assert peer.known.registration is RegistrationStatus.accepted
    assert peer.known.boot == call.BootNotification("Model", "Vendor")


@pytest.mark.parametrize("status", [RegistrationStatus.pending, RegistrationStatus.rejected])
def test_a_charge_point_that_is_not_accepted_learns_when_to_try_again(
    status: RegistrationStatus, central: CentralSystem, peer: Peer
) -> None:
    """ "the value of the interval field indicates the minimum wait time before sending a next BootNotification
    request" (4.2).
    """
    central.registrations["CP1"] = status
    assert peer.ask("BootNotification", BOOT) == {"status": status.value, "currentTime": NOON, "interval": 60}
    assert Peer(central, "CP2").ask("BootNotification", BOOT)["status"] == "Accepted"


def test_a_rejected_charge_point_is_served_nothing_but_its_next_boot(central: CentralSystem, peer: Peer) -> None:
    """One that was not accepted may be answered with SecurityError (OCPP-J erratum 3.10)."""
    central.registrations["CP1"] = RegistrationStatus.rejected
    peer.ask("BootNotification", BOOT)
    assert peer.frame("StartTransaction", START)[2] == "SecurityError"
    assert not peer.known.transactions
    del central.registrations["CP1"]
    assert peer.ask("BootNotification", BOOT)["status"] == "Accepted"
    assert peer.ask("StartTransaction", START)["transactionId"] == 1


def test_a_charge_point_that_only_reconnects_is_served(peer: Peer) -> None:
    """A charge point boots again after a (re)boot, not after a lost connection; we may be younger than it is (4.2)."""
    assert peer.ask("Heartbeat", {}) == {"currentTime": NOON}
    assert peer.known.registration is None


# Cards


@pytest.mark.parametrize(
    ("tag", "answer"),
    [
        ("good", {"status": "Accepted", "parentIdTag": "family"}),
        ("GOOD", {"status": "Accepted", "parentIdTag": "family"}),
        ("bad", {"status": "Blocked"}),
        ("old", {"status": "Expired", "expiryDate": NOON}),
        ("young", {"status": "Accepted", "expiryDate": "2026-01-15T12:00:01.000Z"}),
        ("stranger", {"status": "Invalid"}),
    ],
)
def test_a_card_is_answered_as_it_is_listed(central: CentralSystem, peer: Peer, tag: str, answer: object) -> None:
    central.cards = Cards(
        {
            "Good": Card(parent="family"),
            "bad": Card(AuthorizationStatus.blocked),
            "old": Card(expires_s=NOON_S),
            "young": Card(expires_s=NOON_S + 1),
        },
        accept_unknown=False,
    )
    assert peer.ask("Authorize", {"idTag": tag}) == {"idTagInfo": answer}
    assert peer.ask("StartTransaction", START | {"idTag": tag})["idTagInfo"] == answer


def test_cards_can_be_put_and_removed(central: CentralSystem, peer: Peer) -> None:
    central.cards.put("04A1", Card(AuthorizationStatus.blocked))
    assert peer.ask("Authorize", {"idTag": "04a1"})["idTagInfo"]["status"] == "Blocked"
    central.cards.remove("04a1")
    assert len(central.cards) == 0
    assert peer.ask("Authorize", {"idTag": "04A1"})["idTagInfo"]["status"] == "Accepted"


def test_a_tag_that_charges_elsewhere_is_concurrent_when_that_is_refused(peer: Peer) -> None:
    """ConcurrentTx: "Identifier is already involved in another transaction" (7.2); for StartTransaction only."""
    peer.central.refuses_concurrent = True
    other = Peer(peer.central, "CP2")
    peer.ask("StartTransaction", START)
    assert other.ask("Authorize", {"idTag": "04A1"})["idTagInfo"]["status"] == "Accepted"
    assert other.ask("StartTransaction", START | {"idTag": "04a1"})["idTagInfo"] == {"status": "ConcurrentTx"}
    # The end of the refused transaction does not set its tag free, the end of the accepted one does.
    other.ask("StopTransaction", STOP | {"transactionId": 2})
    assert other.ask("StartTransaction", START | {"connectorId": 2})["idTagInfo"] == {"status": "ConcurrentTx"}
    peer.ask("StopTransaction", STOP)
    assert other.ask("StartTransaction", START | {"connectorId": 3})["idTagInfo"] == {"status": "Accepted"}


def test_a_tag_may_charge_twice_when_nobody_minds(peer: Peer) -> None:
    peer.ask("StartTransaction", START)
    assert peer.ask("StartTransaction", START | {"connectorId": 2}) == {
        "transactionId": 2,
        "idTagInfo": {"status": "Accepted"},
    }


# Transactions


def test_a_transaction_is_followed_from_start_to_stop(peer: Peer) -> None:
    assert peer.ask("StartTransaction", START) == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    transaction = peer.known.transactions[1]
    assert transaction.is_running
    assert peer.known.connectors[1].transaction == 1
    assert peer.ask("StopTransaction", STOP | {"idTag": "04A1"}) == {"idTagInfo": {"status": "Accepted"}}
    assert not transaction.is_running
    assert (transaction.id_tag, transaction.connector, transaction.reason) == ("04A1", 1, "EVDisconnected")
    assert (transaction.started_utc_s, transaction.stopped_utc_s) == (NOON_S - 3600, NOON_S - 1800)
    assert transaction.energy_wh == peer.known.energy_wh == 2500
    assert peer.known.connectors[1].transaction is None


def test_a_stop_without_a_reason_is_local(peer: Peer) -> None:
    """Reason: "May only be omitted when the Reason is "Local" " (6.49); without idTag there is no idTagInfo (6.50)."""
    peer.ask("StartTransaction", START)
    assert peer.ask("StopTransaction", {key: STOP[key] for key in STOP if key != "reason"}) == {}
    assert peer.known.transactions[1].reason == "Local"


@pytest.mark.parametrize("transaction_id", [-1, 0, 99])
def test_the_stop_of_an_unknown_transaction_is_confirmed(peer: Peer, transaction_id: int) -> None:
    """ "The Central System cannot prevent a transaction from stopping" (4.10); -1 is erratum 3.18."""
    assert peer.ask("StopTransaction", STOP | {"transactionId": transaction_id}) == {}
    assert peer.known.energy_wh == 0


def test_a_resent_message_gets_the_same_answer_and_counts_once(peer: Peer) -> None:
    """After a lost connection a message comes again, with the same id and payload (3.7.1; OCPP-J erratum 3.1)."""
    first = peer.frame("StartTransaction", START, "id-1")
    peer.central.disconnected("CP1")
    peer.connect()
    assert peer.frame("StartTransaction", START, "id-1") == first
    stop = peer.frame("StopTransaction", STOP, "id-2")
    assert peer.frame("StopTransaction", STOP, "id-2") == stop
    # Also once the transaction is over: the answer to its start was the last to be lost.
    assert peer.frame("StartTransaction", START, "id-1") == first
    assert len(peer.known.transactions) == peer.known.transactions_started == 1
    assert peer.known.energy_wh == 2500
    assert peer.known.repeated == 3


def test_a_message_that_comes_again_under_a_new_id_counts_once(peer: Peer) -> None:
    """A message id "MUST be different from all message IDs previously used by the same sender for any other CALL
    messages on the same WebSocket connection" (OCPP-J 1.6, 4.1.4): also when a message is sent again after a time-out.
    """
    first = peer.ask("StartTransaction", START, "id-1")
    assert peer.ask("StartTransaction", START, "id-2") == first
    peer.ask("StopTransaction", STOP, "id-3")
    peer.ask("StopTransaction", STOP, "id-4")
    assert list(peer.known.transactions) == [1]
    assert peer.known.energy_wh == 2500


def test_constant_message_ids_do_not_make_two_transactions_one(peer: Peer) -> None:
    peer.ask("StartTransaction", START, "id")
    peer.ask("StopTransaction", STOP, "id")
    assert peer.ask("StartTransaction", START | {"meterStart": 3500}, "id")["transactionId"] == 2


def test_what_was_answered_to_one_charge_point_is_not_answered_to_another(peer: Peer) -> None:
    peer.ask("StartTransaction", START, "id")
    assert Peer(peer.central, "CP2").ask("StartTransaction", START, "id")["transactionId"] == 2


def test_a_second_different_stop_changes_nothing(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    peer.ask("StartTransaction", START)
    peer.ask("StopTransaction", STOP)
    peer.ask("StopTransaction", STOP | {"meterStop": 9000})
    assert peer.known.energy_wh == 2500
    assert "stopped transaction 1 twice, differently" in caplog.messages


def test_a_start_where_one_runs_leaves_the_former_behind(peer: Peer) -> None:
    """A connector has one transaction at a time, and messages come in order: the stop of the former is lost (3.7.1)."""
    peer.central.refuses_concurrent = True
    peer.ask("StartTransaction", START)
    again = peer.ask("StartTransaction", START | {"meterStart": 2000})
    assert again == {"transactionId": 2, "idTagInfo": {"status": "Accepted"}}
    assert peer.known.connectors[1].transaction == 2


def test_only_the_last_transactions_are_kept(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_TRANSACTIONS", 2)
    for number in range(1, 6):
        peer.ask("StartTransaction", START)
        peer.ask("StopTransaction", STOP | {"transactionId": number})
    assert list(peer.known.transactions) == [4, 5]
    assert peer.known.transactions_started == 5
    assert peer.known.energy_wh == 5 * 2500


def test_only_the_last_answers_are_kept(peer: Peer) -> None:
    for number in range(1, module.KEPT_ANSWERS + 2):
        peer.ask("StartTransaction", START | {"meterStart": number}, f"id-{number}")
    peer.ask("StartTransaction", START | {"meterStart": 2}, "id-2")
    assert peer.known.repeated == 1
    peer.ask("StartTransaction", START | {"meterStart": 1}, "id-1")
    assert peer.known.repeated == 1


# Status and meter values


def test_the_last_status_of_each_connector_is_kept(peer: Peer) -> None:
    peer.ask("StatusNotification", {"connectorId": 0, "status": "Available", "errorCode": "NoError"})
    fault = {"connectorId": 1, "status": "Faulted", "errorCode": "OtherError", "info": "hot", "vendorErrorCode": "E7"}
    peer.ask("StatusNotification", {"connectorId": 1, "status": "Charging", "errorCode": "NoError"})
    assert peer.ask("StatusNotification", fault) == {}
    one = peer.known.connectors[1]
    assert (one.status, one.error_code, one.info, one.vendor_error_code) == ("Faulted", "OtherError", "hot", "E7")
    assert one.since_utc_s == NOON_S
    assert peer.known.connectors[0].status == "Available"


def meter_values(*samples: dict[str, str], **fields: object) -> dict[str, object]:
    return {"connectorId": 1, "meterValue": [{"timestamp": NOON, "sampledValue": list(samples)}], **fields}


def test_of_meter_values_the_last_and_their_count_are_kept(peer: Peer) -> None:
    peer.ask("StartTransaction", START)
    for register in ("1100", "1250"):
        assert peer.ask("MeterValues", meter_values({"value": register}, transactionId=1)) == {}
    transaction = peer.known.transactions[1]
    assert transaction.samples == peer.known.connectors[1].samples == 2
    assert transaction.last_sample is not None
    assert transaction.last_sample.sampled_value[0].value == "1250"
    assert transaction.energy_wh == 250


@pytest.mark.parametrize(
    ("sample", "energy_wh"),
    [
        ({"value": "1.25", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}, 250),
        ({"value": "1250", "unit": "Wh", "measurand": "Energy.Active.Export.Register"}, 100),
        ({"value": "11000", "unit": "W", "measurand": "Power.Active.Import"}, 100),
        ({"value": "400", "phase": "L1"}, 100),
        ({"value": "T0NNRg==", "format": "SignedData"}, 100),
        ({"value": "n/a"}, 100),
    ],
)
def test_energy_so_far_comes_from_the_register_alone(peer: Peer, sample: dict[str, str], energy_wh: float) -> None:
    """Of what is left out the defaults are Energy.Active.Import.Register, Wh and Raw (7.43)."""
    peer.ask("StartTransaction", START)
    peer.ask("MeterValues", meter_values({"value": "1100"}, transactionId=1))
    peer.ask("MeterValues", meter_values(sample, transactionId=1))
    assert peer.known.transactions[1].energy_wh == energy_wh


def test_meter_values_outside_a_transaction_belong_to_the_connector(peer: Peer) -> None:
    peer.ask("StartTransaction", START)
    peer.ask("MeterValues", meter_values({"value": "5"}, connectorId=0))
    peer.ask("MeterValues", meter_values({"value": "5"}, transactionId=77))
    assert peer.known.connectors[0].samples == peer.known.connectors[1].samples == 1
    assert peer.known.transactions[1].samples == 0
    assert peer.known.transactions[1].energy_wh == 0


def test_values_that_come_with_the_stop_are_counted(peer: Peer) -> None:
    peer.ask("StartTransaction", START)
    peer.ask("StopTransaction", STOP | {"transactionData": meter_values({"value": "3400"})["meterValue"]})
    assert peer.known.transactions[1].samples == 1
    assert peer.known.transactions[1].energy_wh == 2500


# All other calls


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("DataTransfer", {"vendorId": "V", "messageId": "m", "data": "x"}, {"status": "UnknownVendorId"}),
        ("DiagnosticsStatusNotification", {"status": "Uploading"}, {}),
        ("FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("SignedFirmwareStatusNotification", {"status": "InstallVerificationFailed", "requestId": 1}, {}),
        ("LogStatusNotification", {"status": "UploadFailure", "requestId": 1}, {}),
        ("SecurityEventNotification", {"type": "InvalidMessages", "timestamp": NOON}, {}),
        ("SignCertificate", {"csr": "-----BEGIN CERTIFICATE REQUEST-----"}, {"status": "Rejected"}),
    ],
)
def test_everything_a_charge_point_may_send_is_answered(
    peer: Peer, action: str, payload: dict[str, Any], answer: object
) -> None:
    assert peer.ask(action, payload) == answer
    word = payload.get("status", payload.get("type"))
    assert peer.known.notices.get(action) == word


def test_no_request_of_a_charge_point_is_without_an_answer() -> None:
    assert module._HANDLERS.keys() == wire.CALLS_FROM_CHARGE_POINT


# What cannot be served


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([2, "x", "Heartbeat"], "FormationViolation"),
        ([2, "x", 5, {}], "FormationViolation"),
        ([2, "x", "Heartbeat", []], "FormationViolation"),
        ([2, "x" * 37, "Heartbeat", {}], "FormationViolation"),
        ([2, "x", "heartbeat", {}], "NotImplemented"),
        ([2, "x", "Reset", {"type": "Hard"}], "NotSupported"),
        ([2, "x", "Heartbeat", {"extra": 1}], "FormationViolation"),
        ([2, "x", "Authorize", {}], "ProtocolError"),
        ([2, "x", "Authorize", {"idTag": 5}], "TypeConstraintViolation"),
        ([2, "x", "Authorize", {"idTag": "x" * 21}], "TypeConstraintViolation"),
        ([2, "x", "MeterValues", {"connectorId": 1, "meterValue": []}], "OccurenceConstraintViolation"),
        ([2, "x", "FirmwareStatusNotification", {"status": "Idel"}], "PropertyConstraintViolation"),
        ([2, "x", "StartTransaction", START | {"connectorId": 0}], "PropertyConstraintViolation"),
        ([2, "x", "MeterValues", meter_values({"value": "1"}, connectorId=-1)], "PropertyConstraintViolation"),
    ],
)
def test_a_bad_call_is_answered_with_its_id_and_the_right_code(peer: Peer, frame: list[Any], code: str) -> None:
    """A CALLERROR says what was wrong (OCPP-J 1.6, 4.2.3 and table 7)."""
    peer.send(frame)
    ((kind, message_id, said, description, details),) = peer.received
    assert (kind, message_id, said, details) == (4, frame[1], code, {})
    assert description
    assert not peer.known.transactions
    assert not peer.known.connectors


@pytest.mark.parametrize(
    "text", ["", "garbage", "{}", "[]", "[2]", "[2,5,6]", '[3,"nobody waits",{}]', '[4,"nobody waits","x","",{}]']
)
def test_what_cannot_be_answered_is_counted_and_ignored(peer: Peer, text: str) -> None:
    """Only a CALL with a readable id may be answered (OCPP-J 1.6, 4.2)."""
    peer.send(text)
    assert peer.received == []
    assert peer.known.bad_frames == 1
    assert peer.ask("Heartbeat", {})


def test_an_unknown_message_type_is_ignored_silently(peer: Peer) -> None:
    """ "When a server receives a message with a Message Type Number not in this list, it SHALL ignore the message"
    (OCPP-J 1.6, 4.1.3).
    """
    peer.send([5, "x", {}])
    assert (peer.received, peer.known.bad_frames) == ([], 0)


# Our calls


class Answers(list[Answer]):
    """What came of our calls."""

    def __call__(self, answer: Answer) -> None:
        self.append(answer)


def test_a_call_is_sent_and_its_answer_decoded(peer: Peer) -> None:
    answers = Answers()
    message_id = peer.central.call("CP1", call.GetConfiguration(key=["HeartbeatInterval"]), answers)
    assert peer.received == [[2, message_id, "GetConfiguration", {"key": ["HeartbeatInterval"]}]]
    assert peer.central.awaited("CP1") == message_id
    key = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
    peer.send([3, message_id, {"configurationKey": [key]}])
    (answer,) = answers
    assert (answer.message_id, answer.action, answer.failure) == (message_id, "GetConfiguration", None)
    assert isinstance(answer.result, call_result.GetConfiguration)
    assert answer.result.configuration_key is not None
    assert answer.result.configuration_key[0].value == "300"
    assert peer.central.awaited("CP1") is None


def test_the_next_call_waits_for_the_answer_to_the_one_in_flight(peer: Peer) -> None:
    """ "SHOULD NOT send a CALL message to the other party unless all the CALL messages it sent before have been
    responded to or have timed out" (OCPP-J 1.6, 4.1.1).
    """
    answers = Answers()
    ids = [peer.central.call("CP1", call.ClearCache(), answers) for _ in range(3)]
    assert len(set(ids)) == 3
    assert [frame[1] for frame in peer.received] == ids[:1]
    # The charge point may call while it is asked: that is the other direction.
    assert peer.ask("Heartbeat", {})
    for number, message_id in enumerate(ids):
        peer.send([3, message_id, {"status": "Accepted"}])
        assert [answer.message_id for answer in answers] == ids[: number + 1]
    assert [frame[1] for frame in peer.received if frame[0] == 2] == ids


def test_a_callerror_is_the_answer_too(peer: Peer) -> None:
    answers = Answers()
    message_id = peer.central.call("CP1", call.Reset(ResetType.soft), answers)
    peer.send([4, message_id, "NotSupported", "no", {}])
    assert answers == [Answer(message_id, "Reset", None, Failure.REFUSED, "NotSupported", "no")]


def test_an_invalid_answer_is_never_answered(peer: Peer) -> None:
    """A CALLRESULT that does not fit is our problem alone: only a CALL may be refused (OCPP-J 1.6, 4.2.3)."""
    answers = Answers()
    message_id = peer.central.call("CP1", call.Reset(ResetType.soft), answers)
    peer.received.clear()
    peer.send([3, message_id, {"status": "Perhaps"}])
    assert peer.received == []
    (answer,) = answers
    assert (answer.failure, answer.code) == (Failure.INVALID, "PropertyConstraintViolation")
    assert "Perhaps" in answer.detail


def test_calls_are_lost_with_the_connection(peer: Peer) -> None:
    answers = Answers()
    ids = [peer.central.call("CP1", call.ClearCache(), answers) for _ in range(2)]
    peer.central.disconnected("CP1")
    assert [(answer.message_id, answer.failure) for answer in answers] == [(each, Failure.LOST) for each in ids]
    assert not peer.known.is_connected
    peer.connect()
    peer.send([3, ids[0], {"status": "Accepted"}])
    assert len(answers) == 2
    peer.central.call("CP1", call.ClearCache())
    assert len([frame for frame in peer.received if frame[0] == 2]) == 2


def test_a_new_connection_ends_the_former(peer: Peer) -> None:
    answers = Answers()
    peer.central.call("CP1", call.ClearCache(), answers)
    former = peer.received
    peer.received = []
    peer.connect()
    assert [answer.failure for answer in answers] == [Failure.LOST]
    assert peer.ask("Heartbeat", {})
    assert len(former) == 1
    assert peer.known.connections == 2


def test_a_call_to_nobody_is_lost_at_once(central: CentralSystem) -> None:
    answers = Answers()
    message_id = central.call("CP9", call.ClearCache(), answers)
    assert answers == [Answer(message_id, "ClearCache", failure=Failure.LOST, detail="not connected")]


def test_a_call_without_an_answer_is_given_up_and_the_next_one_sent(peer: Peer) -> None:
    answers = Answers()
    first, second = (peer.central.call("CP1", call.ClearCache(), answers) for _ in range(2))
    peer.central.give_up("CP1", second)
    assert answers == []
    peer.central.give_up("CP1", first)
    peer.central.give_up("CP1", first)
    assert answers == [Answer(first, "ClearCache", failure=Failure.TIMEOUT)]
    assert peer.central.awaited("CP1") == second
    peer.send([3, first, {"status": "Accepted"}])
    assert len(answers) == 1
    assert peer.known.bad_frames == 1


def test_an_answer_may_lead_to_the_next_call(peer: Peer) -> None:
    answers = Answers()

    def once_more(_answer: Answer) -> None:
        peer.central.call("CP1", call.ClearCache(), answers)

    first = peer.central.call("CP1", call.Reset(ResetType.soft), once_more)
    peer.send([3, first, {"status": "Accepted"}])
    second = peer.central.awaited("CP1")
    peer.send([3, second, {"status": "Rejected"}])
    assert [answer.result for answer in answers] == [call_result.ClearCache("Rejected")]  # type: ignore[arg-type]


def test_message_ids_repeat_with_the_seed() -> None:
    """Each is a UUID4, "36 characters, to allow for GUIDs" (OCPP-J 1.6, 4.1.4), and chance is an input."""
    one, other = (CentralSystem(Random(7)).call("CP1", call.ClearCache()) for _ in range(2))
    assert one == other
    assert (len(one), one[14]) == (36, "4")


# Onlookers


def test_watchers_are_told_of_every_exchange_in_both_directions(peer: Peer) -> None:
    seen: list[Exchange] = []
    peer.central.watchers.append(seen.append)
    peer.ask("Heartbeat", {})
    peer.frame("Authorize", {})
    peer.send([2, "broken"])
    message_id = peer.central.call("CP1", call.ClearCache())
    peer.send([3, message_id, {"status": "Accepted"}])
    lost = peer.central.call("CP1", call.ClearCache())
    peer.central.disconnected("CP1")
    assert seen == [
        Exchange("CP1", True, "m1", "Heartbeat", "{}", f'{{"currentTime":"{NOON}"}}', True),
        Exchange("CP1", True, "m2", "Authorize", "{}", "ProtocolError: idTag: required field is missing", False),
        Exchange(
            "CP1",
            True,
            "broken",
            "",
            '[2, "broken"]',
            "FormationViolation: a CALL has 4 elements, found 2",
            False,
        ),
        Exchange("CP1", False, message_id, "ClearCache", "{}", '{"status":"Accepted"}', True),
        Exchange("CP1", False, lost, "ClearCache", "{}", "connection lost", False),
    ]
    assert peer.central.exchanges == peer.known.exchanges == 4


def test_a_watcher_may_call_and_is_told_after_the_answer_has_left(peer: Peer) -> None:
    """The answer to a request leaves before the call it causes."""

    def ask_back(exchange: Exchange) -> None:
        peer.central.call("CP1", call.ClearCache())

    peer.central.watchers.append(ask_back)
    peer.send([2, "boot", "BootNotification", BOOT])
    assert [frame[0] for frame in peer.received] == [3, 2]
