"""Masks passwords, keys and tokens in payloads, log lines and archives.

A text that parses as JSON is masked by member name, at every depth, also inside strings that are JSON themselves. Any
other text is masked by what looks like ``name=value``, ``name: value``, a query string or a URL; a name and its value
stand on the two sides of one ``:`` or ``=``, so a secret word in another position hides nothing.

The time of every function is proportional to the length of its argument: a central system may send a megabyte of
anything, and all chargers of a process share one event loop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "…"
DEEPEST = 64
"""Levels of a JSON value that are examined; what stands deeper is hidden. No message of OCPP has as many."""

_SECRET_NAME = re.compile(
    r"authorization[ _-]?key|pass[ _-]?(?:word|wd|phrase|code)|secret|token|private|credential|cookie"
    r"|(?:api|access|account|shared)[ _-]?key|\A(?:proxy-)?authorization\Z|\A(?:pass|pwd|psk|auth)\Z",
    re.IGNORECASE,
)
_QUERY_NAME = re.compile(r"pass|signature|(?<![a-z])sig(?![a-z])|key|auth", re.IGNORECASE)
"""Names in the query of a URL that are secret beside those of `_SECRET_NAME`: what signs a URL opens what it leads to."""
_HEADER = re.compile(r"authorization|cookie", re.IGNORECASE)
"""Names of HTTP headers whose value is more than one word."""
_HINTS = ("pass", "pwd", "psk", "secret", "token", "priv", "cred", "cookie", "key", "auth", "sig", "://", "\\/", "\\u")
"""In lower case: a text without any of them has no secret that this module finds."""
_KEY_NAMES = frozenset({"key", "name", "variable", "parameter", "setting"})
"""Members whose value names what the member ``value`` of the same object holds, as in ChangeConfiguration."""


def is_secret_name(name: str) -> bool:
    """Return whether the value of a configuration key, header or member of this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def without_known(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of ``secrets`` masked wherever it stands; one of less than four characters stays.

    A secret is found as it is, in the escapes of a JSON string and percent-encoded.
    """
    for secret in secrets:
        if len(secret) >= 4:
            for spelling in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
                text = text.replace(spelling, HIDDEN)
    return text


def masked_text(text: str) -> str:
    """Return a text with its secrets masked: the same object when it has none."""
    return _text(text, 0)


def masked(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with its secrets masked: the same object when it has none. ``depth``: the level it stands at.

    Masked are the values of secret configuration keys (ChangeConfiguration, GetConfiguration.conf), members with a
    secret name, what `masked_text` finds in strings, and what stands deeper than `DEEPEST`.
    """
    if isinstance(value, str):
        return _text(value, depth)
    if not isinstance(value, dict | list):
        return value
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, list):
        items = [_pair(each, depth + 1) for each in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    members = [(_text(name, depth + 1), masked_member(value, name, depth + 1)) for name in value]
    is_same = all(name is old and new is value[old] for (name, new), old in zip(members, value, strict=True))
    return value if is_same else dict(members)


def masked_member(holder: dict[str, Any], name: str, depth: int = 0) -> Any:
    """Return one member of a JSON object, masked. Raises KeyError when there is none of that name."""
    value = holder[name]
    if value is None or isinstance(value, bool):
        return value
    if is_secret_name(name) or (name.lower() == "value" and _is_value_secret(holder)):
        return HIDDEN
    return masked(value, depth)


def _is_value_secret(holder: dict[str, Any]) -> bool:
    names = (each for name, each in holder.items() if name.lower() in _KEY_NAMES)
    return any(isinstance(each, str) and is_secret_name(each) for each in names)


def _pair(item: Any, depth: int) -> Any:
    """Return an item of an array, masked; a header may stand there as an array of its name and its value."""
    match item:
        case [str(name), str()] if is_secret_name(name):
            return [name, HIDDEN]
    return masked(item, depth)


def _text(text: str, depth: int) -> str:
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    if depth > DEEPEST:
        return HIDDEN
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            value, is_whole = _parsed(text)
        except (ValueError, RecursionError):
            return _masked_by_pattern(text)
        hidden = masked(value, depth + 1)
        # A name that stands twice in an object was parsed once: the text may hold a value that was not examined.
        return text if hidden is value and is_whole else _written(hidden)
    return _masked_by_pattern(text)


def _parsed(text: str) -> tuple[Any, bool]:
    """Return a JSON value, and whether all names in each of its objects differ. Raises ValueError, RecursionError."""
    is_whole = True

    def held(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_whole
        holder = dict(members)
        is_whole = is_whole and len(holder) == len(members)
        return holder

    return json.loads(text, object_pairs_hook=held), is_whole


def _written(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can spell
        return json.dumps(value, separators=(",", ":"))
    return text


# --- text that is not JSON --------------------------------------------------------------------------------------------
# Quantifiers are possessive and a word is matched from its first character only, so that no position is tried twice.

_ESCAPED = re.compile(r"(?<!\\)\\++u00(2d|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)
"""An ASCII letter, digit, ``-`` or ``_`` of a name, written as an escape of JSON."""
_NAMED = re.compile(r"""(?<![\w.%$-])([\w.%$-]++)(?:\\*+["'])?+[^\S\n]*+[:=][^\S\n]*+""")
"""A name up to the beginning of its value."""
_QUOTE = re.compile(r"""(?<!\\)\\*+["']""")
_WORD_END = re.compile(r"""[\s,;&"']|(?<!\\)\\++["'nrt]""")
_LINE_END = re.compile(r"""[\r\n"']|(?<!\\)\\++["'nr]""")
_QUERY_END = re.compile(r"""[&;#\s"'<>]|(?<!\\)\\++["'nrt]""")
_STRUCTURE = re.compile(r"""[\[\]{}]|(?<!\\)\\*+["']""")
_OBJECT_END = re.compile(r"[{}()\n]")
_SLASHES = re.compile(r":\\*+/\\*+/")
_AUTHORITY = re.compile(r"""[^/\s"'<>]*+""")
_LONGEST_NAME = 100
_LONGEST_PASSWORD = 1000
"""Characters in which the end of a password is looked for where it may not be one."""


def _masked_by_pattern(text: str) -> str:
    if "\\u00" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    text = _cut(text, _users(text))
    return _cut(text, _values(text))


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with `HIDDEN` in place of each span."""
    parts, done = [], 0
    for start, end in sorted(spans):
        if end > start >= done:
            parts += [text[done:start], HIDDEN]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _users(text: str) -> Iterator[tuple[int, int]]:
    """Yield where user and password of a URL stand."""
    at = 0
    while slashes := _SLASHES.search(text, at):
        start = slashes.end()
        found = _AUTHORITY.match(text, start)
        at = start if found is None else found.end()
        authority = text[start:at]
        _host, colon, port = authority.partition(":")
        if "@" in authority:
            yield start, start + authority.rindex("@")
        elif colon and port and not port.rstrip("\\").isdigit() and not authority.startswith("["):
            # No port is written so: a password with a `/` in it, which should have been %2F.
            rest = re.split(r"""[\s"'<>]""", text[at : at + _LONGEST_PASSWORD], maxsplit=1)[0]
            if "@" in rest:
                yield start, at + rest.rindex("@")


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where values stand whose name, before ``:`` or ``=``, is secret."""
    at = 0
    value_at: int | None = None  # of the member `value` in the object that is read
    object_at = 0  # what stands before belongs to the object that is read
    is_key_secret = False
    while named := _NAMED.search(text, at):
        name, start = named[1], named.end()
        lowered = name.lower()
        if _OBJECT_END.search(text, max(at, object_at), named.start()):
            value_at, is_key_secret = None, False
        at = start
        is_query = text[named.start() - 1 : named.start()] in ("?", "&", ";") and text[start - 1] == "="
        if is_secret_name(name) or (is_query and _is_secret_in_query(name)):
            ending = _QUERY_END if is_query else _LINE_END if _HEADER.search(name) else _WORD_END
            begin, at = _value(text, start, ending)
            yield begin, at
        elif lowered in _KEY_NAMES:
            told = text[start : start + _LONGEST_NAME]
            is_key_secret = is_key_secret or is_secret_name(told[slice(*_value(told, 0, _WORD_END))])
            if is_key_secret and value_at is not None:
                begin, end = _value(text, value_at, _WORD_END)
                value_at, at = None, max(at, end)
                yield begin, end
        elif lowered == "value" and is_key_secret:
            begin, at = _value(text, start, _WORD_END)
            yield begin, at
        elif lowered == "value":
            value_at = start
            told = text[start : start + _LONGEST_PASSWORD]
            object_at = start + _value(told, 0, _WORD_END)[1]


def _is_secret_in_query(name: str) -> bool:
    name = unquote(name)
    return is_secret_name(name) or _QUERY_NAME.search(name) is not None


def _value(text: str, start: int, ending: re.Pattern[str]) -> tuple[int, int]:
    """Return where a value begins and ends: an array or object with its brackets, a quoted text without its quotes."""
    if text[start : start + 1] in ("[", "{"):
        return start, _structure_end(text, start)
    opening = _QUOTE.match(text, start)
    if opening is not None:
        return opening.end(), _quoted_end(text, opening)
    end = ending.search(text, start)
    return start, len(text) if end is None else end.start()


def _structure_end(text: str, start: int) -> int:
    """Return where the array or object ends that begins at ``start``; brackets in quoted texts do not count."""
    depth, at = 0, start
    while found := _STRUCTURE.search(text, at):
        at = found.end()
        if found[0] in ("[", "{"):
            depth += 1
        elif found[0] in ("]", "}"):
            depth -= 1
            if depth == 0:
                return at
        else:
            at = _quoted_end(text, found)
            closing = _QUOTE.match(text, at)
            at = len(text) if closing is None else closing.end()
    return len(text)


def _quoted_end(text: str, opening: re.Match[str]) -> int:
    """Return where a quoted text ends, however deep its quotes are escaped."""
    escapes = len(opening[0]) - 1
    for closing in _QUOTE.finditer(text, opening.end()):
        if closing[0][-1] == opening[0][-1]:
            count = len(closing[0]) - 1
            # A quote or a backslash inside the value is escaped once more than the quotes around it.
            if count < escapes or count % (2 * (escapes + 1)) == escapes:
                return closing.start()
    return len(text)
