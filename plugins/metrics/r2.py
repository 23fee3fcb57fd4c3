"""Share of the variance that is explained."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("r2", greater_is_better=True)
class R2(MetricPlugin):
    """1 less the squared error in shares of that of the targets' own mean.

    NaN where all targets are the same. Source: ``sklearn.metrics.r2_score``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("number"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(R2().measure(rows), 6)
    -0.071429
    """

    tasks = ("number", "counts", "gamma", "tweedie")
    by_column = True

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import r2_score

        if rows.y.min() == rows.y.max():
            return np.nan
        return float(r2_score(rows.y, rows.score, sample_weight=rows.weight))
