"""What a server shows of itself before any WebSocket: its certificate, trusted or not, and whether it speaks TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chargepoint.runtime.dialfailure import DialFailure, FailureKind, explain

_HUNG_UP = DialFailure(
    FailureKind.CLIENT_CERTIFICATE,
    "the server hangs up right after the TLS handshake",
    "it may want a client certificate that it knows; check client_certificate",
)
_WORD_WITHIN_S = 2.0

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, which the module `ssl` has no name for."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in the words people compare."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    """UTC days, as 2030-12-31."""
    names: tuple[str, ...]
    """The names and addresses it was made for (subjectAltName)."""

    def __str__(self) -> str:
        made_for = ", ".join(self.names) or "no name"
        return (
            f"certificate of {self.subject}, issued by {self.issuer}, "
            f"valid {self.not_before} to {self.not_after}, for {made_for}"
        )


def described(peer: Mapping[str, Any]) -> Certificate:
    """Return the certificate that `ssl.SSLSocket.getpeercert` gave."""
    return Certificate(
        subject=_name(peer.get("subject", ())),
        issuer=_name(peer.get("issuer", ())),
        not_before=_day(peer["notBefore"]),
        not_after=_day(peer["notAfter"]),
        names=tuple(value for _kind, value in peer.get("subjectAltName", ())),
    )


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    values = {key: value for part in parts for key, value in part}
    return values.get("commonName") or ", ".join(values.values()) or "nobody"


def _day(text: str) -> str:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC).strftime("%Y-%m-%d")


async def shown_at(peer: tuple[Any, ...], server_name: str) -> Certificate | None:
    """Return the certificate that the server at a socket address shows; None if it cannot be had.

    Python tells the contents of a certificate only once it is trusted. So it is fetched unseen, then trusted for one
    more handshake that ends there: nothing is sent over it.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        fetched = await _shaken(peer, server_name, blind)
        trusting.load_verify_locations(cadata=fetched.getpeercert(True) or b"")
        contents = (await _shaken(peer, server_name, trusting)).getpeercert()
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None
    return described(contents) if contents else None


async def speaks_http(peer: tuple[Any, ...]) -> bool:
    """Whether the server at a socket address answers plain HTTP. Raises OSError."""
    reader, writer = await asyncio.open_connection(peer[0], peer[1])
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.read(5)).startswith(b"HTTP")
    finally:
        writer.transport.abort()


async def refusal(peer: tuple[Any, ...], server_name: str, context: ssl.SSLContext) -> DialFailure | None:
    """Return why a server ends TLS before it is asked anything, None if it waits for a request. Raises OSError.

    With TLS 1.3 a server refuses our certificate after our side of the handshake; if a request is on its way by then,
    the reset that answers it may overtake the reason.
    """
    reader, writer = await asyncio.open_connection(peer[0], peer[1], ssl=context, server_hostname=server_name)
    try:
        async with asyncio.timeout(_WORD_WITHIN_S):
            said = await reader.read(1)
    except TimeoutError:
        return None
    except OSError as error:
        return explain(error)
    finally:
        writer.transport.abort()
    return None if said else _HUNG_UP


async def speaks_tls(peer: tuple[Any, ...], server_name: str) -> bool:
    """Whether the server at a socket address answers a TLS handshake; whom it is of does not matter."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    try:
        await _shaken(peer, server_name, blind)
    except OSError:
        return False
    return True


async def _shaken(peer: tuple[Any, ...], server_name: str, context: ssl.SSLContext) -> ssl.SSLObject:
    """Make a TLS handshake and hang up. Raises OSError."""
    _reader, writer = await asyncio.open_connection(peer[0], peer[1], ssl=context, server_hostname=server_name)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return tls
    finally:
        writer.transport.abort()
