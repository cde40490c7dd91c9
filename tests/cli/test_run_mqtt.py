"""`chargepoint run` on an MQTT broker, in a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cli.shell import chargepoint
from tests.runtime.home_assistant import entities
from tests.runtime.mosquitto import mosquitto, needs_mosquitto
from tests.wire.independent import Csms

pytestmark = needs_mosquitto


async def test_whoever_ends_is_offline(tmp_path: Path) -> None:
    """MQTT 3.1.1, 3.1.2.5: the last will speaks for a process that cannot any more; one that can says so itself.

    What was set over MQTT is there again after the kill, and the password nowhere.
    """
    async with Csms() as csms, mosquitto(tmp_path, user="home", password="geheim-0815") as broker:
        (tmp_path / "secret").write_text("geheim-0815\n")
        box = tmp_path / "box.yaml"
        box.write_text(
            f"central_system: {{url: {csms.url}}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {broker.port}, user: home, password_file: secret}}\n"
        )
        async with broker.listener() as home:
            async with chargepoint("run", "-c", box, "-vv", cwd=tmp_path) as run:
                await home.hears("chargepoint/CP001/availability", "online")
                await home.hears("chargepoint/CP001/connected", "ON")
                await home.say("chargepoint/CP001/1/limit/set", "10")
                await home.hears("chargepoint/CP001/1/limit", "10")
                run.send(signal.SIGKILL)
                await home.hears("chargepoint/CP001/availability", "offline")
            assert not any(each.is_available for each in entities(home.last).values())
        async with broker.listener() as home, chargepoint("run", "-c", box, cwd=tmp_path) as again:
            await home.hears("chargepoint/CP001/availability", "online")
            await home.hears("chargepoint/CP001/1/limit", "10")
            again.send(signal.SIGTERM)
            await home.hears("chargepoint/CP001/availability", "offline")
            assert await again.exit_code() == 128 + signal.SIGTERM, again.text
    assert f"CP001 on the MQTT broker at 127.0.0.1:{broker.port}" in run.text
    assert "geheim" not in run.text
    assert "Traceback" not in run.text + again.text
