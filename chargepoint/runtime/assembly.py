"""Composition root: from a plan of a charger to one that runs. Nothing else knows all the rooms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

import profiles
from chargepoint import __version__
from chargepoint.model.chargepoint import ChargePoint, Station
from chargepoint.model.energy import KEEP_IDLE_S, KEEP_S
from chargepoint.model.feature import Roster
from chargepoint.model.keys import Access
from chargepoint.model.options import Options
from chargepoint.model.timebase import Calendar, Timers
from hw.plan import BoardPlan
from hw.ports import CableKind
from profiles.absent import ANSWERS
from profiles.core.light import Light

from .charger import Charger, LinkPort
from .porter import FilePlan, RealPorter, SimulatedPorter, Slots, protocols
from .pump import Pump, SteppedPump
from .store import Durability

if TYPE_CHECKING:
    from .diagnostics import Recollection


SERIAL_LENGTH = 25
"""Characters of a serial number (OCPP 1.6 6.3)."""
SERIAL_NAME_LENGTH = SERIAL_LENGTH - 9
"""Of these, what a name may have before a dash and 8 digits."""
LEAST_REGISTER_WH, MOST_REGISTER_WH = 100_000, 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerPlan:
    """One charger as configured. Thousands may share everything but ``identity`` and ``seed``."""

    identity: str
    board: BoardPlan
    station: Station = field(default_factory=Station)
    keys: Mapping[str, str] = field(default_factory=dict)
    """Configuration keys as the box leaves the factory; what a central system changes is stored over them."""
    feature_profiles: tuple[str, ...] = tuple(profiles.ALL)
    boot_retry_s: float = 60.0
    options: Options = field(default_factory=Options)
    reset_down_s: float = 5.0
    register_wh: float | None = None
    derives_defaults: bool = False
    """Derive what is not configured: firmwareVersion from the program, and for a simulated board serial numbers and a
    register above 0 from board and identity."""
    seed: int = 0
    keeps_board: bool = False
    """Store the simulated board too, so that its car is still there after the process was killed."""
    files: FilePlan = field(default_factory=FilePlan)
    """Firmware and diagnostics. On a clock that jumps all of it is pretended."""
    recollection: Recollection | None = None
    """The last lines of log and journal, for real diagnostics."""


@lru_cache(maxsize=32)
def roster_for(board: BoardPlan, feature_profiles: tuple[str, ...], extensions: tuple[str, ...] = ()) -> Roster:
    """Return the tables shared by all chargers with this board, these feature profiles and `profiles.EXTENSIONS`."""
    outlets = [connector.outlet for connector in board.connectors]
    is_tethered = all(outlet.cable is CableKind.TETHERED for outlet in outlets)
    rotation = ["RST" if outlet.rated.phases == 3 else "NotApplicable" for outlet in outlets]
    fixed: dict[str, tuple[Any, Access | None]] = {
        "NumberOfConnectors": (len(outlets), None),
        "SupportedFeatureProfiles": (feature_profiles, None),
        "ConnectorPhaseRotation": (tuple(f"{n}.{word}" for n, word in enumerate([rotation[0], *rotation])), None),
        "ConnectorPhaseRotationMaxLength": (len(outlets) + 1, None),
        "SupportedFileTransferProtocols": (protocols(), None),
    }
    if is_tethered:
        # Erratum 3.84: with a fixed cable there is nothing to unlock, and the key says so.
        fixed["UnlockConnectorOnEVSideDisconnect"] = (False, Access.READ_ONLY)
    classes = profiles.select(feature_profiles, extensions)
    if not any(outlet.has_light for outlet in outlets):
        classes = tuple(each for each in classes if each is not Light)
    return Roster(classes, fixed, ANSWERS, profiles.absent_keys(classes))


def station_of(plan: ChargerPlan) -> Station:
    """Return who the charger says it is: as configured, then as the board file says, then by `derives_defaults`."""
    board, told = plan.board, plan.station
    default = _derived(plan) if plan.derives_defaults else Station()
    return Station(
        vendor=told.vendor if told.vendor != default.vendor else board.vendor or default.vendor,
        model=told.model if told.model != default.model else board.model or default.model,
        serial_number=told.serial_number or default.serial_number,
        charge_box_serial_number=told.charge_box_serial_number or default.charge_box_serial_number,
        firmware_version=told.firmware_version or default.firmware_version,
        iccid=told.iccid,
        imsi=told.imsi,
        meter_type=told.meter_type or board.meter_type or None,
        meter_serial_number=told.meter_serial_number or default.meter_serial_number,
    )


def _derived(plan: ChargerPlan) -> Station:
    """Return the defaults of a box in use. Serial numbers are those of one identity and board, whenever it is started."""
    if not plan.board.is_simulated:
        return Station(firmware_version=__version__)
    digits = _digits(plan)
    model, meter = (name[:SERIAL_NAME_LENGTH] for name in (plan.board.model or "SIM", plan.board.meter_type or "M"))
    serial = f"{model}-{digits[:8]}"
    return Station(
        serial_number=serial,
        charge_box_serial_number=plan.identity if len(plan.identity) <= SERIAL_LENGTH else serial,
        firmware_version=__version__,
        meter_serial_number=f"{meter}-{digits[8:16]}",
    )


def _default_register_wh(plan: ChargerPlan) -> float:
    """Return where the first meter of a simulated board starts by default: whole Wh from 100 kWh to 10 MWh."""
    if not plan.derives_defaults:
        return 0.0
    return float(LEAST_REGISTER_WH + int(_digits(plan)[16:24], 16) % (MOST_REGISTER_WH - LEAST_REGISTER_WH))


def _digits(plan: ChargerPlan) -> str:
    """Return hexadecimal digits that differ with identity and board."""
    return hashlib.sha256(f"{plan.board.name}/{plan.identity}".encode()).hexdigest().upper()


def assemble(
    plan: ChargerPlan,
    pump: Pump,
    rng: Random,
    calendar: Callable[[Timers], Calendar],
    link: Callable[[Charger], LinkPort],
    slots: Slots | None = None,
) -> Charger:
    """Build a charger and hand it to the pump; `Charger.start` makes it run.

    ``calendar`` makes the calendar of each of its lives, ``link`` its way to the central system; ``slots`` bound the real
    transfers of all who share them. Raises ValueError for a key whose value cannot be, and what the board's drivers raise.
    """
    roster = roster_for(plan.board, plan.feature_profiles, profiles.extensions(plan.keys))
    station = station_of(plan)
    outlets = [connector.outlet for connector in plan.board.connectors]

    shown: Calendar | None = None

    def build(charger: Charger, timers: Timers) -> ChargePoint:
        # The box's own clock runs on through a reset: what it was told once it still knows.
        nonlocal shown
        before, shown = shown, calendar(timers)
        if before is not None:
            shown.offset_s, shown.is_set = before.offset_s, before.is_set
        return ChargePoint(
            plan.identity,
            outlets,
            roster,
            timers=timers,
            calendar=shown,
            rng=rng,
            station=station,
            boot_retry_s=plan.boot_retry_s,
            register_period_s=KEEP_S if pump.store.durability is Durability.FULL else KEEP_IDLE_S,
            options=plan.options,
            wake=charger.wake,
            configuration=plan.keys,
        )

    charger = Charger(
        plan.identity,
        pump,
        pump.timers(plan.identity),
        build,
        keeps_board=plan.keeps_board,
        down_s=plan.reset_down_s,
    )
    charger.board = plan.board.build(charger.report, plan.seed, plan.register_wh, _default_register_wh(plan))
    charger.link = link(charger)
    share = Timers(pump.scheduler, charger)
    if plan.files.directory is None or isinstance(pump, SteppedPump):
        charger.porter = SimulatedPorter(charger, share, plan.files)
    else:
        charger.porter = RealPorter(charger, share, plan.files, plan.recollection, slots)
    pump.add(charger)
    return charger
