"""Numbers that stand for a missing value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, nan

from engine.expr.graph import Expr, where
from engine.schema import Column, Kind
from engine.stage import ColumnStage, Learned, option, stage


@stage("null_if")
class NullIf(ColumnStage):
    """Make a number missing where it is a certain one, such as -999 of a source that has no nulls.

    XGBoost's ``missing=`` in its scikit-learn wrapper does the same to all features; so does, with 0, a
    sparse matrix that scikit-learn hands to XGBoost.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("null_if", {"delay": [1.0, -999.0, None]}, value=-999)
    {'delay': [1.0, nan, nan]}
    """

    accepts = (Kind.NUMBER, Kind.BOOLEAN)

    value: float = option(runtime=True, help="the number that means missing")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if isnan(self.value):
            yield "value is NaN, which is what is missing already"

    def result(self, kind: Kind) -> Kind:
        return Kind.NUMBER

    def express(self, x: Expr, learned: Learned) -> Expr:
        return where(x == self.value, nan, x)
