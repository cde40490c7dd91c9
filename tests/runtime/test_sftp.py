"""Files over SFTP, against asyncssh's own server on a real socket."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from socket import create_server

import pytest

from chargepoint.runtime.assembly import roster_for
from chargepoint.runtime.porter import FileTrust, Limits, protocols
from chargepoint.runtime.transfer import TransferFailed, download, upload
from hw.loader import plan_board
from profiles import ALL
from tests.runtime.file_servers import IMAGE, LIMITS, LOCAL, USER, Ssh, refusal, sftp


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's ``~/.ssh`` counts here."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """What the server shows."""
    (tmp_path / "served" / "in").mkdir(parents=True)
    (tmp_path / "served" / "locked").mkdir()
    (tmp_path / "served" / "fw 2.bin").write_bytes(IMAGE)
    return tmp_path / "served"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def site(served: Path) -> Iterator[Ssh]:
    with sftp(served) as each:
        yield each


@pytest.fixture
def trust(site: Ssh, tmp_path: Path) -> FileTrust:
    """The server is known."""
    (tmp_path / "hosts").write_bytes(site.known_hosts())
    return replace(LOCAL, known_hosts=tmp_path / "hosts")


def url(site: Ssh, path: str, user: str = USER) -> str:
    return f"sftp://{user}127.0.0.1:{site.port}{path}"


def test_files_come_and_go(site: Ssh, trust: FileTrust, served: Path, here: Path) -> None:
    download(url(site, "/fw%202.bin"), here / "image", LIMITS, trust)
    upload(here / "image", url(site, "/in/"), "d.tar.gz", LIMITS, trust=trust)
    upload(here / "image", url(site, ""), "e.tar.gz", LIMITS, trust=trust)
    assert (here / "image").read_bytes() == IMAGE
    assert [path.name for path in here.iterdir()] == ["image"]
    assert (served / "in" / "d.tar.gz").read_bytes() == IMAGE
    assert (served / "e.tar.gz").read_bytes() == IMAGE


def test_a_path_can_begin_at_home(site: Ssh, trust: FileTrust, served: Path, here: Path) -> None:
    """The server's home is its root, so what comes there shows that ``~`` was no name of a directory."""
    download(url(site, "/~/fw%202.bin"), here / "image", LIMITS, trust)
    upload(here / "image", url(site, "/~"), "d.tar.gz", LIMITS, trust=trust)
    assert (served / "d.tar.gz").read_bytes() == IMAGE


def test_a_private_key_opens_the_door(site: Ssh, trust: FileTrust, here: Path, tmp_path: Path) -> None:
    site.client_key.write_private_key(str(tmp_path / "key"))
    download(url(site, "/fw%202.bin", "box@"), here / "image", LIMITS, replace(trust, sftp_key=tmp_path / "key"))
    assert (here / "image").read_bytes() == IMAGE


def test_the_known_hosts_of_the_user_count(site: Ssh, here: Path, home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_bytes(site.known_hosts())
    download(url(site, "/fw%202.bin"), here / "image", LIMITS, trust=LOCAL)
    assert (here / "image").read_bytes() == IMAGE


def test_nothing_else_of_the_user_counts(site: Ssh, here: Path, home: Path) -> None:
    """A configuration of OpenSSH that trusts everybody but speaks no language of ours, and a key that would be let in."""
    config = "Host *\n  UserKnownHostsFile none\n  KexAlgorithms diffie-hellman-group1-sha1\n"
    (home / ".ssh" / "config").write_text(config)
    assert "the host key is not in" in str(refusal(url(site, "/fw%202.bin"), here / "image"))
    (home / ".ssh" / "known_hosts").write_bytes(site.known_hosts())
    site.client_key.write_private_key(str(home / ".ssh" / "id_ed25519"))
    assert "does not let us in" in str(refusal(url(site, "/fw%202.bin", "box@"), here / "image"))


def test_an_unknown_server_is_refused(site: Ssh, trust: FileTrust, here: Path) -> None:
    assert trust.known_hosts is not None
    trust.known_hosts.write_bytes(b"")
    for given, name in ((trust, trust.known_hosts), (LOCAL, "~/.ssh/known_hosts")):
        error = refusal(url(site, "/fw%202.bin"), here / "image", trust=given)
        assert f"the host key is not in {name}: fetch it with `ssh-keyscan -p {site.port} 127.0.0.1`" in str(error)
        assert error.is_final


def test_a_server_with_another_key_is_refused(site: Ssh, trust: FileTrust, here: Path) -> None:
    assert trust.known_hosts is not None
    trust.known_hosts.write_bytes(site.known_hosts(site.client_key))
    error = refusal(url(site, "/fw%202.bin"), here / "image", trust=trust)
    assert "the host key is not in" in str(error)
    trust.known_hosts.write_bytes(site.known_hosts() + b"@revoked " + site.known_hosts())
    revoked = refusal(url(site, "/fw%202.bin"), here / "image", trust=trust)
    assert "the host key is revoked" in str(revoked)
    assert (error.is_final, revoked.is_final) == (True, True)


def test_a_stranger_is_told_what_to_check_and_no_password(site: Ssh, trust: FileTrust, here: Path) -> None:
    error = refusal(url(site, "/fw%202.bin", "box:hunter2@"), here / "image", trust=trust)
    assert str(error).startswith(f"sftp://127.0.0.1:{site.port}/fw%202.bin: the server does not let us in: check user")
    assert "hunter2" not in str(error)
    assert error.is_final


def test_a_location_without_a_user_is_refused(site: Ssh, trust: FileTrust, here: Path) -> None:
    error = refusal(url(site, "/fw%202.bin", ""), here / "image", trust=trust)
    assert "names no user" in str(error)
    assert error.is_final


@pytest.mark.parametrize(
    ("path", "what", "is_final"),
    [
        ("/no.bin", "no such file or directory on the server", False),
        ("/locked/fw.bin", "the server does not allow this file", True),
        ("/in", "", False),
    ],
)
def test_a_file_that_is_not_given_is_said(
    site: Ssh, trust: FileTrust, here: Path, path: str, what: str, is_final: bool
) -> None:
    """A file that is missing may be put there meanwhile."""
    error = refusal(url(site, path), here / "image", trust=trust)
    assert what in str(error)
    assert error.is_final is is_final


def test_a_directory_that_is_missing_is_said(site: Ssh, trust: FileTrust, served: Path) -> None:
    with pytest.raises(TransferFailed, match="no such file or directory") as caught:
        upload(served / "fw 2.bin", url(site, "/out"), "d", LIMITS, trust=trust)
    assert not caught.value.is_final


def test_what_is_too_large_or_empty_or_too_slow_is_refused(
    site: Ssh, trust: FileTrust, served: Path, here: Path
) -> None:
    (served / "empty").write_bytes(b"")
    large = refusal(url(site, "/fw%202.bin"), here / "image", Limits(5.0, 10.0, 1000), trust)
    assert not site.is_asked.is_set(), "its size was told, and yet it was read"
    empty = refusal(url(site, "/empty"), here / "image", LIMITS, trust)
    slow = refusal(url(site, "/fw%202.bin"), here / "image", Limits(5.0, -1.0, 10**6), trust)
    assert ("larger than 1000 bytes" in str(large), large.is_final) == (True, True)
    assert ("the file is empty" in str(empty), empty.is_final) == (True, False)
    assert ("not complete after" in str(slow), slow.is_final) == (True, False)


def test_a_download_is_cancelled_in_the_middle(site: Ssh, trust: FileTrust, here: Path) -> None:
    site.gate.clear()
    unwanted = threading.Event()

    def cancel() -> None:
        site.is_asked.wait(30.0)
        unwanted.set()
        site.gate.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    error = refusal(url(site, "/fw%202.bin"), here / "image", Limits(30.0, 30.0, 10**6, unwanted.is_set), trust)
    canceller.join()
    assert str(error).endswith(": cancelled")
    assert error.is_final


def test_an_upload_that_is_cancelled_leaves_nothing_there(site: Ssh, trust: FileTrust, served: Path) -> None:
    asked = iter([False, False, True])
    with pytest.raises(TransferFailed, match="cancelled"):
        upload(
            served / "fw 2.bin",
            url(site, "/in"),
            "d",
            Limits(5.0, 10.0, 10**6, lambda: next(asked)),
            trust=trust,
        )
    assert list((served / "in").iterdir()) == []


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_said(site: Ssh, trust: FileTrust, here: Path) -> None:
    error = refusal(url(site, "/fw%202.bin"), here / "image", trust=trust)
    assert "the disk is full" in str(error)
    assert error.is_final


def test_a_full_disk_of_the_server_is_said(site: Ssh, trust: FileTrust, served: Path) -> None:
    with pytest.raises(TransferFailed, match="No space left on device") as caught:
        upload(served / "fw 2.bin", url(site, "/in"), "full.tar.gz", LIMITS, trust=trust)
    assert not caught.value.is_final
    assert list((served / "in").iterdir()) == []


def test_a_server_that_is_silent_or_gone_is_said(here: Path) -> None:
    with closing(create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        silent = refusal(f"sftp://u@127.0.0.1:{port}/x", here / "image", Limits(0.1, 10.0, 1000))
    gone = refusal(f"sftp://u@127.0.0.1:{port}/x", here / "image")
    assert ("no answer in time" in str(silent), silent.is_final) == (True, False)
    assert ("Connection refused" in str(gone), gone.is_final) == (True, False)


@pytest.mark.parametrize("setting", ["known_hosts", "sftp_key"])
def test_a_file_that_cannot_be_used_is_said(here: Path, tmp_path: Path, setting: str) -> None:
    path = tmp_path / "bad"
    missing = refusal("sftp://u@127.0.0.1:1/x", here / "image", trust=FileTrust(**{setting: path}, hosts=LOCAL.hosts))
    path.write_text("@nothing\n")
    useless = refusal("sftp://u@127.0.0.1:1/x", here / "image", trust=FileTrust(**{setting: path}, hosts=LOCAL.hosts))
    assert f"{setting}: {path} cannot be read: No such file or directory" in str(missing)
    assert f"{setting}: {path} cannot be used: " in str(useless)
    assert (missing.is_final, useless.is_final) == (True, True)


def test_a_key_with_a_passphrase_is_said(site: Ssh, trust: FileTrust, here: Path, tmp_path: Path) -> None:
    site.client_key.write_private_key(str(tmp_path / "key"), "pkcs8-pem", passphrase="x")
    error = refusal(url(site, "/x"), here / "image", trust=replace(trust, sftp_key=tmp_path / "key"))
    assert "assphrase" in str(error)
    assert error.is_final


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    monkeypatch.delitem(sys.modules, "chargepoint.runtime.sftp", raising=False)


def listed() -> object:
    """What GetConfiguration tells of SupportedFileTransferProtocols."""
    return roster_for.__wrapped__(plan_board("ac11-sim"), tuple(ALL)).keyring.defaults["SupportedFileTransferProtocols"]


def test_sftp_is_listed() -> None:
    assert protocols() == listed() == ("HTTP", "HTTPS", "FTP", "FTPS", "SFTP")


@pytest.mark.usefixtures("no_library")
def test_without_the_library_sftp_says_what_to_install(here: Path) -> None:
    error = refusal(f"sftp://{USER}127.0.0.1:1/x", here / "image")
    assert "pip install asyncssh, or 'chargepoint[sftp]'" in str(error)
    assert error.is_final
    assert protocols() == listed() == ("HTTP", "HTTPS", "FTP", "FTPS")


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys; from chargepoint.runtime import configuration, transfer; sys.exit('asyncssh' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
