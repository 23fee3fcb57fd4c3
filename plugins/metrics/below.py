"""How many targets are at or below a quantile."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("below", greater_is_better=None)
class Below(MetricPlugin):
    """The share of targets at or below a quantile: of the quantile 0.9 it should be about 0.9.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> task = Task("quantiles", alphas=(0.9,))
    >>> rows = Scored(task, np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(Below().measure(rows), 6)
    0.666667
    """

    tasks = ("quantiles",)
    by_column = True

    def measure(self, rows: Scored) -> float:
        return float(np.average(rows.y <= rows.score, weights=rows.weight))
