"""Board files: from the name of a board to its drivers, ready to run.

A file is parsed once into a `BoardPlan`, from which any number of boards are built; what cannot work is refused while
parsing, with file, line and column, so that `BoardPlan.build` has no errors of the file left to find.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeVar

from hw import registry
from hw.document import Section, bind, load
from hw.driver import Driver, ReaderDriver
from hw.errors import BoardFileError, Mark
from hw.node import unknown
from hw.plan import BoardPlan, BoardSummary, ConnectorPlan
from hw.ports import Board, CableKind, Limits, Outlet, Rated, RelayKind, Report

PortT = TypeVar("PortT")

SUFFIXES = (".yaml", ".yml")


class UnknownBoardError(BoardFileError):
    """No shipped board has this name."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(Mark(name, 1, 1), unknown(f"no board {name!r}", name, names))

    def _line(self) -> str:
        return self.problem  # a name has no line and column


def load_board(name_or_path: str, report: Report, *, seed: int = 0) -> Board:
    """Return one board, built from a shipped name or a file. Raises BoardFileError."""
    return plan_board(name_or_path).build(report, seed)


def plan_board(name_or_path: str) -> BoardPlan:
    """Return the plan of a shipped board by name, or of a file (``.yaml``, ``.yml``, or anything with a separator)."""
    if name_or_path.endswith(SUFFIXES) or os.sep in name_or_path or "/" in name_or_path:
        return read_plan(Path(name_or_path))
    return _shipped_plan(name_or_path)


def check_board(name_or_path: str) -> BoardSummary:
    """Return the summary of a board that is sound; nothing is opened or built. Raises BoardFileError."""
    return plan_board(name_or_path).summary()


def list_boards() -> tuple[BoardSummary, ...]:
    """Return the shipped boards in the order of their names."""
    return tuple(_shipped_plan(name).summary() for name in _shipped_names())


def read_plan(path: Path) -> BoardPlan:
    """Return the plan in a board file. Raises BoardFileError with the place of the first thing that cannot work."""
    section = load(path, error=BoardFileError).mapping()
    connectors = tuple(
        _connector(child, number) for number, child in enumerate(section.children("connectors"), start=1)
    )
    if not connectors:
        raise BoardFileError(section.mark_of("connectors"), "connectors must have at least one entry")
    readers = section.children("readers") if section.has("readers") else []
    plan = BoardPlan(
        name=path.stem,
        description=section.text("description", ""),
        vendor=section.text("vendor", ""),
        model=section.text("model", ""),
        meter_type=section.text("meter_type", ""),
        connectors=connectors,
        readers=tuple(_reader(child, len(connectors)) for child in readers),
    )
    section.finish()
    return plan


# --- shipped boards ---------------------------------------------------------------------------------------------------


@cache
def _shipped_names() -> tuple[str, ...]:
    names = (entry.name for entry in files("hw").joinpath("boards").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def _shipped_plan(name: str) -> BoardPlan:
    if name not in _shipped_names():
        raise UnknownBoardError(name, _shipped_names())
    with as_file(files("hw").joinpath("boards", f"{name}.yaml")) as path:
        return read_plan(path)


# --- parts of a board file --------------------------------------------------------------------------------------------


def _connector(section: Section, number: int) -> ConnectorPlan:
    rated = _rated(section.child("rated"))
    cable_kind, cable_rating_a = _cable(section.child("cable"))
    limits = _limits(section.child("limits"), rated) if section.has("limits") else _default_limits(rated)
    if cable_kind is CableKind.TETHERED and section.has("lock"):
        raise BoardFileError(section.mark_of("lock"), f"{section.field}.lock: a tethered cable has no lock")
    plan = ConnectorPlan(
        outlet=Outlet(
            connector=number,
            rated=rated,
            limits=limits,
            cable=cable_kind,
            cable_rating_a=cable_rating_a,
            relay=section.choice("contactor", RelayKind, RelayKind.DIRECT),
            has_lock=section.has("lock"),
            has_feedback=section.flag("feedback", True),
            has_light=section.has("indicator"),
            is_ventilated=section.flag("ventilated", False),
            meter_has_phase_energy=section.flag("phase_energy", False),
            has_vehicle_soc=section.flag("vehicle_soc", False),
            has_pilot_relay=section.flag("pilot_relay", False),
            drives_state_f=section.flag("state_f", True),
            has_phase_switch=section.has("phase_switch"),
            may_raise_phases=section.flag("raise_phases", False),
        ),
        pilot=_device(section.child("pilot"), registry.PILOTS),
        relay=_device(section.child("relay"), registry.RELAYS),
        meter=_device(section.child("meter"), registry.METERS),
        lock=_optional(section, "lock", registry.LOCKS),
        indicator=_optional(section, "indicator", registry.INDICATORS),
        phase_switch=_optional(section, "phase_switch", registry.PHASE_SWITCHES),
        mains=_optional(section, "mains", registry.MAINS),
        car=_optional(section, "car", registry.CARS),
    )
    section.finish()
    if plan.phase_switch is not None and rated.phases != 3:
        why = f"{section.field}.phase_switch: an outlet of {rated.phases} phases has nothing to switch"
        raise BoardFileError(section.mark_of("phase_switch"), why)
    if plan.outlet.has_vehicle_soc and plan.car is None:
        why = f"{section.field}.vehicle_soc: only a simulated car tells its state of charge, and there is none"
        raise BoardFileError(section.mark_of("vehicle_soc"), why)
    if plan.car is not None and plan.real_electricity is not None:
        why = f"a simulated car cannot charge here: the {plan.real_electricity} is real; leave it out"
        raise BoardFileError(section.mark_of("car"), f"{section.field}.car: {why}")
    return plan


def _rated(section: Section) -> Rated:
    rated = Rated(
        current_a=section.number("current_a", minimum=6.0, maximum=80.0),
        phases=section.integer("phases", minimum=1, maximum=3),
        voltage_v=section.number("voltage_v", 230.0, minimum=80.0, maximum=300.0),
    )
    section.finish()
    return rated


REFERENCE_V = 230.0
LEAST_V, MOST_V = 196.0, 264.0
"""Mains voltage to neutral in V at which an outlet rated 230 V pauses; others in proportion."""


def _default_limits(rated: Rated) -> Limits:
    factor = rated.voltage_v / REFERENCE_V
    return Limits(max_a=rated.current_a, min_v=LEAST_V * factor, max_v=MOST_V * factor)


def _limits(section: Section, rated: Rated) -> Limits:
    default = _default_limits(rated)
    limits = Limits(
        min_a=section.number("min_a", 6.0, minimum=6.0, maximum=rated.current_a),
        max_a=section.number("max_a", rated.current_a, minimum=6.0, maximum=rated.current_a),
        max_board_c=section.number("max_board_c", minimum=0.0) if section.has("max_board_c") else None,
        min_v=section.number("min_v", default.min_v, minimum=0.0, maximum=rated.voltage_v),
        max_v=section.number("max_v", default.max_v, minimum=rated.voltage_v),
    )
    section.finish()
    return limits


def _cable(section: Section) -> tuple[CableKind, float | None]:
    """Return the kind of cable and its rating in A; a socket has none, the plug's resistor tells."""
    kind = section.choice("kind", CableKind)
    rating_a = section.number("rating_a", minimum=6.0) if kind is CableKind.TETHERED else None
    section.finish()
    return kind, rating_a


def _optional(section: Section, key: str, drivers: Mapping[str, type[Driver[PortT]]]) -> Driver[PortT] | None:
    return _device(section.child(key), drivers) if section.has(key) else None


def _device(section: Section, drivers: Mapping[str, type[Driver[PortT]]]) -> Driver[PortT]:
    return bind(section, drivers[section.one_of("driver", drivers)])


def _reader(section: Section, outlets: int) -> tuple[ReaderDriver, tuple[int, ...]]:
    everywhere = tuple(range(1, outlets + 1))
    served = section.integers("connectors", everywhere, minimum=1)
    if not served or max(served) > outlets:
        raise BoardFileError(section.mark_of("connectors"), f"{section.field}.connectors must be of 1..{outlets}")
    drivers: Mapping[str, type[ReaderDriver]] = registry.READERS
    return bind(section, drivers[section.one_of("driver", drivers)]), served
