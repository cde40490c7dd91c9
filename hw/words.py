"""The nearest of some known words to one that is not known: every "did you mean" comes from here."""

from __future__ import annotations

from collections.abc import Iterable

CUT_OFF = 0.75
"""Likeness, 0..1, below which a word is no suggestion: a wrong suggestion is worse than none."""
SHORTEST_PREFIX = 3
"""Letters from which a word is taken for the beginning of another one."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` is most likely meant to be, None when none is near.

    A word that begins with ``word`` goes before one that only looks like it: ``plug`` is ``plug-in``, not ``unplug``. Then
    comes one of the same letters in another order. Upper and lower case, ``-`` and ``_``, and the dashes of an option make
    no difference.
    """
    words = list(known)
    plain = {_plain(each): each for each in reversed(words)}
    wanted = _plain(word)
    if wanted in plain:
        return plain[wanted]
    if len(wanted) >= SHORTEST_PREFIX:
        beginning = sorted((each for each in plain if each.startswith(wanted)), key=len)
        if beginning:
            return plain[beginning[0]]
    swapped = sorted(wanted)
    for each in plain:
        if sorted(each) == swapped:
            return plain[each]
    from difflib import get_close_matches  # only where something is wrong

    near = get_close_matches(wanted, plain, 1, cutoff=CUT_OFF)
    return plain[near[0]] if near else None


def hint(word: str, known: Iterable[str]) -> str:
    """Return what to say of an unknown word: the nearest known one, or all that there are."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean {near}?"
    return f"available: {', '.join(words)}" if words else "there is none"


def _plain(word: str) -> str:
    return word.casefold().replace("_", "-").lstrip("-")
