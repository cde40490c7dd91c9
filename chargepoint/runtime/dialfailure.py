"""Why a dial failed, in words for the person who set it up: what happened, and what to try.

Errors of sockets, TLS, HTTP and the WebSocket handshake come in; a `DialFailure` comes out.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from websockets.exceptions import InvalidMessage

from chargepoint.runtime.address import Address, AddressError

if TYPE_CHECKING:
    from websockets.datastructures import Headers
    from websockets.http11 import Response


class FailureKind(StrEnum):
    """Why a dial failed."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    """We do not trust the server's certificate (security event InvalidCentralSystemCertificate)."""
    CLIENT_CERTIFICATE = "client-certificate"
    """The server does not accept ours (FailedToAuthenticateAtCentralSystem)."""
    TLS_VERSION = "tls-version"
    TLS_CIPHER = "tls-cipher"
    TLS = "tls"
    HTTP_STATUS = "http-status"
    REDIRECT = "redirect"
    SUBPROTOCOL = "subprotocol"
    PROTOCOL = "protocol"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class DialFailure:
    """A dial that did not become an open link: what happened, and what a person should try."""

    kind: FailureKind
    text: str
    advice: str
    http_status: int | None = None
    retry_after_s: float | None = None
    """How long the server asks to wait before the next dial, None when it does not."""

    def __str__(self) -> str:
        return f"{self.text}; {self.advice}"


def explain(error: BaseException) -> DialFailure:
    """Return what an error of the socket, of TLS or of the handshake means to the person who set this up."""
    match error:
        case ssl.SSLError():
            return _explain_tls(error)
        case socket.gaierror():
            return DialFailure(
                FailureKind.DNS, f"the host name has no address: {error.strerror}", "check its spelling and the DNS"
            )
        case UnicodeError():
            return DialFailure(FailureKind.DNS, f"the host name cannot be one: {error}", "check its spelling")
        case TimeoutError():
            return DialFailure(FailureKind.TIMEOUT, "the connection timed out", "check host, port and firewall")
        case OSError() if error.errno == errno.ECONNREFUSED or _REFUSED in str(error):
            return DialFailure(
                FailureKind.REFUSED, "the connection was refused", "check the port, and that the central system runs"
            )
        case OSError() if error.errno in _UNREACHABLE:
            return DialFailure(FailureKind.UNREACHABLE, str(error), "check network, route and gateway")
        case OSError():
            text = f"the connection broke: {str(error) or type(error).__name__}"
            return DialFailure(
                FailureKind.LOST, text, "check proxies on the way, and the TLS log of the central system"
            )
        case AddressError():
            return DialFailure(FailureKind.TLS, str(error), "repair the file; it is read again at the next dial")
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            return DialFailure(
                FailureKind.LOST,
                "the server closed the connection instead of answering the handshake",
                "check that the port is its WebSocket port, and whether it wants wss",
            )
        case _:
            reason = f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
            return DialFailure(
                FailureKind.PROTOCOL, f"the handshake failed: {reason}", "check that the port is a WebSocket server's"
            )


_REFUSED = f"[Errno {errno.ECONNREFUSED}]"
"""How asyncio names a refusal when a host has several addresses and all failed: one OSError without an errno."""

_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})

_TLS_REASONS = (
    # Words of OpenSSL's reason code, what they mean, what to try. The first that matches wins.
    (
        ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"),
        FailureKind.TLS,
        "this port speaks no TLS; try ws:// or the TLS port",
    ),
    (
        ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_SSL_VERSION"),
        FailureKind.TLS_VERSION,
        "the server has to offer TLS 1.2 or newer",
    ),
    (
        ("UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "CERTIFICATE_REQUIRED", "ALERT_CERTIFICATE", "ALERT_UNSUPPORTED_CERT"),
        FailureKind.CLIENT_CERTIFICATE,
        "the server does not accept our client certificate, or there is none; check client_certificate",
    ),
    (
        ("HANDSHAKE_FAILURE", "CIPHER", "INSUFFICIENT_SECURITY"),
        FailureKind.TLS_CIPHER,
        "the server offers no suite with AES-GCM, or wants a client certificate",
    ),
)

_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _WRONG_IP = 10, 9, 62, 64
"""X509_V_ERR_… of OpenSSL's x509_vfy.h."""

_CERTIFICATE_ADVICE = {
    _EXPIRED: "have it renewed, or check our clock",
    _NOT_YET_VALID: "check our clock",
    _WRONG_HOST: "use the name it was made for, or give that name as server_name",
    _WRONG_IP: "use the name it was made for, or give that name as server_name",
}


def _explain_tls(error: ssl.SSLError) -> DialFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return DialFailure(
            FailureKind.CERTIFICATE,
            f"the server's certificate is not trusted: {error.verify_message}",
            _CERTIFICATE_ADVICE.get(error.verify_code, "give the root that signed it as ca_file"),
        )
    reason = error.reason or str(error)
    for words, kind, advice in _TLS_REASONS:
        if any(word in reason for word in words):
            return DialFailure(kind, f"the TLS handshake failed: {reason}", advice)
    return DialFailure(FailureKind.TLS, f"the TLS handshake failed: {reason}", "check that the port speaks TLS")


_STATUS_ADVICE = {
    200: "a web server answers there: check the path, and that the port is that of the OCPP endpoint",
    400: "a proxy on the way may not pass on the WebSocket upgrade, or the path is wrong",
    403: "the central system knows us and says no; check that the charge point is enabled there",
    404: "check the path, and that the central system knows this identity",
    426: "a proxy on the way may not pass on the WebSocket upgrade",
    429: "too many connections; the back-off helps",
}


def status_failure(response: Response, address: Address, *, is_trusted: bool) -> DialFailure:
    status = response.status_code
    if status == 401 and not is_trusted:
        advice = "the redirect led to another server, which gets no password; configure its URL"
    elif status == 401 and address.user is None:
        advice = "set the password (AuthorizationKey) the central system expects"
    elif status == 401:
        advice = f"check user {address.user!r} and the password; some central systems want the key as text, not as hex"
    elif status >= 500:
        advice = "the central system or a proxy before it has trouble"
    else:
        advice = _STATUS_ADVICE.get(status, "check URL and credentials")
    text = f"the server answered HTTP {status} {response.reason_phrase}".rstrip()
    wait_s = retry_after_s(response.headers) if status in (429, 503) else None
    if wait_s is not None:
        text += f" and asks to wait {wait_s:.0f} s"
    return DialFailure(FailureKind.HTTP_STATUS, text, advice, status, wait_s)


def retry_after_s(headers: Headers) -> float | None:
    """Return the wait in s that a Retry-After header asks for, None when there is none that can be read.

    It is a number of seconds or a date; the date counts from the server's own one (RFC 9110, 10.2.3 and 5.6.7).
    """
    told = next(iter(headers.get_all("Retry-After")), "").strip()
    if _SECONDS.fullmatch(told):
        return float(told)
    until = _http_date(told)
    if until is None:
        return None
    sent = _http_date(next(iter(headers.get_all("Date")), "")) or datetime.now(UTC)
    return max(0.0, (until - sent).total_seconds())


_SECONDS = re.compile(r"[0-9]{1,9}")


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def redirect_failure(response: Response, where: str) -> DialFailure:
    return DialFailure(
        FailureKind.REDIRECT, f"the server redirects us {where}", "configure the final URL", response.status_code
    )


def subprotocol_failure(text: str, address: Address) -> DialFailure:
    return DialFailure(
        FailureKind.SUBPROTOCOL,
        f"{text}; we offer {', '.join(address.subprotocols)}",
        "check that the path is for OCPP 1.6; require_subprotocol: false tolerates a server that names none",
    )
