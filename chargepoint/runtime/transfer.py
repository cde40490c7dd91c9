"""Files over HTTP, HTTPS, FTP and FTPS, with the standard library; these functions block and live in threads.

Everything that can go wrong is a `TransferFailed` whose text says what and never holds a password. A file that did not
come whole is removed. SFTP is left out: its library would be as large as this program.
"""

from __future__ import annotations

import base64
import errno
import ftplib
import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hw.errors import ChargePointError

from .porter import Limits

BLOCK = 64 * 1024
SCHEMES = ("http", "https", "ftp", "ftps")
NEVER_AGAIN = (400, 401, 403, 405, 410, 413)
"""HTTP answers that will be the same next time. 404 is none of them: a file may be put there meanwhile."""


class TransferFailed(ChargePointError):
    """A file did not arrive. ``is_final``: it never will."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Where:
    """A URL in parts; its text has neither user nor password nor query, so that it may be shown."""

    def __init__(self, url: str) -> None:
        """Raises TransferFailed for what is no URL of ours."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as error:
            raise TransferFailed("the location is no URL: look at host and port", is_final=True) from error
        self.scheme = parts.scheme.lower()
        if self.scheme not in SCHEMES:
            problem = f"unsupported scheme {self.scheme or '(none)'}: use {', '.join(SCHEMES)}"
            raise TransferFailed(problem, is_final=True)
        if not parts.hostname:
            raise TransferFailed("the location names no host", is_final=True)
        self.host = parts.hostname
        self.port = port
        self.path = parts.path
        self.query = parts.query
        self.user = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password or "")
        if any(ord(letter) < 32 for letter in f"{self.host}{unquote(self.path)}{self.user}{self.password}"):
            # They would end a line of the protocol and begin one that nobody meant.
            raise TransferFailed("the location holds control characters", is_final=True)

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

    def below(self, name: str) -> Where:
        """Return a file in this directory."""
        path = f"{self.path.rstrip('/')}/{quote(name)}"
        below = Where.__new__(Where)
        below.__dict__.update(self.__dict__, path=path)
        return below


class _Watch:
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

    def __init__(self, file: IO[bytes], watch: _Watch) -> None:
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
            raise TransferFailed("redirected from https to something unprotected", is_final=True)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, target: Path, limits: Limits) -> None:
    """Fetch a file into ``target``, which appears when it is whole. Raises TransferFailed."""
    where = Where(url)
    part = target.with_name(f"{target.name}.part")
    watch = _Watch(limits)
    try:
        with _failures(where), part.open("wb") as file:

            def write(block: bytes) -> None:
                file.write(watch.pass_on(block))

            if where.scheme.startswith("http"):
                length = _http_fetch(where, write, watch, limits)
            else:
                length = _ftp_fetch(where, write, watch, limits)
            watch.check(length)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def upload(source: Path, url: str, name: str, limits: Limits, http_method: str = "PUT") -> None:
    """Send a file as ``name`` into the directory ``url``. Raises TransferFailed."""
    directory = Where(url)
    with _failures(directory), source.open("rb") as file:
        watched = _Watched(file, _Watch(limits))
        if directory.scheme.startswith("http"):
            headers = {"Content-Type": "application/gzip", "Content-Length": str(source.stat().st_size)}
            request = _request(directory.below(name), http_method, watched, headers)
            with _opener().open(request, timeout=limits.timeout_s):
                pass
        else:
            with _ftp(directory, limits) as ftp:
                path = unquote(directory.path).strip("/")
                ftp.storbinary(f"STOR {path}/{name}" if path else f"STOR {name}", watched, BLOCK)


# --- HTTP -------------------------------------------------------------------------------------------------------------


def _opener() -> urllib.request.OpenerDirector:
    """Only HTTP and HTTPS: the ordinary opener would follow a redirect to FTP, and open files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
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


def _http_fetch(where: Where, write: Callable[[bytes], None], watch: _Watch, limits: Limits) -> int | None:
    with _opener().open(_request(where, "GET"), timeout=limits.timeout_s) as response:
        told = response.headers.get("Content-Length", "")
        length = int(told) if told.isdigit() else None
        watch.expect(length)
        while block := response.read(BLOCK):
            write(block)
    return length


# --- FTP --------------------------------------------------------------------------------------------------------------


@contextmanager
def _ftp(where: Where, limits: Limits) -> Iterator[ftplib.FTP]:
    """Log in, passive; FTPS is explicit, with the data connection protected too (RFC 4217)."""
    ftp = ftplib.FTP(timeout=limits.timeout_s)
    if where.scheme == "ftps":
        import ssl

        ftp = ftplib.FTP_TLS(timeout=limits.timeout_s, context=ssl.create_default_context())
    try:
        ftp.connect(where.host, where.port or ftplib.FTP_PORT)
        ftp.login(where.user or "", where.password)
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
        yield ftp
        ftp.quit()
    finally:
        ftp.close()


def _ftp_fetch(where: Where, write: Callable[[bytes], None], watch: _Watch, limits: Limits) -> int | None:
    with _ftp(where, limits) as ftp:
        path = unquote(where.path).lstrip("/")
        ftp.voidcmd("TYPE I")
        try:
            length = ftp.size(path)
        except ftplib.error_perm:
            length = None  # not every server tells; a file that is not there shows with RETR
        watch.expect(length)
        ftp.retrbinary(f"RETR {path}", write, BLOCK)
    return length


# --- failures ---------------------------------------------------------------------------------------------------------


@contextmanager
def _failures(where: Where) -> Iterator[None]:
    """Turn whatever goes wrong into a TransferFailed that says where, without user and password."""
    try:
        yield
    except TransferFailed as error:
        raise TransferFailed(f"{where}: {error}", is_final=error.is_final) from None
    except urllib.error.HTTPError as error:
        error.close()
        raise TransferFailed(f"{where}: HTTP {error.code}", is_final=error.code in NEVER_AGAIN) from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TransferFailed):
            raise TransferFailed(f"{where}: {reason}", is_final=reason.is_final) from None
        raise TransferFailed(f"{where}: {_told(reason)}") from None
    except ftplib.all_errors as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise TransferFailed(f"{where}: the disk is full, free some space", is_final=True) from None
        is_final = isinstance(error, ftplib.error_perm) and str(error)[:3] in ("530", "532")
        raise TransferFailed(f"{where}: {_told(error)}", is_final=is_final) from None
    except (http.client.HTTPException, ValueError) as error:
        raise TransferFailed(f"{where}: {type(error).__name__}") from None


def _told(error: object) -> str:
    """What an error says, in short."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
