"""A loop over numbers that no expression can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numba

from engine.expr.graph import Expr, call
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, stage

LIMIT = 50


@numba.njit
def step(x: float, by: float) -> float:
    return x / by - 1.0 / (x - 3.0)


@numba.njit
def turns(x: float, by: float) -> float:
    """How often x is stepped until it is small."""
    count = 0.0
    while abs(x) > 0.5 and count < LIMIT:
        x = step(x, by)
        count += 1.0
    return count + x


@stage("kind_turns")
class Turns(RowStage):
    """Step a number by a loop, for each of the selected ones, and add the results up."""

    by: float = 2.0

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        first, *others = [call(turns, x, self.by) for x in columns.values()]
        for other in others:
            first = first + other
        return first
