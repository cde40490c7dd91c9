"""How results and refusals look over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from chargepoint.runtime.control.errors import CommandError
from chargepoint.runtime.control.responses import Document

STATUS_OF = {
    "not-found": HTTPStatus.NOT_FOUND,
    "bad-arguments": HTTPStatus.UNPROCESSABLE_ENTITY,
    "forbidden": HTTPStatus.FORBIDDEN,
    "conflict": HTTPStatus.CONFLICT,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
}


def refusal(status: HTTPStatus, kind: str, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer that says no, and why."""
    return JSONResponse({"error": {"kind": kind, "reason": reason}}, status, headers)


def refused(error: CommandError) -> JSONResponse:
    """Return the answer to what could not be done."""
    return refusal(STATUS_OF[error.kind], error.kind, str(error))


def told(document: Document) -> Response:
    """Return a document as JSON."""
    return Response(document.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})
