"""Area under the precision-recall curve, as a sum of steps."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("average_precision", greater_is_better=True)
class AveragePrecision(MetricPlugin):
    """The mean precision, weighted by what each score adds to recall.

    NaN where all rows are of one class. Source: ``sklearn.metrics.average_precision_score``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> round(AveragePrecision().measure(rows), 6)
    0.833333
    """

    tasks = ("binary", "margin")

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import average_precision_score

        if rows.y.min() == rows.y.max():
            return np.nan
        return float(average_precision_score(rows.y, rows.score, sample_weight=rows.weight))
