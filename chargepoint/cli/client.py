"""A running chargepoint over HTTP, with the standard library only: what `ctl` and `stats` use.

Nothing of a charger, of `ocpp` or of pydantic is imported here: a call of `ctl` must cost little more than an HTTP request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click

from chargepoint.cli import EXIT_FAILED, EXIT_TIMEOUT, EXIT_UNREACHABLE, EXIT_USAGE, program
from chargepoint.runtime.control.commands import Command

ANSWER_S = 10.0
"""A command that does not wait is answered at once; an answer that takes longer does not come."""
SILENCE_S = 60.0
"""A stream of events says something at least every 15 s."""


class Refused(click.ClickException):
    """It was understood and not done."""

    exit_code = EXIT_FAILED


class TimedOut(click.ClickException):
    """What was waited for did not happen within the time limit."""

    exit_code = EXIT_TIMEOUT


class Wrong(click.ClickException):
    """It was not understood."""

    exit_code = EXIT_USAGE


class Unreachable(click.ClickException):
    """No response, or one of another program."""

    exit_code = EXIT_UNREACHABLE


class Client:
    """Commands for the chargers of one process. Every method raises Refused, TimedOut, Wrong and Unreachable.

    One connection serves all commands.
    """

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise click.UsageError(f"--url is something like http://127.0.0.1:8080, not {url!r}")
        self._url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        # No proxy: what is controlled is here, or on the same network.
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, port, timeout=ANSWER_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

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

    def do(self, identity: str, command: Command, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Do a command and return its result; one that waits takes as long as it does."""
        path = f"/api/v1/chargers/{quote(identity, safe='')}/{command.name}"
        if command.is_query:
            query = urlencode(arguments, doseq=True)
            return self._json("GET", f"{path}?{query}" if query else path)
        waits = bool(arguments.get("wait")) or (command.argument("wait") is None and command.name.startswith("wait"))
        return self._json("POST", path, arguments, None if waits else ANSWER_S)

    def events(self, identity: str | None, after: int | None) -> Iterator[tuple[str, Any]]:
        """Yield what happens, as it happens: kind of bundle and its body. Ends when the other side does."""
        asked = {"charger": identity, "after": after}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        stream = self._open("GET", f"/api/v1/events?{query}", None, SILENCE_S)
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

    def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float | None = ANSWER_S
    ) -> dict[str, Any]:
        answer = self._open(method, path, body, timeout_s)
        try:
            told = json.load(answer)
        except (ValueError, OSError, HTTPException) as error:
            raise self._stranger() from error
        if not isinstance(told, dict):
            raise self._stranger()
        return told

    def _open(
        self, method: str, path: str, body: Mapping[str, Any] | None, timeout_s: float | None
    ) -> HTTPResponse:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        headers = {**self._headers, **({} if data is None else {"Content-Type": "application/json"})}
        connection = self._connection
        connection.timeout = timeout_s
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)
            connection.request(method, self._path + path, data, headers)
            answer = connection.getresponse()
        except HTTPException as error:
            connection.close()
            raise self._stranger() from error
        except (OSError, ValueError) as error:
            connection.close()
            raise Unreachable(
                f"no response from {self._url} ({error}): start one with `{program.name()} run --control 8080 …`, "
                "or name its address with --url"
            ) from error
        if answer.status >= 300:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: HTTPResponse) -> click.ClickException:
        try:
            error = json.load(answer)["error"]
            kind, reason = str(error["kind"]), str(error["reason"])
        except (ValueError, LookupError, TypeError, OSError, HTTPException):
            return self._stranger()
        if kind == "unauthorized" and "Authorization" in self._headers:
            return Refused(f"{self._url} does not take this token: see --token and CHARGEPOINT_CONTROL_TOKEN")
        if kind == "unauthorized":
            return Refused(f"{self._url} wants a token: give --token, or set CHARGEPOINT_CONTROL_TOKEN")
        if kind == "timeout":
            return TimedOut(reason)
        return Refused(reason) if kind in ("forbidden", "not-found", "conflict") else Wrong(reason)

    def _stranger(self) -> Unreachable:
        return Unreachable(f"what answers at {self._url} is not a chargepoint: name its address with --url")


def _lines(stream: HTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a body as they come. Raises HTTPException where it breaks off: `readline` would just end."""
    rest = b""
    while some := stream.read1():
        *whole, rest = (rest + some).split(b"\n")
        yield from whole
