"""Files over SFTP, with asyncssh: the one door to it, opened by the first ``sftp://`` URL. Blocks and lives in threads.

The server has to be known: by the user's ``~/.ssh/known_hosts``, or by the file that the configuration names. What else
stands in ``~/.ssh`` is left alone, and so is a running agent: what proves us is in the URL or in the configuration.

A path is absolute; ``/~/`` at its beginning is the home directory (draft-ietf-secsh-scp-sftp-ssh-uri-04, 3.3).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import asyncssh

from .porter import FileTrust, Limits
from .transfer import BLOCK, TransferFailed, TransferImpossible, Watch, Where

PORT = 22
KNOWN_HOSTS = "~/.ssh/known_hosts"

logging.getLogger("asyncssh").setLevel(logging.WARNING)  # every step of every connection is INFO there


def fetch(where: Where, write: Callable[[bytes], None], watch: Watch, limits: Limits, trust: FileTrust) -> int | None:
    """Hand a file to ``write``, block by block; return the length that the server told. Raises TransferFailed, OSError."""
    with _failures(where, trust):
        return asyncio.run(_fetch(where, write, watch, limits, trust))


def send(where: Where, read: Callable[[int], bytes], limits: Limits, trust: FileTrust) -> None:
    """Write what ``read`` gives to ``where``; what did not go whole is removed there. Raises TransferFailed, OSError."""
    with _failures(where, trust):
        asyncio.run(_send(where, read, limits, trust))


async def _fetch(
    where: Where, write: Callable[[bytes], None], watch: Watch, limits: Limits, trust: FileTrust
) -> int | None:
    async with _session(where, limits, trust) as sftp:
        async with asyncio.timeout(limits.timeout_s):
            file = await sftp.open(_path(where), "rb")
            length = (await file.stat()).size
        watch.expect(length)
        while True:
            async with asyncio.timeout(limits.timeout_s):
                block: bytes = await file.read(BLOCK)
            if not block:
                return length
            write(block)


async def _send(where: Where, read: Callable[[int], bytes], limits: Limits, trust: FileTrust) -> None:
    path = _path(where)
    async with _session(where, limits, trust) as sftp:
        async with asyncio.timeout(limits.timeout_s):
            file = await sftp.open(path, "wb")
        try:
            while block := read(BLOCK):
                async with asyncio.timeout(limits.timeout_s):
                    await file.write(block)
            async with asyncio.timeout(limits.timeout_s):
                await file.close()
        except Exception:
            with suppress(asyncssh.Error, OSError):  # a TimeoutError is one
                async with asyncio.timeout(limits.timeout_s):
                    await sftp.remove(path)
            raise


def _path(where: Where) -> str:
    path = unquote(where.path)
    return path.removeprefix("/~/") or "." if path.startswith("/~/") else path or "/"


# --- who we talk to ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _session(where: Where, limits: Limits, trust: FileTrust) -> AsyncIterator[asyncssh.SFTPClient]:
    if where.user is None:
        raise TransferImpossible("the location names no user: write sftp://user@host/path")
    known_hosts, keys = read_known_hosts(trust.known_hosts), read_keys(trust.sftp_key)
    # Not by the loop: it would look up the name in a thread that the program waits for at its end.
    connected = trust.hosts.connect(where.host, where.port or PORT, limits.timeout_s)
    connected.setblocking(False)
    try:
        async with asyncio.timeout(limits.timeout_s):
            connection = await asyncssh.connect(
                where.host,
                where.port or PORT,
                sock=connected,
                config=None,
                known_hosts=known_hosts,
                username=where.user,
                password=where.password or None,
                client_keys=keys,
                agent_path=None,
                gss_host=None,
                x509_trusted_certs=None,
            )
    except BaseException:
        connected.close()
        raise
    try:
        async with asyncio.timeout(limits.timeout_s):
            sftp = await connection.start_sftp_client()
        yield sftp
        connection.close()
    except BaseException:
        connection.abort()
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.timeout_s):
                await connection.wait_closed()


def read_known_hosts(path: Path | None) -> asyncssh.SSHKnownHosts:
    """Return the servers that are known: of this file, else of the user's, which need not be there.

    Raises TransferFailed for a file that cannot be used.
    """
    default = Path(os.path.expanduser(KNOWN_HOSTS))
    if path is None and not default.exists():
        return asyncssh.import_known_hosts("")
    with _readable("known_hosts", path or default):
        return asyncssh.read_known_hosts(str(path or default))


def read_keys(path: Path | None) -> list[asyncssh.SSHKey] | None:
    """Return the private key in a file, None without a file. Raises TransferFailed for one that cannot be used."""
    if path is None:
        return None
    with _readable("sftp_key", path):
        return [asyncssh.read_private_key(str(path))]


@contextmanager
def _readable(setting: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransferFailed(f"{setting}: {path} cannot be read: {error.strerror}", is_final=True) from None
    except ValueError as error:  # asyncssh.KeyImportError and KeyEncryptionError are such
        raise TransferFailed(f"{setting}: {path} cannot be used: {error}", is_final=True) from None


# --- failures ---------------------------------------------------------------------------------------------------------


@contextmanager
def _failures(where: Where, trust: FileTrust) -> Iterator[None]:
    """Turn what asyncssh raises into a TransferFailed."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        if "revoked" in error.reason:
            raise TransferFailed("the host key is revoked: this server must not be used", is_final=True) from None
        port = "" if where.port is None else f"-p {where.port} "
        raise TransferFailed(
            f"the host key is not in {trust.known_hosts or KNOWN_HOSTS}: fetch it with `ssh-keyscan {port}{where.host}`, "
            "compare it with what the server's owner says, and add it there, or name another file as "
            "files: {known_hosts: FILE}",
            is_final=True,
        ) from None
    except asyncssh.KeyExchangeFailed as error:
        # Also what an exchanged host key looks like when the new one is of another kind.
        raise TransferFailed(
            f"no key exchange with the server: {error.reason}; look also whether its host key was changed",
            is_final=True,
        ) from None
    except asyncssh.PermissionDenied:
        raise TransferFailed(
            "the server does not let us in: check user and password of the location, or files: {sftp_key: FILE}",
            is_final=True,
        ) from None
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        raise TransferFailed("no such file or directory on the server") from None
    except asyncssh.SFTPPermissionDenied:
        raise TransferFailed("the server does not allow this file or directory", is_final=True) from None
    except asyncssh.Error as error:
        raise TransferFailed(error.reason or type(error).__name__) from None
    except ValueError as error:
        # Options that asyncssh turns down, such as a user name with characters that no name has.
        raise TransferFailed(f"cannot be asked for: {error}", is_final=True) from None
