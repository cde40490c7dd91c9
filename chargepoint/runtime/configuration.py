"""The configuration file of one charger: YAML, strict, every error with file, line and column.

    identity: CP001
    central_system: {url: ws://localhost:9000/ocpp}
    board: ac11-sim
    keys: {HeartbeatInterval: 300}

What may stand there is declared in `.sections`; here is what it means, and what only the whole tells. `Configuration` is
what came out; it knows what to dial, what to build and where to keep it. `.layers` puts several files, the environment
and flags together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path

import profiles
from chargepoint.model.chargepoint import Station
from hw.document import Section, bind, load
from hw.errors import InputFileError
from hw.loader import SUFFIXES, UnknownBoardError, plan_board

from .address import Address, AddressError, Tls
from .assembly import ChargerPlan, roster_for
from .backends import BACKENDS, Backend
from .connection import LinkSettings
from .control.admission import Admission, check_link
from .mqtt.broker import NO_MQTT, PLAIN_PORT, TLS_PORT, Broker, has_mqtt, is_topic
from .porter import NO_SFTP, FilePlan, FileTrust, has_sftp
from .sections import (
    ENDS,
    CentralSystemSection,
    ControlSection,
    DiagnosticsSection,
    File,
    FilesSection,
    FirmwareSection,
    MqttSection,
    StationSection,
)
from .store import Durability, file_stem

DEFAULT_DATA = Path("chargepoint-data")
REAL_FILES = FilePlan(download_succeeds=None, upload_succeeds=None, install_succeeds=None)
"""What one charger that is run does with files, unless its configuration pretends."""


class ConfigurationError(InputFileError):
    """The configuration file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One charger as its owner wants it. ``central_system`` None: not given, a command line must name one."""

    identity: str = "CP001"
    central_system: Address | None = None
    board: str = "ac11-sim"
    station: Station = field(default_factory=Station)
    keys: Mapping[str, str] = field(default_factory=dict)
    feature_profiles: tuple[str, ...] = tuple(profiles.ALL)
    boot_retry_s: float = 60.0
    link: LinkSettings = field(default_factory=LinkSettings)
    data: Path = DEFAULT_DATA
    durability: Durability | None = None
    """None: full on the real clock, relaxed on a faster one, where a disk's milliseconds are the charger's seconds."""
    speed: float = 1.0
    seed: int | None = None
    register_wh: float | None = None
    reset_down_s: float = 5.0
    files: FilePlan = REAL_FILES
    control: Admission | None = None
    """Where verbs are taken over HTTP; None: nowhere."""
    mqtt: Broker | None = None
    """Where the state is published and a few verbs are taken; None: nowhere."""

    @property
    def durability_in_force(self) -> Durability:
        """What was asked for, else what suits the clock."""
        if self.durability is not None:
            return self.durability
        return Durability.FULL if self.speed == 1.0 else Durability.RELAXED

    def plan(self) -> ChargerPlan:
        """Return what to build. Raises `hw.errors.InputFileError` for an unusable board."""
        board = plan_board(self.board)
        return ChargerPlan(
            identity=self.identity,
            board=board,
            files=self._files(board.is_simulated),
            station=self.station,
            keys=self.keys,
            feature_profiles=self.feature_profiles,
            boot_retry_s=self.boot_retry_s,
            reset_down_s=self.reset_down_s,
            register_wh=self.register_wh,
            seed=self.seed or 0,
            keeps_board=True,
        )

    def _files(self, is_simulated: bool) -> FilePlan:
        """A simulated box has nothing to install, so that is pretended; the files themselves are real."""
        files = self.files
        if files.install_succeeds is None and is_simulated and not files.command:
            files = replace(files, install_succeeds=True)
        central = self.central_system
        password = None if central is None else central.password
        secrets = () if password is None else (password.decode("latin-1"), password.hex(), password.hex().upper())
        return replace(files, directory=self.data / f"{file_stem(self.identity)}.files", secrets=secrets)

    def unknown_keys(self) -> list[str]:
        """Return the keys that this charger does not know and keeps as custom ones."""
        extensions = profiles.extensions(self.keys)
        keyring = roster_for(plan_board(self.board), self.feature_profiles, extensions).keyring
        return [name for name in self.keys if keyring.find(name) is None]

    def doubts(self) -> list[str]:
        """Return what can be used, and is not likely to be meant."""
        known = [key.name for key in roster_for(plan_board(self.board), self.feature_profiles).keyring]
        told = []
        for name in self.unknown_keys():
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            told.append(f"configuration key {name} is not one of this charger's: kept as a custom key{hint}")
        central = self.central_system
        if central is not None and central.tls.ca_file is not None and not central.is_secure:
            told.append(f"ca_file {central.tls.ca_file} has no effect: {central.url} is not encrypted, wss:// would be")
        return told


def read(path: Path) -> Configuration:
    """Read one configuration file by itself. Raises InputFileError at the first thing that cannot be."""
    return settle(load(path, error=ConfigurationError).mapping(), path.parent)


def settle(root: Section, beside: Path = Path()) -> Configuration:
    """Return what a configuration says; data lie ``beside`` it when it does not say where.

    Raises InputFileError at the first thing that cannot be: ConfigurationError, or what its board file raises.
    """
    told = bind(root, File)
    if "Core" not in told.feature_profiles:
        root.fail(root.node("feature_profiles"), "Core among them: it cannot be left out (OCPP 1.6, 3.3)")
    timing, simulation = told.timing, told.simulation
    trusting = replace(REAL_FILES, trust=_trust(told.files, root))
    files = _diagnostics(_firmware(trusting, told.firmware, root), told.diagnostics)
    keys = dict(told.keys)
    if timing.answer_timeout is not None:
        keys.setdefault("MessageTimeout", f"{max(1, round(timing.answer_timeout)):d}")
    configuration = Configuration(
        identity=told.identity,
        central_system=_address(told.central_system, told.identity, root),
        board=_board(told.board, root),
        station=_station(told.station),
        keys=keys,
        feature_profiles=told.feature_profiles,
        boot_retry_s=timing.boot_retry,
        link=LinkSettings(
            retry_minimum_s=timing.reconnect_minimum,
            retry_random_s=timing.reconnect_random,
            retry_doublings=timing.reconnect_doublings,
            open_timeout_s=timing.open_timeout,
            pong_timeout_s=timing.pong_timeout,
        ),
        data=told.data or beside / DEFAULT_DATA,
        durability=told.durability,
        speed=told.clock.speed,
        seed=simulation.seed,
        register_wh=None if simulation.register_kwh is None else simulation.register_kwh * 1000.0,
        reset_down_s=simulation.reset_down,
        files=files,
        control=_control(told.control, root),
        mqtt=_mqtt(told.mqtt, root),
    )
    _check(configuration, root)
    return configuration


def _station(told: StationSection) -> Station:
    said = {each.name: getattr(told, each.name) for each in fields(told)}
    return Station(**{name: text for name, text in said.items() if text is not None})


def _board(board: str, root: Section) -> str:
    """Return the name of a board, or the path of a board file, which lies beside the file that names it."""
    return str(root.path("board")) if root.has("board") and board.endswith(SUFFIXES) else board


def _address(told: CentralSystemSection, identity: str, root: Section) -> Address | None:
    """Return what to dial; None without a URL and a back end."""
    password = _password(told, root)
    if told.url is None and told.backend is None:
        return None
    # What the configuration says itself counts; a back end known by name fills in the rest.
    known = Backend(name="", title="", url="", source="") if told.backend is None else BACKENDS[told.backend]
    try:
        return Address(
            url=known.url_for(told.url),
            identity=identity,
            append_identity=known.append_identity if told.append_identity is None else told.append_identity,
            trailing_slash=known.trailing_slash if told.trailing_slash is None else told.trailing_slash,
            subprotocols=told.subprotocols or known.subprotocols,
            require_subprotocol=(
                known.require_subprotocol if told.require_subprotocol is None else told.require_subprotocol
            ),
            basic_user=told.basic_user or known.basic_user,
            password=password,
            headers=tuple(told.headers.items()),
            tls=Tls(
                ca_file=told.ca_file,
                client_certificate=told.client_certificate,
                client_key=told.client_key,
                server_name=told.server_name,
                check_server_name=told.check_server_name,
            ),
        )
    except AddressError as error:
        # The word for what is wrong where it stands, if it does; else the URL.
        section = root.child("central_system")
        place = root if error.field == "identity" and root.has("identity") else section
        key = error.field if place.has(error.field) else "url"
        raise ConfigurationError(place.mark_of(key), str(error)) from error


def _password(told: CentralSystemSection, root: Section) -> bytes | None:
    given = [key for key in ("password", "password_hex", "password_file") if getattr(told, key) is not None]
    if len(given) > 1:
        section = root.child("central_system")
        section.fail(section.node(given[1]), f"only one of {', '.join(given)}")
    if told.password_hex is not None:
        # An AuthorizationKey is written in hex and sent as the bytes it stands for (OCPP-J 1.6, 6.2.2).
        return bytes.fromhex(told.password_hex)
    if told.password_file is not None:
        return _content(told.password_file, root.child("central_system"), "password_file")
    return None if told.password is None else told.password.encode()


def _content(path: Path, section: Section, key: str) -> bytes:
    """Return what stands in a file that the configuration names, without the white space around it."""
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(section.mark_of(key), f"{section.text(key)} cannot be read: {error.strerror}") from error


def _control(told: ControlSection, root: Section) -> Admission | None:
    """Return where verbs are taken over HTTP; None where nobody named a host or a port."""
    if told.start_link is not None:
        try:
            check_link(told.start_link)
        except ValueError as error:
            raise ConfigurationError(root.child("control").mark_of("start_link"), str(error)) from error
    if told.host is None and told.port is None:
        return None
    default, port = Admission(), told.port
    section = root.child("control")
    token = None
    if told.token_file is not None:
        token = _content(told.token_file, section, "token_file").decode("ascii", "replace")
    try:
        return Admission(
            told.host or default.host,
            default.port if port is None else port,
            token,
            told.names,
            told.start_link,
        )
    except ValueError as error:
        raise ConfigurationError(section.mark_of("token_file" if token else "host"), str(error)) from error


def _mqtt(told: MqttSection, root: Section) -> Broker | None:
    """Return the broker to publish on; None where nobody named its host."""
    if told.host is None:
        return None
    section = root.child("mqtt")
    if not has_mqtt():
        raise ConfigurationError(root.mark_of("mqtt"), NO_MQTT)
    password = None
    if told.password_file is not None:
        password = _content(told.password_file, section, "password_file").decode("utf-8", "replace")
        if told.user is None:
            section.fail(section.node("password_file"), "a user beside it (MQTT 3.1.1, 3.1.2.9)")
    for key in ("prefix", "discovery_prefix"):
        if section.has(key) and not is_topic(section.text(key)):
            section.fail(section.node(key), "levels of a topic, such as home/garage, without wildcards")
    if told.ca_file is not None:
        _check_roots(section, told.ca_file)
    usual_port = PLAIN_PORT if told.ca_file is None else TLS_PORT
    return Broker(
        host=told.host,
        port=told.port or usual_port,
        user=told.user,
        password=password,
        ca_file=told.ca_file,
        prefix=told.prefix,
        discovery_prefix=told.discovery_prefix,
    )


def _check_roots(section: Section, ca_file: Path | None) -> None:
    try:
        Tls(ca_file=ca_file).context()
    except AddressError as error:
        raise ConfigurationError(section.mark_of("ca_file"), str(error)) from error


def _trust(told: FilesSection, root: Section) -> FileTrust:
    trust = FileTrust(ca_file=told.ca_file, known_hosts=told.known_hosts, sftp_key=told.sftp_key)
    if trust.ca_file is not None:
        _check_roots(root.child("files"), trust.ca_file)
    for key in ("known_hosts", "sftp_key"):
        if getattr(told, key) is not None:
            _check_for_sftp(root.child("files"), key, trust)
    return trust


def _check_for_sftp(section: Section, key: str, trust: FileTrust) -> None:
    """Read a file as the first transfer would, so that what is wrong with it shows now."""
    if not has_sftp():
        raise ConfigurationError(section.mark_of(key), f"{key}: {NO_SFTP}")
    from .sftp import read_keys, read_known_hosts
    from .transfer import TransferFailed

    try:
        if key == "sftp_key":
            read_keys(trust.sftp_key)
        else:
            read_known_hosts(trust.known_hosts)
    except TransferFailed as error:
        raise ConfigurationError(section.mark_of(key), str(error)) from error


def _firmware(files: FilePlan, told: FirmwareSection, root: Section) -> FilePlan:
    if root.has("firmware"):
        section = root.child("firmware")
        if section.has("command") and (not told.command or told.install != "real"):
            section.fail(section.node("command"), "a program with its arguments, and no pretended `install` beside it")
    return replace(
        files,
        download_succeeds=ENDS[told.download],
        download_s=told.download_time,
        install_succeeds=ENDS[told.install],
        install_s=told.install_time,
        restarts=told.restart,
        command=told.command,
        command_timeout_s=told.command_timeout,
        largest_bytes=told.largest_mb * 2**20,
        version=told.version,
    )


def _diagnostics(files: FilePlan, told: DiagnosticsSection) -> FilePlan:
    return replace(files, upload_succeeds=ENDS[told.upload], upload_s=told.upload_time, http_method=told.http_method)


def _check(configuration: Configuration, root: Section) -> None:
    """What only the whole tells: the board exists, every key takes its value."""
    try:
        board = plan_board(configuration.board)
    except UnknownBoardError as error:
        raise ConfigurationError(root.mark_of("board"), error.problem) from error
    extensions = profiles.extensions(configuration.keys)
    keyring = roster_for(board, configuration.feature_profiles, extensions).keyring
    for name, value in configuration.keys.items():
        key = keyring.find(name)
        try:
            if key is not None:
                key.parse(value)
            elif (absence := keyring.absence(name)) is not None:
                raise ConfigurationError(root.child("keys").mark_of(name), absence)
        except ValueError as error:
            is_said = root.has("keys") and root.child("keys").has(name)
            place = root.child("keys").mark_of(name) if is_said else root.child("timing").mark_of("answer_timeout")
            raise ConfigurationError(place, f"{key.name if key else name}: {error}") from error
