"""Columns in memory to what leaves the engine: Arrow batches, and Python values for one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from engine.schema import Column, Kind
from engine.values import FIRST, NAT, Categories, Values

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DTYPES = {
    "float32": pa.float32(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp[us, UTC]": pa.timestamp("us", "UTC"),
}


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of an output column."""
    return _DTYPES[column.dtype]


def encode(
    columns: Mapping[str, Values], schema: Sequence[Column], kept: Mapping[str, pa.Array]
) -> pa.RecordBatch:
    """An output batch: kept columns as they came, then the output columns.

    Parameters
    ----------
    columns : mapping of str to Values
        Values of shape ``(n,)`` for every column of ``schema``.
    schema : sequence of Column
        The output columns, in order.
    kept : mapping of str to pyarrow.Array
        Columns of the source, ``n`` long, in order.

    Returns
    -------
    pyarrow.RecordBatch
        float32, float64, bool, string and timestamp[us, UTC] columns. A missing category or timestamp is
        null; a missing number stays NaN.

    Examples
    --------
    >>> late = Column("late", Kind.BOOLEAN)
    >>> encode({"late": np.array([True])}, [late], {"flight": pa.array(["UA1"])}).to_pylist()
    [{'flight': 'UA1', 'late': True}]
    """
    arrays = [*kept.values(), *(to_arrow(columns[column.name], column) for column in schema)]
    return pa.RecordBatch.from_arrays(arrays, names=[*kept, *(column.name for column in schema)])


def to_arrow(values: Values, column: Column) -> pa.Array:
    """The values of one column as an Arrow array of its output type."""
    dtype = arrow_type(column)
    if isinstance(values, Categories):
        codes = values.codes
        # Code 1, a text outside the vocabulary, has no text to print: null as well.
        indices = pa.array(codes - FIRST, mask=codes < FIRST)
        return pa.DictionaryArray.from_arrays(indices, pa.array(values.texts, dtype)).cast(dtype)
    if column.kind is Kind.TIMESTAMP:
        values = np.ascontiguousarray(values)
        # NumPy's NaT is the same least int64, and Arrow makes it null
        return pa.array(values.view("datetime64[us]"), dtype)
    if column.whole:
        absent = np.isnan(values)
        return pa.array(np.where(absent, 0, values).astype(np.int64), dtype, mask=absent)
    return pa.array(values, dtype)


def to_python(value: Any, column: Column, texts: Sequence[str] = ()) -> Any:
    """One value of an output column as a row's answer has it.

    Parameters
    ----------
    value : scalar
        A float (float32 is widened), bool, whole µs or a category's code.
    column : Column
    texts : sequence of str
        What a category's codes stand for.

    Returns
    -------
    float, int, bool, str, datetime in UTC or None
        None for a missing category, timestamp or whole number; another missing number stays NaN.

    Examples
    --------
    >>> to_python(np.float32(0.1), Column("score", Kind.NUMBER, single=True))
    0.10000000149011612
    >>> to_python(3, Column("band", Kind.CATEGORY), ("low", "high"))
    'high'
    """
    kind = column.kind
    if column.whole:
        return None if value != value else int(value)
    if kind is Kind.NUMBER:
        return float(value)
    if kind is Kind.BOOLEAN:
        return bool(value)
    if kind is Kind.TIMESTAMP:
        return None if value == NAT else _EPOCH + timedelta(microseconds=int(value))
    return texts[value - FIRST] if value >= FIRST else None
