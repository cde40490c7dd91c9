"""Orders typed at the embedded central system: ``RemoteStartTransaction idTag=04A1 connectorId=1 @CP001``.

An order is an action of OCPP 1.6 as the standard spells it, its fields by their names on the wire, and the charger it is
meant for (none needed while only one is connected). A whole payload may also be given as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from chargepoint.model import wire
from chargepoint.model.errors import PeerError
from chargepoint.runtime.central_system import CentralSystem
from hw.errors import ChargePointError


class OrderError(ChargePointError):
    """An order that cannot be sent."""


def parse(line: str) -> tuple[str, Mapping[str, Any], str | None]:
    """Return action, payload and identity (None: not named) of an order. Raises OrderError, with what to try."""
    head, brace, tail = line.strip().partition("{")
    try:
        words = shlex.split(head)
        payload: dict[str, Any] = json.loads(brace + tail) if brace else {}
    except ValueError as error:
        raise OrderError(f"cannot read {line.strip()!r}: {error}") from error
    if not words:
        raise OrderError("an order begins with an action, such as GetConfiguration")
    action, identity = _action(words[0]), None
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if word.startswith("@"):
            identity = word[1:]
        elif equals:
            payload[name] = _value(name, value)
        else:
            raise OrderError(f"{word!r}: write fields as name=value and the charger as @identity")
    return action, payload, identity


def _action(word: str) -> str:
    known = sorted(wire.CALLS_FROM_CENTRAL_SYSTEM)
    for action in known:
        if action.lower() == word.lower():
            return action
    near = get_close_matches(word, known, 1)
    raise OrderError(
        f"no action {word!r}: " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")
    )


_TEXTS = ("idTag", "parentIdTag", "key", "value", "data", "vendorId", "messageId")
"""Fields that are text even when they look like a number."""


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def send(central: CentralSystem, line: str) -> None:
    """Send an order to its charger. Raises OrderError."""
    action, payload, identity = parse(line)
    if action == "GetConfiguration" and isinstance(payload.get("key"), str):
        payload = {"key": payload["key"].split(",")}
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
        raise OrderError(f"{action}: {error.description}") from error
    central.call(identity, request)


async def listen(central: CentralSystem, complain: Callable[[str], None]) -> None:
    """Take orders from stdin, a line each, until it ends; where there is no place to type, end at once."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    rest = b""

    def take() -> None:
        nonlocal rest
        chunk = os.read(descriptor, 65536)
        *lines, rest = (rest + (chunk or b"\n")).split(b"\n")
        for line in filter(bytes.strip, lines):
            try:
                send(central, line.decode(errors="replace"))
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
