"""What is said, and returned, of rows that inputs or filters refuse."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pyarrow as pa

from engine.errors import DataError, RowError
from engine.values import FILTERED, BadValue


def refusal(bad: Sequence[BadValue]) -> DataError:
    """The error for rows that are refused."""
    if len(bad) == 1:
        return RowError(f"row {bad[0].row}: {bad[0].message}", column=bad[0].column, code=bad[0].code)
    rows = len({b.row for b in bad})
    shown = [f"row {b.row}: {b.message}" for b in itertools.islice(bad, 5)]
    more = [f"and {len(bad) - 5:,} more"] if len(bad) > 5 else []
    takes = ", ".join(sorted({f"inputs.NAME.{b.code}=null" for b in bad if b.code != FILTERED}))
    advice = "predict_many(table, rejects=True) leaves such rows out"
    if takes:
        advice += f"; {takes} lets such values pass"
    if any(b.fatal for b in bad):
        advice = f"their inputs say 'fail'; {takes} lets such values pass, 'reject' leaves such rows out"
    return DataError("\n  ".join((f"{rows:,} rows are refused", *shown, *more, advice)))


def reject_table(bad: Sequence[BadValue]) -> pa.Table:
    """A row for each refused value: ``row`` (int64, from 0), ``column``, ``code`` and ``reason``."""
    return pa.table(
        {
            "row": pa.array([b.row for b in bad], pa.int64()),
            "column": pa.array([b.column for b in bad], pa.string()),
            "code": pa.array([b.code for b in bad], pa.string()),
            "reason": pa.array([b.message for b in bad], pa.string()),
        }
    )
