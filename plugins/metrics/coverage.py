"""How many targets lie between the outermost quantiles."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("coverage", greater_is_better=None)
class Coverage(MetricPlugin):
    """The share of targets from the least quantile to the greatest: from 0.05 to 0.95 it should be about 0.9.

    NaN where there is one quantile alone.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> task = Task("quantiles", alphas=(0.1, 0.9))
    >>> rows = Scored(task, np.array([1.0, 4]), np.array([[0.0, 2], [1, 3]]))
    >>> Coverage().measure(rows)
    0.5
    """

    tasks = ("quantiles",)

    def measure(self, rows: Scored) -> float:
        if rows.scores.shape[1] < 2:
            return np.nan
        low = rows.scores[:, int(np.argmin(rows.task.alphas))]
        high = rows.scores[:, int(np.argmax(rows.task.alphas))]
        return float(np.average((low <= rows.y) & (rows.y <= high), weights=rows.weight))
