"""Orders typed at the embedded central system: ``RemoteStartTransaction idTag=04A1 connectorId=1 @CP001``.

An order is an action of OCPP 1.6 as the standard spells it, its fields by their names on the wire, and the charger it is
meant for (none needed while only one is connected). A value may be JSON, and so may the whole payload. Who typed it is
told the answer in full: the log has a line of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ocpp.v16 import call

from chargepoint.model import wire
from chargepoint.model.errors import PeerError
from chargepoint.model.schemas import shape_of
from chargepoint.model.shapes import Record
from chargepoint.runtime.central_system import Answer, CentralSystem, Failure
from chargepoint.runtime.secrecy import masked, masked_text
from hw.errors import ChargePointError
from hw.words import hint

FORMS = "ACTION name=value … @IDENTITY; a value may be JSON, name={…} or name=[…], and so may all fields: ACTION {…}"
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
_OBJECT = re.compile(r"(?:(\w+)=)?(?=[{\[])")
"""Where a JSON value begins: after a name, or by itself."""
_JSON = json.JSONDecoder()


class OrderError(ChargePointError):
    """An order that cannot be sent."""


def parse(line: str) -> tuple[str, Mapping[str, Any], str | None]:
    """Return action, payload and identity (None: not named) of an order. Raises OrderError, with what to try."""
    try:
        words = list(_words(line.strip()))
    except ValueError as error:
        raise OrderError(f"cannot read {masked_text(line.strip())!r}: {error}; write {FORMS}") from error
    first = words[0][1] if words and not words[0][0] else None
    if not isinstance(first, str):
        raise OrderError(f"an order begins with an action, such as GetConfiguration: {FORMS}")
    action, identity = _action(first), None
    payload: dict[str, Any] = {}
    for name, value in words[1:]:
        if name:
            payload[name] = value
        elif isinstance(value, dict):
            payload.update(value)
        elif isinstance(value, str) and value.startswith("@"):
            identity = value[1:]
        else:
            raise OrderError(f"{value!r} is no field: write {FORMS}")
    return action, payload, identity


def _words(line: str) -> Iterator[tuple[str, Any]]:
    """Yield the words of a line: name and value of a field, or no name. Raises ValueError for what has no end."""
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        begin = _OBJECT.match(line, at)
        if begin is not None and begin[1] not in _TEXTS:
            value, at = _json(line, begin.end())
            yield begin[1] or "", value
            continue
        try:
            at = _json(line, begin.end())[1] if begin is not None else at
        except ValueError:
            begin = None  # a text that begins like JSON
        if begin is not None:
            yield begin[1], line[begin.end() : at]
            continue
        word = _WORD.match(line, at)
        end = len(line) if word is None else word.end()
        (text,) = shlex.split(line[at:end])
        at = end
        name, equals, rest = text.partition("=")
        yield (name, _value(name, rest)) if equals and not text.startswith("@") else ("", text)


def _json(line: str, begin: int) -> tuple[Any, int]:
    """Return the JSON value that begins there, and where it ends. Raises ValueError."""
    value, end = _JSON.raw_decode(line, begin)
    if line[end : end + 1].strip():
        raise ValueError(f"a blank is missing before {line[end:]!r}")
    return value, end


def _action(word: str) -> str:
    known = sorted(wire.CALLS_FROM_CENTRAL_SYSTEM)
    for action in known:
        if action.lower() == word.lower():
            return action
    raise OrderError(f"unknown action {word!r}: {hint(word, known)}")


_TEXTS = ("idTag", "parentIdTag", "key", "value", "data", "vendorId", "messageId")
"""Fields that are text even when they look like a number."""


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def send(central: CentralSystem, line: str, tell: Callable[[str], None]) -> None:
    """Send an order to its charger; its answer is told, in lines. Raises OrderError."""
    action, payload, identity = parse(line)
    if action == "GetConfiguration" and isinstance(payload.get("key"), str):
        payload = {**payload, "key": _keys(payload["key"])}
    connected = [each for each, charger in central.chargers.items() if charger.is_connected]
    if identity is None:
        if len(connected) != 1:
            raise OrderError(f"which charger? add @identity; connected: {', '.join(connected) or 'none'}")
        identity = connected[0]
    elif identity not in connected:
        raise OrderError(f"{identity} is not connected; connected: {', '.join(connected) or 'none'}")
    try:
        request = wire.decode_call(action, payload)
    except PeerError as error:
        raise OrderError(f"{action}: {_misfit(action, payload) or error.description}") from error
    who = identity

    def answered(answer: Answer) -> None:
        for told in answer_lines(who, answer):
            tell(told)

    central.call(identity, request, answered)


def _keys(text: str) -> list[str]:
    """Return the names of GetConfiguration, with commas between them or as a JSON array."""
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    return [str(name) for name in names] if isinstance(names, list) else text.split(",")


def _misfit(action: str, payload: Mapping[str, Any]) -> str:
    """Return which fields are none of this action, with the nearest that is, and which are missing."""
    shape = shape_of(getattr(call, action))
    assert isinstance(shape, Record), action
    known = [member.name for member in shape.members]
    told = []
    for name in payload:
        if name not in known:
            told.append(f"unknown field {name!r}: {hint(name, known)}")
    missing = [each.name for each in shape.members if each.is_required and each.name not in payload]
    if missing:
        told.append(f"missing: {', '.join(missing)}")
    return "; ".join(told)


# --- answers ----------------------------------------------------------------------------------------------------------


def answer_lines(identity: str, answer: Answer) -> Iterator[str]:
    """Yield all that an answer says, for whoever typed the order; secrets are hidden."""
    head = f"{identity} {answer.action}"
    if answer.failure is not None:
        why = [_FAILURES[answer.failure], answer.code, answer.detail]
        yield f"{head}: {' '.join(word for word in why if word)}"
        return
    payload = masked(json.loads(wire.encode_payload(answer.result)))
    lines = list(_TOLD.get(answer.action, _fields)(payload))
    if len(lines) == 1:
        yield f"{head}: {lines[0]}"
    else:
        yield f"{head}:" if lines else f"{head}: done, its answer has no fields"
        yield from (f"    {line}" for line in lines)


_FAILURES = {
    Failure.REFUSED: "refused:",
    Failure.INVALID: "answered, but not as the standard has it:",
    Failure.TIMEOUT: "no answer in time",
    Failure.LOST: "no answer, the connection is gone",
}


def _fields(payload: Mapping[str, Any]) -> Iterator[str]:
    for name, value in payload.items():
        yield f"{name} = {_printed(value)}"


def _printed(value: Any) -> str:
    """A text as it is, unless it would do something to the terminal."""
    is_plain = isinstance(value, str) and value.isprintable()
    return value if is_plain else json.dumps(value)


def _configuration(payload: Mapping[str, Any]) -> Iterator[str]:
    for each in payload.get("configurationKey", ()):
        # A key without a value is one that can only be written, such as AuthorizationKey (OCPP 1.6, 5.8).
        value = f"= {_printed(each['value'])}" if "value" in each else "has no value to show"
        yield f"{_printed(each['key'])} {value}{'  (read-only)' if each.get('readonly') else ''}"
    unknown = payload.get("unknownKey", ())
    if unknown:
        yield f"unknown: {', '.join(map(_printed, unknown))}"


def _composite(payload: Mapping[str, Any]) -> Iterator[str]:
    schedule = payload.get("chargingSchedule", {})
    whole = {name: value for name, value in payload.items() if name != "chargingSchedule"}
    yield from _fields(whole | {name: value for name, value in schedule.items() if name != "chargingSchedulePeriod"})
    for period in schedule.get("chargingSchedulePeriod", ()):
        phases = f", {period['numberPhases']} phases" if "numberPhases" in period else ""
        yield f"from {period['startPeriod']} s: {period['limit']:g} {schedule.get('chargingRateUnit', '')}{phases}"


_TOLD: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "GetConfiguration": _configuration,
    "GetCompositeSchedule": _composite,
}


async def listen(central: CentralSystem, tell: Callable[[str], None], complain: Callable[[str], None]) -> None:
    """Take orders from stdin, a line each, until it ends; where there is no place to type, end at once.

    Answers are told, and orders that cannot be sent complained of.
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    rest = b""

    def take() -> None:
        nonlocal rest
        chunk = os.read(descriptor, 65536)
        *lines, rest = (rest + (chunk or b"\n")).split(b"\n")
        for line in filter(bytes.strip, lines):
            try:
                send(central, line.decode(errors="replace"), tell)
            except OrderError as error:
                complain(str(error))
        if not chunk and not ended.done():
            ended.set_result(None)

    try:
        # Not connect_read_pipe: it makes the terminal non-blocking, for what we print as well.
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, take)
    except (AttributeError, OSError, ValueError):
        return  # closed, a file, or /dev/null, as services have it
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
