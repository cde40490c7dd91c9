"""The light of an outlet (profiles.core.light)."""

from chargepoint.runtime.assembly import roster_for
from hw.loader import plan_board
from hw.sim.handling import SimulatedIndicator
from tests.world import World


def light(world: World) -> SimulatedIndicator:
    indicator = world.charger.board.outlet(1).indicator
    assert isinstance(indicator, SimulatedIndicator)
    return indicator


def test_the_colour_follows_the_status(world: World) -> None:
    assert light(world).colour == "green"
    world.plug()
    assert light(world).colour == "yellow"
    world.tap("A1").run(20)
    assert light(world).colour == "blue"


def test_a_card_blinks_the_light_as_often_as_the_key_says(world: World) -> None:
    """9.1.4: Number of times to blink Charge Point lighting when signalling."""
    assert world.ask("ChangeConfiguration", key="BlinkRepeat", value="5") == {"status": "Accepted"}
    world.tap("A1")
    assert light(world).blinks == 5


def test_light_intensity_is_in_force_at_once(world: World) -> None:
    """9.1.11: Percentage of maximum intensity at which to illuminate Charge Point lighting."""
    assert world.ask("ChangeConfiguration", key="LightIntensity", value="40") == {"status": "Accepted"}
    assert light(world).intensity_percent == 40
    assert world.ask("ChangeConfiguration", key="LightIntensity", value="101") == {"status": "Rejected"}


def test_a_board_without_a_light_has_no_keys_for_it() -> None:
    """A key that is there says that the function is."""
    from dataclasses import replace

    plan = plan_board("ac11-sim")
    connector = plan.connectors[0]
    dark = replace(
        plan, connectors=(replace(connector, outlet=replace(connector.outlet, has_light=False), indicator=None),)
    )
    keyring = roster_for(dark, ("Core",)).keyring
    assert keyring.find("BlinkRepeat") is None
    assert keyring.find("LightIntensity") is None
