"""Frames, lists of rows and streams, as callers have them: to tables, and answers back to what came."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from engine.decode.rows import rows_to_table
from engine.errors import DataError
from engine.schema import Input
from engine.values import BadValue

Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Given:
    """What a caller gave, as a table.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
    back : callable
        ``back(answer, places)`` makes of an answer's table what the caller has; ``places`` are the rows that
        it has an answer for, of those that were given.
    bad : list of BadValue
        Values that are refused although the table can't show them.
    """

    table: pa.Table | pa.RecordBatch
    back: Callable[[pa.Table, Places], Any] = lambda answer, places: answer
    bad: list[BadValue] = field(default_factory=list)


def is_stream(given: Any) -> bool:
    """Whether rows come one batch after the other, from something that is no frame."""
    return (
        hasattr(given, "__arrow_c_stream__")
        and not isinstance(given, pa.Table | pa.RecordBatch)
        and _library(given) not in ("pandas", "polars")
    )


def to_table(given: Any, inputs: Sequence[Input], keep: Sequence[str], reads: Collection[str]) -> Given:
    """What a caller gave, as a table.

    Parameters
    ----------
    given : pyarrow.Table, pyarrow.RecordBatch, pandas.DataFrame, polars.DataFrame or sequence of mapping
    inputs : sequence of Input
    keep : sequence of str
        Columns that are carried to the output; of rows as they came.
    reads : collection of str
        The inputs whose values are looked at.

    Raises
    ------
    DataError
        A frame's column can't be one of Arrow.
    TypeError
        It is something else.
    """
    if isinstance(given, pa.Table | pa.RecordBatch):
        return Given(given)
    library = _library(given)
    if library == "pandas" and isinstance(given, sys.modules["pandas"].DataFrame):
        return _of_pandas(given, inputs, keep)
    if library == "polars":
        return _of_polars(given)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return _of_rows(given, inputs, keep, reads)
    raise TypeError(
        "predict_many takes a pyarrow.Table, RecordBatch or stream, a pandas or polars DataFrame, or a list "
        f"of mappings, not {type(given).__name__}; predict_one takes one mapping"
    )


def _library(given: Any) -> str:
    return type(given).__module__.partition(".")[0]


def pandas_table(frame: Any, columns: Sequence[str]) -> pa.Table:
    """Some columns of a frame of pandas, without its index.

    Raises
    ------
    DataError
        A column can't be one of Arrow.
    """
    odd = [name for name in frame.columns if not isinstance(name, str)]
    if odd:
        raise DataError(f"the frame has a column named {odd[0]!r}: names must be text")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"the frame has several columns named {twice[0]!r}")
    try:
        table: pa.Table = pa.Table.from_pandas(frame[list(columns)], preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        told = str(error) if isinstance(error, UnicodeError) else "; ".join(map(str, error.args))
        raise DataError(f"the frame can't be read: {told}") from None
    return table.replace_schema_metadata(None)


def _of_pandas(frame: Any, inputs: Sequence[Input], keep: Sequence[str]) -> Given:
    read = {item.name for item in inputs}
    table = pandas_table(frame, [name for name in frame.columns if name in read])
    gone = pa.nulls(len(frame))
    for name in frame.columns:  # what is kept needn't be anything that Arrow has
        if name not in read and name in keep:
            table = table.append_column(name, gone)
    if not table.num_columns:
        table = pa.table({"_": gone})

    def back(answer: pa.Table, places: Places) -> Any:
        made = answer.to_pandas()
        made.index = frame.index[places]
        for name in keep:  # with their own types, which Arrow needn't know
            made[name] = frame[name].iloc[places]
        return made

    return Given(table, back)


def _of_polars(frame: Any) -> Given:
    import polars

    if not isinstance(frame, polars.DataFrame):
        name = type(frame).__name__
        hint = "; collect() makes one" if isinstance(frame, polars.LazyFrame) else ""
        raise TypeError(f"predict_many takes a polars DataFrame, not {name}{hint}")
    odd = [name for name, kind in frame.schema.items() if kind == polars.Object]
    if odd:
        raise DataError(f"the frame's column {odd[0]!r} holds objects of Python, which Arrow doesn't have")
    return Given(frame.to_arrow(), lambda answer, places: polars.from_arrow(answer))


def _of_rows(
    rows: Sequence[Any], inputs: Sequence[Input], keep: Sequence[str], reads: Collection[str]
) -> Given:
    table, bad = rows_to_table(rows, [item for item in inputs if item.name in reads])
    for name in (*(item.name for item in inputs), *keep):  # nobody looks at the others
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows))

    def back(answer: pa.Table, places: Places) -> list[dict[str, Any]]:
        kept: list[Mapping[str, Any]] = [rows[place] for place in places]
        made: list[dict[str, Any]] = answer.to_pylist()
        for row, given in zip(made, kept, strict=True):
            row.update((name, given.get(name)) for name in keep)
        return made

    return Given(table, back, bad)
