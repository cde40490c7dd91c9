"""The meter of one outlet: its questions and answers, its silence, and the register that is stored.

What a reading is worth is decided in `measured` (values) and `register` (energy); what it says of current, voltage and
temperature is judged in `supervision`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from logging import LoggerAdapter
from typing import Any, Protocol

from hw.ports import Outlet, Reading

from .faults import Trouble
from .measured import cleaned, is_reversed
from .outbox import Effect, ReadMeter, Ref
from .record import Fields, RecordKind, numbered
from .register import Register
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
RETRY_S = 1.5
"""Between a question that was not answered and the next one: one lost telegram is no fault."""
SILENT_S = 10.0
"""A meter that has not answered for so long is silent (IEC 61851-1 practice): nothing flows until it answers."""
METER_RETRY_S = 10.0
"""Between two questions to a silent meter."""
FROZEN_WH = 110.0
"""So much energy by the power that the meter shows, with its register at a standstill, is more than the coarsest step of a
billing meter (`RESOLUTION_WH`) and its class error."""
LONGEST_GAP_S = 120.0
"""Between two readings that are further apart nobody knows the power."""

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
    def meter_showed(self, reading: Reading, now_s: float) -> None: ...
    def save_register(self, energy_wh: int, offset_wh: float, now_s: float) -> None: ...


class EnergyMeter:
    """The meter of one outlet as the charger knows it. ``register_wh`` never falls."""

    __slots__ = (
        "_asked_s",
        "_given_wh",
        "_keep",
        "_keep_s",
        "_kept_s",
        "_kept_wh",
        "_missed_s",
        "_outlet",
        "_owner",
        "_register",
        "_still_wh",
        "reading",
    )

    def __init__(self, owner: MeterOwner, outlet: Outlet, keep_s: float = KEEP_S) -> None:
        """``keep_s``: how old a stored register may be, in a transaction and while energy flows."""
        self.reading: Reading | None = None
        """The last one that was believed."""
        self._register = Register(owner, outlet)
        self._owner = owner
        self._outlet = outlet
        self._asked_s: float | None = None
        """Since when a question has not been answered."""
        self._missed_s: float | None = None
        """Since when the meter does not answer."""
        self._still_wh = 0.0
        """Where the register stands, for `_watch_register`."""
        self._given_wh = 0.0
        """The energy by power since it stands there."""
        self._kept_s = -math.inf
        self._kept_wh = -1
        self._keep_s = keep_s
        self._keep = Alarm(owner.timers, self._keep_fresh, is_patient=True)

    @property
    def register_wh(self) -> float:
        """The register in Wh."""
        return self._register.wh

    @property
    def energy_wh(self) -> int:
        """The register in whole Wh, cut, as every message tells it."""
        return math.floor(self._register.wh + 1e-6)

    @property
    def offset_wh(self) -> float:
        """What the register has more than the meter itself, in Wh: it was replaced, or has lost its own."""
        return self._register.offset_wh

    def restore(self, energy_wh: float, offset_wh: float) -> None:
        """Take up what `MeterOwner.save_register` was given."""
        self._register.wh = energy_wh
        self._register.offset_wh = offset_wh

    def raise_to(self, energy_wh: float) -> None:
        """The register is not below ``energy_wh``, whatever was stored of it."""
        self._register.wh = max(self._register.wh, energy_wh)

    # --- questions and answers ----------------------------------------------------------------------------------------

    def ask(self, ref: Ref, now_s: float) -> None:
        """Ask for a reading, see `answered`. A question without any answer counts as silence, too."""
        if self._asked_s is None:
            self._asked_s = now_s
        elif now_s - self._asked_s >= SILENT_S:
            self._missed(self._asked_s, now_s)
        self._owner.emit(ReadMeter(self._outlet.connector, ref))

    def answered(self, reading: Reading | None, now_s: float) -> Reading | None:
        """Take the answer to a question; return the reading that counts, None if there is none."""
        self._asked_s = None
        return self.showed(reading, now_s)

    def showed(self, reading: Reading | None, now_s: float) -> Reading | None:
        """Take what a watched meter shows, or its silence (None); return the reading that counts, None if there is none."""
        if reading is None:
            self._missed(now_s, now_s)
            return None
        return self.reading if self.take(reading, now_s) else None

    def take(self, reading: Reading, now_s: float) -> bool:
        """Believe a reading: remember it and count it; return whether it was credible."""
        clean = cleaned(reading)
        if clean is None:
            self._missed(now_s, now_s)
            return False
        self._missed_s = None
        self._is_over(Trouble.METER_SILENT, now_s)
        if not self._register.believe(clean):
            self._keep.set(now_s + RETRY_S)  # a second reading decides
            return False
        before, self.reading = self.reading, clean
        self._watch_direction(reading, now_s)
        self._watch_register(before, clean, now_s)
        self._owner.meter_showed(clean, now_s)
        return True

    def shown_wh(self, reading: Reading) -> float:
        """Return the register in Wh that a display shows for ``reading``; unlike `take` it changes nothing."""
        return self._register.shown_wh(reading)

    def _missed(self, since_s: float, now_s: float) -> None:
        """The meter has not answered since ``since_s``: ask again soon, and after `SILENT_S` nothing flows."""
        if self._missed_s is None:
            self._missed_s = since_s
        if now_s - self._missed_s >= SILENT_S:
            self._owner.trouble(Trouble.METER_SILENT, True, now_s)
        is_silent = Trouble.METER_SILENT in self._owner.troubles
        self._keep.set(now_s + (METER_RETRY_S if is_silent else RETRY_S))

    # --- the stored register ------------------------------------------------------------------------------------------

    def keep(self, now_s: float) -> None:
        """Store the register if it has moved, or if its last instant is `KEEP_IDLE_S` old."""
        if self.energy_wh != self._kept_wh or now_s - self._kept_s >= KEEP_IDLE_S:
            self.save(now_s)

    def save(self, now_s: float) -> None:
        """Store the register and the instant at which it was seen."""
        self._kept_s = now_s
        self._kept_wh = self.energy_wh
        self._owner.save_register(self.energy_wh, self.offset_wh, now_s)
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
        if self._missed_s is None:
            self._keep.clear()

    def _keep_fresh(self, now_s: float) -> None:
        if not self._owner.is_in_transaction and self._missed_s is None:
            return
        fresh_until_s = self._kept_s + self._keep_s
        if now_s < fresh_until_s and not self._is_doubtful and not self._owner.troubles:
            self._keep.set(fresh_until_s)
            return
        self._keep.set(now_s + (METER_RETRY_S if Trouble.METER_SILENT in self._owner.troubles else self._keep_s))
        self.ask(Ref(KEEP), now_s)

    @property
    def _is_doubtful(self) -> bool:
        """The last question has no answer that counts."""
        return self._missed_s is not None or self._register.is_doubtful

    def _is_over(self, what: Trouble, now_s: float) -> None:
        if what in self._owner.troubles:
            self._owner.trouble(what, False, now_s)

    # --- what is watched ----------------------------------------------------------------------------------------------

    def _watch_direction(self, reading: Reading, now_s: float) -> None:
        """A meter that shows export is wired the wrong way round: it is said once, and energy may be unbilled.

        A reading that needed no cleaning, which is the one remembered, shows none.
        """
        if reading is not self.reading and is_reversed(reading):
            self._owner.trouble(Trouble.METER_REVERSED, True, now_s)
        elif any(reading.current_a):
            self._is_over(Trouble.METER_REVERSED, now_s)

    def _watch_register(self, before: Reading | None, reading: Reading, now_s: float) -> None:
        """A register that stands still while power flows does not count."""
        if before is None or self.register_wh > self._still_wh:
            self._still_wh, self._given_wh = self.register_wh, 0.0
            self._is_over(Trouble.METER_FROZEN, now_s)
            return
        gap_s = reading.at_s - before.at_s
        if 0.0 < gap_s <= LONGEST_GAP_S:
            self._given_wh += (before.total_power_w + reading.total_power_w) / 2.0 * gap_s / 3600.0
        if self._given_wh >= FROZEN_WH:
            self._owner.trouble(Trouble.METER_FROZEN, True, now_s, f"{self._given_wh:.0f} Wh not counted")
