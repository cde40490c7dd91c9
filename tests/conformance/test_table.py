"""The table of certification cases tells what the tests do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.catalogue import LEFT_OUT, NOT_APPLICABLE, TITLES
from tests.conformance.table import case_tests, cases_in, conformance, result

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_the_table_is_not_stale(request: pytest.FixtureRequest) -> None:
    """Rewrite it with `--rewrite-transcripts` and read the difference."""
    if request.config.getoption("--rewrite-transcripts"):
        PAGE.write_text(conformance(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == conformance()


def test_every_case_has_a_test_or_a_reason_why_not() -> None:
    found = case_tests()
    assert [case for case in TITLES if result(case, found) == "no test"] == []


def test_no_case_has_both_a_test_and_a_reason() -> None:
    assert case_tests().keys() & (NOT_APPLICABLE.keys() | LEFT_OUT.keys()) == set()


def test_no_test_is_of_a_case_that_the_catalogue_does_not_know() -> None:
    assert case_tests().keys() <= TITLES.keys()


def test_every_collected_case_is_in_the_table(request: pytest.FixtureRequest) -> None:
    """What pytest collects and what the table reads are the same."""
    here = Path(__file__).parent
    collected = {item.name.split("[")[0] for item in request.session.items if item.path.parent == here}
    assert {name.removeprefix("test_") for name in collected if name.startswith("test_TC_")} <= case_tests().keys()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("async def test_TC_003(): pass", "passed, `test_x.py`"),
        ("@pytest.mark.xfail(reason='why')\nasync def test_TC_003(): pass", "not passed: why"),
        ("@pytest.mark.skipif(True, reason='why')\nasync def test_TC_003(): pass", "not passed: why"),
        ("async def test_TC_003():\n    pytest.skip('?')", "not passed: no reason is given"),
        ("pytestmark = pytest.mark.skip\nasync def test_TC_003(): pass", "not passed: no reason is given"),
        ("async def test_TC_004_1(): pass", "no test"),
        ("from pytest import skip\nasync def test_TC_003():\n    skip('?')", "not passed: no reason is given"),
        ("class Group:\n    async def test_TC_003(self): pass", "no test"),
    ],
)
def test_a_case_has_passed_only_if_nothing_spares_it(source: str, says: str) -> None:
    assert result("TC_003", dict(cases_in("test_x.py", source))) == says
