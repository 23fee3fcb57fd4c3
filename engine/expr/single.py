"""Doubles rounded to single precision so that each stays on its side of given edges.

A model's kernels compare float32, but where preparation is folded into splits (`engine.forest.fold`), the
edge between left and right is a float64. Rounding to nearest would carry numbers across it. Here a number
that shares its gap between two neighbouring float32 with an edge goes to the end on its own side, so
``x < edge`` just where ``single(x) < ceiling(edge)``; every other number goes to the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HASH = 0x9E3779B97F4A7C15
"""An odd number, 2**64 over the golden ratio (Knuth): its product's upper bits spread what is multiplied."""
WORD = 32
"""Bits in a number of a filter; a float64 holds whole numbers of 53."""


def ceiling(values: Any) -> NDArray[np.float32]:
    """The least float32 that isn't below each float64.

    >>> ceiling(np.array([0.5, 1 + 1e-12])).tolist()
    [0.5, 1.0000001192092896]
    """
    x = np.asarray(values, np.float64)
    near = _nearest(x)
    return np.where(near < x, _beside(near, np.inf), near)


def floor(values: Any) -> NDArray[np.float32]:
    """The greatest float32 that isn't above each float64."""
    x = np.asarray(values, np.float64)
    near = _nearest(x)
    return np.where(near > x, _beside(near, -np.inf), near)


def single(values: Any, edges: Sequence[float]) -> NDArray[np.float64]:
    """Numbers as float32, on their own side of each edge.

    Parameters
    ----------
    values : float64 array
    edges : sequence of float
        Sorted, no two with one `ceiling`.

    Examples
    --------
    >>> edge = 1 + 1e-12
    >>> single(np.array([1 + 1e-13, edge]), (edge,)) < ceiling(edge)
    array([ True, False])
    """
    x = np.asarray(values, np.float64)
    low, high = floor(x), ceiling(x)
    bounds = np.append(np.asarray(edges, np.float64), np.nan)
    edge = bounds[np.searchsorted(bounds[:-1], low, side="right")]
    side = np.where(edge <= x, high, low)
    return np.where(edge <= high, side, _nearest(x)).astype(np.float64)


def levels(edges: Sequence[float]) -> int:
    """The size of an edges' table, as a power of two."""
    return len(edges).bit_length()


def table(edges: Sequence[float]) -> list[float]:
    """What a kernel needs: a filter of the float32 at the ends of gaps with edges, and the edges.

    A filter is `WORD` bits in each of ``2 ** levels`` numbers; the edges are filled up with NaN.
    """
    size = levels(edges)
    bounds = np.asarray(edges, np.float64)
    ends = np.concatenate([floor(bounds), ceiling(bounds)]) + np.float32(0)
    place = (ends.view(np.uint32).astype(np.uint64) * np.uint64(HASH)) >> np.uint64(64 - 5 - size)
    words = np.zeros(2**size, np.int64)
    np.bitwise_or.at(words, (place // WORD).astype(np.int64), 1 << (place % WORD).astype(np.int64))
    padding = np.full(2**size - len(bounds), np.nan)
    return np.concatenate([words.astype(np.float64), bounds, padding]).tolist()  # type: ignore[no-any-return]


def _nearest(values: Any) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def _beside(values: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        return np.nextafter(values, np.float32(side))
