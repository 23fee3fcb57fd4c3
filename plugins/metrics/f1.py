"""Precision and recall in one."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("f1", greater_is_better=True)
class F1(MetricPlugin):
    """The harmonic mean of precision and recall at the threshold; NaN where no row is of 1 or decided for.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> round(F1().measure(rows), 6)
    0.666667
    """

    tasks = ("binary", "margin", "decision")

    def measure(self, rows: Scored) -> float:
        weights = rows.weights
        both = weights[rows.decided].sum() + weights[rows.y == 1].sum()
        return float(2 * weights[rows.decided & (rows.y == 1)].sum() / both) if both else np.nan
