"""quantile_transform beside scikit-learn, and the inverse of the normal distribution beside SciPy."""

from __future__ import annotations

import math
import statistics
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import QuantileTransformer

from engine.errors import UserError
from engine.expr.graph import Expr, call
from engine.expr.interpret import interpret
from engine.jit.normal import inverse_normal
from engine.schema import Kind
from engine.testing import run_stage

from .columns import WEATHER, columns, matrix, tables
from .fitted import answers, fitted

NAN, INF = math.nan, math.inf


def normal(p: Any) -> Any:
    node = call(inverse_normal, Expr.input("p", Kind.NUMBER))
    (found,) = interpret([node], {("input", "p"): np.asarray(p, np.float64)}, len(p))
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_inverse_of_the_normal_distribution(p: list[float]) -> None:
    np.testing.assert_allclose(normal(p), stats.norm.ppf(p), rtol=2e-15)


def test_the_inverse_of_the_normal_distribution_at_its_ends() -> None:
    np.testing.assert_array_equal(normal([0.0, 1.0, -0.1, 1.1, NAN, 0.5]), [-INF, INF, NAN, NAN, NAN, 0.0])
    far = 10.0 ** -np.arange(1, 308)
    np.testing.assert_allclose(normal(far), stats.norm.ppf(far), rtol=2e-15)
    same = [statistics.NormalDist().inv_cdf(p) for p in far]  # the same algorithm, in another order
    np.testing.assert_allclose(normal(far), same, rtol=1e-15)


def oracle(table: Any, output: str, n_quantiles: int) -> QuantileTransformer:
    made = QuantileTransformer(n_quantiles=n_quantiles, output_distribution=output, subsample=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of more quantiles than rows
        return made.fit(table)


@pytest.mark.parametrize("output", ["uniform", "normal"])
class TestBesideScikitLearn:
    @pytest.mark.parametrize("n_quantiles", [1000, 7])
    def test_weather(self, weather: dict[str, list[Any]], output: str, n_quantiles: int) -> None:
        options: dict[str, Any] = {"output_distribution": output, "n_quantiles": n_quantiles}
        found = run_stage("quantile_transform", weather, columns=WEATHER, **options)
        given_ = matrix(weather, WEATHER)
        expected = oracle(given_, output, n_quantiles).transform(given_)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)

    def test_flights_after_those_that_were_learned(self, flights: dict[str, list[Any]], output: str) -> None:
        names = ("dep_delay", "distance")
        early = {name: flights[name][:3000] for name in names}
        late = {name: flights[name][3000:] for name in names}
        pipeline = fitted("quantile_transform", early, output_distribution=output)
        expected = oracle(matrix(early), output, 1000).transform(matrix(late))
        np.testing.assert_allclose(matrix(answers(pipeline, late)), expected, rtol=1e-9, atol=1e-12)

    @settings(deadline=None, max_examples=20)
    @given(table=tables, n_quantiles=st.integers(1, 60))
    def test_any_columns(self, table: Any, output: str, n_quantiles: int) -> None:
        options: dict[str, Any] = {"output_distribution": output, "n_quantiles": n_quantiles}
        found = run_stage("quantile_transform", columns(table), **options)
        expected = oracle(table, output, n_quantiles).transform(table)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("data", [[5.0, 5.0, 5.0], [0.0, 0.0, 1.0, 1.0, 1.0, 9.0]])
    @pytest.mark.parametrize("n_quantiles", [1, 2, 1000])
    def test_beyond_and_between(self, output: str, data: list[float], n_quantiles: int) -> None:
        options: dict[str, Any] = {"output_distribution": output, "n_quantiles": n_quantiles}
        pipeline = fitted("quantile_transform", {"x": data}, **options)
        rows = [-9.0, 0.0, 0.5, 1.0, 4.9, 5.0, 5.1, 9.0, 9.00000001, 100.0, NAN]
        expected = oracle(np.array(data)[:, None], output, n_quantiles).transform(np.array(rows)[:, None])
        found = answers(pipeline, {"x": rows})["x"]
        np.testing.assert_allclose(found, expected[:, 0], rtol=1e-9, atol=1e-12)
        ends = answers(pipeline, {"x": [-INF, INF]})["x"]
        assert ends == [found[0], found[-2]]


def test_numbers_apart_by_more_than_a_float_holds_of_their_slope() -> None:
    found = run_stage("quantile_transform", {"x": [0.0, 5e-324, 1e-323, 1e308]})
    assert found["x"][0] == 0.0 and found["x"][3] == 1.0
    assert all(0 < x < 1 for x in found["x"][1:3])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            [None],
            "quantile_transform can't learn from 'x': no training row has a value there; leave the column "
            "out",
        ),
        *(
            (
                values,
                "quantile_transform can't learn from 'x': the training rows hold infinite or too large "
                "numbers there; clip the column first",
            )
            for values in ([1.0, INF], [1.0, -INF], [-1.7e308, 1.7e308])
        ),
    ],
)
def test_mistakes(data: list[Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage("quantile_transform", {"x": data})
    assert str(caught.value) == message
