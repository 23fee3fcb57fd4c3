"""Stages that turn numbers into numbers, beside scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from engine.errors import UserError
from engine.expr import libm
from engine.testing import run_stage

from .columns import WEATHER, columns, matrix, tables

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler, "maxabs": MaxAbsScaler}

# -- impute


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
class TestImputeBesideScikitLearn:
    def test_weather(self, weather: dict[str, list[Any]], strategy: str) -> None:
        found = run_stage("impute", weather, columns=WEATHER, strategy=strategy)
        expected = SimpleImputer(strategy=strategy).fit_transform(matrix(weather, WEATHER))
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-12)
        if strategy != "mean":
            np.testing.assert_array_equal(matrix(found), expected)

    @settings(deadline=None, max_examples=50)
    @given(table=tables)
    def test_any_columns(self, table: Any, strategy: str) -> None:
        found = run_stage("impute", columns(table), strategy=strategy)
        expected = SimpleImputer(strategy=strategy).fit_transform(table)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-12, atol=1e-9)


def test_impute_takes_the_smallest_of_the_most_frequent_numbers() -> None:
    found = run_stage("impute", {"x": [2.0, 1.0, 2.0, 1.0, 3.0, None]}, strategy="most_frequent")
    assert found["x"][-1] == 1.0


def test_impute_with_a_value_learns_nothing() -> None:
    assert run_stage("impute", {"x": [None, None]}, value=7) == {"x": [7.0, 7.0]}
    assert run_stage("impute", {"x": [None]}, strategy="constant", value=0) == {"x": [0.0]}


def test_impute_leaves_infinities_alone() -> None:
    found = run_stage("impute", {"x": [-math.inf, 1.0, 2.0, 3.0, math.inf, None]})
    assert found == {"x": [-math.inf, 1.0, 2.0, 3.0, math.inf, 2.0]}


# -- scale


@pytest.mark.parametrize("strategy", SCALERS)
class TestScaleBesideScikitLearn:
    def test_weather(self, weather: dict[str, list[Any]], strategy: str) -> None:
        found = run_stage("scale", weather, columns=WEATHER, strategy=strategy)
        expected = SCALERS[strategy]().fit_transform(matrix(weather, WEATHER))
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)

    @settings(deadline=None, max_examples=50)
    @given(table=tables)
    def test_any_columns(self, table: Any, strategy: str) -> None:
        found = run_stage("scale", columns(table), strategy=strategy)
        expected = SCALERS[strategy]().fit_transform(table)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-7, atol=1e-9)

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e-300, 1e15, 12345.678])
    def test_a_constant_column(self, strategy: str, value: float) -> None:
        table = np.array([[value]] * 7 + [[math.nan]])
        found = run_stage("scale", columns(table), strategy=strategy)
        expected = SCALERS[strategy]().fit_transform(table)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-12, atol=1e-12)


@given(x=st.floats(), center=st.floats(-1e9, 1e9), by=st.floats(1e-9, 1e9))
@settings(deadline=None)
def test_scale_with_given_numbers_is_exactly_one_formula(x: float, center: float, by: float) -> None:
    (found,) = run_stage("scale", {"x": [x]}, center=center, by=by)["x"]
    assert np.array_equal(found, (x - center) / by, equal_nan=True)


def test_scale_with_one_number_for_each_column() -> None:
    data = {"a": [1.0, 3.0], "b": [10.0, 30.0], "c": [0.0, 0.0]}
    assert run_stage("scale", data, columns=["b", "a"], center=[10, 1]) == {"b": [0.0, 20.0], "a": [0.0, 2.0]}
    assert run_stage("scale", data, columns=["a", "b"], by=2.0) == {"a": [0.5, 1.5], "b": [5.0, 15.0]}


# -- clip, log1p


def test_clip_and_log1p_on_flights(flights: dict[str, list[Any]]) -> None:
    delays = matrix(flights, ("dep_delay", "arr_delay"))
    found = run_stage("clip", flights, columns=["dep_delay", "arr_delay"], lo=-10, hi=120.5)
    np.testing.assert_array_equal(matrix(found), np.clip(delays, -10, 120.5))
    logs = run_stage("log1p", flights, columns=["distance"])
    np.testing.assert_array_equal(logs["distance"], libm.array("log1p")(flights["distance"]))
    np.testing.assert_allclose(logs["distance"], np.log1p(flights["distance"]), rtol=1e-15)


def test_a_column_stage_may_name_its_result() -> None:
    assert run_stage("log1p", {"x": [0.0]}, into="log_x") == {"log_x": [0.0]}


# -- what they refuse


@pytest.mark.parametrize(
    ("use", "data", "options", "message"),
    [
        ("clip", [1.0], {"lo": 2, "hi": 1}, "lo (2) is above hi (1)"),
        ("impute", [1.0], {"strategy": "constant"}, "strategy 'constant' needs a value, such as value: 0"),
        ("impute", [1.0], {"value": math.nan}, "value is NaN, which is what is missing already"),
        (
            "impute",
            [None, math.nan],
            {},
            "impute can't learn the median of 'x': no training row has a value there; state a value, "
            "or leave the column out",
        ),
        (
            "impute",
            [1.0, math.inf],
            {"strategy": "mean"},
            "impute can't learn the mean of 'x': it is inf, because the training rows hold infinite or too "
            "large numbers there; clip the column first, or state a value",
        ),
        (
            "scale",
            [None],
            {},
            "scale can't learn from 'x': no training row has a value there; state center and by, "
            "or leave the column out",
        ),
        *(
            (
                "scale",
                [1.0, infinite, 2.0],
                {"strategy": strategy},
                "scale can't learn from 'x': the training rows hold infinite or too large numbers there; "
                "clip the column first, or state center and by",
            )
            for strategy in SCALERS
            if strategy != "robust"
            for infinite in (math.inf, -math.inf)
        ),
        (
            "scale",
            [1e300, -1e300],
            {},
            "scale can't learn from 'x': the training rows hold infinite or too large numbers there; "
            "clip the column first, or state center and by",
        ),
        ("scale", [1.0], {"by": 0}, "by must not be 0"),
        ("scale", [1.0], {"center": math.inf}, "center must be finite"),
        ("scale", [1.0], {"center": [1.0, 2.0]}, "center has 2 numbers for these columns: x"),
    ],
)
def test_mistakes(use: str, data: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage(use, {"x": data}, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("use", "options"),
    [("impute", {"strategy": s}) for s in ("mean", "median", "most_frequent")]
    + [("scale", {"strategy": s}) for s in SCALERS],
)
def test_learning_twice_gives_the_same_bits(
    weather: dict[str, list[Any]], use: str, options: dict[str, Any]
) -> None:
    first, second = (matrix(run_stage(use, weather, columns=WEATHER, **options)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
