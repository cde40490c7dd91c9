"""Every regular expression of the project takes a time proportional to the length of its text.

All chargers of a process share one event loop, and a central system may send a megabyte of anything. Each pattern is
found in the source, together with the methods it is used by, and fed with long texts that are made from its own
characters: repetitions of one or two of them, behind each beginning that the pattern knows. A pattern that tries a
position twice takes the square of the length, and a time test with one length would show that on a slow machine only;
here the times of two lengths are compared.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from re import _parser
from typing import Any

import pytest

from chargepoint.cli.story import Story
from chargepoint.model.journal import CallServed
from chargepoint.runtime.porter import version_in
from chargepoint.runtime.secrecy import masked, masked_text

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("chargepoint", "hw", "profiles")
METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")

SHORT, LONG = 2_000, 16_000
"""Characters of the two texts."""
LARGEST_RATIO = 3.0 * LONG / SHORT
"""Of the two times. The square of the length would give 64, the length itself gives 8."""
NEGLIGIBLE_S = 0.002
"""Of the long text: the square of 16,000 takes a hundred times as long."""

NOT_A_LITERAL = {
    "chargepoint.cli.completion": "asked",  # a shell script that a library wrote
    "hw.binding": "matches.pattern",  # `Matches`: found where it is declared
    "hw.document": "rf'(?:{_PLAIN[_name].pattern})\\Z'",  # a pattern of `_PLAIN`, with an end
}
"""Patterns that are made in a function: module and source."""
USED_AS = {"_PLAIN": {"fullmatch"}}
"""Methods of patterns that are used under another name."""


# --- finding ----------------------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text("utf-8")
            if "import re\n" in text or "Matches(" in text:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                yield name, ast.parse(text)


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from patterns_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from patterns_in(each)


def subject(node: ast.expr) -> str | None:
    """Return the name of a variable, of an attribute, or of what an item is taken from."""
    if isinstance(node, ast.Subscript):
        return subject(node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def found() -> dict[tuple[str, str], re.Pattern[str]]:
    """Return every pattern by where it stands and the method it is used by."""
    trees = dict(modules())
    used: dict[str, set[str]] = defaultdict(set)
    here: dict[tuple[str, str], re.Pattern[str]] = {}
    made: list[tuple[str, str]] = []
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = subject(node.func)
            if name == "Matches" and node.args:
                here[f"{module}:{node.lineno}", "fullmatch"] = re.compile(ast.literal_eval(node.args[0]))
            if not isinstance(node.func, ast.Attribute) or name not in (*METHODS, "compile"):
                continue
            on = subject(node.func.value)
            if on != "re":
                used[str(on)].add(name)
            elif isinstance(node.args[0], ast.Constant) and name != "compile":
                here[f"{module}:{node.lineno}", name] = re.compile(str(node.args[0].value))
            elif name != "compile":
                made.append((module, ast.unparse(node.args[0])))
    for module, tree in trees.items():
        inside = {id(each) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for each in ast.walk(node)}
        values = vars(importlib.import_module(module))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and subject(node.func) == "compile" and id(node) in inside:
                made.append((module, ast.unparse(node.args[0])))
            if isinstance(node, ast.Assign | ast.AnnAssign) and id(node) not in inside:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    name = subject(target)
                    for number, pattern in enumerate(patterns_in(values.get(str(name)))):
                        # One that is handed to a function is searched for there.
                        for method in sorted(USED_AS.get(str(name)) or used.get(str(name)) or {"search"}):
                            here[f"{module}.{name}[{number}]", method] = pattern
    unknown = [each for each in made if NOT_A_LITERAL.get(each[0]) != each[1]]
    assert not unknown, f"make these patterns where the module is loaded, so that they are tested: {unknown}"
    return here


FOUND = found()


# --- texts ------------------------------------------------------------------------------------------------------------


def pieces(pattern: re.Pattern[str]) -> list[str]:
    """Return characters and words that this pattern has to do with, and some that it may not."""
    letters: dict[str, None] = {}
    words: dict[str, None] = {}

    def walk(items: Any) -> None:
        word = ""
        for code, argument in items:
            kind = str(code)
            if kind == "LITERAL":
                word += chr(argument)
                letters.setdefault(chr(argument))
                continue
            if len(word) > 1:
                words.setdefault(word)
            word = ""
            if kind == "NOT_LITERAL":
                letters.setdefault(chr(argument))
            elif kind == "IN":
                for inner, value in argument:
                    if str(inner) == "LITERAL":
                        letters.setdefault(chr(value))
                    elif str(inner) == "RANGE":
                        letters.setdefault(chr(value[0]))
            else:
                for inner in nested(argument):
                    walk(inner)
        if len(word) > 1:
            words.setdefault(word)

    def nested(argument: Any) -> Iterator[Any]:
        if isinstance(argument, _parser.SubPattern):
            yield argument
        elif isinstance(argument, list | tuple):
            for each in argument:
                yield from nested(each)

    walk(_parser.parse(pattern.pattern, pattern.flags))
    usual = dict.fromkeys("a0 \"\\:=./-@{")
    return [*dict.fromkeys([*list(letters)[:16], *usual]), *list(words)[:12]]


def texts(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    """Yield long texts: each piece and each pair of pieces again and again, plain and behind a beginning that fits."""
    each = pieces(pattern)
    pairs = [first + second for first in each for second in each[:8] if first != second]
    for pump in (*each, *pairs):
        yield (pump * (length // len(pump) + 1))[:length]


def seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def assert_linear(work: Callable[[str], object], short: str, long: str) -> None:
    """Compare the times of two texts: the best of three each, unless the first look says that there is nothing to see."""
    long_s = seconds(lambda: work(long))
    if long_s < NEGLIGIBLE_S:
        return
    if long_s < 0.5:
        long_s = min(long_s, seconds(lambda: work(long)), seconds(lambda: work(long)))
    short_s = min(seconds(lambda: work(short)) for _ in range(3))
    shown = long[:40]
    assert long_s < max(NEGLIGIBLE_S, LARGEST_RATIO * short_s), f"{shown!r}…: {long_s:.4f} s, {short_s:.4f} s"


def apply(pattern: re.Pattern[str], method: str) -> Callable[[str], object]:
    if method == "sub":
        return lambda text: pattern.sub("", text)
    if method == "finditer":
        return pattern.findall
    return getattr(pattern, method)  # type: ignore[no-any-return]


# --- tests ------------------------------------------------------------------------------------------------------------


def test_patterns_are_found() -> None:
    """A search that finds nothing proves nothing."""
    assert len({where for where, _method in FOUND}) >= 30
    assert ("chargepoint.runtime.secrecy._NAMED[0]", "search") in FOUND
    assert ("hw.document._PLAIN[3]", "fullmatch") in FOUND


@pytest.mark.parametrize(("where", "method"), FOUND)
def test_a_pattern_takes_a_time_proportional_to_the_length(where: str, method: str) -> None:
    work = apply(FOUND[where, method], method)
    for short, long in zip(texts(FOUND[where, method], SHORT), texts(FOUND[where, method], LONG), strict=True):
        assert_linear(work, short, long)


@pytest.mark.parametrize(
    ("pattern", "pump"),
    [(r"\s*:", " "), (r"[0-9]+s", "0"), (r"(?:token)\w*=", "token"), (r"\\*[\"']", "\\"), (r"(\w+)://", "a")],
)
def test_a_pattern_that_tries_positions_twice_is_found_out(pattern: str, pump: str) -> None:
    """These take the square of the length."""
    search = re.compile(pattern).search
    assert any(set(each) == set(pump) for each in texts(re.compile(pattern), SHORT))
    with pytest.raises(AssertionError):
        assert_linear(search, pump * (SHORT // 4 // len(pump)), pump * (LONG // 4 // len(pump)))


PUMPS = (
    "a.", "token", "value:", '"value":"', "sig ", "http://", "://a:b", "password,", 'token"', "private", "\\u0041-", "key=",
    "value=token,key=", 'key:"token",value:"', "{", "password:[", "password:{'", "a\\", '\\"',
    "pass:\\\\'", "?auth=&", "@/", "a b:",
)  # fmt: skip
"""What the mask looks at. Each stands behind a beginning that makes it look."""


@pytest.mark.parametrize("pump", PUMPS)
def test_the_mask_takes_a_time_proportional_to_the_length(pump: str) -> None:
    """What a central system sends is masked wherever it is shown, a megabyte of anything too."""
    short, long = (f"x token ://{pump * (length * 4 // len(pump))}" for length in (SHORT, LONG))
    assert_linear(masked_text, short, long)
    assert_linear(lambda text: masked({"data": text}), short, long)
    assert_linear(lambda text: masked_text(f'[2,"1","X",{{"data":"{text}'), short, long)


def test_a_megabyte_is_masked_in_a_moment() -> None:
    """A legal DataTransfer of 960 kB: its line is written while all other chargers of the process stand still."""
    payload = json.dumps({"vendorId": "x", "data": "value:" * 160_000})
    story = Story(lambda *_line: None)
    assert seconds(lambda: story.listen("CP1", 0.0, CallServed("1", "DataTransfer", payload, True, "{}"))) < 0.25


@pytest.mark.parametrize("pump", ["1.", "1", "1.1-", "/", "?", "a"])
def test_a_version_is_found_in_a_time_proportional_to_the_length(pump: str) -> None:
    assert_linear(version_in, pump * SHORT, pump * LONG)
