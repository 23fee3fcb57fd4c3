"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("auc", greater_is_better=True)
class AUC(MetricPlugin):
    """How often a row of 1 has a higher score than a row of 0; a tie counts one half.

    NaN where all rows are of one class. Source: ``sklearn.metrics.roc_auc_score``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> AUC().measure(rows)
    0.75
    """

    tasks = ("binary", "margin", "decision")

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import roc_auc_score

        if rows.y.min() == rows.y.max():
            return np.nan
        return float(roc_auc_score(rows.y, rows.score, sample_weight=rows.weight))
