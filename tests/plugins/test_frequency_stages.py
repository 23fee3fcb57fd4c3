"""Stages that learn how often categories are, beside feature-engine; and stages behind a made category."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from feature_engine import encoding
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.errors import RowError, UserError
from engine.testing import run_stage

Columns = dict[str, list[Any]]

# At least one text, so that the column is a category.
categories = st.lists(st.sampled_from(["UA", "AA", "B6", "", "é", "a b", None]), max_size=30).map(
    lambda x: [*x, "UA"]
)


def by_feature_engine(name: str, columns: Columns, **options: Any) -> Columns:
    encoder = getattr(encoding, name)(missing_values="ignore", ignore_format=True, **options)
    frame = pandas.DataFrame({key: np.array(column, object) for key, column in columns.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = encoder.fit_transform(frame.fillna(np.nan))
    return {key: made[key].tolist() for key in columns}


# -- count_encode


@pytest.mark.parametrize("method", ["count", "frequency"])
def test_counts_on_flights(flights: Columns, method: str) -> None:
    columns = {name: flights[name] for name in ("carrier", "origin", "dest", "tailnum")}
    found = run_stage("count_encode", columns, method=method)
    expected = by_feature_engine("CountFrequencyEncoder", columns, encoding_method=method, unseen="ignore")
    np.testing.assert_equal(found, expected)


@settings(deadline=None)
@given(column=categories)
def test_counts_of_any_column(column: list[str | None]) -> None:
    counts = Counter(column)
    expected = [math.nan if text is None else float(counts[text]) for text in column]
    np.testing.assert_equal(run_stage("count_encode", {"k": column}), {"k": expected})
    own = run_stage("count_encode", {"k": column}, missing="category", method="frequency")["k"]
    assert own == [counts[text] / len(column) for text in column]


@pytest.mark.parametrize(("unknown", "expected"), [("zero", 0.0), ("missing", math.nan)])
def test_counts_of_unknown_and_missing(unknown: str, expected: float) -> None:
    stage = {"use": "count_encode", "columns": ["k", "m"], "unknown": unknown, "missing": "category"}
    pipeline = fitted({"count": stage}, {"k": ["a", "b", None, "a"], "m": ["x"] * 4})
    found = pipeline.predict_one({"k": "never seen", "m": None})
    np.testing.assert_equal(found, {"k": expected, "m": 0.0})  # no training row has a missing m
    assert pipeline.predict_one({"k": None, "m": "x"}) == {"k": 1.0, "m": 4.0}


def fitted(stages: dict[str, Any], data: dict[str, list[Any]], **more: Any) -> engine.Pipeline:
    """A pipeline that learned from all of some rows."""
    inputs = dict.fromkeys(data, "category")
    config = {"name": "p", "inputs": inputs, "stages": stages, "target": {"column": "y"}, "golden": 0}
    config |= {"split": {"kind": "random", "valid": 0, "test": 0}} | more
    y = list(range(len(next(iter(data.values())))))
    return engine.fit(engine.Config(config), pa.table({"y": y} | data))


# -- rare


@pytest.mark.parametrize(
    "options",
    [
        {"tol": 0.05},
        {"tol": 0.02, "n_categories": 20},
        {"tol": 0.001, "n_categories": 5},
        {"tol": 0.01, "max_n_categories": 4, "n_categories": 1},
    ],
)
def test_rare_on_flights(flights: Columns, options: dict[str, Any]) -> None:
    columns = {name: flights[name] for name in ("carrier", "origin", "dest", "tailnum")}
    expected = by_feature_engine("RareLabelEncoder", columns, replace_with="Rare", **options)
    expected = {name: [None if text != text else text for text in found] for name, found in expected.items()}
    mine = {"max_categories" if key == "max_n_categories" else key: value for key, value in options.items()}
    assert run_stage("rare", columns, replace_with="Rare", **mine) == expected


@settings(deadline=None)
@given(column=categories, tol=st.floats(0, 1), least=st.integers(1, 4), most=st.integers(1, 4))
def test_rare_of_any_column(column: list[str | None], tol: float, least: int, most: int) -> None:
    counts = Counter(text for text in column if text is not None)
    total = sum(counts.values())
    often = [text for text in counts if counts[text] / total >= tol and counts[text] >= least]
    kept = sorted(often, key=lambda text: (-counts[text], text))[:most]
    found = run_stage("rare", {"k": column}, tol=tol, min_count=least, max_categories=most)["k"]
    assert found == [text if text is None or text in kept else "rare" for text in column]


def test_the_rare_ones_text_may_be_one_of_the_frequent() -> None:
    found = run_stage("rare", {"k": ["a", "b", "b", "c", "c", None]}, min_count=2, replace_with="b")
    assert found == {"k": ["b", "b", "b", "c", "c", None]}
    every = run_stage("rare", {"k": ["a", "b"]}, tol=0, min_count=9)
    assert every == {"k": ["rare", "rare"]}


def test_a_column_of_few_categories_keeps_them() -> None:
    column = ["a", "b", "b", "b", None]
    assert run_stage("rare", {"k": column}, tol=0.5, n_categories=2)["k"] == column
    assert run_stage("rare", {"k": column}, tol=0.5, n_categories=1)["k"] == ["rare", "b", "b", "b", None]
    # so kept, they are what is known: other texts are rare all the same
    pipeline = fitted({"rare": {"use": "rare", "columns": ["k"], "n_categories": 9}}, {"k": column})
    assert pipeline.predict_one({"k": "never seen"}) == {"k": "rare"}


ROWS = 2000


def airports(rng: np.random.Generator) -> dict[str, Any]:
    """A category with a long tail and gaps, and a target that follows it."""
    places = np.minimum(rng.geometric(0.2, ROWS), 40)
    y = np.sin(places) + rng.normal(size=ROWS) / 4
    text = pa.array([f"dest {place:02}" for place in places], mask=rng.random(ROWS) < 0.05)
    return {"k": text, "y": y}


@pytest.mark.parametrize(
    "encode",
    [
        {"use": "onehot", "columns": ["k"]},
        {"use": "onehot", "columns": ["k"], "unknown": "other", "max_categories": 4},
        {"use": "ordinal", "columns": ["k"], "into": "code"},
        {"use": "target_encode", "columns": ["k"]},
        {"use": "count_encode", "columns": ["k"], "into": "often", "missing": "category"},
        {"use": "expr", "value": "k == 'rare' or k == 'dest 01'", "into": "some"},
    ],
)
def test_what_is_made_rare_is_encoded(encode: dict[str, Any]) -> None:
    """A pipeline of it has the bits of one whose rows were made rare before."""
    data = airports(np.random.default_rng(0))
    table = pa.table(data)
    stages = {
        "rare": {"use": "rare", "columns": ["k"], "min_count": 30},
        "encode": encode,
        "model": {"use": "xgboost", "rounds": 8, "params": {"max_depth": 4, "nthread": 1}},
    }
    base = {
        "name": "p",
        "inputs": {"k": "category"},
        "target": {"column": "y"},
        "outputs": ["*"],
        "golden": 0,
        "split": {"kind": "random", "valid": 0.2, "test": 0.2},
    }
    pipeline = engine.fit(engine.Config(base | {"stages": stages}), table)
    kept = pipeline.learned["rare"]["categories"][0]
    assert 3 < len(kept) < 20
    assert pipeline.layout.vocabularies["k"] == kept
    if encode["use"] == "onehot":  # its columns become sets of the raw categories
        assert pipeline.layout.segments[0].folded.endswith("of k into sets of categories")
    before = [text if text is None or text in kept else "rare" for text in data["k"].to_pylist()]
    plain = engine.fit(
        engine.Config(base | {"stages": {key: stages[key] for key in ("encode", "model")}}),
        table.set_column(0, "k", pa.array(before)),
    )
    assert plain.learned["model"]["model"].tobytes() == pipeline.learned["model"]["model"].tobytes()
    asked = pa.table({"k": [*data["k"].to_pylist()[:300], "never seen", "", None]})
    made_rare = [text if text is None or text in kept else "rare" for text in asked["k"].to_pylist()]
    found = pipeline.predict_many(asked)
    assert found["k"].to_pylist() == made_rare
    np.testing.assert_equal(found.to_pydict(), plain.predict_many(pa.table({"k": made_rare})).to_pydict())
    np.testing.assert_equal([pipeline.predict_one(row) for row in asked.to_pylist()], found.to_pylist())


def test_what_an_input_calls_unknown_is_what_was_made_rare() -> None:
    column = ["a", "a", "b", None]
    stage = {"rare": {"use": "rare", "columns": ["k"], "min_count": 2}}
    inputs = {"k": {"kind": "category", "unknown": "reject"}}
    pipeline = fitted(stage, {"k": column}, inputs=inputs)
    assert pipeline.predict_one({"k": "a"}) == {"k": "a"}
    with pytest.raises(RowError):
        pipeline.predict_one({"k": "b"})


@pytest.mark.parametrize("use", ["count_encode", "rare"])
def test_numbers_and_nothing_are_refused(use: str) -> None:
    with pytest.raises(UserError, match="'x' is a number, and this stage takes categories"):
        run_stage(use, {"x": [1.0]}, columns=["x"])
    with pytest.raises(UserError) as caught:
        nothing: Any = pa.array([None, None], pa.string())
        fitted({"s": {"use": use, "columns": ["k", "m"]}}, {"k": ["a", "b"], "m": nothing})
    assert str(caught.value) == (
        f"stages.s: {use} can't learn the categories of 'm': no training row has one; leave the column out"
    )
