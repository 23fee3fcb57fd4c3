"""Mean absolute error."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("mae", greater_is_better=False)
class MAE(MetricPlugin):
    """The mean of the differences without their signs.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("number"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> MAE().measure(rows)
    1.0
    """

    tasks = ("number", "counts", "gamma", "tweedie")
    by_column = True

    def measure(self, rows: Scored) -> float:
        return float(np.average(np.abs(rows.score - rows.y), weights=rows.weight))
