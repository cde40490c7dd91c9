"""A real browser: Chromium, headless, driven by Playwright.

CHARGEPOINT_BROWSER names its program, and then it must be there; without it one is looked for, and without any the tests
are skipped (`apt install chromium`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
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


@pytest_asyncio.fixture(loop_scope="session")
async def show(browser: Browser) -> AsyncIterator[Open]:
    """Open pages, and see to it that none complained and none asked anybody but its own server."""
    complaints: list[str] = []

    def complain(text: str) -> None:
        # A browser writes every refusal to its console, however well the page takes it; and a server may close before
        # the last page that looks at it.
        if not any(refusal in text for refusal in ("status of 409", "status of 502", "ERR_CONNECTION_REFUSED")):
            complaints.append(text)

    async with AsyncExitStack() as stack:

        async def open_page(
            url: str,
            *,
            width: int = 1280,
            height: int = 900,
            scheme: Literal["light", "dark"] = "light",
            answers: Mapping[str, Any] = NO_ANSWERS,
        ) -> Page:
            context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            stack.push_async_callback(context.close)
            context.set_default_timeout(SLOW_MS)
            page = await context.new_page()
            page.on("console", lambda told: complain(f"console {told.type}: {told.text}"))
            page.on("pageerror", lambda error: complain(f"error: {error}"))
            origin = urlsplit(url).netloc

            def see(asked: Request) -> None:
                if urlsplit(asked.url).netloc != origin:
                    complain(f"asked a stranger: {asked.url}")

            page.on("request", see)
            for pattern, body in answers.items():
                await page.route(pattern, partial(_fulfil, body))
            await page.goto(url)
            return page

        yield open_page
        assert complaints == []
