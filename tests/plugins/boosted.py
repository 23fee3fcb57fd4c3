"""Pipelines of one model, the tables they learn from, and what XGBoost itself says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import xgboost

import engine
from engine.pipeline import Pipeline

CARRIERS = ("AA", "B6", "DL", "UA", "ünï")


def table(rows: int = 500, seed: int = 0) -> pa.Table:
    """Two numbers and a category with gaps, groups, weights, and targets of every kind."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows)).astype(np.float32).astype(np.float64)
    carrier = rng.choice(np.array(CARRIERS, object), rows)
    late = np.isin(carrier, ["B6", "UA"])
    signal = a * 1.5 + b * late + rng.normal(size=rows) * 0.2
    gap = rng.random((2, rows)) < 0.1
    columns = {
        "a": pa.array(a, mask=gap[0]),
        "b": pa.array(b),
        "carrier": pa.array(carrier, pa.string(), mask=gap[1]),
        "q": pa.array(np.repeat(np.arange(-(-rows // 10)), 10)[:rows]),
        "w": pa.array(rng.integers(1, 4, rows).astype(float)),
        "before": pa.array(rng.normal(size=rows).astype(np.float32).astype(np.float64)),
        "number": pa.array(signal),
        "other": pa.array(b - signal),
        "count": pa.array(np.floor(np.abs(signal) * 2) + 1),
        "share": pa.array(1 / (1 + np.exp(-signal))),
        "flag": pa.array(signal > 0),
        "rare": pa.array(signal > 1.5),
        "grade": pa.array(np.digitize(signal, [-0.7, 0.7]).astype(float)),
        "class": pa.array(np.array(["high", "low", "mid"], object)[np.digitize(signal, [-0.7, 0.7])]),
    }
    return pa.table(columns)


def config(target: Any = "number", inputs: Any = None, **more: Any) -> dict[str, Any]:
    """A pipeline of a model alone; ``more`` are the model's options, or root keys."""
    roots = {key: more.pop(key) for key in ("weight", "group", "split", "outputs", "keep") if key in more}
    front = more.pop("front", {})
    return {
        "name": "fitted",
        "inputs": inputs or {"a": "number", "b": "number", "carrier": "category"},
        "target": {"column": target} if isinstance(target, str) else target,
        "stages": {**front, "model": {"use": "xgboost", "rounds": 6, **more}},
        "split": {"kind": "random", "valid": 0, "test": 0},
        **roots,
    }


def fit(target: Any = "number", rows: pa.Table | None = None, **more: Any) -> Pipeline:
    """The same, fitted."""
    return engine.fit(engine.Config(config(target, **more)), table() if rows is None else rows)


def booster(pipeline: Pipeline, label: str = "model") -> xgboost.Booster:
    """The model that a pipeline learned."""
    return xgboost.Booster({"nthread": 1}, model_file=bytearray(pipeline.learned[label]["model"].tobytes()))


def numbers(rows: pa.Table, *names: str) -> np.ndarray:
    """Columns as float32 features; the carrier as its place in the alphabet."""
    found = []
    for name in names:
        values = rows[name].to_pylist()
        if name == "carrier":
            values = [CARRIERS.index(value) if value in CARRIERS else None for value in values]
        found.append([np.nan if value is None else value for value in values])
    return np.array(found, np.float64).T.astype(np.float32)


def scores(pipeline: Pipeline, rows: pa.Table, *names: str) -> np.ndarray:
    """Score columns as float32 ``(n, k)``."""
    found = pipeline.predict_many(rows)
    wanted = names or [name for name in found.schema.names if name.startswith("score")]
    return np.column_stack([found[name].to_numpy() for name in wanted])


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two float32 arrays are equal to the bit."""
    return np.array_equal(
        np.ascontiguousarray(a, np.float32).view(np.uint32).ravel(),
        np.ascontiguousarray(b, np.float32).view(np.uint32).ravel(),
    )


def check_alone(pipeline: Pipeline, rows: pa.Table) -> None:
    """One row, chunks, threads and the interpreter give what the table gives."""
    whole = pipeline.predict_many(rows)
    for row, wanted in zip(rows.to_pylist(), whole.to_pylist(), strict=True):
        assert repr(pipeline.predict_one(row)) == repr(wanted)
    cut = pa.concat_tables([pipeline.predict_many(rows.slice(0, 7)), pipeline.predict_many(rows.slice(7))])
    assert repr(cut.to_pylist()) == repr(whole.to_pylist())
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert repr(oracle.predict_many(rows).to_pylist()) == repr(whole.to_pylist())
