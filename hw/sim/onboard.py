"""The on-board charger and the battery as arithmetic: what a current draws, stores and may be (EV model 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hw.sim.cars import REFERENCE_V, CarClass

LEAST_POWER_FACTOR = 0.6
LEAST_PHASE_V = 85.0
"""A phase below this voltage counts as missing: on-board chargers take 100 to 240 V, with 15 % of tolerance."""
WS_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Supply:
    """The mains at an inlet: open-circuit voltage to neutral, phases present, and the resistance in front of them.

    The voltage that a neutral current lifts on idle phases is left out: no decision of a charger hangs on it.
    """

    voltage_v: float
    phases: int
    source_ohm: float = 0.0
    frequency_hz: float = 50.0

    def voltage_at(self, current_a: float) -> float:
        """Return the voltage in V of a phase that carries ``current_a``."""
        return self.voltage_v - self.source_ohm * current_a

    def scaled(self, factor: float) -> Supply:
        """Return the same mains at another voltage."""
        return replace(self, voltage_v=self.voltage_v * factor)


def phases_used(kind: CarClass, supply: Supply) -> int:
    """Return how many phases the car draws from; a one-phase car takes L1, a two-phase car L1 and L2."""
    return min(kind.phases, supply.phases) if supply.voltage_v > LEAST_PHASE_V else 0


def power_factor(kind: CarClass, current_a: float) -> float:
    """Return the power factor at a phase current: 1 at full current, less below it."""
    if current_a <= 0.0:
        return 1.0
    factor = 1.0 - kind.power_factor_slope * (kind.max_a / current_a - 1.0)
    return min(1.0, max(LEAST_POWER_FACTOR, factor))


def power_factor_kink_a(kind: CarClass) -> float:
    """Return the phase current in A below which the power factor stays at its least; 0.0 if it falls nowhere so far."""
    slope = kind.power_factor_slope
    return slope * kind.max_a / (1.0 - LEAST_POWER_FACTOR + slope)


def phase_power_w(kind: CarClass, supply: Supply, current_a: float) -> float:
    """Return the active power in W of one phase."""
    return supply.voltage_at(current_a) * current_a * power_factor(kind, current_a)


def current_for_power(kind: CarClass, supply: Supply, power_w: float) -> float:
    """Return the phase current in A at which the car draws ``power_w`` in all; 0.0 where no phase is usable.

    Without sag the power is linear in the current (the power factor's 1/I cancels), so one step is exact; the sag of a
    source resistance is met by repeating it.
    """
    phases = phases_used(kind, supply)
    if phases == 0:
        return 0.0
    current_a = 0.0
    slope = kind.power_factor_slope
    for _ in range(1 if supply.source_ohm == 0.0 else 6):
        apparent_a = power_w / (phases * supply.voltage_at(current_a))  # the current at a power factor of 1
        if apparent_a >= kind.max_a:
            current_a = apparent_a
        else:
            sloped_a = (apparent_a + slope * kind.max_a) / (1.0 + slope)
            current_a = min(sloped_a, apparent_a / LEAST_POWER_FACTOR)
    return current_a


def stored_power_w(kind: CarClass, power_w: float) -> float:
    """Return what of the AC power reaches the battery's terminals in W, never below 0."""
    return max(0.0, power_w - kind.loss_w - kind.loss_per_w * power_w - kind.loss_per_w2 * power_w**2)


def full_power_w(kind: CarClass, phases: int) -> float:
    """Return the rated AC power in W on so many phases: each has its own part of the on-board charger."""
    return min(phases, kind.phases) * kind.max_a * REFERENCE_V


def accepted_power_w(kind: CarClass, soc: float, full_w: float) -> float:
    """Return the AC power in W that the car asks for at a state of charge: ``full_w``, then tapering to 0 at 1."""
    if soc <= kind.taper_soc:
        return full_w
    left = max(0.0, 1.0 - soc) / (1.0 - kind.taper_soc)
    return float(full_w * left**kind.taper_exponent)


def soc_accepting(kind: CarClass, power_w: float, full_w: float) -> float:
    """Return the state of charge up to which the car asks for at least ``power_w``: the inverse of the taper."""
    if power_w >= full_w:
        return kind.taper_soc
    return float(1.0 - (1.0 - kind.taper_soc) * (power_w / full_w) ** (1.0 / kind.taper_exponent))
