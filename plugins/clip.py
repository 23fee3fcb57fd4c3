"""Limit numbers to a range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.schema import Column
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.values import Values


@stage("clip")
class Clip(ColumnStage):
    """Limit a number to [lo, hi]; missing stays missing.

    With ``quantiles`` the two limits are learned: those quantiles of the training rows, interpolated as
    ``numpy.quantile`` does. 0 and 1 are the least and the greatest number; ``null`` leaves a side open.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("clip", {"x": [-5.0, 0.5, None, 99.0]}, columns=["x"], lo=0, hi=10)
    {'x': [0.0, 0.5, nan, 10.0]}
    >>> run_stage("clip", {"delay": [-9.0, 0.0, 1.0, None, 2.0, 800.0]}, quantiles=[0.25, 0.75])
    {'delay': [0.0, 0.0, 1.0, nan, 2.0, 2.0]}
    """

    lo: float = option(-inf, runtime=True, help="the least value")
    hi: float = option(inf, runtime=True, help="the greatest value")
    quantiles: list[float | None] | None = option(
        None, ge=0, le=1, help="two quantiles of the training rows in place of lo and hi, as [0.01, 0.99]"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.lo > self.hi:
            yield f"lo ({self.lo:g}) is above hi ({self.hi:g})"
        if self.quantiles is None:
            return
        if (self.lo, self.hi) != (-inf, inf):
            yield "lo and hi are given, and quantiles would learn them: remove one of the two"
        if len(self.quantiles) != 2:
            yield f"quantiles has {len(self.quantiles)} items; give two, such as [0.01, 0.99]"
            return
        low, high = self.quantiles
        if low is None and high is None:
            yield "quantiles is [null, null], which limits nothing; give one, such as [null, 0.99]"
        elif low is not None and high is not None and low > high:
            yield f"quantiles has {low:g} before {high:g}; the lower one comes first"

    def learns(self) -> bool:
        return self.quantiles is not None

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        sides = zip(("lo", "hi"), self.quantiles or (), strict=True)
        return {
            side: np.array([_quantile(name, values, share) for name, values in columns.items()])
            for side, share in sides
            if share is not None
        }

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x.clip(learned.get("lo", self.lo), learned.get("hi", self.hi))


def _quantile(name: str, values: Any, share: float) -> float:
    there = values[~np.isnan(values)]
    if not len(there):
        raise UserError(
            f"clip can't learn the quantiles of {name!r}: no training row has a value there; "
            "state lo and hi, or leave the column out"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (float(np.quantile(there, share, method=way)) for way in ("lower", "higher"))
        # between a number and an infinite one, which it needn't touch, NumPy's line is NaN
        found = low if low == high else float(np.quantile(there, share))
    if not isfinite(found):
        raise UserError(
            f"clip can't learn the quantile {share:g} of {name!r}: it is {found:g}, because the training "
            "rows hold infinite or too large numbers there; take a quantile further in, or state lo and hi"
        )
    return found
