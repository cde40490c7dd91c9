"""The application: commands, live events, health, metrics, and the files of the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chargepoint.runtime.charger import Phase
from chargepoint.runtime.control import arguments
from chargepoint.runtime.control.actions import check_connector
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.control.commands import ALIASES, COMMANDS, Command
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.errors import BadArgumentsError, CommandError
from chargepoint.runtime.control.events import Events
from chargepoint.runtime.control.jsontext import read_json
from chargepoint.runtime.control.live import MOST_RECENT, Bundle, Follower
from chargepoint.runtime.control.responses import Chargers, Document
from chargepoint.runtime.control.waiting import Waiting, finished

from .answers import refusal, refused, told
from .guard import COOKIE, Guard
from .metrics import exposition
from .openapi import description
from .qr import svg

BUNDLE_S = 0.5
"""Pause between two bundles of a stream, in wall time."""
KEEP_ALIVE_S = 15.0
"""A comment is sent on a stream where nothing happens for so long: proxies close what is silent."""
PAGES = {"/": "index.html", "/display": "display.html"}


class Web:
    """One application over a desk. ``closing`` ends every stream, so that the process can end."""

    def __init__(self, desk: CommandDispatcher, events: Events, admission: Admission) -> None:
        self._desk = desk
        self._events = events
        self._admission = admission
        self.closing = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/api/v1/chargers", self._chargers),
                Route("/api/v1/events", self._stream),
                *(self._route(name, command) for name, command in COMMANDS.items()),
                *(self._route(name, COMMANDS[current]) for name, current in ALIASES.items()),
                Route("/openapi.json", self._openapi),
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                Route("/metrics", self._metrics),
                *(Route(path, self._page) for path in PAGES),
                Route("/display/qr.svg", self._qr),
                Mount("/static", _Files(directory=str(files("chargepoint.runtime.web").joinpath("static")))),
            ],
            middleware=[Middleware(Guard, admission=admission)],
            exception_handlers={HTTPException: _http_refusal, CommandError: _command_refusal},
        )
        self.app.router.redirect_slashes = False

    # --- commands -----------------------------------------------------------------------------------------------------

    def _route(self, name: str, command: Command) -> Route:
        async def serve(request: Request) -> Response:
            if command.is_query:
                query = request.query_params
                checked = arguments.read_query(command, {each: query.getlist(each) for each in query})
            else:
                checked = arguments.check(command, await _body(request))
            self._desk.command(name)  # warns of an earlier name
            charger = self._desk.charger(request.path_params["charger"])
            result = self._desk.run(command, charger, checked)
            if isinstance(result, Waiting):
                return await self._finish(request, result)
            return told(result)

        path = f"/api/v1/chargers/{{charger}}/{name}"
        return _CommandRoute(path, serve, methods=["GET" if command.is_query else "POST"])

    async def _finish(self, request: Request, waiting: Waiting) -> Response:
        """Answer when a command is done. Whoever asked may go away, and the server may close: then nobody waits."""
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(finished(waiting)),
            asyncio.create_task(self.closing.wait()),
            asyncio.create_task(_gone(request)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                document: Document = tasks[0].result()
                return told(document)
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "the program ends")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _chargers(self, _request: Request) -> Response:
        found = []
        for some in self._desk.summaries():
            found += some
            await asyncio.sleep(0)  # thousands of them: chargers go first
        return told(Chargers(chargers=found))

    async def _openapi(self, _request: Request) -> Response:
        return JSONResponse(description())

    # --- live ---------------------------------------------------------------------------------------------------------

    async def _stream(self, request: Request) -> Response:
        """Server-Sent Events: of one charger (``?charger=``) or of all; ``Last-Event-ID`` takes up where one was, and
        ``?recent=`` begins with so many of the latest.
        """
        charger = request.query_params.get("charger")
        identity = None if charger is None else self._desk.charger(charger).identity
        last = request.headers.get("last-event-id") or request.query_params.get("after")
        try:
            with_journal = _is_wanted(request, "journal")
            follower = Follower(
                self._desk, self._events, identity, last, _recent(request), with_journal=with_journal
            )
        except ValueError as error:
            raise BadArgumentsError(str(error)) from error
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        return StreamingResponse(self._bundles(follower), media_type="text/event-stream", headers=headers)

    async def _bundles(self, follower: Follower) -> AsyncIterator[str]:
        silent_s = 0.0
        yield "retry: 2000\n\n"
        while not self.closing.is_set():
            silent_s += BUNDLE_S
            for bundle in follower.bundles():
                if bundle is not None:
                    silent_s = 0.0
                    yield self._sse(bundle)
                await asyncio.sleep(0)  # chargers go first
            if silent_s >= KEEP_ALIVE_S:
                silent_s = 0.0
                yield ": still here\n\n"
            try:
                await asyncio.wait_for(self.closing.wait(), BUNDLE_S)
            except TimeoutError:
                continue
        for bundle in follower.bundles():  # the last words, such as that the link is down
            if bundle is not None:
                yield self._sse(bundle)

    def _sse(self, bundle: Bundle) -> str:
        mark = "" if bundle.number is None else f"id: {self._events.mark(bundle.number)}\n"
        return f"{mark}event: {bundle.kind}\ndata: {json.dumps(bundle.body, separators=(',', ':'))}\n\n"

    # --- for supervisors ----------------------------------------------------------------------------------------------

    async def _health(self, _request: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"status": "ok"})

    async def _ready(self, _request: Request) -> Response:
        """Every charger runs, has an open socket and was accepted by its central system, and records can be stored.

        One that is not started yet is not ready, nor is one without a network, whoever took it away.
        """
        chargers = self._desk.all_chargers.values()
        ready = sum(each.phase is Phase.RUNNING and each.model.session.is_online for each in chargers)
        counts = {"ready": ready, "chargers": len(chargers)}
        if self._desk.is_store_failing():
            reason = "the store fails: nothing is sent before it is stored"
        elif not chargers:
            reason = "there is no charger"
        elif ready < len(chargers):
            reason = f"{len(chargers) - ready} of {len(chargers)} are not connected and accepted"
        else:
            return JSONResponse(counts)
        return JSONResponse({**counts, "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE)

    async def _metrics(self, _request: Request) -> Response:
        energies = []
        for some in self._desk.energies():
            energies += some
            await asyncio.sleep(0)  # chargers go first
        body, kind = exposition(self._desk, self._events, energies)
        return Response(body, headers={"Content-Type": kind})

    # --- the page -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None:
            # Out of the address, where histories and shoulders see it.
            rest = request.url.remove_query_params("token")
            target = f"{rest.path}?{rest.query}" if rest.query else rest.path
            response: Response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
            if self._admission.is_token(token):
                response.set_cookie(COOKIE, token.strip(), httponly=True, samesite="strict", path="/")
            return response
        page = files("chargepoint.runtime.web").joinpath("static", PAGES[request.url.path])
        return Response(page.read_bytes(), media_type="text/html", headers={"Cache-Control": "no-cache"})

    async def _qr(self, request: Request) -> Response:
        """The link that starts a charge at an outlet, as a QR code; no content where there is none."""
        charger = self._desk.charger(request.query_params.get("charger"))
        number = request.query_params.get("connector", "1")
        if not (number.isascii() and number.isdigit() and len(number) < 3):
            raise BadArgumentsError("connector is a number")
        check_connector(charger.board, int(number))
        link = self._admission.link_to(charger.identity, int(number))
        if link is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return Response(svg(link), media_type="image/svg+xml", headers={"Cache-Control": "no-cache"})


class _CommandRoute(Route):
    """Matched as it was written: a slash that belongs to an identity (%2F) separates nothing."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches({**scope, "path": scope["raw_path"].decode("ascii")})
        if match is not Match.NONE:
            found["path_params"] = {name: unquote(value) for name, value in found["path_params"].items()}
        return match, found


class _Files(StaticFiles):
    """The files of the page. A browser asks each time whether its copy is still good: they change together."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _gone(request: Request) -> None:
    """Return when whoever asked has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> dict[str, Any]:
    try:
        data = await request.body()
    except ClientDisconnect as error:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large") from error
    kind = request.headers.get("content-type")
    if kind is None and not data:
        return {}
    # Requiring application/json blocks cross-site form posts (CSRF); a script of another site needs CORS, which is refused.
    if (kind or "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is JSON: say Content-Type: application/json")
    try:
        body = read_json(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise BadArgumentsError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadArgumentsError("the body must be a JSON object")
    return body


def _is_wanted(request: Request, what: str) -> bool:
    """Raises ValueError."""
    word = request.query_params.get(what, "true")
    if word not in ("true", "false"):
        raise ValueError(f"{what} is true or false")
    return word == "true"


def _recent(request: Request) -> int:
    """Raises ValueError."""
    word = request.query_params.get("recent", "0")
    if not (word.isascii() and word.isdigit()) or int(word[:9]) > MOST_RECENT:
        raise ValueError(f"recent is a number of 0 to {MOST_RECENT}")
    return int(word)


async def _command_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CommandError)
    return refused(error)


async def _http_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {403: "forbidden", 404: "not-found", 405: "method-not-allowed", 503: "overloaded"}
    kind = kinds.get(error.status_code, "bad-arguments")
    return refusal(HTTPStatus(error.status_code), kind, str(error.detail), error.headers)
