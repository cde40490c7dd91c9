"""What a car uses up between two arrivals, computed when it comes back: no timer runs while it is away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hw.sim.chance import Chance

DAY_S = 86_400.0
FASTEST_PER_S = 0.5 / 3600.0
"""A battery is driven empty in two hours at least, so a car that is away for minutes comes back nearly as it left [D]."""
LEAST_SOC = 0.05
"""A driver does not let the battery fall below this [D]."""


class Drives:
    """The drives of one car: ``least`` to ``most`` of the battery a day, 0..1, a new share each time it leaves.

    A day counts from one arrival to the next: what a car uses up does not depend on how long it stands at the box [D].
    """

    __slots__ = ("_arrived_s", "_chance", "_least", "_left_s", "_most", "_per_s")

    def __init__(self, least: float, most: float, seed: int) -> None:
        self._least = least
        self._most = most
        self._chance = Chance(seed)
        self._left_s = 0.0
        self._arrived_s = 0.0
        self._per_s = self._drawn()

    def leave(self, now_s: float) -> None:
        """The car is unplugged."""
        self._left_s, self._per_s = now_s, self._drawn()

    def arrive(self, soc: float, now_s: float) -> float:
        """Return the state of charge with which the car comes back that left with ``soc``."""
        used = min(self._per_s * (now_s - self._arrived_s), FASTEST_PER_S * (now_s - self._left_s))
        self._arrived_s = self._left_s = now_s
        return max(min(soc, LEAST_SOC), soc - max(0.0, used))

    def snapshot(self, now_s: float) -> dict[str, object]:
        """Times since departure and arrival, the share that was drawn and the chance, as plain JSON values."""
        return {
            "away_s": now_s - self._left_s,
            "since_arrival_s": now_s - self._arrived_s,
            "per_s": self._per_s,
            "chance": self._chance.state,
        }

    def restore(self, saved: Mapping[str, Any], now_s: float) -> None:
        """Take up a `snapshot`."""
        self._left_s = now_s - float(saved["away_s"])
        self._arrived_s = now_s - float(saved["since_arrival_s"])
        self._per_s = float(saved["per_s"])
        self._chance.state = int(saved["chance"])

    def _drawn(self) -> float:
        """Return what the next days use up, as a share of the battery a second."""
        return self._chance.around((self._least + self._most) / 2.0, (self._most - self._least) / 2.0) / DAY_S
