"""The configuration file of one charger: YAML, strict, every error with file, line and column.

    identity: CP001
    central_system: {url: ws://localhost:9000/ocpp}
    board: ac11-sim
    keys: {HeartbeatInterval: 300}

`Configuration` is what came out; it knows what to dial, what to build and where to keep it. Flags of the command line are
laid over it with `dataclasses.replace`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import profiles
from chargepoint.model.chargepoint import Station
from hw.document import Section, load
from hw.errors import InputFileError
from hw.loader import plan_board
from profiles.firmware.update import INSTALL_LIMIT_S

from .address import Address, AddressError, Tls
from .assembly import ChargerPlan, roster_for
from .backends import Backend, backends
from .connection import LinkSettings
from .control.admission import DEFAULT_PORT, Admission
from .porter import NO_SFTP, FilePlan, FileTrust, has_sftp
from .store import Durability, file_stem

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
"""Longest texts of BootNotification (OCPP 1.6, 6.3): refused here, so that nothing too long ever reaches the wire."""

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


def read(path: Path) -> Configuration:
    """Read a configuration file. Raises ConfigurationError at the first thing that cannot be."""
    root = load(path, error=ConfigurationError).mapping()
    default = Configuration()
    identity = root.text("identity", default.identity)
    board = root.text("board", default.board)
    if board.endswith((".yaml", ".yml")) and not Path(board).is_absolute():
        board = str(path.parent / board)  # a board file lies beside the file that names it
    central = root.child("central_system") if root.has("central_system") else None
    timing = root.child("timing") if root.has("timing") else None
    simulation = root.child("simulation") if root.has("simulation") else None
    clock = root.child("clock") if root.has("clock") else None
    keys = _keys(root.child("keys")) if root.has("keys") else {}
    data = Path(root.text("data", str(DEFAULT_DATA)))
    configuration = Configuration(
        identity=identity,
        central_system=None if central is None else _address(central, identity, path.parent),
        board=board,
        station=_station(root.child("station")) if root.has("station") else Station(),
        keys=keys,
        feature_profiles=_feature_profiles(root),
        data=data if data.is_absolute() else path.parent / data,
        durability=root.choice("durability", Durability) if root.has("durability") else None,
        speed=1.0 if clock is None else clock.number("speed", 1.0, minimum=0.001, maximum=100_000.0),
    )
    if clock is not None:
        clock.finish()
    if timing is not None:
        configuration = _with_timing(configuration, timing)
    if simulation is not None:
        configuration = _with_simulation(configuration, simulation)
    files = configuration.files
    if root.has("files"):
        files = replace(files, trust=_trust(root.child("files"), path.parent))
    if root.has("firmware"):
        files = _firmware(files, root.child("firmware"))
    if root.has("diagnostics"):
        files = _diagnostics(files, root.child("diagnostics"))
    configuration = _replace(configuration, files=files)
    if root.has("control"):
        configuration = _replace(configuration, control=_control(root.child("control"), path.parent))
    root.finish()
    _check(configuration, root)
    return configuration


def _replace(configuration: Configuration, **changes: object) -> Configuration:
    values = {each.name: getattr(configuration, each.name) for each in fields(configuration)}
    return Configuration(**{**values, **changes})


def _optional(section: Section, key: str) -> str | None:
    return section.text(key) if section.has(key) else None


def _station(section: Section) -> Station:
    told: dict[str, str] = {}
    for name, length in STATION_LENGTHS.items():
        if not section.has(name):
            continue
        told[name] = section.text(name)
        if len(told[name]) > length:
            section.fail(section.node(name), f"at most {length} characters")
    section.finish()
    return replace(Station(), **told)


def _keys(section: Section) -> dict[str, str]:
    keys = {}
    for name, entry in section.items():
        value = entry.node.value
        if isinstance(value, bool):
            keys[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            keys[name] = str(value)
        elif value is None:
            keys[name] = ""
        else:
            section.fail(entry.node, "a text, a number, true or false")
    return keys


def _feature_profiles(root: Section) -> tuple[str, ...]:
    names = root.texts("feature_profiles", tuple(profiles.ALL), choices=tuple(profiles.ALL))
    if "Core" not in names:
        root.fail(root.node("feature_profiles"), "Core among them: it cannot be left out (OCPP 1.6, 3.3)")
    return names


def _address(section: Section, identity: str, beside: Path) -> Address:
    def file(key: str) -> Path | None:
        name = _optional(section, key)
        return None if name is None else beside / name

    password = _password(section, beside)
    headers: tuple[tuple[str, str], ...] = ()
    if section.has("headers"):
        given = section.child("headers")
        headers = tuple((name, given.text(name)) for name, _entry in given.items())
    tls = Tls(
        ca_file=file("ca_file"),
        client_certificate=file("client_certificate"),
        client_key=file("client_key"),
        server_name=_optional(section, "server_name"),
        check_server_name=section.flag("check_server_name", True),
    )
    # What the file says itself counts; a back end known by name fills in the rest.
    backend = backends()[section.one_of("backend", backends())] if section.has("backend") else None
    known = backend or Backend(name="", title="", url="", source="")
    url = known.url_for(section.text("url") if backend is None or section.has("url") else None)
    append_identity = section.flag("append_identity", known.append_identity)
    trailing_slash = section.flag("trailing_slash", known.trailing_slash)
    subprotocols = section.texts("subprotocols", known.subprotocols)
    require_subprotocol = section.flag("require_subprotocol", known.require_subprotocol)
    basic_user = _optional(section, "basic_user") or known.basic_user
    section.finish()
    try:
        return Address(
            url=url,
            identity=identity,
            append_identity=append_identity,
            trailing_slash=trailing_slash,
            subprotocols=subprotocols,
            require_subprotocol=require_subprotocol,
            basic_user=basic_user,
            password=password,
            headers=headers,
            tls=tls,
        )
    except AddressError as error:
        # The file's own word for what is wrong, where it has one; else the URL.
        place = error.field if section.has(error.field) else "url"
        raise ConfigurationError(section.mark_of(place), str(error)) from error


def _control(section: Section, beside: Path) -> Admission:
    host = section.text("host", "127.0.0.1")
    port = section.integer("port", DEFAULT_PORT, minimum=0, maximum=65_535)
    token = None
    if section.has("token_file"):
        token = _content(section, "token_file", beside).decode("ascii", "replace")
    names = section.texts("names", ())
    section.finish()
    try:
        return Admission(host, port, token, names)
    except ValueError as error:
        raise ConfigurationError(section.mark_of("token_file" if token else "host"), str(error)) from error


def _password(section: Section, beside: Path) -> bytes | None:
    given = [key for key in ("password", "password_hex", "password_file") if section.has(key)]
    if len(given) > 1:
        section.fail(section.node(given[1]), f"only one of {', '.join(given)}")
    if not given:
        return None
    key, text = given[0], section.text(given[0])
    if key == "password_hex":
        # An AuthorizationKey is written in hex and sent as the bytes it stands for (OCPP-J 1.6, 6.2.2).
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
            section.fail(section.node(key), "an even number of hexadecimal digits")
        return bytes.fromhex(text)
    if key == "password_file":
        return _content(section, key, beside)
    return text.encode()


def _content(section: Section, key: str, beside: Path) -> bytes:
    """Return what stands in a file that the configuration names, without the white space around it."""
    name = section.text(key)
    try:
        return (beside / name).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(section.mark_of(key), f"{name} cannot be read: {error.strerror}") from error


def _with_timing(configuration: Configuration, section: Section) -> Configuration:
    default = LinkSettings()
    boot_retry_s = section.duration_s("boot_retry", 60.0, minimum=1.0)
    keys = dict(configuration.keys)
    if section.has("answer_timeout"):
        keys.setdefault("MessageTimeout", f"{max(1, round(section.duration_s('answer_timeout'))):d}")
    link = LinkSettings(
        retry_minimum_s=section.duration_s("reconnect_minimum", default.retry_minimum_s),
        retry_random_s=section.duration_s("reconnect_random", default.retry_random_s),
        retry_doublings=section.integer("reconnect_doublings", default.retry_doublings, minimum=0, maximum=20),
        open_timeout_s=section.duration_s("open_timeout", default.open_timeout_s, minimum=0.1),
        pong_timeout_s=section.duration_s("pong_timeout", default.pong_timeout_s, minimum=0.1),
    )
    section.finish()
    return _replace(configuration, boot_retry_s=boot_retry_s, keys=keys, link=link)


def _with_simulation(configuration: Configuration, section: Section) -> Configuration:
    register_kwh = section.number("register_kwh", minimum=0.0) if section.has("register_kwh") else None
    reset_down_s = section.duration_s("reset_down", 5.0)
    seed = section.integer("seed") if section.has("seed") else None
    section.finish()
    return _replace(
        configuration,
        register_wh=None if register_kwh is None else register_kwh * 1000.0,
        reset_down_s=reset_down_s,
        seed=seed,
    )


_ENDS = {"real": None, "ok": True, "fails": False}
"""How a file's way ends: as it does, or as it is to look."""


def _firmware(files: FilePlan, section: Section) -> FilePlan:
    changed = replace(
        files,
        download_succeeds=_ENDS[section.one_of("download", _ENDS, "real")],
        download_s=section.duration_s("download_time", files.download_s),
        install_succeeds=_ENDS[section.one_of("install", _ENDS, "real")],
        install_s=section.duration_s("install_time", files.install_s),
        restarts=section.flag("restart", files.restarts),
        command=section.texts("command", ()),
        command_timeout_s=section.duration_s("command_timeout", files.command_timeout_s, minimum=1.0),
        largest_bytes=section.integer("largest_mb", files.largest_bytes // 2**20, minimum=1) * 2**20,
        version=section.text("version") if section.has("version") else None,
    )
    if changed.version is not None and len(changed.version) > STATION_LENGTHS["firmware_version"]:
        section.fail(section.node("version"), f"at most {STATION_LENGTHS['firmware_version']} characters")
    if changed.command_timeout_s > INSTALL_LIMIT_S:
        section.fail(section.node("command_timeout"), f"at most {INSTALL_LIMIT_S:.0f} s")
    if section.has("command") and (not changed.command or changed.install_succeeds is not None):
        section.fail(section.node("command"), "a program with its arguments, and no pretended `install` beside it")
    section.finish()
    return changed


def _diagnostics(files: FilePlan, section: Section) -> FilePlan:
    changed = replace(
        files,
        upload_succeeds=_ENDS[section.one_of("upload", _ENDS, "real")],
        upload_s=section.duration_s("upload_time", files.upload_s),
        http_method=section.one_of("http_method", ("PUT", "POST"), "PUT"),
    )
    section.finish()
    return changed


def _trust(section: Section, beside: Path) -> FileTrust:
    def file(key: str) -> Path | None:
        name = _optional(section, key)
        return None if name is None else beside / name

    trust = FileTrust(ca_file=file("ca_file"), known_hosts=file("known_hosts"), sftp_key=file("sftp_key"))
    section.finish()
    try:
        Tls(ca_file=trust.ca_file).context()
    except AddressError as error:
        raise ConfigurationError(section.mark_of("ca_file"), str(error)) from error
    for key in ("known_hosts", "sftp_key"):
        if section.has(key):
            _check_for_sftp(section, key, trust)
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


def _check(configuration: Configuration, root: Section) -> None:
    """What only the whole tells: the board exists, every key takes its value."""
    try:
        board = plan_board(configuration.board)
    except InputFileError as error:
        if root.has("board") and error.mark.line <= 1 and "no board" in error.problem:
            raise ConfigurationError(root.mark_of("board"), error.problem) from error
        raise
    extensions = profiles.extensions(configuration.keys)
    keyring = roster_for(board, configuration.feature_profiles, extensions).keyring
    for name, value in configuration.keys.items():
        key = keyring.find(name)
        if key is None:
            continue
        try:
            key.parse(value)
        except ValueError as error:
            place = root.child("keys").mark_of(name) if root.has("keys") else root.mark_of("timing")
            raise ConfigurationError(place, f"{key.name}: {error}") from error
