"""Distributions on the training data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import engine
from engine.config.config import Config
from engine.training.profile import MOST, QUANTILES, SCHEMA, profile
from engine.values import NAT, Categories


def row(values: Any) -> dict[str, Any]:
    table = profile([("input", {"c": values})])
    assert table.schema == SCHEMA
    (found,) = table.to_pylist()
    return found


def test_numbers() -> None:
    found = row(np.array([1.0, np.nan, 3.0, np.inf, -np.inf]))
    assert (found["kind"], found["rows"], found["missing"], found["mean"]) == ("number", 5, 1, 2.0)
    assert found["quantiles"] == np.quantile([1.0, 3.0], QUANTILES).tolist()
    for empty in (np.array([np.nan, np.inf]), np.array([])):
        assert row(empty)["quantiles"] is None and row(empty)["mean"] is None


def test_booleans_and_timestamps() -> None:
    assert row(np.array([True, False]))["mean"] == 0.5
    found = row(np.array([10, NAT, 30]))
    assert (found["kind"], found["missing"], found["mean"]) == ("timestamp", 1, 20.0)


def test_categories() -> None:
    found = row(Categories(np.array([2, 3, 3, 0], np.int32), ("a", "b", "idle")))
    assert (found["texts"], found["counts"], found["missing"]) == (["b", "a"], [2, 1], 1)
    many = tuple(map(str, range(MOST + 7)))
    codes = np.concatenate([np.arange(len(many)) + 2, [2]]).astype(np.int32)
    found = row(Categories(codes, many))
    assert found["texts"][0] == "0" and found["counts"][0] == 2
    assert found["texts"][-1] is None and found["counts"][-1] == 7
    assert sum(found["counts"]) == len(codes)


def test_features_are_profiled_as_the_model_saw_them() -> None:
    """Not as a later stage changed or dropped them."""
    rng = np.random.default_rng(0)
    table = pa.table({"x": rng.uniform(5, 9, 100), "z": rng.normal(size=100), "y": rng.normal(size=100)})
    config = {
        "name": "p",
        "inputs": {"x": "number", "z": "number"},
        "target": {"column": "y"},
        "stages": {
            "model": {"use": "xgboost", "rounds": 2, "params": {"max_depth": 2}},
            "flat": {"use": "clip", "columns": ["x"], "lo": 0, "hi": 1},
            "low": {"use": "threshold", "columns": ["score"], "at": 0, "into": "low"},
            "gone": {"use": "select", "columns": ["x", "low"]},
        },
    }
    fitted = engine.fit(Config(config), table).fitted
    assert fitted is not None and fitted.profile is not None
    found = {(r["part"], r["column"]): r for r in fitted.profile.to_pylist()}
    assert list(found) == [
        ("input", "x"),
        ("input", "z"),
        ("feature", "x"),
        ("feature", "z"),
        ("score", "score"),
    ]
    assert found["feature", "x"]["quantiles"][0] >= 5
    assert {r["rows"] for r in found.values()} == {70}
