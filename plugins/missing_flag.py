"""Whether a value is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, stage


@stage("missing_flag")
class MissingFlag(RowStage):
    """Make a boolean ``<column>_missing`` for each column: whether its value is missing.

    Put it before the stage that fills the column.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("missing_flag", {"delay": [1.0, None], "carrier": [None, "UA"]})
    {'delay_missing': [False, True], 'carrier_missing': [True, False]}
    """

    accepts = (Kind.NUMBER, Kind.CATEGORY, Kind.TIMESTAMP)

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [Column(f"{column.name}_missing", Kind.BOOLEAN, open=column.open) for column in columns]

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        return {f"{name}_missing": x.isnan() for name, x in columns.items()}
