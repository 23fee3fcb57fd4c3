"""Root of the mean squared error."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("rmse", greater_is_better=False)
class RMSE(MetricPlugin):
    """The root of the mean squared difference.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("number"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(RMSE().measure(rows), 6)
    1.290994
    """

    tasks = ("number", "counts", "gamma", "tweedie")
    by_column = True

    def measure(self, rows: Scored) -> float:
        return float(np.sqrt(np.average(np.square(rows.score - rows.y), weights=rows.weight)))
