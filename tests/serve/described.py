"""Pipelines whose documents are looked at: every kind of input and output, names that no program likes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.plan.build import build_plan
from engine.training.fit import fit_plan

HOSTILE = '<img src=x onerror="window.hit=1">'
SCRIPT = "</script><script>window.hit=2</script>"
ODD = "__proto__"

ALL: dict[str, Any] = {
    "name": "all-kinds",
    "inputs": {
        "n": "number",
        "r": {"kind": "number", "missing": "reject"},
        "c": "category",
        "u": {"kind": "category", "unknown": "reject"},
        "w": "text",
        "t": "timestamp",
        "s": {"kind": "timestamp", "missing": "fail"},
    },
    "keep": ["flight", "n"],
    "target": {"column": "kind"},
    "stages": {
        "far": {"use": "expr", "value": "n > r"},
        "onehot": {"use": "onehot", "columns": ["c"]},
        "codes": {"use": "ordinal", "columns": ["u"]},
        "length": {"use": "text_length", "columns": ["w"]},
        "clock": {"use": "calendar", "columns": ["t", "s"], "parts": ["hour"]},
        "model": {"use": "xgboost", "rounds": 3, "params": {"max_depth": 2, "nthread": 1}},
        "ratio": {"use": "expr", "value": "n / r"},
        "best": {"use": "label", "columns": ["score_*"], "prefix": "score_"},
        "place": {"use": "rank", "columns": ["r"]},
    },
    "outputs": ["score_*", "far", "best", "place", "ratio", "w", "c", "t"],
    "split": {"kind": "random"},
}
NAMES: dict[str, Any] = {
    "name": "names",
    "inputs": {HOSTILE: "number", SCRIPT: "category", ODD: "number", "7": "number", "it's": "text"},
    "keep": ["</textarea><b>kept</b>"],
    "target": {"column": "kind"},
    "stages": {
        "onehot": {"use": "onehot", "columns": [SCRIPT]},
        "length": {"use": "text_length", "columns": ["it's"]},
        "model": {"use": "xgboost", "rounds": 3, "params": {"max_depth": 2, "nthread": 1}},
    },
    "split": {"kind": "random"},
}


def training() -> pa.Table:
    rng = np.random.default_rng(5)
    rows = 300
    n = rng.normal(size=rows)
    moments = pa.array(rng.integers(0, 2 * 10**15, rows), pa.timestamp("us", "UTC"))
    texts = np.array(["red", "green", "blue", "", HOSTILE], object)
    kinds = np.array([HOSTILE, "b & c", "d"], object)[np.digitize(n, [-0.5, 0.5])]
    return pa.table(
        {
            "n": pa.array(n, mask=rng.random(rows) < 0.1),
            "r": rng.normal(size=rows).round(2),
            "c": pa.array(rng.choice(texts, rows), pa.string(), mask=rng.random(rows) < 0.1),
            "u": pa.array(rng.choice(texts[:2], rows), pa.string()),
            "w": pa.array(rng.choice(texts, rows), pa.string()),
            "t": moments,
            "s": moments,
            HOSTILE: n,
            SCRIPT: pa.array(rng.choice(texts, rows), pa.string()),
            ODD: rng.integers(0, 9, rows),
            "7": n,
            "it's": pa.array(rng.choice(texts, rows), pa.string()),
            "flight": rng.integers(1, 999, rows),
            "kind": pa.array(kinds, pa.string()),
        }
    )


@cache
def described(name: str = "all", *, golden: int = 8) -> Pipeline:
    """One of the pipelines, interpreted: nothing here depends on kernels."""
    config = {**{"all": ALL, "names": NAMES}[name], "golden": golden}
    plan = build_plan(Config(config))
    return fit_plan(plan, training(), progress=lambda *_: None, interpreted=True)


def accepted(names: list[str]) -> dict[str, Any]:
    """The row of ones and words that `described` takes, for those of its inputs."""
    row = {"n": 1.5, "r": 2, "c": "red", "u": "green", "w": "x", "t": 0, "s": "2013-01-01T05:00:00Z"}
    return {name: row[name] for name in names}
