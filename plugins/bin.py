"""Numbers as the number of the bin that they lie in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, Literal

import numpy as np

from engine.expr.graph import Expr, search
from engine.schema import Column
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.numbers import finite_values, too_large
from engine.values import FloatArray, Values

_LEAST_WIDTH = 1e-8
"""Quantiles nearer to each other than this bound no bin of their own, as in scikit-learn."""


@stage("bin")
class Bin(ColumnStage):
    """Turn a number into the number of its bin, from 0 up; missing stays missing.

    A bin holds its lower edge and not its upper one; the first and the last reach to infinity.

    =============  =================================================================================
    what is given  the bins
    =============  =================================================================================
    ``edges``      ``[0, 15, 60]``: below 0, from 0, from 15, and from 60 up; nothing is learned
    ``quantile``   as many training rows in each; equal quantiles are one edge, so there may be fewer
    ``uniform``    of one width, from the least to the greatest number of the training rows
    =============  =================================================================================

    They are learned as scikit-learn's ``KBinsDiscretizer`` learns them, from all rows, with
    ``encode="ordinal"`` and ``quantile_method="averaged_inverted_cdf"``. A constant column is all 0.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("bin", {"delay": [-5.0, 0.0, 14.9, 15.0, None]}, edges=[0, 15])
    {'delay': [0.0, 1.0, 1.0, 2.0, nan]}
    >>> run_stage("bin", {"miles": [0.0, 1.0, 2.0, 100.0, None]}, n_bins=2)
    {'miles': [0.0, 0.0, 1.0, 1.0, nan]}
    >>> run_stage("bin", {"miles": [0.0, 1.0, 2.0, 100.0, None]}, n_bins=4, strategy="uniform")
    {'miles': [0.0, 0.0, 0.0, 3.0, nan]}
    """

    strategy: Literal["quantile", "uniform"] = option("quantile", help="how edges are learned")
    n_bins: int = option(5, ge=2, le=65_536, help="how many bins are learned")
    edges: list[float] | None = option(
        None, runtime=True, help="the numbers at which bins begin, ascending; then nothing is learned"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.edges is None:
            return
        if not self.edges:
            yield "edges is empty; give one or more, such as [0, 15, 60]"
        if not all(isfinite(edge) for edge in self.edges):
            yield "edges must be finite: the first and the last bin reach to infinity as it is"
        elif wrong := [(a, b) for a, b in pairwise(self.edges) if a >= b]:
            yield f"edges must ascend, and {wrong[0][1]:g} follows {wrong[0][0]:g}"
        if (self.strategy, self.n_bins) != ("quantile", 5):
            yield "strategy and n_bins are for learned edges, and these are given"

    def learns(self) -> bool:
        return self.edges is None

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        found = [self._learn(name, values) for name, values in columns.items()]
        edges = np.zeros((len(found), max(1, *map(len, found))))
        for row, own in zip(edges, found, strict=True):
            row[: len(own)] = own
        return {"edges": edges, "count": np.array([len(own) for own in found], np.int64)}

    def _learn(self, name: str, values: Any) -> FloatArray:
        there = finite_values("bin", name, values, "state edges")
        least, greatest = float(np.min(there)), float(np.max(there))
        if least == greatest:
            return np.zeros(0)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.strategy == "uniform":
                edges = np.linspace(least, greatest, self.n_bins + 1)
            else:
                shares = np.linspace(0, 100, self.n_bins + 1)
                edges = np.percentile(there, shares, method="averaged_inverted_cdf")
                edges = edges[np.ediff1d(edges, to_begin=np.inf) > _LEAST_WIDTH]
        if not np.isfinite(edges).all():
            raise too_large("bin", name, "state edges")
        return edges[1:-1]

    def express(self, x: Expr, learned: Learned) -> Expr:
        return search(x, self.edges if self.edges is not None else learned["edges"][: learned["count"]])
