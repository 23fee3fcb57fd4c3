"""Models that Hypothesis trains, and models as older releases stored them: XGBoost's bits all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.forest import oracle, verify
from engine.forest.faults import UnsupportedError
from engine.forest.forest import read_document, read_forest
from engine.forest.native import NativeScorer
from tests.forest import zoo

trainings = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(
            ["reg:squarederror", "binary:logistic", "multi:softprob", "count:poisson", "rank:pairwise"]
        ),
        "tree_method": st.sampled_from(["hist", "exact", "approx"]),
        "max_depth": st.integers(1, 11),
        "eta": st.sampled_from([0.05, 0.5, 1.0]),
        "min_child_weight": st.sampled_from([0.0, 1.0, 20.0]),
        "max_bin": st.sampled_from([2, 16, 256, 1024]),
        "subsample": st.sampled_from([0.5, 1.0]),
        "num_parallel_tree": st.integers(1, 3),
        "gamma": st.sampled_from([0.0, 2.0]),
        "seed": st.integers(0, 1000),
    }
)
shapes = st.tuples(
    st.integers(1, 9), st.integers(5, 900), st.integers(0, 6), st.sampled_from([0.0, 0.2, 0.9])
)


def check(data: bytes, n_rows: int = 330) -> None:
    forest = read_forest(read_document(data, "m"), "m", zoo.RELEASE)
    x = verify.rows_around(forest, n_rows)
    wanted = oracle.predict(data, x).reshape(len(x), forest.n_outputs)
    scorer = NativeScorer(forest)
    assert zoo.bits(scorer.many(x)) == zoo.bits(wanted)
    one = np.empty_like(wanted[:40])
    for row, scores in zip(x, one, strict=False):
        scorer.one(row, scores)
    assert zoo.bits(one) == zoo.bits(wanted[:40])


@given(params=trainings, shape=shapes, coarse=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_training(params: dict[str, Any], shape: tuple[int, int, int, float], coarse: bool) -> None:
    n_features, n_rows, rounds, missing = shape
    rng = np.random.default_rng(params["seed"])
    x = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    x = np.round(x * 3) if coarse else x
    signal = x.sum(axis=1) + rng.normal(size=n_rows)
    x[rng.random(x.shape) < missing] = np.nan
    y = {"reg:squarederror": signal, "multi:softprob": np.digitize(signal, [-1, 1])}.get(
        params["objective"], (signal > 0).astype(float)
    )
    more: dict[str, Any] = {"num_class": 3} if params["objective"] == "multi:softprob" else {}
    matrix = xgboost.DMatrix(x, y)
    if params["objective"].startswith("rank:"):
        matrix.set_group([n_rows])
    data = bytes(xgboost.train({**params, **more, "nthread": 1}, matrix, rounds).save_raw("ubj"))
    if rounds:
        check(data)


@pytest.mark.parametrize("objective", ["binary:logistic", "count:poisson"])
def test_models_without_trees_keep_their_base_score_raw(objective: str) -> None:
    matrix = xgboost.DMatrix(zoo.features(20), np.ones(20))
    data = bytes(xgboost.train({"objective": objective}, matrix, 0).save_raw("ubj"))
    with pytest.raises(UnsupportedError, match="it has no trees"):
        read_forest(read_document(data, "m"), "m", zoo.RELEASE)


def test_vector_leaves_of_older_releases() -> None:
    data = zoo.edited("vector leaves", zoo.old_vector_leaves)
    x = zoo.hard_rows("vector leaves", 200)
    forest = read_forest(read_document(data, "m"), "m", zoo.RELEASE)
    # XGBoost 3.2 itself doesn't survive this form, so its answers are those to the newer one.
    assert zoo.bits(NativeScorer(forest).many(x)) == zoo.bits(zoo.expected("vector leaves", x))


@pytest.mark.parametrize("kind", ["binary", "poisson", "squared error", "logitraw", "hinge"])
@pytest.mark.parametrize("text", ["3E-1", "1.23456789E-1", "[2.5E-1]", "9.9999999E-1", "1E-9"])
def test_base_scores(kind: str, text: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["learner_model_param"]["base_score"] = text

    check(zoo.edited(kind, change), 64)
