"""A week in the life of a charger, network and power coming and going: nothing lost, nothing doubled, every Wh told.

The machinery is that of the chaos (`tests.chaos`) at the pace of a car park: several sessions a day, outages from a few
seconds to hours, a central system that restarts, and power cuts, of which most strike in the middle of something.
"""

from __future__ import annotations

import pytest

from tests.chaos import Storm, Weather, whole_wh
from tests.fate import Fate

HOUR_S = 3600.0
DAYS = 7
SESSIONS = 4


class Week(Storm):
    """Each step is a quarter of a day with one session in it."""

    def __init__(self, seed: int, *, has_cuts: bool) -> None:
        super().__init__(seed, DAYS * SESSIONS, heartbeat_s=int(HOUR_S), MeterValueSampleInterval="900")
        self._has_cuts = has_cuts

    def _happens(self, fate: Fate) -> None:
        rng, world, until_s = self._rng, self.world, self.world.now_s + 6 * HOUR_S
        world.weather = Weather.drawn(rng) if rng.random() < 0.3 else Weather()
        if rng.random() < 0.5:
            world.later(rng.uniform(0, 6 * HOUR_S), self._network)
        if self._has_cuts and rng.random() < 0.3:
            fate.dies_in(rng.randint(1, 200))
        self._pass(rng.uniform(0, HOUR_S))
        connector = rng.randint(1, self._connectors)
        self._drive_up(connector)
        self._pass(rng.uniform(1, 60))
        self._tap()
        self._pass(rng.uniform(0.5, 3.5) * HOUR_S)
        self._tap()
        self._pass(rng.uniform(1, 600))
        self._act("unplug", connector)
        self._pass(max(60.0, until_s - world.now_s))

    def _drive_up(self, connector: int) -> None:
        """Another car each time: with room in its battery, unless the last one is still there."""
        circuit = self.world.circuits[connector - 1]
        if circuit.car is not None and not circuit.cable.is_in_car:
            circuit.car._draw.soc = 0.2
        self._act("plug_in", connector)


@pytest.mark.parametrize("seed", range(4))
def test_a_week_of_outages_loses_nothing_and_tells_every_watt_hour(seed: int) -> None:
    """Offline transactions are "queued and delivered" in "chronological order" (4.8, 4.10); without power cuts the sum of
    what was told is the register, to the Wh."""
    week = Week(seed, has_cuts=False)
    week.blow()
    stories = week.auditor.stories.values()
    assert len(stories) >= DAYS * SESSIONS / 2
    told_wh = sum(
        story.payload("StopTransaction")["meterStop"] - story.payload("StartTransaction")["meterStart"]
        for story in stories
    )
    assert told_wh == sum(whole_wh(circuit) for circuit in week.world.circuits)
    assert told_wh > 50_000


@pytest.mark.parametrize("seed", range(4, 9))
def test_a_week_of_outages_and_power_cuts_loses_nothing(seed: int) -> None:
    """The same with the power gone now and then: what was not stored within a minute may be missing, never more."""
    week = Week(seed, has_cuts=True)
    week.blow()
    assert len(week.auditor.stories) >= DAYS * SESSIONS / 2
    assert week.world.bookkeeper.cuts >= 2
