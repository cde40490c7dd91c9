"""The one table of commands: what can be asked of a charger and done to it, by every way there is.

HTTP, ``chargepoint ctl``, JSON lines and ``run --do`` are made from `COMMANDS`, so none of them knows a command, a name or
an argument that the others lack. A command is written ``plug-in`` or ``plug_in``. This is plain data, cheap to import: the
client ``ctl`` needs it and nothing of a charger. `arguments` checks and reads the values, `actions` and `queries` hold what
each command does, `dispatcher` joins the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from hw.words import hint

from .errors import NotFoundError


class Group(Enum):
    """Commands that belong together; help lists them in this order."""

    VEHICLE = "Vehicle and user"
    FAULTS = "Faults and outages"
    CHARGER = "Charger"
    WAITING = "Waiting"
    QUERIES = "Queries"


class Kind(Enum):
    """What the values of an argument are. Quantities may be written with a unit; a plain number is in the first one."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    CURRENT = "a current in A"
    DURATION = "a duration such as 90 s, 5 min or 2 h"
    ENERGY = "an energy such as 500 Wh or 2 kWh"
    GOAL = "an energy such as 500 Wh or 2 kWh, or a state of charge such as 80 %"
    PERCENT = "a percentage such as 80 %"
    TEXT = "a text"
    WORD = "one of some words"
    FLAG = "true or false"
    OBJECT = "a JSON object"
    TEXTS = "a list of texts"


REQUIRED: Any = ...
"""The default of an argument that has none."""


class Argument(NamedTuple):
    """One argument of a command. ``minimum`` and ``maximum`` bound a number, or the length of a text; both inclusive."""

    name: str
    kind: Kind
    what: str
    default: Any = REQUIRED
    minimum: float | None = None
    maximum: float | None = None
    words: tuple[str, ...] = ()
    is_nullable: bool = False
    is_positional: bool = False
    """In a script it may be written without its name, although it has a default."""
    excludes_minimum: bool = False

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


class Command(NamedTuple):
    """One entry of the table."""

    name: str
    group: Group
    what: str
    arguments: tuple[Argument, ...] = ()
    details: str = ""

    @property
    def is_query(self) -> bool:
        """Whether it changes nothing."""
        return self.group is Group.QUERIES

    @property
    def script_name(self) -> str:
        """The name as scripts and Python write it."""
        return self.name.replace("-", "_")

    def argument(self, name: str) -> Argument | None:
        """Return an argument by its name, None if the command has none of that name."""
        return next((each for each in self.arguments if each.name == name), None)


_CONNECTOR = Argument("connector", Kind.INTEGER, "connector, numbered from 1", 1, 1, 99)
_WHAT = Argument("what", Kind.TEXT, "a physical cause such as ground_fault, or an OCPP error code such as GroundFailure")
_WAIT = Argument("wait", Kind.FLAG, "finish only when the central system has answered", False)
_WITHIN_ANSWER = Argument(
    "within", Kind.DURATION, "limit of waiting for the answer, in wall time", 60.0, 0, 86_400, excludes_minimum=True
)
_MESSAGE = Argument("key", Kind.TEXT, "as `queue` shows it")

_ALL = (
    Command(
        "plug-in",
        Group.VEHICLE,
        "Connect the vehicle at both ends of the cable.",
        (
            _CONNECTOR,
            Argument(
                "state", Kind.WORD, "C: the vehicle wants energy; B: it is connected only", "C", words=("B", "C")
            ),
            Argument("cable", Kind.CURRENT, "rating of the cable in A: 13, 20, 32 or 63 (sockets only)", None),
            Argument("soc", Kind.PERCENT, "state of charge in % with which the vehicle arrives", None, 0, 100),
            Argument("model", Kind.TEXT, "model of the vehicle, such as bev_1p32", None, 1, 50),
        ),
    ),
    Command(
        "unplug",
        Group.VEHICLE,
        "Unplug the cable at both ends; the end in a locked socket comes out as soon as the lock opens.",
        (_CONNECTOR,),
    ),
    Command(
        "swipe",
        Group.VEHICLE,
        "Present a card to the reader.",
        (
            Argument("tag", Kind.TEXT, "card number", minimum=1, maximum=20),
            Argument(
                "connector", Kind.INTEGER, "at the reader that serves this connector", None, 1, 99, is_nullable=True
            ),
            _WAIT,
            _WITHIN_ANSWER,
            Argument(
                "expect",
                Kind.WORD,
                "what is to become of the card; the other one is an error",
                "accepted",
                words=("accepted", "refused"),
            ),
        ),
        "A card that is refused at once is an error; whether the central system accepts it is known with `wait` only.",
    ),
    Command(
        "ev-state",
        Group.VEHICLE,
        "Set the state of the connected vehicle, and limit its current.",
        (
            Argument(
                "state",
                Kind.WORD,
                "B: connected, asks for no energy; C: asks for energy; D: asks for ventilation too",
                words=("B", "C", "D"),
            ),
            Argument("current", Kind.CURRENT, "limit per phase, in A", None, 0, 100, excludes_minimum=True),
            Argument("phases", Kind.INTEGER, "number of phases that it uses", None, 1, 3),
            _CONNECTOR,
        ),
        "This is the vehicle pausing (B) and continuing (C); `pause` and `unpause` are the charger's side.",
    ),
    Command(
        "fault",
        Group.FAULTS,
        "Cause a fault, by physical cause or by the OCPP error code it leads to.",
        (
            _WHAT,
            _CONNECTOR,
            Argument(
                "clear_after",
                Kind.DURATION,
                "remove the cause after this charger time; a latched fault stays until the cable is unplugged",
                None,
                0,
                86_400,
                excludes_minimum=True,
            ),
        ),
    ),
    Command(
        "clear-fault",
        Group.FAULTS,
        "Remove a cause that `fault` set; a latched fault stays until the cable is unplugged, or until `confirm-repair`.",
        (Argument("what", Kind.TEXT, "cause or error code, as given to `fault`"), _CONNECTOR),
    ),
    Command(
        "power-loss",
        Group.FAULTS,
        "Cut the mains of a simulated charger; it starts again from what it has stored.",
        (
            Argument(
                "seconds", Kind.DURATION, "for how long, in charger time", 10.0, 0, 86_400, is_positional=True
            ),
        ),
    ),
    Command(
        "network",
        Group.FAULTS,
        "Take the network away, without a closing handshake, or give it back.",
        (Argument("state", Kind.WORD, "down or up", words=("down", "up")),),
    ),
    Command(
        "limit",
        Group.CHARGER,
        "Set a local current limit, kept over restarts; the lowest of all limits applies.",
        (
            Argument(
                "amps",
                Kind.CURRENT,
                "in A per phase; below 6 no energy flows until `unpause`; null (none): no local limit",
                minimum=0,
                maximum=1000,
                is_nullable=True,
            ),
            _CONNECTOR,
        ),
    ),
    Command(
        "pause",
        Group.CHARGER,
        "Let the charger offer 0 A by local control (SuspendedEVSE), kept over restarts, until `unpause`.",
        (_CONNECTOR,),
    ),
    Command(
        "unpause",
        Group.CHARGER,
        "End `pause`: the local limit from before applies again, or none.",
        (_CONNECTOR,),
    ),
    Command(
        "confirm-repair",
        Group.CHARGER,
        "Clear the faults of a connector that are latched until service; refused while their cause is still seen.",
        (_CONNECTOR,),
        "For the technician who has repaired the outlet. The central system cannot clear such a fault.",
    ),
    Command(
        "key-set",
        Group.CHARGER,
        "Change a configuration key permanently, by the rules of ChangeConfiguration.",
        (
            Argument("key", Kind.TEXT, "name of the key", minimum=1, maximum=50),
            Argument("value", Kind.TEXT, "new value", maximum=500),
        ),
    ),
    Command(
        "send",
        Group.CHARGER,
        "Send a call as written, valid or not.",
        (
            Argument("action", Kind.TEXT, "such as Heartbeat; valid or not, it is sent", minimum=1, maximum=50),
            Argument("payload", Kind.OBJECT, "sent as it is", {}, is_positional=True),
            _WAIT,
            _WITHIN_ANSWER,
        ),
        "With `wait` the result holds the answer; a CALLERROR, or a status that refuses, is a failure.",
    ),
    Command("requeue", Group.CHARGER, "Send an undelivered message again.", (_MESSAGE,)),
    Command("dismiss", Group.CHARGER, "Discard an undelivered message permanently.", (_MESSAGE,)),
    Command(
        "wait",
        Group.WAITING,
        "Let charger time pass.",
        (Argument("seconds", Kind.DURATION, "how long, in charger time", minimum=0, maximum=31 * 86_400),),
    ),
    Command(
        "wait-until",
        Group.WAITING,
        "Wait until the transaction at a connector has this much energy, or its simulated vehicle is charged so far.",
        (
            Argument("energy", Kind.GOAL, "energy of the transaction, or state of charge", minimum=0, maximum=1_000_000),
            _CONNECTOR,
            Argument(
                "within", Kind.DURATION, "limit of waiting, in charger time", None, 0, 31 * 86_400, excludes_minimum=True
            ),
        ),
        "An error when it can no longer happen: the transaction has ended, no vehicle is connected, or it does not charge "
        "as far as that. A vehicle that is full never gets to an energy: give a limit. 100 % is what the vehicle takes for "
        "full.",
    ),
    Command("state", Group.QUERIES, "Everything about a charger: what is offered and what limits it, meters, faults."),
    Command(
        "keys",
        Group.QUERIES,
        "Configuration keys with their values; write-only ones and passwords are never shown.",
        (Argument("key", Kind.TEXTS, "names of keys; none: all of them", ()),),
    ),
    Command("queue", Group.QUERIES, "Transaction messages that wait for the central system, and undelivered ones."),
    Command("charging-profiles", Group.QUERIES, "The installed charging profiles, oldest first."),
    Command(
        "sessions",
        Group.QUERIES,
        "The last sessions that have ended: energy, times, and why they ended.",
        (Argument("last", Kind.INTEGER, "how many", 20, 1, 200),),
    ),
    Command(
        "statistics",
        Group.QUERIES,
        "Sessions, energy and hours in use: all-time totals, and totals of the last days with sessions.",
        (Argument("days", Kind.INTEGER, "how many", 31, 1, 400),),
    ),
)

COMMANDS: dict[str, Command] = {command.name: command for command in _ALL}
"""Every command by name, in the order in which help lists them."""

ALIASES = {"mend": "clear-fault", "power-cut": "power-loss", "resume": "unpause"}
"""Names of earlier releases; each is accepted with a warning."""


def find(name: str) -> Command:
    """Return a command by its name, with ``-`` or ``_``, or by an earlier one. Raises NotFoundError, with the nearest."""
    dashed = name.replace("_", "-")
    found = COMMANDS.get(ALIASES.get(dashed, dashed))
    if found is None:
        raise NotFoundError(f"unknown command {name!r}: {hint(name, COMMANDS)}")
    return found


def renamed(name: str) -> str | None:
    """Return the warning for a name of earlier releases, None for any other name."""
    current = ALIASES.get(name.replace("_", "-"))
    return None if current is None else f"{name} is called {current} now; the old name will be removed"


def in_groups() -> Iterator[tuple[Group, list[Command]]]:
    """Yield the groups with their commands, in the order of help."""
    for group in Group:
        yield group, [command for command in _ALL if command.group is group]


def script_lines() -> list[str]:
    """Return the words of scripts, in groups."""
    lines = []
    for group, members in in_groups():
        if group is Group.QUERIES:
            continue
        lines.append(f"{group.value}:")
        lines += [f"  {usage(command):<40} {command.what}" for command in members]
    return lines


def usage(command: Command) -> str:
    """Return how a command is written in a script: its name and its required arguments."""
    words = [
        "|".join(each.words) if each.kind is Kind.WORD else each.name.upper()
        for each in command.arguments
        if each.is_required or each.is_positional
    ]
    return " ".join([command.script_name, *words])
