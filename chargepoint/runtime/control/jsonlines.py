"""JSON lines on standard input and output: the verbs for programs in any language.

A request is one line, ``{"id": 1, "verb": "plug-in", "charger": "CP001", "arguments": {"connector": 1}}``; ``id`` may be
anything and comes back, ``charger`` may be left out when there is only one. An answer is one line, ``{"id": 1,
"result": {...}}`` or ``{"id": 1, "error": {"kind": "...", "reason": "..."}}``. ``{"verb": "events", "arguments": {"after":
0}}`` turns on lines ``{"event": {...}}``; ``{"verb": "chargers"}`` and ``{"verb": "verbs"}`` list what there is.
"""

from __future__ import annotations

import json
import math
from typing import Any

from chargepoint.runtime.control.actions import CommandError, RealHardwareError

from .commands import COMMANDS, BadArgumentsError, NotFoundError
from .dispatcher import CommandDispatcher

LONGEST = 1_000_000
"""Characters of a request; a longer line is refused."""


def kind_of(error: CommandError) -> str:
    """Return the word for what went wrong that every way to the verbs uses."""
    match error:
        case NotFoundError():
            return "not-found"
        case BadArgumentsError():
            return "bad-arguments"
        case RealHardwareError():
            return "forbidden"
    return "conflict"


class JsonLines:
    """Answers one line at a time; ``follows`` is the number of the last event told, None while nobody wants any."""

    def __init__(self, desk: CommandDispatcher) -> None:
        self._desk = desk
        self.follows: int | None = None

    def answer(self, line: str) -> str:
        """Return the answer to one line, without its end. It never raises for what stands in the line."""
        name: Any = None
        try:
            request = _request(line)
            name = request.get("id")
            return _line({"id": name, "result": self._do(request)})
        except CommandError as error:
            return _line({"id": name, "error": {"kind": kind_of(error), "reason": str(error)}})

    def _do(self, request: dict[str, Any]) -> Any:
        verb, charger = request.get("verb"), request.get("charger")
        arguments = request.get("arguments", {})
        if not isinstance(verb, str):
            raise BadArgumentsError("a request needs a verb")
        if charger is not None and not isinstance(charger, str):
            raise BadArgumentsError("charger must be a text")
        if not isinstance(arguments, dict):
            raise BadArgumentsError("arguments must be an object")
        if verb == "chargers":
            return self._desk.all_summaries().model_dump(mode="json")
        if verb == "verbs":
            return {each.name: each.arguments.model_json_schema() for each in COMMANDS.values()}
        if verb == "events":
            return self._follow(arguments)
        found = self._desk.verb(verb)
        return self._desk.do(found, self._desk.charger(charger), found.judge(arguments)).model_dump(mode="json")

    def _follow(self, arguments: dict[str, Any]) -> dict[str, Any]:
        after = arguments.get("after", 0)
        if not isinstance(after, int) or isinstance(after, bool) or after < 0 or arguments.keys() - {"after"}:
            raise BadArgumentsError("events: after must be the number of an event, 0 for all that are kept")
        self.follows = after
        return {"after": after}


def _request(line: str) -> dict[str, Any]:
    if len(line) > LONGEST:
        raise BadArgumentsError(f"a line of more than {LONGEST} characters")
    try:
        request = read_json(line)
    except (ValueError, RecursionError) as error:
        raise BadArgumentsError(f"not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadArgumentsError("a request is a JSON object")
    unknown = request.keys() - {"id", "verb", "charger", "arguments"}
    if unknown:
        raise BadArgumentsError(f"unknown {sorted(unknown)[0]!r} in a request")
    return request


def _line(answer: dict[str, Any]) -> str:
    # In ASCII: an id that is half a surrogate pair comes back as it was, on any output.
    return json.dumps(answer, separators=(",", ":"), allow_nan=False)


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError, also for numbers that JSON does not have, and RecursionError."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        _no_number(word)
    return number


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")
