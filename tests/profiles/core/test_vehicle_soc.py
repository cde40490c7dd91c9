"""The state of charge of a simulated car as a measurand: off by default, and never of a real one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tests.world import World


def test_a_simulated_vehicle_tells_its_state_of_charge_where_the_board_file_says_so(tmp_path: Path) -> None:
    """SoC in %, location EV (OCPP 1.6 7.31, 7.24); on any other board it is no measurand: Rejected (9.1.17)."""
    text = files("hw").joinpath("boards", "ac11-sim.yaml").read_text()
    (tmp_path / "board.yaml").write_text(text.replace("    car:", "    vehicle_soc: true\n    car:"))
    asked = {"key": "MeterValuesSampledData", "value": "SoC"}
    assert World().ask("ChangeConfiguration", **asked) == {"status": "Rejected"}
    world = World(board=str(tmp_path / "board.yaml"), keys={"MeterValueSampleInterval": "600"})
    assert world.ask("ChangeConfiguration", **asked) == {"status": "Accepted"}
    world.plug().tap("A1").run(9 * 3600)
    told = [
        each for call in world.calls("MeterValues") for value in call["meterValue"] for each in value["sampledValue"]
    ]
    assert {(each["measurand"], each["location"], each["unit"]) for each in told} == {("SoC", "EV", "Percent")}
    percents = [int(each["value"]) for each in told]
    assert percents == sorted(percents)
    assert percents[0] in (22, 23), "20 %, and 10 minutes at 11 kW into 58 kWh"
    assert percents[-1] == 100, "full, as the instruments of a car show it"
