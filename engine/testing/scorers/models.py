"""Models that scorers are checked on, unless their author gives others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

_FEATURES = 6
_PARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "a regression": {"objective": "reg:squarederror", "max_depth": 5},
        "a logistic regression": {"objective": "binary:logistic", "max_depth": 4, "base_score": 0.3},
        "a Poisson regression": {"objective": "count:poisson", "max_depth": 3},
        "one of three classes": {"objective": "multi:softprob", "num_class": 3, "max_depth": 3},
        "unlike trees": {
            "objective": "reg:squarederror", "grow_policy": "lossguide", "max_depth": 0, "max_leaves": 40,
            "min_child_weight": 0,
        },
    }
)  # fmt: skip


_OTHERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "trees with weights (DART)": {"booster": "dart", "rate_drop": 0.5},
        "a linear model": {"booster": "gblinear", "updater": "coord_descent"},
        "several targets": {"multi_strategy": "multi_output_tree"},
        "a class's index": {"objective": "multi:softmax", "num_class": 3},
        "quantiles": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
        "splits on categories": {"max_cat_to_onehot": 1},
        "a hinge": {"objective": "binary:hinge"},
        "no trees": {"base_score": 0.25},
    }
)


def trained() -> dict[str, bytes]:
    """Small models as XGBoost saves them, by what they are; each has features that it never splits on."""
    return {label: _train(parameters) for label, parameters in _PARAMETERS.items()}


def others() -> dict[str, bytes]:
    """Models of kinds that a scorer may well refuse."""
    return {label: _train({"max_depth": 3, **parameters}, label) for label, parameters in _OTHERS.items()}


def _train(parameters: Mapping[str, Any], label: str = "") -> bytes:
    import xgboost

    rng = np.random.default_rng(11)
    features = rng.normal(size=(500, _FEATURES)).astype(np.float32)
    features[:, 5] = 1.0  # nothing to split on
    features[rng.random(features.shape) < 0.1] = np.nan
    known = np.nan_to_num(features)
    signal = known[:, 0] * known[:, 1] + known[:, 2] + 0.1 * rng.normal(size=len(known))
    target: Any = {
        "binary:logistic": signal > 0,
        "binary:hinge": signal > 0,
        "count:poisson": np.floor(np.abs(signal) * 2),
        "multi:softprob": np.digitize(signal, [-0.5, 0.5]),
        "multi:softmax": np.digitize(signal, [-0.5, 0.5]),
    }.get(parameters.get("objective", ""), signal)
    kinds = None
    if "max_cat_to_onehot" in parameters:
        features[:, 0] = rng.integers(0, 9, len(features))
        target, kinds = signal + np.isin(features[:, 0], (1, 4, 7)) * 2.0, ["c", *["q"] * (_FEATURES - 1)]
    if "multi_strategy" in parameters:
        target = np.column_stack([signal, known[:, 3]])
    matrix = xgboost.DMatrix(features, target, nthread=1, feature_types=kinds, enable_categorical=True)
    with warnings.catch_warnings():
        # newer versions say that booster=dart is on its way out
        warnings.simplefilter("ignore", UserWarning)
        rounds = 0 if label == "no trees" else 9
        booster = xgboost.train({"nthread": 1, "seed": 1, **parameters}, matrix, rounds)
        return bytes(booster.save_raw("ubj"))
