"""How good scores are, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.schema import Kind
from engine.values import FloatArray


def evaluate_scores(
    kind: Kind, y: FloatArray, scores: NDArray[np.float64], names: Sequence[str]
) -> Mapping[str, float]:
    """The metrics that fit what a model predicts.

    Parameters
    ----------
    kind : Kind
        What the scores are of (`engine.stage.ScoreStage.predicts`).
    y : float64 array, shape (n,), (n, k) or (n, 2)
        0 or 1, the class's index, or the number; of several targets, a column for each column of scores; or
        the bounds of the number.
    scores : float64 array, shape (n, k)
    names : sequence of str
        Of the score columns.

    Returns
    -------
    mapping of str to float
        boolean: ``auc``, ``average_precision``, ``log_loss``, ``brier``; category: ``log_loss``,
        ``accuracy``; number: ``rmse``, ``mae``, ``r2``, for each column where there are several; bounds:
        ``concordance``. A metric that these rows don't define (AUC of a single class) is NaN, and so is each
        where a score is infinite.
    """
    if not np.isfinite(scores).all():  # a model may overflow; scikit-learn takes finite numbers only
        found = evaluate_scores(kind, y, np.zeros_like(scores), names)
        return dict.fromkeys(found, np.nan)
    if y.ndim == 2 and scores.shape[1] == y.shape[1]:
        return {
            f"{metric}_{name}": value
            for i, name in enumerate(names)
            for metric, value in evaluate_scores(kind, y[:, i], scores[:, i : i + 1], [name]).items()
        }
    if y.ndim == 2:
        return {"concordance": concordance(y, scores[:, 0])}
    if kind is Kind.BOOLEAN and not ((y == 0) | (y == 1)).all():
        kind = Kind.NUMBER
    if kind is Kind.BOOLEAN:
        found = _of_probability(y, scores[:, 0])
    elif kind is Kind.CATEGORY:
        found = _of_classes(y, scores)
    elif scores.shape[1] == 1:
        found = _of_numbers(y, scores[:, 0])
    else:
        found = {
            f"{metric}_{name}": value
            for i, name in enumerate(names)
            for metric, value in _of_numbers(y, scores[:, i]).items()
        }
    return {name: float(value) for name, value in found.items()}


def concordance(bounds: FloatArray, predicted: FloatArray) -> float:
    """The share of pairs in order, of those whose order is known: Harrell's C; equal predictions count half.

    Parameters
    ----------
    bounds : float64 array, shape (n, 2)
        The order of two is known where the upper bound of one lies below the lower bound of the other.
    predicted : float64 array, shape (n,)

    Examples
    --------
    >>> concordance(np.array([[1.0, 1.0], [2.0, np.inf], [3.0, 3.0]]), np.array([0.1, 0.3, 0.2]))
    1.0
    """
    rank = np.unique(predicted, return_inverse=True)[1] + 1
    size = int(rank.max(initial=0))
    below = np.zeros(size + 1, np.int64)  # a Fenwick tree: how many earlier ones have a rank

    def up_to(place: int) -> int:
        total = 0
        while place > 0:
            total += int(below[place])
            place -= place & -place
        return total

    ends = np.argsort(bounds[:, 1], kind="stable")
    ends = ends[np.isfinite(bounds[ends, 1])]
    earlier, pairs, halves = 0, 0, 0
    for late in np.argsort(bounds[:, 0], kind="stable").tolist():
        while earlier < len(ends) and bounds[ends[earlier], 1] < bounds[late, 0]:
            place = int(rank[ends[earlier]])
            while place <= size:
                below[place] += 1
                place += place & -place
            earlier += 1
        pairs += earlier
        halves += up_to(int(rank[late]) - 1) + up_to(int(rank[late]))
    return halves / (2 * pairs) if pairs else np.nan


def _of_probability(y: FloatArray, p: FloatArray) -> dict[str, float]:
    from sklearn import metrics

    both = len(np.unique(y)) == 2
    return {
        "auc": metrics.roc_auc_score(y, p) if both else np.nan,
        "average_precision": metrics.average_precision_score(y, p) if both else np.nan,
        "log_loss": metrics.log_loss(y, p, labels=[0, 1]),
        "brier": metrics.brier_score_loss(y, p, pos_label=1),
    }


def _of_classes(y: FloatArray, scores: NDArray[np.float64]) -> dict[str, float]:
    from sklearn import metrics

    if scores.shape[1] == 1:
        return {"accuracy": metrics.accuracy_score(y, scores[:, 0])}
    # float32 probabilities sum to one only roughly
    totals = scores.sum(axis=1, keepdims=True)
    shares = scores / np.where(totals > 0, totals, 1.0)
    return {
        "log_loss": metrics.log_loss(y, shares, labels=list(range(scores.shape[1]))),
        "accuracy": metrics.accuracy_score(y, scores.argmax(axis=1)),
    }


def _of_numbers(y: FloatArray, p: FloatArray) -> dict[str, float]:
    from sklearn import metrics

    return {
        "rmse": metrics.root_mean_squared_error(y, p),
        "mae": metrics.mean_absolute_error(y, p),
        "r2": metrics.r2_score(y, p) if len(y) > 1 else np.nan,
    }
