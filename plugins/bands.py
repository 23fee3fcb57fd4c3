"""Name the band in which a number lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite

from engine.errors import listing
from engine.expr.graph import Expr, search
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("bands")
class Bands(RowStage):
    """Make a text out of a number, such as a score: the name of the band between ``edges`` that holds it.

    An edge belongs to the band above it: with ``edges: [0.2, 0.6]`` the bands are below 0.2, from 0.2 to
    below 0.6, and from 0.6 up. A missing number makes a missing text. Scores are float32 and are compared as
    the float64 they widen to. The new column is called ``into``, or as the stage's label. Other edges and
    names, and more of them, run the same compiled code.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("bands", {"score": [0.1, 0.2, 0.7, None]}, into="risk",
    ...           edges=[0.2, 0.6], names=["low", "medium", "high"])
    {'risk': ['low', 'medium', 'high', None]}
    """

    edges: list[float] = option(runtime=True, help="where a band ends and the next begins, ascending")
    names: list[str] = option(runtime=True, help="the bands' names, from the lowest: one more than edges")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"bands takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"bands takes one column, and {columns[0].name!r} may be several: name one of them"
        if not self.edges:
            yield "edges is empty: there is one band"
        if not all(map(isfinite, self.edges)):
            yield f"edges must be finite: {listing(f'{edge:g}' for edge in self.edges)}"
        elif not all(low < high for low, high in pairwise(self.edges)):
            yield f"edges must ascend: {listing(f'{edge:g}' for edge in self.edges)}"
        if self.edges and len(self.names) != len(self.edges) + 1:
            yield (
                f"names has {len(self.names)} texts; {len(self.edges)} edges part {len(self.edges) + 1} bands"
            )

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.CATEGORY

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return search(x, self.edges).choose(self.names)
