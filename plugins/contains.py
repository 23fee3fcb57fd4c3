"""Whether texts contain something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import listing
from engine.expr.graph import Expr
from engine.expr.texts import Contains
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("contains")
class ContainsStage(RowStage):
    """Make a number: 1 where a text contains a pattern, else 0; missing stays missing.

    The pattern is a text, or a regular expression of RE2, which may match anywhere: ``^`` and ``$`` tie it to
    the ends. No pattern makes it slow. Texts that no stage knows are looked at, too. The new column is called
    ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("contains", {"tailnum": ["N711AA", "n711", None]}, into="lucky", pattern="N7")
    {'lucky': [1.0, 0.0, nan]}
    >>> run_stage("contains", {"tailnum": ["N711AA", "n711", "x"]}, into="plain", pattern="^N[0-9]+$",
    ...           regex=True, ignore_case=True)
    {'plain': [0.0, 1.0, 0.0]}
    """

    accepts = (Kind.CATEGORY, Kind.TEXT)

    pattern: str = option(runtime=True, help="what is looked for")
    regex: bool = option(False, runtime=True, help="whether the pattern is a regular expression, RE2's")
    ignore_case: bool = option(False, runtime=True, help="whether upper and lower case are the same")

    @property
    def _function(self) -> Contains:
        return Contains(self.pattern, self.regex, self.ignore_case)

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"contains takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"contains takes one column, and {columns[0].name!r} may be several: name one of them"
        yield from self._function.check()

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        (x,) = columns.values()
        return x.of_text(self._function)
