"""A real browser: Chromium, headless, driven by Playwright.

CHARGEPOINT_BROWSER names its program, and then it must be there; without it one is looked for, and without any the tests
are skipped (`apt install chromium`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, async_playwright, expect

from tests.browser.hands import Open

NAMES = ("chromium", "chromium-browser", "google-chrome")
SLOW_MS = 20_000
"""Longest wait for something to show: machines that run tests are busy."""

NO_ANSWERS: Mapping[str, Any] = {}
expect.set_options(timeout=SLOW_MS)


def browser_program() -> str:
    """Return the path of the browser; skip where there is none and nobody asked for one."""
    named = os.environ.get("CHARGEPOINT_BROWSER")
    found = next((path for path in map(shutil.which, [named] if named else NAMES) if path), None)
    assert found or not named, f"CHARGEPOINT_BROWSER={named} is not there"
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH, and CHARGEPOINT_BROWSER names none")
    return found


async def _fulfil(body: Any, route: Route) -> None:
    await route.fulfill(json=body)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = browser_program()
    # Chromium's sandbox does not run as root, as containers do.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        await browser.close()


class Pages:
    """Pages of one browser, used by one test after the other.

    A page has no memory of the last test: every hall has a port of its own, so another origin, with its own storage.
    """

    def __init__(self, browser: Browser) -> None:
        self.complaints: list[str] = []
        """What the pages of this test have to say."""
        self._browser = browser
        self._idle: list[Page] = []
        self._used: list[tuple[Page, str]] = []

    async def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        answers: Mapping[str, Any] = NO_ANSWERS,
    ) -> Page:
        page = self._idle.pop() if self._idle else await self._make()
        self._used.append((page, urlsplit(url).netloc))
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme)
        for pattern, body in answers.items():
            await page.route(pattern, partial(_fulfil, body))
        await page.goto(url)
        return page

    async def leave(self) -> list[str]:
        """Leave all pages blank for the next test and return what they complained of."""
        complaints, self.complaints = self.complaints, []
        used, self._used = self._used, []
        for page, _origin in used:
            await page.unroute_all(behavior="ignoreErrors")
            await page.goto("about:blank")
            await page.mouse.move(0, 0)  # or what the next test looks at is hovered over
        self._idle += [page for page, _origin in used]
        self.complaints.clear()  # what a page says that is left is not of the next test
        return complaints

    async def _make(self) -> Page:
        context = await self._browser.new_context()
        context.set_default_timeout(SLOW_MS)
        page = await context.new_page()
        page.on("console", lambda told: self._complain(f"console {told.type}: {told.text}"))
        page.on("pageerror", lambda error: self._complain(f"error: {error}"))
        page.on("request", lambda asked: self._see(page, asked))
        return page

    def _complain(self, text: str) -> None:
        # A browser writes every refusal to its console, however well the page takes it; and a server may close before
        # the last page that looks at it.
        if not any(refusal in text for refusal in ("status of 409", "status of 502", "ERR_CONNECTION_REFUSED")):
            self.complaints.append(text)

    def _see(self, page: Page, asked: Request) -> None:
        """None asks anybody but its own server."""
        origins = [origin for used, origin in self._used if used is page]
        if origins and urlsplit(asked.url).netloc not in origins:
            self._complain(f"asked a stranger: {asked.url}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages(browser: Browser) -> Pages:
    return Pages(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def show(pages: Pages) -> AsyncIterator[Open]:
    """Open pages, and see to it that none complained and none asked anybody but its own server."""
    yield pages.open
    assert await pages.leave() == []
