"""Where the verbs are listened for over HTTP, and who may come: this machine alone, or whoever has the token."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORT = 8080
SHORTEST_TOKEN = 16


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Admission:
    """Where we listen, and what opens the door. ``names``: further host names that lead here, such as a proxy's."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for an address beyond loopback without a token."""
        if not is_loopback(self.host) and not self.token:
            raise ValueError(f"{self.host} can be reached by others: give a token_file, or listen on 127.0.0.1")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise ValueError(f"a token has at least {SHORTEST_TOKEN} characters")

    def admits(self, host: str) -> bool:
        """Whether a Host header is one of ours."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names or is_loopback(name):
            return True
        # With a token nothing is left to a guesser of names; an address in digits cannot be rebound.
        return self.token is not None and (name == self.host or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
