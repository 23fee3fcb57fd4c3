"""The logarithm of one plus a number."""

from __future__ import annotations

from engine.expr.graph import Expr, log1p
from engine.stage import ColumnStage, Learned, stage


@stage("log1p")
class Log1p(ColumnStage):
    """Compute ``log(1 + x)``, exact near zero; -inf at -1, missing below it and where x is missing.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("log1p", {"distance": [0.0, None, -1.0, -2.0]})
    {'distance': [0.0, nan, -inf, nan]}
    """

    def express(self, x: Expr, learned: Learned) -> Expr:
        return log1p(x)
