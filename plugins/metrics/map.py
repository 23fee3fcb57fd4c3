"""Mean average precision."""

from __future__ import annotations

from engine.metric import MetricPlugin, Scored, metric
from engine.training.ranked import average_precision, mean_over_groups


@metric("map", greater_is_better=True)
class MAP(MetricPlugin):
    """The mean over groups of the average precision, for which all that is above 0 is relevant.

    Groups in which nothing is relevant don't count; a group weighs as its rows do on average. NaN without
    groups. In each group it is ``sklearn.metrics.average_precision_score``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> group = np.array([0, 0, 0])
    >>> rows = Scored(Task("ranking"), np.array([0.0, 1, 2]), np.array([[1.0], [2], [3]]), group=group)
    >>> MAP().measure(rows)
    1.0
    """

    tasks = ("ranking",)

    def measure(self, rows: Scored) -> float:
        return mean_over_groups(rows, average_precision(rows))
