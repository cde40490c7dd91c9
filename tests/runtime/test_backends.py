"""Central systems known by name: the file is sound, and a preset fills in only what is not given."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from ocpp.v16 import call

import profiles
from chargepoint.runtime.address import Address
from chargepoint.runtime.assembly import roster_for
from chargepoint.runtime.backends import BACKENDS, Backend, Password, UnknownBackendError, find
from chargepoint.runtime.configuration import Configuration, ConfigurationError, read
from chargepoint.runtime.doctor import State, examine
from hw.loader import plan_board
from tests.wire.independent import Csms, wallbox


def preset(url: str) -> Backend:
    return Backend(name="x", title="X", url=url, source="-")


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=lambda backend: backend.name)
def test_every_preset_can_be_dialled_and_names_its_source(backend: Backend) -> None:
    """Each with its public source, or that there is none; whether it was tried is shown."""
    url = backend.url_for("wss://acme.example.com/ocpp" if backend.needs_url else None)
    address = Address(
        url=url,
        identity="CP 1",
        append_identity=backend.append_identity,
        trailing_slash=backend.trailing_slash,
        basic_user=backend.user_for(url),
    )
    assert address.target().removesuffix("/").endswith("/CP%201") or backend.name == "be-energised"
    assert backend.source.startswith("https://") or backend.name in OF_AN_ACCOUNT or backend.name == "embedded"
    assert backend.title
    assert isinstance(backend.password, Password)
    assert all(note.endswith(".") for note in backend.notes)
    keyring = roster_for(plan_board("ac11-sim"), tuple(profiles.ALL)).keyring
    for name, value in backend.keys.items():
        key = keyring.find(name)
        assert key is not None
        assert key.name == name
        key.parse(value)


OF_AN_ACCOUNT = ("be-energised", "enos", "chargegrid", "juicenet")


def test_preset_that_says_it_was_tried_was_tried() -> None:
    """Platforms that need an account were not tried. See also tests/cli/test_doctor.py and tests/wire."""
    tried = {each.name for each in BACKENDS.values() if each.tried}
    assert tried == set(BACKENDS) - {*OF_AN_ACCOUNT, "maeve", "ocpp-core", "ocpp-rpc", "ocpp-ws-io"}


@pytest.mark.parametrize("name", OF_AN_ACCOUNT)
def test_a_url_of_an_account_must_be_given(tmp_path: Path, name: str) -> None:
    """What is not public is not guessed."""
    path = tmp_path / "cp.yaml"
    path.write_text(f"central_system: {{backend: {name}}}\n")
    with pytest.raises(ConfigurationError, match=r"the URL comes with the account.*; give it as url"):
        read(path)
    path.write_text(f"central_system: {{backend: {name}, url: 'wss://acme.example.com/x'}}\n")
    address = read(path).central_system
    assert address is not None
    assert address.target().startswith("wss://acme.example.com/x")


def test_the_embedded_central_system_has_a_name_of_its_own() -> None:
    """ChargePoint is the name of a platform."""
    assert "chargepoint" not in BACKENDS
    assert find("embedded").url == "ws://localhost:9000/ocpp/{id}"


def settled(tmp_path: Path, text: str) -> Configuration:
    path = tmp_path / "cp.yaml"
    path.write_text(text)
    return read(path)


def test_a_preset_brings_keys_and_options_and_the_user_has_the_last_word(tmp_path: Path) -> None:
    """Spelling of the temperature unit, ping, measurands, BootNotification on a reconnect."""
    assert settled(tmp_path, "central_system: {backend: steve}\n").keys == {"TemperatureUnitSpelling": "Celsius"}
    own = settled(tmp_path, "central_system: {backend: steve}\nkeys: {temperatureunitspelling: auto, X: y}\n")
    assert own.keys == {"temperatureunitspelling": "auto", "X": "y"}
    said = "central_system: {backend: steve, temperature_unit_spelling: auto}\ntiming: {answer_timeout: 9s}\n"
    assert settled(tmp_path, said).keys == {"TemperatureUnitSpelling": "auto", "MessageTimeout": "9"}
    evcc = settled(tmp_path, "central_system: {backend: evcc}\n")
    assert (evcc.keys, evcc.options.boot_on_reconnect) == ({"WebSocketPingInterval": "30"}, True)
    quiet = settled(tmp_path, "central_system: {backend: evcc, boot_on_reconnect: false}\n")
    assert not quiet.options.boot_on_reconnect
    home = settled(tmp_path, "central_system: {backend: home-assistant-ocpp}\n").keys["MeterValuesSampledData"]
    assert len(home.split(",")) == 10
    assert home.endswith("Temperature,Energy.Active.Import.Interval")


def test_a_preset_that_wants_a_slash_has_one(tmp_path: Path) -> None:
    address = settled(tmp_path, "central_system: {backend: arthexis, url: ws://box}\n").central_system
    assert address is not None
    assert address.target() == "ws://box:8888/ws/ocpp/CP001/"


def test_a_tenant_is_the_user_where_the_host_names_it(tmp_path: Path) -> None:
    """Documented: ws[s]://<tenant>.<kind>.ocpp-broker.com/ocpp/cp/socket/16/{id}, Basic user = tenant."""
    text = "central_system: {backend: be-energised, url: 'wss://acme.prod.ocpp-broker.com', password: geheim}\n"
    address = settled(tmp_path, text).central_system
    assert address is not None
    assert address.target() == "wss://acme.prod.ocpp-broker.com/ocpp/cp/socket/16/CP001"
    assert address.user == "acme"
    own = settled(tmp_path, text.replace("password", "basic_user: depot, password")).central_system
    assert own is not None
    assert own.user == "depot"


async def test_a_stand_in_for_the_platform_of_a_tenant_lets_us_in(tmp_path: Path) -> None:
    """The path and the credentials arrive at a server as the platform documents them."""
    async with Csms(password="geheim-geheim-geheim") as csms:
        account = f"url: 'ws://localhost:{csms.port}', password: geheim-geheim-geheim"
        address = settled(tmp_path, f"central_system: {{backend: be-energised, {account}}}\n").central_system
        assert address is not None
        findings = await examine(address, call.BootNotification("Wallbox", "ACME"))
        assert findings[-1].state is State.PASSED
        request = csms.dialogue.connection.request
        assert request is not None
        assert request.path == "/ocpp/cp/socket/16/CP001"
        assert request.headers["Authorization"] == "Basic " + b64encode(b"localhost:geheim-geheim-geheim").decode()


@pytest.mark.parametrize(
    ("given", "dialled"),
    [
        (None, "ws://localhost:8180/steve/x/{id}"),
        ("ws://box", "ws://box:8180/steve/x/{id}"),
        ("ws://box/", "ws://box:8180/steve/x/{id}"),
        ("ws://box:80", "ws://box:80/steve/x/{id}"),
        ("wss://box", "wss://box/steve/x/{id}"),
        ("ws://[::1]", "ws://[::1]:8180/steve/x/{id}"),
        ("ws://[::1]:99", "ws://[::1]:99/steve/x/{id}"),
        ("ws://box/other", "ws://box:8180/other"),
        ("http://box", "http://box"),
        ("box:80", "box:80"),
        ("ws://[::1", "ws://[::1"),
        ("ws://b ox", "ws://b ox"),
        ("ws://box/?id={id}", "ws://box:8180/?id={id}"),
    ],
)
def test_what_is_given_counts_and_the_rest_is_filled_in(given: str | None, dialled: str) -> None:
    """The preset's port is not taken over to another scheme: a TLS port is never the plain one."""
    assert preset("ws://localhost:8180/steve/x/{id}").url_for(given) == dialled


def test_preset_without_a_port_adds_none() -> None:
    assert preset("ws://localhost/{id}").url_for("ws://box") == "ws://box/{id}"


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownBackendError, match="no back end 'stev'; did you mean 'steve'"):
        find("stev")


def test_file_names_a_back_end(tmp_path: Path) -> None:
    """`central_system: {backend: NAME}`: what the file says itself counts."""
    path = tmp_path / "cp.yaml"
    path.write_text("identity: A1\ncentral_system: {backend: steve, url: ws://depot, trailing_slash: true}\n")
    address = read(path).central_system
    assert address is not None
    assert address.target() == "ws://depot:8080/steve/websocket/CentralSystemService/A1/"


def test_file_without_url_dials_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "cp.yaml"
    path.write_text("central_system: {backend: evcc}\n")
    address = read(path).central_system
    assert address is not None
    assert address.target() == "ws://localhost:8887/CP001"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("central_system: {backend: stev}\n", "1:27: unknown central_system.backend 'stev'; did you mean 'steve'?"),
        ("central_system: {backend: evcc, url: 'http://x'}\n", "1:38: url: 'http://x' is no WebSocket URL"),
    ],
)
def test_mistakes_in_the_file_are_placed(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cp.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert said in str(caught.value)


async def test_class_of_the_package_ocpp_is_dialled_by_its_preset() -> None:
    """The identity alone is the path, as in the package's example."""
    async with Csms() as csms:
        url = find("mobilityhouse-ocpp").url_for(f"ws://127.0.0.1:{csms.port}")
        async with wallbox(url):
            await csms.accepted()
        request = csms.dialogue.connection.request
        assert request is not None
        assert request.path == "/CP001"
