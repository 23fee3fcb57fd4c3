"""The trees of an XGBoost model as flat arrays, read from its document without XGBoost.

A model file is not trusted: nothing is taken from it that was not checked, so that neither a kernel nor
XGBoost meets a child outside its tree, a cycle, or a set of categories that isn't there.

Source of the format: ``doc/model.schema`` and ``src/tree/tree_model.cc`` of XGBoost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forest.faults import DamagedError, UnsupportedError
from engine.forest.lists import Joined, numbers, whole
from engine.forest.reach import breadth_first
from engine.forest.sizes import GREATEST_CATEGORY


@dataclass(frozen=True)
class Trees:
    """Decision trees, one behind the other; the nodes of each lie breadth first from its root.

    A node sends a value left where ``value < threshold``, or where the value's category is *not* in the
    node's set; a missing value goes by ``default_left``. The right child lies behind the left one.

    Parameters
    ----------
    offsets : int64 array, shape (n_trees + 1,)
        Where each tree starts; nodes that no path reaches are left out.
    left : int32 array, shape (n_nodes,)
        The left child, counted from the tree's root; -1 is a leaf.
    feature : int32 array, shape (n_nodes,)
    threshold : float32 array, shape (n_nodes,)
    default_left : bool array, shape (n_nodes,)
    category : int32 array, shape (n_nodes,)
        Which of ``sets`` decides; -1: the threshold does.
    sets : tuple of int64 arrays
        Sorted categories that go right.
    values : float32 array, shape (n_nodes, width)
        What a leaf adds to ``width`` outputs from its tree's group on; 0 elsewhere.
    group : int32 array, shape (n_trees,)
    depth : int32 array, shape (n_trees,)
        Splits on the longest path.
    """

    offsets: NDArray[np.int64] = field(repr=False)
    left: NDArray[np.int32] = field(repr=False)
    feature: NDArray[np.int32] = field(repr=False)
    threshold: NDArray[np.float32] = field(repr=False)
    default_left: NDArray[np.bool_] = field(repr=False)
    category: NDArray[np.int32] = field(repr=False)
    sets: tuple[NDArray[np.int64], ...] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)
    group: NDArray[np.int32] = field(repr=False)
    depth: NDArray[np.int32] = field(repr=False)

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.group)

    @property
    def width(self) -> int:
        """How many outputs a leaf adds to."""
        return int(self.values.shape[1])


def read_trees(
    documents: Sequence[Mapping[str, Any]],
    groups: NDArray[np.int64],
    weights: NDArray[np.float32] | None,
    n_features: int,
    n_groups: int,
) -> Trees:
    """Check the documents of all trees and lay them out.

    Parameters
    ----------
    documents : sequence of mappings
    groups : int64 array, shape (n_trees,)
        The output that each tree adds to.
    weights : float32 array, shape (n_trees,), or None
        DART's weights.
    n_features, n_groups : int

    Raises
    ------
    DamagedError
        Also where XGBoost would go astray.
    UnsupportedError
        Leaves of several sizes, or a tree that is too deep. All but the leaves was checked.
    """
    if not documents:
        return _no_trees()
    joined = Joined(documents)
    if min(joined.lengths) < 1:
        raise DamagedError("a tree has no nodes")
    starts = np.concatenate([[0], np.cumsum(joined.lengths)])
    count = np.repeat(joined.lengths, joined.lengths)
    base = np.repeat(starts[:-1], joined.lengths)
    left, right = joined.whole("left_children"), joined.whole("right_children")
    inner = left != -1
    for side in (left, right):
        if (inner & ((side < 0) | (side >= count))).any():
            raise DamagedError("a tree has a child outside its nodes")
    features = joined.whole("split_indices")
    if inner.any() and not 0 <= features[inner].min() <= features[inner].max() < n_features:
        raise DamagedError(f"a tree splits on a feature that is none of the model's {n_features}")
    order, level = breadth_first(starts, left + base, right + base, inner)
    tree_of = np.repeat(np.arange(len(documents)), joined.lengths)[order]
    # Sorting numbers of 16 bits takes one pass.
    by_tree = np.argsort(tree_of.astype(np.uint16) if len(documents) < 2**16 else tree_of, kind="stable")
    order, level, tree_of = order[by_tree], level[by_tree], tree_of[by_tree]
    offsets = np.zeros(len(documents) + 1, np.int64)
    np.cumsum(np.bincount(tree_of, minlength=len(documents)), out=offsets[1:])
    place = np.zeros(len(left), np.int64)
    place[order] = np.arange(len(order)) - offsets[tree_of]
    inner = inner[order]
    placed = np.where(inner, place[np.where(inner, (left + base)[order], 0)], -1)
    category, sets = _categories(joined, starts, order, inner)
    conditions = joined.numbers("split_conditions")[order]
    default_left = joined.whole("default_left")[order].astype(bool)
    width = _width(documents, n_groups)
    if width == 1:
        values = np.where(inner, np.float32(0), conditions)[:, None]
    else:
        values = _vector_leaves(documents, order - base[order], offsets, inner, right[order], width)
    if not np.isfinite(values).all():
        raise DamagedError("a leaf's value is not finite")
    if weights is not None:
        with np.errstate(over="ignore"):
            values = values * weights[tree_of][:, None]
        if not np.isfinite(values).all():
            raise UnsupportedError("a weighted leaf is not finite")
    return Trees(
        offsets=offsets,
        left=placed.astype(np.int32),
        feature=np.where(inner, features[order], 0).astype(np.int32),
        threshold=np.where(inner & (category < 0), _comparable(conditions), np.float32(0)),
        default_left=default_left & inner,
        category=category,
        sets=sets,
        values=np.ascontiguousarray(values, np.float32),
        group=np.where(width > 1, 0, groups).astype(np.int32),
        depth=level[offsets[1:] - 1].astype(np.int32),
    )


def _width(documents: Sequence[Mapping[str, Any]], n_groups: int) -> int:
    """How many numbers each leaf holds."""
    widths = {max(1, int(tree["tree_param"]["size_leaf_vector"])) for tree in documents}
    if len(widths) > 1 or not widths <= {1, n_groups}:
        raise UnsupportedError(f"its leaves hold {sorted(widths)} numbers each for {n_groups} outputs")
    return widths.pop()


def _comparable(thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """No number is below NaN, and none below -inf: the second has a place in an order."""
    return np.where(np.isnan(thresholds), np.float32(-np.inf), thresholds)


def _vector_leaves(
    documents: Sequence[Mapping[str, Any]],
    nodes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    inner: NDArray[np.bool_],
    right: NDArray[np.int64],
    width: int,
) -> NDArray[np.float32]:
    stored = []
    for i, tree in enumerate(documents):
        part = slice(offsets[i], offsets[i + 1])
        # From XGBoost 3.2 on, a leaf's right child says where its numbers lie.
        new = len(tree.get("leaf_weights", ())) > 0
        held = numbers(tree["leaf_weights"] if new else tree["base_weights"])
        leaves = (right if new else nodes)[part][~inner[part]]
        if len(held) % width or ((leaves < 0) | (leaves >= len(held) // width)).any():
            raise DamagedError("a leaf's numbers lie outside their list")
        if len(leaves) > len(held) // width:
            # So a small file can't ask for much memory.
            raise DamagedError("two leaves share their numbers")
        stored.append((part, leaves, held.reshape(-1, width)))
    values = np.zeros((len(nodes), width), np.float32)
    for part, leaves, rows in stored:
        values[part][~inner[part]] = rows[leaves]
    return values


def _categories(
    joined: Joined, starts: NDArray[np.int64], order: NDArray[np.int64], inner: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], tuple[NDArray[np.int64], ...]]:
    category = np.full(starts[-1], -1, np.int32)
    distinct: dict[bytes, int] = {}
    sets: list[NDArray[np.int64]] = []
    for start, n_nodes, tree in zip(starts[:-1].tolist(), joined.lengths, joined.documents, strict=True):
        nodes = whole(tree.get("categories_nodes", ()))
        if not len(nodes):
            continue
        listed = whole(tree["categories"])
        begins, sizes = whole(tree["categories_segments"]), whole(tree["categories_sizes"])
        if not len(nodes) == len(begins) == len(sizes) or nodes.min() < 0 or nodes.max() >= n_nodes:
            raise DamagedError("a tree's lists of categories don't fit together")
        if (begins < 0).any() or (sizes < 0).any() or (begins > len(listed) - sizes).any():
            raise DamagedError("a set of categories lies outside its list")
        if sizes.sum() > len(listed):
            raise DamagedError("two sets of categories share a part of their list")
        if len(listed) and (listed.min() < 0 or listed.max() >= GREATEST_CATEGORY):
            raise DamagedError("a category is negative or too great")
        for node, begin, size in zip(nodes.tolist(), begins.tolist(), sizes.tolist(), strict=True):
            found = np.unique(listed[begin : begin + size])
            key = found.tobytes()
            if key not in distinct:
                distinct[key] = len(sets)
                sets.append(found)
            category[start + node] = distinct[key]
    by_set = joined.whole("split_type", 0)[order] == 1
    found = category[order]
    if ((found >= 0) != by_set)[inner].any():
        raise DamagedError("a split on categories has no set of them")
    return np.where(inner, found, -1).astype(np.int32), tuple(sets)


def _no_trees() -> Trees:
    none: NDArray[np.int32] = np.zeros(0, np.int32)
    return Trees(
        offsets=np.zeros(1, np.int64), left=none, feature=none, threshold=np.zeros(0, np.float32),
        default_left=np.zeros(0, bool), category=none, sets=(), values=np.zeros((0, 1), np.float32),
        group=none, depth=none,
    )  # fmt: skip
