"""How values are spread: small, and exact to merge but for texts beyond the most frequent ones."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
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

    Numbers are counted by the upper 16 bits of their float32, rounded, so that a quantile is told within
    0.4 %; texts and booleans by themselves.

    Parameters
    ----------
    rows, missing : int
        Missing is null or NaN.
    infinite : int
        Numbers that are; what follows is of the others, for JSON knows no such number.
    least, greatest : float or None
        None: there is no number.
    total : float
        The sum; one that no float64 holds is the greatest that does.
    cells : dict of str to int
        How many numbers lie in each cell.
    texts : dict of str to int
        How many rows have each text or boolean.
    others : int
        Rows whose text isn't among them.
    """

    rows: int = 0
    missing: int = 0
    infinite: int = 0
    least: float | None = None
    greatest: float | None = None
    total: float = 0.0
    cells: dict[str, int] = {}
    texts: dict[str, int] = {}
    others: int = 0

    def merged(self, other: Spread) -> Spread:
        """The two together, but for their cells: `Gathered` adds those up."""
        texts = dict(self.texts)
        for text, count in other.texts.items():
            texts[text] = texts.get(text, 0) + count
        texts, others = _most(texts)
        return Spread(
            self.rows + other.rows,
            self.missing + other.missing,
            self.infinite + other.infinite,
            _of(min, self.least, other.least),
            _of(max, self.greatest, other.greatest),
            _held(self.total + other.total),
            {},
            texts,
            self.others + other.others + others,
        )

    def described(self) -> dict[str, Any]:
        """What is told of it: rows, missing ones, and of finite numbers the mean, the ends and quantiles."""
        told: dict[str, Any] = {"rows": self.rows, "missing": self.missing}
        if self.texts or self.others:
            ordered = sorted(self.texts.items(), key=lambda item: (-item[1], item[0]))
            told["values"] = dict(ordered) | ({"others": self.others} if self.others else {})
        if self.infinite:
            told["infinite"] = self.infinite
        if self.least is not None:
            places, counts = self._ordered()
            told |= {"mean": self.total / int(counts.sum()), "min": self.least, "max": self.greatest}
            told["quantiles"] = {f"{share:g}": self._quantile(places, counts, share) for share in QUANTILES}
        return told

    def _ordered(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The number that each cell stands for, ascending, and how many it holds."""
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


class SpreadCounter:
    """Adds up how the values of a column are spread, batch by batch.

    Examples
    --------
    >>> counter = SpreadCounter()
    >>> counter.add(pa.array([0.5, None, 0.25]))
    >>> counter.spread().described()["max"]
    0.5
    """

    def __init__(self) -> None:
        self._rows = self._missing = self._infinite = self._others = 0
        self._least: float | None = None
        self._greatest: float | None = None
        self._total = 0.0
        self._cells: NDArray[np.int64] | None = None
        self._texts: dict[str, int] = {}

    def add(self, column: pa.Array) -> None:
        """Count the values of an Arrow column; of other types than numbers, texts and booleans: rows."""
        kind = column.type
        self._rows += len(column)
        self._missing += column.null_count
        if pt.is_boolean(kind):
            there = len(column) - column.null_count
            self._count("true", column.true_count)
            self._count("false", there - column.true_count)
        elif pt.is_floating(kind) or pt.is_integer(kind):
            self._add_numbers(column.drop_null() if column.null_count else column)
        elif pt.is_string(kind) or pt.is_large_string(kind) or pt.is_dictionary(kind):
            counted = pc.value_counts(column.drop_null())
            values, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
            for text, count in zip(values, counts, strict=True):
                self._count(str(text), count)
            self._texts, others = _most(self._texts)
            self._others += others

    def spread(self) -> Spread:
        """What was counted."""
        return Spread(
            self._rows,
            self._missing,
            self._infinite,
            self._least,
            self._greatest,
            self._total,
            _named(self._cells),
            self._texts,
            self._others,
        )

    def _count(self, text: str, count: int) -> None:
        if count:
            self._texts[text] = self._texts.get(text, 0) + count

    def _add_numbers(self, column: pa.Array) -> None:
        values = column.to_numpy(zero_copy_only=False)
        total = _sum(values)
        if not math.isfinite(total):
            gone, finite = np.isnan(values), np.isfinite(values)
            self._missing += int(gone.sum())
            self._infinite += int((~finite & ~gone).sum())
            values = values[finite]
            total = _sum(values)
        if not len(values):
            return
        self._total = _held(self._total + total)
        self._least = _of(min, self._least, float(values.min()))
        self._greatest = _of(max, self._greatest, float(values.max()))
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            single = np.ascontiguousarray(values, np.float32)
        # to the nearest number of 8 binary places, so that small whole numbers are told as they are
        places = (single.view(np.uint32) + np.uint32(1 << 15)) >> np.uint32(16)
        if self._cells is None:
            self._cells = np.zeros(1 << 16, np.int64)
        self._cells += np.bincount(places, minlength=1 << 16)


class Gathered:
    """Counts the cells of many shards in one place, so that a driver's memory doesn't grow with them."""

    def __init__(self) -> None:
        self._cells: dict[str, NDArray[np.int64]] = {}

    def taken(self, spreads: Mapping[str, Spread]) -> dict[str, Spread]:
        """The spreads of a shard's columns without their cells, which are counted here: once a shard."""
        return {name: self._without(name, spread) for name, spread in spreads.items()}

    def merged(self, shards: Sequence[Mapping[str, Spread]]) -> dict[str, Spread]:
        """All together, in this order, with the cells."""
        return {name: self._together(name, shards) for name in (shards[0] if shards else ())}

    def _without(self, name: str, spread: Spread) -> Spread:
        if not spread.cells:
            return spread
        counts = self._cells.setdefault(name, np.zeros(1 << 16, np.int64))
        places = np.array([int(cell) for cell in spread.cells], np.intp)
        counts[places] += np.array(list(spread.cells.values()), np.int64)
        return msgspec.structs.replace(spread, cells={})

    def _together(self, name: str, shards: Sequence[Mapping[str, Spread]]) -> Spread:
        found = Spread()
        for spreads in shards:
            found = found.merged(spreads[name])
        return msgspec.structs.replace(found, cells=_named(self._cells.get(name)))


def _named(counts: NDArray[np.int64] | None) -> dict[str, int]:
    if counts is None:
        return {}
    places = np.flatnonzero(counts)
    return dict(zip(map(str, places.tolist()), counts[places].tolist(), strict=True))


def _most(texts: dict[str, int]) -> tuple[dict[str, int], int]:
    """The most frequent texts, and how many rows have another."""
    if len(texts) <= _MOST_TEXTS:
        return texts, 0
    ordered = sorted(texts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_MOST_TEXTS]), sum(count for _, count in ordered[_MOST_TEXTS:])


def _sum(values: NDArray[Any]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.sum(dtype=np.float64))


def _held(total: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, total))


def _of(choose: Any, *values: float | None) -> float | None:
    there = [value for value in values if value is not None]
    return choose(there) if there else None
