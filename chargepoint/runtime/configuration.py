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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from ocpp.v16.enums import DataTransferStatus

import profiles
from chargepoint.model.chargepoint import Station
from chargepoint.model.feature import Roster
from chargepoint.model.options import Options, VendorAnswer
from hw.document import Section, bind, load
from hw.errors import InputFileError, Mark, first_of
from hw.loader import SUFFIXES, UnknownBoardError, plan_board
from hw.words import nearest

from . import options
from .address import Address, AddressError, Tls
from .assembly import ChargerPlan, roster_for
from .backends import BACKENDS, Backend, NoUrlError, keys_with
from .connection import LinkSettings
from .control.admission import Admission, check_link
from .file_hosts import FileHosts, problem_of
from .mqtt.broker import NO_MQTT, PLAIN_PORT, TLS_PORT, Broker, has_mqtt, is_topic
from .porter import NO_SFTP, FilePlan, FileTrust, has_sftp
from .sections import (
    ENDS,
    CentralSystemSection,
    ControlSection,
    DataTransferSection,
    DiagnosticsSection,
    File,
    FilesSection,
    FirmwareSection,
    MqttSection,
    StationSection,
)
from .store import Durability, file_stem

T = TypeVar("T")

DEFAULT_BOARD = "ac11-sim"
DEFAULT_DATA = Path(options.DEFAULT_DATA)
REAL_FILES = FilePlan(download_succeeds=None, upload_succeeds=None, install_succeeds=None)
"""What one charger that is run does with files, unless its configuration pretends."""


class ConfigurationError(InputFileError):
    """The configuration file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One charger as its owner wants it. ``central_system`` None: not given, a command line must name one."""

    identity: str = "CP001"
    central_system: Address | None = None
    board: str = DEFAULT_BOARD
    station: Station = field(default_factory=Station)
    keys: Mapping[str, str] = field(default_factory=dict)
    feature_profiles: tuple[str, ...] = tuple(profiles.ALL)
    boot_retry_s: float = 60.0
    link: LinkSettings = field(default_factory=LinkSettings)
    options: Options = field(default_factory=Options)
    hints: tuple[str, ...] = ()
    """What people stumble over at the central system, where it is known by name."""
    data: Path = DEFAULT_DATA
    durability: Durability | None = None
    """None: full on the real clock, relaxed on a faster one, where a disk's milliseconds are the charger's seconds."""
    speed: float = 1.0
    seed: int | None = None
    register_wh: float | None = None
    reset_down_s: float = 5.0
    files: FilePlan = REAL_FILES
    control: Admission | None = None
    """Where commands are taken over HTTP; None: nowhere."""
    mqtt: Broker | None = None
    """Where the state is published and a few commands are taken; None: nowhere."""

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
            options=self.options,
            reset_down_s=self.reset_down_s,
            register_wh=self.register_wh,
            derives_defaults=True,
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
            near = nearest(name, known)
            hint = f"; did you mean {near}?" if near is not None else ""
            told.append(f"configuration key {name} is not one of this charger's: kept as a custom key{hint}")
        central = self.central_system
        if central is not None and central.tls.ca_file is not None and not central.is_secure:
            told.append(f"ca_file {central.tls.ca_file} has no effect: {central.url} is not encrypted, wss:// would be")
        return told


def read(path: Path) -> Configuration:
    """Read one configuration file by itself. Raises InputFileError with everything that cannot be."""
    return settle(load(path, error=ConfigurationError).mapping(), path.parent)


def settle(root: Section, beside: Path = Path()) -> Configuration:
    """Return what a configuration says; data lie ``beside`` it when it does not say where.

    Raises InputFileError with everything that cannot be, in the order of the file: each a ConfigurationError, or what the
    board file raises.
    """
    mistakes: list[InputFileError] = []
    told = bind(root, File, mistakes)
    configuration = _meant(told, root, beside, mistakes)
    if mistakes:
        raise first_of(mistakes)
    return configuration


def _meant(told: File, root: Section, beside: Path, mistakes: list[InputFileError]) -> Configuration:
    """Return what the values mean together; what cannot be is appended to ``mistakes``, and left out."""

    def tried(make: Callable[[], T], otherwise: T) -> T:
        try:
            return make()
        except InputFileError as error:
            mistakes.extend(error.mistakes)
            return otherwise

    timing, simulation = told.timing, told.simulation
    preset, boots_again = _preset(told.central_system), told.central_system.boot_on_reconnect
    feature_profiles = tried(lambda: _feature_profiles(told, root), tuple(profiles.ALL))
    trust = tried(lambda: _trust(told.files, root), REAL_FILES.trust)
    firmware = tried(lambda: _firmware(replace(REAL_FILES, trust=trust), told.firmware, root), REAL_FILES)
    # What is said as a key counts most, then what another setting says of one, then the preset.
    by_settings: dict[str, str] = {}
    if timing.answer_timeout is not None:
        by_settings["MessageTimeout"] = f"{max(1, round(timing.answer_timeout)):d}"
    if told.central_system.temperature_unit_spelling is not None:
        by_settings["TemperatureUnitSpelling"] = told.central_system.temperature_unit_spelling
    keys = keys_with(preset.keys, keys_with(by_settings, told.keys))
    password = tried(lambda: _password(told.central_system, root), None)
    board = tried(lambda: _board(told.board, root), DEFAULT_BOARD)
    roster = roster_for(plan_board(board), feature_profiles, profiles.extensions(keys))
    mistakes.extend(_wrong_keys(keys, told, root, roster))
    return Configuration(
        identity=told.identity,
        central_system=tried(lambda: _address(told.central_system, told.identity, password, root), None),
        board=board,
        station=_station(told.station),
        keys=keys,
        feature_profiles=feature_profiles,
        boot_retry_s=timing.boot_retry,
        link=LinkSettings(
            retry_minimum_s=timing.reconnect_minimum,
            retry_random_s=timing.reconnect_random,
            retry_doublings=timing.reconnect_doublings,
            retry_after_limit_s=timing.retry_after_limit,
            open_timeout_s=timing.open_timeout,
            pong_timeout_s=timing.pong_timeout,
        ),
        options=Options(
            boot_on_reconnect=preset.boot_on_reconnect if boots_again is None else boots_again,
            vendor_answers=tried(lambda: _vendor_answers(told.data_transfer, root), ()),
        ),
        hints=preset.notes,
        data=told.data or beside / DEFAULT_DATA,
        durability=told.durability,
        speed=told.clock.speed,
        seed=simulation.seed,
        register_wh=None if simulation.register_kwh is None else simulation.register_kwh * 1000.0,
        reset_down_s=simulation.reset_down,
        files=_diagnostics(firmware, told.diagnostics),
        control=tried(lambda: _control(told.control, root), None),
        mqtt=tried(lambda: _mqtt(told.mqtt, root), None),
    )


def _feature_profiles(told: File, root: Section) -> tuple[str, ...]:
    if "Core" not in told.feature_profiles:
        root.fail(root.node("feature_profiles"), "Core among them: it cannot be left out (OCPP 1.6, 3.3)")
    return told.feature_profiles


def _station(told: StationSection) -> Station:
    said = {each.name: getattr(told, each.name) for each in fields(told)}
    return Station(**{name: text for name, text in said.items() if text is not None})


def _board(board: str, root: Section) -> str:
    """Return the name of a board, or the path of a board file, which lies beside the file that names it.

    Raises ConfigurationError for a name that no board has, and what the board file raises.
    """
    name = str(root.path("board")) if root.has("board") and board.endswith(SUFFIXES) else board
    try:
        plan_board(name)
    except UnknownBoardError as error:
        raise ConfigurationError(root.mark_of("board"), error.problem) from error
    return name


def _address(told: CentralSystemSection, identity: str, password: bytes | None, root: Section) -> Address | None:
    """Return what to dial; None without a URL and a back end."""
    if told.url is None and told.backend is None:
        return None
    known = _preset(told)
    try:
        url = known.url_for(told.url)
        return Address(
            url=url,
            identity=identity,
            append_identity=known.append_identity if told.append_identity is None else told.append_identity,
            trailing_slash=known.trailing_slash if told.trailing_slash is None else told.trailing_slash,
            subprotocols=told.subprotocols or known.subprotocols,
            require_subprotocol=(
                known.require_subprotocol if told.require_subprotocol is None else told.require_subprotocol
            ),
            basic_user=told.basic_user or known.user_for(url),
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
    except NoUrlError as error:
        raise ConfigurationError(root.child("central_system").mark_of("backend"), str(error)) from error
    except AddressError as error:
        # The word for what is wrong where it stands, if it does; else the URL.
        section = root.child("central_system")
        place = root if error.field == "identity" and root.has("identity") else section
        key = error.field if place.has(error.field) else "url"
        raise ConfigurationError(place.mark_of(key), str(error)) from error


def _preset(told: CentralSystemSection) -> Backend:
    """Return what fills in the rest: the configuration's own words count first."""
    return Backend(name="", title="", url="", source="") if told.backend is None else BACKENDS[told.backend]


def _vendor_answers(told: tuple[DataTransferSection, ...], root: Section) -> tuple[VendorAnswer, ...]:
    mistakes: list[InputFileError] = []
    seen: set[tuple[str, str | None]] = set()
    for index, each in enumerate(told):
        section = root.children("data_transfer")[index]
        name = (each.vendor.lower(), None if each.message is None else each.message.lower())
        try:
            if name in seen:
                section.fail(section.node("vendor"), "another one, or another message: both have an answer already")
            if each.echo and each.data is not None:
                section.fail(section.node("echo"), "false where data are given")
            # 4.3: "the data element SHALL not be present" beside an unknown vendor.
            if each.status is DataTransferStatus.unknown_vendor_id and (each.echo or each.data is not None):
                section.fail(section.node("status"), "another one where the answer has data (OCPP 1.6, 4.3)")
        except InputFileError as error:
            mistakes += error.mistakes
        seen.add(name)
    if mistakes:
        raise first_of(mistakes)
    return tuple(
        VendorAnswer(vendor=each.vendor, message=each.message, status=each.status, data=each.data, is_echo=each.echo)
        for each in told
    )


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
    """Return where commands are taken over HTTP; None where nobody named a host or a port."""
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
    for number, entry in enumerate(told.hosts):
        problem = problem_of(entry)
        if problem is not None:
            section = root.child("files")
            node = section.node("hosts")
            section.fail(node.value[number] if isinstance(node.value, list) else node, problem)
    hosts = FileHosts(told.hosts)
    trust = FileTrust(ca_file=told.ca_file, known_hosts=told.known_hosts, sftp_key=told.sftp_key, hosts=hosts)
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


def _wrong_keys(keys: Mapping[str, str], told: File, root: Section, roster: Roster) -> Iterator[ConfigurationError]:
    """Yield an error for each configuration key that does not take its value, that this charger does not honour, or that
    stands there twice in different spellings."""
    said: dict[str, str] = {}
    for name, value in keys.items():
        first = said.setdefault(name.lower(), name)
        if first != name:
            yield ConfigurationError(_place_of(name, told, root), f"{name} stands here twice, first as {first}")
            continue
        key, absence = roster.keyring.find(name), roster.keyring.absence(name)
        if key is None and absence is not None and name in told.keys:
            yield ConfigurationError(_place_of(name, told, root), absence)
        elif key is not None:
            try:
                key.parse(value)
            except ValueError as error:
                yield ConfigurationError(_place_of(name, told, root), f"{key.name}: {error}")


def _place_of(name: str, told: File, root: Section) -> Mark:
    """Return what said the value of a configuration key: a key of the file, or what stands for it."""
    if name in told.keys:
        return root.child("keys").mark_of(name)
    if name == "MessageTimeout" and told.timing.answer_timeout is not None:
        return root.child("timing").mark_of("answer_timeout")
    return root.child("central_system").mark_of("backend")
