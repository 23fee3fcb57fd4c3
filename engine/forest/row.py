"""A forest laid out for `engine.forest.walk`: what one row needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forest.faults import UnsupportedError
from engine.forest.forest import Forest
from engine.forest.keys import LEAST, category_slots, keys_of

_TOGETHER = 8
_STACK = 2**17
"""Bytes of stack that a walk takes at most."""


@dataclass(frozen=True)
class Row:
    """The arrays of one row's walk, and one array of their addresses, which is the kernel's argument.

    Parameters
    ----------
    context : int64 array
        Slots; groups; used features, their numbers; questions on categories, their table and answers;
        base margins (not above zero: how many bytes before them a row's features begin); nodes, where trees
        start, steps of every eight; leaf values; groups of trees; shift;
        trees; leaf width; the address of what makes predictions, and four numbers for that.
    held : tuple of arrays
        What ``context`` points to.
    """

    context: NDArray[np.int64]
    held: tuple[NDArray[Any], ...] = field(repr=False)


def lay_out_row(forest: Forest, predict: int) -> Row:
    """Arrange a forest for one row.

    Parameters
    ----------
    forest : Forest
    predict : int
        The address of the kernel that makes predictions out of margins.

    Raises
    ------
    UnsupportedError
        It has too many features or nodes for packed nodes, or for the stack.
    """
    trees = forest.trees
    inner = trees.left >= 0
    used = np.unique(trees.feature[inner & (trees.category < 0)]).astype(np.int64)
    questions = category_slots(trees)
    n_slots = 1 + 2 * len(used) + questions.count
    if 4 * (n_slots + forest.n_groups) > _STACK:
        raise UnsupportedError(f"it reads {len(used):,} features and has {forest.n_groups:,} outputs")
    sizes = np.diff(trees.offsets)
    shift = int(sizes.max(initial=1)).bit_length()
    if n_slots.bit_length() + shift > 32:
        raise UnsupportedError(f"a tree has {sizes.max():,} nodes and {len(used):,} features are read")
    place = np.arange(len(trees.left)) - np.repeat(trees.offsets[:-1], sizes)
    slot = 1 + 2 * np.searchsorted(used, trees.feature) + ~trees.default_left
    slot = np.where(questions.node >= 0, 1 + 2 * len(used) + questions.node, slot)
    key = np.where(questions.node >= 0, 1, keys_of(trees.threshold))
    # A leaf leads to itself: slot 0 holds the least key.
    slot = np.where(inner, slot, 0).astype(np.uint64)
    key = np.where(inner, key, LEAST + 1).astype(np.int32).view(np.uint32).astype(np.uint64)
    left = np.where(inner, trees.left, place).astype(np.uint64)
    nodes = key << np.uint64(32) | slot << np.uint64(shift) | left
    fill = -trees.n_trees % _TOGETHER
    starts = np.concatenate([trees.offsets[:-1], np.zeros(fill, np.int64)]).astype(np.uint64)
    steps = np.concatenate([trees.depth, np.zeros(fill, np.int32)]).reshape(-1, _TOGETHER).max(axis=1)
    held = (
        used, questions.table, questions.answers, forest.base, nodes, starts, steps.astype(np.int64),
        trees.values, trees.group.astype(np.int64),
    )  # fmt: skip
    at = [array.ctypes.data for array in held]
    base = -4 * forest.first_given if forest.given else at[3]
    context = [
        n_slots, forest.n_groups, len(used), at[0], questions.count, at[1], at[2], base, at[4], at[5], at[6],
        at[7], at[8], shift, trees.n_trees, trees.width, predict,
        forest.n_groups, 1, 1, 1,
    ]  # fmt: skip
    return Row(np.array(context, np.int64), held)
