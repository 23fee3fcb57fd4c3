"""Predictions out of margins, for metrics: near XGBoost's; its bits are those of `engine.forest.output`."""

from __future__ import annotations

import numpy as np

from engine.values import FloatArray


def predictions(objective: str, margins: FloatArray) -> FloatArray:
    """What an objective makes of margins.

    Parameters
    ----------
    objective : str
    margins : float64 array, shape (n, n_margins)

    Returns
    -------
    float64 array, shape (n, n_margins)
        Of ``multi:softmax``: probabilities, too.

    Examples
    --------
    >>> predictions("binary:logistic", np.array([[0.0]]))
    array([[0.5]])
    """
    from engine.forest.forest import TRANSFORMS

    way = TRANSFORMS.get(objective, "identity")
    with np.errstate(over="ignore"):
        if way == "sigmoid":
            return 1 / (1 + np.exp(-margins))
        if way == "exp":
            return np.exp(margins)
        if way == "hinge":
            return (margins > 0).astype(np.float64)
    if way in ("softprob", "softmax"):
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
    return margins
