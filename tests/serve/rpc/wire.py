"""Requests as clients make them: tritonclient's, which are raw, and typed ones of generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pytest
import tritonclient.grpc as client
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

DTYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

Tensors = Mapping[str, tuple[str, Any]]
"""Datatype and values by name."""


def raw(tensors: Tensors, *, flat: bool = True) -> list[client.InferInput]:
    """Inputs as tritonclient takes them; their shape is [n] or [n, 1]."""
    made = []
    for name, (datatype, values) in tensors.items():
        array = np.array(values, DTYPES[datatype]).reshape(-1) if flat else np.array(values, DTYPES[datatype])
        array = array if flat else array.reshape(-1, 1)
        made.append(client.InferInput(name, list(array.shape), datatype))
        made[-1].set_data_from_numpy(array)
    return made


def typed(model: str, tensors: Tensors) -> Any:
    """A request whose values are in contents."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, (datatype, values) in tensors.items():
        added = request.inputs.add(name=name, datatype=datatype, shape=[len(values)])
        getattr(added.contents, FIELDS[datatype]).extend(values)
    return request


def result(response: Any) -> client.InferResult:
    """An answer as tritonclient reads it."""
    return client.InferResult(response)


def bits(array: Any) -> list[Any]:
    """Values that are equal only when their bits are."""
    array = np.asarray(array).reshape(-1)
    if array.dtype == object:
        return array.tolist()
    return array.view(f"u{array.itemsize}").tolist()


def expected(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """The bits of an answer's column in a tensor: missing text is empty, a missing integer the least."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_string(array.type):
        return [(text or "").encode() for text in array.to_pylist()]
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", "UTC")).view(pa.int64())
    if pa.types.is_integer(array.type) and array.null_count:
        array = array.fill_null(-(2**63))
    if pa.types.is_floating(array.type) and array.null_count:
        array = array.fill_null(np.nan)
    return bits(array.to_numpy(zero_copy_only=False))


def refused(call: Any, *arguments: Any, **options: Any) -> tuple[str, str]:
    """The code and the text with which a call ends, be it of generated code or of tritonclient."""
    with pytest.raises((grpc.RpcError, InferenceServerException)) as caught:
        call(*arguments, **options)
    error = caught.value
    if isinstance(error, InferenceServerException):
        return error.status().removeprefix("StatusCode."), error.message()
    return error.code().name, error.details()
