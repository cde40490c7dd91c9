"""Commands in one line: ``plug_in; swipe 04A1B2C3; wait_until 2 kWh within 30 min; unplug``.

The words are those of `commands.COMMANDS`, queries excepted. Behind the name stand the required arguments; others follow as
``name=value``, or as ``name value``. A connector is written ``@2``, 1 if none is. ``swipe`` and ``send`` wait for their
outcome.
"""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ocpp.v16.enums import AuthorizationStatus

from chargepoint.model.journal import Entry, TransactionEnded, TransactionNumbered, TransactionStarted
from chargepoint.runtime.charger import Charger, Phase
from hw.words import hint

from . import arguments, causes, commands
from .commands import COMMANDS, Argument, Command, Group
from .dispatcher import CommandDispatcher
from .errors import BadArgumentsError, CommandError, NotFoundError, TimeLimitError
from .responses import CommandResult, KeyChanged, SendResult
from .waiting import finished

log = logging.getLogger(__name__)

USER_S = 1.0
"""Charger time between one thing that a user does and the next: no card is presented before the plug has settled."""
_USER_GROUPS = (Group.VEHICLE, Group.FAULTS)
_WORD = re.compile(r"""(?:[^\s"'\\;]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
_OBJECT = re.compile(r"(\w+=)?(?=[{\[])")
_JSON = json.JSONDecoder()


class ScriptError(BadArgumentsError):
    """A script that cannot be read; nothing of it was done."""


class StepError(CommandError):
    """A step of a script that failed. ``is_timeout``: a time limit ran out."""

    def __init__(self, step: Step, error: CommandError) -> None:
        super().__init__(f"step {step.number}, {step.text}: {error}")
        self.step = step
        self.is_timeout = isinstance(error, TimeLimitError)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script with its checked arguments, and how it was written."""

    number: int
    command: Command
    arguments: Mapping[str, Any]
    text: str


# --- reading ----------------------------------------------------------------------------------------------------------


def parse(line: str) -> tuple[Step, ...]:
    """Return the steps of a script. Raises ScriptError for one that is none, with the nearest word or what is expected."""
    steps: list[Step] = []
    try:
        for words in _steps(line):
            steps.append(_step(len(steps) + 1, words))
    except (BadArgumentsError, NotFoundError, ValueError) as error:
        raise ScriptError(str(error)) from error
    return tuple(steps)


def _steps(line: str) -> Iterator[list[str]]:
    """Yield the words of each step. A JSON value is one word; quotes hold words together. Raises ValueError."""
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at] == ";":
            if words:
                yield words
            words = []
            at += 1
        elif line[at].isspace():
            at += 1
        elif (begin := _OBJECT.match(line, at)) is not None:
            _value, end = _JSON.raw_decode(line, begin.end())
            words.append(line[at:end])
            at = end
        else:
            found = _WORD.match(line, at)
            if found is None:
                raise ValueError(f"a quote without its end: {line[at:]}")
            words += shlex.split(found[0])
            at = found.end()
    if words:
        yield words


def _step(number: int, words: Sequence[str]) -> Step:
    text = " ".join(words)
    connector = next((word[1:] for word in words if re.fullmatch(r"@[0-9]{1,2}", word)), None)
    name, *rest = [word for word in words if not re.fullmatch(r"@[0-9]{1,2}", word)] or [""]
    if not name:
        raise ScriptError(f"{text!r} names a connector and no command")
    command = commands.find(name)
    if command.is_query:
        raise ScriptError(f"{command.script_name} is a query: a script holds commands that do something")
    warning = commands.renamed(name)
    if warning is not None:
        log.warning("%s", warning)
    given: dict[str, Any] = {}
    if connector is not None:
        if command.argument("connector") is None:
            raise ScriptError(f"{command.script_name} has no connector, got @{connector}")
        given["connector"] = int(connector)
    for argument, word in _assigned(command, rest):
        try:
            given[argument.name] = arguments.read(argument, word)
        except ValueError as error:
            raise ScriptError(f"{command.script_name}: {argument.name}: {error}") from error
    if command.argument("wait") is not None:
        given.setdefault("wait", True)
    checked = arguments.check(command, given)
    if command.name in ("fault", "clear-fault"):
        known = [*causes.BY_NAME, *causes.CAUSES_OF_ERROR_CODE]
        if checked["what"] not in known:
            raise ScriptError(f"unknown fault {checked['what']!r}: {hint(checked['what'], known)}")
    return Step(number, command, checked, text)


def _assigned(command: Command, words: Sequence[str]) -> Iterator[tuple[Argument, str]]:
    """Yield each argument with its text: the positional ones in their order, then those that are named.

    A quantity may be two words, ``2 kWh``.
    """
    positional = [each for each in command.arguments if each.is_required or each.is_positional]
    by_name = {each.name: each for each in command.arguments}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        plain = name.replace("-", "_")
        is_named = plain in by_name and (bool(equals) or (bool(rest) and not any(each.is_required for each in positional)))
        if is_named:
            argument = by_name[plain]
            value = value if equals else rest.pop(0)
        elif positional:
            argument, value = positional.pop(0), word
        else:
            takes = ", ".join(each.name for each in command.arguments) or "no argument"
            raise ScriptError(f"{command.script_name} does not take {word!r}: it takes {takes}; a connector is written @2")
        if argument in positional:
            positional.remove(argument)
        if argument.kind in arguments.UNITS and rest and rest[0] in arguments.UNITS[argument.kind]:
            value = f"{value} {rest.pop(0)}"
        yield argument, value


# --- playing ----------------------------------------------------------------------------------------------------------


class Play:
    """A script that is being done at one charger, and what it has heard of transactions."""

    def __init__(self, dispatcher: CommandDispatcher, charger: Charger) -> None:
        self._dispatcher = dispatcher
        self._charger = charger
        self._step: Step | None = None
        self._swipe: Step | None = None
        self._started_s: dict[str, float] = {}
        self._refused: str | None = None
        self._ended: list[_Ended] = []

    def hear(self, charger: Charger) -> None:
        """Follow the journal of a charger; add it to `Charger.on_rebuilt`."""
        charger.model.journal.listen(self._listen)

    def _listen(self, _identity: str, now_s: float, entry: Entry) -> None:
        if isinstance(entry, TransactionStarted):
            self._started_s[entry.key] = now_s
        elif isinstance(entry, TransactionNumbered):
            if entry.status != AuthorizationStatus.accepted:
                self._refused = entry.status
            self._ended = [
                each._replace(transaction_id=entry.transaction_id) if each.key == entry.key else each
                for each in self._ended
            ]
        elif isinstance(entry, TransactionEnded):
            begun_s = self._started_s.pop(entry.key, now_s)
            ended = _Ended(entry.key, entry.transaction_id, entry.reason, entry.energy_wh, now_s - begun_s)
            self._ended.append(ended)

    async def run(self, steps: Sequence[Step]) -> None:
        """Do the steps one after another. Raises StepError for the first that fails."""
        has_acted = False
        for step in steps:
            self._step = step
            is_user = step.command.group in _USER_GROUPS
            if has_acted and is_user:
                await finished(self._dispatcher.do(COMMANDS["wait"], self._charger, {"seconds": USER_S}))
            has_acted = is_user
            if step.command.name == "swipe":
                self._swipe = step
            try:
                _check(await finished(self._dispatcher.run(step.command, self._charger, step.arguments)))
            except CommandError as error:
                raise StepError(step, error) from error
            refusal = self.refusal()
            if refusal is not None:
                raise refusal
        self._step = None

    def refusal(self) -> StepError | None:
        """Return the refusal of a card that came with the answer to StartTransaction; None if there was none, or if it
        was expected.
        """
        swipe = self._swipe
        if self._refused is None or swipe is None or swipe.arguments["expect"] == "refused":
            return None
        return StepError(swipe, CommandError(f"the answer to StartTransaction refuses the card: {self._refused}"))

    def unfinished(self, duration_s: float | None) -> CommandError:
        """Return the error of a script whose program ended: after this long, or None for a signal."""
        if duration_s is None:
            error = CommandError("the program was ended")
        else:
            error = TimeLimitError(f"not done within the {duration_s:g} s of --duration")
        return error if self._step is None else StepError(self._step, error)

    @property
    def running(self) -> list[int]:
        """Connectors with a transaction."""
        if self._charger.phase is not Phase.RUNNING:
            return []
        return [each.number for each in self._charger.model.connectors if each.transaction is not None]

    @property
    def summary(self) -> str:
        """What came of it in a few words: the transactions that have ended, and what was not delivered."""
        told = [str(each) for each in self._ended] or ["no transaction"]
        queued = len(self._charger.model.queue)
        if queued:
            told.append(f"{queued} message{'s' if queued > 1 else ''} not delivered yet")
        return "; ".join(told)


class _Ended(NamedTuple):
    """A transaction that has ended; ``duration_s`` in charger time."""

    key: str
    transaction_id: int | None
    reason: str
    energy_wh: int
    duration_s: float

    def __str__(self) -> str:
        named = "not numbered by the central system" if self.transaction_id is None else str(self.transaction_id)
        minutes, seconds = divmod(round(self.duration_s), 60)
        return f"transaction {named}: {self.energy_wh / 1000:.2f} kWh in {minutes} min {seconds} s, ended {self.reason}"


def _check(result: object) -> None:
    """Raises CommandError for a result that refuses."""
    if isinstance(result, SendResult) and result.is_refused:
        raise CommandError(result.done)
    if isinstance(result, KeyChanged) and result.status in ("Rejected", "NotSupported"):
        raise CommandError(f"{result.status}: {result.reason}" if result.reason else result.status)
    if isinstance(result, CommandResult):
        log.debug("%s", result.done)


async def play(steps: Sequence[Step], charger: Charger, dispatcher: CommandDispatcher) -> None:
    """Do the steps one after another. Raises StepError for the first that fails."""
    await Play(dispatcher, charger).run(steps)
