"""Limit numbers to a range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from engine.expr.graph import Expr
from engine.schema import Column
from engine.stage import ColumnStage, Learned, option, stage


@stage("clip")
class Clip(ColumnStage):
    """Limit a number to [lo, hi]; missing stays missing.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("clip", {"x": [-5.0, 0.5, None, 99.0]}, columns=["x"], lo=0, hi=10)
    {'x': [0.0, 0.5, nan, 10.0]}
    """

    lo: float = option(-inf, runtime=True, help="the least value")
    hi: float = option(inf, runtime=True, help="the greatest value")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.lo > self.hi:
            yield f"lo ({self.lo:g}) is above hi ({self.hi:g})"

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x.clip(self.lo, self.hi)
