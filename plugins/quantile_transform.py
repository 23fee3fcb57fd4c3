"""Numbers as their place among the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

import numpy as np

from engine.expr.graph import Expr, call, search, table, where
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.numbers import finite_values, too_large
from engine.values import FloatArray, Values

_MARGIN = 1e-7
"""How near to the ends of the training rows a number counts as beyond them, where the output is normal."""
_LEAST, _MOST = -5.199337582605575, 5.19933758270342
"""Normal quantiles of `_MARGIN` and of 1 less it: further out lies nothing."""


@stage("quantile_transform")
class QuantileTransform(ColumnStage):
    """Make of a number the share of training rows below it, or the normal number of that share.

    As scikit-learn's ``QuantileTransformer``, but learned from all rows: a grid of quantiles, and straight
    lines between them. A number that several quantiles equal is in their middle. What lies beyond the
    training rows is 0 or 1 (±5.2 of ``normal``). Missing stays missing.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("quantile_transform", {"miles": [0.0, 10.0, None, 500.0, 1000.0, 255.0]}, n_quantiles=5)
    {'miles': [0.0, 0.25, nan, 0.75, 1.0, 0.5]}
    >>> found = run_stage("quantile_transform", {"miles": [0.0, 10.0, 99.0]}, output_distribution="normal")
    >>> [round(x, 3) for x in found["miles"]]
    [-5.199, 0.0, 5.199]
    """

    n_quantiles: int = option(
        1000, ge=1, le=1_000_000, help="points of the grid; at most as many as there are training rows"
    )
    output_distribution: Literal["uniform", "normal"] = option(
        "uniform", help="how the result is distributed"
    )

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"quantiles": np.array([self._learn(name, values) for name, values in columns.items()])}

    def _learn(self, name: str, values: Any) -> FloatArray:
        there = finite_values("quantile_transform", name, values)
        shares = np.linspace(0, 1, min(self.n_quantiles, len(values)))
        with np.errstate(over="ignore", invalid="ignore"):
            # rounding may put one quantile below the one before it
            found: FloatArray = np.maximum.accumulate(np.percentile(there, shares * 100))
            if not isfinite(found[-1] - found[0]):
                raise too_large("quantile_transform", name)
        return found

    def express(self, x: Expr, learned: Learned) -> Expr:
        quantiles: FloatArray = learned["quantiles"]
        least, most = float(quantiles[0]), float(quantiles[-1])
        starts, lines = _lines(quantiles)
        row, cells = search(x, starts), table(lines)
        start, at, beyond, width, rise = (cells[row, i] for i in range(5))
        share = where(x == start, at, beyond + (x.clip(least, most) - start) / width * rise)
        if self.output_distribution == "uniform":
            return share
        from engine.jit.normal import inverse_normal

        share = where(x - _MARGIN < least, 0, where(x + _MARGIN > most, 1, share))
        return call(inverse_normal, share).clip(_LEAST, _MOST)


def _lines(quantiles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The different quantiles, and a line behind each, after one for what is below all of them.

    Returns
    -------
    starts : float64 array, shape (n,)
    lines : float64 array, shape (n + 1, 5)
        Where a line begins, the share just there and right behind it, how far the line goes, and how much
        the share rises on it.
    """
    shares = np.linspace(0, 1, len(quantiles))
    starts, first, counts = np.unique(quantiles, return_index=True, return_counts=True)
    low, high = shares[first], shares[first + counts - 1]
    at = (low + high) / 2
    at[-1], at[0] = 1, 0  # in this order: of a constant column, 0
    widths, rises = np.append(np.diff(starts), 1), np.append(low[1:] - high[:-1], 0)
    lines = np.stack([starts, at, high, widths, rises], axis=1)
    return starts, np.vstack([[starts[0], 0, 0, 1, 0], lines])
