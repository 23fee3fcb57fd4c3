"""What routes answer, and how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

JSON = "application/json"
_HEADERS: Mapping[str, Any] = MappingProxyType(
    {
        "Engine-Version": {"$ref": "#/components/headers/EngineVersion"},
        "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
    }
)
_RETRY = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
_CHALLENGE = {"WWW-Authenticate": {"$ref": "#/components/headers/Challenge"}}
_MORE: Mapping[int, Mapping[str, Any]] = MappingProxyType({401: _CHALLENGE, 429: _RETRY, 503: _RETRY})
_EVERYWHERE = (500, 503)

REFUSALS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("BadRequest", "The body isn't what the route takes."),
        401: ("Unauthorized", "No API key was sent, or one that the server doesn't know."),
        404: ("NotFound", "There is no such model, or not this version of it."),
        408: ("Timeout", "The body didn't come in time."),
        413: ("TooLarge", "The body has too many bytes or too many rows."),
        415: ("UnsupportedMediaType", "The body is of another media type, or encoded in another way."),
        422: ("RowRefused", "The row is refused: by an input, or by a filter of the pipeline."),
        429: ("TooMany", "As many requests as the server takes at once are in flight; ask again."),
        500: ("Failed", "The server is at fault; its log says why."),
        503: ("Unavailable", "The server isn't ready yet, has too many connections, or is about to stop."),
    }
)
"""Name and meaning of each status that says no."""


def refusals(statuses: tuple[int, ...], keys: bool) -> dict[str, Any]:
    """References to those responses, and to those of every route; 401 only where keys are asked for."""
    return {
        str(status): {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
        for status in sorted({*statuses, *_EVERYWHERE})
        if keys or status != 401
    }


def refusal_responses(said: Mapping[int, str], keys: bool) -> dict[str, Any]:
    """The responses that `refusals` refers to.

    Parameters
    ----------
    said : mapping of int to str
        What is to be added to the meaning of a status: limits.
    keys : bool
    """
    made: dict[str, Any] = {}
    for status, (name, meaning) in REFUSALS.items():
        if status == 401 and not keys:
            continue
        headers = {**_HEADERS, **_MORE.get(status, {})}
        made[name] = {
            "description": " ".join(filter(None, (meaning, said.get(status)))),
            "headers": headers,
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    return made


def answered(
    description: str,
    schema: Mapping[str, Any] | None = None,
    *,
    kind: str = JSON,
    examples: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A response of status 200."""
    found: dict[str, Any] = {"description": description, "headers": dict(_HEADERS)}
    if schema is not None:
        found["content"] = {kind: {"schema": dict(schema)}}
        if examples:
            found["content"][kind]["examples"] = dict(examples)
    return found


def reference(name: str, section: str = "schemas") -> dict[str, str]:
    """A reference into the document's components."""
    return {"$ref": f"#/components/{section}/{name}"}
