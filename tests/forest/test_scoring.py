"""Margins in place of predictions, and margins that rows bring along: XGBoost's bits."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xgboost

from engine.forest.choose import choose_scorer
from engine.forest.native import NativeScorer
from engine.forest.scoring import Scoring
from engine.forest.verify import xgboost_version
from engine.scorer import Scorer
from tests.forest import zoo

WAYS = [Scoring(margin=True), Scoring(base_margin=True), Scoring(margin=True, base_margin=True)]
# one of each way from margins to predictions, of each form of leaves, of DART, and of categories
KINDS = (
    "logistic", "softprob", "softmax", "quantiles", "poisson", "hinge", "targets", "vector leaves", "dart",
    "partitions",
)  # fmt: skip


def wanted(kind: str, x: np.ndarray, base: np.ndarray | None, margin: bool) -> np.ndarray:
    booster = zoo.booster(kind)
    if zoo.MODELS[kind].get("booster") == "dart":
        types = booster.feature_types
        matrix = xgboost.DMatrix(x, base_margin=base, feature_types=types, enable_categorical=True)
        return booster.predict(matrix, output_margin=margin, validate_features=False)
    kind_of = "margin" if margin else "value"
    return booster.inplace_predict(x, predict_type=kind_of, base_margin=base, validate_features=False)


def one_by_one(scorer: Scorer, x: np.ndarray) -> np.ndarray:
    found = np.empty((len(x), scorer.n_outputs), np.float32)
    for row, scores in zip(np.ascontiguousarray(x), found, strict=True):
        scorer.one(row, scores)
    return found


@pytest.mark.parametrize("scoring", WAYS, ids=lambda scoring: scoring.name.strip())
@pytest.mark.parametrize("kind", KINDS)
def test_bits(kind: str, scoring: Scoring) -> None:
    x = zoo.features(1100, 3, zoo.is_categorical(kind))
    native = choose_scorer(zoo.saved(kind), kind, trusted=True, scoring=scoring)
    plain = choose_scorer(zoo.saved(kind), kind, "xgboost", trusted=True, scoring=scoring)
    assert isinstance(native, NativeScorer), native.note
    base = None
    rows = x
    if scoring.base_margin:
        n_margins = native.n_features - x.shape[1]
        base = np.random.default_rng(5).normal(size=(len(x), n_margins)).astype(np.float32) * 2
        rows = np.column_stack([x, base])
    expected = wanted(kind, x, base, scoring.margin).reshape(len(x), -1)
    assert native.n_outputs == plain.n_outputs == expected.shape[1]
    assert native.used >= set(range(x.shape[1], rows.shape[1]))
    ways = [partial(s.many, r) for s in (native, plain) for r in (rows, np.asfortranarray(rows), rows[:37])]
    for found in [way() for way in ways]:
        assert found.view(np.uint32).tolist() == expected[: len(found)].view(np.uint32).tolist()
    for scorer in (native, plain):
        assert one_by_one(scorer, rows[:20]).tobytes() == np.ascontiguousarray(expected[:20]).tobytes()


def test_a_missing_base_margin_gives_a_missing_score() -> None:
    scoring = Scoring(base_margin=True)
    x = np.column_stack([zoo.features(40, 3), np.full(40, np.nan, np.float32)])
    for mode in ("native", "xgboost"):
        scorer = choose_scorer(zoo.saved("logistic"), "m", mode, trusted=True, scoring=scoring)
        assert np.isnan(scorer.many(x)).all() and np.isnan(one_by_one(scorer, x[:3])).all()


def test_what_it_says() -> None:
    scorer = choose_scorer(zoo.saved("binary"), "m", trusted=True, scoring=WAYS[2])
    assert scorer.note.startswith("native: binary:logistic of margins from base margins, ")
    assert scorer.note.endswith(f"; equal to XGBoost {xgboost_version()}")
