"""The mean deviance of a Poisson distribution."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("poisson_deviance", greater_is_better=False)
class PoissonDeviance(MetricPlugin):
    """The mean unit deviance of a Poisson distribution with scores as its means.

    NaN where a target is below 0 or a score not above 0. Source: ``sklearn.metrics.mean_poisson_deviance``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("counts"), np.array([1.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(PoissonDeviance().measure(rows), 6)
    0.641106
    """

    tasks = ("counts",)

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import mean_poisson_deviance

        if rows.y.min() < 0 or rows.score.min() <= 0:
            return np.nan
        return float(mean_poisson_deviance(rows.y, rows.score, sample_weight=rows.weight))
