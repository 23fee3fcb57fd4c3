"""Several classes: probabilities that sum to one, and the class that is decided for."""

from __future__ import annotations

import numpy as np

from engine.metric import Scored
from engine.values import FloatArray


def shares(scores: FloatArray) -> FloatArray:
    """Probabilities ``(n, k)`` that sum to one in each row; float32 ones do so only roughly.

    >>> shares(np.array([[0.5, 0.25], [0.0, 0.0]]))
    array([[0.66666667, 0.33333333],
           [0.        , 0.        ]])
    """
    totals = scores.sum(axis=1, keepdims=True)
    found: FloatArray = scores / np.where(totals > 0, totals, 1.0)
    return found


def decision(rows: Scored) -> FloatArray:
    """What scores decide for, ``(n,)``: the likeliest class, or 1 from the threshold up."""
    kind = rows.task.kind
    if kind == "classes":
        return np.asarray(rows.scores.argmax(axis=1), np.float64)
    found: FloatArray = rows.score if kind == "class" else rows.decided.astype(np.float64)
    return found
