"""The comparisons that complete trees make, each once for a block of rows.

Many splits of a model compare the same feature with the same threshold. A block's answers to one comparison
are the bits of a *mask*; trees read masks. Neighbouring trees share masks as long as these fit the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.forest.ranks import Ranks
from engine.forest.sizes import MASK
from engine.forest.trees import Trees

MOST = 2**19 // MASK
"""Masks that are kept together: half a megabyte, which the second cache holds."""


@dataclass(frozen=True)
class Comparisons:
    """The distinct comparisons of neighbouring trees.

    Parameters
    ----------
    first, last : int
        The trees: ``first <= tree < last``.
    slots : int64 array, shape (n_slots, 5)
        Slot, bits of its ranks, where its bounds start in ``bounds``, how many of them are in the lower half
        of what so many bits can tell, how many in the upper. A mask for each bound, in this order.
    bounds : uint8 array
        Sorted for each slot; in the upper half, less the half.
    mask : int32 array, shape (n_nodes,)
        The mask of each node of these trees, counted from their first node; 0 where there is none.
    """

    first: int
    last: int
    slots: NDArray[np.int64]
    bounds: NDArray[np.uint8]
    mask: NDArray[np.int32]


def compare_once(
    trees: Trees, ranks: Ranks, complete: NDArray[np.bool_], most: int = MOST
) -> Iterator[Comparisons]:
    """The comparisons of the complete trees, in parts of neighbouring trees.

    Parameters
    ----------
    trees : Trees
    ranks : Ranks
    complete : bool array, shape (n_trees,)
    most : int
        Masks of a part, at most, unless a single tree has more.
    """
    inner = (trees.left >= 0) & np.repeat(complete, np.diff(trees.offsets))
    code = ranks.slot.astype(np.int64) << 8 | (ranks.bound.astype(np.int64) + 128)
    for first, last in _parts(code, inner, trees.offsets, most):
        part = slice(trees.offsets[first], trees.offsets[last])
        distinct, place = np.unique(code[part][inner[part]], return_inverse=True)
        slots, starts, counts = np.unique(distinct >> 8, return_index=True, return_counts=True)
        bits = ranks.bits[slots]
        bounds = distinct & 255
        high = bounds >= np.repeat(1 << (bits - 1), counts)
        n_high = np.add.reduceat(high, starts, dtype=np.int64) if len(slots) else counts
        mask = np.zeros(part.stop - part.start, np.int32)
        mask[inner[part]] = place
        yield Comparisons(
            first,
            last,
            np.column_stack([slots, bits, starts, counts - n_high, n_high]).astype(np.int64),
            (bounds - np.where(high, np.repeat(1 << (bits - 1), counts), 0)).astype(np.uint8),
            mask,
        )


def _parts(
    code: NDArray[np.int64], inner: NDArray[np.bool_], edges: NDArray[np.int64], most: int
) -> Iterator[tuple[int, int]]:
    """Where to cut, in trees."""
    n_trees = len(edges) - 1
    distinct, place = np.unique(code[inner], return_inverse=True)
    if len(distinct) <= most:
        yield 0, n_trees
        return
    number = np.full(len(code), -1)
    number[inner] = place
    known = np.zeros(len(distinct), bool)
    begin = held = 0
    for tree in range(n_trees):
        own = number[edges[tree] : edges[tree + 1]]
        own = np.unique(own[own >= 0])
        more = int(np.count_nonzero(~known[own]))
        if held + more > most and tree > begin:
            yield begin, tree
            known[:] = False
            begin, held, more = tree, 0, len(own)
        known[own] = True
        held += more
    yield begin, n_trees
