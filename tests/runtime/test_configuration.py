"""The configuration file: every key, and every mistake with its place and what to do about it."""

from __future__ import annotations

import sys
from pathlib import Path

import asyncssh
import pytest
import trustme
from ocpp.v16.enums import DataTransferStatus

from chargepoint.model.options import Options, VendorAnswer
from chargepoint.runtime.configuration import DEFAULT_DATA, Configuration, ConfigurationError, read
from chargepoint.runtime.mqtt.broker import Broker
from chargepoint.runtime.porter import FileTrust
from chargepoint.runtime.sections import StationSection
from chargepoint.runtime.store import Durability
from hw.binding import Length, declared
from hw.errors import InputFileError
from profiles import ALL

EVERYTHING = """\
identity: "RDAM 123"
central_system:
  url: wss://csms.example/ocpp/
  password: wallbox-0815-geheim
  basic_user: depot
  append_identity: true
  trailing_slash: true
  subprotocols: [ocpp1.6, ocpp1.5]
  require_subprotocol: false
  boot_on_reconnect: true
  headers: {X-Depot: "17"}
  server_name: csms.internal
  check_server_name: false
board: ac11-sim-socket
station: {vendor: Home, model: Garage, serial_number: "0815", firmware_version: "1.0"}
keys: {HeartbeatInterval: 120, LocalPreAuthorize: true, MeterValuesSampledData: "Voltage", GarageDoor: open}
feature_profiles: [Core]
timing:
  boot_retry: 2 min
  answer_timeout: 20s
  reconnect_minimum: 1s
  reconnect_random: 500 ms
  reconnect_doublings: 5
  open_timeout: 10
  pong_timeout: 4s
data: state
durability: relaxed
clock: {speed: 60}
simulation: {register_kwh: 1234.5, reset_down: 1 min, seed: 7}
firmware:
  download: ok
  download_time: 2 min
  install: real
  install_time: 3 min
  restart: false
  command: [/usr/bin/wall-update, --quiet]
  command_timeout: 5 min
  largest_mb: 64
  version: 2.1.0-rc1
diagnostics: {upload: fails, upload_time: 1 min, http_method: POST}
files: {ca_file: root.pem, known_hosts: hosts, sftp_key: key}
data_transfer:
  - {vendor: com.acme, message: Ping, data: "12"}
  - {vendor: com.acme, message: Echo, echo: true}
  - {vendor: com.acme, status: Rejected}
mqtt:
  host: broker.lan
  port: 8884
  user: wallbox
  password_file: secret
  ca_file: root.pem
  prefix: home/garage
  discovery_prefix: ha
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "chargepoint.yaml"


def refused(path: Path, text: str) -> str:
    """Return what is said of a file that cannot be used, its place as line:column first."""
    path.write_text(text)
    with pytest.raises(InputFileError) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}:"), said
    return said.removeprefix(f"{path}:")


def test_every_key_arrives_where_it_belongs(written: Path, tmp_path: Path) -> None:
    """One YAML file; `Configuration` knows what to dial, what to build and where to keep it."""
    written.write_text(EVERYTHING)
    trustme.CA().cert_pem.write_to_path(tmp_path / "root.pem")
    (tmp_path / "hosts").touch()
    (tmp_path / "secret").write_text("geheim\n")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "key"))
    found = read(written)
    address = found.central_system
    assert address is not None
    assert address.target() == "wss://csms.example/ocpp/RDAM%20123/"
    assert (address.user, address.password) == ("depot", b"wallbox-0815-geheim")
    assert (address.subprotocols, address.require_subprotocol) == (("ocpp1.6", "ocpp1.5"), False)
    assert address.headers == (("X-Depot", "17"),)
    assert (address.tls.server_name, address.tls.check_server_name) == ("csms.internal", False)
    assert (found.identity, found.board) == ("RDAM 123", "ac11-sim-socket")
    assert (found.station.vendor, found.station.serial_number, found.station.iccid) == ("Home", "0815", None)
    assert found.keys == {
        "HeartbeatInterval": "120",
        "LocalPreAuthorize": "true",
        "MeterValuesSampledData": "Voltage",
        "GarageDoor": "open",
        "MessageTimeout": "20",
    }
    assert found.unknown_keys() == ["GarageDoor"]
    assert found.feature_profiles == ("Core",)
    assert (found.boot_retry_s, found.reset_down_s, found.seed, found.register_wh) == (120.0, 60.0, 7, 1_234_500.0)
    answers = (
        VendorAnswer(vendor="com.acme", message="Ping", data="12"),
        VendorAnswer(vendor="com.acme", message="Echo", is_echo=True),
        VendorAnswer(vendor="com.acme", status=DataTransferStatus.rejected),
    )
    assert found.options == found.plan().options == Options(boot_on_reconnect=True, vendor_answers=answers)
    link = found.link
    assert (link.retry_minimum_s, link.retry_random_s, link.retry_doublings) == (1.0, 0.5, 5)
    assert (link.open_timeout_s, link.pong_timeout_s) == (10.0, 4.0)
    assert (found.data, found.durability, found.speed) == (tmp_path / "state", Durability.RELAXED, 60.0)
    plan = found.plan()
    assert (plan.identity, plan.seed, plan.keeps_board) == ("RDAM 123", 7, True)
    files = plan.files
    assert (files.download_succeeds, files.install_succeeds, files.upload_succeeds) == (True, None, False)
    assert (files.download_s, files.install_s, files.upload_s) == (120.0, 180.0, 60.0)
    assert (files.command, files.command_timeout_s) == (("/usr/bin/wall-update", "--quiet"), 300.0)
    assert (files.restarts, files.largest_bytes, files.version) == (False, 64 * 2**20, "2.1.0-rc1")
    assert files.trust == FileTrust(
        ca_file=tmp_path / "root.pem", known_hosts=tmp_path / "hosts", sftp_key=tmp_path / "key"
    )
    assert (files.http_method, files.directory) == ("POST", tmp_path / "state" / "RDAM_123.files")
    assert "wallbox-0815-geheim" in files.secrets
    assert "geheim" not in repr(files)
    assert found.mqtt == Broker(
        host="broker.lan",
        port=8884,
        user="wallbox",
        password="geheim",
        ca_file=tmp_path / "root.pem",
        prefix="home/garage",
        discovery_prefix="ha",
    )
    assert "geheim" not in repr(found.mqtt)


def test_smallest_file_gives_the_defaults(written: Path, tmp_path: Path) -> None:
    """What is not said is as the documentation says it."""
    written.write_text("central_system: {url: ws://localhost:9000/ocpp}\n")
    found = read(written)
    default = Configuration()
    assert found.central_system is not None
    assert found.central_system.target() == "ws://localhost:9000/ocpp/CP001"
    assert (found.identity, found.board) == (default.identity, default.board) == ("CP001", "ac11-sim")
    assert found.data == tmp_path / DEFAULT_DATA
    assert (found.durability_in_force, found.speed, found.seed) == (Durability.FULL, 1.0, None)
    assert found.feature_profiles == tuple(ALL)


@pytest.mark.parametrize(
    "keys",
    [
        "CustomDisplayCostAndPrice: true",
        "customdisplaycostandprice: true, CustomMultiLanguageMessages: true, TimeOffset: '+01:00'",
    ],
)
def test_a_key_switches_costs_on(written: Path, keys: str) -> None:
    """CustomDisplayCostAndPrice brings the other keys."""
    written.write_text(f"keys: {{{keys}}}\n")
    assert read(written).unknown_keys() == []


def test_a_language_that_a_charger_does_not_have_is_a_custom_key(written: Path) -> None:
    """DefaultPriceText,en exists only with CustomMultiLanguageMessages."""
    written.write_text("keys: {CustomDisplayCostAndPrice: true, Vendor.Extra: x}\n")
    assert read(written).unknown_keys() == ["Vendor.Extra"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("[{message: Ping}]", "1:17: data_transfer[0] needs 'vendor'"),
        ("[{vendor: v, data: a, echo: true}]", "1:44: data_transfer[0].echo must be false where data are given"),
        ("[{vendor: v, status: UnknownVendorId, data: x}]", "1:37: data_transfer[0].status must be another one where"),
        ("[{vendor: v, status: Acepted}]", "1:37: unknown data_transfer[0].status 'Acepted'; did you mean 'Accepted'"),
        ("[{vendor: v, message: m}, {vendor: V, message: M}]", "1:51: data_transfer[1].vendor must be another one"),
        ("{vendor: v}", "1:16: data_transfer must be a list"),
    ],
)
def test_an_answer_to_data_transfer_that_cannot_be_is_refused(written: Path, answers: str, said: str) -> None:
    """4.3: beside an unknown vendor the data element SHALL not be present; one vendor and message have one answer."""
    assert refused(written, f"data_transfer: {answers}\n").startswith(said)


SECURITY = "belongs to the security extension of OCPP 1.6, which this charger lacks"


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("keys: {AuthorizationKey: 30313233}", "AuthorizationKey", f"{SECURITY}; the password of HTTP Basic is"),
        ("keys: {securityprofile: 2}", "securityprofile", SECURITY),
        ("keys: {CpoName: ACME}", "CpoName", SECURITY),
        ("keys: {AdditionalRootCertificateCheck: true}", "AdditionalRootCertificateCheck", SECURITY),
        ("keys: {CertificateSignedMaxChainSize: 10000}", "CertificateSignedMaxChainSize", SECURITY),
        ("keys: {CertificateStoreMaxLength: 10}", "CertificateStoreMaxLength", SECURITY),
        ("keys: {SupportedFeatureProfilesMaxLength: 6}", "SupportedFeatureProfilesMaxLength", "has no meaning"),
        ("keys: {MeterPublicKey1: 3059}", "MeterPublicKey1", "belongs to Signed Meter Values in OCPP 1.0"),
        ("keys: {CustomDisplayCostAndPrice: false, TimeOffset: Z}", "TimeOffset", "needs the key CustomDisplayCostA"),
        ("keys: {'DefaultPriceText,de': x}", "DefaultPriceText,de", "needs the key CustomMultiLanguageMessages: true"),
        ("keys: {HeartbeatInterval: 1, heartbeatinterval: 2}", "heartbeatinterval", "stands here twice, first as Heart"),
        ("{feature_profiles: [Core], keys: {LocalAuthListEnabled: true}}", "LocalAuthListEnabled", "belongs to the fea"),
    ],
)
def test_a_standard_key_without_effect_is_refused(written: Path, line: str, name: str, reason: str) -> None:
    """A key is honoured or truthfully absent: as a custom one it could be read, and changed without effect ([D]).

    An AuthorizationKey that is accepted and not used locks the charger out (security whitepaper, A01).
    """
    said = refused(written, f"identity: CP001\n{line}\n" if line.startswith("keys") else line)
    assert f"{name} {reason}" in said


@pytest.mark.parametrize(
    ("key", "password"),
    [
        ("password: geheim-geheim-16", b"geheim-geheim-16"),
        ("password_hex: 0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF", bytes(range(8)) + b"\xff" * 12),
        ('password_hex: "3132333435363738"', b"12345678"),
        ("password_file: secret", b"from the file"),
    ],
)
def test_password_is_text_or_hex_or_in_a_file(written: Path, key: str, password: bytes) -> None:
    """OCPP-J 6.2.2: AuthorizationKey is written in hex and sent as the bytes it stands for; many back ends take text."""
    (written.parent / "secret").write_text("from the file\n")
    written.write_text(f"central_system:\n  url: ws://localhost/ocpp\n  {key}\n")
    found = read(written).central_system
    assert found is not None
    assert found.password == password
    assert "from the file" not in repr(found)


def test_files_lie_beside_the_file_that_names_them(written: Path, tmp_path: Path) -> None:
    """Relative paths are relative to the file, not to where somebody happened to stand."""
    board = Path("hw/boards/ac11-sim.yaml")
    (tmp_path / "box.yaml").write_text((Path(__file__).parents[2] / board).read_text())
    written.write_text(
        "board: box.yaml\ndata: here\ncentral_system: {url: ws://localhost/ocpp, password_file: key, ca_file: ca.pem}\n"
    )
    (tmp_path / "key").write_text("0815")
    (tmp_path / "ca.pem").write_text("")
    found = read(written)
    assert found.plan().board.name == "box"
    assert found.data == tmp_path / "here"
    assert found.central_system is not None
    assert found.central_system.tls.ca_file == tmp_path / "ca.pem"


def test_a_display_may_show_where_a_charge_is_started(written: Path) -> None:
    written.write_text("control: {port: 8081, start_link: 'https://pay.example.com/{id}/{connector}'}\n")
    control = read(written).control
    assert control is not None
    assert control.link_to("CP 1", 2) == "https://pay.example.com/CP%201/2"


def test_absolute_paths_stay(written: Path, tmp_path: Path) -> None:
    """A service keeps its data where the system wants it."""
    written.write_text(f"data: {tmp_path / 'elsewhere'}\n")
    assert read(written).data == tmp_path / "elsewhere"


SYSTEM = "central_system: {url: ws://localhost/ocpp"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # keys nobody reads
        ("identty: CP1\n", "1:1: unknown key 'identty' in the file; did you mean 'identity'?"),
        ("board: ac11-sim\n  \nkey: {}\n", "3:1: unknown key 'key' in the file; did you mean 'keys'?"),
        ("central_system: {ulr: ws://x}\n", "1:18: unknown key 'ulr' in central_system; did you mean 'url'?"),
        (f"{SYSTEM}, pasword: x}}\n", "1:44: unknown key 'pasword' in central_system; did you mean 'password'?"),
        ("timing: {boot_rety: 1s}\n", "1:10: unknown key 'boot_rety' in timing; did you mean 'boot_retry'?"),
        ("simulation:\n  sead: 1\n", "2:3: unknown key 'sead' in simulation; did you mean 'seed'?"),
        ("clock: {sped: 2}\n", "1:9: unknown key 'sped' in clock; did you mean 'speed'?"),
        ("station: {vender: x}\n", "1:11: unknown key 'vender' in station; did you mean 'vendor'?"),
        ("control: {start_lnk: x}\n", "1:11: unknown key 'start_lnk' in control; did you mean 'start_link'?"),
        ("control:\n  start_link: https://x/{outlet}\n", "2:15: start_link: in braces stand only {id} and {connector}"),
        # values that cannot be
        ("identity: 0\n", "1:11: identity must be a text in quotes, got 0"),
        ("central_system: ws://localhost\n", "1:17: central_system must be a mapping, got 'ws://localhost'"),
        ("central_system: {url: http://localhost/ocpp}\n", "1:23: url: 'http://localhost/ocpp' is no WebSocket URL"),
        (f"identity: 'a:b'\n{SYSTEM}, password: x}}\n", "1:11: identity: 'a:b' has a colon"),
        (f"{SYSTEM}, headers: {{Host: x}}}}\n", "1:53: headers: Host belongs to the WebSocket handshake"),
        (
            f"{SYSTEM}, headers: {{X-A: true}}}}\n",
            "1:59: central_system.headers.X-A must be a text in quotes, got what is not shown",
        ),
        (f"{SYSTEM}, password_hex: 01F}}\n", "1:58: central_system.password_hex must be an even number of hexadecimal"),
        (f"{SYSTEM}, password: a, password_hex: 01}}\n", "1:71: central_system.password_hex must be only one of"),
        (f"{SYSTEM}, password_file: nowhere}}\n", "1:59: nowhere cannot be read: No such file or directory"),
        (
            f"{SYSTEM}, password: 1234}}\n",
            "1:54: central_system.password must be a text in quotes, got what is not shown",
        ),
        ("central_system: {url: wss://h, ca_file: no.pem}\n", "1:41: ca_file: "),
        ("board: ac-11-sim\n", "1:8: no board 'ac-11-sim'; did you mean 'ac11-sim'"),
        ("board: there-is-none.yaml\n", "there-is-none.yaml: does not exist"),
        ("station: {vendor: A company with a long name}\n", "1:19: station.vendor must be at most 20 characters"),
        ("keys: {HeartbeatInterval: often}\n", "1:27: HeartbeatInterval: expected a whole number, got 'often'"),
        ("keys:\n  LocalPreAuthorize: yes\n", "2:22: LocalPreAuthorize: expected true or false, got 'yes'"),
        ("keys: {heartbeatinterval: -1}\n", "1:27: HeartbeatInterval: expected 0..2147483647, got -1"),
        ("keys: {HeartbeatInterval: [1]}\n", "1:27: keys.HeartbeatInterval must be a text, a number, true or false"),
        ("keys: {CustomDisplayCostAndPrice: 1}\n", "1:35: CustomDisplayCostAndPrice: expected true or false, got '1'"),
        (
            "keys: {CustomDisplayCostAndPrice: true, DefaultPrice: '{}'}\n",
            "1:55: DefaultPrice: priceText is missing",
        ),
        ("keys: 5\n", "1:7: keys must be a mapping, got 5"),
        ("keys: {A: 1, A: 2}\n", "1:14: 'A' stands here twice, first in line 1"),
        ("feature_profiles: [Core, RemoteTriger]\n", "1:26: unknown feature_profiles[1] 'RemoteTriger'; did you mean"),
        ("feature_profiles: [RemoteTrigger]\n", "1:19: feature_profiles must be Core among them"),
        ("durability: ful\n", "1:13: unknown durability 'ful'; did you mean 'full'?"),
        ("clock: {speed: 0}\n", "1:16: clock.speed must be 0.001..100000, got 0"),
        ("timing: {boot_retry: soon}\n", "1:22: timing.boot_retry must be a duration such as 90s, 5 min or 2 h"),
        ("timing: {answer_timeout: 99999999999}\n", "1:26: MessageTimeout: expected"),
        ("timing: {reconnect_doublings: 99}\n", "1:31: timing.reconnect_doublings must be 0..20, got 99"),
        ("simulation: {register_kwh: -1}\n", "1:28: simulation.register_kwh must be at least 0, got -1"),
        # no YAML, or not what YAML is for
        ("", "1:1: the file is empty"),
        ("- a list\n", "1:1: the file must be a mapping, got a list"),
        ("identity: [\n", "1:11: the [ that begins here is not closed"),
    ],
)
def test_mistake_is_named_with_file_line_and_column(written: Path, text: str, said: str) -> None:
    """A key nobody reads is an error that names file, line, column and the nearest valid key."""
    if said.startswith("there-is-none"):
        written.write_text(text)
        with pytest.raises(InputFileError, match=said):
            read(written)
        return
    assert refused(written, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "durability"),
    [
        ("clock: {speed: 1}", Durability.FULL),
        ("clock: {speed: 60}", Durability.RELAXED),
        ("clock: {speed: 60}\ndurability: full", Durability.FULL),
        ("durability: relaxed", Durability.RELAXED),
    ],
)
def test_fast_clock_does_not_wait_for_the_disk_unless_asked(written: Path, text: str, durability: Durability) -> None:
    """On a scaled clock the disk's milliseconds are the charger's seconds, in which a meter counts as silent."""
    written.write_text(text + "\n")
    assert read(written).durability_in_force is durability


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """InputFileError: what a user wrote cannot be used; a name that leads nowhere is one of them."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: does not exist"):
        read(tmp_path / "nowhere.yaml")


STATION_LENGTHS = {
    "vendor": 20,
    "model": 20,
    "serial_number": 25,
    "charge_box_serial_number": 25,
    "firmware_version": 50,
    "iccid": 20,
    "imsi": 20,
    "meter_type": 25,
    "meter_serial_number": 25,
}


def test_every_station_text_has_a_longest_length() -> None:
    """6.3 BootNotification.req: nothing too long ever reaches the wire."""
    assert {name: what.note(Length) for name, what in declared(StationSection).items()} == {
        name: Length(length) for name, length in STATION_LENGTHS.items()
    }


@pytest.mark.parametrize("field", list(STATION_LENGTHS))
def test_station_texts_are_as_long_as_the_standard_lets_them(written: Path, field: str) -> None:
    """6.3 BootNotification.req: CiString20Type, CiString25Type, CiString50Type."""
    length = STATION_LENGTHS[field]
    written.write_text(f"station: {{{field}: {'x' * length}}}\n")
    assert getattr(read(written).station, field) == "x" * length
    assert f"station.{field} must be at most {length} characters" in refused(
        written, f"station: {{{field}: {'x' * (length + 1)}}}\n"
    )


def test_card_numbers_and_digits_stay_text(written: Path) -> None:
    """YAML 1.2 turns 12E45678 into infinity and drops the zero of 04126789: not here."""
    written.write_text("keys: {GarageCard: 12E45678, OtherCard: 04126789, Third: '1.50'}\n")
    assert read(written).keys == {"GarageCard": "12E45678", "OtherCard": "04126789", "Third": "1.50"}


def test_a_simulated_box_moves_real_files_and_pretends_to_install_them(written: Path) -> None:
    """There is nothing to install on; on a real board a command must be given, or the installation fails."""
    written.write_text("board: ac11-sim")
    files = read(written).plan().files
    assert (files.download_succeeds, files.upload_succeeds, files.install_succeeds) == (None, None, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("firmware: {download: maybe}", "1:22: unknown firmware.download 'maybe'"),
        ("firmware: {command: []}", "1:21: firmware.command must be a program with its arguments"),
        ("firmware: {command: [a], install: ok}", "1:21: firmware.command must be a program with its arguments"),
        ("diagnostics: {http_method: GET}", "1:28: unknown diagnostics.http_method 'GET'"),
        ("diagnostics: {uplaod: ok}", "1:15: unknown key 'uplaod' in diagnostics"),
        ("files: {ca_fiel: x}", "1:9: unknown key 'ca_fiel' in files; did you mean 'ca_file'?"),
        ("files: {ca_file: no.pem}", "1:18: ca_file: "),
        ("files: {ca_file: chargepoint.yaml}", "1:18: ca_file: "),
        ("files:\n  known_hosts: no", "2:16: known_hosts: "),
        ("files: {ca_file: 5}", "1:18: files.ca_file must be a text in quotes, got 5"),
        ("files:\n  sftp_key: chargepoint.yaml", "2:13: sftp_key: "),
    ],
)
def test_a_wrong_way_of_files_is_refused(written: Path, text: str, said: str) -> None:
    assert refused(written, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mqtt: {host: h, prot: 1}", "1:17: unknown key 'prot' in mqtt; did you mean 'port'?"),
        ("mqtt: {host: 'mqtt://h'}", "1:14: mqtt.host must be a host name or an address"),
        ("mqtt: {host: h, port: 0}", "1:23: mqtt.port must be 1..65535, got 0"),
        ("mqtt:\n  host: h\n  password_file: chargepoint.yaml", "3:18: mqtt.password_file must be a user beside it"),
        ("mqtt: {host: h, user: u, password_file: no}", "1:41: no cannot be read: No such file or directory"),
        ("mqtt: {host: h, ca_file: no.pem}", "1:26: ca_file: "),
        ("mqtt: {host: h, prefix: a/#}", "1:25: mqtt.prefix must be levels of a topic"),
        ("mqtt: {host: h, prefix: $SYS}", "1:25: mqtt.prefix must be levels of a topic"),
        ("mqtt: {host: h, discovery_prefix: /ha}", "1:35: mqtt.discovery_prefix must be levels of a topic"),
    ],
)
def test_a_broker_that_cannot_be_is_refused(written: Path, text: str, said: str) -> None:
    assert refused(written, text).startswith(said)


@pytest.mark.parametrize(("more", "port"), [("", 1883), (", ca_file: root.pem", 8883)])
def test_the_port_of_a_broker_goes_with_tls(written: Path, tmp_path: Path, more: str, port: int) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "root.pem")
    written.write_text(f"mqtt: {{host: h{more}}}")
    broker = read(written).mqtt
    assert broker is not None
    assert (broker.port, broker.prefix, broker.discovery_prefix) == (port, "chargepoint", "homeassistant")


def test_mqtt_needs_its_library(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    said = refused(written, "mqtt: {host: h}")
    assert said.startswith("1:7: MQTT needs aiomqtt, which is not installed: ")
    assert sys.executable in said  # the Python of this process, wherever `pip` leads
    assert "pip install" in said


@pytest.mark.parametrize("key", ["known_hosts", "sftp_key"])
def test_settings_for_sftp_need_its_library(written: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Said when the file is read, not when firmware is to be fetched."""
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    said = refused(written, f"files: {{{key}: x}}\n")
    assert said.startswith(f"1:{len(key) + 11}: {key}: SFTP needs asyncssh")
    assert "pip install asyncssh, or 'chargepoint[sftp]'" in said


def test_the_spelling_of_a_unit_becomes_its_key(tmp_path: Path) -> None:
    """What stands under `keys` goes before it, as the finer of the two."""
    said = "central_system: {temperature_unit_spelling: Celsius}\n"
    path = tmp_path / "charger.yaml"
    path.write_text(said)
    assert read(path).keys["TemperatureUnitSpelling"] == "Celsius"
    path.write_text(said + "keys: {TemperatureUnitSpelling: auto}\n")
    assert read(path).keys["TemperatureUnitSpelling"] == "auto"
    path.write_text(said.replace("Celsius", "Kelvin"))
    with pytest.raises(ConfigurationError, match="temperature_unit_spelling"):
        read(path)
