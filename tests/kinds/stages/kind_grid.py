"""Numbers of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.expr.graph import Expr, floor, table
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, RowStage, option, stage
from engine.values import Values


@stage("kind_grid")
class Grid(RowStage):
    """How many training rows lay in the cell of a row, by one number or two."""

    size: float = option(1.0, gt=0)
    cells: int = option(4, ge=1)

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        places = np.stack([np.asarray(x) / self.size for x in columns.values()], axis=1)
        inside = ((places >= 0) & (places < self.cells)).all(axis=1)
        counts = np.zeros([self.cells] * len(columns))
        np.add.at(counts, tuple(places[inside].astype(np.int64).T), 1)
        return {"counts": counts + 0.5}

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        places = tuple(floor(x / self.size) for x in columns.values())
        return table(learned["counts"])[places]
