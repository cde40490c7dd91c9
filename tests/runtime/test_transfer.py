"""Real files over real sockets, against servers that share no line with the program."""

from __future__ import annotations

import io
import json
import logging
import socket
import ssl
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme

from chargepoint.runtime.configuration import REAL_FILES
from chargepoint.runtime.diagnostics import Recollection
from chargepoint.runtime.porter import AT_ONCE, FilePlan, Limits, Slots
from chargepoint.runtime.secrecy import masked_text
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from chargepoint.runtime.transfer import TransferFailed, download, upload
from tests.runtime.desk import Desk, seat, until
from tests.runtime.file_servers import IMAGE, LIMITS, LOCAL, USER, Web, ftp, refusal, secure_ftp, web


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as each:
        each.files["/fw/wall-2.1.0.bin"] = IMAGE
        yield each


# --- HTTP -------------------------------------------------------------------------------------------------------------


def test_a_file_comes_by_http(site: Web, tmp_path: Path) -> None:
    download(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image", LIMITS, trust=LOCAL)
    assert (tmp_path / "image").read_bytes() == IMAGE
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_user_and_password_of_the_url_are_sent_as_basic(site: Web, tmp_path: Path) -> None:
    download(site.url("/fw/wall-2.1.0.bin", "box:s3%3Acret%40x@"), tmp_path / "image", LIMITS, trust=LOCAL)
    assert site.asked == [("GET", "/fw/wall-2.1.0.bin", "Basic Ym94OnMzOmNyZXRAeA==")]


def test_a_redirect_is_followed_without_the_password(site: Web, tmp_path: Path) -> None:
    site.redirects["/old"] = site.url("/fw/wall-2.1.0.bin")
    download(site.url("/old", "a:b@"), tmp_path / "image", LIMITS, trust=LOCAL)
    assert [header for _method, _path, header in site.asked] == ["Basic YTpi", None]


def test_a_redirect_opens_no_file_of_this_machine(site: Web, tmp_path: Path) -> None:
    site.redirects["/old"] = "file:///etc/hostname"
    refusal(site.url("/old"), tmp_path / "image")


@pytest.mark.parametrize(("status", "is_final"), [(403, True), (404, False), (503, False)])
def test_a_refusal_says_its_status_and_no_password(site: Web, tmp_path: Path, status: int, is_final: bool) -> None:
    site.status["/fw"] = status
    error = refusal(site.url("/fw", "box:hunter2@"), tmp_path / "image")
    assert str(error) == f"http://127.0.0.1:{site.port}/fw: HTTP {status}"
    assert error.is_final is is_final


def test_a_file_that_ends_early_is_removed(site: Web, tmp_path: Path) -> None:
    site.shortened_by = 10
    assert "bytes came" in str(refusal(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image"))


def test_an_empty_file_is_no_firmware(site: Web, tmp_path: Path) -> None:
    site.files["/empty"] = b""
    assert "empty" in str(refusal(site.url("/empty"), tmp_path / "image"))


def test_a_file_that_is_too_large_is_not_fetched(site: Web, tmp_path: Path) -> None:
    error = refusal(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image", Limits(5.0, 10.0, 1000))
    assert error.is_final
    assert "larger than 1000 bytes" in str(error)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_said(site: Web, tmp_path: Path) -> None:
    error = refusal(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image")
    assert "disk is full" in str(error)
    assert error.is_final


def test_a_transfer_can_be_cancelled(site: Web, tmp_path: Path) -> None:
    error = refusal(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image", Limits(5.0, 10.0, 10**6, lambda: True))
    assert "cancelled" in str(error)


def test_a_peer_that_trickles_is_cut_off(site: Web, tmp_path: Path) -> None:
    """One byte has come and the next does not: whether this goes on is asked with every byte, not with every block."""
    site.gate = threading.Event()
    error = refusal(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image", Limits(5.0, 10.0, 10**6, lambda: True))
    site.gate.set()
    assert "cancelled" in str(error)


def test_a_file_is_on_the_disk_before_it_has_its_name(
    site: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, what is called firmware is whole; the store says that it was fetched."""
    seen = []
    monkeypatch.setattr("os.fsync", lambda _descriptor: seen.append([path.name for path in tmp_path.iterdir()]))
    download(site.url("/fw/wall-2.1.0.bin"), tmp_path / "image", LIMITS, trust=LOCAL)
    assert seen == [["image.part"], ["image"]]


def test_a_peer_that_is_silent_costs_no_more_than_the_timeout(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        error = refusal(f"http://127.0.0.1:{port}/x", tmp_path / "image", Limits(0.05, 10.0, 1000))
    assert "no answer in time" in str(error)


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    assert "Connection refused" in str(refusal(f"http://u:hunter2@127.0.0.1:{port}/x", tmp_path / "image"))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("gopher://u:hunter2@host/x", "unsupported scheme gopher: use http, https, ftp, ftps, sftp"),
        ("file:///etc/passwd", "unsupported scheme file"),
        ("", "unsupported scheme (none)"),
        ("http://", "names no host"),
        ("http://host:port/x", "no URL"),
        ("ftp://u:hunter2@host/a%0D%0ADELE%20b", "control characters"),
    ],
)
def test_a_bad_location_is_refused_for_good(tmp_path: Path, url: str, why: str) -> None:
    error = refusal(url, tmp_path / "image")
    assert why in str(error)
    assert error.is_final
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_file_goes_into_a_directory_by_http(site: Web, tmp_path: Path, method: str) -> None:
    """location (directory) where the diagnostics file shall be uploaded to (6.25)."""
    (tmp_path / "a").write_bytes(IMAGE)
    upload(tmp_path / "a", site.url("/in/"), "d.tar.gz", LIMITS, method, trust=LOCAL)
    assert site.taken == {"/in/d.tar.gz": IMAGE}
    assert site.asked[0][0] == method


def test_an_upload_that_is_refused_is_said(site: Web, tmp_path: Path) -> None:
    site.status["/in/d"] = 507
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(TransferFailed, match="HTTP 507"):
        upload(tmp_path / "a", site.url("/in"), "d", LIMITS, trust=LOCAL)


# --- FTP --------------------------------------------------------------------------------------------------------------


def test_files_come_and_go_by_ftp(tmp_path: Path) -> None:
    served, here = tmp_path / "served", tmp_path / "here"
    (served / "in").mkdir(parents=True)
    here.mkdir()
    (served / "fw.bin").write_bytes(IMAGE)
    with ftp(served) as port:
        root = f"ftp://{USER}127.0.0.1:{port}"
        download(f"{root}/fw.bin", here / "image", LIMITS, trust=LOCAL)
        upload(here / "image", f"{root}/in/", "d.tar.gz", LIMITS, trust=LOCAL)
        upload(here / "image", root, "e.tar.gz", LIMITS, trust=LOCAL)
    assert (here / "image").read_bytes() == IMAGE
    assert (served / "in" / "d.tar.gz").read_bytes() == IMAGE
    assert (served / "e.tar.gz").read_bytes() == IMAGE


def test_ftp_says_why_it_failed_and_no_password(tmp_path: Path) -> None:
    served, here = tmp_path / "served", tmp_path / "here"
    served.mkdir()
    here.mkdir()
    with ftp(served) as port:
        missing = refusal(f"ftp://{USER}127.0.0.1:{port}/no.bin", here / "image")
        stranger = refusal(f"ftp://box:hunter2@127.0.0.1:{port}/no.bin", here / "image")
        unprotected = refusal(f"ftps://{USER}127.0.0.1:{port}/no.bin", here / "image")
    assert "550" in str(missing)
    assert not missing.is_final
    assert "530" in str(stranger)
    assert stranger.is_final
    assert "hunter2" not in str(stranger)
    assert "s3" not in str(unprotected)


# --- TLS --------------------------------------------------------------------------------------------------------------


class Roots:
    """A certificate authority of our own, as a file, and servers under it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._authority = trustme.CA()
        self.ours, self.other = replace(LOCAL, ca_file=folder / "ca.pem"), replace(LOCAL, ca_file=folder / "other.pem")
        assert self.ours.ca_file is not None
        assert self.other.ca_file is not None
        self._authority.cert_pem.write_to_path(self.ours.ca_file)
        trustme.CA().cert_pem.write_to_path(self.other.ca_file)

    def server(self, name: str = "127.0.0.1", until: datetime | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = None if until is None else until - timedelta(days=2)
        self._authority.issue_cert(name, not_before=issued, not_after=until).configure_cert(context)
        return context


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(tmp_path / "roots")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_files_come_and_go_by_https(roots: Roots, here: Path) -> None:
    with web(roots.server()) as site:
        site.files["/fw.bin"] = IMAGE
        download(site.url("/fw.bin", USER), here / "image", LIMITS, roots.ours)
        upload(here / "image", site.url("/in/"), "d.tar.gz", LIMITS, trust=roots.ours)
    assert (here / "image").read_bytes() == IMAGE
    assert site.taken == {"/in/d.tar.gz": IMAGE}


def test_a_redirect_leads_to_https_and_not_back(site: Web, roots: Roots, here: Path) -> None:
    with web(roots.server()) as safe:
        safe.files["/fw.bin"] = IMAGE
        site.redirects["/up"] = safe.url("/fw.bin")
        safe.redirects["/down"] = site.url("/fw/wall-2.1.0.bin")
        error = refusal(safe.url("/down", USER), here / "image", trust=roots.ours)
        download(site.url("/up"), here / "image", LIMITS, roots.ours)
    assert "redirected from https to something unprotected" in str(error)
    assert error.is_final
    assert (here / "image").read_bytes() == IMAGE
    assert [path for _method, path, _header in site.asked] == ["/up"]


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("scheme", ["https", "ftps"])
@pytest.mark.parametrize(
    ("name", "until", "is_ours", "what", "to_do"),
    [
        ("files.example", None, True, "IP address mismatch", "use the name it was made for in the location"),
        (
            "127.0.0.1",
            None,
            False,
            "unable to get local issuer",
            "give the root that signed it as files: {ca_file: FILE}",
        ),
        ("127.0.0.1", LONG_AGO, True, "certificate has expired", "have it renewed, or check our clock"),
    ],
    ids=["wrong name", "unknown CA", "expired"],
)
def test_a_certificate_that_is_not_trusted_is_refused(
    roots: Roots, here: Path, scheme: str, name: str, until: datetime | None, is_ours: bool, what: str, to_do: str
) -> None:
    trust, tls = roots.ours if is_ours else roots.other, roots.server(name, until)
    with web(tls) if scheme == "https" else secure_ftp(tls) as site:
        error = refusal(f"{scheme}://{USER}127.0.0.1:{site.port}/fw.bin", here / "image", trust=trust)
    assert f"the server's certificate is not trusted: {what}" in str(error)
    assert str(error).endswith(to_do)
    assert error.is_final
    assert not (site.asked if isinstance(site, Web) else [line for line in site.heard if line != "AUTH TLS"])


def test_without_a_ca_file_the_roots_of_the_system_count(roots: Roots, here: Path) -> None:
    with web(roots.server()) as site:
        assert "certificate is not trusted" in str(refusal(site.url("/fw.bin"), here / "image"))


def test_a_ca_file_that_is_gone_is_said(here: Path, tmp_path: Path) -> None:
    error = refusal("https://127.0.0.1:1/x", here / "image", trust=replace(LOCAL, ca_file=tmp_path / "no.pem"))
    assert "ca_file: " in str(error)
    assert "no.pem cannot be read" in str(error)
    assert error.is_final


@pytest.mark.parametrize("is_rude", [False, True], ids=["", "TLS is not ended"])
def test_files_come_and_go_by_ftps(roots: Roots, here: Path, is_rude: bool) -> None:
    """AUTH TLS, PBSZ 0 and PROT P before anything that matters (RFC 4217, 12.1 to 12.3)."""
    with secure_ftp(roots.server()) as site:
        site.is_rude = is_rude
        site.files["fw.bin"] = IMAGE
        download(f"ftps://{USER}127.0.0.1:{site.port}/fw.bin", here / "image", LIMITS, roots.ours)
        upload(here / "image", f"ftps://{USER}127.0.0.1:{site.port}/in", "d.tar.gz", LIMITS, trust=roots.ours)
    assert (here / "image").read_bytes() == IMAGE
    assert site.files["in/d.tar.gz"] == IMAGE
    assert site.heard[:5] == ["AUTH TLS", "USER box", "PASS s3:cret@x", "PBSZ 0", "PROT P"]
    assert site.resumed == [True, True]


def test_ftps_says_why_it_failed_and_no_password(roots: Roots, here: Path) -> None:
    with secure_ftp(roots.server()) as site:
        root = f"127.0.0.1:{site.port}"
        missing = refusal(f"ftps://{USER}{root}/no.bin", here / "image", trust=roots.ours)
        stranger = refusal(f"ftps://box:hunter2@{root}/no.bin", here / "image", trust=roots.ours)
        unprotected = refusal(f"ftp://{USER}{root}/no.bin", here / "image", trust=roots.ours)
    assert ("550" in str(missing), missing.is_final) == (True, False)
    assert str(stranger) == f"ftps://{root}/no.bin: 530 … is wrong"
    assert stranger.is_final
    assert "534 not without AUTH TLS" in str(unprotected)


# --- a charger on a running clock -------------------------------------------------------------------------------------


_IDS = count()


def statuses(desk: Desk, kind: str) -> list[str]:
    return [payload["status"] for payload in desk.heard(f"{kind}StatusNotification")]


def ask(desk: Desk, action: str, **payload: Any) -> None:
    desk.charger.on_text(json.dumps([2, f"cs-{next(_IDS)}", action, payload]))


async def run_charger(tmp_path: Path, **files: Any) -> tuple[Site, Desk, Recollection]:
    here = Site(Store(None, Durability.RELAXED))
    recollection = Recollection()
    options = {name: getattr(REAL_FILES, name) for name in ("download_succeeds", "upload_succeeds", "install_succeeds")}
    plan = FilePlan(**{**options, "directory": tmp_path / "files", "trust": LOCAL, "failure_s": 0.0, **files})
    keys = {"HeartbeatInterval": "77"}
    charger, desk = seat(here, files=plan, recollection=recollection, keys=keys, reset_down_s=0.0)
    charger.on_rebuilt = (recollection.watch,)
    charger.start()
    await until(lambda: desk.heard("StatusNotification"), "boot")
    return here, desk, recollection


async def test_firmware_goes_to_the_command_that_was_configured(site: Web, tmp_path: Path) -> None:
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(pathlib.Path(sys.argv[2]).read_bytes())"
    command = (sys.executable, "-c", code, str(tmp_path / "installed"))
    here, desk, _ = await run_charger(tmp_path, command=command, version="2.1.0")
    url = site.url("/fw/wall-2.1.0.bin")
    ask(desk, "UpdateFirmware", location=url, retrieveDate="2020-01-01T00:00:00Z", retries=0)
    await until(lambda: "Installed" in statuses(desk, "Firmware"), "Installed")
    assert statuses(desk, "Firmware") == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert (tmp_path / "installed").read_bytes() == IMAGE
    assert desk.heard("BootNotification")[-1]["firmwareVersion"] == "2.1.0"
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["install.log"]
    await here.close()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"command": (sys.executable, "-c", "raise SystemExit(3)")},
        {"command": ("/no/such/program",)},
        {"command": (sys.executable, "-c", "import threading; threading.Event().wait()"), "command_timeout_s": 0.5},
    ],
    ids=["nothing configured", "exit code", "no such program", "no end"],
)
async def test_an_installation_that_fails_is_told(site: Web, tmp_path: Path, files: dict[str, Any]) -> None:
    here, desk, _ = await run_charger(tmp_path, **files)
    url = site.url("/fw/wall-2.1.0.bin")
    ask(desk, "UpdateFirmware", location=url, retrieveDate="2020-01-01T00:00:00Z")
    await until(lambda: "InstallationFailed" in statuses(desk, "Firmware"), "InstallationFailed")
    assert len(desk.heard("BootNotification")) == 1
    await here.close()


async def test_a_download_that_is_replaced_ends(site: Web, tmp_path: Path) -> None:
    """The first one is in the middle when a newer request comes; the loop goes on meanwhile."""
    site.gate = threading.Event()
    here, desk, _ = await run_charger(tmp_path, install_succeeds=True, install_s=0.0)
    old = {"location": site.url("/fw/wall-2.1.0.bin"), "retrieveDate": "2020-01-01T00:00:00Z"}
    ask(desk, "UpdateFirmware", **old)
    await until(site.is_asked.is_set, "the first byte")
    site.files["/new-3.0.bin"] = b"new"
    desk.charger.on_text(json.dumps([2, "b", "UpdateFirmware", {**old, "location": site.url("/new-3.0.bin")}]))
    site.gate.set()
    await until(lambda: "Installed" in statuses(desk, "Firmware"), "Installed")
    assert statuses(desk, "Firmware").count("Downloaded") == 1
    await here.close()


async def test_thousands_that_are_asked_at_once_take_turns(site: Web, tmp_path: Path) -> None:
    """A thread each would be the end of the process; those that wait hold no archive either."""
    site.gate = threading.Event()
    here = Site(Store(None, Durability.RELAXED))
    plan = FilePlan(download_succeeds=None, install_s=0.0, trust=LOCAL)
    boxes = [
        seat(here, f"CP{number}", files=replace(plan, directory=tmp_path / f"{number}"), reset_down_s=0.0)
        for number in range(AT_ONCE + 4)
    ]
    for charger, _desk in boxes:
        charger.start()
    await until(lambda: all(desk.heard("StatusNotification") for _charger, desk in boxes), "boot")
    for _charger, desk in boxes:
        ask(desk, "UpdateFirmware", location=site.url("/fw/wall-2.1.0.bin"), retrieveDate="2020-01-01T00:00:00Z")
    await until(lambda: len(site.asked) == AT_ONCE, "as many as may")
    assert [thread.name for thread in threading.enumerate()].count("firmware") == AT_ONCE
    boxes[-1][0].stop()  # one that waits, and never begins
    site.gate.set()
    await until(lambda: all("Installed" in statuses(desk, "Firmware") for _box, desk in boxes[:-1]), "Installed")
    assert len(site.asked) == AT_ONCE + 3
    await here.close()


def test_slots_are_given_in_order_and_never_lost() -> None:
    slots, begun = Slots(2), []

    def begin(name: str) -> bool:
        begun.append(name)
        return name != "unwanted"

    for name in ("a", "b", "c", "unwanted", "d"):
        slots.take(partial(begin, name))
    assert begun == ["a", "b"]
    slots.give_back()
    assert begun == ["a", "b", "c"]
    slots.give_back()
    assert begun == ["a", "b", "c", "unwanted", "d"]


async def test_an_archive_that_cannot_be_made_is_a_failed_upload(
    site: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one finds its slot."""
    here, desk, _ = await run_charger(tmp_path)

    def broken(*_arguments: object) -> dict[str, str]:
        raise KeyError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr("chargepoint.runtime.diagnostics.contents", broken)
        for _each in range(AT_ONCE):
            ask(desk, "GetDiagnostics", location=site.url("/in"), retries=0)
        await until(lambda: "UploadFailed" in statuses(desk, "Diagnostics"), "UploadFailed")
    ask(desk, "GetDiagnostics", location=site.url("/in"), retries=0)
    await until(lambda: "Uploaded" in statuses(desk, "Diagnostics"), "Uploaded")
    assert len(desk.heard("BootNotification")) == 1
    await here.close()


async def test_what_a_power_cut_left_is_removed(tmp_path: Path) -> None:
    """Half a file and an archive on its way serve nobody; firmware that waits for its installation does."""
    directory = tmp_path / "files"
    directory.mkdir()
    for name in ("firmware-a.1", "firmware-b.1.part", "diagnostics-c.1", "install.log"):
        (directory / name).touch()
    here, _desk, _ = await run_charger(tmp_path)
    assert sorted(path.name for path in directory.iterdir()) == ["firmware-a.1", "install.log"]
    await here.close()


async def test_a_directory_that_cannot_be_made_is_said(
    site: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    here, desk, _ = await run_charger(tmp_path, directory=tmp_path / "file" / "files")
    url, date = site.url("/fw/wall-2.1.0.bin"), "2020-01-01T00:00:00Z"
    ask(desk, "UpdateFirmware", location=url, retrieveDate=date, retries=0)
    await until(lambda: "DownloadFailed" in statuses(desk, "Firmware"), "DownloadFailed")
    assert "no place for the file: Not a directory" in caplog.text
    await here.close()


async def test_files_are_trusted_as_the_plan_says(roots: Roots, tmp_path: Path) -> None:
    with web(roots.server()) as site:
        site.files["/fw-3.1.bin"] = IMAGE
        here, desk, _ = await run_charger(tmp_path, trust=roots.ours, install_succeeds=True, install_s=0.0)
        ask(desk, "UpdateFirmware", location=site.url("/fw-3.1.bin"), retrieveDate="2020-01-01T00:00:00Z")
        await until(lambda: "Installed" in statuses(desk, "Firmware"), "Installed")
        await until(lambda: len(desk.heard("BootNotification")) == 2, "the boot after it")
        ask(desk, "GetDiagnostics", location=site.url("/in"), retries=0)
        await until(lambda: "Uploaded" in statuses(desk, "Diagnostics"), "Uploaded")
        await here.close()


@pytest.mark.parametrize("where", ["refused", "unreachable", "not there", "no name"])
async def test_a_transfer_that_fails_takes_as_long_whatever_the_reason(site: Web, tmp_path: Path, where: str) -> None:
    """A central system that may name any URL must not learn from status or time which ports answer ([D])."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        closed = server.getsockname()[1]
    url = {
        "refused": f"http://127.0.0.2:{site.port}/fw/wall-2.1.0.bin",
        "unreachable": f"http://127.0.0.1:{closed}/x",
        "not there": site.url("/missing"),
        "no name": "http://no-such-host.invalid/x",
    }[where]
    site.status["/missing"] = 404
    here, desk, _ = await run_charger(tmp_path, failure_s=0.6)
    begun_s = time.monotonic()
    ask(desk, "UpdateFirmware", location=url, retrieveDate="2020-01-01T00:00:00Z", retries=0)
    await until(lambda: "DownloadFailed" in statuses(desk, "Firmware"), "DownloadFailed")
    assert 0.6 <= time.monotonic() - begun_s < 1.2
    assert statuses(desk, "Firmware") == ["Downloading", "DownloadFailed"]
    assert [path for _method, path, _header in site.asked] == (["/missing"] if where == "not there" else [])
    await here.close()


async def test_diagnostics_are_an_archive_masked_text(site: Web, tmp_path: Path) -> None:
    here, desk, recollection = await run_charger(tmp_path, secrets=("s3cr3t-of-the-file",))
    told = {"name": "chargepoint.x", "levelname": "INFO", "msg": "s3cr3t-of-the-file"}
    recollection.handle(logging.makeLogRecord(told))
    desk.charger.on_text('[2,"k","ChangeConfiguration",{"value":"00112233445566778899","key":"AuthorizationKey"}]')
    ask(desk, "GetDiagnostics", location=site.url("/in/", "box:hunter2@"), retries=0)
    await until(lambda: "Uploaded" in statuses(desk, "Diagnostics"), "Uploaded")
    assert statuses(desk, "Diagnostics") == ["Uploading", "Uploaded"]
    ((path, body),) = site.taken.items()
    assert path.startswith("/in/diagnostics-CP1-")
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        found = {name: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    assert sorted(found) == ["charger.json", "journal.txt", "keys.json", "log.txt", "store.json"]
    assert json.loads(found["keys.json"])["HeartbeatInterval"] in ("77", "3600")
    assert "Registered(status='Accepted'" in found["journal.txt"]
    assert "INFO chargepoint.x …" in found["log.txt"]
    assert json.loads(found["charger.json"])["identity"] == "CP1"
    for secret in ("hunter2", "s3cr3t", "00112233445566778899"):
        assert secret not in "".join(found.values())
    assert list((tmp_path / "files").iterdir()) == []
    await here.close()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("dials ws://u:p@ss@host/x and ftp://host/y", "dials ws://…@host/x and ftp://host/y"),
        ('{"key":"AuthorizationKey","value":"4142"}', '{"key":"AuthorizationKey","value":"…"}'),
        ('{"value":"4142","key":"AuthorizationKey"}', '{"value":"…","key":"AuthorizationKey"}'),
        ("password: hunter2, then", "password: …, then"),
        ("https://h/x?sig=abc&y=1", "https://h/x?sig=…&y=1"),
        ("the password is not told", "the password is not told"),
    ],
)
def test_secrets_are_hidden(text: str, cleaned: str) -> None:
    assert masked_text(text) == cleaned
