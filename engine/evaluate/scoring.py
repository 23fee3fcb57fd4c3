"""Batches of inputs to the scores of those rows that are evaluated; nothing else of them is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import DataError
from engine.pipeline import Pipeline
from engine.values import FILTERED, FloatArray, IntArray


@dataclass(frozen=True)
class Answers:
    """The scores of some rows.

    Parameters
    ----------
    scores : float64 array, shape (n_good, k)
    good : bool array, shape (n,)
        Rows that have scores.
    rejected : int
        Rows that an input's policy refuses.
    filtered : int
        Rows that a filter refuses.
    """

    scores: FloatArray
    good: NDArray[np.bool_]
    rejected: int
    filtered: int


def score_rows(
    scoring: Pipeline, batches: Iterable[pa.RecordBatch | pa.Table], rows: IntArray, *, where: str, text: bool
) -> Answers:
    """Score the rows of these positions.

    Parameters
    ----------
    scoring : Pipeline
        Its outputs are the scores.
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        The inputs of all rows, in order.
    rows : int64 array
        Ascending.
    where : str
        What messages call the table.
    text : bool
        Every column is text to parse.

    Raises
    ------
    DataError
        A value stops the run, or each row is refused, or rows are gone since their targets were read.
    """
    parts: list[NDArray[np.float32]] = []
    good = np.ones(len(rows), bool)
    filtered = done = begun = 0
    first = ""
    for batch in batches:
        end = int(np.searchsorted(rows, done + batch.num_rows))
        here = rows[begun:end] - done
        if len(here):
            wanted = batch if len(here) == batch.num_rows else batch.take(pa.array(here))
            found, bad = scoring.score_batch(wanted, text=text)
            fatal = next((value for value in bad if value.fatal), None)
            if fatal is not None:
                raise DataError(f"{where}, row {rows[begun + fatal.row]}: {fatal.message}")
            good[[begun + value.row for value in bad]] = False
            filtered += sum(value.code == FILTERED for value in bad)  # such a row is refused for one reason
            first = first or next((value.message for value in bad), "")
            columns = [column.to_numpy(zero_copy_only=False) for column in found.columns]
            parts.append(np.stack(columns, axis=1))
        begun, done = end, done + batch.num_rows
    if begun < len(rows):
        raise DataError(f"{where}: it has {done:,} rows now, fewer than when its targets were read")
    if not good.any():
        raise DataError(f"{where}: each of its {len(good):,} labelled rows is rejected; the first: {first}")
    scores = np.concatenate(parts).astype(np.float64)
    return Answers(scores, good, int((~good).sum()) - filtered, filtered)
