"""Central systems known by name: where their OCPP endpoint is and what it expects, read from `backends.yaml`.

A preset fills in what is not given: port and path of the URL, the knobs of `Address` that are about the shape of the
dial, configuration keys, and whether a reconnect begins with BootNotification. Host and password are always the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from importlib.resources import as_file, files
from urllib.parse import urlsplit, urlunsplit

from hw.document import Section, load
from hw.errors import ChargePointError, InputFileError
from hw.node import unknown

TENANT = "<tenant>"


class BackendFileError(InputFileError):
    """The list of central systems cannot be used."""


class UnknownBackendError(ChargePointError):
    """No central system is known by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(unknown(f"no back end {name!r}", name, BACKENDS))


class NoUrlError(ChargePointError):
    """The URL of a central system is that of an account, and was not given."""

    def __init__(self, backend: Backend) -> None:
        shape = f", such as {backend.url}" if backend.url else ""
        super().__init__(f"{backend.title}: the URL comes with the account{shape}; give it as url (--url)")


class Password(StrEnum):
    """Whether a central system asks for HTTP Basic."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One central system by name. The defaults are those of `Address`."""

    name: str
    title: str
    url: str
    """As on this machine with its default port; ``{id}`` stands for the identity. A word in ``<>`` is of the account; empty
    where nothing is public."""
    source: str
    """The public document to hold it against, or that there is none."""
    tried: str | None = None
    """What was tried with this program; None: nothing."""
    password: Password = Password.OPTIONAL
    basic_user: str | None = None
    """`TENANT` stands for the first label of the host."""
    append_identity: bool = True
    trailing_slash: bool = False
    subprotocols: tuple[str, ...] = ("ocpp1.6",)
    require_subprotocol: bool = True
    boot_on_reconnect: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    """Configuration keys as they leave the factory, where the user gives no other value."""
    notes: tuple[str, ...] = ()

    @property
    def needs_url(self) -> bool:
        """Whether the URL is that of an account."""
        return not self.url or "<" in self.url

    def user_for(self, url: str) -> str | None:
        """Return the user of HTTP Basic at a URL, None for the identity."""
        return (urlsplit(url).hostname or "").partition(".")[0] if self.basic_user == TENANT else self.basic_user

    def url_for(self, given: str | None) -> str:
        """Return the URL to dial: what is ``given`` counts, and what it leaves out comes from the preset.

        The preset's port is not taken over to another scheme: a TLS port is never the plain one. Raises NoUrlError where
        nothing is given and the URL is that of an account.
        """
        if not given:
            if self.needs_url:
                raise NoUrlError(self)
            return self.url
        try:
            ours, theirs = urlsplit(self.url), urlsplit(given)
        except ValueError:
            return given
        if theirs.scheme not in ("ws", "wss") or not theirs.netloc or given.split() != [given]:
            return given  # as it is, for `Address` to say what is wrong with it
        netloc = theirs.netloc
        if ours.port is not None and theirs.scheme == ours.scheme and _has_no_port(netloc):
            netloc = f"{netloc}:{ours.port}"
        if theirs.path in ("", "/") and not theirs.query:
            return urlunsplit((theirs.scheme, netloc, ours.path, ours.query, theirs.fragment))
        return urlunsplit((theirs.scheme, netloc, theirs.path, theirs.query, theirs.fragment))


def keys_with(preset: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration keys of a user over those of a preset; names are compared without case."""
    said = {name.lower() for name in own}
    return {**{name: value for name, value in preset.items() if name.lower() not in said}, **own}


def _has_no_port(netloc: str) -> bool:
    return bool(netloc) and ":" not in netloc.rpartition("]")[2]


def find(name: str) -> Backend:
    """Return the central system of this name. Raises UnknownBackendError."""
    found = BACKENDS.get(name)
    if found is None:
        raise UnknownBackendError(name)
    return found


def _backend(name: str, section: Section) -> Backend:
    backend = Backend(
        name=name,
        title=section.text("title"),
        url=section.text("url"),
        source=section.text("source"),
        tried=section.text("tried") if section.has("tried") else None,
        password=section.choice("password", Password),
        basic_user=section.text("basic_user") if section.has("basic_user") else None,
        append_identity=section.flag("append_identity", True),
        trailing_slash=section.flag("trailing_slash", False),
        subprotocols=section.texts("subprotocols", ("ocpp1.6",)),
        require_subprotocol=section.flag("require_subprotocol", True),
        boot_on_reconnect=section.flag("boot_on_reconnect", False),
        keys=_keys(section),
        notes=section.texts("notes", ()),
    )
    section.finish()
    return backend


def _keys(section: Section) -> dict[str, str]:
    keys = section.child("keys") if section.has("keys") else None
    return {} if keys is None else {name: keys.plain(name) for name, _entry in keys.items()}


class _Presets(Mapping[str, Backend]):
    """The presets by name, in the order of the file; read when somebody looks, which most starts do not."""

    @cached_property
    def _read(self) -> Mapping[str, Backend]:
        with as_file(files("chargepoint.runtime").joinpath("backends.yaml")) as path:
            root = load(path, error=BackendFileError).mapping()
        return {name: _backend(name, Section(entry.node, BackendFileError)) for name, entry in root.items()}

    def __getitem__(self, name: str) -> Backend:
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


BACKENDS: Mapping[str, Backend] = _Presets()
"""All central systems known by name."""
