"""Metrics, against their definitions and scikit-learn."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.metric import TASKS, MetricPlugin, Scored, Task, metric
from engine.registry import Registry
from engine.training.metrics import METRICS, OF_FIT, load_metrics, measure

EVERY = Registry().names("metric")


def scored(task: str, y: Any, scores: Any, weight: Any = None, group: Any = None, **more: Any) -> Scored:
    scores = np.asarray(scores, np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    columns = more.pop("columns", tuple(f"s{i}" for i in range(scores.shape[1])))
    return Scored(
        Task(task, columns, **more),
        np.asarray(y, np.float64),
        scores,
        None if weight is None else np.asarray(weight, np.float64),
        None if group is None else np.asarray(group, np.int64),
    )


def found(rows: Scored, *names: str) -> dict[str, float]:
    return measure(rows, load_metrics(names or METRICS[rows.task.kind]))


# -- what there is


def test_each_task_has_its_metrics_and_each_metric_its_task() -> None:
    assert set(METRICS) == set(OF_FIT) == set(TASKS)
    assert {name for names in METRICS.values() for name in names} == set(EVERY)
    for task in TASKS:
        assert set(OF_FIT[task]) <= set(METRICS[task])
        for item in load_metrics(METRICS[task]):
            assert task in item.tasks


def test_every_metric_stands_degenerate_rows() -> None:
    """No row, one row, one class, ties alone, scores that are no numbers: NaN or a number, never an error."""
    for task in TASKS:
        wide = 3 if task in ("classes", "quantiles") else 1
        for y in ([], [1.0], [0.0], [1.0, 1.0, 1.0], [0.0, 0.0], [0.0, 1.0, 1.0]):
            for level in (0.25, np.nan, np.inf, -np.inf):
                scores = np.full((len(y), wide), 0.0 if task == "class" and level == 0.25 else level)
                made = scored(task, y, scores, group=np.zeros(len(y)), alphas=(0.1, 0.5, 0.9), power=1.5)
                for weight in (None, np.ones(len(y)), np.zeros(len(y))):
                    rows = Scored(made.task, made.y, made.scores, weight, made.group)
                    values = found(rows)
                    undefined = (
                        not len(y) or not np.isfinite(level) or (weight is not None and not weight.any())
                    )
                    assert not undefined or np.isnan(list(values.values())).all(), (task, y, level)


# -- against scikit-learn

_ROWS = st.integers(2, 60)


@st.composite
def weighted(draw: Any) -> tuple[np.random.Generator, int, Any]:
    """A generator of numbers, how many rows, and weights (some 0) or None."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(_ROWS)
    kind = draw(st.sampled_from(["none", "some", "whole"]))
    weight = None if kind == "none" else rng.integers(0, 4, n) if kind == "whole" else rng.random(n)
    return rng, n, weight


def agree(rows: Scored, wanted: dict[str, float]) -> None:
    values = found(rows, *wanted)
    for name, value in wanted.items():
        assert values[name] == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_two_classes(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, w = drawn
    y, p = rng.integers(0, 2, n), rng.integers(0, 11, n) / 10  # with ties
    kept = np.ones(n, bool) if w is None else w > 0
    v = None if w is None else w[kept]
    yk, pk = y[kept], p[kept]
    if not len(yk):
        assert np.isnan(list(found(scored("binary", y, p, w)).values())).all()
        return
    both = len(set(yk.tolist())) == 2
    agree(
        scored("binary", y, p, w),
        {
            "auc": oracle.roc_auc_score(yk, pk, sample_weight=v) if both else np.nan,
            "average_precision": oracle.average_precision_score(yk, pk, sample_weight=v) if both else np.nan,
            "log_loss": oracle.log_loss(yk, pk, labels=[0, 1], sample_weight=v),
            "brier": oracle.brier_score_loss(yk, pk, sample_weight=v, pos_label=1),
            "accuracy": oracle.accuracy_score(yk, pk >= 0.5, sample_weight=v),
            "precision": oracle.precision_score(yk, pk >= 0.5, sample_weight=v, zero_division=np.nan),
            "recall": oracle.recall_score(yk, pk >= 0.5, sample_weight=v, zero_division=np.nan),
            "f1": oracle.f1_score(yk, pk >= 0.5, sample_weight=v, zero_division=np.nan),
        },
    )
    bins = np.minimum((pk * 10).astype(int), 9)
    weights = np.ones(len(yk)) if v is None else v
    apart = [
        abs(float(weights[bins == b] @ (pk - yk)[bins == b])) for b in range(10)
    ]  # weight × |mean p − mean y| of each bin
    agree(scored("binary", y, p, w), {"ece": sum(apart) / weights.sum()})


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_several_classes(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, w = drawn
    w = None if w is None else np.maximum(w, 0.125)
    y, p = rng.integers(0, 4, n), rng.random((n, 4))
    p /= p.sum(axis=1, keepdims=True)
    each = [
        oracle.roc_auc_score(y == i, p[:, i], sample_weight=w) for i in set(y.tolist()) if 0 < sum(y == i) < n
    ]
    agree(
        scored("classes", y, p, w),
        {
            "log_loss": oracle.log_loss(y, p, labels=[0, 1, 2, 3], sample_weight=w),
            "accuracy": oracle.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
            "f1_macro": oracle.f1_score(y, p.argmax(axis=1), average="macro", sample_weight=w),
            "auc_ovr": float(np.mean(each)) if each else np.nan,
            "brier": float(np.average(np.square(p - np.eye(4)[y]).sum(axis=1), weights=w)),
        },
    )
    if len(each) == 4:
        whole = oracle.roc_auc_score(y, p, multi_class="ovr")
        agree(scored("classes", y, p), {"auc_ovr": whole})
    agree(scored("class", y, p.argmax(axis=1)), {"accuracy": oracle.accuracy_score(y, p.argmax(axis=1))})


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_numbers(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, w = drawn
    w = None if w is None else np.maximum(w, 0.125)
    y, p = rng.gamma(2, 3, n), rng.gamma(2, 3, n)
    agree(
        scored("number", y, p, w),
        {
            "rmse": oracle.root_mean_squared_error(y, p, sample_weight=w),
            "mae": oracle.mean_absolute_error(y, p, sample_weight=w),
            "mape": oracle.mean_absolute_percentage_error(y, p, sample_weight=w),
            "r2": oracle.r2_score(y, p, sample_weight=w),
        },
    )
    agree(scored("gamma", y, p, w), {"gamma_deviance": oracle.mean_gamma_deviance(y, p, sample_weight=w)})
    some = np.where(rng.random(n) < 0.3, 0, y)
    agree(
        scored("tweedie", some, p, w, power=1.3),
        {"tweedie_deviance": oracle.mean_tweedie_deviance(some, p, power=1.3, sample_weight=w)},
    )
    counts = rng.poisson(2, n)
    agree(
        scored("counts", counts, p, w),
        {"poisson_deviance": oracle.mean_poisson_deviance(counts, p, sample_weight=w)},
    )
    several = np.stack([p, p + 1], axis=1)
    values = found(scored("quantiles", y, several, w, alphas=(0.2, 0.7), columns=("lo", "hi")))
    assert list(values) == ["pinball_lo", "pinball_hi", "below_lo", "below_hi", "coverage"]
    for name, i, alpha in (("lo", 0, 0.2), ("hi", 1, 0.7)):
        loss = oracle.mean_pinball_loss(y, several[:, i], alpha=alpha, sample_weight=w)
        assert values[f"pinball_{name}"] == pytest.approx(loss, rel=1e-12)
        assert values[f"below_{name}"] == pytest.approx(np.average(y <= several[:, i], weights=w))
    assert values["coverage"] == pytest.approx(np.average((p <= y) & (y <= p + 1), weights=w))


def test_where_numbers_define_nothing() -> None:
    assert np.isnan(found(scored("number", [0.0, 1.0], [1.0, 1.0]), "mape")["mape"])
    assert np.isnan(found(scored("number", [2.0, 2.0], [1.0, 1.0]), "r2")["r2"])
    assert np.isnan(found(scored("counts", [1.0, 2.0], [0.0, 1.0]), "poisson_deviance")["poisson_deviance"])
    assert np.isnan(found(scored("quantiles", [1.0], [1.0], alphas=(0.5,)), "coverage")["coverage"])


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_an_order(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, w = drawn
    w = None if w is None else np.maximum(w, 0.125)
    y, p, group = rng.integers(0, 4, n), rng.integers(0, 6, n).astype(float), rng.integers(0, 5, n) * 7
    gains, precisions, weights = [], [], []
    for g in set(group.tolist()):
        own = group == g
        if not y[own].any():
            continue
        gain = 2.0 ** y[own] - 1
        # of a single row, scikit-learn says nothing
        gains.append(oracle.ndcg_score([gain], [p[own]]) if own.sum() > 1 else 1.0)
        precisions.append(oracle.average_precision_score(y[own] > 0, p[own]) if own.sum() > 1 else 1.0)
        weights.append(1.0 if w is None else w[own].mean())
    wanted = {
        "ndcg": np.average(gains, weights=weights) if gains else np.nan,
        "map": np.average(precisions, weights=weights) if gains else np.nan,
    }
    agree(scored("ranking", y, p, w, group), wanted)
    assert np.isnan(list(found(scored("ranking", y, p, w)).values())).all()  # no groups


def concordance(y: Any, risk: Any, weight: Any) -> float:
    """Harrell's C, pair by pair."""
    good = every = 0.0
    for i, j in combinations(range(len(y)), 2):
        first, later = (i, j) if (abs(y[i]), y[i] < 0) <= (abs(y[j]), y[j] < 0) else (j, i)
        same = abs(y[i]) == abs(y[j])
        if y[first] < 0 or (same and y[later] > 0):
            continue
        pair = weight[i] * weight[j]
        every += pair
        good += pair * (0.5 if risk[first] == risk[later] else float(risk[first] > risk[later]))
    return good / every if every else np.nan


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_times(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, w = drawn
    w = None if w is None else np.maximum(w, 0.125)
    y = rng.integers(1, 15, n) * rng.choice([-1, 1], n)
    risk = rng.integers(0, 9, n)
    wanted = concordance(y, risk, np.ones(n) if w is None else w)
    agree(scored("survival", y, risk, w), {"concordance": wanted})
    agree(scored("survival", y, -risk, w, reversed=True), {"concordance": wanted})


@settings(max_examples=40, deadline=None)
@given(weighted())
def test_of_bounds(drawn: tuple[np.random.Generator, int, Any]) -> None:
    """Pairs whose order is known, one by one."""
    rng, n, w = drawn
    w = None if w is None else np.maximum(w, 0.125)
    lower = rng.integers(0, 30, n).astype(float)
    upper = np.where(rng.random(n) < 0.3, np.inf, lower + rng.integers(0, 3, n))
    time = (lower + rng.normal(size=n) * 10).round()
    weight = np.ones(n) if w is None else w
    pairs = np.where(upper[:, None] < lower, np.outer(weight, weight), 0.0)
    right = (time[:, None] < time) + 0.5 * (time[:, None] == time)
    wanted = (pairs * right).sum() / pairs.sum() if pairs.any() else np.nan
    y = np.column_stack([lower, upper])
    agree(scored("survival", y, time, w, reversed=True), {"concordance": wanted})
    agree(scored("survival", y, -time, w), {"concordance": wanted})


def test_of_several_targets() -> None:
    """Each metric of each column, decided at that column's threshold."""
    y, p = [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], [[0.1, 0.3], [0.6, 0.9], [0.4, 0.2]]
    rows = scored("binary", y, p, columns=("score_a", "score_b"), thresholds=(0.5, 0.25))
    assert found(rows, "accuracy", "brier") == {
        "accuracy_score_a": pytest.approx(2 / 3),
        "accuracy_score_b": 1.0,
        "brier_score_a": pytest.approx((0.01 + 0.16 + 0.36) / 3),
        "brier_score_b": pytest.approx((0.49 + 0.01 + 0.04) / 3),
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=2, max_size=40))
def test_auc_by_pairs(rows: list[tuple[bool, float]]) -> None:
    y, p = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    auc = found(scored("binary", y, p), "auc")["auc"]
    low, high = p[y == 0], p[y == 1]
    if len(low) and len(high):
        wins = (high[:, None] > low).sum() + 0.5 * (high[:, None] == low).sum()
        assert auc == pytest.approx(wins / (len(low) * len(high)))
    else:
        assert np.isnan(auc)


@settings(max_examples=15, deadline=None)
@given(weighted())
def test_a_whole_weight_is_so_many_rows(drawn: tuple[np.random.Generator, int, Any]) -> None:
    rng, n, _ = drawn
    times = rng.integers(0, 4, n)
    y, p = rng.integers(0, 2, n), rng.random(n)
    again = found(scored("binary", np.repeat(y, times), np.repeat(p, times)))
    agree(scored("binary", y, p, times), again)


# -- around them


def test_the_threshold_decides_as_the_stage_does() -> None:
    y, p = [1.0, 1.0, 0.0, 0.0], np.array([0.3, 0.2, 0.3, 0.1], np.float32)
    at = float(np.float32(0.3))
    assert found(scored("binary", y, p, threshold=at), "recall", "precision") == {
        "recall": 0.5,
        "precision": 0.5,
    }
    assert found(scored("binary", y, p, threshold=np.nextafter(at, 1)), "recall") == {"recall": 0.0}


@pytest.mark.parametrize("worst", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("task", ["binary", "classes", "number"])
def test_a_model_that_overflows(task: str, worst: float) -> None:
    scores = np.array([[0.25, 0.75], [0.5, 0.5], [worst, 0.0]])
    rows = scored(task, [0, 1, 1], scores if task == "classes" else scores[:, 0])
    values = found(rows)
    assert list(values) == list(METRICS[task])
    assert np.isnan(list(values.values())).all()
    others = found(rows.take(np.array([0, 1])), "mae" if task == "number" else "log_loss")
    assert np.isfinite(list(others.values())).all()


def test_a_metric_of_ones_own_that_fails() -> None:
    @metric("careless", greater_is_better=True)
    class Careless(MetricPlugin):
        """Fail."""

        tasks = ("number",)

        def measure(self, rows: Scored) -> float:
            return rows.y[99]  # type: ignore[no-any-return]

    with pytest.raises(UserError, match=r"'careless' fails: .*test_metrics\.py, line \d+: IndexError"):
        measure(scored("number", [1.0], [1.0]), [Careless()])
