"""The energy meter: a register per phase that never falls, behind a class error and a resolution."""

from __future__ import annotations

from copy import copy
from math import floor, sqrt

from hw.ports import Reading
from hw.sim.onboard import Supply


class Register:
    """Energy per phase in Wh. ``start_wh`` is what the meter had counted before it was fitted here."""

    __slots__ = ("_gain", "_has_phase_energy", "_phase_wh", "_resolution_wh", "_start_wh")

    def __init__(
        self, phases: int, start_wh: float, *, gain: float = 1.0, resolution_wh: float = 0.0, phase_energy: bool = False
    ) -> None:
        self._phase_wh = [0.0] * phases
        self._start_wh = start_wh
        self._gain = gain
        self._resolution_wh = resolution_wh
        self._has_phase_energy = phase_energy

    @property
    def energy_wh(self) -> float:
        """What the register shows in Wh."""
        return self._shown(self._start_wh + sum(self._phase_wh))

    def add(self, phase_wh: float, phases: int) -> None:
        """Count ``phase_wh`` on each of the first ``phases`` phases; nothing can take energy off the register."""
        if phase_wh > 0.0:
            for phase in range(min(phases, len(self._phase_wh))):
                self._phase_wh[phase] += self._gain * phase_wh

    def plus(self, phase_wh: float, phases: int) -> Register:
        """Return a copy that has counted ``phase_wh`` on each of the first ``phases`` phases; this one stays as it is."""
        more = copy(self)
        more._phase_wh = list(self._phase_wh)
        more.add(phase_wh, phases)
        return more

    def reading(
        self,
        at_s: float,
        supply: Supply,
        current_a: float,
        phases: int,
        power_w: float,
        board_c: float | None,
        *,
        is_capacitive: bool = False,
    ) -> Reading:
        """Return one look at the meter: the first ``phases`` phases carry ``current_a`` and draw ``power_w`` each.

        The class error is that of the current transformers: it acts alike on current, power and energy, and leaves the
        power factor as it is. Reactive power is positive for an inductive load, negative for a capacitive one.
        """
        idle = (0.0,) * (len(self._phase_wh) - phases)
        apparent_va = supply.voltage_at(current_a) * current_a
        reactive_var = self._gain * phases * sqrt(max(0.0, apparent_va**2 - power_w**2))
        start_wh = self._start_wh / len(self._phase_wh)
        return Reading(
            at_s=at_s,
            energy_wh=self.energy_wh,
            power_w=(self._gain * power_w,) * phases + idle,
            current_a=(self._gain * current_a,) * phases + idle,
            voltage_v=(supply.voltage_at(current_a),) * phases + (supply.voltage_v,) * len(idle),
            phase_energy_wh=tuple(map(self._shown, (start_wh + wh for wh in self._phase_wh)))
            if self._has_phase_energy
            else (),
            power_factor=power_w / apparent_va if apparent_va > 0.0 else 1.0,
            reactive_power_var=-reactive_var if is_capacitive and reactive_var > 0.0 else reactive_var,
            frequency_hz=supply.frequency_hz,
            board_c=board_c,
        )

    def snapshot(self) -> list[float]:
        """The counted energy as plain values."""
        return [self._start_wh, *self._phase_wh]

    def restore(self, saved: list[float]) -> None:
        """Take up a `snapshot`."""
        self._start_wh, *self._phase_wh = saved

    def _shown(self, energy_wh: float) -> float:
        step_wh = self._resolution_wh
        return floor(energy_wh / step_wh) * step_wh if step_wh > 0.0 else energy_wh
