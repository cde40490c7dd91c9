"""How this charge point does in the certification catalogue, as a table made from the tests: `docs/conformance.md`.

"Passed" means that there is a test of that name that nothing skips or expects to fail; whether it is green is what the
test run says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.catalogue import LEFT_OUT, NOT_APPLICABLE, SECTIONS

CASES = Path(__file__).parent
PREFIX = "test_"
EVASIONS = frozenset({"skip", "skipif", "xfail", "importorskip"})
"""Names of pytest by which a test does not run, or may fail."""


@dataclass(frozen=True)
class CaseTest:
    """A test of a case."""

    path: str
    evasion: str | None = None
    """Why it, or its whole module, is skipped or expected to fail; None when it is neither."""


def case_tests() -> dict[str, CaseTest]:
    """Return the tests of cases by the id of the case."""
    found: dict[str, CaseTest] = {}
    for path in sorted(CASES.glob("test_*.py")):
        found |= dict(cases_in(path.name, path.read_text(encoding="utf-8")))
    return found


def cases_in(path: str, source: str) -> Iterator[tuple[str, CaseTest]]:
    """Yield id and test of every case in a source file."""
    module = ast.parse(source)
    functions = [node for node in module.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    of_all = [found for node in module.body if node not in functions and (found := _evasion(node)) is not None]
    for node in functions:
        if node.name.startswith(f"{PREFIX}TC_"):
            yield node.name.removeprefix(PREFIX), CaseTest(path, of_all[0] if of_all else _evasion(node))


def _evasion(node: ast.AST) -> str | None:
    """Return the reason that is given where something is skipped or expected to fail, None where nothing is."""
    names = {getattr(each, "attr", getattr(each, "id", None)) for each in ast.walk(node)}
    if names.isdisjoint(EVASIONS):
        return None
    for each in ast.walk(node):
        if isinstance(each, ast.keyword) and each.arg == "reason" and isinstance(each.value, ast.Constant):
            return str(each.value.value)
    return "no reason is given"


def result(case: str, found: dict[str, CaseTest]) -> str:
    """Return what the table says of a case."""
    test = found.get(case)
    if test is not None:
        return f"passed, `{test.path}`" if test.evasion is None else f"not passed: {test.evasion}"
    if case in NOT_APPLICABLE:
        return f"not applicable: {NOT_APPLICABLE[case]}"
    if case in LEFT_OUT:
        return f"left out: {LEFT_OUT[case]}"
    return "no test"


def conformance() -> str:
    """Return the text of docs/conformance.md."""
    found = case_tests()
    words = [result(case, found).split(":")[0].split(",")[0] for cases in SECTIONS.values() for case in cases]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    lines = [_HEAD, f"{len(words)} cases: {counts}.", ""]
    for section, cases in SECTIONS.items():
        lines += [f"## {section}", "", "| case | title | result |", "| --- | --- | --- |"]
        lines += [f"| {case} | {title} | {result(case, found)} |" for case, title in cases.items()]
        lines.append("")
    return "\n".join(lines)


_HEAD = """# The certification cases

Each case of the OCPP Compliancy Testing Tool for charge points (Open Charge Alliance, test case document for OCPP 1.6,
2024-04) is a test of its name in `tests/conformance`: the real charge point with a simulated board, over a real socket,
against a central system of other people's code that validates every message. This is no certificate.

Made from the tests by `./run test tests/conformance --rewrite-transcripts`; a test fails when it is stale.
"""
