"""Name a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("label")
class Label(RowStage):
    """Make a text out of a boolean (false, true) or a whole number (0, 1, 2, …), such as a class.

    A number that is missing or has no label makes a missing text; a fraction is rounded down. The new
    column is called ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("label", {"late": [True, False]}, into="verdict", labels=["on time", "late"])
    {'verdict': ['late', 'on time']}
    >>> run_stage("label", {"class": [2.0, 0.0, None, 9.0]}, into="size", labels=["S", "M", "L"])
    {'size': ['L', 'S', None, None]}
    """

    accepts = (Kind.BOOLEAN, Kind.NUMBER)

    labels: list[str] = option(runtime=True, help="the texts, by number: the first for false or 0")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"label takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"label takes one column, and {columns[0].name!r} may be several: name one of them"
        if not self.labels:
            yield "labels is empty"
        elif columns[0].kind is Kind.BOOLEAN and len(self.labels) != 2:
            yield f"labels has {len(self.labels)} texts; boolean {columns[0].name!r} needs two: false, true"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.CATEGORY

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return x.choose(self.labels)
