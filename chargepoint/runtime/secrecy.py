"""What must not be told: passwords, keys and whoever's they are, in payloads and in texts for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

HIDDEN = "…"

_SECRET_NAME = re.compile(r"authorizationkey|password|passwd|secret|token|private", re.IGNORECASE)
# What comes from outside may be a megabyte of anything, and everybody waits meanwhile: whatever repeats in these has a
# bound, or the search would take a time that grows with the square of the text.
_GAP = r"""["'\\\s]{0,20}"""
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^/\s\"']*@")
_QUERY_SECRET = re.compile(
    r"([?&;][\w.%-]{0,40}(?:token|signature|(?<![a-z])sig(?![a-z])|passw|secret|key|credential|auth)[\w.%-]{0,40}=)"
    r"[^&;#\s\"'<>]+",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"((?:authorizationkey|password|passwd|secret|token|signature|\bsig)\w{0,40}"
    rf"{_GAP}[:=,]{_GAP}(?:value{_GAP}[:=]{_GAP})?)[^\s\"'\\,}}&]+",
    re.IGNORECASE,
)
_VALUE_OF_SECRET = re.compile(
    rf"(value{_GAP}:{_GAP})[^\s\"'\\]{{1,200}}({_GAP},{_GAP}key{_GAP}:{_GAP}AuthorizationKey)", re.IGNORECASE
)
"""The members of a JSON object may stand in any order."""
_HINTS = (*_SECRET_NAME.pattern.split("|"), "sig", "://", "\\u")
"""What a JSON text with a secret in it has somewhere: a name, a URL, or a character that is spelt otherwise."""
DEEPEST = 64
"""Levels of a JSON value that are looked into; no message has as many."""


def is_secret_name(name: str) -> bool:
    """Whether the value of a configuration key, or of a member of an object, is nobody's business."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without user and password of URLs, values of secret keys, and the ``secrets`` themselves."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    text = _without_url_secrets(text)
    return _VALUE_OF_SECRET.sub(rf"\1{HIDDEN}\2", _SECRET_VALUE.sub(rf"\1{HIDDEN}", text))


def masked(payload: Any, depth: int = 0) -> Any:
    """Return a JSON value with its secrets hidden: the same object if it has none. ``depth``: where it stands.

    Hidden are the values of secret configuration keys (ChangeConfiguration, GetConfiguration.conf), members with a
    secret name, user, password and tokens of URLs, what looks like a secret in the free text of DataTransfer, and what
    stands deeper than `DEEPEST`. The rest stays as it is, signed meter values too.
    """
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(payload, dict):
        changed = {name: _member(name, value, payload, depth + 1) for name, value in payload.items()}
        return payload if all(changed[name] is payload[name] for name in payload) else changed
    if isinstance(payload, list):
        items = [masked(each, depth + 1) for each in payload]
        return payload if all(new is old for new, old in zip(items, payload, strict=True)) else items
    if isinstance(payload, str) and "://" in payload:
        return _if_changed(payload, _without_url_secrets(payload))
    return payload


def masked_text(payload: str) -> str:
    """Return the JSON text of a payload with its secrets hidden; a text that is no JSON as `without_secrets` has it."""
    lowered = payload.lower()
    if not any(hint in lowered for hint in _HINTS):
        return payload  # nearly every one: nothing to parse
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return without_secrets(payload)
    hidden = masked(value)
    return payload if hidden is value else json.dumps(hidden, separators=(",", ":"))


def _member(name: str, value: Any, holder: dict[str, Any], depth: int) -> Any:
    key = holder.get("key")
    names_secret = is_secret_name(name) or (name == "value" and isinstance(key, str) and is_secret_name(key))
    if names_secret and value is not None and not isinstance(value, bool):
        return HIDDEN
    if name == "data" and isinstance(value, str):
        return _if_changed(value, without_secrets(value))
    return masked(value, depth)


def _without_url_secrets(text: str) -> str:
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1{HIDDEN}@", text))


def _if_changed(before: str, after: str) -> str:
    return before if before == after else after
