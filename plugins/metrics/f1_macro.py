"""The mean of the classes' F1."""

from __future__ import annotations

from engine.metric import MetricPlugin, Scored, metric
from engine.training.classes import decision


@metric("f1_macro", greater_is_better=True)
class F1Macro(MetricPlugin):
    """The plain mean of the F1 of each class that is true of a row or decided for.

    Source: ``sklearn.metrics.f1_score(average="macro")``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]])
    >>> rows = Scored(Task("classes"), np.array([0.0, 1, 2]), scores)
    >>> round(F1Macro().measure(rows), 6)
    0.555556
    """

    tasks = ("classes", "class")

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import f1_score

        return float(f1_score(rows.y, decision(rows), average="macro", sample_weight=rows.weight))
