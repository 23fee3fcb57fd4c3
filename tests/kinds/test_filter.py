"""Stages that refuse rows: in one row, in tables, in a batch, in fit and evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.api import build, fit, load
from engine.errors import ConfigError, DataError, RowError, UserError
from engine.evaluate import evaluate
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.testing import run_stage

from ..random_pipelines import training_table
from .conftest import STAGES, config_of

BEYOND: dict[str, Any] = {"use": "refuse_beyond", "columns": ["a", "b"], "bound": 5}
TEXT: dict[str, Any] = {"use": "refuse_text", "columns": ["k"], "text": "red"}
ROWS = pa.table(
    {"a": [1.0, 6.0, None, 3.0, 9.0], "b": [1.0, 2.0, -7.0, 4.0, 8.0], "k": ["x", "red", None, "red", "y"]}
)


def both(pipeline: Pipeline) -> list[Pipeline]:
    return [pipeline, Pipeline(pipeline.plan, pipeline.learned, interpreted=True)]


def test_reasons_in_order() -> None:
    stages = {"sum": {"use": "expr", "value": "a + b"}, "text": TEXT, "far": BEYOND}
    for pipeline in both(build(config_of(stages, keep=["k"]))):
        found, rejects = pipeline.predict_many(ROWS, rejects=True)
        assert found.to_pydict() == {"k": ["x"], "sum": [2.0]}
        assert rejects.to_pylist() == [
            {"row": row, "column": column, "code": "filtered", "reason": reason}
            for row, column, reason in [
                (1, "k", "stages.text: refused by 'refuse_text'"),
                (2, "a", "stages.far: b is beyond its bound"),
                (3, "k", "stages.text: refused by 'refuse_text'"),
                (4, "a", "stages.far: a is beyond its bound"),
            ]
        ]
        with pytest.raises(DataError, match="4 rows are refused") as caught:
            pipeline.predict_many(ROWS)
        assert "inputs.NAME" not in str(caught.value)
        rows = ROWS.to_pylist()
        assert pipeline.predict_one(rows[0]) == {"k": "x", "sum": 2.0}
        with pytest.raises(RowError, match=r"stages\.far: b is beyond its bound") as one:
            pipeline.predict_one(rows[2])
        assert (one.value.code, one.value.column) == ("filtered", "a")


def test_beside_rows_that_inputs_refuse_and_text_that_passes() -> None:
    config = config_of({"far": BEYOND}, outputs=["k", "a"], keep=["extra"])
    pipeline = build(config)
    table = pa.table(
        {
            "a": ["1", "x", "9", "2"],
            "b": pa.nulls(4, pa.string()),
            "k": ["one", "two", "three", "four"],
            "extra": ["p", "q", "r", "s"],
        }
    )
    found, bad = pipeline.score_batch(table, text=True)
    assert found.to_pydict() == {"extra": ["p", "s"], "k": ["one", "four"], "a": [1.0, 2.0]}
    assert [(b.row, b.code) for b in bad] == [(1, "invalid"), (2, "filtered")]


def test_it_is_always_looked_at() -> None:
    """A filter whose columns nothing else reads refuses rows all the same; no output column is needed."""
    pipeline = build(config_of({"sum": {"use": "expr", "value": "b + 1"}, "text": TEXT}, outputs=["b"]))
    assert "k" in pipeline.layout.reads
    assert pipeline.predict_many(ROWS, rejects=True)[0]["b"].to_pylist() == [1.0, -7.0, 8.0]


def test_no_filter_no_cost() -> None:
    pipeline = build(config_of({"sum": {"use": "expr", "value": "a + b"}}))
    assert pipeline.layout.refusals == ()
    assert len(pipeline.program.one(np.zeros(2).tobytes())) == 1


def training(**more: Any) -> Any:
    stages = {
        "far": {"use": "refuse_beyond", "columns": ["a"]},
        "text": TEXT,
        "fill": {"use": "impute", "columns": ["a", "b"]},
        "model": {"use": "xgboost", "columns": ["a", "b"], "rounds": 3, "params": {"max_depth": 2}},
        "sure": {"use": "refuse_beyond", "columns": ["score"], "bound": 0.6},
        "hit": {"use": "threshold", "columns": ["score"], "at": 0.5, "into": "hit"},
    }
    split = {"kind": "random", "valid": 0.2, "test": 0.2}
    return config_of(stages, target={"value": "y > 0"}, split=split, **more)


def test_fit_and_evaluate(tmp_path: Path) -> None:
    table = training_table(1)
    pipeline = fit(training(), table)
    fitted = pipeline.fitted
    assert fitted is not None
    rows = dict(fitted.rows)
    assert 0 < rows["filtered"] < 300 and sum(rows.values()) == 300
    # what comes behind a filter learned from what passes it alone
    bound = float(pipeline.learned["far"]["bounds"][0])
    text = table["k"].to_pylist()
    a = table["a"].to_pylist()
    passing = [x for x, k in zip(a, text, strict=True) if not (x and abs(x) > bound) and k != "red"]
    mean = pipeline.learned["fill"]
    assert abs(float(next(iter(mean.values()))[0])) <= max(abs(x) for x in passing if x is not None)

    # fit left out just the rows that predict_many refuses, but for the parts where they lay
    rejects = pipeline.predict_many(table, rejects=True)[1]
    assert rejects.num_rows == rows["filtered"]
    assert len({reason.split(":")[0] for reason in rejects["reason"].to_pylist()}) == 3
    found = evaluate(pipeline, table)
    assert (found.rows, found.filtered, found.rejected) == (300 - rejects.num_rows, rejects.num_rows, 0)

    # the golden rows pass, and do so again
    assert fitted.golden is not None and 0 < fitted.golden.num_rows <= 64
    loaded = load(pipeline.save(tmp_path / "bundle"), plugins=[STAGES])
    assert loaded.version == pipeline.version


def test_a_part_without_rows() -> None:
    table = training_table(1).set_column(4, "k", pa.array(["red"] * 300))
    with pytest.raises(DataError, match=r"stages\.text: the filter refuses every row that is left of train"):
        fit(training(), table)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_batch(tmp_path: Path, suffix: str) -> None:
    pipeline = build(config_of({"far": BEYOND, "sum": {"use": "expr", "value": "a + b"}}))
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    source = open_source({"path": str(tmp_path / "rows.parquet")})
    sink = open_sink({"path": str(tmp_path / f"out.{suffix}")})
    summary = run_batch(pipeline, source, sink, rejects=Rejects(max=3), batch_rows=2)
    assert (summary.rows_in, summary.rows_out, summary.rejected) == (5, 2, 3)
    with pytest.raises(DataError, match="are rejected, more than") as caught:
        out = open_sink({"path": str(tmp_path / "other.parquet")})
        run_batch(pipeline, source, out, rejects=Rejects(max=2), batch_rows=2)
    assert "far" in str(caught.value) and "inputs.a" not in str(caught.value)


def test_explain_and_the_kit() -> None:
    pipeline = build(config_of({"far": BEYOND, "sum": {"use": "expr", "value": "a + b"}}))
    said = pipeline.explain()
    assert "refuses rows" in said and "1 output column and 2 conditions of filters" in said
    registry = Registry([STAGES])
    found = run_stage("refuse_beyond", {"a": [1.0, None, 3.0]}, registry=registry)
    assert found == {"a is beyond its bound": [False, False, True]}
    assert run_stage("refuse_text", {"k": ["red", None]}, text="red", registry=registry) == {
        "refused by 'refuse_text'": [True, False]
    }


def test_reasons_by_the_column_that_they_concern() -> None:
    below: dict[str, Any] = {"use": "refuse_by_column", "columns": ["a", "b"]}
    for pipeline in both(build(config_of({"below": below}, outputs=["a"]))):
        rejects = pipeline.predict_many(ROWS, rejects=True)[1]
        assert rejects.to_pylist() == [
            {"row": 2, "column": "b", "code": "filtered", "reason": "stages.below: b is below 0"}
        ]
        with pytest.raises(RowError) as one:
            pipeline.predict_one(ROWS.to_pylist()[2])
        assert one.value.column == "b"
    with pytest.raises(UserError, match=r"reasons that concern 'my_a', which it doesn't select; .*: a, b"):
        build(config_of({"below": below | {"concerns": "my_{}"}}))
    with pytest.raises(UserError, match="gave the reason 'too low' twice; name the column in it"):
        build(config_of({"below": below | {"said": "too low"}}))


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match=r"stages\.far\.into: 'refuse_beyond' refuses rows and makes no"):
        build(config_of({"far": BEYOND | {"into": "far"}}))
    with pytest.raises(UserError, match=r"gave a number for .*; a boolean is expected"):
        build(config_of({"odd": {"use": "refuse_wrongly", "columns": ["a"]}}))
