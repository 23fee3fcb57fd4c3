"""Negative log-likelihood of what was true."""

from __future__ import annotations

from engine.metric import MetricPlugin, Scored, metric
from engine.training.classes import shares


@metric("log_loss", greater_is_better=False)
class LogLoss(MetricPlugin):
    """The mean of -log of the probability that was given to what was true.

    Source: ``sklearn.metrics.log_loss``, which keeps probabilities from 0 and 1 by the float's epsilon.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> round(LogLoss().measure(rows), 6)
    0.472288
    """

    tasks = ("binary", "classes")

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import log_loss

        if rows.task.kind == "binary":
            return float(log_loss(rows.y, rows.score, labels=[0, 1], sample_weight=rows.weight))
        labels = list(range(rows.scores.shape[1]))
        return float(log_loss(rows.y, shares(rows.scores), labels=labels, sample_weight=rows.weight))
