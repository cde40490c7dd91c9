"""Where the central system is and how a charge point shows who it is: an address, checked once, and its TLS.

Nothing here opens a socket. An `Address` is an immutable value built from configuration; whatever is wrong with it is
an `AddressError` at start-up, not a failed connection at night. Sources: OCPP-J 1.6 sections 3.1 and 6.2.2; OCPP 1.6
security white paper edition 3, security profiles 1 to 3.
"""

from __future__ import annotations

import base64
import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from hw.errors import ChargePointError

CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
    )
)
"""TLS 1.2 cipher suites, forward secrecy first; TLS 1.3 has its own list.

The white paper asks for at least the two ECDHE-ECDSA or the two plain RSA suites, so both pairs are offered. The
ECDHE-RSA pair is ours: a server with an RSA certificate and without plain RSA key exchange is the usual one today.
"""

_PLACEHOLDER = "{id}"
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2: header names, subprotocols
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5
_OWN_HEADERS = frozenset({"host", "upgrade", "connection", "content-length", "transfer-encoding"})


class AddressError(ChargePointError):
    """An address cannot be used. ``field`` is the name of the `Address` or `Tls` field that has to change."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a ``wss`` server is trusted, and what proves us to it (security profiles 2 and 3). Files are PEM."""

    ca_file: Path | None = None
    """Roots to trust (CentralSystemRootCertificate); None trusts the roots of the operating system."""
    client_certificate: Path | None = None
    """Our certificate and its chain (security profile 3)."""
    client_key: Path | None = None
    """Its private key; None when it stands in the certificate's file."""
    server_name: str | None = None
    """The name expected in the server's certificate and sent as SNI; None is the host of the URL."""
    check_server_name: bool = True
    """False trusts any certificate of a trusted root, whatever its name: for test benches addressed by IP."""

    def context(self) -> ssl.SSLContext:
        """Return the context for this trust, the same object for equal trust: a fleet shares one.

        Files are looked at anew each time, so a certificate that was renewed in place counts from the next dial on.
        Raises AddressError when a file is missing, unreadable or not what it should be.
        """
        return _context(
            _stamp("ca_file", self.ca_file),
            _stamp("client_certificate", self.client_certificate),
            _stamp("client_key", self.client_key),
            self.check_server_name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Everything needed to dial one central system as one charge point. Raises AddressError when it cannot work."""

    url: str
    """``ws://`` or ``wss://`` endpoint. ``{id}`` in path or query stands for the identity, percent-encoded."""
    identity: str
    """The charge point identity, plain (OCPP-J 1.6, 3.1.1)."""
    append_identity: bool = True
    """Append ``/`` and the identity to the path; has no effect on a URL with ``{id}``."""
    trailing_slash: bool = False
    """End the path with ``/``, which some back ends insist on."""
    subprotocols: tuple[str, ...] = ("ocpp1.6",)
    """Offered in order of liking (OCPP-J 1.6, 3.1.2)."""
    require_subprotocol: bool = True
    """False tolerates a server that names no subprotocol at all; a wrong one is never tolerated."""
    basic_user: str | None = None
    """User name for HTTP Basic; None is the identity, as OCPP-J 1.6 section 6.2.2 wants it."""
    password: bytes | None = field(default=None, repr=False)
    """Password for HTTP Basic, raw bytes; None sends no credentials."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Extra request headers. They may hold keys, so they are neither printed nor logged."""
    tls: Tls = Tls()

    def __post_init__(self) -> None:
        _check_identity(self)
        self.target()
        _check_subprotocols(self.subprotocols)
        _check_headers(self.headers, has_password=self.password is not None)
        if self.is_secure:
            self.tls.context()

    @property
    def is_secure(self) -> bool:
        """Whether the configured endpoint is ``wss``; a redirect may still lead from ``ws`` to ``wss``."""
        return urlsplit(self.url).scheme == "wss"

    @property
    def user(self) -> str | None:
        """The user name sent by HTTP Basic, None without credentials."""
        if self.password is None:
            return None
        return self.identity if self.basic_user is None else self.basic_user

    def target(self) -> str:
        """Return the exact URL that is dialled, pure ASCII.

        RFC 3986 unreserved characters of the identity stay, all others become %XX. One trailing slash of the endpoint
        gives way to the one before the identity; a query string stays behind the path.
        """
        parts = _split(self.url)
        identity = quote(self.identity, safe="")
        path, query = _escape(parts.path), _escape(parts.query)
        if _PLACEHOLDER in parts.path or _PLACEHOLDER in parts.query:
            path, query = path.replace(_PLACEHOLDER, identity), query.replace(_PLACEHOLDER, identity)
        elif self.append_identity:
            path = f"{path.removesuffix('/')}/{identity}"
        if "{" in path + query or "}" in path + query:
            raise AddressError("url", "the only placeholder is {id}; write other braces as %7B and %7D")
        if self.trailing_slash and not path.endswith("/"):
            path += "/"
        return urlunsplit((parts.scheme, _ascii_netloc(parts), path, query, ""))

    def authorization(self) -> str | None:
        """Return the value of the Authorization header, None without a password (OCPP-J 1.6, 6.2.2; RFC 7617)."""
        user = self.user
        if user is None or self.password is None:
            return None
        return "Basic " + base64.b64encode(user.encode() + b":" + self.password).decode("ascii")


def _check_identity(address: Address) -> None:
    if not address.identity:
        raise AddressError("identity", "is empty; give the charge point identity the central system knows")
    try:
        address.identity.encode()
    except UnicodeEncodeError:
        raise AddressError("identity", "has a character that UTF-8 cannot carry") from None
    # RFC 7617, section 2: the first colon ends the user name, so such a name arrives as another one.
    if address.user is not None and ":" in address.user:
        wrong = "identity" if address.basic_user is None else "basic_user"
        raise AddressError(
            wrong, f"{address.user!r} has a colon, which HTTP Basic cannot carry; set basic_user to a name without"
        )


def _split(url: str) -> SplitResult:
    # Checked first: urlsplit silently drops tabs and line ends, and the request line ends at a space.
    if _SPACE_OR_CONTROL.search(url):
        raise AddressError("url", "has a space or a control character; write a space as %20")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError("url", f"{error}; write ws://host:port/path") from None
    if parts.username is not None or parts.password is not None:
        # The URL is logged with every connection, so it is no place for a password; nor is this message.
        raise AddressError("url", "has user information before the @; set basic_user and password instead")
    if parts.scheme in ("http", "https"):
        instead = {"http": "ws", "https": "wss"}[parts.scheme]
        raise AddressError("url", f"{url!r} is no WebSocket URL; write {instead}:// instead of {parts.scheme}://")
    if parts.scheme not in ("ws", "wss"):
        raise AddressError("url", f"{url!r} must begin with ws:// or wss://")
    if not parts.hostname:
        raise AddressError("url", f"{url!r} names no host; write {parts.scheme}://host/path")
    if port == 0:
        raise AddressError("url", f"{url!r} has port 0, which cannot be dialled")
    if "{" in parts.netloc or "}" in parts.netloc:
        raise AddressError("url", f"{url!r}: {{id}} may stand in path and query, not in the host")
    if parts.fragment or url.endswith("#"):
        raise AddressError("url", f"{url!r} has a fragment, which is never sent; write # as %23")
    return parts


def _escape(text: str) -> str:
    """Percent-encode what may not stand in a URL, and leave what is encoded already."""
    return quote(text, safe="/?:@!$&'()*+,;=%{}")


def _ascii_netloc(parts: SplitResult) -> str:
    if parts.netloc.isascii():
        return parts.netloc
    assert parts.hostname is not None
    try:
        host = parts.hostname.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise AddressError("url", f"the host {parts.hostname!r} cannot be a domain name: {error}") from None
    return host if parts.port is None else f"{host}:{parts.port}"


def _check_subprotocols(names: tuple[str, ...]) -> None:
    if not names:
        raise AddressError("subprotocols", 'is empty; OCPP 1.6 over JSON is "ocpp1.6"')
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise AddressError("subprotocols", f'{name!r} is no subprotocol name; OCPP 1.6 over JSON is "ocpp1.6"')


def _check_headers(headers: tuple[tuple[str, str], ...], *, has_password: bool) -> None:
    for name, value in headers:
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            raise AddressError("headers", f"{name!r} is no header name")
        if not _HEADER_VALUE.fullmatch(value):
            raise AddressError("headers", f"the value of {name} has a line end or a character a header cannot carry")
        if lower in _OWN_HEADERS or lower.startswith("sec-websocket-"):
            raise AddressError("headers", f"{name} belongs to the WebSocket handshake; leave it out")
        if lower == "authorization" and has_password:
            raise AddressError("headers", "Authorization is made from the password already; leave one of them out")


_Stamp = tuple[Path, int, int]
"""A file as it was: path, time of change in ns, size in bytes."""


def _stamp(field: str, path: Path | None) -> _Stamp | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError as error:
        raise AddressError(field, f"{path} cannot be read: {error.strerror}") from None
    return path, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _context(
    ca: _Stamp | None, certificate: _Stamp | None, key: _Stamp | None, check_server_name: bool
) -> ssl.SSLContext:
    """Build a client context. The stamps are read for their paths; as key they make a changed file a new entry."""
    # Not create_default_context(): from Python 3.13 on it adds VERIFY_X509_STRICT, which turns down many a private CA.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.check_hostname = check_server_name
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        try:
            context.load_verify_locations(cafile=ca[0])
        except OSError as error:  # ssl.SSLError is one
            raise AddressError("ca_file", f"{ca[0]} holds no PEM certificate we can read: {error}") from None
    if certificate is None:
        if key is not None:
            raise AddressError("client_key", "is set without client_certificate; set both or neither")
        return context
    try:
        context.load_cert_chain(certificate[0], None if key is None else key[0], password=_refuse_passphrase)
    except OSError as error:
        raise AddressError(
            "client_certificate", f"{certificate[0]} and its key cannot be used as a PEM pair: {error}"
        ) from None
    return context


def _refuse_passphrase() -> str:
    """Stand in for OpenSSL's prompt, which would block the whole process on a terminal that may not exist."""
    raise AddressError("client_key", "is encrypted; store it without a passphrase, readable for this user only")
