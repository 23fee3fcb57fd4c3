"""What probabilities say beside how often it was so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.metric import Scored
from engine.training.classes import decision, shares
from engine.values import FloatArray

BINS = 10
"""Bins of equal width from 0 to 1."""


@dataclass(frozen=True)
class Reliability:
    """Bins of probabilities that hold rows, from the lowest up: arrays ``(m,)``, where ``m <= BINS``.

    Parameters
    ----------
    predicted, actual : float64 array
        The mean probability, and the share of rows in which it was so.
    weight : float64 array
    rows : int64 array
    """

    predicted: FloatArray
    actual: FloatArray
    weight: FloatArray
    rows: NDArray[np.int64]


def reliability(p: FloatArray, y: FloatArray, weight: FloatArray) -> Reliability:
    """Probabilities by bins.

    Parameters
    ----------
    p : float64 array, shape (n,)
        What lies outside of 0 to 1 is in the first or the last bin.
    y : float64 array, shape (n,)
        0 or 1.
    weight : float64 array, shape (n,)

    Examples
    --------
    >>> found = reliability(np.array([0.01, 0.05, 1.0]), np.array([0.0, 1.0, 1.0]), np.ones(3))
    >>> found.predicted, found.actual, found.rows
    (array([0.03, 1.  ]), array([0.5, 1. ]), array([2, 1]))
    """
    place = np.clip((p * BINS).astype(np.int64), 0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    total = np.asarray(np.bincount(place, weight, BINS), np.float64)
    there = total > 0
    predicted = np.bincount(place, weight * p, BINS)[there] / total[there]
    actual = np.bincount(place, weight * y, BINS)[there] / total[there]
    return Reliability(predicted, actual, total[there], count[there])


def confidence(rows: Scored) -> tuple[FloatArray, FloatArray]:
    """The probability of what is decided for, and whether it was so; of two classes, that of 1."""
    if rows.task.kind != "classes":
        return rows.score, rows.y
    return shares(rows.scores).max(axis=1), (decision(rows) == rows.y).astype(np.float64)
