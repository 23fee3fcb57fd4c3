"""Parts labelled rows into train, valid and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, DataError, Mistake
from engine.plan.plan import Split
from engine.schema import Kind
from engine.training.columns import is_missing
from engine.values import Categories, Values

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Positions of the rows of each part, ascending: int64 arrays."""

    train: Rows
    valid: Rows
    test: Rows


def split_rows(
    split: Split, known: NDArray[np.bool_], column: tuple[Kind, Values] | None, seed: int
) -> Parts:
    """Part the rows that have a target.

    Parameters
    ----------
    split : Split
    known : bool array, shape (n,)
        Rows that have a target; the others are in no part.
    column : (Kind, Values) or None
        The split's column.
    seed : int

    Raises
    ------
    DataError
        A part that was asked for gets no rows, or the column is missing somewhere.
    """
    rows = np.flatnonzero(known)
    if split.kind == "kfold":
        raise ConfigError(
            [
                Mistake(
                    "split.kind", "kfold is for cross-validation; fit and evaluate take time, random or group"
                )
            ]
        )
    if split.kind == "random":
        order = np.random.default_rng([seed, 1]).permutation(len(rows))
        parts = _by_rank(rows, order, split)
    else:
        if column is None:
            raise ConfigError([Mistake("split.column", f"is needed for split.kind={split.kind}")])
        missing = int(is_missing(column[1])[rows].sum())
        if missing:
            raise DataError(
                f"split: {split.column!r} is missing in {missing:,} of {len(rows):,} labelled rows; "
                f"a split by {split.kind} needs it in each"
            )
        parts = (
            _by_time(rows, column, split) if split.kind == "time" else _by_group(rows, column, split, seed)
        )
    for name, asked in (
        ("train", 1.0 - split.valid - split.test),
        ("valid", split.valid),
        ("test", split.test),
    ):
        if asked > 0 and not len(getattr(parts, name)):
            raise DataError(
                f"split: the {name} part got none of the {len(rows):,} labelled rows; "
                "change split.valid, split.test or the data"
            )
    return parts


def _by_rank(rows: Rows, order: Rows, split: Split) -> Parts:
    """The first rows in this order train, then valid, then test."""
    n = len(rows)
    test = round(split.test * n)
    valid = round(split.valid * n)
    train = n - test - valid
    cuts = (order[:train], order[train : train + valid], order[train + valid :])
    return Parts(*(np.sort(rows[cut]) for cut in cuts))


def _by_time(rows: Rows, column: tuple[Kind, Values], split: Split) -> Parts:
    """Rows of one moment stay together; ``gap`` before each boundary belongs to no part."""
    kind, values = column
    if isinstance(values, Categories):
        raise DataError(
            f"split: {split.column!r} is a category; a split by time needs a timestamp or a number"
        )
    at = values[rows]
    # whole µs: a float64 is too coarse for moments after the year 2255
    gap = round(min(split.gap, 1e12) * 1e6) if kind is Kind.TIMESTAMP else split.gap
    order = np.sort(at)
    n = len(order)
    test_from = order[min(n - round(split.test * n), n - 1)] if round(split.test * n) else None
    before = at < test_from if test_from is not None else np.ones(n, bool)
    test = ~before
    first = n - round(split.test * n) - round(split.valid * n)
    valid_from = order[min(max(first, 0), n - 1)] if round(split.valid * n) else test_from
    end_of_valid = before if test_from is None else at < test_from - gap
    valid = end_of_valid & (at >= valid_from) if round(split.valid * n) else np.zeros(n, bool)
    train = np.ones(n, bool) if valid_from is None else at < valid_from - gap
    return Parts(rows[train], rows[valid], rows[test])


def _by_group(rows: Rows, column: tuple[Kind, Values], split: Split, seed: int) -> Parts:
    """Whole groups, in random order, until each part has its share of the rows."""
    values = column[1]
    keys = (values.codes if isinstance(values, Categories) else values)[rows]
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, 2]).permutation(len(counts))
    ends = np.cumsum(counts[order]) / len(rows)
    train_share = 1.0 - split.valid - split.test
    part_of_group = np.empty(len(counts), np.int8)
    part_of_group[order] = np.where(
        ends <= train_share + 1e-12, 0, np.where(ends <= train_share + split.valid + 1e-12, 1, 2)
    )
    part = part_of_group[group]
    return Parts(rows[part == 0], rows[part == 1], rows[part == 2])
