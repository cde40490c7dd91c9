"""The doctor against mistakes that are made for real, and what it says of a way that is in order."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from chargepoint.runtime.address import Address
from chargepoint.runtime.doctor import Finding, Hop, State, examine
from chargepoint.runtime.doctor.findings import boot_finding, clock_remedy, names_identity_twice
from tests.runtime.newcomers import (
    BOOT,
    MISTAKES,
    PATIENCE_S,
    Ground,
    Mistake,
    diagnose,
    page,
    registers,
    tls_server,
    told,
    web_server,
    websocket_server,
)
from tests.wire.independent import Csms

PAGE = Path(__file__).parents[2] / "docs" / "connecting.md"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("doctor"))


@pytest.fixture(scope="module")
def seen() -> dict[str, Finding]:
    """What was said of each mistake so far."""
    return {}


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with Csms() as central:
        yield central


async def close_code(csms: Csms) -> int | None:
    await csms.dialogue.connection.wait_closed()
    return csms.dialogue.connection.close_code


def by_hop(findings: tuple[Finding, ...]) -> dict[Hop, Finding]:
    return {each.hop: each for each in findings}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
async def test_the_failing_hop_and_a_remedy_are_named(
    mistake: Mistake, ground: Ground, seen: dict[str, Finding]
) -> None:
    """`doctor` names the hop that fails, with one thing to try."""
    findings = await diagnose(mistake, ground)
    finding = seen[mistake.what] = told(mistake, findings)
    assert finding.hop is mistake.hop, findings
    assert mistake.remedy in finding.remedy
    assert [each.hop for each in findings if each.state is State.FAILED] == (
        [mistake.hop] if mistake.state is State.FAILED else []
    )
    assert "geheim" not in str(findings)


async def test_the_table_is_not_stale(request: pytest.FixtureRequest, ground: Ground, seen: dict[str, Finding]) -> None:
    """Rewrite it with `--rewrite-transcripts` and read the difference."""
    rows = [(each, seen.get(each.what) or told(each, await diagnose(each, ground))) for each in MISTAKES]
    text = page(rows)
    if request.config.getoption("--rewrite-transcripts"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


# --- a way that is in order -------------------------------------------------------------------------------------------


async def test_every_hop_says_what_was_tried_and_found() -> None:
    """The exact URL dialled, subprotocol asked and got, user of the Authorization header, and never the password."""
    heard: list[Finding] = []
    async with Csms(password="wallbox-0815-geheim") as csms:
        address = Address(url=csms.url, identity="CP 1", password=b"wallbox-0815-geheim")
        findings = await examine(address, BOOT, heard.append, PATIENCE_S)
        assert csms.all("BootNotification")[0]["charge_point_model"] == BOOT.charge_point_model
        assert await close_code(csms) == 1000
    assert list(findings) == heard
    assert [(each.hop, each.state) for each in findings] == [(hop, State.PASSED) for hop in Hop if hop is not Hop.TLS]
    hops = by_hop(findings)
    assert hops[Hop.URL].tried == f"{csms.url}/CP%201"
    assert hops[Hop.DNS].found == "127.0.0.1"
    assert "GET /ocpp/CP%201" in hops[Hop.HTTP].tried
    assert "Basic, user CP 1, password of 19 bytes" in hops[Hop.HTTP].tried
    assert hops[Hop.HTTP].found.startswith("HTTP 101, Server: Python")
    assert hops[Hop.SUBPROTOCOL].tried == "offered ocpp1.6"
    assert hops[Hop.SUBPROTOCOL].found == "the server chose ocpp1.6"
    assert hops[Hop.BOOT].found.startswith("Accepted, interval 3600 s, time 20")
    assert "geheim" not in str(findings)


async def test_without_boot_nothing_is_sent(csms: Csms) -> None:
    """With --no-boot the walk ends at the open WebSocket, which is closed in order."""
    findings = await examine(Address(url=csms.url, identity="CP001"), None, patience_s=PATIENCE_S)
    assert findings[-1].hop is Hop.SUBPROTOCOL
    assert csms.heard == []
    assert await close_code(csms) == 1000


async def test_trusted_certificate_is_described(ground: Ground) -> None:
    """Subject, issuer, expiry and names; protocol and cipher."""
    async with tls_server(names=("localhost", "127.0.0.1"))(ground) as dial:
        findings = await examine(Address(url=dial.url, identity="CP001", **dial.knobs), None, patience_s=PATIENCE_S)
    tls = by_hop(findings)[Hop.TLS]
    assert tls.state is State.PASSED
    assert re.match(r"TLSv1\.3, TLS_\w+; ", tls.found)
    assert "certificate of localhost, issued by ACME, Roots, valid 2000-01-01 to 3000-01-01" in tls.found
    assert tls.found.endswith("for localhost, 127.0.0.1")
    assert f"roots {ground.ca_file}" in tls.tried


@pytest.mark.parametrize(
    "what", ["certificate of a CA we do not trust", "certificate has expired", "certificate of another name"]
)
async def test_certificate_is_described_although_it_is_not_trusted(what: str, ground: Ground) -> None:
    """Who cannot see the certificate cannot mend it."""
    finding = (await diagnose(next(each for each in MISTAKES if each.what == what), ground))[-1]
    assert "issued by ACME, Roots, valid 20" in finding.found


async def test_server_that_hangs_up_after_tls_may_want_a_certificate(ground: Ground) -> None:
    """With TLS 1.3 the client has finished its handshake before the server says no; not every server says why."""
    async with tls_server(wants_client=True)(ground) as dial:
        finding = (await examine(Address(url=dial.url, identity="CP001", **dial.knobs), BOOT))[-1]
    assert finding.hop is Hop.TLS
    assert "check client_certificate" in finding.remedy


async def test_status_and_body_are_told() -> None:
    """HTTP status and the start of the body."""
    with web_server(404, "<h1>No such\n page</h1>" + "x" * 500) as port:
        address = Address(url=f"ws://127.0.0.1:{port}", identity="CP001")
        finding = (await examine(address, BOOT, patience_s=PATIENCE_S))[-1]
    assert "HTTP 404 Not Found; Server: BaseHTTP" in finding.found
    assert "body: '<h1>No such page</h1>xxx" in finding.found
    assert len(finding.found) < 300


async def test_redirect_elsewhere_gets_no_credentials(csms: Csms) -> None:
    """A redirect to another server is followed without them, as the link does it."""
    with web_server(301, location=f"{csms.url}/CP001") as port:
        address = Address(url=f"ws://127.0.0.1:{port}", identity="CP001", password=b"geheim")
        findings = await examine(address, None, patience_s=PATIENCE_S)
    first, second = (each for each in findings if each.hop is Hop.HTTP)
    assert "user CP001" in first.tried
    assert first.found == f"a redirect to {csms.url}/CP001"
    assert "no Authorization header" in second.tried
    request = csms.dialogue.connection.request
    assert request is not None
    assert "Authorization" not in request.headers


async def test_server_that_names_no_subprotocol_is_tolerated_when_told() -> None:
    async with websocket_server(_accept) as port:
        address = Address(url=f"ws://127.0.0.1:{port}", identity="CP001", require_subprotocol=False)
        findings = await examine(address, BOOT, patience_s=PATIENCE_S)
    assert by_hop(findings)[Hop.SUBPROTOCOL].found == "the server chose none, and that is tolerated"
    assert findings[-1].hop is Hop.BOOT
    assert findings[-1].state is State.PASSED


async def _accept(connection: ServerConnection) -> None:
    """Call first, then answer in two fragments: the doctor waits for the answer to its own call."""
    async for text in connection:
        message_id = json.loads(text)[1]
        await connection.send('[2,"1","ClearCache",{}]')
        await connection.send('[3,"another",{}]')
        answer = {"status": "Accepted", "interval": 60, "currentTime": datetime.now(UTC).isoformat()}
        whole = json.dumps([3, message_id, answer])
        await connection.send([whole[:10], whole[10:]])


@pytest.mark.parametrize("name", ["https_proxy", "HTTP_PROXY"])
async def test_proxy_of_the_environment_is_told_to_be_unused(
    name: str, monkeypatch: pytest.MonkeyPatch, ground: Ground
) -> None:
    """In a network that lets nobody out but by its proxy a charge point does not get out."""
    monkeypatch.setenv(name, "http://proxy.example:3128")
    refused = next(each for each in MISTAKES if each.hop is Hop.TCP)
    finding = (await diagnose(refused, ground))[-1]
    assert f"{name.lower()} is set, and a charge point dials without a proxy" in finding.found


# --- judgements without a socket --------------------------------------------------------------------------------------


def judged(answer: object) -> Finding | None:
    return boot_finding(
        json.dumps(answer), "1", "BootNotification", "CP001", datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    )


def boot(**fields: Any) -> list[object]:
    return [3, "1", {"status": "Accepted", "interval": 60, "currentTime": "2026-01-01T00:00:00Z", **fields}]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (boot(status="Accept"), "breaks OCPP 1.6"),
        (boot(currentTime="today"), "breaks OCPP 1.6"),
        ([3, "1", {}], "breaks OCPP 1.6"),
        ([4, "1", "SecurityError", "", {}], "CALLERROR SecurityError"),
        ([4, "1"], "CALLERROR"),
        (["x"], ""),
        ({}, "cannot be read"),
    ],
)
def test_answers_that_are_none(answer: object, found: str) -> None:
    """Whatever a central system says is told, and nothing breaks the doctor."""
    finding = judged(answer)
    if not found:
        assert finding is None
        return
    assert finding is not None
    assert finding.state is State.FAILED
    assert found in finding.found


@pytest.mark.parametrize("frame", [[2, "1", "Reset", {}], [3, "2", {}], [9, "1"]])
def test_frames_that_are_not_the_answer_are_waited_over(frame: object) -> None:
    assert judged(frame) is None


@pytest.mark.parametrize(
    ("ahead_s", "says"),
    [(0, ""), (59, ""), (-60, ""), (90, "90 s ahead of ours: set"), (-7210, "2 h behind ours: it may"), (3600, "UTC")],
)
def test_clocks_that_differ_are_told(ahead_s: float, says: str) -> None:
    remedy = clock_remedy(ahead_s)
    assert (says in remedy) if says else not remedy


@pytest.mark.parametrize(
    ("url", "knobs", "is_twice"),
    [
        ("ws://h/ocpp/CP001", {}, True),
        ("ws://h/ocpp/CP001/", {"trailing_slash": True}, True),
        ("ws://h/CP001", {"append_identity": False}, False),
        ("ws://h/ocpp/{id}", {}, False),
        ("ws://h/ocpp/XCP001", {}, False),
        ("ws://h/ocpp", {}, False),
    ],
)
def test_identity_that_stands_twice_is_seen(url: str, knobs: dict[str, Any], is_twice: bool) -> None:
    assert names_identity_twice(Address(url=url, identity="CP001", **knobs)) is is_twice


async def test_clock_a_little_off_is_no_note(ground: Ground) -> None:
    async with registers(ahead=timedelta(seconds=20))(ground) as dial:
        findings = await examine(Address(url=dial.url, identity="CP001"), BOOT, patience_s=PATIENCE_S)
    assert findings[-1].state is State.PASSED
