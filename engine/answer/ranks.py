"""Ranks of rows within their groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.values import FloatArray


def ranks(values: FloatArray, starts: NDArray[np.int64], *, highest: bool) -> FloatArray:
    """The rank of each row in its group, from 1: of equal values the earlier row's is lower; missing last.

    Parameters
    ----------
    values : float64 array, shape (n_rows,)
    starts : int64 array
        The first row of each group, ascending from 0.
    highest : bool
        Whether the highest value is first; else the lowest.

    Examples
    --------
    >>> ranks(np.array([0.2, np.nan, 0.7, 0.7, 0.1]), np.array([0, 4]), highest=True)
    array([3., 4., 1., 2., 1.])
    """
    sizes = np.diff(np.append(starts, len(values)))
    groups = np.repeat(np.arange(len(starts)), sizes)
    missing = np.isnan(values)
    keys = np.where(missing, 0.0, -values if highest else values)
    order = np.lexsort((keys, missing, groups))  # stable: rows that are equal keep their order
    found = np.empty(len(values))
    found[order] = np.arange(len(values)) - np.repeat(starts, sizes) + 1
    return found
