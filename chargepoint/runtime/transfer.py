"""Files over HTTP, HTTPS, FTP and FTPS, with the standard library; these functions block and live in threads.

Everything that can go wrong is a `TransferFailed` whose text says what and never holds a password. A file that did not
come whole is removed. SFTP needs a library, and has a module of its own that is imported for the first ``sftp://`` URL.
"""

from __future__ import annotations

import base64
import errno
import ftplib
import http.client
import io
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hw.errors import ChargePointError

from .address import AddressError, Tls
from .file_hosts import FileHosts, HostRefused
from .porter import DEFAULT_TRUST, NO_SFTP, FileTrust, Limits

if TYPE_CHECKING:
    from _typeshed import SupportsRead

BLOCK = 64 * 1024
SCHEMES = ("http", "https", "ftp", "ftps", "sftp")
NEVER_AGAIN = (400, 401, 403, 405, 410, 413)
"""HTTP answers that will be the same next time. 404 is none of them: a file may be put there meanwhile."""


class TransferFailed(ChargePointError):
    """A file did not arrive. ``is_final``: another attempt can only end the same way, until a person does something."""

    is_impossible = False

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class TransferImpossible(TransferFailed):
    """Nothing was asked of any host: the location or this installation does not allow an attempt at all."""

    is_impossible = True

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_final=True)


class Where:
    """A URL in parts; its text has neither user nor password nor query, so that it may be shown."""

    def __init__(self, url: str) -> None:
        """Raises TransferFailed for what is no URL of ours."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as error:
            raise TransferImpossible("the location is no URL: look at host and port") from error
        self.scheme = parts.scheme.lower()
        if self.scheme not in SCHEMES:
            problem = f"unsupported scheme {self.scheme or '(none)'}: use {', '.join(SCHEMES)}"
            raise TransferImpossible(problem)
        if not parts.hostname:
            raise TransferImpossible("the location names no host")
        self.host = parts.hostname
        self.port = port
        self.path = parts.path
        self.query = parts.query
        self.user = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password or "")
        if any(ord(letter) < 32 for letter in f"{self.host}{unquote(self.path)}{self.user}{self.password}"):
            # They would end a line of the protocol and begin one that nobody meant.
            raise TransferImpossible("the location holds control characters")

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def url(self) -> str:
        """The URL to ask for, without user and password."""
        return urlunsplit((self.scheme, self.netloc, quote(self.path or "/", safe="/%:@!$&'()*+,;=~"), self.query, ""))

    def without_password(self, text: str) -> str:
        """Return what a server said, in case it says again what it was told."""
        return text.replace(self.password, "…") if len(self.password) >= 4 else text

    def below(self, name: str) -> Where:
        """Return a file in this directory."""
        path = f"{self.path.rstrip('/')}/{quote(name)}"
        below = Where.__new__(Where)
        below.__dict__.update(self.__dict__, path=path)
        return below


class Watch:
    """Counts what passes and ends what is too large, too slow or not wanted any more."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._until_s = time.monotonic() + limits.limit_s
        self.count = 0

    def pass_on(self, block: bytes) -> bytes:
        self.count += len(block)
        if self._limits.is_unwanted():
            raise TransferFailed("cancelled", is_final=True)
        if self.count > self._limits.largest_bytes:
            self.refuse_size()
        if time.monotonic() > self._until_s:
            raise TransferFailed(f"not complete after {self._limits.limit_s:g} s")
        return block

    def expect(self, length: int | None) -> None:
        """The peer says how much is to come."""
        if length is not None and length > self._limits.largest_bytes:
            self.refuse_size()

    def refuse_size(self) -> None:
        raise TransferFailed(f"larger than {self._limits.largest_bytes} bytes", is_final=True)

    def check(self, length: int | None) -> None:
        """Everything has come. Raises when it is less than was said, or nothing."""
        if length is not None and self.count != length:
            raise TransferFailed(f"{self.count} of {length} bytes came")
        if not self.count:
            raise TransferFailed("the file is empty")


class _Watched(io.RawIOBase):
    """A file to be sent, under a watch."""

    def __init__(self, file: IO[bytes], watch: Watch) -> None:
        self._file = file
        self._watch = watch

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._watch.pass_on(self._file.read(BLOCK if size < 0 else min(size, BLOCK)))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows, but not from a protected connection to one that is none."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            fp.close()
            raise TransferFailed("redirected from https to something unprotected", is_final=True)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, target: Path, limits: Limits, trust: FileTrust = DEFAULT_TRUST) -> None:
    """Fetch a file into ``target``, which appears when it is whole and on the disk. Raises TransferFailed."""
    where = Where(url)
    part = target.with_name(f"{target.name}.part")
    watch = Watch(limits)
    try:
        with _failures(where), part.open("wb") as file:

            def write(block: bytes) -> None:
                file.write(watch.pass_on(block))

            fetch = _http_fetch if where.scheme.startswith("http") else _ftp_fetch
            if where.scheme == "sftp":
                fetch = _sftp_fetch
            watch.check(fetch(where, write, watch, limits, trust))
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)
            _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Put the names in a directory on the disk: what is stored about a file must not outlive the file."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def upload(
    source: Path, url: str, name: str, limits: Limits, http_method: str = "PUT", trust: FileTrust = DEFAULT_TRUST
) -> None:
    """Send a file as ``name`` into the directory ``url``. Raises TransferFailed."""
    directory = Where(url)
    with _failures(directory), source.open("rb") as file:
        watched = _Watched(file, Watch(limits))
        if directory.scheme.startswith("http"):
            headers = {"Content-Type": "application/gzip", "Content-Length": str(source.stat().st_size)}
            request = _request(directory.below(name), http_method, watched, headers)
            with _opener(trust).open(request, timeout=limits.timeout_s):
                pass
        elif directory.scheme == "sftp":
            _sftp_send(directory.below(name), watched.read, limits, trust)
        else:
            with _ftp(directory, limits, trust) as ftp:
                path = unquote(directory.path).strip("/")
                ftp.storbinary(f"STOR {path}/{name}" if path else f"STOR {name}", watched, BLOCK)


def _tls(trust: FileTrust) -> ssl.SSLContext:
    """Return how HTTPS and FTPS servers are trusted. Raises TransferFailed when the CA file cannot be used."""
    try:
        return Tls(ca_file=trust.ca_file).context()
    except AddressError as error:
        raise TransferFailed(str(error), is_final=True) from None


# --- HTTP -------------------------------------------------------------------------------------------------------------


class _Http(urllib.request.HTTPHandler):
    """Opens connections to hosts that may be used; `urllib` sends every redirect through here too."""

    def __init__(self, trust: FileTrust) -> None:
        super().__init__()
        self._hosts = trust.hosts

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connections(http.client.HTTPConnection, self._hosts, req), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, trust: FileTrust) -> None:
        self._tls = _tls(trust)
        super().__init__(context=self._tls)
        self._hosts = trust.hosts

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connections(http.client.HTTPSConnection, self._hosts, req), req, context=self._tls)


def _connections(kind: Any, hosts: FileHosts, request: urllib.request.Request) -> Any:
    """Return what makes the connection for a request. One over a proxy of the environment goes to the proxy."""
    target = urlsplit(request.full_url)
    is_proxied = request.host.lower() != target.netloc.rpartition("@")[2].lower()
    if is_proxied:
        hosts.check(target.hostname or "")

    def make(host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        if not is_proxied:
            # What `HTTPConnection.connect` opens its socket with; HTTPS wraps what it returns.
            connection._create_connection = lambda at, timeout_s, _source: hosts.connect(at[0], at[1], timeout_s)
        return connection

    return make


def _opener(trust: FileTrust) -> urllib.request.OpenerDirector:
    """Only HTTP and HTTPS: the ordinary opener would follow a redirect to FTP, and open files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Http(trust),
        _Https(trust),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _request(where: Where, method: str, data: Any = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(where.url, data=data, headers=headers or {}, method=method)
    if where.user is not None:
        # Not with what a redirect leads to: that may be somebody else's server.
        token = base64.b64encode(f"{where.user}:{where.password}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _http_fetch(
    where: Where, write: Callable[[bytes], None], watch: Watch, limits: Limits, trust: FileTrust
) -> int | None:
    with _opener(trust).open(_request(where, "GET"), timeout=limits.timeout_s) as response:
        told = response.headers.get("Content-Length", "")
        length = int(told) if told.isdigit() else None
        watch.expect(length)
        while block := response.read1(BLOCK):  # not read(): a peer that trickles would keep it past every limit
            write(block)
    return length


# --- FTP --------------------------------------------------------------------------------------------------------------


def _connect(ftp: ftplib.FTP, where: Where, limits: Limits, trust: FileTrust) -> None:
    """Open the control connection as `ftplib.FTP.connect` does, to a host that may be used.

    Data connections go to the same address: what PASV names is not believed (`trust_server_pasv_ipv4_address`).
    """
    ftp.host = where.host
    ftp.sock = trust.hosts.connect(where.host, where.port or ftplib.FTP_PORT, limits.timeout_s)
    ftp.af = ftp.sock.family
    ftp.file = ftp.sock.makefile("r", encoding=ftp.encoding)
    ftp.welcome = ftp.getresp()


class _FtpTls(ftplib.FTP_TLS):
    """FTPS as servers are: many insist on the TLS session of the control connection, many hang up without an end of TLS.

    Whether everything came shows in the size of the file and in the server's last answer.
    """

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[ssl.SSLSocket, int | None]:
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            return self.context.wrap_socket(data, server_hostname=self.host, session=self.sock.session), size
        except BaseException:
            data.close()
            raise

    def retrbinary(
        self, cmd: str, callback: Callable[[bytes], object], blocksize: int = BLOCK, rest: int | str | None = None
    ) -> str:
        self.voidcmd("TYPE I")
        with self.transfercmd(cmd, rest) as data:
            while block := data.recv(blocksize):
                callback(block)
            _end_tls(data)
        return self.voidresp()

    def storbinary(
        self,
        cmd: str,
        fp: SupportsRead[bytes],
        blocksize: int = BLOCK,
        callback: Callable[[bytes], object] | None = None,
        rest: int | str | None = None,
    ) -> str:
        self.voidcmd("TYPE I")
        with self.transfercmd(cmd, rest) as data:
            while block := fp.read(blocksize):
                data.sendall(block)
            _end_tls(data)
        return self.voidresp()


def _end_tls(data: socket.socket) -> None:
    if isinstance(data, ssl.SSLSocket):
        with suppress(OSError):
            data.unwrap()


@contextmanager
def _ftp(where: Where, limits: Limits, trust: FileTrust) -> Iterator[ftplib.FTP]:
    """Log in, passive; FTPS is explicit, with the data connection protected too (RFC 4217)."""
    if where.scheme == "ftps":
        ftp: ftplib.FTP = _FtpTls(timeout=limits.timeout_s, context=_tls(trust))
    else:
        ftp = ftplib.FTP(timeout=limits.timeout_s)
    try:
        _connect(ftp, where, limits, trust)
        ftp.login(where.user or "", where.password)
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
        yield ftp
        with suppress(*ftplib.all_errors):  # the file is there, however the server says good-bye
            ftp.quit()
    finally:
        ftp.close()


def _ftp_fetch(
    where: Where, write: Callable[[bytes], None], watch: Watch, limits: Limits, trust: FileTrust
) -> int | None:
    with _ftp(where, limits, trust) as ftp:
        path = unquote(where.path).lstrip("/")
        ftp.voidcmd("TYPE I")
        try:
            length = ftp.size(path)
        except ftplib.error_perm:
            length = None  # not every server tells; a file that is not there shows with RETR
        watch.expect(length)
        ftp.retrbinary(f"RETR {path}", write, BLOCK)
    return length


# --- SFTP -------------------------------------------------------------------------------------------------------------


def _sftp_fetch(
    where: Where, write: Callable[[bytes], None], watch: Watch, limits: Limits, trust: FileTrust
) -> int | None:
    with _sftp_installed():
        from .sftp import fetch
    return fetch(where, write, watch, limits, trust)


def _sftp_send(where: Where, read: Callable[[int], bytes], limits: Limits, trust: FileTrust) -> None:
    with _sftp_installed():
        from .sftp import send
    send(where, read, limits, trust)


@contextmanager
def _sftp_installed() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise TransferImpossible(NO_SFTP) from None


# --- failures ---------------------------------------------------------------------------------------------------------


@contextmanager
def _failures(where: Where) -> Iterator[None]:
    """Turn whatever goes wrong into a TransferFailed that says where, without user and password."""
    try:
        yield
    except TransferFailed as error:
        told = f"{where}: {where.without_password(str(error))}"
        if isinstance(error, TransferImpossible):
            raise TransferImpossible(told) from None
        raise TransferFailed(told, is_final=error.is_final) from None
    except HostRefused as error:
        raise TransferFailed(f"{where}: {error}") from None
    except urllib.error.HTTPError as error:
        error.close()
        raise TransferFailed(f"{where}: HTTP {error.code}", is_final=error.code in NEVER_AGAIN) from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TransferFailed):
            raise TransferFailed(f"{where}: {reason}", is_final=reason.is_final) from None
        raise TransferFailed(f"{where}: {_told(reason)}", is_final=_is_final(reason)) from None
    except ftplib.all_errors as error:
        raise TransferFailed(f"{where}: {where.without_password(_told(error))}", is_final=_is_final(error)) from None
    except (http.client.HTTPException, ValueError) as error:
        raise TransferFailed(f"{where}: {type(error).__name__}") from None


def _is_final(error: object) -> bool:
    """Whether the next attempt can only end the same way, until a person does something."""
    if isinstance(error, ftplib.error_perm):
        return str(error)[:3] in ("530", "532")
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


_ADVICE = {
    9: "check our clock",
    10: "have it renewed, or check our clock",
    62: "use the name it was made for in the location",
    64: "use the name it was made for in the location",
}
"""By X509_V_ERR_… of OpenSSL's x509_vfy.h: not yet valid, expired, wrong host, wrong address."""


def _told(error: object) -> str:
    """What an error says, in short."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(error.verify_code, "give the root that signed it as files: {ca_file: FILE}")
        return f"the server's certificate is not trusted: {error.verify_message}; {advice}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full, free some space"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
