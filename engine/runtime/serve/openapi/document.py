"""The document: every route of the server, with what it takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.decode.messages import describe, invalid
from engine.runtime.serve.openapi.example import Example, example
from engine.runtime.serve.openapi.oip import oip_paths, oip_schemas
from engine.runtime.serve.openapi.responses import (
    JSON,
    answered,
    reference,
    refusal_responses,
    refusals,
)
from engine.runtime.serve.openapi.schemas import ERROR, answer_schema, row_schema
from engine.schema import Kind

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

PUBLIC = ("/docs", "/ping", "/v2/health/live", "/v2/health/ready")
"""Routes that ask for no key."""

_CHALLENGE = {
    "Challenge": {"description": "How a key is sent.", "schema": {"type": "string", "const": "Bearer"}}
}
_POSTED = (400, 401, 408, 413, 415, 422, 429)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take up; None: no limit.

    Parameters
    ----------
    bytes : int or None
        Of a body, once it is unpacked.
    rows : int or None
        Of an array.
    seconds : float or None
        For a body to arrive.
    """

    bytes: int | None = None
    rows: int | None = None
    seconds: float | None = None


def openapi(
    pipeline: Pipeline,
    *,
    keys: bool = False,
    tls: bool = False,
    limits: Limits | None = None,
    public: Collection[str] = PUBLIC,
) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a server that answers with a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        It is asked for an example's answer, so it is compiled, if it isn't yet.
    keys : bool
        Whether an API key is asked for.
    tls : bool
        Whether the server speaks TLS.
    limits : Limits, optional
    public : collection of str
        Paths that ask for no key.

    Returns
    -------
    dict
        Plain values of JSON. Source: https://spec.openapis.org/oas/v3.1.1.html
    """
    limits = limits or Limits()
    shown, refused = example(pipeline), _refused(pipeline)
    has_answer = shown.answer is not None
    one, same = "Answers a row, or an array of rows", "The same as /predict, as platforms call it"
    paths: dict[str, Any] = {
        "/predict": {"post": _predict("predict", one, has_answer, keys)},
        "/invocations": {"post": _predict("invocations", same, has_answer, keys)},
        "/ping": _get(
            "ping",
            "Whether the server is ready",
            {"200": answered("It is."), **refusals((401,), keys)},
        ),
        **oip_paths(pipeline, shown.row, keys),
        "/metrics": _get(
            "metrics",
            "What the server has counted, for Prometheus",
            {
                "200": answered("The metrics.", {"type": "string"}, kind="text/plain"),
                **refusals((401,), keys),
            },
        ),
        "/openapi.json": _get(
            "openapi",
            "This document",
            {"200": answered("An OpenAPI 3.1 document.", {"type": "object"}), **refusals((401,), keys)},
        ),
        "/docs": _get(
            "docs",
            "This document as a page to read and to try",
            {"200": answered("The page.", {"type": "string"}, kind="text/html"), **refusals((401,), keys)},
        ),
    }
    found: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {
            "title": pipeline.plan.name,
            "version": pipeline.version,
            "description": "Rows in, answers out. A row is an object: values by column. Every answer names "
            "the version of the pipeline that gave it in the header Engine-Version.",
        },
        "servers": [{"url": "/", "description": f"this server{', over TLS' if tls else ''}"}],
        "paths": paths,
        "components": {
            "schemas": {**_schemas(pipeline, limits, shown, refused), **oip_schemas(pipeline)},
            "examples": _examples(shown, refused),
            "responses": refusal_responses(_said(limits), keys),
            "headers": {
                "EngineVersion": {
                    "description": "The version of the pipeline that answered.",
                    "schema": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
                    "example": pipeline.version,
                },
                "RequestId": {
                    "description": "The request's id: the one it was sent with, or one of the server's own.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
                },
                "RetryAfter": {
                    "description": "Seconds after which to ask again.",
                    "schema": {"type": "integer", "minimum": 0},
                },
                **(_CHALLENGE if keys else {}),
            },
        },
    }
    if keys:
        _ask_for_keys(found, public)
    return found


def _predict(called: str, summary: str, answers: bool, keys: bool) -> dict[str, Any]:
    given = {name: reference(kind, "examples") for name, kind in (("row", "Row"), ("rows", "Rows"))}
    made = {name: reference(kind, "examples") for name, kind in (("row", "Answer"), ("rows", "Answers"))}
    return {
        "operationId": called,
        "tags": ["rows"],
        "summary": summary,
        "description": "The answer has the shape of the request: an object for a row, an array for an array. "
        "In an array, a row that is refused has its error in its place, and the others are "
        "answered; a single row that is refused is 422. The rows of a request are one group for "
        "stages that look at several rows.",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"anyOf": [reference("Row"), reference("Rows")]},
                    "examples": given,
                }
            },
        },
        "responses": {
            "200": answered(
                "The answer to the row, or to each of the rows.",
                {"anyOf": [reference("Answer"), reference("Answers")]},
                examples=made if answers else None,
            ),
            **refusals(_POSTED, keys),
        },
    }


def _get(called: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {"operationId": called, "tags": ["server"], "summary": summary, "responses": responses},
    }


def _schemas(pipeline: Pipeline, limits: Limits, shown: Example, refused: Any) -> dict[str, Any]:
    rows: dict[str, Any] = {"type": "array", "items": reference("Row"), "description": "Some rows."}
    if limits.rows is not None:
        rows["maxItems"] = limits.rows
    answer = answer_schema(pipeline)
    if shown.answer is not None:
        answer["examples"] = [dict(shown.answer)]
    return {
        "Row": {**row_schema(pipeline), "examples": [dict(shown.row)]},
        "Rows": rows,
        "Answer": answer,
        "Answers": {
            "type": "array",
            "items": {"anyOf": [reference("Answer"), reference("Error")]},
            "description": "An answer for each row, in the order of the rows; of one that is refused, its "
            "error.",
        },
        "Error": {**ERROR, "examples": [refused]},
    }


def _examples(shown: Example, refused: Any) -> dict[str, Any]:
    row, answer = dict(shown.row), shown.answer
    made: dict[str, Any] = {
        "Row": {"summary": "A row", "value": row},
        "Rows": {"summary": "An array of rows", "value": [row]},
    }
    if answer is not None:
        both = [dict(answer), refused]
        made["Answer"] = {"summary": "The answer to the row", "value": dict(answer)}
        made["Answers"] = {"summary": "The answers to two rows, one of which is refused", "value": both}
    return made


def _refused(pipeline: Pipeline) -> dict[str, Any]:
    """What is said of a value of another kind."""
    item = pipeline.plan.inputs[0]
    found = describe(0 if item.kind in (Kind.CATEGORY, Kind.TEXT) else "?")
    return {"error": invalid(item, found), "code": "invalid", "column": item.name}


def _said(limits: Limits) -> dict[int, str]:
    large = [
        f"{most:,} {what}"
        for most, what in ((limits.bytes, "bytes"), (limits.rows, "rows"))
        if most is not None
    ]
    return {
        **({413: f"At most: {' and '.join(large)}."} if large else {}),
        **({408: f"It has {limits.seconds:g} s."} if limits.seconds is not None else {}),
    }


def _ask_for_keys(found: dict[str, Any], public: Collection[str]) -> None:
    """Put the two ways of sending a key into the document; either will do."""
    found["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    found["security"] = [{"bearer": []}, {"header": []}]
    for path in public:
        for method in ("get", "post"):
            operation = found["paths"].get(path, {}).get(method)
            if operation is not None:
                operation["security"] = []
                operation["responses"].pop("401", None)
