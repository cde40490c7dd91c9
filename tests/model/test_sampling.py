"""What a meter value tells: measurand by measurand (transactions-and-metering.md 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ocpp.v16.enums import Location, ReadingContext

from chargepoint.model import wire
from chargepoint.model.sampling import MEASURANDS, Sample, is_measurand, is_measured, meter_value, split
from hw.ports import CableKind, Limits, Outlet, Rated, Reading

THREE = Outlet(1, Rated(16.0, 3), Limits(), CableKind.TETHERED, 16.0)
ONE = Outlet(2, Rated(16.0, 1), Limits(), CableKind.TETHERED, 16.0)
WORKED = Reading(
    at_s=0.0,
    energy_wh=4711203.6,
    power_w=(3680.0, 3649.8, 3686.9),
    current_a=(16.0, 15.8, 16.1),
    voltage_v=(230.0, 231.0, 229.0),
    power_factor=1.0,
    reactive_power_var=0.0,
    frequency_hz=50.0,
    board_c=41.5,
    vehicle_soc=0.304,
)
"""The worked example of section 5."""
SINGLE = replace(WORKED, power_w=(3680.0,), current_a=(16.0,), voltage_v=(230.0,))


def values(*items: str, reading: Reading = WORKED, outlet: Outlet = THREE, interval_wh: int | None = 183) -> list[Any]:
    """Return (phase, value, unit) of each sampled value, as text."""
    offered_w = 16.0 * outlet.rated.phases * outlet.rated.voltage_v
    sample = Sample(reading, int(reading.energy_wh), interval_wh, 16.0, offered_w)
    found = meter_value(items, sample, ReadingContext.sample_periodic, "2026-01-01T00:00:00.000Z")
    if found is None:
        return []
    told = found.sampled_value
    return [(v.phase and v.phase.value, v.value, v.unit and str(getattr(v.unit, "value", v.unit))) for v in told]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("Energy.Active.Import.Register", [(None, "4711203", "Wh")]),
        ("Energy.Active.Import.Interval", [(None, "183", "Wh")]),
        (
            "Power.Active.Import",
            [(None, "11016.7", "W"), ("L1", "3680.0", "W"), ("L2", "3649.8", "W"), ("L3", "3686.9", "W")],
        ),
        ("Power.Reactive.Import", [(None, "0.0", "var")]),
        ("Power.Reactive.Export", [(None, "0.0", "var")]),
        ("Power.Factor", [(None, "1.000", None)]),
        ("Power.Offered", [(None, "11040.0", "W")]),
        ("Current.Import", [("L1", "16.00", "A"), ("L2", "15.80", "A"), ("L3", "16.10", "A")]),
        ("Current.Offered", [(None, "16.0", "A")]),
        ("Voltage", [("L1-N", "230.0", "V"), ("L2-N", "231.0", "V"), ("L3-N", "229.0", "V")]),
        ("Frequency", [(None, "50.00", None)]),
        ("Temperature", [(None, "41.5", "Celcius")]),
        ("SoC", [(None, "30", "Percent")]),
        ("Voltage.L1", [("L1-N", "230.0", "V")]),
        ("Voltage.L2-N", [("L2-N", "231.0", "V")]),
        ("Current.Import.L3", [("L3", "16.10", "A")]),
        ("Power.Active.Import.L2", [("L2", "3649.8", "W")]),
    ],
)
def test_a_measurand_on_three_phases(item: str, expected: list[Any]) -> None:
    """The measurand table and the worked 3-phase sample set."""
    assert values(item) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("Power.Active.Import", [(None, "3680.0", "W")]),
        ("Current.Import", [("L1", "16.00", "A")]),
        ("Voltage", [("L1-N", "230.0", "V")]),
        ("Voltage.L2", []),
    ],
)
def test_a_measurand_on_one_phase(item: str, expected: list[Any]) -> None:
    """1-phase: use L1 only."""
    assert values(item, reading=SINGLE, outlet=ONE) == expected


def test_nothing_configured_means_the_register() -> None:
    """Empty MeterValuesSampledData: "OCTT assumes Energy.Active.Import.Register → send that"."""
    assert values() == [(None, "4711203", "Wh")]


def test_what_the_meter_cannot_tell_is_left_out() -> None:
    """ "No NaN (omit value instead)"; no empty list either."""
    bare = Reading(at_s=0.0, energy_wh=5.0)
    names = [name for name in MEASURANDS if "Offered" not in name and "Register" not in name]
    assert values(*names, reading=bare, interval_wh=None) == []
    assert values("Voltage", "Energy.Active.Import.Register", reading=bare) == [(None, "5", "Wh")]


def test_a_meter_with_phase_energies_tells_them_after_the_total() -> None:
    """Register: none (+L1,L2,L3 if the meter gives)."""
    told = values("Energy.Active.Import.Register", reading=replace(WORKED, phase_energy_wh=(1.9, 2.0, 3.0)))
    assert told == [(None, "4711203", "Wh"), ("L1", "1", "Wh"), ("L2", "2", "Wh"), ("L3", "3", "Wh")]


@pytest.mark.parametrize(
    "item", ["SoC.L1", "RPM", "Nonsense", "", "Voltage.L4", "Frequency.L1", "voltage", "Current.Import.L1-N"]
)
def test_what_this_charger_cannot_measure_is_no_measurand(item: str) -> None:
    """ "AC box normally cannot; leave unsupported"; unsupported in a list → Rejected."""
    assert not is_measurand(item)
    with pytest.raises(ValueError, match="no measurand"):
        split(item)


@pytest.mark.parametrize(("item", "measured"), [("Voltage.L1", True), ("Voltage.L2", False), ("Voltage", True)])
def test_a_phase_must_be_fitted_somewhere(item: str, measured: bool) -> None:
    """A phase suffix "picks one": there must be one to pick."""
    assert is_measured(item, [ONE]) is measured
    assert is_measured(item, [ONE, THREE])


def test_the_state_of_charge_is_measured_only_where_a_simulated_car_tells_it() -> None:
    """SoC: "State of charge of charging vehicle in percentage" (OCPP 1.6 7.31); its location is the EV (7.24)."""
    assert not is_measured("SoC", [THREE, ONE])
    assert is_measured("SoC", [THREE, replace(ONE, has_vehicle_soc=True)])
    sample = Sample(WORKED, 4711203, 183, 16.0, 11040.0)
    told = meter_value(("SoC",), sample, ReadingContext.sample_periodic, "2026-01-01T00:00:00.000Z")
    assert told is not None
    assert [each.location for each in told.sampled_value] == [Location.ev]
    assert values("SoC", reading=replace(WORKED, vehicle_soc=None)) == []


@pytest.mark.parametrize(("reading", "outlet"), [(WORKED, THREE), (SINGLE, ONE)])
def test_everything_it_tells_fits_the_published_schemas(reading: Reading, outlet: Outlet) -> None:
    """Values are decimal strings, `Celcius` is spelt as out there; transactionData has a schema of its own."""
    sample = Sample(reading, 4711203, 183, 16.0, 16.0 * outlet.rated.phases * 230.0)
    value = meter_value(tuple(MEASURANDS), sample, ReadingContext.transaction_end, "2026-01-01T00:00:00.000Z")
    assert value is not None
    text = wire.encode_meter_value(value)
    wire.validate_outgoing("MeterValues", f'{{"connectorId":1,"meterValue":[{text}]}}')
    stop = '{"meterStop":1,"timestamp":"2026-01-01T00:00:00Z","transactionId":1}'
    wire.validate_outgoing("StopTransaction", wire.with_transaction_data(stop, [text]))
    assert all(each.value.replace(".", "", 1).isdigit() for each in value.sampled_value)


@pytest.mark.parametrize(("reactive_var", "imported", "exported"), [(120.0, "120.0", "0.0"), (-120.0, "0.0", "120.0")])
def test_reactive_power_is_told_as_import_or_as_export(reactive_var: float, imported: str, exported: str) -> None:
    """Power.Reactive.Import is drawn by the EV, Power.Reactive.Export given by it (OCPP 1.6 7.31): neither is negative."""
    reading = replace(WORKED, reactive_power_var=reactive_var)
    assert values("Power.Reactive.Import", reading=reading) == [(None, imported, "var")]
    assert values("Power.Reactive.Export", reading=reading) == [(None, exported, "var")]
