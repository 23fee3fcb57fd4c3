"""Models that scorers are checked on, unless their author gives others."""

from __future__ import annotations

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


def trained() -> dict[str, bytes]:
    """Small models as XGBoost saves them, by what they are; each has features that it never splits on."""
    import xgboost

    rng = np.random.default_rng(11)
    features = rng.normal(size=(500, _FEATURES)).astype(np.float32)
    features[:, 5] = 1.0  # nothing to split on
    features[rng.random(features.shape) < 0.1] = np.nan
    known = np.nan_to_num(features)
    signal = known[:, 0] * known[:, 1] + known[:, 2] + 0.1 * rng.normal(size=len(known))
    targets = {
        "reg:squarederror": signal,
        "binary:logistic": signal > 0,
        "count:poisson": np.floor(np.abs(signal) * 2),
        "multi:softprob": np.digitize(signal, [-0.5, 0.5]),
    }
    found = {}
    for label, parameters in _PARAMETERS.items():
        matrix = xgboost.DMatrix(features, targets[parameters["objective"]], nthread=1)
        booster = xgboost.train({"nthread": 1, "seed": 1, **parameters}, matrix, 9)
        found[label] = bytes(booster.save_raw("ubj"))
    return found
