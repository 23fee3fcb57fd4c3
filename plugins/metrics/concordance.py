"""Harrell's concordance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.metric import MetricPlugin, Scored, metric
from engine.values import FloatArray, IntArray


@metric("concordance", greater_is_better=True)
class Concordance(MetricPlugin):
    """How often, of two rows, the one that ended first has the higher risk: Harrell's C.

    A negative target is a time by which the end was not seen, as XGBoost has it. Two rows can be compared
    where the one with the shorter time ended, or where the times are the same and one of them ended; where
    the target has bounds, if the upper bound of one lies below the lower bound of the other. Tied risks count
    one half; a pair weighs as the product of its rows' weights. NaN where no two can be compared.

    Source: F. Harrell et al., Multivariable prognostic models (Statistics in Medicine, 1996); ties in time as
    in ``sksurv.metrics.concordance_index_censored``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("survival"), np.array([1.0, -2.0, 3.0]), np.array([[3.0], [1.0], [2.0]]))
    >>> Concordance().measure(rows)
    1.0
    """

    tasks = ("survival",)

    def measure(self, rows: Scored) -> float:
        ended, end_key, time_key = _keys(rows.y)
        risk = -rows.score if rows.task.reversed else rows.score
        rank = np.unique(risk, return_inverse=True)[1]
        width = int(rank.max()) + 1
        weight = rows.weights
        good = tied = every = 0.0
        # two keys differ in a highest bit: each bit finds the pairs in which it is the highest one
        for bit in range(int(time_key.max()).bit_length()):
            later = np.flatnonzero((time_key >> bit) & 1 == 1)
            place = (time_key[later] >> (bit + 1)) * width + rank[later]
            order = np.argsort(place, kind="stable")
            place, total = place[order], np.concatenate([[0.0], np.cumsum(weight[later[order]])])
            sooner = np.flatnonzero(ended & ((end_key >> bit) & 1 == 0))
            first = (end_key[sooner] >> (bit + 1)) * width
            mine = first + rank[sooner]
            # whole numbers: what is up to mine lies before mine + 1
            begin, lower, upper, end = (
                total[np.searchsorted(place, at)] for at in (first, mine, mine + 1, first + width)
            )
            good += float(weight[sooner] @ (lower - begin))
            tied += float(weight[sooner] @ (upper - lower))
            every += float(weight[sooner] @ (end - begin))
        return (good + tied / 2) / every if every else np.nan


def _keys(y: FloatArray) -> tuple[NDArray[np.bool_], IntArray, IntArray]:
    """Who ended, and whole numbers: one ended before another where its first is below the other's second."""
    if y.ndim == 2:
        lower, upper = y.T
        key = np.unique(np.concatenate([upper, lower]), return_inverse=True)[1]
        return np.isfinite(upper), key[: len(y)], key[len(y) :]
    ended = y > 0
    # later times have greater keys; of the same time, what was not seen to end is later
    key = 2 * np.unique(np.abs(y), return_inverse=True)[1] + ~ended
    return ended, key, key
