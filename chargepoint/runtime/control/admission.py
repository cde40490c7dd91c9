"""Where commands are taken over HTTP, and from whom: from this machine alone, or from whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from string import Formatter
from urllib.parse import quote, urlsplit

DEFAULT_PORT = 8080
SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""What a cookie can bear, RFC 6265 4.1.1: a browser keeps the token in one."""
LINK_NAMES = ("id", "connector")
LONGEST_LINK = 500
"""A QR code of more is too fine for a camera at a wallbox."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_link(template: str) -> None:
    """Raises ValueError for a template that makes no link, or names anything but {id} and {connector}."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"start_link: {error}") from error
    for _text, name, form, conversion in parts:
        if name is not None and (name not in LINK_NAMES or form or conversion):
            raise ValueError("start_link: in braces stand only {id} and {connector}")
    if not urlsplit(template).scheme or len(template) > LONGEST_LINK:
        raise ValueError(
            f"start_link: not a link such as https://example.com/{{id}} of at most {LONGEST_LINK} characters"
        )


@dataclass(frozen=True, slots=True)
class Admission:
    """Where we listen, and what opens the door. ``names``: further host names that lead here, such as a proxy's."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    names: tuple[str, ...] = ()
    start_link: str | None = None
    """Where a charge is started by app or payment: a link with {id} and {connector}, shown as a QR code on a display."""

    def __post_init__(self) -> None:
        """Raises ValueError for an address beyond loopback without a token."""
        if not is_loopback(self.host) and not self.token:
            raise ValueError(
                f"{self.host} can be reached by others, so a token is needed: CHARGEPOINT_CONTROL_TOKEN in the "
                "environment, --token with --control, or token_file under control: in the configuration file; without one "
                "listen on 127.0.0.1"
            )
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise ValueError(f"a token has at least {SHORTEST_TOKEN} characters")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError(
                "a token is of ASCII letters, digits and signs, without space, quote, comma, semicolon and backslash: "
                "make one by `openssl rand -hex 16`"
            )
        if self.start_link is not None:
            check_link(self.start_link)

    def link_to(self, identity: str, connector: int) -> str | None:
        """Return where a charge at an outlet is started; None: there is no such place."""
        if self.start_link is None:
            return None
        return self.start_link.format(id=quote(identity, safe=""), connector=connector)

    def admits(self, host: str) -> bool:
        """Whether a Host header is one of ours."""
        try:
            parts = urlsplit(f"//{host}")
            _ = parts.port  # raises for what is none
        except ValueError:
            return False
        if parts.netloc != host or "@" in host:
            return False
        name = _plain(parts.hostname or "")
        if name in map(_plain, self.names) or is_loopback(name):
            return True
        # With a token nothing is left to a guesser of names; an address in digits cannot be rebound.
        return self.token is not None and (name == _plain(self.host) or _is_address(name))

    def is_token(self, given: str) -> bool:
        """Whether this is the token; False where there is none."""
        return self.token is not None and hmac.compare_digest(given.strip().encode(), self.token.encode())


def _plain(name: str) -> str:
    """A host name without what makes no difference in DNS: case, and the dot of the root."""
    return name.casefold().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
