"""The Open Inference Protocol V2 over HTTP, with binary tensors both ways.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and, of binary tensors,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec

from engine.answer.live import Live
from engine.runtime.serve.call import Answer, Call, Refusal
from engine.runtime.serve.oip import binary, json_data, request
from engine.runtime.serve.oip.infer import Inference, infer, reads
from engine.runtime.serve.oip.model import EXTENSIONS, SERVER, TensorMetadata, check_model, inputs, outputs
from engine.runtime.serve.oip.tensor import Tensor

_HEADER_LENGTH = b"inference-header-content-length"
_RAW = b"application/octet-stream"
_MODELS = "/v2/models/"


def addressed(path: str) -> tuple[str, str, str]:
    """The model, the version (or the empty text) and the verb (or the empty text) of a path.

    Raises
    ------
    Refusal
        404: there is no such path.

    Examples
    --------
    >>> addressed("/v2/models/flights/infer")
    ('flights', '', 'infer')
    >>> addressed("/v2/models/flights/versions/0123456789ab")
    ('flights', '0123456789ab', '')
    """
    parts = path.removeprefix(_MODELS).split("/") if path.startswith(_MODELS) else []
    match parts:
        case [model, "versions", version] if model and version:
            return model, version, ""
        case [model, "versions", version, ("infer" | "ready") as verb] if model and version:
            return model, version, verb
        case [model, ("infer" | "ready") as verb] if model:
            return model, "", verb
        case [model] if model:
            return model, "", ""
    raise Refusal(404, f"there is nothing at {path!r:.200}", "not_found")


def answer_inference(call: Call, *, most_rows: int | None = None) -> Answer:
    """``POST /v2/models/{m}[/versions/{v}]/infer``.

    Parameters
    ----------
    call : Call
    most_rows : int, optional
        More are refused.

    Raises
    ------
    Refusal
        404: there is no such model. 400: the body isn't what it takes, or rows are refused.
    """
    model, version, _ = addressed(call.path)
    live = call.live
    began = perf_counter()
    check_model(live, model, version)  # before its body is looked at
    asked = request.read(call.body, call.header(_HEADER_LENGTH), reads(live))
    inference = Inference(model, version, asked.id or "", asked.inputs, asked.outputs)
    parsed = perf_counter()
    answers = infer(live, inference, most_rows=most_rows, note=call)
    scored = perf_counter()
    head: dict[str, Any] = {"model_name": live.name, "model_version": live.version}
    if asked.id is not None:
        head["id"] = asked.id
    raw: list[bytes] = []
    head["outputs"] = [
        _output(tensor, asked.binary.get(tensor.name, asked.in_binary), raw) for tensor in answers
    ]
    text = msgspec.json.encode(head)
    call.times = parsed - began, scored - parsed, perf_counter() - scored
    if not raw:
        return Answer(text)
    return Answer(b"".join((text, *raw)), 200, _RAW, [(_HEADER_LENGTH, b"%d" % len(text))])


def _output(tensor: Tensor, in_binary: bool, raw: list[bytes]) -> dict[str, Any]:
    """What the JSON says of an output; its raw bytes are appended to ``raw``."""
    said: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if not in_binary:
        return said | {"data": json_data.write(tensor)}
    values = json_data.typed(tensor) if tensor.json else tensor.values
    raw.append(binary.write(tensor.datatype, values, tensor.name))
    return said | {"parameters": {"binary_data_size": len(raw[-1])}}


def server_metadata(call: Call) -> Answer:
    """``GET /v2``."""
    import engine

    said = {"name": SERVER, "version": engine.__version__, "extensions": EXTENSIONS}
    return Answer(msgspec.json.encode(said))


def model_metadata(call: Call) -> Answer:
    """``GET /v2/models/{m}[/versions/{v}]``.

    Raises
    ------
    Refusal
        404: there is no such model.
    """
    model, version, _ = addressed(call.path)
    check_model(call.live, model, version)
    pipeline = call.live.pipeline
    said = {
        "name": model,
        "versions": [call.live.version],
        "platform": SERVER,
        "inputs": [_said(tensor) for tensor in inputs(pipeline)],
        "outputs": [_said(tensor) for tensor in outputs(pipeline)],
    }
    return Answer(msgspec.json.encode(said))


def _said(tensor: TensorMetadata) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def live_body(alive: bool = True) -> bytes:
    """The body of ``GET /v2/health/live``.

    >>> live_body()
    b'{"live":true}'
    """
    return msgspec.json.encode({"live": alive})


def ready_body(ready: bool) -> bytes:
    """The body of ``GET /v2/health/ready``.

    >>> ready_body(True)
    b'{"ready":true}'
    """
    return msgspec.json.encode({"ready": ready})


def model_ready_body(live: Live, path: str, ready: bool) -> bytes:
    """The body of ``GET /v2/models/{m}[/versions/{v}]/ready``.

    Raises
    ------
    Refusal
        404: there is no such model.
    """
    model, version, _ = addressed(path)
    check_model(live, model, version)
    return msgspec.json.encode({"name": model, "ready": ready})
