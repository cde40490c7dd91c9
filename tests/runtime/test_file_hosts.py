"""Where files may come from and go to: a central system names the URLs, the owner of the box says which hosts.

OCPP 1.6 sets no bounds [D]: every host but this machine and its link, or the hosts of a list.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from chargepoint.runtime.configuration import ConfigurationError, read
from chargepoint.runtime.file_hosts import FileHosts, HostRefused, problem_of
from chargepoint.runtime.porter import DEFAULT_TRUST, FileTrust
from chargepoint.runtime.transfer import TransferFailed, download, upload
from tests.runtime.file_servers import IMAGE, LIMITS, LOCAL, USER, Web, ftp, refusal, secure_ftp, sftp, web

NAMES = {
    "files.example.com": "203.0.113.7",
    "lan.example.com": "192.168.1.20",
    "loop.example.com": "127.0.0.1",
    "loop6.example.com": "::1",
    "metadata.example.com": "169.254.169.254",
    "link6.example.com": "fe80::1",
    "mapped.example.com": "::ffff:127.0.0.1",
    "nat64.example.com": "64:ff9b::7f00:1",
    "6to4.example.com": "2002:7f00:1::1",
    "group.example.com": "224.0.0.1",
    "localhost": "127.0.0.1",
}
"""What a name server says, that of an attacker too."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A name server for these tests; addresses resolve as ever."""
    real, known = socket.getaddrinfo, dict(NAMES)

    def look_up(host: str, port: Any, *arguments: Any, **options: Any) -> Any:
        if host.rstrip(".").lower() in known:
            host = known[host.rstrip(".").lower()]
        elif not set(host) <= set("0123456789abcdefx.:%"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a connection was opened to; none is."""
    found: list[str] = []

    def connect(_socket: socket.socket, address: tuple[str, int]) -> None:
        found.append(address[0])
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return found


NEAR = (
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "127.255.255.254", "0.0.0.0", "0", "0.1.2.3", "::1", "::",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "169.254.169.254", "fe80::1",
    "224.0.0.1", "ff02::1", "255.255.255.255", "localhost", "LOCALHOST.",
    "loop.example.com", "loop6.example.com", "metadata.example.com", "link6.example.com",
    "mapped.example.com", "nat64.example.com", "6to4.example.com", "group.example.com",
)  # fmt: skip
"""This machine, its link and groups of hosts, in all spellings."""
HERE = {
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1",
    "2002:7f00:1::", "localhost", "LOCALHOST.", "loop.example.com", "mapped.example.com", "nat64.example.com",
    "6to4.example.com",
}  # fmt: skip
"""Of these, what leads to 127.0.0.1."""
FAR = ("203.0.113.7", "192.168.1.20", "10.0.0.1", "fd12::1", "2001:db8::1", "files.example.com", "lan.example.com")


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("host", NEAR)
@pytest.mark.parametrize("entries", [(), ("*",), ("0.0.0.0/0", "::/0"), ("*.example.com", "loop.example.com")])
def test_this_machine_and_its_link_are_refused_without_a_packet(
    host: str, entries: tuple[str, ...], dialled: list[str]
) -> None:
    """Whatever a URL or a name server says; a list that only covers them does not name them."""
    with pytest.raises(HostRefused, match=r"name it in files: \{hosts: \[…\]\}"):
        FileHosts(entries).connect(host, 80, 1.0)
    assert dialled == []


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("host", FAR)
@pytest.mark.parametrize("entries", [(), ("*",)])
def test_every_other_host_may_be_used_without_a_list(host: str, entries: tuple[str, ...], dialled: list[str]) -> None:
    """A file server in the local network is what most owners of a wallbox have."""
    with pytest.raises(ConnectionRefusedError):
        FileHosts(entries).connect(host, 80, 1.0)
    assert dialled == [NAMES.get(host, host)]


@pytest.mark.usefixtures("names", "dialled")
@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ("files.example.com", {"files.example.com"}),
        ("FILES.example.com.", {"files.example.com"}),
        ("*.example.com", {"files.example.com", "lan.example.com"}),
        ("192.168.0.0/16", {"192.168.1.20", "lan.example.com"}),
        ("192.168.1.20", {"192.168.1.20", "lan.example.com"}),
        ("2001:db8::/32", {"2001:db8::1"}),
        ("[2001:db8::1]", {"2001:db8::1"}),
        ("127.0.0.1", HERE),
        ("localhost", {"localhost", "LOCALHOST."}),
        ("169.254.0.0/16", {"169.254.169.254", "metadata.example.com"}),
        ("203.0.113.0/28", {"203.0.113.7", "files.example.com"}),
    ],
)
def test_a_list_allows_what_it_names(entry: str, allowed: set[str]) -> None:
    found = set()
    for host in (*NEAR, *FAR):
        try:
            FileHosts((entry,)).connect(host, 80, 1.0)
        except ConnectionRefusedError:
            found.add(host)
        except HostRefused:
            pass
    assert found == allowed


def test_an_address_of_this_machine_is_this_machine() -> None:
    """Its control port listens there as well as on loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no network")
        own = probe.getsockname()[0]
    with pytest.raises(HostRefused):
        FileHosts().connect(own, 80, 1.0)
    with closing(socket.create_server((own, 0))) as server:
        FileHosts((own,)).connect(own, server.getsockname()[1], 1.0).close()


def test_where_every_address_can_be_bound_hosts_may_still_be_used(
    dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ip_nonlocal_bind of Linux no address can be told from one of this machine's own."""
    monkeypatch.setattr(socket.socket, "bind", lambda _socket, _address: None)
    with pytest.raises(ConnectionRefusedError):
        FileHosts().connect("192.168.1.20", 80, 1.0)
    assert dialled == ["192.168.1.20"]


def test_a_name_that_changes_its_mind_leads_nowhere(names: dict[str, str], dialled: list[str]) -> None:
    """The connection goes to the address that was judged: a second look-up could find another one."""
    real, looks = socket.getaddrinfo, []

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        looks.append(host)
        names["turns.example.com"] = "203.0.113.7" if len(looks) == 1 else "127.0.0.1"
        return real(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        with pytest.raises(OSError, match="Connection refused"):
            FileHosts().connect("turns.example.com", 80, 1.0)
    assert (looks, dialled) == (["turns.example.com"], ["203.0.113.7"])


# --- each protocol, both ways -----------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as each:
        each.files["/fw.bin"] = IMAGE
        yield each


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def sends(url: str, here: Path, trust: FileTrust) -> TransferFailed:
    (here / "archive").write_bytes(IMAGE)
    with pytest.raises(TransferFailed) as caught:
        upload(here / "archive", url, "d.tar.gz", LIMITS, trust=trust)
    (here / "archive").unlink()
    return caught.value


def test_firmware_and_diagnostics_go_through_the_same_door(site: Web, here: Path, tmp_path: Path) -> None:
    """HTTP, FTP and SFTP: a server on this machine is not asked."""
    with ftp(tmp_path) as ftp_port, sftp(tmp_path) as ssh:
        (tmp_path / "hosts").write_bytes(ssh.known_hosts())
        trust = replace(DEFAULT_TRUST, known_hosts=tmp_path / "hosts")
        for root in (site.url("/"), f"ftp://{USER}127.0.0.1:{ftp_port}/", f"sftp://{USER}127.0.0.1:{ssh.port}/"):
            for error in (refusal(f"{root}fw.bin", here / "image", trust=trust), sends(root, here, trust)):
                assert "127.0.0.1 is no host that files may be fetched from or sent to" in str(error)
                assert not error.is_final, "retried as a host that cannot be reached is"
        assert not ssh.is_asked.is_set()
    assert site.asked == []


def test_ftps_goes_through_the_same_door(here: Path, tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with secure_ftp(tls) as site:
        error = refusal(f"ftps://{USER}127.0.0.1:{site.port}/fw.bin", here / "image", trust=DEFAULT_TRUST)
        assert "is no host" in str(error)
        assert site.heard == []


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]", "0.0.0.0", "169.254.169.254"])
def test_a_redirect_is_judged_like_a_location(site: Web, here: Path, host: str) -> None:
    """A redirect to our own control port is not followed."""
    site.redirects["/old"] = f"http://{host}:{site.port}/fw.bin"
    error = refusal(site.url("/old"), here / "image", trust=LOCAL)
    assert "is no host that files may be fetched from or sent to" in str(error)
    assert [path for _method, path, _header in site.asked] == ["/old"]


@pytest.mark.usefixtures("names")
def test_a_proxy_of_the_environment_is_used_and_gets_no_host_that_is_refused(
    site: Web, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is the owner's; what it is asked for is the central system's."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{site.port}")
    site.files["http://files.example.com/fw.bin"] = site.files["http://no-such.invalid/fw.bin"] = IMAGE
    download("http://files.example.com/fw.bin", here / "image", LIMITS)
    download("http://no-such.invalid/fw.bin", here / "image", LIMITS)  # only the proxy knows this name
    (here / "image").unlink()
    for host in ("loop.example.com", "169.254.169.254"):
        assert "is no host" in str(refusal(f"http://{host}/fw.bin", here / "image", trust=DEFAULT_TRUST))
    listed = FileTrust(hosts=FileHosts(("files.example.com",)))
    assert "is no host" in str(refusal("http://no-such.invalid/fw.bin", here / "image", trust=listed))
    assert len(site.asked) == 2


# --- the configuration ------------------------------------------------------------------------------------------------


def configured(tmp_path: Path, text: str) -> FileHosts:
    (tmp_path / "c.yaml").write_text(text)
    return read(tmp_path / "c.yaml").files.trust.hosts


def test_the_list_stands_in_the_configuration(tmp_path: Path) -> None:
    assert configured(tmp_path, "{}") == FileHosts()
    text = 'files: {hosts: [files.example.com, "*.example.org", 192.168.0.0/16, "*"]}'
    assert configured(tmp_path, text).entries == ("files.example.com", "*.example.org", "192.168.0.0/16", "*")


@pytest.mark.parametrize(
    "entry", ["http://files.example.com", "a b", "10.0.0.0/33", "10.0.0.256", "*.", "", "files.example.com:80"]
)
def test_an_entry_that_names_no_host_is_said(tmp_path: Path, entry: str) -> None:
    assert problem_of(entry) is not None
    with pytest.raises(ConfigurationError, match=r"hosts.*a host name, \*\.DOMAIN, an address"):
        configured(tmp_path, f'files: {{hosts: ["{entry}"]}}')
