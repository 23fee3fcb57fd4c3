"""Normalised discounted cumulative gain."""

from __future__ import annotations

from engine.metric import MetricPlugin, Scored, metric
from engine.training.ranked import mean_over_groups, ndcg


@metric("ndcg", greater_is_better=True)
class NDCG(MetricPlugin):
    """How near each group's order is to the best one, on average; a gain is ``2 ** relevance - 1``.

    Tied scores share their places. Groups in which nothing is relevant don't count; a group weighs as its
    rows do on average. NaN without groups, or with relevance below 0.

    Source: K. Järvelin and J. Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002), with the
    gains of C. Burges et al. (2005), as XGBoost has it; ties as in ``sklearn.metrics.ndcg_score``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> group = np.array([0, 0, 0])
    >>> rows = Scored(Task("ranking"), np.array([0.0, 1, 2]), np.array([[1.0], [2], [3]]), group=group)
    >>> NDCG().measure(rows)
    1.0
    """

    tasks = ("ranking",)

    def measure(self, rows: Scored) -> float:
        return mean_over_groups(rows, ndcg(rows))
