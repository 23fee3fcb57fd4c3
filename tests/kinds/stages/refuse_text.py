"""A text that isn't scored."""

from __future__ import annotations

from collections.abc import Mapping

from engine.expr.graph import Expr
from engine.schema import Kind
from engine.stage import Learned, RowFilter, stage


@stage("refuse_text")
class RefuseText(RowFilter):
    """Refuse rows in which a category is a text."""

    accepts = (Kind.CATEGORY,)

    text: str

    def reject(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return x == self.text
