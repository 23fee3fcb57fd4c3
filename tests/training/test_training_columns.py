"""A stage may say what its training rows are: later stages learn from that, and from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import engine
from engine.errors import UserError
from engine.plan.build import build_plan
from engine.schema import Kind
from engine.training.folds import fold_rows
from engine.training.learn import Seen, TrainingData, learn
from engine.values import FIRST, Categories

STAGES = str(Path(__file__).parent / "stages")


def config(stages: dict[str, Any], **more: Any) -> engine.Config:
    base = {
        "name": "p",
        "inputs": {"a": "number", "b": "number"},
        "target": {"column": "y"},
        "split": {"kind": "time", "column": "at", "valid": 0.25, "test": 0.25},
        "plugins": [STAGES],
        "stages": stages,
        "golden": 0,
    }
    return engine.Config(base | more)


def table(rows: int = 40) -> pa.Table:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(3, rows))
    return pa.table({"a": numbers[0], "b": numbers[1], "y": numbers[2], "at": np.arange(rows)})


TELL = {"use": "tells_training", "columns": ["a"]}


def test_later_stages_learn_from_what_it_says() -> None:
    stages = {"tell": TELL, "most": {"use": "scale", "columns": ["a"], "strategy": "maxabs"}}
    pipeline = engine.fit(config(stages), table())
    assert pipeline.learned["tell"]["factor"].tolist() == [2.0]
    assert pipeline.learned["most"]["by"].tolist() == [19.0]  # 20 rows of train
    assert pipeline.predict_one({"a": 3.0}) == {"a": 6.0 / 19.0}


def test_into_another_column_too() -> None:
    scale = {"use": "scale", "columns": ["c", "a"], "strategy": "maxabs"}
    pipeline = engine.fit(config({"tell": TELL | {"into": "c"}, "most": scale}), table())
    a = table()["a"].to_numpy()[:20]
    assert pipeline.learned["most"]["by"].tolist() == [19.0, np.abs(a).max()]
    alone = engine.fit(
        config({"tell": TELL | {"says": "alone"}, "most": scale | {"columns": ["a"]}}), table()
    )
    assert alone.learned["most"]["by"].tolist() == [3.0]


def test_a_filter_behind_leaves_its_rows_out() -> None:
    """And so does one before: what it is told of are the rows that are left."""
    kinds = str(Path(__file__).parents[1] / "kinds" / "stages")
    refuse = {"use": "refuse_beyond", "columns": ["b"], "bound": 0.5}
    scale = {"use": "scale", "columns": ["a"], "strategy": "maxabs"}
    passing = np.flatnonzero(np.abs(table()["b"].to_numpy()[:20]) <= 0.5)
    more = {"plugins": [STAGES, kinds]}
    behind = engine.fit(config({"tell": TELL, "refuse": refuse, "most": scale}, **more), table())
    assert behind.learned["most"]["by"].tolist() == [passing[-1]]
    before = engine.fit(config({"refuse": refuse, "tell": TELL, "most": scale}, **more), table())
    assert before.learned["most"]["by"].tolist() == [len(passing) - 1]


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("short", "'a' as float64 of shape (19,); an array of float64 of shape (20,) is expected"),
        ("whole", "'a' as int64 of shape (20,); an array of float64 of shape (20,) is expected"),
        ("list", "'a' as a list; an array of float64 of shape (20,) is expected"),
        ("another", "'b', which is no column that it makes"),
    ],
)
def test_what_it_may_not_say(says: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        engine.fit(config({"tell": TELL | {"says": says}}), table())
    assert str(caught.value) == f"stages.tell: fit of 'tells_training' gave training values for {message}"


# -- a planted leak


def noise(rows: int, kind: Kind, seed: int) -> tuple[TrainingData, Categories]:
    """A category of about two rows each that says nothing, a number that says something, and a target."""
    rng = np.random.default_rng(seed)
    texts = tuple(f"id {i}" for i in range(rows // 2))
    ids = Categories(rng.integers(0, len(texts), rows).astype(np.int32) + FIRST, texts)
    signal = rng.normal(size=rows)
    y = signal + rng.normal(size=rows) * 2
    if kind is Kind.BOOLEAN:
        y = (y > 0).astype(np.float64)
    return TrainingData({"id": ids, "x": signal}, rows // 2, y, kind), ids


def learned(data: TrainingData, kind: Kind) -> tuple[dict[str, Any], Seen]:
    stages = {
        "encode": {"use": "target_encode", "columns": ["id"], "smooth": 0.0},
        "model": {"use": "xgboost", "rounds": 30, "params": {"max_depth": 3, "nthread": 1}},
    }
    target = {"value": "y > 0"} if kind is Kind.BOOLEAN else {"column": "y"}
    plan = build_plan(config(stages, inputs={"id": "category", "x": "number"}, target=target))
    found, seen = learn(plan, data, lambda *_: None)
    return dict(found), seen


@pytest.mark.parametrize("kind", [Kind.BOOLEAN, Kind.NUMBER])
def test_noise_of_many_categories_tells_nothing(kind: Kind) -> None:
    """Encoded by all rows, it gives the target away; crossed, it says as little on train as on valid."""
    data, ids = noise(4000, kind, 5)
    found, seen = learned(data, kind)
    late = data.y > (0.5 if kind is Kind.BOOLEAN else 0)
    train, valid = np.arange(2000), np.arange(2000, 4000)

    texts, numbers = found["encode"]["categories"][0], found["encode"]["encodings"][1:, 0]
    by_text = dict(zip(texts, numbers.tolist(), strict=True))
    mean = found["encode"]["mean"][0]
    later = np.array([by_text.get(ids.texts[code - FIRST], mean) for code in ids.codes.tolist()])
    crossed = np.asarray(seen.features["id_target"])
    leak = roc_auc_score(late[train], later[train])
    assert leak > 0.85
    assert abs(roc_auc_score(late[train], crossed) - 0.5) < 0.04
    assert abs(roc_auc_score(late[valid], later[valid]) - 0.5) < 0.04


@pytest.mark.parametrize("kind", [Kind.BOOLEAN, Kind.NUMBER])
def test_noise_of_many_categories_costs_a_model_little(kind: Kind) -> None:
    """With it, the model is no better on train than on valid, beyond what it is without it."""
    rows = 6000
    data, ids = noise(rows, kind, 6)
    source = pa.table(
        {
            "id": [ids.texts[code - FIRST] for code in ids.codes.tolist()],
            "x": np.asarray(data.columns["x"]),
            "y": data.y,
            "at": np.arange(rows),
        }
    )
    model = {"use": "xgboost", "rounds": 20, "params": {"max_depth": 2, "eta": 0.2, "nthread": 1}}
    target = {"value": "y > 0"} if kind is Kind.BOOLEAN else {"column": "y"}
    scores = {}
    for name, stages in (
        ("crossed", {"encode": {"use": "target_encode", "columns": ["id"]}, "model": model}),
        ("without", {"drop": {"use": "drop", "columns": ["id"]}, "model": model}),
    ):
        given = config(stages, inputs={"id": "category", "x": "number"}, target=target)
        pipeline = engine.fit(given, source)
        score = pipeline.predict_many(source)["score"].to_numpy()
        late = data.y > (0.5 if kind is Kind.BOOLEAN else 0)
        scores[name] = [roc_auc_score(late[part], score[part]) for part in (slice(3000), slice(4500, None))]
    (train, test), (plain_train, plain_test) = scores["crossed"], scores["without"]
    assert abs(test - plain_test) < 0.01
    assert abs(train - test) < abs(plain_train - plain_test) + 0.03


# -- folds


@settings(deadline=None)
@given(
    classes=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    count=st.integers(2, 7),
    stratified=st.booleans(),
    seed=st.integers(0, 5),
)
def test_folds(classes: list[int], count: int, stratified: bool, seed: int) -> None:
    y = np.array(classes, float)
    folds = fold_rows(len(y), count, np.random.default_rng(seed), y if stratified else None)
    assert (folds == fold_rows(len(y), count, np.random.default_rng(seed), y if stratified else None)).all()
    for which in [np.ones(len(y), bool), *([y == value for value in set(classes)] if stratified else [])]:
        sizes = np.bincount(folds[which], minlength=count)
        assert sizes.max() - sizes.min() <= 1
