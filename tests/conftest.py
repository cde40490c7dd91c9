"""What all tests share: hypothesis draws the same examples in every run, so that a red suite stays red.

`./run test --hypothesis-profile=explore` draws other ones each time, and many more. `--rewrite-transcripts` writes the
golden transcripts anew instead of comparing with them: review what changed before you keep it. `--frames N` says how many
frames `tests/properties/test_frames.py` sends; `--chaos-seeds N` and `--chaos-seed S` choose what
`tests/properties/test_network_chaos.py` lives through; `--damages N` how often `tests/properties/test_damaged_store.py`
damages a store. `--thorough` raises what none of them names, see `THOROUGH`: it is for the last run before a change is
kept, the suite without it for every one in between.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile("ci")

TRANSCRIPTS = Path(__file__).parent / "transcripts"
REWRITE = "--rewrite-transcripts"
FRAMES = "--frames"
DAMAGES = "--damages"
CHAOS_SEEDS = "--chaos-seeds"
CHAOS_SEED = "--chaos-seed"

USUAL = {FRAMES: 5_000, DAMAGES: 60, CHAOS_SEEDS: 300}
THOROUGH = {FRAMES: 10_000, DAMAGES: 200, CHAOS_SEEDS: 1_000}
"""How much of what is drawn from seeds is tried."""

CheckTranscript = Callable[[str, Sequence[str]], None]
"""Compares the lines of a run with those kept under a name."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(REWRITE, action="store_true", help="write tests/transcripts anew instead of comparing with them")
    parser.addoption("--thorough", action="store_true", help="more seeds, frames and damages; takes some minutes more")
    parser.addoption(FRAMES, type=int, metavar="N", help="random and broken frames to send to chargers")
    parser.addoption(DAMAGES, type=int, metavar="N", help="damaged stores: random damages of each sort")
    parser.addoption(CHAOS_SEEDS, type=int, metavar="N", help="network chaos: live the first N seeds")
    parser.addoption(CHAOS_SEED, type=int, default=None, metavar="S", help="network chaos: live this seed only")


def count(config: pytest.Config, option: str) -> int:
    """Return how many are asked for of what an option counts."""
    asked: int | None = config.getoption(option)
    if asked is not None:
        return asked
    return (THOROUGH if config.getoption("--thorough") else USUAL)[option]


@pytest.fixture
def check_transcript(request: pytest.FixtureRequest) -> CheckTranscript:
    """Fail at the first line in which a run differs from its golden transcript."""

    def check(name: str, lines: Sequence[str]) -> None:
        path = TRANSCRIPTS / f"{name}.jsonl"
        if request.config.getoption(REWRITE):
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")
        kept = path.read_text("utf-8").splitlines() if path.exists() else []
        for number, (now, before) in enumerate(zip_longest(lines, kept, fillvalue=""), 1):
            if now != before:
                differing = (column for column, (a, b) in enumerate(zip(now, before, strict=False)) if a != b)
                start = max(0, next(differing, min(len(now), len(before))) - 80)
                was, found = (f"…{text[start : start + 240]}" for text in (before, now))
                what = f"{path.name}, line {number}, from column {start}\n  was {was}\n  is  {found}"
                pytest.fail(f"{what}\n`{REWRITE}` accepts it", pytrace=False)

    return check
