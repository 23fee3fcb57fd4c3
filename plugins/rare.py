"""Rare categories as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.expr.graph import Expr
from engine.schema import Kind
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.categories import code_counts, seen_texts
from engine.values import FIRST, Values


@stage("rare")
class Rare(ColumnStage):
    """Put one text in the place of every category that is rare in the training rows, or not in them.

    As feature-engine's ``RareLabelEncoder``. The column stays a category, which later stages encode. Missing
    stays missing, and doesn't count in shares.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("rare", {"carrier": ["UA", "UA", "AA", "AA", "OO", None]}, tol=0.3)
    {'carrier': ['UA', 'UA', 'AA', 'AA', 'rare', None]}
    >>> run_stage("rare", {"carrier": ["UA", "UA", "AA", "AA", "OO"]}, max_categories=1, replace_with="other")
    {'carrier': ['other', 'other', 'AA', 'AA', 'other']}
    """

    accepts = (Kind.CATEGORY,)

    tol: float = option(0.05, ge=0, le=1, help="the least share of the rows that a category needs")
    min_count: int = option(1, ge=1, help="the fewest training rows that a category needs")
    max_categories: int | None = option(
        None, ge=1, help="the most categories that stay: the most frequent, in doubt the first by alphabet"
    )
    n_categories: int = option(
        0, ge=0, help="a column with so many categories, or fewer, keeps them all, however rare"
    )
    replace_with: str = option("rare", help="the text that is put there")

    def result(self, kind: Kind) -> Kind:
        return kind

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"categories": tuple(self._learn(name, values) for name, values in columns.items())}

    def _learn(self, name: str, values: Any) -> tuple[str, ...]:
        texts = seen_texts(name, values, "rare", "leave the column out")
        if len(texts) <= self.n_categories:
            return tuple(texts)
        counts = code_counts(values)
        total = counts[FIRST:].sum()
        frequent = [
            (-counts[code], text)
            for text, code in texts.items()
            if counts[code] / total >= self.tol and counts[code] >= self.min_count
        ]
        return tuple(sorted(text for _, text in sorted(frequent)[: self.max_categories]))

    def express(self, x: Expr, learned: Learned) -> Expr:
        texts = tuple(dict.fromkeys((*learned["categories"], self.replace_with)))
        places = {text: float(texts.index(text)) for text in learned["categories"]}
        return x.lookup(places, missing=-1.0, unknown=float(texts.index(self.replace_with))).choose(texts)
