"""What people do at a simulated box, and what happens to it: plugs, cards, faults, cables, mains and network.

Each deed is done at once and waits for nothing; what the charger makes of it shows in its state. Real hardware refuses
whatever would pretend electricity. Connectors are numbered from 1.
"""

from __future__ import annotations

from collections.abc import Callable

from chargepoint.runtime.charger import Charger, Phase
from hw.errors import ChargePointError
from hw.ports import Board, Hands, TagReader

CAR_STATES = ("B", "C", "D")
VENTILATED = "state_d"
"""The quirk of a car that asks for ventilation: D instead of C."""

CAUSES_OF_ERROR_CODE = {
    "ConnectorLockFailure": "lock_jammed",
    "EVCommunicationError": "diode_short",
    "GroundFailure": "ground_fault",
    "HighTemperature": "over_temperature",
    "InternalError": "internal",
    "OtherError": "emergency_stop",
    "OverCurrentFailure": "over_current",
    "OverVoltage": "over_voltage",
    "PowerMeterFailure": "meter_silent",
    "PowerSwitchFailure": "welded_contactor",
    "ReaderFailure": "reader_silent",
    "UnderVoltage": "under_voltage",
}
"""What breaks so that a charger reports a ChargePointErrorCode (OCPP 1.6 7.6): the most telling cause of each. There is
none for LocalListConflict, ResetFailure and WeakSignal: nothing at the outlet brings them about."""


class CommandError(ChargePointError):
    """Something that cannot be done at this box, with what can."""


class RealHardwareError(CommandError):
    """Nobody may pretend electricity on real hardware."""


def plug_in(charger: Charger, connector: int, *, asks: bool | None = None, cable_a: float | None = None) -> None:
    """Connect the car, with a cable rated ``cable_a``. ``asks``: it wants energy (C), or stays in B; None: as before."""

    def do(hands: Hands, now_s: float) -> None:
        if cable_a is not None:
            hands.takes_cable(cable_a, now_s)
        if asks is not None:
            hands.wants_energy(asks, now_s)
        hands.plug_in(now_s)

    _handle(charger, connector, do)


def unplug(charger: Charger, connector: int) -> None:
    """Take the cable out at both ends; the end in a locked socket comes out as soon as the lock opens."""
    _handle(charger, connector, lambda hands, now_s: hands.unplug(now_s))


def unplug_car(charger: Charger, connector: int) -> None:
    """Take the cable out at the car's end only."""
    _handle(charger, connector, lambda hands, now_s: hands.unplug_car(now_s))


def pause(charger: Charger, connector: int, is_paused: bool) -> None:
    """The car's driver pauses charging, or resumes it."""
    _handle(charger, connector, lambda hands, now_s: hands.wants_energy(not is_paused, now_s))


def car_state(
    charger: Charger, connector: int, state: str, *, current_a: float | None = None, phases: int | None = None
) -> None:
    """Let the car be in state B, C or D (IEC 61851-1) as soon as the pilot lets it, and bound what it takes.

    ``current_a`` and ``phases`` None: as much as its class takes.
    """
    if state not in CAR_STATES:
        raise CommandError(f"a plugged car is in state {', '.join(CAR_STATES)}, not {state!r}")

    def do(hands: Hands, now_s: float) -> None:
        hands.draws(current_a, phases, now_s)
        hands.cause(VENTILATED, state == "D", now_s)
        hands.wants_energy(state != "B", now_s)

    _handle(charger, connector, do)


def swipe(charger: Charger, tag: str, connector: int | None = None) -> None:
    """Hold a card to the reader that serves ``connector``; None: to the first reader."""
    board = charger.board
    if connector is not None:
        check_connector(board, connector)
    serving = [reader for reader in board.readers if connector is None or connector in reader.connectors]
    if not serving:
        raise CommandError("this box has no reader" if connector is None else f"no reader serves connector {connector}")

    def do(reader: TagReader, now_s: float) -> None:
        reader.present(tag, now_s)

    charger.act(lambda _board, now_s: do(serving[0], now_s))


def fault(charger: Charger, connector: int, what: str, active: bool) -> None:
    """Break something, or mend it: a physical cause, or the OCPP error code that it should lead to."""
    cause = CAUSES_OF_ERROR_CODE.get(what, what)
    hands = hands_of(charger.board, connector)
    if cause not in hands.causes:
        raise CommandError(f"{what!r} cannot break here; {', '.join(hands.causes)} can")
    _handle(charger, connector, lambda hands, now_s: hands.cause(cause, active, now_s))


def network(charger: Charger, is_up: bool) -> None:
    """Take the network away, the socket with it and without a closing handshake, or give it back."""
    charger.link.hold(not is_up)


def power_cut(charger: Charger, dark_s: float) -> None:
    """Cut the mains of a simulated box for ``dark_s`` of charger time."""
    if not charger.board.is_simulated:
        raise RealHardwareError("nobody may pretend a power cut on real hardware")
    check_running(charger)
    charger.cut_power(dark_s)


def limit(charger: Charger, connector: int, amps: float | None) -> None:
    """Bound what a connector offers, in A per phase, by local control; None lifts that, less than 6 A is nothing."""
    check_running(charger)
    check_connector(charger.board, connector)
    try:
        charger.limit(connector, amps)
    except ValueError as error:
        raise CommandError(str(error)) from error


def resume(charger: Charger, connector: int) -> None:
    """Give back what a local limit of 0 A took."""
    check_running(charger)
    check_connector(charger.board, connector)
    charger.resume(connector)


def check_running(charger: Charger) -> None:
    """Raises CommandError while the charger is down."""
    if charger.phase is not Phase.RUNNING:
        raise CommandError(f"{charger.identity} is down ({charger.phase.value})")


def check_connector(board: Board, connector: int) -> None:
    """Raises CommandError when there is no such connector."""
    if not 1 <= connector <= len(board.outlets):
        raise CommandError(f"there is no connector {connector}: {board.name} has {len(board.outlets)}")


def hands_of(board: Board, connector: int) -> Hands:
    """Return the people at a simulated outlet. Raises CommandError, RealHardwareError on real hardware."""
    check_connector(board, connector)
    hands = board.outlet(connector).hands
    if hands is None:
        raise RealHardwareError("nobody may pretend electricity on real hardware")
    return hands


def _handle(charger: Charger, connector: int, deed: Callable[[Hands, float], None]) -> None:
    hands = hands_of(charger.board, connector)

    def do(_board: Board, now_s: float) -> None:
        try:
            deed(hands, now_s)
        except ValueError as error:
            raise CommandError(str(error)) from error

    charger.act(do)
