"""The tables of coverage tell what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coverage_tables import coverage

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


def test_the_tables_are_not_stale(request: pytest.FixtureRequest) -> None:
    """Rewrite them with `--rewrite-transcripts` and read the difference."""
    if request.config.getoption("--rewrite-transcripts"):
        PAGE.write_text(coverage(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == coverage()
