"""Name a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import UserError, listing
from engine.expr.graph import Expr, as_number, maximum, where
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("label")
class Label(RowStage):
    """Make a text out of a boolean (false, true), a class's number (0, 1, 2, …) or the scores of classes.

    A number that is missing or has no label makes a missing text; a fraction is rounded down. Of several
    columns the greatest one's text is made, of equal ones the first's; it is missing where any of them is.
    Without ``labels`` their texts are their names behind ``prefix``: for ``score_<class>``, the class. The
    new column is called ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("label", {"late": [True, False]}, into="verdict", labels=["on time", "late"])
    {'verdict': ['late', 'on time']}
    >>> run_stage("label", {"class": [2.0, 0.0, None, 9.0]}, into="size", labels=["S", "M", "L"])
    {'size': ['L', 'S', None, None]}
    >>> run_stage("label", {"score_cat": [0.7, 0.2, 0.5], "score_dog": [0.3, 0.8, 0.5]}, into="animal")
    {'animal': ['cat', 'dog', 'cat']}
    """

    accepts = (Kind.BOOLEAN, Kind.NUMBER)

    labels: list[str] | None = option(
        None, runtime=True, help="the texts, by number: the first for false or 0, or for the first column"
    )
    prefix: str = option(
        "score_",
        runtime=True,
        help="without labels: what the columns' names begin with; the rest is the text",
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        names = [column.name for column in columns]
        if self.labels == []:
            yield "labels is empty"
        elif len(columns) > 1 or columns[0].open:
            closed = [column.name for column in columns if not column.open]
            if len(closed) == len(columns):
                yield from self._mistakes(names)
            elif not self.labels:
                yield from self._mistakes(closed)
        elif self.labels is None:
            yield f"labels is missing: one column, {names[0]!r}, has no texts of its own"
        elif columns[0].kind is Kind.BOOLEAN and len(self.labels) != 2:
            yield f"labels has {len(self.labels)} texts; boolean {names[0]!r} needs two: false, true"

    def _mistakes(self, names: Sequence[str]) -> Iterable[str]:
        """What is wrong for these columns, each of which has a text."""
        if self.labels is not None:
            if len(self.labels) != len(names):
                yield f"labels has {len(self.labels)} texts for {len(names)} columns: {listing(names)}"
            return
        others = [name for name in names if not name.startswith(self.prefix)]
        if others:
            yield (
                f"without labels, each column's name begins with prefix, {self.prefix!r}, and the rest is "
                f"its text; {listing(map(repr, others))} doesn't: state prefix, or labels"
            )

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.CATEGORY

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        names, nodes = list(columns), list(columns.values())
        if len(nodes) == 1 and self.labels is not None:
            return nodes[0].choose(self.labels)
        for mistake in self._mistakes(names):  # a glob's columns are known only now
            raise UserError(f"label: {mistake}")
        texts = self.labels or [name.removeprefix(self.prefix) for name in names]
        return _greatest(nodes).choose(texts)


def _greatest(nodes: Sequence[Expr]) -> Expr:
    """The place of the greatest number, of equal ones the first; -1 where any is missing."""
    best, place = as_number(nodes[0]), Expr.const(0.0)
    for i, node in enumerate(nodes[1:], 1):
        place = where(node > best, float(i), place)
        best = maximum(best, node)
    return where(best.isnan(), -1.0, place)
