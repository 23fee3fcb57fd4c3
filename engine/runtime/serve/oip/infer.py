"""A request of the Open Inference Protocol to its answer, whatever carried it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode import json_cells
from engine.encode import arrow_type
from engine.errors import DataError, RowError, did_you_mean, listing
from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip.binary import BYTES, DATATYPES, unknown
from engine.runtime.serve.oip.model import INPUT_DATATYPES, OUTPUT_DATATYPES, check_model
from engine.runtime.serve.oip.tensor import Tensor
from engine.schema import Column, Input, Kind
from engine.values import BadValue

if TYPE_CHECKING:
    from engine.answer.live import Live

_FEW = 8
"""Rows that are answered faster one by one than as a table."""
_SHOWN = 5
"""Refused rows that a message names."""
_SCALAR = tuple(datatype for datatype in DATATYPES if datatype != BYTES)
_WHOLE = tuple(datatype for datatype in DATATYPES if "INT" in datatype)
_TAKEN: Mapping[Kind, tuple[str, ...]] = {
    Kind.NUMBER: _SCALAR,
    Kind.TIMESTAMP: _WHOLE,
    Kind.CATEGORY: (BYTES,),
    Kind.TEXT: (BYTES,),
}


@dataclass(frozen=True, slots=True)
class Inference:
    """A request.

    Parameters
    ----------
    model : str
    version : str
        Empty: the one that is served.
    id : str
        Empty: none was given.
    inputs : list of Tensor
        Those that the model doesn't read may be left out.
    outputs : list of str or None
        The output tensors that are wanted, in order; None: all.
    """

    model: str
    version: str
    id: str
    inputs: list[Tensor]
    outputs: list[str] | None = None


def reads(live: Live) -> frozenset[str]:
    """The tensors of a request that are looked at; others are ignored, whatever they hold."""
    return frozenset((*(item.name for item in live.pipeline.plan.inputs), *live.pipeline.plan.keep))


def infer(live: Live, inference: Inference, *, most_rows: int | None = None) -> list[Tensor]:
    """Answer a request.

    Parameters
    ----------
    live : Live
    inference : Inference
    most_rows : int, optional
        More are refused.

    Returns
    -------
    list of Tensor
        Columns to keep that were sent, as they were sent; then the outputs, in order. Or those asked for.
        Missing whole numbers, timestamps and texts are null; a missing number is NaN.

    Raises
    ------
    Refusal
        404: there is no such model. 400: the tensors aren't what the model takes, or rows are refused.
    """
    check_model(live, inference.model, inference.version)
    plan = live.pipeline.plan
    given = _by_name(inference.inputs)
    named = [name for name in plan.keep if name in given]
    columns = [column for column, _ in live.pipeline.trace.outputs]
    wanted = _wanted(live, inference.outputs, named, [column.name for column in columns])
    inputs = [(item, given[item.name]) for item in plan.inputs if item.name in given]
    _check_absent(plan.inputs, given)
    rows = _rows([given[name] for name in (*(item.name for item, _ in inputs), *named)], most_rows)
    for item, tensor in inputs:
        _check_datatype(item, tensor)
    arrays = {item.name: _column(item, tensor) for item, tensor in inputs}
    marked = {item.name for item, tensor in inputs if tensor.json}
    try:
        if rows <= _FEW and not live.pipeline.groups and all(_is_plain(tensor) for _, tensor in inputs):
            made = _one_by_one(live, arrays, rows, columns)
        else:
            made = _together(live, arrays, marked, rows, columns)
    except DataError as error:  # a group is seen in two places
        raise Refusal(400, str(error), "invalid") from None
    answers = {name: given[name] for name in named}
    for column, values in zip(columns, made, strict=True):
        if pt.is_timestamp(values.type):
            values = values.view(pa.int64())
        answers[column.name] = Tensor(column.name, OUTPUT_DATATYPES[column.dtype], (rows,), values)
    return [answers[name] for name in wanted]


def _by_name(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    given: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name in given:
            raise Refusal(400, f"{tensor.name}: two input tensors have this name", "invalid", tensor.name)
        given[tensor.name] = tensor
    return given


def _wanted(live: Live, asked: list[str] | None, kept: list[str], computed: list[str]) -> list[str]:
    """The names of the outputs to give, in order."""
    there = [*kept, *computed]
    if asked is None:
        return there
    for place, name in enumerate(asked):
        if name in asked[:place]:
            raise Refusal(400, f"outputs: {name!r} is asked for twice", "invalid", name)
        if name not in there and name in live.pipeline.plan.keep:
            raise Refusal(
                400,
                f"outputs: {name!r} is a column to keep, which is given back when it is sent, and it wasn't",
                "invalid",
                name,
            )
        if name not in there:
            raise Refusal(
                400,
                f"outputs: there is no output {name!r:.80}.{did_you_mean(name[:80], there)} "
                f"Outputs: {listing(there, 40)}",
                "invalid",
            )
    return asked


def _check_absent(inputs: Sequence[Input], given: Mapping[str, Tensor]) -> None:
    absent = [item.name for item in inputs if not item.optional and item.name not in given]
    if absent:
        raise Refusal(
            400,
            f"input tensors are absent: {listing(absent, 40)}.{did_you_mean(absent[0], given)} "
            f"Found: {listing(given, 40)}. If one may be absent: 'inputs.NAME={{kind: …, optional: true}}'",
            "missing",
            absent[0],
        )


def _rows(tensors: Sequence[Tensor], most: int | None) -> int:
    """How many rows a request has."""
    if not tensors:
        raise Refusal(400, "there is no input tensor that the model reads, so no rows either", "missing")
    first = tensors[0]
    rows = rows_of(first.name, first.shape)
    if most is not None and rows > most:
        raise Refusal(
            400, f"{rows:,} rows are more than the {most:,} that a request may have", "too_large", first.name
        )
    for tensor in tensors:
        found = rows_of(tensor.name, tensor.shape)
        if found != rows:
            raise Refusal(
                400,
                f"{tensor.name}: has {found:,} rows where {first.name} has {rows:,}",
                "invalid",
                tensor.name,
            )
        if len(tensor.values) != rows:
            raise Refusal(
                400,
                f"{tensor.name}: expected {rows:,} values for the shape {list(tensor.shape)}, "
                f"found {len(tensor.values):,}",
                "invalid",
                tensor.name,
            )
    return rows


def rows_of(name: str, shape: Sequence[int]) -> int:
    """The rows of a column's shape.

    Raises
    ------
    Refusal
        400: it is no column.

    Examples
    --------
    >>> rows_of("x", [3]), rows_of("x", [3, 1])
    (3, 3)
    """
    if len(shape) not in (1, 2) or shape[0] < 0 or (len(shape) == 2 and shape[1] != 1):
        shown = listing(map(str, shape), 6)
        raise Refusal(400, f"{name}: expected the shape [n] or [n, 1], found [{shown}]", "invalid", name)
    return shape[0]


def _check_datatype(item: Input, tensor: Tensor) -> None:
    taken = _TAKEN[item.kind]
    if tensor.datatype in taken:
        return
    if tensor.datatype not in DATATYPES:
        raise unknown(tensor.datatype, tensor.name)
    usual = INPUT_DATATYPES[item.kind]
    others = [datatype for datatype in taken if datatype != usual]
    more = f" (or {', '.join(others)})" if others else ""
    what = "µs since 1970 in " if item.kind is Kind.TIMESTAMP else ""
    raise Refusal(
        400,
        f"{item.name}: a {item.kind} is {what}{usual}{more}, found {tensor.datatype}",
        "invalid",
        item.name,
    )


def _column(item: Input, tensor: Tensor) -> pa.Array:
    """The values of a tensor as the pipeline's tables have them."""
    values = tensor.values
    if tensor.json or pt.is_null(values.type):
        return values
    if item.kind is Kind.NUMBER:
        if pt.is_float16(values.type):
            # not every Arrow casts it
            return pa.array(values.to_numpy(zero_copy_only=False).astype(np.float64))
        return values
    if item.kind is Kind.TIMESTAMP:
        if pt.is_uint64(values.type):  # what int64 can't hold is outside the years anyway
            values = pc.min_element_wise(values, pa.scalar(2**63 - 1, pa.uint64()))
        return values.cast(pa.int64()).view(pa.timestamp("us", "UTC"))
    if pt.is_binary(values.type):  # text that says so itself, where it is no UTF-8, row by row
        return pa.Array.from_buffers(
            pa.string(), len(values), values.buffers(), values.null_count, values.offset
        )
    return values


def _is_plain(tensor: Tensor) -> bool:
    """Whether a row of JSON can have the same values."""
    return not (pt.is_union(tensor.values.type) or pt.is_binary(tensor.values.type))


def _one_by_one(
    live: Live, arrays: Mapping[str, pa.Array], rows: int, columns: Sequence[Column]
) -> list[pa.Array]:
    """The outputs of a few rows."""
    names = list(arrays)
    cells = [_cells(array) for array in arrays.values()]
    asked = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)] or [{}] * rows
    answers = live.many(asked)
    refused = [
        BadValue(row, answer.column, answer.code, str(answer))
        for row, answer in enumerate(answers)
        if isinstance(answer, RowError)
    ]
    if refused:
        raise _refusal(refused)
    good = [answer for answer in answers if isinstance(answer, dict)]
    return [pa.array([answer[column.name] for answer in good], arrow_type(column)) for column in columns]


def _cells(array: pa.Array) -> list[object]:
    if pt.is_timestamp(array.type):
        array = array.view(pa.int64())  # datetimes have no year 0
    cells: list[object] = array.to_pylist()
    return cells


def _together(
    live: Live, arrays: Mapping[str, pa.Array], marked: set[str], rows: int, columns: Sequence[Column]
) -> list[pa.Array]:
    """The outputs of rows that are scored as a table."""
    whole = dict(arrays)
    for name in live.pipeline.plan.keep:
        whole.setdefault(name, pa.nulls(rows))  # the answer's are the tensors as they were sent
    if not whole:
        whole["_"] = pa.nulls(rows)  # a batch without columns would have no rows
    fields = [pa.field(name, array.type) for name, array in whole.items()]
    fields = [json_cells.marked(field) if field.name in marked else field for field in fields]
    made, bad = live.table(pa.RecordBatch.from_arrays(list(whole.values()), schema=pa.schema(fields)))
    if bad:
        raise _refusal(bad)
    # the columns to keep come first
    return made.columns[-len(columns) :] if columns else []


def _refusal(bad: Sequence[BadValue]) -> Refusal:
    """What is said of rows that are refused: an answer's tensors have no place for it."""
    first: dict[int, BadValue] = {}
    for value in bad:
        first.setdefault(value.row, value)
    shown = [f"row {value.row}: {value.message}" for value in itertools.islice(first.values(), _SHOWN)]
    if len(first) > _SHOWN:
        shown.append(f"and {len(first) - _SHOWN:,} more")
    count = "1 row is" if len(first) == 1 else f"{len(first):,} rows are"
    found = next(iter(first.values()))
    return Refusal(400, f"{count} refused, so none is answered: {'; '.join(shown)}", found.code, found.column)
