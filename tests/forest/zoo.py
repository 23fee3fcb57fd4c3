"""XGBoost models of every sort that the native scorer takes, and XGBoost's own answers.

Children that score stored models import this, so it imports XGBoost, which takes a second, where it trains.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.forest import oracle, verify
from engine.forest.forest import Forest, read_document, read_forest

if TYPE_CHECKING:
    import xgboost

N_FEATURES = 6
CATEGORIES = 40
RELEASE = verify.release(verify.xgboost_version())

_LOSSGUIDE = {"grow_policy": "lossguide", "max_depth": 0}
_CATEGORICAL = {"objective": "binary:logistic", "tree_method": "hist"}
_QUANTILES = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}
_VECTORS = {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"}
_PROB = {"objective": "multi:softprob", "num_class": 4}

MODELS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "base score": {"objective": "binary:logistic", "base_score": 0.123456789},
    "squared error": {"objective": "reg:squarederror"},
    "exact": {"objective": "reg:squarederror", "tree_method": "exact"},
    "approx": {"objective": "reg:squarederror", "tree_method": "approx", "max_bin": 64},
    "pruned": {"objective": "reg:squarederror", "tree_method": "exact", "gamma": 5.0},
    "lossguide": {"objective": "reg:squarederror", **_LOSSGUIDE, "max_leaves": 31},
    "deep lossguide": {
        "objective": "binary:logistic",
        **_LOSSGUIDE,
        "max_leaves": 255,
        "min_child_weight": 0,
    },
    "deep": {"objective": "reg:squarederror", "max_depth": 12, "min_child_weight": 0},
    "stumps": {"objective": "reg:squarederror", "max_depth": 1},
    "depth 7": {"objective": "reg:squarederror", "max_depth": 7, "min_child_weight": 0},
    "depth 8": {"objective": "binary:logistic", "max_depth": 8, "min_child_weight": 0},
    "monotone": {"objective": "reg:squarederror", "monotone_constraints": "(1,-1,0,0,1,0)"},
    "interaction": {"objective": "reg:squarederror", "interaction_constraints": "[[0,1],[2,3,4]]"},
    "16 bins": {"objective": "reg:squarederror", "max_bin": 16},
    "1024 bins": {"objective": "reg:squarederror", "max_bin": 1024, "max_depth": 9, "min_child_weight": 0},
    "zero": {"objective": "reg:squarederror"},
    "softprob": {**_PROB, "num_parallel_tree": 2, "subsample": 0.8},
    "softmax": {"objective": "multi:softmax", "num_class": 4},
    "vector classes": {**_PROB, "multi_strategy": "multi_output_tree", "tree_method": "hist"},
    "forest": {"objective": "binary:logistic", "num_parallel_tree": 3, "subsample": 0.7},
    "targets": {"objective": "reg:squarederror"},
    "vector leaves": _VECTORS,
    "vector leaves, lossguide": {**_VECTORS, **_LOSSGUIDE, "max_leaves": 60, "min_child_weight": 0},
    "vector leaves, deep": {**_VECTORS, "max_depth": 13, "min_child_weight": 0, "max_bin": 1024},
    "vector quantiles": {**_QUANTILES, "multi_strategy": "multi_output_tree"},
    "labels": {"objective": "binary:logistic"},
    "absolute targets": {"objective": "reg:absoluteerror"},
    "quantiles": _QUANTILES,
    "quantile": {"objective": "reg:quantileerror", "quantile_alpha": [0.3]},
    "poisson": {"objective": "count:poisson"},
    "gamma": {"objective": "reg:gamma"},
    "tweedie": {"objective": "reg:tweedie", "tweedie_variance_power": 1.3},
    "cox": {"objective": "survival:cox"},
    "aft": {"objective": "survival:aft"},
    "absolute": {"objective": "reg:absoluteerror"},
    "huber": {"objective": "reg:pseudohubererror"},
    "log error": {"objective": "reg:squaredlogerror"},
    "logistic": {"objective": "reg:logistic"},
    "logitraw": {"objective": "binary:logitraw"},
    "hinge": {"objective": "binary:hinge"},
    "ndcg": {"objective": "rank:ndcg"},
    "pairwise": {"objective": "rank:pairwise"},
    "map": {"objective": "rank:map"},
    "dart": {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.5},
    "dart classes": {**_PROB, "booster": "dart", "rate_drop": 0.5},
    "one-hot categories": {**_CATEGORICAL, "max_cat_to_onehot": 100},
    "partitions": {**_CATEGORICAL, "max_cat_to_onehot": 1},
    "partitions, deep": {**_CATEGORICAL, "max_cat_to_onehot": 1, "max_depth": 14, "min_child_weight": 0},
    "partitions, lossguide": {**_CATEGORICAL, "max_cat_to_onehot": 1, **_LOSSGUIDE, "max_leaves": 40},
}


def features(n_rows: int, seed: int = 7, categorical: bool = False) -> np.ndarray:
    """Features ``(n_rows, N_FEATURES)`` float32, one in ten missing; the first two are codes if asked."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    if categorical:
        found[:, :2] = rng.integers(0, CATEGORIES, (n_rows, 2))
    found[rng.random(found.shape) < 0.1] = np.nan
    return found


def is_categorical(kind: str) -> bool:
    return "max_cat_to_onehot" in MODELS[kind]


def _target(x: np.ndarray, kind: str) -> np.ndarray:
    known = np.nan_to_num(x)
    signal = known[:, 0] * known[:, 1] + known[:, 2] + 0.3 * np.sin(9 * known[:, 3])
    objective = MODELS[kind]["objective"]
    if is_categorical(kind):
        return (((known[:, 0] * 7 + known[:, 1] * 3) % 11 + known[:, 2]) > 5).astype(float)
    if kind == "labels":
        return (np.column_stack([signal, known[:, 3] - signal, known[:, 4]]) > 0).astype(float)
    if objective.startswith("multi:"):
        return np.digitize(signal, [-0.7, 0.0, 0.7]).astype(float)
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "reg:squaredlogerror"):
        return np.floor(np.abs(signal) * 2) + 1
    if objective.startswith(("binary:", "rank:")) or objective == "reg:logistic":
        return (signal > 0).astype(float)
    if kind in ("targets", "absolute targets") or kind.startswith("vector leaves"):
        return np.column_stack([signal, known[:, 3] - signal, known[:, 4]])
    return signal


@cache
def booster(kind: str) -> xgboost.Booster:
    """A trained model of this kind."""
    import xgboost

    x = features(2000, categorical=is_categorical(kind))
    y = _target(x, kind)
    more: dict[str, Any] = {}
    if is_categorical(kind):
        more = {"feature_types": ["c", "c", *"qqqq"], "enable_categorical": True}
    matrix = xgboost.DMatrix(x, **more)
    if kind == "aft":
        matrix.set_float_info("label_lower_bound", np.abs(y) + 0.1)
        matrix.set_float_info("label_upper_bound", np.abs(y) + 1.0)
    else:
        matrix.set_label(y)
    if kind in ("ndcg", "pairwise", "map"):
        matrix.set_group([20] * 100)
    params = {"max_depth": 5, "seed": 1, "eta": 0.4, "nthread": 1, **MODELS[kind]}
    with warnings.catch_warnings():
        # XGBoost 3.4 says that booster=dart is on its way out.
        warnings.simplefilter("ignore", UserWarning)
        return xgboost.train(params, matrix, 0 if kind == "zero" else 11)


@cache
def saved(kind: str, form: str = "ubj") -> bytes:
    """The model as UBJSON or JSON."""
    return bytes(booster(kind).save_raw(form))


@cache
def forest(kind: str) -> Forest:
    return read_forest(read_document(saved(kind), kind), kind, RELEASE)


def hard_rows(kind: str, n_rows: int, seed: int = 0) -> np.ndarray:
    """Rows around the model's thresholds."""
    return verify.rows_around(forest(kind), n_rows, seed)


def expected(kind: str, x: np.ndarray) -> np.ndarray:
    """XGBoost's own predictions ``(n_rows, n_outputs)``."""
    return oracle.predict(saved(kind), x).reshape(len(x), forest(kind).n_outputs)


def edited(kind: str, change: Any) -> bytes:
    """The model as JSON after ``change(document)``."""
    document = json.loads(saved(kind, "json"))
    change(document)
    return json.dumps(document).encode()


def bits(scores: np.ndarray) -> bytes:
    return np.ascontiguousarray(scores, np.float32).tobytes()


def old_vector_leaves(document: dict[str, Any]) -> None:
    """As XGBoost up to 3.1 stored them: every node's numbers in ``base_weights``."""
    document["version"] = [3, 1, 0]
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        width = int(tree["tree_param"]["size_leaf_vector"])
        leaves = np.reshape(tree.pop("leaf_weights"), (-1, width))
        weights = np.zeros((len(tree["left_children"]), width))
        for node, left in enumerate(tree["left_children"]):
            if left == -1:
                weights[node] = leaves[tree["right_children"][node]]
                tree["right_children"][node] = -1
        tree["base_weights"] = weights.ravel().tolist()


def forest_of(data: bytes) -> Forest:
    """The forest of a model in bytes."""
    return read_forest(read_document(data, "m"), "m", RELEASE)


def one_by_one(scorer: Any, x: np.ndarray) -> np.ndarray:
    """Scores of rows, each alone."""
    found = np.empty((len(x), scorer.n_outputs), np.float32)
    for row, scores in zip(x, found, strict=True):
        scorer.one(row, scores)
    return found


def trees(document: Any) -> list[dict[str, Any]]:
    """The trees of a model's document, with the place where new ones go."""
    booster = document["learner"]["gradient_booster"]
    found: list[dict[str, Any]] = booster.get("gbtree", booster)["model"]["trees"]
    return found
