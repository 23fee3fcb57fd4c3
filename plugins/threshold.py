"""Decide by a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan

from engine.errors import listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("threshold")
class Threshold(RowStage):
    """Make a boolean: whether a number, such as a score, is ``at`` or above; false where it is missing.

    Scores are float32 and are compared as the float64 they widen to. The new column is called ``into``, or
    as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("threshold", {"score": [0.2, 0.7, 0.9, None]}, into="late", at=0.7)
    {'late': [False, True, True, False]}
    """

    at: float = option(0.5, runtime=True, help="the least number for which it is true")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"threshold takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"threshold takes one column, and {columns[0].name!r} may be several: name one of them"
        if isnan(self.at):
            yield "at is NaN: nothing is at or above it"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.BOOLEAN

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return x >= self.at
