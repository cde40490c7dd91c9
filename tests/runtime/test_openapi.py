"""schemathesis over openapi.json: whatever is asked, no 5xx, and every answer is as described.

The examples are the same in every run; `--hypothesis-profile=explore` draws many more, and other ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from chargepoint.runtime.control.commands import COMMANDS
from chargepoint.runtime.control.live import Follower
from chargepoint.runtime.web import app
from chargepoint.runtime.web.openapi import description
from tests.runtime.web import office

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 7
"""Of each operation, in the suite."""


def ask_everything(url: str) -> int:
    """Ask every operation of a server; return how many requests that took. Raises AssertionError."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    asked = 0
    many = settings().max_examples if settings().max_examples > 100 else EXAMPLES
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        strategy = found.ok().as_strategy()

        @settings(max_examples=many, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            if asked % 2 and case.path_parameters is not None and "charger" in case.path_parameters:
                case.path_parameters["charger"] = "CP1"
            if case.path.endswith(("/power-loss", "/power-cut", "/wait")) and isinstance(case.body, dict):
                case.body["seconds"] = 0.0  # or it is dark for whatever comes after
            if case.path.endswith(("/swipe", "/send", "/wait-until")) and isinstance(case.body, dict):
                case.body["within"] = 0.01
            case.call_and_validate(checks=CHECKS, timeout=30)

        ask()
    return asked


async def one_word(_web: app.Web, _follower: Follower) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"


@pytest.mark.timeout(600)
async def test_every_answer_is_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the questions name a charger that is there, half whatever comes to mind. Streams end after a word."""
    monkeypatch.setattr(app.Web, "_bundles", one_word)
    async with office(board="ac22-sim-duo") as desk:
        asked = await asyncio.to_thread(ask_everything, desk.url)
        assert asked > 100
        assert (await desk.http.get("/healthz")).status_code == 200


def test_a_body_is_required_where_an_argument_is() -> None:
    paths = description()["paths"]
    needy = {
        name
        for name, verb in COMMANDS.items()
        if not verb.is_query and paths[f"/api/v1/chargers/{{charger}}/{name}"]["post"]["requestBody"]["required"]
    }
    assert needy == {
        *("ev-state", "limit", "swipe", "fault", "clear-fault", "network", "key-set", "send", "requeue", "dismiss"),
        *("wait", "wait-until"),
    }


def test_the_stream_is_described_with_its_refusals() -> None:
    events = description()["paths"]["/api/v1/events"]["get"]
    assert {"401", "403", "404", "422", "503"} <= events["responses"].keys()
    assert {each["name"]: each["schema"].get("maximum") for each in events["parameters"]}["after"] == 10**17 - 1
