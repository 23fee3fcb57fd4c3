"""The band in which a number lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from engine.errors import listing
from engine.expr.graph import Expr, where
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("band_number")
class BandNumber(RowStage):
    """Number the bands between ``edges`` from 0, and say in which one a number lies; missing stays missing.

    An edge belongs to the band above it. The new column is called ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("band_number", {"minutes": [2.0, 15.0, None, 90.0]}, into="band", edges=[15, 60])
    {'band': [0.0, 1.0, nan, 2.0]}
    """

    edges: list[float] = option(runtime=True, help="where a band ends and the next begins, ascending")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"band_number takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if not self.edges:
            yield "edges is empty"
        if not all(low < high for low, high in pairwise(self.edges)):
            yield f"edges must ascend: {listing(f'{edge:g}' for edge in self.edges)}"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        # a missing number is below no edge: it must not count as one in the highest band
        band: Expr = where(x.isnan(), float("nan"), 0.0)
        for edge in self.edges:
            band = band + where(x >= edge, 1.0, 0.0)
        return band
