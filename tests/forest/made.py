"""Models with trees made by hand: a trained booster's document with its trees replaced."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import xgboost

from tests.forest import zoo

GREATEST = float(np.finfo(np.float32).max)
ODD = (np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-45, -1e-45, 1e-38, 0.5, 1.0, GREATEST, -GREATEST)
"""Thresholds that XGBoost doesn't find by itself."""


@cache
def _trained(groups: int) -> str:
    x = zoo.features(60, 3)
    if groups == 1:
        matrix = xgboost.DMatrix(x, np.nan_to_num(x[:, 0]))
        booster = xgboost.train({"objective": "reg:squarederror", "base_score": 0.25}, matrix, 1)
    else:
        params = {"objective": "multi:softprob", "num_class": groups}
        booster = xgboost.train(params, xgboost.DMatrix(x, np.arange(60) % groups), 1)
    return str(bytes(booster.save_raw("json")), "utf-8")


def model(trees: list[dict[str, Any]], groups: int = 1) -> bytes:
    """A model of these trees as JSON; tree i adds to group ``i % groups``."""
    document = json.loads(_trained(groups))
    part = document["learner"]["gradient_booster"]["model"]
    part["trees"] = [{**tree, "id": number} for number, tree in enumerate(trees)]
    part["tree_info"] = [number % groups for number in range(len(trees))]
    part["gbtree_model_param"]["num_trees"] = str(len(trees))
    part["iteration_indptr"] = list(range(0, len(trees) + 1, groups))
    return json.dumps(document).encode()


def tree(
    rng: np.random.Generator,
    depth: int,
    form: str = "balanced",
    thresholds: tuple[float, ...] = (),
    categories: float = 0.0,
) -> dict[str, Any]:
    """A random tree.

    Parameters
    ----------
    rng : Generator
    depth : int
    form : {"balanced", "chain", "ragged"}
    thresholds : tuple of float
        To draw from; other ones are drawn from a normal distribution.
    categories : float
        How many of the splits on the first two features are on sets of categories.
    """
    left, parents, level = [-1], [2**31 - 1], [0]
    for node in range(2**13):
        if node == len(left):
            break
        splits = (
            level[node] < depth
            and {
                "balanced": True,
                "chain": node == 0 or node % 2 == depth % 2,
                "ragged": level[node] == 0 or rng.random() < 0.7,
            }[form]
        )
        if splits:
            left[node] = len(left)
            left += [-1, -1]
            parents += [node, node]
            level += [level[node] + 1] * 2
    n = len(left)
    inner = np.array(left) >= 0
    features = np.where(inner, rng.integers(0, zoo.N_FEATURES, n), 0)
    conditions = rng.normal(size=n).astype(np.float32).astype(float)
    if thresholds:
        drawn = inner & (rng.random(n) < 0.6)
        conditions[drawn] = rng.choice(np.array(thresholds, np.float32), n)[drawn]
    by_set = inner & (features < 2) & (rng.random(n) < categories)
    sets = [
        np.unique(rng.integers(0, zoo.CATEGORIES, rng.integers(1, 9))).tolist() for _ in range(by_set.sum())
    ]
    sizes = [len(found) for found in sets]
    return {
        "left_children": left,
        "right_children": [child + 1 if child >= 0 else -1 for child in left],
        "parents": parents,
        "split_indices": features.tolist(),
        "split_conditions": conditions.tolist(),
        "split_type": by_set.astype(int).tolist(),
        "default_left": (inner & (rng.random(n) < 0.5)).astype(int).tolist(),
        "categories": [code for found in sets for code in found],
        "categories_nodes": np.flatnonzero(by_set).tolist(),
        "categories_segments": (np.cumsum(sizes) - sizes).astype(int).tolist(),
        "categories_sizes": sizes,
        "base_weights": [0.0] * n,
        "loss_changes": [0.0] * n,
        "sum_hessian": [1.0] * n,
        "tree_param": {
            "num_deleted": "0", "num_feature": str(zoo.N_FEATURES), "num_nodes": str(n),
            "size_leaf_vector": "1",
        },
    }  # fmt: skip


def rows(data: bytes, n_rows: int, seed: int = 0) -> np.ndarray:
    """Rows that are hard for a model, with infinities, odd numbers and codes."""
    from engine.forest import verify

    return verify.rows_around(zoo.forest_of(data), n_rows, seed)
