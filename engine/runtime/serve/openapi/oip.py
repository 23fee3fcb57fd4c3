"""The routes and schemas of the Open Inference Protocol, version 2.

Source: https://github.com/kserve/open-inference-protocol (``specification/protocol/inference_rest.md``) and
its binary tensor extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.decode import scalar
from engine.runtime.serve.openapi.responses import JSON, answered, reference, refusals
from engine.schema import Kind

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

BINARY = "application/octet-stream"
_DATATYPES = (
    "BOOL",
    *(f"{sign}INT{bits}" for sign in ("U", "") for bits in (8, 16, 32, 64)),
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
)
_GIVEN = {Kind.NUMBER: "FP64", Kind.CATEGORY: "BYTES", Kind.TEXT: "BYTES", Kind.TIMESTAMP: "INT64"}
_POSTED = (400, 401, 404, 408, 413, 415, 429)
_PARAMETERS = {"type": "object", "description": "Such as binary_data_size."}
_TEXT = {"type": "string"}


def oip_paths(pipeline: Pipeline, row: Mapping[str, Any], keys: bool) -> dict[str, Any]:
    """Path items by path.

    Parameters
    ----------
    pipeline : Pipeline
    row : mapping
        The example to infer.
    keys : bool
        Whether a key is asked for.
    """

    def get(
        called: str, summary: str, response: dict[str, Any], statuses: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        return {
            "get": {
                "operationId": called,
                "tags": ["open inference protocol"],
                "summary": summary,
                "responses": {"200": response, **refusals((401, *statuses), keys)},
            }
        }

    live = {"type": "object", "properties": {"live": {"const": True}}, "required": ["live"]}
    ready = {"type": "object", "properties": {"ready": {"const": True}}, "required": ["ready"]}
    found = {
        "/v2": get(
            "serverMetadata",
            "What the server is",
            answered("Its name, version and extensions.", reference("Server")),
        ),
        "/v2/health/live": get("serverLive", "Whether it runs", answered("It does.", live)),
        "/v2/health/ready": get("serverReady", "Whether it answers", answered("It does.", ready)),
    }
    model = {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The pipeline's name.",
        "schema": {"type": "string", "enum": [pipeline.plan.name]},
    }
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The pipeline's version.",
        "schema": {"type": "string", "enum": [pipeline.version]},
    }
    for suffix, path, parameters in (
        ("", "/v2/models/{name}", [model]),
        ("Version", "/v2/models/{name}/versions/{version}", [model, version]),
    ):
        found[path] = get(
            f"modelMetadata{suffix}",
            "What the pipeline takes and gives, as tensors",
            answered("Its inputs and outputs.", reference("Model")),
            (404,),
        )
        found[f"{path}/ready"] = get(
            f"modelReady{suffix}",
            "Whether the pipeline answers",
            answered("It does.", reference("ModelReady")),
            (404,),
        )
        found[f"{path}/infer"] = {"post": _infer(f"modelInfer{suffix}", pipeline, row, keys)}
        for own in (path, f"{path}/ready", f"{path}/infer"):
            found[own] = {"parameters": parameters, **found[own]}
    return found


def _infer(called: str, pipeline: Pipeline, row: Mapping[str, Any], keys: bool) -> dict[str, Any]:
    length = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "required": False,
        "description": "Binary tensors follow the JSON, which is this many bytes long.",
        "schema": {"type": "integer", "minimum": 0},
    }
    binary = {"type": "string", "contentMediaType": BINARY}
    return {
        "operationId": called,
        "tags": ["open inference protocol"],
        "summary": "Answers rows given as tensors, one for each column",
        "description": "A column is a tensor of shape [n] or [n, 1]: category and text BYTES, a timestamp "
        "INT64 (µs since 1970) or BYTES (RFC 3339), a number any type of number. In JSON, null is "
        "missing. A row that is refused refuses the request: 400, and the error names it.",
        "parameters": [length],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": reference("InferRequest"),
                    "examples": {"row": {"summary": "A row", "value": _request(pipeline, row)}},
                },
                BINARY: {"schema": binary},
            },
        },
        "responses": {
            "200": _with_binary(answered("The outputs.", reference("InferResponse")), binary),
            **refusals(_POSTED, keys),
        },
    }


def _with_binary(response: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    response["headers"]["Inference-Header-Content-Length"] = {
        "description": "Binary tensors follow the JSON, which is this many bytes long.",
        "schema": {"type": "integer"},
    }
    response["content"][BINARY] = {"schema": dict(schema)}
    return response


def _request(pipeline: Pipeline, row: Mapping[str, Any]) -> dict[str, Any]:
    inputs = []
    for item in pipeline.plan.inputs:
        value = row.get(item.name)
        if item.kind is Kind.TIMESTAMP and value is not None:
            value = scalar.timestamp(value)
        datatype = _GIVEN[item.kind]
        inputs.append({"name": item.name, "shape": [1], "datatype": datatype, "data": [value]})
    return {"inputs": inputs}


def oip_schemas(pipeline: Pipeline) -> dict[str, Any]:
    """The components that `oip_paths` refers to."""
    inputs = [item.name for item in pipeline.plan.inputs]
    about = _object(
        {
            "name": _TEXT,
            "datatype": {"enum": list(_DATATYPES)},
            "shape": _shape(-1),
        }
    )
    tensor = {"datatype": {"enum": list(_DATATYPES)}, "shape": _shape(0), "parameters": _PARAMETERS}
    wanted = _object({"name": _TEXT, "parameters": _PARAMETERS}, ("name",))
    data = {"type": "array", "description": "The values; absent where they follow as bytes."}
    given = _object({"name": {"enum": inputs}, **tensor, "data": data}, ("name", "datatype", "shape"))
    made = _object({"name": _TEXT, **tensor, "data": data}, ("name", "datatype", "shape"))
    model = {"const": pipeline.plan.name}
    both = {"id": _TEXT, "parameters": _PARAMETERS}
    return {
        "Server": _object({"name": _TEXT, "version": _TEXT, "extensions": _list(_TEXT)}),
        "Model": _object(
            {
                "name": model,
                "versions": _list(_TEXT),
                "platform": _TEXT,
                "inputs": _list(about),
                "outputs": _list(about),
            },
            ("name", "platform", "inputs", "outputs"),
        ),
        "ModelReady": _object({"name": _TEXT, "ready": {"const": True}}, ("ready",)),
        "InferRequest": _object({**both, "inputs": _list(given), "outputs": _list(wanted)}, ("inputs",)),
        "InferResponse": _object(
            {
                "model_name": {"const": pipeline.plan.name},
                "model_version": _TEXT,
                **both,
                "outputs": _list(made),
            },
            ("model_name", "outputs"),
        ),
    }


def _object(properties: Mapping[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": needed}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


def _shape(least: int) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"type": "integer", "minimum": least},
        "minItems": 1,
        "maxItems": 2,
        "description": "[n] or [n, 1].",
    }
