"""What stages learn of categories: which texts the training rows hold, and numbers for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from engine.errors import UserError
from engine.values import FIRST, MISSING, Categories, FloatArray


def seen_texts(name: str, values: Categories, use: str, remedy: str) -> dict[str, int]:
    """The texts of at least one row in alphabetical order, each with its code.

    Parameters
    ----------
    name : str
        The column's.
    values : Categories
    use : str
        The stage that learns, for the message, and what to do where there is nothing to learn from.
    remedy : str

    Raises
    ------
    UserError
        No row has a text.

    Examples
    --------
    >>> seen_texts("k", Categories(np.array([3, 0, 3], np.int32), ("a", "b")), "ordinal", "leave it out")
    {'b': 3}
    """
    counts = code_counts(values)[FIRST:].tolist()
    found = {
        text: code
        for code, (text, count) in enumerate(zip(values.texts, counts, strict=True), FIRST)
        if count
    }
    if not found:
        raise UserError(f"{use} can't learn the categories of {name!r}: no training row has one; {remedy}")
    return dict(sorted(found.items()))


def code_counts(values: Categories) -> FloatArray:
    """How many rows have each code: float64 ``(2 + len(texts),)``."""
    return np.bincount(values.codes, minlength=FIRST + len(values.texts)).astype(np.float64)


def stacked(rows: Sequence[FloatArray]) -> FloatArray:
    """Rows of different lengths as one array, zeros behind: what a `ColumnStage` learns has an item a column.

    >>> stacked([np.array([1.0]), np.array([2.0, 3.0])]).tolist()
    [[1.0, 0.0], [2.0, 3.0]]
    """
    found = np.zeros((len(rows), max(map(len, rows), default=0)))
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found


_T = TypeVar("_T")


def by_name(use: str, made: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    """What a stage makes, by names that columns and categories make up together.

    Raises
    ------
    UserError
        Two are called the same, as category ``b_c`` of column ``a`` and category ``c`` of column ``a_b``.
    """
    found: dict[str, _T] = {}
    for name, item in made:
        if name in found:
            raise UserError(f"{use} makes two columns called {name!r}: rename a column before it")
        found[name] = item
    return found


def with_missing(texts: Mapping[str, int], by_code: FloatArray) -> FloatArray:
    """The numbers of a missing category and of these texts, in order, out of those of each code."""
    return by_code[[MISSING, *texts.values()]]
