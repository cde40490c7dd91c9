"""Which hosts files may be fetched from and sent to, and connections to nobody else.

A central system names the URLs of UpdateFirmware and GetDiagnostics. Whoever controls it must not reach with them what
listens on this machine (the control port, a broker) or what a hypervisor tells on a link-local address. OCPP 1.6 says
nothing of this [D]:

* Without a list every host may be used, also one in the local network, but neither loopback, link-local and multicast
  addresses nor any address of this machine.
* With a list only its hosts may be used. An address or network of that kind has to be named as such; a host name that
  resolves to one does not open it, except ``localhost``.

The rule holds for every redirect. What counts is the address: a name is resolved once, and the connection goes to the
address that was judged. A host that may not be used gets no packet at all.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hw.errors import ChargePointError

ANY = "*"
"""In a list: every host that may be used without one."""
LOCALHOST = "localhost"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_THIS_NETWORK = ip_network("0.0.0.0/8")
_BROADCAST = ip_address("255.255.255.255")


class HostRefused(ChargePointError):
    """A host that files may not be fetched from or sent to."""


@dataclass(frozen=True, slots=True)
class FileHosts:
    """The hosts that may be used; without ``entries`` all but those of this machine and its link."""

    entries: tuple[str, ...] = ()
    """Host names, ``*.`` and a domain, addresses, networks such as ``192.168.1.0/24``, and `ANY`."""

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a TCP connection to the first address of a host that may be used and answers.

        Raises HostRefused when none may be used, OSError when none answers.
        """
        problem: OSError | None = None
        is_refused = True
        for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if not self._is_allowed(host, _parsed(str(address[0]))):
                continue
            is_refused = False
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(timeout_s)
                connected.connect(address)
            except OSError as error:
                connected.close()
                problem = error
            else:
                return connected
        if is_refused:
            raise HostRefused(_refusal(host))
        raise problem or OSError(f"{host} has no address")

    def check(self, host: str) -> None:
        """Judge a host that somebody else, a proxy, connects to. Raises HostRefused.

        A name that cannot be resolved here is judged as a name.
        """
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            if self.entries and not any(entry == ANY or _names(entry, host) for entry in self.entries):
                raise HostRefused(_refusal(host)) from None
            return
        if not all(self._is_allowed(host, _parsed(str(address[0]))) for *_rest, address in found):
            raise HostRefused(_refusal(host))

    def _is_allowed(self, host: str, address: Address) -> bool:
        named = any(_names(entry, host) for entry in self.entries)
        covering = [network for network in self._networks() if _covers(network, address)]
        if is_near(address):
            is_localhost = address.is_loopback and any(_plain(entry) == LOCALHOST and named for entry in self.entries)
            return is_localhost or any(_is_meant(network) for network in covering)
        return not self.entries or ANY in self.entries or named or bool(covering)

    def _networks(self) -> Iterator[Network]:
        for entry in self.entries:
            try:
                yield ip_network(entry.strip("[]"), strict=False)
            except ValueError:
                continue  # a name


ANYWHERE = FileHosts()


def problem_of(entry: str) -> str | None:
    """Return what is wrong with an entry of a list, None if nothing is."""
    if entry == ANY:
        return None
    try:
        ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*.")
        is_name = name and all(letter.isalnum() or letter in "-_." for letter in name) and not name.startswith(".")
        if "/" in entry or not is_name or name.replace(".", "").isdigit():
            return "a host name, *.DOMAIN, an address, a network such as 192.168.1.0/24, or *"
    return None


def is_near(address: Address) -> bool:
    """Return whether an address is this machine, its link, or no single host: loopback, link-local, multicast …"""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _BROADCAST
        or (address.version == 4 and address in _THIS_NETWORK)
        or _is_own(address)
    )


def _is_own(address: Address) -> bool:
    """Return whether an interface of this machine has an address: only such a one can be bound. Nothing is sent."""
    # Where any address can be bound (ip_nonlocal_bind of Linux), binding tells nothing.
    return _can_bind(address) and not _can_bind(_DOCUMENTATION[address.version])


def _can_bind(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


_DOCUMENTATION: dict[int, Address] = {4: ip_address("198.51.100.254"), 6: ip_address("2001:db8:ffff::fffe")}
"""Addresses that no machine has (RFC 5737, RFC 3849)."""


def _is_meant(network: Network) -> bool:
    """Return whether an entry names addresses of this machine or its link on purpose, and not among all others."""
    return network.is_loopback or network.is_link_local or network.num_addresses == 1


def _parsed(text: str) -> Address:
    """Return an address, that of IPv4 for one that IPv6 embeds (RFC 4291, 2.5.5; RFC 6052; RFC 3056)."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


_NAT64 = ip_network("64:ff9b::/96")


def _covers(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _names(entry: str, host: str) -> bool:
    entry, host = _plain(entry), _plain(host)
    return host.endswith(entry[1:]) if entry.startswith("*.") else host == entry


def _plain(name: str) -> str:
    """Return a host name without what makes no difference in DNS: case, and the dot of the root."""
    return name.casefold().removesuffix(".")


def _refusal(host: str) -> str:
    return f"{host} is no host that files may be fetched from or sent to: name it in files: {{hosts: […]}} if it is meant"
