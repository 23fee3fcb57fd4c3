"""Expected calibration error."""

from __future__ import annotations

import numpy as np

from engine.metric import MetricPlugin, Scored, metric
from engine.training.reliability import confidence, reliability


@metric("ece", greater_is_better=False)
class ECE(MetricPlugin):
    """How far probabilities are from frequencies, by ten bins of equal width, each weighted by its rows.

    Bin ``i`` holds probabilities in ``[i/10, (i+1)/10)``, the last one 1, too. Of several classes, the
    likeliest one's probability is held against how often it was right. Source: C. Guo et al., On calibration
    of modern neural networks (2017), section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.metric import Scored, Task
    >>> rows = Scored(Task("binary"), np.array([0.0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]]))
    >>> round(ECE().measure(rows), 6)
    0.3375
    """

    tasks = ("binary", "classes")

    def measure(self, rows: Scored) -> float:
        found = reliability(*confidence(rows), rows.weights)
        return float(np.sum(found.weight * np.abs(found.predicted - found.actual)) / found.weight.sum())
