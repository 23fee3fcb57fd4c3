"""The check of a scorer in a pipeline: behind stages that it may take into its model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.plan.build import build_plan
from engine.testing.outcome import CheckFailedError, NotCheckedError, running
from engine.testing.scorers.bench import ScorerBench
from engine.testing.scorers.scoring import addresses, equals_xgboost, layouts, need, one_equals_many, used
from engine.testing.stages.compare import answers, difference, one_by_one

_TARGETS = {"binary:logistic": "boolean", "multi:softprob": "category", "reg:squarederror": "number"}
_ROWS, _ALONE = 400, 40


def pipeline(bench: ScorerBench) -> None:
    """In a pipeline it gives what the engine's own scorer gives, compiled, interpreted and row by row."""
    from engine.training.fit import fit_plan

    need(bench, equals_xgboost, one_equals_many, layouts, used, addresses)
    scored = [subject.case.model.objective for subject in bench.subjects]
    objective = next((name for name in scored if name in _TARGETS), None)
    if objective is None:
        raise NotCheckedError(f"it scores no model of {', '.join(_TARGETS)}")
    rows = _table()
    with running("in a pipeline", "nothing is asked of it there that the other checks don't ask"):
        plan = build_plan(Config(_config(objective, bench.cls.use)), bench.registry)
        fitted = fit_plan(plan, rows, progress=lambda *_: None)
        own = Pipeline(build_plan(Config(_config(objective, "auto")), bench.registry), fitted.learned)
        found = {
            "in a pipeline": answers(fitted, rows),
            "in a pipeline that is interpreted": answers(
                Pipeline(plan, fitted.learned, interpreted=True), rows
            ),
            "one row at a time": one_by_one(fitted, rows.slice(0, _ALONE).to_pylist()),
        }
        wanted = answers(own, rows)
    for how, given in found.items():
        said = difference(rows, list(own.outputs), given, wanted[: len(given)])
        if said is not None:
            place, a, b = said
            raise CheckFailedError(
                f"{how}, {place} is {a!r}, and {b!r} by the engine's own scorer; what fold() gives must "
                "have the same scores"
            )


def _config(objective: str, scorer: str) -> dict[str, Any]:
    return {
        "name": "kit",
        "inputs": {"a": "number", "b": "number", "c": "category"},
        "target": {"column": _TARGETS[objective]},
        "stages": {
            "fill": {"use": "impute", "columns": ["a"], "strategy": "median"},
            "limit": {"use": "clip", "columns": ["a", "b"], "lo": -2, "hi": 2},
            "kinds": {"use": "onehot", "columns": ["c"], "drop": True},
            "model": {"use": "xgboost", "rounds": 9, "scorer": scorer, "params": {"max_depth": 4}},
        },
        "split": {"kind": "random", "valid": 0.1, "test": 0.1},
        "golden": 0,
    }


def _table() -> pa.Table:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, _ROWS))
    c = rng.integers(0, 3, _ROWS)
    signal = a * b + c - 1
    a[::9], b[::7] = np.nan, np.nan
    return pa.table(
        {
            "a": a,
            "b": b,
            "c": pa.array(np.array(["red", "green", "blue"])[c]),
            "number": signal,
            "boolean": signal > 0,
            "category": pa.array(np.array(["low", "middle", "high"])[np.digitize(signal, [-0.5, 0.5])]),
        }
    )
