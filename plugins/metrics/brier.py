"""Squared error of probabilities."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric
from engine.training.classes import shares


@metric("brier", greater_is_better=False)
class Brier(MetricPlugin):
    """The mean squared difference of probability and outcome.

    It goes from 0 to 1; over several classes it is summed, and goes to 2. Source: G. W. Brier, Verification
    of forecasts expressed in terms of probability (1950).

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> round(Brier().measure(rows), 6)
    0.158125
    """

    tasks = ("binary", "classes")

    def measure(self, rows: Scored) -> float:
        if rows.task.kind == "binary":
            return float(np.average(np.square(rows.score - rows.y), weights=rows.weight))
        wrong = shares(rows.scores)
        wrong[np.arange(len(rows)), rows.y.astype(np.int64)] -= 1.0
        return float(np.average(np.square(wrong).sum(axis=1), weights=rows.weight))
