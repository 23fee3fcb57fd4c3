"""Models of an author's own that learn nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import engine
from engine.api import build, fit
from engine.evaluate import evaluate
from engine.pipeline import Pipeline

from .conftest import STAGES, config_of

INPUTS = {"a": "number", "b": "number"}
RULE: dict[str, Any] = {"use": "kind_rule", "columns": ["filled", "b"]}
ROWS = pa.table({"a": [1.0, None, -2.5, 4.0] * 6, "b": [0.5, 2.0, None, -1.0] * 6})


def test_a_model_that_has_nothing_to_learn_and_nothing_to_read(tmp_path: Path) -> None:
    fill = {"use": "impute", "columns": ["a"], "value": 3.0, "into": "filled"}
    decide = {"use": "threshold", "columns": ["score"], "at": 2.0, "into": "much"}
    stages = {"fill": fill, "rule": RULE | {"times": 2.0}, "decide": decide}
    pipeline = build(config_of(stages, INPUTS, target={"value": "a + b"}))
    found = pipeline.predict_many(ROWS)
    assert found["score"].to_pylist() == [3.0, 10.0, -5.0, 6.0] * 6
    assert found["much"].to_pylist() == [True, True, False, True] * 6
    assert [pipeline.predict_one(row) for row in ROWS.to_pylist()] == found.to_pylist()
    assert Pipeline(pipeline.plan, pipeline.learned, interpreted=True).predict_many(ROWS).equals(found)
    assert "a rule" in pipeline.explain()
    assert evaluate(pipeline, ROWS).rows == 12  # where a and b are there
    pipeline.save(tmp_path / "bundle")
    assert engine.load(tmp_path / "bundle", plugins=[STAGES]).predict_many(ROWS).equals(found)


def test_one_behind_a_stage_that_learns() -> None:
    stages = {"fill": {"use": "impute", "columns": ["a"], "strategy": "mean", "into": "filled"}, "rule": RULE}
    rows = ROWS.append_column("y", pa.array(np.arange(24.0)))
    pipeline = fit(config_of(stages, INPUTS, target={"column": "y"}), rows)
    assert pipeline.fitted is not None and "rmse" in pipeline.fitted.metrics
    mean = pipeline.predict_one({"b": 0.0})["score"]
    assert -2.5 < mean < 4.0
