"""Columns of a request through a pipeline: a few rows one by one, more as a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode import json_cells
from engine.encode import arrow_type
from engine.errors import DataError, RowError
from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip.tensor import Tensor
from engine.schema import Column, Input, Kind
from engine.values import BadValue

if TYPE_CHECKING:
    from engine.answer.live import Live

_FEW = 8
"""Rows that are answered faster one by one than as a table."""
_SHOWN = 5
"""Refused rows that a message names."""


class Noted(Protocol):
    """Takes note of what was asked and answered, as `engine.runtime.serve.call.Call` does."""

    rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | RowError]] | None
    table: tuple[pa.RecordBatch, pa.RecordBatch, list[BadValue]] | None


def score(
    live: Live,
    inputs: Sequence[tuple[Input, Tensor]],
    kept: Sequence[Tensor],
    rows: int,
    columns: Sequence[Column],
    note: Noted | None,
) -> list[pa.Array]:
    """The values of the outputs.

    Parameters
    ----------
    live : Live
    inputs : sequence of (Input, Tensor)
        Each of a datatype that its kind takes, ``rows`` long.
    kept : sequence of Tensor
        Columns to keep that were sent, as long.
    rows : int
    columns : sequence of Column
        The outputs.
    note : Noted or None

    Returns
    -------
    list of pyarrow.Array, shape (rows,)
        For each of ``columns``.

    Raises
    ------
    Refusal
        400: rows are refused, or a group is seen in two places.
    """
    arrays = {tensor.name: tensor.values for tensor in kept}
    arrays |= {item.name: _column(item, tensor) for item, tensor in inputs}
    given = [*(tensor for _, tensor in inputs), *kept]
    try:
        if rows <= _FEW and not live.pipeline.groups and all(map(_is_plain, given)):
            return _one_by_one(live, arrays, rows, columns, note)
        marked = {item.name for item, tensor in inputs if tensor.json}
        return _together(live, arrays, marked, rows, columns, note)
    except DataError as error:  # a group is seen in two places
        raise Refusal(400, str(error), "data") from None


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
    live: Live, arrays: Mapping[str, pa.Array], rows: int, columns: Sequence[Column], note: Noted | None
) -> list[pa.Array]:
    """The outputs of a few rows."""
    names = list(arrays)
    cells = [_cells(array) for array in arrays.values()]
    asked = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)] or [{}] * rows
    answers = live.many(asked)
    if note is not None:
        note.rows = zip(asked, answers, strict=True)
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
    live: Live,
    arrays: Mapping[str, pa.Array],
    marked: set[str],
    rows: int,
    columns: Sequence[Column],
    note: Noted | None,
) -> list[pa.Array]:
    """The outputs of rows that are scored as a table."""
    whole = dict(arrays)
    for name in live.pipeline.plan.keep:
        whole.setdefault(name, pa.nulls(rows))  # a table has it, and the answer won't
    if not whole:
        whole["_"] = pa.nulls(rows)  # a batch without columns would have no rows
    fields = [pa.field(name, array.type) for name, array in whole.items()]
    fields = [json_cells.marked(field) if field.name in marked else field for field in fields]
    batch = pa.RecordBatch.from_arrays(list(whole.values()), schema=pa.schema(fields))
    made, bad = live.table(batch)
    if note is not None:
        note.table = batch, made, bad
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
