"""Bundles to serve, made once; and a server that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import engine
from engine.config.config import Config
from engine.pipeline import Pipeline

from .running import Server, serving

CONFIG: dict[str, Any] = {
    "name": "homes",
    "inputs": {
        "size": "number",
        "rooms": {"kind": "number", "missing": "reject"},
        "age": "number",
        "city": "category",
        "sold": "timestamp",
        "note": "text",
    },
    "target": {"column": "price"},
    "split": {"kind": "random", "valid": 0.2, "test": 0.2},
    "keep": ["id", "note"],
    "golden": 16,
    "stages": {
        "fill": {"use": "impute", "columns": ["size"], "strategy": "median"},
        "log": {"use": "log1p", "columns": ["age"]},
        "cities": {"use": "onehot", "columns": ["city"]},
        "parts": {"use": "calendar", "columns": ["sold"], "parts": ["month", "weekday"]},
        "length": {"use": "text_length", "columns": ["note"]},
        "model": {"use": "xgboost", "rounds": 20, "params": {"max_depth": 4, "nthread": 1}},
        "dear": {"use": "threshold", "columns": ["score"], "at": 60, "into": "dear"},
        "band": {"use": "bands", "columns": ["score"], "edges": [40, 80], "names": ["low", "mid", "high"]},
    },
}


def homes(rows: int = 600, seed: int = 0) -> pa.Table:
    """Homes with their prices, gaps in every column but rooms."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(20, 200, rows)
    rooms = rng.integers(1, 8, rows)
    city = rng.choice(np.array(["Bath", "Leeds", "York", "Łódź"], object), rows)
    note = rng.choice(np.array(["", "sea view", "naïve", 'a,b\n"c"'], object), rows)
    days = rng.integers(0, 3000, rows)
    price = size * 0.4 + rooms * 3 + (city == "Bath") * 9 + (days % 7)
    gone = lambda: rng.random(rows) < 0.1  # noqa: E731
    return pa.table(
        {
            "id": pa.array([f"h{i}" for i in range(rows)]),
            "size": pa.array(size, mask=gone()),
            "rooms": pa.array(rooms),
            "age": pa.array(rng.exponential(30, rows), mask=gone()),
            "city": pa.array(city, pa.string(), mask=gone()),
            "sold": pa.array(
                days.astype("datetime64[D]").astype("datetime64[us]"), pa.timestamp("us"), mask=gone()
            ),
            "note": pa.array(note, pa.string(), mask=gone()),
            "price": pa.array(price),
        }
    )


def fit_homes(rounds: int = 20, at: float = 60) -> Pipeline:
    """A pipeline for them; other rounds make another version."""
    stages = {**CONFIG["stages"]}
    stages["model"] = {**stages["model"], "rounds": rounds}
    stages["dear"] = {**stages["dear"], "at": at}
    return engine.fit(Config({**CONFIG, "stages": stages}), homes())


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return fit_homes()


@pytest.fixture(scope="session")
def bundle(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "homes"
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    """A server with the usual settings, for tests that leave it as it is."""
    with serving(f"bundle={bundle}") as running:
        yield running
