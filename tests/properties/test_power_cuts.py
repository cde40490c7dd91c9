"""A day in the life of a charger, cut at every step that leaves it: nothing is lost, nothing is told twice.

Every effect that leaves the charger and every commit is a step. The day is lived once to count them, then once for each:
at step k the process dies, before or after the step is done, and comes back from the store. What the central system saw
of it is held by `tests.watch`; what each transaction was worth is held here.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chargepoint.model.timebase import utc_text
from hw.sim.circuit import Circuit
from profiles.costs.display import Display
from profiles.reservation import Reservation
from tests.fate import Dies, Saves, mortal
from tests.watch import Auditor, Electrician, no_exception_logged
from tests.world import EPOCH_UTC_S, World

KEYS = {
    "MeterValueSampleInterval": "20",
    "ClockAlignedDataInterval": "50",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "StopTxnAlignedData": "Energy.Active.Import.Register",
    "TransactionMessageRetryInterval": "1",
    "LocalPreAuthorize": "true",
}


def day(world: World) -> list[Callable[[], object]]:
    """Boot, plug, tap, charge with samples, an outage in the middle, stop, unplug; a second charge begun offline."""
    return [
        lambda: world.run(1),
        lambda: world.plug().tap("A1").run(50),
        lambda: world.network(False).run(45),
        lambda: world.network(True).run(30),
        lambda: world.tap("A1").run(8),
        lambda: world.unplug().run(20),
        lambda: world.network(False).plug().tap("A1").run(70),
        lambda: world.tap("A1").run(8).unplug(),
        lambda: world.network(True).run(30),
    ]


class Life:
    """One day, and what is left of it after a cut."""

    def __init__(self, board: str) -> None:
        self.world = World(board=board, keys=KEYS)
        self.electrician = Electrician(self.world)
        self.auditor = Auditor(self.world)
        self.expected: dict[str, str] = {}
        """Reasons of the transactions that the cut ended."""

    def live(self) -> None:
        """Live the day; a step that dies is followed by the dark, and the rest of the day goes on."""
        for part in day(self.world):
            try:
                part()
            except Dies:
                self._come_back()

    def _come_back(self) -> None:
        self.auditor.power_was_cut()
        for key, body in self.world.store.load("CP1").get("transaction", {}).items():
            if not body["ended"]:
                self.expected[key] = "PowerLoss" if body["ending"] is None else body["ending"][0]
        is_down = self.world.link.is_down
        self.world.cut_power(5.0)
        circuits = [process for process in self.world.charger.board.processes if isinstance(process, Circuit)]
        assert not any(circuit.contactor.is_closed for circuit in circuits), "closed after the cut"
        self.world.link.hold(is_down)
        self.world.run(3.0)

    def close(self) -> None:
        """Everybody goes home, and the books must be right."""
        world = self.world
        world.network(True).run(20)
        if world.connector().is_charging:
            world.tap("A1")
        world.run(10).unplug().run(60)
        self.auditor.close()
        assert self.auditor.resent <= len(self.expected) + 1, "one cut, one repetition"
        for key, story in self.auditor.stories.items():
            stop = story.payloads[-1]
            # A cut also upsets the script: a card that should have stopped may start, and unplugging stops.
            assert stop["reason"] in ((self.expected[key],) if key in self.expected else ("Local", "EVDisconnected"))
            data = [(v["timestamp"], v["sampledValue"][0]) for v in stop["transactionData"]]
            assert (data[0][1]["context"], data[-1][1]["context"]) == ("Transaction.Begin", "Transaction.End")
            assert data[0][1]["value"] == str(story.payloads[0]["meterStart"])
            assert [at for at, _ in data] == sorted(at for at, _ in data)
            told = [payload["meterValue"][0]["timestamp"] for payload in story.payloads[1:-1]]
            assert [at for at, _ in data[1:-1]] == told, "a sample was told once and forgotten"


def sweep(board: str, saves: Saves | None = None) -> int:
    """Cut at every step; return how many there were. Raises AssertionError that names the first step that hurts."""
    whole = Life(board)
    with mortal() as count:
        whole.live()
    whole.close()
    assert len(whole.auditor.started()) == 2
    assert whole.auditor.resent == 0
    for step in range(1, count.steps + 1):
        life = Life(board)
        try:
            with mortal(saves) as fate, no_exception_logged() as logged:
                fate.dies_in(step)
                life.live()
                life.close()
            assert not logged, logged[0].getMessage()
        except (AssertionError, LookupError) as error:
            raise AssertionError(f"cut at step {step} of {count.steps}: {error}") from error
    return count.steps


@pytest.mark.parametrize("board", ["ac11-sim", "ac11-sim-socket"])
def test_nothing_is_lost_and_nothing_told_twice_wherever_the_power_goes(board: str) -> None:
    """ "Persist before sending anything"; killed in between "the pending stop is completed with the last stored register
    and its own reason", and without one it looks like a power cut (transactions-and-metering.md 1, 8)."""
    assert sweep(board) > 150


@pytest.mark.parametrize(
    ("kind", "is_forgotten"),
    [("transaction", False), ("queue", False), ("queue", True), ("sample", False), ("meter", False)],
)
def test_the_sweep_notices_a_record_that_is_not_kept(kind: str, is_forgotten: bool) -> None:
    """A test of the test: with one kind of `Save` taken away, some cut loses or doubles something."""
    with pytest.raises(AssertionError, match="cut at step"):
        sweep("ac11-sim", lambda save: save.kind != kind or (save.body is None) != is_forgotten)


def evening(world: World) -> list[Callable[[], object]]:
    """Two reservations for one connector after each other: one is cancelled, one is used."""

    def reserve(number: int) -> World:
        expiry = utc_text(EPOCH_UTC_S + world.now_s + 600)
        world.peer.call("ReserveNow", connectorId=1, idTag="A1", expiryDate=expiry, reservationId=number)
        return world.run(1)

    def cancel(number: int) -> World:
        world.peer.call("CancelReservation", reservationId=number)
        return world.run(1)

    return [
        lambda: reserve(1),
        lambda: cancel(1),
        lambda: reserve(2),
        lambda: world.tap("A1").run(2),
        lambda: world.plug().run(20),
        lambda: world.tap("A1").run(10).unplug().run(5),
    ]


def dusk(step: int | None) -> int:
    """Live an evening with a cut at a step; what was promised is kept, what was used or cancelled does not come back."""
    world = World(keys=KEYS)
    auditor, promised, unwanted, gone = Auditor(world), set[int](), set[int](), set[int]()
    with mortal() as fate:
        fate.dies_in(step)
        for part in evening(world):
            try:
                part()
            except Dies:
                auditor.power_was_cut()
                world.cut_power(5.0).run(3)
            for seen in world.peer.seen:
                if seen.frame[0] == 2 and not seen.is_from_charger:
                    number, is_reserve = seen.frame[3]["reservationId"], seen.frame[2] == "ReserveNow"
                    if not is_reserve:
                        unwanted.add(number)  # cancelled, even if the answer was lost
                    if world.peer.results.get(seen.frame[1], [3, "", {}])[2] == {"status": "Accepted"}:
                        (promised if is_reserve else gone).add(number)
            gone |= {start["reservationId"] for start in world.calls("StartTransaction") if "reservationId" in start}
            bookings = world.feature(Reservation).bookings
            assert promised - unwanted - gone <= bookings.keys(), "a promise was lost"
            assert not gone & bookings.keys(), "a reservation came back"
            if bookings and world.connector().status not in ("Preparing", "Charging"):
                assert world.told() == "Reserved"
    return fate.steps


def test_a_promise_is_kept_wherever_the_power_goes() -> None:
    """ReserveNow accepted: Persist over reboot (handbook, messages 7); used, it SHALL be terminated (5.13)."""
    steps = dusk(None)
    assert steps > 30
    for step in range(1, steps + 1):
        try:
            dusk(step)
        except AssertionError as error:
            raise AssertionError(f"cut at step {step} of {steps}: {error}") from error


COSTS = {
    **KEYS,
    "CustomDisplayCostAndPrice": "true",
    "CustomIdleFeeAfterStop": "true",
    "AllowOfflineTxForUnknownId": "true",
    "MinimumStatusDuration": "3",  # so that nothing else is under way when a plug is told
}


def errand(world: World) -> list[Callable[[], object]]:
    """One charge with a price, a running cost, its triggers and a total; a second one offline, told afterwards."""

    def tell(message: str, **fields: object) -> World:
        vendor = "org.openchargealliance.costmsg"
        world.peer.call("DataTransfer", vendorId=vendor, messageId=message, data=json.dumps(fields))
        return world.run(1)

    trigger = {"atPowerkW": 8, "atEnergykWh": 0.02}
    return [
        lambda: tell("SetUserPrice", idToken="A1", priceText="EUR 0.39/kWh"),
        lambda: world.plug().tap("A1").run(10),
        lambda: tell("RunningCost", transactionId=1, cost=1, triggerMeterValue=trigger).run(20),
        lambda: world.tap("A1").run(8),
        lambda: tell("FinalCost", transactionId=1, cost=2),
        lambda: world.run(30).unplug().run(5),
        lambda: world.network(False).plug().tap("A1").run(15),
        lambda: world.tap("A1").run(8).unplug(),
        lambda: world.network(True).run(30),
    ]


def shopping(step: int | None, saves: Saves | None = None) -> int:
    """Live an errand with a cut at a step: every plug is told once, behind its stop, and no accepted cost is lost."""
    world = World(keys=COSTS)
    auditor, accepted = Auditor(world), set[str]()

    def look() -> None:
        for seen in world.peer.seen:
            is_told = seen.frame[0] == 2 and not seen.is_from_charger
            if is_told and world.peer.results.get(seen.frame[1], [3, "", {}])[2] == {"status": "Accepted"}:
                accepted.add(seen.frame[3]["messageId"])
        bill = world.stored("bill", "1")
        if world.link.is_open and (bill is None or (bill["id"] == 1 and bill["plugged"])):
            amount = str(world.feature(Display).at(1, world.now_s).amount)
            if "FinalCost" in accepted:
                assert amount == "2.000", "the total was lost"
            elif "RunningCost" in accepted:
                assert amount in ("1.000", "2.000"), "the cost was lost"

    with mortal(saves) as fate:
        fate.dies_in(step)
        for part in errand(world):
            try:
                part()
            except Dies:
                auditor.power_was_cut()
                is_down = world.link.is_down
                world.cut_power(5.0)
                world.link.hold(is_down)
                world.run(3)
            look()
    world.network(True).run(20)
    if world.connector().is_charging:
        world.tap("A1")
    world.run(10).unplug().run(60)
    auditor.close()
    for key, story in auditor.stories.items():
        assert story.actions[-2:] == ["StopTransaction", "DataTransfer"], f"{key}: {story.actions}"
        start_id = story.payloads[-2]["transactionId"]
        assert json.loads(story.payloads[-1]["data"])["transactionId"] == start_id
    assert "unplug" not in world.store.load("CP1"), "something is owed for ever"
    return fate.steps


def errands(saves: Saves | None = None) -> int:
    """Cut at every step; return how many there were. Raises AssertionError that names the first step that hurts."""
    steps = shopping(None)
    for step in range(1, steps + 1):
        try:
            with no_exception_logged() as logged:
                shopping(step, saves)
            assert not logged, logged[0].getMessage()
        except (AssertionError, LookupError) as error:
            raise AssertionError(f"cut at step {step} of {steps}: {error}") from error
    return steps


def test_no_driver_pays_for_ever_wherever_the_power_goes() -> None:
    """ConnectorUnplugged: persist it and send it behind the StopTransaction of that transaction (handbook, costs 1.3)."""
    assert errands() > 80


@pytest.mark.parametrize(("kind", "is_forgotten"), [("unplug", False), ("unplug", True), ("bill", False)])
def test_the_errands_notice_a_record_that_is_not_kept(kind: str, is_forgotten: bool) -> None:
    """A test of the test: without the record some cut loses or doubles a ConnectorUnplugged, or loses a cost."""
    with pytest.raises(AssertionError, match="cut at step"):
        errands(lambda save: save.kind != kind or (save.body is None) != is_forgotten)


POISON = {
    "MeterValueSampleInterval": "20",
    "StopTxnSampledData": "Energy.Active.Import.Register,Voltage,Current.Import",
    "TransactionMessageAttempts": "2",
    "TransactionMessageRetryInterval": "1",
    "TransactionMessageClosePatience": "0",
}
TAKES_BYTES = 1500
"""The largest StopTransaction that the central system of `nausea` takes."""


def nausea(step: int | None) -> int:
    """Live a charge whose samples make the central system close with 1011 and whose stop is too big for it, with a cut at
    a step: every sample ends among the undelivered, the bill is delivered, thinned, and nothing is sent after its answer.
    """
    world = World(keys=POISON)
    taken, refused = list[str](), set[str]()
    receive = world.peer.receive

    def takes(text: str) -> None:
        frame = json.loads(text)
        action, content = (frame[2], json.dumps(frame[2:])) if frame[0] == 2 else ("", "")
        is_too_big = action == "StopTransaction" and len(text) > TAKES_BYTES
        if action == "MeterValues" or is_too_big:
            if not is_too_big:
                refused.add(content)
            world.link.closed_by_peer(1009 if is_too_big else 1011)
            world.pump.timers("wire").after_wire(2.0, lambda _now_s: world.link.hold(False))
            return
        if action in ("StartTransaction", "StopTransaction"):
            taken.append(content)
        receive(text)

    world.peer.receive = takes  # type: ignore[method-assign]
    parts: list[Callable[[], object]] = [
        lambda: world.plug().tap("A1").run(150),
        lambda: world.tap("A1").run(8).unplug(),
        lambda: world.run(60),
    ]
    with mortal() as fate:
        fate.dies_in(step)
        for part in parts:
            try:
                part()
            except Dies:
                world.cut_power(5.0).run(3)
    if world.connector().is_charging:
        world.tap("A1").run(8)
    world.unplug().run(1500)
    queue = world.model.queue
    assert not len(queue), f"{queue.head.action} blocks the queue"
    assert [each.action for each in queue.undelivered.values()] == ["MeterValues"] * len(refused)
    kinds = [json.loads(content)[0] for content in dict.fromkeys(taken)]
    assert kinds.count("StartTransaction") == kinds.count("StopTransaction"), "a transaction without its bill"
    assert len(taken) <= len(kinds) + (step is not None), "one cut, one repetition"
    assert step is not None or (len(kinds), len(refused) > 3) == (2, True)
    return fate.steps


def test_what_the_central_system_cannot_take_is_settled_wherever_the_power_goes() -> None:
    """One message that cannot be processed must not block the rest (3.7.1): at whatever close, Heartbeat or thinning the
    power goes, every refused sample is kept once and every bill is delivered."""
    steps = nausea(None)
    assert steps > 100
    for step in range(1, steps + 1):
        try:
            with no_exception_logged() as logged:
                nausea(step)
            assert not logged, logged[0].getMessage()
        except (AssertionError, LookupError) as error:
            raise AssertionError(f"cut at step {step} of {steps}: {error}") from error
