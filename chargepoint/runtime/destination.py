"""Where a dial leads: to the configured URL, or to where a redirect sent it, and what may be told there.

Nothing here opens a socket: `Link` and the doctor dial what a `Destination` says, so that both take the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from websockets.exceptions import InvalidStatus, InvalidURI, NegotiationError
from websockets.uri import WebSocketURI, parse_uri

from chargepoint import __version__
from chargepoint.runtime.address import Address
from chargepoint.runtime.dialfailure import (
    DialFailure,
    explain,
    redirect_failure,
    status_failure,
    subprotocol_failure,
)

if TYPE_CHECKING:
    from websockets.http11 import Response

_USER_AGENT = f"chargepoint/{__version__}"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Destination:
    """One URL on the way to the central system of ``address``."""

    address: Address
    url: str
    redirects: int = 0
    """How many redirects led here."""

    @property
    def uri(self) -> WebSocketURI:
        return parse_uri(self.url)

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have.

        The configured name is the name of the configured host, not of one that a redirect leads to.
        """
        configured = self.address.tls.server_name if self._is_same_host else None
        return configured or self.uri.host

    @property
    def user(self) -> str | None:
        """The user name of HTTP Basic that is sent here."""
        return self.address.user if self.is_trusted else None

    @property
    def _is_same_host(self) -> bool:
        return self.redirects == 0 or self.uri.host == parse_uri(self.address.target()).host

    @property
    def is_trusted(self) -> bool:
        """Whether credentials may go here: to the configured origin, or to the same host once TLS proves it.

        A redirect elsewhere is followed without them, as browsers and curl do: over ``ws`` anybody on the way could
        have sent it.
        """
        if self.redirects == 0:
            return True
        here, home = self.uri, parse_uri(self.address.target())
        if here.host != home.host:
            return False
        return (here.secure, here.port) == (home.secure, home.port) or (here.secure and not home.secure)

    def request_headers(self) -> list[tuple[str, str]]:
        """Return the headers that the WebSocket handshake gets from us."""
        headers = list(self.address.headers) if self.is_trusted else []
        authorization = self.address.authorization()
        if authorization is not None and self.is_trusted:
            headers.append(("Authorization", authorization))
        if all(name.lower() != "user-agent" for name, _ in headers):
            headers.append(("User-Agent", _USER_AGENT))
        return headers

    def after(self, error: Exception) -> Destination | DialFailure:
        """Return where a handshake leads that did not end in an open WebSocket, or why it ends the dial."""
        if isinstance(error, InvalidStatus):
            return self._followed(error.response)
        if isinstance(error, NegotiationError) and "subprotocol" in str(error):
            return subprotocol_failure(f"the server chose an {error}", self.address)
        return explain(error)

    def _followed(self, response: Response) -> Destination | DialFailure:
        location = response.headers.get_all("Location")
        if response.status_code not in _REDIRECTS or not location:
            return status_failure(response, self.address, is_trusted=self.is_trusted)
        target = urljoin(self.url, location[0])
        # Proxies know the port as http: RFC 6455 section 3 makes it the same port.
        if urlsplit(target).scheme in ("http", "https"):
            target = "ws" + target[4:]
        try:
            uri = parse_uri(target)
        except (InvalidURI, ValueError):
            return redirect_failure(response, "to something that is no WebSocket URL")
        if uri.user_info is not None:
            return redirect_failure(response, "to a URL with a password in it")
        if self.uri.secure and not uri.secure:
            return redirect_failure(response, f"from TLS to {target}, which has none")
        if self.redirects >= _MOST_REDIRECTS:
            return redirect_failure(response, f"more than {_MOST_REDIRECTS} times, last to {target}")
        return Destination(self.address, target, self.redirects + 1)
