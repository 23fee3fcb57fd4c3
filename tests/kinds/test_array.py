"""Stages that compute with NumPy, between kernels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.api import build, fit, load
from engine.errors import ConfigError, UserError
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.testing import run_stage

from ..random_pipelines import training_table
from .conftest import STAGES, config_of

SPREAD: dict[str, Any] = {"use": "kind_spread", "columns": ["a", "b"]}
ROWS = pa.table({"a": [1.0, None, 3.0], "b": [4.0, 2.0, 3.0], "k": ["x", "y", None]})


def test_every_kind_of_output_and_what_is_made_of_it() -> None:
    stages = {
        "twice": {"use": "expr", "value": "a * 2"},
        "spread": SPREAD | {"columns": ["twice", "b"]},
        "next": {"use": "expr", "value": "where(row_gap, 0, row_middle + 1)"},
        "second": {"use": "calendar", "columns": ["row_moment"], "parts": ["year", "minute"]},
        "again": SPREAD | {"columns": ["next", "row_middle"], "prefix": "last"},
    }
    pipeline = build(config_of(stages))
    for one in (pipeline, Pipeline(pipeline.plan, pipeline.learned, interpreted=True)):
        found = one.predict_many(ROWS)
        np.testing.assert_array_equal(found["row_middle"], [3.0, np.nan, 4.5])
        assert found["row_gap"].to_pylist() == [False, True, False]
        assert found["row_moment"].to_pylist()[1:] == [None, datetime(1970, 1, 1, 0, 0, 4, 500_000, UTC)]
        assert found["next"].to_pylist() == [4.0, 0.0, 5.5]
        np.testing.assert_array_equal(found["row_moment_year"], [1970.0, np.nan, 1970.0])
        np.testing.assert_array_equal(found["last_middle"], [3.5, np.nan, 5.0])
        assert one.predict_one(ROWS.to_pylist()[2]) == found.to_pylist()[2]


def test_it_is_called_where_it_is_needed_and_then_alone() -> None:
    """What no output needs isn't computed; filters before it keep rows from it."""
    stages = {"broken": {"use": "careless", "columns": ["a"], "how": "length", "into": "cut"}}
    unneeded = build(config_of(stages | {"sum": {"use": "expr", "value": "a + b"}}, outputs=["sum"]))
    assert unneeded.predict_many(ROWS)["sum"].to_pylist()[0] == 5.0
    assert [s.compute for s in unneeded.layout.segments] == [None]
    far = {"use": "refuse_beyond", "columns": ["b"], "bound": 1.0}
    guarded = build(config_of({"far": far, **stages}))
    assert guarded.predict_many(ROWS, rejects=True)[0].num_rows == 0
    assert len(guarded.predict_many(ROWS, rejects=True)[1]) == 3


def test_in_front_of_a_model(tmp_path: Path) -> None:
    stages = {
        "far": {"use": "refuse_beyond", "columns": ["c"]},
        "spread": SPREAD | {"center": True},
        "fill": {"use": "impute", "columns": ["row_middle"], "value": 0.5},
        "limit": {"use": "clip", "columns": ["row_middle"], "lo": -20, "hi": 20},
        "model": {"use": "xgboost", "columns": ["row_middle", "row_gap", "d"], "rounds": 5},
    }
    inputs = dict.fromkeys("abcd", "number")
    pipeline = fit(config_of(stages, inputs, target={"column": "y"}, split={"valid": 0.0}), training_table(2))
    assert pipeline.learned["spread"]["means"].shape == (2,)
    said = pipeline.explain()
    assert "then 'spread': NumPy, called from Python: it breaks the fusion" in said
    assert "folded" in said
    loaded = load(pipeline.save(tmp_path / "bundle"), plugins=[STAGES])
    table = training_table(3)
    whole = loaded.predict_many(table, rejects=True)[0]
    for other in (
        Pipeline(loaded.plan, loaded.learned, interpreted=True),
        Pipeline(loaded.plan, loaded.learned, folding=False),
    ):
        assert other.predict_many(table, rejects=True)[0].equals(whole)
    big = pa.concat_tables([table] * 40)
    found = loaded.predict_many(big, rejects=True, threads=3)[0]
    assert found.equals(pa.concat_tables([whole] * 40))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("length", r"gave an array of shape \(2,\) for 'cut' of 3 rows"),
        ("dtype", "gave float32 for 'cut', a number: an array of float64 is expected"),
        ("list", "gave list for 'cut', not a NumPy array"),
        ("names", "gave the columns 'other', not 'cut'"),
        ("writes", "ValueError: assignment destination is read-only"),
        ("fails", "ZeroDivisionError"),
    ],
)
def test_what_it_gives_is_checked(how: str, said: str) -> None:
    pipeline = build(config_of({"odd": {"use": "careless", "columns": ["a"], "how": how, "into": "cut"}}))
    with pytest.raises(UserError, match=said) as caught:
        pipeline.predict_many(ROWS)
    assert str(caught.value).startswith("stages.odd: ")
    with pytest.raises(UserError):
        pipeline.predict_one({"a": 1.0})


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="'k' is a category, and this stage takes numbers, booleans"):
        build(config_of({"spread": SPREAD | {"columns": ["k"]}}))
    odd = {"use": "careless", "columns": ["a"], "how": "category"}
    with pytest.raises(ConfigError, match="declares 'odd' as a category; a stage that computes with NumPy"):
        build(config_of({"odd": odd}))


def test_the_kit() -> None:
    found = run_stage(
        "kind_spread", {"a": [1.0, 2.0], "b": [3.0, 2.0]}, center=True, registry=Registry([STAGES])
    )
    assert (found["row_middle"], found["row_gap"]) == ([0.0, 0.0], [False, False])
