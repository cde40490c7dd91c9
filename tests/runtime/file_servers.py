"""The other ends: HTTP from the standard library, FTP from aioftp, SFTP from asyncssh, FTPS from its RFC.

aioftp knows TLS from the first byte only; explicit FTPS (RFC 4217) over FTP (RFC 959) is written here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aioftp
import asyncssh
import pytest

from chargepoint.runtime.file_hosts import FileHosts
from chargepoint.runtime.porter import FileTrust, Limits
from chargepoint.runtime.transfer import TransferFailed, download

LOCAL = FileTrust(hosts=FileHosts(("127.0.0.1",)))
"""All servers here are on this machine, which has to be said."""
LIMITS = Limits(timeout_s=5.0, limit_s=10.0, largest_bytes=1_000_000)
IMAGE = bytes(range(256)) * 1000
USER = "box:s3%3Acret%40x@"
"""Who is let in by FTP, FTPS and SFTP, as it stands in a URL."""


def refusal(url: str, target: Path, limits: Limits = LIMITS, trust: FileTrust = LOCAL) -> TransferFailed:
    """Return why a download failed; nothing is left of it."""
    with pytest.raises(TransferFailed) as caught:
        download(url, target, limits, trust)
    assert list(target.parent.iterdir()) == []
    assert "s3:cret" not in str(caught.value)
    return caught.value


@dataclass
class Web:
    """A server that gives and takes what a test says."""

    port: int = 0
    scheme: str = "http"
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    """Answers instead of 200, by path."""
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Authorization header of every request."""
    taken: dict[str, bytes] = field(default_factory=dict)
    shortened_by: int = 0
    """Bytes that are promised and do not come."""
    gate: threading.Event | None = None
    """What a body waits for, after its first byte."""
    is_asked: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, userinfo: str = "") -> str:
        return f"{self.scheme}://{userinfo}127.0.0.1:{self.port}{path}"


@contextmanager
def web(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    site = Web(scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def _asked(self) -> bool:
            site.asked.append((self.command, self.path, self.headers.get("Authorization")))
            site.is_asked.set()
            status = site.status.get(self.path, 200)
            if self.path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[self.path])
            elif status != 200:
                self.send_response(status)
            else:
                return True
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def do_GET(self) -> None:
            if not self._asked():
                return
            body = site.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + site.shortened_by))
            self.end_headers()
            try:
                self.wfile.write(body[:1])
                self.wfile.flush()
                if site.gate is not None:
                    site.gate.wait(10)
                self.wfile.write(body[1:])
            except OSError:
                pass  # whoever asked does not want it any more

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self._asked():
                site.taken[self.path] = body
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

        do_POST = do_PUT

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def loop_in_a_thread() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yields what runs a coroutine in that loop and returns its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30.0)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def ftp(directory: Path) -> Iterator[int]:
    """Serve a directory to user ``box`` with password ``s3:cret@x``; yields the port."""
    box = aioftp.User("box", "s3:cret@x", base_path=directory)
    server = aioftp.Server([box])
    with loop_in_a_thread() as run:
        try:
            run(server.start("127.0.0.1", 0))
            yield server.address[1]
        finally:
            run(server.close())


# --- FTPS -------------------------------------------------------------------------------------------------------------


@dataclass
class SecureFtp:
    """A server for user ``box`` with password ``s3:cret@x`` that lets nothing pass without TLS."""

    port: int = 0
    is_rude: bool = False
    """Ends data connections without the end of TLS, as many do."""
    files: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    """Commands, in order."""
    resumed: list[bool] = field(default_factory=list)
    """Of each data connection: whether it took up the TLS session of the control connection."""


@contextmanager
def secure_ftp(tls: ssl.SSLContext) -> Iterator[SecureFtp]:
    site = SecureFtp()

    def serve() -> None:
        while True:
            try:
                control, _address = listener.accept()
            except OSError:
                return  # closed: the test is over
            control.settimeout(30.0)
            with suppress(OSError):  # whoever does not trust us hangs up in the handshake
                _FtpSession(site, tls, control).run()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        site.port = listener.getsockname()[1]
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield site
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            thread.join()


class _FtpSession:
    """One control connection (RFC 959 chapter 4; RFC 4217 chapters 4 and 9)."""

    def __init__(self, site: SecureFtp, tls: ssl.SSLContext, control: socket.socket) -> None:
        self._site = site
        self._tls = tls
        self._control = control
        self._is_private = self._is_known = False
        self._passive: socket.socket | None = None

    def run(self) -> None:
        try:
            self._say("220 hello")
            while line := self._line():
                self._site.heard.append(line)
                verb, _, rest = line.partition(" ")
                if verb == "QUIT":
                    self._say("221 bye")
                    return
                self._obey(verb, rest)
        finally:
            self._control.close()
            if self._passive is not None:
                self._passive.close()

    def _say(self, text: str) -> None:
        self._control.sendall(f"{text}\r\n".encode())

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            octet = self._control.recv(1)
            if not octet:
                return ""
            line += octet
        return line.decode().strip()

    def _obey(self, verb: str, rest: str) -> None:
        if verb == "AUTH" and rest == "TLS":
            self._say("234 go on")
            self._control = self._tls.wrap_socket(self._control, server_side=True)
        elif not isinstance(self._control, ssl.SSLSocket):
            self._say("534 not without AUTH TLS")
        elif verb == "USER":
            self._say("331 password?")
        elif verb == "PASS":
            self._is_known = rest == "s3:cret@x"
            self._say("230 welcome" if self._is_known else f"530 {rest} is wrong")
        elif verb == "PBSZ":
            self._say("200 PBSZ=0")
        elif verb == "PROT":
            self._is_private = rest == "P"
            self._say("200 ok")
        elif not self._is_known:
            self._say("530 who are you?")
        elif verb == "TYPE":
            self._say("200 ok")
        elif verb == "SIZE":
            self._say(f"213 {len(self._site.files[rest])}" if rest in self._site.files else "550 no such file")
        elif verb == "PASV":
            self._passive = socket.create_server(("127.0.0.1", 0))
            self._passive.settimeout(30.0)
            high, low = divmod(self._passive.getsockname()[1], 256)
            self._say(f"227 here (127,0,0,1,{high},{low})")
        elif verb == "RETR" and rest not in self._site.files:
            self._say("550 no such file")
        elif verb in ("RETR", "STOR") and self._is_private:
            self._transfer(verb, rest)
        else:
            self._say("522 not without PROT P" if verb in ("RETR", "STOR") else "502 what?")

    def _transfer(self, verb: str, name: str) -> None:
        assert self._passive is not None
        self._say("150 go")
        data, _address = self._passive.accept()
        with self._tls.wrap_socket(data, server_side=True) as private:
            self._site.resumed.append(private.session_reused is True)
            if verb == "RETR":
                private.sendall(self._site.files[name])
            else:
                received = b""
                while block := private.recv(65536):
                    received += block
                self._site.files[name] = received
            if not self._site.is_rude:
                private.unwrap()
        self._passive.close()
        self._say("226 done")


# --- SFTP -------------------------------------------------------------------------------------------------------------


@dataclass
class Ssh:
    """A server for user ``box``, who has password ``s3:cret@x`` and the key of ``client_key``."""

    port: int
    host_key: asyncssh.SSHKey
    client_key: asyncssh.SSHKey
    gate: threading.Event
    """What every block that is read waits for, after the first."""
    is_asked: threading.Event

    def known_hosts(self, key: asyncssh.SSHKey | None = None) -> bytes:
        """The line for a file of known hosts, with another ``key`` than the server's if one is given."""
        return f"[127.0.0.1]:{self.port} ".encode() + (key or self.host_key).export_public_key()


@contextmanager
def sftp(directory: Path) -> Iterator[Ssh]:
    """Serve a directory."""
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    site = Ssh(0, host_key, client_key, threading.Event(), threading.Event())
    site.gate.set()

    class Doorman(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("box", "s3:cret@x")

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "box" and key.public_data == client_key.public_data

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=bytes(directory))

        async def read(self, file_obj: object, offset: int, size: int) -> bytes:
            site.is_asked.set()
            if offset:
                await asyncio.to_thread(site.gate.wait, 30.0)
            data = super().read(file_obj, offset, size)
            assert isinstance(data, bytes)
            return data

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            if path.startswith(b"/locked/"):
                raise asyncssh.SFTPPermissionDenied("not there")
            return super().open(path, pflags, attrs)

        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            if getattr(file_obj, "name", b"").endswith(b"/full.tar.gz"):
                raise asyncssh.SFTPFailure("No space left on device")
            written = super().write(file_obj, offset, data)
            assert isinstance(written, int)
            return written

    with loop_in_a_thread() as run:

        async def listen() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen(
                "127.0.0.1", 0, server_host_keys=[host_key], server_factory=Doorman, sftp_factory=Files, config=None
            )

        server = run(listen())
        site.port = server.get_port()
        try:
            yield site
        finally:
            site.gate.set()
            server.close()
            run(server.wait_closed())
