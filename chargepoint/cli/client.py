"""A running chargepoint, spoken to over HTTP with the standard library: what `ctl` and `stats` stand on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import click

from chargepoint.cli import EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE, program
from chargepoint.runtime.control.commands import Command

DEFAULT_URL = "http://127.0.0.1:8080"
ANSWER_S = 10.0
"""Every verb answers at once; an answer that takes so long does not come."""
SILENCE_S = 60.0
"""A stream of events says something at least every 15 s."""


class Refused(click.ClickException):
    """It was understood and not done."""

    exit_code = EXIT_FAILED


class Wrong(click.ClickException):
    """It was not understood."""

    exit_code = EXIT_USAGE


class Unreachable(click.ClickException):
    """Nobody answered, or somebody else did."""

    exit_code = EXIT_UNREACHABLE


class Client:
    """Verbs for the chargers of one process. Every method raises Refused, Wrong and Unreachable."""

    def __init__(self, url: str, token: str | None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise click.UsageError(f"--url is something like {DEFAULT_URL}, not {url!r}")
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        # No proxy: what is controlled is here, or on the same network.
        self._opener = build_opener(ProxyHandler({}))

    def chargers(self) -> list[dict[str, Any]]:
        """Return every charger in a line."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/chargers")["chargers"]
        return found

    def identities(self, prefix: str | None, *, takes_many: bool) -> list[str]:
        """Return the chargers whose identity is, or begins with, ``prefix``; None: the only one, or with many all."""
        there = [str(each["id"]) for each in self.chargers()]
        found = [prefix] if prefix in there else [each for each in there if each.startswith(prefix or "")]
        if len(found) == 1 or (found and takes_many):
            return [str(each) for each in found]
        choices = ", ".join([*(found or there)[:8], *(["…"] if len(found or there) > 8 else [])])
        if not there:
            raise Refused(f"there is no charger at {self._url}")
        if not found:
            raise Refused(f"no charger begins with {prefix!r}: there is {choices}")
        raise Wrong(f"which charger? {len(found)} fit: {choices}. Name one with --id, or all of them with --all.")

    def do(self, identity: str, verb: Command, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Do a verb and return what it tells."""
        path = f"/api/v1/chargers/{quote(identity, safe='')}/{verb.name}"
        if verb.is_query:
            query = urlencode(arguments, doseq=True)
            return self._json("GET", f"{path}?{query}" if query else path)
        return self._json("POST", path, arguments)

    def events(self, identity: str | None, after: int | None) -> Iterator[tuple[str, Any]]:
        """Yield what happens, as it happens: kind of bundle and its body. Ends when the other side does."""
        asked = {"charger": identity, "after": after}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        with self._open("GET", f"/api/v1/events?{query}", None, SILENCE_S) as stream:
            kind = ""
            try:
                for line in _lines(stream):
                    name, _, value = line.decode().partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        yield kind, json.loads(value)
            except (OSError, HTTPException) as error:
                raise Unreachable(f"{self._url} has gone silent ({error}): is it still running?") from error

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        with self._open(method, path, body, ANSWER_S) as answer:
            try:
                told = json.load(answer)
            except (ValueError, OSError) as error:
                raise self._stranger() from error
        if not isinstance(told, dict):
            raise self._stranger()
        return told

    def _open(self, method: str, path: str, body: Mapping[str, Any] | None, timeout_s: float) -> HTTPResponse:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        headers = {**self._headers, **({} if data is None else {"Content-Type": "application/json"})}
        request = Request(self._url + path, data, headers, method=method)
        try:
            opened: HTTPResponse = self._opener.open(request, timeout=timeout_s)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise Unreachable(
                f"nobody answers at {self._url} ({reason}): start one with `{program.name()} run --control 8080 …`, "
                "or say where it is with --url"
            ) from error
        return opened

    def _refusal(self, error: HTTPError) -> click.ClickException:
        try:
            reason = str(json.load(error)["error"]["reason"])
        except (ValueError, LookupError, TypeError, OSError):
            return self._stranger()
        if error.code == HTTPStatus.UNAUTHORIZED and "Authorization" in self._headers:
            return Refused(f"{self._url} does not take this token: see --token and CHARGEPOINT_CONTROL_TOKEN")
        if error.code == HTTPStatus.UNAUTHORIZED:
            return Refused(f"{self._url} wants a token: give --token, or set CHARGEPOINT_CONTROL_TOKEN")
        if error.code in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            return Refused(reason)
        return Wrong(reason)

    def _stranger(self) -> Unreachable:
        return Unreachable(f"what answers at {self._url} is no chargepoint: say where it is with --url")


def _lines(stream: HTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a body as they come. Raises HTTPException where it breaks off: `readline` would just end."""
    rest = b""
    while some := stream.read1():
        *whole, rest = (rest + some).split(b"\n")
        yield from whole
