"""The mean deviance of a gamma distribution."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("gamma_deviance", greater_is_better=False)
class GammaDeviance(MetricPlugin):
    """The mean unit deviance of a gamma distribution with scores as its means.

    NaN where a target or a score is not above 0. Source: ``sklearn.metrics.mean_gamma_deviance``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("gamma"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(GammaDeviance().measure(rows), 6)
    0.252656
    """

    tasks = ("gamma",)

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import mean_gamma_deviance

        if rows.y.min() <= 0 or rows.score.min() <= 0:
            return np.nan
        return float(mean_gamma_deviance(rows.y, rows.score, sample_weight=rows.weight))
