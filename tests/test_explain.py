"""A pipeline explained: the whole text of a small one."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import engine
from engine.config.config import Config
from engine.explain import explain_plan

CONFIG: dict[str, Any] = {
    "name": "small",
    "inputs": {"a": "number", "b": "number", "k": "category", "idle": "number"},
    "target": {"value": "y > 0"},
    "keep": ["id"],
    "stages": {
        "fill": {"use": "impute", "columns": ["a"], "strategy": "median"},
        "squeeze": {"use": "clip", "columns": ["a", "b"], "lo": -2, "hi": 2},
        "city": {"use": "onehot", "columns": ["k"]},
        "model": {
            "use": "xgboost",
            "columns": ["a", "b", "k_*"],
            "rounds": 3,
            "params": {"max_depth": 2, "nthread": 1},
        },
        "decide": {"use": "threshold", "columns": ["score"], "at": 0.5, "into": "yes"},
    },
}


@pytest.fixture(scope="module")
def pipeline() -> engine.Pipeline:
    a = np.arange(100) / 10 - 5
    columns = {"a": a, "b": (np.arange(100) * 7 % 100) / 10 - 5, "k": ["x", "y"] * 50, "idle": a, "y": a}
    return engine.fit(Config(CONFIG), pa.table(columns))


def test_a_fitted_pipeline(pipeline: engine.Pipeline) -> None:
    import xgboost

    size = f"{pipeline.learned['model']['model'].nbytes:,}"
    assert (
        [line.rstrip() for line in pipeline.explain().splitlines()]
        == f"""\
pipeline small, version {pipeline.version}

inputs: 4
  number: a, b, idle
  category: k
  pruned, not read: b, k, idle

stages
  fill     impute     a: number → changed in place
                      learned value: a=-0.6
  squeeze  clip       a: number, b: number → changed in place
  city     onehot     k: category → k_x: number, k_y: number
                      learned k: x, y
  model    xgboost    a: number, b: number, k_x: number, k_y: number → score: float32
                      learned model: {size} bytes
                      learned objective: binary:logistic
                      learned features: a, b, k_x, k_y
  decide   threshold  score: float32 → yes: boolean

kernel 0: 1 feature for the 4 of 'model', 1 fused group
      1 × x0: a
  folded: 1 imputation into default directions; 1 limit into thresholds
  then 'model': native: binary:logistic, 3 trees; equal to XGBoost {xgboost.__version__}

kernel 1: 1 output column, 1 fused group
      1 × (x0 >= a0): yes

pruned: 3 features that no split uses: b, k_x, k_y

outputs: id (kept), score: float32, yes: bool""".splitlines()
    )


def test_a_plan_that_is_not_fitted(pipeline: engine.Pipeline) -> None:
    assert (
        explain_plan(pipeline.plan)
        == """\
pipeline small, not fitted: nothing is learned or compiled yet

inputs: 4
  number: a, b, idle
  category: k

stages
  fill     impute     a: number → changed in place
  squeeze  clip       a: number, b: number → changed in place
  city     onehot     k: category → k_*: number
  model    xgboost    a: number, b: number, k_*: number → score: float32
  decide   threshold  score: float32 → yes: boolean

outputs: id (kept), score: float32, yes: bool"""
    )


def test_the_kernels(pipeline: engine.Pipeline) -> None:
    plain, whole = pipeline.explain(), pipeline.explain(kernel=True)
    assert whole.startswith(plain)
    first, second = whole[len(plain) :].split("# kernel ")[1:]
    assert "# group 0, first of 1: a; x0 = a\n" in first
    assert "# group 0, first of 1: yes; x0 = model[0]; a0 = 0.5" in second
    for text in (first, second):
        source = text[text.index('"""Emitted') :]
        (kernel,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
        assert kernel.name == "kernel"
        assert [argument.arg for argument in kernel.args.args] == [
            "rows", "columns", "outputs", "numbers", "integers", "scratch"
        ]  # fmt: skip


def test_many_columns_in_short() -> None:
    names = [f"column_{i}" for i in range(300)]
    stages = {"s": {"use": "clip", "columns": ["numbers"], "lo": 0}}
    config = {"name": "wide", "inputs": dict.fromkeys(names, "number"), "stages": stages}
    text = engine.build(Config(config)).explain()
    assert (
        "  s  clip  column_0: number, column_1: number, column_2: number, column_3: number, … (300 in all)"
        in text
    )
    assert "    300 × clip(x0, a0, a1): column_0, column_1, column_2, column_3, … (300 in all)" in text
