"""Values of tensors in JSON: a list, flat or a list for each row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from engine.decode import json_cells
from engine.decode.arrow import is_text
from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip.binary import BYTES, DTYPES
from engine.runtime.serve.oip.tensor import Tensor

_NESTED = frozenset({list, dict})
_INFINITE = {math.inf: "inf", -math.inf: "-inf"}


def read(data: Any, rows: int, name: str) -> pa.Array:
    """The values of a tensor, each as JSON has it.

    Raises
    ------
    Refusal
        400: it is no list of so many values.

    Examples
    --------
    >>> read([[1.5], [None]], 2, "x").to_pylist()
    [1.5, None]
    """
    if not isinstance(data, list):
        raise Refusal(400, f"{name}.data: expected a list, found {_called(data)}", "invalid", name)
    if not _NESTED.isdisjoint(map(type, data)):
        data = _flat(data, name)
    if len(data) != rows:
        raise Refusal(400, f"{name}.data: expected {rows:,} values, found {len(data):,}", "invalid", name)
    found = json_cells.column(data)
    if pt.is_union(found.type) and dict in map(type, found.to_pylist()):
        raise Refusal(400, f"{name}.data: a text holds half of a surrogate pair", "invalid", name)
    return found


def _flat(data: list[Any], name: str) -> list[Any]:
    """The values of a list that has a list of one value for each row."""
    flat = []
    for row, cell in enumerate(data):
        value = cell[0] if type(cell) is list and len(cell) == 1 else cell
        if type(cell) is not list or type(value) in _NESTED:
            raise Refusal(
                400,
                f"{name}.data: expected a value for each row, as in [1, 2] or [[1], [2]], "
                f"found {_called(value)} for row {row}",
                "invalid",
                name,
            )
        flat.append(value)
    return flat


def _called(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return {dict: "an object", str: "text", bool: "a truth", type(None): "null"}.get(type(value), "a number")


def write(tensor: Tensor) -> list[Any]:
    """The values of a tensor; infinity is ``"inf"`` or ``"-inf"``. Of NaN msgspec makes null.

    Raises
    ------
    Refusal
        400: its bytes are no UTF-8.

    Examples
    --------
    >>> write(Tensor("x", "FP32", (2,), pa.array([0.1, float("-inf")], pa.float32())))
    [0.10000000149011612, '-inf']
    """
    values = tensor.values
    if pt.is_binary(values.type):
        raise Refusal(
            400,
            f"{tensor.name}: holds bytes that are no UTF-8: ask for it in binary, with binary_data: true",
            "invalid",
            tensor.name,
        )
    if pt.is_floating(values.type) and not values.null_count:
        found = values.to_numpy(zero_copy_only=False).tolist()
    else:
        found = values.to_pylist()
    if math.inf in found or -math.inf in found:
        found = [_INFINITE.get(value, value) for value in found]
    return found  # type: ignore[no-any-return]


def typed(tensor: Tensor) -> pa.Array:
    """The values of a tensor that came as JSON, in its datatype.

    Raises
    ------
    Refusal
        400: one isn't of the datatype.

    Examples
    --------
    >>> typed(Tensor("x", "FP32", (2,), pa.array(["inf", None]), json=True)).to_pylist()
    [inf, None]
    """
    values, datatype = tensor.values, tensor.datatype
    if datatype == BYTES:
        texts, invalid = json_cells.texts(values)
        if not invalid:
            return texts.cast(pa.string())
    elif DTYPES[datatype].kind == "f":
        found = json_cells.numbers(values)
        if not found.invalid:
            with np.errstate(over="ignore"):  # beyond the type's largest is infinite
                narrow = found.values.astype(DTYPES[datatype])
            return pa.array(narrow, mask=np.isnan(found.values))
    elif not is_text(values.type):
        try:
            return values.cast(pa.from_numpy_dtype(DTYPES[datatype]))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    raise Refusal(
        400,
        f"{tensor.name}: its values aren't all of {datatype}, so that they can't be given back in binary: "
        "ask for JSON, with binary_data: false",
        "invalid",
        tensor.name,
    )
