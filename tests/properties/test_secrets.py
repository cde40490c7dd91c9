"""A secret is hidden in every position of every kind of text that a log, an archive, a trace or an answer may show."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargepoint.cli.common import set_up_logging
from chargepoint.cli.story import Story, line_text
from chargepoint.model.journal import CallAnswered, CallSent, CallServed, FrameRefused
from chargepoint.runtime.diagnostics import Recollection, contents
from chargepoint.runtime.secrecy import masked, masked_text
from tests.world import World

NAMES = (
    "password", "Password", "userPassword", "passwd", "passphrase", "pwd", "secret", "client_secret", "token",
    "accessToken", "idToken", "privateKey", "AuthorizationKey", "authorizationkey", "api_key", "apiKey", "x-api-key",
    "Authorization", "Proxy-Authorization", "credentials", "cookie",
)  # fmt: skip
WORDS = ("TOKEN", "password", "secret", "type", "value", "key", "AuthorizationKey", "name", "", "a b", "x=y", "url: /")
"""Harmless words, which look like secret names on purpose."""

names = st.sampled_from(NAMES)
# Drawn from letters that no other part of a text has: a leak of half a secret is one, too.
secrets = st.text("QZѢ", min_size=4, max_size=24).filter(lambda text: text.strip("Ѣ") != "")
awkward = st.text("QZ\\\"'{}[]:=,;& \n\t%/@", min_size=4, max_size=12).filter(lambda text: "Q" in text)
"""Secrets with characters that end a value in some notation; for notations that quote them."""
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS)


def is_hidden(text: str) -> bool:
    return not set("QZѢ") & set(text) and "\\u0462" not in text


@st.composite
def holders(draw: st.DrawFn) -> Any:
    """An object with a secret in one of the ways that objects have, among other members in any order."""
    secret = draw(secrets | awkward)
    value: Any = draw(st.sampled_from([secret, [secret], {"is": secret}, [[secret, 1], None]]))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        members = {draw(names): value}
    elif kind == 1:
        key, holds = draw(st.sampled_from([("key", "value"), ("name", "value"), ("Key", "Value")]))
        members = {key: draw(names), holds: value}
    elif kind == 2:
        members = {"location": f"ftp://box:{quote(secret, safe='')}@host/x"}
    elif kind == 3:
        members = {"header": f"Authorization: Basic {b64encode(secret.encode()).decode()}QZ"}
    elif kind == 4:
        members = {f"https://host/x?{draw(names)}={draw(secrets)}": 1}
    else:
        members = {"headers": [[draw(names), secret]]}
    others = draw(st.dictionaries(st.sampled_from(["type", "vendorId", "status", "n"]), scalars, max_size=3))
    return dict(draw(st.permutations([*members.items(), *others.items()])))


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(scalars | inner, max_size=3).flatmap(lambda items: inner.map(lambda each: [*items, each])),
        st.tuples(st.sampled_from(["data", "payload", "x", "configurationKey"]), inner).map(lambda pair: dict([pair])),
        inner.map(lambda each: {"data": json.dumps(each)}),
        inner.map(lambda each: {"data": json.dumps(each, ensure_ascii=False, indent=1)}),
    )


planted = st.recursive(holders(), nested, max_leaves=4)


@given(planted, st.booleans())
def test_a_secret_in_json_is_hidden_wherever_it_stands(value: Any, is_ascii: bool) -> None:
    """Names, values, arrays, nested objects, objects in strings, escapes: a value and its text."""
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert not is_hidden(text)
    assert is_hidden(json.dumps(masked(value)))
    assert is_hidden(masked_text(text))


@given(planted, st.text("abc{}[]\"\\,: ", max_size=5), st.text("abc{}[]\"\\,: ", max_size=5))
def test_a_secret_in_a_line_around_json_is_hidden(value: Any, before: str, after: str) -> None:
    """JSON inside a log line does not parse: it is masked by what stands on the two sides of a colon."""
    text = json.dumps(value, ensure_ascii=False)
    if "headers" not in text:  # an array of name and value is JSON or nothing
        assert is_hidden(masked_text(f"{before} x {text} {after}"))


FORMS = (
    "{word} {name}={secret}",
    "{name}={secret},{word}={other}",
    "{word}={other};{name}={secret};x",
    "{name}: {secret}\n{word}",
    "{name} = {secret} {word}",
    "{name}:{secret}",
    "{name}='{secret}', {word}={other!r}",
    '{name}="{secret} {secret}" {word}',
    "{{'{word}': 1, '{name}': '{secret}'}}",
    '{{"type": "{word}", "{name}": "{secret}", "x": ',
    '{{\\"type\\": \\"{word}\\", \\"{name}\\": \\"{secret}\\"',
    "ChangeConfiguration(key='{name}', value='{secret}')",
    "key={name} readonly={word!r} value={secret}",
    '[2,"1","X",{{"value":"{secret}","key":"{name}","x":"{word}"}},',
    "https://host/x?a=1&{name}={secret}#{secret_free}",
    "https://host/{secret_free}?{name}={secret}&x=1",
    "GET /x?sig={secret}&v=1",
    "wss://{secret}:{secret}@host/ocpp {word}",
    "ftp://box:{secret}/{secret}@host/x",
    'ftp:\\/\\/box:{secret}@host\\/x"',
    "Authorization: Basic {secret}=\r\n{word}",
    "curl -H 'Authorization: Bearer {secret} {secret}' {word}",
    "Cookie: a={secret}; b={secret}\n{word}",
)


@given(names, secrets, st.sampled_from(WORDS), st.sampled_from(WORDS))
def test_a_secret_in_a_text_is_hidden(name: str, secret: str, word: str, other: str) -> None:
    """``key=value``, ``key: value``, URLs, headers, query strings, and JSON that was cut or escaped."""
    for form in FORMS:
        text = form.format(name=name, secret=secret, word=word, other=other, secret_free="end")
        assert not is_hidden(text)
        assert is_hidden(masked_text(text))
        assert is_hidden(masked_text(json.dumps({"data": text})))


@given(names, secrets, st.sampled_from(WORDS))
def test_no_line_of_the_log_shows_a_secret(name: str, secret: str, word: str) -> None:
    """What the peer says in requests, errors and frames that nobody can read."""
    data = json.dumps({"type": word, name: secret})
    payload = json.dumps({"vendorId": "x", "data": data})
    lines: list[str] = []
    story = Story(lambda *line: lines.append(line_text(*line)))
    for entry in (
        CallServed("1", "DataTransfer", payload, True, '{"status":"Accepted"}'),
        CallServed("1", "ChangeConfiguration", json.dumps({"key": name, "value": secret}), True, "{}"),
        CallServed("1", "", data, False, f"FormationViolation: {name}={secret}"),
        CallSent("2", "DataTransfer", payload),
        CallAnswered("2", "DataTransfer", False, f"InternalError: {data}", 0.1),
        FrameRefused(data, f"not JSON: {data}"),
    ):
        story.listen("CP1", 0.0, entry)
    assert len(lines) == 5
    assert is_hidden("\n".join(lines))


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_of_the_log_is_masked(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what a feature logs of an error description, and an exception that quotes what the peer sent."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up_logging(0, False, form)
        try:
            raise ValueError('not usable: {"password": "QQQQ"}')
        except ValueError:
            logging.getLogger("x").exception("DataTransfer 1: %s", '{"type": "TOKEN", "password": "QQQQ"}')
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    shown = capsys.readouterr().err
    assert shown.count("password") == 3
    assert is_hidden(shown)


def test_no_file_of_a_diagnostics_archive_shows_a_secret() -> None:
    """Frames are masked before they are cut to the length of a line, and what was stored by member name."""
    world = World()
    recollection = Recollection()
    recollection.watch(world.charger)
    for size in (10, 900, 5_000):
        data = json.dumps({"type": "TOKEN", "x": "-" * size, "password": "QQQQ"})
        world.ask("DataTransfer", vendorId="x", data=data)
        world.ask("DataTransfer", vendorId="x", data=f'{{"password":"QQQQ","x":"{"-" * size}')
    recollection.handle(logging.makeLogRecord({"msg": 'x {"type": "TOKEN", "password": "QQQQ"}'}))
    files = contents(world.charger, recollection)
    assert files["journal.txt"].count("CallServed") == 6
    assert "QQ" not in "".join(files.values())


def test_a_secret_word_as_a_value_hides_the_secret_and_not_the_next_name() -> None:
    """A pattern that crosses a separator takes the name ``password`` for the value of ``TOKEN``."""
    assert masked_text('{"type": "TOKEN", "password": "hunter22"}') == '{"type":"TOKEN","password":"…"}'
    assert masked_text('x {"type": "TOKEN", "password": "hunter22"}') == 'x {"type": "TOKEN", "password": "…"}'


@pytest.mark.parametrize("name", ["password", "x"])
def test_a_name_that_stands_twice_hides_nothing_from_the_mask(name: str) -> None:
    """Of two members of one name a parser keeps the last: the text has both."""
    assert "hunter22" not in masked_text(f'{{"{name}":"ftp://u:hunter22@h","{name}":"nothing"}}')


@pytest.mark.parametrize(
    "text",
    [
        "the password is not shown",
        'connector 1: {"status": "Available"}',
        "https://host/x?version=2&design=3#keys",
        "http://host:8080/a@b",
        "http://[::1]:80/a@b",
        '{"key":["AuthorizationKey","HeartbeatInterval"]}',
        '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":true}]}]',
        'OCMF|{"FV":"1.0","PG":"T1"}|{"SD":"3045"}',
        "AuthorizationCacheEnabled=true",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    """A trace that changes what it need not is no evidence."""
    assert masked_text(text) is text or masked_text(text) == text
