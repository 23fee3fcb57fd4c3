"""How good scores are, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.schema import Kind
from engine.values import FloatArray


def evaluate_scores(
    kind: Kind, y: FloatArray, scores: NDArray[np.float64], classes: Sequence[str]
) -> Mapping[str, float]:
    """The metrics that fit a target.

    Parameters
    ----------
    kind : Kind
        Of the target.
    y : float64 array, shape (n,)
    scores : float64 array, shape (n, k)
        One column, or one for each class.
    classes : sequence of str

    Returns
    -------
    mapping of str to float
        boolean: ``auc``, ``average_precision``, ``log_loss``, ``brier``; category: ``log_loss``,
        ``accuracy``; number: ``rmse``, ``mae``, ``r2``. A metric that these rows don't define (AUC of a
        single class) is NaN.
    """
    from sklearn import metrics

    if kind is Kind.BOOLEAN and scores.shape[1] == 1:
        p = scores[:, 0]
        both = len(np.unique(y)) == 2
        found = {
            "auc": metrics.roc_auc_score(y, p) if both else np.nan,
            "average_precision": metrics.average_precision_score(y, p) if both else np.nan,
        }
        if ((p >= 0) & (p <= 1)).all():
            found["log_loss"] = metrics.log_loss(y, p, labels=[0, 1])
            found["brier"] = metrics.brier_score_loss(y, p, pos_label=1)
    elif kind is Kind.CATEGORY or (kind is Kind.BOOLEAN and scores.shape[1] > 1):
        if scores.shape[1] > 1:
            total = scores.sum(axis=1, keepdims=True)
            found = {
                "log_loss": metrics.log_loss(y, scores / total, labels=list(range(scores.shape[1]))),
                "accuracy": metrics.accuracy_score(y, scores.argmax(axis=1)),
            }
        else:
            found = {"accuracy": metrics.accuracy_score(y, scores[:, 0])}
    else:
        p = scores[:, 0]
        found = {
            "rmse": metrics.root_mean_squared_error(y, p),
            "mae": metrics.mean_absolute_error(y, p),
            "r2": metrics.r2_score(y, p) if len(y) > 1 else np.nan,
        }
    return {name: float(value) for name, value in found.items()}
