"""The scorer's answers are XGBoost's, to the bit."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import ModelError
from engine.forest.choose import choose_scorer
from engine.forest.model import read_model
from engine.forest.xgb import XGBoostScorer, first_line
from tests.forest import models

GREATEST = np.finfo(np.float32).max

values = st.one_of(
    st.floats(width=32, allow_nan=True, allow_infinity=True),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, float(GREATEST), -float(GREATEST)]),
    st.floats(-2, 2, width=32),
)
rows = st.integers(1, 70).flatmap(
    lambda n: arrays(np.float32, (n, models.N_FEATURES), elements=values, fill=st.just(np.float32("nan")))
)


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array, np.float32).tobytes()


def expected(kind: str, features: np.ndarray) -> np.ndarray:
    booster = models.booster(kind)
    if kind == "dart":
        # A DMatrix takes no infinities; the greatest numbers fall on the same side of every split.
        finite = np.clip(features, -GREATEST, GREATEST)
        return booster.predict(xgboost.DMatrix(finite), validate_features=False)
    return booster.inplace_predict(features)


def one_by_one(scorer: XGBoostScorer, features: np.ndarray) -> np.ndarray:
    row = np.empty(scorer.n_features, np.float32)
    scores = np.empty(scorer.n_outputs, np.float32)
    found = []
    for given_row in features:
        row[:] = given_row
        scorer.one(row, scores)
        found.append(scores.copy())
    return np.array(found)


@pytest.fixture(params=models.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("n_rows", [1, 2, 63, 64, 65, 4096, 4097])
def test_blocks_equal_xgboost(kind: str, n_rows: int) -> None:
    features = models.data(n_rows, seed=n_rows)
    scores = XGBoostScorer(models.saved(kind)).many(features)
    assert scores.shape[0] == n_rows and scores.dtype == np.float32
    assert bits(scores) == bits(expected(kind, features))


def test_no_rows(kind: str) -> None:
    scorer = XGBoostScorer(models.saved(kind))
    assert scorer.many(np.empty((0, models.N_FEATURES), np.float32)).shape == (0, scorer.n_outputs)


@pytest.mark.parametrize("kind", models.KINDS)
@given(features=rows)
@settings(max_examples=25, deadline=None)
def test_any_values_equal_xgboost_in_blocks_and_rows(kind: str, features: np.ndarray) -> None:
    scorer = XGBoostScorer(models.saved(kind))
    wanted = bits(expected(kind, features))
    assert bits(scorer.many(features)) == wanted
    assert bits(one_by_one(scorer, features)) == wanted


def test_chunks_and_threads_change_nothing(kind: str) -> None:
    features = models.data(1000, seed=3)
    scorer = XGBoostScorer(models.saved(kind))
    whole = scorer.many(features)
    assert bits(np.concatenate([scorer.many(features[i : i + 77]) for i in range(0, 1000, 77)])) == bits(
        whole
    )
    for threads in (2, 3, 7):
        assert bits(scorer.many(features, threads)) == bits(whole)


def test_callers_threads_do_not_disturb_each_other(kind: str) -> None:
    features = models.data(512, seed=4)
    scorer = XGBoostScorer(models.saved(kind))
    whole = scorer.many(features)
    wrong: list[str] = []
    together = threading.Barrier(4)

    def work(number: int) -> None:
        together.wait()
        for turn in range(8):
            part = slice(number * 64, number * 64 + 30 + turn)
            if bits(scorer.many(features[part])) != bits(whole[part]):
                wrong.append(f"many in thread {number}")
            if bits(one_by_one(scorer, features[part])) != bits(whole[part]):
                wrong.append(f"one in thread {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_one_follows_arrays_that_it_has_not_seen() -> None:
    features = models.data(600, seed=5)
    scorer = XGBoostScorer(models.saved("softprob"))
    found = []
    for row in features:
        scores = np.empty(4, np.float32)
        scorer.one(row.copy(), scores)
        found.append(scores)
    assert bits(np.array(found)) == bits(scorer.many(features))


def test_arrays_of_other_sizes_are_refused_wherever_they_lie() -> None:
    scorer = XGBoostScorer(models.saved("softprob"), "m.ubj")
    features, scores = np.zeros(12, np.float32), np.zeros(8, np.float32)
    scorer.one(features[:6], scores[:4])
    for x, out in ((features[:5], scores[:4]), (features[:6], scores[:3]), (features, scores[:4])):
        with pytest.raises(ModelError, match=r"m\.ubj takes 6 features for 4 scores"):
            scorer.one(x, out)
    for x, out in ((features.view(np.int32)[:6], scores[:4]), (features[::2], scores[:4])):
        with pytest.raises(ModelError, match=r"m\.ubj takes and gives float32 side by side"):
            scorer.one(x, out)


def test_rows_that_are_not_contiguous_are_copied() -> None:
    features = models.data(20)
    scorer = XGBoostScorer(models.saved("binary"))
    assert bits(scorer.many(features[::2])) == bits(scorer.many(features)[::2])


def test_features_outside_used_change_nothing(kind: str) -> None:
    features = models.data(200, seed=6)
    scorer = XGBoostScorer(models.saved(kind))
    changed = features.copy()
    changed[:, [i for i in range(models.N_FEATURES) if i not in scorer.used]] = 1e9
    assert bits(scorer.many(changed)) == bits(scorer.many(features))


def test_a_model_that_stopped_early_uses_all_its_trees() -> None:
    booster = models.booster("stopped")
    features = models.data(50)
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    scores = XGBoostScorer(models.saved("stopped")).many(features)[:, 0]
    assert bits(scores) == bits(booster.inplace_predict(features))
    first = booster.inplace_predict(features, iteration_range=(0, booster.best_iteration + 1))
    assert bits(scores) != bits(first)


def test_json_scores_as_ubjson() -> None:
    features = models.data(100)
    scorer = XGBoostScorer(bytes(models.booster("binary").save_raw("json")))
    assert bits(scorer.many(features)) == bits(XGBoostScorer(models.saved("binary")).many(features))


def test_note_says_who_scores() -> None:
    note = XGBoostScorer(models.saved("binary")).note
    assert note == f"XGBoost {xgboost.__version__}: binary:logistic, 8 trees"


def test_another_number_of_features_is_refused() -> None:
    scorer = XGBoostScorer(models.saved("binary"), "model.ubj")
    with pytest.raises(ModelError) as caught:
        scorer.many(np.zeros((2, 5), np.float32))
    assert str(caught.value) == "model.ubj takes 6 features, not shape (2, 5)"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_linear_models(objective: str) -> None:
    """XGBoost's entry for rows in memory refuses them; they are scored as a DMatrix is."""
    features = models.data(80)
    target = np.arange(80) % (3 if objective == "multi:softprob" else 2)
    params = {"booster": "gblinear", "objective": objective, "nthread": 1}
    params |= {"num_class": 3} if objective == "multi:softprob" else {}
    linear = xgboost.train(params, xgboost.DMatrix(features, target), 3)
    scorer = choose_scorer(bytes(linear.save_raw("ubj")), "linear.ubj")
    assert isinstance(scorer, XGBoostScorer)
    assert "its booster is 'gblinear'" in scorer.note
    wanted = linear.predict(xgboost.DMatrix(features)).reshape(80, -1)
    assert bits(scorer.many(features)) == bits(wanted)
    one = np.empty(scorer.n_outputs, np.float32)
    for row, expected in zip(features[:9], wanted, strict=False):
        scorer.one(row, one)
        assert bits(one) == bits(expected)


def test_splits_on_categories() -> None:
    codes = np.arange(60, dtype=np.float32).reshape(-1, 1) % 5
    y = np.isin(codes[:, 0], [1, 3]).astype(float)
    matrix = xgboost.DMatrix(codes, y, feature_types=["c"], enable_categorical=True)
    booster = xgboost.train({"max_cat_to_onehot": 1}, matrix, 2)
    model = read_model(bytes(booster.save_raw("ubj")), "c.ubj")
    assert model.categorical and model.splits_categories(0) and model.feature_types == ("c",)
    odd = np.array([[0], [1], [2.5], [3], [-1], [7], [2**24], [np.nan], [np.inf]], np.float32)
    scorer = XGBoostScorer(model, "c.ubj")
    assert bits(scorer.many(odd)) == bits(booster.inplace_predict(odd)) == bits(one_by_one(scorer, odd))


def test_first_line_of_an_error() -> None:
    raised = "[12:37:01] /x/src/gbm.cc:24: Unknown gbm type q\nStack trace:\n  [bt] (0) libxgboost.so"
    assert first_line(ValueError(raised)) == "Unknown gbm type q"
    checked = "[12:37:01] /x/a.h:48: Check failed: a.size() <= n (5 vs. 3) : The size is wrong.\nStack trace:"
    assert first_line(ValueError(checked)) == "The size is wrong."
    assert first_line(ValueError("")) == "ValueError"
