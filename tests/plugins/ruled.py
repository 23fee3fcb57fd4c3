"""A pipeline of rules, and rows that break them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from engine.api import build
from engine.config.config import Config
from engine.pipeline import Pipeline

INPUTS = {"n": "number", "k": "category", "w": "text", "t": "timestamp", "id": "number"}
MOMENTS = [
    datetime(2013, 1, 1, tzinfo=UTC),
    datetime(2013, 1, 1, 0, 0, 0, 1, UTC),
    datetime(1960, 2, 3, 4, tzinfo=UTC),
]
ROWS: list[dict[str, Any]] = [
    {"n": 5.0, "k": "UA", "w": "N711AA", "t": MOMENTS[0]},
    {"n": -90.0, "k": "UA", "w": "N711AA", "t": MOMENTS[0]},
    {"n": 601.0, "k": "XX", "w": "7", "t": None},
    {"n": 600.0, "k": None, "w": None, "t": None},
    {"n": None, "k": "XX", "w": "N711AA", "t": MOMENTS[1]},
    {"n": 5.0, "k": "AA", "w": "N711AA\n", "t": MOMENTS[2]},
    {"n": 5.0, "k": "AA", "w": "n1", "t": MOMENTS[1]},
]  # fmt: skip
STAGES: dict[str, Any] = {
    "range": {"use": "require", "columns": ["n"], "min": -60, "max": 600, "not_null": True},
    "codes": {"use": "require", "columns": ["k"], "allowed": ["UA", "AA"]},
    "tails": {"use": "require", "columns": ["w"], "pattern": "(?i)N[0-9]+[A-Z]*"},
    "time": {
        "use": "require", "columns": ["t"], "min": "2013-01-01", "max": "2013-01-01T01:00:00.000001+01:00",
    },
}  # fmt: skip
REFUSED = [
    (1, "n", "stages.range: n is below min: expected -60 or more"),
    (2, "n", "stages.range: n is above max: expected 600 or less"),
    (4, "n", "stages.range: n is missing: not_null expects a value"),
    (5, "w", "stages.tails: w doesn't match pattern: expected '(?i)N[0-9]+[A-Z]*', as a whole"),
]


SPLIT = {"kind": "random", "valid": 0.2, "test": 0.2}


def config_of(stages: Mapping[str, Any], **more: Any) -> Config:
    base: dict[str, Any] = {"name": "ruled", "inputs": dict(INPUTS), "target": {"column": "id"}}
    base |= {"keep": ["id"], "outputs": ["n", "k", "w", "t"]}
    return Config({**base, "stages": dict(stages), **more})


def both(config: Config) -> list[Pipeline]:
    compiled = build(config)
    return [compiled, Pipeline(compiled.plan, compiled.learned, interpreted=True)]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    types = {"number": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
    kinds = {name: types.get(kind, pa.string()) for name, kind in INPUTS.items()}
    numbered = [{**row, "id": float(i)} for i, row in enumerate(rows)]
    return pa.table({name: pa.array([row[name] for row in numbered], kind) for name, kind in kinds.items()})
