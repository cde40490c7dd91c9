from tests.world import World


def test_a_car_charges(world: World) -> None:
    """Plug in, identify, charge, stop with the same card, unplug (OCPP 1.6 3.6; test case 003)."""
    world.charge("A1").run(60).tap("A1").run(10).unplug()
    assert world.story() == [
        "BootNotification",
        "StatusNotification 0 Available",
        "StatusNotification 1 Available",
        "StatusNotification 1 Preparing",
        "Authorize A1",
        "StartTransaction A1",
        "StatusNotification 1 Charging",
        "MeterValues",
        "StopTransaction Local",
        "StatusNotification 1 Finishing",
        "StatusNotification 1 Available",
    ]
