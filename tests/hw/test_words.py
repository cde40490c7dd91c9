"""The nearest word: one rule for every "did you mean"."""

import pytest

from hw.words import hint, nearest

COMMANDS = ("plug-in", "unplug", "swipe", "fault", "clear-fault", "pause", "unpause", "power-loss")
OPTIONS = ("--quiet", "--url", "--id", "--control", "--token", "--duration")


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("plug", COMMANDS, "plug-in"),  # what begins so goes before what only looks alike
        ("Plug_In", COMMANDS, "plug-in"),
        ("plugin", COMMANDS, "plug-in"),
        ("unplugg", COMMANDS, "unplug"),
        ("swpie", COMMANDS, "swipe"),
        ("clear", COMMANDS, "clear-fault"),
        ("bogus", COMMANDS, None),
        ("bogus", ("holds_c", "f_locks_up", "ground_fault"), None),
        ("--mqtt", OPTIONS, None),
        ("--contrl", OPTIONS, "--control"),
        ("ulr", ("url", "user"), "url"),
        ("x", (), None),
    ],
)
def test_nearest_word_is_the_likely_one_or_none(word: str, known: tuple[str, ...], near: str | None) -> None:
    """[D] A prefix first, a high cut-off else: a wrong suggestion is worse than none."""
    assert nearest(word, known) == near


def test_without_a_near_word_all_are_named() -> None:
    assert hint("swip", COMMANDS) == "did you mean swipe?"
    assert hint("zzz", ("a", "b")) == "available: a, b"
    assert hint("zzz", ()) == "there is none"
