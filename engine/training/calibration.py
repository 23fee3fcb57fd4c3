"""Functions from scores to probabilities, fitted on scores with their outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.values import FloatArray

_STEPS = 100
_LEAST_SPREAD = 1e-13
"""Of scores whose greatest is 1: less is their mean's rounding."""
_SAME = 1e-15
"""Scores that are nearer to each other are one to scikit-learn (a float64's resolution)."""


def platt(scores: FloatArray, positive: NDArray[np.bool_], weight: FloatArray) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid, ``1 / (1 + exp(slope * s + intercept))``.

    The targets are smoothed by what is known beforehand (Platt 1999, "Probabilistic outputs for support
    vector machines"); the least loss is found by Newton's method with backtracking (Lin, Lin and Weng 2007,
    "A note on Platt's probabilistic outputs for support vector machines").

    Parameters
    ----------
    scores : float64 array, shape (n,)
        Finite.
    positive : bool array, shape (n,)
    weight : float64 array, shape (n,)

    Examples
    --------
    >>> slope, intercept = platt(np.array([0.0, 1.0]), np.array([False, True]), np.ones(2))
    >>> round(slope, 6), round(intercept, 6)
    (-1.386294, 0.693147)
    """
    negatives, positives = float(weight[~positive].sum()), float(weight[positive].sum())
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # around zero and of size one, for Newton's method; the sigmoid's family stays the same
    greatest = float(np.abs(scores).max()) or 1.0
    u = scores / greatest
    center = float(u.mean())
    by = float(u.std())
    by = by if by > _LEAST_SPREAD else 1.0
    u = (u - center) / by
    share = weight / (negatives + positives)

    def loss(a: float, b: float) -> float:
        f = a * u + b
        return float(share @ (target * f + np.logaddexp(0.0, -f)))

    a, b = 0.0, float(np.log((negatives + 1) / (positives + 1)))
    least = loss(a, b)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(np.clip(a * u + b, -700, 700)))
        d, w = share * (target - p), share * p * (1 - p)
        slope = np.array([u @ d, d.sum()])
        # the little on the diagonal is for scores that are all the same
        curve = np.array([[u * u @ w, u @ w], [u @ w, w.sum()]]) + 1e-12 * np.eye(2)
        step = -np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-10 and loss(a + size * step[0], b + size * step[1]) > least + 1e-4 * size * (
            slope @ step
        ):
            size /= 2
        moved = loss(a + size * step[0], b + size * step[1])
        if moved > least or size <= 1e-10:
            break
        a, b, least = a + size * float(step[0]), b + size * float(step[1]), moved
        if np.abs(size * step).max() < 1e-12:
            break
    found = a / by / greatest, b - a * center / by
    if not np.isfinite(found).all():
        raise UserError("the valid rows' scores are too large, or too near to each other, to fit a sigmoid")
    return found


def isotonic(
    scores: FloatArray, positive: NDArray[np.bool_], weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The points of the non-decreasing function that is nearest to the outcomes, by weighted squares.

    Pool adjacent violators (Barlow et al. 1972), on the mean outcome of equal scores; points within a level
    stretch are left out. As scikit-learn's ``IsotonicRegression``.

    Parameters
    ----------
    scores : float64 array, shape (n,)
        Finite.
    positive : bool array, shape (n,)
    weight : float64 array, shape (n,)
        Rows of weight 0 are left out.

    Returns
    -------
    float64 array, shape (n_points,)
        Scores, ascending.
    float64 array, shape (n_points,)
        Shares of positives.

    Examples
    --------
    >>> isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]), np.ones(4))
    (array([1., 2., 3., 4.]), array([0. , 0.5, 0.5, 1. ]))
    """
    there = weight > 0
    values, inverse = np.unique(scores[there], return_inverse=True)
    if not np.isfinite(values[-1] - values[0]):
        raise UserError("the valid rows' scores are too far from each other for isotonic regression")
    weights = np.bincount(inverse, weight[there])
    hits = np.bincount(inverse, weight[there] * positive[there])
    first = _merged(values)
    values = values[first]
    weights, hits = np.add.reduceat(weights, first), np.add.reduceat(hits, first)
    shares = _pooled(weights.tolist(), hits.tolist())
    needed = np.ones(len(values), bool)
    needed[1:-1] = (shares[1:-1] != shares[:-2]) | (shares[1:-1] != shares[2:])
    return values[needed], shares[needed]


def _merged(values: FloatArray) -> NDArray[np.int64]:
    """Where ascending scores begin that aren't one with those before."""
    if not len(values) or (np.diff(values) >= _SAME).all():
        return np.arange(len(values))
    first, current = [0], float(values[0])
    for i, value in enumerate(values.tolist()):
        if value - current >= _SAME:
            first.append(i)
            current = value
    return np.array(first)


def _pooled(weights: list[float], hits: list[float]) -> FloatArray:
    """The share of each score, pooled with its neighbours' where it would be less than one before."""
    blocks: list[Any] = []  # weight, hits, how many scores
    for weight, hit in zip(weights, hits, strict=True):
        count = 1
        while blocks and blocks[-1][1] * weight >= hit * blocks[-1][0]:
            before = blocks.pop()
            weight, hit, count = weight + before[0], hit + before[1], count + before[2]
        blocks.append((weight, hit, count))
    shares = np.repeat([hit / weight for weight, hit, _ in blocks], [count for _, _, count in blocks])
    return np.maximum.accumulate(shares)  # weights that aren't whole round
