"""A stage in Python that scores by the pipeline it is part of, in the midst of a row and of a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import engine.plugins
from engine.api import build
from engine.config.config import Config

STAGE = '''
"""Twice a number, and whatever else happens meanwhile."""

from engine.schema import Kind
from engine.stage import ArrayStage, stage

MEANWHILE = []


@stage("meddling")
class Meddling(ArrayStage):
    """Twice a number."""

    def declare(self, columns):
        return Kind.NUMBER

    def compute(self, columns, learned):
        (x,) = columns.values()
        made = x * 2
        for run in list(MEANWHILE):
            MEANWHILE.clear()
            run()
        return made
'''


def test_the_rows_around_keep_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))
    (tmp_path / "meddling.py").write_text(STAGE)
    stages = {
        "twice": {"use": "meddling", "columns": ["x"]},
        "sum": {"use": "expr", "into": "sum", "value": "x + twice"},
    }
    config = {"name": "again", "inputs": {"x": "number"}, "stages": stages, "plugins": [str(tmp_path)]}
    pipeline = build(Config({**config, "outputs": ["x", "twice", "sum"]}))
    meanwhile = __import__("engine.plugins.meddling", fromlist=["MEANWHILE"]).MEANWHILE
    table = pa.table({"x": np.arange(9000.0)})
    expected = pipeline.predict_many(table)
    for run in (
        lambda: pipeline.predict_one({"x": 77.0}),
        lambda: pipeline.predict_many(table.slice(0, 10)),
    ):
        meanwhile.append(run)
        assert pipeline.predict_one({"x": 5.0}) == {"x": 5.0, "twice": 10.0, "sum": 15.0}
        meanwhile.append(run)
        assert pipeline.predict_many(table).equals(expected)
