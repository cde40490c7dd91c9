"""Card numbers: idTokens of OCPP 1.6 section 7.28."""

from __future__ import annotations


def short_tag(tag: str) -> str:
    """Return a card number, shortened so that a log reveals no usable card number."""
    return tag if len(tag) <= 4 else f"{tag[:2]}…{tag[-2:]}"


def same_tag(one: str | None, other: str | None) -> bool:
    """Whether two idTokens are the same: CiString, compared without case (OCPP 1.6 7.28). None equals nothing."""
    return one is not None and other is not None and one.lower() == other.lower()
