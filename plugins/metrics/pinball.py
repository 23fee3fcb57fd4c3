"""The loss of which a quantile is the least."""

from __future__ import annotations

from engine.metric import MetricPlugin, Scored, metric


@metric("pinball", greater_is_better=False)
class Pinball(MetricPlugin):
    """The mean of what a quantile is off by, times the quantile where it is too low, else the rest of 1.

    Source: ``sklearn.metrics.mean_pinball_loss``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> task = Task("quantiles", alphas=(0.9,))
    >>> rows = Scored(task, np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(Pinball().measure(rows), 6)
    0.633333
    """

    tasks = ("quantiles",)
    by_column = True

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import mean_pinball_loss

        return float(
            mean_pinball_loss(rows.y, rows.score, alpha=rows.task.alphas[0], sample_weight=rows.weight)
        )
