"""Learned limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.schema import Column
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.values import Values


@stage("winsor")
class Winsor(ColumnStage):
    """Limit a number to two quantiles of the training rows; missing stays missing.

    A limit is a value that occurs there: the least one with at least that share of the values at or below
    it (``numpy.quantile`` with ``method="inverted_cdf"``).

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("winsor", {"fare": [1.0, 7.0, None, 8.0, 9.0, 500.0]}, lower=0.25, upper=0.75)
    {'fare': [7.0, 7.0, nan, 8.0, 9.0, 9.0]}
    """

    lower: float = option(0.01, ge=0, le=1, help="the share of values at or below the lower limit")
    upper: float = option(0.99, ge=0, le=1, help="the share of values at or below the upper limit")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.lower > self.upper:
            yield f"lower ({self.lower:g}) is above upper ({self.upper:g})"

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        limits = [self._limits(name, values) for name, values in columns.items()]
        return {"lo": np.array([lo for lo, _ in limits]), "hi": np.array([hi for _, hi in limits])}

    def _limits(self, name: str, values: Any) -> tuple[float, float]:
        present = values[~np.isnan(values)]
        if not len(present):
            raise UserError(
                f"winsor can't learn limits of {name!r}: no training row has a value there; "
                "leave the column out"
            )
        lo, hi = np.quantile(present, (self.lower, self.upper), method="inverted_cdf").tolist()
        return lo, hi

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x.clip(float(learned["lo"]), float(learned["hi"]))
