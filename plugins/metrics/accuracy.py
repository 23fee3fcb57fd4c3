"""The share of right decisions."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric
from engine.training.classes import decision


@metric("accuracy", greater_is_better=True)
class Accuracy(MetricPlugin):
    """The share of rows that are decided rightly: at the threshold, or for the likeliest class.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> Accuracy().measure(rows)
    0.75
    """

    tasks = ("binary", "margin", "decision", "classes", "class")

    def measure(self, rows: Scored) -> float:
        right = decision(rows) == rows.y
        return float(np.average(right, weights=rows.weight))
