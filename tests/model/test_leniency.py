"""Confirmations with slips: what would stop the charge point for good is read as what it means, with a warning.

[D] The standard lets a charge point refuse each of these (OCPP-J 1.6 4.2.3); then it would boot for ever, or tell a
transaction again and again (OCPP 1.6 4.2, 3.7.1).
"""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.errors import PeerError
from chargepoint.model.wire import decode_result, read_frame, understood_result
from profiles.core.boot import HEARTBEAT_INTERVAL
from tests.world import World

NOW = "2026-01-01T00:00:00Z"
BOOT = {"status": "Accepted", "currentTime": NOW, "interval": 300}


def booted(**fields: Any) -> World:
    """A charger whose BootNotification is answered with these fields; ... leaves one out."""
    world = World(starts_online=False)
    answer = {name: value for name, value in {**BOOT, **fields}.items() if value is not ...}
    world.peer.answers["BootNotification"] = lambda _: answer
    return world.network(True).run(5)


@pytest.mark.parametrize(("interval", "expected"), [(120.0, 120), ("120", 120), (" 120 ", 120)])
def test_an_integral_interval_is_one_however_it_is_written(
    interval: object, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """interval: "(…) the heartbeat interval in seconds" (6.4): 120.0 and "120" say that too."""
    world = booted(interval=interval)
    assert world.model.session.is_online
    assert world.model.setting(HEARTBEAT_INTERVAL) == expected
    assert "BootNotification.conf of the central system has a slip: interval" in caplog.text


@pytest.mark.parametrize("interval", [..., None, "soon", 12.5, -5, True, [], {}, 2**40, 2**70, "9" * 30, 1e300])
def test_an_odd_interval_is_replaced_by_the_own_default(interval: object, caplog: pytest.LogCaptureFixture) -> None:
    """Missing or odd: "the Charge Point is free to choose" (4.2), and a warning."""
    world = booted(interval=interval)
    assert world.model.session.is_online
    assert world.model.setting(HEARTBEAT_INTERVAL) == 300
    assert "interval" in caplog.text
    assert world.statuses()


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_an_odd_interval_does_not_end_the_attempts_to_register(status: str) -> None:
    """Pending and Rejected: the next BootNotification comes, after a time of our own."""
    world = booted(status=status, interval=2**40).run(100)
    assert len(world.calls("BootNotification")) > 2


@pytest.mark.parametrize("moment", [..., None, "", "now", 1767225600, "2026-13-01T00:00:00Z"])
def test_an_odd_current_time_leaves_the_clock_as_it_is(moment: object, caplog: pytest.LogCaptureFixture) -> None:
    """The clock is a service of the answer (4.2); without it the registration stands."""
    world = booted(currentTime=moment)
    assert world.model.session.is_online
    assert "currentTime" in caplog.text
    assert 1.7e9 < world.model.calendar.utc_s(world.now_s) < 1.8e9


def test_a_status_in_another_case_is_that_status() -> None:
    """7.39 spells "Accepted"; "accepted" can mean nothing else."""
    assert booted(status="accepted").model.session.is_online


@pytest.mark.parametrize("status", ["Fine", "", 1, None, ...])
def test_a_status_that_says_nothing_stays_a_fault(status: object) -> None:
    """Nobody knows whether it means yes or no."""
    assert not booted(status=status).model.session.is_online


STARTED = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}


@pytest.mark.parametrize(
    "answer",
    [
        {**STARTED, "transactionId": "7"},
        {**STARTED, "transactionId": 7.0},
        {**STARTED, "idTagInfo": {"status": "accepted"}},
        {**STARTED, "idTagInfo": {"status": "Accepted", "expiryDate": "never"}},
        {**STARTED, "idTagInfo": {"status": "Accepted", "expiryDate": ""}},
        {**STARTED, "idTagInfo": {"status": "Accepted", "parentIdTag": "x" * 21}},
        {**STARTED, "idTagInfo": {"status": "Accepted", "parentIdTag": None, "more": 1}, "more": 1},
    ],
)
def test_a_start_that_was_processed_is_not_told_again(answer: dict[str, Any]) -> None:
    """A CALLRESULT says that it was processed (3.7.1); a repetition would open another transaction."""
    world = World(keys={"MeterValueSampleInterval": "0"})
    world.peer.answers["StartTransaction"] = lambda _: answer
    world.charge().run(300)
    assert len(world.calls("StartTransaction")) == 1
    assert world.connector().transaction.transaction_id == 7
    assert world.connector().is_charging


@pytest.mark.parametrize("number", [None, ..., "", "seven", 7.5, True, 2**63, "9" * 20, [7]])
def test_a_transaction_id_that_cannot_be_read_stays_a_fault(number: object) -> None:
    """Without it nobody can be told of the stop."""
    answer = {name: value for name, value in {**STARTED, "transactionId": number}.items() if value is not ...}
    with pytest.raises(PeerError):
        understood_result("StartTransaction", answer)


@pytest.mark.parametrize("action", ["StopTransaction", "MeterValues", "StatusNotification"])
def test_an_empty_array_stands_for_an_empty_object(action: str) -> None:
    """PHP writes an empty object as ``[]``; these confirmations have no required field (6.32, 6.48, 6.50)."""
    result, slips = understood_result(action, [])
    assert result == decode_result(action, {})
    assert slips == ["payload: found an empty array"]
    with pytest.raises(PeerError):
        understood_result(action, ["wrong"])


def test_an_empty_array_is_no_answer_where_fields_are_required() -> None:
    """Heartbeat.conf without currentTime, for one (6.30)."""
    with pytest.raises(PeerError):
        understood_result("Heartbeat", [])


def test_what_is_as_it_should_be_has_no_slips() -> None:
    """The path of nearly every confirmation."""
    result, slips = understood_result("BootNotification", BOOT)
    assert (result, list(slips)) == (decode_result("BootNotification", BOOT), [])


def test_each_kind_of_slip_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A back end makes its slips each time."""
    world = World()
    world.peer.answers["StartTransaction"] = lambda _: {**STARTED, "transactionId": "7"}
    for _ in range(3):
        world.charge().tap("A1").run(10).unplug()
    assert caplog.text.count("StartTransaction.conf of the central system has a slip") == 1


def test_of_a_foreign_and_a_missing_field_the_missing_one_is_named() -> None:
    """The foreign one does no harm in a confirmation, so the missing one is why it cannot be used."""
    with pytest.raises(PeerError, match="transactionId: required field is missing"):
        understood_result("StartTransaction", {"idTagInfo": {"status": "Accepted"}, "txId": 7})


# --- texts that are not read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ['\ufeff[3,"x",{}]', b'\xef\xbb\xbf[3,"x",{}]'])
def test_a_byte_order_mark_is_called_one(frame: str | bytes) -> None:
    """ "Implementations MUST NOT add a byte order mark (U+FEFF)" (RFC 8259 8.1)."""
    with pytest.raises(PeerError, match="begins with a byte order mark"):
        read_frame(frame)


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_too_many_digits_is_not_called_no_json(sign: str) -> None:
    """It is JSON (RFC 8259 6 sets no limit); we read no integer of more than 4300 digits."""
    with pytest.raises(PeerError, match="an integer of 5000 digits; at most 4300 are read") as told:
        read_frame(f'[3,"x",{{"interval":{sign}{"9" * 5000}}}]')
    assert "not JSON" not in str(told.value)
    assert read_frame(f'[3,"x",{{"interval":{sign}{"9" * 4300}}}]') is not None
