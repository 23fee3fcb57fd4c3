"""Rows by the values of some of their columns: a bounded number of segments, and the rest as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import DataError
from engine.schema import Kind
from engine.training.columns import read_columns
from engine.values import FIRST, MISSING, Categories, IntArray, Values

MOST = 30
"""Segments that are told apart; all others are one."""
SMALL = 100
"""A segment of fewer rows is marked: its metrics say little."""

Key = tuple[str | None, ...]
"""The values that a segment's rows have in common, one for each column; None: missing."""


@dataclass(frozen=True)
class Segments:
    """Which segment each row belongs to.

    Parameters
    ----------
    codes : int32 array, shape (n,)
        Places in ``keys``; ``len(keys)``: one of the other segments.
    keys : tuple of Key
        Those that are told apart, the one with the most rows first.
    others : int
        How many segments are taken together as the rest.
    """

    codes: NDArray[np.int32]
    keys: tuple[Key, ...]
    others: int

    def take(self, rows: NDArray[np.bool_]) -> Segments:
        """The rows where a mask is true."""
        return replace(self, codes=self.codes[rows])


def read_segments(
    by: Sequence[str], table: pa.Table, known: Mapping[str, Kind], rows: IntArray, *, text: bool
) -> Segments:
    """The segments of some rows of a table.

    Text and booleans are taken as they are; whole numbers, too, where there are at most `MOST` different
    ones; a moment as its day, month or year in UTC, the finest of which there are at most `MOST`.

    Raises
    ------
    DataError
        There is no such column, or it holds ever different numbers.
    """
    columns = read_columns(table, by, known, text=text, where="by")
    codes = np.zeros(len(rows), np.int64)
    texts: list[list[str | None]] = []
    for name, (kind, values) in columns.items():
        own, names = _texts(name, kind, values, rows)
        codes, texts = _paired(codes, own, texts, names)
    return _bounded(codes, texts)


def _paired(
    codes: IntArray, own: IntArray, texts: list[list[str | None]], names: list[str | None]
) -> tuple[IntArray, list[list[str | None]]]:
    """Codes of pairs that are there, and the values behind each of them, by column."""
    found, new = np.unique(codes * (len(names) + 1) + own, return_inverse=True)
    before = [[column[int(code) // (len(names) + 1)] for code in found] for column in texts]
    return new.astype(np.int64), [*before, [names[int(code) % (len(names) + 1)] for code in found]]


def _bounded(codes: IntArray, texts: list[list[str | None]]) -> Segments:
    keys = list(zip(*texts, strict=True))
    counts = np.bincount(codes, minlength=len(keys))
    # missing values come last among those of a size
    order = sorted(
        range(len(keys)), key=lambda i: (-counts[i], [(text is None, text or "") for text in keys[i]])
    )
    kept = order if len(order) <= MOST else order[: MOST - 1]
    place = np.full(len(keys), len(kept), np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    return Segments(place[codes], tuple(keys[i] for i in kept), len(order) - len(kept))


def _texts(name: str, kind: Kind, values: Values, rows: IntArray) -> tuple[IntArray, list[str | None]]:
    """The code of each row, and the text behind each code."""
    if isinstance(values, Categories):
        found, codes = np.unique(values.codes[rows], return_inverse=True)
        return codes, [None if code == MISSING else values.texts[code - FIRST] for code in found.tolist()]
    here = values[rows]
    if kind is Kind.TIMESTAMP:
        return _moments(here)
    found, codes = np.unique(here, return_inverse=True)  # NaN once, at the end
    if kind is Kind.BOOLEAN:
        return codes, [None if x != x else "true" if x else "false" for x in found.tolist()]
    numbers = found[~np.isnan(found)]
    if len(numbers) > MOST or not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        raise DataError(
            f"by: {name!r} holds {len(numbers):,} different numbers; expected text, booleans, timestamps, "
            f"or at most {MOST} different whole numbers"
        )
    return codes, [None if x != x else f"{x:.0f}" for x in found.tolist()]


def _moments(values: IntArray) -> tuple[IntArray, list[str | None]]:
    moments = values.view("datetime64[us]")  # NumPy's NaT is the engine's
    for unit in ("D", "M", "Y"):
        found, codes = np.unique(moments.astype(f"datetime64[{unit}]"), return_inverse=True)
        if len(found) <= MOST:
            break
    return codes, [None if np.isnat(x) else str(x) for x in found]
