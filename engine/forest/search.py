"""Ranks of features among a model's thresholds, where no vector instruction looks tables up."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from engine.jit.lowlevel import float32s, uint8s

_uint64 = np.uint64
_uint8 = np.uint8


@register_jitable  # type: ignore[untyped-decorator]
def search_plainly(
    table: int, levels: int, column: int, left: int, right: int, highest: int, count: int
) -> None:
    """What `engine.forest.vector.search` does, one value after the other."""
    heap = float32s(table)
    values = float32s(column)
    lefts = uint8s(left)
    rights = uint8s(right)
    for i in range(_uint64(0), _uint64(count), _uint64(8)):
        x0, x1, x2, x3 = values[i], values[i + 1], values[i + 2], values[i + 3]
        x4, x5, x6, x7 = values[i + 4], values[i + 5], values[i + 6], values[i + 7]
        n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = _uint64(1)
        for _ in range(levels):
            n0 = n0 + n0 + _uint64(heap[n0] <= x0)
            n1 = n1 + n1 + _uint64(heap[n1] <= x1)
            n2 = n2 + n2 + _uint64(heap[n2] <= x2)
            n3 = n3 + n3 + _uint64(heap[n3] <= x3)
            n4 = n4 + n4 + _uint64(heap[n4] <= x4)
            n5 = n5 + n5 + _uint64(heap[n5] <= x5)
            n6 = n6 + n6 + _uint64(heap[n6] <= x6)
            n7 = n7 + n7 + _uint64(heap[n7] <= x7)
        # A heap of 2**levels starts its last level there, and ranks are kept less 128.
        less = (_uint64(1) << _uint64(levels)) + _uint64(128)
        lefts[i], lefts[i + 1] = _uint8(n0 - less), _uint8(n1 - less)
        lefts[i + 2], lefts[i + 3] = _uint8(n2 - less), _uint8(n3 - less)
        lefts[i + 4], lefts[i + 5] = _uint8(n4 - less), _uint8(n5 - less)
        lefts[i + 6], lefts[i + 7] = _uint8(n6 - less), _uint8(n7 - less)
    top = _uint8(highest - 128)
    for i in range(count):
        rights[i] = top if values[i] != values[i] else lefts[i]
