"""`Pipeline.trace_one`: what a row became after every stage, with the bits of its answer."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from engine.answer.traced import RowTrace, TracedColumn
from engine.api import build
from engine.config.config import Config
from engine.errors import RowError
from engine.pipeline import Pipeline

from .random_pipelines import KINDS, pipelines, tables
from .test_parity import exact, fitted, fitted_interpreted


def check_row(pipeline: Pipeline, wide: Pipeline, row: dict[str, Any]) -> None:
    """The trace's answer is `predict_one`'s, and so is every column, those included that it doesn't need."""
    found = pipeline.trace_one(row)
    labels = [planned.label for planned in pipeline.plan.stages]
    assert [stage.label for stage in found.stages] == labels[: len(found.stages)]
    try:
        answer = pipeline.predict_one(row)
    except RowError as error:
        assert found.answer is None and found.refusal is not None
        assert (found.refusal.message, found.refusal.column, found.refusal.code) == (
            str(error), error.column, error.code,
        )  # fmt: skip
        stage = found.refusal.stage
        assert labels[len(found.stages) - 1] == stage if stage else not found.stages
        return
    assert found.answer is not None and found.refusal is None and len(found.stages) == len(labels)
    assert list(found.answer) == list(answer)
    assert [exact(v) for v in found.answer.values()] == [exact(v) for v in answer.values()]
    everything = wide.predict_one(row)
    last = final_values(found)
    assert set(last) == set(everything)
    assert {name: exact(v) for name, v in last.items()} == {n: exact(v) for n, v in everything.items()}


def final_values(found: RowTrace) -> dict[str, Any]:
    """Every column behind the last stage, put together from what the stages did."""
    values = {column.name: column.value for column in found.inputs}
    for stage in found.stages:
        for column in stage.columns:
            assert (column.name not in values) == column.made
            if not column.made:
                assert exact(column.before) == exact(values[column.name])
            values[column.name] = column.value
        for name in stage.dropped:
            del values[name]
    return values


def wide_of(pipeline: Pipeline) -> Pipeline:
    plan = replace(pipeline.plan, outputs=("*",), keep=())
    return Pipeline(plan, pipeline.learned, interpreted=True)


@pytest.mark.parametrize("seed", [2, 11, *range(2000, 2012)])
def test_the_trace_ends_in_the_answer(seed: int) -> None:
    config = pipelines(np.random.default_rng(seed))
    pipeline = fitted(config, seed) if seed < 1000 else fitted_interpreted(config, seed)
    wide = wide_of(pipeline)

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(table=tables())
    def check(table: pa.Table) -> None:
        for row in table.slice(0, 4).to_pylist():
            check_row(pipeline, wide, row)

    check()


def built(stages: dict[str, Any], **more: Any) -> Pipeline:
    inputs = {"x": "number", "k": "category", "t": "timestamp"} | more.pop("inputs", {})
    return build(Config({"name": "p", "inputs": inputs, "stages": stages, "plugins": [KINDS], **more}))


def test_what_a_stage_changes_makes_and_drops() -> None:
    stages: dict[str, Any] = {
        "fill": {"use": "impute", "columns": ["x"], "value": 3},
        "clock": {"use": "calendar", "columns": ["t"], "parts": ["year"], "drop": True},
        "codes": {"use": "ordinal", "columns": ["k"], "categories": ["a", "b"]},
        "spread": {"use": "kind_spread", "columns": ["x", "t_year"], "prefix": "two"},
        "name": {"use": "rename", "names": {"x": "filled"}},
        "place": {"use": "rank", "columns": ["filled"]},
        "slim": {"use": "drop", "columns": ["k"]},
    }
    found = built(stages).trace_one({"k": "b", "t": datetime(2013, 5, 1, tzinfo=UTC)})
    fill, clock, codes, spread, name, place, slim = found.stages
    assert [column.name for column in found.inputs] == ["x", "k", "t"]
    assert math.isnan(found.inputs[0].value) and found.inputs[1].value == "b"
    (x,) = fill.columns
    assert (x.value, x.made, math.isnan(x.before)) == (3.0, False, True)
    assert clock.columns == (TracedColumn("t_year", "float64", 2013.0),) and clock.dropped == ("t",)
    assert codes.columns == (TracedColumn("k", "float64", 1.0, False, "b"),)
    assert spread.columns[0] == TracedColumn("two_middle", "float64", 1008.0)
    assert name.columns == (TracedColumn("filled", "float64", 3.0),) and name.dropped == ("x",)
    assert place.columns == (TracedColumn("place", "int64", 1),) and "a group of its own" in place.note
    assert (slim.columns, slim.dropped) == ((), ("k",))
    with pytest.raises(FrozenInstanceError):
        x.value = 4.0  # type: ignore[misc]


def test_a_filter_ends_the_trace() -> None:
    stages: dict[str, Any] = {
        "twice": {"use": "expr", "value": "x * 2"},
        "guard": {"use": "refuse_beyond", "columns": ["twice"], "bound": 10},
        "after": {"use": "expr", "value": "twice + 1"},
    }
    pipeline = built(stages)
    found = pipeline.trace_one({"x": 6.0})
    assert [stage.label for stage in found.stages] == ["twice", "guard"]
    assert found.stages[0].columns[0].value == 12.0
    assert found.answer is None and found.refusal is not None
    assert (found.refusal.stage, found.refusal.column, found.refusal.code) == ("guard", "twice", "filtered")
    with pytest.raises(RowError) as caught:
        pipeline.predict_one({"x": 6.0})
    assert found.refusal.message == found.stages[1].note == str(caught.value)
    passed = pipeline.trace_one({"x": 5.0})
    assert passed.answer == pipeline.predict_one({"x": 5.0}) and passed.stages[1].note == "lets the row pass"


def test_an_input_that_refuses_and_one_that_nobody_looks_at() -> None:
    stages: dict[str, Any] = {
        "twice": {"use": "expr", "value": "x * 2"},
        "idle": {"use": "expr", "value": "y + 1"},
    }
    pipeline = built(stages, inputs={"y": "number", "k": {"kind": "category", "missing": "reject"}},
                     outputs=["twice"])  # fmt: skip
    found = pipeline.trace_one({"x": 1})
    assert found.refusal is not None and (found.refusal.stage, found.refusal.column) == ("", "k")
    assert found.stages == () and found.answer is None
    row = {"x": 1, "k": "a", "y": "no number"}  # no output needs y, so that its value isn't checked
    found = pipeline.trace_one(row)
    assert found.answer == pipeline.predict_one(row) == {"twice": 2.0}
    assert math.isnan(found.stages[1].columns[0].value)
    with pytest.raises(TypeError, match="takes a mapping"):
        pipeline.trace_one([1])  # type: ignore[arg-type]
