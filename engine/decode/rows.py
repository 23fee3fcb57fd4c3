"""Rows given as mappings to a table: each cell is of its input's kind or isn't, as in a single row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.decode import messages
from engine.decode.readers import PYTHON, Readers
from engine.schema import Input, Kind
from engine.values import BadValue

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.NUMBER: pa.float64(),
    Kind.TIMESTAMP: pa.int64(),
    Kind.CATEGORY: pa.string(),
    Kind.TEXT: pa.string(),
}


def rows_to_table(
    rows: Sequence[Mapping[str, Any]], inputs: Sequence[Input], readers: Readers = PYTHON
) -> tuple[pa.Table, list[BadValue]]:
    """The inputs of rows as a table, null where a value is missing or refused.

    Parameters
    ----------
    rows : sequence of mapping
        Values by input, as `RowDecoder` takes them: an absent key, None and NaN are missing.
    inputs : sequence of Input
    readers : Readers
        Whether the values are Python's or JSON's.

    Returns
    -------
    pyarrow.Table
        float64, timestamp[us, UTC] and string columns.
    list of BadValue
        Values that are not of their input's kind, where its ``invalid`` refuses them.

    Raises
    ------
    TypeError
        One of them is no mapping.

    Examples
    --------
    >>> table, bad = rows_to_table([{"n": 1}, {"n": "x"}], [Input("n", Kind.NUMBER)])
    >>> table.to_pydict(), [value.message for value in bad]
    ({'n': [1.0, nan]}, ["n: expected a number, found 'x' (str)"])
    """
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"row {number}: expected a mapping from input to value, such as {{'distance': 200.0}}, "
                f"found {type(row).__name__}"
            )
    bad: list[BadValue] = []
    columns = {
        item.name: _column(item, readers[item.kind], [row.get(item.name) for row in rows], bad)
        for item in inputs
    }
    if not columns:  # a table without columns would have no rows
        return pa.table({"_": pa.nulls(len(rows))}), bad
    return pa.table(columns), sorted(bad, key=lambda value: value.row)


def _column(item: Input, read: Callable[[Any], Any], values: Sequence[Any], bad: list[BadValue]) -> pa.Array:
    kind = _TYPES[item.kind]
    nothing = read(None)
    found = []
    for row, value in enumerate(values):
        try:
            found.append(read(value))
        except ValueError as error:
            found.append(nothing)
            if item.invalid != "null":
                message = messages.invalid(item, str(error))
                bad.append(BadValue(row, item.name, "invalid", message, item.invalid == "fail"))
    if item.kind is not Kind.TIMESTAMP:
        return pa.array(found, kind)
    missing = pa.array([value == nothing for value in found], pa.bool_())
    micros = pa.array(found, kind).view(pa.timestamp("us", "UTC"))
    return pa.compute.if_else(missing, pa.scalar(None, micros.type), micros)
