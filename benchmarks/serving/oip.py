"""Requests of the Open Inference Protocol, written by hand: JSON, binary tensors over HTTP, and gRPC.

https://github.com/kserve/open-inference-protocol and the binary tensor extension of Triton.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.serving.request import JSON, Reply, Request

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_LENGTH = "Inference-Header-Content-Length"
_DTYPES = {"FP32": "<f4", "FP64": "<f8"}


@dataclass(frozen=True)
class Tensor:
    """An input, as JSON and as bytes.

    Parameters
    ----------
    name, datatype : str
    shape : tuple of int
    data : list
        Flat, row by row; a missing number is None.
    raw : bytes
        A missing number is NaN.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]
    raw: bytes

    def head(self) -> dict[str, Any]:
        """What comes before the data."""
        return {"name": self.name, "shape": list(self.shape), "datatype": self.datatype}


def columns(table: pa.Table, inputs: Mapping[str, str]) -> list[Tensor]:
    """A tensor for each input of a pipeline, which has a kind."""
    return [_column(name, kind, table[name].combine_chunks()) for name, kind in inputs.items()]


def _column(name: str, kind: str, column: pa.Array) -> Tensor:
    shape = (len(column), 1)
    if kind == "number":
        return _numbers(name, "FP64", shape, column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if column.null_count:
        raise SystemExit(f"{name}: these rows have a missing {kind}, which a tensor can't say")
    if kind == "timestamp":
        micros = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        return Tensor(name, "INT64", shape, micros.tolist(), micros.astype("<i8").tobytes())
    texts = column.to_pylist()
    raw = b"".join(struct.pack("<I", len(text)) + text for text in (each.encode() for each in texts))
    return Tensor(name, "BYTES", shape, texts, raw)


def features(matrix: NDArray[np.float32]) -> Tensor:
    """Rows of features, shape (n_rows, n_features), as one tensor."""
    return _numbers("features", "FP32", matrix.shape, matrix)


def _numbers(name: str, datatype: str, shape: tuple[int, ...], values: NDArray[Any]) -> Tensor:
    flat = values.astype(_DTYPES[datatype]).ravel()
    data = [None if math.isnan(value) else value for value in flat.tolist()]
    return Tensor(name, datatype, shape, data, flat.tobytes())


# -- over HTTP


def path_of(model: str) -> str:
    """Where a model answers."""
    return f"/v2/models/{model}/infer"


def as_json(model: str, tensors: Sequence[Tensor], output: str) -> Request:
    """All of it JSON."""
    inputs = [{**tensor.head(), "data": tensor.data} for tensor in tensors]
    document = {"inputs": inputs, "outputs": [{"name": output}]}
    return Request(path_of(model), json.dumps(document, allow_nan=False, separators=(",", ":")).encode())


def as_binary(model: str, tensors: Sequence[Tensor], output: str) -> Request:
    """Tensors behind the header, the output wanted likewise."""
    inputs = [{**t.head(), "parameters": {"binary_data_size": len(t.raw)}} for t in tensors]
    outputs = [{"name": output, "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": inputs, "outputs": outputs}, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/octet-stream", _LENGTH: str(len(head))}
    return Request(path_of(model), head + b"".join(tensor.raw for tensor in tensors), headers)


def scores_of(reply: Reply) -> NDArray[Any]:
    """The numbers of the only output of a reply over HTTP, shape (n_rows,)."""
    length = reply.headers.get(_LENGTH.lower())
    head = json.loads(reply.body[: int(length)] if length else reply.body)
    (output,) = head["outputs"]
    if "data" in output:
        return np.asarray(output["data"], float).ravel()
    assert length is not None
    return np.frombuffer(reply.body[int(length) :], _DTYPES[output["datatype"]])


# -- gRPC: the few fields of its messages that are used


def as_grpc(model: str, tensors: Sequence[Tensor], output: str) -> Request:
    """A ModelInferRequest, its tensors raw."""
    message = _field(1, model.encode())
    for t in tensors:
        shape = b"".join(_varint(n) for n in t.shape)
        message += _field(5, _field(1, t.name.encode()) + _field(2, t.datatype.encode()) + _field(3, shape))
    message += _field(6, _field(1, output.encode()))
    message += b"".join(_field(7, tensor.raw) for tensor in tensors)
    return Request(METHOD, message, JSON)


def grpc_scores_of(reply: Reply) -> NDArray[Any]:
    """The numbers of the only output of a ModelInferResponse, which are raw, shape (n_rows,)."""
    (raw,) = [value for number, value in _fields(reply.body) if number == 6]
    return np.frombuffer(raw, "<f4")


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(message):
        tag, place = _read(message, place)
        length, place = _read(message, place)
        if tag & 7 != 2:
            raise SystemExit(f"a ModelInferResponse with a field of wire type {tag & 7}")
        yield tag >> 3, message[place : place + length]
        place += length


def _read(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while message[place] > 127:
        value |= (message[place] & 127) << shift
        shift, place = shift + 7, place + 1
    return value | message[place] << shift, place + 1
