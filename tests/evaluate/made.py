"""Pipelines of each task, fitted on a few generated rows."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

import engine
from engine.config.config import Config

NAMES = ("<script>alert(1)</script>", 'B & "b"', "c</script><!--", "d")
"""Texts that a page must not take for its own."""

TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"target": {"value": "x > 0"}},
    "margin": {"target": {"value": "x > 0"}, "objective": "binary:logitraw"},
    "decision": {"target": {"value": "x > 0"}, "objective": "binary:hinge"},
    "classes": {"target": {"column": "<b>kind</b>"}},
    "class": {"target": {"column": "three"}, "objective": "multi:softmax"},
    "number": {"target": {"column": "x"}},
    "quantiles": {
        "target": {"column": "x"},
        "objective": "reg:quantileerror",
        "params": {"quantile_alpha": [0.123456789, 0.125, 0.9]},
    },
    "counts": {"target": {"column": "count"}, "objective": "count:poisson"},
    "gamma": {"target": {"column": "size"}, "objective": "reg:gamma"},
    "tweedie": {
        "target": {"column": "count"},
        "objective": "reg:tweedie",
        "params": {"tweedie_variance_power": 1.25},
    },
    "ranking": {"target": {"column": "three"}, "objective": "rank:ndcg", "group": "query"},
    "survival": {"target": {"column": "time"}, "objective": "survival:cox"},
}


def table(rows: int = 400) -> pa.Table:
    rng = np.random.default_rng(3)
    x = rng.normal(size=rows)
    return pa.table(
        {
            "a": x + rng.normal(size=rows),
            "b": rng.normal(size=rows),
            "x": x,
            "<b>kind</b>": np.take(NAMES, rng.integers(0, 4, rows)),
            "three": rng.integers(0, 3, rows),
            "count": rng.poisson(np.exp(x / 2)),
            "size": rng.gamma(2, np.exp(x / 2)),
            "time": rng.integers(1, 30, rows) * rng.choice([-1, 1, 1], rows),
            "query": np.sort(rng.integers(0, 40, rows)),
            "w": rng.integers(0, 3, rows),
        }
    )


@cache
def pipeline(task: str, weight: str = "") -> engine.Pipeline:
    given = dict(TARGETS[task])
    params = {"max_depth": 2, "nthread": 1, **given.pop("params", {})}
    model = {"use": "xgboost", "rounds": 4, "objective": given.pop("objective", "auto"), "params": params}
    split = {"kind": "group", "column": "query", "valid": 0.2, "test": 0.3}
    inputs = {"a": "number", "b": "number"}
    config = {"name": "made", "inputs": inputs, "stages": {"model": model}, "split": split, **given}
    return engine.fit(Config({**config, **({"weight": weight} if weight else {})}), table())
