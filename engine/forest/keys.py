"""Thresholds and features as whole numbers, so that one comparison decides every split.

A float's *key* is an int32 in the same order: ``x < t`` where ``key(x) < key(t)``. Below and above all keys
there is room for a missing value: it is a key below all for nodes that send it left, and above all for
those that send it right. So a feature has two *slots*, one for each kind of node. A node on categories
reads a slot of its own, which is 0 (left) or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.forest.trees import Trees, UnsupportedError

LEAST = -(2**31)
"""The key of what always goes left."""
GREATEST = 2**31 - 1
"""The key of what always goes right."""
_MOST_MEMBERS = 2**26


def keys_of(thresholds: NDArray[np.float32]) -> NDArray[np.int32]:
    """The keys of float32 values, none of them NaN; the two zeros have one.

    >>> keys_of(np.array([-np.inf, -0.0, 0.0, 1e-45], np.float32)).tolist()
    [-2139095041, 0, 0, 1]
    """
    bits = (thresholds + np.float32(0)).view(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int32)


@dataclass(frozen=True)
class CategorySlots:
    """The distinct questions "is this feature's category in that set?" of a model.

    Parameters
    ----------
    node : int32 array, shape (n_nodes,)
        The question of each node; -1: it has a threshold.
    table : int64 array, shape (n_slots, 4)
        Feature, what a missing value answers, and where in ``members`` the set's bytes start and how many.
    members : uint8 array
        1 for each category that is in the set.
    """

    node: NDArray[np.int32]
    table: NDArray[np.int64]
    members: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """How many questions there are."""
        return len(self.table)


def category_slots(trees: Trees) -> CategorySlots:
    """The questions on categories that a model asks, each once.

    Raises
    ------
    UnsupportedError
        The sets are too large.
    """
    node = np.full(len(trees.left), -1, np.int32)
    places: list[int] = []
    members: list[NDArray[np.uint8]] = [np.zeros(1, np.uint8)]
    at = 1
    for found in trees.sets:
        size = int(found[-1]) + 1 if len(found) else 0
        if at + size > _MOST_MEMBERS:
            raise UnsupportedError(f"its sets of categories take more than {_MOST_MEMBERS:,} bytes")
        listed = np.zeros(size, np.uint8)
        listed[found] = 1
        members.append(listed)
        places.append(at)
        at += size
    asked = np.flatnonzero(trees.category >= 0)
    table = np.zeros((0, 4), np.int64)
    if len(asked):
        questions = np.column_stack([trees.feature[asked], trees.category[asked], trees.default_left[asked]])
        distinct, inverse = np.unique(questions, axis=0, return_inverse=True)
        node[asked] = inverse.ravel()
        table = np.zeros((len(distinct), 4), np.int64)
        for i, (feature, number, default_left) in enumerate(distinct.tolist()):
            size = len(members[number + 1])
            table[i] = feature, 0 if default_left else 1, places[number], size
    return CategorySlots(node, table, np.concatenate(members))
