"""Calibration: scikit-learn's, learned on the valid part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, _SigmoidCalibration
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

import engine
from engine.compile.kernel import plan_kernel
from engine.compile.passes import Root
from engine.config.config import Config
from engine.errors import ConfigError, UserError
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.schema import Kind
from engine.testing import check_stage, run_stage
from engine.training.calibration import isotonic, platt
from tests.test_parity import exact

Table = dict[str, list[Any]]
ROWS = 6_000
VALID = slice(ROWS * 7 // 10, ROWS * 85 // 100)


# -- the fits


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weighted", [False, True])
def test_platt_is_scikit_learns(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 3000))
    scores = [rng.random(count), rng.normal(size=count) * 4 - 7, rng.exponential(size=count) * 900][seed % 3]
    middle, spread = np.median(scores), scores.std()
    positive = rng.random(count) < 1 / (1 + np.exp(-(scores - middle) / spread))
    positive[:2] = [True, False]
    weight = rng.random(count) * 3 if weighted else np.ones(count)
    slope, intercept = platt(scores, positive, weight)
    theirs = _SigmoidCalibration().fit(scores, positive, weight if weighted else None)
    ours = 1 / (1 + np.exp(slope * scores + intercept))
    np.testing.assert_allclose(ours, theirs.predict(scores), atol=2e-5)
    assert loss(slope, intercept, scores, positive, weight) <= loss(
        theirs.a_, theirs.b_, scores, positive, weight
    )


def loss(a: float, b: float, scores: Any, positive: Any, weight: Any) -> float:
    """What both minimise, to 12 digits."""
    yes, no = weight[positive].sum(), weight[~positive].sum()
    target = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))
    f = a * scores + b
    return round(float(weight @ (target * f + np.logaddexp(0, -f)) / weight.sum()), 12)


@pytest.mark.parametrize(
    "scores",
    [
        [0.3] * 6,
        [0.0, 0, 0, 1, 1, 1],
        [1e300, -1e300, 0, 0, 1, 2],
        [1e-300, 2e-300, 3e-300, 4e-300, 5e-300, 0],
    ],
    ids=["constant", "parted", "huge", "tiny"],
)
def test_platt_at_the_edges(scores: list[float]) -> None:
    x, positive = np.array(scores), np.array([False, False, False, True, True, True])
    slope, intercept = platt(x, positive, np.ones(6))
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(slope * x + intercept))
    assert np.isfinite(p).all() and (p > 0).all() and (p < 1).all()
    if len(set(scores)) == 1:
        np.testing.assert_allclose(p, 0.5)
    if scores[3:] == [1, 1, 1]:  # parted: the smoothed targets are reached
        np.testing.assert_allclose(p, [0.2] * 3 + [0.8] * 3)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), rows=st.integers(2, 40), weighted=st.booleans())
def test_isotonic_is_scikit_learns(data: st.DataObject, rows: int, weighted: bool) -> None:
    few = st.sampled_from([0.0, 0.1, 0.1 + 1e-16, 0.1 + 4e-16, 0.3, 1e-17, -2.0, 0.5])
    scores = np.array(data.draw(st.lists(few | st.floats(-9, 9), min_size=rows, max_size=rows)))
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    some = st.sampled_from([0.0, 0.5, 1.0, 0.1, 3.0]) if weighted else st.just(1.0)
    weight = np.array(data.draw(st.lists(some, min_size=rows, max_size=rows)))
    weight[0] = 1.0
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, positive.astype(float), weight)
    x, shares = isotonic(scores, positive, weight)
    # means that are rounded otherwise may keep a point more within a level stretch; the function is the same
    asked = np.concatenate([scores, x, np.linspace(-10, 10, 101)])
    np.testing.assert_allclose(np.interp(asked, x, shares), theirs.predict(asked), atol=1e-12)
    assert (np.diff(x) > 0).all() and (np.diff(shares) >= 0).all()


# -- in pipelines, on flights


def config(stages: dict[str, Any], target: dict[str, str], **more: Any) -> Config:
    inputs = {"dep_delay": "number", "distance": "number", "air_time": "number", "carrier": "category"}
    columns = ["dep_delay", "distance", "air_time"]
    if target == {"value": "arr_delay >= 15"}:
        columns = ["dep_delay", "distance"]
    model = {"use": "xgboost", "columns": columns, "rounds": 6, "params": {"max_depth": 4, "eta": 0.5}}
    base = {
        "name": "p",
        "inputs": inputs,
        "target": target,
        "split": {"kind": "time", "column": "at", "valid": 0.15, "test": 0.15},
        "stages": {"model": model, **stages},
    }
    return Config(base | more)


@pytest.fixture(scope="module")
def rows(flights: Table) -> pa.Table:
    """Flights that arrived, in the order of the year, with weights."""
    names = ("dep_delay", "arr_delay", "distance", "air_time", "carrier", "origin")
    table = pa.table({name: flights[name] for name in names}).drop_null().slice(0, ROWS)
    rng = np.random.default_rng(0)
    return table.append_column("at", pa.array(range(ROWS))).append_column("w", pa.array(rng.random(ROWS)))


LATE = {"value": "arr_delay >= 15"}


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@pytest.mark.parametrize("weight", [None, "w"])
def test_a_model_of_flights(rows: pa.Table, method: str, weight: str | None) -> None:
    stages: dict[str, Any] = {
        "calibrated": {"use": "calibrate", "columns": ["score"], "method": method},
        "decide": {"use": "threshold", "columns": ["calibrated"], "at": 0.3},
        "band": {
            "use": "bands",
            "columns": ["calibrated"],
            "edges": [0.1, 0.5],
            "names": ["low", "some", "high"],
        },
    }
    pipeline = engine.fit(config(stages, LATE, **({"weight": weight} if weight else {})), rows)
    assert dict(pipeline.outputs) == {
        "score": "float32", "calibrated": "float64", "decide": "bool", "band": "string",
    }  # fmt: skip
    found = pipeline.predict_many(rows)
    scores = found["score"].to_numpy().astype(np.float64)
    late = rows["arr_delay"].to_numpy() >= 15
    ours = found["calibrated"].to_numpy()
    weights = rows["w"].to_numpy()[VALID] if weight else None
    if method == "platt":
        oracle: Any = _SigmoidCalibration().fit(scores[VALID], late[VALID], weights)
        np.testing.assert_allclose(ours, oracle.predict(scores), atol=2e-5)
    else:
        oracle = IsotonicRegression(out_of_bounds="clip").fit(
            scores[VALID], late[VALID].astype(float), weights
        )
        np.testing.assert_allclose(ours, oracle.predict(scores), rtol=1e-12, atol=1e-15)
        learned = pipeline.learned["calibrated"]
        # with the same points, NumPy's interpolation to the bit
        np.testing.assert_array_equal(ours, np.interp(scores, learned["scores"], learned["shares"]))
    same_everywhere(pipeline, rows, found)


def same_everywhere(pipeline: Pipeline, rows: pa.Table, found: pa.Table) -> None:
    """Compiled, interpreted and one by one."""
    part, expected = rows.slice(0, 3000), found.slice(0, 3000)
    plain = Pipeline(pipeline.plan, pipeline.learned, interpreted=True).predict_many(part)
    for name in found.schema.names:
        assert [exact(v) for v in plain[name].to_pylist()] == [exact(v) for v in expected[name].to_pylist()]
    for i in range(50):
        one = pipeline.predict_one(rows.slice(i, 1).to_pylist()[0])
        assert {k: exact(v) for k, v in one.items()} == {
            k: exact(v) for k, v in found.slice(i, 1).to_pylist()[0].items()
        }


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A model whose probabilities are what it is given."""

    def fit(self, x: Any, y: Any) -> Given:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Any) -> Any:
        return x

    def predict(self, x: Any) -> Any:
        return self.classes_[x.argmax(axis=1)]


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_classes_against_the_rest(rows: pa.Table, method: str, tmp_path: Any) -> None:
    """Three airports: one against the rest, divided by their sum, as scikit-learn's whole calibration."""
    stages: dict[str, Any] = {
        "calibrate": {"use": "calibrate", "columns": ["score_*"], "method": method},
        "best": {"use": "label", "columns": ["calibrated_*"], "prefix": "calibrated_"},
    }
    pipeline = engine.load(engine.fit(config(stages, {"column": "origin"}), rows).save(tmp_path / "bundle"))
    assert list(pipeline.outputs)[3:] == ["calibrated_EWR", "calibrated_JFK", "calibrated_LGA", "best"]
    found = pipeline.predict_many(rows)
    airports = np.array(rows["origin"].to_pylist())
    names = ("EWR", "JFK", "LGA")
    scores = np.stack([found[f"score_{n}"].to_numpy().astype(np.float64) for n in names], axis=1)
    ours = np.stack([found[f"calibrated_{n}"].to_numpy() for n in names], axis=1)
    model = FrozenEstimator(Given().fit(scores[VALID], airports[VALID]))
    oracle = CalibratedClassifierCV(model, method={"platt": "sigmoid"}.get(method, method))
    oracle.fit(scores[VALID], airports[VALID])
    np.testing.assert_allclose(ours, oracle.predict_proba(scores), atol=3e-5 if method == "platt" else 1e-12)
    np.testing.assert_allclose(ours.sum(axis=1), 1)
    assert found["best"].to_pylist() == [names[i] for i in ours.argmax(axis=1)]
    same_everywhere(pipeline, rows, found)


def test_only_valid_rows_count(rows: pa.Table) -> None:
    """Targets of test rows change nothing, those of valid rows the calibration alone."""
    stages: dict[str, Any] = {"calibrated": {"use": "calibrate", "columns": ["score"], "method": "isotonic"}}
    first = engine.fit(config(stages, LATE), rows)
    delays = rows["arr_delay"].to_numpy().copy()
    delays[VALID.stop :] = 99
    place = rows.schema.get_field_index("arr_delay")
    again = engine.fit(config(stages, LATE), rows.set_column(place, "arr_delay", pa.array(delays)))
    assert again.digest == first.digest
    delays[VALID] = np.where(np.arange(ROWS)[VALID] % 2, 99, -99)
    other = engine.fit(config(stages, LATE), rows.set_column(place, "arr_delay", pa.array(delays)))
    assert other.learned["model"]["model"].tobytes() == first.learned["model"]["model"].tobytes()
    assert other.digest != first.digest


def test_a_loaded_model_is_calibrated_alike(rows: pa.Table, tmp_path: Path) -> None:
    stages: dict[str, Any] = {"calibrated": {"use": "calibrate", "columns": ["score"]}}
    trained = engine.fit(config(stages, LATE), rows)
    (tmp_path / "model.ubj").write_bytes(trained.learned["model"]["model"].tobytes())
    loaded = {"use": "xgboost", "columns": ["dep_delay", "distance"], "model": str(tmp_path / "model.ubj")}
    pipeline = engine.fit(config({"model": loaded, **stages}, LATE), rows)
    for name, found in trained.learned["calibrated"].items():
        np.testing.assert_array_equal(pipeline.learned["calibrated"][name], found)


def test_in_the_place_of_the_score(rows: pa.Table) -> None:
    stages: dict[str, Any] = {
        "calibrated": {"use": "calibrate", "columns": ["score"], "into": "score", "drop": True},
        "decide": {"use": "threshold", "columns": ["score"]},
    }
    pipeline = engine.fit(config(stages, LATE), rows)
    assert dict(pipeline.outputs) == {"score": "float64", "decide": "bool"}


def test_zero_everywhere_and_what_is_missing() -> None:
    data = {f"score_{n}": [*np.eye(3)[i], 0.0, None] for i, n in enumerate("abc")}
    found = run_stage("calibrate", data, method="isotonic", target=["a", "b", "c", "a", "a"])
    for name in "abc":
        values = found[f"calibrated_{name}"]
        assert np.isnan(values[4])
    assert found["calibrated_b"][3] == 0.0  # a row of zeros was seen: of class a
    nothing = {
        "scores": np.zeros(3),
        "shares": np.zeros(3),
        "points": np.ones(3, int),
        "classes": tuple("abc"),
    }
    x = {name: Expr.input(name, Kind.NUMBER) for name in "pqr"}
    nodes = Registry().load("calibrate")(method="isotonic").express(x, nothing)  # type: ignore[call-arg, attr-defined]
    leaves = {("input", name): np.array([0.5, np.nan]) for name in "pqr"}
    for values in interpret(list(nodes.values()), leaves, 2):
        np.testing.assert_array_equal(values, [1 / 3, np.nan])


@pytest.mark.parametrize("count", [10, 3000])
def test_another_number_of_points_is_the_same_code(count: int) -> None:
    stage: Any = Registry().load("calibrate")(method="isotonic")
    x = {"score": Expr.input("score", Kind.NUMBER)}

    def source(points: int) -> str:
        line = np.linspace(0, 1, points)
        node = stage.express(x, {"scores": line, "shares": line, "points": np.array([points]), "classes": ()})
        return plan_kernel([Root(node, "number", 1, "p")], 0, {}).source

    assert source(count) == source(1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), method=st.sampled_from(["platt", "isotonic"]))
def test_any_scores(data: st.DataObject, method: str) -> None:
    """Probabilities, which rise with the score where the outcomes do, or a reason why there are none."""
    count = data.draw(st.integers(1, 12))
    values = data.draw(st.lists(st.one_of(st.none(), st.floats()), min_size=count, max_size=count))
    outcomes = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    try:
        found = run_stage("calibrate", {"s": values}, into="p", method=method, target=outcomes)["p"]
    except UserError as error:
        assert "calibrate can't learn from 's'" in str(error) or "too " in str(error)
        return
    for value, p in zip(values, found, strict=True):
        if value is None or np.isnan(value):
            assert np.isnan(p)
        elif np.isfinite(value) or method == "isotonic":
            assert 0 <= p <= 1


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_contract_where_it_learns(method: str) -> None:
    rng = np.random.default_rng(1)
    check_stage("calibrate", {"score": rng.random(600).tolist()}, method=method)


# -- mistakes


@pytest.mark.parametrize(
    ("stage", "more", "message"),
    [
        ({"columns": ["score", "distance"]}, {}, "takes one column where the target is boolean, not 2: sc"),
        ({"columns": ["score"]}, {"split": {"kind": "random", "valid": 0}}, "the split has none; set"),
        ({"columns": ["score"]}, {"target": {"column": "arr_delay"}}, "boolean, or text.*it is a number"),
        ({"columns": ["score_EWR", "score_JFK"]}, {"target": {"column": "origin"}}, "all 3 classes, such as"),
        ({"columns": ["score"]}, {"target": {"value": "at > 99 and at < 4200"}}, "none of the 900 valid row"),
    ],
)  # fmt: skip
def test_what_can_not_be_learned(
    rows: pa.Table, stage: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    stages = {"calibrated": {"use": "calibrate", **stage}}
    with pytest.raises(UserError, match=message):
        engine.fit(config(stages, **({"target": LATE} | more)), rows)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"method.*'platt'"):
        engine.fit(
            config({"c": {"use": "calibrate", "columns": ["score"], "method": "sigmoid"}}, LATE), pa.table({})
        )
    with pytest.raises(ConfigError, match="prefix is empty"):
        engine.fit(
            config({"c": {"use": "calibrate", "columns": ["score"], "prefix": ""}}, LATE), pa.table({})
        )
