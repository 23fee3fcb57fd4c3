"""How long texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.expr.graph import Expr
from engine.expr.texts import Length
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, stage


@stage("text_length")
class TextLength(RowStage):
    """Make a number ``<column>_length`` for each text: how many characters it has; missing stays missing.

    Characters are Unicode code points: one that is composed of several counts as several. Texts that no stage
    knows have their length, too.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("text_length", {"tailnum": ["N14228", "", "né", None]})
    {'tailnum_length': [6.0, 0.0, 2.0, nan]}
    """

    accepts = (Kind.CATEGORY, Kind.TEXT)

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [Column(f"{column.name}_length", Kind.NUMBER, open=column.open) for column in columns]

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        return {f"{name}_length": x.of_text(Length()) for name, x in columns.items()}
