"""Curves and counts behind the charts of a report, of a size that doesn't grow with the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.metric import Scored
from engine.values import FloatArray

_POINTS = 400
"""Of a curve, at most."""
_BARS = 40
"""Of a histogram."""
_DOTS = 2_000
"""Rows that are drawn one by one."""


@dataclass(frozen=True)
class Curve:
    """A line: arrays ``(m,)``, and what belongs to each point."""

    x: FloatArray
    y: FloatArray
    at: FloatArray


def roc(rows: Scored) -> Curve:
    """False positive rate, true positive rate, and the threshold of each point."""
    from sklearn.metrics import roc_curve

    return _thinned(*roc_curve(rows.y, rows.score, sample_weight=rows.weight))


def precision_recall(rows: Scored) -> Curve:
    """Recall, precision, and the threshold of each point, from the lowest threshold up."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, at = precision_recall_curve(
        rows.y, rows.score, sample_weight=rows.weight, drop_intermediate=True
    )
    return _thinned(recall, precision, np.append(at, np.inf))


def _thinned(x: FloatArray, y: FloatArray, at: FloatArray) -> Curve:
    """At most `_POINTS` points, which are about as far from each other along the curve."""
    if len(x) > _POINTS:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        kept = np.searchsorted(along, np.linspace(0, along[-1], _POINTS))
        kept = np.unique(np.concatenate([[0], np.minimum(kept, len(x) - 1), [len(x) - 1]]))
        x, y, at = x[kept], y[kept], at[kept]
    return Curve(x, y, at)


def bar_edges(values: FloatArray, low: float | None = None, high: float | None = None) -> FloatArray:
    """The edges of equally wide bars that hold all values; what is far out goes into the outermost."""
    inner = np.quantile(values, [0.005, 0.995])
    first = float(inner[0]) if low is None else low
    last = float(inner[1]) if high is None else high
    if not first < last:
        first, last = first - 0.5, last + 0.5
    found: FloatArray = np.linspace(first, last, _BARS + 1)
    return found


def heights(values: FloatArray, weight: FloatArray, edges: FloatArray) -> FloatArray:
    """How much weight each bar holds; its sum is that of all weights."""
    inside = np.clip(values, edges[0], edges[-1])
    return np.asarray(np.histogram(inside, edges, weights=weight)[0], np.float64)


@dataclass(frozen=True)
class Tenths:
    """Rows sorted by score and cut into tenths: arrays ``(m,)``, where ``m <= 10``."""

    predicted: FloatArray
    actual: FloatArray
    rows: NDArray[np.int64]


def tenths(rows: Scored) -> Tenths:
    """The mean score and the mean target of each tenth; rows of one score stay together."""
    cuts = np.quantile(rows.score, np.linspace(0, 1, 11)[1:-1])
    place = np.searchsorted(np.unique(cuts), rows.score, side="right")
    total = np.bincount(place, rows.weights)
    there = total > 0
    means = [
        np.bincount(place, rows.weights * values)[there] / total[there] for values in (rows.score, rows.y)
    ]
    return Tenths(means[0], means[1], np.bincount(place)[there])


def some(rows: Scored) -> Scored:
    """All rows, or some that are spread over them evenly."""
    if len(rows) <= _DOTS:
        return rows
    return rows.take(np.linspace(0, len(rows) - 1, _DOTS).astype(np.int64))


def confusion(y: FloatArray, decided: FloatArray, weight: FloatArray, classes: int) -> FloatArray:
    """The weight of each true class (a row) and each class decided for, ``(classes, classes)``."""
    place = (y * classes + decided).astype(np.int64)
    counted = np.bincount(place, weight, classes * classes)
    return np.asarray(counted, np.float64).reshape(classes, classes)


def survival(time: FloatArray, ended: NDArray[np.bool_], weight: FloatArray) -> Curve:
    """The share that has not ended by each time: Kaplan and Meier's estimate, as steps.

    Source: E. Kaplan and P. Meier, Nonparametric estimation from incomplete observations (1958).

    >>> found = survival(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), np.ones(3))
    >>> found.x, found.y
    (array([0., 1., 2., 3.]), array([1.        , 0.66666667, 0.66666667, 0.        ]))
    """
    times, place = np.unique(time, return_inverse=True)
    gone = np.bincount(place, weight)
    at_risk = np.cumsum(gone[::-1])[::-1]
    share = np.cumprod(1 - np.bincount(place, weight * ended) / at_risk)
    x, y = np.concatenate([[0.0], times]), np.concatenate([[1.0], share])
    return _thinned(x, y, np.concatenate([[at_risk[0]], at_risk]))
