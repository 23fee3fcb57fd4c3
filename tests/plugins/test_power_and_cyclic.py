"""power beside scikit-learn and SciPy, cyclic beside the formula of feature-engine."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import PowerTransformer

from engine.api import build
from engine.config.config import Config
from engine.errors import UserError
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.registry import Registry
from engine.schema import Kind
from engine.testing import check_stage, run_stage

from .columns import WEATHER, columns, matrix, tables
from .fitted import answers, fitted

NAN, INF = math.nan, math.inf
POSITIVE = ("temp", "humid", "pressure")


def varied(table: Any) -> Any:
    """No column constant: of one with gaps, too, scikit-learn finds an arbitrary power."""
    return np.vstack([table, np.full((1, table.shape[1]), 3.5), np.full((1, table.shape[1]), 9.25)])


def transformed(table: Any, method: str, standardize: bool) -> Any:
    oracle = PowerTransformer(method=method.replace("_", "-"), standardize=standardize)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return oracle.fit_transform(table)


@pytest.mark.parametrize("standardize", [True, False])
class TestPowerBesideScikitLearn:
    @pytest.mark.parametrize(("method", "names"), [("yeo_johnson", WEATHER), ("box_cox", POSITIVE)])
    def test_weather(
        self, weather: dict[str, list[Any]], method: str, names: tuple[str, ...], standardize: bool
    ) -> None:
        found = run_stage("power", weather, columns=names, method=method, standardize=standardize)
        expected = transformed(matrix(weather, names), method, standardize)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize(
        ("method", "names"), [("yeo_johnson", ("dep_delay", "distance")), ("box_cox", ("distance",))]
    )
    def test_flights(
        self, flights: dict[str, list[Any]], method: str, names: tuple[str, ...], standardize: bool
    ) -> None:
        found = run_stage("power", flights, columns=names, method=method, standardize=standardize)
        expected = transformed(matrix(flights, names), method, standardize)
        np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)

    @settings(deadline=None, max_examples=12)
    @given(table=tables.map(varied))
    def test_any_columns(self, table: Any, standardize: bool) -> None:
        found = matrix(run_stage("power", columns(table), standardize=standardize))
        expected = transformed(table, "yeo_johnson", standardize)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)

    @settings(deadline=None, max_examples=12)
    @given(table=tables.map(varied).map(lambda t: np.abs(t) + 0.5))
    def test_any_positive_columns(self, table: Any, standardize: bool) -> None:
        found = matrix(run_stage("power", columns(table), method="box_cox", standardize=standardize))
        expected = transformed(table, "box_cox", standardize)
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@settings(deadline=None, max_examples=120)
@given(
    x=st.floats(-1e12, 1e12),
    power=st.one_of(st.floats(-4, 4), st.sampled_from([0.0, 2.0, 1.0, 1e-17, 2 - 1e-16, 1e-12, 2 + 1e-12])),
)
def test_a_stated_power_is_scipys(x: float, power: float) -> None:
    stage: Any = Registry().load("power")
    node = Expr.input("x", Kind.NUMBER)
    with np.errstate(all="ignore"):
        for method, oracle in (("yeo_johnson", stats.yeojohnson), ("box_cox", stats.boxcox)):
            if method == "box_cox" and x <= 0:
                continue
            made = stage(method=method, standardize=False).express(node, {"power": power})
            (found,) = interpret([made], {("input", "x"): np.array([x])}, 1)
            np.testing.assert_allclose(found, oracle(np.array([x]), power), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("method", ["yeo_johnson", "box_cox"])
def test_a_constant_column(method: str) -> None:
    assert run_stage("power", {"x": [7.0, 7.0]}, method=method) == {"x": [0.0, 0.0]}
    plain = run_stage("power", {"x": [7.0, 7.0]}, method=method, standardize=False)
    np.testing.assert_allclose(plain["x"], [7.0, 7.0] if method == "yeo_johnson" else [6.0, 6.0], rtol=1e-15)


def test_beyond_what_was_learned() -> None:
    data = {"x": [1.0, 2.0, 5.0, 40.0]}
    pipeline = fitted("power", data, method="box_cox", standardize=False)
    found = answers(pipeline, {"x": [0.0, -0.0, -3.0, None, 1.0]})["x"]
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, NAN, 0.0])
    pipeline = fitted("power", data, standardize=False)
    (power,) = pipeline.learned["tested"]["power"]
    found = answers(pipeline, {"x": [INF, -INF, None, 0.0]})["x"]
    np.testing.assert_allclose(found, [-1 / power, -INF, NAN, 0.0])
    assert power < 0


def test_box_cox_keeps_the_contract() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=200)).tolist()
    check_stage("power", {"x": values, "y": values[::-1]}, method="box_cox")


# -- cyclic


@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.floats(), min_size=1, max_size=10), period=st.floats(1e-3, 1e6))
def test_cyclic_is_one_formula(values: list[float], period: float) -> None:
    found = run_stage("cyclic", {"x": values}, period=period)
    with np.errstate(all="ignore"):
        angle = np.array(values) * (2.0 * np.pi / period)
        for name, function in (("x_sin", np.sin), ("x_cos", np.cos)):
            np.testing.assert_allclose(found[name], function(angle), rtol=1e-12, atol=1e-15)


def test_cyclic_learns_the_greatest(weather: dict[str, list[Any]]) -> None:
    given_ = matrix(weather, ("wind_dir", "humid"))
    found = run_stage("cyclic", weather, columns=["wind_dir", "humid"])
    angle = given_ * (2.0 * np.pi / np.nanmax(given_, axis=0))
    assert list(found) == ["wind_dir_sin", "wind_dir_cos", "humid_sin", "humid_cos"]
    np.testing.assert_allclose(matrix(found)[:, ::2], np.sin(angle), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(matrix(found)[:, 1::2], np.cos(angle), rtol=1e-12, atol=1e-15)


def test_cyclic_of_parts_of_a_date() -> None:
    stages = {
        "parts": {"use": "calendar", "columns": ["at"], "parts": ["hour", "weekday"]},
        "round": {
            "use": "cyclic",
            "columns": ["at_*"],
            "period": {"at_hour": 24, "at_weekday": 7},
            "drop": True,
        },
    }
    config = {"name": "round", "inputs": {"at": "timestamp"}, "stages": stages, "outputs": ["at_*"]}
    moments = np.datetime64("2013-01-06T18", "us") + np.arange(200).astype("m8[h]")
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    found = build(Config(config)).predict_many(table).to_pydict()
    assert list(found) == ["at_hour_sin", "at_hour_cos", "at_weekday_sin", "at_weekday_cos"]
    hour, weekday = (18 + np.arange(200)) % 24, (6 + (18 + np.arange(200)) // 24) % 7
    np.testing.assert_allclose(found["at_hour_sin"], np.sin(2 * np.pi * hour / 24), atol=1e-14)
    np.testing.assert_allclose(found["at_weekday_cos"], np.cos(2 * np.pi * weekday / 7), atol=1e-14)


# -- what they refuse


@pytest.mark.parametrize(
    ("use", "data", "options", "message"),
    [
        (
            "power",
            [1.0, 0.0, -2.0],
            {"method": "box_cox"},
            "power can't learn box_cox of 'x': 2 training rows have 0 or a negative number there; "
            "use method: yeo_johnson, or add to the column first",
        ),
        *(
            (
                use,
                [None],
                {},
                f"{use} can't learn from 'x': no training row has a value there; {remedy}leave the column "
                "out",
            )
            for use, remedy in (("power", ""), ("cyclic", "state its period, or "))
        ),
        *(
            (
                use,
                [1.0, infinite],
                {},
                f"{use} can't learn from 'x': the training rows hold infinite or too large numbers there; "
                f"clip the column first{remedy}",
            )
            for use, remedy in (("power", ""), ("cyclic", ", or state its period"))
            for infinite in (INF, -INF)
        ),
        (
            "cyclic",
            [-3.0, 0.0],
            {},
            "cyclic can't learn the period of 'x': the greatest number of the training rows is 0, and a "
            "period is above 0; state it",
        ),
        ("cyclic", [1.0], {"period": 0}, "period must be above 0 and finite, not 0"),
        ("cyclic", [1.0], {"period": {"x": INF}}, "period of x must be above 0 and finite, not inf"),
        (
            "cyclic",
            [1.0],
            {"period": {"y": 7}},
            "period has no number for x; period has a number for y, which columns doesn't select",
        ),
    ],
)
def test_mistakes(use: str, data: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage(use, {"x": data}, **options)
    assert str(caught.value) == message
