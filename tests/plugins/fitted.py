"""A stage fitted on some rows, and what it makes of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.api import fit
from engine.config.config import Config
from engine.pipeline import Pipeline


def fitted(use: str, data: Mapping[str, Sequence[float | None]], **options: Any) -> Pipeline:
    """A pipeline of one stage over every column, compiled, and fitted on all of these rows."""
    config = {
        "name": "one",
        "inputs": dict.fromkeys(data, "number"),
        "target": {"column": "kit_target"},
        "stages": {"tested": {"use": use, "columns": list(data), **options}},
        "split": {"kind": "random", "valid": 0.0, "test": 0.0},
        "golden": 0,
    }
    columns = {name: pa.array(values, pa.float64()) for name, values in data.items()}
    rows = len(next(iter(columns.values())))
    return fit(Config(config), pa.table({**columns, "kit_target": pa.array(range(rows), pa.float64())}))


def answers(pipeline: Pipeline, data: Mapping[str, Sequence[float | None]]) -> dict[str, list[float]]:
    """What it makes of other rows."""
    table = pa.table({name: pa.array(values, pa.float64()) for name, values in data.items()})
    return pipeline.predict_many(table).to_pydict()
