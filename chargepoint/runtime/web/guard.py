"""Who may ask: loopback by default, any other address with a token, and no page of a stranger (Host, Origin).

A browser sends requests that other people's pages make. So the Host must be one that we answer for, which ends DNS
rebinding, and an Origin, where there is one, must be our own.
"""

from __future__ import annotations

from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chargepoint.runtime.control.admission import Admission

from .answers import refusal

COOKIE = "chargepoint-token"
LONGEST_BODY = 1_000_000
"""Bytes of a request's body; a larger one is refused."""
NO_WEBSOCKET = (
    "this is the control port of a chargepoint (HTTP), not a central system: a charger connects to the URL of the central "
    "system, such as the one that `chargepoint csms` prints"
)
OPEN_PATHS = ("/healthz", "/readyz")
"""What tells nothing of anybody: supervisors ask it without a token."""
SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware: judges Host, Origin, token and size before anything else sees a request."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            await send(message)

        refused = self._refusal(scope, headers)
        if refused is not None:
            await refusal(*refused)(scope, receive, sealed)
            return
        await self._app(scope, _Bounded(receive), sealed)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str, str] | None:
        """Return why a request is not let in: status, kind, reason."""
        if headers.get("upgrade", "").lower() == "websocket":
            return HTTPStatus.BAD_REQUEST, "bad-arguments", NO_WEBSOCKET
        host, origin = headers.get("host", ""), headers.get("origin")
        for name in ("Host", "Origin"):
            if len(headers.getlist(name)) > 1:
                return HTTPStatus.FORBIDDEN, "forbidden", f"there is more than one {name}"
        if not self._admission.admits(host):
            reason = f"this is not {host or '(no Host)'}: ask for the address it listens on"
            return HTTPStatus.FORBIDDEN, "forbidden", reason
        if origin is not None and not _is_same(origin, host):
            return HTTPStatus.FORBIDDEN, "forbidden", f"a page of {origin} may not ask here"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > LONGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "bad-arguments", f"a body has at most {LONGEST_BODY} bytes"
        if self._admission.token and scope["path"] not in OPEN_PATHS and not self._has_token(scope, headers):
            reason = "a token is needed: Authorization: Bearer TOKEN, or open /?token=TOKEN once"
            return HTTPStatus.UNAUTHORIZED, "unauthorized", reason
        return None

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [bearer] if scheme.lower() == "bearer" else []
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is not None:
            given.append(cookie.value)
        if scope["path"] in ("/", "/display"):
            given += parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return any(map(self._admission.is_token, given))


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host


class _Bounded:
    """A body without a Content-Length is counted as it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._count = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self._count > LONGEST_BODY:
            return {"type": "http.disconnect"}
        return message
