"""The walk to a central system: one socket, taken from hop to hop, and a second look where the first leaves a doubt."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies_environment

from ocpp.v16 import call

from chargepoint.model import wire
from chargepoint.runtime.address import Address, AddressError
from chargepoint.runtime.clock import wall_utc_s
from chargepoint.runtime.destination import Destination
from chargepoint.runtime.dialfailure import DialFailure, FailureKind, explain

from . import findings
from .findings import Finding, Hop, State
from .looks import described, refusal, shown_at, speaks_http, speaks_tls
from .talk import NotOpened, Talk

T = TypeVar("T")

OTHER_VERSIONS = ("ocpp2.1", "ocpp2.0.1", "ocpp2.0", "ocpp1.5", "ocpp1.2")
"""Offered once to a server that takes none of ours, to learn what it speaks."""

_ASKS_FOR_CREDENTIALS = frozenset({401, 403})
_MAY_WANT_TLS = frozenset({FailureKind.LOST, FailureKind.PROTOCOL})
_MAY_WANT_A_SLASH = frozenset({404, 500})
"""What servers answer to a path that lacks its trailing slash, unless they redirect."""
_MAY_WANT_ANOTHER_VERSION = frozenset({400, 406, 426, 500, 501})
"""What servers answer when no subprotocol suits them."""


class _Failed(Exception):
    """The walk ends at this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


async def examine(
    address: Address,
    boot: call.BootNotification | None,
    tell: Callable[[Finding], object] = lambda finding: None,
    patience_s: float = 10.0,
) -> tuple[Finding, ...]:
    """Walk to the central system and return what was found at each hop; ``tell`` hears each at once.

    Only the last finding can be a failure. Without ``boot`` the walk ends at the open WebSocket, else that message is
    sent, its answer awaited, and the WebSocket closed in order. ``patience_s`` is for each wait.
    """
    walk = _Walk(address, tell, patience_s)
    try:
        walk.note(findings.address_finding(address))
        talk = await walk.to_open_websocket()
        try:
            if boot is not None:
                await walk.register(talk, boot)
        finally:
            await talk.close()
    except _Failed as end:
        walk.note(end.finding)
    return tuple(walk.findings)


class _Walk:
    def __init__(self, address: Address, tell: Callable[[Finding], object], patience_s: float) -> None:
        self.findings: list[Finding] = []
        self._address = address
        self._tell = tell
        self._patience_s = patience_s

    def note(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._tell(finding)

    def _passed(self, hop: Hop, tried: str, found: str, remedy: str = "") -> None:
        self.note(Finding(hop, State.NOTED if remedy else State.PASSED, tried, found, remedy))

    async def _patiently(self, awaitable: Awaitable[T]) -> T:
        """Raises TimeoutError, and what is raised by what is awaited."""
        async with asyncio.timeout(self._patience_s):
            return await awaitable

    def _failure(self, hop: Hop, tried: str, error: DialFailure | BaseException, seen: str = "") -> _Failed:
        failure = error if isinstance(error, DialFailure) else explain(error)
        return _Failed(findings.failed(hop, tried, failure, self._address, seen))

    # --- the way ------------------------------------------------------------------------------------------------------

    async def to_open_websocket(self) -> Talk:
        destination = Destination(self._address, self._address.target())
        while True:
            peers = await self._resolve(destination)
            sock, peer = await self._reach(destination, peers)
            talk = await self._secure(destination, sock, peer)
            try:
                redirect = await self._open(talk, peer)
            except BaseException:
                await talk.close()
                raise
            if redirect is None:
                return talk
            await talk.close()
            destination = redirect

    async def _resolve(self, destination: Destination) -> list[tuple[Any, ...]]:
        uri = destination.uri
        tried = f"addresses of {uri.host}"
        resolving = asyncio.get_running_loop().getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
        try:
            found = await self._patiently(resolving)
        except TimeoutError as error:
            silent = DialFailure(FailureKind.DNS, "the DNS does not answer", "check its spelling and the DNS")
            raise self._failure(Hop.DNS, tried, silent, _proxy_hint()) from error
        except (OSError, UnicodeError) as error:
            raise self._failure(Hop.DNS, tried, error, _proxy_hint()) from error
        self._passed(Hop.DNS, tried, ", ".join(str(each[4][0]) for each in found))
        return found

    async def _reach(
        self, destination: Destination, found: list[tuple[Any, ...]]
    ) -> tuple[socket.socket, tuple[Any, ...]]:
        """Connect to one address after the other, as the link does."""
        port = destination.uri.port
        tried = f"port {port} of {', '.join(str(each[4][0]) for each in found)}"
        refusals = []
        for family, kind, protocol, _name, peer in found:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                await self._patiently(asyncio.get_running_loop().sock_connect(sock, peer))
            except OSError as error:
                sock.close()
                last = error
                refusals.append(f"{peer[0]}: {explain(error).text}")
            except BaseException:
                sock.close()
                raise
            else:
                self._passed(Hop.TCP, tried, "; ".join([*refusals, f"connected to {peer[0]}"]))
                return sock, peer
        seen = [*(refusals if len(refusals) > 1 else []), *filter(None, [_proxy_hint()])]
        raise self._failure(Hop.TCP, tried, last, "; ".join(seen))

    async def _secure(self, destination: Destination, sock: socket.socket, peer: tuple[Any, ...]) -> Talk:
        """Put TLS on the socket if the URL wants it."""
        if not destination.uri.secure:
            return Talk(destination, *await asyncio.open_connection(sock=sock))
        name = destination.server_name
        tls = destination.address.tls
        ours = tls.client_certificate or "none"
        tried = f"TLS 1.2 or newer for {name}, roots {tls.ca_file or 'of the system'}, our certificate {ours}"
        try:
            opening = asyncio.open_connection(sock=sock, ssl=tls.context(), server_hostname=name)
            reader, writer = await self._patiently(opening)
        except (OSError, AddressError) as error:
            sock.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise self._failure(Hop.TLS, tried, error, await self._shown(peer, name)) from error
            if not isinstance(error, AddressError) and await self._holds(speaks_http(peer)):
                raise _Failed(findings.speaks_http(tried)) from error
            raise self._failure(Hop.TLS, tried, error) from error
        shaken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate = described(shaken.getpeercert() or {})
        cipher = shaken.cipher()
        self._passed(Hop.TLS, tried, f"{shaken.version()}, {cipher[0] if cipher else 'no cipher'}; {certificate}")
        return Talk(destination, reader, writer)

    async def _holds(self, question: Awaitable[bool]) -> bool:
        try:
            return await self._patiently(question)
        except OSError:
            return False

    async def _shown(self, peer: tuple[Any, ...], name: str) -> str:
        try:
            certificate = await self._patiently(shown_at(peer, name))
        except TimeoutError:
            certificate = None
        return "" if certificate is None else str(certificate)

    async def _open(self, talk: Talk, peer: tuple[Any, ...]) -> Destination | None:
        """Make the WebSocket handshake; return where a redirect leads, None when it is open."""
        destination = talk.destination
        who = findings.credentials(self._address, destination.user)
        offered = ", ".join(self._address.subprotocols)
        tried = f"GET {destination.uri.resource_name}, subprotocol {offered}, {who}"
        try:
            said = await self._patiently(talk.open())
        except NotOpened as answer:
            if isinstance(answer.outcome, Destination):
                found = f"a redirect to {answer.outcome.url}"
                self._passed(Hop.HTTP, tried, found, "it is followed; configure that URL")
                return answer.outcome
            doubt = await self._second_look(destination, peer, tried, answer.outcome)
            if doubt is not None:
                raise _Failed(doubt) from answer
            is_lost = answer.outcome.kind is FailureKind.LOST
            word = await self._refusal(destination, peer) if is_lost else None
            raise self._failure(Hop.HTTP, tried, word or answer.outcome, answer.seen) from answer
        except TimeoutError as error:
            silent = DialFailure(
                FailureKind.TIMEOUT,
                f"no answer to the WebSocket handshake within {self._patience_s:g} s",
                "check that the port is that of the OCPP endpoint, and that the central system is not stuck",
            )
            raise self._failure(Hop.HTTP, tried, silent) from error
        except OSError as error:
            raise self._failure(Hop.HTTP, tried, await self._refusal(destination, peer) or error) from error
        self._passed(Hop.HTTP, tried, said)
        await self._check_subprotocol(talk, peer, offered)
        return None

    async def _check_subprotocol(self, talk: Talk, peer: tuple[Any, ...], offered: str) -> None:
        if talk.subprotocol is not None:
            self._passed(Hop.SUBPROTOCOL, f"offered {offered}", f"the server chose {talk.subprotocol}")
        elif self._address.require_subprotocol:
            failure = talk.unnamed()
            doubt = await self._second_look(talk.destination, peer, f"offered {offered}", failure)
            if doubt is not None:
                raise _Failed(doubt)
            raise self._failure(Hop.SUBPROTOCOL, f"offered {offered}", failure)
        else:
            self._passed(Hop.SUBPROTOCOL, f"offered {offered}", "the server chose none, and that is tolerated")

    async def register(self, talk: Talk, boot: call.BootNotification) -> None:
        """Send BootNotification and judge the answer."""
        identity = self._address.identity
        tried = f"BootNotification, {boot.charge_point_vendor} {boot.charge_point_model}"
        message_id = secrets.token_hex(16)
        try:
            await talk.send(wire.call_frame(message_id, "BootNotification", wire.encode_payload(boot)))
            async with asyncio.timeout(self._patience_s):
                while (text := await talk.receive()) is not None:
                    finding = findings.boot_finding(text, message_id, tried, identity, wall_utc_s())
                    if finding is not None:
                        self.note(finding)
                        return
        except TimeoutError:
            raise _Failed(findings.not_answered(tried, self._patience_s)) from None
        except OSError as error:
            raise _Failed(findings.hung_up(tried, str(error), identity)) from error
        raise _Failed(findings.hung_up(tried, talk.closing, identity))

    # --- a second look ------------------------------------------------------------------------------------------------

    async def _refusal(self, destination: Destination, peer: tuple[Any, ...]) -> DialFailure | None:
        """Return why a TLS server hangs up on us before it is asked anything; None if it does not, or has no TLS."""
        if not destination.uri.secure:
            return None
        try:
            context = destination.address.tls.context()
            return await self._patiently(refusal(peer, destination.server_name, context))
        except (OSError, AddressError):
            return None

    async def _second_look(
        self, destination: Destination, peer: tuple[Any, ...], tried: str, failure: DialFailure
    ) -> Finding | None:
        """Dial once more where a failure has a likely cause that one more handshake can prove."""
        may_want_tls = not destination.uri.secure and (failure.kind in _MAY_WANT_TLS or failure.http_status == 400)
        may_want_another_version = (
            failure.kind is FailureKind.SUBPROTOCOL or failure.http_status in _MAY_WANT_ANOTHER_VERSION
        )
        try:
            if may_want_tls and await self._patiently(speaks_tls(peer, destination.server_name)):
                return findings.speaks_tls(tried, failure)
            if failure.http_status in _MAY_WANT_A_SLASH:
                with_slash = _with_slash(destination)
                if with_slash is not None and (said := await self._patiently(_answer_at(with_slash, peer))):
                    return findings.wants_slash(tried, failure, with_slash.uri.resource_name, said)
            if may_want_another_version and (chosen := await self._patiently(_version_spoken(destination, peer))):
                offered = ", ".join(self._address.subprotocols)
                return findings.other_version(f"{tried}; then {', '.join(OTHER_VERSIONS)}", offered, chosen)
        except (OSError, AddressError):
            return None
        return None


def _with_slash(destination: Destination) -> Destination | None:
    """Return the same destination with a slash at the end of its path, None where there is one."""
    parts = urlsplit(destination.url)
    if parts.path.endswith("/"):
        return None
    return replace(destination, url=urlunsplit(parts._replace(path=f"{parts.path}/")))


async def _answer_at(destination: Destination, peer: tuple[Any, ...]) -> str | None:
    """Return how the server takes a handshake there: as an open WebSocket, or by asking for credentials; None for all else.

    Raises OSError.
    """
    talk = await _dialled(destination, peer, ())
    try:
        await talk.open()
        return "opens the WebSocket"
    except NotOpened as answer:
        status = answer.outcome.http_status if isinstance(answer.outcome, DialFailure) else None
        return f"answers HTTP {status}" if status in _ASKS_FOR_CREDENTIALS else None
    finally:
        await talk.close()


async def _dialled(destination: Destination, peer: tuple[Any, ...], subprotocols: Sequence[str]) -> Talk:
    """Return one more socket to a peer that was reached before. Raises OSError."""
    secure: dict[str, Any] = {}
    if destination.uri.secure:
        secure = {"ssl": destination.address.tls.context(), "server_hostname": destination.server_name}
    return Talk(destination, *await asyncio.open_connection(peer[0], peer[1], **secure), subprotocols)


async def _version_spoken(destination: Destination, peer: tuple[Any, ...]) -> str | None:
    """Return which of the other versions of OCPP the server takes, None for none of them. Raises OSError."""
    talk = await _dialled(destination, peer, OTHER_VERSIONS)
    try:
        await talk.open()
        return talk.subprotocol
    except NotOpened:
        return None
    finally:
        await talk.close()


def _proxy_hint() -> str:
    """What to know where a network lets nobody out but by its proxy."""
    named = sorted(name for name in getproxies_environment() if name in ("http", "https", "all"))
    if not named:
        return ""
    return f"{', '.join(f'{name}_proxy' for name in named)} is set, and a charge point dials without a proxy"
