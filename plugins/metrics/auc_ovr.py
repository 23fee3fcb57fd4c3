"""Area under the ROC curve, each class against the rest."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("auc_ovr", greater_is_better=True)
class AUCOneVsRest(MetricPlugin):
    """The plain mean of each class's AUC against all other classes.

    Classes that no row is of don't count. NaN where all rows are of one class.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]])
    >>> rows = Scored(Task("classes"), np.array([0.0, 1, 2]), scores)
    >>> round(AUCOneVsRest().measure(rows), 6)
    0.916667
    """

    tasks = ("classes",)

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import roc_auc_score

        there = np.unique(rows.y).astype(np.int64)
        if len(there) < 2:
            return np.nan
        each = [roc_auc_score(rows.y == i, rows.scores[:, i], sample_weight=rows.weight) for i in there]
        return float(np.mean(each))
