"""What stages learn, they learn from train alone, and the same in every run."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.config.config import Config
from engine.errors import DataError, UserError

STAGES: dict[str, Any] = {
    "fill": {"use": "impute", "columns": ["a"], "strategy": "mean"},
    "scale": {"use": "scale", "columns": ["a", "b"]},
    "city": {"use": "onehot", "columns": ["k"]},
    "codes": {"use": "ordinal", "columns": ["m"], "into": "m_code"},
    "model": {"use": "xgboost", "rounds": 4, "params": {"max_depth": 3, "nthread": 1}},
}


def config(stages: dict[str, Any] | None = None, **more: Any) -> Config:
    inputs = {"a": "number", "b": "number", "k": "category", "m": "category"}
    base = {
        "name": "p",
        "inputs": inputs,
        "target": {"column": "y"},
        "split": {"kind": "time", "column": "at", "valid": 0.2, "test": 0.2},
        "stages": STAGES if stages is None else stages,
    }
    return Config(base | more)


def table(rows: int = 200, **change: Any) -> pa.Table:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, rows))
    columns: dict[str, Any] = {
        "a": pa.array(a, mask=rng.random(rows) < 0.2),
        "b": pa.array(b),
        "k": pa.array(rng.choice(["x", "y", "z"], rows)),
        "m": pa.array(rng.choice(["u", "v"], rows)),
        "y": pa.array(a + b * 2 + rng.normal(size=rows) / 10),
        "at": pa.array(np.arange(rows)),
        "w": pa.array(rng.random(rows) + 0.5),
        "g": pa.array(np.sort(rng.integers(0, 20, rows))),
    }
    return pa.table(columns | change)


def same_bits(first: engine.Pipeline, second: engine.Pipeline) -> bool:
    return first.digest == second.digest


def test_twice_the_same_bits() -> None:
    first, second = engine.fit(config(), table()), engine.fit(config(), table())
    assert same_bits(first, second)
    assert first.predict_many(table().drop_columns(["y"])).equals(second.predict_many(table()))
    assert not same_bits(first, engine.fit(config(), table().slice(1)))


@pytest.mark.parametrize("part", ["valid", "test", "valid and test"])
def test_other_rows_than_train_change_nothing(part: str) -> None:
    """Wild values, unseen categories and other targets there leave every learned bit as it was."""
    rows = 200
    spoilt = {"valid": (120, 160), "test": (160, 200), "valid and test": (120, 200)}[part]
    where = np.zeros(rows, bool)
    where[slice(*spoilt)] = True
    plain = table()
    change: dict[str, Any] = {}
    for name, wild in (("a", 1e9), ("b", -1e9), ("y", 77.0)):
        values = plain.column(name).to_numpy().copy()
        values[where] = wild + np.arange(rows)[where]
        change[name] = pa.array(values, mask=np.isnan(values))
    for name in ("k", "m"):
        texts = plain.column(name).to_pylist()
        change[name] = pa.array([f"new{i}" if where[i] else text for i, text in enumerate(texts)])
    assert same_bits(engine.fit(config(), plain), engine.fit(config(), table(**change)))


def test_train_changes_what_is_learned() -> None:
    values = table().column("b").to_numpy().copy()
    values[3] += 1
    assert not same_bits(engine.fit(config(), table()), engine.fit(config(), table(b=values)))


def test_early_stopping_looks_at_valid() -> None:
    stages = STAGES | {"model": {"use": "xgboost", "rounds": 60, "early_stopping": 2, "params": {"eta": 1}}}
    rng = np.random.default_rng(0)
    y = table().column("y").to_numpy().copy()
    y[120:160] = rng.normal(size=40)
    first, second = engine.fit(config(stages), table()), engine.fit(config(stages), table(y=y))
    assert not same_bits(first, second)
    y[160:] = 0  # test is not looked at
    assert same_bits(second, engine.fit(config(stages), table(y=y)))


def test_what_was_learned_is_the_oracle_s() -> None:
    pipeline = engine.fit(config(), table())
    train = table().slice(0, 120)
    a = train.column("a").to_numpy()
    assert pipeline.learned["fill"]["value"][0] == np.mean(a[~np.isnan(a)])
    model = {"m": {"use": "xgboost", "columns": ["a", "b"], "rounds": 3, "params": {"nthread": 1}}}
    plain = engine.fit(config(model), table())
    matrix = np.stack([a, train.column("b").to_numpy()], axis=1).astype(np.float32)
    booster = xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1, "seed": 0},
        xgboost.QuantileDMatrix(matrix, train.column("y").to_numpy()),
        3,
    )
    found = plain.predict_many(train).column("score").to_numpy()
    assert (found == booster.inplace_predict(matrix)).all()


def test_weights_reach_the_model() -> None:
    plain = engine.fit(config(), table())
    ones = engine.fit(config(weight="w"), table(w=np.ones(200)))
    weighted = engine.fit(config(weight="w"), table())
    assert plain.learned["model"]["model"].tobytes() == ones.learned["model"]["model"].tobytes()
    assert plain.learned["model"]["model"].tobytes() != weighted.learned["model"]["model"].tobytes()
    # a weight of 0 is a row that isn't there for the model
    zero = np.ones(200)
    zero[:60] = 0
    y = table().column("y").to_numpy().copy()
    y[:60] = 1e6
    model = {
        "m": {"use": "xgboost", "columns": ["b"], "rounds": 2, "params": {"nthread": 1, "base_score": 0}}
    }
    score = [
        engine.fit(config(model, weight="w"), t).predict_many(t).column("score")
        for t in (table(w=zero), table(w=zero, y=y))
    ]
    assert score[0].equals(score[1])


@pytest.mark.parametrize("bad", [-1.0, np.inf, None])
def test_weights_that_are_none(bad: Any) -> None:
    weights = [1.0] * 200
    weights[10] = bad
    with pytest.raises(DataError) as caught:
        engine.fit(config(weight="w"), table(w=pa.array(weights, pa.float64())))
    assert str(caught.value) == (
        "weight: 'w' has missing, infinite or negative values; expected numbers from 0 up"
    )
    with pytest.raises(DataError) as caught:
        engine.fit(config(weight="k"), table())
    assert str(caught.value) == "weight: 'k' is a category; expected a number"


def test_rows_in_no_part_need_no_weight_group_or_good_inputs() -> None:
    y = pa.array(table().column("y").to_numpy(), mask=np.arange(200) < 5)
    gone = pa.array(np.ones(200), mask=np.arange(200) < 5)
    inputs = {"a": {"kind": "number", "missing": "null"}, "b": {"kind": "number", "missing": "reject"}}
    stages = {"model": STAGES["model"]}
    pipeline = engine.fit(
        config(stages, weight="w", group="g", inputs=inputs), table(y=y, w=gone, b=gone, g=gone)
    )
    assert pipeline.fitted is not None and pipeline.fitted.rows["unlabelled"] == 5


def test_groups_reach_a_ranking_model() -> None:
    stages = {"m": {"use": "xgboost", "objective": "rank:ndcg", "rounds": 3, "params": {"nthread": 1}}}
    relevance = np.random.default_rng(0).integers(0, 3, 200)
    pipeline = engine.fit(config(stages, group="g"), table(y=relevance))
    one = engine.fit(config(stages, group="g"), table(y=relevance, g=np.zeros(200)))
    assert not same_bits(pipeline, one)
    text = engine.fit(config(stages, group="g"), table(y=relevance, g=table().column("g").cast("string")))
    assert set(text.learned) == {"m"}
    with pytest.raises(UserError) as caught:
        engine.fit(config(stages), table(y=relevance))
    assert str(caught.value) == "stages.m: objective 'rank:ndcg' needs the config's 'group'"
    with pytest.raises(DataError) as caught:
        engine.fit(config(stages, group="g"), table(g=pa.array([None] + [1] * 199)))
    assert str(caught.value) == ("group: 'g' is missing in 1 of 200 labelled rows; each row needs its group")


def test_values_that_an_input_refuses() -> None:
    inputs = {"a": {"kind": "number", "missing": "reject"}, "b": "number"}
    with pytest.raises(DataError) as caught:
        engine.fit(config({"model": STAGES["model"]}, inputs=inputs), table())
    first = np.flatnonzero(np.isnan(table().column("a").to_numpy()))
    assert str(caught.value) == (
        f"{len(first)} labelled rows are refused; the first is row {first[0]}: a: the value is missing\n"
        "  to take such values as missing: 'inputs.a={kind: number, missing: null}'"
    )


def test_columns_that_are_not_there() -> None:
    with pytest.raises(DataError) as caught:
        engine.fit(config(split={"kind": "time", "column": "att"}), table())
    assert str(caught.value) == (
        "split.column: there is no column 'att' in the labelled table. Did you mean 'at'?\n"
        "  columns there: a, b, k, m, y, at, w, g"
    )
    with pytest.raises(DataError) as caught:
        engine.fit(config(), table().drop_columns(["b"]))
    assert str(caught.value).startswith(
        "the labelled table: the columns don't fit the pipeline's inputs\n  b: no"
    )


def test_a_kept_column_need_not_be_there_to_learn() -> None:
    pipeline = engine.fit(config(keep=["id"]), table())
    assert pipeline.predict_one({"id": 7})["id"] == 7


def test_infinite_features_are_refused_and_missing_ones_are_not() -> None:
    b = table().column("b").to_numpy().copy()
    b[:50] = np.nan
    stages = {"model": STAGES["model"]}
    assert engine.fit(config(stages), table(b=b)).predict_one({})["score"] is not None
    b[3] = np.inf
    with pytest.raises(UserError) as caught:
        engine.fit(config(stages), table(b=b))
    assert str(caught.value).startswith("stages.model: XGBoost can't learn from infinite values")


def test_progress() -> None:
    told: list[tuple[int, int, str]] = []
    engine.fit(config(), table(), progress=lambda *what: told.append(what))
    assert [what for what in told if what[2] in STAGES] == [(i, 5, label) for i, label in enumerate(STAGES)]
    assert told[-1] == (5, 5, "metrics")
    assert (4, 4, "model: rounds") in told


def test_fits_at_once() -> None:
    """Nothing is shared between two fits."""
    alone = engine.fit(config(), table()).digest
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.fit(config(), table()).digest)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


def test_a_model_s_scores_are_features_of_the_next() -> None:
    """In training the second model sees the very float32 scores that it sees later."""
    stages = {
        "first": {
            "use": "xgboost",
            "columns": ["a", "b"],
            "into": "s1",
            "rounds": 3,
            "params": {"nthread": 1},
        },
        "half": {"use": "expr", "value": "s1 / 3", "into": "third"},
        "second": {"use": "xgboost", "columns": ["third", "b"], "rounds": 3, "params": {"nthread": 1}},
    }
    pipeline = engine.fit(config(stages), table())
    train = table().slice(0, 120)
    first = pipeline.scorers["first"].many(
        np.stack([train.column("a").to_numpy(), train.column("b").to_numpy()], 1).astype(np.float32)
    )
    third = (first[:, 0].astype(np.float64) / 3).astype(np.float32)
    matrix = np.stack([third, train.column("b").to_numpy().astype(np.float32)], 1)
    booster = xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1, "seed": 0},
        xgboost.QuantileDMatrix(matrix, train.column("y").to_numpy()),
        3,
    )
    found = pipeline.predict_many(train)
    assert (found.column("score").to_numpy() == booster.inplace_predict(matrix)).all()
    assert (found.column("s1").to_numpy() == first[:, 0]).all()


def test_what_may_not_have_been_meant_is_hinted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    table = pa.table({"x": x, "y": (x > 0).astype(float)})
    config = {
        "name": "hints",
        "inputs": {"x": "number", "y": "number"},
        "target": {"column": "y"},
        "stages": {"model": {"use": "xgboost", "rounds": 2}},
        "golden": 0,
    }
    found = engine.fit(engine.Config(config), table).fitted
    assert found is not None
    assert found.hints == (
        "the target 'y' holds only 0 and 1 and was learned as a number; for a probability: "
        "target.column=null 'target.value=\"y == 1\"'",
        "the target 'y' is an input, too: the model sees what it has to predict",
    )
