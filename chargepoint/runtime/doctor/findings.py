"""What was found at each hop, and what to try. Nothing here opens a socket or reads a clock."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from chargepoint.model import wire
from chargepoint.model.errors import FrameError, PeerError
from chargepoint.model.timebase import utc_seconds
from chargepoint.runtime.address import Address, AddressError
from chargepoint.runtime.dialfailure import DialFailure, FailureKind
from chargepoint.runtime.secrecy import masked_text

CLOCK_TOLERANCE_S = 60.0
"""A central system whose clock is further off than this is told: it stamps transactions and refuses certificates."""
HOUR_S = 3600.0
BODY_SHOWN = 100
"""Characters of an HTTP body that are told."""


class Hop(StrEnum):
    """A stage on the way to the central system, in this order."""

    URL = "URL"
    DNS = "DNS"
    TCP = "TCP"
    TLS = "TLS"
    HTTP = "HTTP"
    SUBPROTOCOL = "subprotocol"
    BOOT = "BootNotification"


class State(StrEnum):
    PASSED = "ok"
    NOTED = "note"
    """It works, and something about it should be changed."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hop: what was tried there, what was found, and where it is not in order what to try."""

    hop: Hop
    state: State
    tried: str
    found: str
    remedy: str = ""


_HOPS = {
    FailureKind.DNS: Hop.DNS,
    FailureKind.REFUSED: Hop.TCP,
    FailureKind.UNREACHABLE: Hop.TCP,
    FailureKind.CERTIFICATE: Hop.TLS,
    FailureKind.CLIENT_CERTIFICATE: Hop.TLS,
    FailureKind.TLS_VERSION: Hop.TLS,
    FailureKind.TLS_CIPHER: Hop.TLS,
    FailureKind.TLS: Hop.TLS,
    FailureKind.HTTP_STATUS: Hop.HTTP,
    FailureKind.REDIRECT: Hop.HTTP,
    FailureKind.SUBPROTOCOL: Hop.SUBPROTOCOL,
}
"""Where a kind of failure belongs; the others belong where they happened."""

_REFUSES_IDENTITY = frozenset({400, 401, 403, 404})


def address_finding(address: Address) -> Finding:
    """Return what is dialled and as whom."""
    tried = address.target()
    found = (
        f"identity {address.identity}, offers {', '.join(address.subprotocols)}, {credentials(address, address.user)}"
    )
    if names_identity_twice(address):
        return Finding(Hop.URL, State.NOTED, tried, found, _twice(address))
    return Finding(Hop.URL, State.PASSED, tried, found)


def credentials(address: Address, user: str | None) -> str:
    """Return who the Authorization header names; the password itself is never told."""
    if user is None or address.password is None:
        return "no Authorization header, for no password is given"
    return f"Authorization: Basic, user {user}, password of {len(address.password)} bytes"


def names_identity_twice(address: Address) -> bool:
    """Whether the identity stands in the URL already and is appended once more."""
    identity = quote(address.identity, safe="")
    return urlsplit(address.target()).path.rstrip("/").endswith(f"/{identity}/{identity}")


def _twice(address: Address) -> str:
    return f"the identity stands twice: leave {address.identity} out of the URL, it is appended"


def failed(during: Hop, tried: str, failure: DialFailure, address: Address, seen: str = "") -> Finding:
    """Return the finding for a dial that failed ``during`` a hop; ``seen`` is what else was seen there."""
    hop = _HOPS.get(failure.kind, during)
    found = f"{failure.text}{'; ' if seen else ''}{seen}"
    finding = Finding(hop, State.FAILED, tried, found, failure.advice)
    if failure.http_status in _REFUSES_IDENTITY and names_identity_twice(address):
        return replace(finding, remedy=_twice(address))
    if failure.kind is FailureKind.REFUSED and is_loopback(urlsplit(address.target()).hostname or ""):
        return replace(finding, remedy=f"{failure.advice}; inside a container this host is the container itself")
    return finding


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unusable(tried: str, error: AddressError) -> Finding:
    """Return the finding for an address that nobody can dial."""
    problem, _, advice = error.problem.partition("; ")
    is_file = error.field in ("ca_file", "client_certificate", "client_key")
    default = f"correct {error.field}" if error.field != "url" else "write ws://host:port/path, or wss:// for TLS"
    return Finding(Hop.TLS if is_file else Hop.URL, State.FAILED, masked_text(tried), problem, advice or default)


def speaks_tls(tried: str, failure: DialFailure) -> Finding:
    """Return the finding for a ``ws`` URL whose port turned out to speak TLS."""
    found = f"{failure.text}; the port speaks TLS"
    return Finding(Hop.TLS, State.FAILED, tried, found, "write wss:// instead of ws://")


def speaks_http(tried: str) -> Finding:
    """Return the finding for a ``wss`` URL whose port turned out to speak plain HTTP."""
    found = "the port speaks plain HTTP, no TLS"
    return Finding(Hop.TLS, State.FAILED, tried, found, "write ws:// instead of wss://, or give the TLS port")


def wants_slash(tried: str, failure: DialFailure, path: str, said: str) -> Finding:
    """Return the finding for a server that serves the path with a slash at its end, and not without."""
    found = f"{failure.text}; with a slash at the end of the path ({path}) the server {said}"
    return Finding(Hop.HTTP, State.FAILED, tried, found, "end the path with a slash: trailing_slash: true")


def other_version(tried: str, offered: str, chosen: str) -> Finding:
    """Return the finding for a server that takes another version of OCPP and not ours."""
    found = f"it does not take {offered}, and takes {chosen}"
    remedy = f"use the endpoint for {offered}, or switch {offered} on at the central system"
    return Finding(Hop.SUBPROTOCOL, State.FAILED, tried, found, remedy)


def body_start(body: bytes) -> str:
    """Return the first words of an HTTP body in one line."""
    text = " ".join(body.decode("utf-8", "replace").split())
    return "".join(each if each.isprintable() else "�" for each in text[:BODY_SHOWN])


# --- BootNotification -------------------------------------------------------------------------------------------------


def boot_finding(text: str, message_id: str, tried: str, identity: str, utc_s: float) -> Finding | None:
    """Return what the answer to our BootNotification says at ``utc_s``; None for a frame that is not that answer."""
    try:
        frame = wire.read_frame(text)
    except (FrameError, PeerError) as error:
        found = f"a frame that cannot be read: {error}"
        return Finding(Hop.BOOT, State.FAILED, tried, found, "check that the path is the one for OCPP 1.6J")
    if frame is None or isinstance(frame, wire.Call) or frame.id != message_id:
        return None
    if isinstance(frame, wire.CallError):
        found = f"CALLERROR {frame.code}: {frame.description}".rstrip(": ")
        return Finding(Hop.BOOT, State.FAILED, tried, found, f"look for {identity} in the log of the central system")
    try:
        result: Any = wire.decode_result("BootNotification", frame.payload)
    except PeerError as error:
        found = f"an answer that breaks OCPP 1.6: {error}; it is {json.dumps(frame.payload)[:BODY_SHOWN]}"
        return Finding(Hop.BOOT, State.FAILED, tried, found, "have the central system mended; this is not a 1.6 answer")
    found = f"{result.status}, interval {result.interval} s, time {result.current_time}"
    if result.status == "Accepted":
        remedy = clock_remedy(utc_seconds(result.current_time) - utc_s)
        return Finding(Hop.BOOT, State.NOTED if remedy else State.PASSED, tried, found, remedy)
    remedy = _REMEDIES.get(str(result.status), "look at the central system").format(identity=identity)
    return Finding(Hop.BOOT, State.FAILED, tried, found, remedy)


_REMEDIES = {
    "Rejected": "register {identity} at the central system, spelt exactly so, and enable it there",
    "Pending": "accept {identity} at the central system: it waits for an operator",
}


def clock_remedy(ahead_s: float) -> str:
    """Return what to do about a central system whose clock is ``ahead_s`` of ours; nothing if it is close enough."""
    if abs(ahead_s) <= CLOCK_TOLERANCE_S:
        return ""
    way = "ahead of" if ahead_s > 0 else "behind"
    hours = round(ahead_s / HOUR_S)
    if abs(ahead_s - hours * HOUR_S) <= CLOCK_TOLERANCE_S:
        return f"its clock is {abs(hours)} h {way} ours: it may send local time as if it were UTC; have it send UTC"
    off = f"its clock is {abs(ahead_s):.0f} s {way} ours"
    return f"{off}: set the one that is wrong (NTP); a charger takes over the central system's time"


def not_answered(tried: str, patience_s: float) -> Finding:
    remedy = "look at its log: it took the connection, and does not serve this message"
    return Finding(Hop.BOOT, State.FAILED, tried, f"no answer within {patience_s:g} s", remedy)


def hung_up(tried: str, closing: str, identity: str) -> Finding:
    remedy = f"register {identity} at the central system, spelt exactly so; its log has the reason"
    return Finding(Hop.BOOT, State.FAILED, tried, f"the central system closed the connection: {closing}", remedy)
