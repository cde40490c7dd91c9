"""The composition root: what a board file decides about a charger, and what chargers of a kind share."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from chargepoint import __version__
from chargepoint.model.chargepoint import Station
from chargepoint.model.keys import Access
from chargepoint.runtime.assembly import ChargerPlan, roster_for, station_of
from hw.driver import Driver, Place
from hw.loader import plan_board
from hw.ports import Meter
from profiles import ALL
from tests.world import World


def default(board: str, name: str) -> tuple[str, Access]:
    keyring = roster_for(plan_board(board), tuple(ALL)).keyring
    key = keyring.find(name)
    assert key is not None
    return key.write(keyring.default(key)), keyring.access(key)


@pytest.mark.parametrize(
    ("board", "key", "value", "access"),
    [
        ("ac11-sim", "NumberOfConnectors", "1", Access.READ_ONLY),
        ("ac22-sim-duo", "NumberOfConnectors", "2", Access.READ_ONLY),
        ("ac11-sim-duo", "ConnectorPhaseRotation", "0.RST,1.RST,2.RST", Access.READ_WRITE),
        ("ac7.4-sim", "ConnectorPhaseRotation", "0.NotApplicable,1.NotApplicable", Access.READ_WRITE),
        ("ac11-sim", "SupportedFeatureProfiles", ",".join(ALL), Access.READ_ONLY),
        ("ac11-sim", "UnlockConnectorOnEVSideDisconnect", "false", Access.READ_ONLY),
        ("ac11-sim-socket", "UnlockConnectorOnEVSideDisconnect", "true", Access.READ_WRITE),
    ],
)
def test_board_decides_some_keys(board: str, key: str, value: str, access: Access) -> None:
    """9.1: number of connectors, phase rotation and the lock are facts of the box (erratum 3.84: a fixed cable)."""
    assert default(board, key) == (value, access)


def test_chargers_of_a_kind_share_their_tables() -> None:
    """Thousands of chargers cost next to nothing: handler tables and keys exist once for each board."""
    roster = roster_for(plan_board("ac11-sim"), tuple(ALL))
    assert roster_for(plan_board("ac11-sim"), tuple(ALL)) is roster
    assert roster_for(plan_board("ac22-sim"), tuple(ALL)) is not roster


def test_feature_profile_that_is_left_out_is_not_claimed() -> None:
    """3.3: SupportedFeatureProfiles lists what is there; a command of another one is not implemented."""
    world = World(plan={"feature_profiles": ("Core",)})
    answer = world.ask("GetConfiguration", key=["SupportedFeatureProfiles"])
    assert answer["configurationKey"][0]["value"] == "Core"
    assert world.ask("TriggerMessage", requestedMessage="Heartbeat") in ("NotImplemented", "NotSupported")


def test_board_file_fills_the_gaps_of_the_station() -> None:
    """6.3: BootNotification tells vendor and model; what the owner configured counts more than the board file."""
    board = plan_board("ac11-sim")
    station = station_of(ChargerPlan(identity="CP1", board=board))
    assert (station.vendor, station.model, station.meter_type) == (board.vendor, board.model, board.meter_type)
    told = Station(vendor="Home", model="Garage", meter_type="MID-1", serial_number="0815")
    assert station_of(ChargerPlan(identity="CP1", board=board, station=told)) == told


def test_key_with_an_impossible_value_is_named() -> None:
    """`assemble` raises ValueError for a key whose value cannot be."""
    with pytest.raises(ValueError, match="MeterValueSampleInterval: expected a whole number, got 'often'"):
        World(keys={"MeterValueSampleInterval": "often"})


def test_unknown_key_is_kept_as_a_custom_one() -> None:
    """5.3: vendor-specific keys are allowed; a central system sees and changes them like any other."""
    world = World(keys={"GarageDoor": "closed"})
    assert world.ask("GetConfiguration", key=["garagedoor"])["configurationKey"] == [
        {"key": "GarageDoor", "readonly": False, "value": "closed"}
    ]
    assert world.ask("ChangeConfiguration", key="GarageDoor", value="open") == {"status": "Accepted"}
    world.cut_power()
    assert world.ask("GetConfiguration", key=["GarageDoor"])["configurationKey"][0]["value"] == "open"


def test_factory_settings_give_way_to_what_the_central_system_changed() -> None:
    """Keys are as the box leaves the factory; what a central system changes is stored over them."""
    world = World(keys={"MeterValueSampleInterval": "30"})
    world.configure(MeterValueSampleInterval=17)
    world.cut_power()
    answer = world.ask("GetConfiguration", key=["MeterValueSampleInterval"])
    assert answer["configurationKey"][0]["value"] == "17"


def test_register_begins_where_the_plan_says() -> None:
    """A meter that is fitted has counted before."""
    world = World(plan={"register_wh": 1_234_000.0})
    world.charge().run(60).unplug().run(20)
    assert world.last("StartTransaction")["meterStart"] == 1_234_000
    assert world.last("StopTransaction")["meterStop"] > 1_234_000


def derived(identity: str = "CP001", board: str = "ac11-sim", **more: Any) -> ChargerPlan:
    return ChargerPlan(identity=identity, board=plan_board(board), derives_defaults=True, **more)


def test_a_simulated_box_is_not_empty_in_a_back_end() -> None:
    """6.3: firmwareVersion and the serial numbers are what an operator finds a charge point by; made up ([D])."""
    world = World(plan={"derives_defaults": True})
    told = world.last("BootNotification")
    assert told["firmwareVersion"] == __version__
    assert told["chargeBoxSerialNumber"] == "CP1"
    assert re.fullmatch(r"AC11-[0-9A-F]{8}", told["chargePointSerialNumber"])
    assert re.fullmatch(r"SIM-3P-[0-9A-F]{8}", told["meterSerialNumber"])
    world.charge()
    assert 100_000 <= world.last("StartTransaction")["meterStart"] < 10_000_000


def test_derived_defaults_belong_to_one_identity_and_board() -> None:
    """A box has the same serial numbers after each start, and no two boxes have the same."""
    plans = [derived(), derived(), derived("CP002"), derived(board="ac22-sim"), derived("depot " * 8)]
    stations = [station_of(plan) for plan in plans]
    assert stations[0] == stations[1]
    assert len({each.serial_number for each in stations}) == len({each.meter_serial_number for each in stations}) == 4
    assert stations[4].charge_box_serial_number == stations[4].serial_number
    assert all(len(text or "") <= 25 for each in stations for text in (each.serial_number, each.meter_serial_number))


def test_what_is_configured_counts_more_than_a_derived_default() -> None:
    """Also where the board file names the register, or the plan begins it at 0."""
    told = Station(serial_number="S", charge_box_serial_number="B", firmware_version="F", meter_serial_number="M")
    station = station_of(derived(station=told))
    assert (station.serial_number, station.charge_box_serial_number) == ("S", "B")
    assert (station.firmware_version, station.meter_serial_number) == ("F", "M")
    world = World(plan={"derives_defaults": True, "register_wh": 0.0}).charge()
    assert world.last("StartTransaction")["meterStart"] == 0


def test_a_real_board_has_the_version_of_the_program_and_no_made_up_number() -> None:
    """What is printed on a real box is not known here."""
    plan = derived()
    real = replace(plan.board.connectors[0], meter=RealMeter())
    station = station_of(replace(plan, board=replace(plan.board, connectors=(real,))))
    assert (station.firmware_version, station.serial_number, station.meter_serial_number) == (__version__, None, None)


class RealMeter(Driver[Meter]):
    """A meter that is not simulated."""

    def build(self, place: Place) -> Meter:
        raise NotImplementedError
