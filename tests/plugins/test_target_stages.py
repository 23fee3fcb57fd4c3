"""Stages that learn categories from the target, beside scikit-learn and feature-engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from feature_engine import encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import TargetEncoder

import engine
from engine.errors import UserError
from engine.registry import Registry
from engine.schema import Kind
from engine.stage import FitContext, Part
from engine.testing import run_stage
from engine.training.folds import fold_rows
from engine.values import FIRST, MISSING, Categories

Columns = dict[str, list[Any]]

texts = st.sampled_from(["UA", "AA", "B6", "", "é", "a b", None])
# At least one text, so that the column is a category.
rows = st.lists(st.tuples(texts, st.integers(0, 3)), min_size=8, max_size=40).map(lambda x: [*x, ("UA", 1)])


def coded(column: list[str | None]) -> Categories:
    found = tuple(sorted({text for text in column if text is not None}))
    codes = {text: FIRST + i for i, text in enumerate(found)} | {None: MISSING}
    return Categories(np.array([codes[text] for text in column], np.int32), found)


def context(columns: Columns, y: Any, kind: Kind, classes: tuple[str, ...] = (), **more: Any) -> FitContext:
    part = Part({name: coded(column) for name, column in columns.items()}, np.asarray(y, float), **more)
    return FitContext(part, rng=np.random.default_rng(3), target=kind, classes=classes)


def crossed(columns: Columns, given: FitContext, **options: Any) -> dict[str, Any]:
    """What later stages learn from on the training rows."""
    stage = Registry().load("target_encode")(**options)
    return dict(stage.fit(given.train.columns, given)[1])


def matrix(columns: Columns) -> Any:
    found = [[math.nan if text is None else text for text in column] for column in columns.values()]
    return np.array(found, object).T


def delayed(flights: Columns, *names: str) -> tuple[Columns, Any]:
    """Columns of the flights that arrived, and how late."""
    there = [i for i, delay in enumerate(flights["arr_delay"]) if delay is not None]
    columns = {name: [flights[name][i] for i in there] for name in names}
    return columns, np.array([flights["arr_delay"][i] for i in there])


# -- target_encode


@pytest.mark.parametrize("smooth", ["auto", 0.0, 1.0, 20.5])
@pytest.mark.parametrize("kind", ["boolean", "number"])
def test_target_encode_on_flights(flights: Columns, smooth: Any, kind: str) -> None:
    columns, delay = delayed(flights, "carrier", "dest", "tailnum")
    columns["carrier"][::50] = [None] * len(columns["carrier"][::50])
    y = delay if kind == "number" else delay >= 15
    found = run_stage("target_encode", columns, smooth=smooth, target=y.tolist())
    oracle = TargetEncoder(smooth=smooth, target_type="binary" if kind == "boolean" else "continuous")
    expected = oracle.fit(matrix(columns), y).transform(matrix(columns))
    assert list(found) == ["carrier_target", "dest_target", "tailnum_target"]
    np.testing.assert_allclose(np.array(list(found.values())).T, expected, rtol=1e-11)


@pytest.mark.parametrize("smooth", ["auto", 5.0])
@pytest.mark.parametrize("kind", [Kind.BOOLEAN, Kind.NUMBER, Kind.CATEGORY])
def test_training_rows_are_crossed_as_scikit_learn_does_it(flights: Columns, smooth: Any, kind: Kind) -> None:
    columns, delay = delayed(flights, "dest", "tailnum")
    limits = {Kind.BOOLEAN: [15], Kind.CATEGORY: [15, 60]}
    y = np.digitize(delay, limits[kind]) * 1.0 if kind in limits else delay
    classes = ("early", "late", "much") if kind is Kind.CATEGORY else ()
    found = crossed(columns, context(columns, y, kind, classes), smooth=smooth, cv=4)
    stratified = None if kind is Kind.NUMBER else y
    folds = fold_rows(len(y), 4, np.random.default_rng(3), stratified)
    known = {Kind.NUMBER: "continuous", Kind.BOOLEAN: "binary", Kind.CATEGORY: "multiclass"}
    oracle = TargetEncoder(smooth=smooth, cv=PredefinedSplit(folds), target_type=known[kind])
    expected = oracle.fit_transform(matrix(columns), y)
    suffixes = classes or ("target",)
    assert list(found) == [f"{name}_{suffix}" for name in columns for suffix in suffixes]
    np.testing.assert_allclose(np.array(list(found.values())).T, expected, rtol=1e-11)


def test_target_encode_of_classes(flights: Columns) -> None:
    columns, delay = delayed(flights, "carrier", "origin")
    said = np.array(["early", "on time", "late"])[np.digitize(delay, [0, 15])].tolist()
    found = run_stage("target_encode", columns, target=said)
    expected = TargetEncoder().fit(matrix(columns), said).transform(matrix(columns))
    names = [f"{name}_{text}" for name in columns for text in ("early", "late", "on time")]
    assert list(found) == names
    np.testing.assert_allclose(np.array(list(found.values())).T, expected, rtol=1e-11)


def test_of_two_classes_the_second_is_encoded() -> None:
    data = {"k": ["a", "a", "b", None]}
    found = run_stage("target_encode", data, smooth=1, target=["no", "yes", "no", "no"])
    assert list(found) == ["k_yes"]
    same = run_stage("target_encode", data, smooth=1, target=[False, True, False, False])
    assert found["k_yes"] == same["k_target"]


@settings(deadline=None, max_examples=50)
@given(
    rows=rows, smooth=st.one_of(st.sampled_from(["auto", 0.0]), st.floats(0.001, 100)), cv=st.integers(2, 6)
)
def test_target_encode_of_any_column(rows: list[tuple[str | None, int]], smooth: Any, cv: int) -> None:
    columns = {"k": [text for text, _ in rows]}
    y = np.array([float(number) for _, number in rows])
    found = run_stage("target_encode", columns, smooth=smooth, target=y.tolist())
    oracle = TargetEncoder(smooth=smooth, target_type="continuous")
    expected = oracle.fit(matrix(columns), y).transform(matrix(columns))[:, 0]
    np.testing.assert_allclose(found["k_target"], expected, rtol=1e-9, atol=1e-9)
    folds = fold_rows(len(y), cv, np.random.default_rng(3), None)
    oracle = TargetEncoder(smooth=smooth, target_type="continuous", cv=PredefinedSplit(folds))
    training = crossed(columns, context(columns, y, Kind.NUMBER), smooth=smooth, cv=cv)
    expected = oracle.fit_transform(matrix(columns), y)[:, 0]
    np.testing.assert_allclose(training["k_target"], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("smooth", ["auto", 3.0])
def test_a_weight_is_so_many_rows(smooth: Any) -> None:
    rng = np.random.default_rng(0)
    column = rng.choice(np.array(["a", "b", "c", None], object), 60).tolist()
    y, weight = rng.normal(size=60), rng.integers(0, 4, 60)
    stage = Registry().load("target_encode")(smooth=smooth)
    given = context({"k": column}, y, Kind.NUMBER, weight=weight.astype(float))
    repeated = context({"k": np.repeat(column, weight).tolist()}, np.repeat(y, weight), Kind.NUMBER)
    weighed, plain = (stage.fit(one.train.columns, one)[0] for one in (given, repeated))
    np.testing.assert_allclose(weighed["encodings"], plain["encodings"], rtol=1e-12)
    np.testing.assert_allclose(weighed["mean"], plain["mean"], rtol=1e-12)


def test_a_row_s_own_target_does_not_reach_it() -> None:
    """Another target of a row changes what the other folds get, and nothing in its own."""
    rng = np.random.default_rng(1)
    columns = {"k": rng.choice(["a", "b", "c"], 50).tolist()}
    y = rng.normal(size=50)
    changed = y.copy()
    changed[7] = 1000
    before = crossed(columns, context(columns, y, Kind.NUMBER))["k_target"]
    after = crossed(columns, context(columns, changed, Kind.NUMBER))["k_target"]
    folds = fold_rows(50, 5, np.random.default_rng(3), None)
    assert (before[folds == folds[7]] == after[folds == folds[7]]).all()
    assert (before != after)[folds != folds[7]].any()


def test_few_rows_and_weights_of_zero() -> None:
    columns = {"k": ["a", None, "b"]}
    found = crossed(columns, context(columns, [1.0, 2.0, 6.0], Kind.NUMBER), cv=5)["k_target"]
    assert found.tolist() == [4.0, 3.5, 1.5]  # each has the mean of the others
    weight = np.array([1.0, 0.0, 0.0])
    found = crossed(columns, context(columns, [1.0, 2.0, 6.0], Kind.NUMBER, weight=weight))["k_target"]
    assert found.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(UserError, match="can't learn from rows that all have weight 0"):
        crossed(columns, context(columns, [1.0, 2.0, 6.0], Kind.NUMBER, weight=np.zeros(3)))


def test_names_that_meet_are_refused() -> None:
    data = {"a": ["x", "y", "z"], "a_b": ["x", "y", "y"]}
    with pytest.raises(UserError) as caught:
        run_stage("target_encode", data, target=["b_c", "c", "d"])
    assert str(caught.value) == ("target_encode makes two columns called 'a_b_c': rename a column before it")


def test_target_encode_needs_a_target_and_a_category() -> None:
    with pytest.raises(UserError, match="learns from the target, and there is none; set 'target'"):
        run_stage("target_encode", {"k": ["a"]})
    with pytest.raises(UserError, match="numbers as large as these"):
        run_stage("target_encode", {"k": ["a", "b"]}, target=[1e308, 1.7e308])
    given = context({"k": [None, None]}, [0.0, 1.0], Kind.NUMBER)
    with pytest.raises(UserError, match="the categories of 'k': no training row has one"):
        Registry().load("target_encode")().fit(given.train.columns, given)


# -- woe


def woe_by_feature_engine(columns: Columns, y: Any, fill: float | None = None) -> Columns:
    made = encoding.WoEEncoder(fill_value=fill).fit_transform(
        pandas.DataFrame(columns), pandas.Series(np.asarray(y).astype(int))
    )
    return {name: made[name].tolist() for name in columns}


def test_woe_on_flights(flights: Columns) -> None:
    columns, delay = delayed(flights, "carrier", "origin")
    found = run_stage("woe", columns, fill_value=0.001, target=(delay >= 15).tolist())
    expected = woe_by_feature_engine(columns, delay >= 15, 0.001)
    for name in columns:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)


def test_woe_with_shares_of_zero_on_flights(flights: Columns) -> None:
    columns, delay = delayed(flights, "dest", "tailnum")
    found = run_stage("woe", columns, columns=["dest"], fill_value=0.0001, target=(delay >= 90).tolist())
    expected = woe_by_feature_engine({"dest": columns["dest"]}, delay >= 90, 0.0001)
    np.testing.assert_allclose(found["dest"], expected["dest"], rtol=1e-12)
    with pytest.raises(UserError) as caught:
        run_stage("woe", columns, columns=["tailnum"], target=(delay >= 90).tolist())
    said = str(caught.value)
    assert said.startswith("woe can't learn from 'tailnum': no positive row has ")
    assert said.endswith(
        "and zero has no logarithm; put 'rare' before, or give fill_value (such as 0.0001) or "
        "regularization (such as 1)"
    )


@settings(deadline=None)
@given(rows=rows, regularization=st.floats(0.01, 10))
def test_woe_of_any_column(rows: list[tuple[str | None, int]], regularization: float) -> None:
    rows = [*rows, ("UA", 0)]
    column, y = [text for text, _ in rows], [number > 0 for _, number in rows]
    found = run_stage("woe", {"k": column}, regularization=regularization, target=y)["k"]
    there = [(text, late) for text, late in zip(column, y, strict=True) if text is not None]
    positives = sum(late for _, late in there)
    for text, number in zip(column, found, strict=True):
        if text is None:
            assert math.isnan(number)
            continue
        above = sum(late for other, late in there if other == text) + regularization
        below = sum(not late for other, late in there if other == text) + regularization
        shares = (
            above / (positives + 2 * regularization),
            below / (len(there) - positives + 2 * regularization),
        )
        assert number == pytest.approx(math.log(shares[0] / shares[1]), abs=1e-12)


def test_woe_of_missing_and_of_two_classes() -> None:
    column = ["a", "a", "b", "b", None, None, None]
    y = [True, False, False, True, True, True, False]
    own = run_stage("woe", {"k": column}, missing="category", target=y)["k"]
    named = run_stage("woe", {"k": [text or "none" for text in column]}, target=y)["k"]
    assert own == named
    classes = run_stage("woe", {"k": column}, missing="category", target=["p" if t else "n" for t in y])["k"]
    assert own == classes
    whole = run_stage("woe", {"k": column[:4]}, missing="category", target=y[:4])["k"]
    assert whole == [0.0] * 4


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (None, {}, "woe learns from the target, and there is none; set 'target'"),
        ([0.0, 1.0, 1.0], {}, "woe needs a boolean target or one of two classes, not a number: "
         "such as 'target.value=\"y > 0\"'"),
        (["p", "q", "r"], {}, "woe needs a boolean target or one of two classes, not 3 classes: "
         "such as 'target.value=\"y > 0\"'"),
        ([True, True, False], {}, "woe can't learn from 'k': no training row with a category is negative"),
        ([True, True, False], {"missing": "category"}, "woe can't learn from 'k': no positive row has "
         "missing, and zero has no logarithm; put 'rare' before, or give fill_value (such as 0.0001) or "
         "regularization (such as 1)"),
        ([True, True, False], {"fill_value": 0.1, "regularization": 1.0}, "fill_value and regularization are "
         "two ways to mend shares of zero: give one of them"),
    ],
)  # fmt: skip
def test_what_woe_refuses(target: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage("woe", {"k": ["a", "b", None]}, target=target, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("use", ["target_encode", "woe"])
def test_numbers_are_refused(use: str) -> None:
    with pytest.raises(UserError, match="'x' is a number, and this stage takes categories"):
        run_stage(use, {"x": [1.0]}, columns=["x"], target=[1.0])


def test_one_column_may_be_encoded_by_several_stages() -> None:
    """What two stages will call ``k_*`` is told apart once it is learned."""
    data = pa.table({"k": ["a", "a", "b", None] * 5, "y": [True, False, False, True] * 5})
    hot, target = {"use": "onehot", "columns": ["k"]}, {"use": "target_encode", "columns": ["k"]}
    config = {
        "name": "p",
        "inputs": {"k": "category"},
        "target": {"column": "y"},
        "split": {"kind": "random", "valid": 0, "test": 0},
        "outputs": ["k_*"],
        "golden": 0,
    }
    pipeline = engine.fit(engine.Config(config | {"stages": {"hot": hot, "target": target}}), data)
    found = pipeline.predict_one({"k": "a"})
    assert found == {"k_a": 1.0, "k_b": 0.0, "k_target": 0.5}
    assert pipeline.predict_one({"k": "never seen"})["k_target"] == 0.5
    with pytest.raises(UserError, match=r"stages\.again: makes a column 'k_a', and there is one already"):
        engine.fit(engine.Config(config | {"stages": {"hot": hot, "again": hot}}), data)
