"""What people do at a simulated box, in one line: ``plug_in; swipe 04A1B2C3; wait 10 min; unplug``.

The verbs are those of scenarios. Times are charger time; connectors are named by ``@2``, 1 if none is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from chargepoint.runtime.charger import Charger
from chargepoint.runtime.clock import RunningClock
from hw.sim.faults import NAMES

from . import actions, views
from .actions import CommandError

_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_UNITS_WH = {"Wh": 1.0, "kWh": 1000.0}
_CAUSES = (*NAMES, *actions.CAUSES_OF_ERROR_CODE)
LOOK_S = 1.0
"""How often a condition is looked at, in charger time."""
PERSON_S = 1.0
"""What a person needs between one deed and the next, in charger time: no card is held up before the plug has settled."""
_DEEDS = frozenset({"plug_in", "unplug", "swipe", "pause", "resume", "fault", "mend"})


class ScriptError(CommandError):
    """A line of verbs that cannot be done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One verb with its argument, at one connector."""

    verb: str
    argument: str
    connector: int


def _quantity(text: str, units: dict[str, float]) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2] not in units:
        raise ScriptError(f"{text!r} is no quantity: write it like 10{next(iter(units))} or 2 {list(units)[-1]}")
    return float(match[1]) * units[match[2]]


VERBS: dict[str, str] = {
    "plug_in": "connect the car",
    "unplug": "take the cable out",
    "swipe": "hold a card to the reader: swipe TAG",
    "pause": "the car stops asking for energy",
    "resume": "the car asks again",
    "fault": "break something: fault CAUSE",
    "mend": "mend it: mend CAUSE",
    "network": "network down | network up",
    "wait": "let time pass: wait 10 min",
    "wait_until": "until the session has got so much: wait_until 2 kWh",
}


def parse(line: str) -> tuple[Step, ...]:
    """Return the steps of a line. Raises ScriptError, with the nearest verb, for one that is none."""
    steps = []
    for part in filter(None, (each.strip() for each in line.split(";"))):
        words = part.split()
        connector = 1
        if words[-1].startswith("@") and words[-1][1:].isdigit():
            connector = int(words.pop()[1:])
        if not words:
            raise ScriptError(f"{part!r} names a connector and nothing to do there")
        verb, argument = words[0].replace("-", "_"), " ".join(words[1:])
        if verb not in VERBS:
            near = get_close_matches(verb, VERBS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VERBS)}"
            raise ScriptError(f"{verb!r} is no verb: {hint}")
        if verb == "wait":
            _quantity(argument, _UNITS_S)
        elif verb == "wait_until":
            _quantity(argument, _UNITS_WH)
        elif verb in ("swipe", "fault", "mend") and not argument:
            raise ScriptError(f"{verb} needs an argument: {VERBS[verb]}")
        elif verb in ("fault", "mend") and argument not in _CAUSES:
            # Which of them a box has, it says itself.
            near = get_close_matches(argument, _CAUSES, 3, cutoff=0.0)
            raise ScriptError(f"{argument!r} is no cause: did you mean {', '.join(near[:-1])} or {near[-1]}?")
        elif verb == "network" and argument not in ("down", "up"):
            raise ScriptError("network takes down or up")
        elif verb in ("plug_in", "unplug", "pause", "resume") and argument:
            raise ScriptError(f"{verb} takes no argument, got {argument!r}: a connector is named like @2")
        steps.append(Step(verb, argument, connector))
    return tuple(steps)


async def play(steps: Sequence[Step], charger: Charger, clock: RunningClock) -> None:
    """Do the steps one after another. Raises CommandError for what this box cannot do."""
    acted = False
    for step in steps:
        if acted and step.verb in _DEEDS:
            await asyncio.sleep(PERSON_S / clock.speed)
        acted = step.verb in _DEEDS
        if step.verb == "wait":
            await asyncio.sleep(_quantity(step.argument, _UNITS_S) / clock.speed)
        elif step.verb == "wait_until":
            wanted_wh = _quantity(step.argument, _UNITS_WH)
            while _session_wh(charger, step.connector, clock) < wanted_wh:  # noqa: ASYNC110 - a meter reports nothing
                await asyncio.sleep(LOOK_S / clock.speed)
        else:
            _do(step, charger)


def _session_wh(charger: Charger, number: int, clock: RunningClock) -> float:
    actions.check_connector(charger.board, number)
    shown = views.reading(charger, number, clock.charge_s())
    return views.session_wh(charger.model.connector(number), shown)


def _do(step: Step, charger: Charger) -> None:
    match step.verb:
        case "plug_in":
            actions.plug_in(charger, step.connector)
        case "unplug":
            actions.unplug(charger, step.connector)
        case "swipe":
            actions.swipe(charger, step.argument, step.connector)
        case "pause" | "resume":
            actions.pause(charger, step.connector, step.verb == "pause")
        case "fault" | "mend":
            actions.fault(charger, step.connector, step.argument, step.verb == "fault")
        case "network":
            actions.network(charger, step.argument == "up")
