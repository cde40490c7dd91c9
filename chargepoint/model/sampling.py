"""What a meter value tells: the measurands of an AC box, taken from one reading (OCPP 1.6 7.31-7.36, 7.43, 7.45).

The register is absolute and cut to whole Wh everywhere, so that the value of a begin equals ``meterStart``. Power and
energy come as the total, and per phase where there are three; currents and voltages have no total.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ocpp.v16.datatypes import MeterValue, SampledValue
from ocpp.v16.enums import Location, Measurand, Phase, ReadingContext, UnitOfMeasure

from hw.ports import Outlet, PhaseValues, Reading

DEFAULT = Measurand.energy_active_import_register.value
"""What an empty list of measurands means (certification test tool)."""

_PHASES = (Phase.l1, Phase.l2, Phase.l3)
_PHASES_N = (Phase.l1_n, Phase.l2_n, Phase.l3_n)


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading with what the meter itself does not know."""

    reading: Reading
    register_wh: int
    interval_wh: int | None
    """The difference of two registers, as they are told."""
    offered_a: float
    """What the pilot signals, per phase."""
    offered_w: float
    offset_wh: float = 0.0
    """What the register has more than that of the meter: of each phase it has its share more."""
    temperature_unit: str = "Celcius"
    """How degrees Celsius are spelt: the schemas that are out there have this word (7.45, erratum 3.85)."""


Values = Iterator[tuple[str, Phase | None]]


def _register(sample: Sample) -> Values:
    yield str(sample.register_wh), None
    phases = sample.reading.phase_energy_wh
    for phase, energy_wh in _known(_PHASES, phases):
        yield str(int(energy_wh + sample.offset_wh / len(phases))), phase


def _known(phases: tuple[Phase, ...], values: PhaseValues) -> Iterator[tuple[Phase, float]]:
    """Return the phases whose value is known, with it."""
    for phase, value in zip(phases, values, strict=False):
        if value is not None:
            yield phase, value


def _interval(sample: Sample) -> Values:
    if sample.interval_wh is not None:
        yield str(sample.interval_wh), None


def _power(sample: Sample) -> Values:
    powers = sample.reading.power_w
    if powers and None not in powers:
        yield f"{sample.reading.total_power_w:.1f}", None
    if len(powers) > 1:
        for phase, power_w in _known(_PHASES, powers):
            yield f"{power_w:.1f}", phase


def _reactive_import(sample: Sample) -> Values:
    if sample.reading.reactive_power_var is not None:
        yield f"{max(0.0, sample.reading.reactive_power_var):.1f}", None


def _reactive_export(sample: Sample) -> Values:
    if sample.reading.reactive_power_var is not None:
        yield f"{max(0.0, -sample.reading.reactive_power_var):.1f}", None


def _power_factor(sample: Sample) -> Values:
    if sample.reading.power_factor is not None:
        yield f"{sample.reading.power_factor:.3f}", None


def _power_offered(sample: Sample) -> Values:
    yield _cut(sample.offered_w), None


def _current(sample: Sample) -> Values:
    for phase, current_a in _known(_PHASES, sample.reading.current_a):
        yield f"{current_a:.2f}", phase


def _current_offered(sample: Sample) -> Values:
    yield _cut(sample.offered_a), None


def _cut(value: float) -> str:
    """Return a value with one decimal that is not above it: 7.99 A is no offer of 8.0 A."""
    return f"{math.floor(value * 10.0 + 1e-6) / 10.0:.1f}"


def _voltage(sample: Sample) -> Values:
    for phase, voltage_v in _known(_PHASES_N, sample.reading.voltage_v):
        yield f"{voltage_v:.1f}", phase


def _frequency(sample: Sample) -> Values:
    if sample.reading.frequency_hz is not None:
        yield f"{sample.reading.frequency_hz:.2f}", None


def _temperature(sample: Sample) -> Values:
    if sample.reading.board_c is not None:
        yield f"{sample.reading.board_c:.1f}", None


def _vehicle_soc(sample: Sample) -> Values:
    if sample.reading.vehicle_soc is not None:
        yield f"{100.0 * sample.reading.vehicle_soc:.0f}", None


def _tells_soc(outlet: Outlet) -> bool:
    return outlet.has_vehicle_soc


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a measurand is told. ``unit`` None: it has none, or hertz, which the standard cannot spell (7.45).

    ``is_fitted`` says which outlets measure it; None: all do, or leave out what their meter does not tell.
    """

    values: Callable[[Sample], Values]
    unit: UnitOfMeasure | str | None
    location: Location = Location.outlet
    phases: tuple[Phase, ...] = ()
    is_fitted: Callable[[Outlet], bool] | None = None


TEMPERATURE = "°C"
"""Stands for the spelling that a sample brings along."""

MEASURANDS: dict[str, _Kind] = {
    Measurand.energy_active_import_register.value: _Kind(_register, UnitOfMeasure.wh),
    Measurand.energy_active_import_interval.value: _Kind(_interval, UnitOfMeasure.wh),
    Measurand.power_active_import.value: _Kind(_power, UnitOfMeasure.w, phases=_PHASES),
    Measurand.power_reactive_import.value: _Kind(_reactive_import, UnitOfMeasure.var),
    Measurand.power_reactive_export.value: _Kind(_reactive_export, UnitOfMeasure.var),
    Measurand.power_factor.value: _Kind(_power_factor, None),
    Measurand.power_offered.value: _Kind(_power_offered, UnitOfMeasure.w),
    Measurand.current_import.value: _Kind(_current, UnitOfMeasure.a, phases=_PHASES),
    Measurand.current_offered.value: _Kind(_current_offered, UnitOfMeasure.a),
    Measurand.voltage.value: _Kind(_voltage, UnitOfMeasure.v, phases=_PHASES_N),
    Measurand.frequency.value: _Kind(_frequency, None),
    Measurand.temperature.value: _Kind(_temperature, TEMPERATURE, Location.body),
    Measurand.soc.value: _Kind(_vehicle_soc, UnitOfMeasure.percent, Location.ev, is_fitted=_tells_soc),
}
"""Every measurand this charger can tell, if its outlets do (`is_measured`): an AC box knows no SoC of a real car."""


def split(item: str) -> tuple[str, Phase | None]:
    """Return measurand and phase of an item of a measurand list, such as ``Voltage.L1`` (9.1.17).

    Raises ValueError when it is none.
    """
    if item in MEASURANDS:
        return item, None
    name, _, suffix = item.rpartition(".")
    kind = MEASURANDS.get(name)
    if kind is not None:
        for phase in kind.phases:
            if suffix in (phase.value, phase.value.removesuffix("-N")):
                return name, phase
    raise ValueError(f"{item!r} is no measurand of this charger")


def is_measurand(item: str) -> bool:
    try:
        split(item)
    except ValueError:
        return False
    return True


def is_measured(item: str, outlets: Iterable[Outlet]) -> bool:
    """Whether some outlet measures what an item asks for, on the phase that it asks for."""
    name, phase = split(item)
    is_fitted = MEASURANDS[name].is_fitted
    return any(
        (is_fitted is None or is_fitted(outlet))
        and (phase is None or phase.value[:2] in ("L1", "L2", "L3")[: outlet.rated.phases])
        for outlet in outlets
    )


def meter_value(items: Iterable[str], sample: Sample, context: ReadingContext, timestamp: str) -> MeterValue | None:
    """Return a MeterValue with what ``items`` ask for, None when the meter can tell none of it (no empty lists)."""
    sampled = []
    for item in items or (DEFAULT,):
        name, wanted = split(item)
        kind = MEASURANDS[name]
        for value, phase in kind.values(sample):
            if wanted is not None and phase is not wanted:
                continue
            sampled.append(
                SampledValue(
                    value=value,
                    context=context,
                    measurand=Measurand(name),
                    phase=phase,
                    location=kind.location,
                    # "Celcius" is not in the package.
                    unit=sample.temperature_unit if kind.unit == TEMPERATURE else kind.unit,  # type: ignore[arg-type]
                )
            )
    return MeterValue(timestamp=timestamp, sampled_value=sampled) if sampled else None
