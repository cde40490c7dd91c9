"""The verbs over HTTP, by a real server on loopback: what they do, who is let in, what is told live."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

import pytest

from chargepoint.cli.common import set_up_logging
from chargepoint.model.journal import CallSent
from chargepoint.runtime import pump
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.control import commands, events
from chargepoint.runtime.control.live import Follower
from chargepoint.runtime.control.waiting import Waiting
from chargepoint.runtime.shutdown import Shutdown, end
from chargepoint.runtime.store import Durability
from chargepoint.runtime.web import app, guard, server
from hw.loader import plan_board
from tests.runtime.desk import Moody, plug_in, swipe, until
from tests.runtime.web import Held, Office, office

TOKEN = "0123456789abcdef-secret"
JSON = "Content-Type: application/json"


# --- verbs ------------------------------------------------------------------------------------------------------------


async def test_a_whole_charge() -> None:
    async with office() as desk:
        assert await desk.do("plug-in") == {"done": "plugged in at connector 1"}
        await desk.comes_to("Preparing")
        await desk.do("swipe", tag="A1")
        await desk.comes_to("Charging")
        await until(lambda: desk.chargers[0].model.connectors[0].meter.register_wh > 100, "energy")
        state = await desk.ask("state")
        assert state["connectors"][0]["charge"]["id_tag"] == "A1"
        await desk.do("swipe", tag="A1")
        await desk.comes_to("Finishing")
        await desk.do("unplug")
        await desk.comes_to("Available")
        await until(lambda: not desk.chargers[0].model.queue, "the stop")
        session = (await desk.ask("sessions"))["sessions"][-1]
        assert (session["tag"], session["reason"], session["transaction_id"]) == ("A1", "Local", 1)
        statistics = await desk.ask("statistics", days="7")
        assert statistics["total"]["energy_wh"] == session["energy_wh"]
        assert statistics["days"][0]["sessions"] == 1


CALLS: dict[str, tuple[dict[str, Any], int]] = {
    "state": ({}, 200),
    "keys": ({"key": ["HeartbeatInterval", "Nonsense"]}, 200),
    "queue": ({}, 200),
    "charging-profiles": ({}, 200),
    "sessions": ({"last": 3}, 200),
    "statistics": ({"days": 3}, 200),
    "plug-in": ({"connector": 1, "state": "B"}, 200),
    "unplug": ({"connector": 1}, 200),
    "ev-state": ({"state": "C", "current": 8.5, "phases": 1}, 200),
    "swipe": ({"tag": "A1"}, 200),
    "fault": ({"what": "GroundFailure"}, 200),
    "clear-fault": ({"what": "GroundFailure"}, 200),
    "limit": ({"connector": 1, "amps": 10.5}, 200),
    "pause": ({"connector": 1}, 200),
    "unpause": ({"connector": 1}, 200),
    "confirm-repair": ({"connector": 1}, 200),
    "wait": ({"seconds": "6 s"}, 200),
    "wait-until": ({"energy": "2 kWh", "within": "1 min"}, 409),
    "network": ({"state": "up"}, 200),
    "power-loss": ({"seconds": 1}, 200),
    "key-set": ({"key": "HeartbeatInterval", "value": "77"}, 200),
    "send": ({"action": "Heartbeat", "payload": {}}, 200),
    "requeue": ({"key": "7"}, 404),
    "dismiss": ({"key": "7"}, 404),
}


@pytest.mark.parametrize("verb", commands.COMMANDS)
async def test_every_verb_answers(verb: str) -> None:
    """As a question by GET, as a deed by POST, and by the other method not at all; HEAD as GET, without the body."""
    arguments, status = CALLS[verb]
    async with office() as desk:
        path = f"/api/v1/chargers/CP1/{verb}"
        if commands.COMMANDS[verb].is_query:
            answer = await desk.http.get(path, params=arguments)
            head = await desk.http.head(path, params=arguments)
            assert (head.status_code, head.content) == (200, b"")
            other = await desk.http.post(path, json=arguments)
        else:
            answer = await desk.http.post(path, json=arguments)
            other = await desk.http.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert (other.status_code, other.json()["error"]["kind"]) == (405, "method-not-allowed")
        wrong = {**arguments, "nonsense": "1"}
        refused = await (
            desk.http.get(path, params=wrong) if commands.COMMANDS[verb].is_query else desk.http.post(path, json=wrong)
        )
        assert (refused.status_code, refused.json()["error"]["kind"]) == (422, "bad-arguments")
        assert "nonsense" in refused.json()["error"]["reason"]


async def test_keys_are_asked_for_by_name() -> None:
    async with office() as desk:
        told = await desk.ask("keys", key=["HeartbeatInterval", "Nonsense"])
        assert [each["key"] for each in told["keys"]] == ["HeartbeatInterval"]
        assert told["unknown"] == ["Nonsense"]


async def test_a_charger_is_named_by_how_it_begins() -> None:
    async with office(count=2) as desk:
        chargers = (await desk.http.get("/api/v1/chargers")).json()["chargers"]
        assert [each["id"] for each in chargers] == ["CP1", "CP2"]
        assert (await desk.ask("state", charger="CP2"))["id"] == "CP2"
        answer = await desk.http.get("/api/v1/chargers/CP/state")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "which charger? 2 fit: CP1, CP2")


async def test_a_slash_in_an_identity_is_part_of_it() -> None:
    """Written as %2F; and what is written so separates nothing."""
    async with office(prefix="A/B") as desk:
        assert (await desk.ask("state", charger="A%2FB1"))["id"] == "A/B1"
        assert (await desk.do("unplug", charger="A%2fB1"))["done"]
        for path in ("A%2FB1%2Fstate", "A/B1/state", "A%252FB1/state"):
            assert (await desk.http.get(f"/api/v1/chargers/{path}")).status_code == 404


async def test_a_deed_that_needs_no_arguments_needs_no_body() -> None:
    """`curl -X POST`. A body is JSON all the same, and says so."""
    async with office() as desk:
        assert (await desk.http.post("/api/v1/chargers/CP1/plug-in")).json() == {"done": "plugged in at connector 1"}
        answer = await desk.http.post("/api/v1/chargers/CP1/swipe")
        assert (answer.status_code, "tag: required" in answer.text) == (422, True)
        answer = await desk.http.post("/api/v1/chargers/CP1/unplug", content=b"{}")
        assert answer.status_code == 415


async def test_a_slash_at_the_end_leads_nowhere() -> None:
    async with office() as desk:
        answer = await desk.http.get("/api/v1/chargers/CP1/state/")
        assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not-found")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"connector": NaN}',
        b'{"\\ud800": 1}',
        b'{"state": "\\ud800"}',
        b"[" * 100_000,
        b'{"connector": ' + b"9" * 5000 + b"}",
        b'{"connector": true}',
        b'{"connector": "1"}',
    ],
)
async def test_a_body_that_is_no_object_of_arguments_is_refused_in_words(body: bytes) -> None:
    async with office() as desk:
        headers = {"Content-Type": "application/json"}
        answer = await desk.http.post("/api/v1/chargers/CP1/plug-in", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "bad-arguments")


async def test_a_payload_without_a_form_in_json_is_not_sent() -> None:
    async with office() as desk:
        body = b'{"action": "Heartbeat", "payload": {"a": 1e999}}'
        headers = {"Content-Type": "application/json"}
        answer = await desk.http.post("/api/v1/chargers/CP1/send", content=body, headers=headers)
        assert answer.status_code == 422


# --- who is let in ----------------------------------------------------------------------------------------------------


def request(line: str, *headers: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]).encode() + body


PLUG = "POST /api/v1/chargers/CP1/plug-in"
STATE = "GET /api/v1/chargers/CP1/state"
CHUNK = b"%x\r\n%s\r\n" % (500_000, b" " * 500_000)
"""Two of them are as much as a body may have."""
REFUSED = {
    "DNS rebinding": (request(STATE, host="evil.example"), 403),
    "DNS rebinding to a look-alike": (request(STATE, host="127.0.0.1.evil.example"), 403),
    "no host": (b"GET /api/v1/chargers HTTP/1.0\r\n\r\n", 403),
    "a page of a stranger": (request(PLUG, JSON, "Origin: http://evil.example", "Content-Length: 0"), 403),
    "a page of another port": (request(PLUG, JSON, "Origin: http://127.0.0.1:1", "Content-Length: 0"), 403),
    "a page in a sandbox": (request(PLUG, JSON, "Origin: null", "Content-Length: 0"), 403),
    "a stranger's live stream": (request("GET /api/v1/events", "Origin: http://evil.example"), 403),
    "a form": (
        request(PLUG, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 11", body=b"connector=1"),
        415,
    ),
    "a form that says it is text": (request(PLUG, "Content-Type: text/plain", "Content-Length: 2", body=b"{}"), 415),
    "a form without a field": (
        request(PLUG, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 0"),
        415,
    ),
    "a page of a stranger without a body": (request(PLUG, "Origin: http://evil.example", "Content-Length: 0"), 403),
    "two origins": (request(PLUG, JSON, "Origin: http://127.0.0.1", "Origin: http://evil.example"), 403),
    "two hosts": (request(STATE, "Host: evil.example"), 400),
    "a user at a host": (request(STATE, host="evil@127.0.0.1"), 403),
    "a host with a path": (request(STATE, host="127.0.0.1/evil"), 403),
    "a port out of range": (request(STATE, host="127.0.0.1:99999"), 403),
    "a port in letters": (request(STATE, host="localhost:abc"), 403),
    "a preflight": (
        request("OPTIONS /api/v1/chargers/CP1/plug-in", "Access-Control-Request-Method: POST"),
        405,
    ),
    "a large body": (request(PLUG, JSON, "Content-Length: 1000001"), 413),
    "a large body in pieces": (
        request(PLUG, JSON, "Transfer-Encoding: chunked", body=CHUNK * 2 + b"1\r\n \r\n"),
        413,
    ),
    "a length that is none": (request(PLUG, JSON, "Content-Length: x"), 400),
    "two lengths": (request(PLUG, JSON, "Content-Length: 2", "Content-Length: 3", body=b"{}"), 400),
    "a header without end": (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000, 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a path upwards": (request("GET /static/../../app.py"), 404),
    "a path upwards, encoded": (request("GET /static/..%2f..%2fapp.py"), 404),
    "a path upwards, encoded twice": (request("GET /static/%252e%252e/app.py"), 404),
    "a path with a backslash": (request("GET /static/..%5c..%5capp.py"), 404),
    "an absolute path": (request("GET /static//etc/passwd"), 404),
    "a path with a zero": (request("GET /static/x%00"), 404),
    "a charger upwards": (request("GET /api/v1/chargers/..%2f..%2fetc/state"), 404),
    "no charger": (request("GET /api/v1/chargers//state"), 404),
    "no verb": (request("GET /api/v1/chargers/CP1/nonsense"), 404),
    "half a character": (request("GET /api/v1/chargers/%ED%A0%80/state"), 404),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_is_refused(name: str) -> None:
    """And nothing was done."""
    text, status = REFUSED[name]
    async with office() as desk:
        found, answer = await desk.raw(text)
        assert found == status, answer[:300]
        assert not (await desk.ask("state"))["connectors"][0]["is_car_connected"]
        head, _, body = answer.partition(b"\r\n\r\n")
        assert json.loads(body)["error"]["reason"]
        assert b"content-security-policy: default-src 'none'" in head


async def test_a_body_may_come_in_pieces() -> None:
    async with office() as desk:
        body = b'b\r\n{"state":"B\r\n2\r\n"}\r\n0\r\n\r\n'
        status, answer = await desk.raw(request(PLUG, JSON, "Transfer-Encoding: chunked", body=body))
        assert status == 200, answer


async def test_our_own_page_may_act() -> None:
    async with office() as desk:
        own = f"Origin: {desk.url}"
        text = request(PLUG, JSON, own, "Content-Length: 0", host=f"127.0.0.1:{desk.port}")
        assert (await desk.raw(text))[0] == 200


async def test_other_names_must_be_configured() -> None:
    """In any case, and with the dot of the root or without."""
    async with office(names=("Box.Example", "wallbox.local.")) as desk:
        for host in ("box.example", "BOX.example.", "Wallbox.Local:8080", "localhost."):
            assert (host, (await desk.raw(request(STATE, host=host)))[0]) == (host, 200)
        assert (await desk.raw(request(STATE, host="localhost:1234")))[0] == 200
        assert (await desk.raw(request(STATE, host="[::1]:1234")))[0] == 200


@pytest.mark.parametrize("wrong", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xe9"])
async def test_without_its_token_nobody_gets_in(wrong: str) -> None:
    async with office(token=TOKEN) as desk:
        headers = [(b"Authorization", wrong.encode("latin-1"))] if wrong else []
        for path in ("/api/v1/chargers", "/metrics", "/openapi.json", "/", "/static/app.js", "/?token=wrong"):
            answer = await desk.http.get(path, headers=headers)
            assert (path, answer.status_code) == (path, 401)
            assert TOKEN not in answer.text
        assert (await desk.http.get("/healthz", headers=headers)).status_code == 200
        assert (await desk.http.get("/readyz", headers=headers)).status_code == 200


async def test_the_token_opens_the_door() -> None:
    async with office(token=TOKEN) as desk:
        answer = await desk.http.get("/api/v1/chargers", headers={"Authorization": f"bearer {TOKEN}"})
        assert answer.status_code == 200
        # Beyond loopback it is asked for by its address in digits, which nobody can rebind.
        assert (await desk.raw(request(STATE, f"Authorization: Bearer {TOKEN}", host="192.0.2.1")))[0] == 200
        assert (await desk.raw(request(STATE, f"Authorization: Bearer {TOKEN}", host="evil.example")))[0] == 403


async def test_a_browser_keeps_the_token_as_a_cookie() -> None:
    """Opened once with /?token=, it is sent on without it, and the cookie goes to no other page and no script."""
    async with office(token=TOKEN) as desk:
        answer = await desk.http.get("/", params={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await desk.http.get("/")).status_code == 200
        assert (await desk.http.get("/api/v1/chargers")).status_code == 200
        desk.http.cookies.set(guard.COOKIE, "wrong", domain="127.0.0.1")
        desk.http.cookies.clear()
        assert (await desk.http.get("/", headers={"Cookie": f"{guard.COOKIE}=wrong"})).status_code == 401


async def test_only_the_token_becomes_a_cookie() -> None:
    async with office() as desk:
        for wrong in ("\u20ac", "anything"):
            answer = await desk.http.get("/", params={"token": wrong})
            assert (answer.status_code, answer.headers["location"], "set-cookie" in answer.headers) == (303, "/", False)
    async with office(token=TOKEN) as desk:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        answer = await desk.http.get("/", params={"token": "wrong"}, headers=bearer)
        assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)


# --- who asks too slowly, and too many at once ------------------------------------------------------------------------


async def begin(desk: Office, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a request that never ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(text)
    return reader, writer


@pytest.mark.usefixtures("_quickly")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: 127",
        request(PLUG, JSON, "Content-Length: 20", body=b'{"'),
    ],
)
async def test_who_does_not_finish_a_request_is_closed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """And a stream that was asked for before is told on."""
    async with office() as desk:
        monkeypatch.setattr(server, "HEAD_S", 0.2)
        monkeypatch.setattr(server, "BODY_S", 0.2)
        stream = await Stream.open(desk)
        reader, writer = await begin(desk, text)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
        plug_in(desk.chargers[0])
        await stream.next("journal")
        stream.close()


async def test_who_does_not_finish_a_second_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with office() as desk:
        monkeypatch.setattr(server, "HEAD_S", 0.2)
        reader, writer = await begin(desk, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(30):
            await reader.readuntil(b'{"status":"ok"}')
            writer.write(b"GET /")
            assert await reader.read() == b""
        writer.close()


async def test_who_only_waits_locks_nobody_out() -> None:
    async with office() as desk:
        waiting = [await begin(desk, b"GET /") for _connection in range(250)]
        assert (await desk.http.get("/healthz")).status_code == 200
        for _reader, writer in waiting:
            writer.close()


@pytest.mark.parametrize("bound", ["MOST_CONNECTIONS", "MOST_REQUESTS"])
async def test_too_many_at_once_are_refused_in_words(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    async with office() as desk:
        monkeypatch.setattr(server, bound, 1)
        stream = await Stream.open(desk)
        status, answer = await desk.raw(request(STATE))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (status, json.loads(body)["error"]["kind"]) == (503, "overloaded")
        assert b"content-security-policy: default-src 'none'" in head
        stream.close()


# --- what is logged ---------------------------------------------------------------------------------------------------


async def test_json_logs_stay_json_whatever_the_server_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    level = root.level
    set_up_logging(0, False, "json")
    try:
        async with office() as desk:
            monkeypatch.setattr(app, "exposition", lambda *_arguments: 1 / 0)
            assert (await desk.raw(b"nonsense\r\n\r\n"))[0] == 400
            assert (await desk.raw(request("GET /metrics")))[0] == 500
    finally:
        root.setLevel(level)
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [each for each in entries if each["logger"] == "uvicorn.error"]
    assert [each["message"].strip() for each in told] == ["Invalid HTTP request received.", "Exception in ASGI application"]
    assert "ZeroDivisionError" in told[1]["exception"]


# --- for supervisors --------------------------------------------------------------------------------------------------


async def test_supervisors_see_whether_it_lives_and_is_ready() -> None:
    async with office() as desk:
        assert (await desk.http.get("/healthz")).json() == {"status": "ok"}
        assert (await desk.http.get("/readyz")).json() == {"ready": 1, "chargers": 1}
        assert (await desk.http.head("/healthz")).content == b""
        await desk.do("power-loss", seconds=3600)
        answer = await desk.http.get("/readyz")
        reason = "1 of 1 are not connected and accepted"
        assert (answer.status_code, answer.json()) == (503, {"ready": 0, "chargers": 1, "reason": reason})


async def test_who_has_no_network_is_not_ready() -> None:
    async with office() as desk:
        await desk.do("network", state="down")
        assert (await desk.http.get("/readyz")).status_code == 503
        await desk.do("network", state="up")
        await until(lambda: desk.chargers[0].model.session.is_online, "the network")
        assert (await desk.http.get("/readyz")).status_code == 200


async def test_a_fleet_that_still_comes_up_is_not_ready() -> None:
    async with office() as desk:
        desk.site.add(ChargerPlan(identity="CP2", board=plan_board("ac11-sim")), Held)
        answer = await desk.http.get("/readyz")
        assert (answer.status_code, answer.json()["ready"], answer.json()["chargers"]) == (503, 1, 2)
        assert 'chargepoint_chargers{phase="built"} 1.0' in (await desk.http.get("/metrics")).text
    async with office(count=0) as desk:
        answer = await desk.http.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "there is no charger")


async def test_who_cannot_store_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "STORE_RETRY_S", 0.01)
    store = Moody(None, Durability.RELAXED)
    async with office(store=store) as desk:
        assert "chargepoint_store_failing 0.0" in (await desk.http.get("/metrics")).text
        store.problem = "the disk is full"
        plug_in(desk.chargers[0])
        swipe(desk.chargers[0])
        await until(lambda: store.failures, "a commit")
        await until(lambda: desk.site.is_store_failing, "the failure")
        answer = await desk.http.get("/readyz")
        assert (answer.status_code, "the store fails" in answer.json()["reason"]) == (503, True)
        assert "chargepoint_store_failing 1.0" in (await desk.http.get("/metrics")).text
        store.problem = None
        await until(lambda: not desk.site.is_store_failing, "the commit")
        assert (await desk.http.get("/readyz")).status_code == 200


async def test_a_stream_tells_that_the_link_goes_down_before_it_ends() -> None:
    """The last thing that an observer learns of a program that ends is that its charger is offline [D]."""
    async with office() as desk:
        async with desk.http.stream("GET", "/api/v1/events", params={"charger": "CP1"}) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            ending = asyncio.create_task(end(desk.site, Shutdown(), (desk.front.close,)))
            told = [line async for line in lines]
            assert await ending
        last = next(line for line in reversed(told) if line.startswith("data: [") and "LinkChanged" in line)
        links = [event for event in json.loads(last.removeprefix("data: ")) if event["kind"] == "LinkChanged"]
        assert links[-1]["is_open"] is False


async def test_metrics_are_labelled_by_state_and_never_by_charger() -> None:
    async with office(count=2) as desk:
        answer = await desk.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        lines = answer.text.splitlines()
        assert 'chargepoint_connectors{status="Available"} 2.0' in lines
        assert "chargepoint_connected 2.0" in lines
        assert "CP1" not in answer.text


async def test_a_box_that_is_down_is_looked_at_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks at a box in the dark fills no mailbox."""
    async with office() as desk:
        await desk.do("power-loss", seconds=86_400)
        for _look in range(20):
            assert (await desk.ask("state"))["phase"] == "closing"
        assert desk.chargers[0]._mailbox == []


# --- live -------------------------------------------------------------------------------------------------------------


class Stream:
    """Server-Sent Events as a browser reads them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.last_id: str | None = None

    @classmethod
    async def open(cls, desk: Office, query: str = "", *headers: str) -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(request(f"GET /api/v1/events{query}", *headers))
        assert b" 200 " in await reader.readline()
        return cls(reader, writer)

    async def next(self, kind: str) -> Any:
        """Return the body of the next event of a kind."""
        async with asyncio.timeout(30):
            name = ""
            while True:
                line = (await self._reader.readline()).decode().rstrip()
                assert not self._reader.at_eof(), f"the stream has ended before {kind}"
                if line.startswith("id: "):
                    self.last_id = line[4:]
                elif line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: ") and name == kind:
                    return json.loads(line[6:])

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BUNDLE_S", 0.02)


@pytest.mark.usefixtures("_quickly")
async def test_a_stream_tells_state_and_events_of_a_charger() -> None:
    async with office(count=2) as desk:
        stream = await Stream.open(desk, "?charger=CP1")
        assert (await stream.next("state"))["id"] == "CP1"
        await desk.do("plug-in", charger="CP2")
        await desk.do("plug-in", charger="CP1")
        told = await stream.next("journal")
        assert {each["charger"] for each in told} == {"CP1"}
        while (await stream.next("state"))["connectors"][0]["status"] != "Preparing":
            pass
        stream.close()


@pytest.mark.usefixtures("_quickly")
async def test_a_stream_of_all_tells_who_changed() -> None:
    async with office(count=2) as desk:
        stream = await Stream.open(desk)
        assert [each["id"] for each in (await stream.next("fleet"))["chargers"]] == ["CP1", "CP2"]
        await desk.do("plug-in", charger="CP2")
        assert [each["id"] for each in (await stream.next("fleet"))["chargers"]] == ["CP2"]
        stream.close()


@pytest.mark.usefixtures("_quickly")
async def test_a_stream_may_tell_states_only() -> None:
    """A grid of a fleet draws no messages: it need not be told them, nor again when it comes back."""
    async with office(count=2) as desk:
        stream = await Stream.open(desk, "?journal=false&recent=100")
        await stream.next("fleet")
        await desk.do("plug-in", charger="CP2")
        await stream.next("fleet")
        assert stream.last_id is None
        stream.close()
        answer = await desk.http.get("/api/v1/events?journal=perhaps")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "journal is true or false")
        answer = await desk.http.get("/api/v1/events?recent=1001")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "recent is a number of 0 to 1000")


@pytest.mark.usefixtures("_quickly")
async def test_a_stream_goes_on_where_it_was() -> None:
    """Last-Event-ID: nothing twice, nothing left out."""
    async with office() as desk:
        stream = await Stream.open(desk, "?after=0")
        first = await stream.next("journal")
        assert first[0]["id"] == 1
        stream.close()
        await desk.do("plug-in")
        await desk.comes_to("Preparing")
        again = await Stream.open(desk, "?after=0", f"Last-Event-ID: {stream.last_id}")
        known = first[-1]["id"]
        assert stream.last_id == desk.front.events.mark(known)
        assert (await again.next("journal"))[0]["id"] == known + 1
        again.close()


@pytest.mark.usefixtures("_quickly")
async def test_who_was_away_too_long_is_told_how_much_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.Events.__init__, "__defaults__", (3, events.KEPT_CHARACTERS))
    async with office() as desk:
        stream = await Stream.open(desk, "", "Last-Event-ID: 0")
        missed = (await stream.next("missed"))["missed"]
        kept = await stream.next("journal")
        assert len(kept) == 3
        assert missed == kept[0]["id"] - 1
        stream.close()


@pytest.mark.usefixtures("_quickly")
async def test_who_comes_back_after_a_restart_is_told_so() -> None:
    """The page that was open meanwhile: what it knew is no part of this run."""
    async with office() as desk:
        stream = await Stream.open(desk, "?charger=CP1", "Last-Event-ID: 19d3a1b2c3d-7")
        assert await stream.next("restarted") == {"run": desk.front.events.run}
        assert (await stream.next("journal"))[0]["id"] == 1
        stream.close()


@pytest.mark.parametrize("last", ["x", "-1", "1" * 18, "²", "x-1", "1-", "1-x", "1-1-1"])
async def test_an_event_that_has_no_number_is_refused(last: str) -> None:
    async with office() as desk:
        answer = await desk.http.get("/api/v1/events", headers=[(b"Last-Event-ID", last.encode("latin-1"))])
        assert answer.status_code == 422


async def test_a_stream_that_is_only_looked_for_ends_at_once() -> None:
    async with office() as desk:
        status, answer = await desk.raw(request("HEAD /api/v1/events"))
        assert status == 200
        assert b"text/event-stream" in answer


@pytest.mark.usefixtures("_quickly")
async def test_who_does_not_read_costs_no_memory_and_no_charger_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps a bundle for it, and the socket what fits there; the ring is bounded, so is what it holds."""
    made = 0
    bundles = Follower.bundles

    def counted(follower: Follower) -> Any:
        nonlocal made
        for bundle in bundles(follower):
            made += 1
            yield bundle

    monkeypatch.setattr(Follower, "bundles", counted)
    async with office() as desk:
        stream = await Stream.open(desk, "?charger=CP1")
        journal = desk.chargers[0].model.journal
        text = "x" * 50_000
        entry = CallSent("1", "DataTransfer", text)
        loop = asyncio.get_running_loop()
        quiet, begin_s, slowest_s = 0, loop.time(), 0.0
        before = -1
        while quiet < 10:
            for _event in range(200):
                journal.write(0.0, entry)
            asked_s = loop.time()
            assert (await desk.http.get("/healthz")).status_code == 200
            slowest_s = max(slowest_s, loop.time() - asked_s)
            await asyncio.sleep(0.03)
            quiet = quiet + 1 if made == before else 0
            before = made
            assert loop.time() - begin_s < 30, "it goes on and on for somebody who does not read"
        assert slowest_s < 2.0
        kept = list(desk.front.events.after(0))
        assert sum(event.length for event in kept) <= events.KEPT_CHARACTERS
        stream.close()


@pytest.mark.usefixtures("_quickly")
async def test_the_end_of_the_process_ends_every_stream() -> None:
    async with office() as desk:
        stream = await Stream.open(desk)
        await stream.next("fleet")
        await desk.front.close()
        await stream._reader.read()
        assert stream._reader.at_eof()
        stream.close()


# --- what is described ------------------------------------------------------------------------------------------------


async def test_everything_is_described() -> None:
    async with office() as desk:
        told = (await desk.http.get("/openapi.json")).json()
        paths = {"/api/v1/chargers", "/api/v1/events"}
        paths |= {f"/api/v1/chargers/{{charger}}/{name}" for name in (*commands.COMMANDS, *commands.ALIASES)}
        assert set(told["paths"]) == paths
        deprecated = {path for path, each in told["paths"].items() if each.get("post", {}).get("deprecated")}
        assert deprecated == {f"/api/v1/chargers/{{charger}}/{name}" for name in commands.ALIASES}
        names = [operation["operationId"] for each in told["paths"].values() for operation in each.values()]
        assert len(set(names)) == len(names)


# --- a newcomer's first hour ------------------------------------------------------------------------------------------


async def test_a_charger_that_dials_the_control_port_is_answered_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """A WebSocket handshake at the page's port: the answer says what listens here, and no library advises in the log."""
    handshake = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: ocpp1.6",
    )
    async with office() as desk:
        status, answer = await desk.raw(request("GET /ocpp/CP001", *handshake, "Content-Length: 0"))
        assert (status, b"this is the control port of a chargepoint" in answer) == (400, True)
    assert "uvicorn" not in caplog.text
    assert "Unsupported upgrade" not in caplog.text


async def test_who_leaves_waits_for_nothing_any_more() -> None:
    """A client that closes its connection ends its wait: nothing of it stays."""
    body = b'{"seconds": 3600}'
    async with office() as desk:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(request("POST /api/v1/chargers/CP1/wait", JSON, f"Content-Length: {len(body)}", body=body))
        scheduler = desk.site.pump.scheduler
        await until(lambda: any(each.due_s > scheduler.charge_s + 3000 for each in armed(scheduler)), "the wait")
        writer.close()
        await until(lambda: not waits(scheduler), "nobody to wait")
        del reader


def armed(scheduler: Any) -> list[Any]:
    return [each for each in scheduler._charge if each.is_armed]


def waits(scheduler: Any) -> bool:
    owners = [getattr(each.action, "__self__", None) for each in armed(scheduler)]
    actions = [getattr(owner, "_action", None) for owner in owners if getattr(owner, "is_set", False)]
    return any(isinstance(getattr(action, "__self__", None), Waiting) for action in actions)


async def test_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    """TCP_NODELAY: else each further request on a connection takes 40 ms, and `ctl --all` of 200 chargers 9 s."""
    async with office() as desk:
        await desk.ask("queue")
        listening = desk.front._listening
        assert listening is not None
        (connection,) = listening._server.server_state.connections
        used = connection.transport.get_extra_info("socket")
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
