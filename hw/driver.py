"""What a driver is to the loader: a dataclass of options that can build one port.

The fields of the dataclass are the keys of the device in the board file. One option object serves every charger that is
built from the file, so it is frozen; what belongs to one charger comes in by its `Place`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from hw.ports import Outlet, Process, Report, TagReader

PortT_co = TypeVar("PortT_co", covariant=True)


@dataclass(slots=True)
class Place:
    """Where drivers of one connector meet while a board is being built.

    ``shared`` is for what several drivers of one connector have in common, by type: the simulated circuit, or the
    poller of one controller. ``processes`` collects what must be advanced. ``register_wh`` is where a simulated meter
    starts, whatever the board file says; ``default_register_wh`` where neither says.
    """

    outlet: Outlet
    report: Report
    processes: list[Process]
    seed: int = 0
    register_wh: float | None = None
    default_register_wh: float = 0.0
    shared: dict[type, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Driver(ABC, Generic[PortT_co]):
    """A driver of one device at one connector, with its options."""

    is_simulated: ClassVar[bool] = False

    @abstractmethod
    def build(self, place: Place) -> PortT_co:
        """Return the port, ready for commands."""


@dataclass(frozen=True)
class ReaderDriver(ABC):
    """A driver of a card reader, which may serve several connectors."""

    is_simulated: ClassVar[bool] = False

    @abstractmethod
    def build(self, places: Sequence[Place]) -> TagReader:
        """Return the reader of the connectors at ``places``."""
