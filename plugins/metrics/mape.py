"""Mean absolute error in shares of the target."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("mape", greater_is_better=False)
class MAPE(MetricPlugin):
    """The mean of the differences without their signs, each in shares of the target: 0.1 is ten per cent.

    NaN where a target is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("number"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(MAPE().measure(rows), 6)
    0.333333
    """

    tasks = ("number", "counts", "gamma", "tweedie")
    by_column = True

    def measure(self, rows: Scored) -> float:
        if not rows.y.all():
            return np.nan
        return float(np.average(np.abs((rows.score - rows.y) / rows.y), weights=rows.weight))
