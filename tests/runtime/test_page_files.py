"""What the server gives the page: its files, the QR code of the display, and what was taken from others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
import segno

from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.frontdesk import FrontDesk
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from chargepoint.runtime.web import qr
from chargepoint.runtime.web.app import Web
from tests.runtime.desk import seat

STATIC = Path(qr.__file__).parent / "static"
LINK = "https://pay.example.com/{id}/{connector}"
TOKEN = "0123456789abcdef"


def client(admission: Admission, identity: str = "CP1") -> httpx.AsyncClient:
    """Return a client of the page of one charger, which dials nobody."""
    site = Site(Store(None, Durability.RELAXED))
    charger, _link = seat(site, identity)
    charger.start()
    front = FrontDesk(site)
    web = Web(front.desk, front.events, admission)
    return httpx.AsyncClient(transport=httpx.ASGITransport(web.app), base_url="http://localhost")


@pytest.mark.parametrize("path", ["/", "/display", "/static/look.css", "/static/js/app.js", "/static/icon.svg"])
async def test_files_are_served_and_asked_for_anew(path: str) -> None:
    """A file from yesterday beside one from today would be no page: a browser asks whether its copies still hold."""
    async with client(Admission()) as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["index.html", "display.html"])
def test_pages_hold_neither_scripts_nor_styles_nor_strangers(name: str) -> None:
    text = (STATIC / name).read_text("utf-8")
    assert "style=" not in text
    assert "<style" not in text
    assert "//" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/js/')


async def test_a_token_leaves_the_address_and_the_rest_of_it_stays() -> None:
    async with client(Admission(token=TOKEN)) as browser:
        answer = await browser.get("/display", params={"charger": "CP1", "token": TOKEN, "connector": "1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/display?charger=CP1&connector=1"


async def test_two_hosts_are_refused_whatever_server_lets_them_through() -> None:
    async with client(Admission()) as browser:
        answer = await browser.get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "there is more than one Host")


@pytest.mark.parametrize("sign", [" ", '"', ",", ";", "\\", "\u20ac", "\ufffd", "\x7f", "\n"])
def test_a_token_is_what_a_cookie_can_bear(sign: str) -> None:
    with pytest.raises(ValueError, match="make one by `openssl rand -hex 16`"):
        Admission(token=TOKEN + sign)
    Admission(token="!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~")


# --- the QR code ------------------------------------------------------------------------------------------------------


async def test_the_code_holds_the_link_of_the_outlet() -> None:
    async with client(Admission(start_link=LINK), "CP/7 é") as browser:
        answer = await browser.get("/display/qr.svg", params={"connector": "1"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.content == qr.svg("https://pay.example.com/CP%2F7%20%C3%A9/1")


def test_the_code_is_drawn_with_its_quiet_zone() -> None:
    picture = qr.svg("https://pay.example.com/CP1/1").decode()
    modules = segno.make_qr("https://pay.example.com/CP1/1", error="m").symbol_size(border=4)[0]
    assert f'viewBox="0 0 {modules} {modules}"' in picture
    assert "width=" not in picture.partition(">")[0]


async def test_without_a_link_there_is_no_content() -> None:
    async with client(Admission()) as browser:
        assert (await browser.get("/display/qr.svg")).status_code == 204


@pytest.mark.parametrize(("query", "status"), [("connector=2", 409), ("connector=x", 422), ("charger=CP9", 404)])
async def test_no_code_for_what_is_not_there(query: str, status: int) -> None:
    async with client(Admission(start_link=LINK)) as browser:
        assert (await browser.get(f"/display/qr.svg?{query}")).status_code == status


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("https://pay.example.com/{outlet}", "only {id} and {connector}"),
        ("pay.example.com/{id}", "not a link"),
        ("https://pay.example.com/{id", "start_link"),
        ("https://pay.example.com/{}", "only {id} and {connector}"),
        ("https://pay.example.com/{id.__class__}", "only {id} and {connector}"),
        ("https://pay.example.com/{id!r}", "start_link"),
        ("https://pay.example.com/" + "x" * 500, "at most 500"),
    ],
)
def test_a_template_that_makes_no_link_is_refused(link: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Admission(start_link=link)


def test_a_link_need_not_name_the_connector() -> None:
    assert Admission(start_link="app:start?at={id}").link_to("CP1", 2) == "app:start?at=CP1"


# --- what was taken from others ---------------------------------------------------------------------------------------

TAKEN = {
    "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
    "hooks.js": "5c65ab263688d0805862fd0807c779af02c2799c44fda0873dfcb870d0da70a0",
    "preact.js": "225d7a773766e6fb2cfcc45274fe41d2059f5782f3f2c4569aa5132a2d3a2902",
    "uplot.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uplot.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
}
"""SHA-256 of each file as it was taken; LICENSES.txt says from where."""


def test_what_was_taken_from_others_is_as_it_was_taken() -> None:
    files = {path.name: path for path in (STATIC / "vendor").iterdir() if path.name != "LICENSES.txt"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == TAKEN


def test_every_file_that_was_taken_has_its_source_and_licence() -> None:
    told = (STATIC / "vendor" / "LICENSES.txt").read_text("utf-8")
    assert all(name in told for name in TAKEN)
    assert told.count("The MIT License (MIT)") == 2
    assert told.count("Apache License") >= 1
