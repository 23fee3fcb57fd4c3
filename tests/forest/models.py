"""Small XGBoost models of every sort, trained for the tests."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import xgboost

N_FEATURES = 6

KINDS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "softprob": {"objective": "multi:softprob", "num_class": 4},
    "two classes": {"objective": "multi:softprob", "num_class": 2},
    "softmax": {"objective": "multi:softmax", "num_class": 4},
    "regression": {"objective": "reg:squarederror"},
    "poisson": {"objective": "count:poisson"},
    "quantile": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]},
    "targets": {"objective": "reg:squarederror"},
    "vector leaves": {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"},
    "forest": {"objective": "binary:logistic", "num_parallel_tree": 3, "subsample": 0.7},
    "dart": {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.5},
    "zero": {"objective": "reg:squarederror"},
    "stopped": {"objective": "binary:logistic", "eta": 1.0},
    "lossguide": {"objective": "binary:hinge", "grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
}


def data(n_rows: int = 600, seed: int = 7) -> np.ndarray:
    """Features ``(n_rows, N_FEATURES)`` float32, one in ten missing."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    return features


def target(features: np.ndarray, kind: str) -> np.ndarray:
    """A target that can be learned."""
    known = np.nan_to_num(features)
    signal = known[:, 0] * known[:, 1] + known[:, 2]
    if kind in ("softprob", "softmax"):
        return np.digitize(signal, [-0.7, 0.0, 0.7]).astype(float)
    if kind in ("regression", "quantile", "dart", "zero"):
        return signal
    if kind == "poisson":
        return np.floor(np.abs(signal) * 2)
    if kind in ("targets", "vector leaves"):
        return np.column_stack([signal, known[:, 3] - signal])
    return (signal > 0).astype(float)


@cache
def booster(kind: str) -> xgboost.Booster:
    """A trained model of this kind."""
    features = data()
    matrix = xgboost.DMatrix(features, target(features, kind))
    params = {"max_depth": 4, "seed": 1, **KINDS[kind]}
    with warnings.catch_warnings():
        # XGBoost 3.4 says that booster=dart is on its way out.
        warnings.simplefilter("ignore", UserWarning)
        if kind == "stopped":
            other = data(200, seed=8)
            watched = [(xgboost.DMatrix(other, target(other, kind)), "valid")]
            return xgboost.train(
                params, matrix, 60, evals=watched, early_stopping_rounds=2, verbose_eval=False
            )
        return xgboost.train(params, matrix, 0 if kind == "zero" else 8)


def saved(kind: str) -> bytes:
    """The model as UBJSON."""
    return bytes(booster(kind).save_raw("ubj"))
