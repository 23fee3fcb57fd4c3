"""Bodies of requests and answers, written and read one value at a time, with nothing of the engine."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

NAT = -(2**63)

FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h",
    "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """An input of a request."""

    name: str
    datatype: str
    values: list[Any]
    binary: bool
    column: bool = False
    """Whether its shape is [n, 1]."""


def packed(datatype: str, values: list[Any]) -> bytes:
    """Raw values."""
    if datatype == "BYTES":
        raw = [value.encode() if isinstance(value, str) else value for value in values]
        return b"".join(struct.pack("<I", len(value)) + value for value in raw)
    return b"".join(struct.pack("<" + FORMATS[datatype], value) for value in values)


def unpacked(datatype: str, raw: bytes) -> list[Any]:
    """The values of raw ones."""
    if datatype != "BYTES":
        return [value for (value,) in struct.iter_unpack("<" + FORMATS[datatype], raw)]
    found = []
    while raw:
        (length,) = struct.unpack("<I", raw[:4])
        found.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    return found


def request(inputs: list[Sent], **more: Any) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A body, and the headers that go with it."""
    said, raw = [], b""
    for each in inputs:
        rows = len(each.values)
        item: dict[str, Any] = {"name": each.name, "datatype": each.datatype}
        item["shape"] = [rows, 1] if each.column else [rows]
        if each.binary:
            piece = packed(each.datatype, each.values)
            item["parameters"] = {"binary_data_size": len(piece)}
            raw += piece
        else:
            item["data"] = [[in_json(v)] if each.column else in_json(v) for v in each.values]
        said.append(item)
    text = json.dumps({"inputs": said, **more}, allow_nan=False).encode()
    binary = any(each.binary for each in inputs)
    headers = [(b"inference-header-content-length", str(len(text)).encode())] if binary else []
    return text + raw, headers


def in_json(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def answer(body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """What the JSON of an answer says, and the values of its outputs; of JSON, as they are."""
    length = dict(headers).get(b"inference-header-content-length")
    cut = len(body) if length is None else int(length)
    said = json.loads(body[:cut], parse_constant=_refuse)
    raw = body[cut:]
    found = {}
    for output in said["outputs"]:
        if "data" in output:
            values = output["data"]
        else:
            size = output["parameters"]["binary_data_size"]
            values, raw = unpacked(output["datatype"], raw[:size]), raw[size:]
        assert len(values) == int(np.prod(output["shape"]))
        found[output["name"]] = values
    assert raw == b""
    return said, found


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
