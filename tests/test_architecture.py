"""The import arrows point down, and each outside library comes in by one door.

        chargepoint.cli
               │
        chargepoint.runtime ──────────┐            awaits, opens, sleeps
               │                      │
            profiles                  │            what OCPP demands; one feature profile never imports another
               │                      │
        chargepoint.model      the rest of hw      decides, never waits  ·  a wire, or a model of one
               │                      │
        hw.ports  hw.errors  hw.document           values, Protocols, errors, strict YAML

A module imports from its own room and from those that an arrow leads down to, however far. The two columns never meet:
`profiles` and the model know no driver, `hw` knows no OCPP. Every import statement counts, also one in a function or
under `TYPE_CHECKING`. Single calls that would let time or chance in are ruff's business (banned-api in pyproject.toml).
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("chargepoint", "hw", "profiles")


# --- the plan ---------------------------------------------------------------------------------------------------------


class Room(StrEnum):
    """A set of modules with the same rights; the value is how a failure calls it."""

    GROUND = "hw.ports, hw.errors and hw.document"
    PACKAGE = "the package chargepoint itself"  # a version; every import below it passes through, so it imports nothing
    MODEL = "chargepoint.model"
    PROFILES = "profiles"
    HARDWARE = "the rest of hw"
    RUNTIME = "chargepoint.runtime"
    CLI = "chargepoint.cli"


ROOMS = {
    "chargepoint": Room.PACKAGE,
    "chargepoint.__main__": Room.CLI,
    "chargepoint.cli": Room.CLI,
    "chargepoint.model": Room.MODEL,
    "chargepoint.runtime": Room.RUNTIME,
    "hw": Room.HARDWARE,
    "hw.binding": Room.GROUND,  # binding, node and section are parts of the strict document
    "hw.document": Room.GROUND,
    "hw.errors": Room.GROUND,
    "hw.node": Room.GROUND,
    "hw.ports": Room.GROUND,
    "hw.section": Room.GROUND,
    "hw.units": Room.GROUND,
    "hw.words": Room.GROUND,
    "profiles": Room.PROFILES,
}
"""The room of a module is that of the longest entry its name begins with."""

MAY_IMPORT: dict[Room, tuple[Room, ...]] = {
    Room.GROUND: (),
    Room.PACKAGE: (),
    Room.MODEL: (Room.GROUND, Room.PACKAGE),
    Room.PROFILES: (Room.GROUND, Room.PACKAGE, Room.MODEL),
    Room.HARDWARE: (Room.GROUND,),
    Room.RUNTIME: (Room.GROUND, Room.PACKAGE, Room.MODEL, Room.PROFILES, Room.HARDWARE),
    Room.CLI: (Room.GROUND, Room.PACKAGE, Room.MODEL, Room.PROFILES, Room.HARDWARE, Room.RUNTIME),
}

DOORS = {
    "aiomqtt": ("chargepoint.runtime.mqtt.bridge",),
    "asyncssh": ("chargepoint.runtime.sftp",),
    "paho": ("chargepoint.runtime.mqtt.bridge",),
    "prometheus_client": ("chargepoint.runtime.web",),
    "pydantic": ("chargepoint.runtime.control", "chargepoint.runtime.web.openapi"),
    "pymodbus": ("hw.serial.modbus",),
    "rich": ("chargepoint.cli",),
    "ruamel": ("hw.document",),
    "segno": ("chargepoint.runtime.web.qr",),
    "serial": ("hw.serial.line",),
    "sqlite3": ("chargepoint.runtime.store",),
    "starlette": ("chargepoint.runtime.web",),
    "transitions": ("chargepoint.model.machine",),
    "uvicorn": ("chargepoint.runtime.web.server",),
    "websockets": (
        "chargepoint.runtime.address",
        "chargepoint.runtime.centre",
        "chargepoint.runtime.connection",
        "chargepoint.runtime.destination",
        "chargepoint.runtime.dialfailure",
        "chargepoint.runtime.doctor.talk",
        "chargepoint.runtime.link",
    ),
}
"""The only modules that may import a library; everybody else asks them."""

OCPP_WORDS = ("ocpp.v16.call", "ocpp.v16.call_result", "ocpp.v16.datatypes", "ocpp.v16.enums")
OCPP_MACHINERY = ("chargepoint.model.wire", "chargepoint.model.schemas")
"""The package `ocpp` gives words to whoever speaks OCPP; its schemas and frames come in by these two modules."""

TIMELESS = (Room.MODEL, Room.PROFILES)
CLOCKS = ("asyncio", "time")
REPEATABLE = (Room.GROUND, Room.MODEL, Room.PROFILES, Room.HARDWARE)


# --- the rules --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports, dotted: `from a import b` is `a.b`, whether b is a module or not."""

    module: str
    target: str

    @property
    def room(self) -> Room:
        return room_of(self.module)


Rule = Callable[[Import], str | None]
"""Returns what is wrong with an import and what to do instead, None if nothing is."""


def is_within(name: str, parents: Iterable[str]) -> bool:
    """Is `name` one of these dotted names, or below one?"""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def room_of(name: str) -> Room:
    """Return the room of a module of ours, or of a name in one."""
    if name == "hw":
        return Room.GROUND  # importing hw.ports runs hw/__init__.py, so that has no more rights than hw.ports
    return ROOMS[max((entry for entry in ROOMS if is_within(name, [entry])), key=len)]


def points_down(found: Import) -> str | None:
    if not is_within(found.target, PACKAGES):
        return None
    room, target = found.room, room_of(found.target)
    if target is room or target in MAY_IMPORT[room]:
        return None
    allowed = ", ".join(MAY_IMPORT[room]) or "nothing else of ours"
    return f"{room} may import {allowed}; move what both need down, or have it handed in"


def feature_profiles_keep_apart(found: Import) -> str | None:
    """`profiles/__init__.py` lists them all; the parts of one feature profile (a folder) may know each other."""
    if found.module == "profiles" or not (found.room is Room.PROFILES and is_within(found.target, ["profiles"])):
        return None
    own = ".".join(found.module.split(".")[:2])
    if is_within(found.target, [own]):
        return None
    return "one feature profile never imports another; what two of them share belongs in chargepoint.model"


def library_comes_by_its_door(found: Import) -> str | None:
    library = found.target.split(".")[0]
    if library not in DOORS or is_within(found.module, DOORS[library]):
        return None
    return f"{library} comes in only by {', '.join(DOORS[library])}; use what is offered there"


def ocpp_gives_words(found: Import) -> str | None:
    if not is_within(found.target, ["ocpp"]) or is_within(found.module, OCPP_MACHINERY):
        return None
    if found.room in (Room.GROUND, Room.HARDWARE):
        return "hw knows nothing of OCPP; translate in profiles or chargepoint.runtime"
    if is_within(found.target, OCPP_WORDS):
        return None
    return f"words come from {', '.join(OCPP_WORDS)}, all else goes through chargepoint.model.wire"


def time_is_told(found: Import) -> str | None:
    if found.room not in TIMELESS or not is_within(found.target, CLOCKS):
        return None
    return "no clock is read and nothing awaited here; take now_s, and arm a timer (chargepoint.model.timebase)"


def chance_is_handed_in(found: Import) -> str | None:
    if found.room not in REPEATABLE or not is_within(found.target, ["random", "secrets"]):
        return None
    if found.target in ("random", "random.Random"):
        return None  # as a type; `uses_of_chance` looks at what is done with it
    return "chance is an input; take the random.Random that is handed in"


RULES: tuple[Rule, ...] = (
    points_down,
    feature_profiles_keep_apart,
    library_comes_by_its_door,
    ocpp_gives_words,
    time_is_told,
    chance_is_handed_in,
)


# --- reading the tree -------------------------------------------------------------------------------------------------


def module_name(path: str) -> str:
    """`hw.sim` for `hw/sim/__init__.py`."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def imports(path: str, tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, Import]]:
    """Yield every name that a source file imports, wherever it does, with the statement that does it."""
    module = module_name(path)
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, Import(module, alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                yield node, Import(module, ".".join([*above, *filter(None, [node.module]), alias.name]))


def uses_of_chance(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield where a module that must repeat does more with `random` than name the type `random.Random`."""
    if room_of(module_name(path)) not in REPEATABLE:
        return
    modules, types = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "random"}
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            types |= {alias.asname or alias.name for alias in node.names if alias.name == "Random"}
    types |= {f"{module}.Random" for module in modules}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in types:
            yield node.lineno, "a generator is made here; take the random.Random that is handed in"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in modules and node.attr != "Random":
            yield node.lineno, f"random.{node.attr} is not repeatable; take the random.Random that is handed in"


def complaints(path: str, tree: ast.Module, rule: Rule) -> list[str]:
    """Return what a rule has against a module: place, what it does, what to do instead."""
    found = {(statement, rule(item)): None for statement, item in imports(path, tree)}
    return [f"{path}:{statement.lineno}: {ast.unparse(statement)}: {say}" for statement, say in found if say]


@cache
def trees() -> dict[str, ast.Module]:
    """Return all our modules by path, parsed once for all tests."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    found = [complaint for path, tree in trees().items() for complaint in complaints(path, tree, rule)]
    assert not found, "\n" + "\n".join(found)


def test_chance_is_only_a_type() -> None:
    """Call ids, jitter and behaviour come from one seeded generator, made in the runtime and handed in."""
    found = [
        f"{path}:{line}: {say}"
        for path, tree in trees().items()
        for line, say in uses_of_chance(path, tree)
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_room_is_looked_into() -> None:
    """A renamed folder must not make this file pass by finding nothing."""
    assert {room_of(module_name(path)) for path in trees()} == set(Room)


def test_complaint_says_where_and_what_to_do() -> None:
    source = '"""A module."""\n\nfrom profiles.core import Boot, Core\n'
    assert complaints("chargepoint/model/wrong.py", ast.parse(source), points_down) == [
        "chargepoint/model/wrong.py:3: from profiles.core import Boot, Core: "
        "chargepoint.model may import hw.ports, hw.errors and hw.document, the package chargepoint itself; "
        "move what both need down, or have it handed in"
    ]


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (points_down, "chargepoint/model/x.py", "import profiles.core"),
        (points_down, "chargepoint/model/x.py", "from chargepoint import runtime"),
        (points_down, "chargepoint/model/x.py", "from ..runtime import pump"),
        (points_down, "chargepoint/model/x.py", "def later():\n    from chargepoint.runtime.pump import Pump"),
        (points_down, "chargepoint/model/x.py", "if TYPE_CHECKING:\n    from hw.sim.car import Car"),
        (points_down, "chargepoint/model/__init__.py", "from ..cli import main"),
        (points_down, "chargepoint/runtime/x.py", "from chargepoint.cli import main"),
        (points_down, "chargepoint/__init__.py", "from chargepoint.model import keys"),
        (points_down, "hw/ports.py", "from hw.sim import car"),
        (points_down, "hw/sim/x.py", "from chargepoint.model.pilot import State"),
        (points_down, "hw/loader.py", "import chargepoint"),
        (points_down, "profiles/x.py", "from hw import serial"),
        (feature_profiles_keep_apart, "profiles/reservation.py", "from profiles.core.boot import Boot"),
        (feature_profiles_keep_apart, "profiles/core/boot.py", "from profiles import reservation"),
        (feature_profiles_keep_apart, "profiles/core/boot.py", "from profiles import ALL"),
        (library_comes_by_its_door, "hw/serial/meter.py", "import serial.tools.list_ports"),
        (library_comes_by_its_door, "chargepoint/runtime/transfer.py", "from asyncssh import connect"),
        (library_comes_by_its_door, "hw/serial/line.py", "from pymodbus.client import AsyncModbusSerialClient"),
        (library_comes_by_its_door, "chargepoint/runtime/fleet.py", "from websockets.asyncio.client import connect"),
        (library_comes_by_its_door, "chargepoint/model/connector.py", "from transitions import Machine"),
        (library_comes_by_its_door, "chargepoint/runtime/pump.py", "import sqlite3 as sql"),
        (library_comes_by_its_door, "hw/loader.py", "from ruamel.yaml import YAML"),
        (library_comes_by_its_door, "chargepoint/runtime/report.py", "from rich.table import Table"),
        (ocpp_gives_words, "chargepoint/model/session.py", "from ocpp.messages import Call"),
        (ocpp_gives_words, "chargepoint/runtime/centre.py", "from ocpp.v16 import ChargePoint"),
        (ocpp_gives_words, "profiles/x.py", "import ocpp"),
        (ocpp_gives_words, "hw/sim/faults.py", "from ocpp.v16.enums import ChargePointErrorCode"),
        (time_is_told, "chargepoint/model/timebase.py", "import time"),
        (time_is_told, "profiles/core/boot.py", "from asyncio import sleep"),
        (chance_is_handed_in, "chargepoint/model/session.py", "from random import uniform"),
        (chance_is_handed_in, "hw/sim/car.py", "import secrets"),
    ],
)
def test_wrong_import_is_found(rule: Rule, path: str, source: str) -> None:
    assert len(complaints(path, ast.parse(source), rule)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chargepoint/model/x.py", "from hw.ports import Reading\nfrom chargepoint.model.keys import Key"),
        ("chargepoint/model/machine.py", "from transitions import Machine"),
        ("chargepoint/model/wire.py", "import ocpp.messages\nfrom ocpp.v16 import call, call_result"),
        ("chargepoint/runtime/x.py", "import asyncio, time, random\nfrom hw.sim.car import Car\nimport profiles"),
        ("chargepoint/runtime/address.py", "from websockets.uri import parse_uri"),
        ("chargepoint/cli/demo.py", "from rich.live import Live\nfrom chargepoint import __version__"),
        ("chargepoint/__main__.py", "from chargepoint.cli import main"),
        ("hw/document.py", "from ruamel.yaml import YAML\nfrom hw.errors import Mark"),
        ("hw/loader.py", "from hw.serial import line\nfrom hw import ports\nimport timeit"),
        ("hw/serial/line.py", "import serial\nimport time"),
        ("profiles/__init__.py", "from profiles.core import Core\nfrom profiles.reservation import Reservation"),
        ("profiles/core/__init__.py", "from profiles.core.boot import Boot\nfrom . import status"),
        ("profiles/x.py", "from ocpp.v16.enums import RegistrationStatus\nfrom random import Random"),
    ],
)
def test_right_import_is_let_through(path: str, source: str) -> None:
    assert [complaint for rule in RULES for complaint in complaints(path, ast.parse(source), rule)] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import random\ndef f(chance: random.Random): return chance.random()", []),
        ("from random import Random\ndef f(random: Random): return random.uniform(0, 1)", []),
        ("import random\nrandom.seed(1)", [2]),
        ("import random as dice\n\ndice.random()", [3]),
        ("from random import Random\nchance = Random(4)", [2]),
        ("import random\nchance = random.Random()", [2]),
    ],
)
def test_use_of_chance_is_found(source: str, lines: list[int]) -> None:
    assert [line for line, _ in uses_of_chance("chargepoint/model/x.py", ast.parse(source))] == lines


# --- what a command line imports --------------------------------------------------------------------------------------

HEAVY = ("asyncio", "ocpp", "pydantic", "websockets", "chargepoint.model.chargepoint", "chargepoint.runtime.charger")
"""A call of `ctl`, and a page of help, costs little more than `import click, http.client, json`: none of these."""

LIGHT_CALLS = """
import sys
import chargepoint.cli as cli
import chargepoint.cli.ctl, chargepoint.cli.client, chargepoint.cli.results
for name in (*cli.COMMANDS, None):
    command = cli.group if name is None else cli.group.get_command(cli.click.Context(cli.group), name)
    command.get_help(cli.click.Context(command))
print(*sorted(each for each in sys.modules if each in set(sys.argv[1:])))
"""


def test_help_and_the_client_import_nothing_that_runs_a_charger() -> None:
    """`chargepoint ctl` speaks HTTP with the standard library; what a command needs is imported when it runs."""
    done = subprocess.run([sys.executable, "-c", LIGHT_CALLS, *HEAVY], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
