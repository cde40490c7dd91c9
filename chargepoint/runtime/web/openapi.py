"""`openapi.json`, made from the table of commands."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from pydantic.json_schema import models_json_schema

from chargepoint import __version__
from chargepoint.runtime.control import arguments, responses
from chargepoint.runtime.control.actions import ACTIONS
from chargepoint.runtime.control.commands import ALIASES, COMMANDS, Command
from chargepoint.runtime.control.live import MOST_RECENT
from chargepoint.runtime.control.queries import QUERIES
from chargepoint.runtime.control.responses import Document

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
                        "timeout",
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
    "404": "No such charger, command or message.",
    "405": "Another method.",
    "409": "It cannot be done now, or not at this box.",
    "413": "The body is too large.",
    "415": "The body does not say that it is application/json.",
    "422": "The arguments are wrong; the reason names each.",
    "503": "Too many requests at once, or the program ends.",
    "504": "What was waited for did not happen within the time limit.",
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
    results = {command.name: _result(command) for command in COMMANDS.values()}
    documents: dict[type[Document], None] = {responses.Chargers: None}
    for found in results.values():
        documents |= dict.fromkeys(found)
    refs, definitions = models_json_schema([(each, "serialization") for each in documents], ref_template=_REF)
    schemas = {model: ref for (model, _mode), ref in refs.items()}
    paths: dict[str, Any] = {
        "/api/v1/chargers": {"get": _operation("chargers", "Every charger in a line.", [schemas[responses.Chargers]])},
        "/api/v1/events": {"get": _EVENTS},
    }
    for name, command in (*COMMANDS.items(), *((name, COMMANDS[current]) for name, current in ALIASES.items())):
        operation = _operation(name, command.what, [schemas[each] for each in results[command.name]])
        operation["parameters"] = [
            {"name": "charger", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        ]
        if command.details:
            operation["description"] = command.details
        if name != command.name:
            operation["deprecated"] = True
        schema = arguments.schema(command)
        if command.is_query:
            operation["parameters"] += _query(schema)
        else:
            operation["requestBody"] = {
                "required": bool(schema.get("required")),
                "content": {"application/json": {"schema": schema}},
            }
        paths[f"/api/v1/chargers/{{charger}}/{name}"] = {"get" if command.is_query else "post": operation}
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


def _result(command: Command) -> list[type[Document]]:
    """Return the documents that a command may answer with: more than one where it depends on the arguments."""
    function = QUERIES[command.name] if command.is_query else ACTIONS[command.name]
    hint = get_type_hints(function)["return"]
    documents = [each for each in (get_args(hint) or (hint,)) if issubclass(each, Document)] or [responses.CommandResult]
    return [responses.SendResult, *documents] if command.name == "send" else documents


def _operation(name: str, what: str, schemas: list[dict[str, Any]]) -> dict[str, Any]:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        "operationId": name,
        "summary": what,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
            **_REFUSED,
        },
    }


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": body}
        for name, body in schema["properties"].items()
    ]
