"""Categories as how often they are."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any, Literal

import numpy as np

from engine.expr.graph import Expr
from engine.schema import Kind
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.categories import code_counts, seen_texts, stacked, with_missing
from engine.values import MISSING, Values


@stage("count_encode")
class CountEncode(ColumnStage):
    """Turn a category into the number of training rows that have it, or into their share.

    As feature-engine's ``CountFrequencyEncoder``. A share is one of the rows that have a category; where a
    missing one counts as a category, of all rows.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("count_encode", {"carrier": ["UA", "AA", "UA", None]})
    {'carrier': [2.0, 1.0, 2.0, nan]}
    >>> run_stage("count_encode", {"at": ["x", "y", "x", None]}, method="frequency", missing="category")
    {'at': [0.5, 0.25, 0.5, 0.25]}
    """

    accepts = (Kind.CATEGORY,)

    method: Literal["count", "frequency"] = option("count", help="the number of rows, or their share")
    unknown: Literal["zero", "missing"] = option(
        "zero", help="what a category becomes that no training row has: 0, or missing"
    )
    missing: Literal["missing", "category"] = option(
        "missing", help="what a missing category becomes: missing, or what a category of its own would"
    )

    def result(self, kind: Kind) -> Kind:
        return Kind.NUMBER

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        categories, numbers = [], []
        for name, values in columns.items():
            texts, counts = self._learn(name, values)
            categories.append(texts)
            numbers.append(counts)
        return {"categories": tuple(categories), "numbers": stacked(numbers)}

    def _learn(self, name: str, values: Any) -> tuple[tuple[str, ...], Any]:
        texts = seen_texts(name, values, "count_encode", "leave the column out")
        counts = code_counts(values)
        if self.missing == "missing":
            counts[MISSING] = 0
        if self.method == "frequency":
            counts = counts / np.sum(counts)
        return tuple(texts), with_missing(texts, counts)

    def express(self, x: Expr, learned: Learned) -> Expr:
        texts, (missing, *numbers) = learned["categories"], learned["numbers"].tolist()
        return x.lookup(
            dict(zip(texts, numbers, strict=False)),
            missing=missing if self.missing == "category" else nan,
            unknown=0.0 if self.unknown == "zero" else nan,
        )
