"""Metrics, against their definitions and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.schema import Kind
from engine.training.metrics import concordance, evaluate_scores


def evaluated(kind: Kind, y: Any, scores: Any, names: tuple[str, ...] = ("score",)) -> dict[str, float]:
    scores = np.asarray(scores, np.float64)
    return dict(evaluate_scores(kind, np.asarray(y, np.float64), scores.reshape(len(scores), -1), names))


def test_of_a_probability() -> None:
    found = evaluated(Kind.BOOLEAN, [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert list(found) == ["auc", "average_precision", "log_loss", "brier"]
    assert found["auc"] == 0.75
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.6, 0.35, 0.8])))
    assert found["brier"] == pytest.approx(np.mean(np.square([0.1, 0.4, 0.65, 0.2])))
    assert found["average_precision"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1], [1]])
def test_of_one_class_alone(y: list[int]) -> None:
    found = evaluated(Kind.BOOLEAN, y, [0.5] * len(y))
    assert np.isnan(found["auc"]) and np.isnan(found["average_precision"])
    assert found["log_loss"] == pytest.approx(np.log(2))
    assert found["brier"] == 0.25


def test_a_probability_of_a_share() -> None:
    """Soft labels have the metrics of numbers."""
    assert list(evaluated(Kind.BOOLEAN, [0.25, 1.0], [0.5, 0.5])) == ["rmse", "mae", "r2"]


def test_of_classes() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]], np.float32)
    found = evaluated(Kind.CATEGORY, [0, 1, 2], scores, ("a", "b", "c"))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.7, 0.5, 0.3])))
    fewer = evaluated(Kind.CATEGORY, [1, 1, 1], scores, ("a", "b", "c"))
    assert fewer["log_loss"] == pytest.approx(-np.mean(np.log([0.2, 0.5, 0.4])))
    assert evaluated(Kind.CATEGORY, [0, 1, 2], [0, 1, 1]) == {"accuracy": pytest.approx(2 / 3)}


def test_of_numbers() -> None:
    found = evaluated(Kind.NUMBER, [1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    assert found == {
        "rmse": pytest.approx(np.sqrt(5 / 3)),
        "mae": pytest.approx(1.0),
        "r2": pytest.approx(1 - 5 / (14 / 3)),
    }
    assert np.isnan(evaluated(Kind.NUMBER, [1.0], [2.0])["r2"])


def test_of_several_columns() -> None:
    found = evaluated(Kind.NUMBER, [1.0, 2.0], [[1.0, 2.0], [2.0, 2.0]], ("score_q0.1", "score_q0.9"))
    assert list(found)[:4] == ["rmse_score_q0.1", "mae_score_q0.1", "r2_score_q0.1", "rmse_score_q0.9"]
    assert found["mae_score_q0.1"] == 0 and found["mae_score_q0.9"] == 0.5


@pytest.mark.parametrize("worst", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("kind", [Kind.BOOLEAN, Kind.CATEGORY, Kind.NUMBER])
def test_a_model_that_overflows(kind: Kind, worst: float) -> None:
    plain = evaluated(kind, [0, 1, 1], [0, 1, 0])
    found = evaluated(kind, [0, 1, 1], [0, worst, 0])
    assert list(found) == list(plain)
    assert np.isnan(list(found.values())).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=2, max_size=40))
def test_auc_by_pairs(rows: list[tuple[bool, float]]) -> None:
    y, p = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    found = evaluated(Kind.BOOLEAN, y, p)
    assert found["log_loss"] == sklearn.metrics.log_loss(y, p, labels=[0, 1])
    low, high = p[y == 0], p[y == 1]
    if len(low) and len(high):
        wins = (high[:, None] > low).sum() + 0.5 * (high[:, None] == low).sum()
        assert found["auc"] == pytest.approx(wins / (len(low) * len(high)))
    else:
        assert np.isnan(found["auc"])


def test_concordance_counts_pairs_whose_order_is_known() -> None:
    rng = np.random.default_rng(0)
    lower = rng.integers(1, 30, 200).astype(float)
    upper = np.where(rng.random(200) < 0.3, np.inf, lower + rng.integers(0, 3, 200))
    predicted = (lower + rng.normal(size=200) * 10).round()
    right = known = 0.0
    for i in range(200):
        for j in range(200):
            if upper[i] < lower[j]:
                known += 1
                right += 1.0 if predicted[i] < predicted[j] else 0.5 * (predicted[i] == predicted[j])
    assert concordance(np.column_stack([lower, upper]), predicted) == pytest.approx(right / known, abs=1e-15)
    assert np.isnan(concordance(np.array([[1.0, np.inf], [2.0, np.inf]]), np.zeros(2)))
