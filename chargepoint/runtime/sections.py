"""What may stand in a configuration file: one dataclass a section, one field a key, with its type, default and purpose.

The reader (`.configuration`), the JSON Schema, the starting file and `config show` are all made from these fields. A
new key is a field here and its use in `.configuration`; an `Option` of `.options` also gives it a flag and an environment
variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ocpp.v16.enums import DataTransferStatus

import profiles
from chargepoint.model.delivery import AUTO
from chargepoint.model.transaction_data import OTHER_SPELLING
from hw.binding import Bounds, Declared, Help, Length, Matches, OneOf, Plain, Seconds, Secret, declared
from profiles.firmware.update import INSTALL_LIMIT_S

from . import options
from .backends import BACKENDS
from .connection import LinkSettings
from .mqtt.broker import DEFAULT_DISCOVERY_PREFIX, DEFAULT_PREFIX
from .options import Option
from .porter import FilePlan
from .store import Durability

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LINK, _FILES = LinkSettings(), FilePlan()
"""Whoever takes a value has its default."""

ENDS = {"real": None, "ok": True, "fails": False}
"""How a file's way ends: as it does, or as it is to look."""

SPELLINGS = (AUTO, *OTHER_SPELLING)
"""How TemperatureUnitSpelling may be set."""

Way = Annotated[str, OneOf(tuple(ENDS))]


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """Says the same as these keys beside it in another way: in a layer above it takes their place."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSystemSection:
    """Where the central system is, and how to be let in."""

    url: Annotated[
        str | None,
        options.URL,
        Help(options.URL.help, "ws://h/ocpp"),
    ] = None
    backend: Annotated[
        str | None,
        options.BACKEND,
        OneOf(BACKENDS),
        Help(options.BACKEND.help, "steve"),
    ] = None
    append_identity: Annotated[
        bool | None, Help("Append / and the identity to the URL; true, if the back end does not know better.", "true")
    ] = None
    trailing_slash: Annotated[
        bool | None, Help("End the path with /, which some back ends insist on; else false.", "false")
    ] = None
    password: Annotated[
        str | None,
        Secret(),
        options.PASSWORD,
        InsteadOf(("password_hex", "password_file")),
        Help(options.PASSWORD.help, "changeme-changeme"),
    ] = None
    password_hex: Annotated[
        str | None,
        Secret(),
        InsteadOf(("password", "password_file")),
        Matches(r"(?:[0-9A-Fa-f]{2})+", "an even number of hexadecimal digits"),
        Help("The same as an AuthorizationKey in hex (OCPP-J 1.6, 6.2.2).", '"3031323334353637"'),
    ] = None
    password_file: Annotated[
        Path | None,
        options.PASSWORD_FILE,
        InsteadOf(("password", "password_hex")),
        Help(options.PASSWORD_FILE.help, "cp001.password"),
    ] = None
    basic_user: Annotated[str | None, Help("User of HTTP Basic; the identity if not given.", "depot")] = None
    headers: Annotated[Mapping[str, str], Secret(), Help("Extra request headers.", '{X-Depot: "17"}')] = field(
        default_factory=dict
    )
    subprotocols: Annotated[
        tuple[str, ...], Help("Offered in order of liking; ocpp1.6, if nothing is said.", "[ocpp1.6]")
    ] = ()
    boot_on_reconnect: Annotated[
        bool | None,
        Help("Send BootNotification on each new connection, which some back ends wait for; else false.", "true"),
    ] = None
    require_subprotocol: Annotated[
        bool | None, Help("Give up on a server that names no subprotocol; else true.", "true")
    ] = None
    temperature_unit_spelling: Annotated[
        str | None,
        OneOf(SPELLINGS),
        Help("Unit of temperatures; auto tries the other one when it is refused. The key goes before it.", "Celsius"),
    ] = None
    ca_file: Annotated[
        Path | None,
        options.CA_FILE,
        Help(options.CA_FILE.help, "ca.pem"),
    ] = None
    client_certificate: Annotated[Path | None, Help("Our certificate and its chain (PEM).", "client.pem")] = None
    client_key: Annotated[Path | None, Help("Its key, if it has a file of its own.", "client.key")] = None
    server_name: Annotated[
        str | None, Help("Name expected in the server's certificate; the host of the URL if not given.", "csms.local")
    ] = None
    check_server_name: Annotated[bool, Help("false trusts any certificate of a trusted root.")] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSection:
    """Who the charger says it is in BootNotification; lengths are those of OCPP 1.6, 6.3."""

    vendor: Annotated[str | None, Length(20), Help("chargePointVendor; the board's if not given.", "ACME")] = None
    model: Annotated[str | None, Length(20), Help("chargePointModel; the board's if not given.", "Wall-11")] = None
    serial_number: Annotated[
        str | None,
        Length(25),
        Help("chargePointSerialNumber; a simulated board's is made from identity and board.", "A-0001"),
    ] = None
    charge_box_serial_number: Annotated[
        str | None,
        Length(25),
        Help("chargeBoxSerialNumber; a simulated board's is the identity.", "B-0001"),
    ] = None
    firmware_version: Annotated[
        str | None,
        Length(50),
        Help("firmwareVersion; that of this program if not given.", '"1.0.0"'),
    ] = None
    iccid: Annotated[str | None, Length(20), Help("Of the SIM card.", '"8931000000000000001"')] = None
    imsi: Annotated[str | None, Length(20), Help("Of the SIM card.", '"204040000000001"')] = None
    meter_type: Annotated[str | None, Length(25), Help("meterType; the board's if not given.", "SDM630")] = None
    meter_serial_number: Annotated[
        str | None,
        Length(25),
        Help("meterSerialNumber; a simulated board's is made from identity and board.", "M-0001"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingSection:
    """Patience with the central system."""

    boot_retry: Annotated[
        Seconds, Bounds(1.0), Help("Between BootNotifications when the central system names no time.")
    ] = 60.0
    answer_timeout: Annotated[
        Seconds | None, Help("For an answer to a call; the key MessageTimeout goes before it.", "30s")
    ] = None
    reconnect_minimum: Annotated[Seconds, Help("First wait before dialling again.")] = _LINK.retry_minimum_s
    reconnect_random: Annotated[Seconds, Help("Added to it at most, anew each time.")] = _LINK.retry_random_s
    reconnect_doublings: Annotated[int, Bounds(0, 20), Help("How often the wait doubles.")] = _LINK.retry_doublings
    retry_after_limit: Annotated[Seconds, Help("Longest wait that a server can ask for by Retry-After.")] = (
        _LINK.retry_after_limit_s
    )
    open_timeout: Annotated[Seconds, Bounds(0.1), Help("To the end of the WebSocket handshake.")] = _LINK.open_timeout_s
    pong_timeout: Annotated[Seconds, Bounds(0.1), Help("For a pong; then the link counts as dead.")] = (
        _LINK.pong_timeout_s
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSection:
    """How fast the charger's time goes."""

    speed: Annotated[float, options.SPEED, Bounds(0.001, 100_000.0), Help(options.SPEED.help)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSection:
    """What only a simulated box has."""

    register_kwh: Annotated[
        float | None,
        Bounds(0.0),
        Help("Energy register at the first start; made from identity and board if not given.", "1234.5"),
    ] = None
    reset_down: Annotated[Seconds, Help("How long a reset takes.")] = 5.0
    seed: Annotated[int | None, options.SEED, Help(options.SEED.help, "1")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTransferSection:
    """The answer to one DataTransfer of the central system."""

    vendor: Annotated[str, Length(255), Help("vendorId.", "com.acme")]
    message: Annotated[str | None, Length(50), Help("messageId; any other of the vendor if not given.", "Ping")] = None
    status: Annotated[DataTransferStatus, Help("Status of the answer.")] = DataTransferStatus.accepted
    data: Annotated[str | None, Help("Data of the answer.", "pong")] = None
    echo: Annotated[bool, Help("The data of the request are the data of the answer.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareSection:
    """UpdateFirmware: what is done with a file, or pretended."""

    download: Annotated[Way, Help("real, or the outcome to pretend.")] = "real"
    download_time: Annotated[Seconds, Help("Of a pretended download.")] = _FILES.download_s
    install: Annotated[Way, Help("real, or the outcome to pretend.")] = "real"
    install_time: Annotated[Seconds, Help("Of a pretended installation.")] = _FILES.install_s
    restart: Annotated[bool, Help("Restart after an installation.")] = _FILES.restarts
    command: Annotated[
        tuple[str, ...], Help("Installs; the file is its last argument, exit code 0 is success.", "[/usr/bin/update]")
    ] = ()
    command_timeout: Annotated[Seconds, Bounds(1.0, INSTALL_LIMIT_S), Help("For the command.")] = (
        _FILES.command_timeout_s
    )
    largest_mb: Annotated[int, Bounds(1), Help("Larger files are not fetched.")] = _FILES.largest_bytes // 2**20
    version: Annotated[
        str | None, Length(50), Help("What new firmware calls itself; else its file's name tells.", "2.1.0")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticsSection:
    """GetDiagnostics: what is done with the file, or pretended."""

    upload: Annotated[Way, Help("real, or the outcome to pretend.")] = "real"
    upload_time: Annotated[Seconds, Help("Of a pretended upload.")] = _FILES.upload_s
    http_method: Annotated[str, OneOf(("PUT", "POST")), Help("How the file goes to an HTTP server.")] = (
        _FILES.http_method
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSection:
    """Which file servers are used and trusted when firmware is fetched and diagnostics are sent."""

    ca_file: Annotated[
        Path | None, Help("Roots for HTTPS and FTPS; those of the operating system if not given.", "files-ca.pem")
    ] = None
    known_hosts: Annotated[Path | None, Help("Host keys for SFTP; ~/.ssh/known_hosts if not given.", "hosts")] = None
    sftp_key: Annotated[Path | None, Help("A private key without passphrase, for SFTP.", "id_ed25519")] = None
    hosts: Annotated[
        tuple[str, ...],
        Help(
            "The only hosts that are used: names, *.DOMAIN, addresses, networks, * for all. If not given: all but this "
            "machine, which has to be named by its address.",
            "[files.example.com, 192.168.1.0/24]",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSection:
    """Commands over HTTP, and the page: opened where a host or a port is given, or by --control."""

    host: Annotated[
        str | None, Help("127.0.0.1 if not given; any other address than loopback needs a token.", "127.0.0.1")
    ] = None
    port: Annotated[int | None, Bounds(0, 65_535), Help("8080 if not given; 0 is a free one.", "8080")] = None
    token_file: Annotated[Path | None, Help("Holds the token that opens the door.", "control.token")] = None
    names: Annotated[tuple[str, ...], Help("Further host names that lead here.", "[wallbox.local]")] = ()
    start_link: Annotated[
        str | None,
        Help(
            "Starts a charge by app or payment page, as the QR code of /display; {id} and {connector} are filled in.",
            '"https://pay.example/{id}/{connector}"',
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSection:
    """The state on an MQTT broker, and Home Assistant's discovery; opened where a host is given."""

    host: Annotated[
        str | None,
        Matches(r"[^\s/@]{1,253}", "a host name or an address"),
        Help("Name or address of the broker.", "broker.local"),
    ] = None
    port: Annotated[int | None, Bounds(1, 65_535), Help("1883 if not given; 8883 with a ca_file.", "1883")] = None
    user: Annotated[str | None, Help("Who we are there.", "wallbox")] = None
    password_file: Annotated[Path | None, Help("Holds the password of user.", "mqtt.password")] = None
    ca_file: Annotated[Path | None, Help("Speak TLS, and trust these roots.", "mqtt-ca.pem")] = None
    prefix: Annotated[str, Help("What all our topics begin with.")] = DEFAULT_PREFIX
    discovery_prefix: Annotated[str, Help("Where Home Assistant looks for devices.")] = DEFAULT_DISCOVERY_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A whole configuration file."""

    identity: Annotated[str, options.IDENTITY, Help(options.IDENTITY.help)] = "CP001"
    central_system: Annotated[CentralSystemSection, Help("Where the central system is.")] = CentralSystemSection()
    board: Annotated[str, options.BOARD, Help(options.BOARD.help)] = "ac11-sim"
    station: Annotated[StationSection, Help("Who the charger says it is in BootNotification.")] = StationSection()
    keys: Annotated[
        Mapping[str, Plain],
        Help("Configuration keys as they leave the factory; see `chargepoint keys`.", "{HeartbeatInterval: 300}"),
    ] = field(default_factory=dict)
    feature_profiles: Annotated[
        tuple[str, ...], OneOf(tuple(profiles.ALL)), Help("What the charger can do; Core is needed.")
    ] = tuple(profiles.ALL)
    timing: Annotated[TimingSection, Help("Patience with the central system.")] = TimingSection()
    data: Annotated[
        Path | None,
        options.DATA,
        Help(options.DATA.help, "/var/lib/chargepoint"),
    ] = None
    durability: Annotated[
        Durability | None,
        options.DURABILITY,
        Help(options.DURABILITY.help, "full"),
    ] = None
    clock: Annotated[ClockSection, Help("How fast the charger's time goes.")] = ClockSection()
    simulation: Annotated[SimulationSection, Help("What only a simulated box has.")] = SimulationSection()
    firmware: Annotated[FirmwareSection, Help("UpdateFirmware: done, or pretended.")] = FirmwareSection()
    diagnostics: Annotated[DiagnosticsSection, Help("GetDiagnostics: done, or pretended.")] = DiagnosticsSection()
    files: Annotated[FilesSection, Help("Which file servers are used and trusted.")] = FilesSection()
    control: Annotated[ControlSection, Help("Commands over HTTP, and the page.")] = ControlSection()
    data_transfer: Annotated[
        tuple[DataTransferSection, ...],
        Help(
            "Answers to DataTransfer of the central system; a vendor that is not named is UnknownVendorId.",
            "[{vendor: com.acme, message: Ping, data: pong}, {vendor: com.acme, message: Echo, echo: true}]",
        ),
    ] = ()
    mqtt: Annotated[MqttSection, Help("The state on an MQTT broker.")] = MqttSection()


@dataclass(frozen=True, slots=True)
class Setting:
    """A key with a flag and an environment variable."""

    path: tuple[str, ...]
    what: Declared
    default: object
    option: Option


def settings(within: DataclassInstance = File(), above: tuple[str, ...] = ()) -> tuple[Setting, ...]:
    """Return every key that can be given as a flag and by the environment, in the order of the file."""
    found: list[Setting] = []
    for name, what in declared(type(within)).items():
        default = getattr(within, name)
        option = what.note(Option)
        if option is not None:
            found.append(Setting((*above, name), what, default, option))
        if what.section is not None:
            found += settings(default, (*above, name))
    return tuple(found)
