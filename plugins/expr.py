"""A new column from an expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.expr.language import names, parse
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("expr")
class Expression(RowStage):
    """Make a number or a boolean out of any columns, by an expression.

    It may hold numbers, columns (a name with blanks stands between backticks), ``+ - * /``, comparisons,
    ``and``, ``or``, ``not`` and the functions ``where min max clip abs log log1p exp expm1 pow sqrt
    floor sin cos isnan``; a category may be compared with a text. The new column is called ``into``, or as
    the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("expr", {"dep_delay": [30.0, None], "distance": [99.0, 9.0]}, into="per_mile",
    ...           value="dep_delay / (distance + 1)")
    {'per_mile': [0.3, nan]}
    >>> run_stage("expr", {"carrier": ["UA", "AA", None]}, into="united", value="carrier == 'UA'")
    {'united': [True, False, False]}
    """

    selects = False

    value: str = option(runtime=True, help="the expression, such as dep_delay / (distance + 1)")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        try:
            kind = self._over(columns).kind
        except UserError as error:
            yield str(error)
            return
        if kind not in (Kind.NUMBER, Kind.BOOLEAN):
            yield f"the expression is a {kind}, and expr makes numbers and booleans"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return self._over(columns).kind

    def _over(self, columns: Sequence[Column]) -> Expr:
        nodes = {column.name: Expr.input(column.name, column.kind) for column in columns if not column.open}
        for name in names(self.value):
            covering = next((column for column in columns if column.covers(name)), None)
            if name not in nodes and covering:  # made by a stage that has yet to learn it
                nodes[name] = Expr.input(name, covering.kind)
        return parse(self.value, nodes)

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        return parse(self.value, columns)
