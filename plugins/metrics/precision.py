"""How many of those decided for are right."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("precision", greater_is_better=True)
class Precision(MetricPlugin):
    """The share of rows of 1 among those that are decided for at the threshold; NaN where none is.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> Precision().measure(rows)
    1.0
    """

    tasks = ("binary", "margin", "decision")

    def measure(self, rows: Scored) -> float:
        weights = rows.weights
        chosen = weights[rows.decided].sum()
        return float(weights[rows.decided & (rows.y == 1)].sum() / chosen) if chosen else np.nan
