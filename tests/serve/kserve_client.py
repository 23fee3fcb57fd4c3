"""Asks a server with KServe's own clients; run in an environment that has them: ``URL GRPC MODEL ROWS``.

``ROWS`` is JSON: a list of values for each input. What they answered is written as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

DATATYPES = {
    "size": "FP64",
    "rooms": "INT64",
    "age": "FP32",
    "city": "BYTES",
    "sold": "INT64",
    "note": "BYTES",
}
NUMPY = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "BYTES": np.object_}


def request(model: str, columns: dict[str, list[Any]], raw: bool | None) -> InferRequest:
    """``raw``: set from NumPy, as bytes or, over HTTP, as JSON; None: as lists."""
    inputs = []
    for name, values in columns.items():
        datatype = DATATYPES[name]
        if raw is None:
            inputs.append(InferInput(name, [len(values)], datatype, data=values))
            continue
        inputs.append(InferInput(name, [len(values)], datatype))
        texts = [value.encode() if isinstance(value, str) else value for value in values]
        inputs[-1].set_data_from_numpy(np.array(texts, NUMPY[datatype]), binary_data=raw)
    return InferRequest(model, inputs, request_id="k 1")


def told(response: Any) -> dict[str, Any]:
    outputs = {}
    for output in response.outputs:
        values = output.as_numpy().reshape(-1).tolist()
        outputs[output.name] = [v.decode() if isinstance(v, bytes) else v for v in values]
    return {"id": response.id, "model": response.model_name, "outputs": outputs}


async def run(url: str, grpc: str, model: str, columns: dict[str, list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as rest:
        found["rest"] = [
            await rest.is_server_ready(url),
            await rest.is_server_live(url),
            await rest.is_model_ready(url, model),
            not await rest.is_model_ready(url, "nobody"),
        ]
        for name, raw in (("rest lists", None), ("rest json", False), ("rest binary", True)):
            found[name] = told(await rest.infer(url, request(model, columns, raw), model_name=model))
        try:
            await rest.infer(url, request(model, {"size": [1.0]}, None), model_name=model)
        except Exception as error:
            found["rest error"] = str(error)
    async with InferenceGRPCClient(grpc) as client:
        found["grpc"] = [
            await client.is_server_ready(),
            await client.is_server_live(),
            await client.is_model_ready(model),
        ]
        found["grpc raw"] = told(await client.infer(request(model, columns, True)))
        try:
            await client.infer(request(model, {"size": [1.0]}, True))
        except Exception as error:
            found["grpc error"] = str(error)
    return found


if __name__ == "__main__":
    url, grpc, model, rows = sys.argv[1:]
    print(json.dumps(asyncio.run(run(url, grpc, model, json.loads(rows)))))
