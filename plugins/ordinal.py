"""Categories as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any

from engine.errors import listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import NOTHING, ColumnStage, FitContext, Learned, option, stage
from engine.training.categories import seen_texts
from engine.values import Values


@stage("ordinal")
class Ordinal(ColumnStage):
    """Turn a category into its place in an order, counted from 0; missing stays missing by default.

    The order is that of the alphabet over the categories of the training rows, or given. ``unknown`` and
    ``missing`` are ``unknown_value`` and ``encoded_missing_value`` of scikit-learn's ``OrdinalEncoder``.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("ordinal", {"carrier": ["UA", "AA", "UA", None]})
    {'carrier': [1.0, 0.0, 1.0, nan]}
    >>> run_stage("ordinal", {"size": ["L", "S", "XXL"]}, categories={"size": ["S", "M", "L"]})
    {'size': [2.0, 0.0, -1.0]}
    """

    accepts = (Kind.CATEGORY,)

    categories: dict[str, list[str]] | list[str] | None = option(
        None, help="the order: one list for all columns, or one for each; then nothing is learned"
    )
    unknown: float = option(-1.0, runtime=True, help="the number of every other category")
    missing: float | None = option(
        None, runtime=True, help="the number of a missing category; left out: it stays missing"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.categories is None:
            return
        selected = {column.name for column in columns}
        lists = {"": self.categories}
        if isinstance(self.categories, dict):
            lists = dict(self.categories)
            if lacking := sorted(selected - set(self.categories)):
                yield f"categories has no list for {listing(lacking)}"
            if extra := sorted(set(self.categories) - selected):
                yield f"categories has a list for {listing(extra)}, which columns doesn't select"
        for name, texts in lists.items():
            of = f" of {name}" if name else ""
            if not texts:
                yield f"categories{of} is empty"
            if twice := sorted({text for text in texts if list(texts).count(text) > 1}):
                yield f"categories{of} has {listing(twice)} more than once"

    def result(self, kind: Kind) -> Kind:
        return Kind.NUMBER

    def learns(self) -> bool:
        return self.categories is None

    def prepare(self, columns: Sequence[Column]) -> Learned:
        if not isinstance(self.categories, dict):
            return NOTHING
        return {"categories": tuple(tuple(self.categories[column.name]) for column in columns)}

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"categories": tuple(_learn(name, values) for name, values in columns.items())}

    def express(self, x: Expr, learned: Learned) -> Expr:
        texts = self.categories if isinstance(self.categories, list) else learned["categories"]
        table = {text: float(place) for place, text in enumerate(texts)}
        return x.lookup(table, missing=nan if self.missing is None else self.missing, unknown=self.unknown)


def _learn(name: str, values: Any) -> tuple[str, ...]:
    return tuple(seen_texts(name, values, "ordinal", "state them in categories, or leave the column out"))
