"""Reasons by the column that they concern."""

from __future__ import annotations

from collections.abc import Mapping

from engine.expr.graph import Expr
from engine.stage import Learned, RowFilter, option, stage


@stage("refuse_by_column")
class RefuseByColumn(RowFilter):
    """Refuse rows in which a number is below 0, and say which."""

    said: str = option("{} is below 0", help="the reason; {} is the column")
    concerns: str = option("{}", help="the column that it concerns")

    def reject(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Mapping[str, Expr]]:
        return {self.concerns.format(name): {self.said.format(name): x < 0} for name, x in columns.items()}
