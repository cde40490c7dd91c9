"""What must not be told: passwords, keys and whoever's they are, in payloads and in texts for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

HIDDEN = "…"

_SECRET_NAME = re.compile(r"authorizationkey|password|passwd|secret|token|private", re.IGNORECASE)
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s\"']*@")
_SECRET_VALUE = re.compile(
    r"""((?:authorizationkey|password|passwd|secret|token|signature|\bsig)\w*
        ["'\\\s]*[:=,]["'\\\s]*(?:value["'\\\s]*[:=]["'\\\s]*)?)[^\s"'\\,}&]+""",
    re.IGNORECASE | re.VERBOSE,
)
_VALUE_OF_SECRET = re.compile(
    r"""(value["'\\\s]*:["'\\\s]*)[^\s"'\\]+(["'\\\s]*,["'\\\s]*key["'\\\s]*:["'\\\s]*AuthorizationKey)""",
    re.IGNORECASE,
)
"""The members of a JSON object may stand in any order."""
_MAY_HIDE = re.compile(rf"{_SECRET_NAME.pattern}|sig|://|\\u", re.IGNORECASE)
"""What a JSON text with a secret in it has somewhere: a name, a URL, or a character that is spelt otherwise."""


def is_secret_name(name: str) -> bool:
    """Whether the value of a configuration key, or of a member of an object, is nobody's business."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without user and password of URLs, values of secret keys, and the ``secrets`` themselves."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    return _VALUE_OF_SECRET.sub(rf"\1{HIDDEN}\2", _SECRET_VALUE.sub(rf"\1{HIDDEN}", text))


def masked(payload: Any) -> Any:
    """Return a JSON value with its secrets hidden: the same object if it has none.

    Hidden are the values of secret configuration keys (ChangeConfiguration, GetConfiguration.conf), members with a
    secret name, user and password of URLs, and what looks like a secret in the free text of DataTransfer. The rest stays
    as it is, signed meter values too.
    """
    if isinstance(payload, dict):
        changed = {name: _member(name, value, payload) for name, value in payload.items()}
        return payload if all(changed[name] is payload[name] for name in payload) else changed
    if isinstance(payload, list):
        items = [masked(each) for each in payload]
        return payload if all(new is old for new, old in zip(items, payload, strict=True)) else items
    if isinstance(payload, str) and "://" in payload:
        return _if_changed(payload, _USER_INFO.sub(rf"\1{HIDDEN}@", payload))
    return payload


def masked_text(payload: str) -> str:
    """Return the JSON text of a payload with its secrets hidden; a text that is no JSON as `without_secrets` has it."""
    if _MAY_HIDE.search(payload) is None:
        return payload  # nearly every one: nothing to parse
    try:
        value = json.loads(payload)
    except ValueError:
        return without_secrets(payload)
    hidden = masked(value)
    return payload if hidden is value else json.dumps(hidden, separators=(",", ":"))


def _member(name: str, value: Any, holder: dict[str, Any]) -> Any:
    key = holder.get("key")
    names_secret = is_secret_name(name) or (name == "value" and isinstance(key, str) and is_secret_name(key))
    if names_secret and isinstance(value, str | int | float) and not isinstance(value, bool):
        return HIDDEN
    if name == "data" and isinstance(value, str):
        return _if_changed(value, without_secrets(value))
    return masked(value)


def _if_changed(before: str, after: str) -> str:
    return before if before == after else after
