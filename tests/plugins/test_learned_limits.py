"""Limits that clip and bin learn, and the ranges of scale: beside scikit-learn and NumPy."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, RobustScaler

from engine.errors import UserError
from engine.testing import run_stage

from .columns import WEATHER, columns, matrix, tables
from .fitted import answers, fitted

NAN, INF = math.nan, math.inf


# -- clip


@pytest.mark.parametrize("quantiles", [[0.01, 0.99], [0.0, 1.0], [0.5, 0.5], [None, 0.9], [0.1, None]])
def test_clip_to_quantiles(weather: dict[str, list[Any]], quantiles: list[float | None]) -> None:
    found = matrix(run_stage("clip", weather, columns=WEATHER, quantiles=quantiles))
    given_ = matrix(weather, WEATHER)
    lo, hi = (
        np.full(len(WEATHER), open_) if share is None else np.nanquantile(given_, share, axis=0)
        for share, open_ in zip(quantiles, (-INF, INF), strict=True)
    )
    np.testing.assert_array_equal(found, np.clip(given_, lo, hi))


@settings(deadline=None, max_examples=20)
@given(table=tables, low=st.floats(0, 0.5), high=st.floats(0.5, 1))
def test_clip_any_columns_to_any_quantiles(table: Any, low: float, high: float) -> None:
    found = matrix(run_stage("clip", columns(table), quantiles=[low, high]))
    lo, hi = np.nanquantile(table, [low, high], axis=0)
    np.testing.assert_array_equal(found, np.clip(table, lo, hi))


def test_clip_learns_beside_infinite_numbers_where_they_are_few() -> None:
    found = run_stage("clip", {"x": [-INF, *range(9), INF]}, quantiles=[0.1, 0.9])
    assert found == {"x": [0.0, *range(9), 8.0]}


# -- bin


@pytest.mark.parametrize("n_bins", [2, 5, 100])
@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
class TestBinBesideScikitLearn:
    def test_weather(self, weather: dict[str, list[Any]], strategy: str, n_bins: int) -> None:
        for name in WEATHER:
            values = matrix(weather, (name,))
            there = ~np.isnan(values[:, 0])
            found = matrix(run_stage("bin", weather, columns=[name], strategy=strategy, n_bins=n_bins))
            assert np.isnan(found[~there]).all()
            np.testing.assert_array_equal(found[there], discretized(values[there], strategy, n_bins))

    @settings(deadline=None, max_examples=12)
    @given(table=tables)
    def test_any_columns(self, table: Any, strategy: str, n_bins: int) -> None:
        full = np.nan_to_num(table, nan=2.0)
        found = matrix(run_stage("bin", columns(full), strategy=strategy, n_bins=n_bins))
        np.testing.assert_array_equal(found, discretized(full, strategy, n_bins))


def discretized(table: Any, strategy: str, n_bins: int) -> Any:
    oracle = KBinsDiscretizer(
        n_bins,
        encode="ordinal",
        strategy=strategy,
        quantile_method="averaged_inverted_cdf",
        subsample=None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant columns and of bins that are too narrow
        return oracle.fit_transform(table)


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(st.one_of(st.floats(), st.integers(-3, 3).map(float)), min_size=1, max_size=30),
    edges=st.sets(
        st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float)), min_size=1
    ),
)
def test_bin_by_given_edges_is_digitize(values: list[float], edges: set[float]) -> None:
    ascending = sorted(edges)
    found = run_stage("bin", {"x": values}, edges=ascending)["x"]
    expected = np.where(np.isnan(values), NAN, np.digitize(values, ascending))
    np.testing.assert_array_equal(found, expected)


def test_bins_reach_beyond_what_was_learned() -> None:
    pipeline = fitted("bin", {"x": [0.0, 10.0, None, 4.0]}, strategy="uniform", n_bins=4)
    found = answers(pipeline, {"x": [-INF, -1.0, 11.0, INF, None, 5.0]})
    np.testing.assert_array_equal(found["x"], [0.0, 0.0, 3.0, 3.0, NAN, 2.0])


def test_a_constant_column_is_one_bin() -> None:
    for strategy in ("quantile", "uniform"):
        assert run_stage("bin", {"x": [3.0, 3.0, None]}, strategy=strategy)["x"][:2] == [0.0, 0.0]


# -- scale's ranges


@pytest.mark.parametrize("spread", [[25.0, 75.0], [10.0, 90.0], [0.0, 50.0], [50.0, 100.0]])
def test_robust_scale_by_other_percentiles(weather: dict[str, list[Any]], spread: list[float]) -> None:
    found = run_stage("scale", weather, columns=WEATHER, strategy="robust", quantile_range=spread)
    expected = RobustScaler(quantile_range=tuple(spread)).fit_transform(matrix(weather, WEATHER))
    np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(table=tables, ends=st.tuples(st.integers(-9, 9), st.integers(1, 9)))
def test_minmax_scale_to_another_range(table: Any, ends: tuple[int, int]) -> None:
    span = (float(ends[0]), float(sum(ends)))
    found = run_stage("scale", columns(table), strategy="minmax", feature_range=list(span))
    expected = MinMaxScaler(feature_range=span).fit_transform(table)
    np.testing.assert_allclose(matrix(found), expected, rtol=1e-7, atol=1e-8)


# -- what they refuse


@pytest.mark.parametrize(
    ("use", "data", "options", "message"),
    [
        ("clip", [1.0], {"quantiles": [0.1]}, "quantiles has 1 items; give two, such as [0.01, 0.99]"),
        (
            "clip",
            [1.0],
            {"quantiles": [0.9, 0.1]},
            "quantiles has 0.9 before 0.1; the lower one comes first",
        ),
        (
            "clip",
            [1.0],
            {"quantiles": [None, None]},
            "quantiles is [null, null], which limits nothing; give one, such as [null, 0.99]",
        ),
        (
            "clip",
            [1.0],
            {"quantiles": [0.1, 0.9], "hi": 3},
            "lo and hi are given, and quantiles would learn them: remove one of the two",
        ),
        (
            "clip",
            [None, NAN],
            {"quantiles": [0.1, 0.9]},
            "clip can't learn the quantiles of 'x': no training row has a value there; state lo and hi, or "
            "leave the column out",
        ),
        (
            "clip",
            [1.0, INF],
            {"quantiles": [0.0, 1.0]},
            "clip can't learn the quantile 1 of 'x': it is inf, because the training rows hold infinite or "
            "too large numbers there; take a quantile further in, or state lo and hi",
        ),
        ("bin", [1.0], {"edges": []}, "edges is empty; give one or more, such as [0, 15, 60]"),
        ("bin", [1.0], {"edges": [0, 2, 1]}, "edges must ascend, and 1 follows 2"),
        (
            "bin",
            [1.0],
            {"edges": [0], "n_bins": 3},
            "strategy and n_bins are for learned edges, and these are given",
        ),
        ("bin", [1.0], {"edges": [0, 0]}, "edges must ascend, and 0 follows 0"),
        (
            "bin",
            [1.0],
            {"edges": [-INF, 0]},
            "edges must be finite: the first and the last bin reach to infinity as it is",
        ),
        (
            "bin",
            [None],
            {},
            "bin can't learn from 'x': no training row has a value there; state edges, or leave the "
            "column out",
        ),
        *(
            (
                "bin",
                values,
                {"strategy": "uniform"},
                "bin can't learn from 'x': the training rows hold infinite or too large numbers there; "
                "clip the column first, or state edges",
            )
            for values in ([1.0, INF], [-1.7e308, 1.7e308])
        ),
        (
            "scale",
            [1.0],
            {"strategy": "robust", "quantile_range": [75, 25]},
            "quantile_range must be two numbers, the lower one first, such as [25.0, 75.0]; not [75, 25]",
        ),
        (
            "scale",
            [1.0],
            {"quantile_range": [5, 95]},
            "quantile_range is for strategy: robust, and this is standard",
        ),
        (
            "scale",
            [1.0],
            {"strategy": "minmax", "feature_range": [-1, 1], "by": 2.0},
            "feature_range is for strategy: minmax, and center or by is given",
        ),
    ],
)
def test_mistakes(use: str, data: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage(use, {"x": data}, **options)
    assert str(caught.value) == message
