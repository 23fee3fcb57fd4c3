"""Thresholds as ranks: one byte for each feature decides its splits.

The rank of a value is how many of its feature's thresholds are not above it, so ``x < t`` where the rank is
less than ``t``'s place among them, counted from 1. A feature with more than 255 thresholds has several
searches, each over 255 of them, whose ranks stop at 0 and 255. A search fills at most two *slots*: in one
a missing value has rank 0 and goes left, in the other the greatest and goes right. Ranks and bounds are kept
less 128, because comparing signed bytes takes one instruction where unsigned ones take two (AVX2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.forest.keys import CategorySlots, category_slots
from engine.forest.sizes import LEAST_LEVELS, MOST_LEVELS, SEARCH
from engine.forest.trees import Trees

MOST = 2**MOST_LEVELS - 1
"""Thresholds of one search."""
_NEVER, _UNUSED, _FIRST = 0, 1, 2
_LOWEST = -128


@dataclass(frozen=True)
class Ranks:
    """How features become ranks, and what each node compares.

    Parameters
    ----------
    searches : int64 array, shape (n, 6)
        Feature; where its table starts in ``tables``, in bytes; levels of the table; the slots in which a
        missing value goes left and right; the greatest rank. Sorted by feature.
    tables : float32 array
        Sorted thresholds as heaps (the root is number 1), filled up with NaN.
    n_slots : int
        Slot 0 is never less than a bound of -128; slot 1 takes what nobody reads.
    questions : CategorySlots
        Their slots are the last ones.
    slot : int32 array, shape (n_nodes,)
    bound : int8 array, shape (n_nodes,)
        A node sends left where its slot is less. Leaves send nothing left.
    """

    searches: NDArray[np.int64]
    tables: NDArray[np.float32]
    n_slots: int
    questions: CategorySlots
    slot: NDArray[np.int32]
    bound: NDArray[np.int8]

    @cached_property
    def bits(self) -> NDArray[np.int64]:
        """How many bits the greatest rank of each slot has, shape (n_slots,)."""
        most = np.ones(self.n_slots, np.int64)
        for left_or_right in (3, 4):
            np.maximum.at(most, self.searches[:, left_or_right], self.searches[:, 5])
        return np.frexp(most)[1].astype(np.int64)

    @property
    def first_question(self) -> int:
        """The slot of the first question on categories."""
        return self.n_slots - self.questions.count


def rank(trees: Trees) -> Ranks:
    """Number the thresholds of all trees."""
    questions = category_slots(trees)
    slot = np.full(len(trees.left), _NEVER, np.int32)
    bound = np.full(len(trees.left), _LOWEST, np.int8)
    nodes = np.flatnonzero((trees.left >= 0) & (trees.category < 0))
    nodes = nodes[np.argsort(trees.feature[nodes], kind="stable")]
    features, starts = np.unique(trees.feature[nodes], return_index=True)
    searches: list[list[int]] = []
    tables: list[NDArray[np.float32]] = []
    size, n_slots = 0, _FIRST
    parts = np.split(nodes, starts[1:]) if len(nodes) else []
    for feature, part in zip(features.tolist(), parts, strict=True):
        thresholds, place = np.unique(trees.threshold[part], return_inverse=True)
        slots = np.full((-(-len(thresholds) // MOST), 2), _UNUSED, np.int32)
        side = (~trees.default_left[part]).astype(int)
        asked = np.zeros(slots.shape, bool)
        asked[place // MOST, side] = True
        slots[asked] = np.arange(n_slots, n_slots + asked.sum())
        n_slots += int(asked.sum())
        slot[part] = slots[place // MOST, side]
        bound[part] = place % MOST + 1 + _LOWEST
        for number, (left, right) in enumerate(slots.tolist()):
            chosen = thresholds[number * MOST : (number + 1) * MOST]
            table = heap(chosen)
            levels = len(table).bit_length() - 1
            searches.append([feature, 4 * size, levels, left, right, len(chosen)])
            tables.append(table)
            size += len(table)
    asks = questions.node >= 0
    slot[asks] = n_slots + questions.node[asks]
    bound[asks] = 1 + _LOWEST
    n_slots += questions.count
    return Ranks(
        np.array(searches, np.int64).reshape(-1, SEARCH),
        np.concatenate([*tables, np.zeros(1, np.float32)]),
        n_slots,
        questions,
        slot,
        bound,
    )


def heap(thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sorted thresholds in the order in which a search asks for them.

    >>> heap(np.arange(15, dtype=np.float32))[1:8].tolist()
    [7.0, 3.0, 11.0, 1.0, 5.0, 9.0, 13.0]
    """
    levels = max(LEAST_LEVELS, len(thresholds).bit_length())
    filled = np.full(2**levels - 1, np.nan, np.float32)
    filled[: len(thresholds)] = thresholds
    made = np.full(2**levels, np.nan, np.float32)
    for level in range(levels):
        step = 2 ** (levels - level)
        made[2**level : 2 ** (level + 1)] = filled[step // 2 - 1 :: step]
    return made
