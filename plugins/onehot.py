"""Categories as columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, Literal

import numpy as np

from engine.errors import UserError, listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, RowStage, option, stage
from engine.training.categories import by_name
from engine.values import FIRST, MISSING, Values


@stage("onehot")
class OneHot(RowStage):
    """Make a number ``<column>_<category>`` for each category: 1 where the column has it, else 0.

    The categories are learned from the training rows, in alphabetical order, or given. A missing category
    is 0 in all of them, or counts as the text ``missing``: it then gets a column as that text does. Later
    stages select the new columns as ``<column>_*``.

    Any other category, one that is too rare or that no training row has, is as ``unknown`` says: 0 in all of
    them (scikit-learn's ``handle_unknown='ignore'``), 1 in one column more, ``<column>_other`` (its
    ``'infrequent_if_exist'``), or missing. To refuse such rows instead (its ``'error'``), say so where the
    input is declared: ``unknown: reject``.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("onehot", {"carrier": ["UA", "AA", "UA", None]})
    {'carrier_AA': [0.0, 1.0, 0.0, 0.0], 'carrier_UA': [1.0, 0.0, 1.0, 0.0]}
    >>> run_stage("onehot", {"carrier": ["UA", "AA"]}, categories={"carrier": ["AA"]}, unknown="missing")
    {'carrier_AA': [nan, 1.0]}
    >>> run_stage("onehot", {"carrier": ["UA", "AA", "UA", "OO", None]}, max_categories=1, unknown="other")
    {'carrier_UA': [1.0, 0.0, 1.0, 0.0, 0.0], 'carrier_other': [0.0, 1.0, 0.0, 1.0, 0.0]}
    >>> run_stage("onehot", {"carrier": ["UA", None]}, missing="none")
    {'carrier_UA': [1.0, 0.0], 'carrier_none': [0.0, 1.0]}
    """

    accepts = (Kind.CATEGORY,)

    min_count: int = option(1, ge=1, help="the fewest training rows that a category needs")
    max_categories: int | None = option(
        None,
        ge=1,
        help="the most categories of one column: the most frequent, in doubt the first by alphabet",
    )
    categories: dict[str, list[str]] | None = option(
        None, help="the categories of each column; then nothing is learned"
    )
    unknown: Literal["zero", "missing", "other"] = option(
        "zero",
        help="what any other category is: 0 in all columns, missing in all, or 1 in <column>_other",
    )
    missing: str | None = option(
        None, help="the text that a missing category counts as; left out: it is 0 in all columns"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.categories is None:
            return
        selected = {column.name for column in columns}
        if lacking := sorted(selected - set(self.categories)):
            yield f"categories has no list for {listing(lacking)}"
        if extra := sorted(set(self.categories) - selected):
            yield f"categories has a list for {listing(extra)}, which columns doesn't select"
        for name, texts in self.categories.items():
            if twice := sorted({text for text in texts if texts.count(text) > 1}):
                yield f"categories of {name} has {listing(twice)} more than once"
        if self.min_count > 1 or self.max_categories is not None:
            yield "min_count and max_categories are for learned categories, and these are given"

    def learns(self) -> bool:
        return self.categories is None

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        if self.categories is None:
            return [Column(f"{column.name}_*", Kind.NUMBER, open=True) for column in columns]
        more = ["other"] if self.unknown == "other" else []
        return [
            Column(f"{column.name}_{text}", Kind.NUMBER)
            for column in columns
            for text in (*self.categories[column.name], *more)
        ]

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {name: self._learn(name, values) for name, values in columns.items()}

    def _learn(self, name: str, values: Any) -> tuple[str, ...]:
        counts = np.bincount(values.codes, minlength=FIRST + len(values.texts)).tolist()
        by_text = dict(zip(values.texts, counts[FIRST:], strict=True))
        if self.missing is not None and counts[MISSING]:
            by_text[self.missing] = by_text.get(self.missing, 0) + counts[MISSING]
        frequent = [(-count, text) for text, count in by_text.items() if count >= self.min_count]
        if not frequent:
            least = f" in at least {self.min_count:,} rows" if self.min_count > 1 else ""
            raise UserError(
                f"onehot can't learn the categories of {name!r}: the training rows have none{least}; "
                "state them in categories, or leave the column out"
            )
        return tuple(sorted(text for _, text in sorted(frequent)[: self.max_categories]))

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        return by_name("onehot", self._made(columns, learned if self.categories is None else self.categories))

    def _made(
        self, columns: Mapping[str, Expr], categories: Mapping[str, Sequence[str]]
    ) -> Iterator[tuple[str, Expr]]:
        for name, x in columns.items():
            texts = categories[name]
            for text in texts:
                if self.unknown == "missing":
                    yield f"{name}_{text}", self._look_up(x, {t: float(t == text) for t in texts}, nan)
                else:
                    yield f"{name}_{text}", self._look_up(x, {text: 1.0}, 0.0)
            if self.unknown == "other":
                yield f"{name}_other", self._look_up(x, dict.fromkeys(texts, 0.0), 1.0)

    def _look_up(self, x: Expr, table: Mapping[str, float], unknown: float) -> Expr:
        missing = 0.0 if self.missing is None else table.get(self.missing, unknown)
        return x.lookup(table, missing=missing, unknown=unknown)
