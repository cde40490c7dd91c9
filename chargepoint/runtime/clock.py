"""Three ways for time to pass: as it does, n times as fast, or in jumps to whatever is due next."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class RunningClock:
    """Real time, or ``speed`` times as fast for the charger while the wire keeps its own pace."""

    speed: float = 1.0
    _origin_s: float = field(default_factory=time.monotonic)

    def wire_s(self) -> float:
        """Wall time since the start, in s."""
        return time.monotonic() - self._origin_s

    def charge_s(self) -> float:
        """Charger time since the start, in s."""
        return self.wire_s() * self.speed

    @property
    def is_real(self) -> bool:
        return self.speed == 1.0


def wall_utc_s() -> float:
    """UTC of this machine in s since 1970: what a charger believes until a central system tells it the time."""
    return time.time()
