"""What stages learn numbers from: the values of a column that are there."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.values import FloatArray


def finite_values(use: str, column: str, values: Any, remedy: str = "") -> FloatArray:
    """The values of a column without missing ones, all finite.

    Parameters
    ----------
    use : str
        The stage, for messages.
    column : str
    values : float64 array, shape (n,)
    remedy : str
        What else its user can do, such as ``state edges``.

    Raises
    ------
    UserError
        There are none, or some are infinite.

    Examples
    --------
    >>> finite_values("scale", "x", np.array([1.0, np.nan]))
    array([1.])
    """
    there: FloatArray = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    if not len(there):
        other = f"{remedy}, or leave the column out" if remedy else "leave the column out"
        raise UserError(f"{use} can't learn from {column!r}: no training row has a value there; {other}")
    if not np.isfinite(there).all():
        raise too_large(use, column, remedy)
    return there


def too_large(use: str, column: str, remedy: str = "") -> UserError:
    """The error where numbers can't be learned because they would not be finite."""
    other = f", or {remedy}" if remedy else ""
    return UserError(
        f"{use} can't learn from {column!r}: the training rows hold infinite or too large numbers there; "
        f"clip the column first{other}"
    )


def mean_and_deviation(values: FloatArray) -> tuple[float, float]:
    """The mean and the standard deviation of the population, as scikit-learn's ``StandardScaler`` has them.

    The deviation of a constant column is 1.

    Parameters
    ----------
    values : float64 array, shape (n,)
        None of them NaN.

    Examples
    --------
    >>> mean_and_deviation(np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    mean = float(np.mean(values))
    deviation = values - mean
    # The second term takes back the rounding of the mean (Chan, Golub and LeVeque 1983, eq. 1.7).
    rest = float(np.mean(deviation))
    variance = max(float(np.mean(deviation * deviation)) - rest * rest, 0.0)
    noise = float(np.finfo(np.float64).eps) * len(values)
    least = noise * variance + (noise * mean) * (noise * mean)  # sklearn's _is_constant_feature
    constant = isfinite(variance) and variance <= least
    return mean, 1.0 if constant else float(np.sqrt(variance))
