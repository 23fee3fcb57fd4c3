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

from engine.forest.faults import UnsupportedError
from engine.forest.trees import Trees

LEAST = -(2**31)
"""The key of what always goes left."""
GREATEST = 2**31 - 1
"""The key of what always goes right."""
_MOST_ANSWERS = 2**26


def keys_of(thresholds: NDArray[np.float32]) -> NDArray[np.int32]:
    """The keys of float32 values, none of them NaN; the two zeros have one.

    >>> keys_of(np.array([-np.inf, -0.0, 0.0, 1e-45], np.float32)).tolist()
    [-2139095041, 0, 0, 1]
    """
    bits = (thresholds + np.float32(0)).view(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int32)


QUESTION = 3
"""Numbers that describe a question."""


@dataclass(frozen=True)
class CategorySlots:
    """The distinct questions "is this feature's category in that set?" of a model.

    Parameters
    ----------
    node : int32 array, shape (n_nodes,)
        The question of each node; -1: it has a threshold.
    table : int64 array, shape (n_slots, 3)
        Feature; how many categories its sets speak of; where its part of ``answers`` starts: one for each of
        those categories, then for any other value, then for a missing one. Sorted by feature.
    answers : uint8 array
        0 left, 1 right.
    """

    node: NDArray[np.int32]
    table: NDArray[np.int64]
    answers: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """How many questions there are."""
        return len(self.table)

    def single(self) -> NDArray[np.int64]:
        """For each question whose answer is 1 for one place alone, as of a one-hot, that place; else -1."""
        found = np.full(self.count, -1, np.int64)
        for i, (_, size, at) in enumerate(self.table.tolist()):
            places = np.flatnonzero(self.answers[at : at + size + 2])
            if len(places) == 1:
                found[i] = places[0]
        return found


def category_slots(trees: Trees) -> CategorySlots:
    """The questions on categories that a model asks, each once.

    Raises
    ------
    UnsupportedError
        The sets are too large.
    """
    node = np.full(len(trees.left), -1, np.int32)
    asked = np.flatnonzero(trees.category >= 0)
    if not len(asked):
        return CategorySlots(node, np.zeros((0, QUESTION), np.int64), np.zeros(1, np.uint8))
    questions = np.column_stack([trees.feature[asked], trees.category[asked], trees.default_left[asked]])
    distinct, inverse = np.unique(questions, axis=0, return_inverse=True)
    node[asked] = inverse.ravel()
    sizes: dict[int, int] = {}
    for feature, number, _ in distinct.tolist():
        found = trees.sets[number]
        sizes[feature] = max(sizes.get(feature, 0), int(found[-1]) + 1 if len(found) else 0)
    if sum(sizes[feature] + 2 for feature, _, _ in distinct.tolist()) > _MOST_ANSWERS:
        raise UnsupportedError(f"its sets of categories take more than {_MOST_ANSWERS:,} bytes")
    table = np.zeros((len(distinct), QUESTION), np.int64)
    answers = []
    at = 0
    for i, (feature, number, default_left) in enumerate(distinct.tolist()):
        size = sizes[feature]
        answer = np.zeros(size + 2, np.uint8)
        answer[trees.sets[number]] = 1
        answer[-1] = not default_left
        table[i] = feature, size, at
        answers.append(answer)
        at += size + 2
    return CategorySlots(node, table, np.concatenate(answers))
