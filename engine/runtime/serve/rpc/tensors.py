"""Tensors of the protocol's messages, and messages of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip.binary import read, unknown, write
from engine.runtime.serve.oip.infer import Inference, reads, rows_of
from engine.runtime.serve.oip.tensor import Tensor
from engine.runtime.serve.rpc.messages import Message, ModelInferResponse

if TYPE_CHECKING:
    from engine.answer.live import Live

TYPED: Mapping[str, tuple[str, pa.DataType]] = MappingProxyType(
    {
        "BOOL": ("bool_contents", pa.bool_()),
        "INT8": ("int_contents", pa.int8()),
        "INT16": ("int_contents", pa.int16()),
        "INT32": ("int_contents", pa.int32()),
        "INT64": ("int64_contents", pa.int64()),
        "UINT8": ("uint_contents", pa.uint8()),
        "UINT16": ("uint_contents", pa.uint16()),
        "UINT32": ("uint_contents", pa.uint32()),
        "UINT64": ("uint64_contents", pa.uint64()),
        "FP32": ("fp32_contents", pa.float32()),
        "FP64": ("fp64_contents", pa.float64()),
        "BYTES": ("bytes_contents", pa.binary()),
    }
)
"""Which field holds a datatype's values, and what they are. FP16 has none."""

_REGION = "shared_memory_region"


def inference(request: Message, live: Live) -> Inference:
    """What a ``ModelInferRequest`` asks.

    Parameters
    ----------
    request : ModelInferRequest
    live : Live
        Tensors that it doesn't read aren't looked at.

    Raises
    ------
    Refusal
        400: the contents aren't what the tensors declare.
    """
    for tensor in (*request.inputs, *request.outputs):
        if _REGION in tensor.parameters:
            raise Refusal(
                400, f"{tensor.name}: shared memory isn't offered; send the values", "invalid", tensor.name
            )
    raw: Sequence[bytes] = request.raw_input_contents
    if raw:
        _check_raw(request.inputs, len(raw))
    looked_at = reads(live)
    inputs = []
    for place, tensor in enumerate(request.inputs):
        if tensor.name not in looked_at:
            continue
        shape = tuple(tensor.shape)
        rows = rows_of(tensor.name, shape)
        if raw:
            values = read(tensor.datatype, raw[place], rows, tensor.name)
        else:
            values = _typed(tensor, rows)
        inputs.append(Tensor(tensor.name, tensor.datatype, shape, values))
    outputs = [output.name for output in request.outputs] or None
    return Inference(request.model_name, request.model_version, request.id, inputs, outputs)


def _check_raw(inputs: Sequence[Message], found: int) -> None:
    for tensor in inputs:
        if tensor.contents.ListFields():
            raise Refusal(
                400,
                f"{tensor.name}: has contents, and the request has raw_input_contents; "
                "expected all values in one or in the other",
                "invalid",
                tensor.name,
            )
    if found != len(inputs):
        raise Refusal(
            400,
            f"raw_input_contents: expected {len(inputs):,}, one for each input tensor, found {found:,}",
            "invalid",
        )


def _typed(tensor: Message, rows: int) -> pa.Array:
    """The values of a tensor in the field of its datatype."""
    name, datatype = tensor.name, tensor.datatype
    if datatype not in TYPED:
        if datatype != "FP16":
            raise unknown(datatype, name)
        raise Refusal(400, f"{name}: FP16 has no field in contents; send raw_input_contents", "invalid", name)
    field, kind = TYPED[datatype]
    others = [used.name for used, _ in tensor.contents.ListFields() if used.name != field]
    if others:
        raise Refusal(
            400,
            f"{name}: the values of {datatype} are in {field}, found {', '.join(others)}",
            "invalid",
            name,
        )
    values = getattr(tensor.contents, field)
    if len(values) != rows:
        raise Refusal(
            400,
            f"{name}: expected {rows:,} values in {field} for the shape {list(tensor.shape)}, "
            f"found {len(values):,}",
            "invalid",
            name,
        )
    try:
        array = pa.array(list(values), kind)
    except pa.ArrowInvalid:
        raise Refusal(
            400, f"{name}: a value in {field} is too large for {datatype}", "invalid", name
        ) from None
    if datatype != "BYTES":
        return array
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:  # some are no UTF-8
        return array


def response(live: Live, id: str, tensors: Sequence[Tensor]) -> bytes:
    """A ``ModelInferResponse``, as it is sent.

    Values are always raw: clients take typed contents of text alone.

    Parameters
    ----------
    live : Live
        Which answered.
    id : str
        The request's.
    tensors : sequence of Tensor
    """
    made = ModelInferResponse(model_name=live.name, model_version=live.version, id=id)
    for tensor in tensors:
        made.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        made.raw_output_contents.append(write(tensor.datatype, tensor.values, tensor.name))
    written: bytes = made.SerializeToString()
    return written
