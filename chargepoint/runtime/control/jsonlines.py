"""JSON lines on standard input and output: the commands for programs in any language.

A request is one line, ``{"id": 1, "command": "plug-in", "charger": "CP001", "arguments": {"connector": 1}}``; ``id`` may be
anything and comes back, ``charger`` may be left out when there is only one. An answer is one line, ``{"id": 1,
"result": {...}}`` or ``{"id": 1, "error": {"kind": "...", "reason": "..."}}``. Answers come in the order of the requests,
but for commands that wait: each of these is answered when it is done, others meanwhile. ``{"command": "events",
"arguments": {"after": 0}}`` turns on lines ``{"event": {...}}``; ``{"command": "chargers"}`` and ``{"command":
"commands"}`` list what there is. The member ``verb`` is an earlier name of ``command``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import arguments
from .commands import COMMANDS
from .dispatcher import CommandDispatcher
from .errors import BadArgumentsError, CommandError
from .jsontext import read_json
from .responses import Document
from .waiting import Waiting

LONGEST = 1_000_000
"""Characters of a request; a longer line is refused."""


class JsonLines:
    """Answers one line at a time; ``follows`` is the number of the last event told, None while nobody wants any."""

    def __init__(self, dispatcher: CommandDispatcher) -> None:
        self._dispatcher = dispatcher
        self._waiting: set[Waiting] = set()
        self.follows: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._waiting)

    def answer(self, line: str, write: Callable[[str], None]) -> None:
        """Write the answer to one line, without its end: now, or later for a command that waits.

        Never raises for what stands in the line. ``write`` must not raise and not act on a charger.
        """
        name: Any = None
        try:
            request = _request(line)
            name = request.get("id")
            result = self._do(request)
            if isinstance(result, Waiting):
                self._answer_later(name, result, write)
                return
            write(_line({"id": name, "result": result}))
        except CommandError as error:
            write(_refused(name, error))

    def _answer_later(self, name: Any, waiting: Waiting, write: Callable[[str], None]) -> None:
        def done() -> None:
            self._waiting.discard(waiting)
            try:
                write(_line({"id": name, "result": waiting.result().model_dump(mode="json")}))
            except CommandError as error:
                write(_refused(name, error))

        self._waiting.add(waiting)
        waiting.when_done(done)

    def cancel(self) -> None:
        """Wait for nothing any more: what waits is answered with an error."""
        for waiting in list(self._waiting):
            waiting.cancel()

    def _do(self, request: dict[str, Any]) -> Any:
        name, charger = request.get("command", request.get("verb")), request.get("charger")
        given = request.get("arguments", {})
        if not isinstance(name, str):
            raise BadArgumentsError("a request needs a command")
        if charger is not None and not isinstance(charger, str):
            raise BadArgumentsError("charger must be a text")
        if not isinstance(given, dict):
            raise BadArgumentsError("arguments must be an object")
        if name == "chargers":
            return self._dispatcher.all_summaries().model_dump(mode="json")
        if name in ("commands", "verbs"):
            return {each.name: arguments.schema(each) for each in COMMANDS.values()}
        if name == "events":
            return self._follow(given)
        command = self._dispatcher.command(name)
        result = self._dispatcher.do(command, self._dispatcher.charger(charger), given)
        return result.model_dump(mode="json") if isinstance(result, Document) else result

    def _follow(self, given: dict[str, Any]) -> dict[str, Any]:
        after = given.get("after", 0)
        if not isinstance(after, int) or isinstance(after, bool) or after < 0 or given.keys() - {"after"}:
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
    unknown = request.keys() - {"id", "command", "verb", "charger", "arguments"}
    if unknown:
        raise BadArgumentsError(f"unknown {sorted(unknown)[0]!r} in a request")
    return request


def _refused(name: Any, error: CommandError) -> str:
    return _line({"id": name, "error": {"kind": error.kind, "reason": str(error)}})


def _line(answer: dict[str, Any]) -> str:
    # In ASCII: an id that is half a surrogate pair comes back as it was, on any output.
    return json.dumps(answer, separators=(",", ":"), allow_nan=False)
