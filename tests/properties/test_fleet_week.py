"""A fleet over seven days: cars come home with what their drives have left, charge at night, and leave again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest

from chargepoint.model.journal import Entry, TransactionEnded
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.stepped import SteppedSite
from hw.loader import plan_board

START_UTC_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DAY_S, HOUR_S = 86_400.0, 3600.0
DAYS = 7
DRIVES = (0.2, 0.6)
BATTERY_EFFICIENCY = 0.985
FIGURES = {
    # E_nom in kWh, power in W, P0, k1, k2, balancing in W and s: EV model, section 5
    "bev_1p32": (39.0, 7360.0, 170.0, 0.060, 1.2e-6, 250.0, 1200.0),
    "bev_3p16_mid": (58.0, 11_040.0, 190.0, 0.055, 0.8e-6, 300.0, 1800.0),
    "bev_3p16_large": (95.0, 11_040.0, 220.0, 0.055, 0.8e-6, 300.0, 1800.0),
    "bev_2p16": (36.8, 7360.0, 170.0, 0.060, 1.2e-6, 250.0, 1200.0),
}


def expected_kwh(model: str, gained: float) -> float:
    """Return what a charge to full takes from the grid, by the loss formula of the EV model (sections 3 and 6)."""
    capacity_kwh, power_w, p0, k1, k2, balancing_w, balancing_s = FIGURES[model]
    stored_w = (power_w - p0 - k1 * power_w - k2 * power_w**2) * BATTERY_EFFICIENCY
    return gained * capacity_kwh * power_w / stored_w + balancing_w * balancing_s / HOUR_S / 1000.0


@dataclass
class Household:
    """One charger, its car, and what was seen of both."""

    charger: Charger
    model: str
    left: float | None = None
    """The state of charge with which the car left."""
    arrived_s: float = 0.0
    drives_per_day: list[float] = field(default_factory=list)
    arrival_soc: float = 0.0
    sessions: list[tuple[float, float]] = field(default_factory=list)
    """Energy told, and expected by the state of charge, in kWh."""
    energy_kwh: float = 0.0

    def hear(self, _identity: str, _at_s: float, entry: Entry) -> None:
        if isinstance(entry, TransactionEnded):
            self.energy_kwh = entry.energy_wh / 1000.0

    def soc(self, now_s: float) -> float:
        hands = self.charger.board.outlet(1).hands
        assert hands is not None
        return hands.soc_at(now_s)


def board_file(directory: Path, model: str) -> str:
    text = files("hw").joinpath("boards", "ac7.4-sim.yaml" if model == "bev_1p32" else "ac11-sim.yaml").read_text()
    before = text[text.index("model: bev") if "model: bev" in text else text.index("model: phev") :].split(",")[0]
    path = directory / f"{model}.yaml"
    path.write_text(text.replace(before, f"model: {model}, drives: 20-60 %/day"))
    return str(path)


@pytest.mark.timeout(0)
def test_a_week_of_driving_and_charging_adds_up(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Energy of a session = gain in SoC x capacity / efficiency; SoC on arrival = that at departure - the drive."""
    count = 50 if pytestconfig.getoption("--thorough") else 4
    rng, models = Random(count), list(FIGURES)
    boards = {model: plan_board(board_file(tmp_path, model)) for model in models}
    site = SteppedSite(start_utc_s=START_UTC_S, seed=count)
    homes = []
    for number in range(count):
        model = models[number % len(models)]
        keys = {"MeterValueSampleInterval": "0", "HeartbeatInterval": "3600"}
        plan = ChargerPlan(identity=f"CP{number}", board=boards[model], keys=keys, seed=number)
        home = Household(site.add(plan), model)
        home.charger.model.journal.listen(home.hear)
        homes.append(home)
    deeds: list[tuple[float, int, Callable[[Household, float], None]]] = []
    for number in range(count):
        for day in range(DAYS):
            arrives_s = day * DAY_S + rng.uniform(16.5, 19.5) * HOUR_S
            leaves_s = (day + 1) * DAY_S + rng.uniform(6.0, 8.0) * HOUR_S
            deeds += [(arrives_s, number, arrive), (arrives_s + 60.0, number, swipe)]
            deeds += [(leaves_s, number, leave), (leaves_s + 30.0, number, count_session)]
    for at_s, number, deed in sorted(deeds, key=lambda each: each[:2]):
        site.run_until_utc(START_UTC_S + at_s)
        deed(homes[number], at_s)
    for home in homes:
        assert sum(told > 1.0 for told, _expected in home.sessions) >= 5, home.charger.identity
        assert all(DRIVES[0] <= each <= DRIVES[1] for each in home.drives_per_day), home.drives_per_day
        for told, expected in home.sessions:
            assert told == pytest.approx(expected, rel=0.03), (home.charger.identity, home.model)
    drives = {round(each, 3) for home in homes for each in home.drives_per_day}
    assert len(drives) > 2 * count, "every drive is another one"


def arrive(home: Household, now_s: float) -> None:
    home.charger.act(lambda board, at_s: board.outlet(1).hands.plug_in(at_s))  # type: ignore[union-attr]
    home.arrival_soc = home.soc(now_s)
    if home.left is not None:
        arrived_s, left_soc = home.arrived_s, home.left
        home.drives_per_day.append((left_soc - home.arrival_soc) / ((now_s - arrived_s) / DAY_S))
    home.arrived_s = now_s


def swipe(home: Household, now_s: float) -> None:
    home.charger.act(lambda board, at_s: board.readers[0].present("04A1B2C3", at_s))


def leave(home: Household, now_s: float) -> None:
    home.left = home.soc(now_s)
    home.charger.act(lambda board, at_s: board.outlet(1).hands.unplug(at_s))  # type: ignore[union-attr]


def count_session(home: Household, now_s: float) -> None:
    assert home.left is not None
    home.sessions.append((home.energy_kwh, expected_kwh(home.model, home.left - home.arrival_soc)))
    home.energy_kwh = 0.0
