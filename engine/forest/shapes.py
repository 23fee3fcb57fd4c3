"""Which kernel evaluates which tree.

A tree is *complete* (all nodes of ``depth`` levels, unrolled and kept in registers, padded where it is
shallower), or *listed* (its own splits one by one, answers kept in memory). Of a listed tree with more than
256 leaves, or with a level that costs more than a step, the nodes of least height are walked instead. A
model has complete trees of one depth, so that there is little to compile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.forest.sizes import EXITS
from engine.forest.trees import Trees

_DEEPEST = 10
_COMPLETE, _LISTED, _STEP, _LOOK_UP = 1, 14, 640, 192
"""Costs for a tile: a split of a complete tree, of a listed one, a step of a walk, plain look-ups."""


@dataclass(frozen=True)
class Shapes:
    """How the trees of a model are evaluated.

    Parameters
    ----------
    depth : int
        Of complete trees.
    complete : bool array, shape (n_trees,)
        Which trees are complete.
    steps : int32 array, shape (n_trees,)
        Steps walked behind the listed splits.
    height : int32 array, shape (n_nodes,)
        Splits on the longest path down from each node.
    """

    depth: int
    complete: NDArray[np.bool_]
    steps: NDArray[np.int32]
    height: NDArray[np.int32]


def choose_shapes(trees: Trees) -> Shapes:
    """Choose the cheapest kernels for these trees."""
    height = heights(trees)
    if not trees.n_trees:
        return Shapes(0, np.zeros(0, bool), np.zeros(0, np.int32), height)
    steps, listed_cost = _cut(trees, height)
    best, depth, complete = float(listed_cost.sum()), 0, np.zeros(trees.n_trees, bool)
    for candidate in range(1, _DEEPEST + 1):
        fits = trees.depth <= candidate
        cost = (2**candidate - 1) * _COMPLETE + min(2**candidate + 100, 2 * _LOOK_UP)
        chosen = fits & (listed_cost > cost)
        total = float(np.where(chosen, cost, listed_cost).sum())
        if total < best:
            best, depth, complete = total, candidate, chosen
    return Shapes(depth, complete, steps, height)


def heights(trees: Trees) -> NDArray[np.int32]:
    """Splits on the longest path down from each node."""
    found = np.zeros(len(trees.left), np.int32)
    left = trees.left + np.repeat(trees.offsets[:-1], np.diff(trees.offsets))
    levels = [trees.offsets[:-1]]
    while len(levels[-1]):
        split = levels[-1][trees.left[levels[-1]] >= 0]
        levels.append(np.concatenate([left[split], left[split] + 1]))
    for nodes in levels[::-1]:
        split = nodes[trees.left[nodes] >= 0]
        found[split] = np.maximum(found[left[split]], found[left[split] + 1]) + 1
    return found


def _cut(trees: Trees, height: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The height at which each tree is cut, and what it then costs."""
    # A row of counts for each tree, as long as the tree is high.
    length = trees.depth.astype(np.int64) + 1
    start = np.cumsum(length) - length
    splits = trees.left >= 0
    count = np.bincount((np.repeat(start, np.diff(trees.offsets)) + height)[splits], minlength=length.sum())
    at = np.arange(len(count)) - np.repeat(start, length)
    total = count.cumsum()
    # Splits above each height: those listed, if the tree is cut there.
    above = np.repeat(total[start + length - 1], length) - total
    cost = above * _LISTED + at * _STEP + _LOOK_UP
    cost = np.where(above < EXITS, cost, np.inf)
    least = np.minimum.reduceat(cost, start)
    steps = np.minimum.reduceat(np.where(cost == np.repeat(least, length), at, length.max()), start)
    return steps.astype(np.int32), least
