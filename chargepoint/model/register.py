"""The register of a meter as a charger believes it: it never falls, and never jumps by what the outlet cannot have given.

Money hangs on the register, so nothing that a meter says is taken as it comes: one wrong bit upwards would be billed for
ever, and a meter that was replaced, or has lost its register, must not give away the energy it counts from then on.
"""

from __future__ import annotations

import math
from logging import LoggerAdapter
from typing import Any, Protocol

from hw.ports import Outlet, Reading

STEP_WH = 10.0
"""A register may be so much ahead of the rated power in one step: its resolution, and the rounding of both readings."""
MARGIN = 1.25
"""Times the rated power that counts as given: tolerance of meter and clocks, and a mains voltage above the rated one."""
COARSE_WH = 1000.0
"""The coarsest step of a register: some meters count in whole kWh."""
IMPOSSIBLE = 2.0
"""Times the rated power: what no outlet gives, whatever meter and clocks make of it."""
FALL_WH = 1.0
"""A register this much lower is not rounding."""
AGREEING_READINGS = 3
"""So many readings in a row that are out of place, and agree among themselves, are another register, not an error."""


class RegisterOwner(Protocol):
    """What a register needs of the meter it belongs to."""

    @property
    def log(self) -> LoggerAdapter[Any]: ...


class Register:
    """The believed register of one outlet. ``wh`` never falls; ``offset_wh`` is what it adds to the meter's own."""

    __slots__ = ("_doubtful", "_doubts", "_fallen_from_wh", "_outlet", "_owner", "_seen_s", "offset_wh", "wh")

    def __init__(self, owner: RegisterOwner, outlet: Outlet) -> None:
        self.wh = 0.0
        self.offset_wh = 0.0
        self._owner = owner
        self._outlet = outlet
        self._seen_s: float | None = None
        """When the last believed reading was taken."""
        self._doubtful: Reading | None = None
        """The last reading that was out of place."""
        self._doubts = 0
        self._fallen_from_wh = 0.0

    @property
    def is_doubtful(self) -> bool:
        """The last reading was out of place: the next one decides."""
        return self._doubtful is not None

    def believe(self, reading: Reading) -> bool:
        """Count a reading; return whether it was credible.

        A register that is higher than the outlet can have made it waits for a second reading that agrees; one that is out
        of all proportion, or lower, for a third one, and then it counts as another meter's.
        """
        if self.wh - FALL_WH <= reading.energy_wh + self.offset_wh <= self.most_wh(reading):
            self._accept(reading)
            return True
        is_first = self._doubtful is None or not self._agrees(self._doubtful, reading)
        if is_first:
            self._doubts = 0
            self._fallen_from_wh = reading.energy_wh
        self._doubts += 1
        self._doubtful = reading
        return self._is_low(reading) if reading.energy_wh + self.offset_wh < self.wh else self._is_high(reading)

    def shown_wh(self, reading: Reading) -> float:
        """Return the register in Wh that a display shows for ``reading``; unlike `believe` it changes nothing."""
        energy_wh = reading.energy_wh + self.offset_wh
        return self.wh if energy_wh > self.most_wh(reading) else max(self.wh, energy_wh)

    def most_wh(self, reading: Reading) -> float:
        """Return the highest register in Wh that rated power explains when ``reading`` was taken; ``inf`` at first."""
        return self._bound_wh(reading, MARGIN, STEP_WH)

    def _bound_wh(self, reading: Reading, factor: float, step_wh: float) -> float:
        if self._seen_s is None:
            return math.inf
        return self.wh + step_wh + factor * self._rated_w * max(0.0, reading.at_s - self._seen_s) / 3600.0

    @property
    def _rated_w(self) -> float:
        rated = self._outlet.rated
        return rated.current_a * rated.voltage_v * rated.phases

    def _agrees(self, before: Reading, reading: Reading) -> bool:
        gained_wh = reading.energy_wh - before.energy_wh
        most_wh = STEP_WH + MARGIN * self._rated_w * max(0.0, reading.at_s - before.at_s) / 3600.0
        return -FALL_WH <= gained_wh <= most_wh

    def _accept(self, reading: Reading) -> None:
        self.wh = max(self.wh, reading.energy_wh + self.offset_wh)
        self._seen_s = reading.at_s
        self._doubtful = None
        self._doubts = 0

    def _is_low(self, reading: Reading) -> bool:
        """One low reading is an error; several that rise are a meter that counts from somewhere else."""
        meant = (self._outlet.connector, self.wh, reading.energy_wh + self.offset_wh)
        if self._doubts < AGREEING_READINGS:
            self._owner.log.warning("connector %d: meter fell from %.0f to %.0f Wh: the higher register stands", *meant)
            return True
        self._replaced(reading)
        return True

    def _is_high(self, reading: Reading) -> bool:
        energy_wh = reading.energy_wh + self.offset_wh
        if self._doubts > 1 and energy_wh <= self._bound_wh(reading, IMPOSSIBLE, COARSE_WH):
            self._accept(reading)
            return True
        if self._doubts >= AGREEING_READINGS:
            self._replaced(reading)
            return True
        self._owner.log.warning(
            "connector %d: a reading of %.0f Wh after %.0f Wh is more than the outlet can have given: not used yet",
            self._outlet.connector,
            energy_wh,
            self.wh,
        )
        return False

    def _replaced(self, reading: Reading) -> None:
        self._owner.log.error(
            "connector %d: the meter went from %.0f to %.0f Wh and counts on: it was replaced, or has lost its register; "
            "what it counts is added to the old register",
            self._outlet.connector,
            self.wh,
            reading.energy_wh + self.offset_wh,
        )
        self.offset_wh = self.wh - self._fallen_from_wh
        self._accept(reading)
