"""`openapi.json`, made from the table of verbs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from chargepoint import __version__
from chargepoint.runtime.control import responses
from chargepoint.runtime.control.commands import COMMANDS, Command
from chargepoint.runtime.control.live import MOST_RECENT

_REF = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["kind", "reason"],
            "additionalProperties": False,
            "properties": {
                "kind": {
                    "enum": [
                        "not-found",
                        "bad-arguments",
                        "forbidden",
                        "conflict",
                        "unauthorized",
                        "method-not-allowed",
                        "overloaded",
                    ]
                },
                "reason": {"type": "string"},
            },
        }
    },
}
_REFUSALS = {
    "401": "A token is needed.",
    "403": "Not from there, or not on real hardware.",
    "404": "No such charger, verb or message.",
    "405": "Another method.",
    "409": "It cannot be done now, or not at this box.",
    "413": "The body is too large.",
    "415": "The body does not say that it is application/json.",
    "422": "The arguments are wrong; the reason names each.",
    "503": "Too many ask at once.",
}

_REFUSED = {
    status: {
        "description": why,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="Refusal")}}},
    }
    for status, why in _REFUSALS.items()
}
_EVENTS = {
    "operationId": "events",
    "summary": "Live: journal entries and states as Server-Sent Events, without end.",
    "parameters": [
        {"name": "charger", "in": "query", "schema": {"type": "string"}, "description": "only this one, and its state"},
        {
            "name": "after",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0, "maximum": 10**17 - 1},
            "description": "a known event",
        },
        {
            "name": "recent",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0, "maximum": MOST_RECENT},
            "description": "begin with so many of the latest events, unless one is known",
        },
        {
            "name": "journal",
            "in": "query",
            "schema": {"type": "boolean", "default": True},
            "description": "false: states only, no entries of the journal",
        },
        {
            "name": "Last-Event-ID",
            "in": "header",
            "schema": {"type": "string", "pattern": "^(?:[0-9a-f]{1,16}-)?[0-9]{1,17}$"},
            "description": "the id of the last event, as the stream told it; goes before `after`",
        },
    ],
    "responses": {
        "200": {"description": "A stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **_REFUSED,
    },
}


def description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of everything under ``/api/v1``."""
    asked: dict[type[BaseModel], JsonSchemaMode] = {responses.Chargers: "serialization"}
    for verb in COMMANDS.values():
        asked |= {verb.arguments: "validation", verb.result: "serialization"}
    refs, definitions = models_json_schema(list(asked.items()), ref_template=_REF)
    schemas = {model: ref for (model, _mode), ref in refs.items()}
    paths: dict[str, Any] = {
        "/api/v1/chargers": {"get": _operation("chargers", "Every charger in a line.", schemas[responses.Chargers])},
        "/api/v1/events": {"get": _EVENTS},
    }
    for verb in COMMANDS.values():
        operation = _operation(verb.name, verb.does, schemas[verb.result])
        operation["parameters"] = [
            {"name": "charger", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        ]
        if verb.is_query:
            operation["parameters"] += _query(verb)
        else:
            operation["requestBody"] = {
                "required": bool(verb.arguments.model_json_schema().get("required")),
                "content": {"application/json": {"schema": schemas[verb.arguments]}},
            }
        paths[f"/api/v1/chargers/{{charger}}/{verb.name}"] = {"get" if verb.is_query else "post": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "chargepoint", "version": __version__, "description": __doc__},
        "paths": paths,
        "security": [{"token": []}, {}],
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Refusal": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(name: str, does: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": does,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
            **_REFUSED,
        },
    }


def _query(verb: Command) -> list[dict[str, Any]]:
    schema = verb.arguments.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": body}
        for name, body in schema.get("properties", {}).items()
    ]
