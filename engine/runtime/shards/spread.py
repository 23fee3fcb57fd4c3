"""How values are spread: small, exact to merge, the same whatever the order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOST_TEXTS = 50
"""Different texts that are counted by name; the rest are counted together."""


class Spread(msgspec.Struct, frozen=True, omit_defaults=True):
    """The values of one column.

    Numbers are counted in cells by the upper 16 bits of their float32, so that a quantile is told within
    0.4 %; texts and booleans by themselves.

    Parameters
    ----------
    rows, missing : int
        Missing is null or NaN.
    least, greatest : float or None
        Of the numbers; None: there is none.
    total : float
        The sum of the finite numbers.
    cells : dict of str to int
        How many numbers lie in each cell.
    texts : dict of str to int
        How many rows have each text or boolean.
    others : int
        Rows whose text isn't among them.
    """

    rows: int = 0
    missing: int = 0
    least: float | None = None
    greatest: float | None = None
    total: float = 0.0
    cells: dict[str, int] = {}
    texts: dict[str, int] = {}
    others: int = 0

    def merged(self, other: Spread) -> Spread:
        """The two together."""
        texts = dict(self.texts)
        for text, count in other.texts.items():
            texts[text] = texts.get(text, 0) + count
        texts, others = _most(texts)
        cells = dict(self.cells)
        for cell, count in other.cells.items():
            cells[cell] = cells.get(cell, 0) + count
        return Spread(
            self.rows + other.rows,
            self.missing + other.missing,
            _of(min, self.least, other.least),
            _of(max, self.greatest, other.greatest),
            self.total + other.total,
            cells,
            texts,
            self.others + other.others + others,
        )

    def described(self) -> dict[str, Any]:
        """What is told of it: rows, missing ones, and of numbers the mean, the ends and quantiles."""
        told: dict[str, Any] = {"rows": self.rows, "missing": self.missing}
        if self.texts or self.others:
            ordered = sorted(self.texts.items(), key=lambda item: (-item[1], item[0]))
            told["values"] = dict(ordered) | ({"others": self.others} if self.others else {})
        if self.least is not None:
            places, counts = self._ordered()
            finite = int(counts[np.isfinite(places)].sum())
            told |= {
                "mean": self.total / finite if finite else math.nan,
                "min": self.least,
                "max": self.greatest,
            }
            told["quantiles"] = {f"{share:g}": self._quantile(places, counts, share) for share in QUANTILES}
        return told

    def _ordered(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The lower end of each cell, ascending, and how many numbers it holds."""
        keys = np.array([int(cell) for cell in self.cells], np.uint32) << np.uint32(16)
        places = keys.view(np.float32).astype(np.float64)
        counts = np.array(list(self.cells.values()), np.int64)
        order = np.argsort(places, kind="stable")
        return places[order], counts[order]

    def _quantile(self, places: NDArray[np.float64], counts: NDArray[np.int64], share: float) -> float:
        reached = np.cumsum(counts)
        which = int(np.searchsorted(reached, share * reached[-1]))
        assert self.least is not None and self.greatest is not None
        return float(min(max(places[min(which, len(places) - 1)], self.least), self.greatest))


def spread_of(column: pa.Array) -> Spread:
    """How the values of an Arrow column are spread; of a type that is neither number, text nor boolean: rows.

    >>> spread_of(pa.array([0.5, None, 0.25])).described()["max"]
    0.5
    """
    kind = column.type
    if pt.is_floating(kind) or pt.is_integer(kind):
        return _of_numbers(column)
    if pt.is_boolean(kind) or pt.is_string(kind) or pt.is_large_string(kind) or pt.is_dictionary(kind):
        return _of_texts(column)
    return Spread(len(column), column.null_count)


def merge(spreads: Sequence[Spread]) -> Spread:
    """All together."""
    found = Spread()
    for spread in spreads:
        found = found.merged(spread)
    return found


def _of_numbers(column: pa.Array) -> Spread:
    rows = len(column)
    column = column.drop_null() if column.null_count else column
    values = column.to_numpy(zero_copy_only=False)
    values = values[~np.isnan(values)] if pt.is_floating(column.type) else values
    if not len(values):
        return Spread(rows, rows)
    single = np.ascontiguousarray(values, np.float32)
    counts = np.bincount(single.view(np.uint32) >> np.uint32(16), minlength=1)
    places = np.flatnonzero(counts)
    finite = values[np.isfinite(values)] if not math.isfinite(float(single.sum(dtype=np.float64))) else values
    return Spread(
        rows,
        rows - len(values),
        float(values.min()),
        float(values.max()),
        float(finite.sum(dtype=np.float64)),
        {str(place): int(counts[place]) for place in places.tolist()},
    )


def _of_texts(column: pa.Array) -> Spread:
    counted = pc.value_counts(column.drop_null())
    texts = [_shown(value) for value in counted.field("values").to_pylist()]
    kept, others = _most(dict(zip(texts, counted.field("counts").to_pylist(), strict=True)))
    return Spread(len(column), column.null_count, texts=kept, others=others)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _most(texts: dict[str, int]) -> tuple[dict[str, int], int]:
    """The most frequent texts, and how many rows have another."""
    if len(texts) <= _MOST_TEXTS:
        return texts, 0
    ordered = sorted(texts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_MOST_TEXTS]), sum(count for _, count in ordered[_MOST_TEXTS:])


def _of(choose: Any, *values: float | None) -> float | None:
    there = [value for value in values if value is not None]
    return choose(there) if there else None
