"""Offline, provably: whatever wire, central system, people and power do, every transaction is told once, in order, in full.

A seed is a stormy morning of one charger, see `tests.chaos`. A seed that fails says how to live it again::

    ./run test tests/properties/test_network_chaos.py --chaos-seed 4711     # that one
    ./run test tests/properties/test_network_chaos.py --chaos-seeds 5000    # the first five thousand

The second half is a test of the tests: a charger that is broken in one place is found out within a hundred seeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.delivery import Delivery
from chargepoint.model.outbox import Effect, Save
from chargepoint.model.session import Session
from chargepoint.model.transaction import Message, TransactionQueue
from chargepoint.runtime.charger import Charger
from tests.chaos import Storm
from tests.conftest import CHAOS_SEED, CHAOS_SEEDS, count
from tests.fate import Saves

HERE = "tests/properties/test_network_chaos.py"
BLOCK = 50
"""Seeds of one test: enough to be worth one, few enough to be spread over processes."""
FEW = 100
"""Seeds within which a broken charger must be found out."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        one, many = metafunc.config.getoption(CHAOS_SEED), count(metafunc.config, CHAOS_SEEDS)
        blocks = [range(first, min(first + BLOCK, many)) for first in range(0, many, BLOCK)]
        if one is not None:
            blocks = [range(one, one + 1)]
        metafunc.parametrize("seeds", blocks, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")


def live_through(seed: int, saves: Saves | None = None) -> Storm:
    """Live a seed. Raises AssertionError with the command that does it again."""
    storm = Storm(seed)
    try:
        storm.blow(saves)
    except (AssertionError, LookupError, ValueError) as error:
        raise AssertionError(f"{error}\nagain: ./run test {HERE} {CHAOS_SEED} {seed}") from error
    return storm


@pytest.mark.timeout(600)
def test_every_transaction_is_told_once_in_order_and_in_full(seeds: range) -> None:
    """A message "leaves the queue on its CALLRESULT, or after the last attempt" (OCPP 1.6 3.7.1, 4.8 to 4.10), the same
    payload is sent again only while none was received (OCPP-J 4.1.4, erratum 3.1), and one call at a time (4.1.1)."""
    storms = [live_through(seed) for seed in seeds]
    if len(seeds) == BLOCK:
        assert sum(len(storm.auditor.stories) for storm in storms) > BLOCK, "hardly anything happened"
        assert sum(storm.repetitions for storm in storms) > BLOCK / 5, "the weather was too good"


# --- tests of the tests -----------------------------------------------------------------------------------------------


def is_found_out(saves: Saves | None = None) -> bool:
    """Whether a charger that is broken fails within a few seeds."""
    for seed in range(FEW):
        try:
            live_through(seed, saves)
        except AssertionError:
            return True
    return False


def is_transaction(save: Save, **told: object) -> bool:
    """Whether a record is a transaction of that description."""
    body = save.body
    return save.kind == "transaction" and body is not None and all(body[name] == value for name, value in told.items())


def is_queued(save: Save, action: str) -> bool:
    return save.kind == "queue" and save.body is not None and save.body["action"] == action


FORGOTTEN: dict[str, Callable[[Save], bool]] = {
    "that a transaction began": lambda save: is_transaction(save, id=None, ending=None, ended=False),
    "a transaction's number": lambda save: (
        is_transaction(save, ending=None, ended=False) and not is_transaction(save, id=None)
    ),
    "that a transaction is over": lambda save: is_transaction(save, ended=True),
    "a start": lambda save: is_queued(save, "StartTransaction"),
    "a meter value": lambda save: is_queued(save, "MeterValues"),
    "a stop": lambda save: is_queued(save, "StopTransaction"),
    "a failed attempt": lambda save: save.kind == "queue" and save.body is not None and save.body["attempts"] != 0,
    "a delivery": lambda save: save.kind == "queue" and save.body is None,
    "what could not be delivered": lambda save: save.kind == "undelivered" and save.body is not None,
    # Without its own record the register is that of the meter, which is the simulated board's here.
    "the register": lambda save: save.kind in ("meter", "board"),
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_a_save_that_is_missing_is_found_out(what: str) -> None:
    """With any one `Save` taken away, some seed of a hundred loses or doubles something."""
    assert is_found_out(lambda save: not FORGOTTEN[what](save))


def without_barrier(charger: Charger, effect: Effect, batch: int, now_s: float) -> None:
    charger._carry_out(effect, now_s)


def with_new_content(delivery: Delivery, message: Message, code: str, detail: str, now_s: float) -> bool:
    payload = json.loads(message.payload)
    if "timestamp" in payload:
        message.payload = json.dumps({**payload, "timestamp": payload["timestamp"].replace("2026", "2027")})
    return _failed(delivery, message, code, detail, now_s)


def with_newest_first(queue: TransactionQueue, action: str, payload: str, transaction: str | None) -> Message:
    message = _put(queue, action, payload, transaction)
    queue._messages.rotate(1)
    return message


def once_too_often(delivery: Delivery, message: Message, code: str) -> int:
    return _allowed(delivery, message, code) + 1


def giving_up_at_once(delivery: Delivery, message: Message, code: str) -> int:
    return 1


def without_waiting(session: Session, now_s: float) -> None:
    session._in_flight = None
    _pump(session, now_s)


def blaming_a_lost_wire(
    charger: ChargePoint, is_open: bool, detail: str, now_s: float, peer_code: int | None = None
) -> None:
    _on_link(charger, is_open, detail, now_s, peer_code or 1009)


_on_link = ChargePoint.on_link
_failed, _allowed, _put, _pump = Delivery.failed, Delivery._allowed, TransactionQueue.put, Session.pump

BROKEN: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "sends before it has stored": (Charger, "_leave", without_barrier),
    "repeats something else": (Delivery, "failed", with_new_content),
    "tells the newest first": (TransactionQueue, "put", with_newest_first),
    "tries once too often": (Delivery, "_allowed", once_too_often),
    "gives up at once": (Delivery, "_allowed", giving_up_at_once),
    "takes a lost wire for a close frame": (ChargePoint, "on_link", blaming_a_lost_wire),
    "does not wait for an answer": (Session, "pump", without_waiting),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_charger_that_is_broken_is_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a charger that keeps everything, but sends it too early, too often, in another order or with other words."""
    owner, name, broken = BROKEN[what]
    monkeypatch.setattr(owner, name, broken)
    assert is_found_out()
