"""How well the rows of each group are sorted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.metric import Scored
from engine.values import FloatArray, IntArray


@dataclass(frozen=True)
class _Order:
    """Rows sorted by group, and in it by what is high.

    Parameters
    ----------
    rows : int64 array, shape (n,)
        Positions of the rows in this order.
    group : int64 array, shape (n,)
        The number of each sorted row's group, from 0 up.
    place : int64 array, shape (n,)
        Its place in the group, from 0 up.
    ties : int64 array
        The first of each run of rows that tie.
    """

    rows: IntArray
    group: IntArray
    place: IntArray
    ties: IntArray


def _sorted(group: IntArray, by: FloatArray) -> _Order:
    rows = np.lexsort((-by, group))
    of, value = group[rows], by[rows]
    begins = np.concatenate([[True], of[1:] != of[:-1]])
    number = np.cumsum(begins) - 1
    place = np.arange(len(rows)) - np.flatnonzero(begins)[number]
    ties = np.flatnonzero(begins | np.concatenate([[True], value[1:] != value[:-1]]))
    return _Order(rows, number, place, ties)


def ndcg(rows: Scored) -> FloatArray:
    """The NDCG of each group, in ascending order of groups; NaN where nothing in it is relevant."""
    if rows.group is None:
        return np.zeros(0)
    if rows.y.min() < 0:
        return np.full(len(np.unique(rows.group)), np.nan)
    best = _sorted(rows.group, rows.y)
    ideal = _sums(best.group, _gain(rows.y[best.rows]) / np.log2(best.place + 2.0))
    order = _sorted(rows.group, rows.score)
    # rows that tie share their places: each gets the mean of these places' discounts
    length = np.diff(np.append(order.ties, len(order.rows)))
    discount = np.add.reduceat(1 / np.log2(order.place + 2.0), order.ties) / length
    found = _sums(order.group, _gain(rows.y[order.rows]) * np.repeat(discount, length))
    return _ratio(found, ideal)


def average_precision(rows: Scored) -> FloatArray:
    """The average precision of each group, likewise; relevant is what is above 0."""
    if rows.group is None:
        return np.zeros(0)
    order = _sorted(rows.group, rows.score)
    relevant = (rows.y[order.rows] > 0).astype(np.float64)
    ends = np.append(order.ties[1:], len(order.rows)) - 1
    group = order.group[ends]
    before = np.concatenate([[0.0], np.cumsum(np.bincount(order.group, relevant))])[group]
    found = np.cumsum(relevant)[ends] - before
    gained = np.add.reduceat(relevant, order.ties)
    precision = found / (order.place[ends] + 1)
    return _ratio(_sums(group, gained * precision), _sums(order.group, relevant))


def mean_over_groups(rows: Scored, values: FloatArray) -> float:
    """The mean of those groups that have a value; a group weighs as its rows do on average."""
    if rows.group is None:
        return np.nan
    number = np.unique(rows.group, return_inverse=True)[1]
    weight = np.bincount(number, rows.weights) / np.bincount(number)
    there = ~np.isnan(values)
    return float(np.average(values[there], weights=weight[there])) if there.any() else np.nan


def _sums(group: IntArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.bincount(group, values), np.float64)


def _gain(relevance: FloatArray) -> FloatArray:
    return np.exp2(relevance) - 1


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    there: NDArray[np.bool_] = whole > 0
    return np.where(there, part / np.where(there, whole, 1.0), np.nan)
