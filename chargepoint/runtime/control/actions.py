"""What each command does that is not a query. The name of a function is that of its command, in `commands.COMMANDS`.

An action takes the charger and the checked arguments of its command, and returns its result, or a `Waiting` for one that
comes later. Raises CommandError. Connectors are numbered from 1; times are charger time unless a command says otherwise.
Real hardware refuses whatever would simulate electricity.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chargepoint.model.faults import Until
from chargepoint.model.journal import CallAnswered, CallSent, Entry, TagPresented, TransactionEnded
from chargepoint.model.pilot import MINIMUM_A
from chargepoint.model.tags import same_tag, short_tag
from chargepoint.model.timebase import Clock
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.secrecy import masked
from hw.ports import Board, Hands
from hw.words import hint

from . import views
from .arguments import StateOfCharge
from .causes import AT_ONCE, BY_NAME, CAUSES_OF_ERROR_CODE, NO_FAULT, cause_of
from .errors import BadArgumentsError, CommandError, NotFoundError, RealHardwareError
from .responses import CommandResult, KeyChanged, SendResult
from .waiting import Waiting

VENTILATED = "state_d"
"""The habit of a vehicle that asks for ventilation: D instead of C."""
STAYS = {Until.UNPLUGGED: "until the cable is unplugged", Until.SERVICE: "until `confirm-repair`"}
LOOK_S = 1.0
"""Period at which the energy of a transaction is compared with what is waited for, in charger time."""
FULL_SOC = 0.99
"""A vehicle that stops to charge by itself from here on is full: waiting for 100 % is waiting for that."""
SAME_SOC = 1e-6

Result = CommandResult | KeyChanged | Waiting
Action = Callable[..., Result]

ACTIONS: dict[str, Action] = {}
"""By the name of the command."""

F = TypeVar("F", bound=Action)


def action(function: F) -> F:
    """Enter what a command does."""
    ACTIONS[function.__name__.replace("_", "-")] = function
    return function


# --- vehicle and user -------------------------------------------------------------------------------------------------


@action
def plug_in(
    charger: Charger,
    connector: int = 1,
    state: str = "C",
    cable: float | None = None,
    soc: float | None = None,
    model: str | None = None,
) -> CommandResult:
    was_plugged = hands_of(charger.board, connector).is_plugged

    def do(hands: Hands, now_s: float) -> None:
        if soc is not None or model is not None:
            hands.brings_car(model, None if soc is None else soc / 100.0, now_s)
        if cable is not None:
            hands.takes_cable(cable, now_s)
        hands.wants_energy(state == "C", now_s)
        hands.plug_in(now_s)

    _handle(charger, connector, do)
    return CommandResult(done=f"plugged in at connector {connector}{' already' if was_plugged else ''}")


@action
def unplug(charger: Charger, connector: int = 1) -> CommandResult:
    hands = hands_of(charger.board, connector)
    was_plugged = hands.is_plugged
    _handle(charger, connector, lambda hands, now_s: hands.unplug(now_s))
    if hands.is_pulling:
        locked = f"the plug is locked in the socket of connector {connector} and comes out as soon as the lock opens"
        return CommandResult(done=f"unplugged from the car; {locked}" if was_plugged else locked)
    return CommandResult(done=f"{'unplugged' if was_plugged else 'nothing was plugged in'} at connector {connector}")


@action
def ev_state(
    charger: Charger, state: str, current: float | None = None, phases: int | None = None, connector: int = 1
) -> CommandResult:
    def do(hands: Hands, now_s: float) -> None:
        hands.draws(current, phases, now_s)
        hands.cause(VENTILATED, state == "D", now_s)
        hands.wants_energy(state != "B", now_s)

    _handle(charger, connector, do)
    is_plugged = hands_of(charger.board, connector).is_plugged
    when = "as soon as the pilot allows it" if is_plugged else "once it is plugged in"
    return CommandResult(done=f"the vehicle at connector {connector} goes to {state} {when}")


@action
def swipe(
    charger: Charger,
    tag: str,
    connector: int | None = None,
    wait: bool = False,
    within: float | None = 60.0,
    expect: str = "accepted",
) -> CommandResult | Waiting:
    """Present a card. What is decided at once is the result; a question to the central system is waited for on ``wait``."""
    board = charger.board
    if connector is not None:
        check_connector(board, connector)
    serving = [reader for reader in board.readers if connector is None or connector in reader.connectors]
    if not serving:
        raise CommandError("this charger has no reader" if connector is None else f"no reader serves connector {connector}")
    check_running(charger)
    reader = serving[0]
    waiting = Waiting(charger, Clock.WIRE)
    verdict: TagPresented | None = None

    def hear(entry: Entry) -> None:
        nonlocal verdict
        if isinstance(entry, TagPresented) and same_tag(entry.tag, tag):
            verdict = entry
            if entry.is_final:
                _settle_card(charger, waiting, entry, expect, reader.connectors)

    waiting.hear(hear)
    try:
        charger.act(lambda _board, now_s: reader.present(tag, now_s))
        charger.settle()
    except BaseException:
        waiting.cancel()
        raise
    if not waiting.is_done and wait:
        waiting.limit(within, f"no decision about card {short_tag(tag)}")
        return waiting
    if not waiting.is_done:
        waiting.cancel()
        reaction = "the central system is asked" if verdict is not None else "the reader did not react"
        return CommandResult(done=f"card {short_tag(tag)} presented; {reaction}")
    result = waiting.result()
    assert isinstance(result, CommandResult)
    return result


def _settle_card(
    charger: Charger, waiting: Waiting, entry: TagPresented, expect: str, connectors: tuple[int, ...]
) -> None:
    said = f"card {short_tag(entry.tag)} {entry.verdict}"
    if entry.is_refusal:
        said += _statuses(charger, connectors)
    if entry.is_refusal == (expect == "refused"):
        waiting.finish(CommandResult(done=said))
    else:
        waiting.fail(CommandError(said if entry.is_refusal else f"{said}, but it was to be refused"))


def _statuses(charger: Charger, connectors: tuple[int, ...]) -> str:
    """Return what keeps the connectors of a reader from a charge, if their status does."""
    there = [charger.model.connector(number) for number in connectors if charger.model.has_connector(number)]
    told = [f"connector {each.number} is {each.status.value}" for each in there if not each.is_free]
    return f" ({', '.join(told)})" if told else ""


# --- faults and outages -----------------------------------------------------------------------------------------------


@action
def fault(charger: Charger, what: str, connector: int = 1, clear_after: float | None = None) -> CommandResult:
    _cause(charger, connector, what, True)
    said = f"{what} at connector {connector}"
    if clear_after is not None:
        charger.act_after(clear_after, lambda: _cause(charger, connector, what, False))
        said += f"; the cause is removed after {clear_after:g} s"
    ends = BY_NAME[cause_of(what)].ends
    return CommandResult(done=said if ends in (AT_ONCE, NO_FAULT) else f"{said}; the fault is {ends}")


@action
def clear_fault(charger: Charger, what: str, connector: int = 1) -> CommandResult:
    _cause(charger, connector, what, False)
    charger.settle()
    latched = charger.model.connector(connector).latched_until if charger.phase is Phase.RUNNING else None
    note = "" if latched is None else f", but the fault stays {STAYS[latched]}"
    return CommandResult(done=f"{what} at connector {connector} is cleared{note}")


def _cause(charger: Charger, connector: int, what: str, is_active: bool) -> None:
    cause = cause_of(what)
    causes = hands_of(charger.board, connector).causes
    if cause not in causes and cause not in BY_NAME:
        known = [*causes, *(code for code, each in CAUSES_OF_ERROR_CODE.items() if each in causes)]
        raise CommandError(f"unknown fault {what!r}: {hint(what, known)}")
    _handle(charger, connector, lambda hands, now_s: hands.cause(cause, is_active, now_s))


@action
def network(charger: Charger, state: str) -> CommandResult:
    charger.link.hold(state == "down")
    return CommandResult(done=f"network {state}")


@action
def power_loss(charger: Charger, seconds: float = 10.0) -> CommandResult:
    if not charger.board.is_simulated:
        raise RealHardwareError("the mains of real hardware cannot be cut by a command")
    check_running(charger)
    charger.cut_power(seconds)
    return CommandResult(done=f"power off for {seconds:g} s")


# --- charger ----------------------------------------------------------------------------------------------------------


@action
def limit(charger: Charger, amps: float | None, connector: int = 1) -> Waiting:
    check_running(charger)
    check_connector(charger.board, connector)
    try:
        charger.limit(connector, amps)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if amps is None:
        said = "no local limit"
    else:
        said = f"limited to {amps:g} A by local control" if amps >= MINIMUM_A else "held at 0 A by local control"
    return _when_stored(charger, CommandResult(done=f"connector {connector}: {said}"))


@action
def pause(charger: Charger, connector: int = 1) -> Waiting:
    return limit(charger, 0.0, connector)


@action
def unpause(charger: Charger, connector: int = 1) -> Waiting:
    check_running(charger)
    check_connector(charger.board, connector)
    charger.resume(connector)
    done = CommandResult(done=f"connector {connector}: no longer held at 0 A by local control")
    return _when_stored(charger, done)


@action
def confirm_repair(charger: Charger, connector: int = 1) -> Waiting:
    _check_storing(charger)
    check_connector(charger.board, connector)
    latched, seen = charger.confirm_repair(connector)
    if seen:
        raise CommandError(f"connector {connector}: still seen: {', '.join(seen)}")
    said = f"cleared: {', '.join(latched)}" if latched else "no fault is latched until service"
    return _when_stored(charger, CommandResult(done=f"connector {connector}: {said}"))


@action
def key_set(charger: Charger, key: str, value: str) -> KeyChanged | Waiting:
    _check_storing(charger)
    status, reason = charger.change_setting(key, value)
    return _when_stored(charger, KeyChanged(status=status.value, reason=reason))


@action
def send(
    charger: Charger, action: str, payload: Mapping[str, Any], wait: bool = False, within: float | None = 60.0
) -> CommandResult | Waiting:
    """Send a call as written; on ``wait`` the result holds its answer."""
    check_running(charger)
    try:
        text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise BadArgumentsError("send: payload: a number that JSON does not have") from error
    waiting = Waiting(charger, Clock.WIRE)
    message_id: str | None = None

    def hear(entry: Entry) -> None:
        nonlocal message_id
        if isinstance(entry, CallSent) and message_id is None and (entry.action, entry.payload) == (action, text):
            message_id = entry.message_id
        elif isinstance(entry, CallAnswered) and message_id is not None and entry.message_id == message_id:
            waiting.finish(_answer(entry))

    if wait:
        waiting.hear(hear)
    try:
        charger.send_raw(action, text)
    except ConnectionError as error:
        waiting.cancel()
        raise CommandError(str(error)) from error
    if wait:
        waiting.limit(within, f"no answer to {action}")
        return waiting
    waiting.cancel()
    return CommandResult(done=f"{action} queued")


def _answer(entry: CallAnswered) -> SendResult:
    if not entry.is_result:
        return SendResult(done=f"{entry.action} failed: {entry.outcome}", is_refused=True)
    try:
        answer = json.loads(entry.outcome)
    except (ValueError, RecursionError):
        return SendResult(done=f"{entry.action}: an answer that is not JSON", is_refused=True)
    told = answer if isinstance(answer, dict) else {}
    info = told.get("idTagInfo")
    status = told.get("status", info.get("status") if isinstance(info, dict) else None)
    return SendResult(
        done=f"{entry.action}: {'answered' if status is None else status}",
        answer=masked(answer),
        is_refused=status not in (None, "Accepted", "Pending"),
    )


@action
def requeue(charger: Charger, key: str) -> Waiting:
    _settle(charger, key, charger.requeue)
    return _when_stored(charger, CommandResult(done=f"message {key} is queued again"))


@action
def dismiss(charger: Charger, key: str) -> Waiting:
    _settle(charger, key, charger.model.queue.dismiss)
    return _when_stored(charger, CommandResult(done=f"message {key} is discarded"))


def _check_storing(charger: Charger) -> None:
    """Raise CommandError unless the charger runs and its store can be written."""
    check_running(charger)
    if charger.model.is_store_failing:
        raise CommandError("the store cannot be written: nothing was changed")


def _when_stored(charger: Charger, result: CommandResult | KeyChanged) -> Waiting:
    """Return the result of something that must outlast a restart, not before it is on the disk."""
    waiting = Waiting(charger)

    def report(is_stored: bool) -> None:
        if is_stored:
            waiting.finish(result)
        else:
            said = result.done if isinstance(result, CommandResult) else result.status
            waiting.fail(CommandError(f"{said}; but the store cannot be written, so a restart may undo it"))

    charger.when_stored(report)
    return waiting


def _settle(charger: Charger, key: str, settle: Callable[[str], None]) -> None:
    _check_storing(charger)
    try:
        settle(key)
    except KeyError as error:
        raise NotFoundError(f"no undelivered message {key}") from error


# --- waiting ----------------------------------------------------------------------------------------------------------


@action
def wait(charger: Charger, seconds: float) -> Waiting:
    waiting = Waiting(charger)
    waiting.finish_after(seconds, CommandResult(done=f"waited {seconds:g} s"))
    return waiting


@action
def wait_until(charger: Charger, energy: float, connector: int = 1, within: float | None = None) -> Waiting:
    """Wait for energy in Wh or for a state of charge; without a time limit as long as it can still come."""
    check_connector(charger.board, connector)
    soc = energy if isinstance(energy, StateOfCharge) else None
    hands = hands_of(charger.board, connector) if soc is not None else charger.board.outlet(connector).hands
    waiting = Waiting(charger)
    wanted = f"{energy / 1000:g} kWh" if soc is None else f"{soc:g} % state of charge"

    def is_reached(energy_wh: float) -> bool:
        if soc is None or hands is None:
            return energy_wh >= energy
        return hands.soc_at(charger.tell_time()) >= _wanted_soc(hands, soc) - SAME_SOC

    def look() -> None:
        if charger.phase is not Phase.RUNNING:
            return  # it comes back, and its transaction ends then
        found = charger.model.connector(connector)
        gained_wh = views.session_wh(found, views.reading(charger, connector, charger.tell_time()))
        has_it = is_reached(gained_wh)
        if found.transaction is None:
            is_plugged = hands is not None and hands.is_plugged
            if not is_plugged and not found.is_plugged:
                waiting.fail(CommandError(f"no vehicle is connected at connector {connector}"))
        elif has_it:
            waiting.finish(CommandResult(done=f"{gained_wh / 1000:.3f} kWh at connector {connector}"))
        if soc is not None and hands is not None and not has_it and hands.goal_soc < _wanted_soc(hands, soc) - SAME_SOC:
            waiting.fail(CommandError(f"the vehicle charges to {100.0 * hands.goal_soc:.0f} % only, less than {soc:g} %"))

    def hear(entry: Entry) -> None:
        if not isinstance(entry, TransactionEnded) or entry.connector != connector:
            return
        if is_reached(entry.energy_wh):
            waiting.finish(CommandResult(done=f"{entry.energy_wh / 1000:.3f} kWh at connector {connector}"))
        else:
            had = f"{entry.energy_wh / 1000:.3f} kWh, less than {wanted}"
            waiting.fail(CommandError(f"the transaction ended ({entry.reason}) with {had}"))

    charger.settle()
    look()
    if not waiting.is_done:
        waiting.hear(hear)
        waiting.look_every(LOOK_S, look)
        waiting.limit(within, f"less than {wanted} at connector {connector}")
    return waiting


def _wanted_soc(hands: Hands, percent: float) -> float:
    """Return the state of charge, 0..1, at which a vehicle has the ``percent`` that are waited for."""
    return min(percent / 100.0, max(hands.goal_soc, FULL_SOC))


# --- what they share --------------------------------------------------------------------------------------------------


def check_running(charger: Charger) -> None:
    """Raises CommandError while the charger is down."""
    if charger.phase is not Phase.RUNNING:
        raise CommandError(f"{charger.identity} is down ({charger.phase.value})")


def check_connector(board: Board, connector: int) -> None:
    """Raises CommandError when there is no such connector."""
    if not 1 <= connector <= len(board.outlets):
        raise CommandError(f"there is no connector {connector}: {board.name} has {len(board.outlets)}")


def hands_of(board: Board, connector: int) -> Hands:
    """Return the user of a simulated outlet. Raises CommandError, RealHardwareError on real hardware."""
    check_connector(board, connector)
    hands = board.outlet(connector).hands
    if hands is None:
        raise RealHardwareError("real hardware cannot be operated as a simulated board can")
    return hands


def _handle(charger: Charger, connector: int, act: Callable[[Hands, float], None]) -> None:
    hands = hands_of(charger.board, connector)

    def do(_board: Board, now_s: float) -> None:
        try:
            act(hands, now_s)
        except ValueError as error:
            raise CommandError(str(error)) from error

    charger.act(do)
