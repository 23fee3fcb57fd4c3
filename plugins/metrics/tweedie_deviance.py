"""The mean deviance of a Tweedie distribution."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("tweedie_deviance", greater_is_better=False)
class TweedieDeviance(MetricPlugin):
    """The mean unit deviance of a Tweedie distribution with scores as its means.

    Its variance power is the model's own. NaN where a target is below 0 or a score not above 0. Source:
    ``sklearn.metrics.mean_tweedie_deviance``.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("tweedie", power=1.5), np.array([0.0, 2, 4]), np.array([[1.0], [3], [2]]))
    >>> round(TweedieDeviance().measure(rows), 6)
    1.73462
    """

    tasks = ("tweedie",)

    def measure(self, rows: Scored) -> float:
        from sklearn.metrics import mean_tweedie_deviance

        if rows.y.min() < 0 or rows.score.min() <= 0:
            return np.nan
        power = rows.task.power
        return float(mean_tweedie_deviance(rows.y, rows.score, power=power, sample_weight=rows.weight))
