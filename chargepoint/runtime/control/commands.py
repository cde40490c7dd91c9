"""The one table of verbs: what people and programs may do to a charger, and ask of it.

A verb is a function: its name is the verb's, its first line says what it does, its arguments are a pydantic model, its
result a document. HTTP, ``chargepoint ctl`` and JSON lines are made from `COMMANDS`, so none of them can know a verb that
the others lack. Every verb answers at once. What it refuses raises CommandError with the reason.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chargepoint.model.keys import Entry
from chargepoint.model.pilot import MINIMUM_A
from chargepoint.model.usage import DAYS_KEPT, SESSIONS_KEPT
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.control.actions import CommandError
from chargepoint.runtime.secrecy import HIDDEN, is_secret_name, masked_text
from profiles.smart_charging import SmartCharging

from . import actions, history, responses, views
from .responses import CommandResult, Document

TAG_LENGTH = 20
"""IdToken, OCPP 1.6 7.28."""


class NotFoundError(CommandError):
    """What a verb was to be done to is not there."""


class BadArgumentsError(CommandError):
    """Arguments that a verb does not take; the text names each and says why."""


class Arguments(BaseModel):
    """What a verb is told. A name that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """1.0 is an integer in JSON Schema."""
        return int(value) if isinstance(value, float) and value.is_integer() else value


ConnectorNumber = Annotated[int, Field(ge=1, le=99, description="connector, numbered from 1")]


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of the table."""

    name: str
    does: str
    arguments: type[Arguments]
    result: type[Document]
    is_query: bool
    """It changes nothing."""
    run: Callable[[Charger, RunningClock, Any], Document]

    def judge(self, arguments: Mapping[str, Any]) -> Arguments:
        """Return arguments that came as JSON values. Raises BadArgumentsError."""
        return self._judged(self.arguments.model_validate, arguments)

    def judge_texts(self, arguments: Mapping[str, str | Sequence[str]]) -> Arguments:
        """Return arguments that came as texts, in the query of a URL. Raises BadArgumentsError."""
        return self._judged(partial(self.arguments.model_validate, strict=False), arguments)

    def _judged(self, judge: Callable[[Any], Arguments], arguments: Mapping[str, Any]) -> Arguments:
        try:
            return judge(arguments)
        except ValidationError as error:
            reasons = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            raise BadArgumentsError(f"{self.name}: {'; '.join(reasons)}") from error


COMMANDS: dict[str, Command] = {}
"""Every verb by name, in the order in which help lists them."""

F = TypeVar("F", bound=Callable[..., Document])


def _enter(function: F, *, is_query: bool) -> F:
    hints = get_type_hints(function)
    arguments, result = hints["told"], hints["return"]
    name = function.__name__.rstrip("_").replace("_", "-")
    does = (inspect.getdoc(function) or "").partition("\n")[0]
    COMMANDS[name] = Command(name, does, arguments, result, is_query, function)
    return function


def query(function: F) -> F:
    """Enter a verb that only asks."""
    return _enter(function, is_query=True)


def command(function: F) -> F:
    """Enter a verb that does something."""
    return _enter(function, is_query=False)


# --- questions --------------------------------------------------------------------------------------------------------


class Nothing(Arguments):
    """No arguments."""


@query
def state(charger: Charger, clock: RunningClock, told: Nothing) -> responses.Charger:
    """Everything about a charger: what is offered to the car and why it is not more, meters, faults."""
    return views.charger(charger, clock)


class WantedKeys(Arguments):
    key: list[str] = Field([], description="names of keys; none: all of them")


@query
def keys(charger: Charger, clock: RunningClock, told: WantedKeys) -> responses.Keys:
    """Configuration keys with their values; write-only ones and passwords are never told."""
    settings = charger.model.settings
    found = [settings.entry(name) for name in told.key] if told.key else settings.entries()
    return responses.Keys(
        keys=[responses.Key(key=e.key, value=_told(e), readonly=e.readonly) for e in found if e is not None],
        unknown=[name for name in told.key if settings.entry(name) is None],
    )


def _told(entry: Entry) -> str | None:
    """Return the value as it may be shown: a custom key may be a password, or a URL with one."""
    if entry.value is None:
        return None
    return HIDDEN if is_secret_name(entry.key) else masked_text(entry.value)


@query
def queue(charger: Charger, clock: RunningClock, told: Nothing) -> responses.Queue:
    """Transaction messages that wait for the central system, and those that were given up and kept."""
    return views.queue(charger)


@query
def charging_profiles(charger: Charger, clock: RunningClock, told: Nothing) -> responses.ChargingProfiles:
    """The charging profiles as installed, oldest first."""
    try:
        installed = charger.model.feature(SmartCharging).installed
    except LookupError:
        installed = ()
    return responses.ChargingProfiles(profiles=[views.charging_profile(each) for each in installed])


class Last(Arguments):
    last: int = Field(20, ge=1, le=SESSIONS_KEPT, description="how many of them")


@query
def sessions(charger: Charger, clock: RunningClock, told: Last) -> responses.Sessions:
    """The last sessions that have ended: energy, times, and why they ended."""
    return history.sessions(charger.stored(history.KINDS), told.last)


class Days(Arguments):
    days: int = Field(31, ge=1, le=DAYS_KEPT, description="how many of them")


@query
def statistics(charger: Charger, clock: RunningClock, told: Days) -> responses.Statistics:
    """Sessions, energy and hours in use: of ever, and of the last days on which a session ended."""
    return history.statistics(charger.stored(history.KINDS), told.days)


# --- people at the box ------------------------------------------------------------------------------------------------


class PlugIn(Arguments):
    connector: ConnectorNumber = 1
    state: Literal["B", "C"] = Field("C", description="C: the car wants energy; B: it only stands there")
    cable: float | None = Field(None, description="rating of the cable in A: 13, 20, 32 or 63 (sockets only)")


@command
def plug_in(charger: Charger, clock: RunningClock, told: PlugIn) -> CommandResult:
    """Connect the car at both ends of the cable."""
    was_plugged = actions.hands_of(charger.board, told.connector).is_plugged
    actions.plug_in(charger, told.connector, asks=told.state == "C", cable_a=told.cable)
    return CommandResult(done=f"plugged in at connector {told.connector}{' already' if was_plugged else ''}")


class AtConnector(Arguments):
    connector: ConnectorNumber = 1


@command
def unplug(charger: Charger, clock: RunningClock, told: AtConnector) -> CommandResult:
    """Take the cable out at both ends; the end in a locked socket comes out as soon as the lock opens."""
    hands = actions.hands_of(charger.board, told.connector)
    was_plugged = hands.is_plugged
    actions.unplug(charger, told.connector)
    if hands.is_pulling:
        locked = f"the plug is locked in the socket of connector {told.connector} and comes out as soon as the lock opens"
        return CommandResult(done=f"unplugged from the car; {locked}" if was_plugged else locked)
    return CommandResult(done=f"{'unplugged' if was_plugged else 'nothing was plugged in'} at connector {told.connector}")


class EvState(Arguments):
    state: Literal["B", "C", "D"] = Field(description="B: asks for nothing; C: asks; D: asks for ventilation too")
    current: float | None = Field(None, gt=0, le=100, description="the most it takes per phase, in A")
    phases: int | None = Field(None, ge=1, le=3, description="on how many phases")
    connector: ConnectorNumber = 1


@command
def ev_state(charger: Charger, clock: RunningClock, told: EvState) -> CommandResult:
    """Let the plugged car be in state B, C or D, and bound what it takes."""
    actions.car_state(charger, told.connector, told.state, current_a=told.current, phases=told.phases)
    is_plugged = actions.hands_of(charger.board, told.connector).is_plugged
    when = "as soon as the pilot lets it" if is_plugged else "once it is plugged in"
    return CommandResult(done=f"the car at connector {told.connector} goes to {told.state} {when}")


class Swipe(Arguments):
    tag: str = Field(min_length=1, max_length=TAG_LENGTH, description="card number")
    connector: ConnectorNumber | None = Field(None, description="at the reader that serves this connector")


@command
def swipe(charger: Charger, clock: RunningClock, told: Swipe) -> CommandResult:
    """Hold a card to the reader."""
    actions.swipe(charger, told.tag, told.connector)
    return CommandResult(done="the card was held to the reader")


class Fault(Arguments):
    what: str = Field(description="a physical cause such as ground_fault, or an OCPP error code such as GroundFailure")
    connector: ConnectorNumber = 1
    clear_after: float | None = Field(None, gt=0, le=86_400, description="mend it after so many s of charger time")


@command
def fault(charger: Charger, clock: RunningClock, told: Fault) -> CommandResult:
    """Break something, by physical cause or by the OCPP error code it leads to."""
    actions.fault(charger, told.connector, told.what, active=True)
    if told.clear_after is None:
        return CommandResult(done=f"{told.what} at connector {told.connector}")
    charger.act_after(told.clear_after, lambda: actions.fault(charger, told.connector, told.what, active=False))
    return CommandResult(done=f"{told.what} at connector {told.connector}, for {told.clear_after:g} s")


class Cause(AtConnector):
    what: str = Field(description="what `fault` broke")


@command
def mend(charger: Charger, clock: RunningClock, told: Cause) -> CommandResult:
    """Mend what `fault` broke."""
    actions.fault(charger, told.connector, told.what, active=False)
    stays = charger.model.connector(told.connector).stays_until_unplugged
    note = ", but the fault stays until the cable is unplugged" if stays else ""
    return CommandResult(done=f"{told.what} at connector {told.connector} is mended{note}")


# --- what happens to the box ------------------------------------------------------------------------------------------


class Network(Arguments):
    state: Literal["down", "up"]


@command
def network(charger: Charger, clock: RunningClock, told: Network) -> CommandResult:
    """Take the network away, without a closing handshake, or give it back."""
    actions.network(charger, told.state == "up")
    return CommandResult(done=f"network {told.state}")


class PowerCut(Arguments):
    seconds: float = Field(10.0, ge=0, le=86_400, description="for how long, in charger time")


@command
def power_cut(charger: Charger, clock: RunningClock, told: PowerCut) -> CommandResult:
    """Cut the mains of a simulated box; it comes back from what it had stored."""
    actions.power_cut(charger, told.seconds)
    return CommandResult(done=f"dark for {told.seconds:g} s")


# --- the charger's mind -----------------------------------------------------------------------------------------------


class Limit(AtConnector):
    amps: float | None = Field(
        ge=0, le=1000, allow_inf_nan=False, description="per phase; below 6 nothing may flow; null (none): no local limit"
    )


@command
def limit(charger: Charger, clock: RunningClock, told: Limit) -> CommandResult:
    """Bound the current by local control, over restarts too; the least of all limits wins."""
    actions.limit(charger, told.connector, told.amps)
    return CommandResult(done=f"connector {told.connector}: {_limit_text(told.amps)}")


def _limit_text(amps: float | None) -> str:
    if amps is None:
        return "no local limit"
    return f"limited to {amps:g} A by local control" if amps >= MINIMUM_A else "held at 0 A by local control"


@command
def resume(charger: Charger, clock: RunningClock, told: AtConnector) -> CommandResult:
    """Give back what `limit` with 0 A took: the local limit from before, or none."""
    actions.resume(charger, told.connector)
    return CommandResult(done=f"connector {told.connector} is no longer held at 0 A by local control")


class KeySet(Arguments):
    key: str = Field(min_length=1, max_length=50)
    value: str = Field(max_length=500)


@command
def key_set(charger: Charger, clock: RunningClock, told: KeySet) -> responses.KeyChanged:
    """Change a configuration key for good, by the same rules as ChangeConfiguration."""
    actions.check_running(charger)
    status, reason = charger.change_setting(told.key, told.value)
    return responses.KeyChanged(status=status.value, reason=reason)


class Send(Arguments):
    action: str = Field(min_length=1, max_length=50, description="such as Heartbeat; right or wrong, it is sent")
    payload: dict[str, Any] = Field({}, description="as it will stand in the frame")


@command
def send(charger: Charger, clock: RunningClock, told: Send) -> CommandResult:
    """Send a call as it is written, right or wrong; its answer shows among the messages."""
    actions.check_running(charger)
    try:
        payload = json.dumps(told.payload, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise BadArgumentsError("send: payload: a number that JSON does not have") from error
    try:
        charger.send_raw(told.action, payload)
    except ConnectionError as error:
        raise CommandError(str(error)) from error
    return CommandResult(done=f"{told.action} is sent as soon as its turn comes")


class KeptMessage(Arguments):
    key: str = Field(description="as `queue` tells it")


@command
def requeue(charger: Charger, clock: RunningClock, told: KeptMessage) -> CommandResult:
    """Send a message that was given up once more."""
    _settle(charger, told.key, charger.requeue)
    return CommandResult(done=f"message {told.key} waits again")


@command
def dismiss(charger: Charger, clock: RunningClock, told: KeptMessage) -> CommandResult:
    """Give a message that could not be delivered up for good."""
    _settle(charger, told.key, charger.model.queue.dismiss)
    return CommandResult(done=f"message {told.key} is gone")


def _settle(charger: Charger, key: str, deed: Callable[[str], None]) -> None:
    actions.check_running(charger)
    try:
        deed(key)
    except KeyError as error:
        raise NotFoundError(f"no message {key} was given up") from error
