"""Compile time grows with the number of different chains, not of columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from engine.api import build
from engine.config.config import Config
from engine.pipeline import Pipeline

COLUMNS = 2000


def test_two_thousand_columns_are_one_loop() -> None:
    names = [f"x{i}" for i in range(COLUMNS)]
    rng = np.random.default_rng(0)
    config = {
        "name": "wide",
        "inputs": dict.fromkeys(names, "number"),
        "stages": {
            "fill": {"use": "impute", "columns": ["numbers"], "value": 0.25},
            "squeeze": {"use": "clip", "columns": ["numbers"], "lo": -2, "hi": 2},
            "scale": {"use": "scale", "columns": ["numbers"], "center": 0.5, "by": 3},
        },
    }
    pipeline = build(Config(config))
    values = rng.normal(size=(50, COLUMNS))
    values[rng.random(values.shape) < 0.1] = np.nan
    table = pa.table(dict(zip(names, values.T, strict=True)))
    found = np.stack([column.to_numpy() for column in pipeline.predict_many(table).columns], axis=1)
    expected = (np.where(np.isnan(values), 0.25, values).clip(-2, 2) - 0.5) / 3
    assert found.tobytes() == expected.tobytes()
    kernel = pipeline.program.layout
    assert len(kernel.reads) == COLUMNS
    assert "2000 ×" in pipeline.explain()
    one = pipeline.predict_one(dict(zip(names, values[0].tolist(), strict=True)))
    assert list(one.values()) == expected[0].tolist()
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True).predict_many(table)
    assert oracle.equals(pipeline.predict_many(table))
