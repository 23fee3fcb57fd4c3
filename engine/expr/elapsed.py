"""Time between two timestamps, both int64 µs since 1970: one row of a kernel, and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.values import NAT

DAY = 86_400_000_000
"""Microseconds of a day."""


def parts(us: int) -> tuple[float, float]:
    """A moment as whole days and the rest in µs: two numbers that float64 holds exactly.

    >>> parts(-1)
    (-1.0, 86399999999.0)
    """
    days, rest = divmod(us, DAY)
    return float(days), float(rest)


def array_moment(days: Any, rest: Any) -> Any:
    """The moment that `parts` took apart."""
    return np.asarray(days).astype(np.int64) * np.int64(DAY) + np.asarray(rest).astype(np.int64)


def array_elapsed(later: Any, earlier: Any) -> Any:
    """``later - earlier`` in µs, to the nearest float64; NaN where either is missing.

    The difference of whole numbers is exact before it is rounded. Beyond 2**63 µs, and no two timestamps of
    inputs lie as far apart, it is that of the rounded numbers.
    """
    a, b = np.asarray(later, np.int64), np.asarray(earlier, np.int64)
    whole = a - b
    beyond = ((a ^ b) & (a ^ whole)) < 0
    found = np.where(beyond, a.astype(np.float64) - b.astype(np.float64), whole.astype(np.float64))
    return np.where((a == NAT) | (b == NAT), np.nan, found)


def moment(days: Any, rest: Any) -> Any:
    """`array_moment`, for one row."""
    return np.int64(days) * np.int64(DAY) + np.int64(rest)


def elapsed(later: Any, earlier: Any) -> Any:
    """`array_elapsed`, for one row."""
    if (later == NAT) | (earlier == NAT):
        return np.nan
    whole = later - earlier
    if ((later ^ earlier) & (later ^ whole)) < 0:
        return np.float64(later) - np.float64(earlier)
    return np.float64(whole)
