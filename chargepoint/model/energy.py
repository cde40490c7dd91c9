"""What a charger makes of its meter: a register that never falls, and readings it believes; `supervision` judges them.

Money hangs on the register, so nothing that a meter says is taken as it comes: one wrong bit upwards would be billed for
ever, and a meter that was replaced, or has forgotten its register, must not give away the energy it counts from then on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from logging import LoggerAdapter
from typing import Any, Protocol

from hw.ports import Outlet, Reading

from .faults import Trouble
from .outbox import Effect, ReadMeter, Ref
from .record import Fields, RecordKind, numbered
from .timebase import Alarm, Timers

KEEP = "keep"
"""Kind of the question that only keeps the register fresh."""
KEEP_S = 10.0
"""A register that moves is stored at least this often in a transaction, so that a power loss costs so much at most. The
period is a setting of the charger: each write of thousands of simulated chargers costs more than it saves."""
KEEP_IDLE_S = 61.0
"""A register that stands still is stored this often, for the instant at which it was seen: each write wears an SD card. The
second on top lets samples that are taken each minute do it alone."""
RESOLUTION_WH = 100.0
"""Coarsest step of the registers of common meters, which count in tenths of a kWh at least."""
METER_RETRY_S = 10.0
"""Between two questions to a silent meter."""
IMPOSSIBLE = 2.0
"""Times the rated power: what no outlet gives, whatever meter and clocks make of it."""
METER_STEP_WH = 1000.0
"""How far a register may jump at once: coarse meters count in whole kWh."""
FALL_WH = 1.0
"""A register this much lower is not rounding."""
FALLEN_READINGS = 3
"""So many low readings in a row, rising among themselves, are another register, not an error."""

@dataclass(frozen=True, slots=True)
class StoredRegister:
    """The register of a connector as it was stored last."""

    energy_wh: float
    at_utc_s: float = 0.0
    offset_wh: float = 0.0
    charging_s: float = 0.0
    """How long the contactor was closed in the transaction that runs."""
    lasted_s: float | None = None
    """How long that transaction had lasted."""


def _stored_register(key: str, fields: Fields) -> StoredRegister:
    numbered(key)
    return StoredRegister(
        energy_wh=fields.amount("wh"),
        at_utc_s=fields.instant("at", 0.0),
        offset_wh=fields.number("offset") if "offset" in fields else 0.0,
        charging_s=fields.amount("charging", 0.0),
        lasted_s=fields.optional("lasted", fields.amount),
    )


COPY_S = 45.0
"""The second copy of a register may be so much older: less than a minute with the time between two registers."""
METER = RecordKind(
    "meter",
    __name__,
    _stored_register,
    "the last register of connector {key}: energy since an older value may be unbilled",
    is_copied=lambda _body: True,
    copy_after_s=COPY_S,
)
"""Keyed by connector."""


class MeterOwner(Protocol):
    """What a meter needs of the connector it belongs to."""

    timers: Timers
    @property
    def troubles(self) -> Mapping[Trouble, str]: ...
    @property
    def log(self) -> LoggerAdapter[Any]: ...
    @property
    def is_in_transaction(self) -> bool: ...
    def emit(self, effect: Effect) -> None: ...
    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...
    def save_register(self, energy_wh: int, offset_wh: float, now_s: float) -> None: ...


class EnergyMeter:
    """The meter of one outlet as the charger knows it. ``register_wh`` never falls."""

    __slots__ = (
        "_fallen_from_wh",
        "_fallen_times",
        "_fallen_wh",
        "_keep",
        "_keep_s",
        "_kept_s",
        "_kept_wh",
        "_offset_wh",
        "_outlet",
        "_owner",
        "reading",
        "register_wh",
    )

    def __init__(self, owner: MeterOwner, outlet: Outlet, keep_s: float = KEEP_S) -> None:
        """``keep_s``: how old a stored register may be, in a transaction and while energy flows."""
        self.reading: Reading | None = None
        """The last one that was believed."""
        self.register_wh = 0.0
        self._offset_wh = 0.0
        self._owner = owner
        self._outlet = outlet
        self._fallen_times = 0
        self._fallen_from_wh = 0.0
        self._fallen_wh = 0.0
        self._kept_s = -math.inf
        self._kept_wh = -1
        self._keep_s = keep_s
        self._keep = Alarm(owner.timers, self._keep_fresh, is_patient=True)

    @property
    def energy_wh(self) -> int:
        """The register in whole Wh, cut, as every message tells it."""
        return math.floor(self.register_wh + 1e-6)

    def restore(self, energy_wh: float, offset_wh: float) -> None:
        """Take up what `MeterOwner.save_register` was given."""
        self.register_wh = energy_wh
        self._offset_wh = offset_wh

    def take(self, reading: Reading, now_s: float) -> bool:
        """Believe a reading: remember it and count it; return whether it was credible."""
        if self._is_impossible(reading):
            return False
        if reading.energy_wh + self._offset_wh < self.register_wh - FALL_WH:
            self._fell(reading)
        else:
            self._fallen_times = 0
        self.register_wh = max(self.register_wh, reading.energy_wh + self._offset_wh)
        self.reading = reading
        self._owner.trouble(Trouble.METER_SILENT, False, now_s)
        return True

    def shown_wh(self, reading: Reading) -> float:
        """Return the register in Wh that a display shows for ``reading``; unlike `take` it changes nothing."""
        energy_wh = reading.energy_wh + self._offset_wh
        return self.register_wh if energy_wh > self._most_wh(reading) else max(self.register_wh, energy_wh)

    def is_silent(self, now_s: float) -> None:
        """The meter does not answer: nothing flows until it does, and it is asked again."""
        self._owner.trouble(Trouble.METER_SILENT, True, now_s)
        self._keep.set(now_s + METER_RETRY_S)

    def keep(self, now_s: float) -> None:
        """Store the register if it has moved, or if its last instant is `KEEP_IDLE_S` old."""
        if self.energy_wh != self._kept_wh or now_s - self._kept_s >= KEEP_IDLE_S:
            self.save(now_s)

    def save(self, now_s: float) -> None:
        """Store the register and the instant at which it was seen."""
        self._kept_s = now_s
        self._kept_wh = self.energy_wh
        self._owner.save_register(self.energy_wh, self._offset_wh, now_s)
        if self._owner.is_in_transaction and not self._keep.is_set:
            self._keep.set(now_s + self._keep_s)

    def most_after(self, unseen_s: float) -> float:
        """Return the greatest register in Wh that the outlet can have reached in ``unseen_s`` since the stored one.

        The store may lack the register of one period before that.
        """
        rated = self._outlet.rated
        most_w = rated.current_a * rated.voltage_v * rated.phases
        return self.register_wh + RESOLUTION_WH + most_w * (unseen_s + self._keep_s) / 3600.0

    def save_again(self, now_s: float) -> None:
        """Store a register that is known with the present instant."""
        if self.register_wh or self.reading is not None:
            self.save(now_s)

    def rest(self) -> None:
        """The transaction is over: nobody needs a fresh register."""
        self._keep.clear()

    # --- what is believed ---------------------------------------------------------------------------------------------

    def _is_impossible(self, reading: Reading) -> bool:
        """More energy than the outlet can have given since the last reading."""
        energy_wh = reading.energy_wh + self._offset_wh
        if energy_wh <= self._most_wh(reading):
            return False
        self._owner.log.error(
            "connector %d: a reading of %.0f Wh after %.0f Wh is impossible and not used",
            self._outlet.connector,
            energy_wh,
            self.register_wh,
        )
        return True

    def _most_wh(self, reading: Reading) -> float:
        """Return the highest register in Wh that is possible when ``reading`` was taken; ``inf`` for the first one."""
        before, rated = self.reading, self._outlet.rated
        if before is None:
            return math.inf
        most_w = IMPOSSIBLE * rated.current_a * rated.voltage_v * rated.phases
        return self.register_wh + METER_STEP_WH + most_w * max(0.0, reading.at_s - before.at_s) / 3600.0

    def _fell(self, reading: Reading) -> None:
        """One low reading is an error; several that rise are a meter that counts from somewhere else."""
        if self._fallen_times == 0 or reading.energy_wh < self._fallen_wh:
            self._fallen_times = 0
            self._fallen_from_wh = reading.energy_wh
        self._fallen_times += 1
        self._fallen_wh = reading.energy_wh
        meant = (self._outlet.connector, self.register_wh, reading.energy_wh)
        if self._fallen_times < FALLEN_READINGS:
            self._owner.log.warning("connector %d: meter fell from %.0f to %.0f Wh: the higher register stands", *meant)
            return
        self._fallen_times = 0
        self._offset_wh = self.register_wh - self._fallen_from_wh
        self._owner.log.error(
            "connector %d: meter fell from %.0f to %.0f Wh and counts on: it was replaced, or has lost its register; "
            "what it counts is added to the old register",
            *meant,
        )

    def _keep_fresh(self, now_s: float) -> None:
        is_silent = Trouble.METER_SILENT in self._owner.troubles
        if not self._owner.is_in_transaction and not is_silent:
            return
        fresh_until_s = self._kept_s + self._keep_s
        if now_s < fresh_until_s and not self._owner.troubles:
            self._keep.set(fresh_until_s)
            return
        self._keep.set(now_s + (METER_RETRY_S if is_silent else self._keep_s))
        self._owner.emit(ReadMeter(self._outlet.connector, Ref(KEEP)))
