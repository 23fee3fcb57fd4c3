"""Little model files that ask for much memory don't get it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from engine.errors import ModelError
from engine.forest.blocks import lay_out_blocks
from engine.forest.faults import UnsupportedError
from engine.forest.forest import read_forest
from engine.forest.shapes import choose_shapes
from engine.forest.sizes import COMPARING, MASK
from tests.forest import zoo


def _chain(n_splits: int) -> dict[str, Any]:
    """A tree whose left children split again and again."""
    inner = np.arange(2 * n_splits + 1) % 2 == 1
    inner[0] = n_splits > 0
    left = np.where(inner & (np.arange(len(inner)) < 2 * n_splits - 1), np.arange(len(inner)) + 2, -1)
    left[0] = 1 if n_splits else -1
    left[left >= len(inner)] = -1
    return {
        "left_children": left,
        "right_children": np.where(left < 0, 0, left + 1),
        "split_indices": np.zeros(len(left), int),
        "split_conditions": np.ones(len(left)),
        "default_left": np.zeros(len(left), int),
        "tree_param": {"size_leaf_vector": "1"},
    }


def _document(trees: list[dict[str, Any]], outputs: int = 1) -> dict[str, Any]:
    model = {
        "trees": trees,
        "tree_info": [0] * len(trees),
        "gbtree_model_param": {"num_trees": str(len(trees))},
    }
    parameters = {"num_feature": "1", "num_target": str(outputs), "base_score": "0"}
    return {
        "learner": {
            "learner_model_param": parameters,
            "objective": {"name": "reg:squarederror"},
            "gradient_booster": {"name": "gbtree", "model": model},
        }
    }


def _shared_leaf() -> dict[str, Any]:
    width = 50_000
    tree = _chain(900)
    tree.update(tree_param={"size_leaf_vector": str(width)}, leaf_weights=np.zeros(width, np.float32))
    return _document([tree], width)


def _overlapping() -> dict[str, Any]:
    tree, size = _chain(900), 50_000
    nodes = np.flatnonzero(tree["left_children"] >= 0)
    tree.update(
        split_type=(tree["left_children"] >= 0).astype(int),
        categories=np.arange(size) + np.arange(size) // 7,
        categories_nodes=nodes,
        categories_segments=np.arange(len(nodes)),
        categories_sizes=size - np.arange(len(nodes)) - 1,
    )
    return _document([tree])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (_shared_leaf, "two leaves share their numbers"),
        (_overlapping, "two sets of categories share a part of their list"),
    ],
)
def test_shared_lists_do_not_multiply(made: Any, message: str) -> None:
    document = made()
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=f"m is damaged: {message}"):
            read_forest(document, "m", zoo.RELEASE)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_one_high_tree_among_many_low_ones() -> None:
    forest = read_forest(_document([_chain(1000), *[_chain(0)] * 20_000]), "m", zoo.RELEASE)
    assert forest.trees.depth.tolist()[:2] == [1000, 0]
    tracemalloc.start()
    try:
        found = choose_shapes(forest.trees)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert found.steps[0] > 0 and not found.steps[1:].any()


def test_what_is_too_deep_is_checked_before_xgboost_sees_it() -> None:
    tree = _chain(3000)
    with pytest.raises(UnsupportedError, match="more than 1,024 splits deep"):
        read_forest(_document([tree]), "m", zoo.RELEASE)
    tree["left_children"][5001], tree["right_children"][5001] = 3001, 3002
    with pytest.raises(ModelError, match="has two parents, or is its own ancestor"):
        read_forest(_document([tree]), "m", zoo.RELEASE)


# -- what registers read behind the end of tables


@pytest.mark.parametrize("kind", ["stumps", "binary", "vector leaves", "partitions"])
def test_a_register_can_be_filled_from_the_end_of_any_table(kind: str) -> None:
    for array in lay_out_blocks(zoo.forest(kind), 0, (0, 0)).held:
        room = array.base
        if isinstance(room, np.ndarray) and room.dtype == np.uint8:
            end = array.ctypes.data + array.nbytes
            assert room.ctypes.data + room.nbytes - end >= 64


def test_lone_leaves_have_a_mask_to_load() -> None:
    forest = read_forest(_document([_chain(0)] * 3), "m", zoo.RELEASE)
    blocks = lay_out_blocks(forest, 0, (0, 0))
    assert blocks.depth == 1
    masks = blocks.context[20] + COMPARING
    assert blocks.work >= masks + MASK
