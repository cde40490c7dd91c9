"""Transactions and the queue of their messages, with nothing around them (transactions-and-metering.md 1 and 2)."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from chargepoint.model.outbox import Effect, Save
from chargepoint.model.record import Fields, Snapshot
from chargepoint.model.records import MODEL
from chargepoint.model.transaction import Ending, Message, Transaction, TransactionQueue


class Owner:
    """Keeps what is saved, as a store would: through JSON."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = defaultdict(dict)
        self.ids = 0

    def emit(self, effect: Effect) -> None:
        assert isinstance(effect, Save)
        if effect.body is None:
            self.records[effect.kind].pop(effect.key, None)
        else:
            self.records[effect.kind][effect.key] = json.loads(json.dumps(effect.body))

    def new_message_id(self) -> str:
        self.ids += 1
        return f"id{self.ids}"

    def reborn(self) -> TransactionQueue:
        """The queue as it is after a restart."""
        queue = TransactionQueue(self)
        queue.restore(Snapshot(self.records, MODEL))
        return queue


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def queue(owner: Owner) -> TransactionQueue:
    return TransactionQueue(owner)


def begun(queue: TransactionQueue, connector: int = 1) -> Transaction:
    transaction = Transaction(queue.new_key(connector), connector, "A1", 1000.0, 5000)
    queue.save(transaction)
    queue.put("StartTransaction", "{}", transaction.key)
    return transaction


def sample(wh: int) -> str:
    """A MeterValue element, encoded."""
    return json.dumps({"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": str(wh)}]})


def told(queue: TransactionQueue) -> list[str]:
    return [message.action for message in queue]


def test_messages_stay_in_the_order_they_came_about_over_a_restart(owner: Owner, queue: TransactionQueue) -> None:
    """Order: chronological, also "StartTransaction … MeterValues … StopTransaction" of two connectors; it survives."""
    one, other = begun(queue, 1), begun(queue, 2)
    for number in range(12):
        queue.put("MeterValues", f'{{"n":{number}}}', (one, other)[number % 2].key)
    reborn = owner.reborn()
    assert list(reborn) == list(queue)
    assert told(reborn)[:2] == ["StartTransaction"] * 2
    assert reborn.put("MeterValues", "{}", None).number > 14


def test_a_transaction_survives_with_everything_that_is_known_of_it(owner: Owner, queue: TransactionQueue) -> None:
    """Persist: reason, idTag and connector "are fixed and the pending stop is stored first"."""
    transaction = begun(queue)
    transaction.transaction_id, transaction.parent_id_tag, transaction.reservation_id = 9223372036854775807, "G", 4
    transaction.ending = Ending("Remote", 2000.0, "A2")
    transaction.is_deauthorized, transaction.energy_cap_wh = True, 5050
    queue.save(transaction)
    queue.add_sample(transaction, sample(1))
    assert owner.reborn().transactions == {transaction.key: transaction}


def test_more_than_nine_samples_keep_their_order(owner: Owner, queue: TransactionQueue) -> None:
    """transactionData order: chronological."""
    transaction = begun(queue)
    samples = [sample(number) for number in range(120)]
    for each in samples:
        queue.add_sample(transaction, each)
    assert owner.reborn().transactions[transaction.key].samples == samples


def test_samples_of_one_transaction_do_not_reach_another(owner: Owner, queue: TransactionQueue) -> None:
    """Samples are keyed by their transaction."""
    one, other = begun(queue), begun(queue, 2)
    queue.add_sample(one, sample(1))
    queue.add_sample(other, sample(2))
    queue.drop_samples(one)
    reborn = owner.reborn()
    assert (reborn.transactions[one.key].samples, reborn.transactions[other.key].samples) == ([], [sample(2)])


def test_no_key_comes_twice_even_when_everything_was_forgotten(owner: Owner, queue: TransactionQueue) -> None:
    """Internal key (UUID) from begin on: never the id of the central system, never one that was used."""
    keys = set()
    for _ in range(3):
        transaction = begun(queue)
        keys.add(transaction.key)
        transaction.is_ended = True
        queue.delivered(queue.head)  # type: ignore[arg-type]
        assert not owner.records["transaction"]
        queue = owner.reborn()
    assert len(keys) == 3


def test_a_transaction_is_forgotten_with_its_last_message(owner: Owner, queue: TransactionQueue) -> None:
    """Known by its key "from its first moment to the last answer"."""
    transaction = begun(queue)
    stop = queue.put("StopTransaction", "{}", transaction.key)
    transaction.is_ended = True
    queue.delivered(queue.head)  # type: ignore[arg-type]
    assert transaction.key in queue.transactions
    queue.delivered(stop)
    assert not queue.transactions
    assert not any(owner.records.values())


def test_a_running_transaction_is_not_forgotten(queue: TransactionQueue) -> None:
    """Its Start may be answered long before its Stop exists."""
    transaction = begun(queue)
    queue.delivered(queue.head)  # type: ignore[arg-type]
    assert transaction.key in queue.transactions


def test_the_next_transmission_has_a_new_id_and_what_failed_is_stored(owner: Owner, queue: TransactionQueue) -> None:
    """ "On the same socket: a new id for each transmission", stored with the message and with what failed so far."""
    begun(queue)
    head = queue.head
    assert head is not None
    before = head.message_id
    head.attempts, head.closes, head.closing_s, head.trial_code, head.is_respelled = 1, 2, 60.5, 1011, True
    queue.renew(head)
    assert head.message_id != before
    assert owner.reborn().head == head


def test_what_is_given_up_is_undelivered(queue: TransactionQueue) -> None:
    """Message leaves the queue, not the store: under the same number it is kept (3.7.1)."""
    begun(queue)
    head = queue.head
    assert head is not None
    queue.give_up(head)
    assert (len(queue), list(queue.undelivered.values())) == (0, [head])


def test_an_undelivered_start_gives_its_transaction_minus_one(owner: Owner, queue: TransactionQueue) -> None:
    """Erratum 3.18; an id that is known stays."""
    lost, known = begun(queue), begun(queue, 2)
    known.transaction_id = 0
    while queue.head is not None:
        queue.give_up(queue.head)
    assert (lost.transaction_id, known.transaction_id) == (-1, 0)
    assert owner.records["transaction"][lost.key]["id"] == -1


def test_undelivered_messages_survive_and_can_be_queued_again(owner: Owner, queue: TransactionQueue) -> None:
    """ "Re-queue it (tail of the queue, stored payload, counter 0)"."""
    transaction = begun(queue)
    transaction.is_ended = True
    queue.put("StopTransaction", '{"x":1}', transaction.key)
    queue.give_up(queue.head)  # type: ignore[arg-type]
    queue = owner.reborn()
    (key,) = queue.undelivered
    message = queue.requeue(key)
    assert (message.payload, message.attempts, told(queue)) == ("{}", 0, ["StopTransaction", "StartTransaction"])
    assert not owner.records["undelivered"]
    assert transaction.key in queue.transactions


def test_dismissing_the_last_message_forgets_its_transaction(owner: Owner, queue: TransactionQueue) -> None:
    """ "… or dismiss it"."""
    transaction = begun(queue)
    transaction.is_ended = True
    queue.give_up(queue.head)  # type: ignore[arg-type]
    queue.dismiss(next(iter(queue.undelivered)))
    assert not queue.transactions
    assert not any(owner.records.values())


@pytest.mark.parametrize("deed", ["requeue", "dismiss"])
def test_there_is_nothing_under_an_unknown_key(queue: TransactionQueue, deed: str) -> None:
    """Raises KeyError when there is none under this key."""
    with pytest.raises(KeyError):
        getattr(queue, deed)("000000000099")


def test_a_message_is_stored_as_it_will_be_sent(owner: Owner, queue: TransactionQueue) -> None:
    """ "Same payload, never changed timestamp or values in a retry"."""
    message = queue.put("MeterValues", '{"connectorId":1}', None)
    assert Message.restored(message.key, Fields(owner.records["queue"][message.key])) == message


# --- a clock that is set late -----------------------------------------------------------------------------------------

STAMPED = '{"timestamp":"2026-01-01T00:00:00.000Z","sampledValue":[{"value":"7"}]}'


def test_what_this_life_has_stamped_moves_when_the_time_is_found(owner: Owner, queue: TransactionQueue) -> None:
    """Begin, end, samples and messages keep their distances; all of it is stored (4.8, 4.10)."""
    lost = queue.put("MeterValues", f'{{"meterValue":[{STAMPED}]}}', None)
    queue.give_up(lost)
    old = queue.put("MeterValues", f'{{"meterValue":[{STAMPED}]}}', None)
    queue = owner.reborn()
    queue.begin_life()
    sent_before = queue.requeue(lost.key)
    transaction = begun(queue)
    transaction.ending = Ending("Local", 1500.0)
    queue.add_sample(transaction, STAMPED)
    new = queue.put("MeterValues", f'{{"meterValue":[{STAMPED}]}}', transaction.key)
    queue.move_stamps(3600.0)
    later = STAMPED.replace("T00", "T01")
    again = owner.reborn()
    payloads = {message.key: message.payload for message in again}
    assert payloads[sent_before.key] == f'{{"meterValue":[{STAMPED}]}}'
    assert payloads[old.key] == f'{{"meterValue":[{STAMPED}]}}'
    assert payloads[new.key] == f'{{"meterValue":[{later}]}}'
    kept = again.transactions[transaction.key]
    assert (kept.started_utc_s, kept.ending, kept.samples) == (4600.0, Ending("Local", 5100.0), [later])
