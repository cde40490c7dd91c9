"""What the wire tests share: an independent central system that must have had nothing to refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.wire.independent import Csms


@pytest_asyncio.fixture
async def csms() -> AsyncIterator[Csms]:
    async with Csms() as central:
        yield central
    assert central.problems == []
