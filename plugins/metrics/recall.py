"""How many of the rows of 1 are found."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("recall", greater_is_better=True)
class Recall(MetricPlugin):
    """The share of the rows of 1 that are decided for at the threshold; NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> Recall().measure(rows)
    0.5
    """

    tasks = ("binary", "margin", "decision")

    def measure(self, rows: Scored) -> float:
        weights = rows.weights
        there = weights[rows.y == 1].sum()
        return float(weights[rows.decided & (rows.y == 1)].sum() / there) if there else np.nan
