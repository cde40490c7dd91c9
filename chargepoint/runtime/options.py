"""The keys of the configuration that can also be given as a flag and by the environment, as the command line shows them.

Plain data, cheap to import: `--help` shows them. `sections` builds its fields on these, so each is declared once.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class OptionKind(Enum):
    """What the value of an option is."""

    TEXT = "text"
    PATH = "path"
    INTEGER = "integer"
    NUMBER = "number"
    DURABILITY = "durability"
    BACKEND = "backend"


class Option(NamedTuple):
    """One option: ``url`` is ``--url`` and ``CHARGEPOINT_URL``. ``default`` is a text for people, None without one."""

    name: str
    kind: OptionKind
    help: str
    default: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"CHARGEPOINT_{self.name.replace('-', '_').upper()}"


DEFAULT_DATA = "chargepoint-data"
"""Directory of the store, beside the configuration file."""

LARGEST_MESSAGE = 2**24
"""Bytes of a message that the embedded central system takes. A StopTransaction of other charge points may have a day of
samples every 10 s: some 12 MB."""

DURABILITIES = ("full", "relaxed")

IDENTITY = Option("id", OptionKind.TEXT, "Charge point identity, as the central system knows it.", "CP001")
URL = Option(
    "url",
    OptionKind.TEXT,
    "Such as wss://csms.example/ocpp; {id} in it stands for the identity, else that is appended.",
)
BACKEND = Option(
    "backend",
    OptionKind.BACKEND,
    "Central system by name: fills in what is left out here (`chargepoint backend list`).",
)
PASSWORD = Option("password", OptionKind.TEXT, "Password for HTTP Basic, as text; better in a file of its own.")
PASSWORD_FILE = Option("password-file", OptionKind.PATH, "The same in a file.")
CA_FILE = Option(
    "ca-file", OptionKind.PATH, "CA certificates for wss://; those of the operating system if not given."
)
BOARD = Option("board", OptionKind.TEXT, "A name of `chargepoint board list`, or a board file.", "ac11-sim")
DATA = Option(
    "data", OptionKind.PATH, "Directory of the store; chargepoint-data beside the file if not given."
)
DURABILITY = Option(
    "durability",
    OptionKind.DURABILITY,
    "full survives power cuts; relaxed the end of the process, the default on a faster clock.",
)
SPEED = Option("speed", OptionKind.NUMBER, "Time acceleration factor of the charger.", "1.0", 0.001, 100_000.0)
SEED = Option("seed", OptionKind.INTEGER, "Random seed, for reproducible runs.")

OPTIONS = (IDENTITY, URL, BACKEND, PASSWORD, PASSWORD_FILE, CA_FILE, BOARD, DATA, DURABILITY, SPEED, SEED)
"""In the order of the configuration file."""
