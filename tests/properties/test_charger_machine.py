"""Whatever happens in whatever order: energy flows only where it may, and money is told once, in order, in full.

A hypothesis state machine over `World`: people, cars, faults, the network, a central system with bad manners, and power
cuts, in any order. What must hold is held by `tests.watch`, at every moment at which anything happens.

Long runs: ``./run test tests/properties --hypothesis-profile=explore``.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from chargepoint.model.timebase import utc_text
from tests.watch import Auditor, Concierge, Electrician, no_exception_logged
from tests.world import EPOCH_UTC_S, ERROR, SILENCE, World

BOARDS = ("ac11-sim", "ac11-sim-socket", "ac22-sim-duo")
TAGS = ("A1", "A2", "B1", "C1", "a1")
"""A1 and A2 are of one group, B1 is blocked, C1 is on its own; a1 is A1, for case does not count."""
CAUSES = (
    "ground_fault",
    "over_temperature",
    "over_current",
    "under_voltage",
    "emergency_stop",
    "controller_silent",
    "meter_silent",
    "reader_silent",
    "internal",
    "welded_contactor",
    "contactor_stuck",
    "lock_jammed",
    "half_plugged",
    "diode_short",
    "cp_short",
    "holds_c",
    "never_c",
    "state_d",
    "simplified",
    "slow_follow",
)
ACTIONS = ("Authorize", "StartTransaction", "StopTransaction", "MeterValues", "StatusNotification", "Heartbeat")
MANNERS = ("honest", "error", "silence", "wrong", "refuses", "always 0", "always 1")
KEYS: dict[str, tuple[str, ...]] = {
    "MinimumStatusDuration": ("0", "3", "20"),
    "StopTransactionOnEVSideDisconnect": ("true", "false"),
    "StopTransactionOnInvalidId": ("true", "false"),
    "MaxEnergyOnInvalidId": ("0", "50"),
    "LocalPreAuthorize": ("true", "false"),
    "AllowOfflineTxForUnknownId": ("true", "false"),
    "AuthorizeRemoteTxRequests": ("true", "false"),
    "MeterValueSampleInterval": ("0", "7", "60"),
    "ClockAlignedDataInterval": ("0", "300"),
    "StopTxnSampledData": ("", "Energy.Active.Import.Register,Current.Import"),
    "StopTxnAlignedData": ("", "Energy.Active.Import.Register"),
    "ConnectionTimeOut": ("5", "60"),
    "HeartbeatInterval": ("0", "300"),
    "TransactionMessageAttempts": ("1", "3"),
    "TransactionMessageRetryInterval": ("0", "5", "60"),
}
SECONDS = st.sampled_from((0.01, 0.05, 0.2, 1.0, 3.0, 7.0, 20.0, 61.0, 400.0, 5000.0))

connectors = st.integers(1, 2)
booleans = st.booleans()


class ChargerMachine(RuleBasedStateMachine):
    """Everything that can happen to a charger. Every rule leaves time passing for as long as it was drawn."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._logged = self._stack.enter_context(no_exception_logged())
        self._causes: set[tuple[str, int]] = set()

    @initialize(
        board=st.sampled_from(BOARDS),
        keys=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in KEYS.items()}),
    )
    def build(self, board: str, keys: dict[str, str]) -> None:
        self.world = World(board=board, keys={"TransactionMessageRetryInterval": "5", **keys})
        self.electrician = Electrician(self.world)
        self.auditor = Auditor(self.world)
        self.concierge = Concierge(self.world)
        self.world.peer.tags = {
            "A1": {"status": "Accepted", "parentIdTag": "G"},
            "A2": {"status": "Accepted", "parentIdTag": "g"},
            "B1": {"status": "Blocked"},
        }

    def _there(self, connector: int) -> int:
        return min(connector, len(self.world.model.connectors))

    def _do(self, deed: str, connector: int, *arguments: Any) -> None:
        number = self._there(connector)
        self.world.charger.act(
            lambda board, now_s: getattr(board.outlet(number).hands, deed)(*arguments, now_s)
        )
        self.world.run(0.0)

    # --- people and cars ----------------------------------------------------------------------------------------------

    @rule(connector=connectors)
    def plug(self, connector: int) -> None:
        self._do("plug_in", connector)

    @rule(connector=connectors)
    def unplug(self, connector: int) -> None:
        self._do("unplug", connector)

    @rule(connector=connectors)
    def unplug_car(self, connector: int) -> None:
        self._do("unplug_car", connector)

    @rule(connector=connectors, wants=booleans)
    def pause_or_resume(self, connector: int, wants: bool) -> None:
        self._do("wants_energy", connector, wants)

    @rule(tag=st.sampled_from(TAGS))
    def tap(self, tag: str) -> None:
        self.world.charger.act(lambda board, now_s: board.readers[0].present(tag, now_s))
        self.world.run(0.0)

    @rule(connector=connectors, tag=st.sampled_from(("A1", "C1")))
    def charge(self, connector: int, tag: str) -> None:
        """What mostly happens: a car comes, a card is shown, energy flows."""
        self._do("plug_in", connector)
        self.world.run(1.0).tap(tag).run(20)

    @rule(name=st.sampled_from(CAUSES), connector=connectors)
    def break_something(self, name: str, connector: int) -> None:
        self._causes.add((name, self._there(connector)))
        self._do("cause", connector, name, True)

    @precondition(lambda self: self._causes)
    @rule(data=st.data())
    def mend(self, data: st.DataObject) -> None:
        name, connector = data.draw(st.sampled_from(sorted(self._causes)))
        self._causes.discard((name, connector))
        self._do("cause", connector, name, False)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(count=st.integers(1, 30))
    def wait_a_little(self, count: int) -> None:
        self.world.run(count * 0.01)

    # --- network and central system -----------------------------------------------------------------------------------

    @rule(is_up=booleans)
    def network(self, is_up: bool) -> None:
        self.world.link.hold(not is_up)
        self.world.run(0.0)

    @rule()
    def drop(self) -> None:
        self.world.link.hold(True)
        self.world.run(0.0)
        self.world.link.hold(False)
        self.world.run(0.0)

    @rule(action=st.sampled_from(ACTIONS), manner=st.sampled_from(MANNERS))
    def behave(self, action: str, manner: str) -> None:
        """From now on the central system answers an action in this manner."""
        peer = self.world.peer

        def answer(payload: dict[str, Any]) -> Any:
            if manner == "error":
                return ERROR
            if manner == "silence":
                return SILENCE
            if manner == "wrong":
                return ["wrong"]
            result = peer.ordinary(action, payload)
            if manner == "refuses" and "idTagInfo" in result:
                result["idTagInfo"] = {"status": "Invalid"}
            if manner.startswith("always") and "transactionId" in result:
                result["transactionId"] = int(manner[-1])
            return result

        peer.answers[action] = answer

    @rule()
    def behave_well(self) -> None:
        self.world.peer.answers.clear()

    @rule(status=st.sampled_from(("Accepted", "Pending", "Rejected")))
    def register(self, status: str) -> None:
        self.world.peer.registration = status

    @rule()
    def answer_late(self) -> None:
        """The last stored call on this socket that has no answer gets one."""
        seen = self.world.peer.seen
        answered = {each.frame[1] for each in seen if not each.is_from_charger}
        for each in reversed(seen):
            frame = each.frame
            if each.is_from_charger and frame[0] == 2 and each.socket == self.world.sockets and frame[1] not in answered:
                self.world.peer.send([3, frame[1], self.world.peer.ordinary(frame[2], frame[3])])
                break
        self.world.run(0.0)

    def _call(self, action: str, **payload: Any) -> None:
        if self.world.link.is_open:
            self.world.peer.call(action, **payload)
        self.world.run(0.0)

    @rule(tag=st.sampled_from(TAGS), connector=st.sampled_from((None, 1, 2)))
    def remote_start(self, tag: str, connector: int | None) -> None:
        self._call("RemoteStartTransaction", idTag=tag, **({} if connector is None else {"connectorId": connector}))

    @rule(
        connector=st.integers(0, 2),
        tag=st.sampled_from(("A1", "A2", "C1")),
        parent=st.sampled_from((None, "G")),
        number=st.integers(1, 3),
        for_s=st.sampled_from((5.0, 60.0, 600.0, 6000.0)),
    )
    def reserve(self, connector: int, tag: str, parent: str | None, number: int, for_s: float) -> None:
        self._call(
            "ReserveNow",
            connectorId=connector,
            idTag=tag,
            reservationId=number,
            expiryDate=utc_text(EPOCH_UTC_S + self.world.now_s + for_s),
            **({} if parent is None else {"parentIdTag": parent}),
        )

    @rule(number=st.integers(1, 3))
    def cancel_reservation(self, number: int) -> None:
        self._call("CancelReservation", reservationId=number)

    @rule(which=st.integers(0, 3))
    def remote_stop(self, which: int) -> None:
        self._call("RemoteStopTransaction", transactionId=max(0, self.world.peer.next_transaction_id - which))

    @rule(connector=st.integers(0, 2), operative=booleans)
    def change_availability(self, connector: int, operative: bool) -> None:
        self._call("ChangeAvailability", connectorId=connector, type="Operative" if operative else "Inoperative")

    @rule(data=st.data(), key=st.sampled_from(sorted(KEYS)))
    def change_configuration(self, data: st.DataObject, key: str) -> None:
        self._call("ChangeConfiguration", key=key, value=data.draw(st.sampled_from(KEYS[key])))

    @rule(kind=st.sampled_from(("Soft", "Hard")))
    def reset(self, kind: str) -> None:
        self._call("Reset", type=kind)

    @rule(connector=connectors)
    def unlock(self, connector: int) -> None:
        self._call("UnlockConnector", connectorId=connector)

    @rule(
        message=st.sampled_from(("BootNotification", "Heartbeat", "MeterValues", "StatusNotification")),
        connector=st.sampled_from((None, 1, 2)),
    )
    def trigger(self, message: str, connector: int | None) -> None:
        more = {} if connector is None else {"connectorId": connector}
        self._call("TriggerMessage", requestedMessage=message, **more)

    @rule(dark_s=st.sampled_from((0.5, 30.0, 4000.0)))
    def cut_power(self, dark_s: float) -> None:
        is_down = self.world.link.is_down
        self.world.cut_power(dark_s)
        # The box does not change the weather.
        self.world.link.hold(is_down)
        self.world.run(0.0)

    # --- at the end ---------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self._settle()
        finally:
            self._stack.close()

    def _settle(self) -> None:
        """Mend everything, make peace, let everybody go home; then the books must be right."""
        world, peer = self.world, self.world.peer
        for name, connector in sorted(self._causes):
            self._do("cause", connector, name, False)
        peer.answers.clear()
        peer.registration = "Accepted"
        world.link.hold(False)
        world.run(700)
        for connector in (1, 2):
            self._do("unplug", connector)
        world.run(20)
        world.cut_power().run(30)
        for connector in (1, 2):
            self._do("unplug", connector)
        world.run(20)
        for _ in range(20):
            if world.model.session.is_idle:
                break
            world.run(300)
        self.auditor.requeue()
        world.run(700)
        self.electrician.look()
        self.auditor.close()
        assert not self._logged, self._logged[0].getMessage()


ChargerMachine.TestCase.settings = settings(
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
test_whatever_happens_the_rules_hold = pytest.mark.timeout(3600)(ChargerMachine.TestCase)
