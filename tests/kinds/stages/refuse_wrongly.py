"""A filter whose author forgot to compare."""

from __future__ import annotations

from collections.abc import Mapping

from engine.expr.graph import Expr
from engine.stage import Learned, RowFilter, stage


@stage("refuse_wrongly")
class RefuseWrongly(RowFilter):
    """Gives a number where a boolean is expected."""

    def reject(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return x
