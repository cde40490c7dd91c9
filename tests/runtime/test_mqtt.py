"""MQTT and Home Assistant: what is told and how, and a charger on a broker of other people's code."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import trustme

from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control import views
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.frontdesk import FrontDesk, NoMqtt
from chargepoint.runtime.mqtt import bridge
from chargepoint.runtime.mqtt.broker import Broker, is_topic, node_of
from chargepoint.runtime.mqtt.entities import Topics, UnknownOrder
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from tests.runtime.desk import Desk, plug_in, seat, status, swipe, until
from tests.runtime.home_assistant import Found, entities
from tests.runtime.mosquitto import Mosquitto, mosquitto, needs_mosquitto
from tests.runtime.test_control import WorldClock
from tests.world import World

BROKER = Broker("127.0.0.1")
TOPICS = Topics(BROKER, "CP1")


# --- what is told, and what is understood: no broker needed -----------------------------------------------------------


def told(world: World, topics: Topics = TOPICS) -> dict[str, str]:
    world.run(0.1)
    return dict(topics.messages(views.charger(world.charger, WorldClock(world))))


def found(world: World) -> dict[str, Found]:
    return entities(told(world))


@pytest.mark.parametrize("board", ["ac11-sim", "ac11-sim-socket", "ac22-sim-duo"])
def test_home_assistant_takes_everything_that_is_discovered(board: str) -> None:
    """Every component has what its documentation requires, in every situation, and a state that it takes."""
    world = World(board=board)
    idle = found(world)
    world.charge()
    charging = found(world)
    world.charger.limit(1, 0.0)
    world.cause("ground_fault").run(5)
    broken = found(world)
    outlets = len(world.charger.board.outlets)
    assert len(idle) == 1 + 13 * outlets
    assert idle.keys() == charging.keys() == broken.keys()
    assert all(each.state is not None for each in (*idle.values(), *charging.values(), *broken.values()))
    assert {str(each.config["device"]) for each in idle.values()} == {
        str(next(iter(idle.values())).config["device"])
    }, "one box is one device"
    names = [each.config["name"] for each in idle.values()]
    assert len(set(names)) == len(names)


def test_what_a_charge_looks_like() -> None:
    world = World()
    assert found(world)["chargepoint_CP1_1_session_energy"].state == "0"
    world.charge().run(590)
    state = {key.removeprefix("chargepoint_CP1_"): each.state for key, each in found(world).items()}
    assert state.pop("1_power") in ("11039", "11040", "11041")
    assert int(state.pop("1_energy") or 0) == pytest.approx(11040 * 600 / 3600, rel=0.05)
    assert int(state.pop("1_session_energy") or 0) == pytest.approx(11040 * 600 / 3600, rel=0.05)
    assert state == {
        "connected": "ON",
        "1_status": "Charging",
        "1_session_time": "10",
        "1_offered_current": "16",
        "1_limited_by": "rated current of the outlet",
        "1_plugged": "ON",
        "1_contactor": "ON",
        "1_fault": "OFF",
        "1_error": "NoError",
        "1_limit": "16",
        "1_charging": "ON",
    }


def test_a_register_of_a_meter_that_does_not_answer_is_unknown() -> None:
    """A total that seems to fall to 0 and to rise again would count as energy."""
    world = World(plan={"register_wh": 5_000_000.0})
    assert told(world)["chargepoint/CP1/1/energy"] == "5000000"
    assert told(world.cause("meter_silent"))["chargepoint/CP1/1/energy"] == "None"


def test_a_fault_says_which() -> None:
    world = World().charge().cause("ground_fault").run(5)
    state = told(world)
    assert state["chargepoint/CP1/1/fault"] == "ON"
    assert state["chargepoint/CP1/1/error"].startswith("GroundFailure")
    assert state["chargepoint/CP1/1/contactor"] == "OFF"


def test_a_lost_central_system_shows() -> None:
    world = World().network(False)
    assert told(world)["chargepoint/CP1/connected"] == "OFF"
    world.network(True).run(60)
    assert told(world)["chargepoint/CP1/connected"] == "ON"
    world.charger.cut_power(30)
    assert told(world)["chargepoint/CP1/connected"] == "OFF"


@pytest.mark.parametrize(
    ("topic", "payload", "verb", "arguments"),
    [
        ("chargepoint/CP1/1/limit/set", b"10", "limit", {"connector": 1, "amps": 10.0}),
        ("chargepoint/CP1/2/limit/set", b" 6.5 ", "limit", {"connector": 2, "amps": 6.5}),
        ("chargepoint/CP1/1/charging/set", b"OFF", "pause", {"connector": 1}),
        ("chargepoint/CP1/1/charging/set", b"ON", "unpause", {"connector": 1}),
    ],
)
def test_an_order_is_a_verb(topic: str, payload: bytes, verb: str, arguments: dict[str, object]) -> None:
    assert TOPICS.command(topic, payload) == (verb, arguments)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("chargepoint/CP1/1/limit/set", b""),
        ("chargepoint/CP1/1/limit/set", b"ten"),
        ("chargepoint/CP1/1/limit/set", b"\xff" * 1_000_000),
        ("chargepoint/CP1/1/charging/set", b"on"),
        ("chargepoint/CP1/1/power-cut/set", b"ON"),
        ("chargepoint/CP1//charging/set", b"ON"),
        ("chargepoint/CP1/999/charging/set", b"ON"),
        ("chargepoint/CP1/\N{ARABIC-INDIC DIGIT ONE}/charging/set", b"ON"),
    ],
)
def test_what_is_no_order_is_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(UnknownOrder):
        TOPICS.command(topic, payload)


def test_what_a_message_brought_about_is_logged_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """The line says what holds now, when it is stored; it is no dump of arguments."""
    world = World()
    dispatcher = CommandDispatcher({"CP1": world.charger}, WorldClock(world))
    joined = bridge.Bridge(dispatcher, world.charger, Broker("127.0.0.1"), Random(1))
    with caplog.at_level(logging.INFO):
        joined._obey("chargepoint/CP1/1/limit/set", b"10")
        world.run(1)
    assert "over MQTT: connector 1: limited to 10 A by local control" in caplog.messages


def test_an_identity_becomes_a_name_that_topics_bear() -> None:
    """Home Assistant: `[a-zA-Z0-9_-]`; different chargers stay different."""
    assert node_of("CP-001_a") == "CP-001_a"
    strange = ["a/b", "a+b", "a_b", "a#b", "ä", "a b"]
    assert len({node_of(each) for each in strange}) == len(strange)
    assert all(is_topic(node_of(each)) for each in strange)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("home", True), ("home/garage-1", True), ("", False), ("/a", False), ("a/", False), ("a//b", False)]
    + [(text, False) for text in ("a/+", "#", "a b", "$SYS/a", "a\0")],
)
def test_a_prefix_is_a_topic(text: str, is_one: bool) -> None:
    assert is_topic(text) is is_one


def test_the_library_is_imported_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra [mqtt] may be missing; a charger without a broker pays nothing for it."""
    code = "import sys, chargepoint.cli.run, chargepoint.runtime.frontdesk; sys.exit('aiomqtt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    monkeypatch.delitem(sys.modules, "chargepoint.runtime.mqtt.bridge")
    with pytest.raises(NoMqtt, match=r"aiomqtt is missing: install chargepoint\[mqtt\]"):
        FrontDesk.publish(object.__new__(FrontDesk), BROKER)


# --- on a broker ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "TELL_EVERY_S", 0.02)
    monkeypatch.setattr(bridge, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(bridge, "LONGEST_RETRY_S", 0.1)


@asynccontextmanager
async def published(broker: Broker) -> AsyncIterator[Charger]:
    """A charger that charges as fast as it can, on a broker while the context lasts."""
    store = Store(None, Durability.RELAXED)
    site = Site(store, 30.0, seed=1)
    charger, _link = seat(site)
    desk = FrontDesk(site)
    charger.start()
    desk.publish(broker)
    try:
        yield charger
    finally:
        await desk.close()
        await site.close()
        store.close()


def at(broker: Mosquitto) -> Broker:
    return Broker("127.0.0.1", broker.port, user=broker.user, password=broker.password or None)


@needs_mosquitto
async def test_a_charge_is_seen_and_steered_from_home_assistant(tmp_path: Path) -> None:
    """Discovered, watched through a charge, limited, held and let go; offline in the end, and all of it kept."""
    async with mosquitto(tmp_path) as broker, broker.listener() as home:
        async with published(at(broker)) as charger:
            await home.hears("chargepoint/CP1/availability", "online")
            seen = entities(home.last)
            assert len(seen) == 14
            assert all(each.is_available and each.state is not None for each in seen.values())
            plug_in(charger)
            await home.hears("chargepoint/CP1/1/plugged", "ON")
            swipe(charger)
            await home.hears("chargepoint/CP1/1/status", "Charging")
            await home.hears("chargepoint/CP1/1/contactor", "ON")
            await home.say(seen["chargepoint_CP1_1_limit"].config["command_topic"], "10")
            await home.hears("chargepoint/CP1/1/limit", "10")
            await home.hears("chargepoint/CP1/1/offered_current", "10")
            await home.hears("chargepoint/CP1/1/limited_by", "local control")
            switch = seen["chargepoint_CP1_1_charging"].config["command_topic"]
            await home.say(switch, "OFF")
            await home.hears("chargepoint/CP1/1/charging", "OFF")
            await home.hears("chargepoint/CP1/1/status", "SuspendedEVSE")
            await home.hears("chargepoint/CP1/1/power", "0")
            await home.say(switch, "ON")
            await home.hears("chargepoint/CP1/1/limit", "10")
            await home.hears("chargepoint/CP1/1/status", "Charging")
            swipe(charger)
            await home.hears("chargepoint/CP1/1/status", "Finishing")
            energy = [
                int(p) for _at, topic, p, _kept in home.heard if topic == "chargepoint/CP1/1/energy" and p != "None"
            ]
            assert energy == sorted(set(energy)), "it rises, and is told only when it has changed"
        await home.hears("chargepoint/CP1/availability", "offline")
        async with broker.listener() as late:
            await until(lambda: len(late.last) >= len(home.last) - 3, "everything that is kept")
            assert all(kept for _at, _topic, _payload, kept in late.heard)
            assert not any(topic.endswith("/set") for topic in late.last)
            assert {each.is_available for each in entities(late.last).values()} == {False}


@needs_mosquitto
async def test_orders_that_cannot_be_obeyed_change_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Among them retained ones: they would come again at every connection."""
    async with mosquitto(tmp_path) as broker, broker.listener() as home:
        await home.say("chargepoint/CP1/1/charging/set", "OFF", retain=True)
        async with published(at(broker)):
            await home.hears("chargepoint/CP1/availability", "online")
            for topic, payload in (("1/limit", "40"), ("1/limit", "nan"), ("1/charging", "maybe"), ("7/limit", "10")):
                await home.say(f"chargepoint/CP1/{topic}/set", payload)
            await home.say("chargepoint/CP1/1/limit/set", "12")
            await home.hears("chargepoint/CP1/1/limit", "12")
            assert home.last["chargepoint/CP1/1/charging"] == "ON"
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [
        "a retained message at chargepoint/CP1/1/charging/set is no order",
        "refused over MQTT: connector 1 bears 16 A, not 40 A",
        "refused over MQTT: limit: amps: must be a current in A, got NaN",
        "refused over MQTT: 'maybe' is neither ON nor OFF",
        "refused over MQTT: there is no connector 7: ac11-sim has 1",
    ]


@needs_mosquitto
async def test_a_box_that_is_down_is_not_available_and_does_not_charge(tmp_path: Path) -> None:
    """Home Assistant shows what is true: nothing flows, and nobody takes orders there for now."""
    async with mosquitto(tmp_path) as broker, broker.listener() as home, published(at(broker)) as charger:
        await home.hears("chargepoint/CP1/availability", "online")
        plug_in(charger)
        swipe(charger)
        await home.hears("chargepoint/CP1/1/contactor", "ON")
        charger.cut_power(60.0)
        await home.hears("chargepoint/CP1/availability", "offline")
        told = {name: home.last[f"chargepoint/CP1/1/{name}"] for name in ("status", "power", "contactor")}
        assert told == {"status": "Unavailable", "power": "0", "contactor": "OFF"}
        await home.hears("chargepoint/CP1/availability", "online")


@needs_mosquitto
async def test_a_topic_is_told_no_more_often_than_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast a value changes; the last one arrives."""
    monkeypatch.setattr(bridge, "TELL_EVERY_S", 0.2)
    async with mosquitto(tmp_path) as broker, broker.listener() as home, published(at(broker)) as charger:
        await home.hears("chargepoint/CP1/availability", "online")
        changes = 0

        def times() -> list[float]:
            return [at_s for at_s, topic, _payload, _kept in home.heard if topic == "chargepoint/CP1/1/limit"]

        def change() -> bool:
            nonlocal changes
            changes += 1
            charger.limit(1, 6.0 + changes % 11)
            return len(times()) >= 5

        await until(change, "five messages")
        assert changes > 50
        gaps = [later - earlier for earlier, later in zip(times(), times()[1:], strict=False)]
        assert min(gaps) >= 0.15
        charger.limit(1, 9.5)
        await home.hears("chargepoint/CP1/1/limit", "9.5")


@needs_mosquitto
async def test_everything_is_told_anew_when_home_assistant_is_born(tmp_path: Path) -> None:
    """Its documentation: on the birth message devices send their discovery again; and states that were not kept."""
    async with mosquitto(tmp_path) as broker, broker.listener() as home:
        elsewhere = replace(at(broker), discovery_prefix="ha", prefix="home/garage")
        async with published(elsewhere):
            await home.hears("home/garage/CP1/availability", "online")
            before = set(home.last) - {"home/garage/CP1/availability"}
            assert len(entities(home.last, "ha")) == 14
            home.last.clear()
            await home.say("ha/status", "offline")
            await home.say("ha/status", "online")
            await until(lambda: before <= home.last.keys(), "everything anew")


@needs_mosquitto
async def test_a_broker_that_goes_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The charger goes on; a broker that has forgotten everything is told everything; the outage is said once."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    try:
        async with published(at(broker)) as charger:
            async with broker.listener() as home:
                await home.hears("chargepoint/CP1/availability", "online")
                count = len(home.last)
            broker.stop()
            plug_in(charger)
            swipe(charger)
            await until(lambda: status(charger) == "Charging", "a charge without a broker")
            desk = charger.link
            assert isinstance(desk, Desk)
            await until(lambda: len(desk.heard("StatusNotification")) >= 3, "the central system hears of it")
            await until(lambda: "no MQTT broker at" in caplog.text, "a word in the log")
            await broker.start()
            async with broker.listener() as home:
                await home.hears("chargepoint/CP1/availability", "online")
                await home.hears("chargepoint/CP1/1/status", "Charging")
                assert len(home.last) == count
                await home.say("chargepoint/CP1/1/limit/set", "8")
                await home.hears("chargepoint/CP1/1/offered_current", "8")
    finally:
        broker.stop()
    assert caplog.text.count("Connection refused") <= 1


@needs_mosquitto
async def test_a_wrong_password_is_said_clearly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, and with what to look at; never the password. The right one gets in."""
    async with mosquitto(tmp_path, user="home", password="richtig-0815") as broker:
        wrong = Broker("127.0.0.1", broker.port, user="home", password="falsch-4711")
        async with published(wrong) as charger:
            await until(lambda: broker.log.count("not authorised") >= 3, "three attempts")
            plug_in(charger)
            await until(lambda: status(charger) == "Preparing", "a charger that is not disturbed")
        problems = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        place = f"127.0.0.1:{broker.port}"
        assert problems == [f"the MQTT broker at {place} refuses 'home': wrong user or password; trying again"]
        assert "falsch" not in caplog.text
        async with published(Broker("127.0.0.1", broker.port)):
            await until(lambda: "refuses nobody: give user and password_file" in caplog.text, "who is refused")
        async with published(at(broker)), broker.listener() as home:
            await home.hears("chargepoint/CP1/availability", "online")


# paho-mqtt leaves a socket whose TLS handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@needs_mosquitto
async def test_tls_with_an_own_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ca, other = trustme.CA(), trustme.CA()
    for name, authority in (("root.pem", ca), ("other.pem", other)):
        authority.cert_pem.write_to_path(str(tmp_path / name))
    mine = ca.issue_cert("127.0.0.1")
    mine.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    lines = f"certfile {tmp_path}/certificate.pem\nkeyfile {tmp_path}/key.pem"
    async with mosquitto(tmp_path, tls=lines) as broker:
        async with published(Broker("127.0.0.1", broker.port, ca_file=tmp_path / "other.pem")):
            await until(lambda: "certificate verify failed" in caplog.text, "what is wrong")
        caplog.set_level(logging.INFO)
        async with published(Broker("127.0.0.1", broker.port, ca_file=tmp_path / "root.pem")):
            await until(lambda: f"on the MQTT broker at 127.0.0.1:{broker.port}" in caplog.text, "a connection")


async def test_a_broker_that_says_nothing_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes the connection and is silent: given up in time, tried again, and no connection stays behind."""
    monkeypatch.setattr(bridge, "ANSWER_S", 0.1)
    monkeypatch.setattr(bridge, "KEEP_ALIVE_S", 1)
    writers: list[asyncio.StreamWriter] = []

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with server:
        async with published(Broker("127.0.0.1", server.sockets[0].getsockname()[1])) as charger:
            await until(lambda: len(writers) >= 3, "three attempts")
            plug_in(charger)
            await until(lambda: status(charger) == "Preparing", "a charger that is not disturbed")
        await until(lambda: all(writer.is_closing() for writer in writers), "sockets that are closed")
    assert "no MQTT broker at 127.0.0.1:" in caplog.text
