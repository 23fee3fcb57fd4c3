"""Answers compared to the bit, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.errors import RowError
from engine.pipeline import Pipeline
from engine.testing.rows import exact

Answer = tuple[Any, ...]
"""One row's answer, equal to another's only when their bits are; a refused row: why."""


def answers(pipeline: Pipeline, rows: pa.Table, threads: int = 1) -> list[Answer]:
    """The answer of each row of a table, refused ones in their places."""
    found, rejects = pipeline.predict_many(rows, rejects=True, threads=threads)
    columns = [[exact(value) for value in column.to_pylist()] for column in found.columns]
    scored = iter(zip(*columns, strict=True))
    refused: dict[int, Answer] = {}
    for bad in rejects.to_pylist():
        refused.setdefault(bad["row"], ("refused", bad["column"], bad["code"]))
    return [refused[i] if i in refused else next(scored, ()) for i in range(rows.num_rows)]


def one_by_one(pipeline: Pipeline, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """The answer of each row, asked for alone."""
    found: list[Answer] = []
    for row in rows:
        try:
            found.append(tuple(exact(value) for value in pipeline.predict_one(row).values()))
        except RowError as error:
            found.append(("refused", error.column, error.code))
    return found


def difference(
    rows: pa.Table, names: Sequence[str], first: Sequence[Answer], second: Sequence[Answer]
) -> tuple[str, Any, Any] | None:
    """The first row and column in which two answers differ, and both values; None: none."""
    if len(first) != len(second):
        return "the number of rows", len(first), len(second)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a == b:
            continue
        row = rows.slice(i, 1).to_pylist()[0]
        shown = ", ".join(f"{name}={value!r}" for name, value in list(row.items())[:4])
        for name, x, y in zip(names, a, b, strict=False):
            if x != y:
                return f"column {name!r} of the row {shown}", _readable(x), _readable(y)
        return f"the row {shown}", a, b
    return None


def _readable(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("0x", "-0x")):
        return float.fromhex(value)
    return value
