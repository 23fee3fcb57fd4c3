"""The nodes of trees that a row can reach, and that they are trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.forest.faults import DamagedError, UnsupportedError

DEEPEST = 1024
"""The deepest tree that is scored natively."""


def breadth_first(
    starts: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], inner: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reachable nodes and their levels, level by level through all trees at once.

    Parameters
    ----------
    starts : int64 array, shape (n_trees + 1,)
        Where each tree's nodes start, roots first.
    left, right : int64 array, shape (n_nodes,)
        Children, counted from the first node of all.
    inner : bool array, shape (n_nodes,)
        Which nodes split.

    Raises
    ------
    DamagedError
        A node has two parents, or a right child doesn't lie behind the left one.
    UnsupportedError
        A tree is too deep.
    """
    seen = np.full(len(left), -1)
    front = starts[:-1]
    order, levels = [], []
    for level in range(DEEPEST + 1):
        number = np.arange(len(front))
        first = bool((seen[front] < 0).all())
        seen[front] = number
        if not first or (seen[front] != number).any():
            raise _not_a_tree()
        order.append(front)
        levels.append(np.full(len(front), level))
        split = front[inner[front]]
        if not len(split):
            return np.concatenate(order), np.concatenate(levels)
        _check_pairs(left[split], right[split])
        front = np.repeat(left[split], 2)
        front[1::2] += 1
    # XGBoost may take it, but must not meet what lies deeper unchecked.
    _check_pairs(left[inner], right[inner])
    parents = np.bincount(left[inner], minlength=len(left) + 1)
    parents[1:] += parents[:-1].copy()
    if parents.max() > 1 or parents[starts[:-1]].any():
        raise _not_a_tree()
    raise UnsupportedError(f"a tree is more than {DEEPEST:,} splits deep")


def _check_pairs(left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    # From a threshold XGBoost steps to left + 1, whatever the right child is (`GetNextNode` in
    # src/predictor/predict_fn.h), elsewhere it goes by that. In all models that it saves they are one.
    if (right != left + 1).any():
        raise DamagedError("the right child of a split doesn't lie behind the left one")


def _not_a_tree() -> DamagedError:
    return DamagedError("a node of a tree has two parents, or is its own ancestor")
